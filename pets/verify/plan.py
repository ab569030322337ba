"""The plan of a question, derived anew: what is measured of question and schema, and how far one person can move it.

The checker's own planner, which shares no code with the one that it checks. It refuses what is too large before laying
it out. docs/proofs has the reason of each bound, one page a measure.
"""

import datetime as dt
import hashlib
import importlib.util
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction as Q
from itertools import pairwise
from pathlib import Path
from typing import Any


def beside(name: str) -> Any:
    """A file of this folder: it is found where this one lies, installed or not."""
    found: Any = importlib.util.spec_from_file_location(f"check_{name}", Path(__file__).with_name(f"{name}.py"))
    found.loader.exec_module(module := importlib.util.module_from_spec(found))
    return module


CALENDAR, TEXTS = beside("calendar"), beside("texts")
NUMBER = re.compile(r"-?[0-9]{1,160}(\.[0-9]{1,700}|/[0-9]{1,160})?")
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

    def place(self, value: Any) -> Q:
        """Where a constant lies on the scale of codes."""
        (value,) = value.values() if isinstance(value, dict) else [value]
        if self.kind in ("integer", "real"):
            return (number(value) - self.origin) / self.step
        away = dt.datetime.fromisoformat(value.strip()) - self.first
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
        for edge in map(number, edges):
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
    if kind == "is_null":
        codes = ([[of.cells, of.cells]] if of.nullable else []) if true else [[0, of.cells - 1]]
    else:
        codes = of.runs(form) if true else of.others(of.runs(form))
    return {"column": form["column"], "codes": codes}


def intervals(edges: list[Any]) -> list[str]:
    """The names of bins."""
    return [f"[{a}, {b}{']' if at == len(edges) - 2 else ')'}" for at, (a, b) in enumerate(pairwise(edges))]


def dimension(key: Any, columns: dict[str, Column], listed: list[Any]) -> tuple[Any, list[str]]:
    """One column of the group key: a public function from codes to slots; and the names of the slots."""
    of, unit = columns[key["column"]], key.get("part") or key.get("unit")
    starts: list[tuple[int, int]] = []
    cycle: list[int] = []
    if of.kind == "text":
        form, names = TEXTS.dimension(key, of.nullable, listed)
        return form, names
    if key["key"] == "bins":
        names, breaks = intervals(key["edges"]), of.breaks(key["edges"])
        starts = [(0, -1), *((at, slot) for slot, at in enumerate(breaks[:-1])), (breaks[-1], -1)]
    elif unit not in (None, "year", "quarter", "month"):
        need(unit != "hour" or of.kind != "date", "it groups days by hours")
        cycle, labels = CALENDAR.steps(of.first, of.width, of.cells, unit, key["key"] == "period")
        need(cycle[2] <= MANY, "its group key has too many values")
        offset, width, size = cycle
        turns = range(offset // width, (of.cells - 1 + offset) // width + 1)
        if len(turns) < size:  # not every one comes round: runs of codes instead
            found, cycle = sorted({labels[turn % size] for turn in turns}), []
            starts = [(max(0, turn * width - offset), found.index(labels[turn % size])) for turn in turns]
            labels = found
        names = list(map(str, labels))
    elif unit:
        periods = CALENDAR.spans(
            of.first, of.last, of.width, {"year": 12, "quarter": 3, "month": 1}[unit], key["key"] == "period"
        )
        found = sorted({name for _, name in periods})
        names, starts = list(map(str, found)), [(at, found.index(name)) for at, name in periods]
    else:
        need(of.cells <= MANY, "its group key has too many values")
        names = of.values if of.kind in ("category", "boolean") else [str(of.origin + n) for n in range(of.cells)]
        names = [str((of.first + n * of.width).date()) for n in range(of.cells)] if of.kind == "date" else names
    if starts:  # a later run takes the place of one that begins at the same code; then null
        starts = sorted(dict([*starts, (of.cells, len(names) if of.nullable else -1)]).items())
        starts = [run for at, run in enumerate(starts) if at == 0 or run[1] != starts[at - 1][1]]
    form = {"name": key.get("label") or key["column"] + (f"_{unit}" if unit else ""), "column": key["column"]}
    form |= {
        "size": len(names) + of.nullable,
        "breaks": [at for at, _ in starts],
        "slots": [slot for _, slot in starts],
    }
    form |= {"cycle": cycle} if cycle else {}
    return form, names + ["missing"] * of.nullable


def places_of(rows: list[Any], sides: list[Any]) -> list[int]:
    """The places of a key set's groups in the product of the key's columns."""
    slots = [(form["size"], {name: slot for slot, name in enumerate(names)}) for form, names in sides]
    found = []
    for row in rows:
        place = 0
        for (size, names), value in zip(slots, row, strict=True):
            place = place * size + names["missing" if value is None else str(value)]
        found.append(place)
    need(len(set(found)) == len(found), "its key set lists a group twice")
    return sorted(found)


class Plan:
    """What is measured, and how far all rows of one person can move each measure (docs/proofs has a page for each)."""

    def __init__(self, query: Any, schema: Any) -> None:
        if "people" in query:
            raise CannotCheck("it is about people, whose features this checker does not derive")
        table = schema["tables"][query["table"]]
        person = schema["tables"][table["person_table"]]["columns"] if "person_table" in table else {}
        unit: Any = {"column": None, "max_rows": 1, "rows": 1} if table["unit"] == "row" else table["unit"]
        own = {name: form for name, form in table["columns"].items() if form["type"] != "identifier"}
        attached = {name: form for name, form in person.items() if form["type"] != "identifier"}
        self.columns = {name: Column(form, form.get("nullable", True)) for name, form in own.items()}
        # a person without a row in the person table has no value, whatever that table declares
        self.columns |= {name: Column(form, nullable=True) for name, form in attached.items()}
        self.unit, self.people = unit["column"], table.get("people", 2**27)
        self.kept: int = unit["max_rows"]
        self.k: int = query.get("rows", unit["rows"])
        need(0 < self.k <= self.kept <= 10_000, "it counts more rows of a person than its schema allows")
        keys, listed = query.get("by", []), [list(row) for row in query.get("keyset", {"rows": []})["rows"]]
        for place, of in enumerate(self.columns[key["column"]] for key in keys):
            listed = TEXTS.respelt(of.form, listed, place)
        sides = [dimension(key, self.columns, [row[n] for row in listed]) for n, key in enumerate(keys)]
        size = math.prod(side["size"] for side, _ in sides)
        places = places_of(listed, sides) if "keyset" in query else None
        self.groups = size if places is None else len(places)
        need(self.groups <= MANY and size <= 2**62, "it has too many groups")
        cap = query.get("groups", self.kept)
        self.cap: int | None = cap if cap < min(self.kept, self.groups) else None  # else the row cap alone does as much
        where = condition(query["where"], self.columns) if "where" in query else None
        self.query, self.measures = query, list[Any]()
        self.index: dict[bytes, int] = {}
        self.shared = Counter(canonical(self.counter(one)) for _, one in query["agg"] if self.counter(one))
        outputs = [self.output(name, one) for name, one in query["agg"]]
        self.form = {"version": 1, "query": query, "schema": sha256(canonical(schema)), "dataset": schema["dataset"]}
        self.form |= {"table": query["table"], "unit": self.unit, "rows": self.k, "kept_rows": self.kept}
        self.form |= {"groups": self.cap, "people": self.people, "where": where}
        self.form |= {"layout": {"dimensions": [side for side, _ in sides], "keys": places}}
        self.form |= {"measures": self.measures, "outputs": outputs}

    # bounds: all rows of one person -----------------------------------------------------------------------------------

    def per_row(self, weight: int = 1, width: int = 1, levels: int = 1) -> Any:
        """At most K rows of a person, each adding at most the weight to one cell of each level."""
        cells = min(self.k, (self.cap or self.groups) * width)
        most = self.k * weight
        return {"l0": cells * levels, "l1": most * levels, "l2_squared": most**2 * levels, "linf": most}

    def block(self, kind: str, most: int, moved: Any, of: str = "", **more: Any) -> Any:
        """A measure: no cell passes the limit, for the schema's public number of people. Counts of the values of a
        column are apart from other counts of the same rows (``of``)."""
        need(most <= GREATEST, "its sums could pass 2^62")
        return [of, {"kind": kind, "sensitivity": moved, "limit": most} | {n: part for n, part in more.items() if part}]

    def measured(self, block: Any) -> int:
        """The place of a measure; the same one is measured once."""
        key = canonical(block)
        if key not in self.index:
            self.index[key] = len(self.measures)
            self.measures.append(block[1])
        return self.index[key]

    def where(self, one: Any) -> Any:
        """The aggregate's own condition."""
        return condition(one["where"], self.columns) if "where" in one else None

    def rows(self, where: Any, of: str = "") -> Any:
        """A count of rows."""
        return self.block("rows", self.people * self.k, self.per_row(), of, where=where)

    def counter(self, one: Any) -> Any:
        """The count of rows that an aggregate rests on, if it does."""
        if one["agg"] in ("count", "rate"):
            return self.rows(self.where(one) if one["agg"] == "count" else None)
        if one["agg"] not in ("sum", "mean", "variance"):
            return None
        of, where = self.columns[one["column"]], self.where(one)
        has = {"column": one["column"], "codes": [[0, of.cells - 1]]}
        if not of.nullable:
            return self.rows(where)
        return self.rows({"all": [where, has]} if where else has, one["column"])

    # outputs ----------------------------------------------------------------------------------------------------------

    def output(self, name: str, one: Any) -> Any:
        """What an aggregate measures, and how its answer is made of it: value = centre + factor · weight."""
        factor, centre, ends, parts, q = Q(1), Q(0), (Q(0), Q(0)), [], {}
        where, most, kind = self.where(one), self.people * self.k, one["agg"]
        if kind == "count":
            parts = [self.counter(one)]
        elif kind == "count_units":
            cells = min(self.kept, self.cap or self.groups)
            moved = {"l0": cells, "l1": cells, "l2_squared": cells, "linf": 1}
            parts = [self.block("units", self.people, moved, where=where)]
        elif kind == "rate":
            parts = [self.block("balance", most, self.per_row(), where=where), self.counter(one)]
            factor = centre = Q(1, 2)
            ends = Q(0), Q(1)
        elif kind == "histogram":
            of = self.columns[one["column"]]
            need("edges" in one or of.cells <= BINS, "a histogram has too many bins")
            breaks = of.breaks(one["edges"]) if "edges" in one else list(range(of.cells + 1))
            moved, more = self.per_row(width=len(breaks) - 1), {"column": one["column"], "where": where}
            parts = [self.block("leaves", most, moved, **more, breaks=breaks)]
        elif kind == "quantile":
            parts, factor, ends = self.tree(one, where)
            q = {"q": one["q"]}
        else:
            parts, factor, centre, ends = self.weighed(one, where)
        scaled = {"factor": factor, "centre": centre, "low": ends[0], "high": ends[1]}
        numbers = {label: written(value) for label, value in scaled.items()}
        return {"name": name, "kind": kind, "parts": [self.measured(part) for part in parts]} | numbers | q

    def tree(self, one: Any, where: Any) -> Any:
        """A quantile's tree of counts: all quantiles of a column under one condition share it."""
        of, asked = self.columns[one["column"]], [other for _, other in self.query["agg"] if other["agg"] == "quantile"]
        alike = [n for n in asked if (n["column"], n.get("where")) == (one["column"], one.get("where"))]
        leaves = min(of.cells, max((n["bins"] for n in alike if "bins" in n), default=BINS))
        need(leaves * self.groups <= MANY, "a quantile has too many bins")
        levels = [leaves]
        while levels[-1] > FANOUT:
            levels.append(-(-levels[-1] // FANOUT))
        breaks = [of.cells * n // leaves for n in range(leaves + 1)]
        moved, more = self.per_row(1, leaves, len(levels)), {"column": one["column"], "where": where}
        block = self.block("tree", self.people * self.k, moved, **more, breaks=breaks, levels=levels)
        return [block], of.step, (of.origin, of.origin + of.step * (of.cells - 1))

    def weighed(self, one: Any, where: Any) -> Any:
        """A sum, a mean or a variance: whole row weights around the midpoint of the clip, counted in grid steps."""
        of, count, kind = self.columns[one["column"]], self.counter(one), one["agg"]
        low, high = 0, of.cells - 1
        if "clip" in one:
            low = max(low, math.floor(of.place(one["clip"][0])))
            high = min(high, math.ceil(of.place(one["clip"][1])))
        coarse = number(one.get("step", written(of.step))) / of.step
        need(coarse.denominator == 1 and low // coarse < high // coarse, "it sums a column of one value")
        steps, ends, base = int(coarse), low // int(coarse) + high // int(coarse), of.origin / of.step
        scale, offset = (2, ends) if ends % 2 else (1, ends // 2)
        if kind == "sum" and self.shared[canonical(count)] < 2 and base.denominator == 1:
            scale, offset = 1, -int(base)  # a midpoint is free only where its count is measured anyway
        most = max(abs(scale * (end // steps) - offset) for end in (low, high))
        factor = of.step * steps / scale
        centre = of.origin + factor * offset + of.step * (steps - 1) / 2
        weight = {"low": low, "high": high, "scale": scale, "offset": offset, "coarse": steps}
        more = {"column": one["column"], "where": where, "weight": weight}

        def block(kind: str, widest: int, greatest: int, middle: int = 0) -> Any:
            rows, narrow = self.people * self.k, scale * (high - low + 1)
            limit = rows * max(widest, greatest)
            limit = limit if limit <= GREATEST or steps > 1 else rows * max(narrow, greatest)
            return self.block(kind, limit, self.per_row(greatest), **more, centre=middle)

        total = block("total", max(of.cells, scale * (high // steps) + abs(offset)), most)
        if kind == "variance":
            middle = most**2 // 2
            square = block("square", most**2, max(most**2 - middle, middle), middle)
            return [square, total, count], factor, centre, (Q(0), (of.step * (high - low)) ** 2 / 4)
        parts = [total, count] if kind == "mean" or centre else [total]
        return parts, factor, centre, (of.origin + of.step * low, of.origin + of.step * high)

    @property
    def widths(self) -> list[int]:
        """Numbers that each measure has in each group."""
        return [sum(form.get("levels", [len(form.get("breaks", [0, 1])) - 1])) for form in self.measures]
