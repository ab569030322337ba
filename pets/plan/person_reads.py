"""What is read of people: columns, domains and bounds of features, by exact arithmetic on whole numbers."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from pets.errors import QueryError
from pets.plan.computed.intervals import GREATEST, grid_of
from pets.plan.person_steps import Difference, Read, Step
from pets.plan.predicate import Range
from pets.plan.predicate import field as find_field
from pets.query_model.features import CAPPED, Reading, Versus, Within, columns_named
from pets.query_model.query import Query
from pets.schema.dates import Calendar
from pets.schema.domain import Domain, Identifier
from pets.schema.numeric import Integer, Numeric, Real
from pets.schema.schema import Schema
from pets.schema.text_column import Text


def difference(
    condition: Versus | Within, fields: Mapping[str, Domain], step: int, other: Domain, number: int
) -> Difference:
    """The column that a condition between a column of events and an earlier step is on; refused where none is."""
    domain = fields[condition.column]
    if isinstance(condition, Within):
        days = _days(domain, f"column {condition.column!r}"), _days(other, "the feature")
    else:
        _alike(condition, domain, other)
        days = (1, 0), (1, 0)
    if domain.cells + other.cells > GREATEST:
        raise QueryError(f"column {condition.column!r} has too many values to be compared with a feature")
    name = f"{condition.column} less feature {number + 1}"
    while name in fields:
        name += "'"
    (wide, start), (other_wide, other_start) = days
    shift = (other.cells - 1 + other_start) // other_wide
    return Difference(name, condition.column, domain.cells, step, shift, (wide, other_wide), (start, other_start))


def _alike(condition: Versus, domain: Domain, other: Domain) -> None:
    """Refuse a comparison of what lies on two scales."""
    one, two = grid_of(domain), grid_of(other)
    times = isinstance(domain, Calendar), isinstance(other, Calendar)
    steps = one is not None and two is not None and times[0] == times[1] and one.spacing == two.spacing
    if steps and one is not None and two is not None and ((one.low - two.low) / one.spacing).denominator == 1:
        return
    said = f"column {condition.column!r} holds {domain.describe()} and the feature {other.describe()}, which cannot be "
    if all(times):
        raise QueryError(
            f"{said}compared to the moment; compare their days, such as col({condition.column!r}).within(first, "
            "days=(0, None))"
        )
    raise QueryError(f"{said}compared; both must be dates, or numbers in the same steps")


def _days(domain: Domain, what: str) -> tuple[int, int]:
    """The codes of a calendar day, and how many of them go before code 0 on its own day."""
    grid = grid_of(domain)
    if grid is None or not isinstance(domain, Calendar):
        raise QueryError(f"within(…, days=…) needs a date column, and {what} holds {domain.describe()}")
    day = int(1 / grid.spacing)
    return day, int(grid.low * day) % day


def runs_of(
    condition: Versus | Within, made: Difference, domain: Domain, other: Domain
) -> tuple[tuple[Range, ...], int]:
    """The codes of the difference that meet the condition, and how many codes it has."""
    one, two = grid_of(domain), grid_of(other)
    assert one is not None and two is not None
    cells = (domain.cells - 1 + made.starts[0]) // made.widths[0] + 1 + made.shift
    low, high = 0, cells - 1
    if isinstance(condition, Within):
        same = made.shift - (math.floor(one.low) - math.floor(two.low))  # the code where both are on one day
        low = low if condition.low is None else same + condition.low
        high = high if condition.high is None else same + condition.high
        return _inside(((low, high),), cells), cells
    same = made.shift - int((one.low - two.low) / one.spacing)  # the code where both are the same
    if condition.op == "!=":
        return _inside(((0, same - 1), (same + 1, cells - 1)), cells), cells
    low = {"==": same, ">=": same, ">": same + 1}.get(condition.op, low)
    high = {"==": same, "<=": same, "<": same - 1}.get(condition.op, high)
    return _inside(((low, high),), cells), cells


def _inside(runs: tuple[Range, ...], cells: int) -> tuple[Range, ...]:
    cut = ((max(low, 0), min(high, cells - 1)) for low, high in runs)
    return tuple((low, high) for low, high in cut if low <= high)


def meaning(step: Read, feature: Reading, column: Domain | None, fields: Mapping[str, Domain], kept: int) -> Step:
    """The step with its domain and bounds, by how it reads."""
    how = feature.how
    if how == "exists":
        return step
    if how in CAPPED:
        assert feature.most is not None
        if how in ("days_with", "episodes"):
            if not isinstance(column, Calendar):
                raise QueryError(f"{how} needs a date column, and {feature.column!r} holds {_said(column)}")
            width, start = _days(column, f"column {feature.column!r}")
            step = replace(step, width=width, start=start, gap=feature.gap or 0)
        return replace(step, domain=Integer(0, feature.most, nullable=False), high=feature.most)
    assert column is not None
    if how in ("first", "last"):
        by = find_field(feature.by or "", fields, feature.rows.table)
        if not isinstance(by, (Numeric, Calendar)):
            raise QueryError(f"{how} is chosen by a date or a number, and {feature.by!r} holds {by.describe()}")
        step = replace(step, nth=feature.nth or 1)
        if feature.by == feature.column and step.nth == 1:
            step = replace(step, how="min" if how == "first" else "max")
        elif by.cells.bit_length() + kept.bit_length() > 62:
            raise QueryError(f"column {feature.by!r} has too many values to order rows by")
        return _picked(replace(step, by=None if step.how in ("min", "max") else feature.by, order=by.cells), column)
    if how in ("min", "max"):
        if not isinstance(column, (Numeric, Calendar)):
            raise QueryError(f"{how} needs a date or a number, and {feature.column!r} holds {column.describe()}")
        return _picked(step, column)
    if not isinstance(column, Numeric):
        raise QueryError(f"{how} needs a number, and {feature.column!r} holds {column.describe()}")
    if kept * column.cells * 2 >= GREATEST:
        raise QueryError(f"{how} of {feature.column!r} could pass 2^62; declare a narrower range or a coarser step")
    return _picked(step, column) if how == "mean" else _total(step, feature, column, kept)


def _said(domain: Domain | None) -> str:
    return "nothing" if domain is None else domain.describe()


def _picked(step: Read, column: Domain) -> Read:
    return replace(step, domain=nullable(column), absent=column.cells)


def _total(step: Read, feature: Reading, column: Numeric, kept: int) -> Read:
    assert feature.clip is not None
    whole = column.origin.denominator == column.spacing.denominator == 1
    grid = Fraction(1) if whole else _common(column.origin, column.spacing)
    start, scale = int(column.origin / grid), int(column.spacing / grid)
    low, high = math.floor(feature.clip[0] / grid), math.ceil(feature.clip[1] / grid)
    if max(abs(low), abs(high), kept * (abs(start) + scale * column.cells)) >= GREATEST // 2:
        raise QueryError(f"sum of {feature.column!r} could pass 2^62; choose a narrower clip or a coarser step")
    domain = Integer(low, high) if whole else Real(low * grid, high * grid, grid)
    return replace(step, domain=domain, absent=domain.cells, low=low, high=high, start=start, scale=scale)


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The widest step of which both are whole multiples."""
    below = math.lcm(one.denominator, other.denominator)
    return Fraction(math.gcd(int(one * below), int(other * below)), below)


def nullable(domain: Domain) -> Domain:
    """The same domain, in which a value may be missing."""
    return _declared(domain, nullable=True)


def certain(domain: Domain) -> Domain:
    """The same domain, in which no value is missing."""
    return _declared(domain, nullable=False)


def _declared(domain: Domain, *, nullable: bool) -> Domain:
    if domain.nullable == nullable or isinstance(domain, Identifier):
        return domain
    twin = copy.copy(domain)
    object.__setattr__(twin, "nullable", nullable)
    return twin


# columns that a question names ------------------------------------------------------------------------------------


def check_columns(query: Query, schema: Schema, fields: Mapping[str, Domain], owner: str | None) -> None:
    """Refuse columns of texts, and those of a person table that no table attaches (``owner``: the one attached)."""
    for name in _named(query):
        if isinstance(fields.get(name), Text):
            raise no_feature(name, owner)
        if name not in fields and owner is None:
            _unattached(name, query, schema)


def no_feature(column: str, table: str | None) -> QueryError:
    """A text is no value of a person: no engine numbers texts, so that nothing may be told of them but equality."""
    return QueryError(
        f"{column!r} of table {table!r} is text that nobody listed, which is no value of a person; list its values in "
        f"the schema as a category, or look for rows: pets.events({table!r}).where(col({column!r}) == …).exists()"
    )


def _named(query: Query) -> Iterator[str]:
    made = {name for name, _ in query.derived}
    yield from (name for _, node in query.derived for name in node.columns if name not in made)
    yield from (name for name in _asked_for(query) if name not in made)


def _asked_for(query: Query) -> Iterator[str]:
    yield from columns_named(query.condition)
    yield from (key.column for key in query.keys)
    for _, aggregate in query.aggregates:
        yield from aggregate.of
        yield from columns_named(getattr(aggregate, "where", None))


def _unattached(column: str, query: Query, schema: Schema) -> None:
    for table, found in schema.tables.items():
        own = found.columns.get(column)
        if found.unit.column is not None and found.unit.max_rows == 1 and not isinstance(own, Identifier | None):
            raise QueryError(
                f"column {column!r} is not among those of people, for table {query.table!r} attaches no person table; "
                f"write pets.people(of={table!r}, …), or state person_table: {table} in the schema"
            )
