"""Cleared: what a log tells of outputs, from their submission to their release, and of the votes about them.

It is told from public entries alone: nobody's output leaves unless as many people as its first entry says approved it,
each once in its turn, none of them its author, and each as the log had committed to before the others' votes were told.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from pets.common.codec import Json, digest
from pets.ledger.log.tally import Wrong, plain, whole

EVENTS = frozenset(
    {"output", *(f"output-{act}" for act in ("vote", "review", "return", "comment", "withdrawn", "released"))}
)
"""The kinds of entries that tell of outputs."""

_DECISIONS = ("approve", "return", "reject")
_OPEN = ("submitted", "partially-reviewed", "reviewed")


@dataclass
class _Told:
    """One output so far."""

    of: tuple[str, str, str]
    needed: int
    turn: int = 1
    state: str = "submitted"
    sealed: dict[str, str] = field(default_factory=dict)  # by voter, what the log committed to and has not told
    told: dict[str, str] = field(default_factory=dict)  # by voter, the decision
    files: object = None  # digests, where the private part was there


class Cleared:
    """The outputs that the entries so far lead to."""

    def __init__(self) -> None:
        self._outputs: dict[str, _Told] = {}

    def hear(self, said: Json, private: Json | None) -> None:
        """The next entry about an output; raises :class:`Wrong` or ``ValueError``, and then changes nothing."""
        event, name, turn = said["event"], plain(said["output"]), whole(said["turn"])
        if event == "output":
            self._submitted(name, turn, said, private)
            return
        one = self._outputs.get(name)
        if one is None or one.turn != turn or one.of[0] != said["dataset"]:
            raise Wrong("is about an output, or a turn of it, that was never submitted")
        if event == "output-comment":
            if not plain(said["by"]):
                raise ValueError("nobody's words")
        elif event == "output-released":
            self._released(one, said)
        elif one.state not in _OPEN and not (event == "output-withdrawn" and one.state == "returned"):
            raise Wrong("decides about an output that waits for no vote")
        elif event == "output-withdrawn":
            if person(plain(said["by"])) != person(one.of[2]):
                raise Wrong("takes back another analyst's output")
            one.state = "withdrawn"
        elif event == "output-return":
            self._voter(one, said)
            if not plain(said["reason"]):
                raise ValueError("without a reason")
            one.state = "returned"
        elif event == "output-vote":
            sealed = plain(said["vote"])
            one.sealed[self._voter(one, said)] = sealed
            one.state = "partially-reviewed"
        else:
            self._reviewed(name, one, said)

    def _submitted(self, name: str, turn: int, said: Json, private: Json | None) -> None:
        of = plain(said["dataset"]), plain(said["project"]), plain(said["analyst"])
        needed, one = whole(said["needed"]), self._outputs.get(name)
        if not all(of) or needed < 1:
            raise ValueError("nobody's output")
        if one is None and turn != 1:
            raise Wrong("submits an output anew that was never submitted")
        if one is not None and (
            one.state != "returned" or turn != one.turn + 1 or (one.of, one.needed) != (of, needed)
        ):
            raise Wrong("submits an output anew that was not returned, or by other rules")
        self._outputs[name] = _Told(of, needed, turn, files=None if private is None else private["files"])

    @staticmethod
    def _voter(one: _Told, said: Json) -> str:
        by = person(plain(said["by"]))
        if not by or said["how"] not in ("login", "keeper"):
            raise ValueError("nobody")
        if by == person(one.of[2]):
            raise Wrong("is its author's decision about an output")
        if by in one.sealed or by in one.told:
            raise Wrong("is one person's second vote about an output")
        return by

    @staticmethod
    def _reviewed(name: str, one: _Told, said: Json) -> None:
        """All that are needed are in, and are told: as the log had committed to, and what they come to."""
        told = dict(one.told)
        for vote in said["votes"]:
            by, decision = plain(vote["by"]), plain(vote["decision"])
            parts = {"output": name, "turn": one.turn, "by": by, "decision": decision}
            sealed = digest(parts | {"reason": plain(vote["reason"]), "nonce": plain(vote["nonce"])})
            who = person(by)
            if decision not in _DECISIONS or one.sealed.get(who) != sealed or who in told:
                raise Wrong("tells another vote than the log had committed to")
            told[who] = decision
        if set(told) != set(one.sealed) or len(told) < one.needed or said["state"] != outcome(told, one.needed):
            raise Wrong("tells something else than the votes about an output come to")
        one.told, one.state = told, said["state"]

    @staticmethod
    def _released(one: _Told, said: Json) -> None:
        if one.state != "approved":
            raise Wrong("lets an output go that was not approved")
        files = [[plain(part["sha256"]), whole(part["bytes"])] for part in said["files"]]
        if not plain(said["by"]) or not files:
            raise ValueError("nothing")
        if one.files not in (None, files):
            raise Wrong("lets other files go than those that were approved")
        one.state = "released"


def person(name: str) -> str:
    """A person's name without what a keyboard or a login may write otherwise: capitals, blanks, forms of a letter.

    >>> person("Jo  Smith ") == person("jo smith"), person("Jose\u0301") == person("jos\u00e9")
    (True, True)
    """
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def outcome(told: dict[str, str], needed: int) -> str:
    """What votes come to, each of another person: so many who approve, or so many who do not; else more must vote."""
    yes = sum(one == "approve" for one in told.values())
    if yes >= needed:
        return "approved"
    if len(told) - yes < needed:
        return "reviewed"
    return "returned" if "return" in told.values() else "rejected"
