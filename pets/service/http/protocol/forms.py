"""Forms: what goes into a request, as JSON Schema, for the page of the protocol and for programs that read it.

A form says what is refused before a question is understood at all: names that are unknown or missing, and values of
another type. Whether a question can be asked of a schema, no form says.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pets.common.codec import Json
from pets.ledger.grants import ROLES
from pets.ledger.review.acts import MAX_WORDS
from pets.ledger.review.own_key import HEX
from pets.ledger.review.reviews import MAX_NOTE
from pets.ledger.review.votes import OF_JOBS, REASONS
from pets.protection.protection import DP, Exact, Protection, Total
from pets.protection.sdc import SDC
from pets.query_model.aggregate import AGGREGATES
from pets.query_model.query import BOUNDS
from pets.service.http.outputs import ACTS, FIELDS, needed
from pets.service.wire.asked import arguments

TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer", "minimum": 0}
_ABOVE: Json = {"type": "integer", "minimum": 1}

NAMES: dict[str, Json] = {
    "wait": {"type": "number", "minimum": 0},
    "limit": _ABOVE,
    "last": _ABOVE,
    "all": {"enum": ["true", "false"]},
    "after": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    **dict.fromkeys(("from", "to", "seq", "old", "size"), _WHOLE),
    **dict.fromkeys(("analyst", "project"), TEXT),
}
"""What may stand behind a question mark, by its name."""

KEY: Json = {"type": "string", "pattern": '^(?!job:)[ -"$-~]{1,128}$'}
"""The header ``Idempotency-Key``."""


def _object(needed: tuple[str, ...], **properties: Json) -> Json:
    found: Json = {"type": "object", "additionalProperties": False, "properties": properties}
    return found | {"required": list(needed)} if needed else found


def _or_null(form: Json) -> Json:
    return {"anyOf": [form, {"type": "null"}]}


def _named(form: Json) -> Json:
    """Parts with names, in their order: pairs, or an object."""
    pair: Json = {"type": "array", "prefixItems": [TEXT, form], "minItems": 2, "maxItems": 2}
    return {"anyOf": [{"type": "array", "items": pair}, {"type": "object", "additionalProperties": form}]}


def _settings(kind: type[Protection]) -> Json:
    """A protection: a number may be written as decimal text, so that no digit of it is lost."""
    value: Json = {"type": ["number", "string", "boolean", "null"]}
    return _object(("kind",), kind={"const": kind.kind}, **{one.name: value for one in fields(kind)})


_OBJECT: Json = {"type": "object"}
_KEYS: Json = {"type": "array", "items": {"anyOf": [TEXT, _OBJECT]}}
_AGGREGATE: Json = {"type": "object", "required": ["agg"], "properties": {"agg": {"enum": list(AGGREGATES)}}}

QUERY = _object(
    ("table",),
    table=TEXT,
    agg=_or_null(_named(_AGGREGATE)),
    by=_or_null(_KEYS),
    where=_or_null(_OBJECT),
    keyset=_or_null(_OBJECT),
    people=_or_null(_OBJECT),
    **{name: _or_null({"type": "integer"}) for name in BOUNDS},
    **{"with": _or_null(_named(_OBJECT))},
)
"""A question, as :meth:`pets.Query.to_json` writes it."""

PROTECTION: Json = {"anyOf": [_settings(kind) for kind in (DP, Exact, Total, SDC)]}

_ARGUMENTS: dict[str, Json] = {
    "queries": {"type": "array", "items": QUERY},
    "query": QUERY,
    "protection": PROTECTION,
    "again": {"type": "boolean"},
    "table": TEXT,
    "by": _or_null(_KEYS),
    "where": _or_null(_OBJECT),
    "k": {"type": "integer"},
    "groups": _or_null({"type": "integer"}),
    "delta": {"type": ["number", "string", "null"]},
    "rows": {"type": "integer", "minimum": 0},
    "seed": {"type": "integer", "minimum": 0},
    "settings": _OBJECT,
    "network": _OBJECT,
}


def _question(kind: str, named: bool) -> Json:
    """The body that asks a question of a kind, which is said unless it is the usual one."""
    usual = arguments(kind)
    needs = tuple(name for name, optional in usual.items() if not optional)
    parts = {name: _ARGUMENTS[name] for name in usual}
    if kind == "synthesise":  # as many rows as there are about
        parts["rows"] = _or_null(parts["rows"])
    if not named:
        return _object(needs, **parts)
    return _object(needs if kind == "release" else ("kind", *needs), kind={"const": kind}, **parts)


_OUTPUT: dict[str, Json] = {
    "files": {"type": "object", "additionalProperties": {"type": "string", "contentEncoding": "base64"}},
    "context": TEXT,
    "controls": TEXT,
    "digest": TEXT,
    "reason": {"type": ["string", "null"]},
    "note": {"type": "string", "maxLength": MAX_NOTE},
    "words": {"type": "string", "maxLength": MAX_WORDS},
    "signed": _object((*HEX,), **{name: {"type": "string", "pattern": f"^{way}$"} for name, way in HEX.items()}),
}


def _act(act: str) -> Json:
    return _object(("act", *needed(act)), act={"const": act}, **{name: _OUTPUT[name] for name in FIELDS[act]})


def _decision() -> Json:
    reasons = sorted({reason for decision in OF_JOBS for reason in REASONS[decision]})
    return _object(
        ("decision",),
        decision={"enum": [decision.value for decision in OF_JOBS]},
        reason={"enum": [*reasons, None]},
        note={"type": "string", "maxLength": MAX_NOTE},
        finding=_or_null(TEXT),
        anyway={"type": "string", "maxLength": MAX_NOTE},
    )


_ASKED = ("release", "group_keys", "top_keys", "rows_lost", "synthesise", "train")

BODIES: dict[tuple[str, str], Json] = {
    ("POST", "/datasets/{dataset}/quote"): _object(
        ("queries", "protection"), queries=_ARGUMENTS["queries"], protection=PROTECTION
    ),
    ("POST", "/datasets/{dataset}/explain"): _object(("query",), query=QUERY, protection=_or_null(PROTECTION)),
    ("POST", "/datasets/{dataset}/sql"): _object(("sql",), sql=TEXT),
    ("POST", "/datasets/{dataset}/dummy"): _question("dummy", named=False),
    ("POST", "/datasets/{dataset}/queries"): {"anyOf": [_question(kind, named=True) for kind in _ASKED]},
    ("POST", "/datasets/{dataset}/grants"): _object(
        ("project", "analyst", "roles"),
        project=TEXT,
        analyst=TEXT,
        roles={"type": "array", "items": {"enum": list(ROLES)}, "minItems": 1},
    ),
    ("POST", "/datasets/{dataset}/refresh"): _object(()),
    ("POST", "/reviews/{job}"): _decision(),
    ("POST", "/reviews/{job}/look"): _object(()),
    ("POST", "/datasets/{dataset}/airlock"): _object(
        FIELDS["resubmit"], **{name: _OUTPUT[name] for name in FIELDS["resubmit"]}
    ),
    ("POST", "/airlock/{job}"): {"anyOf": [_act(act) for act in ACTS]},
}
"""By method and address, the body that goes in."""


def reply_of(example: Json | None) -> dict[str, Any]:
    """What an example shows of a reply: the names that each such reply has, and of which type each is."""
    if example is None:
        return {"type": "object"}
    parts = {name: _of_type(name, part) for name, part in example.items()}
    return {"type": "object", "properties": parts, "required": [name for name in parts if name not in _SOMETIMES]}


_SOMETIMES = ("next", "releases", "findings", "files")
"""Names that a reply may lack: of what comes later, or of another kind of question."""
_OR_NOTHING = ("job", "login")
_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object", type(None): "null"}


def _of_type(name: str, part: Any) -> Json:
    found = _TYPES[type(part)]
    return {"type": [found, "null"]} if name in _OR_NOTHING else {"type": found}
