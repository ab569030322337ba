"""No test asserts how long something took: on a busy machine it would fail though nothing is wrong.

Work is counted instead (``tests/work.py``, modules, statements, processes), or measured in ``benchmarks/``. A time-out
that ends what hangs is no assertion.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.work import calls

TESTS = Path(__file__).parent
CLOCKS = {
    f"time.{name}{unit}" for name in ("time", "monotonic", "perf_counter", "process_time") for unit in ("", "_ns")
}
CLOCKS |= {"time.thread_time", "resource.getrusage", "os.times", "timeit.timeit", "timeit.repeat"}


def timed(source: str) -> list[int]:
    """Lines of assertions about what a clock said, directly or through a name, or a function of the same file."""
    clocks = set(CLOCKS)
    if not any(name.partition(".")[2] in source for name in clocks - {"time.time"}) and "time.time" not in source:
        return []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            clocks |= {one.asname or one.name for one in node.names if f"{node.module}.{one.name}" in CLOCKS}

    def tells(node: ast.AST, names: set[str]) -> bool:
        called = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
        return any(dotted(one) in clocks for one in called) or bool(read(node) & names)

    # functions that give what a clock said
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("test_"):
            known = _tainted(node, tells)
            if any(isinstance(one, ast.Return) and one.value and tells(one.value, known) for one in ast.walk(node)):
                clocks.add(node.name)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            known = _tainted(node, tells)
            found += [one.lineno for one in ast.walk(node) if isinstance(one, ast.Assert) and tells(one.test, known)]
    return sorted(set(found))


def dotted(node: ast.AST) -> str:
    """``a.b.c`` as it is written; empty for what is no plain name."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def read(node: ast.AST) -> set[str]:
    """The names that are read."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _tainted(function: ast.FunctionDef, tells: object) -> set[str]:
    """Names within a function that hold what a clock said, or what was reckoned with it; a call hides its arguments."""
    known: set[str] = set()
    for _ in range(3):  # names of names of names
        for node in ast.walk(function):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if _reckoned(node.value, known, tells):
                    known |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
            elif isinstance(node, ast.Call) and any(_reckoned(one, known, tells) for one in node.args):
                name, _, method = dotted(node.func).rpartition(".")
                known |= {name} if method == "append" else set()
    return known


def _reckoned(value: ast.AST, known: set[str], tells: object) -> bool:
    assert callable(tells)
    if isinstance(value, (ast.Lambda, ast.FunctionDef)):
        return False
    if isinstance(value, ast.Call) and dotted(value.func) not in ("min", "max", "sum", "round", "abs", "sorted"):
        return bool(tells(ast.Call(value.func, [], []), set()))
    if isinstance(value, (ast.Call, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.List, ast.Attribute, ast.Subscript)):
        return any(_reckoned(one, known, tells) for one in ast.iter_child_nodes(value))
    return isinstance(value, ast.Name) and value.id in known


def test_no_test_asserts_a_duration() -> None:
    found = {str(file.relative_to(TESTS)): timed(file.read_text("utf-8")) for file in sorted(TESTS.rglob("*.py"))}
    assert not {name: lines for name, lines in found.items() if lines}


BAD = {
    "directly": """
def test_it():
    start = time.monotonic()
    assert time.monotonic() - start < 30""",
    "through a name": """
def test_it():
    start = time.perf_counter()
    took = time.perf_counter() - start
    assert took < 1""",
    "imported": """
from time import process_time as now
def test_it():
    start = now()
    assert now() - start < 1""",
    "the best of some": """
def test_it():
    best = 1.0
    for _ in range(9):
        start = time.perf_counter()
        best = min(best, time.perf_counter() - start)
    assert best < 0.05""",
    "a list": """
def test_it():
    took = []
    start = time.time()
    took.append(time.time() - start)
    assert max(took) < 1""",
    "a helper": """
def seconds():
    before = resource.getrusage(0)
    after = resource.getrusage(0)
    return after.ru_utime - before.ru_utime
def test_it():
    assert seconds() < 1""",
    "a deadline": """
def test_it():
    late = time.monotonic() + 9
    while True:
        assert time.monotonic() < late""",
}
GOOD = {
    "a time-out": """
def test_it():
    late = time.monotonic() + 9
    while time.monotonic() < late and not done():
        pass
    assert done()""",
    "a clock that is handed on": """
def test_it():
    with opened(clock=lambda: time.time() + 9) as it:
        assert it.whole""",
    "the time of an entry": """
def test_it():
    made = entry(at=time.time())
    assert made.state == "committed" """,
}


@pytest.mark.parametrize("source", BAD.values(), ids=BAD.keys())
def test_the_scan_bites(source: str) -> None:
    assert timed(source) == [source.count("\n") + 1]


@pytest.mark.parametrize("source", GOOD.values(), ids=GOOD.keys())
def test_the_scan_lets_time_outs_be(source: str) -> None:
    assert timed(source) == []


def test_calls_are_counted_alike_every_time() -> None:
    assert calls(lambda: [len("x") for _ in range(100)]) == calls(lambda: [len("x") for _ in range(100)])
    assert (
        0 <= calls(lambda: [len("x") for _ in range(1000)]) - calls(lambda: [len("x") for _ in range(100)]) - 900 <= 1
    )
