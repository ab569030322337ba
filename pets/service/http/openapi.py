"""OpenAPI: what the page of the protocol says of an endpoint, with examples of its body and its replies."""

from __future__ import annotations

from typing import Any

from pets.common.codec import Json
from pets.service.http.endpoint import Endpoint
from pets.service.http.examples import PROBLEM, REPLIES, WAITING
from pets.service.wire import problems

_TEXT = {"type": "string"}
_PROBLEM: Json = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": {"enum": sorted(problems.STATUS)},
        "retry_after": {"type": "number"},
    },
}


def described(one: Endpoint) -> dict[str, Any]:
    """The part of an OpenAPI document that FastAPI cannot know."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in ("dataset", "job")
        if f"{{{name}}}" in one.path
    ]
    parameters += [{"name": name, "in": "query", "required": False, "schema": _TEXT} for name in one.query]
    if one.takes is not None and "wait" in one.query:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": _TEXT})
    if not one.opened:
        parameters.append({"name": "Pets-Project", "in": "header", "required": False, "schema": _TEXT})
    found: dict[str, Any] = {
        "parameters": parameters,
        "responses": {
            "200": {"description": "The answer.", "content": _content(REPLIES.get((one.method, one.path)))},
            "default": {
                "description": "A problem.",
                "content": {problems.MEDIA_TYPE: {"schema": _PROBLEM, "example": PROBLEM}},
            },
        },
    }
    if "wait" in one.query:
        found["responses"]["202"] = {
            "description": "Not ready yet: ask for the job again.",
            "content": _content(WAITING),
        }
    if one.takes is not None:
        found["requestBody"] = {"required": True, "content": _content(one.takes)}
    return found


def _content(example: Json | None) -> dict[str, Any]:
    told: dict[str, Any] = {"schema": {"type": "object"}}
    return {"application/json": told if example is None else told | {"example": example}}
