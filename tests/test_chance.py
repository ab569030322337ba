"""No test fails by chance: what the marks admit together, and that what keeps chance out has teeth."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets.common.entropy import random_below, random_bytes, random_id, rank_key
from pets.dp.noise import add_gaussian, add_laplace
from pets.rows.snapshot import Snapshot
from tests.chance import MOST, SOURCES, SUMS, rate

TESTS = Path(__file__).parent


def test_false_alarms_of_the_whole_suite(request: pytest.FixtureRequest) -> None:
    """Every instance of a parametrised test counts; a run of a few files sees theirs alone."""
    assert all(total <= MOST for total in request.config.stash[SUMS].values()), request.config.stash[SUMS]


def drawn() -> tuple[list[int], list[int], int]:
    zeros = np.zeros(50, dtype=np.int64)
    return add_gaussian(zeros, 100.0).tolist(), add_laplace(zeros, 1e6).tolist(), rank_key()


def test_an_unmarked_test_draws_the_same_on_every_run(request: pytest.FixtureRequest) -> None:
    mine = drawn()
    with SOURCES.seeded(request.node.name):
        assert drawn() == mine != drawn()
    with SOURCES.seeded("another test"):
        assert drawn() != mine


def named() -> tuple[str, bytes, int]:
    return random_id(), random_bytes(8), random_below(10**30)


def test_an_unmarked_test_draws_the_same_names_on_every_run(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two requests at one time of a clock that stands were in another order on every run."""
    mine, noise = named(), drawn()
    with SOURCES.seeded(request.node.name, request.node.nodeid):
        assert drawn() == noise, "one name more moves no noise"
        assert named() == mine != named()
    with SOURCES.seeded(request.node.name, "another place"):
        assert named() != mine
        assert drawn() == noise
    monkeypatch.setenv("NAMES_SEED", "2")
    with SOURCES.seeded(request.node.name, request.node.nodeid):
        assert named() != mine
        assert drawn() == noise


def test_seeded_names_are_what_the_system_would_give() -> None:
    name, raw, _ = named()
    assert len(name) == 32 and set(name) <= set("0123456789abcdef")
    assert len(raw) == 8
    assert {random_below(3) for _ in range(100)} == {0, 1, 2}
    assert {random_below(1) for _ in range(10)} == {0}
    assert len({random_id() for _ in range(1000)}) == 1000


def test_seeded_noise_has_the_law_of_its_scale() -> None:
    """Near enough: what is asserted of an unmarked test's noise should hold of real noise as a rule."""
    zeros = np.zeros(20_000, dtype=np.int64)
    for scale in (0.5, 8.0, 3000.0):
        assert add_gaussian(zeros, scale).std() == pytest.approx(deviation("gaussian", scale), rel=0.03)
        assert add_laplace(zeros, scale).std() == pytest.approx(deviation("laplace", scale), rel=0.05)


def deviation(kind: str, scale: float) -> float:
    k = np.arange(-200_000, 200_001)
    mass = np.exp(-(k**2) / (2 * scale**2)) if kind == "gaussian" else np.exp(-np.abs(k) / scale)
    return float(np.sqrt((k**2 * mass).sum() / mass.sum()))


def test_the_choice_of_rows_is_seeded_too() -> None:
    """Snapshots that get no key of their own keep the same rows of a person on every run."""
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", 1), {"id": pets.Identifier(), "x": pets.Integer(0, 9)})})
    rows = pd.DataFrame({"id": [i // 10 for i in range(200)], "x": list(range(10)) * 20})
    kept = []
    for name in ("one", "one", "two"):
        with SOURCES.seeded(name):
            made = Snapshot.make(schema, "t", {"t": rows}, progress=False).arrow()
            kept.append(sorted(made["c0"].to_pylist()))  # (people's numbers may be other ones)
    assert kept[0] == kept[1] != kept[2]


@pytest.mark.chance(1e-90)  # fifty numbers that agree by chance, each with at most 1 in 100
@pytest.mark.parametrize("again", [False, True])
def test_a_marked_one_does_not(again: bool, seen: list[object] = []) -> None:  # noqa: B006
    """Two instances of one test, whose names would seed them alike."""
    with SOURCES.seeded("alike"):
        alike = named()
    assert named() != alike
    seen.append(drawn()[0])
    assert len(seen) < 2 or seen[0] != seen[1]


SHARED = {
    "random",
    "randint",
    "choice",
    "choices",
    "shuffle",
    "sample",
    "uniform",
    "gauss",
    "normal",
    "randrange",
    "rand",
}
"""Of the modules ``random`` and ``numpy.random``: they draw from one generator of the process."""


def unseeded(source: str) -> list[int]:
    """Lines that draw from a generator without a seed."""
    if "random" not in source and "default_rng" not in source:
        return []
    tree = ast.parse(source)
    modules = {"np.random", "numpy.random"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {one.asname or one.name for one in node.names if one.name == "random"}
    # a seeded generator may bear the name within a function: random = np.random.default_rng(7), or an argument
    hidden = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and "random" in {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)} | _stored(node)
    ]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            module, _, name = ast.unparse(node.func).rpartition(".")
            bare = name in ("default_rng", "Random", "SeedSequence", "RandomState") and not node.args
            shared = module in modules and name in SHARED
            if bare or (shared and not any(first <= node.lineno <= last for first, last in hidden)):
                found.append(node.lineno)
    return found


def _stored(function: ast.FunctionDef) -> set[str]:
    return {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def test_no_test_draws_without_a_seed() -> None:
    found = {str(file.relative_to(TESTS)): unseeded(file.read_text("utf-8")) for file in sorted(TESTS.rglob("*.py"))}
    assert not {name: lines for name, lines in found.items() if lines}


def test_the_scan_bites() -> None:
    for planted in ("np.random.default_rng()", "random.Random()", "random.shuffle(x)", "np.random.normal(0, 1, 3)"):
        assert unseeded(f"import random\n\n\ndef test() -> None:\n    x = {planted}") == [5]
    assert not unseeded("rng = np.random.default_rng(3)\nrng.shuffle(x)\nmade = random.Random(4)")


@pytest.mark.parametrize("p", [1e-3, -1e-12, "seldom", None])
def test_a_mark_that_is_no_small_probability_is_refused(p: object, request: pytest.FixtureRequest) -> None:
    function = pytest.Function.from_parent(request.node.parent, name="planted", callobj=drawn)
    function.add_marker(pytest.mark.chance(p))
    with pytest.raises(pytest.UsageError, match="a probability of at most 1e-10, not"):
        rate(function)


PLANTED = """
import multiprocessing, subprocess, sys
import numpy as np
import pytest
from pets.dp.noise import add_gaussian

def test_a_program():
    subprocess.run([sys.executable, "-c", ""])

def test_a_process():
    process = multiprocessing.Process(target=print)
    process.start()
    process.join()

@pytest.mark.chance(0)
def test_a_program_that_is_marked():
    subprocess.run([sys.executable, "-c", ""])

def test_another_program():
    subprocess.run(["true"])
"""


@pytest.mark.chance(0)
def test_a_test_that_starts_python_without_a_mark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text(PLANTED, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.chance", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-c", str(TESTS.parent / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("draws what it likes: mark it chance(p)") >= 2
