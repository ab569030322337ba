"""Every spec, on every engine; and the manual that shows them is up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.protection.sdc import RELEASING
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import ENGINES as TABULATORS
from pets.rows.tabulate import LOCAL
from pets.schema.schema import Schema
from pets.testing import exact_answers
from tests.spec import book, render
from tests.spec.book import Chapter, Spec
from tests.spec.engines import ALL as ENGINES
from tests.spec.toc import CHAPTERS, ROUNDED

ALL = [(chapter, spec) for chapter in CHAPTERS for spec in chapter.specs]
IDS = [f"{chapter.title}: {spec.title}" for chapter, spec in ALL]


@cache
def rows(tables: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """The data of some tables: one object for all specs that share them."""
    return {name: book.frame(text) for name, text in tables}


@pytest.fixture(autouse=True)
def one_snapshot_for_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chapter's specs share rows: snapshots, and the sites they are dealt to, are made of them once.

    (Most of a spec's time would go there.)
    """
    for name in ("snapshot", "linked"):
        monkeypatch.setattr(exact_answers, name, partial(_once, getattr(exact_answers, name)))


_made: dict[tuple[str, int, tuple[str, ...] | str], Snapshot | Linked] = {}


def _once(make: Callable[..., Any], schema: Schema, data: Mapping[str, Any], tables: tuple[str, ...] | str) -> Any:
    key = (schema.digest, id(data), tables)  # `rows` keeps the objects, so an id stays one object's
    if key not in _made:
        _made[key] = make(schema, data, tables)
    return _made[key]


def test_the_engines_ask_for_those_snapshots() -> None:
    chapter = CHAPTERS[0]
    data = rows(tuple(chapter.tables_of(chapter.specs[0]).items()))
    _made.clear()
    ENGINES["duckdb"](book.schema(chapter.schema), data, book.asked(chapter.specs[0].query))
    assert [place for _, place, _ in _made] == [id(data)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("chapter", "spec"), ALL, ids=IDS)
def test_spec(chapter: Chapter, spec: Spec, engine: str) -> None:
    data = rows(tuple(chapter.tables_of(spec).items()))
    found = ENGINES[engine](book.schema(chapter.schema_of(spec)), data, book.asked(spec.query))
    assert not book.mistakes(spec.answer, found), found


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize(("chapter", "spec"), [(one, spec) for one in ROUNDED for spec in one.specs])
def test_rounded(chapter: Chapter, spec: Spec, engine: str) -> None:
    rule, data = pets.SDC(spec.rule), rows(tuple(chapter.tables_of(spec).items()))
    given: dict[str, Any] = {"budget": pets.Budget(epsilon=1), "policy": pets.Policy(sdc=RELEASING)}
    session = pets.Session(book.schema(chapter.schema_of(spec)), data, engine=engine, progress=False, **given)
    session.name_grid(book.asked(spec.grid), rule)
    found = session.release(book.asked(spec.query), rule).table
    assert not book.mistakes(spec.answer, found), found


def test_every_engine_that_counts_rows_runs_every_spec() -> None:
    # (Spark's are in test_spark.py, in few jobs)
    assert set(TABULATORS) - {"spark"} <= set(ENGINES), "give the new engine an entry in tests/spec/engines.py"


def test_titles_are_unique() -> None:
    assert len(set(IDS)) == len(IDS)


def test_the_manual_is_up_to_date() -> None:
    committed = Path(render.MANUAL).read_text("utf-8") if Path(render.MANUAL).exists() else ""
    assert committed == render.manual(), "run: python -m tests.spec.render"


def test_a_wrong_answer_is_noticed() -> None:
    chapter = CHAPTERS[0]
    spec = chapter.specs[0]
    data = rows(tuple(chapter.tables_of(spec).items()))
    found = ENGINES["duckdb"](book.schema(chapter.schema_of(spec)), data, book.asked(spec.query))
    assert not book.mistakes(spec.answer, found)
    found.iloc[0, -1] += 1
    assert book.mistakes(spec.answer, found)
    assert book.mistakes(spec.answer, found.iloc[1:])
    assert book.mistakes(spec.answer, found.rename(columns={found.columns[0]: "other"}))
