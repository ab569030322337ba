"""Budget: what is left of a dataset's, in words and as the parts of a bar."""

from __future__ import annotations

from dataclasses import dataclass

from pets.common.percent import budget_percent
from pets.protection.budget import UNIT, Cost
from pets.service.console.page import Visit
from pets.session.quoting.quote import Remaining

WIDTH = 320.0
_SEEN = 2.0  # of the bar: what costs little is still seen


@dataclass(frozen=True)
class Bar:
    """A budget as a bar of :data:`WIDTH`: spent before, and what one question takes.

    Attributes:
        spent, own: how wide these parts are.
        label: what it shows, for whoever does not see it.
    """

    spent: float
    own: float
    label: str


@dataclass(frozen=True)
class Left:
    """What is left of a budget.

    Attributes:
        sentence: in words.
        share: the part that is left, such as ``62.0 %``.
        bar: the same, drawn.
    """

    sentence: str
    share: str
    bar: Bar


def remaining(visit: Visit, dataset: str) -> Remaining:
    """What the endpoint says of the budget; raises what it raises."""
    told = visit.ask("GET", "/datasets/{dataset}/budget", path={"dataset": dataset})
    return Remaining.from_json(told["remaining"])


def left(visit: Visit, dataset: str) -> Left:
    """:func:`remaining` for a page."""
    return left_of(remaining(visit, dataset))


def left_of(found: Remaining) -> Left:
    """What is left, for a page."""
    share = budget_percent(found.share)
    return Left(str(found), share, bar(found.budget.cap.loss, found.spent.loss, 0, f"{share} of the budget is left"))


def bar(cap: int, spent: int, own: int, label: str) -> Bar:
    """The parts of a bar, in the ledger's units; ``own`` comes on top of ``spent``."""
    before, here = (WIDTH * min(1.0, max(0, part) / cap) if cap else 0.0 for part in (spent, own))
    here = max(here, _SEEN) if own else 0.0
    return Bar(min(before, WIDTH - min(here, WIDTH)), min(here, WIDTH), label)


def price_bar(found: Remaining, cost: Cost) -> Bar:
    """A budget with what a question would take of it."""
    cap = found.budget.cap.loss
    on = budget_percent(cost.loss / cap) if cap else "0 %"
    of = budget_percent(1 - found.share)
    return bar(cap, found.spent.loss, cost.loss, f"{of} of the budget is spent; this question takes {on}")


def units(cost: Cost) -> str:
    """A cost in the ledger's currency, such as ``ρ = 0.00702``."""
    return f"{'ρ' if cost.currency == 'zcdp' else 'ε'} = {cost.loss / UNIT:.4g}"
