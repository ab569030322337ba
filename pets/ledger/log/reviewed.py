"""Reviewed: what a log tells of answers that waited for a second person, and of what each reviewer decided."""

from __future__ import annotations

from pets.common.codec import Json
from pets.ledger.log.tally import Wrong, plain

_STAGES, _DECISIONS = ("before", "after"), ("approve", "refuse")


class Reviewed:
    """The held answers that the entries so far lead to: none of them may have reached anybody."""

    def __init__(self) -> None:
        self._jobs: dict[str, bool] = {}  # whether its answers are made and it waits; else it was decided
        self._withheld: set[str] = set()
        self._decided: set[str] = set()  # nobody decides about those again

    def hold(self, said: Json) -> None:
        """The answers of a job are held."""
        if self._jobs.get(plain(said["job"]), False):
            raise Wrong("holds a job for the second time")
        if not self._decided.isdisjoint(map(plain, said["requests"])):
            raise Wrong("holds an answer that was decided about")
        self._jobs[said["job"]] = True
        self._withheld |= set(map(plain, said["requests"]))

    def decide(self, said: Json) -> None:
        """A reviewer's decision: about an answer only where it is held; what one approval lets go was held."""
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
        self._jobs[job] = False
        if said["decision"] == "approve":
            self._withheld.difference_update(requests)
        self._decided.update(requests)

    def deliver(self, said: Json) -> None:
        """An answer goes to somebody else than who paid."""
        if plain(said["request"]) in self._withheld:
            raise Wrong("delivers an answer that a person has not approved")
