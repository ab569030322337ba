"""What a :class:`tests.mutants.plant.Nursery` runs. It imports nothing of pets or its tests, which differ by child."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys

LOADED = (
    "numpy", "pandas", "pyarrow", "pyarrow.parquet", "duckdb", "ibis", "ibis.backends.duckdb", "sqlglot", "sqlalchemy",
    "alembic", "cryptography.hazmat.primitives.asymmetric.ed25519", "opendp.measurements", "yaml", "hypothesis",
    "scipy.stats", "pytest", "_pytest.assertion.rewrite", "typer", "tqdm", "html.parser", "multiprocessing",
)  # fmt: skip


def main() -> None:
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # children need not look through what was loaded here
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(order)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps(code), flush=True)
    os._exit(0)  # as its children do: what is frozen would be told to leak


def _run(order: dict[str, str]) -> None:
    """In the child: the tests of one tree. It never returns."""
    code = 99
    try:
        said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(said, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(order["folder"])
        os.environ["PYTHONPATH"] = order["folder"]
        sys.path.insert(0, order["folder"])
        sys.dont_write_bytecode = False  # the next tree finds it, but for the file with the bug
        import pytest

        assert not [name for name in sys.modules if name.partition(".")[0] in ("pets", "tests")]
        code = int(pytest.main(list(order["arguments"])))
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
