"""Together: what several releases promise, as one sentence: their losses add up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from pets.protection.budget import Cost, described, rounded_up
from pets.release.release import Release


def together(releases: Sequence[Release]) -> str:
    """The guarantee of one release, or of all of them together; of answers without noise, each one's own.

    Answers of invented rows promise nothing, and cost nothing: among those of real rows they say so beside them.
    """
    real = [one for one in releases if one.data != "dummy"]
    noisy = {one.mechanism != "none" for one in releases} == {True}
    if len(real) < 2 or not noisy or len({one.cost["currency"] for one in real}) > 1:
        return " ".join(dict.fromkeys(one.guarantee for one in releases))
    if len(real) < len(releases):
        return " ".join(dict.fromkeys((together(real), *(one.guarantee for one in releases if one not in real))))
    last = releases[-1]
    epsilon, delta = described(
        reduce(add, (Cost.from_json(one.cost) for one in releases)), max(one.delta or 0.0 for one in releases)
    )
    also = f" and δ = {delta:g}" if delta else ""
    return (
        f"{len(releases)} releases, which together are differentially private with ε = {rounded_up(epsilon)}{also}. "
        f"The last one: {last.guarantee}"
    )
