"""A service in processes of its own, which may be killed, and askers who go on until each question has its end."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

import pets
from pets.common.codec import Json, canonical
from pets.errors import PetsError
from pets.ledger.ledger import Ledger
from pets.ledger.tokens import Tokens
from pets.service.wire.asked import Asked
from pets.service.wire.errors import ServiceDownError
from pets.service.wire.problems import STATUS
from pets.verify.check import Refused, check
from tests.ledgers import Place
from tests.services import CANARY, question, until

DATASET = "service-test"
ROOT = Path(__file__).parents[2]


class Served:
    """``pets serve`` over prepared tables and a ledger, on one port of this machine; begun again after it was killed.

    Attributes:
        folder: with ``schema.yaml``, ``rows.csv`` and the snapshots in ``snap``.
        said: the file with all that it printed.
    """

    def __init__(self, folder: Path, place: Place, home: Path, *, epsilon: float, processes: int) -> None:
        self.folder, self.said = folder, home / "said.txt"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = home / "service.yaml"
        form = {
            "ledger": place.address,
            "keys": place.keys,
            "datasets": [
                {
                    "schema": str(folder / "schema.yaml"),
                    "snapshots": str(folder / "snap"),
                    "budget": {"epsilon": epsilon},
                }
            ],
            "listen": {"port": self.port},
            "answering": {"processes": processes, "timeout": 60, "threads": 1},
            "limits": {"per_minute": 100_000, "max_waiting": 1000},
        }
        self._config.write_text(json.dumps(form))
        self._process: subprocess.Popen[bytes] | None = None
        self._answerers: list[psutil.Process] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that listens."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin, and wait until it answers."""
        command = [sys.executable, "-m", "pets", "serve", "--config", str(self._config)]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with self.said.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=out, env=os.environ | {"PYTHONPATH": path}, start_new_session=True
            )
        until(self._alive)

    def _alive(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.said.read_text()[-2000:]
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200
        return False

    def answerers(self) -> list[psutil.Process]:
        """The processes that answer now."""
        assert self._process is not None
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "pets.service.answering.process" in child.cmdline():
                        found.append(child)
        self._answerers += [one for one in found if one not in self._answerers]
        return found

    def kill(self) -> None:
        """End the process that listens, with no farewell; those that answer end after what they have in hand."""
        assert self._process is not None
        self.answerers()
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as an administrator does; nobody answers any more then."""
        assert self._process is not None
        self.answerers()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        until(lambda: not any(one.is_running() and one.status() != "zombie" for one in self._known()))

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            self.answerers()
            self._process.kill()
            self._process.wait()
        for one in self._answerers:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()

    def _known(self) -> list[psutil.Process]:
        return [one for one in self._answerers if one.is_running()]


@dataclass
class Seen:
    """What one asker was shown.

    Attributes:
        asked: by key, how many queries were asked under it.
        shown: by key, the answer.
        ends: how questions ended: ``done``, or the code of a problem.
        codes: of refusals on the way.
        wrong: what must never be.
    """

    asked: dict[str, int] = field(default_factory=dict)
    shown: dict[str, list[Json]] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Asker(threading.Thread):
    """Somebody who asks one question after another, and the same again under its key until it has an end.

    Args:
        many: how many questions; ``None``: until :attr:`over`.
        client: whether by :func:`pets.connect`, or by plain requests.
    """

    def __init__(
        self, served: Served, ledger: Ledger, name: str, project: str, *, many: int | None = None, client: bool = False
    ) -> None:
        super().__init__(daemon=True, name=name)
        self.analyst, self.project, self.seen, self.over = name, project, Seen(), threading.Event()
        self._served, self._key, self._many, self._client = served, ledger.key, many, client
        self._token, _ = Tokens(ledger).create(name, project)
        self._draw = random.Random(name)
        self._http = httpx.Client(timeout=30, trust_env=False, headers={"Authorization": f"Bearer {self._token}"})

    def run(self) -> None:
        """Ask."""
        number = 0
        try:
            while not self.over.is_set() and (self._many is None or number < self._many):
                key = f"{self.analyst} {number}"
                queries = [question(self._draw.randrange(21), "ab"[self._draw.randrange(2)])]
                queries += [question(self._draw.randrange(7))] if self._draw.random() < 0.3 else []
                again = number % 3 > 0
                self.seen.asked[key] = len(queries)
                end = self._connected(queries, key, again) if self._client else self._plain(queries, key, again)
                self.seen.ends[end] += 1
                if end == "budget":
                    time.sleep(0.2)  # nothing is left: others have their turn
                number += 1
        except Exception as error:
            self.seen.wrong.append(f"{type(error).__name__}: {error}")

    # by the client ------------------------------------------------------------------------------------------------

    def _connected(self, queries: list[pets.Query], key: str, again: bool) -> str:
        while True:
            try:
                made = pets.connect(self._served.url, token=self._token, key=self._key, progress=False)
                with contextlib.closing(made) as connection:
                    found = connection.release(queries, pets.DP(epsilon=0.1), again=again, key=key)
            except ServiceDownError:
                time.sleep(0.2)
            except PetsError as error:
                if error.retry_after is None:
                    return error.code
                self.seen.codes[error.code] += 1
                time.sleep(0.2)
            else:
                self._shown(key, [one.to_json() for one in found])
                return "done"

    # by plain requests --------------------------------------------------------------------------------------------

    def _plain(self, queries: list[pets.Query], key: str, again: bool) -> str:
        given = {"queries": queries, "protection": pets.DP(epsilon=0.1), "again": again}
        body = canonical({"kind": "release"} | Asked("release", given).to_json())
        job: str | None = None
        while True:
            if job is None or self._draw.random() < 0.3:  # a retry whose first reply was lost, perhaps
                reply = self._send("POST", f"/datasets/{DATASET}/queries?wait=2", body, {"idempotency-key": key})
            else:
                reply = self._send("GET", f"/queries/{job}?wait=2")
            if reply is None:
                continue
            if "code" in reply:
                return str(reply["code"])
            told = reply["job"]
            job = None if told is None else told["id"]
            if told is None or told["state"] == "done":
                self._shown(key, reply["releases"])
                return "done"
            if told["state"] == "failed":
                if told["problem"]["code"] not in STATUS:
                    self.seen.wrong.append(f"a job failed with {told['problem']}")
                if told["problem"].get("retry_after") is None:
                    return str(told["problem"]["code"])
                job = None
                time.sleep(0.2)

    def _send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Json | None:
        """The body of a reply; ``None`` where the very same request may be sent again."""
        kind = {"content-type": "application/json"} if body else {}
        try:
            reply = self._http.request(
                method, self._served.url + path, content=body or None, headers=kind | (headers or {})
            )
        except httpx.TransportError:
            time.sleep(0.2)
            return None
        if CANARY in reply.text or CANARY in str(reply.headers):
            self.seen.wrong.append(f"a value of a row: {reply.text[:300]}")
        form = dict(reply.json())
        if reply.status_code < 400:
            return form
        code = form["code"]
        self.seen.codes[code] += 1
        if STATUS.get(code) != reply.status_code or reply.status_code == 500:
            self.seen.wrong.append(f"{method} {path}: {reply.status_code} {reply.text[:300]}")
        if form.get("retry_after") is None and reply.status_code != 503:
            return form
        time.sleep(0.2)
        return None

    def _shown(self, key: str, releases: list[Json]) -> None:
        """An answer: signed by the ledger, and under one key always the same."""
        for one in releases:
            try:
                check(canonical(one), self._key.raw)
            except Refused as error:
                stated = json.loads(base64.b64decode(one["certificate"]["payload"]))["predicate"]["budget"]
                self.seen.wrong.append(f"{key}: {error}; told {one['budget']}, signed {stated}")
        before = self.seen.shown.setdefault(key, releases)
        if before != releases:
            self.seen.wrong.append(f"two answers under the key {key}")
        if len(releases) != self.seen.asked[key]:
            self.seen.wrong.append(f"{len(releases)} answers to {self.seen.asked[key]} questions")


def request_of(release: Json) -> str:
    """The ledger's request that an answer's certificate names."""
    statement = json.loads(base64.b64decode(release["certificate"]["payload"]))
    return str(statement["predicate"]["request_id"])
