"""What a question may ask, for the checker's planner: the parts that are known, and their ranges as pets takes them.

An unknown part might mean anything: what has one cannot be checked. What is outside a range is refused.
"""

import datetime as dt
import re
from itertools import pairwise
from typing import Any

CAPS = {"rows": 1_000_000, "groups": 16, "rows_per_group": 1_000_000}  # the most that may be asked for
EDGES, BINS, MOST, DAYS, NTH = 100_000, 100_000, 1_000_000, 4_000_000, 999
NUMBERS, TIMES = {"integer", "real"}, {"date", "datetime"}
OF_DAY = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{6})?)?|24:00"
LINES = """
agg count where; agg count_units where; agg tails where; agg rate where; agg sum column clip where
agg mean column clip where; agg variance column clip where step sample; agg std column clip where step sample
agg covariance columns where sample; agg correlation columns where; agg histogram column edges where
agg regression terms outcome weights levels where; agg survival time event edges bins where
agg newton terms outcome where family at exposure weights fine; agg scores terms outcome where weights levels at norm
agg quantile column q bins where; agg gradient outcome inputs hidden norm at where
key column column label; key bins column label edges; key part column label part
key period column label unit; filter compare column op value; filter isin column values; filter between column low high
filter is_null column; filter startswith column prefix; filter and terms; filter or terms; filter not term
filter codelist column codes; filter versus column op feature; filter within column days feature
feature exists rows; feature count rows most; feature first rows column by nth; feature last rows column by nth
feature min rows column; feature max rows column; feature sum rows column clip; feature mean rows column
feature count_distinct rows column most; feature days_with rows column most; feature episodes rows column most gap
feature fill of value; feature days later earlier between; feature age column at; feature computed as of
feature case when default; derive linear terms constant; derive map column pairs otherwise; derive prefix column length
derive min_of of constant; derive max_of of constant; derive floor column by; derive age column at"""
PARTS = {(mark, kind): {mark, *parts} for mark, kind, *parts in map(str.split, LINES.replace("\n", ";").split(";")[1:])}
BARE = [set(parts.split()) for parts in ("column times", "table where rows", "features of", "if name", "layer out")]
BARE += [{"date"}, {"datetime"}, {"number"}]
TAKES = dict.fromkeys(("sum", "mean", "variance", "std", "covariance", "correlation", "quantile"), NUMBERS)
GROUPS = {
    "column": {"category", "boolean", "integer", "date", "time", "text"},
    "bins": NUMBERS | TIMES | {"time"},
    "part": TIMES | {"time"},
    "period": TIMES,
}


def whole(value: Any, least: int, most: int) -> bool:
    """A whole number in a range. In Python True is 1: that is none."""
    return type(value) is int and least <= value <= most


def written(edge: Any, kind: str) -> bool:
    """Whether it is a day as pets writes it, of date-times a moment, or of times of day such a time."""
    if kind == "time":
        return type(edge) is str and bool(re.fullmatch(OF_DAY, edge, re.ASCII))
    day = r"\d{4}-\d\d-\d\d"
    if type(edge) is not str or not re.fullmatch(rf"{day}( \d\d:\d\d(:\d\d(\.\d{{6}})?)?)?", edge):
        return False
    try:
        dt.datetime.fromisoformat(edge)
    except ValueError:
        return False
    return kind == "datetime" or len(edge) == 10


def times(part: Any, columns: Any) -> bool:
    """Whether it is bins of days, of date-times or of times of day."""
    return part.get("key") == "bins" and columns[part["column"]].kind in {*TIMES, "time"}


def moments(key: Any, columns: Any, need: Any) -> list[Any]:
    """Where the edges of such bins lie."""
    of = columns[key["column"]]
    need(all(written(edge, of.kind) for edge in key["edges"]), "its bins are cut at what is no day, or no time")
    return [of.place(edge) for edge in key["edges"]]


def inside(form: Any) -> list[Any]:
    """A part of a question and all that is in it, as far as it has parts of its own."""
    parts = list(form.values()) if isinstance(form, dict) else form if isinstance(form, list) else []
    return [form] * isinstance(form, dict) + [found for part in parts for found in inside(part)]


def known(form: Any) -> bool:
    """Whether a part has no parts but those that are known of its kind."""
    marks = [mark for mark in ("agg", "key", "filter", "feature", "derive") if isinstance(form.get(mark), str)]
    if len(marks) == 1:
        return {*form} <= PARTS.get((marks[0], form[marks[0]]), set())
    return not marks and any({*form} <= bare for bare in BARE)


def pair(ends: Any, base: Any, apart: bool) -> bool:
    """Two numbers in order, and apart where they must be."""
    low, high = map(base.number, ends)
    return bool(low < high if apart else low <= high)


def feature(one: Any, base: Any) -> bool:
    """Whether the bounds of a feature are in their ranges."""
    days, between = one.get("days", [0, 0]), one.get("between", [0, 0])
    ends = [end for end in days if end is not None]
    return (
        whole(one.get("most", 1), 1, MOST)
        and whole(one.get("gap", 0), 0, DAYS)
        and whole(one.get("nth", 2), 2, NTH)
        and whole(one.get("rows", 1) if "table" in one else 1, 1, MOST)
        and all(whole(end, -DAYS, DAYS) for end in (*ends, *between))
        and len(days) == len(between) == 2
        and bool(ends)
        and ends == sorted(ends)
        and between == sorted(between)
    )


def aggregate(one: Any, columns: Any, base: Any) -> None:
    """Raises Refused where an aggregate is of another column than it takes, or of settings outside their ranges."""
    need, kind, number = base.need, one["agg"], base.number
    names = [part["column"] for part in one.get("columns", [one] if "column" in one else [])]
    takes = NUMBERS if "edges" in one else TAKES.get(kind, {"category", "boolean", *NUMBERS})
    need(all(columns[name].kind in takes for name in names), f"it has a {kind} of a column that has none")
    need(
        "columns" not in one or (len(names) == 2 and names[0] < names[1]), f"it has a {kind} of other than two columns"
    )
    need(kind != "rate" or "where" in one, "it has a rate of nothing")
    need("clip" not in one or pair(one["clip"], base, False), "its clip is none")
    need(number(one.get("step", 1)) > 0 and one.get("sample", True) is True, "its step or its divisor is none")
    need(kind != "quantile" or 0 < number(one["q"]) < 1, "its quantile is none between 0 and 1")
    need(whole(one.get("bins", 2), 2, BINS), f"its bins are no whole number from 2 to {BINS:,}")


def check(query: Any, columns: Any, base: Any) -> None:
    """Raises Refused or CannotCheck; ``columns``: the question's, with derived ones; ``base``: columns.py."""
    need, keys, made = base.need, query.get("by", []), query.get("people", {})
    aggregates = [one for _, one in query["agg"]]
    features = inside(made)
    derived = [one for _, one in query.get("with", [])]
    parts = inside([*aggregates, *keys, *derived, query.get("where", {})])
    if not all(known(part) for part in [*parts, *features] if part):
        raise base.CannotCheck("it asks with a part that this checker does not know; find a newer one")
    for name in {*CAPS} & {*query}:
        need(whole(query[name], 1, CAPS[name]), f"{name} in it is no whole number from 1 to {CAPS[name]:,}")
    for part in (*keys, *aggregates):
        edges = part.get("edges", [0, 1])
        cuts = [base.number(edge) for edge in edges] if not times(part, columns) else moments(part, columns, need)
        grow = 2 <= len(cuts) <= EDGES and all(low < high for low, high in pairwise(cuts))
        need(grow, "the edges of its bins do not grow")  # where bins overlap, a row is in several
    names = [
        key.get("label") or "_".join([key["column"], *(key[n] for n in ("part", "unit") if n in key)]) for key in keys
    ]
    need(query.get("keyset", {"columns": names})["columns"] == names, "its key set is of other columns")
    names += [name for name, _ in query["agg"]]
    need(len({*names}) == len(names), "two columns of its answer have one name")
    need(all(columns[key["column"]].kind in GROUPS[key["key"]] for key in keys), "it groups by what has no groups")
    for one in aggregates:
        aggregate(one, columns, base)
    fine = all(
        whole(one.get("length", 1), 1, 1000) and ("by" not in one or base.number(one["by"]) > 0)
        for one in [*derived, *(one for one in features if "derive" in one)]
    )
    need(fine, "it computes a column in a way that pets does not take")
    need(all(feature(one, base) for one in features), "a feature of people has bounds that pets does not take")
    clips = [one["clip"] for one in features if "clip" in one]
    need(all(pair(clip, base, True) for clip in clips), "a sum of a person has no bounds")
