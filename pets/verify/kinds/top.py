"""Groups chosen by noise, derived anew: the plan of the counts, the candidates, and what the choice loses.

The page docs/proofs/top_keys.md has the reasons.
"""

from fractions import Fraction as Q
from typing import Any

PARTS = """analyst budget candidates cost counted data dataset delta epsilon guarantee id issued_at k notes pets plan
  project protection query rho rows scale schema snapshot table version"""
COUNTED = {"count_units": "people", "count": "rows"}


class Plan:
    """The plan of one count, by whose noisy values k groups are chosen; ``base`` is the planner's file."""

    def __init__(self, one: Any, base: Any) -> None:
        need, self.k = base.need, one["k"]
        self.plan = base.Plan(one["query"], one["schema"])
        asked = [part["agg"] for _, part in one["query"]["agg"]]
        need(asked in (["count"], ["count_units"]), "it chooses by something else than one count")
        keys = one["query"].get("by", [])
        need(
            keys and all({*key} == {"key", "column"} and key["key"] == "column" for key in keys), "its groups are none"
        )
        need(type(self.k) is int and 0 < self.k < self.plan.groups, "it chooses none of its groups, or all of them")
        self.unit, self.moved = self.plan.unit, self.plan.measures[0]["sensitivity"]["linf"]
        self.who: str = self.plan.who
        self.counted = "people" if self.unit is None or self.plan.said else COUNTED[asked[0]]
        self.form = self.plan.form | {"pets": "top plan", "k": self.k}


def check_parts(one: Any, said: Any, plan: Plan, digest: str, base: Any) -> None:
    """The parts of a choice fit together, and are all that there is; what was chosen is among the candidates."""
    need = base.need
    need(sorted(one) == sorted(PARTS.split()), "the release has other parts than pets writes")
    told = {"dataset": one["schema"]["dataset"], "table": one["query"]["table"], "plan": digest}
    told |= {"candidates": plan.plan.groups, "counted": plan.counted}
    alike = base.same(told, {name: one[name] for name in told})
    need(alike, "its plan does not follow from its question and its schema")
    need(one["data"] in ("real", "dummy"), "its rows are neither real nor invented")
    need(one["data"] == "real" or said["budget"]["ledger"] == "memory", "a ledger on disk holds no invented rows")
    need(one["cost"]["delta"] == 0, "it costs a δ, which no choice takes")
    need(one["data"] == "real" or one["cost"]["loss"] == 0, "it costs something, and protects nobody")
    places, listed = base.places_of(one["rows"], plan.plan.sides), plan.form["layout"]["keys"]
    need(len(places) == plan.k, "it chose another number of groups than was asked for")
    need(listed is None or {*places} <= {*listed}, "it chose a group that is none of the listed ones")


def check_loss(one: Any, said: Any, plan: Plan, base: Any, loss: Any) -> None:
    """ρ and ε follow from k, the scale, and how far one person raises a count (docs/proofs/top_keys.md)."""
    need, cost = base.need, one["cost"]
    scale = Q(float(base.number(one["scale"])))
    need(scale > 0, "it chooses without noise")
    need(said["budget"]["currency"] == "zcdp", "its ledger counts no δ, and a choice is priced in ρ")
    loss.check_protection(one["protection"])
    need(not {"within", "pure"} & {*one["protection"]}, "it asks for a choice in a way that means nothing")
    exact = plan.k * (plan.moved / scale) ** 2 / 8 * loss.UNIT
    need(exact <= cost["loss"] <= exact * (1 + Q(1, loss.UNIT)) + 2, "its noise costs something else than it states")
    loss.check_meaning(one)


def sentence(one: Any, plan: Plan, who: str, base: Any, origin: str, memory: bool) -> str:
    """The guarantee."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    epsilon, delta = (float(base.number(one[name])) for name in ("epsilon", "delta"))
    k, kept, each = plan.plan.k, plan.plan.kept, plan.plan.each
    rows, looked = ("1 row" if count == 1 else f"{count} rows" for count in (k, kept))
    people = plan.plan.measures[0]["kind"] == "units"
    counted = f"{looked} of a person are looked at" if people else f"{rows} of a person count"
    counted += "" if people or each >= k else f", {each} in each group"
    said = plan.plan.said
    counted = f"one row a person is counted, made of at most {said}" if said else f"at most {counted}"
    return (
        f"Differentially private with ε = {epsilon:.6g} and δ = {delta:g}: adding or removing {who} changes the chance "
        f"of any choice of groups, and of any order of theirs, by at most that much; {counted}; the account of "
        "what else was released is kept "
        + ("by this session, in this process only." if memory else f"in the ledger {origin}.")
    )


def expected(one: Any, plan: Plan, who: str, core: Any) -> dict[str, Any]:
    """What the certificate says of the choice as it follows from the release; ``core`` is the checker's first file."""
    dp, inner = None, plan.plan
    if one["data"] == "real":
        dp = {name: one[name] for name in ("rho", "epsilon", "delta", "k")} | {"scales": [one["scale"]]}
        dp |= {"measure": "approx_zcdp", "neighbouring": f"{who} added or removed"}
        dp |= {"mechanism": ["gumbel, then the greatest"], "losses": [one["cost"]["loss"]]}
        bound = {"rows": inner.k, "kept_rows": inner.kept, "groups": inner.cap}
        dp |= {"contribution_bound": bound | ({"rows_per_group": inner.each} if inner.each < inner.k else {})}
        dp |= {"sensitivities": [{"kind": form["kind"]} | form["sensitivity"] for form in inner.measures]}
    return {"query": one["query"], "what": f"top_keys of {core.summary(one['query'])}", "dp": dp}


def moved(one: Any, plan: Plan, base: Any) -> str:
    """How far one person moves it, for people."""
    return (
        f"{plan.k} of {plan.plan.groups} groups by gumbel noise; one person raises each count by at most {plan.moved}"
    )
