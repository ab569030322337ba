"""Chance, the databases in memory, and the time that tests take: for the tests and the examples in docstrings alike."""

import os

pytest_plugins = ["tests.chance", "tests.duckdbs", "tests.slowest"]

# half of a small table's synthesis would be spent on making its compiled code quick
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
