"""The answer to one question, or released keys: the whole certificate as it follows from the release (docs/proofs).

Every field of it is derived anew from the question, the schema and the noise, and compared.
"""

import importlib.util
import types
from pathlib import Path
from typing import Any


def beside(name: str) -> Any:
    """A file of the checker's own, read from beside this one: nothing of pets is imported."""
    found: Any = importlib.util.spec_from_file_location(
        f"check_{Path(name).name}", Path(__file__).parent / f"{name}.py"
    )
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


LOSS, KEYS, TOP, ROUNDED = beside("loss"), beside("kinds/keys"), beside("kinds/top"), beside("kinds/rounded")
OUTSIDE, TRAINING = beside("kinds/counts/outside"), beside("kinds/fitted/training")
CHOSEN = {"keys": KEYS, "top": TOP, "grid": ROUNDED, "rounded": ROUNDED, "reviewed": OUTSIDE, "trained": TRAINING}
PLAN = LOSS.PLAN
Plan, CannotCheck, KNOWN = PLAN.Plan, PLAN.CannotCheck, PLAN.COLUMNS.KNOWN
need, same, number, canonical, sha256 = PLAN.need, PLAN.same, PLAN.number, PLAN.canonical, PLAN.sha256
FREE = ("assumptions", "engine_versions", "service")  # of a certificate: nothing follows from them, nor they from it
KINDS = ("dp", "exact", "total")
WHOLE = {"units", "tails"}  # measures of all kept rows


def columns_in(form: Any) -> list[str]:
    """The columns that a part of a question names, each once."""
    if isinstance(form, dict):
        own = [form["column"]] if isinstance(form.get("column"), str) else []
        return list(dict.fromkeys(own + [name for part in form.values() for name in columns_in(part)]))
    return list(dict.fromkeys(name for part in form for name in columns_in(part))) if isinstance(form, list) else []


def summary(query: Any) -> str:
    """The question without any constant: it stands in the public log."""
    measures = []
    for _, one in query["agg"]:
        where = " and ".join(columns_in(one.get("where")))
        of = " and ".join(sorted(columns_in({name: part for name, part in one.items() if name != "where"})))
        inside = f"{of} where {where}" if of and where else of or where
        measures.append(f"{one['agg']}({inside})" if inside else one["agg"])
    by, where = ", ".join(columns_in(query.get("by"))), " and ".join(columns_in(query.get("where")))
    made = ", ".join(f"{name}({' and '.join(columns_in(node))})" for name, node in query.get("with", []))
    said = ", ".join(dict.fromkeys(measures)) + f" by {by}" * bool(by) + f" where {where}" * bool(where)
    if "people" in query:
        said += f" of people, from {', '.join(PLAN.READINGS.tables_in(query['people']))}"
    return said + f" with {made}" * bool(made)


def sentence(one: Any, plan: Any, who: str, origin: str, memory: bool) -> str:
    """The guarantee."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    if one["mechanism"] == "none":
        return "No guarantee: these are exact totals of real rows (unbounded; named on every later release)."
    delta, kinds = float(number(one["delta"])), {form["kind"] for form in plan.measures}
    at = f"ε = {float(number(one['epsilon'])):.6g}" + (f" and δ = {delta:g}" if delta else "")
    rows, kept = ("1 row" if count == 1 else f"{count} rows" for count in (plan.k, plan.kept))
    people = f" ({plan.kept} are looked at to count people)" if kinds & WHOLE and plan.kept != plan.k else ""
    each = f", {plan.each} in each group" if plan.each < plan.k else ""
    counted = f"{kept} of a person are looked at" if kinds <= WHOLE else f"{rows} of a person count{each}{people}"
    counted = f"at most {counted}" if not plan.said else f"one row a person is counted, made of at most {plan.said}"
    return (
        f"Differentially private with {at}: adding or removing {who} changes the chance of any released table by "
        f"at most that much; {counted}; the account of what else was released is kept "
        + ("by this session, in this process only." if memory else f"in the ledger {origin}.")
    )


def expected(one: Any, said: Any, plan: Any, digest: str) -> dict[str, Any]:
    """The whole certificate as it follows from the release, but for the free fields and what the log alone knows."""
    who, dp, chosen = plan.who, None, CHOSEN.get(one["pets"])
    if chosen:
        core = types.SimpleNamespace(columns_in=columns_in, summary=summary)
        return {**chosen.expected(one, plan, who, core), **common(one, said, plan, digest)}
    if one["mechanism"] != "none" and one["data"] == "real":
        dp = {name: one[name] for name in ("rho", "epsilon", "delta", "scales")}
        dp |= {"measure": "approx_zcdp" if one["cost"]["currency"] == "zcdp" else "pure"}
        dp |= {"neighbouring": f"{who} added or removed", "losses": said["dp"]["losses"]}
        dp |= {"mechanism": [f"discrete {one['mechanism']}"] * len(plan.measures)}
        bound = {"rows": plan.k, "kept_rows": plan.kept, "groups": plan.cap}
        dp |= {"contribution_bound": bound | ({"rows_per_group": plan.each} if plan.each < plan.k else {})}
        dp |= {"sensitivities": [{"kind": form["kind"]} | form["sensitivity"] for form in plan.measures]}
    return {"dp": dp, "query": one["query"], "what": summary(one["query"])} | common(one, said, plan, digest)


def common(one: Any, said: Any, plan: Any, digest: str) -> dict[str, Any]:
    """What every certificate states alike."""
    told = {"release_id": one["id"], "project_id": one["project"], "agent_id": one["analyst"], "form": 1}
    told |= {name: one[name] for name in ("protection", "cost", "notes", "issued_at")} | {"plan_sha256": digest}
    told["dataset"] = {
        "id": one["dataset"],
        "table": one["table"],
        "snapshot_id": one["snapshot"],
        "privacy_unit": plan.unit or "row",
        "metadata_sha256": plan.form["schema"],
        "rows": one["data"],
    }
    place = said["log"]["origin"], said["budget"]["ledger"] == "memory"
    who, chosen = plan.who, CHOSEN.get(one["pets"])
    told["guarantee"] = chosen.sentence(one, plan, who, PLAN, *place) if chosen else sentence(one, plan, who, *place)
    reason = {"decision": "released", "checker": "pets", "reason": "within the policy", "at": one["issued_at"]}
    return told | {"review": reason} | {name: said[name] for name in ("budget", "log", "other_releases", "request_id")}


PARTS = """analyst budget cost data dataset delta epsilon guarantee id issued_at mechanism notes pets plan project
  protection query rho scales schema snapshot table values version"""


def check_release(one: Any, said: Any, plan: Any, digest: str) -> None:
    """The release's parts fit together, and are all that there is."""
    need(sorted(one) == PARTS.split(), "the release has other parts than pets writes")
    told = {"dataset": one["schema"]["dataset"], "table": one["query"]["table"], "plan": digest}
    need(same(told, {name: one[name] for name in told}), "its plan does not follow from its question and its schema")
    size = plan.groups * sum(plan.widths)
    need(len(one["values"]) == size <= PLAN.MANY, "it has another number of values than its plan")
    need(all(type(value) is int and abs(value) < 2**63 for value in one["values"]), "a value is no whole number")
    need(len(one["scales"]) == len(plan.measures), "it has another number of scales than its plan")
    exact = one["protection"]["kind"] != "dp"
    need((one["mechanism"] == "none") is exact, "its noise is not that of its protection")
    need(one["data"] in ("real", "dummy"), "its rows are neither real nor invented")
    need(one["data"] == "real" or said["budget"]["ledger"] == "memory", "a ledger on disk holds no invented rows")
    if exact or one["data"] == "dummy":
        need(one["cost"]["loss"] == 0, "it costs something, and protects nobody")
    if not exact:
        LOSS.check_protection(one["protection"])
    else:
        kind = "total" if one["data"] == "real" else one["protection"]["kind"]
        need(same(one["protection"], {"kind": kind}), "its protection is none for these rows")
        none = [one["rho"], one["epsilon"], one["delta"], *one["scales"]]
        need(same(none, [None] * 3 + [0] * len(one["scales"])), "it promises something without noise")


def known(asked: Any, schema: Any) -> None:
    """Raises CannotCheck where a question or a schema has parts that were not known when this was written."""
    names = {*asked} | {part["agg"] for _, part in asked["agg"]} | {key["key"] for key in asked.get("by", [])}
    names |= {form["type"] for table in schema["tables"].values() for form in table["columns"].values()}
    names |= {form["derive"] for _, form in asked.get("with", [])}
    if not names <= KNOWN:
        raise CannotCheck("it is of a kind that this checker does not know; find a newer one")


def derived(one: Any, plan: Any) -> str:
    """The numbers that were derived, for people."""
    if one["pets"] in CHOSEN:
        moved = CHOSEN[one["pets"]].moved(one, plan, PLAN)
        return f"derived anew: plan {sha256(canonical(plan.form))[:16]}; {moved}"
    law = f"discrete {one['mechanism']}" if one["mechanism"] != "none" else "no"
    moved = ", ".join(
        f"{form['kind']}: L1 {form['sensitivity']['l1']}, L2² {form['sensitivity']['l2_squared']}"
        for form in plan.measures
    )
    return f"derived anew: plan {sha256(canonical(plan.form))[:16]}; {law} noise; one person moves {moved}"


def check(one: Any, said: Any, place: tuple[Any, Any, str], core: Any) -> Any:
    """The plan, where all that the certificate says follows; ``place``: entry, private part and subject."""
    chosen = CHOSEN.get(str(one.get("pets")))
    kind = (chosen or one.get("pets") == "release") and one.get("version") == 1
    protections = getattr(chosen, "PROTECTIONS", KINDS[:1]) if chosen else KINDS
    if not kind or one["protection"].get("kind") not in protections:
        raise CannotCheck("it is of a kind that this checker does not know")
    if "form" not in said:
        raise CannotCheck("it was made before certificates carried what this checker derives")
    if said["form"] != 1 or "secure" in one["protection"]:
        raise CannotCheck("it is of a kind that this checker does not know; find a newer one")
    known(one.get("query", {"agg": []}), one["schema"])
    plan = chosen.Plan(one, PLAN) if chosen else Plan(one["query"], one["schema"])
    digest = sha256(canonical(plan.form))
    if chosen:
        chosen.check_parts(one, said, plan, digest, PLAN)
    else:
        check_release(one, said, plan, digest)
    told = expected(one, said, plan, digest)
    wrong = [name for name in sorted({*told, *said} - {*FREE}) if not same(told.get(name), said.get(name))]
    need(
        not wrong and all(name in said for name in told),
        f"its certificate promises something else ({', '.join(wrong)})",
    )
    need({*said} - {*told} == {*FREE}, "its certificate has other parts than pets writes")
    need(one["guarantee"] == told["guarantee"], "the release promises something else in words")
    core.check_entry(said, *place)
    LOSS.check_budget(one, said, place[0])
    if said["dp"] is None:
        return plan
    if place[0]["event"] == "committed" or "delta" in one["protection"]:
        LOSS.check_delta(one, said["budget"])  # (of what was delivered the log alone knows the budget of then)
    if chosen:
        chosen.check_loss(one, said, plan, PLAN, LOSS)
    else:
        LOSS.check_losses(one, said["dp"]["losses"], plan)
        LOSS.check_noise(one, said["dp"]["losses"], one["cost"]["loss"], said["budget"])
    return plan
