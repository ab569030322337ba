"""Encrypted totals: the key holder's round is of this roster and question, and each site signed its envelope in it.

A site signs SHA-256 of a header, which names the round by its digest and holds the terms of noise, and SHA-256 of what
it encrypted. docs/proofs/secure_sum.md has the reasons. By which key the round is signed, no roster says.
"""

from fractions import Fraction as Q
from typing import Any

ROUND = """aggregator honest id issued_at key least noise parties pets plan preset query schema seeds signature
  version"""
DEGREES = (4096, 8192)  # values of one ciphertext
MORE = 2  # values that every site appends to its vector


def check_terms(core: Any, told: Any, plan: Any, units: int) -> Any:
    """The terms that stand in every header: what the shares of noise cost, and what one alone gives."""
    share, terms = told["noise"], told["terms"]
    if share is None:
        core.need(terms is None, "its envelopes tell of noise, and there is none")
        return None
    names = ("scales", "refine", "epsilon", "delta", "rho")
    wanted = {name: share[name] for name in names} | {"honest": told["honest"]}
    wanted |= {"cost": {"currency": "zcdp", "loss": units, "delta": 0}}
    wanted |= {name: terms[name] for name in ("alone", "alone_epsilon")}
    core.need(core.same(terms, wanted), "its envelopes tell another noise")
    rho = Q(0)
    for form, scale, finer in zip(plan.measures, share["scales"], share["refine"], strict=True):
        moved = form["sensitivity"]["l2_squared"] * told["sites_per_person"] ** 2 * finer**2
        rho += Q(moved, 2) / Q(float(core.number(scale))) ** 2
    alone = float(rho), core.losses.epsilon(float(rho), float(core.number(share["delta"])))
    stated = [float(core.number(terms[name])) for name in ("alone", "alone_epsilon")]
    near = all(abs(one - other) <= 1e-6 * other for one, other in zip(stated, alone, strict=True))
    core.need(near, "its envelopes tell another noise of one site alone")
    return terms


def check(core: Any, one: Any, told: Any, plan: Any, units: int) -> None:
    """Raises Refused where a site signed no envelope of this round; ``units``: what the shares of noise lose."""
    need, asked, roster = core.need, told["round"], told["roster"]
    names = [site["name"] for site in roster["members"]]
    if "terms" not in told:
        raise core.CannotCheck(
            "it was made before releases carried the terms that the sites' envelopes are signed with"
        )
    exact, total = told["noise"] is None, sum((told["noise"] or {"losses": []})["losses"])
    least = len(names) if exact else len(names) - roster["dropouts"]
    parties = [
        {"name": f"site-{at:04d}", "sign": site["key"], "box": site["box"]} for at, site in enumerate(roster["members"])
    ]
    wanted = {"pets": "pets-he-round", "version": 1, "aggregator": None, "parties": parties, "least": least}
    wanted |= {"honest": least - roster["colluding"], "key": roster["key_holder"]}
    wanted |= {name: one[name] for name in ("id", "query", "schema", "plan")}
    if exact:
        wanted["noise"] = one["protection"]
    else:
        rho = asked["noise"].get("rho")
        need(rho is not None and float(core.number(rho)) == total / core.UNIT, "its round asks for another noise")
        wanted["noise"] = {"kind": "dp", "rho": rho}
    wrong = [name for name in wanted if not core.same(asked.get(name), wanted[name])]
    need(not wrong and sorted(asked) == ROUND.split(), f"its round is of something else ({', '.join(wrong)})")
    values = plan.groups * sum(plan.widths) + MORE
    head = {"pets": "he-envelope", "version": 1, "round": core.sha256(core.canonical(asked)), "key": asked["key"]}
    head |= {"plan": one["plan"], "preset": asked["preset"], "values": values, "data": roster["members"][0]["data"]}
    head |= {"noise": check_terms(core, told, plan, units)}
    for name, form in told["signatures"].items():
        need(sorted(form) == ["nonce", "payload", "signature"], "a site signed something else than an envelope")
        at, signed = names.index(name), set()
        for degree in DEGREES:
            whole = head | {"chunks": -(-values // degree), "party": f"site-{at:04d}", "nonce": form["nonce"]}
            digests = core.sha256(core.canonical(whole)) + form["payload"]
            said = b"pets he envelope 1\0" + bytes.fromhex(digests)
            try:
                core.verify(bytes.fromhex(parties[at]["sign"]), bytes.fromhex(form["signature"]), said)
            except core.Refused:
                continue
            signed.add(degree)
        need(signed, f"site {name} signed another envelope, or none")
