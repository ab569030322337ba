"""The log over HTTP: its checkpoint, proofs and key for everybody; its entries, which name who asked, for auditors."""

from __future__ import annotations

from pets.errors import UserError
from pets.ledger.publish.public_log import MOST
from pets.service.access.grants import check_whole_ledger
from pets.service.http.endpoint import Call, Endpoint, Reply

_MOST_ENTRIES = 2**53


def _key(call: Call) -> Reply:
    return Reply({"key": call.service.ledger.key.raw.hex(), "origin": call.service.ledger.origin})


def _entries(call: Call) -> Reply:
    call.service.custodian(call.identity, call.path["dataset"])
    if not call.service.public_log:
        call.identity.require("auditor", "custodian")
        check_whole_ledger(call.service.ledger, call.identity, "auditor", "custodian")
    first = call.number("from", 0, _MOST_ENTRIES)
    piece = call.service.log.piece(first, call.number("to", first + MOST, _MOST_ENTRIES))
    entries = [{"seq": seq, "body": body, "hash": chain} for seq, body, chain in piece.entries]
    return Reply({"entries": entries, "size": piece.size})


def _checkpoint(call: Call) -> Reply:
    return Reply({"checkpoint": call.service.log.checkpoint()})


def _proof(call: Call) -> Reply:
    given = [name for name in ("seq", "old") if name in call.query]
    if len(given) != 1 or "size" not in call.query:
        raise UserError("a proof is that an entry is in the log (seq= and size=), or that it grew (old= and size=)")
    size = call.number("size", 0, _MOST_ENTRIES)
    log, asked = call.service.log, call.number(given[0], 0, _MOST_ENTRIES)
    return Reply({"proof": log.inclusion(asked, size) if given == ["seq"] else log.consistency(asked, size)})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/key",
        _key,
        "The public key that certificates and checkpoints are signed with.",
        opened=True,
        limited=False,  # every client needs it to begin, and it costs nothing
    ),
    Endpoint(
        "GET",
        "/datasets/{dataset}/log",
        _entries,
        f"Entries of the log, at most {MOST:,} at once; for auditors: they name who asked.",
        ("from", "to"),
    ),
    Endpoint("GET", "/log/checkpoint", _checkpoint, "The signed checkpoint of the log as it is.", opened=True),
    Endpoint(
        "GET",
        "/log/proof",
        _proof,
        "That an entry is in the log, or that the log grew from an earlier size.",
        ("seq", "old", "size"),
        opened=True,
    ),
)
