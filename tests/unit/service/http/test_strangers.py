"""Projects see of one another no id, text, job, key, certificate or name; neighbouring data look the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.ledger.grants import Grants
from pets.ledger.queue import Queue
from pets.ledger.tokens import Tokens
from pets.service.access.identity import Identity
from pets.service.access.rates import Rates
from pets.service.http.limits import Limits
from pets.service.wire.strict_json import MAX_BYTES
from pets.session.custodian import Custodian
from tests.http_services import ASKED, DP, QUERY, TestClient, custodian, rows, served

AMINA, MALLORY = {"who": "amina/asthma/analyst"}, {"who": "mallory/malice/analyst"}
NEVER = "0" * 32


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("strangers"))


@pytest.fixture(scope="module")
def client(keeper: Custodian) -> Iterator[TestClient]:
    with served(keeper) as made:
        yield made


@pytest.fixture(scope="module")
def theirs(client: TestClient) -> dict[str, Any]:
    asked = ASKED | {"protection": {"kind": "dp", "epsilon": "0.2"}}
    headers = AMINA | {"Idempotency-Key": "aminas-key"}
    return dict(client.post("/datasets/stays/queries?wait=5", json=asked, headers=headers).json())


@pytest.mark.parametrize("who", ["mallory/malice/analyst", "mallory/asthma/analyst", "amina/malice/analyst"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/queries/{}"),
        ("GET", "/queries/{}?wait=1"),
        ("DELETE", "/queries/{}"),
        ("GET", "/queries/{}/certificate"),
    ],
)
def test_anothers_job_is_as_one_that_never_was(
    client: TestClient, theirs: dict[str, Any], who: str, method: str, path: str
) -> None:
    number, headers = theirs["job"]["id"], {"who": who}
    found = client.request(method, path.format(number), headers=headers)
    never = client.request(method, path.format(NEVER), headers=headers)
    assert found.status_code == never.status_code == 404
    assert found.text.replace(number, NEVER) == never.text and dict(found.headers) == dict(never.headers)
    assert client.get(f"/queries/{number}", headers=AMINA).json() == theirs  # and it is as it was


def test_anothers_release_id_names_nothing(client: TestClient, theirs: dict[str, Any]) -> None:
    release = pets.Release.from_json(theirs["releases"][0])
    assert release.certificate is not None
    for number in (release.id, release.certificate.predicate["request_id"]):
        assert client.get(f"/queries/{number}", headers=MALLORY).status_code == 404


def test_nothing_of_another_is_listed_or_told(client: TestClient, theirs: dict[str, Any]) -> None:
    for path in (
        "/queries",
        "/datasets",
        "/datasets/stays/history",
        "/datasets/stays/budget",
        "/datasets/stays/schema",
    ):
        reply = client.get(path, headers=MALLORY)
        assert reply.status_code == 200
        for secret in ("amina", "asthma", theirs["job"]["id"], "aminas-key", theirs["releases"][0]["id"]):
            assert secret not in reply.text, path
    assert client.get(f"/queries?after={theirs['job']['id']}", headers=MALLORY).json() == {"jobs": []}


def test_ones_own_other_project_sees_nothing_of_the_first(client: TestClient, theirs: dict[str, Any]) -> None:
    other = {"who": "amina/elsewhere/analyst"}
    first = [client.get(path, headers=AMINA) for path in ("/queries", "/datasets/stays/history")]
    second = [client.get(path, headers=other) for path in ("/queries", "/datasets/stays/history")]
    assert all("asthma" in one.text or theirs["job"]["id"] in one.text for one in first)
    assert second[0].json() == {"jobs": []} and second[1].json()["history"]["rows"] == []
    asked = ASKED | {"protection": {"kind": "dp", "epsilon": "0.2"}}
    (form,) = client.post("/datasets/stays/queries?wait=5", json=asked, headers=other).json()["releases"]
    assert (form["project"], form["analyst"]) == ("elsewhere", "amina")
    # and a colleague in the project gets the same answer under a name of their own
    colleague = {"who": "li/asthma/analyst"}
    (form,) = client.post("/datasets/stays/queries?wait=5", json=asked, headers=colleague).json()["releases"]
    assert (form["project"], form["analyst"]) == ("asthma", "li") and "amina" not in json.dumps(form)


def test_anothers_key_is_ones_own_to_use(client: TestClient, theirs: dict[str, Any]) -> None:
    asked = ASKED | {"protection": {"kind": "dp", "epsilon": "0.3"}}
    headers = MALLORY | {"Idempotency-Key": "aminas-key"}
    reply = client.post("/datasets/stays/queries?wait=5", json=asked, headers=headers)
    assert reply.status_code == 200 and reply.json()["job"]["id"] != theirs["job"]["id"]
    assert "amina" not in reply.text


def test_an_equal_question_is_free_and_carries_no_others_name(
    client: TestClient, keeper: Custodian, theirs: dict[str, Any]
) -> None:
    asked, spent = ASKED | {"protection": {"kind": "dp", "epsilon": "0.2"}}, keeper.remaining().spent
    reply = client.post("/datasets/stays/queries?wait=5", json=asked, headers=MALLORY)
    (form,) = reply.json()["releases"]
    assert keeper.remaining().spent == spent  # that an equal question was asked is public
    assert form["values"] == theirs["releases"][0]["values"]
    assert form["analyst"] == "mallory" and "amina" not in reply.text and "asthma" not in reply.text


def test_a_login_for_some_datasets_sees_no_other(keeper: Custodian) -> None:
    nobody = Identity("li", datasets=frozenset({"births"}))
    with served(keeper, auth=lambda _: nobody) as client:
        assert client.get("/datasets").json()["datasets"] == []
        hidden, never = (client.get(f"/datasets/{name}/schema") for name in ("stays", "stayz"))
        assert hidden.status_code == never.status_code == 404
        assert hidden.text.replace("'stays'", "'stayz'") == never.text
        asked = client.post("/datasets/stays/queries", json=ASKED)
        assert asked.status_code == 404


def test_a_log_of_several_datasets_is_for_who_sees_all_of_them(tmp_path: Path) -> None:
    keeper = custodian(tmp_path)
    births = keeper.schema.to_json() | {"dataset": "births"}
    pets.Custodian(births, budget=pets.Budget(epsilon=1), ledger=keeper.ledger, progress=False)  # (not served here)
    for datasets, status in ((frozenset({"stays"}), 403), (frozenset({"stays", "births"}), 200), (None, 200)):
        vera = Identity("vera", project="audit", roles=frozenset({"auditor"}), datasets=datasets)
        with served(keeper, auth=lambda _, vera=vera: vera) as client:
            reply = client.get("/datasets/stays/log")
            assert reply.status_code == status and ("births" in reply.text) == (status == 200), datasets
    Grants(keeper.ledger).grant("births", "trial", "amina", ["analyst"], by="boss")
    with served(keeper) as client:  # where there are grants, an auditor needs one, too
        assert client.get("/datasets/stays/log", headers={"who": "vera/audit/auditor"}).status_code == 403
        Grants(keeper.ledger).grant("births", "audit", "vera", ["auditor"], by="boss")
        assert client.get("/datasets/stays/log", headers={"who": "vera/audit/auditor"}).status_code == 200


def test_tokens_of_the_service(keeper: Custodian) -> None:
    tokens = Tokens(keeper.ledger)
    good, kept = tokens.create("script", "asthma", ["analyst"], ["stays"])
    with served(keeper, auth=None) as client:
        told = client.get("/datasets", headers={"Authorization": f"Bearer {good}"})
        assert (told.json()["analyst"], told.json()["project"]) == ("script", "asthma")
        refused = {client.get("/datasets").text, client.get("/datasets", headers={"Authorization": "Basic x"}).text}
        assert len(refused) == 1
        other = {"Authorization": f"Bearer {good}", "Pets-Project": "sleep"}
        assert client.get("/datasets", headers=other).status_code == 403
        tokens.revoke(kept.id)
        ended, _ = tokens.create("script", "asthma", expires=2e9)
        wrong = (good, good[:-1], "pets_" + "A" * 43, "eyJhbGciOiJub25lIn0.e30.")
        replies = [client.get("/datasets", headers={"Authorization": f"Bearer {one}"}) for one in wrong]
        assert {one.status_code for one in replies} == {401} and len({one.text for one in replies}) == 1
        assert client.get("/datasets", headers={"Authorization": f"Bearer {ended}"}).status_code == 200


def test_who_was_known_and_is_no_more_is_refused_at_once(keeper: Custodian) -> None:
    """A token that held a moment ago is looked up by the thread that would answer; before that nothing is told."""
    tokens = Tokens(keeper.ledger)
    good, kept = tokens.create("script", "asthma")
    with served(keeper, auth=None) as client:
        asked: Any = {"headers": {"Authorization": f"Bearer {good}"}, "json": ASKED}
        assert client.post("/datasets/stays/queries", **asked).status_code < 300
        tokens.revoke(kept.id)
        before = len(Queue(keeper.ledger).mine("asthma", "script"))
        for address in ("queries", "quote", "dummy"):
            assert client.post(f"/datasets/stays/{address}", **asked).status_code == 401
        assert len(Queue(keeper.ledger).mine("asthma", "script")) == before


def test_no_body_of_a_stranger_is_read(keeper: Custodian) -> None:
    """And whoever is known, and sends one that is too large, is told that."""
    good, _ = Tokens(keeper.ledger).create("script", "asthma")
    large: Any = {"content": b" " * (MAX_BYTES + 1)}
    with served(keeper, auth=None) as client:
        for token, codes in (("pets_" + "A" * 43, (401, 401)), (good, (413, 413)), ("pets_" + "B" * 43, (401,))):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            for code in codes:
                assert client.post("/datasets/stays/queries", headers=headers, **large).status_code == code
        for token, code in (("pets_" + "A" * 43, 401), (good, 415)):  # what is no JSON is told once a body is looked at
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
            assert client.post("/datasets/stays/queries", headers=headers, content=b"small").status_code == code


def test_of_whoever_was_known_no_large_body_is_read_before_they_are_looked_up(keeper: Custodian) -> None:
    tokens = Tokens(keeper.ledger)
    with served(keeper, auth=None) as client:
        for size, code in ((4_097, 401), (MAX_BYTES + 1, 401)):
            token, kept = tokens.create("script", "asthma")
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
            assert client.get("/datasets", headers=headers).status_code == 200
            assert client.post("/datasets/stays/queries", headers=headers, content=b" " * size).status_code == 415
            tokens.revoke(kept.id)
            assert client.post("/datasets/stays/queries", headers=headers, content=b" " * size).status_code == code


def test_requests_of_whoever_was_known_are_counted_once_and_before_a_body_is_read(
    keeper: Custodian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pets.service.http.service.Rates", partial(Rates, clock=float))  # none comes back meanwhile
    many, made = 8, Tokens(keeper.ledger)
    token, _ = made.create("counted", "asthma")
    with served(keeper, auth=None, limits=Limits(per_minute=many)) as client:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
        asked: Any = {"headers": headers, "content": b"no JSON"}
        codes = [client.post("/datasets/stays/queries", **asked).status_code for _ in range(many + 2)]
        assert codes == [415] * many + [429] * 2
        other, _ = made.create("another", "asthma")
        headers = {"Authorization": f"Bearer {other}"}
        codes = [client.post("/datasets/stays/quote", json=ASKED, headers=headers).status_code for _ in range(many + 1)]
        assert codes == [200] * many + [429], "each of them once"


def test_where_there_are_grants_only_who_has_one_asks(tmp_path: Path) -> None:
    keeper = custodian(tmp_path)
    grants = Grants(keeper.ledger)
    with served(keeper) as client:
        assert client.post("/datasets/stays/queries?wait=5", json=ASKED, headers=MALLORY).status_code == 200
        grants.grant("stays", "asthma", "amina", ["analyst"], by="custodian@example.org")
        grants.grant("stays", "malice", "mallory", ["auditor"], by="custodian@example.org")
        spent = keeper.remaining().spent
        for who in (MALLORY, {"who": "amina/malice/analyst"}, {"who": "li/asthma/analyst"}):
            reply = client.post("/datasets/stays/queries", json=ASKED, headers=who)
            assert reply.status_code == 403 and reply.json()["code"] == "forbidden", who
            assert client.post("/datasets/stays/dummy", json=ASKED, headers=who).status_code == 403
        assert client.post("/datasets/stays/queries?wait=5", json=ASKED, headers=AMINA).status_code == 200
        assert keeper.remaining().spent == spent
        grants.end("stays", "asthma", "amina", by="custodian@example.org")
        grants.end("stays", "malice", "mallory", by="custodian@example.org")
        # the last grant's end opens the dataset to nobody
        for who in (AMINA, MALLORY):
            assert client.post("/datasets/stays/queries", json=ASKED, headers=who).status_code == 403


def test_a_grant_is_needed_for_all_but_what_is_public_of_a_dataset(tmp_path: Path) -> None:
    keeper, vera = custodian(tmp_path), {"who": "vera/audit/auditor"}
    grants = Grants(keeper.ledger)
    grants.grant("stays", "asthma", "amina", ["analyst", "auditor"], by="boss")
    with served(keeper) as client:
        statuses = {}
        for path in ("schema", "budget", "history", "history?all=true"):
            for name, who in (("amina", AMINA), ("mallory", MALLORY), ("vera", vera)):
                statuses[path, name] = client.get(f"/datasets/stays/{path}", headers=who).status_code
        for name, who in (("amina", AMINA), ("mallory", MALLORY), ("vera", vera)):
            statuses["quote", name] = client.post("/datasets/stays/quote", json=ASKED, headers=who).status_code
        assert {one for one, status in statuses.items() if status != 200} == {
            ("history", "mallory"),
            ("history", "vera"),
            ("history?all=true", "amina"),  # the grant gives no role that the login has not
            ("history?all=true", "mallory"),
            ("history?all=true", "vera"),
            ("quote", "mallory"),
            ("quote", "vera"),
        }
        grants.grant("stays", "audit", "vera", ["auditor"], by="boss")
        assert client.get("/datasets/stays/history?all=true", headers=vera).status_code == 200


# neighbours -----------------------------------------------------------------------------------------------------------

TRAFFIC: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/datasets", None),
    ("GET", "/datasets/stays/schema", None),
    ("POST", "/datasets/stays/quote", ASKED),
    ("POST", "/datasets/stays/queries?wait=5", ASKED),
    ("POST", "/datasets/stays/queries?wait=5", ASKED | {"queries": [QUERY | {"by": ["sexx"]}]}),
    ("POST", "/datasets/stays/queries?wait=5", ASKED | {"protection": {"kind": "dp", "epsilon": 99}}),
    ("POST", "/datasets/stays/queries?wait=5", {"kind": "rows_lost", "table": "stays", "protection": DP}),
    ("POST", "/datasets/stays/dummy?wait=5", {"queries": [QUERY], "protection": {"kind": "exact"}, "rows": 20}),
    ("GET", "/queries", None),
    ("GET", "/datasets/stays/history", None),
    ("GET", "/datasets/stays/budget", None),
]


def shape(value: Any) -> Any:
    """A body without the letters and digits of its leaves: names, kinds and how many."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


def seen(folder: Path, people: Any, caplog: pytest.LogCaptureFixture) -> tuple[list[Any], Any, list[str]]:
    """All that whoever asks sees, but for the answers' own numbers; what it cost; and the lines of the log."""
    folder.mkdir()
    keeper, told = custodian(folder, people), []
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="pets"), served(keeper) as client:
        for method, path, body in TRAFFIC:
            reply = client.request(method, path, json=body, headers=AMINA)
            headers = {name: value for name, value in reply.headers.items() if name != "content-length"}
            # of the length its class: ids, noise and times are of a digit more or less
            told.append((path, reply.status_code, headers, round(len(reply.content) / 1000), shape(reply.json())))
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("pets")]
    return told, (keeper.remaining().spent, keeper.history()["rho"].tolist(), keeper.history()["state"].tolist()), lines


ODD: dict[str, dict[str, list[Any]]] = {
    "unlike all others": {"days": [30, 31, 999], "sex": ["?", "M", "M"], "ward": ["a ward of their own"] * 3},
    "no numbers": {"days": ["NaN", "inf", "1e300"], "sex": [None] * 3, "ward": ["x" * 500, "", None]},
}


@pytest.mark.parametrize("odd", [*ODD, "nobody else"])
def test_neighbouring_data_look_the_same(odd: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With one person more: status, headers, length, shape, cost and log lines."""
    data = rows().astype(object)
    if odd == "nobody else":
        one, other = (seen(tmp_path / str(many), data.head(2 * many), caplog) for many in (0, 1))
    else:
        person = data.head(3).assign(patient="p-odd", **ODD[odd])
        one = seen(tmp_path / "one", data, caplog)
        other = seen(tmp_path / "other", pd.concat([person, data]), caplog)
    assert one == other
    assert any("/queries" in line for line in one[2]) and json.dumps(one[0]).count("done") == 0
    assert one[1][0].loss > 0 and [reply[1] for reply in one[0]].count(200) >= 8
