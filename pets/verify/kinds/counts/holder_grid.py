"""Rounded counts over sites that are sums of the key holder's grid, derived anew: who signed what, and every number.

The key holder's grid is in the release, so each number is added up again from its cells. The page
docs/proofs/rounded.md has the reasons; what no program can know from the file is listed below.
"""

from typing import Any

PARTS = """answered certificates coordinator grid key_holder roster roster_sha256 secure sites version wording"""
GRID = """data holder issued_at parts pets round shown signature version"""
NOT_CHECKED = """not checked, since no program can know it from this file: that the cells are the rounded sums of the
  sites' counts (the key holder's signed word: no proof is claimed), by whose key the grid is signed (the roster names
  the key holder by a digest of all its keys), that it forgot the exact sums, that the roster is the one that was agreed
  (compare its digest), whose keys signed the sites' certificates; and what is said of a release of one ledger. Taken as
  stated: notes, constants in the question, times"""


def sentence(one: Any, told: Any, rules: Any) -> str:
    """What it is and is not."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    return (
        f"No differential privacy, and no ε: counts of people over {told['sites']} sites by the rule "
        f"{rules.words(one)}, which the key holder applied to the decrypted sums of one grid's cells before anything "
        "left it. Every number is a sum of cells of that grid as they are shown, and all tables of it together tell no "
        "more than its cells: each small one leaves open the interval that is shown for it. No proof is claimed: that "
        "the key holder applied the rule, showed this one grid and forgot the exact sums is its signed word. No single "
        "site's part was shown to anybody, as long as key holder and coordinator do not collude; together they could "
        "open each site's exact counts. Other releases about the same people may narrow a cell, and who knows all "
        "others of it may learn of the last one (unbounded; named on every later release of each site)."
    )


def check_roster(core: Any, told: Any, key: bytes) -> Any:
    """The roster holds together, and the block says of it what it says; all of its sites are in."""
    roster, need = told["roster"], core.need
    full = told | {name: roster[name] for name in ("dropouts", "colluding")}
    full |= {"sites_per_person": roster["sites_per_person"]}
    full["honest"] = len(roster["members"]) - roster["dropouts"] - roster["colluding"]
    core.sharing.check_roster(core, full, key)
    need(told["answered"] == [site["name"] for site in roster["members"]], "a site of its roster is not in it")
    need(roster["sites_per_person"] == 1, "it counts people of sites that share some as if they were others")
    return roster


def check_grid(core: Any, told: Any, roster: Any) -> None:
    """The key holder signed it, and its round; each site signed its envelope in that round."""
    need, grid = core.need, told["grid"]
    need(sorted(grid) == GRID.split(), "the key holder's grid has other parts than pets writes")
    need([grid["pets"], grid["version"]] == ["key-holder-grid", 1], "it has a grid that is none")
    holder, asked = bytes.fromhex(grid["holder"]), grid["round"]
    for form, domain in ((grid, b"pets he grid 1\0"), (asked, b"pets he round 1\0")):
        bare = {name: part for name, part in form.items() if name != "signature"}
        core.verify(holder, bytes.fromhex(form["signature"]), domain + core.canonical(bare))
    names = [site["name"] for site in roster["members"]]
    need(
        [part["party"] for part in grid["parts"]] == [f"site-{at:04d}" for at in range(len(names))], "a site is not in"
    )
    signed = {
        name: {part: form[part] for part in ("nonce", "payload", "signature")}
        for name, form in zip(names, grid["parts"], strict=True)
    }
    about = {"id": asked["id"], "query": asked["query"], "schema": asked["schema"], "plan": asked["plan"]}
    about["protection"] = asked["noise"]
    whole = {"roster": roster, "round": asked, "noise": None, "terms": None, "signatures": signed}
    core.envelopes.check(core, about, whole, core.Plan(asked["query"], asked["schema"]), 0)
    need(grid["data"] == roster["members"][0]["data"], "its grid is of other rows than its sites have")


def check_sums(core: Any, one: Any, grid: Any, plan: Any) -> None:
    """Each number is the sum of the grid's cells as they are shown."""
    need, rules, rule = core.need, core.rounded.RULES, plan.rule
    need(len(grid["shown"]) == plan.grid.groups, "its grid has another number of cells than its plan")
    for number in grid["shown"]:
        need(type(number) is int and rules.shows(rule, number), "a cell is shown as its rule shows no count")
    need(len(one["counts"]) == len(plan.cells), "it has another number of counts than its question")
    for several, cells in zip(one["counts"], plan.cells, strict=True):
        need(len(several) == len(cells), "it has another number of counts than its question")
        for counts, groups in zip(several, cells, strict=True):
            sums = {name: [0] * plan.plan.groups for name in ("cells", "hidden", "high", "low", "shown")}
            for at, number in zip(groups, grid["shown"], strict=True):
                if at >= 0:
                    low, high = rules.ends(rule, number)
                    value = rules.middle(rule) if number == -1 else number
                    added = {"cells": 1, "hidden": int(number == -1), "high": high, "low": low, "shown": value}
                    for name, part in added.items():
                        sums[name][at] += part
            need(core.same(counts, sums), "a number is not the sum of the key holder's cells")


def check_certificates(core: Any, told: Any, words: str) -> int:
    """What each site's ledger certified is its part of this grid."""
    asked, grid = told["grid"]["round"], told["grid"]
    for name, envelope in told["certificates"].items():
        said = core.sharing.stated(core, envelope)
        wanted = {"release_id": asked["id"], "plan_sha256": asked["plan"], "query": asked["query"]}
        wanted |= {"protection": asked["noise"], "guarantee": words, "dp": None}
        core.need(name in told["answered"], "a site certified that it answered, and it is not on the roster")
        alike = core.same({part: said.get(part) for part in wanted}, wanted)
        here = {"site": name, "roster_sha256": told["roster_sha256"], "secure": "encrypted"}
        here["key_holder"] = told["key_holder"]
        alike = alike and core.same({part: said["federation"].get(part) for part in here}, here)
        about = {"metadata_sha256": core.sha256(core.canonical(asked["schema"])), "rows": grid["data"]}
        alike = alike and core.same({part: said["dataset"].get(part) for part in about}, about)
        core.need(alike, f"the certificate of site {name} is of something else")
    return len(told["certificates"])


def check(core: Any, one: Any, key: bytes) -> str:
    """What was found, in words; ``core`` is the checker's first file."""
    need, same, told, rounded = core.need, core.same, one["sharing"], core.rounded
    if (told.get("version"), told.get("wording"), one.get("version")) != (1, 2, 1):
        raise core.CannotCheck("it combines sites in a way that this checker does not know; find a newer one")
    core.known(one["query"], one["schema"])
    need(sorted(told) == PARTS.split(), "it has other parts than pets writes")
    need(sorted(one) == sorted([*rounded.COMMON.split(), "counts", "sharing"]), "it has other parts than pets writes")
    bare = one | {"sharing": {name: part for name, part in told.items() if name != "coordinator"}}
    core.verify(key, bytes.fromhex(told["coordinator"]), b"pets.federated.release.v1\0" + core.canonical(bare))
    roster = check_roster(core, told, key)
    check_grid(core, told, roster)
    grid, first = told["grid"], roster["members"][0]
    need(
        same([one["schema"], one["protection"]], [grid["round"]["schema"], grid["round"]["noise"]]), "its grid differs"
    )
    need(one["protection"].get("kind") == "sdc", "it has another protection")
    plan = rounded.Plan(one | {"grid": {"query": grid["round"]["query"]}}, core.base)
    derived = {"plan": core.sha256(core.canonical(plan.form)), "dataset": one["schema"]["dataset"], "rule": plan.rule}
    derived |= {"table": one["query"]["table"], "data": first["data"], "budget": None, "project": "federation"}
    derived["snapshot"] = f"federated {grid['round']['id']}"
    derived["cost"] = {"currency": first["currency"], "loss": 0, "delta": 0}
    derived["guarantee"] = sentence(one | {"data": first["data"]}, told, rounded.RULES)
    wrong = [name for name in derived if not same(one[name], derived[name])]
    need(not wrong, f"it promises something else than follows from its sites ({', '.join(wrong)})")
    check_sums(core, one, grid, plan)
    count = check_certificates(core, told, sentence(one | {"data": "real"}, told, rounded.RULES))
    by = f"{told['sites']} of {told['sites']} sites signed their envelopes; roster {told['roster_sha256']}"
    carried = f"{count} certificate(s) carried; whose keys signed them is not checked here"
    seen = f"each number is the sum of the {len(grid['shown'])} cells that the key holder signed"
    return f"{one['guarantee']}\n  derived anew: {seen}; {by}; {carried}\n  {NOT_CHECKED}"
