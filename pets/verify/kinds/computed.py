"""What is computed of the steps of people, for the checker's planner: arithmetic, maps, and cases.

Domains are those of the same derived column of a table (derived.py). The code of somebody who has no row anywhere is
found from values in fractions, not from codes. docs/proofs/people.md and derived.md have the reasons. ``people`` is the
planner of people (people.py), which has the steps so far.
"""

import math
from typing import Any

KINDS, ARMS = ["computed", "case"], 64
OF = ("linear", "min_of", "max_of", "floor", "map", "prefix")  # of features; of columns of people ages, too


def step(people: Any, one: Any, key: bytes) -> int:
    """A feature that is made of others, or of conditions on what is named before it."""
    if one["feature"] == "case":
        return case(people, one, key)
    base, parts = people.base, [people.step(part) for part in one["of"]]
    forms = [base.canonical(part) for part in one["of"]]
    base.need(forms == sorted({*forms}), "it computes with a feature twice, or with features out of their order")
    base.need(one["as"]["derive"] in OF, "it computes of features what only columns have")
    return arithmetic(people, "", one["as"], {str(at): place for at, place in enumerate(parts, 1)}, key)


def derive(people: Any, made: Any) -> None:
    """Columns that the question computes of people's: each is a step of each of them, and may be used by the next."""
    for name, form in made:
        taken = name in people.columns or (people.owner and name in people.tables[people.owner]["columns"])
        people.base.need(not taken, "a derived column takes the name of another one")
        known = {column: people.place(column) for column in named(form)}
        people.places[name] = arithmetic(people, name, form, known, b"derived " + name.encode())
        people.columns[name] = people.steps[people.places[name]]["of"]


def named(form: Any) -> list[str]:
    """The columns that one is computed of, in the order of its parts."""
    parts = form["terms"] if form["derive"] == "linear" else form.get("of", [form])
    at = form.get("at", {})
    return list(dict.fromkeys([part["column"] for part in parts] + ([at["column"]] if "column" in at else [])))


def arithmetic(people: Any, name: str, form: Any, known: dict[str, int], key: bytes) -> int:
    """A step by the rule of a derived column, of the steps that its columns stand for."""
    names, parts = named(form), {column: people.steps[place] for column, place in known.items()}
    people.base.need(sorted(names) == sorted(parts), "it computes with other parts than it names")
    of = {column: parts[column]["of"] for column in names}
    out, account = people.lines.domain(form, of, people.base)
    absent = code(form, of, {column: parts[column]["form"]["absent"] for column in names}, out, people)
    told = {"computed": {"name": name, "nullable": out.nullable} | account}
    columns = [[column, known[column]] for column in names]
    found: int = people.add(key, out, absent, tuple(known.values()), columns=columns, **told)
    return found


def code(form: Any, of: dict[str, Any], codes: dict[str, int], out: Any, people: Any) -> int:
    """The code of somebody whose parts have these codes: no value where one of them has none."""
    lines, kind, base = people.lines, form["derive"], people.base
    if any(column.nullable and codes[name] == column.cells for name, column in of.items()):
        return int(out.cells)
    if kind in ("map", "prefix"):
        ((name, column),) = of.items()
        value = column.values[min(codes[name], column.cells - 1)]
        given = value[: form["length"]] if kind == "prefix" else dict(form["pairs"]).get(value, form.get("otherwise"))
        return int(out.cells if given is None else out.values.index(given))
    low, spacing = lines.grid(out, base)
    values = {}
    for name, column in of.items():
        start, step = lines.grid(column, base)  # one value alone stays that, but where it is divided or a day
        values[name] = start + step * codes[name] * (column.cells > 1 or kind in ("floor", "age"))
    if kind == "floor":
        return int(math.floor(values[form["column"]] / base.number(form["by"])) - low)
    if kind == "age":
        at = form["at"]
        day = math.floor(values[at["column"]]) if "column" in at else lines.day(at["date"])
        return int(lines.age(math.floor(values[form["column"]]), day) - low)
    rest = [base.number(form["constant"])] if "constant" in form else []
    if kind == "linear":
        found = sum((base.number(term["times"]) * values[term["column"]] for term in form["terms"]), sum(rest))
    else:
        found = (max if kind == "max_of" else min)([*values.values(), *rest])
    return int((found - low) / spacing)


def case(people: Any, one: Any, key: bytes) -> int:
    """The name of the first condition that is met, and the default's where none is."""
    base, arms = people.base, one["when"]
    names = [arm["name"] for arm in arms] + ([one["default"]] if "default" in one else [])
    fine = 0 < len(arms) <= ARMS and all(type(name) is str and name not in ("", "missing") for name in names)
    base.need(fine, "its cases have no names")
    met_by = [base.condition(arm["if"], people.columns) for arm in arms]
    values = list(dict.fromkeys(names))
    out = base.Column({"type": "category", "values": values}, "default" not in one)
    other = values.index(one["default"]) if "default" in one else out.cells
    known = {name: people.place(name) for name in sorted({name for form in met_by for name in read(form)})}
    codes = {name: people.steps[place]["form"]["absent"] for name, place in known.items()}
    pairs = [[form, values.index(arm["name"])] for form, arm in zip(met_by, arms, strict=True)]
    absent = next((at for form, at in pairs if met(form, codes)), other)
    told = {"case": pairs, "otherwise": other, "columns": [list(pair) for pair in known.items()]}
    found: int = people.add(key, out, absent, tuple(known.values()), **told)
    return found


def read(form: Any) -> list[str]:
    """The columns that a condition looks at."""
    return [form["column"]] if "column" in form else [name for one in (*form.values(),)[0] for name in read(one)]


def met(form: Any, codes: dict[str, int]) -> bool:
    """Whether one person's codes meet a condition."""
    if "codes" in form:
        return any(low <= codes[form["column"]] <= high for low, high in form["codes"])
    return all(met(one, codes) for one in form["all"]) if "all" in form else any(met(one, codes) for one in form["any"])
