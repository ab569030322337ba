"""What was made of signed answers alone, such as a synthetic table: its bytes, the answers, what they cost together.

Whatever is done with protected answers keeps their promise, so a promise is that of the answers that the signed entry
names: each is derived anew from its own certificate. What was done with them nobody redoes. The page
docs/proofs/post_processing.md has the reasons.
"""

from typing import Any

PARTS, KINDS = ["from", "id", "kind", "manifest", "pets", "schema", "tables", "version"], ("synthetic",)
NOT_CHECKED = """not checked, since no program can know it from these files: that the rows are drawn from a model of
  these answers and of nothing else; and, of each answer, what pets/verify/check.py says of a release. Taken as stated:
  the settings, the model's errors, notes"""
ENGINE = """No formal guarantee: the engine saw the rows, and what it remembers of a person is not bounded (unbounded;
 named on every later release).""".replace("\n", "")
DUMMY = "Dummy data: the rows that the model was made from are invented, so no one's presence can show."
ALIKE = {"synthetic": "release_id", "project": "project_id", "analyst": "agent_id"}
ALIKE |= {name: name for name in ("guarantee", "cost", "notes", "issued_at")}


def answer(core: Any, envelope: Any, key: bytes, one: Any, said: Any) -> tuple[list[Any], int, bool]:
    """The plans of an answer, what it cost, and whether it is several that were charged as one."""
    need, same = core.need, core.same
    subject, part = core.opened(envelope, key)
    entry, private = core.placed(part["log"], key)
    core.check_entry(part, entry, private, subject)
    ours, data = said["dataset"], part["dataset"]
    need(same({**data, "snapshot_id": ""}, {**ours, "snapshot_id": ""}), "an answer is about other data")
    need(part["log"]["origin"] == said["log"]["origin"], "an answer is of another ledger")
    need(part["log"]["seq"] < said["log"]["seq"], "an answer is younger than what was made of it")
    need(part["budget"]["charged"] in (part["cost"]["loss"], 0), "an answer was charged something else than its cost")
    if part["query"] is None:
        return several(core, part, one["schema"]), part["cost"]["loss"], True
    core.known(part["query"], one["schema"])
    plan = core.Plan(part["query"], one["schema"])
    digest = core.sha256(core.canonical(plan.form))
    like = {
        "pets": "release",
        "id": part["release_id"],
        "project": part["project_id"],
        "analyst": part["agent_id"],
        **(part["dp"] or {}),
    }
    like |= {"dataset": data["id"], "table": data["table"], "snapshot": data["snapshot_id"], "data": data["rows"]}
    like |= {name: part[name] for name in ("query", "protection", "cost", "notes", "issued_at")}
    like["mechanism"] = part["dp"]["mechanism"][0].removeprefix("discrete ") if part["dp"] else "gaussian"
    told = core.expected(like, part, plan, digest)
    wrong = [name for name in sorted({*told, *part} - {*core.FREE}) if not same(told.get(name), part.get(name))]
    need(not wrong, f"an answer's certificate promises something else ({', '.join(wrong)})")
    if part["dp"] is not None:
        core.losses.check_losses(like, part["dp"]["losses"], plan)
        core.losses.check_noise(like, part["dp"]["losses"], part["cost"]["loss"], part["budget"])
    return [plan], part["cost"]["loss"], False


def several(core: Any, part: Any, schema: Any) -> list[Any]:
    """The plans of answers that were chosen one after another and charged as one; together they fit the charge."""
    plans: list[Any] = []
    total = 0
    if part["dp"] is None:  # of invented rows: nobody's presence can show
        return plans
    law = "gaussian" if part["cost"]["currency"] == "zcdp" else "laplace"
    if "rounds" not in part["dp"]:
        raise core.CannotCheck("it was made before certificates told the rounds of answers that were charged as one")
    for turn in part["dp"]["rounds"]:
        core.known(turn["query"], schema)
        plan = core.Plan(turn["query"], schema)
        core.need(core.sha256(core.canonical(plan.form)) == turn["plan_sha256"], "a round has another plan")
        core.need(turn["mechanism"] == law, "a round has noise of another law")
        core.losses.check_losses(turn, turn["losses"], plan)
        plans, total = [*plans, plan], total + sum(turn["losses"])
    core.need(total <= part["cost"]["loss"], "its rounds lose more than was charged for them")
    return plans


def rows_of(people: Any) -> list[set[str]]:
    """The tables that may be made of people: one with a row for each, or all whose rows their features read."""
    asked = people["people"]
    read = {feature["rows"]["table"] for _, feature in asked["features"] if "rows" in feature}
    return [{"people"}, read | ({asked["of"]} if "of" in asked else set())]


def promise(core: Any, said: Any, plans: list[Any], total: int, together: bool) -> tuple[Any, str]:
    """What may be stated of the noise, and the guarantee."""
    need, number, rows = core.need, core.number, said["dataset"]["rows"]
    if said["protection"]["kind"] != "dp":
        return None, ENGINE if rows == "real" else "Dummy data: the rows that the engine learnt from are invented."
    if rows == "dummy":
        return None, DUMMY
    need(plans and len({plan.k for plan in plans}) == 1, "its answers count another number of rows of a person each")
    dp, zcdp, plan = said["dp"], said["cost"]["currency"] == "zcdp", plans[0]
    stated, delta = float(number(dp["epsilon"])), float(number(dp["delta"]))
    need(0 < delta < 0.01 if zcdp else delta == 0, "its δ is none")
    least, spare = total / core.UNIT, (total * 1.001 + 9e3) / core.UNIT  # shares of a price are rounded down
    true, most = (core.losses.epsilon(rho, delta) if zcdp else rho for rho in (least, spare))
    need(true <= stated * (1 + 1e-9), "its answers lose more than the ε that it states")
    need(stated <= most and float(number(said["protection"]["epsilon"])) == stated, "its ε is not that of its answers")
    need(dp["rho"] is None if not zcdp else float(number(dp["rho"])) == total / core.UNIT, "its ρ is not its cost")
    who = plan.who
    terms: dict[str, Any] = {"measure": "approx_zcdp" if zcdp else "pure", "neighbouring": f"{who} added or removed"}
    terms |= {"contribution_bound": {"rows": plan.k, "kept_rows": plan.kept, "groups": None}}
    at = f"ε = {stated:.6g}" + (f" and δ = {delta:g}" if delta else "")
    how = "charged together before the first" if together else "each released and charged by itself"
    rows = "1 row" if plan.k == 1 else f"{plan.k} rows"
    return terms | {name: dp[name] for name in ("epsilon", "delta", "rho")}, (
        f"Differentially private with {at}: adding or removing {who} changes the chance of any synthetic table by at "
        f"most that much; at most {rows} of a person count. The rows are drawn from a model of {len(plans)} noisy "
        f"marginals, {how}; whatever is done with them keeps this."
    )


def check(core: Any, one: Any, said: Any, place: tuple[Any, Any, str], key: bytes, files: dict[str, str]) -> str:
    """What was found, in words. ``place``: entry, private part and subject; ``files``: the SHA-256 of tables' files."""
    need, same = core.need, core.same
    if one.get("kind") not in KINDS or (one["version"], said["form"], said["derived"]) != (1, 1, one["kind"]):
        raise core.CannotCheck("it was made in a way that this checker does not know; find a newer one")
    need(sorted(one) == PARTS, "it has other parts than pets writes")
    core.check_entry(said, *place, events=("derived",))
    manifest, schema, budget = one["manifest"], one["schema"], said["budget"]
    table = schema["tables"][said["dataset"]["table"]]
    unit = "row" if table["unit"] == "row" else table["unit"]["column"]
    people = manifest["settings"].get("people")
    need(people is not None or "people" not in manifest["settings"], "it says of no people that they are its rows")
    named = next(iter(one["tables"])) if people is None else said["dataset"]["table"]
    data = {"id": schema["dataset"], "table": named, "snapshot_id": "", "privacy_unit": unit}
    data |= {"metadata_sha256": core.sha256(core.canonical(schema)), "rows": said["dataset"]["rows"]}
    found = [answer(core, envelope, key, one, said) for envelope in one["from"]]
    total, together = sum(cost for _, cost, _ in found), any(several for _, _, several in found)
    need(len(found) == 1 or not together, "some of its answers were charged as one, and others not")
    need(people is None or one["tables"].keys() in rows_of(people), "its people are told of as a table's rows")
    for plan in (plan for plans, _, _ in found for plan in plans):
        of = {name: part for name, part in plan.query.items() if name not in ("by", "agg")}
        need(same(of if "people" in of else None, people), "its answers are about other people than it says")
    dp, words = promise(core, said, [plan for plans, _, _ in found for plan in plans], total, together)
    told = {"dp": dp, "guarantee": words, "dataset": data, "query": None, "plan_sha256": None, "form": 1}
    told["what"] = f"a synthetic table by {manifest['settings'].get('selection', manifest['method'])}"
    told |= {"cost": {"currency": budget["currency"], "loss": total, "delta": 0}, "derived": one["kind"]}
    told["review"] = {"decision": "released", "checker": "pets", "reason": "within the policy", "at": said["issued_at"]}
    wrong = [name for name in sorted(told) if not same(told[name], said[name])]
    need(not wrong, f"its certificate promises something else ({', '.join(wrong)})")
    parts = {*told, *core.FREE, "protection", *ALIKE.values(), "budget", "log", "other_releases", "request_id"}
    need({*said} == parts, "its certificate has other parts than pets writes")
    mine = {own: said[name] for own, name in ALIKE.items()} | {"dataset": data["id"], "made_from": data["rows"]}
    mine |= {"schema": data["metadata_sha256"], "method": said["protection"].get("method", "dp")}
    mine |= {} if dp is None else {name: dp[name] for name in ("epsilon", "delta", "rho")}
    alike = all(same(manifest[name], part) for name, part in mine.items()) and one["id"] == said["release_id"]
    need(alike and {*manifest["tables"]} == {*one["tables"]}, "its manifest says something else")
    need((budget["charged"], budget["charged_delta"]) == (0, 0), "it was charged again for answers that were paid for")
    need(budget["before"] == budget["after"] <= budget["cap"], "its account does not add up")
    for name, digest in files.items():
        need(digest in one["tables"].values(), f"{name} is no table that was signed: it was edited, or saved otherwise")
    bound = "; ".join(f"{name}: SHA-256 {digest}" for name, digest in one["tables"].items())
    given = ", ".join(files) or "none was given (--table FILE)"
    anew = f"derived anew: {len(found)} certificate(s), {total} units"
    return f"{words}\n  {anew}\n  tables: {bound}; files: {given}\n  {NOT_CHECKED}"
