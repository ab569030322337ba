"""Verify the certificate of a pets release: python verifier.py certificate.json ledger.pub [release.json]

It needs `cryptography` alone; the certificate may stand in the release's file. Exit 0: genuine; 11: not, and why.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KIND, TYPES = "application/vnd.in-toto+json", ("https://in-toto.io/Statement/v1", "urn:pets:release:v1")
EDITED = "this is no certificate by the key that was given: it was edited, or another key signed it; check both files"
MEMORY = "\n  NOTE: its ledger was in memory; that key ended with the process, and only its holder can vouch for it"
ENTRY = "seq event request dataset table project analyst what protection epoch loss delta"


class Unverified(Exception):
    """Why it is not genuine, in one sentence."""


def need(true: object, why: str = EDITED) -> None:
    """Nothing, if it is true."""
    if not true:
        raise Unverified(why)


def canonical(value: Any) -> bytes:
    """The one way in which pets writes JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def check_log(said: Any, subject: str, key: bytes) -> None:
    """The release is the newest entry of the log that the checkpoint, signed by the same key, speaks of."""
    log, budget, data, sha256 = said["log"], said["budget"], said["dataset"], hashlib.sha256
    seq, (note, _, line) = log["seq"], log["checkpoint"].partition("\n\n")
    origin, size, root, chain = note.split("\n")[:4]
    signature = base64.b64decode(line.removeprefix(f"— {origin} "))
    ids = [
        sha256(named + key).digest()[:4] for named in (f"{origin}\n\1".encode(), b"")
    ]  # of a signed note; earlier ones
    need(signature[:4] in ids and (origin, chain) == (log["origin"], f"chain {log['entry_hash']}"))
    Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], f"{note}\n".encode())
    node = sha256(b"\0" + log["entry"].encode()).digest()
    for left in log["inclusion_proof"]:  # RFC 6962, section 2.1.1: the newest entry has only left neighbours
        node = sha256(b"\1" + bytes.fromhex(left) + node).digest()
    placed = (base64.b64encode(node).decode(), str(seq + 1), seq.bit_count())
    need(placed == (root, size, len(log["inclusion_proof"])), "its entry is not where it says in the signed log")
    entry, private = json.loads(log["entry"]), json.loads(log["private"])
    need(entry["sealed"] == sha256(log["private"].encode()).hexdigest(), "its entry in the log was sealed otherwise")
    need((private["release"], private["snapshot"]) == (subject, data["snapshot_id"]), "its entry is of another release")
    # to somebody who asked the same, or first; or it was made of such answers, and is another thing then
    event = "derived" if "derived" in said else "delivered" if entry["event"] == "delivered" else "committed"
    told = [seq, event, said["request_id"], data["id"], data["table"], said["project_id"], said["agent_id"]]
    told += [said["what"], said["protection"], budget["epoch"], budget["charged"], budget["charged_delta"]]
    need([entry[name] for name in ENTRY.split()] == told, "it says something else than its entry in the log")
    need(entry["unbounded"] == (said["dp"] is None and data["rows"] == "real"), "it hides that it has no guarantee")
    need(budget["before"] + budget["charged"] <= budget["after"] <= budget["cap"], "its budget does not add up")


def check_promise(said: Any, one: Any) -> None:
    """Nothing is promised but what the release bears out: its noise, and what its schema and query allow a person."""
    alike = {"release_id": "id", "plan_sha256": "plan", "project_id": "project", "agent_id": "analyst"}
    alike |= {name: name for name in ("query", "protection", "guarantee", "cost", "notes", "issued_at")}
    told: Any = {name: one[own] for name, own in alike.items()}
    unit = one["schema"]["tables"][one["table"]]["unit"]
    unit = {"column": None, "max_rows": 1, "rows": 1} if unit == "row" else unit
    who = f"all rows of any one person ({unit['column']})" if unit["column"] else "any one row (a person)"
    if "people" in one["query"]:  # one row a person, made of their rows in any tables
        unit, who = unit | {"max_rows": 1, "rows": 1}, f"{who} in all tables of the dataset"
    told["dataset"] = {
        "id": one["dataset"],
        "table": one["table"],
        "snapshot_id": one["snapshot"],
        "privacy_unit": unit["column"] or "row",
        "metadata_sha256": hashlib.sha256(canonical(one["schema"])).hexdigest(),
        "rows": one["data"],
    }
    asked = one["query"]
    bound = {"rows": asked.get("rows", unit["rows"]), "kept_rows": unit["max_rows"], "groups": asked.get("groups")}
    each = asked.get("rows_per_group")
    bound |= {"rows_per_group": each} if each and each < bound["rows"] else {}
    proof: Any = {}
    protected = one["epsilon"] is not None and one["data"] == "real"
    if "form" in said and protected:  # since then what is stated is the cap that takes effect, and what proves it:
        proof = {name: said["dp"][name] for name in ("losses", "sensitivities")}  # for pets/verify/check.py to derive
        bound["groups"] = said["dp"]["contribution_bound"]["groups"] and asked.get("groups")
    told["dp"] = protected and {name: one[name] for name in ("rho", "epsilon", "delta", "scales")} | {
        "measure": "approx_zcdp" if one["cost"]["currency"] == "zcdp" else "pure",
        "neighbouring": f"{who} added or removed",
        "mechanism": [f"discrete {one['mechanism']}"] * len(one["scales"]),
        "contribution_bound": bound,
        **proof,
    }
    wrong = ", ".join(name for name, value in told.items() if said[name] != (value or None if name == "dp" else value))
    need(not wrong, f"it promises something else than the release that it is about does ({wrong})")


def verify(certificate: bytes, key: bytes, release: bytes | None = None) -> Any:
    """What is certified, in plain words; raises Unverified for anything but exactly what the key signed."""
    try:
        envelope, *answers = [json.loads(data) for data in (certificate, release) if data is not None]
        exact = [data.removesuffix(b"\n") for data in (certificate, release) if data is not None]
        need(exact == [canonical(one) for one in (envelope, *answers)], "a file is not byte for byte as pets wrote it")
        if "certificate" in envelope:  # the file of a release
            answers, envelope = [*answers, envelope], envelope["certificate"]
        payload, sig = map(base64.b64decode, (envelope["payload"], envelope["signatures"][0]["sig"]))
        signature = {"keyid": hashlib.sha256(key).hexdigest()[:16], "sig": base64.b64encode(sig).decode()}
        again = {"payload": base64.b64encode(payload).decode(), "payloadType": KIND, "signatures": [signature]}
        need(envelope == again)
        pae = b"DSSEv1 %d %b %d %b" % (len(KIND), KIND.encode(), len(payload), payload)
        Ed25519PublicKey.from_public_bytes(key).verify(sig, pae)
        about = json.loads(payload)
        need((about["_type"], about["predicateType"]) == TYPES, "this is a signed statement about something else")
        check_log(said := about["predicate"], subject := about["subject"][0]["digest"]["sha256"], key)
        for one in answers:
            body = canonical({name: value for name, value in one.items() if name not in ("digest", "certificate")})
            found = hashlib.sha256(body).hexdigest(), one.get("digest", subject), one.get("certificate", envelope)
            need(found == (subject, subject, envelope), "the release is not the one that was certified, or was edited")
            if one.get("pets") == "release":
                check_promise(said, one)
        log, budget, which = said["log"], said["budget"], " (the file that was given)" if answers else ""
        others = "; ".join(f"{one['what']} ({one['at']})" for one in said["other_releases"]["unbounded"]) or "nothing"
        unit, charged, cap = "ρε"[budget["currency"] != "zcdp"], budget["charged"], budget["cap"]
        unanswered = said["other_releases"].get("forfeited", "not told")
        return f"""Genuine: signed by key {signature["keyid"]} as entry {log["seq"]} of {log["origin"]}
  release: {subject}{which}; {said["issued_at"]}; {said["what"]}; table {said["dataset"]["table"]} of {budget["scope"]}
  guarantee: {said["guarantee"]}
  cost: {charged} of {cap} units ({budget["currency"]}), {budget["after"]} spent with it
    that is {unit} = {charged / 1e12:.4g}, {charged / cap:.1%} of it; {budget["after"] / cap:.1%} is spent
  charged before it and never answered: {unanswered}
  left before it without a finite guarantee: {others}{MEMORY * (budget["ledger"] == "memory")}"""
    except (InvalidSignature, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Unverified(EDITED) from None


if __name__ == "__main__":
    try:
        need(len(sys.argv) in (3, 4), str(__doc__).splitlines()[0])
        certificate, public, *rest = [Path(name).read_bytes() for name in sys.argv[1:]]
        need(len(public.strip()) == 64 and not public.strip(b"0123456789abcdef\n"), "the second file is no public key")
        print(verify(certificate, bytes.fromhex(public.decode()), *rest))
    except (Unverified, OSError) as error:
        sys.exit(print(f"not verified: {error}", file=sys.stderr) or 11)
