"""Rounded counts, derived anew: the rule, what it can show, and how a question takes whole cells of a grid.

The page docs/proofs/rounded.md has the reasons. A release alone shows that its numbers are ones that the rule can show;
with the grid at hand each is added up again from its cells.
"""

import importlib.util
from pathlib import Path
from typing import Any


def beside(name: str) -> Any:
    """A file of the checker's own, read from beside this one: nothing of pets is imported."""
    path = Path(__file__).parent / "counts" / f"{name}.py"
    found: Any = importlib.util.spec_from_file_location(f"check_{name}", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


RULES, CELLS = beside("rules"), beside("cells")
COMMON = """analyst budget cost data dataset guarantee id issued_at notes pets plan project protection query rule schema
  snapshot table version"""
OWN = {"grid": "shown", "rounded": "grid counts"}
PROTECTIONS = ("sdc",)


class Plan:
    """The plan of a question about people, each of whom is counted once; ``base`` is the planner's file."""

    def __init__(self, one: Any, base: Any) -> None:
        need = base.need
        self.plan = base.Plan(one["query"], one["schema"])
        need(self.plan.kept == 1, "it may count a person several times")
        kinds = [part["agg"] for _, part in one["query"]["agg"]]
        need(kinds and {*kinds} <= {"count", "count_units", "rate"}, "it rounds what is no count of people")
        self.unit, self.who, self.form = self.plan.unit, self.plan.who, self.plan.form
        self.rule = RULES.rule_of(one["protection"], base)
        if one["pets"] == "grid":
            CELLS.check_grid(one["query"], self.plan, base)
        else:
            grid = one["grid"]["query"]
            self.grid = base.Plan(grid, one["schema"])
            CELLS.check_grid(grid, self.grid, base)
            alike = all(grid.get(name) == one["query"].get(name) for name in ("table", "people"))
            need(alike, "it is about other people than its grid")
            names = [side["column"] for side, _ in self.grid.sides]
            same = all(CELLS.made(grid, name, base) == CELLS.made(one["query"], name, base) for name in names)
            need(same, "it computes a column in another way than its grid")
            self.cells = CELLS.cells_of(self.plan, self.grid, base)


def check_common(one: Any, said: Any, plan: Any, digest: str, own: str, base: Any) -> None:
    """The parts that every table of rounded counts has, and ``own``, are all that there is, and fit together."""
    need = base.need
    wanted = sorted([*COMMON.split(), *own.split()])
    need(sorted(one) == wanted, "the release has other parts than pets writes")
    told = {"dataset": one["schema"]["dataset"], "table": one["query"]["table"], "plan": digest}
    alike = base.same(told, {name: one[name] for name in told})
    need(alike, "its plan does not follow from its question and its schema")
    need(one["data"] in ("real", "dummy"), "its rows are neither real nor invented")
    need(one["data"] == "real" or said["budget"]["ledger"] == "memory", "a ledger on disk holds no invented rows")
    need(one["cost"]["loss"] == 0 and one["cost"]["delta"] == 0, "it costs something, and has no ε")
    need(base.same(one["rule"], plan.rule), "its rule is not that of its protection")


def check_parts(one: Any, said: Any, plan: Plan, digest: str, base: Any) -> None:
    """The parts of a rounded table fit together, and are all that there is; its numbers are of the rule."""
    need = base.need
    check_common(one, said, plan, digest, OWN[one["pets"]], base)
    if one["pets"] == "grid":
        need(len(one["shown"]) == plan.plan.groups, "it has another number of cells than its plan")
        for number in one["shown"]:
            need(type(number) is int and RULES.shows(plan.rule, number), "a cell is shown as its rule shows no count")
        return
    need(len(one["counts"]) == len(plan.cells), "it has another number of counts than its question")
    for several, cells in zip(one["counts"], plan.cells, strict=True):
        need(len(several) == len(cells), "it has another number of counts than its question")
        for counts, groups in zip(several, cells, strict=True):
            check_counts(counts, groups, plan, base)


def check_counts(counts: Any, groups: list[int], plan: Plan, base: Any) -> None:
    """Each number is the sum of so many cells as its group has, each of which the rule can show."""
    need, rule = base.need, plan.rule
    need(sorted(counts) == ["hidden", "high", "low", "shown"], "its counts have other parts than pets writes")
    sized = all(len(part) == plan.plan.groups for part in counts.values())
    need(sized, "it has another number of groups than its plan")
    numbers = all(type(number) is int and 0 <= number < 2**62 for part in counts.values() for number in part)
    need(numbers, "a count is no whole number")
    for at, (hidden, high, low, shown) in enumerate(zip(*(counts[name] for name in sorted(counts)), strict=True)):
        many = groups.count(at)
        need(hidden <= many and (rule["threshold"] or not hidden), "it hides more cells than there are")
        sums = RULES.adds_up(rule, many - hidden, hidden, shown, low, high)
        need(sums, "a number is no sum of what its rule can show")


def check_sums(one: Any, grid: Any, plan: Plan, base: Any) -> None:
    """Each number is the sum of the grid's cells, which are at hand."""
    need, rule = base.need, plan.rule
    told = {"id": grid["id"], "digest": base.sha256(base.canonical(grid)), "query": grid["query"]}
    need(base.same(one["grid"], told), "the grid that was given is not the one that it names")
    alike = base.same(grid["rule"], rule) and grid["snapshot"] == one["snapshot"]
    need(alike, "its grid has another rule, or other rows")
    for several, cells in zip(one["counts"], plan.cells, strict=True):
        for counts, groups in zip(several, cells, strict=True):
            sums = {name: [0] * plan.plan.groups for name in ("shown", "hidden", "low", "high")}
            for at, number in zip(groups, grid["shown"], strict=True):
                if at >= 0:
                    low, high = RULES.ends(rule, number)
                    value = RULES.middle(rule) if number == -1 else number
                    added = {"shown": value, "hidden": int(number == -1), "low": low, "high": high}
                    for name, part in added.items():
                        sums[name][at] += part
            need(base.same(counts, sums), "a number is not the sum of its grid's cells")


def summed(core: Any, one: Any, grid: bytes, key: bytes) -> str:
    """A rounded table is the sum of the cells of a grid, which is checked as a release of its own; in words."""
    if one.get("pets") != "rounded":
        raise core.CannotCheck("a grid is held against a rounded table, and this is none; leave --grid out")
    core.checked(grid, key)
    form = {name: part for name, part in core.read(grid).items() if name not in ("digest", "certificate")}
    check_sums(one, form, Plan(one, core.base), core.base)
    return f"grid: each number is the sum of the cells of {form['id']}"


def sentence(one: Any, plan: Plan, who: str, base: Any, origin: str, memory: bool) -> str:
    """What it is and is not."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    return (
        f"No differential privacy, and no ε: counts of people by the rule {RULES.words(one)}. Every number is a sum of "
        "cells of one grid as they are shown, and all tables of that grid together tell no more than its cells: each "
        "small one leaves open the interval that is shown for it. Other releases about the same people may narrow it, "
        "and who knows all others of a cell may learn of the last one (unbounded; named on every later release)."
    )


def expected(one: Any, plan: Plan, who: str, core: Any) -> dict[str, Any]:
    """What the certificate says of it as it follows from the release; ``core`` is the checker's first file."""
    return {"query": one["query"], "what": f"{one['pets']} {core.summary(one['query'])}", "dp": None}


def moved(one: Any, plan: Plan, base: Any) -> str:
    """What was derived, for people."""
    if one["pets"] == "grid":
        return f"{plan.plan.groups} cells, each as its rule shows a count"
    return f"{len(plan.cells)} outputs, each number a sum of what its rule can show"
