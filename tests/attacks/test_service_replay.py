"""The same noise on a neighbour, through the service: status, headers, body, its length, cost and log lines are alike.

Every endpoint is asked. What is random by design (ids, times, signatures) is left out of the comparison, and nothing
else: under the same noise, the bytes of a reply are as many.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

import pets
from pets.service.access.identity import Identity
from pets.service.answering import work
from pets.service.http import endpoint, questions
from pets.service.http.app import ENDPOINTS, create_app
from pets.session.custodian import Custodian
from pets.testing import replay
from tests.asgi import Caller, Header, Reply, in_this_thread
from tests.attacks.prepared import worlds_once  # noqa: F401
from tests.attacks.replay_cases import KEY_ROWS, KEYS
from tests.attacks.test_replay_kinds import exact_values
from tests.http_services import AtOnce

# whatever is drawn, both worlds get the same
pytestmark = [pytest.mark.chance(0), pytest.mark.usefixtures("worlds_once")]

COLUMNS = {"id": pets.Identifier(), "g": pets.Category(["a", "b", "c"]), "x": pets.Integer(0, 400)}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS)}, dataset="d")
BUDGET = pets.Budget(epsilon=10_000, delta=1e-5, threshold_delta=5e-6)
DP: dict[str, Any] = {"kind": "dp", "epsilon": "1"}
N: dict[str, Any] = {"table": "t", "by": ["g"], "agg": [["n", {"agg": "count"}], ["s", {"agg": "sum", "column": "x"}]]}
PEOPLE: dict[str, Any] = {"table": "t", "by": ["g"], "agg": [["n", {"agg": "count_units"}]]}
NETWORK = pets.classifier("g", ["x"], data="t", hidden=(2,), steps=3).to_json()
ASKED: dict[str, Any] = {"queries": [N], "protection": DP}
WRONG = ASKED | {"queries": [N | {"by": ["gg"]}]}
DEAR = ASKED | {"protection": {"kind": "dp", "epsilon": "99999"}}
OUTPUT: dict[str, Any] = {
    "files": {"stays.csv": "cmVnaW9uLG4KTm9ydGgsMTIwCg=="},
    "context": "Stays by region, for table 1 of the paper.",
    "controls": "Counts below 10 are hidden, the rest rounded to 5.",
}
SIGNED = {"key": "0a" * 32, "salt": "1b" * 16, "nonce": "2c" * 16, "signature": "3d" * 64}
DECISION = {"decision": "refuse", "reason": "may-disclose", "note": ""}
OWN = {"project": "asthma", "analyst": "amina", "roles": ["analyst", "reviewer", "auditor", "custodian"]}
SELECT = {"sql": "SELECT g, COUNT(*) AS n FROM t GROUP BY g"}

Sent = tuple[str, str, Any]
PLAIN = ("/healthz", "/readyz", "/version", "/login", "/key", "/datasets", "/queries", "/reviews")
BEFORE: tuple[Sent, ...] = (
    *(("GET", path, None) for path in PLAIN),
    ("GET", "/datasets/d/schema", None),
    *(("POST", "/datasets/d/quote", body) for body in (ASKED, WRONG, DEAR)),
    ("POST", "/datasets/d/explain", {"query": N, "protection": DP}),
    ("POST", "/datasets/d/sql", SELECT),
    ("POST", "/datasets/d/dummy?wait=1", ASKED | {"protection": {"kind": "exact"}, "rows": 20}),
)
"""What reads no rows, or invented ones."""
ASKING: dict[str, Sequence[Any]] = {
    "a release": (ASKED, ASKED | {"queries": [N, PEOPLE]}, ASKED),
    "a release again": (ASKED | {"again": True},),
    "rows lost": ({"kind": "rows_lost", "table": "t", "protection": DP},),
    "top keys": ({"kind": "top_keys", "query": PEOPLE, "k": 1, "protection": DP},),
    "a network": ({"kind": "train", "network": NETWORK, "protection": DP},),
    "what is refused": (WRONG, DEAR, {"kind": "release"}),
}
AFTER: tuple[Sent, ...] = (
    *(("GET", path, None) for path in ("/queries/JOB?wait=1", "/queries/JOB/certificate", "/reviews/JOB", "/queries")),
    ("POST", "/reviews/JOB/look?wait=1", {}),
    ("POST", "/reviews/JOB", DECISION | {"decision": "approve", "finding": "5e884898da28", "anyway": "they consented"}),
    ("POST", "/reviews/JOB", DECISION),
    ("DELETE", "/queries/JOB", None),
    ("POST", "/datasets/d/airlock", OUTPUT),
    ("GET", "/airlock/JOB", None),
    ("POST", "/airlock/JOB", {"act": "comment", "words": "which year?"}),
    ("POST", "/airlock/JOB", {"act": "approve", "digest": "5e884898da28", "note": "", "signed": SIGNED}),
    ("GET", "/airlock", None),
    *(("GET", f"/datasets/d/{path}", None) for path in ("budget", "history", "history?all=true", "log")),
    ("GET", "/log/checkpoint", None),
    ("GET", "/log/proof?seq=0&size=2", None),
    *(("GET", f"/datasets/d/{path}", None) for path in ("account", "incidents", "events", "grants")),
    ("POST", "/datasets/d/grants", OWN),
    ("DELETE", "/datasets/d/grants?project=asthma&analyst=amina", None),
    ("POST", "/datasets/d/refresh?wait=1", {}),
)
SYNTHETIC = {"kind": "synthesise", "rows": 10, "settings": {"columns": ["g", "x"], "bins": {"x": 4}, "epsilon": "20"}}


def asking(bodies: Iterable[Any]) -> list[Sent]:
    return [("POST", "/datasets/d/queries?wait=1", body) for body in bodies]


def through(sent: Iterable[Sent]) -> Callable[[pets.Session], Any]:
    """Asked of a service over the session's own tables and account."""
    return lambda session: list(_replies(session, sent))


def _replies(session: pets.Session, sent: Iterable[Sent]) -> Iterator[Any]:
    roles = frozenset({"analyst", "reviewer", "auditor", "custodian"})
    keeper, who = Custodian.of(session.custody), Identity("amina", project="asthma", roles=roles)
    caller = Caller(create_app(keeper, auth=lambda _: who, supervisor=AtOnce(keeper)))
    job, log = "0" * 32, logging.getLogger("pets")
    with pytest.MonkeyPatch.context() as patch:
        in_this_thread(patch)
        before = log.level
        log.setLevel(logging.DEBUG)
        for method, path, body in sent:
            content = b"" if body is None else json.dumps(body).encode()
            headers: list[Header] = [(b"content-type", b"application/json")]
            reply = caller.send(method, path.replace("JOB", job), headers, content)
            job = next((one["id"] for one in map(reply.json().get, ("job", "output")) if one), job)
            yield [method, path, *told(reply)]
        log.setLevel(before)
    caller.close()


_RANDOM = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{32,})(?![0-9a-f])"
    r"|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)?"
    r"|[A-Za-z0-9+/]{40,}={0,2}"
    r'|(?<="at": )[0-9.]+|(?<="since": )[0-9]+|(?<="due": )[0-9]+'
)


def told(reply: Reply) -> list[Any]:
    """All of a reply; of signed statements what they state."""
    body = reply.json()
    stated = [json.loads(base64.b64decode(one)) for one in _payloads(body)]
    # times within the log have fractions of a second
    many = None if "entries" in body else len(reply.body)
    return [reply.status, many, sorted(reply.headers), _RANDOM.sub("…", json.dumps([body, stated], sort_keys=True))]


def _payloads(value: Any) -> Iterator[str]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and isinstance(value.get("payload"), str):
        yield value["payload"]
    for one in parts:
        yield from _payloads(one)


ASKS = {"before": through(BEFORE)} | {name: through([*asking(sent), *AFTER]) for name, sent in ASKING.items()}


@pytest.mark.parametrize("count", [2, pytest.param(30, marks=pytest.mark.soak)])
def test_every_endpoint_holds(count: int) -> None:
    found = replay(SCHEMA, None, ASKS, count=count, budget=BUDGET, seed=2)
    assert found.holds, found
    assert found.draws >= 7 * count and not found.refused and 0.999 < found.worst <= 1


def test_keys_that_nobody_listed_hold() -> None:
    body = {"kind": "group_keys", "table": "t", "by": ["code"], "protection": DP, "groups": 2}
    sent = [("POST", f"/datasets/{KEYS.dataset}/queries?wait=1", body)]
    found = replay(KEYS, KEY_ROWS, through(sent), count=2, budget=BUDGET, person=7)
    assert found.holds and found.draws >= 2, found


@pytest.mark.soak
def test_a_synthetic_table_holds() -> None:
    pytest.importorskip("mbi", reason="the extra that models marginals")
    found = replay(SCHEMA, None, through([*asking([SYNTHETIC]), *AFTER]), count=2, budget=BUDGET, seed=3)
    assert found.holds and found.draws >= 2, found


def test_every_endpoint_is_asked() -> None:
    every = [*BEFORE, *asking(ASKING["a release"]), *AFTER]
    paths = [(method, path.partition("?")[0].replace("JOB", "{job}")) for method, path, _ in every]
    asked = {(method, path.replace("/datasets/d/", "/datasets/{dataset}/")) for method, path in paths}
    assert asked == {(one.method, one.path) for one in ENDPOINTS}, "each new endpoint has a replay"


# planted --------------------------------------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def statements_of_its_own(monkeypatch: Patch) -> None:
    """What an earlier test compiled without the bug serves nobody."""
    monkeypatch.setattr("pets.rows.counted_rows._compiled", OrderedDict())


def a_header(patch: Patch) -> None:
    """How many rows an answer was made of, for whoever looks after the service."""
    seen, response = exact_values(patch), endpoint.response

    def counted(body: Any, status: int = 200, headers: Any = None) -> Any:
        return response(body, status, {**(headers or {}), "X-Rows": str(sum(seen))})

    patch.setattr(endpoint, "response", counted)


def a_log_line(patch: Patch) -> None:
    seen, tick = exact_values(patch), work.Work._shown

    def logged(answering: work.Work, cells: int | None) -> float:
        logging.getLogger("pets.service").info("answered from %s", seen)
        return tick(answering, cells)

    patch.setattr(work.Work, "_shown", logged)


def a_status(patch: Patch) -> None:
    """An answer that is of nobody is another status."""
    seen, state = exact_values(patch), questions.state_of

    def stated(call: Any, number: str) -> Any:
        reply, last = state(call, number)
        return endpoint.Reply(reply.body, 200 + sum(seen) % 97, reply.headers), last

    patch.setattr(questions, "state_of", stated)


def a_length(patch: Patch) -> None:
    """A body is filled up with blanks, as many as rows."""
    seen, written = exact_values(patch), endpoint.written
    patch.setattr(endpoint, "written", lambda body: written(body) + b" " * (sum(seen) % 101))


@pytest.mark.parametrize("plant", [a_header, a_log_line, a_status, a_length])
def test_a_planted_bug_is_told_in_plain_words(monkeypatch: Patch, plant: Callable[[Patch], None]) -> None:
    plant(monkeypatch)
    found = replay(SCHEMA, None, through(asking([ASKED])), count=1, budget=BUDGET, seed=4)
    assert any("what is shown differs" in problem for problem in found.problems), found
