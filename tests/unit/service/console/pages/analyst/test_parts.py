"""The fields of the form are the question that they say, as SQL that reads back to it."""

from __future__ import annotations

import pytest

import pets
from pets.errors import QueryError
from pets.service.console.pages.analyst.parts import columns, question

SCHEMA = pets.Schema.load(
    {
        "dataset": "stays",
        "tables": {
            "stays": {
                "unit": {"column": "patient", "max_rows": 3},
                "columns": {
                    "patient": {"type": "identifier"},
                    "sex": {"type": "category", "values": ["F", "M", "it's"]},
                    "ward name": {"type": "text", "max_length": 20},
                    "days": {"type": "integer", "min": 0, "max": 30},
                    "cost": {"type": "real", "min": 0, "max": 100, "step": 0.5},
                    "urgent": {"type": "boolean"},
                    "came": {"type": "date", "min": "2022-01-01", "max": "2023-12-31"},
                },
            }
        },
    }
)
COUNT = {"what0": "count"}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (COUNT, "SELECT COUNT(*) AS n\nFROM stays"),
        ({"what0": "count_units", "name0": "who"}, "SELECT COUNT(DISTINCT patient) AS who\nFROM stays"),
        (
            {"what0": "sum", "of0": "days", "low0": "1", "high0": "14", "what2": "median", "of2": "cost"},
            "SELECT SUM(CLIP(days, 1, 14)) AS sum_days, MEDIAN(cost) AS median_cost\nFROM stays",
        ),
        (
            COUNT | {"by0": "sex", "by1": "days", "cut1": "0, 7,30", "by2": "came", "period2": "month"},
            "SELECT sex, BINS(days, 0, 7, 30), DATE_TRUNC('month', came), COUNT(*) AS n\nFROM stays\n"
            "GROUP BY sex, BINS(days, 0, 7, 30), DATE_TRUNC('month', came)",
        ),
        (
            COUNT | {"if0": "days", "is0": ">=", "value0": "7", "if1": "sex", "is1": "in", "value1": "F, it's"},
            "SELECT COUNT(*) AS n\nFROM stays\nWHERE days >= 7 AND sex IN ('F', 'it''s')",
        ),
        (
            COUNT | {"if0": "urgent", "is0": "==", "value0": "yes", "if1": "cost", "is1": "known"},
            "SELECT COUNT(*) AS n\nFROM stays\nWHERE urgent = TRUE AND cost IS NOT NULL",
        ),
        (
            COUNT | {"if0": "ward name", "is0": "==", "value0": "x' OR 1=1 --"},
            "SELECT COUNT(*) AS n\nFROM stays\nWHERE \"ward name\" = 'x'' OR 1=1 --'",
        ),
        (
            COUNT | {"by0": "came", "cut0": "2022-01-01, 2022-07-01, 2023-01-01"},
            "SELECT BINS(came, DATE '2022-01-01', DATE '2022-07-01', DATE '2023-01-01'), COUNT(*) AS n\nFROM stays\n"
            "GROUP BY BINS(came, DATE '2022-01-01', DATE '2022-07-01', DATE '2023-01-01')",
        ),
    ],
)
def test_fields_are_written_as_the_sql_that_reads_back(form: dict[str, str], expected: str) -> None:
    found = question(SCHEMA, "stays", form)
    assert found.sql(SCHEMA) == expected
    assert pets.sql(expected, SCHEMA).digest == found.digest


@pytest.mark.parametrize(
    ("form", "remedy"),
    [
        ({}, "choose what to measure"),
        ({"what0": "sum"}, "choose one beside it"),
        ({"what0": "sum", "of0": "sex"}, "choose a column that does"),
        ({"what0": "sum", "of0": "patient"}, "there is no column 'patient' to ask about"),
        ({"what0": "variance", "of0": "days"}, "the form has no measure"),
        ({"what0": "sum", "of0": "days", "low0": "1"}, "fill in both"),
        ({"what0": "sum", "of0": "days", "low0": "one", "high0": "2"}, "write one such as 30"),
        ({"what0": "median", "of0": "days", "low0": "1", "high0": "2"}, "leave “from” and “to” empty"),
        ({"what0": "count", "what1": "count"}, "give one another name"),
        (COUNT | {"by0": "sex", "cut0": "1,2"}, "leave “cut at” empty"),
        (COUNT | {"by0": "days", "period0": "month"}, "leave the period empty"),
        (COUNT | {"by0": "came", "period0": "moon"}, "there is no period"),
        (COUNT | {"if0": "days", "is0": ">"}, "fill in a value"),
        (COUNT | {"if0": "days", "is0": "~", "value0": "1"}, "the form has no comparison"),
        (COUNT | {"if0": "urgent", "is0": "==", "value0": "perhaps"}, "neither yes nor no"),
    ],
)
def test_what_is_no_question_yet_names_the_field(form: dict[str, str], remedy: str) -> None:
    with pytest.raises(QueryError, match=remedy):
        question(SCHEMA, "stays", form)


def test_identifiers_are_not_offered_and_texts_make_no_groups() -> None:
    offered = {one.name: one for one in columns(SCHEMA, "stays")}
    assert "patient" not in offered
    assert [name for name, one in offered.items() if one.numbers] == ["days", "cost"]
    assert not offered["ward name"].groups and offered["came"].times
