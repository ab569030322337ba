"""Who else saw a log grow: signed notes, cosignatures, proofs and policies of C2SP, by what their pages say alone.

Sources: c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature (Ed25519, cosignature/v1), tlog-proof@v1, tlog-policy.
"""

import base64
import binascii
import hashlib
import importlib.util
import re
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_FOUND: Any = importlib.util.spec_from_file_location("check_policy", Path(__file__).with_name("policy.py"))
_FOUND.loader.exec_module(_POLICY := importlib.util.module_from_spec(_FOUND))
LOG, WITNESS = 1, 4
"""What signs: Ed25519 over the note's text, or over the time and the text."""
LINES, LONGEST = 100, 1_000_000
PROOF = "c2sp.org/tlog-proof@v1"
NAME = r"[^\s+\x00-\x1f]+"


class Unwitnessed(Exception):
    """What is not shown, in one sentence."""


def need(true: object, why: str) -> None:
    """Nothing, if it is true."""
    if not true:
        raise Unwitnessed(why)


class Key(NamedTuple):
    """A public key with its name and what it signs; its id stands before each of its signatures."""

    name: str
    kind: int
    raw: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ line end ‖ kind ‖ public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.raw).decode()}"


def key(text: str) -> Key:
    """The key that a verifier key (vkey) writes down, in the one way in which it can be written."""
    name, _, rest = text.partition("+")
    try:
        raw = base64.b64decode(rest.partition("+")[2], validate=True)
    except (binascii.Error, ValueError):
        raise Unwitnessed("this is no public key of a log or of a witness (NAME+ID+KEY)") from None
    found = Key(name, raw[0] if raw else 0, raw[1:])
    known = re.fullmatch(NAME, name) and found.kind in (LOG, WITNESS) and len(found.raw) == 32 and str(found) == text
    need(known, "this is no public key of a log or of a witness (NAME+ID+KEY)")
    return found


def parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """A note's text, and of each signature the name and the bytes: the signer's id and what was signed."""
    text, empty, lines = note.rpartition("\n\n")
    found = [re.fullmatch(rf"— ({NAME}) ([A-Za-z0-9+/]+=*)", line) for line in lines.split("\n")[:-1]]
    whole = text and empty and lines.endswith("\n") and 0 < len(found) <= LINES and len(note) <= LONGEST
    need(whole and all(found) and not re.search(r"[\x00-\x09\x0b-\x1f]", note), "this is no signed note")
    try:
        signed = [(one[1], base64.b64decode(one[2], validate=True)) for one in found if one]
    except (binascii.Error, ValueError):
        raise Unwitnessed("this is no signed note") from None
    again = "".join(f"— {name} {base64.b64encode(data).decode()}\n" for name, data in signed)
    need(again == lines and all(len(data) > 4 for _, data in signed), "this is no signed note")
    return f"{text}\n", signed


def signed_at(note: str, by: Key) -> int | None:
    """When a witness signed a note (seconds; of a log: 0); ``None`` where it did not. A false signature is refused."""
    text, signed = parts(note)
    times = []
    for name, data in signed:
        if (name, data[:4]) != (by.name, by.id):
            continue  # of a key that nobody asked about
        at, signature = (0, data[4:]) if by.kind == LOG else (int.from_bytes(data[4:12], "big"), data[12:])
        said = message(text, at if by.kind == WITNESS else None)
        try:
            Ed25519PublicKey.from_public_bytes(by.raw).verify(signature, said)
        except (InvalidSignature, ValueError):
            raise Unwitnessed(f"a signature in the name of {by.name} is not by its key") from None
        need(at < 2**63, f"a signature of {by.name} has no time")
        times.append(at)
    return max(times, default=None)


def message(text: str, at: int | None) -> bytes:
    """What is signed: of a log the text; of a witness at some second, a head line, the time and the text."""
    return (text if at is None else f"cosignature/v1\ntime {at}\n{text}").encode()


def root(leaf: bytes, index: int, size: int, path: Iterable[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2), from the SHA-256 of its leaf."""
    node, place, last = leaf, index, size - 1
    need(0 <= index < size, "the proof is of no entry of its log")
    for beside in path:
        need(last > 0, "the proof is too long")
        if place & 1 or place == last:
            node = hashlib.sha256(b"\1" + beside + node).digest()
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + beside).digest()
        place, last = place >> 1, last >> 1
    need(last == 0, "the proof is too short")
    return node


def rules(text: str) -> Any:
    """A policy (tlog-policy): its ``check`` says who signed a note, or that too few did."""
    return _POLICY.Policy(text, types.SimpleNamespace(**globals()))


def proven(proof: str, entry: bytes) -> tuple[int, str]:
    """Where an entry stands in a log, and the checkpoint that covers it, from a tlog-proof; who signed is not asked."""
    head, empty, note = proof.partition("\n\n")
    lines = [line for line in head.split("\n") if not line.startswith("extra ")]
    place: Any = re.fullmatch("index (0|[1-9][0-9]{0,15})", lines[1]) if lines[0] == PROOF and len(lines) > 1 else None
    need(empty and place and len(lines) < 66, "this is no proof that a log has an entry (.tlog-proof)")
    try:
        path = [base64.b64decode(line, validate=True) for line in lines[2:]]
        size, found = int(parts(note)[0].split("\n")[1]), base64.b64decode(parts(note)[0].split("\n")[2], validate=True)
    except (binascii.Error, ValueError, IndexError):
        raise Unwitnessed("this is no proof that a log has an entry (.tlog-proof)") from None
    leaf = hashlib.sha256(b"\0" + entry).digest()
    need(root(leaf, int(place[1]), size, path) == found, "the proof does not lead to the checkpoint that is in it")
    return int(place[1]), note


def witnessed(log: Any, key: bytes, policy: str, proof: str) -> str:
    """Who saw the log with a certificate's entry in it, in words; ``log`` is the certificate's place in its log."""
    index, note = proven(proof, log["entry"].encode())
    origin, size, *_ = note.split("\n")
    need((origin, index) == (log["origin"], log["seq"]), "the proof is of another entry, or of another log")
    need(signed_at(note, Key(origin, LOG, key)) is not None, "the checkpoint in the proof is not signed by this key")
    by = rules(policy).check(note)
    return f"witnessed: {', '.join(by) or 'nobody (the policy asks for none)'} signed the log of {size} entries with it"
