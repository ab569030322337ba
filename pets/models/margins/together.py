"""Together: what several releases promise, as one sentence: their losses add up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from pets.protection.budget import Cost, described
from pets.release.release import Release


def together(releases: Sequence[Release]) -> str:
    """The guarantee of one release, or of all of them together; of answers without noise, each one's own."""
    last = releases[-1]
    noisy = {one.mechanism != "none" for one in releases} == {True}
    if len(releases) == 1 or not noisy or len({one.cost["currency"] for one in releases}) > 1:
        return " ".join(dict.fromkeys(one.guarantee for one in releases))
    epsilon, delta = described(
        reduce(add, (Cost.from_json(one.cost) for one in releases)), max(one.delta or 0.0 for one in releases)
    )
    also = f" and δ = {delta:g}" if delta else ""
    return (
        f"{len(releases)} releases, which together are differentially private with ε = {epsilon:.4g}{also}. The last "
        f"one: {last.guarantee}"
    )
