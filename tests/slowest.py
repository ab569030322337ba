"""The ten slowest tests, and how long all took, at the end of every run."""

from __future__ import annotations

from collections import defaultdict

import pytest

SHOWN = 10


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
