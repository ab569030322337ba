"""Bars: none before some work was done, none left behind, and nothing in red in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pets.common import progress
from pets.common.progress import bar, steps

pytestmark = pytest.mark.chance(0)  # a made-up clock

ROOT = Path(__file__).resolve().parents[3]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "monotonic", lambda: made.now)
    return made


def screen(text: str) -> list[str]:
    """What a terminal shows in the end: a carriage return goes back to the line's beginning, and what follows
    replaces what stood there."""
    lines = []
    for line in text.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return [line for line in lines if line]


def test_nothing_is_shown_before_a_second_and_some_work(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with bar(4, "counting") as moved:
        moved.to(1)
        clock.now = 0.9
        moved.to(2)
        assert capsys.readouterr() == ("", "")
    with bar(4, "counting") as moved:
        clock.now = 60
        moved.to(0, "waiting")
        moved.restart(8, "epoch")
        moved.to(0)
        assert capsys.readouterr() == ("", "")  # not a line at 0 %
        moved.to(2, "fitting")
        shown = screen(capsys.readouterr().err)
        assert len(shown) == 1 and shown[0].startswith("fitting:  25%") and "2/8" in shown[0]


def test_where_nobody_knows_how_much_there_is_the_name_and_the_time_are_shown(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with bar(100, "rows") as moved:
        clock.now = 20
        moved.at("rows: reading")
        assert screen(capsys.readouterr().err) == ["rows: reading [00:20]"]
        clock.now = 40
        moved.to(50, "rows: storing")
        assert "rows: storing:  50%|" in capsys.readouterr().err
    assert "100" not in capsys.readouterr().err


def test_the_rest_is_estimated_from_the_beginning_of_the_work(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with bar(10, "counting") as moved:
        clock.now = 20
        moved.to(2)
        assert "[00:20<01:20" in capsys.readouterr().err  # eight more, at ten seconds each


def test_switched_off_it_is_silent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with bar(4, "counting", show=False) as moved, steps(range(3), "adding", show=False) as numbers:
        clock.now = 60
        moved.update()
        assert list(numbers) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def ends(kind: type[BaseException] | None) -> Callable[[int], None]:
    def work(item: int) -> None:
        if kind is not None and item == 3:
            raise kind("stopped")

    return work


@pytest.mark.parametrize("kind", [None, ValueError, KeyboardInterrupt], ids=["done", "failed", "interrupted"])
def test_it_is_removed_however_the_work_ends(
    kind: type[BaseException] | None, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work, seen = ends(kind), ""

    def run() -> None:
        nonlocal seen
        with steps(range(6), "working") as items:
            for item in items:
                clock.now += 2
                seen += capsys.readouterr().err
                work(item)

    # the error is held, and with it the frame and its half-used iterator, as a notebook holds its last one
    held = None
    try:
        run()
    except BaseException as error:
        held = error
    assert (held is None) is (kind is None)
    seen += capsys.readouterr().err
    assert "working:" in seen and screen(seen) == []


def test_an_iterator_that_is_left_half_way_leaves_no_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with steps(range(5), "pairs") as items:
        for _ in zip(range(3), items, strict=False):
            clock.now += 2
    seen = capsys.readouterr().err
    assert "pairs:" in seen and screen(seen) == []


# ── in a notebook ───────────────────────────────────────────────────────────────────────────────────────────────────

PREPARED = """
import threading, time
import pandas as pd, pyarrow as pa
import pets
from pets.common import progress
progress.DELAY = progress.INTERVAL = 0.0
"""
BAR = """
with progress.bar(4, "counting") as moved:
    moved.to(0)
    moved.to(1, "a & b")
    {within}
"""
SNAPSHOT = """
rows = pd.DataFrame({"v": range(100)})
def slowly():
    for batch in pa.Table.from_pandas(rows).to_batches(max_chunksize=20):
        time.sleep(0.3)
        yield batch
table = pets.Table(pets.Unit(None), {"v": pets.Integer(0, 99)})
schema = pets.Schema({"t": table})
reader = pa.RecordBatchReader.from_batches(pa.Table.from_pandas(rows).schema, slowly())
session = pets.Session(schema, {"t": reader}, budget=pets.Budget(epsilon=1))
_ = session.report()
"""


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    within = ["pass", "raise ValueError('stopped')", "raise KeyboardInterrupt", "print('between')"]
    codes = [PREPARED, *(BAR.format(within=text) for text in within), SNAPSHOT]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    client = nbclient.NotebookClient(notebook, timeout=300, allow_errors=True)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    client.execute(env={**os.environ, "PYTHONPATH": paths})
    return [cell["outputs"] for cell in notebook["cells"]]


def left(outputs: list[Any]) -> list[str]:
    """What a cell's outputs show in the end, an error apart."""
    shown = [
        output["text"] if output["output_type"] == "stream" else "".join(map(str, output["data"].values()))
        for output in outputs
        if output["output_type"] != "error"
    ]
    return [text for text in shown if text.strip()]


def test_no_red_line_remains_in_a_notebook(cells: Any) -> None:
    _, done, failed, interrupted, between, snapshot = cells
    for outputs in cells:
        assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert left(done) == [] and len(done) == 1  # one output that was replaced, and is empty now
    assert [output["output_type"] for output in failed] == ["display_data", "error"] and left(failed) == []
    assert [output["output_type"] for output in interrupted] == ["display_data", "error"] and left(interrupted) == []
    assert left(between) == ["between\n"]
    assert not [output for output in snapshot if output["output_type"] == "error"] and left(snapshot) == []
    assert len(snapshot) == 1  # its thread said what was being done


def test_in_a_notebook_the_bar_is_an_output_that_is_replaced(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    display = pytest.importorskip("IPython.display")
    said: list[tuple[str, Any]] = []

    def shown(data: Any, **_: Any) -> Any:
        said.append(("new", data))
        return SimpleNamespace(update=lambda data, **_: said.append(("again", data)))

    monkeypatch.setattr(display, "display", shown)
    monkeypatch.setattr(progress, "_cell", progress._Cell)
    with bar(4, "counting") as moved:
        clock.now = 2
        moved.to(1)
        clock.now = 3
        moved.to(3)
    assert [how for how, _ in said][:2] == ["new", "again"]
    assert "1/4" in said[0][1]["text/plain"] and "3/4" in said[1][1]["text/plain"]
    assert said[-1] == ("again", {"text/plain": "", "text/html": ""})
