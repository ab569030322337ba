"""The plan of a question, derived anew: what is measured of question and schema, and how far one person can move it.

The checker's own planner, which shares no code with the one that it checks. It refuses what is too large before laying
it out. docs/proofs has the reason of each bound, one page a measure.
"""

import importlib.util
import math
from collections import Counter
from fractions import Fraction as Q
from pathlib import Path
from typing import Any


def beside(name: str) -> Any:
    """A file of the checker's own, read from beside this one: nothing of pets is imported."""
    found: Any = importlib.util.spec_from_file_location(
        f"check_{Path(name).name}", Path(__file__).parent / f"{name}.py"
    )
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


CALENDAR, COLUMNS, DERIVED, ASKED = beside("calendar"), beside("columns"), beside("derived"), beside("asked")
PEOPLE, READINGS, COMPUTED = beside("kinds/people"), beside("kinds/readings"), beside("kinds/computed")
MOMENTS, EXITS = beside("kinds/fitted/moments"), beside("kinds/fitted/exits")
NEWTON, NETWORK = beside("kinds/fitted/newton"), beside("kinds/fitted/network_plan")
MEAT = beside("kinds/fitted/meat")
TEXTS, CannotCheck = COLUMNS.TEXTS, COLUMNS.CannotCheck
Column, Refused, need, condition, intervals = (
    COLUMNS.Column,
    COLUMNS.Refused,
    COLUMNS.need,
    COLUMNS.condition,
    COLUMNS.intervals,
)
MANY, FANOUT, BINS, GREATEST = COLUMNS.MANY, COLUMNS.FANOUT, COLUMNS.BINS, COLUMNS.GREATEST
canonical, read, same, sha256 = COLUMNS.canonical, COLUMNS.read, COLUMNS.same, COLUMNS.sha256
number, written = COLUMNS.number, COLUMNS.written


def dimension(key: Any, columns: dict[str, Any], listed: list[Any]) -> tuple[Any, list[str]]:
    """One column of the group key: a public function from codes to slots; and the names of the slots."""
    of, unit = columns[key["column"]], key.get("part") or key.get("unit")
    starts: list[tuple[int, int]] = []
    cycle: list[int] = []
    if of.kind == "text":
        form, names = TEXTS.dimension(key, of.nullable, listed)
        return form, names
    if key["key"] == "bins":
        names, breaks = TEXTS.intervals(key["edges"]), of.breaks(key["edges"])
        starts = [(0, -1), *((at, slot) for slot, at in enumerate(breaks[:-1])), (breaks[-1], -1)]
    elif unit not in (None, "year", "quarter", "month"):
        need(unit != "hour" or of.kind != "date", "it groups days by hours")
        fits = of.kind != "time" or (unit == "hour" and key["key"] == "part")
        need(fits, "it groups times of day by what has a date")
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
        need(of.kind != "time", "it groups times of day by what has a date")
        periods = CALENDAR.spans(
            of.first, of.last, of.width, {"year": 12, "quarter": 3, "month": 1}[unit], key["key"] == "period"
        )
        found = sorted({name for _, name in periods})
        names, starts = list(map(str, found)), [(at, found.index(name)) for at, name in periods]
    else:
        need(of.cells <= MANY, "its group key has too many values")
        names = of.values if of.kind in ("category", "boolean") else [str(of.origin + n) for n in range(of.cells)]
        names = [str((of.first + n * of.width).date()) for n in range(of.cells)] if of.kind == "date" else names
        if of.kind == "time":  # with seconds where its steps are seconds
            ends = 8 if of.form["step"] == "second" else 5
            names = [(of.first + n * of.width).time().isoformat()[:ends] for n in range(of.cells)]
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


def columns_in(form: Any) -> set[str]:
    """The columns that a part of a plan looks at."""
    parts = list(form.values()) if isinstance(form, dict) else form if isinstance(form, list) else []
    named = {form[name] for name in ("column", "other") if name in form} if isinstance(form, dict) else set()
    return named.union(*(columns_in(part) for part in parts))


class Plan:
    """What is measured, and how far all rows of one person can move each measure (docs/proofs has a page for each)."""

    def __init__(self, query: Any, schema: Any) -> None:
        table = schema["tables"][query["table"]]
        person = schema["tables"][table["person_table"]]["columns"] if "person_table" in table else {}
        unit: Any = {"column": None, "max_rows": 1, "rows": 1} if table["unit"] == "row" else table["unit"]
        own = {name: form for name, form in table["columns"].items() if form["type"] != "identifier"}
        attached = {name: form for name, form in person.items() if form["type"] != "identifier"}
        self.columns = {name: Column(form, form.get("nullable", True)) for name, form in own.items()}
        # a person without a row in the person table has no value, whatever that table declares
        self.columns |= {name: Column(form, nullable=True) for name, form in attached.items()}
        source = PEOPLE.People(query, schema, COLUMNS, DERIVED, READINGS, COMPUTED) if "people" in query else None
        if source is not None:
            bare = not {"rows", "groups", "rows_per_group"} & {*query}
            need(bare, "it bounds rows of people, who have one each")
            self.columns = source.columns
        made = query.get("with", []) if source is None else []  # (of people it is a step of each of them)
        derived = DERIVED.derive(made, self.columns, table["columns"], COLUMNS)
        ASKED.check(query, self.columns, COLUMNS)
        self.unit, self.people = unit["column"], table.get("people", 2**27)
        self.kept: int = unit["max_rows"] if source is None else 1
        self.k: int = query.get("rows", unit["rows"]) if source is None else 1
        self.people = self.people if source is None else source.most
        self.who = "any one row (a person)" if self.unit is None else f"all rows of any one person ({self.unit})"
        self.who += "" if source is None else " in all tables of the dataset"
        need(0 < self.k <= self.kept <= 10_000, "it counts more rows of a person than its schema allows")
        keys, listed = query.get("by", []), [list(row) for row in query.get("keyset", {"rows": []})["rows"]]
        for place, of in enumerate(self.columns[key["column"]] for key in keys):
            listed = TEXTS.respelt(of.form, listed, place)
        sides = [dimension(key, self.columns, [row[n] for row in listed]) for n, key in enumerate(keys)]
        self.sides, size = sides, math.prod(side["size"] for side, _ in sides)
        places = places_of(listed, sides) if "keyset" in query else None
        self.names = [names for _, names in sides]
        self.groups = size if places is None else len(places)
        need(self.groups <= MANY and size <= 2**62, "it has too many groups")
        cap = query.get("groups", self.kept)
        self.cap: int | None = cap if cap < min(self.kept, self.groups) else None  # else the row cap alone does as much
        self.each: int = min(query.get("rows_per_group", self.k), self.k)
        need(self.each > 0, "it counts no row of a group")
        where = condition(query["where"], self.columns) if "where" in query else None
        self.query, self.measures = query, list[Any]()
        self.index: dict[bytes, int] = {}
        self.shared = Counter(canonical(self.counter(one)) for _, one in query["agg"] if self.counter(one))
        outputs = [self.output(name, one) for name, one in query["agg"]]
        self.form = {"version": 1, "query": query, "schema": sha256(canonical(schema)), "dataset": schema["dataset"]}
        self.form |= {"table": query["table"], "unit": self.unit, "rows": self.k, "kept_rows": self.kept}
        self.form |= {"groups": self.cap, "people": self.people, "where": where}
        self.form |= {"rows_per_group": self.each} if self.each < self.k else {}
        self.form |= {"layout": {"dimensions": [side for side, _ in sides], "keys": places}}
        self.form |= {"measures": self.measures, "outputs": outputs}
        self.form |= {"derived": derived} if derived else {}
        self.said = ""  # of people: how many rows are read of each
        if source is not None:
            self.form["people_of"] = source.account(columns_in([where, self.measures, self.form["layout"]]), where)
            self.said = ", ".join(f"{most:,} of {name!r}" for name, most in source.kept)
            self.read = [name for name, _ in source.kept]

    # bounds: all rows of one person -----------------------------------------------------------------------------------

    def per_row(self, weight: int = 1, width: int = 1, levels: int = 1) -> Any:
        """At most K rows of a person, and so many in a group, each adding the weight to one cell of each level."""
        groups = min(self.cap or self.groups, self.groups)
        most = min(self.k, groups * self.each)
        square = most // self.each * self.each**2 + (most % self.each) ** 2  # full groups, and one with the rest
        cells, w = min(most, groups * width), weight
        sizes = {"l0": cells, "l1": most * w, "l2_squared": square * w**2}
        return {norm: size * levels for norm, size in sizes.items()} | {"linf": self.each * w}

    def block(self, kind: str, most: int, moved: Any, of: str = "", **more: Any) -> Any:
        """A measure: no cell passes the limit, for the schema's public number of people. Counts of the values of a
        column are apart from other counts of the same rows (``of``)."""
        need(0 < most <= GREATEST, "its sums could pass 2^62")
        need(min(moved.values()) > 0, "nobody moves one of its measures")
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
        return self.block("rows", self.people * self.each, self.per_row(), of, where=where)

    def has(self, name: str) -> Any:
        """A column has a value."""
        return {"column": name, "codes": [[0, self.columns[name].cells - 1]]}

    def counter(self, one: Any) -> Any:
        """The count of rows that an aggregate rests on, if it does."""
        if one["agg"] in ("count", "rate"):
            return self.rows(self.where(one) if one["agg"] == "count" else None)
        if one["agg"] in ("covariance", "correlation"):
            pair = [part["column"] for part in one["columns"]]
            some = [self.has(name) for name in pair if self.columns[name].nullable]
            met = self.where(one)
            for has in some:
                met = {"all": [met, has]} if met else has
            return self.rows(met, " and in ".join(pair) if some else "")
        if one["agg"] not in ("sum", "mean", "variance", "std"):
            return None
        of, where = self.columns[one["column"]], self.where(one)
        has = self.has(one["column"])
        if not of.nullable:
            return self.rows(where)
        return self.rows({"all": [where, has]} if where else has, one["column"])

    # outputs ----------------------------------------------------------------------------------------------------------

    def output(self, name: str, one: Any) -> Any:
        """What an aggregate measures, and how its answer is made of it: value = centre + factor · weight."""
        factor, centre, ends, parts, q = Q(1), Q(0), (Q(0), Q(0)), [], {}
        where, most, kind = self.where(one), self.people * self.each, one["agg"]
        if kind == "count":
            parts = [self.counter(one)]
        elif kind == "count_units":
            cells = min(self.kept, self.cap or self.groups)
            moved = {"l0": cells, "l1": cells, "l2_squared": cells, "linf": 1}
            parts = [self.block("units", self.people, moved, where=where)]
        elif kind == "tails":
            moved = {"l0": self.kept, "l1": self.kept, "l2_squared": self.kept, "linf": 1}
            parts = [self.block("tails", self.people, moved, where=where)]
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
        elif kind in ("covariance", "correlation"):
            parts, factor, ends = self.joint(one, where)
        elif kind == "regression":
            parts = [MOMENTS.block(self, one, where, COLUMNS)]
        elif kind == "survival":
            parts = [EXITS.block(self, one, where, COLUMNS)]
        elif kind == "newton":
            parts = [NEWTON.block(self, one, where, COLUMNS, MOMENTS)]
        elif kind == "gradient":
            parts = [NETWORK.block(self, one, where, COLUMNS)]
        elif kind == "scores":
            parts = [MEAT.block(self, one, where, COLUMNS, MOMENTS)]
        else:
            parts, factor, centre, ends = self.weighed(one, where)
        scaled = {"factor": factor, "centre": centre, "low": ends[0], "high": ends[1]}
        numbers = {label: written(value) for label, value in scaled.items()}
        return (
            {"name": name, "kind": kind, "parts": [self.measured(part) for part in parts]}
            | numbers
            | q
            | ({"sample": True} if one.get("sample") else {})
        )

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
        block = self.block("tree", self.people * self.each, moved, **more, breaks=breaks, levels=levels)
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
            rows, narrow = self.people * self.each, scale * (high - low + 1)
            limit = rows * max(widest, greatest)
            limit = limit if limit <= GREATEST or steps > 1 else rows * max(narrow, greatest)
            return self.block(kind, limit, self.per_row(greatest), **more, centre=middle)

        total = block("total", max(of.cells, scale * (high // steps) + abs(offset)), most)
        if kind in ("variance", "std"):
            middle = most**2 // 2
            square = block("square", most**2, max(most**2 - middle, middle), middle)
            reach, sample = of.step * (high - low), bool(one.get("sample"))
            top = reach * (Q(3, 4) if sample else Q(1, 2)) if kind == "std" else reach**2 / (2 if sample else 4)
            return [square, total, count], factor, centre, (Q(0), top)
        parts = [total, count] if kind == "mean" or centre else [total]
        return parts, factor, centre, (of.origin + of.step * low, of.origin + of.step * high)

    def joint(self, one: Any, where: Any) -> Any:
        """A covariance or a correlation: sums over the rows that have a value in both columns."""
        names = [part["column"] for part in one["columns"]]
        sides = [self.columns[name] for name in names]
        need(all(of.cells > 1 for of in sides), "it sums a column of one value")
        ends = [of.cells - 1 for of in sides]
        grids = [(2, end) if end % 2 else (1, end // 2) for end in ends]
        weights: list[Any] = [
            {"low": 0, "high": end, "scale": scale, "offset": offset, "coarse": 1}
            for end, (scale, offset) in zip(ends, grids, strict=True)
        ]
        most = [max(offset, scale * end - offset) for end, (scale, offset) in zip(ends, grids, strict=True)]
        rows, both = self.people * self.each, most[0] * most[1]
        blocks = [
            self.block(
                "product",
                rows * both,
                self.per_row(both),
                column=names[0],
                where=where,
                weight=weights[0],
                other=names[1],
                other_weight=weights[1],
            )
        ]
        for kind in ("total", "square")[: 1 + (one["agg"] == "correlation")]:
            for at in (0, 1):
                has = [self.has(names[1 - at])] if sides[1 - at].nullable else []
                met = {"all": [where, *has]} if where and has else where or (has[0] if has else None)
                middle = most[at] ** 2 // 2 if kind == "square" else 0
                widest = most[at] ** 2 if middle else max(sides[at].cells, grids[at][0] * ends[at] + grids[at][1])
                widest = most[at] ** 2 if kind == "square" else widest
                greatest = max(most[at] ** 2 - middle, middle) if kind == "square" else most[at]
                limit = rows * max(widest, greatest)
                limit = limit if limit <= GREATEST else rows * max(grids[at][0] * sides[at].cells, greatest)
                more = {"column": names[at], "where": met, "weight": weights[at], "centre": middle}
                blocks.append(self.block(kind, limit, self.per_row(greatest), **more))
        blocks.append(self.counter(one))
        factor = sides[0].step / grids[0][0] * sides[1].step / grids[1][0]
        top = sides[0].step * ends[0] * sides[1].step * ends[1] / (2 if one.get("sample") else 4)
        if one["agg"] == "correlation":
            factor, top = Q(1), Q(1)
        return blocks, factor, (-top, top)

    @property
    def widths(self) -> list[int]:
        """Numbers that each measure has in each group."""
        numbered = {"tails": [self.kept]}
        many = [len(form.get("cells", form.get("at", form.get("breaks", [0, 1])[1:]))) for form in self.measures]
        bins = [numbered.get(form["kind"], [width]) for form, width in zip(self.measures, many, strict=True)]
        return [sum(form.get("levels", width)) for form, width in zip(self.measures, bins, strict=True)]
