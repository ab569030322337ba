"""The slowest tests: they run first, and the ten slowest are told at the end of every run, with how long all took.

What was loaded before the first test, hundreds of thousands of objects, is never looked through for garbage again.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SHOWN = 10
SPARK = "unit/rows/spark"
"""The tests that need a Spark, wherever they are: one process runs them, as each would start one of its own."""
ON_SPARK = (
    *(SPARK, "unit/session/test_on_spark.py", "unit/federated/site/test_on_spark.py"),
    *("unit/rows/engine/test_stopping.py", "spec/test_spark.py", "generative/test_spark.py"),
    "unit/rows/training/test_gradients.py",
)
SECONDS = {
    "attacks/test_spark_kills.py": 260,
    SPARK: 200,
    "unit/federated/deployment/test_nvflare_engine.py": 200,
    "generative/test_engines.py": 105,
    "attacks/test_ledger_failpoints.py": 99,
    "attacks/test_replay.py": 98,
    "generative/test_people.py": 60,
    "stats/test_estimable.py": 80,
    "unit/synthetic/lessons/test_lessons.py": 130,
    "unit/synthetic/assess/test_run.py": 92,
    "generative/test_federated_exact.py": 50,
    "unit/session/synthesis/test_synthesise.py": 83,
    "unit/federated/deployment/test_nvflare_grid.py": 89,
    "unit/federated/deployment/test_nvflare_training.py": 100,
    "attacks/test_demo_kills.py": 82,
    "attacks/test_service_load.py": 82,
    "docs/test_notebooks.py": 76,
    "generative/test_neighbours.py": 61,
    "attacks/test_ledger_kills.py": 57,
    "generative/test_cells.py": 52,
    "docs/test_site.py": 50,
    "attacks/test_ledger_threads.py": 44,
    "attacks/test_ledger_faults.py": 44,
    "docs/test_docs.py": 43,
    "generative/test_ledger.py": 39,
    "unit/federated/analyst/test_transport.py": 38,
    "unit/release/test_plot.py": 38,
    "unit/ledger/log/test_verifier.py": 37,
    "unit/verify/test_check.py": 26,
    "unit/test_wrong_inputs.py": 24,
    "generative/test_keys.py": 24,
    "real/test_first_day.py": 18,
    "unit/test_remedies.py": 16,
}
"""Modules with a test of a dozen seconds or more, and what all of it took once: were one begun last, the other
processes would wait for it. Nothing rests on the numbers but who begins with which."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """A fifth of collecting thousands of tests was the search for garbage among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # so that libraries may take down what they set up


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """After what is not run was left out; an order that somebody asked to be random stays."""
    yield
    if all(str(config.getoption(f"random_order_{of}", "default:")).startswith("default:") for of in ("bucket", "seed")):
        items[:] = dealt(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """Slow modules at the heads of the parts that the workers begin with, so that each has as much to do.

    pytest-xdist gives each an equal part of the list, one after the other; who has finished takes from others' tails.
    The other modules stay in their order, whole modules together.
    """
    place = {(HERE / name).resolve(): name for name in SECONDS} | {(HERE / name).resolve(): SPARK for name in ON_SPARK}
    slow: dict[str, list[pytest.Item]] = {}
    rest = []
    for item in items:
        name = place.get(item.path) or place.get(item.path.parent)
        (rest if name is None else slow.setdefault(name, [])).append(item)
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    seconds = [0] * workers
    for name in sorted(slow, key=lambda name: -SECONDS[name]):
        least = seconds.index(min(seconds))
        seconds[least] += SECONDS[name]
        parts[least] += slow[name]
    given = 0
    for number, part in enumerate(parts):
        room = (len(items) - sum(len(one) for one in parts[:number])) // (workers - number) - len(part)
        room = len(rest) - given if number == workers - 1 else max(0, min(room, len(rest) - given))
        part += rest[given : given + room]
        given += room
    return [item for part in parts for item in part]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Setting up and taking down count: what a shared fixture takes is told by the test that came first."""
    took: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                took[report.nodeid] += report.duration
    if len(took) <= SHOWN or config.option.verbose < -1:
        return
    slowest = sorted(took, key=lambda name: -took[name])[:SHOWN]
    terminalreporter.section(
        f"the {SHOWN} slowest of {len(took):,} tests, which took {sum(took.values()):,.0f} s together"
    )
    for name in slowest:
        terminalreporter.write_line(f"{took[name]:7.1f} s  {name}")
