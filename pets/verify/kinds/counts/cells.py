"""Which cells of a grid a question takes, whole, for the checker.

The page docs/proofs/rounded.md has the reasons.
"""

from bisect import bisect_right
from itertools import product
from typing import Any


def made(query: Any, name: str, base: Any) -> Any:
    """How a question computes a column, and the computed ones that it reads."""
    form = dict(query.get("with", [])).get(name)
    columns = [] if form is None else sorted(base.columns_in(form) - {name})
    return form and [form, [made(query, column, base) for column in columns]]


def check_grid(query: Any, plan: Any, base: Any) -> None:
    """A grid counts everybody once, and leaves nobody out."""
    need = base.need
    once = len(query["agg"]) == 1 and query["agg"][0][1] in ({"agg": "count"}, {"agg": "count_units"})
    need(once and plan.kept == 1 and not {"where", "keyset"} & {*query}, "its grid does not count everybody once")
    columns = [side["column"] for side, _ in plan.sides]
    need(columns and len({*columns}) == len(columns), "its grid has no columns, or one twice")
    for side, _ in plan.sides:
        of = plan.columns[side["column"]]
        need(all(slot(side, of, code) >= 0 for code in points(side, of)), "its grid leaves somebody out")


def slot(side: Any, of: Any, code: int) -> int:
    """The slot of a code under one key."""
    if "cycle" in side:
        offset, width, size = side["cycle"]
        return int(side["size"] - 1 if code >= of.cells else (code + offset) // width % size)
    if side["breaks"]:
        run = bisect_right(side["breaks"], code) - 1
        return -1 if run < 0 else int(side["slots"][run])
    return code


def points(side: Any, of: Any) -> list[int]:
    """The codes at which the slot may change."""
    codes = of.cells + of.nullable
    if "cycle" in side:
        offset, width, _ = side["cycle"]
        return sorted({0, *range(-offset % width, codes, width), *range(of.cells, codes)})
    return [0, *(at for at in side["breaks"] if 0 < at < codes)] if side["breaks"] else list(range(codes))


def within(form: Any, code: int) -> bool:
    """Whether a code meets a condition on its column."""
    return any(low <= code <= high for low, high in form["codes"])


def leaves(form: Any) -> list[Any]:
    """The conditions on one column each, of which a condition is made."""
    if "column" in form:
        return [form]
    return [leaf for part in form.get("all", form.get("any", [])) for leaf in leaves(part)]


def met(form: Any, codes: dict[str, int]) -> bool:
    """Whether the people of a cell meet a condition; ``codes``: one of each column that lies in it."""
    if "column" in form:
        return within(form, codes[form["column"]])
    return all(met(part, codes) for part in form["all"]) if "all" in form else any(met(p, codes) for p in form["any"])


def cells_of(plan: Any, grid: Any, base: Any) -> list[list[list[int]]]:
    """Of each output, of each of its counts: the group of each cell of the grid; -1: none."""
    need, listed = base.need, plan.form["layout"]["keys"]
    ours = {side["column"]: side for side, _ in grid.sides}
    theirs = {side["column"]: side for side, _ in plan.sides}
    wheres = [form for form in (plan.form["where"], *(one.get("where") for one in plan.measures)) if form]
    asked = [leaf for form in wheres for leaf in leaves(form)]
    need({*theirs, *(leaf["column"] for leaf in asked)} <= {*ours}, "it reads a column that its grid does not have")
    need(len(theirs) == len(plan.sides), "it is grouped by a column twice")
    inside: list[dict[int, int]] = []  # of each column, a code of each slot
    for name, side in ours.items():
        of = grid.columns[name]
        cuts = {
            end for leaf in asked if leaf["column"] == name for low, high in leaf["codes"] for end in (low, high + 1)
        }
        cuts |= {*points(side, of)} | ({*points(theirs[name], of)} if name in theirs else set())
        first: dict[int, tuple[Any, ...]] = {}
        codes: dict[int, int] = {}
        for code in sorted(at for at in cuts if 0 <= at < of.cells + of.nullable):
            seen: tuple[Any, ...] = (slot(theirs[name], of, code) if name in theirs else 0,)
            seen += tuple(within(leaf, code) for leaf in asked if leaf["column"] == name)
            at = slot(side, of, code)
            need(first.setdefault(at, seen) == seen, "it cuts a cell of its grid")
            codes.setdefault(at, code)
        inside.append(codes)
    found: list[list[list[int]]] = []
    for output in plan.form["outputs"]:
        found.append([])
        for part in output["parts"]:
            terms = [form for form in (plan.form["where"], plan.measures[part].get("where")) if form]
            groups = []
            for cell in product(*(range(side["size"]) for side, _ in grid.sides)):
                if any(at not in some for at, some in zip(cell, inside, strict=True)):
                    groups.append(-1)  # nobody can be in it
                    continue
                some_code = {name: some[at] for name, some, at in zip(ours, inside, cell, strict=True)}
                place = 0
                for side, _ in plan.sides:
                    own = slot(side, grid.columns[side["column"]], some_code[side["column"]])
                    place = -1 if place < 0 or own < 0 else place * side["size"] + own
                if listed is not None and place >= 0:
                    place = listed.index(place) if place in listed else -1
                groups.append(place if all(met(form, some_code) for form in terms) else -1)
            found[-1].append(groups)
    return found
