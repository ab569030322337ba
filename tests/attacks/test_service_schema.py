"""Requests that schemathesis makes of the page of the protocol: valid ones and ones that break it, at every address.

Each reply is held against the page (its status, media type, headers and shape; whether what breaks the page was
refused), and like every other request of ``test_service_requests.py``: never a fault, and never a value of a row. No
network is used. Valid questions are about the dataset that there is: the page cannot name its tables.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from pets.service.http import endpoint
from pets.service.http.endpoint import Call
from pets.service.wire import problems
from pets.session.custodian import Custodian
from tests.asgi import Reply, in_this_thread
from tests.attacks.planted import Whole, kept, unmarked
from tests.hostile_requests import PEOPLE, Request

ALL = "amina/asthma/analyst+reviewer+auditor+custodian"
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]

AGGREGATES: list[Any] = [
    ["n", {"agg": "count"}],
    ["people", {"agg": "count_units"}],
    ["m", {"agg": "mean", "column": "days"}],
    ["h", {"agg": "histogram", "column": "days", "edges": [0, 10, 20, 30]}],
]
EPSILON: Any = {"type": "string", "pattern": r"^0\.[0-9]{1,4}[1-9]$"}
PROTECTION: Any = {
    "anyOf": [
        {
            "type": "object",
            "required": ["kind", "epsilon"],
            "properties": {"kind": {"const": "dp"}, "epsilon": EPSILON},
        },
        {"const": {"kind": "exact"}},
    ]
}
PROTECTION["anyOf"][0]["additionalProperties"] = False
ASKED: Any = {
    "type": "object",
    "required": ["table", "agg"],
    "additionalProperties": False,
    "properties": {
        "table": {"enum": ["stays"]},
        "by": {"type": "array", "items": {"enum": ["sex"]}, "uniqueItems": True},
        "agg": {"type": "array", "items": {"enum": AGGREGATES}, "minItems": 1, "uniqueItems": True},
        "rows": {"enum": [1, 2, 3]},
    },
}
SELECTS = ("SELECT COUNT(*) AS n FROM stays", "SELECT sex, AVG(days) AS m FROM stays GROUP BY sex")
KNOWN: dict[str, Any] = {
    "protection": PROTECTION,
    "query": ASKED,
    "queries": {"type": "array", "items": ASKED, "minItems": 1, "maxItems": 2},
    "table": {"enum": ["stays"]},
    "by": {"enum": [["sex"], ["ward"]]},
    "where": {"enum": [None]},
    "delta": {"enum": ["1e-8"]},
    "groups": {"enum": [1, 2]},
    "k": {"enum": [1, 2]},
    "rows": {"type": "integer", "minimum": 1, "maximum": 50},
    "settings": {"enum": [{"columns": ["sex", "days"], "epsilon": "1"}]},
    "sql": {"anyOf": [{"enum": SELECTS}, {"type": "string"}]},
    "wait": {"enum": [0, 0.001]},
}
"""What a body is filled with, by its name, so that it is a question about the dataset that there is."""


def filled(page: Any) -> Any:
    """The page, with what an analyst knows in the places of texts."""
    if isinstance(page, list):
        return [filled(part) for part in page]
    if not isinstance(page, dict):
        return page
    found = {key: part if key == "responses" else filled(part) for key, part in page.items() if key != "properties"}
    if page.get("in") == "query" and page["name"] in KNOWN:
        found["schema"] = KNOWN[page["name"]]
    if isinstance(page.get("properties"), dict):
        found["properties"] = {key: KNOWN.get(key) or filled(part) for key, part in page["properties"].items()}
    return found


class Asked:
    """A service that is asked what schemathesis makes of its page, and what was heard from it."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        page = whole.page
        self.pages = {
            mode: schemathesis.openapi.from_dict(copy.deepcopy(part), config=schemathesis.Config())
            for mode, part in ((GenerationMode.POSITIVE, filled(page)), (GenerationMode.NEGATIVE, page))
        }
        self.numbers = ["0" * 32]
        self.seen: Counter[tuple[str, int]] = Counter()

    def every(self, examples: int, only: str = "", **options: Any) -> None:
        """So many requests of each kind at each address, and four times as many where there is a body."""
        for mode, page in self.pages.items():
            for found in page.get_all_operations():
                operation = found.ok()
                if only in operation.label:
                    many = examples * (4 if operation.body else 1)
                    self.ask(operation, mode, max_examples=many, **options)

    def ask(self, operation: Any, mode: GenerationMode, **options: Any) -> None:
        @settings(database=None, suppress_health_check=list(HealthCheck), **{"phases": [Phase.generate]} | options)
        @given(case=operation.as_strategy(generation_mode=mode), draw=st.randoms(use_true_random=False))
        def one(case: Any, draw: Any) -> None:
            self.send(case, draw)

        try:
            one()
        except Unsatisfiable:  # nothing at this address can be broken
            assert mode is GenerationMode.NEGATIVE and not operation.query and not operation.body, operation.label

    def send(self, case: Any, draw: Any) -> None:
        named = case.path_parameters
        if "dataset" in named and draw.random() < 0.9:
            named["dataset"] = "stays"
        if "job" in named and draw.random() < 0.7:
            named["job"] = draw.choice(self.numbers)
        if case.headers and draw.random() < 0.9:
            case.headers.pop("Pets-Project", None)
        if case.headers and draw.random() < 0.5:
            case.headers.pop("Idempotency-Key", None)
        given_ = case.as_transport_kwargs(base_url="http://localhost")
        names = ("method", "url", "headers", "data", "json", "params", "files", "cookies")
        sent = requests.Request(**{name: part for name, part in given_.items() if name in names}).prepare()
        headers = [(_bytes(name).lower(), _bytes(value)) for name, value in sent.headers.items()]
        headers.append((b"who", _bytes(ALL if draw.random() < 0.8 else draw.choice(PEOPLE))))
        asked = Request(str(sent.method), sent.path_url, tuple(headers), _bytes(sent.body or b""))
        reply = self.whole.caller.send(asked.method, asked.path, headers, asked.body)
        self.seen[case.operation.label, reply.status] += 1
        body = self.whole.look(asked, reply)
        for name in ("job", "output"):
            if isinstance(body, dict) and isinstance(body.get(name), dict):
                self.numbers = [*self.numbers[-20:], body[name]["id"]]
        case.validate_response(_told(sent, reply), checks=CHECKS)


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode("latin-1", "replace")


def _told(sent: Any, reply: Reply) -> schemathesis.Response:
    headers: dict[str, list[str]] = {}
    for name, value in reply.headers:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return schemathesis.Response(reply.status, headers, reply.body, sent, 0.0, True)


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return kept(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def asked(keeper: Custodian, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    in_this_thread(monkeypatch)
    whole = Whole(keeper)
    yield Asked(whole)
    whole.caller.close()


def enough(asked: Asked, least: int) -> None:
    """Every address was asked, those that take a body were answered as well as refused, and so were questions."""
    labels = {label for label, _ in asked.seen}
    assert labels == {f"{method.upper()} {path}" for path, of in asked.whole.page["paths"].items() for method in of}
    assert asked.seen.total() >= least, asked.seen.total()
    for part in ("quote", "explain", "sql", "dummy", "queries"):
        told = {status: n for (label, status), n in asked.seen.items() if label == f"POST /datasets/{{dataset}}/{part}"}
        assert told.get(200, 0) >= 2 and sum(n for status, n in told.items() if status >= 400) >= 20, (part, told)
    assert {"dummy", "group_keys"} <= set(asked.whole.supervisor.answered)


def test_every_reply_is_as_the_page_says_and_shows_no_row(
    asked: Asked, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="pets"):
        asked.every(12, derandomize=True)
    unmarked(asked.whole, caplog, capfd)
    enough(asked, 1_390)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(1e-11)  # as for the hundred thousand requests of test_service_requests.py
def test_50_000_replies_are_as_the_page_says_and_show_no_row(
    asked: Asked, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(10):
        with caplog.at_level(logging.DEBUG, logger="pets"):
            asked.every(60, derandomize=False)
        unmarked(asked.whole, caplog, capfd)
        caplog.clear()
        asked.whole.events.clear()
    enough(asked, 50_000)


# planted --------------------------------------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def a_name_that_is_let_pass(patch: Patch) -> None:
    patch.setattr(Call, "fields", lambda self, needed, also=(): dict.fromkeys(needed, SELECTS[0]) | self.body)


def a_reply_of_another_shape(patch: Patch) -> None:
    told = endpoint.canonical
    patch.setattr(endpoint, "canonical", lambda body: told(body | {"remarks": ""} if "remarks" in body else body))


def a_problem_without_a_part(patch: Patch) -> None:
    told = problems.problem
    patch.setattr(problems, "problem", lambda error: {k: v for k, v in told(error).items() if k != "title"})


def a_status_that_the_page_lacks(patch: Patch) -> None:
    answered = endpoint.response
    patch.setattr(endpoint, "response", lambda body, status=200, headers=None: answered(body, status + 7, headers))


def a_kind_of_text_that_it_lacks(patch: Patch) -> None:
    patch.setitem(endpoint.HEADERS, "Content-Type", "text/html")


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (a_name_that_is_let_pass, "Schema-violating request accepted"),
        (a_reply_of_another_shape, "Response violates schema"),
        (a_problem_without_a_part, "Response violates schema"),
        (a_status_that_the_page_lacks, "Undocumented Content-Type"),
        (a_kind_of_text_that_it_lacks, "Undocumented Content-Type"),
    ],
)
def test_a_reply_that_is_not_as_the_page_says_is_found(
    asked: Asked, plant: Callable[[Patch], None], found: str, monkeypatch: Patch
) -> None:
    plant(monkeypatch)
    monkeypatch.setattr(Whole, "look", lambda *_: None)  # (which finds some of them, too)
    with pytest.raises(FailureGroup, match=found):
        asked.every(12, only="/sql", derandomize=True)
