"""A connection alone: no number without its certificate, one key a question, jobs that are left, what goes wrong."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pandas as pd
import pytest

import pets
from pets.common.codec import Json
from pets.common.signing import generate
from pets.errors import (
    NotFoundError,
    ReleaseFailedError,
    UnauthenticatedError,
    UserError,
    VerificationError,
)
from pets.release.bounding.rows_lost import RowsLost
from pets.release.release import Release
from pets.service.client.jobs import Pending
from pets.service.client.transport import Transport
from pets.service.wire.errors import ServiceDownError
from pets.session.verbs.analyst_session import AnalystSession
from tests.service_stub import TOKEN, URL, Stub

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=2),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["f", "m"], nullable=False),
                "code": pets.Text(max_length=4),
            },
        )
    },
    dataset="client-test",
)
ROWS = pd.DataFrame({"id": [f"p{i}" for i in range(400)], "sex": ["f", "m"] * 200, "code": ["a", "b"] * 200})
N = pets.query("stays").group_by("sex").agg(n=pets.count())
ALL = pets.query("stays").agg(n=pets.count())
PEOPLE = pets.query("stays").group_by("sex").agg(n=pets.count_units())
DP = pets.DP(epsilon=0.5)


@pytest.fixture(scope="module")
def custodian() -> pets.Custodian:
    budget = pets.Budget(epsilon=30, delta=1e-6, threshold_delta=1e-7)
    return pets.Custodian(SCHEMA, ROWS, budget=budget, progress=False)


@pytest.fixture
def session(custodian: pets.Custodian) -> AnalystSession:
    return custodian.session(analyst="amina", project="stroke")


@pytest.fixture
def stub(session: AnalystSession, custodian: pets.Custodian) -> Stub:
    return Stub(session, custodian.ledger.key.raw)


# no number without its certificate ------------------------------------------------------------------------------------


def changed(answer: Json, change: Callable[[Json], None]) -> Json:
    made = copy.deepcopy(answer)
    change(made["releases"][0])
    return made


def unsigned(form: Json) -> None:
    del form["certificate"]


def other_numbers(form: Json) -> None:
    form["values"][0] += 1


def other_numbers_and_digest(form: Json) -> None:
    other_numbers(form)
    body = {name: part for name, part in form.items() if name not in ("digest", "certificate")}
    form["digest"] = pets.release.release.codec.digest(body)  # type: ignore[attr-defined]


def made_up(form: Json) -> None:
    other_numbers_and_digest(form)
    unsigned(form)


@pytest.mark.parametrize("change", [unsigned, other_numbers, other_numbers_and_digest, made_up])
def test_an_answer_that_the_key_did_not_sign_is_not_shown(stub: Stub, change: Callable[[Json], None]) -> None:
    connection = stub.connect()
    stub.edit = lambda answer: changed(answer, change)
    for ask in (lambda: connection.release(N, DP), lambda: connection.release(N, DP, wait=False).result()):
        with pytest.raises((VerificationError, UserError), match=r"not shown|edited or damaged"):
            ask()


def test_an_answer_of_another_ledger_is_not_shown(session: AnalystSession, custodian: pets.Custodian) -> None:
    """Genuine by its own key: only the pinned key tells."""
    other = pets.Session(SCHEMA, ROWS, budget=pets.Budget(epsilon=9, delta=1e-6), analyst="amina", project="stroke")
    stub = Stub(other, custodian.ledger.key.raw)  # it says the right key, and answers with another
    with pytest.raises(
        VerificationError, match="its certificate does not hold: its envelope is not one that this key signed"
    ):
        stub.connect().release(N, DP)
    with pytest.raises(VerificationError, match="its certificate does not hold"):
        stub.connect().rows_lost("stays", DP)
    with pytest.raises(VerificationError, match="its certificate does not hold"):
        stub.connect().top_keys(PEOPLE, 1, DP)


def test_keys_that_nobody_signed_are_not_shown(stub: Stub) -> None:
    connection = stub.connect()

    def edited(answer: Json) -> Json:
        found = copy.deepcopy(answer)
        (form,) = found.values()
        form["rows"] = form["rows"][::-1]
        del form["digest"], form["certificate"]
        return found

    stub.edit = edited
    with pytest.raises(VerificationError, match="nobody has signed it"):
        connection.top_keys(PEOPLE, 1, DP)
    with pytest.raises(VerificationError, match="nobody has signed it"):
        connection.group_keys("stays", by=["code"], protection=DP)


def test_a_genuine_answer_to_another_question_is_not_shown(
    stub: Stub, session: AnalystSession, custodian: pets.Custodian
) -> None:
    connection = stub.connect()
    colleague = custodian.session(analyst="ben", project="stroke")
    others = [
        session.release(ALL, DP),
        session.release(N, pets.DP(epsilon=0.25)),
        colleague.release(N, DP),
        session.dummy(50).release(N, DP),
    ]
    for other in others:
        form = json.loads(json.dumps(other.to_json()))
        stub.edit = lambda answer, form=form: {"releases": [form]}  # type: ignore[misc]
        with pytest.raises(VerificationError, match=r"another question|does not hold"):
            connection.release(N, DP, again=True)
    for wrong in ({}, {"releases": []}, {"releases": {}}, {"releases": [None]}):
        stub.edit = lambda answer, wrong=wrong: wrong  # type: ignore[misc]
        with pytest.raises(VerificationError):
            connection.release(N, DP, again=True)


def test_an_answer_of_another_schema_than_the_service_tells_is_not_shown(stub: Stub) -> None:
    """What was explained and priced by a schema that the service made up is not what was answered."""

    def told(request: httpx.Request) -> httpx.Response:
        reply = stub._handle(request)
        body = reply.json()
        if "schema" in body:
            body["schema"]["tables"]["stays"]["unit"] |= {"max_rows": 3, "rows": 3}
        return httpx.Response(reply.status_code, json=body, headers={"Pets-Protocol": "1"})

    stub.handler = told
    with pytest.raises(VerificationError, match="it is not of the schema that the service tells"):
        stub.connect().release(N, DP)
    connection = stub.connect()  # which knows the made-up one
    stub.handler = stub._handle
    assert connection.release(N, DP).query == N and connection.schema == SCHEMA, "it was another schema before"


def test_what_is_nested_too_deeply_is_said(stub: Stub) -> None:
    connection = stub.connect()
    deep = b'{"quote":' + b"[" * 600 + b"]" * 600 + b"}"
    stub.handler = lambda request: httpx.Response(200, content=deep, headers={"Pets-Protocol": "1"})
    with pytest.raises(UserError, match=r"nested too deeply|no quote"):
        connection.quote(N, DP)


def test_the_key_is_pinned_or_said(
    stub: Stub, custodian: pets.Custodian, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    raw = custodian.ledger.key.raw
    file = tmp_path / "ledger.pub"
    file.write_text(raw.hex() + "\n")
    for key in (raw.hex(), file, str(file), custodian.ledger.key):
        assert stub.connect(key=key).key == custodian.ledger.key
    assert capsys.readouterr().err == ""
    assert stub.connect(key=None).key == custodian.ledger.key
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"key={raw.hex()!r}" in said and TOKEN not in said
    with pytest.raises(VerificationError, match=r"was pinned; ask the custodian"):
        stub.connect(key=generate().public)
    for wrong in (3, "no such file", b"x"):
        with pytest.raises(UserError):
            stub.connect(key=wrong)


# one key a question ---------------------------------------------------------------------------------------------------


def keys(stub: Stub) -> list[str]:
    return [one.headers["idempotency-key"] for one in stub.seen if one.method == "POST"]


def test_a_question_is_charged_once_however_often_its_reply_is_lost(stub: Stub, session: AnalystSession) -> None:
    connection = stub.connect()
    connection._transport._sleep = lambda seconds: None
    before = session.remaining().spent.loss
    stub.lost = 2
    first = connection.release(N, DP, again=True)
    charged = session.remaining().spent.loss - before
    assert charged == first.cost["loss"] > 0
    assert len(keys(stub)) == 3 and len({*keys(stub)}) == 1 and all(len(key) > 20 for key in keys(stub))
    connection.release(N, DP, again=True)
    assert len({*keys(stub)}) == 2, "another call is another request"
    assert (
        connection.release(N, DP, key="mine") == connection.release(N, DP, key="mine")
        and keys(stub)[-2:] == ["mine"] * 2
    )


def test_a_question_that_is_still_being_answered_is_waited_for(
    stub: Stub, session: AnalystSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first reply was lost, and a service says of what came under the same key that it is at work on it."""
    connection = stub.connect()
    connection._transport._sleep = lambda seconds: None
    pauses: list[float] = []
    monkeypatch.setattr("pets.service.client.jobs.sleep", pauses.append)
    before = session.remaining().spent.loss
    stub.lost, stub.busy, stub.polls = 1, 3, 1
    first = connection.release(N, DP, again=True)
    assert session.remaining().spent.loss - before == first.cost["loss"] > 0
    assert len(keys(stub)) == 4 and len({*keys(stub)}) == 1 and pauses[:2] == [10.0, 10.0]
    stub.busy = 1000
    with pytest.raises(pets.errors.InProgressError, match="is still being answered"):
        connection.release(N, DP, key="busy")
    assert sum(pauses) < 700


def test_where_no_other_request_may_wait_a_question_is_looked_at_now_and_then(
    stub: Stub, session: AnalystSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = stub.connect()
    connection._transport._sleep = lambda seconds: None
    pauses: list[float] = []
    monkeypatch.setattr("pets.service.client.jobs.sleep", pauses.append)
    stub.full, stub.polls, before = True, 3, session.remaining().spent.loss
    answer = connection.release(N, DP, again=True)
    assert session.remaining().spent.loss - before == answer.cost["loss"] > 0 and len({*keys(stub)}) == 1
    assert len(pauses) >= 2 and all(0 <= pause <= 10 for pause in pauses)


def test_whoever_loses_the_service_reads_how_to_get_the_answer(
    stub: Stub, session: AnalystSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = stub.connect()
    connection._transport._sleep = lambda seconds: None
    before = session.remaining().spent.loss
    stub.lost = 5
    with pytest.raises(
        ServiceDownError, match="whether it has the question is not known: ask the same again"
    ) as caught:
        connection.release(N, DP, again=True)
    key = str(caught.value).partition("key='")[2].partition("'")[0]
    answer = connection.release(N, DP, again=True, key=key)
    assert session.remaining().spent.loss - before == answer.cost["loss"]

    stub.polls = 9
    pending = connection.release(N, DP, wait=False)
    stub.lost = 5
    with pytest.raises(ServiceDownError, match=rf"fetch its answer later with connection\.fetch\('{pending.id}'\)"):
        pending.result()

    def interrupted(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    stub.handler = interrupted
    with pytest.raises(KeyboardInterrupt):
        connection.release(N, DP)
    assert "is not known: ask the same again with key=" in capsys.readouterr().err


def test_a_service_that_cannot_be_reached_is_said(stub: Stub) -> None:
    connection = stub.connect()
    pauses: list[float] = []
    connection._transport._sleep = pauses.append
    stub.lost = 100
    with pytest.raises(ServiceDownError, match=r"at https://data\.example/pets cannot be reached \(ReadError\)"):
        connection.remaining()
    assert pauses == [0.25, 0.5, 1.0, 2.0]


@pytest.mark.parametrize("code", [502, 503, 504])
def test_a_gateway_in_front_of_it_is_asked_again(code: int) -> None:
    replies = [httpx.Response(code, text="<html>"), httpx.Response(200, json={"x": 1}, headers={"Pets-Protocol": "1"})]
    line = Transport(URL, None, None, 5.0, sent_by=httpx.MockTransport(lambda _: replies.pop(0)), sleep=lambda _: None)
    assert line.get("version") == {"x": 1}


# jobs -----------------------------------------------------------------------------------------------------------------


def test_an_answer_may_take_a_while(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = stub.connect()
    pauses: list[float] = []
    monkeypatch.setattr("pets.service.client.jobs.sleep", pauses.append)
    stub.polls = 7
    release = connection.release(N, DP)
    assert isinstance(release, Release) and len(pauses) == 6
    waits = [one.url.params["wait"] for one in stub.seen if one.url.path.startswith("/pets/queries/")]
    assert waits == ["1", "1", "2", "5", "10", "10", "10"]


def test_a_question_is_left_and_its_answer_fetched(stub: Stub, session: AnalystSession) -> None:
    connection = stub.connect()
    stub.polls = 1
    pending = connection.release([N, ALL], DP, wait=False)
    assert isinstance(pending, Pending) and repr(pending).startswith(f"<Pending {pending.id}: running")
    assert pending.state == "done" and [one.query for one in pending.result()] == [N, ALL]
    assert stub.connect().fetch(pending.id) == pending.result() == session.release([N, ALL], DP)
    assert connection.fetch(connection.release(N, DP, wait=False).id).query == N
    stub.polls = 0
    taken = connection.release(N, DP, wait=False)
    assert taken.cancel() == "cancelled"
    with pytest.raises(UserError, match="was taken back before it was answered"):
        taken.result()
    with pytest.raises(NotFoundError, match="no such job of yours"):
        connection.fetch("job99")
    for wrong in (3, "", None):
        with pytest.raises(UserError, match="is fetched by the id"):
            connection.fetch(wrong)


def test_keys_and_rows_lost_are_fetched_too(stub: Stub) -> None:
    connection = stub.connect()
    made = [connection.top_keys(PEOPLE, 1, DP), connection.group_keys("stays", by=["code"], protection=DP)]
    numbers = [number for number, answer in stub.jobs.items() if "releases" not in answer]
    assert [connection.fetch(number) for number in numbers] == made
    lost = connection.rows_lost("stays", DP)
    assert isinstance(lost, RowsLost) and stub.connect().fetch("job2") == lost
    tails = connection.release(pets.query("stays").agg(people=pets.tails()), DP, wait=False)
    assert isinstance(connection.fetch(tails.id), Release), "the same numbers, and asked for as a release"
    stub.jobs["job2"] = {"releases": [lost.release.to_json()]}
    with pytest.raises(VerificationError, match="answer to another question"):
        connection.fetch("job2")


KINDS = pets.query("stays").with_columns(kind=pets.col("sex").map({"f": "x"}, otherwise="y"))
NETWORK = pets.classifier("kind", ["sex"], data=KINDS, steps=3)
WAITED: dict[str, Callable[..., object]] = {
    "release": lambda one, **more: one.release(N, DP, **more),
    "rows_lost": lambda one, **more: one.rows_lost("stays", DP, **more),
    "group_keys": lambda one, **more: one.group_keys("stays", by=["code"], protection=DP, **more),
    "top_keys": lambda one, **more: one.top_keys(PEOPLE, 1, DP, **more),
    "train": lambda one, **more: one.train(NETWORK, DP, **more),
}


@pytest.mark.parametrize("name", WAITED)
def test_each_verb_leaves_its_question_with_the_service(stub: Stub, name: str) -> None:
    connection, ask = stub.connect(), WAITED[name]
    answer = ask(connection)
    stub.polls = 1
    pending = ask(connection, wait=False)
    assert isinstance(pending, Pending) and "running" in repr(pending)
    left = stub.connect().fetch(pending.id, wait=False)
    assert isinstance(left, Pending) and left.state == "done"
    assert left.result() == pending.result() == answer and type(answer) is type(left.result())
    for wrong in (0, None, "yes"):
        with pytest.raises(UserError, match="wait must be True or False"):
            ask(connection, wait=wrong)
    with pytest.raises(UserError, match="wait must be True or False"):
        connection.fetch(pending.id, wait=0)


def test_a_network_that_was_not_asked_for_is_not_shown(stub: Stub, session: AnalystSession) -> None:
    connection = stub.connect()
    for other in (session.train(NETWORK, pets.DP(epsilon=0.25)), session.train(replace(NETWORK, rate=2), DP)):
        stub.polls = 1
        pending = connection.train(NETWORK, DP, wait=False)
        stub.jobs[pending.id] = {"trained": other.signed}
        with pytest.raises(VerificationError, match="answer to another question"):
            pending.result()
        assert connection.fetch(pending.id) == other, "it is genuine, and of this analyst's own"
    stub.jobs[pending.id] = {"trained": other.signed | {"weights": [0] * len(other.form["weights"])}}
    with pytest.raises(VerificationError, match="its certificate does not hold"):
        connection.fetch(pending.id)


def test_rows_lost_that_come_later_are_said_beside_quotes_too(stub: Stub) -> None:
    connection = stub.connect()
    pending = connection.rows_lost("stays", pets.DP(epsilon=1), wait=False)
    assert connection._still_lost() == {}
    lost = pending.result()
    assert connection._still_lost() == {"stays": lost}
    other = stub.connect()
    assert other.fetch(pending.id) == lost and other._still_lost() == {"stays": lost}


def test_invented_rows_are_fetched_and_real_ones_are_not_taken_for_them(stub: Stub, session: AnalystSession) -> None:
    connection = stub.connect()
    made = session.dummy(50).release(N, pets.Exact())
    pending = connection.release(N, DP, wait=False)
    stub._kinds[pending.id], stub.jobs[pending.id] = "dummy", {"releases": [made.to_json()]}
    assert connection.fetch(pending.id) == [made]
    real = session.release(N, DP).to_json()
    del real["certificate"]
    stub.jobs[pending.id] = {"releases": [real]}
    with pytest.raises(VerificationError, match="says that its rows are invented"):
        connection.fetch(pending.id)


def test_ctrl_c_leaves_the_question_and_says_how_to_fetch_it(
    stub: Stub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = stub.connect()
    stub.polls = 3

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pets.service.client.jobs.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        connection.release(N, DP)
    said = capsys.readouterr().err
    number = said.partition("connection.fetch('")[2].partition("'")[0]
    monkeypatch.undo()
    monkeypatch.setattr("pets.service.client.jobs.sleep", lambda seconds: None)
    assert connection.fetch(number).query == N


def test_a_held_answer_and_a_failed_one(stub: Stub) -> None:
    connection = stub.connect()
    held = connection.release(N, DP, wait=False)
    stub.states[held.id] = "held"
    held._reply = connection._jobs.look(held.id)
    with pytest.raises(pets.errors.HeldError, match=rf"fetch it later with connection\.fetch\('{held.id}'\)"):
        held.result()
    answer = stub.jobs[held.id]
    assert "second person has approved" in repr(held)
    stub.states[held.id] = "done"
    assert held.result().query == N, "approved since"
    refused = {"code": "not-approved", "message": "a second person did not approve this\x1b[2J; ask them why"}
    stub.states[held.id], stub.jobs[held.id] = "failed", {"problem": refused}
    with pytest.raises(pets.errors.NotApprovedError, match=r"did not approve this\\x1b\[2J; ask them why"):
        connection.fetch(held.id)
    stub.states[held.id], stub.jobs[held.id] = "pondered", answer
    with pytest.raises(UserError, match="is 'pondered'; install the pets that it has"):
        connection.fetch(held.id)
    stub.states[held.id], stub.jobs[held.id] = "failed", {"problem": {"code": "release-failed", "message": "it failed"}}
    with pytest.raises(ReleaseFailedError, match="it failed"):
        connection.fetch(held.id)


# who answers, and who asks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoken", "said"),
    [
        ("2", "speaks protocol '2' and this client 1; install a newer pets where this client is"),
        ("0", "install a newer pets where the service is"),
        ("\xb2", "speaks protocol"),
        (None, "is no service of pets; check the address"),
    ],
)
def test_another_version_is_said_plainly(stub: Stub, spoken: str | None, said: str) -> None:
    stub.protocol = spoken
    with pytest.raises(UserError, match=said):
        stub.connect()


def test_a_token_goes_nowhere_else(stub: Stub, custodian: pets.Custodian) -> None:
    connection = stub.connect()
    assert TOKEN not in repr(connection) + str(vars(connection)) and repr(connection).endswith("(real data): stays>")
    for seen in stub.seen:
        assert TOKEN not in str(seen.url) and seen.url.host == "data.example"
    with pytest.raises(UserError, match="never pickled"):
        pickle.dumps(connection)
    with pytest.raises(UnauthenticatedError, match="does not know who asks"):
        stub.connect(token="wrong")
    with pytest.raises(UserError, match="could be read on its way"):
        pets.connect("http://data.example", token=TOKEN)
    for wrong in ("data.example", "ftp://x", "https://", 3, "https://[", "https://a:b@c"):
        with pytest.raises(UserError):
            pets.connect(wrong, token=TOKEN)  # type: ignore[arg-type]
    for wrong in ("ü", "a\nb", ""):
        with pytest.raises(UserError, match="token must be printable letters of ASCII") as caught:
            stub.connect(token=wrong)
        assert not wrong or wrong not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "trusts"), [("http://localhost:8470", False), ("http://127.0.0.1", False), ("https://data.example", True)]
)
def test_a_token_for_this_machine_goes_to_no_proxy(url: str, trusts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    line = Transport(url, TOKEN, None, 5.0)
    proxied = [one for one in line._client._mounts.values() if one is not None]
    line.close()
    assert bool(proxied) == trusts


def test_what_a_service_says_cannot_steer_a_terminal(stub: Stub) -> None:
    connection = stub.connect()
    steer = "a\x1b[2J\u202eb"

    def said(request: httpx.Request) -> httpx.Response:
        reply = stub._handle(request)
        body = reply.json()
        if "history" in body:
            rows = body["history"]["rows"]
            rows[-1][body["history"]["columns"].index("what")] = steer
        elif "quote" in body:
            body["quote"]["notes"] = [steer]
        elif "engine" in body:
            body["engine"], body["tables"] = steer, [steer]
        return httpx.Response(200, json=body, headers={"Pets-Protocol": "1"})

    connection.release(N, DP)
    stub.handler = said
    connection._renewed()
    shown = [repr(connection.history()), str(connection.quote(N, DP)), repr(connection), connection.engine]
    for text in shown:
        assert "\x1b" not in text and "\u202e" not in text and "\\x1b[2J\\u202e" in text
    strange = {"datasets": [], "project": "p", "analyst": steer}
    stub.handler = lambda request: httpx.Response(200, json=strange, headers={"Pets-Protocol": "1"})
    with pytest.raises(UserError, match="does not say the analyst"):
        stub.connect()


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def moved(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})

    with pytest.raises(UserError, match="no service of pets"):
        pets.connect(URL, token=TOKEN, transport=httpx.MockTransport(moved))
    assert asked == ["data.example"]


def test_the_dataset_is_named_where_there_are_several(stub: Stub) -> None:
    assert stub.connect(dataset="client-test").dataset == "client-test"
    with pytest.raises(UserError, match="no dataset 'clien-test' for this token; did you mean 'client-test'"):
        stub.connect(dataset="clien-test")


def test_a_schema_that_changed_is_asked_for_again_before_anything_is_refused(stub: Stub) -> None:
    connection = stub.connect()
    old = connection._facts
    assert connection.release(N, DP).query == N and connection._facts is old, "what fits needs no second look"
    connection._facts = type(old)(
        type(old.terms)(pets.Schema(SCHEMA.tables | {}, dataset="other"), pets.Policy(max_numbers=1), old.terms.budget),
        old.engine,
        old.tables,
        old.snapshots,
    )
    assert connection.release(N, DP).query == N and connection.policy == old.terms.policy


@pytest.mark.chance(0)
def test_a_client_loads_no_database_and_no_server(tmp_path: Path) -> None:
    program = (
        "import sys, pets, httpx\n"
        "try:\n"
        "    pets.connect('http://127.0.0.1:9', transport=httpx.MockTransport(lambda r: httpx.Response(200)))\n"
        "except pets.UserError as error:\n"
        "    print(error)\n"
        "print([one for one in ('sqlalchemy', 'fastapi', 'duckdb', 'opendp') if one in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.splitlines() == [
        "what answers at http://127.0.0.1:9 is no service of pets; check the address",
        "[]",
    ]
