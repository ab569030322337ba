"""What the tests of the query service share: a small dataset, a service of it, and somebody who answers at once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from starlette.requests import Request

import pets
from pets.errors import UnauthenticatedError
from pets.ledger.queue import Queue
from pets.service.access.identity import Identity
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from pets.service.client.connection import Connection
from pets.service.http.app import create_app
from pets.session.custodian import Custodian

with warnings.catch_warnings(action="ignore"):  # it would rather have another client than the one that pets uses
    from starlette.testclient import TestClient

SCHEMA: dict[str, Any] = {
    "dataset": "stays",
    "tables": {
        "stays": {
            "unit": {"column": "patient", "max_rows": 3},
            "columns": {
                "patient": {"type": "identifier"},
                "sex": {"type": "category", "values": ["F", "M"]},
                "ward": {"type": "text", "max_length": 20},
                "days": {"type": "integer", "min": 0, "max": 30},
            },
        }
    },
}
NETWORK: dict[str, Any] = pets.classifier("sex", ["days"], data="stays", steps=3).to_json()
QUERY: dict[str, Any] = {"table": "stays", "by": ["sex"], "agg": [["n", {"agg": "count"}]]}
DP: dict[str, Any] = {"kind": "dp", "epsilon": "0.1"}
ASKED: dict[str, Any] = {"queries": [QUERY], "protection": DP}


def rows(people: int = 40) -> pd.DataFrame:
    """So many people, with two stays each."""
    ids = [f"p{n}" for n in range(people) for _ in range(2)]
    return pd.DataFrame(
        {
            "patient": ids,
            "sex": ["F" if n % 3 else "M" for n in range(len(ids))],
            "ward": [f"ward {n % 4}" for n in range(len(ids))],
            "days": [n % 31 for n in range(len(ids))],
        }
    )


def custodian(folder: Path, data: pd.DataFrame | None = None, epsilon: float = 50.0, **more: Any) -> Custodian:
    """Who keeps the rows, with a ledger in a file there."""
    return pets.Custodian(
        SCHEMA,
        {"stays": rows() if data is None else data},
        budget=pets.Budget(epsilon=epsilon, delta=1e-4, threshold_delta=5e-5),
        ledger=folder / "ledger.db",
        progress=False,
        **more,
    )


@dataclass
class AtOnce:
    """Whoever answers what waits, in this process, as soon as it is asked: as an answering process does."""

    keeper: Custodian

    def ensure(self) -> None:
        """It is there already."""

    def poke(self) -> None:
        """Answer all that waits."""
        queue = Queue(self.keeper.ledger)
        work = Work([self.keeper], queue, Grid(0.001, 0.001))
        while (job := queue.claim("test")) is not None:
            work.answer(job)
        time.sleep(0.002)  # by now the tick of the last one has come


def by_name(request: Request) -> Identity:
    """A host's own login: the header ``Who`` is ``subject/project/roles``."""
    said = request.headers.get("who", "amina/asthma/analyst")
    if not said:
        raise UnauthenticatedError("log in first; then ask again")
    subject, project, roles = said.split("/")
    return Identity(subject, project=project, roles=frozenset(roles.split("+")), projects=frozenset({project}))


@contextmanager
def served(keeper: Custodian, **options: Any) -> Iterator[TestClient]:
    """A client of a service that answers at once; its caller is ``amina`` of project ``asthma`` unless it says so."""
    settings: dict[str, Any] = {"auth": by_name, "supervisor": AtOnce(keeper)}
    with TestClient(create_app(keeper, **settings | options), raise_server_exceptions=False) as client:
        yield client


class Carried(httpx.BaseTransport):
    """What carries a connection's requests to an application of this process, in place of a network."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, and its reply."""
        path, named = request.url.raw_path.decode(), dict(request.headers)
        reply = self._client.request(request.method, path, headers=named, content=request.read())
        return httpx.Response(reply.status_code, headers=dict(reply.headers), content=reply.content)


@contextmanager
def connected(keeper: Custodian, *, analyst: str, project: str, role: str = "analyst") -> Iterator[Connection]:
    """A connection to a service that answers at once."""
    who = Identity(analyst, project=project, roles=frozenset({role}), projects=frozenset({project}))
    with served(keeper, auth=lambda request: who) as client:
        yield pets.connect(
            "http://localhost", token="a token", key=keeper.ledger.key, progress=False, transport=Carried(client)
        )
