"""Chance, and the time that tests take: kept for the tests and for the examples in docstrings alike."""

pytest_plugins = ["tests.chance", "tests.duckdbs", "tests.slowest"]
