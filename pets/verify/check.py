"""Check the promise of a pets release: python check.py release.json ledger.pub [certificate.json] [--log public.log]

It needs `cryptography` and the files beside it, and nothing else of pets. From the question and the schema in the
release it derives what a certificate may promise, by the rules in docs/proofs, and compares. --schema FILE: the schema
that the custodian has published, as JSON. A synthetic table: check.py rows.certificate.json ledger.pub --table rows.csv
Exit 0: the promise follows; 11: it does not; 12: it cannot be checked.
"""

import argparse
import base64
import binascii
import datetime as dt
import hashlib
import importlib.util
import io
import sys
import types
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KIND, TYPES = "application/vnd.in-toto+json", ["https://in-toto.io/Statement/v1", "urn:pets:release:v1"]
FREE = ("assumptions", "engine_versions", "service")  # of a certificate: nothing follows from them, nor they from it
KINDS = ("dp", "exact", "total")
WHOLE = {"units", "tails"}  # measures of all kept rows
UNKNOWABLE = """not checked, since no program can know it from these files: that the noise was drawn at this scale; that
  the rows of a person were bounded and their values clamped; that invented rows are invented; that schema and group
  keys were not read from rows; that no other ledger counts releases about these people; whether the ledger is on disk
  or in memory. Taken as stated: numbers, notes, constants in the question, the names of release and snapshot,
  assumptions, versions, and whether the noise is as small as a wish for accuracy (within) asks"""


def beside(name: str) -> Any:
    """A file of this folder: it is found where this one lies, installed or not."""
    spec = importlib.util.spec_from_file_location(f"check_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_loss, _log, _keys, _witness = beside("loss"), beside("log"), beside("keys"), beside("witness")
_made, _sharing, _shares = beside("made"), beside("sharing"), beside("shares")
_plan, UNIT, close, conversion, epsilon = _loss.PLAN, _loss.UNIT, _loss.close, _loss.conversion, _loss.epsilon
Refused, need, canonical, read, same = _plan.Refused, _plan.need, _plan.canonical, _plan.read, _plan.same
number, sha256, Plan, KNOWN = _plan.number, _plan.sha256, _plan.Plan, _plan.COLUMNS.KNOWN


class CannotCheck(Exception):
    """Why nothing can be said, in one sentence. It never means that a promise holds."""


# who signed it, and where it stands in the log ----------------------------------------------------------------------


def verify(key: bytes, signature: bytes, message: bytes) -> None:
    """Ed25519 (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        raise Refused("it was edited, or another key signed it") from None


def opened(envelope: Any, key: bytes) -> tuple[str, Any]:
    """Subject and predicate of the in-toto statement in a DSSE envelope of this key."""
    payload, sig = (base64.b64decode(text) for text in (envelope["payload"], envelope["signatures"][0]["sig"]))
    signed = {"keyid": sha256(key)[:16], "sig": base64.b64encode(sig).decode()}
    again = {"payload": base64.b64encode(payload).decode(), "payloadType": KIND, "signatures": [signed]}
    need(same(envelope, again), "its envelope is not one that this key signed")
    verify(key, sig, b"DSSEv1 %d %b %d %b" % (len(KIND), KIND.encode(), len(payload), payload))
    about = read(payload)
    subject, said = about["subject"][0]["digest"]["sha256"], about["predicate"]
    named = {"_type": TYPES[0], "predicateType": TYPES[1], "predicate": said}
    named["subject"] = [{"name": f"release {said['release_id']}", "digest": {"sha256": subject}}]
    need(same(about, named), "it is a signed statement about something else")
    return subject, said


def checkpoint(note: str, key: bytes) -> list[str]:
    """Origin, size, root, chain, time and totals of a log, from its checkpoint (C2SP, tlog-checkpoint)."""
    text, signed = _witness.parts(note)
    lines: list[str] = text.removesuffix("\n").split("\n")
    ids = (
        _witness.Key(lines[0], _witness.LOG, key).id,
        hashlib.sha256(key).digest()[:4],
    )  # the second: of earlier ones
    own = [data[4:] for name, data in signed if name == lines[0] and data[:4] in ids]
    need(own, "its checkpoint is not of this key")
    for signature in own:
        verify(key, signature, text.encode())
    return lines


def placed(log: Any, key: bytes) -> tuple[Any, Any]:
    """The release's entry in the log and its private part: the newest entry that the checkpoint covers."""
    entry, private = read(log["entry"].encode()), read(log["private"].encode())
    node, path = hashlib.sha256(b"\0" + log["entry"].encode()).digest(), log["inclusion_proof"]
    for left in path:  # RFC 6962, section 2.1.1: the newest entry has only neighbours to its left
        node = hashlib.sha256(b"\1" + bytes.fromhex(left) + node).digest()
    root, size = base64.b64encode(node).decode(), str(log["seq"] + 1)
    covered = [log["origin"], size, root, f"chain {log['entry_hash']}", f"at {entry['at']}"]
    found = checkpoint(log["checkpoint"], key)[:5] == covered and len(path) == log["seq"].bit_count()
    need(found, "its entry is not where it says in the signed log")
    need(entry["sealed"] == sha256(log["private"].encode()), "its entry in the log was sealed otherwise")
    return entry, private


# what a certificate may say -----------------------------------------------------------------------------------------


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
        of = one["column"] if "column" in one else " and ".join(columns_in(one.get("columns")))
        inside = f"{of} where {where}" if of and where else of or where
        measures.append(f"{one['agg']}({inside})" if inside else one["agg"])
    by, where = ", ".join(columns_in(query.get("by"))), " and ".join(columns_in(query.get("where")))
    made = ", ".join(f"{name}({' and '.join(columns_in(node))})" for name, node in query.get("with", []))
    said = ", ".join(dict.fromkeys(measures)) + f" by {by}" * bool(by) + f" where {where}" * bool(where)
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
    return (
        f"Differentially private with {at}: adding or removing {who} changes the chance of any released table by "
        f"at most that much; at most {counted}; the account of what else was released is kept "
        + ("by this session, in this process only." if memory else f"in the ledger {origin}.")
    )


def check_entry(
    said: Any, entry: Any, private: Any, subject: str, events: tuple[str, ...] = ("committed", "delivered")
) -> None:
    """The log's entry is of this release, and says what the certificate says."""
    data, log, budget = said["dataset"], said["log"], said["budget"]
    told = {"seq": log["seq"], "request": said["request_id"], "dataset": data["id"], "table": data["table"]}
    told |= {"project": said["project_id"], "analyst": said["agent_id"], "what": said["what"]}
    told |= {
        "protection": said["protection"],
        "epoch": budget["epoch"],
        "loss": budget["charged"],
        "delta": budget["charged_delta"],
    }
    told |= {"unbounded": said["dp"] is None and data["rows"] == "real"}
    told |= {name: entry[name] for name in ("at", "sealed")} | {"event": entry["event"]}
    if "metadata_sha256" in entry:  # older requests were entered without it
        told["metadata_sha256"] = data["metadata_sha256"]
    need(same(entry, told) and entry["event"] in events, "it says something else than its log entry")
    hidden = {"salt": private["salt"], "release": subject, "snapshot": data["snapshot_id"]}
    need(same(private, hidden), "its log entry is of another release")
    issued, entered = (dt.datetime.fromisoformat(text) for text in (said["issued_at"], entry["at"]))
    need(issued.astimezone(dt.UTC).isoformat() == said["issued_at"], "its time is not written as pets writes it")
    need(issued <= entered + _log.SKEW, "it was issued after it was entered")


def who_of(plan: Any) -> str:
    """Who is protected."""
    return "any one row (a person)" if plan.unit is None else f"all rows of any one person ({plan.unit})"


def expected(one: Any, said: Any, plan: Any, digest: str) -> dict[str, Any]:
    """The whole certificate as it follows from the release, but for the free fields and what the log alone knows."""
    if one["pets"] == "keys":
        by, where = ", ".join(one["keys"]["by"]), " and ".join(columns_in(one["keys"].get("where")))
        told = _keys.expected(one, said, plan, who_of(plan), f"group_keys by {by}" + f" where {where}" * bool(where))
        return {**told, **common(one, said, plan, digest)}
    who, dp = who_of(plan), None
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
    keys, who = one["pets"] == "keys", who_of(plan)
    told["guarantee"] = _keys.sentence(one, plan, who, _plan, *place) if keys else sentence(one, plan, who, *place)
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
    need(len(one["values"]) == size <= _plan.MANY, "it has another number of values than its plan")
    need(all(type(value) is int and abs(value) < 2**63 for value in one["values"]), "a value is no whole number")
    need(len(one["scales"]) == len(plan.measures), "it has another number of scales than its plan")
    exact = one["protection"]["kind"] != "dp"
    need((one["mechanism"] == "none") is exact, "its noise is not that of its protection")
    need(one["data"] in ("real", "dummy"), "its rows are neither real nor invented")
    need(one["data"] == "real" or said["budget"]["ledger"] == "memory", "a ledger on disk holds no invented rows")
    if exact or one["data"] == "dummy":
        need(one["cost"]["loss"] == 0, "it costs something, and protects nobody")
    if not exact:
        _loss.check_protection(one["protection"])
    else:
        kind = "total" if one["data"] == "real" else one["protection"]["kind"]
        need(same(one["protection"], {"kind": kind}), "its protection is none for these rows")
        none = [one["rho"], one["epsilon"], one["delta"], *one["scales"]]
        need(same(none, [None] * 3 + [0] * len(one["scales"])), "it promises something without noise")


def check(
    release: bytes,
    key: bytes,
    certificate: bytes | None = None,
    log: Any = None,
    schema: Any = None,
    witnesses: tuple[str, str] | None = None,
    tables: dict[str, str] | None = None,
) -> str:
    """What was derived and found to hold, in words.

    Args:
        release: the file of the release; key: the ledger's public key; certificate: where it stands in another file.
        log: an open file of the exported log; schema: the published one, as bytes of JSON.
        witnesses: which must have seen it (tlog-policy), and the proof that they did (tlog-proof).
        tables: of a synthetic table's files, by name, the SHA-256.

    Raises Refused where the promise does not follow, and CannotCheck where nothing can be said.
    """
    try:
        return _checked(release, key, certificate, log, schema, witnesses, tables)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, binascii.Error):
        raise Refused("it is not written as pets writes it") from None
    except _witness.Unwitnessed as why:
        raise Refused(str(why)) from None


def known(asked: Any, schema: Any) -> None:
    """Raises CannotCheck where a question or a schema has parts that were not known when this was written."""
    names = {*asked} | {part["agg"] for _, part in asked["agg"]} | {key["key"] for key in asked.get("by", [])}
    names |= {form["type"] for table in schema["tables"].values() for form in table["columns"].values()}
    names |= {form["derive"] for _, form in asked.get("with", [])}
    if not names <= KNOWN:
        raise CannotCheck("it is of a kind that this checker does not know; find a newer one")


def _checked(release: bytes, key: bytes, certificate: Any, log: Any, schema: Any, witnesses: Any, tables: Any) -> str:
    file = read(release)
    envelope = file.get("certificate") if certificate is None else read(certificate)
    one = {name: part for name, part in file.items() if name not in ("digest", "certificate")}
    if "sharing" in one:
        need(envelope is None and file.get("digest", digested := sha256(canonical(one))) == digested, "it was edited")
        return str(_sharing.check(types.SimpleNamespace(**globals(), losses=_loss, shares=_shares), one, key))
    if envelope is None:
        raise CannotCheck("nobody has signed it: there is no certificate")
    subject, said = opened(envelope, key)
    need(same(file.get("certificate", envelope), envelope), "the release has another certificate")
    need(file.get("digest", subject) == subject == sha256(canonical(one)), "the certificate is of another release")
    entry, private = placed(said["log"], key)
    if one.get("pets") == "derived":
        core = types.SimpleNamespace(**globals(), losses=_loss)
        found: str = _made.check(core, one, said, (entry, private, subject), key, tables or {})
        return found if witnesses is None else f"{found}\n  {_witness.witnessed(said['log'], key, *witnesses)}"
    if tables:
        raise CannotCheck("a table is held against the certificate that was saved beside it (NAME.certificate.json)")
    keys = one.get("pets") == "keys"
    kind = ("keys" if keys else "release", 1) == (one.get("pets"), one.get("version"))
    if not kind or one["protection"].get("kind") not in KINDS[: 1 if keys else None]:
        raise CannotCheck("it is of a kind that this checker does not know")
    if "form" not in said:
        raise CannotCheck("it was made before certificates carried what this checker derives")
    if said["form"] != 1 or "secure" in one["protection"]:
        raise CannotCheck("it is of a kind that this checker does not know; find a newer one")
    known({"agg": []} if keys else one["query"], one["schema"])
    plan = _keys.KeyPlan(one["keys"], one["schema"], _plan) if keys else Plan(one["query"], one["schema"])
    digest = sha256(canonical(plan.form))
    if keys:
        _keys.check_keys(one, said, plan, digest, _plan)
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
    check_entry(said, entry, private, subject)
    _loss.check_budget(one, said, entry)
    if said["dp"] is not None and keys:
        _keys.check_loss(one, said, plan, _plan, _loss)
    elif said["dp"] is not None:
        _loss.check_losses(one, said["dp"]["losses"], plan)
        if entry["event"] == "committed" or "delta" in one["protection"]:
            _loss.check_delta(one, said["budget"])  # (of what was delivered the log alone knows the budget of then)
        _loss.check_noise(one, said["dp"]["losses"], one["cost"]["loss"], said["budget"])
    place = "budget, other releases: as the ledger says (no log was given)"
    if log is not None:
        place = _log.replay(log, key, one, said, _loss, checkpoint)
    public = "schema: as the custodian says (no published one was given)"
    if schema is not None:
        need(same(read(schema), one["schema"]), "its schema is not the published one")
        public = "schema: the published one"
    if witnesses is not None:
        place += f"\n  {_witness.witnessed(said['log'], key, *witnesses)}"
    return f"{told['guarantee']}\n  {derived(one, plan)}\n  {place}\n  {public}\n  {UNKNOWABLE}"


def derived(one: Any, plan: Any) -> str:
    """The numbers that were derived, for people."""
    if one["pets"] == "keys":
        shows = _keys.shows(plan.groups, float(number(one["scale"])), one["threshold"])
        moved = f"{plan.groups} counts by 1; a key of theirs alone shows with a chance of {shows:.3g}"
        return (
            f"derived anew: plan {sha256(canonical(plan.form))[:16]}; discrete gaussian noise; one person moves {moved}"
        )
    law = f"discrete {one['mechanism']}" if one["mechanism"] != "none" else "no"
    moved = ", ".join(
        f"{form['kind']}: L1 {form['sensitivity']['l1']}, L2² {form['sensitivity']['l2_squared']}"
        for form in plan.measures
    )
    return f"derived anew: plan {sha256(canonical(plan.form))[:16]}; {law} noise; one person moves {moved}"


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__))
    for name in ("release", "key"):
        parser.add_argument(name, type=Path)
    parser.add_argument("certificate", type=Path, nargs="?")
    for name in ("--log", "--schema", "--policy", "--proof"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--table", type=Path, action="append", default=[])
    given = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal need not know ε: it is shown some other way then
            stream.reconfigure(errors="backslashreplace")
    try:
        files = [None if path is None else path.read_bytes() for path in (given.certificate, given.schema)]
        notes = [path.read_text("utf-8") for path in (given.policy, given.proof) if path is not None]
        seen = (notes[0], notes[1]) if len(notes) == 2 else None
        key = bytes.fromhex(given.key.read_text("ascii").strip())
        log = None if given.log is None else given.log.open("rb")
        tables = {path.name: sha256(path.read_bytes()) for path in given.table}
        found = check(given.release.read_bytes(), key, files[0], log, files[1], seen, tables)
    except Refused as why:
        print(f"refused: {why}", file=sys.stderr)
        return 11
    except (CannotCheck, OSError, ValueError) as why:
        print(f"cannot be checked: {why}", file=sys.stderr)
        return 12
    print(f"holds: {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
