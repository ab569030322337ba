"""Released keys, derived anew: the plan, how far one person moves it, and what the threshold leaves to chance.

The page docs/proofs/group_keys.md has the reasons. δ is worked out here from the law of the discrete Gaussian itself,
not by the bound that pets charges.
"""

import math
from fractions import Fraction as Q
from itertools import pairwise
from typing import Any

PARTS = """budget analyst cost data dataset delta epsilon guarantee id issued_at keys notes people pets plan project
  protection rho rows scale schema snapshot table threshold version"""
LISTED = ("text", "category", "boolean", "integer", "date")
WIDE = 1e5  # a scale up to this is added up, number by number


class Plan:
    """What is counted to find keys; ``base`` is the planner's file."""

    def __init__(self, one: Any, base: Any) -> None:
        need, asked, schema = base.need, one["keys"], one["schema"]
        plan = base.Plan({"table": asked["table"], "agg": []}, schema)
        self.unit, self.kept, self.columns, self.groups = plan.unit, plan.kept, plan.columns, asked["groups"]
        self.who: str = plan.who
        need({*asked} <= {"table", "by", "groups", "where"}, "it asks for keys in a way that pets does not know")
        need(0 < self.groups <= min(self.kept, 16), "it counts a person in more keys than rows of them are kept")
        need(asked["by"] and len({*asked["by"]}) == len(asked["by"]), "its keys have no columns, or one twice")
        need(
            all(self.columns[name].kind in LISTED for name in asked["by"]), "a column of its keys has no single values"
        )
        where = base.condition(asked["where"], self.columns) if "where" in asked else None
        self.form = {"pets": "key plan", "version": 1, "keys": asked, "dataset": schema["dataset"], "unit": self.unit}
        self.form |= {"schema": base.sha256(base.canonical(schema)), "kept_rows": self.kept, "where": where}


def shows(groups: int, scale: float, threshold: int) -> float:
    """The chance that one of a person's own keys, each of one person, reaches the threshold."""
    away = threshold - 1
    if (
        scale > WIDE
    ):  # Σ over k ≥ n of exp(-k²/2σ²) is at most its integral from n - 1, and Σ over all is at least √(2π)σ
        one = math.erfc((away - 1) / (scale * math.sqrt(2))) / 2
    else:
        reach = range(1, max(away, math.ceil(40 * scale)) + math.ceil(40 * scale) + 2)
        mass = [math.exp(-k * k / (2 * scale * scale)) for k in reach]
        one = math.fsum(mass[away - 1 :]) / (1 + 2 * math.fsum(mass))
    return -math.expm1(groups * math.log1p(-one))


def check_parts(one: Any, said: Any, plan: Plan, digest: str, base: Any) -> None:
    """The parts of released keys fit together, and are all that there is."""
    need = base.need
    need(sorted(one) == sorted(PARTS.split()), "the release has other parts than pets writes")
    told = {"dataset": one["schema"]["dataset"], "table": one["keys"]["table"], "plan": digest}
    alike = base.same(told, {name: one[name] for name in told})
    need(alike, "its plan does not follow from its question and its schema")
    need(one["data"] in ("real", "dummy"), "its rows are neither real nor invented")
    need(one["data"] == "real" or said["budget"]["ledger"] == "memory", "a ledger on disk holds no invented rows")
    free = one["cost"]["loss"] == 0 and one["cost"]["delta"] == 0
    need(one["data"] == "real" or free, "it costs something, and protects nobody")
    check_rows(one, plan, base, base.TEXTS)


def check_rows(one: Any, plan: Plan, base: Any, texts: Any) -> None:
    """The keys are values of their columns, in order, each with a noisy count that reaches the threshold."""
    need, rows, asked = base.need, one["rows"], one["keys"]["by"]
    need(len(rows) == len(one["people"]) <= base.MANY, "it has another number of counts than of keys")
    need(all(type(n) is int and one["threshold"] <= n < 2**63 for n in one["people"]), "a count is below its threshold")
    order = [[(value is None, "" if value is None else value) for value in row] for row in rows]
    need(all(a < b for a, b in pairwise(order)), "its keys are not in order, each once")
    for row in rows:
        for name, value in zip(asked, row, strict=True):
            of = plan.columns[name]
            if value is None:
                need(of.nullable, "a key has no value where the schema says that there always is one")
            elif of.kind == "text":
                need(texts.spelt(of.form, value) == value, "a key is no text of its column")
            elif of.kind == "boolean":
                need(type(value) is bool, "a key is no value of its column")
            else:
                need(len(of.listed([value])) == 1, "a key is no value of its column")


def check_loss(one: Any, said: Any, plan: Plan, base: Any, loss: Any) -> None:
    """ρ, δ and ε follow from the scale and the threshold (docs/proofs/group_keys.md)."""
    need, number, unit, delta_unit = base.need, base.number, loss.UNIT, 10**18
    sigma, cost = Q(float(number(one["scale"]))), one["cost"]
    need(sigma > 0 and type(one["threshold"]) is int and one["threshold"] > 1, "its noise or its threshold is none")
    need(said["budget"]["currency"] == "zcdp", "its ledger counts no δ, and keys always take one")
    loss.check_protection(one["protection"])
    need(not {"within", "pure"} & {*one["protection"]}, "it asks for keys in a way that means nothing")
    exact = Q(plan.groups, 2) / sigma**2 * unit
    need(exact <= cost["loss"] <= exact * (1 + Q(1, unit)) + 2, "its noise costs something else than it states")
    true = shows(plan.groups, float(sigma), one["threshold"])
    need(true * delta_unit <= cost["delta"] * (1 + 1e-9), "a key of one person shows more often than it states")
    loss.check_meaning(one)


def sentence(one: Any, plan: Plan, who: str, base: Any, origin: str, memory: bool) -> str:
    """The guarantee."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    groups = "1 key" if plan.groups == 1 else f"{plan.groups} keys"
    epsilon, delta = (float(base.number(one[name])) for name in ("epsilon", "delta"))
    return (
        f"Differentially private with ε = {epsilon:.6g} and δ = {delta:g}: adding or removing {who} changes the chance "
        f"of any released list of keys by at most that much; a person is counted in at most {groups}; a key that one "
        f"person alone has shows with a chance of at most {one['cost']['delta'] / 10**18:.3g}; the account of what "
        "else was released is kept "
        + ("by this session, in this process only." if memory else f"in the ledger {origin}.")
    )


def expected(one: Any, plan: Plan, who: str, core: Any) -> dict[str, Any]:
    """What the certificate says of the keys as it follows from the release; ``core`` is the checker's first file."""
    by, where = ", ".join(one["keys"]["by"]), " and ".join(core.columns_in(one["keys"].get("where")))
    summary, dp = f"group_keys by {by}" + f" where {where}" * bool(where), None
    if one["data"] == "real":
        groups = plan.groups
        dp = {name: one[name] for name in ("rho", "epsilon", "delta", "threshold")} | {"scales": [one["scale"]]}
        dp |= {"measure": "approx_zcdp", "neighbouring": f"{who} added or removed"}
        dp |= {"mechanism": ["discrete gaussian, then a threshold"], "losses": [one["cost"]["loss"]]}
        dp |= {"contribution_bound": {"rows": plan.kept, "kept_rows": plan.kept, "groups": groups}}
        norms = {"l0": groups, "l1": groups, "l2_squared": groups, "linf": 1}
        dp |= {"sensitivities": [{"kind": "keys"} | norms], "threshold_delta": one["cost"]["delta"]}
    return {"keys": one["keys"], "what": summary, "dp": dp}


def moved(one: Any, plan: Plan, base: Any) -> str:
    """How far one person moves it, for people."""
    chance = shows(plan.groups, float(base.number(one["scale"])), one["threshold"])
    return (
        f"discrete gaussian noise; one person moves {plan.groups} counts by 1; a key of theirs alone shows with a "
        f"chance of {chance:.3g}"
    )
