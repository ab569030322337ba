"""Outputs over HTTP: a login says who votes; authors, their colleagues and strangers do not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common import signing
from pets.common.signing import SigningKey
from pets.ledger.grants import Grants
from pets.ledger.review.own_key import sign
from pets.ledger.review.votes import Decision
from pets.service.http.protocol.examples import REPLIES
from tests.compat.conversation import missing
from tests.http_services import custodian, served
from tests.unit.ledger.review.test_outputs import entries

VOTES = ("approve", "return", "reject", "send-back")
TABLE = "region,n\nNorth,120\nSouth,85\n"
AMINA, MATE, BEN, JO, KIM = (
    {"who": f"{name}/{role}"}
    for name, role in (
        ("amina", "asthma/analyst+reviewer"),
        ("mate", "asthma/analyst+reviewer"),
        ("ben", "sleep/analyst"),
        ("jo", "board/reviewer"),
        ("kim", "board/reviewer"),
    )
)


def sent(text: str = TABLE, **more: Any) -> dict[str, Any]:
    files = {"stays.csv": base64.b64encode(text.encode()).decode()}
    said = {"context": "Stays by region, for the paper.", "controls": "Counts below 10 hidden, rest to 5."}
    return {"files": files} | said | more


@pytest.fixture
def kept(tmp_path: Path) -> pets.Custodian:
    return custodian(tmp_path, policy=pets.Policy(output_logins=True))


@pytest.fixture
def client(kept: pets.Custodian) -> Iterator[Any]:
    with served(kept) as client:
        yield client


def submit(client: Any, who: dict[str, str] = AMINA) -> dict[str, Any]:
    reply = client.post("/datasets/stays/airlock", json=sent(), headers=who)
    assert reply.status_code == 200, reply.text
    return dict(reply.json()["output"])


def act(client: Any, output: dict[str, Any], who: dict[str, str], name: str, **more: Any) -> Any:
    body = {"act": name} | ({"digest": output["digest"]} if name in VOTES else {}) | more
    return client.post(f"/airlock/{output['id']}", json=body, headers=who)


def test_an_output_goes_the_whole_way(client: Any, kept: pets.Custodian, tmp_path: Path) -> None:
    made = submit(client)
    assert (made["state"], made["needed"], made["voted"], made["analyst"]) == ("submitted", 2, 0, "amina")
    assert missing(REPLIES["POST", "/datasets/{dataset}/airlock"], {"output": made}) == []
    listed = client.get("/airlock", headers=JO).json()
    assert missing(REPLIES["GET", "/airlock"] | {"outputs": []}, listed) == []
    assert listed["outputs"] == [] and [one["id"] for one in listed["waiting"]] == [made["id"]]
    own = client.get("/airlock", headers=AMINA).json()
    assert [one["id"] for one in own["outputs"]] == [made["id"]] and own["waiting"] == []
    looked = client.get(f"/airlock/{made['id']}", headers=JO).json()
    assert missing(REPLIES["GET", "/airlock/{job}"], looked) == []
    assert base64.b64decode(looked["files"]["stays.csv"]).decode() == TABLE and looked["findings"] == []
    assert list(client.get(f"/airlock/{made['id']}", headers=AMINA).json()) == ["output"], "no files before the release"
    first = act(client, made, JO, "return", reason="unclear", note="which year?").json()["output"]
    assert first["votes"] == [{"by": "jo", "decision": "return", "reason": "unclear", "note": "which year?"}]
    for who in (AMINA, KIM):
        assert client.get(f"/airlock/{made['id']}", headers=who).json()["output"]["votes"] == []
    assert act(client, made, KIM, "send-back", reason="missing-context").json()["output"]["state"] == "returned"
    again = act(client, made, AMINA, "resubmit", **sent(TABLE + "East,40\n")).json()["output"]
    assert (again["turn"], again["state"], again["votes"]) == (2, "submitted", [])
    for late in ("approve", "send-back"):
        stale = act(client, made, JO, late)
        assert stale.status_code == 409 and stale.json()["code"] == "held" and "not the output that waits" in stale.text
    act(client, again, AMINA, "comment", words="East is new")
    for who in (JO, KIM):
        assert act(client, again, who, "approve").status_code == 200
    told = client.get(f"/airlock/{made['id']}", headers=AMINA).json()
    assert told["output"]["state"] == "approved" and "files" not in told
    kept.airlock.release(made["id"], tmp_path / "out", by="vera")
    told = client.get(f"/airlock/{made['id']}", headers=AMINA).json()
    assert base64.b64decode(told["files"]["stays.csv"]).decode() == TABLE + "East,40\n"


@pytest.mark.parametrize(
    ("who", "name", "status", "said"),
    [
        (AMINA, "approve", 403, "an output of their own"),
        (MATE, "approve", 403, "of the author's project, asthma"),
        (BEN, "approve", 404, "there is no output"),
        (BEN, "comment", 404, "there is no output"),
        (JO, "withdraw", 403, "another analyst's"),
        (JO, "release", 400, "is nothing that is done to an output"),
    ],
)
def test_who_does_what(client: Any, who: dict[str, str], name: str, status: int, said: str) -> None:
    made = submit(client)
    more = {"words": "hello"} if name == "comment" else {}
    reply = act(client, made, who, name, **more)
    assert (reply.status_code, said in reply.text) == (status, True), reply.text
    looked = client.get(f"/airlock/{made['id']}", headers=who)
    assert looked.status_code == (200 if who in (AMINA, JO) else status), "who may not decide is given no files"
    assert ("files" in looked.json()) == (who == JO)
    unknown = dict(made, id="0" * 32)
    if status == 404:
        assert (
            act(client, unknown, who, name, **more).json()["detail"].replace("0" * 32, made["id"])
            == reply.json()["detail"]
        )


def test_a_rejected_output_is_shown_without_its_files(client: Any) -> None:
    made = submit(client)
    for who in (JO, KIM):
        assert act(client, made, who, "reject", reason="rows-of-people").status_code == 200
    told = client.get(f"/airlock/{made['id']}", headers=JO).json()
    assert (told["output"]["state"], told["files"], told["findings"]) == ("rejected", {}, [])


def test_nobody_has_their_own_to_decide_about_under_other_capitals(client: Any) -> None:
    submit(client)
    assert client.get("/airlock", headers={"who": "Amina/board/reviewer"}).json()["waiting"] == []
    assert len(client.get("/airlock", headers=JO).json()["waiting"]) == 1


def test_grants_say_who_reviews(tmp_path: Path) -> None:
    kept = custodian(tmp_path)
    Grants(kept.ledger).grant("stays", "asthma", "amina", ["analyst"], by="head")
    Grants(kept.ledger).grant("stays", "board", "jo", ["reviewer"], by="head")
    with served(kept) as client:
        made = submit(client)
        assert client.post("/datasets/stays/airlock", json=sent(), headers=BEN).status_code == 403
        assert client.get(f"/airlock/{made['id']}", headers=KIM).status_code == 404
        assert client.get("/airlock", headers=KIM).json()["waiting"] == []
        assert act(client, made, JO, "approve").json()["output"]["voted"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"act": "approve"},
        {"act": "send-back", "reason": "unclear"},
        {"act": "approve", "digest": 3},
        {"act": "approve", "digest": "x" * 64, "words": "x"},
        {"act": "comment", "words": 3},
        {"act": "return", "digest": "0" * 64, "reason": []},
        {"act": ["approve"]},
        {},
    ],
)
def test_what_is_no_act(client: Any, body: dict[str, Any]) -> None:
    made = submit(client)
    assert client.post(f"/airlock/{made['id']}", json=body, headers=JO).status_code in (400, 409)


@pytest.mark.parametrize(
    "changed",
    [
        *({"files": wrong} for wrong in (3, {}, {"a.csv": "no base64!"}, {"a.csv": 3}, {"a.svg": "eA=="})),
        *({"files": {"../a.csv": "eA=="}}, {"context": 3}),
    ],
)
def test_what_is_no_output(client: Any, changed: dict[str, Any]) -> None:
    reply = client.post("/datasets/stays/airlock", json=sent() | changed, headers=AMINA)
    assert reply.status_code == 400 and reply.json()["code"] == "request"


# ── votes that a checker's own key signs ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def key(kept: pets.Custodian, tmp_path: Path) -> SigningKey:
    """Of Jo, whom the custodians trust."""
    found = signing.load_or_make(tmp_path / "jo.key")
    kept.airlock.trust_key(tmp_path / "jo.pub", checker="jo", reason="from May on", by=["A. One", "B. Two"])
    return found


def signed(key: SigningKey, made: dict[str, Any], name: str = "approve", **other: Any) -> dict[str, Any]:
    """What goes with a vote about an output; ``other``: what is signed in place of what is sent."""
    given = Decision("return" if name == "send-back" else name)
    terms: dict[str, Any] = {"output": made["id"], "turn": made["turn"], "digest": made["digest"], "by": "jo"}
    terms |= {
        "decision": given,
        "reason": "checked" if given is Decision.APPROVE else "unclear",
        "at_once": name == "send-back",
    }
    return {"signed": sign(key, **terms | other).to_json()}


def test_a_signed_vote_travels_and_the_log_has_its_signature(
    client: Any, kept: pets.Custodian, key: SigningKey
) -> None:
    made = submit(client)
    for _ in range(2):  # said again, by the same bytes or signed anew, it changes nothing
        for more in [signed(key, made)] * 2:
            reply = act(client, made, JO, "approve", **more)
            assert reply.status_code == 200 and reply.json()["output"]["voted"] == 1, reply.text
    assert act(client, made, KIM, "approve").json()["output"]["state"] == "approved"
    votes = [one for one in entries(kept.ledger) if one["event"] == "output-vote"]
    assert [one["how"] for one in votes] == ["key", "login"] and votes[0]["key"] == key.public.raw.hex()
    (ended,) = [one for one in entries(kept.ledger) if one["event"] == "output-review"]
    assert [len(one.get("signature", "")) for one in ended["votes"]] == [128, 0]


@pytest.mark.parametrize(("name", "state"), [("return", "returned"), ("reject", "rejected"), ("send-back", "returned")])
def test_each_vote_can_be_signed(client: Any, key: SigningKey, name: str, state: str) -> None:
    made = submit(client)
    reason = "other" if name == "reject" else "unclear"
    reply = act(client, made, JO, name, reason=reason, **signed(key, made, name, reason=reason))
    assert reply.status_code == 200, reply.text
    if name != "send-back":
        reply = act(client, made, KIM, name, reason=reason)
    assert reply.json()["output"]["state"] == state


LIES: dict[str, dict[str, Any]] = {
    "another vote": {"decision": Decision.REJECT},
    "another code": {"reason": "other"},
    "another turn": {"turn": 2},
    "another person": {"by": "kim"},
    "another output": {"output": "0" * 32},
    "other bytes": {"digest": "0" * 64},
    "at once": {"at_once": True},
}


@pytest.mark.parametrize("lie", LIES)
def test_what_was_signed_about_something_else_counts_for_nothing(client: Any, key: SigningKey, lie: str) -> None:
    made = submit(client)
    reply = act(client, made, JO, "approve", **signed(key, made, **LIES[lie]))
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden"), reply.text
    assert client.get(f"/airlock/{made['id']}", headers=JO).json()["output"]["voted"] == 0


def test_a_signed_vote_is_the_voters_own_and_of_that_turn(
    client: Any, kept: pets.Custodian, key: SigningKey, tmp_path: Path
) -> None:
    made = submit(client)
    mine = signed(key, made)
    stolen = act(client, made, KIM, "approve", **mine)
    assert stolen.status_code == 403 and "not trusted to sign votes of kim" in stolen.text
    stranger = act(client, made, JO, "approve", **signed(signing.generate(), made))
    assert stranger.status_code == 403 and "not trusted to sign votes of jo" in stranger.text
    assert act(client, made, KIM, "send-back", reason="unclear").status_code == 200
    again = act(client, made, AMINA, "resubmit", **sent(TABLE + "East,40\n")).json()["output"]
    replayed = act(client, again, JO, "approve", **mine)
    assert replayed.status_code == 403 and "another turn of it" in replayed.text
    assert act(client, again, JO, "approve", **signed(key, again)).status_code == 200
    kept.airlock.revoke_key(tmp_path / "jo.pub", checker="jo", reason="it was lost", by=["A. One", "B. Two"])
    other = submit(client)
    late = act(client, other, JO, "approve", **signed(key, other))
    assert late.status_code == 403 and "was revoked" in late.text


@pytest.mark.parametrize(
    "change",
    [
        *(None, "jo.key", "/etc/passwd", [], 3, {}),
        *({"key": wrong} for wrong in ("", "A" * 64, "0" * 63, "/etc/passwd", None)),
        *({"nonce": "approve"}, {"salt": "x" * 32}, {"signature": "0" * 126}, {"more": "x"}),
    ],
)
def test_what_is_no_signed_vote(client: Any, key: SigningKey, change: Any) -> None:
    """A path, above all: the service reads no key of its own."""
    made = submit(client)
    whole = signed(key, made)["signed"]
    wrong = whole | change if isinstance(change, dict) and change else change
    reply = act(client, made, JO, "approve", signed=wrong)
    assert (reply.status_code, reply.json()["code"]) == (400, "request")
    assert "no vote as a checker signed it; sign it anew" in reply.text
    comment = act(client, made, JO, "comment", words="hello", signed=whole)
    assert comment.status_code == 400 and "no place for 'signed'" in comment.text
