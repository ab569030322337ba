"""What a notebook shows of a question, a schema, a session, a quote and invented tables: escaped and public."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import LedgerError
from pets.query_model.written import measure_text
from tests.hosts import named

EVIL = "<script src='https://x.example/a.js'>&"
SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("pid", max_rows=8, rows=3),
            {
                "pid": pets.Identifier(),
                "sex": pets.Category([EVIL, "M"], nullable=False),
                "length of stay": pets.Integer(0, 60),
                "day": pets.Date("2024-01-01", "2024-12-31"),
            },
        )
    },
    dataset="demo",
)
SECRET = pd.DataFrame(
    {"pid": ["SECRET1", "SECRET2"], "sex": ["M", "M"], "length of stay": [41, 43], "day": ["2024-03-05", "2024-03-06"]}
)
QUERY = (
    pets.query("stays")
    .where((col("sex") == EVIL) | (col("length of stay") > 7))
    .group_by(col("day").period("month"), "sex")
    .agg(n=pets.count(), days=pets.mean("length of stay", clip=(0, 30)), long=pets.rate(col("length of stay") >= 14))
    .bound(rows=2)
)


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] != "style":
            self.text += data
        if self.tags and self.tags[-1] in ("td", "th"):
            self.cells[-1][-1] += data


@pytest.fixture(scope="module")
def session() -> pets.Session:
    return pets.Session(SCHEMA, SECRET, budget=pets.Budget(epsilon=2, delta=1e-6), progress=False)


def every(session: pets.Session) -> dict[str, Any]:
    return {
        "query": QUERY,
        "schema": SCHEMA,
        "session": session,
        "dummy session": session.dummy(rows=20),
        "dummy": pets.dummy(SCHEMA, rows=20),
        "quote": session.quote(QUERY, pets.DP(epsilon=1)),
        "remaining": session.remaining(),
        "release": session.dummy(rows=20).release(QUERY, pets.Exact()),
    }


def test_everything_is_escaped_public_and_loads_nothing(session: pets.Session) -> None:
    paper = [session.report(), QUERY.explain(SCHEMA), session.dummy(20).release(QUERY, pets.Exact()).certificate]
    for shown in paper:
        text = shown._repr_html_()
        assert "script" not in Seen(text).tags and "SECRET" not in text
        assert named(text.replace("https://x.example", "")) == [], text[:40]
    for name, shown in every(session).items():
        text = shown._repr_html_()
        seen = Seen(text)
        assert "script" not in seen.tags, name
        assert {"table", "caption"} <= set(seen.tags), name
        assert named(text.replace("https://x.example", "")) == [], name  # (a text, not an address: no tag above has it)
        for row in ("SECRET", "2024-03-05"):
            assert row not in text, name


def test_a_query_reads_as_it_was_asked() -> None:
    cells = dict(row for row in Seen(QUERY._repr_html_()).cells)
    assert cells == {
        "Table": "stays",
        "Rows where": f"sex == {EVIL!r} or col('length of stay') > 7",
        "By": "sex",
        "n": "rows",
        "days": "mean of length of stay, clip [0, 30]",
        "long": "share of rows where col('length of stay') >= 14",
        "Of each person": "at most 2 rows",
    }
    assert ["By", "day_month (calendar month of day)"] in Seen(QUERY._repr_html_()).cells


def test_a_schema_is_a_line_in_a_terminal_and_a_table_in_a_notebook() -> None:
    assert repr(SCHEMA) == "<Schema of 'demo': stays (8 rows of each pid kept and 3 counted, 4 columns)>"
    assert repr(SCHEMA.table("stays")) == (
        "<Table: 8 rows of each pid kept and 3 counted, 4 columns; pid, sex, length of stay, day>"
    )
    cells = Seen(SCHEMA._repr_html_()).cells
    assert cells[2] == ["sex", "category", f"{EVIL}, M", "never empty"]
    assert cells[3] == ["length of stay", "integer", "whole numbers 0 to 60", "may be empty"]
    many = pets.Schema({f"t{i}": pets.Table("row", {"a": pets.Integer(0, 1)}) for i in range(40)})
    assert len(repr(many)) < 120


def test_a_session_says_its_budget_and_that_rows_are_invented(session: pets.Session) -> None:
    text = Seen(session._repr_html_()).text
    assert "Session on demo" in text
    assert "Spent ε = 0 of 2" in text
    assert "DUMMY DATA: invented rows" in Seen(session.dummy(rows=20)._repr_html_()).text
    assert "DUMMY DATA: invented rows" in Seen(pets.dummy(SCHEMA, rows=20)._repr_html_()).text


def test_a_session_is_shown_where_its_account_cannot_be_read(
    session: pets.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: object) -> None:
        raise LedgerError("the ledger is elsewhere")

    monkeypatch.setattr(pets.Session, "remaining", refused)
    assert "not shown: the ledger is elsewhere" in session._repr_html_()


def test_a_quote_has_a_row_for_each_output(session: pets.Session) -> None:
    quote = session.quote(QUERY, pets.DP(epsilon=1))
    cells = Seen(quote._repr_html_()).cells
    assert [row[0] for row in cells] == ["n", "days", "long"]
    assert all(row[1].startswith("± ") and row[1] in str(quote) for row in cells)


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (pets.count_units(), "people"),
        (pets.sum("day"), "sum of day"),
        (pets.median("day"), "quantile 0.5 of day"),
        (pets.histogram("day", [0, 7, 60]), "histogram of day, edges [0, 7, 60]"),
        (pets.count(col("day").isin(list(range(20)))), "rows where day in [0, 1, 2, 3, 4, 5, 6, 7, …]"),
    ],
)
def test_a_measure_says_what_it_takes(measure: Any, said: str) -> None:
    assert measure_text(measure) == said
