"""The table of people as a Polars frame, over linked snapshots: one step after another, for everybody.

It is written apart from the SQL of :mod:`pets.rows.people.sql` and takes no short cut: the two check each other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import reduce
from typing import Any

from pets.plan.computed.derived_codes import derived_code
from pets.plan.person.computed import Choice, Compute
from pets.plan.person_steps import Age, Attribute, Fill, PersonPlan, Read, Span, Step
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, Codes, Predicate, Texts


def people_frame(plan: Plan, tables: Mapping[str, Any], columns: Mapping[str, Mapping[str, str]]) -> Any:
    """A frame with ``person``, ``rank`` (1) and ``c0``, ``c1``, … in the order of the plan's names.

    ``tables`` are the kept rows of each table as frames of 64-bit integers, ``columns`` their physical names.
    """
    import polars as pl

    of = plan.people_of
    assert of is not None
    base = _everybody(of, tables)
    for index, step in enumerate(of.steps):
        if isinstance(step, Read):
            found = _read(step, index, of, tables[step.table], columns[step.table], base)
            base = base.join(found, on="person", how="left").with_columns(pl.col(f"s{index}").fill_null(step.absent))
        elif isinstance(step, Attribute):
            name = columns[step.table][step.column]
            own = tables[step.table].filter(pl.col("rank") == 1).select("person", pl.col(name).alias(f"s{index}"))
            base = base.join(own, on="person", how="left").with_columns(
                pl.col(f"s{index}").fill_null(step.domain.cells)
            )
        else:
            base = base.with_columns(_derived(step).cast(pl.Int64).alias(f"s{index}"))
    shown = [pl.col(f"s{index}").alias(f"c{place}") for place, (_, index) in enumerate(of.names)]
    return base.select("person", pl.lit(1, dtype=pl.Int64).alias("rank"), *shown)


def _everybody(of: PersonPlan, tables: Mapping[str, Any]) -> Any:
    import polars as pl

    wanted = of.tables if of.of is None else (of.of,)
    return pl.concat([tables[name].select("person") for name in wanted]).unique()


def _read(step: Read, index: int, of: PersonPlan, rows: Any, names: Mapping[str, str], base: Any) -> Any:
    """One row for each person with rows that the step reads."""
    import polars as pl

    known = [f"s{one}" for one in step.inputs]
    rows = rows.join(base.select("person", *known), on="person", how="inner")
    codes = {name: pl.col(physical) for name, physical in names.items()}
    for one in step.differences:
        there = (codes[one.column] < one.cells) & (pl.col(f"s{one.step}") < of.steps[one.step].domain.cells)
        own, other = (
            (code + start) // width
            for code, width, start in zip(
                (codes[one.column], pl.col(f"s{one.step}")), one.widths, one.starts, strict=True
            )
        )
        code = own - other + one.shift
        # a code that no range holds
        codes[one.name] = pl.when(there).then(code).otherwise(-1)
    if step.rows is not None:
        rows = rows.filter(pl.col("rank") <= step.rows)
    if step.where is not None:
        rows = rows.filter(_meets(step.where, codes))
    if step.how in ("first", "last"):
        assert step.by is not None
        order = codes[step.by]
        rows = rows.filter(order < step.order)
        rows = rows.sort(order if step.how == "first" else -order, "rank", maintain_order=True)
        found = codes[step.column or ""].slice(step.nth - 1, 1).first()
        return rows.group_by("person", maintain_order=True).agg(found.alias(f"s{index}"))
    return rows.group_by("person").agg(_value(step, codes).cast(pl.Int64).alias(f"s{index}"))


def _meets(predicate: Predicate, codes: Mapping[str, Any]) -> Any:
    import polars as pl

    if isinstance(predicate, Codes):
        code = codes[predicate.column]
        tests = [code.is_between(low, high) for low, high in predicate.ranges]
        return reduce(lambda a, b: a | b, tests, pl.lit(value=False))
    if isinstance(predicate, Texts):
        found = codes[predicate.column].is_in(list(predicate.values))
        return found if predicate.among else ~found
    terms = [_meets(term, codes) for term in predicate.terms]
    if isinstance(predicate, AllOf):
        return reduce(lambda a, b: a & b, terms, pl.lit(value=True))
    return reduce(lambda a, b: a | b, terms, pl.lit(value=False))


def _value(step: Read, codes: Mapping[str, Any]) -> Any:
    import polars as pl

    if step.how == "exists":
        return pl.lit(1).first()
    if step.how == "count":
        return pl.len().cast(pl.Int64).clip(0, step.high)
    code = codes[step.column or ""]
    valued = code.filter(code < step.cells)
    if step.how == "min":
        return valued.min().fill_null(step.absent)
    if step.how == "max":
        return valued.max().fill_null(step.absent)
    if step.how == "count_distinct":
        return valued.n_unique().cast(pl.Int64).clip(0, step.high)
    if step.how == "days_with":
        return ((valued + step.start) // step.width).n_unique().cast(pl.Int64).clip(0, step.high)
    if step.how == "episodes":
        days = ((valued + step.start) // step.width).unique().sort()
        return ((days.diff() > step.gap).sum().cast(pl.Int64) + (days.len() > 0).cast(pl.Int64)).clip(0, step.high)
    total, rows = valued.sum(), valued.len().cast(pl.Int64)
    some = rows > 0
    if step.how == "mean":
        value = (2 * total + rows) // pl.when(some).then(2 * rows).otherwise(1)
    else:
        value = (step.scale * total + step.start * rows).clip(step.low, step.high) - step.low
    return pl.when(some).then(value).otherwise(step.absent)


def _derived(step: Step) -> Any:
    import polars as pl

    if isinstance(step, Fill):
        return pl.when(pl.col(f"s{step.of}") == step.null).then(step.code).otherwise(pl.col(f"s{step.of}"))
    if isinstance(step, Compute):
        own = {name: pl.col(f"s{index}") for name, index in step.columns}
        whole = lambda code: code.cast(pl.Int64)  # noqa: E731
        return derived_code(step.made, dict(step.domains), own.__getitem__, _either, whole)
    if isinstance(step, Choice):
        codes = {name: pl.col(f"s{index}") for name, index in step.columns}
        otherwise = pl.lit(step.otherwise, dtype=pl.Int64)
        return reduce(lambda rest, arm: _either(_meets(arm[0], codes), arm[1], rest), step.arms[::-1], otherwise)
    assert isinstance(step, (Span, Age))
    one, two = (pl.col(f"s{index}") for index in step.inputs)
    there = (one != step.nulls[0]) & (two != step.nulls[1])
    if isinstance(step, Span):
        code = one - two + step.shift
    else:
        born, at = (_day(code, first) for code, first in zip((one, two), step.first, strict=True))
        early = _in_year(at) < _in_year(born)
        code = (at.dt.year() - born.dt.year()).cast(pl.Int64) - early.cast(pl.Int64)
    return pl.when(there & (code >= 0) & (code < step.domain.cells)).then(code).otherwise(step.domain.cells)


def _either(where: Any, one: Any, other: Any) -> Any:
    import polars as pl

    return pl.when(where).then(one).otherwise(other)


def _day(code: Any, first: dt.date) -> Any:
    import polars as pl

    return (code + (first - dt.date(1970, 1, 1)).days).cast(pl.Int32).cast(pl.Date)


def _in_year(day: Any) -> Any:
    """Months and days as one number (a month alone is an 8-bit one, which would wrap)."""
    import polars as pl

    return day.dt.month().cast(pl.Int64) * 32 + day.dt.day().cast(pl.Int64)
