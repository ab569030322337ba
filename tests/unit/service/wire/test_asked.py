"""A question to a service: its canonical form, there and back, what is refused of it, and what a session answers."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.errors import PetsError, QueryError, UserError
from pets.models.trained import Trained
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.service.wire.asked import KINDS, Asked
from pets.session.history import form_of, read_form
from pets.session.quoting.quote import Quote, Remaining

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=3, rows=1),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["f", "m"], nullable=False),
                "days": pets.Integer(0, 20, nullable=False),
                "code": pets.Text(max_length=8),
            },
        )
    },
    dataset="asked-test",
)
N = pets.query("stays").group_by("sex").agg(n=pets.count())
DAYS = pets.query("stays").where(col("days") > 3).group_by("sex").agg(d=pets.mean("days"))
PEOPLE = pets.query("stays").group_by("sex").agg(n=pets.count_units())
NETWORK = pets.classifier("sex", ["days"], data=pets.query("stays").where(col("days") > 1), hidden=(2,), steps=4)
DP = pets.DP(epsilon=0.5)
ROWS = pd.DataFrame(
    {
        "id": [f"p{i // 2}" for i in range(1200)],
        "sex": ["f", "m"] * 600,
        "days": [i % 20 for i in range(1200)],
        "code": [f"c{i % 3}" for i in range(1200)],
    }
)


@pytest.fixture(scope="module")
def session() -> pets.Session:
    budget = pets.Budget(epsilon=40, delta=1e-6, threshold_delta=1e-7)
    policy = pets.Policy(allow_unbounded=True, max_numbers=5000)
    return pets.Session(SCHEMA, ROWS, budget=budget, policy=policy, progress=False)


EVERY: dict[str, dict[str, Any]] = {
    "release": {"queries": [N, DAYS], "protection": DP},
    "dummy": {"queries": [PEOPLE], "protection": pets.Exact(), "rows": 50, "seed": 3},
    "group_keys": {"table": "stays", "by": ["code"], "protection": DP, "where": col("days") > 1, "delta": 2.5e-9},
    "top_keys": {"query": PEOPLE, "k": 1, "protection": DP},
    "rows_lost": {"table": "stays", "protection": DP},
    "synthesise": {"rows": 20, "settings": {"epsilon": 0.5, "bins": {"days": [0, 2.5, 20]}, "columns": ["sex"]}},
    "train": {"network": NETWORK, "protection": DP},
}


def test_a_table_of_people_is_asked_for_by_its_question() -> None:
    cohort = pets.people(n=pets.events("stays").count(max=3)).where(col("n") > 1)
    asked = Asked("synthesise", {"settings": {"epsilon": 1, "table": cohort}})
    again = Asked.read("synthesise", json.loads(canonical(asked.to_json())))
    assert again.arguments["settings"]["table"] == cohort and again.arguments["settings"]["epsilon"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_comes_back_from_its_form(kind: str) -> None:
    asked = Asked(kind, EVERY[kind])
    form = asked.to_json()
    text = canonical(form)
    assert b"." not in text.replace(b'"0.5"', b"").replace(b'"2.5"', b"").replace(b'"0.0000000025"', b"")
    again = Asked.read(kind, json.loads(text))
    assert again == asked and canonical(again.to_json()) == text


def test_a_session_answers_each_kind_as_its_verb_does(session: pets.Session) -> None:
    answers = {kind: Asked.read(kind, Asked(kind, EVERY[kind]).to_json()) for kind in KINDS if kind != "synthesise"}
    told = {kind: json.loads(canonical(asked.ask(session))) for kind, asked in answers.items()}
    assert [Release.from_json(one) for one in told["release"]["releases"]] == session.release([N, DAYS], DP)
    assert Release.from_json(told["dummy"]["releases"][0]).table.equals(
        session.dummy(50, 3).release(PEOPLE, pets.Exact()).table
    )
    keys = ReleasedKeys.sealed(told["group_keys"]["keys"])
    assert keys == session.group_keys("stays", by=["code"], protection=DP, where=col("days") > 1, delta=2.5e-9)
    assert keys.certificate is not None and len(keys.rows) == 3
    top = TopKeys.sealed(told["top_keys"]["top"])
    assert top == session.top_keys(PEOPLE, 1, DP) and top.certificate is not None
    assert Trained.sealed(told["train"]["trained"]) == session.train(NETWORK, DP)
    assert Release.from_json(told["rows_lost"]["rows_lost"]) == session.rows_lost("stays", DP).release


def test_a_key_names_the_request_of_every_kind(session: pets.Session) -> None:
    for kind in ("release", "group_keys", "top_keys", "rows_lost", "train"):
        asked = Asked(kind, EVERY[kind] | {"protection": pets.DP(epsilon=0.25), "again": True})
        spent = session.remaining().spent.loss
        first = asked.ask(session, f"key of {kind}")
        charged = session.remaining().spent.loss
        assert charged > spent and asked.ask(session, f"key of {kind}") == first
        assert session.remaining().spent.loss == charged, "the same request under its key is charged once"


@pytest.mark.parametrize(
    ("kind", "form", "said"),
    [
        ("relase", {}, "did you mean 'release'"),
        (["release"], {}, "there is no kind of question"),
        ("release", [], "is an object with its arguments"),
        ("release", {"queries": []}, "needs 'protection'"),
        ("release", {"queries": N.to_json(), "protection": DP.to_json()}, "queries must be a list"),
        ("release", {"query": [], "protection": DP.to_json()}, "did you mean 'queries'"),
        ("release", {"queries": [], "protection": {"kind": "dpp"}}, "there is no protection 'dpp'"),
        ("release", {"queries": [{"tabel": "stays"}], "protection": DP.to_json()}, "is not a part of a query"),
        ("group_keys", {"table": "stays", "by": ["code"], "protection": DP.to_json(), "where": "x"}, "filter"),
        ("synthesise", {"settings": 3}, "settings must be an object"),
    ],
)
def test_what_is_no_question_is_refused_in_a_sentence(kind: Any, form: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Asked.read(kind, form)


@pytest.mark.parametrize("value", [None, 0, "x", [], [[1]], {"a": 1}, True, 10**400, "9" * 900])
def test_no_argument_ends_in_anything_but_a_sentence(session: pets.Session, value: Any) -> None:
    for kind in ("release", "dummy", "group_keys", "top_keys", "rows_lost", "train"):
        form = Asked(kind, EVERY[kind]).to_json()
        for name in form:
            try:
                Asked.read(kind, form | {name: value}).ask(session)
            except PetsError as error:
                assert error.exit_code < 70, (kind, name, value)


def test_what_json_cannot_say_is_refused_before_it_is_sent() -> None:
    with pytest.raises(UserError, match="k cannot be sent"):
        Asked("top_keys", EVERY["top_keys"] | {"k": object()}).to_json()
    with pytest.raises(UserError, match="protection cannot be sent"):
        Asked("release", EVERY["release"] | {"protection": 0.5}).to_json()


def through(form: Any) -> Any:
    return json.loads(canonical(form))


def test_a_quote_comes_back_whole(session: pets.Session) -> None:
    for asked in (N, DAYS, [N, DAYS]):
        quote = session.quote(asked, pets.DP(epsilon=0.1, confidence=0.9))  # type: ignore[arg-type]
        again = Quote.from_json(through(quote.to_json()))
        assert again == quote and str(again) == str(quote) and again.table.equals(quote.table)
    for wrong in ({}, [], None, quote.to_json() | {"cost": 3}, quote.to_json() | {"errors": [3]}):
        with pytest.raises(UserError, match="no quote as pets writes it"):
            Quote.from_json(wrong)


def test_what_is_left_and_the_history_come_back_whole(session: pets.Session) -> None:
    session.release(N, pets.Total())
    left = session.remaining()
    again = Remaining.from_json(through(left.to_json()))
    assert again == left and repr(again) == repr(left) and again.unbounded == 1
    history = session.history()
    told = read_form(through(form_of(history)))
    assert repr(told) == repr(history) and told["epsilon"].max() == float("inf")
    pd.testing.assert_frame_equal(pd.DataFrame(told), pd.DataFrame(history))
    assert repr(read_form(through(form_of(history.iloc[:0])))) == "No request yet."
    for wrong in ({}, None, through(form_of(history)) | {"rows": [[1]]}):
        with pytest.raises(UserError, match="no history as pets writes it"):
            read_form(wrong)
    with pytest.raises(UserError, match="no account of a budget"):
        Remaining.from_json(left.to_json() | {"budget": {}})


def test_a_policy_comes_back(session: pets.Session) -> None:
    for policy in (session.policy, pets.Policy(), pets.Policy(max_conditions=7, max_denials=3)):
        assert pets.Policy.from_json(through(policy.to_json())) == policy
    for wrong in ({"max_rows": 3}, [], {"max_numbers": 0}):
        with pytest.raises(UserError):
            pets.Policy.from_json(wrong)


def test_the_error_of_a_part_keeps_its_kind() -> None:
    with pytest.raises(QueryError):
        Asked.read("top_keys", {"query": {}, "k": 1, "protection": {"kind": "total", "x": 1}})
