"""A release over several sites: what it promises and costs, derived anew from its roster, its shares of noise and who
signed that they took part (docs/proofs/secure_sum.md, refinement.md). The key is the coordinator's, which signs it all.
"""

import base64
from typing import Any

PARTS = """answered certificates colluding coordinator dropouts honest key_holder noise roster roster_sha256 round
  secure signatures sites sites_per_person version"""
TERMS, SHARES = ("losses", "epsilon", "delta", "rho"), ("mechanism", "scales", "refine", "alone")
ORDER = {"pets": "federated-order", "version": 1, "step": None}
DOMAIN = b"pets.federated.v1\0"
NOT_CHECKED = """not checked, since no program can know it from this file: that the total is the sum of the sites'
  vectors, that each site drew its noise and keeps it, that the roster is the one that was agreed (compare its digest),
  whose keys signed the sites' certificates, who answered (local), by whose key a round is signed and that its total was
  opened rightly (encrypted); and what is said of a release of one ledger. Taken as stated: numbers, notes, constants in
  the question, times; analyst, confidence and until (local, encrypted), which no site signed"""


def check_roster(core: Any, told: Any, key: bytes) -> Any:
    """The roster holds together, and the block says of it what it says."""
    need, roster = core.need, told["roster"]
    members, (d, c, m) = roster["members"], (roster[name] for name in ("dropouts", "colluding", "sites_per_person"))
    n = len(members)
    need(roster["coordinator"] == key.hex(), "its roster names another coordinator than the key that was given")
    whole = all(type(part) is int for part in (d, c, m)) and 3 <= n <= 4096 and 1 <= m <= n and min(d, c) >= 0
    need(whole and n - 2 * d > c and n - d - c >= 1, "its roster's numbers do not go together")
    apart = all(len({site[name] for site in members}) == n for name in ("name", "key"))
    need(apart and len({(site["currency"], site["data"]) for site in members}) == 1, "its sites do not go together")
    wanted = {"sites": n, "dropouts": d, "colluding": c, "honest": n - d - c, "sites_per_person": m, "version": 1}
    wanted |= {"roster_sha256": core.sha256(core.canonical(roster))}
    wanted |= {"key_holder": roster["key_holder"] if told["secure"] == "encrypted" else None}
    need(core.same({name: told[name] for name in wanted}, wanted), "it says something else of its roster")
    names = [site["name"] for site in members]
    need(told["answered"] and set(told["answered"]) <= set(names), "who answered is not on its roster")
    need(len(set(told["answered"])) == len(told["answered"]), "a site answered twice")
    return roster


def check_signed(core: Any, one: Any, told: Any, least: int) -> None:
    """Enough sites signed that they are in the total: about this roster, this question, these shares of noise."""
    names = [site["name"] for site in told["roster"]["members"]]
    keys = [bytes.fromhex(site["key"]) for site in told["roster"]["members"]]
    core.need(len(told["answered"]) >= least, "fewer sites answered than must")
    if told["secure"] == "local":
        core.need(not told["signatures"], "its sites signed what they do not sign")
        return
    signed = told["signatures"]
    core.need(least <= len(signed) and set(signed) <= set(told["answered"]), "too few sites signed that they answered")
    if told["secure"] == "encrypted":
        core.need(set(signed) == set(told["answered"]), "a site answered, and signed no envelope")
        return
    shares = told["noise"] and {name: told["noise"][name] for name in SHARES}
    order = ORDER | {"id": one["id"], "roster": told["roster_sha256"], "analyst": one["analyst"], "shares": shares}
    order |= {name: one[name] for name in ("query", "protection")} | {name: told[name] for name in ("secure", "round")}
    order |= {"until": told["until"]} if "until" in told else {}
    order |= {"step": one["step"]} if "step" in one else {}  # (of a regression: steps.py)
    order["schema"] = core.sha256(core.canonical(one["schema"]))
    about = bytes.fromhex(told["roster_sha256"]) + bytes.fromhex(core.sha256(core.canonical(order)))
    context = bytes.fromhex(core.sha256(DOMAIN + about))
    bits = sum(1 << names.index(name) for name in told["answered"]).to_bytes(-(-len(names) // 8), "little")
    for name, form in signed.items():
        head = bytes([1, 2, 3]) + bytes.fromhex(one["id"]) + names.index(name).to_bytes(2, "big") + bits
        core.verify(keys[names.index(name)], bytes.fromhex(form["signature"]), DOMAIN + context + head)


def stated(core: Any, envelope: Any) -> Any:
    """What an envelope with one Ed25519 signature states; by whose key it is signed, no roster says."""
    core.need(len(envelope["signatures"]) == 1, "a site's certificate has not one signature")
    mark = envelope["signatures"][0]
    payload, sig = (base64.b64decode(text) for text in (envelope["payload"], mark["sig"]))
    signed = {"keyid": mark["keyid"], "sig": base64.b64encode(sig).decode()}
    again = {"payload": base64.b64encode(payload).decode(), "payloadType": core.KIND, "signatures": [signed]}
    well = core.same(envelope, again) and len(sig) == 64 and len(bytes.fromhex(signed["keyid"])) == 8
    about = core.read(payload)
    well = well and core.same([about["_type"], about["predicateType"]], core.TYPES)
    core.need(well, "a site's certificate is not one that a ledger signs")
    return about["predicate"]


def check_certificates(core: Any, one: Any, told: Any, words: str) -> int:
    """What each site's ledger certified is its part of this, and promises what this does (``words``)."""
    for name, envelope in told["certificates"].items():
        said = stated(core, envelope)
        wanted = {"release_id": one["id"], "plan_sha256": one["plan"], "query": one["query"], "cost": one["cost"]}
        wanted |= {"protection": one["protection"], "guarantee": words}
        federation = {part: told[part] for part in ("sites", "roster_sha256", "secure", "sites_per_person", "dropouts")}
        federation |= {part: told[part] for part in ("colluding", "honest", "key_holder")}
        wanted["federation"] = federation | {"site": name, "analyst": one["analyst"]}
        core.need(name in told["answered"], "a site certified that it answered, and it is not said to have")
        alike = core.same({part: said.get(part) for part in wanted}, wanted)
        alike = alike and said["dataset"]["metadata_sha256"] == core.sha256(core.canonical(one["schema"]))
        noise = {part: (said["dp"] or {}).get(part) for part in TERMS}
        alike = alike and core.same(noise, {part: (told["noise"] or {}).get(part) for part in TERMS})
        alike = alike and said["dataset"]["rows"] == one["data"]
        core.need(alike, f"the certificate of site {name} is of something else")
    return len(told["certificates"])


def check(core: Any, one: Any, key: bytes) -> str:
    """What was found, in words."""
    need, same, told = core.need, core.same, one["sharing"]
    if (
        told.get("version") != 1
        or told.get("wording", 1) not in (1, 2)
        or told.get("secure") not in ("masked", "encrypted", "local")
    ):
        raise core.CannotCheck("it combines sites in a way that this checker does not know; find a newer one")
    core.known(one["query"], one["schema"])
    more = {"wording", "until", *(["terms"] if told["secure"] == "encrypted" else [])}
    parts = sorted({*told} - more) == PARTS.split() and sorted({*one} - {"sharing"}) == core.PARTS.split()
    need(parts and (told["round"] is None) == (told["secure"] != "encrypted"), "it has other parts than pets writes")
    bare = one | {"sharing": {name: part for name, part in told.items() if name != "coordinator"}}
    core.verify(key, bytes.fromhex(told["coordinator"]), b"pets.federated.release.v1\0" + core.canonical(bare))
    roster = check_roster(core, told, key)
    n, first, share = told["sites"], roster["members"][0], told["noise"]
    exact, total = one["protection"]["kind"] != "dp", same(one["protection"], {"kind": "total"})
    invented = same([one["protection"], first["data"]], [{"kind": "exact"}, "dummy"])
    need(exact == (share is None) and (not exact or total or invented), "its noise is another")
    check_signed(core, one, told, n if total else n - roster["dropouts"])
    plan = core.Plan(one["query"], one["schema"])
    derived = {"plan": core.sha256(core.canonical(plan.form)), "dataset": one["schema"]["dataset"]}
    derived |= {"table": one["query"]["table"], "data": first["data"], "budget": None, "project": "federation"}
    derived |= {"pets": "release", "version": 1, "snapshot": f"federated {one['id']}"}
    derived["mechanism"] = "none" if exact else "gaussian"
    loss_, scales = 0, [0.0] * len(plan.measures)
    numbers = {"epsilon": None, "delta": None, "rho": None}
    if share is not None:
        loss_, scales = core.shares.check_noise(core, one, share, plan, told)
        numbers = {name: share[name] for name in numbers}
    if told["secure"] == "encrypted":
        core.envelopes.check(core, one, told, plan, loss_)
    charged = 0 if first["data"] == "dummy" else loss_
    derived |= numbers | {"cost": {"currency": first["currency"], "loss": charged, "delta": 0}}
    wrong = [name for name in derived if not same(one[name], derived[name])]
    need(not wrong, f"it promises something else than follows from its sites ({', '.join(wrong)})")
    size = plan.groups * sum(plan.widths)
    need(
        len(one["values"]) == size and all(type(value) is int for value in one["values"]), "a value is no whole number"
    )
    alike = [abs(float(core.number(a)) - b) <= 1e-6 * b for a, b in zip(one["scales"], scales, strict=True)]
    need(all(alike), "the noise on its total is not that of its shares")
    words = core.shares.promise(core, one, told, plan, charged)
    need(one["guarantee"] == words, "it promises something else in words")
    # a site promises this of its rows, invented or not, but where exact answers are of invented ones alone
    of_site = one if invented else one | {"data": "real"}
    count = check_certificates(core, one, told, core.shares.promise(core, of_site, told, plan, charged))
    carried = f"{count} certificate(s) carried; whose keys signed them is not checked here"
    by = f"{len(told['answered'])} of {n} sites answered; roster {told['roster_sha256']}"
    return f"{words}\n  derived anew: {charged} units at each site; {by}; {carried}\n  {NOT_CHECKED}"
