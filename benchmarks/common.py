"""What the benchmarks share: invented rows, contenders in processes of their own, targets, and the page of results."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import multiprocessing as mp
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
RESULTS = HERE / "RESULTS.md"
PACKAGES = ("pets-privacy", "duckdb", "ibis-framework", "opendp", "polars", "numpy", "pyarrow")

Case = Callable[[], Any]


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_file(rows: int) -> Path:
    """Parquet of invented rows, made once: about 0.32 people a row, in random order, at most about 16 rows each."""
    import duckdb

    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"rows-{rows}.parquet"
    if not path.exists():
        new = path.with_suffix(f".{os.getpid()}.new")
        # a multiplicative step makes ids sparse, as real ones are; hash(hash(…)) is even (see pets/ranking.py)
        columns = f"""CAST(hash(hash(i, 1)) % {max(1, int(rows * 0.337))} AS BIGINT) * 7919 + 1000003 AS person,
            CAST(hash(hash(i, 2)) % 9 AS SMALLINT) AS g9, CAST(hash(hash(i, 3)) % 1000 AS SMALLINT) AS g1000,
            CAST(hash(hash(i, 4)) % 101 AS SMALLINT) AS v, (hash(hash(i, 5)) % 10001) / 10.0 AS x,
            DATE '2019-04-01' + CAST(hash(hash(i, 6)) % 1827 AS INTEGER) AS d"""
        with duckdb.connect() as con:
            con.execute(f"COPY (SELECT {columns} FROM range({rows}) t(i)) TO '{new}' (FORMAT parquet)")
        new.replace(path)
    return path


def form(nullable: bool = False, max_rows: int = 3) -> dict[str, Any]:
    """The schema of those rows."""
    null = {"nullable": nullable}
    columns = {
        "person": {"type": "identifier"},
        "g9": {"type": "category", "values": list(range(9)), **null},
        "g1000": {"type": "category", "values": list(range(1000)), **null},
        "v": {"type": "integer", "min": 0, "max": 100, **null},
        "x": {"type": "real", "min": 0, "max": 1000, "step": 0.1, **null},
        "d": {"type": "date", "min": "2019-04-01", "max": "2024-03-31", **null},
    }
    table = {"unit": {"column": "person", "max_rows": max_rows}, "people": 100_000_000, "columns": columns}
    return {"dataset": "benchmark", "tables": {"stays": table}}


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Cost:
    """One run: CPU seconds of all threads, and seconds on the clock."""

    cpu: float
    wall: float


def timed(case: Case, clock: Callable[[], float] = time.process_time) -> tuple[Cost, Any]:
    """What a call costs this process (or what ``clock`` gives the CPU seconds of), and its answer."""
    wall, cpu = time.perf_counter(), clock()
    answer = case()
    return Cost(clock() - cpu, time.perf_counter() - wall), answer


def peak() -> float:
    """The most memory this process ever had, in GB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would remember the parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _serve(pipe: Any, build: Callable[..., tuple[dict[str, Case], Any]], args: tuple[Any, ...]) -> None:
    clock = getattr(build, "cpu", time.process_time)
    try:
        cost, (cases, info) = timed(lambda: build(*args), clock)
        pipe.send((sorted(cases), info, cost, peak()))
        while (name := pipe.recv()) is not None:
            pipe.send((*timed(cases[name], clock), peak()))
    except Exception as error:
        pipe.send(error)
        raise


class Child:
    """A contender in a process of its own, so that its CPU and its peak memory are its alone.

    ``build(*args)`` runs there and gives the cases (what can be run, by name) and anything to report. What has an
    attribute ``cpu`` is measured by that: a function of the CPU seconds so far.
    """

    def __init__(self, build: Callable[..., tuple[dict[str, Case], Any]], *args: Any) -> None:
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build, args), daemon=True)
        self._process.start()
        theirs.close()
        self.runs: dict[str, list[Cost]] = {}
        self.cases, self.info, self.built, self.peak = self._receive()

    def _receive(self) -> Any:
        found = self._pipe.recv()
        if isinstance(found, Exception):
            raise found
        return found

    def run(self, name: str, *, keep: bool = True) -> Any:
        """Run a case once; gives its answer."""
        self._pipe.send(name)
        cost, answer, self.peak = self._receive()
        if keep:
            self.runs.setdefault(name, []).append(cost)
        return answer

    def cpu(self, name: str) -> float:
        """The median CPU seconds of a case."""
        return statistics.median(cost.cpu for cost in self.runs[name])

    def wall(self, name: str) -> float:
        """The median seconds of a case on the clock."""
        return statistics.median(cost.wall for cost in self.runs[name])

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def interleave(rounds: int, *plan: tuple[Child, Sequence[str]]) -> None:
    """A warm-up, then rounds in which every contender runs each of its cases once: load falls on all alike."""
    for turn in range(rounds + 1):
        for child, names in plan:
            for name in names:
                child.run(name, keep=turn > 0)


def paired(over: Child, name: str, under: Child, base: str) -> float:
    """The median over rounds of CPU of one case ÷ CPU of another in the same round."""
    runs = zip(over.runs[name], under.runs[base], strict=True)
    return statistics.median(a.cpu / b.cpu for a, b in runs)


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Page:
    """What a benchmark prints and, with ``--record``, writes to RESULTS.md."""

    title: str
    text: list[str] = field(default_factory=list)
    missed: int = 0
    _targets: list[tuple[str, ...]] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        """A paragraph."""
        self._add([*lines, ""])

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table: the first column is text, the others are numbers."""
        cells = [list(heads), *[[_show(cell) for cell in row] for row in rows]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]

        def line(row: Sequence[str]) -> str:
            first, *rest = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            return f"| {' | '.join([first, *rest])} |"

        rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
        self._add([line(cells[0]), rule, *[line(row) for row in cells[1:]], ""])

    def target(self, what: str, value: float, limit: float, *, least: bool = False) -> None:
        """A promise and whether it is kept (at most ``limit``, or at least where ``least``)."""
        kept = value >= limit if least else value <= limit
        self.missed += not kept
        self._targets.append((what, _show(value), f"{'≥' if least else '≤'} {limit:g}", "PASS" if kept else "MISS"))

    def judge(self) -> None:
        """The table of targets."""
        self.table(("target", "measured", "wanted", "verdict"), self._targets)

    def _add(self, lines: list[str]) -> None:
        self.text += lines
        print("\n".join(lines), flush=True)

    def record(self, name: str) -> None:
        """Replace this benchmark's section of RESULTS.md."""
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        old = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
        body = "\n".join([start, f"## {self.title}", "", *self.text, end])
        if start in old:
            head, rest = old.split(start, 1)
            old = head + body + rest.split(end, 1)[1]
        else:
            old = f"{old.rstrip()}\n\n{body}\n"
        RESULTS.write_text(old)


def _show(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}" if abs(cell) < 100 else f"{cell:.0f}"
    return str(cell)


def about(page: Page, packages: Sequence[str] = PACKAGES) -> None:
    """When, where and with what it was measured; the command; the load of the machine."""
    known = []
    for package in packages:
        try:
            known.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            known.append(f"{package} ({'from the source tree' if package == 'pets-privacy' else 'not installed'})")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    arguments = [word for word in sys.argv[1:] if word != "--record"]
    page.say(f"`{' '.join(['python', f'benchmarks/{Path(sys.argv[0]).name}', *arguments])}`, {dt.date.today()}")
    page.say(
        f"{cores} shared cores ({platform.machine()}), {platform.system()}, Python {platform.python_version()}{load}; "
        f"{', '.join(known)}.",
        "CPU is of all threads of the contender's own process; ratios are medians over interleaved rounds.",
    )


def options(text: str | None, **extra: Mapping[str, Any]) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=(text or "").split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="small data, few rounds: at most a minute, for a smoke test"
    )
    parser.add_argument("--record", action="store_true", help="write the results to benchmarks/RESULTS.md")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed")
    for name, settings in extra.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)
    return parser


def finish(page: Page, name: str, args: argparse.Namespace) -> None:
    """Judge, record, and leave."""
    page.judge()
    if args.record:
        page.record(name)
    sys.exit(1 if args.strict and page.missed else 0)
