"""Comparing a grid, before it is made, with all that left before: told to the custodian, who answers by a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import DataError, UserError
from pets.session.disclosure import solving
from pets.session.grid import naming
from tests.checked_tables import N, T, of_counts, opened, searched_here, total

GRID = T.group_by("region").agg(n=N)
HES = pets.SDC("hes")
POLICY = pets.Policy(allow_unbounded=True, sdc=("hes",))
REST = T.where(col("region").isin(["N", "E", "S"]) | col("region").is_null()).agg(n=N)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search runs in this process."""
    monkeypatch.setattr(solving, "_replies", searched_here)


def people(west: int, east: int = 31) -> pd.DataFrame:
    return of_counts({("f", "N"): 50, ("m", "E"): east, ("f", "S"): 22, ("m", "W"): west})


def totalled(west: int, east: int = 31) -> pets.Custodian:
    """A total of everybody left, and one of all but the west."""
    custodian = opened(people(west, east), policy=POLICY)
    total(custodian, T.agg(n=N))
    total(custodian, REST)
    return custodian


def without(text: str, word: str) -> str:
    return text.replace(word, "WORD")


def test_nothing_is_asked_where_nothing_left_before() -> None:
    custodian = opened(people(2), policy=POLICY)
    looked = custodian.compare_grid(GRID, HES)
    assert not looked and looked.attack.releases == 0 and len(custodian.history()) == 0
    grid = custodian.name_grid(GRID, HES)
    assert any("Nothing had left without noise" in note for note in grid.notes)


def test_a_total_and_the_grid_together_give_a_small_cell_and_the_custodian_must_say_that_they_looked() -> None:
    custodian = totalled(2)
    with pytest.raises(UserError, match="2 releases have left this dataset without noise before"):
        custodian.name_grid(GRID, HES)
    looked = custodian.compare_grid(GRID, HES)
    assert looked and looked.moved == ()
    assert any("region W of the new grid is 2: 105 − 103" in one for one in looked.attack.sentences)
    assert f"confirm={looked.word!r}" in str(looked)
    assert len(custodian.history()) == 2, "nothing was entered to look"
    grid = custodian.name_grid(GRID, HES, confirm=looked.word)
    (note,) = [note for note in grid.notes if "compared it" in note]
    assert f"(2 releases), and decided that it may leave (confirmed: {looked.word})" in note
    assert grid.certificate is not None and note in grid.certificate.predicate["notes"]


def test_what_is_asked_of_the_custodian_and_kept_of_it_depends_on_no_row() -> None:
    told = []
    for west, east in ((2, 31), (3, 31), (40, 5)):
        custodian = totalled(west, east)
        with pytest.raises(UserError) as caught:
            custodian.name_grid(GRID, HES)
        word = custodian.compare_grid(GRID, HES).word
        told.append(
            [str(caught.value), *(without(note, word) for note in custodian.name_grid(GRID, HES, confirm=word).notes)]
        )
    assert told[0] == told[1] == told[2]


def test_a_word_is_of_one_grid_and_of_what_left_until_then() -> None:
    custodian = totalled(2)
    word = custodian.compare_grid(GRID, HES).word
    for query, protection, given in (
        (GRID, HES, "0123456789ab"),
        (GRID, HES, 7),
        (T.group_by("sex").agg(n=N), HES, word),
    ):
        with pytest.raises(UserError, match="is the word of another comparison"):
            custodian.name_grid(query, protection, confirm=given)  # type: ignore[arg-type]
    total(custodian, T.where(col("sex") == "f").agg(n=N))
    with pytest.raises(UserError, match="before something else left"):
        custodian.name_grid(GRID, HES, confirm=word)
    custodian.name_grid(GRID, HES, confirm=custodian.compare_grid(GRID, HES).word)


def test_what_leaves_while_a_grid_is_named_is_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its notes would say that it was compared with all that had left."""
    custodian = totalled(2)
    word, true = custodian.compare_grid(GRID, HES).word, naming.confirmed

    def late(*given: Any) -> str:
        said = true(*given)
        total(custodian, T.where(col("sex") == "f").agg(n=N))
        return said

    with monkeypatch.context() as patch:
        patch.setattr(naming, "confirmed", late)
        with pytest.raises(UserError, match="something left this dataset without noise while the grid was named"):
            custodian.name_grid(GRID, HES, confirm=word)
    assert naming.grids(custodian.custody) == [] and len(custodian.history()) == 3
    grid = custodian.name_grid(GRID, HES, confirm=custodian.compare_grid(GRID, HES).word)
    assert any("(3 releases), and decided" in note for note in grid.notes)


def test_a_cell_that_moves_across_a_step_is_named_before_a_refreshed_grid_leaves(tmp_path: Path) -> None:
    """From 7 to 8 people a cell becomes visible: who knows that one came knows both numbers."""
    source = tmp_path / "people.csv"
    people(7, east=33).to_csv(source, index=False)
    custodian = opened(source, policy=POLICY)
    custodian.name_grid(GRID, HES)
    people(8, east=32).to_csv(source, index=False)
    custodian.refresh()
    looked = custodian.compare_grid(GRID, HES)
    assert looked.moved == (
        "cell (region E) showed 35 [33, 37] and would show 30 [28, 32]: who knows that 1 more went than came learns "
        "that it was 33 and is 32",
        "cell (region W) showed * [1, 7] and would show 10 [8, 12]: who knows that 1 more came than went learns that "
        "it was 7 and is 8",
    )
    assert "2 cells would show another number than before the refresh" in str(looked)
    assert any("do not agree with each other" in one for one in looked.attack.besides)
    assert len(custodian.history()) == 1
    with pytest.raises(UserError, match="1 release has left"):
        custodian.name_grid(GRID, HES, anew=True)
    new = custodian.name_grid(GRID, HES, anew=True, confirm=looked.word)
    assert new.shown.tolist() != [] and len(custodian.history()) == 2


def test_where_nothing_moved_nothing_is_named(tmp_path: Path) -> None:
    source = tmp_path / "people.csv"
    people(3).to_csv(source, index=False)
    custodian = opened(source, policy=POLICY)
    custodian.name_grid(GRID, HES)
    people(6).to_csv(source, index=False)
    custodian.refresh()
    looked = custodian.compare_grid(GRID, HES)
    assert not looked and looked.moved == () and looked.attack.releases == 2


def test_each_refresh_is_compared_alone_where_they_disagree(tmp_path: Path) -> None:
    """What is derived of the tables of one refresh is found though another's contradict them."""
    source = tmp_path / "people.csv"
    people(2).to_csv(source, index=False)
    custodian = opened(source, policy=POLICY)
    total(custodian, T.agg(n=N))
    total(custodian, REST)
    people(30, east=60).to_csv(source, index=False)
    custodian.refresh()
    total(custodian, T.agg(n=N))
    found = custodian.attack()
    assert [(one.low, one.high) for one in found.verdicts] == [(2, 2)]
    assert any("those of each refresh are compared alone" in one for one in found.besides)


def test_rows_that_cannot_be_counted_are_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = totalled(2)

    def broken(*_: Any) -> Any:
        raise ValueError("canary 17")

    monkeypatch.setattr(naming, "tabulate", broken)
    with pytest.raises(DataError) as caught:
        custodian.compare_grid(GRID, HES)
    number = str(caught.value).split("incident('")[1].split("'")[0]
    assert "canary" not in str(caught.value) and "canary 17" in custodian.incident(number)


def test_an_analyst_has_no_such_verb() -> None:
    session = opened(people(2), policy=POLICY).session(analyst="ann")
    with pytest.raises(UserError, match="the custodian's alone"):
        session.compare_grid(GRID, HES)  # type: ignore[attr-defined]
