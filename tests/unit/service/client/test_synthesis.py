"""A synthetic table of a service: nothing is shown that was not signed with its rows, or that was not asked."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pets
from pets.common.codec import Json, canonical
from pets.errors import UserError, VerificationError
from pets.service.client.synthesis import request_of, synthetic
from pets.synthetic.synthetic_form import form_of
from tests.extras import needs
from tests.service_stub import Stub

needs("mbi")

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=2),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["f", "m"], nullable=False),
                "days": pets.Integer(0, 20, nullable=False),
            },
        )
    },
    dataset="made-test",
)
ROWS = pd.DataFrame(
    {"id": [f"p{i}" for i in range(800)], "sex": ["f", "m"] * 400, "days": [i % 21 for i in range(800)]}
)
ASKED: dict[str, Any] = {"rows": 30, "epsilon": 4, "columns": ["sex", "days"], "bins": {"days": [0, 10, 20]}, "seed": 7}

OWN = {"dataset": "made-test", "project": "stroke", "analyst": "amina", "data": "real"}


@pytest.fixture(scope="module")
def custodian() -> pets.Custodian:
    return pets.Custodian(SCHEMA, ROWS, budget=pets.Budget(epsilon=99, delta=1e-6), progress=False)


@pytest.fixture(scope="module")
def session(custodian: pets.Custodian) -> Any:
    return custodian.session(analyst="amina", project="stroke")


@pytest.fixture
def stub(session: Any, custodian: pets.Custodian) -> Stub:
    return Stub(session, custodian.ledger.key.raw)


@pytest.fixture(scope="module")
def made(session: Any) -> str:
    return canonical(form_of(session.synthesise(**ASKED, progress=False))).decode()


@pytest.fixture
def form(made: str) -> Any:
    return json.loads(made)


def without_certificates(form: Json) -> None:
    for one in form["releases"]:
        del one["certificate"], one["digest"]
        one["values"] = [12345 for _ in one["values"]]


def no_answers(form: Json) -> None:
    form["releases"] = []


def other_answers_of_the_ledger(form: Json, session: Any) -> None:
    """Signed and genuine, and not those that the rows were made of."""
    form["releases"] = [
        session.release(pets.query("stays").group_by("sex").agg(n=pets.count()), pets.DP(epsilon=1)).to_json()
    ]


def other_settings(form: Json) -> None:
    form["derived"]["manifest"]["settings"]["seed"] = 8


@pytest.mark.parametrize("change", [without_certificates, no_answers, other_answers_of_the_ledger, other_settings])
def test_what_was_not_signed_with_the_rows_is_not_shown(
    form: Json, session: Any, custodian: pets.Custodian, change: Callable[..., None]
) -> None:
    key, own = custodian.ledger.key, OWN
    assert len(synthetic(form, key, own).releases) == 3
    change(form, *((session,) if change is other_answers_of_the_ledger else ()))
    with pytest.raises((UserError, VerificationError), match=r"no synthetic data set as pets made it|does not hold"):
        synthetic(form, key, own)


def test_the_errors_of_the_model_are_the_signed_ones(stub: Stub, session: Any) -> None:
    def edited(answer: Json) -> Json:
        made = copy.deepcopy(answer)
        beside = [{"columns": ["sex"], "cells": 2, "sigma": "0", "error": "0", "noise": "0", "held": True}]
        made["synthetic"] |= {"misfits": beside, "certified": {"payload": "eA==", "signatures": []}}
        return made

    stub.edit = edited
    made = stub.connect().synthesise(**ASKED, progress=False)
    true = session.synthesise(**ASKED, progress=False)
    assert [one.to_json() for one in made.misfits] == [one.to_json() for one in true.misfits]
    assert made.certified is None and made.table.equals(true.table)


OTHERS: dict[str, Json] = {
    "rows": {"rows": 31},
    "epsilon": {"epsilon": 3},
    "columns": {"columns": ["days", "sex"]},
    "bins": {"bins": {"days": [0, 11, 20]}},
    "bound": {"bound": 1},
    "seed": {"seed": 8},
    "selection": {"selection": "aim"},
    "people": {"table": pets.people(of="stays", stays=pets.events("stays").count(max=9))},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_genuine_table_of_other_settings_is_not_shown(
    stub: Stub, form: Json, custodian: pets.Custodian, name: str
) -> None:
    settings = ASKED | OTHERS[name]
    if name == "people":
        del settings["bins"], settings["columns"]
    terms, rows = stub.connect()._facts.terms, settings.pop("rows")
    asked = request_of(terms, rows, settings)
    with pytest.raises(VerificationError, match="the answer to another question"):
        synthetic(form, custodian.ledger.key, OWN, asked)


def test_a_table_of_aim_is_held_to_what_was_asked(stub: Stub) -> None:
    connection = stub.connect()
    asked = ASKED | {"selection": "aim", "cells": 20_000}
    made = connection.synthesise(**asked, progress=False)
    assert made.certified is not None and len(made.table) == 30
    (answer,) = stub.jobs.values()
    stub.edit = lambda _: copy.deepcopy(answer)
    for other in ({"cells": 30_000}, {"bins": {"days": [0, 11, 20]}}):
        with pytest.raises(VerificationError, match="the answer to another question"):
            connection.synthesise(**(asked | other), progress=False)


def test_who_asks_needs_nothing_that_draws_rows(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = stub.connect()
    monkeypatch.setattr("pets.synthetic.dp_model.marginals.importlib.util.find_spec", lambda name: None)
    asked = request_of(connection._facts.terms, None, {"epsilon": 1})
    assert asked.name == "stays" and asked.selection == "tree"


def test_a_table_is_left_with_the_service_and_fetched(stub: Stub, made: str) -> None:
    connection = stub.connect()
    stub.edit = lambda answer: {"synthetic": json.loads(made)}
    pending = connection.synthesise(**ASKED, wait=False)
    assert connection.fetch(pending.id).table.equals(pending.result().table)
    assert pending.result().releases and stub.connect().fetch(pending.id, wait=False).state == "done"
    with pytest.raises(UserError, match="wait must be True or False"):
        connection.synthesise(**ASKED, wait=1)


LINKED = pets.Schema(
    {
        "doses": pets.Table(
            pets.Unit("id", max_rows=3),
            {
                "id": pets.Identifier(),
                "number": pets.Integer(1, 3, nullable=False),
                "drug": pets.Category(["a", "b"], nullable=False),
            },
            person_table="persons",
        ),
        "persons": pets.Table(
            pets.Unit("id", max_rows=1),
            {"id": pets.Identifier(), "sex": pets.Category(["f", "m"], nullable=False)},
        ),
    },
    dataset="made-test",
)


def test_linked_tables_are_held_to_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pets.synthetic.dp_model.lives.STEPS", 30)
    ids = [f"p{i}" for i in range(400)]
    data = {
        "persons": pd.DataFrame({"id": ids, "sex": ["f", "m"] * 200}),
        "doses": pd.DataFrame({"id": ids * 2, "number": [1] * 400 + [2] * 400, "drug": ["a", "b", "b", "b"] * 200}),
    }
    custodian = pets.Custodian(LINKED, data, budget=pets.Budget(epsilon=99, delta=1e-6), progress=False)
    stub = Stub(custodian.session(analyst="amina", project="stroke"), custodian.ledger.key.raw)
    asked: Json = {"tables": ["doses", "persons"], "order": "number", "epsilon": 20, "progress": False}
    made = stub.connect().synthesise(60, **asked)
    assert made.table_name == "persons" and len(made.table) == 60 and set(made.frames) == {"doses", "persons"}
    assert made.schema == LINKED and set(made.tables["doses"]["id"]) <= set(made.table["id"])
    (answer,) = stub.jobs.values()
    form = answer["synthetic"]
    terms, key = stub.connect()._facts.terms, custodian.ledger.key
    others: list[Json] = [
        {"rows": 61},
        {"tables": ["doses"]},
        {"bound": 2},
        {"seed": 1},
        {"columns": {"doses": ["number"]}},
    ]
    for other in ({}, *others):
        settings = {"rows": 60} | asked | other
        wanted = request_of(terms, settings.pop("rows"), settings)
        if not other:
            assert synthetic(form, key, OWN, wanted).table_name == "persons"
            continue
        with pytest.raises(VerificationError, match="the answer to another question"):
            synthetic(form, key, OWN, wanted)
