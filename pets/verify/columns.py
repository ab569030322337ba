"""Columns of a question for the checker's planner: public domains, conditions as runs of codes, names of bins.

Also how pets writes JSON, and what is refused.
"""

import datetime as dt
import hashlib
import importlib.util
import json
import math
import re
from collections.abc import Iterable
from fractions import Fraction as Q
from itertools import pairwise
from pathlib import Path
from typing import Any

_FOUND: Any = importlib.util.spec_from_file_location("check_texts", Path(__file__).with_name("texts.py"))
_FOUND.loader.exec_module(TEXTS := importlib.util.module_from_spec(_FOUND))

NUMBER = re.compile(r"-?[0-9]{1,160}(\.[0-9]{1,700}|/[0-9]{1,160})?")
WORDS = """table people where by agg keyset rows groups rows_per_group tails column bins part period with linear min_of
  max_of age floor map prefix count count_units sum mean rate variance std covariance correlation regression survival
  newton scores gradient histogram quantile category integer real boolean date datetime time identifier text"""
KNOWN = set(re.findall(r"\w+", WORDS))  # parts of a question, aggregates, keys and domains
MIDNIGHT = dt.datetime(1, 1, 1)
MANY = 2_000_000  # numbers in an answer, and slots of a key
FANOUT, BINS, GREATEST = 16, 256, 2**62


class Refused(Exception):
    """Why the promise does not follow, in one sentence."""


class CannotCheck(Exception):
    """Why nothing can be said, in one sentence. It never means that a promise holds."""


def need(true: object, why: str) -> None:
    """Nothing, if it is true."""
    if not true:
        raise Refused(why)


# the one way in which pets writes JSON ------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


def same(one: Any, other: Any) -> bool:
    """Whether two values are written alike: in Python True equals 1."""
    return canonical(one) == canonical(other)


def whole(text: str) -> int:
    """A whole number of ordinary size; anything else is refused before it is computed."""
    need(len(text) <= 160 and text.lstrip("-").isdigit(), f"{text[:20]} in it is no number as pets writes it")
    return int(text)


def read(data: bytes) -> Any:
    """JSON that could be written in no other way; numbers that are not whole are texts in it."""
    value = json.loads(data, parse_int=whole, parse_float=whole, parse_constant=whole)
    need(canonical(value) == data.removesuffix(b"\n"), "a file is not byte for byte as pets writes it")
    return value


def number(value: Any) -> Q:
    """A whole number, or the text of another: a decimal, or p/q."""
    need(type(value) is int or (type(value) is str and NUMBER.fullmatch(value)), "it has no number where one must be")
    return Q(value)


def written(value: Q) -> int | str:
    """A number as it stands in JSON."""
    places = next((n for n in range(1100) if 10**n % value.denominator == 0), None)
    if not places:
        return int(value) if places == 0 else f"{value.numerator}/{value.denominator}"
    above, below = divmod(abs(int(value * 10**places)), 10**places)
    return f"{'-' * (value < 0)}{above}.{below:0{places}d}"


# domains and conditions ---------------------------------------------------------------------------------------------


def clock(text: str) -> dt.timedelta:
    """A time of day, from midnight on: 08:30, 08:30:15, 24:00."""
    found = re.fullmatch(r"(\d\d):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?", text.strip(), re.ASCII)
    hours, minutes, seconds, parts = found.groups() if found else (25, 0, 0, "")
    gone = dt.timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    gone += dt.timedelta(microseconds=int((parts or "").ljust(6, "0")))
    need(gone <= dt.timedelta(days=1), "it has no time of day where one must be")
    return gone


class Column:
    """A public domain: codes from 0 to cells - 1, on an even grid where it has an order; the code cells is null."""

    def __init__(self, form: Any, nullable: bool) -> None:
        self.kind, self.nullable, self.origin, self.step = form["type"], nullable, Q(0), Q(1)
        self.form = form  # of texts, which nobody listed: they have no codes
        self.values: list[str] = form["values"] if self.kind == "category" else ["False", "True"]
        self.cells = len(self.values)
        if self.kind in ("integer", "real"):
            self.origin, self.step = number(form["min"]), number(form.get("step", 1))
            self.cells = int((number(form["max"]) - self.origin) / self.step) + 1
        elif self.kind in ("date", "datetime"):
            self.first, self.last = (dt.datetime.fromisoformat(form[end]) for end in ("min", "max"))
            self.width = dt.timedelta(**{f"{form.get('step', 'day')}s": 1})
            self.cells = (self.last - self.first) // self.width + 1
        elif self.kind == "time":  # (as times of a day of no meaning)
            self.first, self.last = (MIDNIGHT + clock(form[end]) for end in ("min", "max"))
            self.width = dt.timedelta(**{f"{form['step']}s": 1})
            self.cells = (self.last - self.first) // self.width + 1

    def place(self, value: Any) -> Q:
        """Where a constant lies on the scale of codes."""
        (value,) = value.values() if isinstance(value, dict) else [value]
        if self.kind in ("integer", "real"):
            return (number(value) - self.origin) / self.step
        moment = MIDNIGHT + clock(value) if self.kind == "time" else dt.datetime.fromisoformat(value.strip())
        away = moment - self.first
        return Q(away // dt.timedelta(microseconds=1), self.width // dt.timedelta(microseconds=1))

    def listed(self, values: Iterable[Any]) -> list[list[int]]:
        """Runs of the codes of constants; a number or a time that is no value of the domain has none."""
        if self.kind in ("category", "boolean"):
            codes = {self.values.index(str(value)) for value in values}
        else:
            codes = {int(at) for at in map(self.place, values) if at.denominator == 1 and 0 <= at < self.cells}
        starts, ends = ([code for code in sorted(codes) if code + by not in codes] for by in (-1, 1))
        return [list(run) for run in zip(starts, ends, strict=True)]

    def others(self, runs: list[list[int]]) -> list[list[int]]:
        """All other values: null is none."""
        ends = [-1, *(end for run in runs for end in run), self.cells]
        return [[a + 1, b - 1] for a, b in zip(ends[::2], ends[1::2], strict=True) if a + 1 < b]

    def runs(self, form: Any) -> list[list[int]]:
        """The codes of the values that meet a comparison, a list or a range."""
        if form["filter"] == "isin" or form.get("op") in ("==", "!="):
            found = self.listed(form["values"] if form["filter"] == "isin" else [form["value"]])
            return self.others(found) if form.get("op") == "!=" else found
        low, high = (self.place(form[end]) for end in (("low", "high") if "low" in form else ("value", "value")))
        first, last = math.ceil(low), math.floor(high)
        if "op" in form:  # neither end is open but that of < and >
            first = {"<": 0, "<=": 0, ">": math.floor(low) + 1, ">=": first}[form["op"]]
            last = {"<": math.ceil(high) - 1, "<=": last, ">": self.cells, ">=": self.cells}[form["op"]]
        first, last = max(first, 0), min(last, self.cells - 1)
        return [[first, last]] if first <= last else []

    def breaks(self, edges: list[Any]) -> list[int]:
        """The first code of each bin, and the code after the last bin, which is closed."""
        spots = []
        for edge in edges:
            if self.kind in ("date", "datetime", "time"):
                spots.append(self.place(edge))
                continue
            edge = number(edge)
            at, slack = (edge - self.origin) / self.step, abs(edge) / 2**50
            exact = abs(at - round(at)) * self.step <= slack < self.step / 1000  # but for the rounding of a double
            spots.append(Q(round(at)) if exact else at)
        return [min(max(at, 0), self.cells) for at in (*map(math.ceil, spots[:-1]), math.floor(spots[-1]) + 1)]


def condition(form: Any, columns: dict[str, Column], true: bool = True) -> Any:
    """A condition as runs of codes. Negation moves down to the columns, so that null meets is_null alone."""
    kind = form["filter"]
    if kind == "not":
        return condition(form["term"], columns, not true)
    if kind in ("and", "or"):
        return {"all" if (kind == "and") is true else "any": [condition(one, columns, true) for one in form["terms"]]}
    of = columns[form["column"]]
    if of.kind == "text":
        return TEXTS.condition(form, of.form, true)
    if kind == "codelist":  # codes that no row can have are ignored
        found = of.listed(TEXTS.listed(form["codes"], of.values) if of.kind == "category" else [])
        need(of.kind == "category" and found, "it lists codes of a column that has none of them")
        codes = found if true else of.others(found)
    elif kind == "startswith":
        found = of.listed([value for value in of.values if value.startswith(form["prefix"])])
        codes = found if true else of.others(found)
    elif kind == "is_null":
        codes = ([[of.cells, of.cells]] if of.nullable else []) if true else [[0, of.cells - 1]]
    else:
        codes = of.runs(form) if true else of.others(of.runs(form))
    return {"column": form["column"], "codes": codes}


def intervals(edges: list[Any]) -> list[str]:
    """The names of bins."""
    return [f"[{a}, {b}{']' if at == len(edges) - 2 else ')'}" for at, (a, b) in enumerate(pairwise(edges))]
