"""The cell magic ``%%pets``: what a cell gives, and that mistakes end in pets' own words."""

from __future__ import annotations

from typing import Any

import pytest

import pets
from pets.cli.notebook import magic as notebook
from pets.errors import QueryError, UserError
from pets.query_model.query import Query
from pets.release.release import Release
from pets.session.quoting.quote import Quote
from pets.synthetic.stays import invent_stays, stays_schema
from tests.service_stub import Stub

TEXT = "SELECT sex, COUNT(*) AS n\nFROM stays\nGROUP BY sex\nORDER BY n DESC\n"


@pytest.fixture
def names() -> dict[str, Any]:
    session = pets.Session(stays_schema(), invent_stays(people=200, seed=1), budget=pets.Budget(epsilon=3, delta=1e-6))
    return {"session": session, "_": session, "x": 3}


def test_a_cell_asks_the_one_session_that_there_is(names: dict[str, Any]) -> None:
    query = notebook.ask("", TEXT, names)
    assert isinstance(query, Query)
    assert query.digest == pets.sql(TEXT, names["session"].schema).digest
    assert names["session"].remaining().spent.loss == 0
    assert isinstance(notebook.ask("session --epsilon 0.5 --quote", TEXT, names), Quote)
    assert "Protected: all rows of one person" in str(notebook.ask("session --explain", TEXT, names))
    twin = notebook.ask("--dummy --to twin", TEXT, names)
    assert names["twin"] is twin
    assert twin.data == "dummy"
    assert names["session"].remaining().spent.loss == 0


def test_a_cell_asks_a_service_and_a_custodian_s_session() -> None:
    budget = pets.Budget(epsilon=3, delta=1e-6)
    custodian = pets.Custodian(stays_schema(), invent_stays(people=200, seed=1), budget=budget, progress=False)
    session = custodian.session(analyst="amina")
    asked: dict[str, Any] = {"connection": Stub(session, custodian.ledger.key.raw).connect()}
    release = notebook.ask("connection --epsilon 0.5 --to answer", TEXT, asked)
    assert asked["answer"] is release and release.certificate is not None
    assert notebook.ask("connection --epsilon 0.5", TEXT, asked | {"session": session}) == release
    assert notebook.ask("session --epsilon 0.5", TEXT, {"session": session}) == release
    assert str(notebook.ask("--epsilon 0.5 --quote", TEXT, asked)) == str(
        session.quote(release.query, pets.DP(epsilon=0.5))
    )


def test_a_cell_releases(names: dict[str, Any]) -> None:
    release = notebook.ask("session --epsilon 0.5 --to answer", TEXT, names)
    assert isinstance(release, Release)
    assert names["answer"] is release
    assert release.epsilon == pytest.approx(0.5)
    assert names["session"].remaining().spent.loss > 0
    assert release.table["n"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sesion", "did you mean 'session'"),
        ("x", "is no session"),
        ("session --epsilom 1", "unrecognized arguments: --epsilom"),
        ("session --epsilon much", "invalid float"),
        ("session --quote", "a quote needs --epsilon"),
        ("session --to 2x", "name of a variable"),
        ("session '", "quotation mark"),
    ],
)
def test_a_mistake_in_the_line_is_said(line: str, said: str, names: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=said):
        notebook.ask(line, TEXT, names)
    with pytest.raises(UserError, match="needs the name of a session"):
        notebook.ask("", TEXT, {})
    with pytest.raises(QueryError, match="rows never leave"):
        notebook.ask("session", "SELECT * FROM stays", names)


def test_the_extension_is_loaded_by_ipython(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    shell_of = pytest.importorskip("IPython.core.interactiveshell")
    shell = shell_of.InteractiveShell()
    shell.user_ns.update(names)
    shell.run_line_magic("load_ext", "pets")
    assert isinstance(shell.run_cell_magic("pets", "session --dummy", TEXT), Release)
    done = shell.run_cell("%%pets session\nSELECT MIN(age) FROM stays")
    assert isinstance(done.error_in_exec, QueryError)
    shown = capsys.readouterr().out
    assert "^^^" in shown
    assert "Traceback" not in shown
