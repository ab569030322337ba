"""Exact answers, for tests and judges only.

Nothing here protects anyone: the tables are exact statistics of the rows, and two of them that differ in one person
show that person. A session never imports this module, and no service may offer it. Its use is to check engines against
each other and private answers against the bounded ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import UserError, did_you_mean, shown
from pets.federated.analyst.federation import Federation
from pets.federated.site.policy import SitePolicy
from pets.federated.site.site import Site
from pets.plan.contribution import Contribution
from pets.plan.plan import Plan, make_plan
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.protection.protection import Exact, Protection, Total
from pets.query_model.query import Query
from pets.release.estimate import estimate
from pets.rows.limits import Limits
from pets.rows.linked import Linked
from pets.rows.scratch_db import Bench
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import ENGINES, tabulate
from pets.schema.schema import Schema
from pets.session.custody import Custody
from pets.session.session import Session
from pets.session.tables import Holdings, sources_of

if TYPE_CHECKING:
    import pandas as pd

    from pets.he.secret_key import SecretKey

_Made = TypeVar("_Made")
KEY = 0x5EED_0F_7E57
"""One fixed rank key, so that every engine and every run keeps the same rows of a person."""


def snapshot(schema: Schema, data: Any, table: str) -> Snapshot:
    """A table's snapshot under the fixed test key."""
    return Snapshot.make(schema, table, sources_of(schema, data), key=KEY, progress=False)


def linked(schema: Schema, data: Any, tables: Sequence[str]) -> Linked:
    """Several tables' snapshots, made together, under the fixed test key: each keeps the rows of :func:`snapshot`."""
    return Linked(Snapshot.make_all(schema, tables, sources_of(schema, data), key=KEY, progress=False))


def exact(
    schema: Schema | Any,
    data: Any,
    query: Query,
    engine: str = "duckdb",
    *,
    parties: int = 3,
    sites: int | None = None,
    secure: str = "masked",
) -> pd.DataFrame:
    """The exact bounded answer, without noise: group columns, then one column an aggregate, in the order of the keys.

    It must never meet an analyst: an exact table of real rows has no privacy guarantee at all, and two of them can
    be subtracted. Tests and judges use it on data they may see.

    Args:
        schema: a schema, or a path to one.
        data: one source a table (a single source will do for one table); or a :func:`snapshot` of the query's table,
            or the :func:`linked` tables that a question about people reads, for several questions and engines.
        query: what is asked; its row cap K applies, with one fixed key for which rows of a person are kept.
        engine: ``"duckdb"``, ``"polars"``, ``"spark"``, ``"federated"``, or ``"encrypted"``: people are dealt out to
            ``parties``, each encrypts its part, envelopes and total go through their bytes, a key holder opens the sum.
        parties: for ``"encrypted"``, at least three.
        sites, secure: with ``"federated"``: the rows are dealt to so many sites, each person's to one (or ``data`` is a
            list with one entry a site), and the sites' vectors are combined that way, without noise.
    """
    import pandas as pd

    known_engines = (*ENGINES, "encrypted", "federated")
    if not isinstance(engine, str) or engine not in known_engines:
        raise UserError(f"engine {shown(engine)} does not exist{did_you_mean(engine, known_engines)}")
    known = schema if isinstance(schema, Schema) else Schema.load(schema)
    plan = make_plan(query, known)
    if engine == "federated":
        # one key pair for all: making one takes most of a second
        many = _federated(plan, known, data, sites, _keys(0)[1] if secure == "encrypted" else None)
        values = many.release(query, Exact(), secure=secure, again=True).values
    elif engine == "encrypted":
        values = _encrypted(plan, known, _dealt(known, _ready(plan, known, data), parties))
    else:
        values = tabulate(plan, _ready(plan, known, data), engine).reveal()
    columns = plan.layout.columns()
    for column in estimate(plan, values, "none", (0.0,) * len(plan.measures)):
        columns[column.output.name] = column.estimate.tolist()
    return pd.DataFrame(columns)


def _ready(plan: Plan, schema: Schema, data: Any) -> Snapshot | Linked:
    if isinstance(data, (Snapshot, Linked)):
        return data
    return snapshot(schema, data, plan.table) if plan.people_of is None else linked(schema, data, plan.people_of.tables)


def split(schema: Schema, whole: Snapshot, parties: int) -> list[Snapshot]:
    """A snapshot's people dealt out to parties: each person's rows, with their ranks, at one of them."""
    return [part.snapshots[whole.table] for part in split_linked(schema, Linked({whole.table: whole}), parties)]


def split_linked(schema: Schema, whole: Linked, parties: int) -> list[Linked]:
    """The people of linked tables dealt out to parties: all rows of one person at one of them."""
    if isinstance(parties, bool) or not isinstance(parties, int) or not 2 <= parties <= 1000:
        raise UserError(f"parties must be from 2 to 1000, not {shown(parties)}")
    every = {table: whole.arrow(table) for table in whole.tables}
    out = []
    for party in range(parties):
        bench, set_id, parts = Bench(None, Limits()), random_id(), {}
        for table, rows in every.items():
            one = whole.snapshots[table]
            bench.con.register("every", rows)
            own = f"SELECT * FROM every WHERE person % {parties} = {party} ORDER BY rank"
            bench.con.execute(f"CREATE TABLE {one.relation} AS {own}")
            bench.con.unregister("every")
            parts[table] = Snapshot(schema, table, random_id(), one.report, set_id=set_id, folder=None, bench=bench)
        out.append(Linked(parts))
    return out


@dataclass(frozen=True)
class _Party:
    """What ``pets.he.encrypt`` asks of a session, on a snapshot that is there already; it charges nobody."""

    schema: Schema
    part: Snapshot | Linked

    def contribute(
        self, query: Query, protection: Protection, *, honest: int, purpose: Json, check: Callable[[Json | None], None]
    ) -> Contribution:
        plan = make_plan(query, self.schema)
        check(None)
        return Contribution(plan, tabulate(plan, self.part), None, "real", "test")


@cache
def _keys(parties: int) -> tuple[Any, Any, list[Any]]:
    from pets import he

    public, secret = he.keygen()
    return public, secret, [he.partykey(f"party-{number:04d}") for number in range(parties)]


def _encrypted(plan: Plan, schema: Schema, parts: Sequence[Snapshot | Linked]) -> Any:
    from pets import he

    public, secret, keys = _keys(len(parts))
    asked = secret.round(plan.query, schema, [key.public for key in keys], Total())
    sent = [
        he.encrypt(_Party(schema, part), plan.query, public, round=asked, party=key).to_bytes()
        for part, key in zip(parts, keys, strict=True)
    ]
    total = he.add(he.Envelope.from_bytes(data) for data in sent)
    return secret.open(he.Total.from_bytes(total.to_bytes())).values


def federation(schema: Schema, parts: Sequence[Snapshot | Linked], key_holder: SecretKey | None = None) -> Federation:
    """A federation over ready snapshots, on which :class:`pets.Exact` is allowed: for tests only."""
    sites = []
    for number, part in enumerate(parts):
        tables = Holdings.ready(schema, {part.table: part} if isinstance(part, Snapshot) else part.snapshots)
        budget = Budget(epsilon=1, delta=1e-6)
        custody = Custody.invented(schema, tables, budget, ("default", "local"), Policy(), "duckdb")
        sites.append(Site(Session.of(custody), policy=SitePolicy.open(schema), name=f"site {number}"))
    return Federation(sites, sites_per_person=1, key_holder=key_holder, progress=False)


def _federated(plan: Plan, schema: Schema, data: Any, sites: int | None, key_holder: SecretKey | None) -> Federation:
    """One snapshot a site: of its own data, or of the people that it was dealt (kept for the next question)."""
    if isinstance(data, (list, tuple)):
        return federation(schema, [_ready(plan, schema, part) for part in data], key_holder)
    if isinstance(sites, bool) or not isinstance(sites, int) or sites < 3:
        raise UserError(f"engine='federated' needs sites=3 or more, or data=[one entry a site], not {shown(sites)}")
    whole = _ready(plan, schema, data)
    key = ("federation", whole.id, sites, key_holder is not None)
    return _kept(key, lambda: federation(schema, _dealt(schema, whole, sites), key_holder))


def _dealt(schema: Schema, whole: Snapshot | Linked, parties: int) -> Sequence[Snapshot | Linked]:
    def dealt() -> Sequence[Snapshot | Linked]:
        return split(schema, whole, parties) if isinstance(whole, Snapshot) else split_linked(schema, whole, parties)

    return _kept(("parts", whole.id, parties), dealt)


def _kept(key: tuple[Any, ...], make: Callable[[], _Made]) -> _Made:
    """What was made of a snapshot for an earlier question, as long as few others were made since."""
    if key not in _made:
        made = make()
        while len(_made) >= 8:
            del _made[next(iter(_made))]
        _made[key] = made
    return cast("_Made", _made[key])


_made: dict[tuple[Any, ...], Any] = {}
