"""The slowest tests: they run first, and the ten slowest are told at the end of every run, with how long all took.

What was loaded before the first test, hundreds of thousands of objects, is never looked through for garbage again.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SHOWN = 10
FIRST = (
    "unit/federated/deployment/test_nvflare_engine.py",
    "generative/test_engines.py",
    "attacks/test_ledger_kills.py",
    "generative/test_federated_exact.py",
    "docs/test_notebooks.py",
    "attacks/test_ledger_failpoints.py",
    "unit/federated/analyst/test_transport.py",
    "generative/test_ledger.py",
)
"""Modules with a test of 20 seconds or more: were one begun last, the other processes would wait for it."""


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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The others stay in their order, whole modules together; a random order is made of this one afterwards."""
    place = {(HERE / name).resolve(): number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(FIRST)))


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
