"""Cleared: what a log tells of outputs, from their submission to their release, and of the votes about them.

It is told from public entries alone: nobody's output leaves unless as many people as its first entry says approved it,
each once in its turn, none of them its author, and each as the log had committed to before the others' votes were told.
A vote under a checker's own key is signed by it, about this output, this turn and what was looked at.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from pets.common.codec import Json, canonical, digest
from pets.common.signing import VerifyingKey
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
    logins: bool = False  # whether the keeper's word for who votes counts for nothing
    turn: int = 1
    state: str = "submitted"
    sealed: dict[str, str] = field(default_factory=dict)  # by voter, what the log committed to and has not told
    told: dict[str, str] = field(default_factory=dict)  # by voter, the decision
    files: object = None  # digests, where the private part was there
    digest: object = None  # of all that was submitted, likewise
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)  # by voter: their own key, and what they looked at


class Cleared:
    """The outputs that the entries so far lead to."""

    def __init__(self) -> None:
        self._outputs: dict[str, _Told] = {}
        self._keys: dict[tuple[str, str], str] = {}  # by dataset and key, whose it is; '': it was revoked

    def trust(self, said: Json) -> None:
        """A checker's own key is trusted, or revoked for good; raises as :meth:`hear`."""
        key, who = plain(said["key"]), person(plain(said["checker"]))
        VerifyingKey(bytes.fromhex(key))
        name = plain(said["dataset"]), key
        if said["trusted"] is True and who and name not in self._keys:
            self._keys[name] = who
        elif said["trusted"] is False and who and self._keys.get(name) == who:
            self._keys[name] = ""
        else:
            raise Wrong("trusts a checker's key for a second time, or revokes one that is not trusted")

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
            by = self._voter(one, said, private)
            if not plain(said["reason"]):
                raise ValueError("without a reason")
            if by in one.keys:
                _signed(name, one, said | {"decision": "return", "nonce": ""}, one.keys[by])
            one.state = "returned"
        elif event == "output-vote":
            sealed = plain(said["vote"])
            one.sealed[self._voter(one, said, private)] = sealed
            one.state = "partially-reviewed"
        else:
            self._reviewed(name, one, said)

    def _submitted(self, name: str, turn: int, said: Json, private: Json | None) -> None:
        of = plain(said["dataset"]), plain(said["project"]), plain(said["analyst"])
        needed, one = whole(said["needed"]), self._outputs.get(name)
        logins = said.get("logins", False)
        if not all(of) or needed < 1 or not isinstance(logins, bool):
            raise ValueError("nobody's output")
        if one is None and turn != 1:
            raise Wrong("submits an output anew that was never submitted")
        if one is not None and (
            one.state != "returned" or turn != one.turn + 1 or (one.of, one.needed, one.logins) != (of, needed, logins)
        ):
            raise Wrong("submits an output anew that was not returned, or by other rules")
        files, seen = (None, None) if private is None else (private["files"], private["digest"])
        self._outputs[name] = _Told(of, needed, logins, turn, files=files, digest=seen)

    def _voter(self, one: _Told, said: Json, private: Json | None) -> str:
        by = person(plain(said["by"]))
        if not by or said["how"] not in ("login", "keeper", "key"):
            raise ValueError("nobody")
        if by == person(one.of[2]):
            raise Wrong("is its author's decision about an output")
        if one.logins and said["how"] == "keeper":
            raise Wrong("is a vote on the keeper's word, which counts for nothing about this output")
        if by in one.sealed or by in one.told:
            raise Wrong("is one person's second vote about an output")
        if said["how"] == "key":
            key, about = plain(said["key"]), plain(said["about"])
            if self._keys.get((one.of[0], key)) != by:
                raise Wrong("is a vote under a key that is not trusted for whoever votes")
            if private is not None and looked_at(plain(private["digest"]), plain(private["salt"])) != about:
                raise Wrong("is a vote about something else than it says")
            if private is not None and one.digest not in (None, private["digest"]):
                raise Wrong("is a vote about another output than was submitted")
            one.keys[by] = key, about
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
            if who in one.keys:
                _signed(name, one, vote, one.keys[who])
            elif "signature" in vote:
                raise Wrong("tells a signature under a vote that had no key")
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


def _signed(name: str, one: _Told, vote: Json, key: tuple[str, str]) -> None:
    """Refuse a vote that its key did not sign."""
    parts = {part: plain(vote[part]) for part in ("by", "decision", "reason", "nonce")}
    message = vote_message(name, one.turn, key[1], **parts)
    if not VerifyingKey(bytes.fromhex(key[0])).verifies(bytes.fromhex(plain(vote["signature"])), message):
        raise Wrong("tells a vote that its checker's own key did not sign")


def looked_at(output: str, salt: str) -> str:
    """What a signed vote says of the digest that it is about: a hash with 128 random bits, which the private log has.

    The digests of small tables could be guessed, so that the public log has none.
    """
    return digest(["pets.review.vote", output, salt])


def vote_message(output: str, turn: int, about: str, *, by: str, decision: str, reason: str, nonce: str) -> bytes:
    """What a checker's own key signs: of which output and turn, what was looked at, by whom, and the vote.

    Args:
        output: its name in the public log.
        about: of :func:`looked_at`.
        nonce: 128 random bits, which hide the vote until all are told; empty where it is returned at once.
    """
    form = {"pets": "output-vote", "version": 1, "output": output, "turn": turn, "about": about}
    return b"pets.review.vote.v1\0" + canonical(
        form | {"by": by, "decision": decision, "reason": reason, "nonce": nonce}
    )


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
