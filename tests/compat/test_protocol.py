"""Today's client understands a service of each protocol that is kept here, and today's service its clients."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import Json
from pets.errors import VerificationError
from pets.service.access.identity import Identity
from pets.service.client.transport import PROTOCOL
from pets.service.http import endpoint
from tests import http_services
from tests.compat import conversation
from tests.compat.conversation import ANALYST, REVIEWER, Player, missing, told

SITTINGS = {"analyst": ANALYST, "reviewer": REVIEWER}
FILES = sorted(one.name for one in conversation.FOLDER.glob("protocol-*.json"))
EACH = [(name, part) for name in FILES for part in SITTINGS]


def kept(name: str = conversation.path().name) -> Json:
    return dict(json.loads((conversation.FOLDER / name).read_text("utf-8")))


def connected(sitting: Json, **changed: Any) -> Any:
    settings: dict[str, Any] = {"token": "a token", "key": sitting["key"], "progress": False}
    return pets.connect("http://localhost", transport=Player(sitting["spoken"]), **settings | changed)


def test_there_is_a_conversation_of_what_is_spoken_today() -> None:
    assert conversation.path().exists(), "the protocol is another one: python -m tests.compat.conversation records it"
    assert str(PROTOCOL) == endpoint.PROTOCOL
    for part, acts in SITTINGS.items():
        said = {step for name in FILES for step in kept(name)[part]["results"]}
        assert said == {*acts}, "a step was added: CONTRIBUTING.md says how it is kept"


@pytest.mark.parametrize(("name", "part"), EACH)
def test_today_s_client_reads_what_a_service_said(name: str, part: str) -> None:
    sitting = kept(name)[part]
    connection = connected(sitting)
    for step, act in SITTINGS[part].items():
        if step not in sitting["results"]:
            continue  # it was added since
        assert json.loads(json.dumps(told(act(connection)))) == sitting["results"][step], step


def test_the_certificates_that_were_kept_are_held_against_the_key() -> None:
    sitting = kept()["analyst"]
    with pytest.raises(VerificationError, match="was pinned"):
        connected(sitting, key="ab" * 32)
    for exchange in sitting["spoken"]:
        for form in (exchange["reply"]["body"] or {}).get("releases", ()):
            form["values"][0] += 1
    connection = connected(sitting)
    with pytest.raises(pets.errors.UserError, match=r"not shown|edited or damaged"):
        connection.release(conversation.N, conversation.DP)


@pytest.mark.parametrize(("name", "part"), EACH)
def test_today_s_service_understands_what_a_client_said(name: str, part: str, tmp_path: Path) -> None:
    """The same requests, of the same rows: each reply has all that the kept one has, of the same types."""
    if part == "analyst":
        made, who = conversation.keeper(tmp_path), Identity("amina", project="asthma", roles=frozenset({"analyst"}))
    else:
        made, who = conversation.held(tmp_path)
    now: dict[str, str] = {}  # by the id that a job had then, the one that it has
    with http_services.served(made, auth=lambda request: who) as client:
        for exchange in kept(name)[part]["spoken"]:
            said, then = exchange["request"], exchange["reply"]
            target = re.sub(r"[0-9a-f]{32}", lambda found: now.get(found[0], found[0]), said["target"])
            body = None if said["body"] is None else json.dumps(said["body"])
            reply = client.request(said["method"], target, headers=said["headers"], content=body)
            told_now, told_then = reply.json(), then["body"]
            soon = (200, 202) if "/queries" in target else (then["status"],)
            assert reply.status_code in ({then["status"], *soon}), (target, told_now)
            assert reply.headers["pets-protocol"] == then["headers"]["pets-protocol"]
            _learn(told_then, told_now, now)
            if reply.status_code == then["status"]:
                assert missing(told_then, told_now) == [], target


def _learn(then: Any, today: Any, now: dict[str, str]) -> None:
    """The ids of the jobs in two replies."""
    pairs = [(then.get("job"), today.get("job"))] if isinstance(then, dict) else []
    if isinstance(then, dict) and "reviews" in then:
        pairs += zip(then["reviews"], today["reviews"], strict=True)
    for before, after in pairs:
        if isinstance(before, dict) and isinstance(after, dict):
            now[before["id"]] = after["id"]


def test_what_is_missing_is_found() -> None:
    then = {"a": [{"b": 1, "c": "x"}], "d": None}
    assert missing(then, {"a": [{"b": 2, "c": "y", "e": 3}], "d": 5, "f": 6}) == []
    assert missing(then, {"a": [{"b": "1"}]}) == ["$.a[].b: str in place of int", "$.a[].c", "$.d"]
    assert missing(then, {"a": {}, "d": None}) == ["$.a: dict in place of list"]
