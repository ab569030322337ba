"""The plan of a trained network, derived anew: its layers, and how far one person moves a step.

docs/proofs/training.md has the reasons.
"""

import math
from fractions import Fraction as Q
from itertools import pairwise
from typing import Any

NETWORK = "clip columns data layers model outcome rate seed steps version"
UNIT = 2**12  # of gradients
MOST = {"hidden": 4, "width": 1024, "inputs": 1023, "size": 200_000, "held": 2**24, "steps": 10_000}
CLASSES, LEVELS, COLUMNS = 100, 200, 200
LOW, CLIP = Q(1, 1000), 64


class Wired:
    """How rows enter a network, and how far one person moves a step of it.

    Args:
        names: the outcome, then the columns.
        hidden: of each hidden layer its width and its activation.
        rows: of a person, that count.
    """

    def __init__(self, columns: Any, names: Any, hidden: Any, clip: Q, rows: int, need: Any) -> None:
        need(len({*names}) == len(names) and 1 < len(names) <= COLUMNS + 1, "its network has no columns, or too many")
        outcome = columns[names[0]]
        need(outcome.kind in ("boolean", "category") and 2 <= outcome.cells <= CLASSES, "its outcome has no classes")
        self.inputs = [part for name in names[1:] for part in self.of(name, columns[name], need)]
        need(len(hidden) <= MOST["hidden"], "its layers are too many")
        for width, name in hidden:
            fine = name in ("tanh", "relu") and type(width) is int and 0 < width <= MOST["width"]
            need(fine, "it has a layer that is none")
        self.last = 1 if outcome.cells == 2 else outcome.cells
        self.widths = [len(self.inputs), *(width for width, _ in hidden), self.last]
        self.size = sum((before + 1) * after for before, after in pairwise(self.widths))
        small = len(self.inputs) <= MOST["inputs"] and self.size <= MOST["size"]
        need(small and self.size * rows <= MOST["held"], "its network is too large")
        need(LOW <= clip <= CLIP, "its network has a clip that pets refuses")
        self.bound = math.floor(clip * UNIT)
        square = self.bound**2
        moved = {"l0": min(self.size, square), "l1": min(square, math.isqrt(self.size * square))}
        self.moved = moved | {"l2_squared": square, "linf": self.bound}

    def of(self, name: str, of: Any, need: Any) -> list[Any]:
        """What a column gives the first layer."""
        fits = of.kind in ("integer", "real", "boolean") or (of.kind == "category" and of.cells <= LEVELS)
        need(fits and of.cells > 1, "a column of its network has no numbers")
        wide = of.kind == "category" and of.cells > 2
        return [{"column": name, "code": code} for code in range(1, of.cells)] if wide else [{"column": name}]


def block(plan: Any, one: Any, where: Any, core: Any) -> Any:
    """The one measure of a step that is a question of its own, or of the people it is of; ``core``: columns.py."""
    need = core.need
    need(not plan.query.get("by") and plan.each == plan.k, "a step of its training is of groups")
    need("people" not in plan.query, "a step of its training is of people")
    names = [one["outcome"]["column"], *(part["column"] for part in one["inputs"])]
    hidden = [(layer["out"], layer["layer"]) for layer in one["hidden"]]
    wired = Wired(plan.columns, names, hidden, core.number(one["norm"]), plan.k, need)
    for name in names:
        if plan.columns[name].nullable:
            where = {"all": [where, plan.has(name)]} if where else plan.has(name)
    more: dict[str, Any] = {"where": where, "outcome": {"column": names[0]}, "inputs": wired.inputs}
    if "at" not in one:
        moved = dict.fromkeys(("l0", "l1", "l2_squared", "linf"), 1)
        return plan.block("descent", plan.people, moved, **more)
    whole = all(type(value) is int and abs(value) <= 64 * 2**16 for value in one["at"])
    need(whole and len(one["at"]) == wired.size, "a step of its training has no weights, or others")
    form = plan.block("descent", plan.people * wired.bound, wired.moved, **more, widths=wired.widths)
    form[1] |= {"activations": [name for _, name in hidden], "at": one["at"]}
    return form


class Plan:
    """The plan of a training; ``base`` is the planner's file."""

    def __init__(self, one: Any, base: Any) -> None:
        need, net = base.need, one["network"]
        self.net, self.steps = net, net["steps"]
        need(sorted(net) == NETWORK.split() and net["model"] == "network" and net["version"] == 1, "it is no network")
        names = [net["outcome"]["column"], *(part["column"] for part in net["columns"])]
        known = [{"filter": "not", "term": {"filter": "is_null", "column": name}} for name in names]
        counted = {"agg": "count", "where": {"filter": "and", "terms": known}}
        need(
            base.same(one["query"], net["data"] | {"agg": [["rows", counted]]}), "it is of other rows than its network"
        )
        bare = {*net["data"]} <= {"table", "where", "with", "rows"}
        need(bare, "its network is trained on something other than rows of a table")
        self.plan = base.Plan(one["query"], one["schema"])
        self.unit, self.who = self.plan.unit, self.plan.who
        clip = base.number(net["clip"])
        wired = Wired(self.plan.columns, names, self.hidden(need), clip, self.plan.k, need)
        need(net["layers"][-1].get("out", wired.last) == wired.last, "its last layer does not fit its outcome")
        self.size, self.bound, self.shape = wired.size, wired.bound, wired.widths
        whole = type(self.steps) is int and type(net["seed"]) is int and 0 <= net["seed"] <= 2**31
        need(whole and 0 < self.steps <= MOST["steps"], "its network has no steps, or too many")
        self.rate = base.number(net["rate"])
        need(LOW <= self.rate <= 100, "its network moves by a rate that pets refuses")
        self.form = self.plan.form | {"pets": "train plan", "network": net, "inputs": wired.inputs}
        self.form |= {"widths": wired.widths, "bound": self.bound}
        self.moved = [
            {"kind": "people", "l0": 1, "l1": 1, "l2_squared": 1, "linf": 1},
            {"kind": "gradient"} | wired.moved,
        ]

    def hidden(self, need: Any) -> list[tuple[Any, Any]]:
        """Width and activation of each hidden layer; layers and activations stand in turns."""
        linear, between = self.net["layers"][::2], self.net["layers"][1::2]
        need(len(linear) == len(between) + 1, "its layers do not stand in turns")
        need(all({*one} == {"layer"} for one in between), "it has a layer that is none")
        for at, one in enumerate(linear):
            last = at == len(linear) - 1
            parts = {*one} == {"layer", "out"} or (last and {*one} == {"layer"})
            fine = parts and one["layer"] == "linear" and type(one.get("out", 1)) is int
            need(fine, "it has a layer that is none")
        return [(one["out"], after["layer"]) for one, after in zip(linear[:-1], between, strict=True)]
