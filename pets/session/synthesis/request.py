"""Synthesis request: a synthetic table from noisy marginals, as it was asked and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pets.common.arguments import whole_between
from pets.common.codec import Json, digest
from pets.dp.calibrate import Noise, calibrate, target_units
from pets.errors import BudgetError, UserError, did_you_mean, shown
from pets.plan.plan import make_plan
from pets.protection.budget import UNIT, Cost, Currency
from pets.protection.protection import DP
from pets.query_model.query import Query
from pets.release.estimate import Mechanism
from pets.release.estimate import Noise as Deviation
from pets.schema.schema import Schema
from pets.synthetic.synthetic_release import PEOPLE

if TYPE_CHECKING:
    from pets.synthetic.dp_model.collected import Measure
    from pets.synthetic.dp_model.histories import Histories
    from pets.synthetic.dp_model.marginals import Ints
    from pets.synthetic.dp_model.noise_alone import Forecast
    from pets.synthetic.dp_model.private import Made
    from pets.synthetic.dp_model.workload import Clique, Workload
    from pets.synthetic.sdv.rules_kept import Rows

_LEAST_UNITS = 10
"""A marginal's share of the price, in units of 1e-12: with less, rounding would eat it."""

ROW = "One row is a record with an invented id, not a person: people with several rows are not rebuilt."
PERSON = (
    "One row has the shape of one person's features, under an invented id that stands for no real person. A condition "
    "of one column alone holds in every row; any other, and what a computed column has to do with its parts, only as "
    "far as the model implies it."
)


LIVES = (
    "Rows with one invented id belong together, and the id stands for no real person. A person's first row and how "
    "many follow are drawn with the person, and every later row from the one before it: what takes three rows of a "
    "person, or rows of two tables, holds only as far as this implies it."
)

UNDATED = "Real rows of {} without a value of the column that orders them have no place in it: none is counted or made."


@dataclass(frozen=True, eq=False)
class SynthesisRequest:
    """What is asked of a session or a federation, all of it public. Made, it is sound, and nothing is spent yet.

    Attributes:
        schema: of the tables.
        currency, delta: what ledgers count in, and the δ at which they state ε.
        epsilon: the whole price.
        rows: to draw; ``None``: the noisy number of rows.
        table: left out, the schema's only one; or a question about people, each of whom is then a row.
        columns, bins, bound: what is modelled, in which slots, and the rows of one person that count.
        tables: several tables of the same people, in place of one; columns, bins and bound are then stated by table.
        order: of several tables, the column that orders a person's rows, by table.
        selection: how the model's pairs are chosen.
        cells: of the model, at most; ``None``: the usual number.
        seed: of drawing rows.
        again: whether marginals that were answered before are measured, and charged, anew.
        progress: whether a bar is shown.
        here: whether the rows are drawn on this machine, which then needs what draws them.

    Raises:
        UserError, BudgetError: naming the setting and the remedy.
    """

    schema: Schema
    currency: Currency
    delta: float
    epsilon: float
    rows: int | None = None
    table: str | Query | None = None
    columns: Sequence[str] | None = None
    bins: Any = None
    bound: Any = None
    tables: Sequence[str] | None = None
    order: Any = None
    selection: str = "tree"
    cells: int | None = None
    seed: int = 0
    again: bool = False
    progress: bool = True
    here: bool = True

    def __post_init__(self) -> None:
        from pets.synthetic.dp_model.marginals import ready
        from pets.synthetic.dp_model.private import CELLS, check_selection

        if self.epsilon is None:  # what whoever asks left out
            raise BudgetError("a synthetic table with a guarantee has a price; say synthesise(epsilon=1)")
        cells = CELLS if self.cells is None else whole_between("cells", self.cells, 100, 10**8)
        checked: Mapping[str, Any] = {
            "rows": rows_to_draw(self.rows),
            "epsilon": float(DP(epsilon=self.epsilon).epsilon or 0),
            "table": self._of_one_table() if self.tables is None else self._of_several(),
            "selection": check_selection(self.selection),
            "cells": cells,
            "seed": whole_between("seed", self.seed, 0, 2**63 - 1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        for label in ("again", "progress"):
            if not isinstance(getattr(self, label), bool):
                raise UserError(f"{label} must be True or False, not {shown(getattr(self, label))}")
        if self.tables is None and self.cohort is not None and self.bound is not None:
            raise UserError("a person is one row here, so there is nothing to bound; leave bound out")
        if any(self.units * share < _LEAST_UNITS for _, share in self.workload.shares()):
            raise BudgetError(
                f"epsilon={self.epsilon!r} is too small for {len(self.workload.cliques):,} marginals; ask with a "
                "larger epsilon or for fewer columns"
            )
        if self.here:
            ready()  # a missing extra, too, is refused before anything is spent

    def _of_one_table(self) -> str | Query:
        from pets.synthetic.dp_model.cohort import plain_cohort

        if self.order is not None:
            raise UserError("order is of the rows of several tables; name them, as in tables=['people', 'stays']")
        return plain_cohort(self.table) if isinstance(self.table, Query) else one_table(self.schema, self.table)

    def _of_several(self) -> Query:
        """The question whose people are drawn with their rows."""
        if self.table is not None:
            raise UserError("table is one table and tables are several; leave one of them out")
        if self.selection != "tree":
            raise UserError("the pairs of several tables are measured once, all together; leave selection out")
        assert self.histories is not None and self.histories.workload.people is not None
        return self.histories.workload.people

    @cached_property
    def histories(self) -> Histories | None:
        """What is modelled of people in several tables; ``None`` for one table."""
        from pets.synthetic.dp_model.histories import histories

        if self.tables is None:
            return None
        return histories(self.schema, self.tables, self.order, self.columns, self.bins, self.bound)

    @property
    def cohort(self) -> Query | None:
        """The question about people, each of whom is a row; ``None`` for the rows of a table."""
        return self.table if isinstance(self.table, Query) else None

    @property
    def name(self) -> str:
        """What the rows are called: the table, or people."""
        return one_table(self.schema, self.table) if self.cohort is None else PEOPLE

    @property
    def made_tables(self) -> tuple[str, ...]:
        """The tables that are made."""
        return (self.name,) if self.histories is None else self.histories.names

    @property
    def shape(self) -> str:
        """What a row is, in one sentence or two."""
        if self.histories is None:
            return ROW if self.cohort is None else PERSON
        lost = [repr(name) for name in self.histories.undated]
        return LIVES if not lost else f"{LIVES} {UNDATED.format(' and of '.join(lost))}"

    @property
    def told(self) -> Json:
        """What the settings of the data set say of its people."""
        if self.cohort is None:
            return {}
        if self.histories is not None:
            tables = {one.name: {"order": one.order, "most": one.most} for one in self.histories.events}
            return {"histories": tables, PEOPLE: self._asked}
        return {PEOPLE: self._asked}

    @property
    def _asked(self) -> Json:
        assert self.cohort is not None
        return {name: part for name, part in self.cohort.to_json().items() if name != "agg"}

    @property
    def most_rows(self) -> int:
        """Rows that may count at most: the people that the schema allows, each with the rows that count."""
        if self.cohort is not None:
            return make_plan(self.workload.query((0,)), self.schema).people
        home = self.schema.table(self.name)
        people = home.people
        if home.person_table is not None:
            people = min(people, self.schema.table(home.person_table).people)
        return people * self.rows_of_a_person

    @property
    def protection(self) -> DP:
        """Of all marginals together."""
        return DP(epsilon=self.epsilon)

    @cached_property
    def workload(self) -> Workload:
        """The marginals that may be measured."""
        from pets.synthetic.dp_model.cohort import features
        from pets.synthetic.dp_model.columns import modelled
        from pets.synthetic.dp_model.workload import Workload

        if self.histories is not None:
            return self.histories.workload
        if self.cohort is not None:
            columns = features(self.cohort, self.schema, self.columns, self.bins)
            return Workload(self.cohort.table, columns, people=self.cohort)
        return Workload(self.name, modelled(self.schema, self.name, self.columns, self.bins), self.bound)

    @cached_property
    def units(self) -> int:
        """The whole price, in units of 1e-12."""
        return target_units(self.protection, self.currency, self.delta)

    @cached_property
    def noises(self) -> tuple[tuple[Clique, int, Noise], ...]:
        """Of each marginal that is measured first, the rows of a person that count, and its noise."""
        from pets.synthetic.dp_model.private import FIRST

        first = FIRST if self.selection == "aim" and self.workload.pairs else Fraction(1)
        found = []
        for clique, share in self.workload.shares(first):
            plan = make_plan(self.workload.query(clique), self.schema)
            found.append((clique, plan.rows, calibrate(plan, self.priced(share), self)))
        return tuple(found)

    @property
    def rows_of_a_person(self) -> int:
        """K, the rows of one person that count."""
        return self.noises[0][1]

    @property
    def cost(self) -> Cost:
        """What is charged: of a tree the sum of its marginals, of AIM the whole price before the first."""
        if self.selection == "aim":
            return Cost(self.currency, self.units)
        return Cost(self.currency, sum(noise.cost.loss for _, _, noise in self.noises))

    @cached_property
    def forecast(self) -> Forecast:
        """What the noise alone will do to each marginal (of AIM: to its first look at everything)."""
        from pets.synthetic.dp_model.noise_alone import Forecast, NoiseAlone

        workload = self.workload
        every = [
            NoiseAlone(workload.names(clique), workload.cells(clique), deviation(noise.mechanism, noise.scales))
            for clique, _, noise in self.noises
        ]
        singles = len(workload.singles)
        return Forecast(tuple(every[:singles]), tuple(every[singles:]))

    def priced(self, share: Fraction) -> DP:
        """A share of the price, as a request. Rounded down: the shares never cost more than the whole."""
        loss = math.floor(self.units * share) / UNIT
        return DP(rho=loss) if self.currency == "zcdp" else DP(epsilon=loss)

    def questions(self) -> list[tuple[Query, DP]]:
        """Every marginal that may be measured, at its share of the price."""
        return [(self.workload.query(clique), self.priced(share)) for clique, share in self.workload.shares()]

    @cached_property
    def question(self) -> str:
        """The digest of what is asked where all marginals are charged as one: it decides every one of them."""
        known = [make_plan(query, self.schema).digest for query, _ in self.questions()]
        return digest([known, {"cells": self.cells, "seed": self.seed}])

    def made(self, measure: Measure) -> Made:
        """The table, drawn from a model of what ``measure`` answers: post-processing of its releases."""
        from pets.synthetic.dp_model.lives import private_lives
        from pets.synthetic.dp_model.private import CELLS, check_selection, private_table

        if self.histories is not None:
            return private_lives(
                self.histories,
                measure,
                keep=self._keep,
                people=self.rows,
                cells=CELLS if self.cells is None else self.cells,
                seed=self.seed,
                progress=self.progress,
            )
        return private_table(
            self.schema,
            self.workload,
            measure,
            rows=self.rows,
            selection=check_selection(self.selection),
            cells=CELLS if self.cells is None else self.cells,
            seed=self.seed,
            progress=self.progress,
        )

    def _keep(self, table: str, codes: Mapping[str, Ints]) -> tuple[dict[str, Ints], Rows]:
        """The codes of a table's rows with its rules put right, and which rows keep them."""
        from pets.synthetic.sdv.rules_kept import kept

        assert self.histories is not None
        return kept(self.schema.table(table), codes, [*codes, *self.histories.computed[table]])


def check_settings(verb: str, settings: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise :class:`UserError` for a setting that a verb does not have."""
    for name in settings:
        if name not in known:
            raise UserError(f"{verb} has no setting {shown(name)}{did_you_mean(name, known)}")


def rows_to_draw(value: object) -> int | None:
    """How many rows are drawn; raises :class:`UserError` for what is no number of rows."""
    return None if value is None else whole_between("rows", value, 1, 50_000_000)


def deviation(mechanism: Mechanism, scales: tuple[float, ...]) -> float:
    """The standard deviation of the noise on each cell of a marginal."""
    return Deviation(mechanism, scales).deviation(0)


def one_table(schema: Schema, table: object) -> str:
    """The table that is meant; left out, the schema's only one."""
    if isinstance(table, Query):
        raise UserError(
            "an engine without a guarantee learns a table and no people; name the table, or use method='dp'"
        )
    if table is None:
        if len(schema.tables) > 1:
            raise UserError(f"the schema has several tables; say which with table={next(iter(schema.tables))!r}")
        return next(iter(schema.tables))
    schema.table(table)  # type: ignore[arg-type]
    return str(table)
