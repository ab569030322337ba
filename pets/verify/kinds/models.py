"""What was worked out from one release, such as a regression: bound to it by a signed entry, and worked out again.

The form holds the release, which is checked as any is; what is done with it keeps its promise. Where several sites
answered, no ledger enters it, and nothing in it is anybody's word: all of it follows from the release that they and
their coordinator signed. The page docs/proofs/post_processing.md has the reasons; each kind has a file of its own,
which does the arithmetic.
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


KINDS = {"fit": (beside("fits"), "a regression"), "survival": (beside("curves"), "a survival curve")}
STEPS = beside("steps")
PARTS = ["from", "id", "kind", "made", "pets", "schema", "version"]
ALIKE = ("protection", "guarantee", "cost", "notes", "dp", "project_id", "agent_id")
"""What is stated of it as of its release."""


class Cells:
    """The numbers of a release by group; of a group, the names of its slots."""

    def __init__(self, core: Any, one: Any, plan: Any) -> None:
        self.query, self.schema, self.plan, self.core = one["query"], one["schema"], plan, core
        self.exact, self._values, self._outputs = one["mechanism"] == "none", one["values"], plan.form["outputs"]
        self.keys = [key["column"] for key in self.query.get("by", [])]
        self.groups: list[list[str]] = [[]]
        for names in plan.names:
            self.groups = [[*group, name] for group in self.groups for name in names]
        told = {"table", "agg", "by", "where"}  # what a model's question may have
        core.need({*self.query} <= told and all(key["key"] == "column" for key in self.query.get("by", [])), "another")
        core.need(len(self.groups) == plan.groups, "its release has other groups than a model is made of")

    def known(self, group: list[str]) -> bool:
        """Whether each key of a group has a value."""
        pairs = zip(self.keys, group, strict=True)
        return not any(name == "missing" and self.plan.columns[key].nullable for key, name in pairs)

    def block(self, at: int) -> list[int]:
        """One number a group of a measure."""
        first = self.plan.groups * sum(self.plan.widths[:at])
        found: list[int] = self._values[first : first + self.plan.groups]
        return found

    def output(self, name: str) -> tuple[Any, list[list[int]], Any]:
        """How an output's answer is made of its measures, their numbers, and the first one's own form."""
        form = next(form for form in self._outputs if form["name"] == name)
        return form, [self.block(at) for at in form["parts"]], self.plan.measures[form["parts"][0]]

    def sums(self, name: str) -> list[Any]:
        """A count or a sum, exactly."""
        form, parts, _ = self.output(name)
        if form["kind"] == "count":
            return list(parts[0])
        factor, centre = self.core.number(form["factor"]), self.core.number(form["centre"])
        rows = parts[1] if len(parts) > 1 else [0] * self.plan.groups
        return [factor * weight + centre * n for weight, n in zip(parts[0], rows, strict=True)]

    def asks(self, wanted: dict[str, Any], by: int) -> None:
        """The question is the one that such a model is made of."""
        agg = [[name, form] for name, form in wanted.items()]
        alike = self.core.same(self.query["agg"], agg) and len(self.keys) >= by
        self.core.need(alike, "its release answers another question than such a model is made of")


def has(column: str) -> Any:
    """A count of the rows with a value."""
    return {"agg": "count", "where": {"filter": "not", "term": {"filter": "is_null", "column": column}}}


def true(column: str) -> Any:
    """A count of the rows in which it is true."""
    return {"agg": "count", "where": {"filter": "isin", "column": column, "values": [True]}}


def near(core: Any, one: Any, other: float, slack: float = 1e-9) -> bool:
    """Whether a stated number is another one, but for the rounding of floats."""
    return abs(float(core.number(one)) - other) <= slack * abs(other) + 1e-12


def of_sites(core: Any, one: Any, key: bytes) -> str:
    """The same of a release of several sites, or of the last step of a regression: the key is their coordinator's."""
    need, answers = core.need, one["from"]
    if not all(isinstance(answer, dict) and "sharing" in answer for answer in answers):
        raise core.CannotCheck("nobody has signed it: there is no certificate")
    if one["version"] != 1:
        raise core.CannotCheck("it was made in a way that this checker does not know; find a newer one")
    need(sorted(one) == PARTS and len(answers) == 1, "it has other parts than pets writes")
    (answer,), work = answers, KINDS[one["kind"]][0]
    alike = core.same([one["id"], one["schema"]], [answer["id"], answer["schema"]])
    need(alike, "it says something else than its release")
    if answer.get("pets") == "step" and one["kind"] == "fit":
        return str(STEPS.check(core, one["made"], answer, key, work.solved, near))
    words = core.check(core.canonical(answer), key).rpartition("\n  schema: ")[0]
    found = work.check(
        core, one["made"], Cells(core, answer, core.Plan(answer["query"], answer["schema"])), has, true, near
    )
    return f"{words}\n  worked out again from this release, so that nobody need sign it: {found}"


def check(core: Any, one: Any, said: Any, place: tuple[Any, Any, str], key: bytes, files: dict[str, str]) -> str:
    """What was found, in words. ``place``: entry, private part and subject."""
    need, same = core.need, core.same
    if (one["version"], said["form"], said["derived"]) != (1, 1, one["kind"]):
        raise core.CannotCheck("it was made in a way that this checker does not know; find a newer one")
    need(sorted(one) == PARTS and not files, "it has other parts than pets writes")
    core.check_entry(said, *place, events=("derived",))
    (answer,) = one["from"]
    need(answer.get("pets") == "release" and "sharing" not in answer, "it is made of something else than a release")
    core.check(core.canonical(answer), key)
    ours, (work, what) = core.opened(answer["certificate"], key)[1], KINDS[one["kind"]]
    need(ours["log"]["origin"] == said["log"]["origin"], "its release is of another ledger")
    need(ours["log"]["seq"] < said["log"]["seq"], "its release is younger than what was made of it")
    need(same(one["schema"], answer["schema"]), "its release has another schema")
    told = {name: ours[name] for name in ALIKE} | {"release_id": one["id"], "query": None, "plan_sha256": None}
    told |= {"dataset": ours["dataset"] | {"snapshot_id": ""}, "form": 1, "derived": one["kind"]}
    told["what"] = f"{what} of released counts"
    told["review"] = {"decision": "released", "checker": "pets", "reason": "within the policy", "at": said["issued_at"]}
    wrong = [name for name in sorted(told) if not same(told[name], said.get(name))]
    need(not wrong, f"its certificate promises something else ({', '.join(wrong)})")
    rest = {"budget", "log", "other_releases", "request_id", "issued_at"}
    need({*said} == {*told, *core.FREE, *rest}, "its certificate has other parts than pets writes")
    budget = said["budget"]
    need((budget["charged"], budget["charged_delta"]) == (0, 0), "it was charged again for an answer that was paid for")
    need(budget["before"] == budget["after"] <= budget["cap"], "its account does not add up")
    plan = core.Plan(answer["query"], answer["schema"])
    found = work.check(core, one["made"], Cells(core, answer, plan), has, true, near)
    return f"{said['guarantee']}\n  worked out again from release {answer['id']}: {found}\n  {core.UNKNOWABLE}"
