"""Rows: a plan's counted rows on one engine, and the few sums ever computed over them.

Expressions are built once for a plan and kept as compiled SQL (DuckDB); their only literals are public codes.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.plan.computed.derived_codes import derived_code
from pets.plan.key_plan import KeyPlan
from pets.plan.layout import Dimension
from pets.plan.measure import Cell, RowWeight, Weight
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, Codes, Predicate, Texts, both, known
from pets.plan.vector import Ints
from pets.rows.engine import caps, stopping
from pets.rows.engine.backends import backend, first_in_groups
from pets.rows.engine.products import monomial, row_share
from pets.rows.engine.slots import bins, cycle, scattered, steps, within
from pets.rows.people.lowered import People

if TYPE_CHECKING:
    from pets.rows.snapshot import Snapshot

Terms = Mapping[str, Callable[[Any], Any]]

_COUNT: Terms = {"t0": lambda table: table.count()}

_compiled: OrderedDict[tuple[Any, ...], str] = OrderedDict()
_lock = threading.Lock()
_building = threading.RLock()
_KEEP = 2048
_SHARE = "row_share"


class Rows:
    """The rows that a plan counts, on one engine.

    ``counted`` has each person's first K rows that meet the query's condition; ``kept`` all rows of the snapshot that
    do. Where the plan caps groups, both keep only a person's first groups; where it caps their rows, ``counted`` has no
    more than the first of each.
    """

    def __init__(self, plan: Plan | KeyPlan, snapshot: Snapshot | People, engine: str) -> None:
        self._plan, self._snapshot, self._engine = plan, snapshot, engine
        self._domains = plan.fields

    # tables -----------------------------------------------------------------------------------------------------

    @cached_property
    def _backend(self) -> Any:
        return backend(self._snapshot, self._engine)

    @cached_property
    def _snap(self) -> Any:
        if self._engine == "duckdb":
            return self._snapshot.unbound()
        return self._backend.table(self._snapshot.relation)

    def counted(self) -> Any:
        """Rows with rank at most K that meet the query's condition."""
        table = self._snap
        if self._plan.rows < self._plan.kept_rows:
            table = table.filter(table["rank"] <= self._plan.rows)
        return self._capped(self._filtered(table, self._plan.where), self._plan.group_rows)

    def met(self, where: Predicate | None) -> Any:
        """The counted rows that meet a further condition."""
        return self._filtered(self.counted(), where)

    def kept(self) -> Any:
        """All rows of the snapshot that meet the query's condition."""
        return self._capped(self._filtered(self._snap, self._plan.where))

    def _filtered(self, table: Any, where: Predicate | None) -> Any:
        return table if where is None else table.filter(self._meets(table, where))

    def _capped(self, table: Any, most: int | None = None) -> Any:
        """Only each person's first ``group_cap`` groups, and in each of these at most so many rows."""
        cap, stored = self._plan.group_cap, self._plan.stored_rank
        if most is not None and stored is not None:
            table, most = table.filter(table[self._snapshot.ranks[stored]] <= most), None
        if cap is None and most is None:
            return table
        keyed = table.mutate(**{f"d{i}": self._slot(table, d) for i, d in enumerate(self._plan.layout.dimensions)})
        if cap is not None:
            keyed = caps.first_groups(keyed, self._dimension_names, cap, self._engine)
        if most is None:
            return keyed
        if self._engine == "polars":
            return first_in_groups(self._backend, keyed, self._dimension_names, most)
        return caps.first_in_groups(keyed, self._dimension_names, most)

    @property
    def _dimension_names(self) -> list[str]:
        return [f"d{i}" for i in range(len(self._plan.layout.dimensions))]

    # expressions ------------------------------------------------------------------------------------------------

    def _column(self, table: Any, column: str, slot: int | None = None) -> Any:
        made = self._plan.made.get(column) if isinstance(self._plan, Plan) else None
        if made is not None:
            import ibis

            of = partial(self._column, table, slot=slot)
            return derived_code(made, self._domains, of, ibis.ifelse, lambda code: code.cast("int64"))
        name = self._snapshot.columns[column]
        return table[name if slot is None else f"{name}_{slot}"]

    def _meets(self, table: Any, predicate: Predicate, slot: int | None = None) -> Any:
        import ibis

        if isinstance(predicate, Codes):
            top = self._domains[predicate.column].codes - 1
            return within(self._column(table, predicate.column, slot), predicate.ranges, top)
        if isinstance(predicate, Texts):
            text = self._column(table, predicate.column, slot)
            # (a long NOT IN of DuckDB is none of its quick joins; it is right all the same)
            return text.isin(predicate.values) if predicate.among else text.notin(predicate.values)
        conditions = [self._meets(table, term, slot) for term in predicate.terms]
        return ibis.and_(*conditions) if isinstance(predicate, AllOf) else ibis.or_(*conditions)

    def _slot(self, table: Any, dimension: Dimension, slot: int | None = None) -> Any:
        code = self._column(table, dimension.column, slot)
        if dimension.text is not None:  # texts are told apart as they are; which of them are listed, afterwards
            return code
        if dimension.cycle is not None:
            return cycle(code, dimension.cycle, self._plan.fields[dimension.column])
        return steps(code, dimension.breaks, dimension.slots) if dimension.breaks else code

    def known(self, column: str) -> Predicate | None:
        """The column has a value (``None``: it always has)."""
        return known(column, self._domains[column])

    def null_value(self, column: str, weight: Weight) -> int:
        """What a null's reserved code adds to :meth:`total`."""
        cells = self._domains[column].cells
        return (weight.high if self._clips(column, weight) else cells) // weight.coarse - self.start(column, weight)

    def start(self, column: str, weight: Weight) -> int:
        """The code from which :meth:`total` counts: a clip's lower end, so that far codes add up to small sums."""
        return weight.low if weight.coarse == 1 and self._clips(column, weight) else 0

    def _clips(self, column: str, weight: Weight) -> bool:
        return weight.low > 0 or weight.high < self._domains[column].cells - 1

    def _clamped(self, table: Any, column: str, weight: Weight) -> Any:
        import ibis

        code = self._column(table, column)
        if self._clips(column, weight):
            # CASE, not LEAST/GREATEST, which DuckDB runs an order of magnitude slower on narrow integers
            code = ibis.cases((code < weight.low, weight.low), (code > weight.high, weight.high), else_=code)
        if weight.coarse == 1:
            return code
        # Ibis divides in floating point: measured from the first run's start and half a run up, what it rounds is
        # small and lies nowhere near a whole number
        coarse, first = weight.coarse, weight.low // weight.coarse
        code = code.cast("int64")
        return (code - code % coarse - (first * coarse - coarse // 2)) // coarse + first

    def count(self, table: Any, conditions: tuple[Predicate | None, ...]) -> Any:
        """Rows that meet every condition."""
        wanted = [self._meets(table, condition) for condition in conditions if condition is not None]
        return self._times(table, *wanted)

    def _times(self, table: Any, *conditions: Any) -> Any:
        """How many rows meet conditions that are never null: ones are added up, which is cheaper than a filter."""
        import ibis

        if not conditions:
            return table.count()
        condition = ibis.and_(*conditions)
        if isinstance(condition, ibis.expr.types.Scalar):  # always, or never; Polars would count the constant once
            return table.count() * condition.cast("int64")
        # (see backends; and DuckDB adds 8-bit integers more slowly)
        return condition.cast("int16" if self._engine == "duckdb" else "int64").sum()

    def total(self, table: Any, column: str, weight: Weight, where: Predicate | None) -> Any:
        """The sum of clamped codes, counted from :meth:`start`, nulls at :meth:`null_value`."""
        met = None if where is None else self._meets(table, where)
        if self._engine != "duckdb" or weight.coarse > 1 or not self._clips(column, weight):
            code, start = self._clamped(table, column, weight), self.start(column, weight)
            return (code.cast("int64") - start if start else code).sum(where=met)
        # |c − low| − |c − high| = 2·(clamped − low) − (high − low): no branches, so as fast as no clamp at all
        low, high = weight.low, weight.high
        signed = next(f"int{bits}" for bits in (16, 32, 64) if self._domains[column].codes < 2 ** (bits - 1))
        code = self._column(table, column).cast(signed)
        twice = ((code - low).abs() if low else code) - (code - high).abs()
        return (twice.sum(where=met) + table.count(where=met) * (high - low)) >> 1

    def products(self, table: Any, pair: Sequence[tuple[str, Weight]], where: Predicate | None) -> Any:
        """The sum of products of two columns' weights (of squares: one column twice), over rows with both values."""
        for column, _ in dict.fromkeys(pair):
            where = both(self.known(column), where)
        return self.monomial(table, Cell(1, tuple((*one, power) for one, power in Counter(pair).items())), where)

    def monomial(self, table: Any, cell: Cell, where: Predicate | None, shares: bool = False) -> Any:
        """The sum of a product of weights (times each row's share) over the rows that meet a condition."""
        share = table[_SHARE] if shares else None
        count = partial(self.count, table)
        return monomial(cell, where, partial(self._deviation, table), partial(self._meets, table), count, share)

    def _deviation(self, table: Any, column: str, weight: Weight) -> Any:
        return self._clamped(table, column, weight).cast("int64") * weight.scale - weight.offset

    def shared(self, where: Predicate | None, of: RowWeight) -> Any:
        """The counted rows that meet a condition, and how much each of them counts in a regression."""
        table = self.met(where)
        share = row_share(of, partial(self._deviation, table), lambda column: self._column(table, column) == 0)
        return table.mutate(**{_SHARE: share})

    def people(self, table: Any, where: Predicate | None) -> Any:
        """Distinct people."""
        person = table["person"]
        return person.nunique() if where is None else person.nunique(where=self._meets(table, where))

    def codes(self, columns: Sequence[str], key: str = "rank", where: Predicate | None = None) -> dict[str, Ints]:
        """The counted rows' codes, column by column, and by no name their ``key``: for sums that no statement has."""
        names = [f"v{place}" for place in range(len(columns))]

        def build() -> Any:
            table = self.met(where)
            return table.select(key, **{n: self._column(table, c) for n, c in zip(names, columns, strict=True)})

        found = self._run(("codes", key, where, *columns), build, [key, *names])
        return {column: found[name] for name, column in zip([key, *names], ["", *columns], strict=True)}

    # statements -------------------------------------------------------------------------------------------------

    def grouped(self, tag: tuple[Any, ...], source: Callable[[], Any], terms: Terms) -> dict[str, Ints]:
        """Each sum in each reported group, 0 where nobody is."""
        found = self._found((*tag, *terms), source, {}, terms)
        return {name: self._scatter(found, found[name]) for name in terms}

    def _found(self, tag: tuple[Any, ...], source: Callable[[], Any], by: Terms, terms: Terms) -> dict[str, Ints]:
        """Each sum in each group, and there for each value of some expressions, as an engine lists them."""

        def build() -> Any:
            table = source()
            keys = {name: self._key(table, i) for i, name in enumerate(self._dimension_names)}
            keys |= {name: of(table) for name, of in by.items()}
            values = {name: term(table) for name, term in terms.items()}
            return table.group_by(**keys).agg(**values) if keys else table.agg(**values)

        return self._run(tag, build, [*self._dimension_names, *by, *terms])

    def _key(self, table: Any, index: int) -> Any:
        if f"d{index}" in table.columns:  # made for a cap
            return table[f"d{index}"]
        return self._slot(table, self._plan.layout.dimensions[index])

    def people_by_key(self) -> tuple[list[list[Any]], Ints]:
        """The keys that rows have, as they are stored, a list a column; and the people of each.

        They must not be seen: only keys that a threshold mechanism lets through may.
        """
        found = self._found(("keys",), self.kept, {}, {"t0": lambda table: table["person"].nunique()})
        return [found[name].tolist() for name in self._dimension_names], found["t0"]

    def binned(self, column: str, breaks: tuple[int, ...], where: Predicate | None) -> Ints:
        """Rows in each bin of each group, group by group."""
        leaves = len(breaks) - 1

        def inside() -> Any:
            table = self.met(where)
            return table.filter(self._column(table, column).between(breaks[0], breaks[-1] - 1))

        if breaks[0] >= breaks[-1]:
            return np.zeros(self._plan.groups * leaves, dtype=np.int64)
        leaf = {"leaf": lambda table: bins(self._column(table, column), breaks)}
        found = self._found(("binned", column, breaks, where), inside, leaf, _COUNT)
        return scattered(self._slots(found), found["t0"], self._plan.groups, found["leaf"], leaves)

    def patterns(
        self, columns: Sequence[str], where: Predicate | None, people: bool = False
    ) -> tuple[Ints, dict[str, Ints], Ints]:
        """The different rows: the slot of each, its codes by column, and how many there are of it.

        With ``people``, rows of different people are different, and by no name their person is there, too.
        """
        names = {column: f"v{place}" for place, column in enumerate(columns)}
        keys: dict[str, Any] = {name: partial(self._column, column=column) for column, name in names.items()}
        if people:
            names, keys = {"": "person"} | names, {"person": lambda table: table["person"]} | keys
        found = self._found(("patterns", *names, where), lambda: self.met(where), keys, _COUNT)
        return self._slots(found), {column: found[name] for column, name in names.items()}, found["t0"]

    def numbered(self, width: int, where: Predicate | None) -> Ints:
        """Kept rows in each group that are their person's first, second, …, group by group."""
        leaf = {"leaf": lambda table: table["rank"]}
        found = self._found(("numbered", where), lambda: self._filtered(self.kept(), where), leaf, _COUNT)
        return scattered(self._slots(found), found["t0"], self._plan.groups, found["leaf"] - 1, width)

    def wide(self) -> bool:
        """Whether a one-row-per-person table exists for counting people (DuckDB only)."""
        texts = any(dimension.text is not None for dimension in self._plan.layout.dimensions)
        return self._engine == "duckdb" and not texts and self._snapshot.ensure_wide()

    def first_rows(self, where: Predicate | None) -> Ints:
        """Distinct people in each group: each person's k-th row counts where no earlier row is in the same group."""
        import ibis

        plan, top = self._plan, self._plan.kept_rows
        dimensions = plan.layout.dimensions

        def passes(wide: Any, slot: int) -> list[Any]:
            return [self._meets(wide, p, slot) for p in (plan.where, where) if p is not None]

        def build(slot: int) -> Any:
            assert not isinstance(self._snapshot, People)
            wide = self._snapshot.unbound(self._snapshot.wide)
            if not dimensions:
                there = [ibis.and_(wide["n"] >= k, *passes(wide, k)) for k in range(1, top + 1)]
                return wide.agg(t0=wide.count(where=ibis.or_(*there)))
            # past this filter no slot up to this one is empty, so nothing is null
            table = wide.filter(wide["n"] >= slot) if slot > 1 else wide
            here = [self._slot(table, d, slot) for d in dimensions]
            wanted = passes(table, slot)
            for earlier in range(1, slot):
                same = [a == self._slot(table, d, earlier) for a, d in zip(here, dimensions, strict=True)]
                wanted.append(~ibis.and_(*passes(table, earlier), *same))
            keys = {f"d{i}": key for i, key in enumerate(here)}
            return table.group_by(**keys).agg(t0=self._times(table, *wanted))

        out = np.zeros(plan.groups, dtype=np.int64)
        for slot in range(1, top + 1 if dimensions else 2):
            found = self._run(("first", slot, where), partial(build, slot), [*self._dimension_names, "t0"])
            out += self._scatter(found, found["t0"])
        return out

    def _slots(self, found: dict[str, Ints]) -> Ints:
        """The slot of each row of a statement's result; -1 where it is not reported."""
        names, dimensions = self._dimension_names, self._plan.layout.dimensions
        if not names:
            return np.zeros(len(next(iter(found.values()))), dtype=np.int64)
        places = np.zeros(len(found[names[0]]), dtype=np.int64)
        reported = np.ones(len(places), dtype=bool)
        for name, dimension in zip(names, dimensions, strict=True):
            slots = found[name] if dimension.text is None else dimension.slots_of_texts(found[name].tolist())
            reported &= slots >= 0
            places = places * dimension.size + slots
        return np.where(reported, self._plan.layout.slots_of(np.where(reported, places, 0)), -1)

    def _scatter(self, found: dict[str, Ints], values: Ints) -> Ints:
        return scattered(self._slots(found), values, self._plan.groups)

    # execution --------------------------------------------------------------------------------------------------

    def _run(self, tag: tuple[Any, ...], build: Callable[[], Any], names: list[str]) -> dict[str, Ints]:
        if self._engine == "duckdb":
            return self._run_duckdb(tag, build, names)
        with _building:
            table = stopping.run(None, lambda: self._backend.to_pyarrow(build()))
        return {
            name: table[name].to_numpy()
            if name in self._texts
            else table[name].fill_null(0).to_numpy().astype(np.int64)
            for name in names
        }

    @cached_property
    def _texts(self) -> frozenset[str]:
        """The key columns of statements that hold texts instead of numbers."""
        dimensions = zip(self._dimension_names, self._plan.layout.dimensions, strict=True)
        return frozenset(name for name, dimension in dimensions if dimension.text is not None)

    def _run_duckdb(self, tag: tuple[Any, ...], build: Callable[[], Any], names: list[str]) -> dict[str, Ints]:
        backend, key = self._backend, (self._plan.digest, *tag)
        with _lock:
            sql = _compiled.get(key)
        if sql is None:
            # DuckDB sums narrow integers into 128 bits, which numpy would receive as doubles; the plan proved 62
            wanted = ", ".join(
                f'"{name}"' if name in self._texts else f'CAST(COALESCE("{name}", 0) AS BIGINT) AS "{name}"'
                for name in names
            )
            with _building:  # Ibis asks the root connection for types, and DuckDB lets one thread at a time use it
                before = self._snapshot.before if isinstance(self._snapshot, People) else ""
                sql = f"{before}SELECT {wanted} FROM ({backend.compile(build())})"
            with _lock:
                _compiled[key] = sql
                while len(_compiled) > _KEEP:
                    _compiled.popitem(last=False)
        cursor = backend.con.cursor()
        if isinstance(self._snapshot, People):
            self._snapshot.tell(cursor)
        found = stopping.run(cursor, lambda: cursor.execute(sql).fetchnumpy())
        return {name: np.asarray(found[name], dtype=None if name in self._texts else np.int64) for name in names}
