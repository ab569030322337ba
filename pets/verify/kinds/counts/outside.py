"""Rounded counts that are no sums of a grid's cells, derived anew: each is shown as the rule shows some count.

The page docs/proofs/rounded.md has the reasons. That a person let such a table leave, and about what, the log tells.
"""

import importlib.util
from pathlib import Path
from typing import Any


def beside(name: str) -> Any:
    """A file of the checker's own, read from the folder above this one: nothing of pets is imported."""
    found: Any = importlib.util.spec_from_file_location(f"check_{name}", Path(__file__).parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


ROUNDED = beside("rounded")
PROTECTIONS = ROUNDED.PROTECTIONS
PARTS = {"count": 1, "count_units": 1, "rate": 2}
SAID = {
    "proved": "Proved: of every small sum of people that was looked at, two tables of people agree with all of these "
    "numbers and lie at least {} apart in it, unless it was known as closely before.",
    "attack": "Not protected: a small number of people can be derived from all of them more closely than within {}, "
    "and the person let it leave all the same.",
    "undecided": "Not proved: that every small number of people stays open within {} was not shown, and the person let "
    "it leave all the same.",
}


class Plan:
    """The plan of a question about people, each of whom is counted once; ``base`` is the planner's file."""

    def __init__(self, one: Any, base: Any) -> None:
        self.plan = base.Plan(one["query"], one["schema"])
        base.need(self.plan.kept == 1, "it may count a person several times")
        self.kinds = [part["agg"] for _, part in one["query"]["agg"]]
        base.need(self.kinds and {*self.kinds} <= {*PARTS}, "it rounds what is no count of people")
        self.unit, self.who, self.form = self.plan.unit, self.plan.who, self.plan.form
        self.rule = ROUNDED.RULES.rule_of(one["protection"], base)


def check_parts(one: Any, said: Any, plan: Plan, digest: str, base: Any) -> None:
    """The parts fit together, and are all that there is; its numbers are of the rule, and its review is whole."""
    need, groups = base.need, plan.plan.groups
    ROUNDED.check_common(one, said, plan, digest, "review shown", base)
    need(one["data"] == "real", "no person lets out what is invented")
    need([len(several) for several in one["shown"]] == [PARTS[kind] for kind in plan.kinds], "it has other counts")
    for counts in (counts for several in one["shown"] for counts in several):
        need(len(counts) == groups, "it has another number of groups than its plan")
        shows = all(type(number) is int and ROUNDED.RULES.shows(plan.rule, number) for number in counts)
        need(shows, "a cell is shown as its rule shows no count")
    review = one["review"]
    parts = ["beside", "finding", "found", "releases", "salt", "width"]
    need(sorted(review) == parts, "its review has other parts than pets writes")
    texts = all(isinstance(review[name], str) for name in ("beside", "finding", "salt"))
    digits = texts and len(review["beside"]) == len(review["finding"]) == 64 and review["found"] in SAID
    numbers = type(review["width"]) is int and review["width"] > 0 and type(review["releases"]) is int
    need(digits and numbers and review["releases"] > 0, "its review tells nothing")
    need(review["width"] >= one["protection"].get("width", 3), "it promises less than its protection asks for")


def sentence(one: Any, plan: Plan, who: str, base: Any, origin: str, memory: bool) -> str:
    """What it is and is not."""
    review = one["review"]
    beside = "all " if review["found"] == "proved" else "what can be compared of "
    return (
        f"No differential privacy, and no ε: counts of people by the rule {ROUNDED.RULES.words(one)}. They are no sums "
        "of the grid's cells, and a person let them leave after they were compared with "
        f"{beside}{review['releases']:,} earlier release(s) without noise. "
        f"{SAID[review['found']].format(review['width'])} "
        "What others published, and what somebody knows besides, is not part of that (unbounded; named on every later "
        "release)."
    )


def expected(one: Any, plan: Plan, who: str, core: Any) -> dict[str, Any]:
    """What the certificate says of it as it follows from the release; ``core`` is the checker's first file."""
    return {"query": one["query"], "what": f"reviewed {core.summary(one['query'])}", "dp": None}


def moved(one: Any, plan: Plan, base: Any) -> str:
    """What was derived, for people."""
    return f"{len(plan.kinds)} outputs, each number shown as its rule shows a count"
