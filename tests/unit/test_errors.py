"""Errors in a notebook: the cell's line and the sentence; everything on request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pets import errors
from tests.extras import needs

needs("IPython")

MISSPELT = """import pets
schema = pets.Schema({"t": pets.Table("row", {"age": pets.Integer(0, 120)})})
session = pets.Session(schema, budget=pets.Budget(epsilon=1))
def ask(name):
    query = pets.query("t").group_by(name).agg(n=pets.count())
    return session.quote(query, pets.DP(epsilon=1))

ask("agee")"""


@pytest.fixture
def shell() -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    made = InteractiveShell.instance()
    made.colors = "nocolor"
    yield made
    errors.full_tracebacks(False)
    made.clear_instance()


def shown(shell: Any, capsys: pytest.CaptureFixture[str], cell: str) -> str:
    shell.run_cell(cell, store_history=True)
    caught = capsys.readouterr()
    return caught.out + caught.err


def test_a_mistake_is_its_cells_line_and_one_sentence(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(shell, capsys, MISSPELT).strip().splitlines()
    assert lines == [
        'Cell In[1], line 8:  ask("agee")',
        "Cell In[1], line 6:  return session.quote(query, pets.DP(epsilon=1))",
        "",
        "QueryError: column 'agee' is not in table 't'; did you mean 'age'?",
    ]


def test_the_whole_traceback_comes_on_request(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    short = shown(shell, capsys, MISSPELT)
    errors.full_tracebacks()
    full = shown(shell, capsys, "%tb")
    assert "pets/plan" in full.replace("\\", "/")
    assert len(full.splitlines()) > 3 * len(short.splitlines())
    errors.full_tracebacks(False)
    assert shown(shell, capsys, "%tb").strip().splitlines()[-1] == short.strip().splitlines()[-1]


def test_a_refused_budget_and_an_unknown_verb_are_short_too(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shown(shell, capsys, MISSPELT.replace('ask("agee")', "pass"))
    for cell, said in (
        ("pets.query('t').groupby('age')", "NoSuchNameError: a query has no .groupby"),
        ("pets.query('t').filter(True)", "NoSuchNameError: a query has no .filter: keep rows with where"),
        ("pets.Budget(epsilon=-1)", "BudgetError: "),
        ("pets.suum", "NoSuchNameError: pets has no 'suum'"),
    ):
        lines = shown(shell, capsys, cell).strip().splitlines()
        assert len(lines) == 3
        assert lines[0].endswith(f"line 1:  {cell}")
        assert lines[2].startswith(said)


def test_a_bug_keeps_its_traceback(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cell = "from pets.errors import InternalError\nraise InternalError('a bug')"
    assert "Traceback (most recent call last)" in shown(shell, capsys, cell)
