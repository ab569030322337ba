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


class Plan:
    """The plan of a training; ``base`` is the planner's file."""

    def __init__(self, one: Any, base: Any) -> None:
        need, net = base.need, one["network"]
        self.net, self.steps = net, net["steps"]
        need(sorted(net) == NETWORK.split() and net["model"] == "network" and net["version"] == 1, "it is no network")
        names = [net["outcome"]["column"], *(part["column"] for part in net["columns"])]
        need(len({*names}) == len(names) and 1 < len(names) <= COLUMNS + 1, "its network has no columns, or too many")
        known = [{"filter": "not", "term": {"filter": "is_null", "column": name}} for name in names]
        counted = {"agg": "count", "where": {"filter": "and", "terms": known}}
        need(
            base.same(one["query"], net["data"] | {"agg": [["rows", counted]]}), "it is of other rows than its network"
        )
        bare = {*net["data"]} <= {"table", "where", "with", "rows"}
        need(bare, "its network is trained on something other than rows of a table")
        self.plan = base.Plan(one["query"], one["schema"])
        self.unit, self.who = self.plan.unit, self.plan.who
        outcome = self.plan.columns[names[0]]
        need(outcome.kind in ("boolean", "category") and 2 <= outcome.cells <= CLASSES, "its outcome has no classes")
        inputs = [part for name in names[1:] for part in self.inputs(name, need)]
        widths = self.widths(len(inputs), 1 if outcome.cells == 2 else outcome.cells, need)
        self.size = sum((before + 1) * after for before, after in pairwise(widths))
        held = self.size * self.plan.k
        small = len(inputs) <= MOST["inputs"] and self.size <= MOST["size"]
        need(small and held <= MOST["held"], "its network is too large")
        whole = type(self.steps) is int and type(net["seed"]) is int and 0 <= net["seed"] <= 2**31
        need(whole and 0 < self.steps <= MOST["steps"], "its network has no steps, or too many")
        self.rate, clip = (base.number(net[name]) for name in ("rate", "clip"))
        low = Q(1, 1000)
        need(low <= self.rate <= 100 and low <= clip <= 64, "its network moves by a rate or a clip that pets refuses")
        self.bound, self.shape = math.floor(clip * UNIT), widths
        self.form = self.plan.form | {"pets": "train plan", "network": net, "inputs": inputs}
        self.form |= {"widths": widths, "bound": self.bound}
        square = self.bound**2
        moved = {"l0": min(self.size, square), "l1": min(square, math.isqrt(self.size * square))}
        self.moved = [
            {"kind": "people", "l0": 1, "l1": 1, "l2_squared": 1, "linf": 1},
            {"kind": "gradient"} | moved | {"l2_squared": square, "linf": self.bound},
        ]

    def inputs(self, name: str, need: Any) -> list[Any]:
        """What a column gives the first layer."""
        of = self.plan.columns[name]
        fits = of.kind in ("integer", "real", "boolean") or (of.kind == "category" and of.cells <= LEVELS)
        need(fits and of.cells > 1, "a column of its network has no numbers")
        wide = of.kind == "category" and of.cells > 2
        return [{"column": name, "code": code} for code in range(1, of.cells)] if wide else [{"column": name}]

    def widths(self, first: int, last: int, need: Any) -> list[int]:
        """Of all layers, which stand in turns with their activations."""
        linear, between, out = self.net["layers"][::2], self.net["layers"][1::2], [first]
        need(len(linear) == len(between) + 1 <= MOST["hidden"] + 1, "its layers do not stand in turns, or are too many")
        need(all(one in ({"layer": "tanh"}, {"layer": "relu"}) for one in between), "it has a layer that is none")
        for at, one in enumerate(linear):
            width = one.get("out", last) if at == len(linear) - 1 else one["out"]
            fine = {*one} <= {"layer", "out"} and one["layer"] == "linear" and type(width) is int
            need(fine and 0 < width <= MOST["width"], "it has a layer that is none")
            out.append(width)
        need(out[-1] == last, "its last layer does not fit its outcome")
        return out
