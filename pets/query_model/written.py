"""A question in the words of a command line: its conditions, keys and measures, for people to read."""

from __future__ import annotations

import datetime as dt
import keyword
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from pets.common.codec import number
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not, Or, StartsWith
from pets.query_model.features import AgeAt, Case, Computed, Days, Feature, Filled, Reading, Versus, Within
from pets.query_model.group_keys import Bins, DatePart, Key, Period
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.nodes.derived import Age, Derived, Extreme, Floor, Linear, Mapped, Prefix
from pets.query_model.traits import TRAITS

_FEW = 8


def condition_text(node: Filter, *, most: int | None = None) -> str:
    """A filter as :func:`pets.query_model.condition.condition` reads it; ``most`` cuts long lists (and no reader then).

    >>> from pets.query_model.columns import col
    >>> condition_text((col("age") >= 18) & ~col("length of stay").is_null())
    "age >= 18 and not (col('length of stay') is None)"
    """
    match node:
        case Compare(column=column, op=op, value=value):
            return f"{_column(column)} {op} {_value(value)}"
        case Between(column=column, low=low, high=high):
            return f"{_value(low)} <= {_column(column)} <= {_value(high)}"
        case IsIn(column=column, values=values):
            cut = most is not None and len(values) > most
            listed = ", ".join(_value(value) for value in values[:most])
            return f"{_column(column)} in [{listed}{', …' if cut else ''}]"
        case IsNull(column=column):
            return f"{_column(column)} is None"
        case InCodelist(column=column, codes=codes):
            cut = most is not None and len(codes) > most
            listed = ", ".join(map(repr, codes[:most]))
            return f"codelist({_column(column)}, [{listed}{', …' if cut else ''}])"
        case StartsWith(column=column, prefix=prefix):
            return f"startswith({_column(column)}, {prefix!r})"
        case Not(term=term):
            return f"not ({condition_text(term, most=most)})"
        case And(terms=terms):
            return " and ".join(_inside(term, most) for term in terms)
        case Or(terms=terms):
            return " or ".join(_inside(term, most) for term in terms)
        case Versus(column=column, op=op, feature=feature):
            return f"{_column(column)} {op} the {feature_text(feature)}"
        case Within(column=column, feature=feature, low=low, high=high):
            return f"{_column(column)} {_days(low, high)} the {feature_text(feature)}"
    return repr(node)


def _days(low: int | None, high: int | None) -> str:
    if high is None:
        return f"{low} or more calendar days after"
    return f"at most {high} calendar days after" if low is None else f"{low} to {high} calendar days after"


_READ = {
    "first": "first {column} by {by}",
    "last": "last {column} by {by}",
    "min": "smallest {column}",
    "max": "greatest {column}",
    "sum": "sum of {column}, the total between {low} and {high}",
    "mean": "mean of {column}",
    "count": "number of rows, at most {most}",
    "exists": "presence of a row",
    "count_distinct": "number of different values of {column}, at most {most}",
    "days_with": "number of days with a {column}, at most {most}",
    "episodes": "number of episodes of {column}, {gap} days apart at most within one, at most {most}",
}
_NTH = {"first": "{column} in row {nth} by {by}", "last": "{column} in row {nth} from the end by {by}"}


def feature_text(feature: Feature) -> str:
    """A feature of a person in words.

    >>> from pets.query_model.people import events
    >>> feature_text(events("stays").first("admitted", by="admitted").fill("2020-01-01"))
    "first admitted by admitted in 'stays', or '2020-01-01' where there is none"
    >>> feature_text(events("stays").last("code", by="admitted", nth=2))
    "code in row 2 from the end by admitted in 'stays'"
    """
    match feature:
        case Filled(of=of, value=value):
            return f"{feature_text(of)}, or {_value(value)} where there is none"
        case Days(later=later, earlier=earlier, low=low, high=high):
            return f"days from the {feature_text(earlier)} to the {feature_text(later)}, {low} to {high}"
        case AgeAt(column=column, at=at):
            return f"whole years from {_column(column)} to the {feature_text(at)}"
        case Computed(made=made, of=parts):
            names = {f"col('{place}')": f"({feature_text(one)})" for place, one in enumerate(parts, start=1)}
            return re.sub(r"col\('\d+'\)", lambda found: names[found[0]], derived_text(made))
        case Case(arms=arms, default=default):
            said = ", ".join(f"{name!r} where {condition_text(one, most=_FEW)}" for one, name in arms)
            return f"{said}, else {'no value' if default is None else repr(default)}"
        case Reading(how=how, rows=rows, column=column, by=by, clip=clip, most=most, gap=gap, nth=nth):
            ends = ("", "") if clip is None else tuple(str(number(end)) for end in clip)
            names = {"column": _column(column or ""), "by": _column(by or "")}
            told = (_READ if nth is None else _NTH)[how]
            what = told.format(most=most, gap=gap, nth=nth, low=ends[0], high=ends[1], **names)
            where = "" if rows.condition is None else f" where {condition_text(rows.condition, most=_FEW)}"
            few = "" if rows.most is None else f" of the first {rows.most} rows"
            return f"{what}{few} in {rows.table!r}{where}"
    return repr(feature)


def _inside(node: Filter, most: int | None) -> str:
    text = condition_text(node, most=most)
    return f"({text})" if isinstance(node, (And, Or)) else text


def _column(name: str) -> str:
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"col({name!r})"


def _value(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, Fraction, dt.date)):
        return repr(value)
    return repr(value.isoformat()) if isinstance(value, dt.date) else str(number(Fraction(value)))


def derived_text(node: Derived) -> str:
    """A derived column: what it is of which columns.

    >>> from pets.query_model.columns import col
    >>> derived_text(2 * col("age") - col("days") + 1)
    '2 * age - days + 1'
    """
    match node:
        case Linear(terms=terms, constant=constant):
            parts = [
                (times, f"{'' if abs(times) == 1 else f'{_value(abs(times))} * '}{_column(n)}") for n, times in terms
            ]
            parts += [(constant, _value(abs(constant)))] if constant else []
            said = " ".join(f"{'-' if times < 0 else '+'} {part}" for times, part in parts)
            return said.removeprefix("+ ").replace("- ", "-", 1) if said.startswith("- ") else said.removeprefix("+ ")
        case Extreme(of=of, constant=constant):
            parts_ = [*map(_column, of), *([] if constant is None else [_value(constant)])]
            return f"{node.kind}({', '.join(parts_)})"
        case Age(birth=birth, at=at):
            return f"whole years from {_column(birth)} to {_column(at) if isinstance(at, str) else at.isoformat()}"
        case Floor(column=column, by=by):
            return f"{_column(column)} // {_value(by)}"
        case Prefix(column=column, length=length):
            return f"the first {length} characters of {_column(column)}"
        case Mapped(column=column, pairs=pairs, otherwise=otherwise):
            rest = "" if otherwise is None else f", otherwise {otherwise!r}"
            return f"{_column(column)} mapped: {_few([f'{a} to {b}' for a, b in pairs])}{rest}"
    return repr(node)


def key_text(key: Key) -> str:
    """A group key: its name in the answer, and what it is of."""
    what = ""
    if isinstance(key, Bins):
        what = f" ({key.column} in bins {_few(key.labels())})"
    elif isinstance(key, DatePart):
        what = f" ({key.part} of {key.column})"
    elif isinstance(key, Period):
        unit = {"week": "ISO week", "mmwr_week": "MMWR week"}.get(key.unit, f"calendar {key.unit}")
        what = f" ({unit} of {key.column})"
    elif key.name != key.column:
        what = f" ({key.column})"
    return f"{key.name}{what}"


def measure_text(aggregate: Aggregate) -> str:
    """A measure: what it takes of which column, and of which rows."""
    form = aggregate.to_json()
    row = TRAITS[aggregate.kind]
    wording = f"{row.kind} of {{column}}" if row.shape == "bins" and "column" in form else row.chart
    said = wording.format(column=" and ".join(aggregate.of), q=f"quantile {form.get('q')}")
    more = {name: form[name] for name in ("clip", "edges", "bins", "step") if form.get(name) is not None}
    more |= {"divided by": "n - 1"} if form.get("sample") else {}
    said += "".join(f", {name} {_setting(value)}" for name, value in more.items())
    where: Filter | None = getattr(aggregate, "where", None)
    return said if where is None else f"{said} where {condition_text(where, most=_FEW)}"


def _setting(value: Any) -> str:
    return f"[{_few(value)}]" if isinstance(value, list) else str(value)


def _few(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values[:_FEW]) + (", …" if len(values) > _FEW else "")
