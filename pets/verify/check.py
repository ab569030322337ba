"""Check the promise of a pets release: python check.py release.json ledger.pub [certificate.json] [--log public.log]

It needs `cryptography` and the files of its folder, and nothing else of pets. From the question and the schema in the
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
UNKNOWABLE = """not checked, since no program can know it from these files: that the noise was drawn at this scale; that
  the rows of a person were bounded and their values clamped; that invented rows are invented; that schema and group
  keys were not read from rows; that no other ledger counts releases about these people; whether the ledger is on disk
  or in memory. Taken as stated: numbers, notes, constants in the question, the names of release and snapshot,
  assumptions, versions, and whether the noise is as small as a wish for accuracy (within) asks"""


def beside(name: str) -> Any:
    """A file of this folder: it is found where this one lies, installed or not."""
    spec = importlib.util.spec_from_file_location(f"check_{Path(name).name}", Path(__file__).parent / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_answers, _log, _witness = beside("answers"), beside("log"), beside("witness")
_made, _models, _envelopes = beside("kinds/made"), beside("kinds/models"), beside("kinds/envelopes")
_sharing, _shares, _summed = beside("kinds/sharing"), beside("kinds/shares"), beside("kinds/summed")
_trained = beside("kinds/fitted/over_sites")
_reviewed, _cleared, _shown = beside("reviewed"), beside("cleared"), beside("kinds/counts/holder_grid")
_loss, _plan = _answers.LOSS, _answers.PLAN
DERIVED = {"synthetic": _made} | dict.fromkeys(_models.KINDS, _models)  # what is made of answers, by its kind
UNIT, close, conversion, epsilon = _loss.UNIT, _loss.close, _loss.conversion, _loss.epsilon
Refused, CannotCheck, need, same, read = _plan.Refused, _plan.CannotCheck, _plan.need, _plan.same, _plan.read
canonical, number, sha256, Plan = _plan.canonical, _plan.number, _plan.sha256, _plan.Plan
FREE, PARTS, known, expected = _answers.FREE, _answers.PARTS, _answers.known, _answers.expected


class People:
    """Hears what people decided, about answers that were held and about what is taken out of an airlock."""

    EVENTS = (*_reviewed.Reviewed.EVENTS, *_cleared.Cleared.EVENTS)

    def __init__(self, need: Any) -> None:
        self._answers, self._outputs = _reviewed.Reviewed(need, _cleared.person), _cleared.Cleared(need, signs)
        self.given, self.let_out = self._answers.given, self._answers.let_out

    def hear(self, said: Any, at: int) -> None:
        """The next entry, whatever it is of."""
        self._answers.hear(said, at)
        self._outputs.hear(said, at)


# who signed it, and where it stands in the log ----------------------------------------------------------------------


def verify(key: bytes, signature: bytes, message: bytes) -> None:
    """Ed25519 (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        raise Refused("it was edited, or another key signed it") from None


def signs(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a key signed a message."""
    try:
        verify(key, signature, message)
    except Refused:
        return False
    return True


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


def check(
    release: bytes,
    key: bytes,
    certificate: bytes | None = None,
    log: Any = None,
    schema: Any = None,
    witnesses: tuple[str, str] | None = None,
    tables: dict[str, str] | None = None,
    grid: bytes | None = None,
) -> str:
    """What was derived and found to hold, in words.

    Args:
        release: the file of the release; key: the ledger's public key; certificate: where it stands in another file.
        log: an open file of the exported log; schema: the published one, as bytes of JSON.
        witnesses: which must have seen it (tlog-policy), and the proof that they did (tlog-proof).
        tables: of a synthetic table's files, by name, the SHA-256.
        grid: of a rounded table, the file of the grid whose cells it adds up.

    Raises Refused where the promise does not follow, and CannotCheck where nothing can be said.
    """
    try:
        found = _checked(release, key, certificate, log, schema, witnesses, tables)
        core = types.SimpleNamespace(CannotCheck=CannotCheck, read=read, base=_plan, checked=check)
        return found if grid is None else f"{found}\n  {_answers.ROUNDED.summed(core, read(release), grid, key)}"
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, binascii.Error):
        raise Refused("it is not written as pets writes it") from None
    except _witness.Unwitnessed as why:
        raise Refused(str(why)) from None


def _checked(release: bytes, key: bytes, certificate: Any, log: Any, schema: Any, witnesses: Any, tables: Any) -> str:
    core = types.SimpleNamespace(**globals(), losses=_loss, shares=_shares, envelopes=_envelopes, sharing=_sharing)
    core.rounded, core.base = _answers.ROUNDED, _plan
    file = read(release)
    envelope = file.get("certificate") if certificate is None else read(certificate)
    one = {name: part for name, part in file.items() if name not in ("digest", "certificate")}
    public = "schema: as the custodian says (no published one was given)"
    if schema is not None and "schema" in one:
        need(same(read(schema), one["schema"]), "its schema is not the published one")
        public = "schema: the published one"
    if "sharing" in one:
        if log is not None or witnesses is not None or tables:
            raise CannotCheck("it is over several sites, and no log, witness or table is held against such a release")
        need(envelope is None and file.get("digest", digested := sha256(canonical(one))) == digested, "it was edited")
        sites = _summed if one.get("pets") == _summed.NAME else _sharing
        if sites is _summed and one["sharing"].get("secure") == "encrypted":
            sites = _shown
        return f"{sites.check(core, one, key)}\n  {public}"
    if envelope is None and one.get("pets") == "derived" and one.get("kind") in _models.KINDS and file == one:
        if log is not None or witnesses is not None or tables:
            raise CannotCheck("no log, witness or table is held against what was made of several sites' release")
        return f"{_models.of_sites(core, one, key)}\n  {public}"
    if envelope is None and one.get("pets") == _trained.NAME and file == one and not (log or witnesses or tables):
        return f"{_trained.check(core, one, key)}\n  {public}"
    if envelope is None:
        raise CannotCheck("nobody has signed it: there is no certificate")
    subject, said = opened(envelope, key)
    need(same(file.get("certificate", envelope), envelope), "the release has another certificate")
    need(file.get("digest", subject) == subject == sha256(canonical(one)), "the certificate is of another release")
    entry, private = placed(said["log"], key)
    if one.get("pets") == "derived":
        if one.get("kind") not in DERIVED:
            raise CannotCheck("it was made in a way that this checker does not know; find a newer one")
        if log is not None:
            raise CannotCheck("a log is held against a release, and this was made of releases; leave --log out")
        found: str = DERIVED[one["kind"]].check(core, one, said, (entry, private, subject), key, tables or {})
        found += f"\n  {public}"
        return found if witnesses is None else f"{found}\n  {_witness.witnessed(said['log'], key, *witnesses)}"
    if tables:
        raise CannotCheck("a table is held against the certificate that was saved beside it (NAME.certificate.json)")
    plan = _answers.check(one, said, (entry, private, subject), core)
    place = "budget, other releases: as the ledger says (no log was given)"
    if log is not None:
        place = _log.replay(log, key, one, said, _loss, checkpoint, People)
    if witnesses is not None:
        place += f"\n  {_witness.witnessed(said['log'], key, *witnesses)}"
    return f"{one['guarantee']}\n  {_answers.derived(one, plan)}\n  {place}\n  {public}\n  {UNKNOWABLE}"


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__))
    for name in ("release", "key"):
        parser.add_argument(name, type=Path)
    parser.add_argument("certificate", type=Path, nargs="?")
    for name in ("--log", "--schema", "--policy", "--proof", "--grid"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--table", type=Path, action="append", default=[])
    given = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal need not know ε: it is shown some other way then
            stream.reconfigure(errors="backslashreplace")
    try:
        paths = (given.certificate, given.schema, given.grid)
        files = [None if path is None else path.read_bytes() for path in paths]
        notes = [path.read_text("utf-8") for path in (given.policy, given.proof) if path is not None]
        if len(notes) == 1:
            raise CannotCheck("--policy says who must have seen it, and --proof that they did; give both")
        seen = (notes[0], notes[1]) if notes else None
        key = bytes.fromhex(given.key.read_text("ascii").strip())
        log = None if given.log is None else given.log.open("rb")
        tables = {path.name: sha256(path.read_bytes()) for path in given.table}
        found = check(given.release.read_bytes(), key, files[0], log, files[1], seen, tables, files[2])
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
