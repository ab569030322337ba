"""A conversation: what an analyst and a reviewer ask in one sitting, its recorder, and the players of either side.

``python -m tests.compat.conversation`` records one of today's client with today's service, as the file of the protocol
that both speak; CONTRIBUTING.md says when.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

import pets
from pets.common.codec import Json
from pets.errors import PetsError
from pets.service.access.identity import Identity
from pets.service.client.connection import Connection
from pets.service.client.transport import PROTOCOL
from pets.session.custodian import Custodian
from tests import http_services

FOLDER = Path(__file__).parent
N = pets.query("stays").group_by("sex").agg(n=pets.count())
DAYS = pets.query("stays").where(pets.col("days") > 3).agg(mean=pets.mean("days"), total=pets.sum("days"))
PEOPLE = pets.query("stays").group_by("sex").agg(people=pets.count_units())
DP, LESS = pets.DP(epsilon=0.5), pets.DP(epsilon=0.25)
KEPT = ("pets-protocol", "content-type", "retry-after", "idempotency-key", "pets-project")
"""The headers that are part of what is spoken."""


def _refused(act: Callable[[], object]) -> Json:
    try:
        act()
    except PetsError as error:
        return {"code": error.code, "said": str(error)}
    raise AssertionError("it was to be refused")


def _left(one: Connection) -> Any:
    pending = one.release(N, LESS, wait=False)
    return one.fetch(pending.id)


ANALYST: dict[str, Callable[[Connection], Any]] = {
    "who": lambda one: [one.analyst, one.project, one.dataset, list(one.tables)],
    "schema": lambda one: one.schema.to_json(),
    "policy": lambda one: one.policy.to_json(),
    "remaining": lambda one: one.remaining().to_json(),
    "quote": lambda one: one.quote([N, DAYS], DP).to_json(),
    "release": lambda one: one.release(N, DP),
    "free": lambda one: one.release(N, DP),
    "several": lambda one: one.release([N, DAYS], DP, again=True, key="both"),
    "left": _left,
    "rows lost": lambda one: one.rows_lost("stays", DP),
    "keys": lambda one: one.group_keys("stays", by=["ward"], protection=DP),
    "top": lambda one: one.top_keys(PEOPLE, 1, DP),
    "too much": lambda one: _refused(lambda: one.release(N, pets.DP(epsilon=1000))),
    "no such job": lambda one: _refused(lambda: one.fetch("0" * 32)),
    "history": lambda one: len(one.history()),
}
"""By name, what an analyst does; the results are kept beside what was spoken."""

REVIEWER: dict[str, Callable[[Connection], Any]] = {
    "waiting": lambda one: len(one.reviews()),
    "held": lambda one: one.review(one.reviews()[0].id).answer,
    "approved": lambda one: one.approve(one.reviews()[0].id, note="seen"),
    "not approved": lambda one: one.refuse(one.reviews()[0].id, reason="unclear"),
}


def told(result: Any) -> Any:
    """A result as it is kept: what is signed by its digest, and tables by their numbers."""
    if isinstance(result, list) and result and not isinstance(result[0], str):
        return [told(one) for one in result]
    if hasattr(result, "release"):
        return told(result.release)
    if isinstance(result, pets.Release):
        return {"digest": result.digest, "table": json.loads(result.table.to_json(orient="split", index=False))}
    return {"digest": result.digest, "rows": result.rows} if hasattr(result, "rows") else result


def keeper(folder: Path, **more: Any) -> Custodian:
    """Whose service it is: the same invented rows each time."""
    folder.mkdir(exist_ok=True)
    return http_services.custodian(folder, **more)


def held(folder: Path) -> tuple[Custodian, Identity]:
    """A service where two answers wait for a second person, and that person."""
    made = keeper(folder, policy=pets.Policy(approval="after"))
    with http_services.connected(made, analyst="amina", project="asthma") as connection:
        for one in (N, PEOPLE):
            connection.release(one, DP, wait=False)
    return made, Identity("jo", project="board", roles=frozenset({"reviewer"}))


class Recorder(httpx.BaseTransport):
    """What carries requests, and keeps them with their replies."""

    def __init__(self, carried: httpx.BaseTransport) -> None:
        self._carried, self.spoken = carried, list[Json]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, and its reply."""
        reply = self._carried.handle_request(request)
        said = {"method": request.method, "target": request.url.raw_path.decode(), **_spoken(request)}
        self.spoken.append({"request": said, "reply": {"status": reply.status_code, **_spoken(reply)}})
        return reply


def _spoken(message: httpx.Request | httpx.Response) -> Json:
    content = message.read()
    headers = {name: message.headers[name] for name in KEPT if name in message.headers}
    return {"headers": headers, "body": json.loads(content) if content else None}


class Player(httpx.BaseTransport):
    """A service that answers as it did when the conversation was kept, whatever key a request has.

    What is asked twice is answered in turn, and then as the last time; how long somebody is ready to wait, and under
    which key they ask, is for each client to choose.
    """

    def __init__(self, spoken: list[Json]) -> None:
        self._replies: dict[str, list[Json]] = {}
        for one in spoken:
            said = one["request"]
            self._replies.setdefault(_name(said["method"], said["target"], said["body"]), []).append(one["reply"])

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The reply that was kept."""
        content = request.read()
        name = _name(request.method, request.url.raw_path.decode(), json.loads(content) if content else None)
        assert name in self._replies, f"nobody asked this when the conversation was kept: {name}"
        replies = self._replies[name]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return httpx.Response(reply["status"], headers=reply["headers"], json=reply["body"])


def _name(method: str, target: str, body: Any) -> str:
    path, _, query = target.partition("?")
    asked = sorted(part for part in query.split("&") if part and not part.startswith("wait="))
    return json.dumps([method, path, asked, body], sort_keys=True)


def missing(then: Any, today: Any, place: str = "$") -> list[str]:
    """What a kept reply has and today's has not, or of another type."""
    if isinstance(then, dict) and isinstance(today, dict):
        return [
            gap
            for name, part in then.items()
            for gap in (missing(part, today[name], f"{place}.{name}") if name in today else [f"{place}.{name}"])
        ]
    if isinstance(then, list) and isinstance(today, list):
        return [gap for one, other in zip(then, today, strict=False) for gap in missing(one, other, f"{place}[]")]
    alike = type(then) is type(today) or {type(then), type(today)} <= {int, float} or None in (then, today)
    return [] if alike else [f"{place}: {type(today).__name__} in place of {type(then).__name__}"]


def recorded(made: Custodian, who: Identity, acts: dict[str, Callable[[Connection], Any]]) -> Json:
    """A sitting: what was spoken, the ledger's key, and the results."""
    with http_services.served(made, auth=lambda request: who) as client:
        recorder = Recorder(http_services.Carried(client))
        settings: dict[str, Any] = {"token": "a token", "progress": False, "transport": recorder}
        connection = pets.connect("http://localhost", key=made.ledger.key, **settings)
        results = {name: told(act(connection)) for name, act in acts.items()}
    return {"key": made.ledger.key.raw.hex(), "results": results, "spoken": recorder.spoken}


def record(folder: Path) -> Json:
    """The sittings of an analyst and of a reviewer."""
    analyst = Identity("amina", project="asthma", roles=frozenset({"analyst"}))
    return {
        "analyst": recorded(keeper(folder / "analyst"), analyst, ANALYST),
        "reviewer": recorded(*held(folder / "reviewer"), REVIEWER),
    }


def path(protocol: int = PROTOCOL) -> Path:
    """Where the conversation of a version is kept."""
    return FOLDER / f"protocol-{protocol}.json"


def main(name: str = path().name) -> None:
    """Record today's conversation, one exchange a line."""
    target = FOLDER / name
    if target.exists():
        raise SystemExit(f"{name} is kept as it is; CONTRIBUTING.md says how another one is recorded")
    with tempfile.TemporaryDirectory() as folder:
        made = record(Path(folder))
    parts = []
    for name, sitting in made.items():
        lines = ",\n".join(json.dumps(one, sort_keys=True) for one in sitting.pop("spoken"))
        rest = json.dumps(sitting, sort_keys=True)
        parts.append(f'{json.dumps(name)}: {rest[:-1]}, "spoken": [\n{lines}\n]}}')
    target.write_text("{" + ",\n".join(parts) + "}\n", "utf-8")
    print(f"wrote {target}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
