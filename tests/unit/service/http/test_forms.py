"""What the page of the protocol says of bodies: it takes what pets writes and people send, and nothing unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import pets
from pets.service.http.app import ENDPOINTS
from pets.service.http.protocol.examples import REPLIES
from pets.service.http.protocol.forms import BODIES, NAMES, PROTECTION, QUERY, reply_of
from tests.hostile_requests import ACTS, DECISION, GOOD, LET_OUT
from tests.spec.book import asked
from tests.spec.toc import CHAPTERS

PROTECTIONS = (
    pets.DP(epsilon=0.1),
    pets.DP(rho=0.01),
    pets.DP(within=5, confidence=0.9, simultaneous=True),
    pets.Exact(),
    pets.Total(),
    pets.SDC("hes"),
    pets.SDC(base=6, midpoint=True),
)


def wrong(form: Any, value: Any) -> list[str]:
    """As it reads at the other end."""
    found = Draft202012Validator(json.loads(json.dumps(form))).iter_errors(json.loads(json.dumps(value)))
    return [one.message for one in found]


def test_each_body_and_each_name_behind_a_question_mark_has_a_form() -> None:
    assert {*BODIES} == {(one.method, one.path) for one in ENDPOINTS if one.takes is not None}
    assert {*NAMES} == {name for one in ENDPOINTS for name in one.query}
    for form in (*BODIES.values(), *NAMES.values(), QUERY, PROTECTION):
        Draft202012Validator.check_schema(form)


@pytest.mark.parametrize("one", [one for one in ENDPOINTS if one.takes is not None], ids=lambda one: one.path)
def test_the_example_of_a_body_is_one(one: Any) -> None:
    form = BODIES[one.method, one.path]
    assert wrong(form, one.takes) == []
    assert wrong(form, one.takes | {"no such name": 1}) != []
    for value in (None, [], "", 1):
        assert wrong(form, value) != []


def test_what_people_send_is_a_body() -> None:
    for name, form in GOOD.items():
        assert wrong(BODIES["POST", f"/datasets/{{dataset}}/{name.rstrip('?')}"], form) == [], name
    for act in ACTS:
        assert wrong(BODIES["POST", "/airlock/{job}"], act) == [], act
    for decision in (DECISION, LET_OUT):
        assert wrong(BODIES["POST", "/reviews/{job}"], decision) == []


def test_each_question_of_the_manual_is_one_as_pets_writes_it() -> None:
    forms = [asked(spec.query).to_json() for chapter in CHAPTERS for spec in chapter.specs]
    assert len(forms) > 150
    whole = Draft202012Validator(QUERY)
    assert [form for form in forms if not whole.is_valid(json.loads(json.dumps(form)))] == []


@pytest.mark.parametrize("protection", PROTECTIONS, ids=repr)
def test_each_protection_is_one_as_pets_writes_it(protection: Any) -> None:
    form = protection.to_json()
    assert wrong(PROTECTION, form) == []
    assert wrong(PROTECTION, form | {"kind": "none"}) != [] and wrong(PROTECTION, form | {"epsilonn": 1}) != []


def test_a_reply_has_the_names_and_types_of_its_example() -> None:
    for example in REPLIES.values():
        assert wrong(reply_of(example), example) == []
        assert all(wrong(reply_of(example), {}) for _ in example)
    queries = reply_of(REPLIES["POST", "/datasets/{dataset}/queries"])
    assert wrong(queries, {"job": None, "releases": []}) == [] and wrong(queries, {"job": {}}) == []
    assert wrong(queries, {"job": 3}) != [] and wrong(queries, {"releases": []}) != []
