"""Read log: the public log from its beginning — datasets, their budgets, every request and what became of it.

It reads public bodies alone, so that whoever holds the public view of a log can tell the same story from it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pets.common.codec import Json
from pets.common.signing import VerifyingKey
from pets.errors import BudgetError, LedgerError, did_you_mean
from pets.ledger.db.transaction import Transaction
from pets.ledger.ledger import Ledger
from pets.ledger.log.checkpoint import dataset_id, parse
from pets.ledger.log.cleared import EVENTS
from pets.ledger.states import NEXT, State
from pets.protection.budget import Budget, Cost

Amount = tuple[int, int]
"""Loss and δ, in units."""


@dataclass(frozen=True)
class Delivery:
    """To whom an answer went besides whoever had asked first: somebody asked the same, at no cost."""

    at: str
    project: str
    analyst: str


@dataclass
class Asked:
    """One request, as the public log tells of it.

    Attributes:
        at: when it came (ISO 8601, UTC).
        epoch: under which budget.
        unbounded: it has no finite guarantee.
        review: ``held``: its answer waits for a second person; ``refused``: they let nobody have it; else empty.
        reason: why they refused it, as a code; else empty.
    """

    id: str
    at: str
    project: str
    analyst: str
    table: str
    what: str
    protection: Json
    epoch: int
    cost: Amount
    unbounded: bool
    state: State
    deliveries: list[Delivery] = field(default_factory=list)
    review: str = ""
    reason: str = ""

    @property
    def left(self) -> bool:
        """Whether its answer left: it was made, and nobody keeps it back."""
        return self.state is State.COMMITTED and not self.review


@dataclass(frozen=True)
class Event:
    """Something that happened to the account itself: opened, renewed, changed, recovered.

    Attributes:
        kind: ``opened``, ``rebase``, or the kind of a signed change.
        said: the entry's public body.
    """

    at: str
    kind: str
    said: Json


@dataclass
class Epoch:
    """One budget of a dataset, from its opening or renewal to the next renewal."""

    number: int
    at: str
    budget: Budget
    charged: Amount = (0, 0)
    snapshots: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The part of the budget that is used, 0 to 1."""
        return self.charged[0] / self.budget.cap.loss


@dataclass(frozen=True)
class Point:
    """What was charged at one moment: a corner of the chart of the budget's use."""

    at: str
    epoch: int
    share: float


@dataclass
class Dataset:
    """One dataset's story.

    Attributes:
        units: by table, the column that names a person ('' where each row is one).
        lifetime: charged since it was opened, over all epochs.
        caps: the budgets of projects ``(project, '')`` and analysts that have one of their own.
    """

    name: str
    currency: Any
    units: dict[str, str]
    epochs: list[Epoch] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    lifetime: Amount = (0, 0)
    caps: dict[tuple[str, str], Budget] = field(default_factory=dict)

    @property
    def now(self) -> Epoch:
        """The budget in force."""
        return self.epochs[-1]

    @property
    def left(self) -> Amount:
        """What may still be charged to the dataset."""
        cap, charged = self.now.budget.cap, self.now.charged
        return max(0, cap.loss - charged[0]), max(0, cap.delta - charged[1])

    def cost(self, amount: Amount) -> Cost:
        """An amount, in the dataset's currency."""
        return Cost(self.currency, *amount)

    def of(self, *states: State) -> list[Asked]:
        """The requests in these states, oldest first."""
        return [one for one in self.asked.values() if one.state in states]

    @property
    def releases(self) -> list[Asked]:
        """What left, oldest first."""
        return [one for one in self.asked.values() if one.left]

    @property
    def unbounded(self) -> list[Asked]:
        """What was started without a finite guarantee: it left, or part of it may have left before it failed."""
        return [one for one in self.asked.values() if one.unbounded and one.state.opened]


@dataclass(frozen=True)
class LogHistory:
    """A whole log's story.

    Attributes:
        origin: the ledger's public name.
        size: how many entries were read.
        at: the newest entry's time.
        others: kinds of entries that this version cannot read; they change no account that it knows of.
    """

    origin: str
    size: int
    at: str
    datasets: dict[str, Dataset]
    others: tuple[str, ...] = ()

    def dataset(self, name: str) -> Dataset:
        """One dataset's story; raises :class:`LedgerError` for one that the log does not know."""
        if name not in self.datasets:
            raise LedgerError(f"the ledger has no dataset {name!r}{did_you_mean(name, self.datasets)}")
        return self.datasets[name]


@dataclass(frozen=True)
class Published:
    """What a ledger shows to everybody: its story, and the signed checkpoint that covers exactly these entries."""

    history: LogHistory
    checkpoint: str
    key: VerifyingKey


def published(ledger: Ledger) -> Published:
    """A ledger's story now.

    Raises :class:`LedgerError` where the log does not lead to what the account holds: neither can be shown then.
    """
    with ledger.reading() as tx:
        found = _published(ledger, tx)
    if found is None:  # in PostgreSQL others may have written between two looks: once more, while they wait
        with ledger.writing() as (tx, _):
            found = _published(ledger, tx)
    if found is None:
        raise LedgerError(
            "the log does not lead to what the account holds, so one of them was altered; run: pets log verify"
        )
    return found


def _published(ledger: Ledger, tx: Transaction) -> Published | None:
    """The story of the entries that the head counts; ``None`` where it is not the account's."""
    told = read(body for body, _, _ in itertools.islice(tx.entries(), tx.head.size))
    here = {dataset_id(one.name): (one.now.number, *one.now.charged, *one.lifetime) for one in told.datasets.values()}
    note = ledger.checkpoint(tx)
    if told.size != tx.head.size or parse(note, ledger.key).totals != here:
        return None
    return Published(told, note, ledger.key)


def read(bodies: Iterable[bytes]) -> LogHistory:
    """The story that the public bodies of a log tell, in order.

    Raises :class:`LedgerError` where they are not the whole of a log from its beginning.
    """
    teller = _Teller()
    for number, body in enumerate(bodies):
        try:
            teller.hear(json.loads(body), number)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, BudgetError):
            raise LedgerError(
                f"entry {number} of the log cannot be read; look whether it was altered: pets log verify"
            ) from None
    if not teller.origin:
        raise LedgerError("the log is empty, or does not begin with its first entry; export the whole of it")
    return LogHistory(teller.origin, teller.size, teller.at, teller.datasets, tuple(sorted(teller.others)))


class _Teller:
    """The story so far."""

    def __init__(self) -> None:
        self.origin, self.at, self.size = "", "", 0
        self.datasets: dict[str, Dataset] = {}
        self.others: set[str] = set()

    def hear(self, said: Json, number: int) -> None:
        """One more entry."""
        if said["seq"] != number:
            raise ValueError("an entry is missing")
        event, self.at, self.size = str(said["event"]), str(said["at"]), number + 1
        if event == "ledger":
            self.origin = str(said["origin"])
        elif event in {state.value for state in State}:
            _request(self.datasets[said["dataset"]], said, State(event))
        elif event == "dataset":
            self._dataset(said)
        elif event == "delivered":
            to = Delivery(str(said["at"]), str(said["project"]), str(said["analyst"]))
            self.datasets[said["dataset"]].asked[said["request"]].deliveries.append(to)
        elif event == "tables":
            self.datasets[said["dataset"]].units |= said["units"]
        elif event == "change":
            _change(self.datasets[said["dataset"]], said)
        elif event == "rebase":
            self._rebase(said)
        elif event in ("held", "review"):
            for name in said.get("requests", ()):
                refused = said.get("decision") == "refuse"
                one = self.datasets[said["dataset"]].asked[str(name)]
                one.review = "held" if event == "held" else "refused" if refused else ""
                one.reason = str(said["reason"]) if refused else ""
        # (of what was made of answers the answers tell; who may ask is no part of what was asked, nor is the airlock)
        elif event not in ("source", "derived", "grant", "grant-end", *EVENTS):
            self.others.add(event)

    def _dataset(self, said: Json) -> None:
        made = Dataset(str(said["dataset"]), str(said["currency"]), dict(said["units"]))
        made.epochs.append(Epoch(0, said["at"], Budget.from_json(said["budget"])))
        made.events.append(Event(said["at"], "opened", said))
        self.datasets[made.name] = made
        _charge(made, said["at"], _amount(said.get("charged", (0, 0))), live=True)

    def _rebase(self, said: Json) -> None:
        for name, (loss, delta, life_loss, life_delta) in said["counted"].items():
            known = self.datasets[name]
            _charge(known, said["at"], (loss, delta))
            known.lifetime = (known.lifetime[0] + life_loss, known.lifetime[1] + life_delta)
            known.events.append(Event(said["at"], "rebase", said | {"here": [loss, delta]}))


def _request(known: Dataset, said: Json, state: State) -> None:
    cost = _amount((said["loss"], said["delta"]))
    name = str(said["request"])
    before = known.asked.get(name)
    if before is None:
        text: Any = {key: str(said[key]) for key in ("at", "project", "analyst", "table", "what")}
        known.asked[name] = Asked(
            id=name,
            **text,
            protection=dict(said["protection"]),
            epoch=int(said["epoch"]),
            cost=cost,
            unbounded=bool(said["unbounded"]),
            state=state,
        )
        if state.charged:
            _charge(known, said["at"], cost, live=True)
        return
    if state not in NEXT.get(before.state, set()) or before.cost != cost:
        raise ValueError("an entry is missing or altered")
    before.state = state
    if not state.charged:
        _charge(known, said["at"], (-cost[0], -cost[1]), live=True)


def _change(known: Dataset, said: Json) -> None:
    kind = str(said["change"])
    if kind == "renew":
        budget, snapshots = Budget.from_json(said["budget"]), tuple(map(str, said["snapshots"]))
        known.epochs.append(Epoch(int(said["epoch"]), said["at"], budget, snapshots=snapshots))
        _charge(known, said["at"], (0, 0))
    elif kind == "snapshots":
        known.now.snapshots = tuple(map(str, said["snapshots"]))
    elif kind == "budget":
        known.now.budget = Budget.from_json(said["budget"])
        _charge(known, said["at"], (0, 0))
    elif kind == "cap":
        scope = (str(said["project"]), str(said["analyst"]))
        known.caps.pop(scope, None)
        if said["budget"] is not None:
            known.caps[scope] = Budget.from_json(said["budget"])
    elif kind in ("table", "unit"):
        known.units[said["table"]] = str(said["unit"])
    known.events.append(Event(said["at"], kind, said))


def _charge(known: Dataset, at: str, amount: Amount, *, live: bool = False) -> None:
    """Add to what the present budget has used, and with ``live`` to the lifetime; one more corner of the chart."""
    here = known.now
    here.charged = (here.charged[0] + amount[0], here.charged[1] + amount[1])
    if live:
        known.lifetime = (known.lifetime[0] + amount[0], known.lifetime[1] + amount[1])
    known.points.append(Point(at, here.number, here.share))


def _amount(parts: Sequence[Any]) -> Amount:
    loss, delta = (int(part) for part in parts)
    return loss, delta
