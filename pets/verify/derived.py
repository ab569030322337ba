"""Derived columns, for the checker's planner: the bounds of what is computed of columns, by exact interval arithmetic.

An own way to them: ends by trying every corner, the common step as a fraction in lowest terms.
"""

import datetime as dt
import math
from fractions import Fraction as Q
from itertools import product
from typing import Any

TIMES = ("date", "datetime")
CYCLE = 146_097  # days of 400 years, after which the calendar is the same again


def derive(made: Any, columns: dict[str, Any], own: Any, base: Any) -> list[Any]:
    """The plan's account of each derived column; ``columns`` gets its domain."""
    out = []
    for name, form in made:
        base.need(name not in columns and name not in own, "a derived column takes the name of another one")
        column, account = domain(form, columns, base)
        columns[name] = column
        out.append({"name": name, "nullable": column.nullable} | account)
    return out


def grid(of: Any, base: Any) -> tuple[Q, Q]:
    """The least value of a column and its spacing; time counts in days."""
    base.need(of.kind in ("integer", "real", *TIMES), "it computes with a column without an order")
    if of.kind not in TIMES:
        return of.origin, of.step
    second = dt.timedelta(seconds=1)
    return Q((of.first - dt.datetime.min) // second, 86_400) + 1, Q(of.width // second, 86_400)


def line(of: Any, base: Any) -> tuple[Q, Q, Q]:
    """The least and the greatest value of a column, and its step (0 for one value)."""
    low, step = grid(of, base)
    return low, low + step * (of.cells - 1), step if of.cells > 1 else Q(0)


def coarsest(steps: list[Q], low: Q) -> Q:
    """The greatest step of which all are multiples; 1 where all values are whole."""
    steps = [abs(step) for step in steps if step]
    found = Q(1)
    if steps:
        found = Q(math.gcd(*(step.numerator for step in steps)), math.lcm(*(step.denominator for step in steps)))
    return Q(1) if found.denominator == low.denominator == 1 else found


def domain(form: Any, columns: dict[str, Any], base: Any) -> tuple[Any, Any]:
    """A derived column: a public domain, and what the plan says of it."""
    kind, number = form["derive"], base.number
    if kind in ("map", "prefix"):
        return grouped(form, columns[form["column"]], base)
    if kind == "linear":
        parts = [(columns[term["column"]], number(term["times"])) for term in form["terms"]]
        lines = [line(of, base) for of, _ in parts]
        times = [by for _, by in parts]
        ends = [
            sum((by * end for by, end in zip(times, corner, strict=True)), number(form.get("constant", 0)))
            for corner in (
                [one[by < 0] for one, by in zip(lines, times, strict=True)],
                [one[by > 0] for one, by in zip(lines, times, strict=True)],
            )
        ]
        step = coarsest([by * one[2] for by, one in zip(times, lines, strict=True)], ends[0])
        dates = sum((by for of, by in parts if of.kind in TIMES), Q(0))
        base.need(dates in (0, 1), "it adds dates")
        room = sum((abs(by) * (one[1] - one[0] + one[2]) / step for by, one in zip(times, lines, strict=True)), Q(0))
        base.need(2 * room < base.GREATEST, "a code of a derived column could pass 2^62")
        return spread(ends[0], ends[1], step, dates, any(of.nullable for of, _ in parts), base)
    if kind in ("min_of", "max_of"):
        some = [columns[one["column"]] for one in form["of"]]
        lines = [line(of, base) for of in some]
        if "constant" in form:
            lines.append((number(form["constant"]),) * 2 + (Q(0),))
        best = max if kind == "max_of" else min
        low, high = best(one[0] for one in lines), best(one[1] for one in lines)
        step = coarsest([one[2] for one in lines] + [one[0] - low for one in lines], low)
        dates = any(of.kind in TIMES for of in some)
        base.need(not dates or (len(lines) == sum(of.kind in TIMES for of in some)), "it compares dates with numbers")
        return spread(low, high, step, dates, any(of.nullable for of in some), base)
    of = columns[form["column"]]
    if kind == "floor":
        by, (first, step) = number(form["by"]), grid(of, base)
        base.need(of.kind not in TIMES and by > 0, "it divides what is no number")
        low, high = (Q(math.floor(end / by)) for end in line(of, base)[:2])
        below = math.lcm((first / by).denominator, (step / by).denominator)  # codes are divided as whole numbers
        base.need(max(((first + step * of.cells) / by - low) * below, below) < 2**52, "a quotient could pass 2^52")
        return spread(low, high, Q(1), False, of.nullable, base)
    base.need(kind == "age", "it computes a column in a way that is not known")
    at = form["at"]
    other = None if "date" in at else columns[at["column"]]
    base.need(of.kind in TIMES and (other is None or other.kind in TIMES), "it takes an age of what are no dates")
    days = [math.floor(end) for end in line(of, base)[:2]]
    then = [day(at["date"])] * 2 if other is None else [math.floor(end) for end in line(other, base)[:2]]
    ages = [age(born, day) for born, day in product(days, then)]
    return spread(Q(min(ages)), Q(max(ages)), Q(1), False, of.nullable or (other is not None and other.nullable), base)


def day(text: str) -> int:
    """A day, of which 1 January 0001 is the first."""
    return dt.date.fromisoformat(text).toordinal()


def age(born: int, at: int) -> int:
    """Whole years between two days by the calendar; (month, day) before (2, 29) is before a birthday of then."""
    first, last = (dt.date.fromordinal((one - 1) % CYCLE + 1) for one in (born, at))
    years = last.year - first.year + 400 * ((at - 1) // CYCLE - (born - 1) // CYCLE)
    return years - ((last.month, last.day) < (first.month, first.day))


def spread(low: Q, high: Q, step: Q, dates: Any, nullable: bool, base: Any) -> tuple[Any, Any]:
    """Numbers or days on an even grid."""
    cells = int((high - low) / step) + 1
    base.need(cells <= base.GREATEST, "a derived column has too many values")
    account = {"type": "date" if dates else "number", "low": base.written(low), "step": base.written(step)}
    if dates:
        base.need(step == low.denominator == 1, "it moves a date by parts of a day")
        ends = (dt.date.fromordinal(int(end)).isoformat() for end in (low, high))
        form = dict(zip(("min", "max"), ends, strict=True)) | {"type": "date"}
    else:
        whole = step == 1 and low.denominator == 1
        form = {"type": "integer"} if whole else {"type": "real", "step": base.written(step)}
        form |= {"min": base.written(low), "max": base.written(high)}
    return base.Column(form, nullable), account | {"cells": cells}


def grouped(form: Any, of: Any, base: Any) -> tuple[Any, Any]:
    """A category of what each value of another one belongs to."""
    base.need(of.kind == "category", "it maps a column that is no category")
    if form["derive"] == "prefix":
        named, rest = {value: value[: form["length"]] for value in of.values}, None
    else:
        named, rest = dict(form["pairs"]), form.get("otherwise")
        base.need(set(named) <= set(of.values), "it maps a value that the schema does not list")
    found = [named.get(value, rest) for value in of.values]
    values = list(dict.fromkeys([*named.values(), *([rest] if rest in found else [])]))
    values = [name for name in values if name is not None]
    return base.Column({"type": "category", "values": values}, of.nullable or None in found), {
        "type": "category",
        "values": values,
    }
