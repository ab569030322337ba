"""A network that several sites trained together: each step is a release of theirs, at the weights to which those before
it lead. Nobody signs the network: all of it follows from what sites and coordinator signed (docs/proofs/training.md).
"""

import importlib.util
from pathlib import Path
from typing import Any


def beside(name: str) -> Any:
    """A file of the checker's own, read from beside this one: nothing of pets is imported."""
    found: Any = importlib.util.spec_from_file_location(f"check_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


Plan, DESCENT = beside("network_plan").Plan, beside("descent")
NAME, PARTS = "trained over sites", ["network", "pets", "releases", "version"]
NUMBERS = 20_000_000


def check(core: Any, one: Any, key: bytes) -> str:
    """What was found, in words."""
    need, same, releases, net = core.need, core.same, one["releases"], one["network"]
    if one["version"] != 1:
        raise core.CannotCheck("it was made in a way that this checker does not know; find a newer one")
    need(sorted(one) == PARTS and len(releases) == net["steps"] + 1, "it has other parts, or steps, than its network")
    first = releases[0]
    known = [{"filter": "not", "term": {"filter": "is_null", "column": name["column"]}}
             for name in (net["outcome"], *net["columns"])]  # fmt: skip
    counted = {"agg": "count", "where": {"filter": "and", "terms": known}}
    plan = Plan({"network": net, "query": net["data"] | {"agg": [["rows", counted]]}, "schema": first["schema"]}, core)
    need(plan.steps * plan.size <= NUMBERS, "it has more numbers than this checker holds")
    step = {"agg": "gradient", "outcome": net["outcome"], "inputs": net["columns"], "norm": net["clip"]}
    step["hidden"] = [{"layer": name, "out": width} for width, name in plan.hidden(need)]
    made = {"people": first["values"][0], "network": net, "sums": [release["values"] for release in releases[1:]]}
    weights = [None, *DESCENT.places(made, plan.shape, float(plan.rate))]
    total, words = 0, ""
    for release, at in zip(releases, weights, strict=True):
        asked = net["data"] | {"agg": [["step", step if at is None else step | {"at": at}]]}
        follows = same(release["query"], asked)
        need(follows, "a step is of other rows, or at other weights, than those before it lead to")
        alike = [[part["schema"], part["data"]] + [part["sharing"][name] for name in ("roster_sha256", "secure")]
                 for part in (first, release)]  # fmt: skip
        need(same(*alike), "its steps are of other sites, or of another schema")
        bare = {name: part for name, part in release.items() if name != "digest"}
        need(release["digest"] == core.sha256(core.canonical(bare)), "a step of it was edited")
        words = core.sharing.check(core, bare, key)
        total += release["cost"]["loss"]
    told = f"{plan.steps} steps of {plan.size} numbers, each checked alone; {total} units at each site in all"
    return f"{words}\n  (of the last step)\n  {told}; its weights follow from them"
