"""What noise costs and means, derived anew, and what may be asked for: the numbers of a promise (docs/proofs)."""

import importlib.util
import math
from fractions import Fraction as Q
from pathlib import Path
from typing import Any

_FOUND: Any = importlib.util.spec_from_file_location("check_plan", Path(__file__).with_name("plan.py"))
PLAN = importlib.util.module_from_spec(_FOUND)
_FOUND.loader.exec_module(PLAN)
need, number, same = PLAN.need, PLAN.number, PLAN.same
UNIT = 10**12  # units of ρ or ε in 1
SETTINGS = {"kind", "epsilon", "rho", "within", "delta", "pure", "confidence", "simultaneous"}


def check_protection(asked: Any) -> None:
    """What was asked for is one thing, said as pets says it: each setting where it has a meaning, and no other."""
    named = {*asked}
    one = named & {"epsilon", "rho", "within"}
    known = (
        named <= SETTINGS and len(one) == 1 and all(asked[name] is True for name in named & {"pure", "simultaneous"})
    )
    need(known, "it was asked for in a way that pets does not know")
    need("simultaneous" not in named or "within" in named, "it was asked for in a way that pets does not know")
    need("delta" not in named or ("epsilon" in named and "pure" not in named), "it asks for a δ that nothing takes")
    need(not {"pure", "rho"} <= named, "it asks for a ρ of noise that has none")
    need(all(number(asked[name]) > 0 for name in one), "it asks for nothing")
    need(0 < number(asked.get("delta", "0.001")) < Q(1, 100), "it asks for a δ that pets refuses")
    sure = number(asked.get("confidence", "0.9"))
    need(Q(1, 2) <= sure < 1 and sure != Q(95, 100), "it asks for a confidence that pets does not write")


def conversion(whole: Q, part: Q) -> float:
    """The δ at which a budget's ρ is told: what thresholds leave of its δ, and no more."""
    value = float(whole - part)
    return value if not part or Q(value) <= whole - part else math.nextafter(value, 0.0)


def epsilon(rho: float, delta: float) -> float:
    """The least ε for which ρ-zCDP gives (ε, δ)-DP by CKS20, Corollary 13.

    It is the least of αρ + (log(1/δ) - log α)/(α - 1) + log(1 - 1/α) over α > 1, where the slope is 0:
    (α - 1)²ρ = log(1/δ) - log α. The left side grows and the right side falls, so halving finds the one α.
    """
    if not rho:
        return 0.0
    need(0 < delta < 1, "it has no δ at which its ρ is an ε")
    low, high = -30.0, 45.0  # of log(α - 1)
    for _ in range(100):
        middle = (low + high) / 2
        more = math.exp(2 * middle) * rho < -math.log(delta) - math.log1p(math.exp(middle))
        low, high = (middle, high) if more else (low, middle)
    above = math.exp(low)
    least = (1 + above) * rho + (-math.log(delta) - math.log1p(above)) / above + low - math.log1p(above)
    return max(0.0, least)


def close(one: float, other: float) -> bool:
    """Whether two floating-point searches found the same."""
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other)) + 1e-15


def check_budget(one: Any, said: Any, entry: Any) -> None:
    """The account after the release, in the certificate and in the release."""
    held, told, zcdp = said["budget"], one["budget"], said["budget"]["currency"] == "zcdp"
    units = [held[name] for name in ("charged", "before", "after", "lifetime", "cap", "epoch")]
    need(all(type(part) is int and part >= 0 for part in units), "its account is not in whole units")
    need(held["before"] + held["charged"] == held["after"] <= held["cap"], "its account does not add up")
    need(held["after"] <= held["lifetime"], "its account has a life that is shorter than its budget")
    spent, kept = one["cost"], held.get("after_delta", 0)
    need(sorted(spent) == ["currency", "delta", "loss"] and spent["currency"] == held["currency"], "its cost is none")
    need("rows" in one or spent["delta"] == 0, "its cost has a δ")
    charged = (0, 0) if entry["event"] == "delivered" else (spent["loss"], spent["delta"])
    need((held["charged"], held["charged_delta"]) == charged, "it was charged something else than its cost")
    need(type(kept) is int and charged[1] <= kept <= number(held["threshold_delta"]) * 10**18, "its δ is not there")
    whole, part = number(held["delta"]), number(held["threshold_delta"])
    fits = 0 <= part < whole if zcdp else 0 == part == whole and held["currency"] == "pure"
    need(fits and 100 * whole < 1, "its budget is none")
    delta, most, cap = conversion(whole, part), float(number(held["epsilon_cap"])), held["cap"]
    means = [epsilon(units / UNIT, delta) if zcdp else units / UNIT for units in (cap, cap * (1 + 1e-9) + 2)]
    need(means[0] <= most * (1 + 1e-9) and most <= means[1] * (1 + 1e-9), "its cap is not what its budget's ε means")
    spent = epsilon(held["after"] / UNIT, delta) if zcdp else held["after"] / UNIT
    need(close(float(number(told["epsilon_spent"])), spent), "the ε that was spent is not that of its account")
    at = (delta if zcdp and held["after"] else 0) + kept / 10**18
    need(float(number(told["delta"])) == at, "its account is told at another δ")
    need(0 <= told["left"] <= held["cap"] - held["after"], "its account has less left than it states")
    names = {"cap": "cap", "currency": "currency", "epoch": "epoch", "lifetime": "lifetime", "spent": "after"}
    plain = {name: held[other] for name, other in names.items()} | {"epsilon_cap": held["epsilon_cap"]}
    plain |= {name: told[name] for name in ("left", "epsilon_spent", "delta")}
    plain |= {"threshold_spent": kept} if kept else {}
    need(same(told, plain), "the account that the release tells is not the certified one")
    more = {name: held[name] for name in ("charged", "charged_delta", "before", "after", "delta", "threshold_delta")}
    more |= {"scope": one["dataset"], "ledger": held["ledger"]} | {n: held[n] for n in plain if n in held}
    more |= {"after_delta": kept} if kept else {}
    need(same(held, more) and held["ledger"] in ("durable", "memory"), "its account tells more than pets writes")


def check_losses(one: Any, losses: list[int], plan: Any) -> None:
    """Each measure's loss, in units rounded up, is that of its sensitivity and its scale (docs/proofs/noise.md)."""
    gaussian = one["mechanism"] == "gaussian"
    need(len(losses) == len(plan.measures), "it has not one loss for each measure")
    for form, scale, loss in zip(plan.measures, one["scales"], losses, strict=True):
        moved, sigma = form["sensitivity"], Q(float(number(scale)))  # the very double that the noise was asked with
        need(sigma > 0, "it has a measure without noise")
        need(type(loss) is int and min(moved.values()) > 0, "a measure loses nothing")  # so that no losses cancel
        exact = (Q(moved["l2_squared"], 2) / sigma**2 if gaussian else moved["l1"] / sigma) * UNIT
        need(exact <= loss <= exact * (1 + Q(1, UNIT)) + 2, "a measure loses something else than it states")


def check_delta(one: Any, budget: Any) -> None:
    """An ε is told at the δ that was asked for, or at that of the budget when the request came (0 of Laplace noise).

    Keys have the δ of their threshold besides.
    """
    asked, delta, keys = one["protection"], float(number(one["delta"])), "rows" in one
    told = conversion(number(budget["delta"]), number(budget["threshold_delta"]))
    wanted = float(number(asked["delta"])) if "delta" in asked else told
    wanted = wanted + one["cost"]["delta"] / 10**18 if keys else wanted
    need(delta == (wanted if keys or one["mechanism"] == "gaussian" else 0), "its δ is another")


def check_noise(one: Any, losses: list[int], loss: int, budget: Any) -> None:
    """The charge, ρ and (ε, δ) are those of the losses, and what was asked for."""
    asked, zcdp, total = one["protection"], budget["currency"] == "zcdp", sum(losses)
    gaussian = zcdp and not asked.get("pure", False)
    need(one["mechanism"] == ("gaussian" if gaussian else "laplace"), "its noise is of another law than was asked")
    need(zcdp or not {"rho", "delta"} & {*asked}, "it asks for what its ledger does not count")
    # Bun and Steinke 2016: losses add up (Lemma 2.3), and ε-DP is ε²/2-zCDP (Proposition 1.4)
    need(loss == (-(-total * total // (2 * UNIT)) if zcdp and not gaussian else total), "it costs something else")
    rho = loss / UNIT if zcdp else None
    need(one["rho"] is None if rho is None else float(number(one["rho"])) == rho, "its ρ is not its cost")
    stated, delta = float(number(one["epsilon"])), float(number(one["delta"]))
    need(0 < delta < 0.01 if gaussian else delta == 0, "its δ is none")
    spare = 4 * len(losses)  # units that rounding may leave of what was asked for
    true = epsilon(loss / UNIT, delta) if gaussian else total / UNIT
    most = epsilon((loss * 1.0001 + spare) / UNIT, delta) if gaussian else (total * 1.0001 + spare) / UNIT
    need(true <= stated * (1 + 1e-9), "its noise is too little for the ε that it states")
    need(stated <= most, "its ε is not that of its noise")
    need(stated == float(number(asked.get("epsilon", one["epsilon"]))), "its ε is not the one that was asked for")
    need(loss <= number(asked.get("rho", loss)) * UNIT or "rho" not in asked, "it costs more than was asked for")


def check_meaning(one: Any, losses: int = 1) -> None:
    """ρ, δ and ε of keys are those of their cost, and of what was asked for; a δ of theirs is beside the budget's.

    ``losses``: how many add up to it, of each of which rounding may leave some units of what was asked for.
    """
    asked, spent, own = one["protection"], one["cost"]["loss"], one["cost"]["delta"] / 10**18
    at = float(number(asked["delta"])) if "delta" in asked else float(number(one["delta"])) - own
    need(float(number(one["rho"])) == spent / UNIT, "its ρ is not its cost")
    need(0 < at < 0.01, "its δ is none")
    stated = float(number(one["epsilon"]))
    least, most = (epsilon(units / UNIT, at) for units in (spent, spent * 1.0001 + 4 * losses))
    need(least <= stated * (1 + 1e-9) and stated <= most, "its ε is not that of its noise")
    need(stated == float(number(asked.get("epsilon", one["epsilon"]))), "its ε is not the one that was asked for")
    need("rho" not in asked or spent <= number(asked["rho"]) * UNIT, "it costs more than was asked for")
