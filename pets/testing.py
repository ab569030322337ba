"""Exact answers, for tests and judges only.

Nothing here protects anyone: the tables are exact statistics of the rows, and two of them that differ in one person
show that person. A session never imports this module, and no service may offer it. Its use is to check engines against
each other and private answers against the bounded ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pets.budget import Budget
from pets.entropy import random_id
from pets.errors import UserError, did_you_mean, shown
from pets.estimate import estimate
from pets.federated.federation import Federation
from pets.federated.site import Site
from pets.federated.sitepolicy import SitePolicy
from pets.holdings import sources_of
from pets.plan import make_plan
from pets.protection import Exact
from pets.query import Query
from pets.schema import Schema
from pets.session import Session
from pets.snapshot import Snapshot
from pets.tabulate import ENGINES, tabulate
from pets.workbench import Bench

if TYPE_CHECKING:
    import pandas as pd

KEY = 0x5EED_0F_7E57
"""One fixed rank key, so that every engine and every run keeps the same rows of a person."""


def snapshot(schema: Schema, data: Any, table: str) -> Snapshot:
    """A table's snapshot under the fixed test key."""
    return Snapshot.make(schema, table, sources_of(schema, data), key=KEY, progress=False)


def exact(
    schema: Schema | Any,
    data: Any,
    query: Query,
    engine: str = "duckdb",
    *,
    sites: int | None = None,
    secure: str = "masked",
) -> pd.DataFrame:
    """The exact bounded answer, without noise: group columns, then one column an aggregate, in the order of the keys.

    It must never meet an analyst: an exact table of real rows has no privacy guarantee at all, and two of them can
    be subtracted. Tests and judges use it on data they may see.

    Args:
        schema: a schema, or a path to one.
        data: one source a table (a single source will do for one table).
        query: what is asked; its row cap K applies, with one fixed key for which rows of a person are kept.
        engine: ``"duckdb"``, ``"polars"`` or ``"federated"``.
        sites, secure: with ``"federated"``: the rows are dealt to so many sites, each person's to one (or ``data`` is a
            list with one entry a site), and the sites' vectors are combined that way, without noise.
    """
    import pandas as pd

    names = (*ENGINES, "federated")
    if not isinstance(engine, str) or engine not in names:
        raise UserError(f"engine {shown(engine)} does not exist{did_you_mean(engine, names)}")
    known = schema if isinstance(schema, Schema) else Schema.load(schema)
    plan = make_plan(query, known)
    if engine == "federated":
        values = _federated(known, data, query.table, sites).release(query, Exact(), secure=secure, again=True).values
    else:
        values = tabulate(plan, snapshot(known, data, query.table), engine).reveal()
    columns = plan.layout.columns()
    for column in estimate(plan, values, "none", (0.0,) * len(plan.measures)):
        columns[column.output.name] = column.estimate.tolist()
    return pd.DataFrame(columns)


def federation(schema: Schema, parts: Sequence[Snapshot]) -> Federation:
    """A federation over ready snapshots, on which :class:`pets.Exact` is allowed: for tests only."""
    sites = []
    for number, part in enumerate(parts):
        session = Session(schema, budget=Budget(epsilon=1, delta=1e-6), progress=False)
        session._holdings._snapshots = {part.table: part}
        session._kind = "dummy"
        sites.append(Site(session, policy=SitePolicy.open(schema), name=f"site {number}"))
    return Federation(sites, sites_per_person=1, progress=False)


def _federated(schema: Schema, data: Any, table: str, sites: int | None) -> Federation:
    """One snapshot a site: of its own data, or of the people that it was dealt (kept for the next question)."""
    if isinstance(data, (list, tuple)):
        return federation(schema, [snapshot(schema, part, table) for part in data])
    if isinstance(sites, bool) or not isinstance(sites, int) or sites < 3:
        raise UserError(f"engine='federated' needs sites=3 or more, or data=[one entry a site], not {shown(sites)}")
    whole = snapshot(schema, data, table)
    key = (whole.id, sites)
    if key not in _made:
        while len(_made) >= 4:
            del _made[next(iter(_made))]
        _made[key] = federation(schema, [_dealt(schema, whole, sites, number) for number in range(sites)])
    return _made[key]


_made: dict[tuple[str, int], Federation] = {}


def _dealt(schema: Schema, whole: Snapshot, sites: int, number: int) -> Snapshot:
    """The rows of every so-many-th person: what that site's own snapshot would hold (ranks are a person's own)."""
    bench = Bench(None, None)
    rows = whole.arrow()
    bench.con.register("rows_of_all", rows)
    bench.con.execute(f"CREATE TABLE snap AS SELECT * FROM rows_of_all WHERE person % {sites} = {number} ORDER BY rank")
    bench.con.unregister("rows_of_all")
    return Snapshot(schema, whole.table, random_id(), whole.report, folder=None, bench=bench)
