"""Synthesise: a session's verb for whole data sets. It prices and measures; ``pets.synthetic`` models.

Two functions are all that this file knows of a session's account: :func:`_measured` (with a guarantee: ordinary
releases) and :func:`_unbounded` (without one).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pets.answering import Answering
from pets.budget import UNIT, Budget, Cost, positive
from pets.calls import whole_between
from pets.codec import Json, digest
from pets.dp.calibrate import target_units
from pets.entropy import random_id
from pets.errors import BudgetError, PolicyError, UserError, did_you_mean, shown
from pets.job import Job
from pets.policy import Policy
from pets.protection import DP, Protection
from pets.query import Query
from pets.quote import Remaining
from pets.release import Release
from pets.schema import Schema
from pets.synthetic.synthetic_release import SyntheticRelease

if TYPE_CHECKING:
    from pets.synthetic.assess.run import Assessment

METHODS = ("dp", "gaussian_copula", "ctgan", "tvae", "copulagan", "hma", "par")
JOINED = "Rows of one invented id belong together, but no invented id stands for any real person."
ROW = "One row is a record with an invented id, not a person: people with several rows are not rebuilt."


class House(Protocol):
    """What is read of a session."""

    schema: Schema
    policy: Policy
    project: str
    analyst: str
    _kind: Any
    _answering: Answering
    _holdings: Any

    @property
    def budget(self) -> Budget:
        """All that may be spent."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it has data for."""

    def remaining(self) -> Remaining:
        """What is left of the budget."""

    def _job(self, query: Query, protection: Protection) -> Job: ...


def synthesise(house: House, rows: object, method: object, settings: Json) -> SyntheticRelease:
    """The data set that :meth:`pets.Session.synthesise` gives.

    Args:
        house: the session.
        rows: to draw; left out, the noisy number of rows (without a guarantee: as many as there are).
        method: ``"dp"``, or an engine without a guarantee.
        settings: for ``"dp"``: ``epsilon`` (needed), ``table``, ``columns``, ``bins`` (a column's edges, how many, or
            ``"year"``, ``"quarter"``, ``"month"``), ``bound`` (rows of one person that count), ``selection``
            (``"tree"`` or, much slower, ``"aim"``), ``cells`` (of the model), ``seed`` (of drawing rows), ``again``,
            ``progress``. For the others: ``table``, ``columns``, ``order`` (of a person's rows, ``"par"``), ``epochs``,
            ``timeout`` (seconds), ``memory`` (GB), ``seed``, ``progress``; ``rows`` are people for ``"hma"`` and
            ``"par"``.

    Raises:
        UserError: before any row is read; nothing is spent.
        ReleaseFailedError: after the data was opened; what was charged stands.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise UserError(f"there is no method {shown(method)}{did_you_mean(method, METHODS)}")
    known = _DP if method == "dp" else _OPEN
    for name in settings:
        if name not in known:
            raise UserError(f"synthesise(method={method!r}) has no setting {shown(name)}{did_you_mean(name, known)}")
    if method == "dp":
        return _private(house, _rows(rows), **settings)
    return _open(house, _rows(rows), method, **settings)


_OPEN = ("table", "columns", "order", "epochs", "timeout", "memory", "seed", "progress")
_DP = ("epsilon", "table", "columns", "bins", "bound", "selection", "cells", "seed", "again", "progress")


def _private(
    house: House,
    rows: int | None,
    *,
    epsilon: float | None = None,
    table: str | None = None,
    columns: Sequence[str] | None = None,
    bins: Any = None,
    bound: int | None = None,
    selection: str = "tree",
    cells: int | None = None,
    seed: int = 0,
    again: bool = False,
    progress: bool = True,
) -> SyntheticRelease:
    from pets.synthetic.columns import modelled
    from pets.synthetic.keeping import unkept
    from pets.synthetic.private import CELLS, check_selection, private_table
    from pets.synthetic.workload import Workload

    if epsilon is None:
        raise BudgetError("a synthetic table with a guarantee has a price; say synthesise(method='dp', epsilon=1)")
    asked = DP(epsilon=epsilon)
    name = _table(house, table)
    workload = Workload(name, modelled(house.schema, name, columns, bins), bound)
    chosen = check_selection(selection)
    most = CELLS if cells is None else whole_between("cells", cells, 100, 10**8)
    seed = whole_between("seed", seed, 0, 2**63 - 1)
    for label, value in (("again", again), ("progress", progress)):
        if not isinstance(value, bool):
            raise UserError(f"{label} must be True or False, not {shown(value)}")
    # refused here, where nothing is spent yet: the marginals' questions, the whole price, and a missing extra
    units = target_units(asked, house.budget.currency, house.budget.conversion_delta)
    for clique, share in workload.shares():
        if units * share < 10:
            raise BudgetError(
                f"epsilon={epsilon!r} is too small for {len(workload.cliques):,} marginals; ask with a larger epsilon "
                "or for fewer columns"
            )
        house._job(workload.query(clique), _priced(house, units, share))
    if units > house.remaining().left.loss and house._kind == "real" and (again or chosen == "aim"):
        raise BudgetError(
            f"a data set at epsilon={epsilon!r} costs more than is left of the budget; nothing was spent; "
            "ask with a smaller epsilon"
        )
    _check_engine()
    made = private_table(
        house.schema,
        workload,
        lambda questions: _measured(house, questions, units, again),
        rows=rows,
        selection=chosen,
        cells=most,
        seed=seed,
        progress=progress,
    )
    cost = Cost(house.budget.currency, sum(int(release.cost["loss"]) for release in made.releases))
    delta = house.budget.conversion_delta
    held = [workload.names(pair) for pair in made.held]
    binned = {column.name: column.dimension.size for column in workload.columns}
    rules = unkept(house.schema.table(name), made.frame)
    return SyntheticRelease(
        id=random_id(),
        frames={name: made.frame},
        method="dp",
        dataset=house.schema.dataset,
        schema_digest=house.schema.digest,
        data=house._kind,
        releases=made.releases,
        guarantee=_promise(made.releases, epsilon, delta, house._kind),
        epsilon=float(epsilon),
        delta=delta,
        rho=cost.loss / UNIT if cost.currency == "zcdp" else None,
        cost=cost.to_json(),
        misfits=made.misfits,
        settings={
            "engine": "mbi, drawn row by row (method sample)",
            "selection": chosen,
            "slots": binned,
            "pairs_in_the_model": held,
            "cells": made.model.cells,
            "rows_estimated": round(made.model.total),
            "rows_of_a_person": made.releases[0].plan.rows,
            "seed": seed,
            "rules": rules,
        },
        level="multivariately plausible: pairs of columns are kept as far as noise and the model allow",
        issued_at=now(),
        project=house.project,
        analyst=house.analyst,
        notes=(*_notes(made.releases, len(held), len(workload.pairs)), *_ruled(rules)),
    )


def _open(
    house: House,
    rows: int | None,
    method: str,
    *,
    table: str | None = None,
    columns: Sequence[str] | None = None,
    order: str | None = None,
    epochs: int | None = None,
    timeout: float = 3600,
    memory: float = 8,
    seed: int = 0,
    progress: bool = True,
) -> SyntheticRelease:
    """By an engine that sees the rows: refused unless the policy allows it, and entered as unbounded."""
    from pets.synthetic.child import Limits
    from pets.synthetic.external import Asked, external, ready

    name = _table(house, table)
    asked = Asked.of(
        house.schema,
        name,
        method,
        columns=columns,
        order=order,
        rows=rows,
        epochs=None if epochs is None else whole_between("epochs", epochs, 1, 100_000),
        seed=whole_between("seed", seed, 0, 2**63 - 1),
    )
    limits = Limits(positive("timeout", timeout, 10**7), positive("memory", memory, 10**5))
    snapshot = house._holdings.snapshot(name)
    ready()
    settings: Json = {"rows": rows, "columns": list(asked.fields), "epochs": epochs, "seed": seed, "order": order}
    question = digest([snapshot.id, method, name, settings])
    # (with people's tables, ids and rows: an engine without a guarantee sees what the snapshot kept)
    what, terms = f"a synthetic table by {method}", {"kind": "synthetic", "method": method}
    with _unbounded(house, name, what, question, terms, snapshot.id):
        coded = snapshot.arrow()
        codes = {column: coded[snapshot.columns[column]].to_numpy() for column in asked.fields}
        frames, said = external(asked, codes, coded["person"].to_numpy(), limits, progress=progress)
    return SyntheticRelease(
        id=random_id(),
        frames=frames,
        method=method,
        dataset=house.schema.dataset,
        schema_digest=house.schema.digest,
        data=house._kind,
        releases=(),
        guarantee="Dummy data: the rows that the engine learnt from are invented."
        if house._kind == "dummy"
        else "No formal guarantee: the engine saw the rows, and what it remembers of a person is not bounded "
        "(unbounded; named on every later release).",
        epsilon=None,
        delta=None,
        rho=None,
        cost=Cost(house.budget.currency, 0).to_json(),
        misfits=(),
        settings=settings | said,
        level="multivariate detailed: whatever the engine learnt, rare rows included",
        issued_at=now(),
        project=house.project,
        analyst=house.analyst,
        notes=(
            ROW if method not in ("hma", "par") else JOINED,
            f"At most {snapshot.max_rows} row(s) of a person were seen.",
            *_ruled(said["rules"], said["rows_turned_away"]),
        ),
    )


def _measured(house: House, questions: Sequence[tuple[Query, Fraction]], units: int, again: bool) -> list[Release]:
    """Each marginal at its share of the price: reserved all or none, then measured like any release."""
    jobs = [house._job(query, _priced(house, units, share)) for query, share in questions]
    return house._answering.release(jobs, None, again=again)


def export(house: House, assessment: Assessment, path: str | Path) -> Path:
    """Write an assessment so that it may be passed on: a release without a finite guarantee, entered as unbounded.

    Raises:
        PolicyError: where the custodian's policy allows none; nothing is written.
        UserError: for a path that cannot be written; the entry stays.
    """
    question = digest(assessment.to_json())
    with _unbounded(
        house, next(iter(house.schema.tables)), "a page of exact statistics", question, {"kind": "assessment"}
    ):
        return assessment.save(path)


@contextmanager
def _unbounded(
    house: House, table: str, what: str, question: str, protection: Json, snapshot: str = ""
) -> Iterator[None]:
    """Something without a finite guarantee is about to leave: allowed by policy, and entered before it is made.

    The one place that enters such a thing: on success it is committed, on failure it stays on the account (data was
    opened). On dummy data nothing is at stake and nothing is entered.
    """
    if house._kind != "real":
        yield
        return
    if not house.policy.allow_unbounded:
        raise PolicyError(
            "this has no finite guarantee and this custodian's policy does not allow it; use method='dp', or open the "
            "session with policy=pets.Policy(allow_unbounded=True)"
        )
    with house._answering.unbounded(table, what, question, protection, snapshot):
        yield


def _priced(house: House, units: int, share: Fraction) -> DP:
    """A share of a price in units, as a request. Rounded down: the shares never cost more than the whole."""
    loss = math.floor(units * share) / UNIT
    return DP(rho=loss) if house.budget.currency == "zcdp" else DP(epsilon=loss)


def _check_engine() -> None:
    """Refuse before anything is spent where the engine is not installed."""
    from pets.synthetic.marginals import ready

    ready()


def _promise(releases: Sequence[Release], epsilon: float, delta: float, kind: str) -> str:
    plan = releases[0].plan
    if kind == "dummy":
        return "Dummy data: the rows that the model was made from are invented, so no one's presence can show."
    who = "any one row (a person)" if plan.unit_column is None else f"all rows of any one person ({plan.unit_column})"
    at = f"ε = {epsilon:.6g}" + (f" and δ = {delta:g}" if delta else "")
    return (
        f"Differentially private with {at}: adding or removing {who} changes the chance of any synthetic table by at "
        f"most that much; at most {plan.rows} row(s) of a person count. The rows are drawn from a model of "
        f"{len(releases)} noisy marginals, each released and charged by itself; whatever is done with them keeps this."
    )


def _notes(releases: Sequence[Release], held: int, pairs: int) -> tuple[str, ...]:
    more = tuple(dict.fromkeys(note for release in releases for note in release.notes))
    about = (
        f"The model holds every column by itself and {held} of {pairs} pairs; the others, and whatever takes three "
        "columns or more, follow only as far as these imply it.",
        "Numbers in bins are drawn evenly within their bin; counts of rare combinations are mostly noise.",
    )
    return (ROW, *about, *more)


def _ruled(rules: Sequence[Json], turned: int = 0) -> tuple[str, ...]:
    """What becomes of the schema's rules, for whoever reads the rows."""
    if not rules:
        return ()
    also = f" {turned:,} drawn row(s) were turned away for them." if turned else ""
    return ("The schema's rules: " + "; ".join(f"({one['rule']}) {one['kept']}" for one in rules) + f".{also}",)


def _table(house: House, table: object) -> str:
    if table is None:
        if len(house.schema.tables) > 1:
            raise UserError(f"the schema has several tables; say which with table={next(iter(house.schema.tables))!r}")
        return next(iter(house.schema.tables))
    house.schema.table(table)  # type: ignore[arg-type]
    return str(table)


def _rows(value: object) -> int | None:
    return None if value is None else whole_between("rows", value, 1, 50_000_000)


def now() -> str:
    """The time, as manifests write it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
