"""Reviewed: what a log tells of answers that waited for a second person, and of what each reviewer decided."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pets.common.codec import Json, digest
from pets.ledger.log.cleared import person
from pets.ledger.log.tally import Wrong, plain, whole

_STAGES, _DECISIONS = ("before", "after"), ("approve", "refuse")
_FOUND = ("proved", "attack", "undecided")
_HEX = re.compile("[0-9a-f]{64}")


def outside(said: Json) -> bool:
    """Whether a request is for a table outside the grid, which leaves on a person's word alone."""
    return plain(said["what"]).startswith("reviewed ") and said["protection"].get("kind") == "sdc"


def sums(said: Json) -> bool:
    """Whether a request is for sums of the shown cells of a grid, which tell nothing that the grid does not."""
    return plain(said["what"]).startswith("rounded ") and said["protection"].get("kind") == "sdc"


class Reviewed:
    """The held answers that the entries so far lead to: none of them may have reached anybody."""

    def __init__(self) -> None:
        self._jobs: dict[str, bool] = {}  # whether its answers are made and it waits; else it was decided
        self._withheld: set[str] = set()
        self._decided: set[str] = set()  # nobody decides about those again
        self._word = -2, ""  # the last entry by which a table outside the grid leaves, and whose it is

    def hold(self, said: Json) -> None:
        """The answers of a job are held."""
        if self._jobs.get(plain(said["job"]), False):
            raise Wrong("holds a job for the second time")
        if not self._decided.isdisjoint(map(plain, said["requests"])):
            raise Wrong("holds an answer that was decided about")
        self._jobs[said["job"]] = True
        self._withheld |= set(map(plain, said["requests"]))

    def decide(self, said: Json, at: int, left: Sequence[str]) -> None:
        """A reviewer's decision, entry ``at``: about an answer only where it is held, which one approval lets go.

        Args:
            left: the requests that left something without noise before, but for sums of a grid's shown cells.
        """
        job, requests = plain(said["job"]), list(map(plain, said["requests"]))
        told = said["stage"] in _STAGES and said["decision"] in _DECISIONS
        if not told or not job or not plain(said["by"]) or not plain(said["reason"]):
            raise ValueError("nothing that a reviewer decides")
        after = said["stage"] == "after"
        if after and not self._jobs.get(job, False):
            raise Wrong("decides about an answer that is not held")
        if not after and job in self._jobs:
            raise Wrong("decides for the second time whether a job is answered")
        open_ = self._withheld - self._decided
        if not open_.issuperset(requests) or (requests and not after):
            raise Wrong("lets go an answer that was not held")
        if "finding" in said or "found" in said:
            if after or said["decision"] != "approve" or not plain(said["finding"]) or said["found"] not in _FOUND:
                raise ValueError("no word by which a table leaves")
            if whole(said["width"]) < 1 or _HEX.fullmatch(plain(said["shown"])) is None:
                raise ValueError("no promise, or no numbers")
            if (said["releases"], said["beside"]) != (len(left), digest(["pets.compared", sorted(left)])):
                raise Wrong("lets a table leave that was compared with other releases than had left")
            self._word = at, person(said["by"])
        self._jobs[job] = False
        if said["decision"] == "approve":
            self._withheld.difference_update(requests)
        self._decided.update(requests)

    def let_out(self, at: int, analyst: str) -> bool:
        """Whether entry ``at`` lets a table outside the grid begin with the next one, by another than asks for it."""
        return self._word[0] == at and self._word[1] != person(analyst)

    def deliver(self, said: Json) -> None:
        """An answer goes to somebody else than who paid."""
        if plain(said["request"]) in self._withheld:
            raise Wrong("delivers an answer that a person has not approved")
