"""What is read of a person's rows of one table, for the checker's planner of people: its public domain and its bounds.

``people`` is the planner (people.py): it makes the steps that conditions compare with.
"""

import datetime as dt
import math
from fractions import Fraction as Q
from typing import Any

TIMES, LINE = {"date", "datetime"}, {"integer", "real", "date", "datetime"}
TAKES = {"sum": {"integer", "real"}, "mean": {"integer", "real"}, "days_with": TIMES, "episodes": TIMES}
TAKES |= {"min": LINE, "max": LINE}  # columns, by kind
READ = ["first", "last", "min", "max", "sum", "mean", "count", "exists", "count_distinct", "days_with", "episodes"]
KINDS = [*READ, "fill", "days", "age", "computed", "case"]
ARITHMETIC = ["linear", "min_of", "max_of", "floor", "age", "map", "prefix"]
DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


def reading(people: Any, one: Any, key: bytes) -> int:
    """What is read of a person's rows of one table."""
    base, how, rows, need = people.base, one["feature"], one["rows"], people.base.need
    table, kept = people.tables[rows["table"]], people.unit(rows["table"])["max_rows"]
    person = people.tables[table["person_table"]]["columns"] if "person_table" in table else {}
    fields = {name: base.Column(form, True) for name, form in person.items() if form["type"] != "identifier"}
    own = {name: form for name, form in table["columns"].items() if form["type"] != "identifier"}
    fields |= {name: base.Column(form, form.get("nullable", True)) for name, form in own.items()}
    need(rows.get("rows", kept) <= kept, "it reads more rows of a person than are kept")
    made: dict[Any, dict[str, Any]] = {}
    where = where_of(people, rows["where"], fields, made, True) if "where" in rows else None
    of: Any
    of, by, bounds, absent = fields.get(one.get("column")), one.get("by"), [0, 0, 1, 0, 1], 0
    need(how not in TAKES or of.kind in TAKES[how], f"it has a {how} of a column that has none")
    need(by is None or fields[by].kind in LINE, "it chooses rows by a column without an order")
    if how == "exists":
        out = base.Column({"type": "boolean"}, False)
    elif how in ("count", "count_distinct", "days_with", "episodes"):
        out = base.Column({"type": "integer", "min": 0, "max": one["most"]}, False)
        bounds[1] = one["most"]
        if how in ("days_with", "episodes"):
            bounds[4], bounds[3] = days(of)
    elif how == "sum":
        grid = Q(1)
        if of.origin.denominator != 1 or of.step.denominator != 1:
            below = math.lcm(of.origin.denominator, of.step.denominator)
            grid = Q(math.gcd(int(of.origin * below), int(of.step * below)), below)
        low, high = (base.number(end) / grid for end in one["clip"])
        bounds = [math.floor(low), math.ceil(high), int(of.step / grid), int(of.origin / grid), 1]
        form = {"type": "integer"} if grid == 1 else {"type": "real", "step": base.written(grid)}
        form |= {end: base.written(at * grid) for end, at in (("min", bounds[0]), ("max", bounds[1]))}
        out = base.Column(form, True)
        absent = out.cells
    else:
        out, absent = base.Column(of.form, True), of.cells
        if by is not None and by == one["column"] and "nth" not in one:
            how, by = {"first": "min", "last": "max"}[how], None
    told = {"read": how, "table": rows["table"], "where": where, "column": one.get("column"), "by": by}
    told |= {"rows": None if rows.get("rows", kept) == kept else rows["rows"], "bounds": bounds}
    told |= {name: one[name] for name in ("gap", "nth") if name in one}
    inputs = tuple(dict.fromkeys(other["step"] for other in made.values()))
    found: int = people.add(key, out, absent, inputs, differences=list(made.values()), **told)
    return found


def where_of(people: Any, form: Any, fields: Any, made: Any, true: bool) -> Any:
    """A condition on the rows, in which a column may be compared with an earlier feature."""
    kind = form["filter"]
    if kind == "not":
        return where_of(people, form["term"], fields, made, not true)
    if kind in ("and", "or"):
        terms = [where_of(people, one, fields, made, true) for one in form["terms"]]
        return {"all" if (kind == "and") is true else "any": terms}
    if kind not in ("versus", "within"):
        return people.base.condition(form, fields, true)
    at, of = people.step(form["feature"]), fields[form["column"]]
    other, span = people.steps[at]["of"], kind == "within"
    ways = [days(of), days(other)] if span else [(1, 0), (1, 0)]
    need = people.base.need
    need("time" not in (of.kind, other.kind), "it compares times of day with a feature")
    (wide, start), (broad, begun) = ways
    shift = (other.cells - 1 + begun) // broad
    name = f"{form['column']} less feature {len(made) + 1}"
    difference = {"name": name, "column": form["column"], "step": at, "shift": shift}
    difference |= {"days": [[wide, broad], [start, begun]]} if (wide, broad) != (1, 1) else {}
    difference = made.setdefault((form["column"], at, wide, broad), difference)
    cells = (of.cells - 1 + start) // wide + 1 + shift
    one, two, size = (
        lowest(of),
        lowest(other),
        of.step if of.kind in ("integer", "real") else Q(of.width // SECOND, 86_400),
    )
    same = shift - (math.floor(one) - math.floor(two) if span else int((one - two) / size))
    if span:
        ends = [end if end is None else same + end for end in form["days"]]
        runs = [(0 if ends[0] is None else ends[0], cells - 1 if ends[1] is None else ends[1])]
    elif form["op"] == "!=":
        runs = [(0, same - 1), (same + 1, cells - 1)]
    else:
        low = {"==": same, ">=": same, ">": same + 1}.get(form["op"], 0)
        runs = [(low, {"==": same, "<=": same, "<": same - 1}.get(form["op"], cells - 1))]
    found = [[max(a, 0), min(b, cells - 1)] for a, b in runs if max(a, 0) <= min(b, cells - 1)]
    others, at = [], 0
    for low, high in found:
        others += [[at, low - 1]] if low > at else []
        at = high + 1
    others += [[at, cells - 1]] if at < cells else []
    return {"column": difference["name"], "codes": found if true else others}


def lowest(of: Any) -> Q:
    """The least value; time counts in days from 1 January 0001, which is 1."""
    return of.origin if of.kind in ("integer", "real") else Q((of.first - dt.datetime.min) // SECOND, 86_400) + 1


def days(of: Any) -> tuple[int, int]:
    """The codes of a calendar day, and how many of them go before code 0 on its own day."""
    width = DAY // of.width
    return width, int(lowest(of) * width) % width


def known(form: Any) -> bool:
    """Whether every feature in a part of a question is one that this program derives."""
    parts = list(form.values()) if isinstance(form, dict) else form if isinstance(form, list) else []
    named = form.get("feature", "fill") if isinstance(form, dict) else "fill"
    made = form.get("derive", "linear") if isinstance(form, dict) else "linear"
    return (not isinstance(named, str) or named in KINDS) and made in ARITHMETIC and all(map(known, parts))


def tables_in(asked: Any) -> list[str]:
    """The table of the people, and those whose rows the features read, each once."""
    named = [asked["of"]] if "of" in asked else []
    return list(dict.fromkeys(named + [name for _, one in asked["features"] for name in tables_of(one)]))


def tables_of(one: Any) -> list[str]:
    """The tables that a feature reads, those of the features that it rests on first."""
    inner = [one[name] for name in ("of", "later", "earlier", "at") if isinstance(one.get(name), dict)]
    inner += one["of"] if isinstance(one.get("of"), list) else []
    inner += compared(one["rows"].get("where")) if "rows" in one else []
    return [name for part in inner for name in tables_of(part)] + ([one["rows"]["table"]] if "rows" in one else [])


def compared(form: Any) -> list[Any]:
    """The features that a condition compares with."""
    if form is None or form["filter"] in ("versus", "within"):
        return [] if form is None else [form["feature"]]
    inner = form.get("terms", [form["term"]] if form["filter"] == "not" else [])
    return [one for part in inner for one in compared(part)]
