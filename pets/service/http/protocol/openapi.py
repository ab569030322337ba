"""OpenAPI: what the page of the protocol says of an endpoint, with examples of its body and its replies."""

from __future__ import annotations

from typing import Any

from pets.common.codec import Json
from pets.service.http.endpoint import PROTOCOL, Endpoint
from pets.service.http.protocol.examples import PROBLEM, REPLIES, WAITING
from pets.service.http.protocol.forms import BODIES, KEY, NAMES, TEXT, reply_of
from pets.service.wire import problems

_PROBLEM: Json = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": {"enum": sorted(problems.STATUS)},
        "retry_after": {"type": "number"},
    },
}

_HEADERS: Json = {"Pets-Protocol": {"required": True, "schema": {"const": PROTOCOL}}}


def described(one: Endpoint) -> dict[str, Any]:
    """The part of an OpenAPI document that FastAPI cannot know."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in ("dataset", "job")
        if f"{{{name}}}" in one.path
    ]
    parameters += [{"name": name, "in": "query", "required": False, "schema": NAMES[name]} for name in one.query]
    if one.takes is not None and "wait" in one.query:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": KEY})
    if not one.opened:
        parameters.append({"name": "Pets-Project", "in": "header", "required": False, "schema": TEXT})
    found: dict[str, Any] = {
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _HEADERS,
                "content": _reply(REPLIES.get((one.method, one.path))) if one.media is None else _text(one.media),
            },
            "default": {
                "description": "A problem.",
                "headers": _HEADERS,
                "content": {problems.MEDIA_TYPE: {"schema": _PROBLEM, "example": PROBLEM}},
            },
        },
    }
    if "wait" in one.query:
        found["responses"]["202"] = {
            "description": "Not ready yet: ask for the job again.",
            "headers": _HEADERS,
            "content": _reply(WAITING),
        }
    if one.takes is not None:
        body = {"schema": BODIES[one.method, one.path], "example": one.takes}
        found["requestBody"] = {"required": True, "content": {"application/json": body}}
    return found


def _text(media: str) -> dict[str, Any]:
    return {media: {"schema": TEXT}}


def _reply(example: Json | None) -> dict[str, Any]:
    told: dict[str, Any] = {"schema": reply_of(example)}
    return {"application/json": told if example is None else told | {"example": example}}
