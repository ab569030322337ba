"""Standing: what a dataset's row and its scopes say of the account, and whether and why not a request fits in it."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from pets.common.codec import Json
from pets.errors import BudgetError
from pets.ledger.db.row_types import ROOT, Scope, ScopeRow, moment, parsed, text
from pets.ledger.db.transaction import Transaction
from pets.ledger.failpoint import failpoint
from pets.ledger.ledger import public
from pets.ledger.states import Entry, Grant, Request, Sealed, Standing, State
from pets.protection.budget import DELTA_UNIT, LEAVE_PURE, Budget, Cost, told_apart


def granted(
    row: Any,
    scopes: Sequence[ScopeRow],
    requests: Sequence[Request],
    ids: Sequence[str],
    known: Mapping[int, Sealed],
    token: str,
    earlier: tuple[tuple[str, str, str], ...],
) -> Iterator[Grant]:
    """One grant a request, each with the account as it is after it and those before it."""
    loss, delta = 0, 0
    for place, request in enumerate(requests):
        before = standing(row, [scope.holding(loss, delta) for scope in scopes]).spent.loss
        if place not in known:
            loss, delta = loss + request.cost.loss, delta + request.cost.delta
        after = standing(row, [scope.holding(loss, delta) for scope in scopes])
        name = known[place].request if place in known else ids[place]
        yield Grant(name, token, after, before, earlier, known.get(place))


def standing(row: Any, scopes: Sequence[ScopeRow]) -> Standing:
    """The account in a dataset's row and its scopes, the root first."""
    currency, root = row.currency, scopes[0]
    lefts = [left for scope in scopes if (left := scope.left) is not None]
    return Standing(
        budget=_budget(row.budget),
        spent=Cost(currency, root.reserved[0] + root.spent[0], root.reserved[1] + root.spent[1]),
        left=Cost(currency, max(0, min(left[0] for left in lefts)), max(0, min(left[1] for left in lefts))),
        lifetime=Cost(currency, row.lifetime_loss + root.reserved[0], row.lifetime_delta + root.reserved[1]),
        epoch=row.epoch,
    )


@functools.lru_cache(maxsize=256)
def _budget(form: str) -> Budget:
    return Budget.from_json(parsed(form))


def check_snapshots(row: Any, requests: Iterable[Request]) -> None:
    """A renewed budget is for the new data that its signed change names, and for no other."""
    admitted = parsed(row.snapshots)
    for request in requests:
        # (a page about the whole dataset is of no snapshot, and spends nothing)
        if admitted and request.snapshot and request.snapshot not in admitted:
            raise BudgetError(
                "the budget was renewed for other data than this snapshot; open the session with the snapshots= folder "
                "that holds the renewed one, or have this one admitted (pets ledger change --snapshot)"
            )


def check_conversion(budget: Budget, requests: Iterable[Request]) -> None:
    """An ε that was reckoned at the δ of a budget that a signed change has replaced would be signed as another's."""
    if any(request.delta not in (None, budget.conversion_delta) for request in requests):
        raise BudgetError(
            f"the budget's δ was changed to {budget.delta:g} after this was priced; nothing was spent; ask again"
        )


def entry(row: Any, currency: Any) -> Entry:
    """A request's row, as it is told."""
    return Entry(
        id=row.id,
        at=dt.datetime.fromisoformat(row.at),
        project=row.project,
        analyst=row.analyst,
        table=row.tbl,
        what=row.what,
        question=row.question,
        protection=row.protection,
        cost=Cost(currency, row.loss, row.delta),
        state=State(row.state),
        unbounded=bool(row.unbounded),
        epoch=row.epoch,
        seq=row.seq,
    )


def delivery(row: Any, currency: Any) -> Entry:
    """The delivery of an answer to somebody who did not pay for it, as it is told: when, to whom, and at no cost."""
    told = json.loads(bytes(row.body))
    return replace(
        entry(row, currency),
        at=dt.datetime.fromisoformat(told["at"]),
        project=row.to_project,
        analyst=row.to_analyst,
        cost=Cost(currency, 0),
        epoch=told["epoch"],
        seq=row.entry,
        delivered=True,
    )


def _whose(scope: ScopeRow) -> str:
    if (scope.project, scope.analyst) == ROOT:
        return "the budget"
    return f"analyst {scope.analyst!r}" if scope.analyst else f"project {scope.project!r}"


def _more_delta(scope: ScopeRow) -> str:
    """The remedy where no δ for thresholds is left at all, which no smaller request mends."""
    whose = "" if (scope.project, scope.analyst) == ROOT else " --project PROJECT --budget-epsilon NUMBER"
    whose += " --analyst NAME" if scope.analyst else ""
    return (
        "no smaller one fits, so its custodian may raise threshold_delta: pets ledger change --ledger FILE --dataset "
        f"NAME{whose} --threshold-delta NUMBER --reason WHY --by NAME --by NAME"
    )


def refusal(scopes: Sequence[ScopeRow], requests: Sequence[Request], budget: Budget) -> str | None:
    """Why the requests do not fit, from public numbers alone (``None``: they fit)."""
    cost = Cost(budget.currency, 0)
    for request in requests:
        cost = cost + request.cost
    for scope in scopes:
        if (left := scope.left) is None or (cost.loss <= left[0] and cost.delta <= left[1]):
            continue
        what = "this query" if len(requests) == 1 else f"these {len(requests)} queries"
        if cost.loss <= left[0]:
            delta, spare = told_apart(cost.delta / DELTA_UNIT, max(0, left[1]) / DELTA_UNIT)
            return (
                f"{what} would cost δ = {delta} for thresholds and {_whose(scope)} has room for δ = {spare}; "
                f"nothing was spent; {_more_delta(scope) if left[1] < 1 else 'ask with a smaller delta'}"
            )
        room = Cost(cost.currency, max(0, left[0]), max(0, left[1]))
        asked, spare = told_apart(budget.describe(cost)[0], budget.describe(room)[0])
        at = f" (at δ = {budget.conversion_delta:g})" if budget.delta else ""
        pure = budget.delta and any(request.protection.get("pure") for request in requests)
        remedy = LEAVE_PURE if pure else "ask with a smaller epsilon, or for less accuracy"
        return (
            f"{what} would cost ε = {asked} and {_whose(scope)} has room for ε = {spare}{at}; "
            f"nothing was spent; {remedy}"
        )
    return None


def check_room(tx: Transaction, dataset: str, scope: Scope, requests: Sequence[Request], again: bool) -> None:
    """Raises :class:`BudgetError` where requests do not fit now; an equal question that was paid for costs nothing."""
    new = [request for request in requests if again or tx.by_asked(request.asked) is None]
    scopes = tx.scopes(dataset, scope)
    if why := refusal(scopes, new, standing(tx.dataset(dataset), scopes).budget):
        raise BudgetError(why)


def others(tx: Transaction, dataset: str, own: str) -> Json:
    """What else of a dataset has left by now: how many with a guarantee, and which without.

    And how many were charged and never answered, in which whoever runs the ledger may have looked at a draw.
    """
    without = [{"request_id": name, "at": at, "what": what} for name, at, what in tx.unbounded(dataset) if name != own]
    return {"dp": tx.dataset(dataset).releases, "forfeited": tx.forfeited(dataset), "unbounded": without}


def told(dataset: str, now: Standing, before: int, cost: tuple[int, int], memory: bool) -> Json:
    """The account as a certificate tells it, in units of the currency.

    Args:
        now: the account with the cost.
        before: what was charged before it.
        cost: loss and δ.
        memory: whether the ledger dies with its process.
    """
    budget, said = now.budget, now.budget.to_json()
    return {
        "scope": dataset,
        "currency": budget.currency,
        "epoch": now.epoch,
        "cap": budget.cap.loss,
        "charged": cost[0],
        "charged_delta": cost[1],
        "after": now.spent.loss,
        "before": before,
        "lifetime": now.lifetime.loss,
        "ledger": "memory" if memory else "durable",
        "epsilon_cap": said["epsilon"],
        "delta": said["delta"],
        "threshold_delta": said["threshold_delta"],
    } | ({"after_delta": now.spent.delta} if now.spent.delta else {})


def enter(
    tx: Transaction,
    dataset: str,
    scope: Scope,
    new: Mapping[str, Request],
    state: State,
    token: str,
    now: float,
    epoch: int,
    lease: float,
) -> None:
    """Requests, by their ids, into the log and the tables; what they cost is charged unless they are denied."""
    rows = []
    for name, request in new.items():
        row = {
            "id": name,
            "dataset": dataset,
            "project": scope[0],
            "analyst": scope[1],
            "key": None if state is State.DENIED else request.key,
            "asked": request.asked,
            "snapshot": request.snapshot,
            "epoch": epoch,
            "at": moment(int(now)),
            "tbl": request.table,
            "what": request.what,
            "question": request.question,
            "protection": text(request.protection),
            "schema_digest": request.schema_digest,
            # a cost that no budget holds is denied; the column need not hold it either
            "loss": min(request.cost.loss, _GREATEST),
            "delta": min(request.cost.delta, _GREATEST),
            "unbounded": request.unbounded,
            "state": state.value,
            "token": token,
            "lease": lease,
            "seq": tx.head.size,
        }
        private = {"question": request.question, "query": request.query, "asked": request.asked, "key": request.key}
        tx.append(state.value, now, public(SimpleNamespace(**row)), private | {"snapshot": request.snapshot})
        rows.append(row)
    if not rows:
        return
    if state is not State.DENIED:
        costs = [request.cost for request in new.values()]
        total = (sum(cost.loss for cost in costs), sum(cost.delta for cost in costs))
        tx.charge(dataset, scope, reserved=total)
        failpoint("reserve-charged")
    tx.add_requests(rows)


_GREATEST = 2**63 - 1
