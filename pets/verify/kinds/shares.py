"""Noise that several sites add in shares: what it costs, what it is on the total, and what it promises.

docs/proofs/secure_sum.md and refinement.md have the reasons.
"""

import math
from fractions import Fraction as Q
from typing import Any

NOISE = ["alone", "delta", "epsilon", "losses", "mechanism", "refine", "rho", "scales"]


def loss(moved: Any, share: Any, at: int, honest: int, size: int) -> Q:
    """ρ of the sum of the honest sites' shares (KLS21, Proposition 14); of one that stands alone, its own."""
    scale, finer = Q(float(Q(share["scales"][at]))), share["refine"][at]
    l1, l2 = moved["l1"] * finer, moved["l2_squared"] * finer**2
    if share["alone"]:
        return l1 / scale if share["mechanism"] == "laplace" else Q(l2, 2) / scale**2
    spread = honest * scale**2
    terms = [math.exp(-2 * math.pi**2 * float(scale) ** 2 * k / (k + 1)) for k in range(1, honest)]
    gap, root = 10 * math.fsum(terms), math.sqrt(honest) * float(scale)
    extra = [gap * size, (min(l1, math.sqrt(l2 * size))) * gap / root + gap**2 * size / 2]
    return Q(l2) / (2 * spread) + Q(min(extra))


def scale_of(share: Any, at: int, sites: int) -> float:
    """The scale of so many shares' sum on the plan's own grid, as that of a Gaussian of the same variance."""
    scale, finer = float(Q(share["scales"][at])), share["refine"][at]
    if share["mechanism"] == "laplace":
        fall = math.exp(-1 / scale)
        return math.sqrt(sites) * math.sqrt(2 * fall) / (1 - fall)
    return math.sqrt(sites * scale**2 / finer**2 + (finer > 1) / 12)


def check_noise(core: Any, one: Any, share: Any, plan: Any, told: Any) -> tuple[int, list[float]]:
    """The charge of the honest sites' shares, and the scales of the total's noise."""
    need, number, asked, m = core.need, core.number, one["protection"], told["sites_per_person"]
    need(
        sorted(share) == NOISE and len(share["scales"]) == len(share["refine"]) == len(plan.measures),
        "its noise is none",
    )
    first, alone = told["roster"]["members"][0], share["alone"]
    pure = first["currency"] == "pure" or bool(asked.get("pure"))
    need(alone is (told["secure"] == "local"), "its shares of noise are not those of its way to add up")
    need(
        share["mechanism"] == ("laplace" if pure else "gaussian") and (alone or not pure), "its noise is of another law"
    )
    for scale, finer in zip(share["scales"], share["refine"], strict=True):
        need(type(finer) is int and 1 <= finer <= 2**31 and finer % 2, "its grid is none")
        need(
            float(number(scale)) >= (0 if alone else 2) and (finer == 1 or not alone) and number(scale),
            "a share is none",
        )
    exact = []
    for at, (form, width) in enumerate(zip(plan.measures, plan.widths, strict=True)):
        moved = {"l1": form["sensitivity"]["l1"] * m, "l2_squared": form["sensitivity"]["l2_squared"] * m**2}
        exact.append(loss(moved, share, at, told["honest"], plan.groups * width) * core.UNIT)
    need(len(exact) == len(share["losses"]), "it has not one loss for each measure")
    pairs = list(zip(exact, share["losses"], strict=True))
    fits = all(true <= said + 1 and said <= true * (1 + Q(1, 10**8)) + 2 for true, said in pairs)
    need(fits, "a measure loses something else than it states")
    total = sum(share["losses"])
    cost = -(-total * total // (2 * core.UNIT)) if pure and first["currency"] == "zcdp" else total
    core.losses.check_protection(asked)
    least = min(float(site["delta"]) for site in told["roster"]["members"])
    wanted = float(number(asked["delta"])) if "delta" in asked else least
    delta, stated = float(number(share["delta"])), float(number(share["epsilon"]))
    need(delta == (0 if pure else wanted), "its δ is another")
    rho = None if first["currency"] == "pure" else cost / core.UNIT
    need(share["rho"] is None if rho is None else float(number(share["rho"])) == rho, "its ρ is not its cost")
    true = total / core.UNIT if pure else core.losses.epsilon(cost / core.UNIT, delta)
    need(true <= stated * (1 + 1e-9), "its noise is too little for the ε that it states")
    if "epsilon" in asked:
        need(stated == float(number(asked["epsilon"])), "its ε is not the one that was asked for")
    else:
        need(core.losses.close(true, stated), "its ε is not that of its noise")
    return cost, [scale_of(share, at, len(told["answered"])) for at in range(len(plan.measures))]


def promise(core: Any, one: Any, told: Any, plan: Any, cost: int) -> str:
    """The guarantee: who is protected, at what ε and δ, against whom."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    apart, closed = "as long as key holder and coordinator do not collude", told["secure"] == "encrypted"
    if told["noise"] is None:
        return (
            "No guarantee: these are exact totals of real rows over all sites (unbounded; named on every later release "
            "of each site). No single site's part was shown to the coordinator, the analyst or another site"
            + (f", {apart}; together they could open each site's." if closed else ".")
        )
    share, delta, m, c = told["noise"], float(core.number(one["delta"])), told["sites_per_person"], told["colluding"]
    who = plan.who
    at = f"ε = {float(core.number(one['epsilon'])):.6g}" + (f" and δ = {delta:g}" if delta else "")
    others = "" if c == 0 else f" and any {c} of the {told['sites']} sites" if c > 1 else " and any one other site"
    counted = f"at most {plan.k} row(s) of a person count at each site"
    counted = f"one row a person is counted, made of at most {plan.said}" if plan.said else counted
    against = "against everybody but the sites that hold the person's rows"
    if told["secure"] != "local":
        against = f"against readers, the analyst and the coordinator{others}, together, as long as {told['honest']} of "
        against += "the sites in the answer keep their noise to themselves" + f" and {apart}" * closed
    end = ""
    if closed:  # what one share gives where envelopes are opened
        squares = [
            form["sensitivity"]["l2_squared"] * m**2 * g**2
            for form, g in zip(plan.measures, share["refine"], strict=True)
        ]
        rho = sum(square / (2 * float(Q(s)) ** 2) for square, s in zip(squares, share["scales"], strict=True))
        end = " If the two collude, they can open single envelopes, and a site's own share of noise alone gives its"
        end += f" people ε = {core.losses.epsilon(rho, delta):.6g} at the same δ."
    return (
        f"Differentially private with {at}: adding or removing {who}, "
        + ("at one site" if m == 1 else f"across at most {m} sites")
        + f", changes the chance of any released table by at most that much, {against}; {counted}; "
        f"each site keeps its own account.{end}"
    )
