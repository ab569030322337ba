"""Each endpoint gives what the library gives."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

import pets
from pets.common.codec import canonical
from pets.errors import DataError, LeftOutWarning
from pets.ledger.ledger import Ledger
from pets.ledger.log import merkle
from pets.ledger.log.checkpoint import parse
from pets.ledger.log.verifier import verify
from pets.ledger.queue import Queue
from pets.query_model.query import Query
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from pets.service.http import custodians, questions
from pets.service.http.app import ENDPOINTS, create_app, router
from pets.service.http.protocol.examples import REPLIES
from pets.service.opening import Opening
from pets.service.wire.asked import Asked
from pets.session.custodian import Custodian
from pets.session.history import form_of
from pets.session.quoting.quote import Quote, Remaining
from tests.compat import conversation
from tests.compat.conversation import missing
from tests.http_services import ASKED, DP, NETWORK, QUERY, SCHEMA, AtOnce, TestClient, by_name, custodian, rows, served


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def client(keeper: Custodian) -> Iterator[TestClient]:
    with served(keeper) as made:
        yield made


def test_what_is_public_is_the_sessions(client: TestClient, keeper: Custodian) -> None:
    session = keeper.session(analyst="amina", project="asthma")
    told = client.get("/datasets").json()
    assert told["datasets"] == [{"dataset": "stays", "tables": ["stays"]}]
    assert (told["analyst"], told["project"], told["roles"]) == ("amina", "asthma", ["analyst"])
    facts = client.get("/datasets/stays/schema").json()
    assert pets.Schema.from_json(facts["schema"]).digest == session.schema.digest
    assert facts["snapshots"] == session.snapshots and facts["policy"] == session.policy.to_json()
    assert client.get("/key").json()["key"] == keeper.ledger.key.raw.hex()
    assert client.get("/version").json() == {"protocol": 1, "pets": pets.__version__}
    assert client.get("/healthz").json() == {"ok": True} and client.get("/readyz").json() == {"ready": True}


def test_before_asking(client: TestClient, keeper: Custodian) -> None:
    session = keeper.session(analyst="amina", project="asthma")
    query, protection = Query.from_json(QUERY), pets.DP(epsilon=0.1)
    assert Quote.from_json(client.post("/datasets/stays/quote", json=ASKED).json()["quote"]) == session.quote(
        query, protection
    )
    text = client.post("/datasets/stays/explain", json={"query": QUERY, "protection": DP}).json()["text"]
    assert text == str(query.explain(session.schema, protection))
    select = "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex"
    asked = client.post("/datasets/stays/sql", json={"sql": select}).json()
    for end in ("HAVING COUNT(*) > 3", "ORDER BY n DESC", "LIMIT 1"):
        told = client.post("/datasets/stays/sql", json={"sql": f"{select} {end}"}).json()
        assert told["query"] == asked["query"] and "no part of what is asked" in told["remarks"][0]
    assert Query.from_json(asked["query"]).digest == query.digest and asked["remarks"] == []


def test_a_price_says_whether_one_had_the_answer_before(client: TestClient, keeper: Custodian) -> None:
    """Not whether another project had it, though it would then be free, too; several are had together, or not."""
    asked = ASKED | {"protection": DP | {"epsilon": "0.07"}}
    other = QUERY | {"by": []}

    def known(*queries: Any) -> bool:
        told = client.post("/datasets/stays/quote", json=asked | {"queries": list(queries)}).json()
        return bool(told["known"])

    assert not known(QUERY)
    keeper.session(analyst="bo", project="elsewhere").release(Query.from_json(QUERY), pets.DP(epsilon=0.07))
    assert not known(QUERY)
    keeper.session(analyst="amina", project="asthma").release(Query.from_json(QUERY), pets.DP(epsilon=0.07))
    assert known(QUERY) and known(QUERY, QUERY) and not known(QUERY, other) and not known(other)


def test_what_another_thread_warns_its_custodian_of_is_no_remark(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings are the whole process's: one that counts real rows may come while a SELECT is read."""
    read = questions.read

    def meanwhile(*given: Any) -> Any:
        warnings.warn("table 'stays': 101,459 of 101,766 rows", LeftOutWarning, stacklevel=2)
        return read(*given)

    monkeypatch.setattr(questions, "read", meanwhile)
    with pytest.warns(LeftOutWarning, match="101,459"):
        told = client.post("/datasets/stays/sql", json={"sql": "SELECT COUNT(*) AS n FROM stays LIMIT 1"})
    assert "no part of what is asked" in told.json()["remarks"][0] and "101,459" not in told.text


def test_an_answer_its_certificate_and_what_is_left(client: TestClient, keeper: Custodian) -> None:
    asked = ASKED | {"protection": {"kind": "dp", "epsilon": "0.11"}}  # which no other test asks
    before = keeper.remaining().spent.loss
    reply = client.post("/datasets/stays/queries?wait=5", json=asked, headers={"Idempotency-Key": "first"})
    body = reply.json()
    assert reply.status_code == 200 and body["job"]["state"] == "done" and body["job"]["dataset"] == "stays"
    release = pets.Release.from_json(body["releases"][0])
    assert release.analyst == "amina" and keeper.remaining().spent.loss > before
    # asked again under its key it is the same job; and without one it is answered from the ledger, at once, with no job
    spent = keeper.remaining().spent
    again = client.post("/datasets/stays/queries", json=asked, headers={"Idempotency-Key": "first"}).json()
    assert canonical(again) == canonical(body)
    again = client.post("/datasets/stays/queries?wait=5", json=asked).json()
    assert canonical(again) == canonical({"job": None, "releases": body["releases"]})
    assert keeper.remaining().spent == spent
    assert client.get(f"/queries/{body['job']['id']}").json() == body
    (signed,) = client.get(f"/queries/{body['job']['id']}/certificate").json()["certificates"]
    assert verify(canonical(signed), keeper.ledger.key.raw, canonical(release.to_json()))
    assert signed == body["releases"][0]["certificate"]
    left = Remaining.from_json(client.get("/datasets/stays/budget").json()["remaining"])
    assert left.spent == spent
    session = keeper.session(analyst="amina", project="asthma")
    assert client.get("/datasets/stays/history?last=5").json()["history"] == form_of(session.history(last=5))


def test_a_request_sent_again_under_its_key_is_the_same_job(keeper: Custodian) -> None:
    queue, slow = Queue(keeper.ledger), Grid(3600.0, 3600.0)
    asked = ASKED | {"protection": {"kind": "dp", "epsilon": "0.15"}}
    named = {"Idempotency-Key": "again", "who": "mo/sleep/analyst"}
    with served(keeper, supervisor=None) as client:
        while queue.claim("before") is not None:  # what other tests left waiting
            pass
        first = client.post("/datasets/stays/queries", json=asked, headers=named)
        job = queue.claim("test")
        assert job is not None and job.id == first.json()["job"]["id"]
        running = client.post("/datasets/stays/queries", json=asked, headers=named)
        assert (running.status_code, running.json()["job"]["state"]) == (202, "running")
        Work([keeper], queue, slow).answer(job)
        # made and paid for, and not to be seen before its tick: nor under its key
        early = client.post("/datasets/stays/queries", json=asked, headers=named)
        assert (early.status_code, early.json()) == (202, running.json())
        other = client.post("/datasets/stays/queries", json=ASKED, headers=named)
        assert (other.status_code, other.json()["code"]) == (409, "other-question")
    with served(keeper) as client:  # a key that could name a part of another's charge is refused before any look
        for key in ("again#0", f"job:{job.id}"):
            reply = client.post("/datasets/stays/queries", json=asked, headers=named | {"Idempotency-Key": key})
            assert (reply.status_code, reply.json()["code"]) == (400, "request"), key


KINDS = {
    "group_keys": {"table": "stays", "by": ["ward"], "protection": {"kind": "dp", "epsilon": 2}, "groups": 2},
    "top_keys": {"query": QUERY, "k": 1, "protection": DP},
    "rows_lost": {"table": "stays", "protection": DP},
    "train": {"network": NETWORK, "protection": DP},
}
PARTS = [("group_keys", "keys"), ("top_keys", "top"), ("rows_lost", "rows_lost"), ("train", "trained")]


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_other_kinds_of_questions(client: TestClient, keeper: Custodian, kind: str, part: str) -> None:
    body = client.post("/datasets/stays/queries?wait=5", json={"kind": kind} | KINDS[kind]).json()
    session = keeper.session(analyst="amina", project="asthma")
    assert body["job"]["kind"] == kind
    assert body[part] == Asked.read(kind, KINDS[kind]).ask(session, f"job:{body['job']['id']}")[part]
    assert len(client.get(f"/queries/{body['job']['id']}/certificate").json()["certificates"]) == 1


def test_invented_rows_cost_nothing(client: TestClient, keeper: Custodian) -> None:
    spent = keeper.remaining().spent
    asked = {"queries": [QUERY], "protection": {"kind": "exact"}, "rows": 100, "seed": 3}
    (form,) = client.post("/datasets/stays/dummy?wait=5", json=asked).json()["releases"]
    assert pets.Release.from_json(form).data == "dummy" and keeper.remaining().spent == spent


def test_jobs_are_listed_and_can_be_cancelled(keeper: Custodian) -> None:
    with served(keeper, supervisor=None) as client:  # nobody answers
        who = {"who": "li/sleep/analyst"}
        asked = [ASKED | {"protection": {"kind": "dp", "rho": n}} for n in (1, 2, 3)]
        replies = [client.post("/datasets/stays/queries", json=one, headers=who) for one in asked]
        assert [one.status_code for one in replies] == [202] * 3
        numbers = [one.json()["job"]["id"] for one in replies]
        first = client.get("/queries?limit=2", headers=who).json()
        rest = client.get(f"/queries?limit=2&after={first['next']}", headers=who).json()
        assert [job["id"] for job in first["jobs"] + rest["jobs"]] == numbers[::-1] and "next" not in rest
        spent = keeper.remaining().spent
        assert client.delete(f"/queries/{numbers[0]}", headers=who).json()["job"]["state"] == "cancelled"
        assert client.get(f"/queries/{numbers[0]}", headers=who).json()["job"]["state"] == "cancelled"
        assert client.get(f"/queries/{numbers[0]}/certificate", headers=who).status_code == 404
        assert client.get(f"/queries/{numbers[1]}", headers=who).status_code == 202
        assert keeper.remaining().spent == spent
        for number in numbers[1:]:
            client.delete(f"/queries/{number}", headers=who)


def test_the_log_is_whole_and_its_proofs_hold(client: TestClient, keeper: Custodian) -> None:
    note = parse(client.get("/log/checkpoint").json()["checkpoint"], keeper.ledger.key)
    told = client.get("/datasets/stays/log", headers={"who": "vera/audit/auditor"}).json()
    assert missing(REPLIES["GET", "/datasets/{dataset}/log"], told) == []
    for path in ("/log/checkpoint", "/log/proof"):
        reply = client.get(path, params={"seq": 0, "size": note.size} if path == "/log/proof" else {}).json()
        assert missing(REPLIES["GET", path], reply) == []
    bodies = [one["body"].encode() for one in told["entries"]][: note.size]
    assert merkle.root(bodies) == note.root
    path = client.get(f"/log/proof?seq=1&size={note.size}").json()["proof"]["path"]
    assert merkle.root_from_path(bodies[1], 1, note.size, [bytes.fromhex(one) for one in path]) == note.root
    grown = client.get(f"/log/proof?old=1&size={note.size}").json()["proof"]["path"]
    nodes = [bytes.fromhex(one) for one in grown]
    assert merkle.consistent(1, note.size, merkle.root(bodies[:1]), note.root, nodes)


def test_the_page_of_the_protocol_names_every_endpoint(client: TestClient) -> None:
    reply = client.get("/openapi.json")
    told = reply.json()
    assert {(method.upper(), path) for path, one in told["paths"].items() for method in one} == {
        (one.method, one.path) for one in ENDPOINTS
    }
    assert reply.headers["pets-protocol"] == "1"
    for one in ENDPOINTS:
        said = told["paths"][one.path][one.method.lower()]
        assert said["summary"] == one.does and "default" in said["responses"]
        assert ("requestBody" in said) == (one.takes is not None)
    assert told["info"]["version"] == "1" and pets.__version__ in told["info"]["description"]


def test_the_examples_of_replies_are_as_replies_are() -> None:
    """Each has the names, of the same types, that an answer had when a conversation was kept (tests/compat)."""
    kept = json.loads(conversation.path().read_text("utf-8"))
    compared = set()
    for exchange in (one for sitting in kept.values() for one in sitting["spoken"]):
        said, reply = exchange["request"], exchange["reply"]
        path = said["target"].partition("?")[0]
        found = [
            one
            for one in ENDPOINTS
            if one.method == said["method"] and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), path)
        ]
        if reply["status"] != 200 or not found or ("releases" not in reply["body"] and "/queries" in path):
            continue
        example = REPLIES[found[0].method, found[0].path]
        assert missing(example, reply["body"]) == [], path
        compared.add((found[0].method, found[0].path))
    assert len(compared) >= 9 and {*REPLIES} <= {(one.method, one.path) for one in ENDPOINTS}


@pytest.mark.parametrize("part", ["grants", "account", "incidents", "events"])
def test_the_examples_for_custodians_are_as_replies_are(client: TestClient, part: str) -> None:
    reply = client.get(f"/datasets/stays/{part}", headers={"who": "vera/audit/auditor+custodian"})
    example = REPLIES["GET", f"/datasets/{{dataset}}/{part}"]
    assert reply.status_code == 200 and {*example} == {*reply.json()}
    assert missing({name: value for name, value in example.items() if value != []}, reply.json()) == []


def test_the_page_for_people_lists_every_endpoint() -> None:
    page = (Path(__file__).parents[4] / "docs" / "service.md").read_text("utf-8")
    listed = re.findall(r"^\| `(GET|POST|DELETE) (\S+)` \| (.+) \|$", page, re.MULTILINE)
    assert sorted(listed) == sorted((one.method, one.path, one.does) for one in ENDPOINTS)


def test_the_examples_of_the_page_can_be_asked(keeper: Custodian) -> None:
    with served(keeper, supervisor=None) as client:
        for one in ENDPOINTS:
            if one.takes is not None and "{job}" not in one.path and one not in custodians.ENDPOINTS:
                reply = client.post(one.path.replace("{dataset}", "stays"), json=one.takes)
                assert reply.status_code in (200, 202), (one.path, reply.text)


def test_it_is_mounted_and_included_in_an_app_of_ones_own(keeper: Custodian) -> None:
    host = FastAPI()
    more = {"auth": by_name, "supervisor": AtOnce(keeper)}
    host.mount("/mounted", create_app(keeper, **more))  # type: ignore[arg-type]
    host.include_router(router(keeper, **more), prefix="/own")  # type: ignore[arg-type]

    @host.get("/")
    def front() -> dict[str, str]:
        return {"app": "the host's"}

    client = TestClient(host)  # (without its start-up work)
    assert client.get("/").json() == {"app": "the host's"}
    for prefix in ("/mounted", "/own"):
        assert client.get(f"{prefix}/datasets").json()["analyst"] == "amina"
        reply = client.post(f"{prefix}/datasets/stays/queries?wait=5", json=ASKED)
        assert reply.status_code == 200 and reply.json()["releases"]
        refused = client.get(f"{prefix}/datasets/none/schema")
        assert refused.status_code == 404 and refused.json()["code"] == "not-found"


def test_whoever_answers_is_started_with_the_first_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Answers:
        def __init__(self, openings: list[Opening], ledger: Ledger) -> None:
            told.append(f"{len(openings)} {ledger.origin}")

        def ensure(self) -> None:
            told.append("ensure")

        def poke(self) -> None:
            told.append("poke")

    monkeypatch.setattr("pets.service.http.app.Supervising", Answers)
    (tmp_path / "stays.yaml").write_text(json.dumps(SCHEMA), "utf-8")
    rows().to_csv(tmp_path / "stays.csv", index=False)
    places = {name: str(tmp_path / name) for name in ("stays.yaml", "ledger.db", "stays.csv", "ready")}
    opening = Opening(
        places["stays.yaml"],
        places["ledger.db"],
        {"stays": places["stays.csv"]},
        snapshots=places["ready"],
        budget=pets.Budget(epsilon=1, delta=1e-6).to_json(),
    )
    with pytest.raises(DataError, match="whoever listens reads no rows; make them ready first: pets snapshot"):
        create_app(opening, auth=by_name)
    assert not (tmp_path / "ready").exists()
    opening.custodian()  # as pets snapshot makes them ready
    (tmp_path / "stays.csv").unlink()
    client = TestClient(create_app(opening, auth=by_name))
    assert client.post("/datasets/stays/quote", json=ASKED).status_code == 200
    assert told == [f"1 {client.get('/key').json()['origin']}"]
    assert client.post("/datasets/stays/queries", json=ASKED).status_code == 202
    assert told[1:] == ["ensure", "poke"]


def test_custodians_that_cannot_be_served_together_are_refused(keeper: Custodian, tmp_path: Path) -> None:
    with pytest.raises(pets.UserError, match="same name"):
        create_app([keeper, keeper])
    with pytest.raises(pets.UserError, match="at least one"):
        create_app([])
    schema = keeper.schema.to_json() | {"dataset": "births"}
    with Ledger(tmp_path / "other.db") as other:
        second = pets.Custodian(schema, budget=pets.Budget(epsilon=1), ledger=other)
        with pytest.raises(pets.UserError, match="same ledger"):
            create_app([keeper, second])
    second = pets.Custodian(schema, budget=pets.Budget(epsilon=1), ledger=keeper.ledger)
    app = create_app([keeper, second], auth=by_name)
    assert [one["dataset"] for one in TestClient(app).get("/datasets").json()["datasets"]] == ["stays", "births"]
