"""Tally: one dataset's account as the public log tells it, and what each event about it may do.

It is kept from the log alone, apart from the ledger's own books: two routes must lead to one number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from pets.common.codec import Json
from pets.common.signing import VerifyingKey
from pets.errors import shown
from pets.ledger.states import State
from pets.protection.budget import Budget, Cost

_NO_CAP = (1 << 200, 1 << 200)
ABOVE = "charges more than the budget held: a cap was passed"


class Wrong(ValueError):
    """Why an entry cannot stand in a log, as the end of a sentence that begins with the entry's number."""


@dataclass(frozen=True)
class Account:
    """What a log says of one dataset.

    Attributes:
        budget: what the present epoch may spend.
        charged: in the present epoch, requests under way included.
        lifetime: over all epochs.
        requests: how many stand in each state.
        unbounded: requests without a finite guarantee that were started.
    """

    dataset: str
    budget: Budget
    epoch: int
    charged: Cost
    lifetime: Cost
    requests: Mapping[State, int]
    unbounded: int


class Scope:
    """What was charged to the root, a project or an analyst, and their cap."""

    __slots__ = ("cap", "delta", "loss")

    def __init__(self) -> None:
        self.cap, self.loss, self.delta = _NO_CAP, 0, 0

    def holds(self, loss: int, delta: int) -> bool:
        """Whether so much more fits."""
        return self.loss + loss <= self.cap[0] and self.delta + delta <= self.cap[1]

    def add(self, loss: int, delta: int) -> None:
        """Charge it."""
        self.loss += loss
        self.delta += delta


@dataclass(eq=False)
class Tally:
    """One dataset so far. Its changes raise :class:`Wrong`, ``ValueError`` or the errors of look-ups, and then change
    nothing."""

    name: str
    budget: Budget
    units: dict[str, str]
    epoch: int = 0
    lifetime: list[int] = field(default_factory=lambda: [0, 0])
    scopes: dict[tuple[str, str], Scope] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys((state.value for state in State), 0))
    unbounded: int = 0
    told: list[str] = field(default_factory=list)  # requests that left more than sums of a grid's shown cells
    approvers: dict[str, VerifyingKey] = field(default_factory=dict)
    needed: int = 0

    @classmethod
    def opened(cls, said: Json, lost: tuple[int, int] | None) -> Tally:
        """A new root; ``lost`` was charged to it in a history that is no more."""
        budget, cap = _capped(said)
        if said["currency"] != budget.currency:
            raise ValueError("another currency")
        charged = (0, 0) if lost is None else (min(lost[0], cap[0]), min(lost[1], cap[1]))
        if pair(said.get("charged", (0, 0))) != charged:
            raise Wrong("opens a dataset with other charges than were counted as lost")
        made = cls(plain(said["dataset"]), budget, {table: plain(unit) for table, unit in said["units"].items()})
        made.scope().cap = cap
        made.live(*charged)
        return made

    def scope(self, project: str = "", analyst: str = "") -> Scope:
        """The root, a project or an analyst."""
        return self.scopes.setdefault((project, analyst), Scope())

    @property
    def totals(self) -> tuple[int, int, int, int, int]:
        """Epoch, charged loss and delta in it, and over the lifetime: as checkpoints tell it."""
        root = self.scope()
        return self.epoch, root.loss, root.delta, self.lifetime[0], self.lifetime[1]

    @property
    def account(self) -> Account:
        """For readers."""
        _, loss, delta, life_loss, life_delta = self.totals
        currency = self.budget.currency
        states = {State(state): count for state, count in self.states.items() if count}
        here, life = Cost(currency, loss, delta), Cost(currency, life_loss, life_delta)
        return Account(self.name, self.budget, self.epoch, here, life, states, self.unbounded)

    def live(self, loss: int, delta: int) -> None:
        """Charge the root alone, for ever."""
        self.scope().add(loss, delta)
        self.lifetime[0] += loss
        self.lifetime[1] += delta

    # events -----------------------------------------------------------------------------------------------------

    def tables(self, said: Json) -> None:
        """More tables."""
        units = {table: plain(unit) for table, unit in said["units"].items()}
        if set(units) & set(self.units):
            raise ValueError("a table twice")
        self.units |= units

    def source(self, said: Json) -> None:
        """Where a table's rows come from."""
        if said["table"] not in self.units:
            raise ValueError("no such table")

    def change(self, said: Json, own: str) -> None:
        """A signed change; ``own`` is the id of the ledger's key."""
        first, *others = said["signers"]
        if first != own or not set(others) <= set(self.approvers) or len(set(others)) < self.needed:
            raise Wrong("changes a dataset without the signatures that it needs")
        if len({plain(name).strip().casefold() for name in said["by"]}) < 2:
            raise Wrong("changes a dataset by one person's decision")
        if said["change"] not in self._changes:
            raise Wrong(f"is an unknown change, {shown(said['change'])}; if a newer pets wrote it, upgrade pets")
        self._changes[said["change"]](self, said)

    def _renew(self, said: Json) -> None:
        under_way = self.states["reserved"] + self.states["started"]
        if under_way or said["epoch"] != self.epoch + 1 or said["lifetime"] != self.lifetime:
            raise Wrong("renews a budget in a way that the account does not allow")
        budget, cap = self._recapped(said, Scope())
        for scope in self.scopes.values():
            scope.loss = scope.delta = 0
        self.budget, self.scope().cap, self.epoch = budget, cap, self.epoch + 1

    def _rebudget(self, said: Json) -> None:
        self.budget, self.scope().cap = self._recapped(said, self.scope())

    def _recap(self, said: Json) -> None:
        if not said["project"]:
            raise ValueError("the root")
        scope = self.scope(plain(said["project"]), plain(said["analyst"]))
        scope.cap = _NO_CAP if said["budget"] is None else self._recapped(said, scope)[1]

    def _recapped(self, said: Json, scope: Scope) -> tuple[Budget, tuple[int, int]]:
        budget, cap = _capped(said)
        if budget.currency != self.budget.currency or scope.loss > cap[0] or scope.delta > cap[1]:
            raise Wrong("sets a cap below what was charged, or in another currency")
        return budget, cap

    def _join(self, said: Json) -> None:
        self.tables({"units": {plain(said["table"]): said["unit"]}})

    def _reunit(self, said: Json) -> None:
        if self.units[said["table"]] != said["before"]:
            raise ValueError("another unit")
        self.units[said["table"]] = plain(said["unit"])

    def _approve(self, said: Json) -> None:
        keys = [VerifyingKey(bytes.fromhex(raw)) for raw in said["keys"]]
        if whole(said["needed"]) > len(keys):
            raise ValueError("more than there are")
        self.approvers, self.needed = {key.id: key for key in keys}, said["needed"]

    def _nothing(self, said: Json) -> None:
        """A change on which no account depends."""

    _changes: ClassVar[Mapping[str, Callable[[Tally, Json], None]]] = {
        "renew": _renew,
        "snapshots": _nothing,
        "budget": _rebudget,
        "cap": _recap,
        "table": _join,
        "unit": _reunit,
        "source": source,
        "approvers": _approve,
        "roster": _nothing,
        "checker": _nothing,
    }


def plain(value: Any) -> str:
    """A text; raises ``ValueError`` for anything else."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def whole(value: Any) -> int:
    """A whole number of units; raises ``ValueError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not a whole number")
    return value


def pair(values: Any) -> tuple[int, int]:
    """Loss and δ, in units."""
    loss, delta = map(whole, values)
    return loss, delta


def _capped(said: Json) -> tuple[Budget, tuple[int, int]]:
    """A budget and its cap in units; computers may differ in the last digits of a cap."""
    budget, cap = Budget.from_json(said["budget"]), pair((said["loss"], said["delta"]))
    for here, there in zip((budget.cap.loss, budget.cap.delta), cap, strict=True):
        if abs(here - there) > Fraction(here, 10**9) + 1:
            raise ValueError("a cap that is not the budget's")
    return budget, cap
