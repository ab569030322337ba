"""Audit: a log's entries replayed in order, as their public bodies tell them.

Every request goes through its states, no scope was ever charged above its cap, epochs begin with signed renewals alone,
and each signed checkpoint tells the account that its entries lead to. It needs no database and no private part; where
the private part of a signed change is there, its signatures are checked too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from pets.common.codec import Json, canonical
from pets.common.signing import VerifyingKey
from pets.errors import PetsError, VerificationError, shown
from pets.ledger.log import dsse
from pets.ledger.log.checkpoint import Checkpoint, dataset_id
from pets.ledger.log.cleared import EVENTS, Cleared
from pets.ledger.log.reviewed import Reviewed, outside, sums
from pets.ledger.log.tally import ABOVE, Account, Scope, Tally, Wrong, pair, plain, whole
from pets.ledger.states import NEXT, State

CHANGE = "application/vnd.pets.change+json"

_TOLD_AS_SIGNED = (
    *("budget", "project", "analyst", "table", "unit", "sites", "membership", "beside", "tells"),
    *("checker", "key", "trusted"),
)
"""Details of a change that its public body repeats."""

_TIME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}\+00:00")
_STATES = {state.value.encode(): state.value for state in State}
_NEXT = {state.value: frozenset(one.value for one in after) for state, after in NEXT.items()}
_OWN = frozenset({"at", "event", "request", "sealed", "seq"})  # what differs between the entries of one request
_MAX_TERMS = 100_000  # kept: what distinct requests say; forgetting them costs time alone


@dataclass(frozen=True, slots=True)
class _Terms:
    """What all entries of one request must say alike, and what it charges."""

    dataset: Tally
    scopes: tuple[Scope, ...]
    epoch: int
    loss: int
    delta: int
    unbounded: bool
    outside: str | None
    sums: bool
    rest: bytes

    def charge(self, sign: int) -> None:
        loss, delta, lifetime = sign * self.loss, sign * self.delta, self.dataset.lifetime
        for scope in self.scopes:
            scope.loss += loss
            scope.delta += delta
        lifetime[0] += loss
        lifetime[1] += delta


def _wrong(seq: int, what: str) -> VerificationError:
    return VerificationError(f"entry {seq} {what}")


def _unsealed(seq: int) -> VerificationError:
    return _wrong(seq, "has another private part than it was sealed with; ask for the original file")


class Audit:
    """The accounts that the entries so far lead to.

    :meth:`hear` raises :class:`VerificationError`, naming the entry, for one that could not have been written there;
    it changes nothing then. ``seals=False``: whether a request's private part is the sealed one is looked at elsewhere
    (:func:`pets.ledger.log.integrity.sealed_as_said`, which finds the seal of requests, and may miss others').
    """

    def __init__(self, origin: str, key: VerifyingKey, *, seals: bool = True) -> None:
        self.size = 0
        self._seals = seals
        self._at = b""
        self._origin, self._key = origin, key
        self._datasets: dict[str, Tally] = {}
        self._open: dict[bytes, tuple[str, _Terms]] = {}
        self._ended: dict[bytes, bool] = {}  # whether an answer was committed
        self._terms: dict[tuple[bytes, ...], _Terms] = {}
        self._changes: set[str] = set()
        self._lost: dict[str, tuple[int, int]] = {}
        self._granted: set[tuple[str, str, str]] = set()
        self._reviewed, self._cleared = Reviewed(), Cleared()

    # reading ----------------------------------------------------------------------------------------------------

    def hear(self, body: bytes, private: bytes | None = None) -> None:
        """The next entry; the private part, where it is there, must be the one that the body commits to.

        A request's body is cut at its keys into what differs between the entries of one request (time, event, request,
        seal, number) and what does not. What does not was read as JSON when it was first seen, with what differs in the
        same places; no key can stand within a text, whose quotes are escaped. So reading it again cannot differ.
        """
        at = body.find(b',"at":"')
        event = body.find(b',"event":"', at)
        loss = body.find(b'","loss":', event)
        name = body.find(b',"request":"', loss)
        table = body.find(b',"table":', name)
        time, sealed, request = body[at + 7 : at + 36], body[name + 56 : name + 120], body[name + 12 : name + 44]
        same = (body[:at], body[at + 36 : event], body[loss:name], body[table:])
        terms = self._terms.get(same)
        if (
            terms is None
            or (state := _STATES.get(body[event + 10 : loss])) is None
            or body[name + 44 : name + 56] != b'","sealed":"'
            or body[name + 120 : table] != b'","seq":%d' % self.size
            or not (request.isalnum() and sealed.isalnum())
            or (time != self._at and (time < self._at or _TIME.fullmatch(time) is None))
        ):
            self._parsed(body, private, same)
            return
        if self._seals and private is not None and hashlib.sha256(private).hexdigest().encode() != sealed:
            raise _unsealed(self.size)
        self._request(state, request, terms)
        self.size += 1
        self._at = time

    def _parsed(self, body: bytes, private: bytes | None, same: tuple[bytes, ...]) -> None:
        """The same, read as JSON; the canonical form leaves one way to write it, and one way to read it."""
        try:
            said = json.loads(body)
            if canonical(said) != body:
                raise ValueError("another form")
            event, at, seq = plain(said["event"]), said["at"].encode(), whole(said["seq"])
            if _TIME.fullmatch(at) is None:
                raise ValueError("no time")
        except (PetsError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise _wrong(self.size, "is not written as pets writes entries; ask for the original file") from None
        if seq != self.size:
            raise _wrong(self.size, f"says that it is entry {seq}; entries are missing or were moved")
        if at < self._at:
            raise _wrong(self.size, "is older than the one before it")
        if (event == "ledger") != (self.size == 0):
            raise _wrong(self.size, "is out of place: a log begins with its ledger's name, once")
        if private is not None and hashlib.sha256(private).hexdigest() != said.get("sealed"):
            raise _unsealed(self.size)
        terms = None
        with self._plainly(event):
            if event.encode() in _STATES:
                request, terms = plain(said["request"]).encode(), self._terms_of(said)
                self._remember(body, said, terms, same)
            elif event in self._events:
                if event == "change" and private is not None:
                    self._signatures(said, json.loads(private)["envelope"])
                self._events[event](self, said)
            elif event in EVENTS:
                self._known(said)
                self._cleared.hear(said, None if private is None else json.loads(private))
            else:
                raise Wrong(f"is of an unknown kind, {shown(event)}; if a newer pets wrote it, upgrade pets")
        if terms is not None:
            self._request(event, request, terms)
        self.size += 1
        self._at = at

    def _remember(self, body: bytes, said: Json, terms: _Terms, same: tuple[bytes, ...]) -> None:
        """What was read stands for all bodies that are cut alike, if it was cut where JSON has its values."""
        cut = b'%b,"at":"%b%b,"event":"%b%b,"request":"%b","sealed":"%b","seq":%d%b' % (
            same[0],
            said["at"].encode(),
            same[1],
            said["event"].encode(),
            same[2],
            plain(said["request"]).encode(),
            plain(said["sealed"]).encode(),
            said["seq"],
            same[3],
        )
        if cut == body and len(said["request"]) == 32 and len(said["sealed"]) == 64:
            if len(self._terms) >= _MAX_TERMS:
                self._terms.clear()
            self._terms[same] = terms

    def _terms_of(self, said: Json) -> _Terms:
        known, project, analyst = self._known(said), plain(said["project"]), plain(said["analyst"])
        if not isinstance(said["unbounded"], bool) or not isinstance(said["protection"], dict):
            raise ValueError("not a request")
        if not project or not analyst:
            raise ValueError("the root asks nothing")
        if said["table"] not in known.units:
            raise Wrong(f"is about the table {shown(said['table'])}, which was never opened")
        scopes = (known.scope(), known.scope(project), known.scope(project, analyst))
        loss, delta, epoch = whole(said["loss"]), whole(said["delta"]), whole(said["epoch"])
        rest = canonical({name: said[name] for name in said if name not in _OWN})
        asker = plain(said["analyst"]) if outside(said) else None
        return _Terms(known, scopes, epoch, loss, delta, said["unbounded"], asker, sums(said), rest)

    def _known(self, said: Json) -> Tally:
        known = self._datasets.get(plain(said["dataset"]))
        if known is None:
            raise Wrong(f"is about the dataset {shown(said['dataset'])}, which was never opened")
        return known

    @contextmanager
    def _plainly(self, event: str) -> Iterator[None]:
        try:
            yield
        except Wrong as wrong:
            raise _wrong(self.size, str(wrong)) from None
        except (PetsError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise _wrong(self.size, f"does not say what an entry of kind {event!r} must say") from None

    def _request(self, event: str, request: bytes, terms: _Terms) -> None:
        before, states = self._open.get(request), terms.dataset.states
        if before is None:
            self._begun(event, request, terms)
        else:
            state, same = before
            if same is not terms and same != terms:
                raise _wrong(self.size, "says something else of its request than the entry that began it")
            if event not in _NEXT[state]:
                raise _wrong(self.size, f"makes {event!r} of a request that was {state!r}, which cannot be")
            states[state] -= 1
            if event == "started":
                self._open[request] = (event, terms)
            else:
                del self._open[request]
                self._ended[request] = event == "committed"
                if event == "voided":
                    terms.charge(-1)
        if event == "started" and terms.unbounded:
            terms.dataset.unbounded += 1
            if not terms.sums:
                terms.dataset.told.append(request.decode())
        states[event] += 1

    def _begun(self, event: str, request: bytes, terms: _Terms) -> None:
        if event not in ("started", "reserved", "denied"):
            raise _wrong(self.size, "is about a request that never began; entries are missing")
        if request in self._ended:
            raise _wrong(self.size, "is about a request that had ended before")
        if terms.epoch != terms.dataset.epoch:
            raise _wrong(self.size, f"is of epoch {terms.epoch}, and the dataset was in epoch {terms.dataset.epoch}")
        if event == "denied":
            self._ended[request] = False
            return
        if terms.outside is not None and not self._reviewed.let_out(self.size - 1, terms.outside):
            raise _wrong(self.size, "begins a table outside the grid that nobody but its asker let leave")
        for scope in terms.scopes:
            if scope.loss + terms.loss > scope.cap[0] or scope.delta + terms.delta > scope.cap[1]:
                raise _wrong(self.size, ABOVE)
        terms.charge(1)
        self._open[request] = (event, terms)

    # other events -----------------------------------------------------------------------------------------------

    def _ledger(self, said: Json) -> None:
        if (said["origin"], said["key"]) != (self._origin, self._key.raw.hex()):
            raise Wrong("names another ledger or key than the one that signed the checkpoint")
        if said["version"] != 1:
            raise Wrong("begins a log of another version; upgrade pets")

    def _dataset(self, said: Json) -> None:
        name = plain(said["dataset"])
        if name in self._datasets:
            raise Wrong("opens a dataset for the second time")
        self._datasets[name] = Tally.opened(said, self._lost.get(dataset_id(name)))

    def _tables(self, said: Json) -> None:
        self._known(said).tables(said)

    def _source(self, said: Json) -> None:
        self._known(said).source(said)

    def _delivered(self, said: Json) -> None:
        """An answer that was paid for goes to somebody else who asked the same."""
        if not self._ended.get(plain(said["request"]).encode(), False):
            raise Wrong("delivers an answer that was never committed")
        self._known(said)
        self._reviewed.deliver(said)
        if not plain(said["project"]) or not plain(said["analyst"]) or whole(said["loss"]) or whole(said["delta"]):
            raise Wrong("charges again for an answer that was paid for")

    def _derived(self, said: Json) -> None:
        """Something was made of answers alone: it costs nothing."""
        known, names = self._known(said), [plain(said[name]) for name in ("project", "analyst", "request", "what")]
        if said["table"] not in known.units or not all(names) or whole(said["loss"]) or whole(said["delta"]):
            raise Wrong("charges for what was made of answers that were paid for")

    def _change(self, said: Json) -> None:
        if plain(said["id"]) in self._changes:
            raise Wrong("applies a change for the second time")
        self._known(said).change(said, self._key.id)
        if said["change"] == "checker":
            self._cleared.trust(said)
        self._changes.add(said["id"])

    def _rebase(self, said: Json) -> None:
        if said["found"] != self.size or set(said["counted"]) != set(self._datasets):
            raise Wrong("counts as lost what this log never held")
        counted = {name: (pair(parts[:2]), pair(parts[2:])) for name, parts in said["counted"].items()}
        lost = {plain(name): pair(parts) for name, parts in said["unknown"].items()}
        if not all(self._datasets[name].scope().holds(*here) for name, (here, _) in counted.items()):
            raise Wrong(ABOVE)
        for name, (here, life) in counted.items():
            known = self._datasets[name]
            known.scope().add(*here)
            known.lifetime = [known.lifetime[0] + life[0], known.lifetime[1] + life[1]]
        self._lost |= lost

    def _grant(self, said: Json) -> None:
        """Leave to ask, or its end: of a dataset that was opened, and only what was given is taken away."""
        self._known(said)
        whom = plain(said["dataset"]), plain(said["project"]), plain(said["analyst"])
        if not all((*whom, plain(said["by"]))):
            raise ValueError("nobody's")
        if said["event"] == "grant":
            if not said["roles"] or not all(map(plain, said["roles"])):
                raise ValueError("as nothing")
            self._granted.add(whom)
        elif whom not in self._granted:
            raise Wrong("takes away a leave that was never given")
        else:
            self._granted.remove(whom)

    def _held(self, said: Json) -> None:
        """The answers of a job, which were committed, wait for a person."""
        self._known(said)
        if not all(self._ended.get(plain(one).encode(), False) for one in said["requests"]):
            raise Wrong("holds an answer that was never committed")
        self._reviewed.hold(said)

    def _review(self, said: Json) -> None:
        known = self._known(said)
        self._reviewed.decide(said, self.size, known.told)

    def _signatures(self, said: Json, envelope: Json) -> None:
        """A change is the one that its public body tells of, and whoever the body names did sign it."""
        payload, signatures = dsse.opened(envelope, CHANGE)
        form, message = json.loads(payload), dsse.encoding(CHANGE, payload)
        told = {name: said[name] for name in ("dataset", "id", "reason", "by")} | {"kind": said["change"]}
        keys = self._known(said).approvers | {self._key.id: self._key}
        valid = {name for name, signature in signatures if name in keys and keys[name].verifies(signature, message)}
        same = form["origin"] == self._origin and all(form[name] == value for name, value in told.items())
        details = {name: value for name, value in form["details"].items() if name in _TOLD_AS_SIGNED}
        if not same or not set(said["signers"]) <= valid or any(said[name] != details[name] for name in details):
            raise Wrong("is not the change that was signed")

    _events: ClassVar[Mapping[str, Callable[[Audit, Json], None]]] = {
        "ledger": _ledger,
        "dataset": _dataset,
        "tables": _tables,
        "source": _source,
        "change": _change,
        "delivered": _delivered,
        "derived": _derived,
        "rebase": _rebase,
        "grant": _grant,
        "grant-end": _grant,
        "held": _held,
        "review": _review,
    }

    # the end ----------------------------------------------------------------------------------------------------

    def agrees(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint of as many entries tells the accounts that these lead to."""
        here = {dataset_id(name): known.totals for name, known in self._datasets.items()}
        there = {name: parts for name, parts in checkpoint.totals.items() if name in here or name not in self._lost}
        return here == there and checkpoint.at.encode() == self._at

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every dataset's account, in the order in which they were opened."""
        return tuple(known.account for known in self._datasets.values())
