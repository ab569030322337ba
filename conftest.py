"""Chance, the databases in memory, and the time that tests take: for the tests and the examples in docstrings alike."""

from __future__ import annotations

import os
from pathlib import Path

PETS = Path(__file__).with_name("pets")

pytest_plugins = ["tests.chance", "tests.duckdbs", "tests.slowest"]

# Several tests run at once: where a library takes all cores for itself, its threads wait for one another, and busily.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# half of a small table's synthesis would be spent on making its compiled code quick
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Modules of pets without an example in them hold nothing to collect, and need not be loaded to find that out."""
    if collection_path.suffix != ".py" or not collection_path.is_relative_to(PETS):
        return None
    return None if ">>>" in collection_path.read_text("utf-8") else True
