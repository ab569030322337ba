"""A trained network: what all steps lose, its weights, and what it may promise, derived anew.

The page docs/proofs/training.md has the reasons.
"""

import importlib.util
from fractions import Fraction as Q
from pathlib import Path
from typing import Any


def beside(name: str) -> Any:
    """A file of the checker's own, read from beside this one: nothing of pets is imported."""
    found: Any = importlib.util.spec_from_file_location(f"check_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


Plan, weights_of = beside("network_plan").Plan, beside("descent").weights
NUMBERS = 20_000_000
PARTS = """analyst budget cost data dataset delta epsilon guarantee id issued_at losses mechanism network notes people
  pets plan project protection query rho scales schema snapshot sums table version weights"""


def check_parts(one: Any, said: Any, plan: Any, digest: str, base: Any) -> None:
    """The parts of a training fit together, and are all that there is; its weights follow from its sums."""
    need = base.need
    need(sorted(one) == sorted(PARTS.split()), "the release has other parts than pets writes")
    told = {"dataset": one["schema"]["dataset"], "table": one["query"]["table"], "plan": digest}
    need(
        base.same(told, {name: one[name] for name in told}), "its plan does not follow from its network and its schema"
    )
    need(one["data"] in ("real", "dummy"), "its rows are neither real nor invented")
    need(one["data"] == "real" or said["budget"]["ledger"] == "memory", "a ledger on disk holds no invented rows")
    need(one["cost"]["delta"] == 0, "it costs a δ, which no training takes")
    need(one["data"] == "real" or one["cost"]["loss"] == 0, "it costs something, and protects nobody")
    need(one["mechanism"] == "gaussian" and len(one["scales"]) == 2, "its noise is not that of a training")
    need(plan.steps * plan.size <= NUMBERS, "it has more numbers than pets releases")
    many = len(one["sums"]) == plan.steps and all(len(sums) == plan.size for sums in one["sums"])
    need(many, "it has another number of steps, or of numbers in one, than its network")
    numbers = [one["people"], *(value for sums in one["sums"] for value in sums)]
    need(all(type(value) is int and abs(value) < 2**63 for value in numbers), "a number is no whole number")
    need(
        base.same(one["weights"], weights_of(one, plan.shape, float(plan.rate))),
        "its weights do not follow from its noisy sums",
    )


def check_loss(one: Any, said: Any, plan: Any, base: Any, loss: Any) -> None:
    """ρ and ε follow from the two scales, the clip and the number of steps (docs/proofs/training.md)."""
    need, losses = base.need, one["losses"]
    need(said["budget"]["currency"] == "zcdp", "its ledger counts no δ, and a training is priced in ρ")
    loss.check_protection(one["protection"])
    need(not {"within", "pure"} & {*one["protection"]}, "it asks for a training in a way that means nothing")
    need(len(losses) == 2 and all(type(part) is int for part in losses), "it has not two losses")
    for scale, moved, part in zip(one["scales"], plan.moved, losses, strict=True):
        sigma = Q(float(base.number(scale)))
        need(sigma > 0, "it was trained without noise")
        exact = Q(moved["l2_squared"], 2) / sigma**2 * loss.UNIT
        need(exact <= part <= exact * (1 + Q(1, loss.UNIT)) + 2, "its noise loses something else than it states")
    need(one["cost"]["loss"] == losses[0] + plan.steps * losses[1], "its steps cost something else together")
    loss.check_meaning(one, 1 + plan.steps)


def sentence(one: Any, plan: Any, who: str, base: Any, origin: str, memory: bool) -> str:
    """The guarantee."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    epsilon, delta = (float(base.number(one[name])) for name in ("epsilon", "delta"))
    rows = "1 row" if plan.plan.k == 1 else f"{plan.plan.k} rows"
    steps = "1 step" if plan.steps == 1 else f"all {plan.steps:,} steps"
    return (
        f"Differentially private with ε = {epsilon:.6g} and δ = {delta:g}: adding or removing {who} changes the chance "
        f"of any released sums of {steps}, and of any network made of them, by at most that much; at most {rows} of a "
        "person count; the account of what else was released is kept "
        + ("by this session, in this process only." if memory else f"in the ledger {origin}.")
    )


def expected(one: Any, plan: Any, who: str, core: Any) -> dict[str, Any]:
    """What the certificate says as it follows from the release; ``core`` is the checker's first file."""
    dp, inner, net = None, plan.plan, plan.net
    if one["data"] == "real":
        dp = {name: one[name] for name in ("rho", "epsilon", "delta", "scales", "losses")} | {"steps": plan.steps}
        dp |= {"measure": "approx_zcdp", "neighbouring": f"{who} added or removed"}
        dp |= {"mechanism": ["discrete gaussian"] * 2, "sensitivities": plan.moved}
        dp |= {"contribution_bound": {"rows": inner.k, "kept_rows": inner.kept, "groups": inner.cap}}
    columns = ", ".join(part["column"] for part in net["columns"])
    what = f"train {net['outcome']['column']} by {columns}; {core.summary(one['query'])}"
    return {"query": one["query"], "network": net, "what": what, "dp": dp}


def moved(one: Any, plan: Any, base: Any) -> str:
    """How far one person moves it, for people."""
    return (
        f"{plan.steps} steps of {plan.size} numbers, discrete gaussian noise; one person moves a step by L2² "
        f"{plan.moved[1]['l2_squared']}; the weights follow from the noisy sums"
    )
