"""Dummy data: rows invented from the public schema alone. No data argument exists, so nothing can leak.

Values are drawn evenly from the public domains and keep the schema's rules. The twin has the shape of the real table,
not its statistics.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.arguments import plain_arguments, whole_between
from pets.errors import QueryError, UserError, shown
from pets.plan.plan import make_plan
from pets.query_model.query import Query
from pets.schema.clock.time_of_day import SECOND, Time
from pets.schema.dates import Date, DateTime
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.numeric import Integer, Real
from pets.schema.schema import Schema
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.dummy_data.derived_targets import derived_codes
from pets.synthetic.dummy_data.fill import Codes, fill, stream
from pets.synthetic.dummy_data.links import Placed, numbers, placed
from pets.synthetic.dummy_data.manifest import manifest
from pets.synthetic.dummy_data.people.cohort import Cohort, cohort, looked_up
from pets.synthetic.dummy_data.people.judge import Judge, holds
from pets.synthetic.dummy_data.query_targets import Wish, conditions, wishes
from pets.synthetic.dummy_data.texts import listed
from pets.synthetic.linked import linked, twin
from pets.synthetic.packs.generator import MAX_PEOPLE
from pets.synthetic.packs.pack import is_pack, load_pack
from pets.synthetic.quiz.secret import Secret

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 50_000_000
_TOKENS = 0.5  # of the nulls of a column that has null texts: the rest are empty


@plain_arguments(UserError)
def dummy(
    schema: Schema | str | Path | Mapping[str, Any],
    rows: int | None = None,
    seed: int = 0,
    *,
    query: Query | None = None,
    people: int | None = None,
    faults: bool | str | Sequence[str] | Mapping[str, float | None] = False,
    secret: str | Path | bytes | None = None,
    link: str | None = None,
    products: Sequence[str] | str | None = None,
    progress: bool = False,
) -> Dummy:
    """Every table of a schema, filled with invented rows; the same seed gives the same rows.

    ``rows`` is the number of rows of each table, 1,000 if left out (a person table has one row per invented person).
    People have between 1 and ``max_rows`` rows, most of them few. No more people are invented than the schema says
    there are at most (``people``): they then have more rows each, and a table gets at most people × max_rows rows,
    fewer than asked for where that is less. Columns that the schema may leave empty are null in 3 % of rows. With a
    ``query``, half of the people are made to meet its conditions, so that its answer on these rows is not empty; of a
    question about people, with rows in every table that it reads. Of a schema that names a pack (``dummy: nhs``), or
    that a pack made, the rows are the pack's: of ``rows`` people, with all that happens to them.

    The name of a *pack* in the schema's place, such as ``"nhs"``, or the folder of one's own, such as ``"my_pack/"``,
    gives its linked tables for ``people`` invented people, the first of whom are the same however many there are. With
    a ``query``, some who meet its conditions are among them. ``faults`` plants its faults for training: all of them
    (``True``), or some by name or difficulty (``["short-date-of-death", "hard"]``), or with shares
    (``{"duplicated-episodes": 0.01}``); ``.answers`` is the key to them, and ``.quiz()`` marks answers. With a
    ``secret`` (its bytes, or the file of ``pets learn secret``) the seed alone makes no such rows. ``link`` names
    people by ``"nhs_number"`` or by ``"pseudonym"`` (left out: as the pack says). ``products`` names the data
    products whose tables are made, such as ``["gdppr"]``, or ``"all"`` (left out: the usual ones); the same person has
    the same rows whichever they are.

    Raises:
        UserError: with the remedy, where the schema cannot be satisfied.

    >>> from pets.schema.schema import Integer, Schema, Table, Unit
    >>> table = Table(Unit("id", max_rows=3), {"id": Identifier(), "days": Integer(1, 14)})
    >>> made = dummy(Schema({"stays": table}), rows=100)
    >>> made, bool(made["stays"].days.dropna().between(1, 14).all())
    (<Dummy, invented from a schema: stays (100 rows)>, True)
    >>> len(dummy("nhs", people=20)["demographics"])
    20
    """
    if not isinstance(progress, bool):
        raise UserError(f"progress must be True or False, not {shown(progress)}")
    if is_pack(schema):
        if rows is not None:
            raise UserError(f"a pack has people, not rows: say pets.dummy({str(schema)!r}, people={shown(rows)})")
        return _pack(
            schema, people, seed, query, faults=faults, secret=secret, link=link, products=products, progress=progress
        )
    if people is not None or faults is not False or secret is not None or products is not None:
        raise UserError(
            "people, products, faults and a secret are for packs, such as pets.dummy('nhs', people=1000); a schema "
            "takes rows"
        )
    known = schema if isinstance(schema, Schema) else Schema.load(schema)
    rows = whole_between("rows", 1000 if rows is None else rows, 1, MAX_ROWS)
    seed = whole_between("seed", seed, 0, 2**63 - 1)
    if query is not None and not isinstance(query, Query):
        raise QueryError(f"query must be built from pets.query('table'), not {shown(query)}")
    held = listed(known, query)
    if known.twin.pack is not None:
        tables = twin(held, whole_between("rows", rows, 1, MAX_PEOPLE), seed, query)
    else:
        wanted = _wanted(query, held, rows, seed)
        tables = {name: _table(name, held, rows, seed, query, wanted) for name in held.tables}
    told = manifest(
        dataset=known.dataset,
        schema=known.digest,
        seed=seed,
        rows={name: table.num_rows for name, table in tables.items()},
        made_from="a schema" if query is None else "a schema and a query",
        **({} if query is None else {"query_sha256": query.digest}),
    )
    return Dummy(known, tables, told)


def _pack(
    name: str | Path,
    people: int | None,
    seed: int,
    query: Query | None,
    *,
    faults: object,
    secret: str | Path | bytes | None,
    link: str | None,
    products: Sequence[str] | str | None,
    progress: bool,
) -> Dummy:
    if query is not None and not isinstance(query, Query):
        raise QueryError(f"query must be built from pets.query('table'), not {shown(query)}")
    if link is not None and not isinstance(link, str):
        raise UserError(f"link must be nhs_number or pseudonym, not {shown(link)}")
    pack = load_pack(name, link, products)
    number = whole_between("people", 1000 if people is None else people, 1, MAX_PEOPLE)
    seed = whole_between("seed", seed, 0, 2**63 - 1)
    held = None if secret is None else Secret.read(secret)
    return linked(pack, number, seed, query=query, faults=faults, secret=held, progress=progress)


def invent(schema: Schema, rows: int = 1000, seed: int = 0) -> dict[str, pd.DataFrame]:
    """:func:`dummy` as plain data frames."""
    if not isinstance(schema, Schema):
        raise UserError(f"dummy data needs a schema, such as pets.Schema.load('stays.yaml'), not {shown(schema)}")
    return dict(dummy(schema, rows, seed))


def _wanted(query: Query | None, schema: Schema, rows: int, seed: int) -> tuple[Wish, ...] | Cohort:
    if query is None:
        return ()
    if query.people is not None:
        return cohort(query, schema, rows, seed) or ()
    return wishes(query, schema)


def _codes(
    name: str, schema: Schema, rows: int, seed: int, query: Query | None = None, wanted: tuple[Wish, ...] | Cohort = ()
) -> tuple[Placed, dict[str, Codes]]:
    """The rows of a table with their people, and their codes."""
    table, hints = schema.tables[name], schema.twin.of(name)
    if isinstance(wanted, Cohort):
        here = placed(schema, name, rows, seed, wanted)
        return here, fill(name, table, len(here.person), seed, *here.wishes, hints)
    here = placed(schema, name, rows, seed)
    person = here.person
    mine: list[Mapping[str, Any]] = []
    if query is not None and query.table == name:
        mine = [wish.own for wish in wanted]
    elif query is not None and schema.tables[query.table].person_table == name:
        mine = [wish.person for wish in wanted]
    # every second person is made to a wish, the same one in every table
    none = np.full(len(person), -1, dtype=np.int64)
    which = np.where(person % 2 == 0, person // 2 % len(mine), -1) if mine else none
    return here, fill(name, table, len(person), seed, mine, which, hints)


def met(query: Query, schema: Schema, rows: int, seed: int) -> int:
    """How many people of the plain dummy data have a row that meets a query's conditions: the fewest of any part."""
    schema = listed(schema, query)
    if schema.twin.pack is not None:
        found = Judge(query, schema).meeting(twin(schema, rows, seed))
        return min((len(some) for some in found), default=rows)
    here, codes = _codes(query.table, schema, rows, seed)
    person = here.person
    owner = schema.table(query.table).person_table
    held = {} if owner is None else _codes(owner, schema, rows, seed)[1]
    if owner is not None:
        everyone = len(next(iter(held.values()), person))
        for name, domain in schema.table(owner).columns.items():
            if name in held:
                of_person = held[name][np.minimum(person, everyone - 1)]
                codes[name] = np.where(person < everyone, of_person, domain.cells)
    codes |= looked_up(schema.fields(query.table), codes)
    codes |= derived_codes(make_plan(query, schema), codes)
    parts = (holds(condition, codes, len(person)) for condition in conditions(query, schema))
    return min((len(np.unique(person[part])) for part in parts), default=len(person))


def _table(
    name: str, schema: Schema, rows: int, seed: int, query: Query | None, wanted: tuple[Wish, ...] | Cohort
) -> Any:
    import pyarrow as pa

    here, codes = _codes(name, schema, rows, seed, query, wanted)
    table, cohort_of = schema.tables[name], wanted if isinstance(wanted, Cohort) else None
    columns = {}
    for column, domain in table.columns.items():
        if isinstance(domain, Identifier):
            columns[column] = _labels("DUMMY", numbers(schema, name, column, rows, seed, cohort_of, here))
        elif not (isinstance(domain, Category) and domain.lookup is not None):
            columns[column] = render(domain, codes[column], stream(seed, name, column, "token"))
    return pa.table(columns)


def _labels(prefix: str, given: npt.NDArray[np.int64]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = pc.utf8_lpad(pa.array(given, mask=given < 0).cast(pa.string()), 8, padding="0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "-")


def render(domain: Domain, codes: Codes, random: np.random.Generator) -> Any:
    """Codes as the values that the data would hold, in an Arrow array; some nulls as the schema's null texts."""
    import pyarrow as pa

    empty = codes == domain.cells
    if isinstance(domain, Category):
        tokens = [token for token in domain.null if token]
        codes = codes.copy()
        if tokens and empty.any():
            token = empty & (random.random(len(codes)) < _TOKENS)
            codes[token] = domain.cells + random.integers(0, len(tokens), size=int(token.sum()))
            empty = empty & ~token
        values = pa.array([*domain.values, *tokens], pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=empty), values).cast(pa.string())
    if isinstance(domain, Boolean):
        return pa.array(codes == 1, mask=empty)
    if isinstance(domain, Integer):
        return pa.array(codes + domain.lo, mask=empty)
    if isinstance(domain, Real):
        # exact hundredths rather than multiples of 0.01: what is shortest to write is what was meant
        scale = domain.step.denominator * domain.lo.denominator
        grid = codes * int(domain.step * scale) + int(domain.lo * scale)
        return pa.array(grid / scale, mask=empty)
    if isinstance(domain, Date):
        return pa.array((codes + domain.lo.toordinal() - 719163).astype(np.int32), mask=empty).cast(pa.date32())
    if isinstance(domain, DateTime):
        second = dt.timedelta(seconds=1)
        start, step = (domain.lo - dt.datetime(1970, 1, 1)) // second, domain.width // second
        return pa.array(codes * step + start, mask=empty).cast(pa.timestamp("s")).cast(pa.timestamp("us"))
    if isinstance(domain, Time):
        seconds = (codes * (domain.width // SECOND) + domain.lo // SECOND).astype(np.int32)
        return pa.array(np.where(empty, 0, seconds).astype(np.int32), mask=empty).cast(pa.time32("s"))
    raise UserError(f"dummy values for {domain.describe()} are not known")
