"""Texts that nobody listed: what is public of them, what a constant may be, and what a question may not do."""

from __future__ import annotations

import re
from typing import Any

import pytest

import pets
from pets import col
from pets.errors import QueryError, SchemaError

FORM: dict[str, Any] = {"type": "text", "max_length": 7, "form": "icd10", "null": ["NA"]}
SCHEMA = pets.Schema.load(
    {"tables": {"apc": {"unit": {"column": "id", "max_rows": 3}, "columns": {"id": "identifier", "code": FORM}}}}
)
APC = pets.query("apc")


def test_a_schema_says_it_in_words_and_reads_it_back() -> None:
    made = pets.Text("7", form="icd10", null="NA")
    assert made == SCHEMA.table("apc").columns["code"]
    assert made.to_json() == FORM
    assert pets.Schema.from_json(SCHEMA.to_json()).digest == SCHEMA.digest
    assert pets.Text(7).to_json() == {"type": "text", "max_length": 7}
    assert pets.Text(7).describe() == "text of at most 7 characters (any signs but control characters)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_length": 0}, "max_length must be a whole number from 1 to 200, not 0"),
        ({"max_length": 201}, "max_length must be a whole number from 1 to 200, not 201"),
        ({"max_length": 2.5}, "max_length must be"),
        ({"max_length": True}, "max_length must be"),
        ({}, "a column of type text needs 'max_length'"),
        ({"max_length": 9, "form": "icd11"}, "form 'icd11' does not exist; did you mean 'icd10'"),
        ({"max_length": 2, "form": "icd10"}, "an ICD-10 code has at least 3 characters"),
    ],
)
def test_what_is_no_column_of_texts(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(said)):
        pets.Schema.load({"tables": {"t": {"unit": "row", "columns": {"code": {"type": "text"} | given}}}})


@pytest.mark.parametrize(
    ("form", "text", "held"),
    [
        ("icd10", " i21.0\t", "I210"),
        ("icd10", "Z3A.20", "Z3A20"),
        ("icd10", "1A0", None),
        ("icd10", "I2", None),
        ("icd10", "I21-", None),
        ("icd10", "ı210", None),
        ("letters_digits", "a1B", "a1B"),
        ("letters_digits", "a.1", None),
        ("letters_digits", "é", None),
        ("any", "Ward 7ß", "Ward 7ß"),
        ("any", "a\tb", None),
        ("any", "12345678", None),
    ],
)
def test_how_a_constant_is_spelt(form: str, text: str, held: str | None) -> None:
    domain = pets.Text(7, form=form)
    if held is not None:
        assert domain.spelt(text) == held
        return
    with pytest.raises(QueryError, match=r"and .* is none"):
        domain.spelt(text)


def test_a_number_is_its_digits_and_the_name_of_no_value_is_none() -> None:
    assert pets.Text(7).spelt(123) == "123"
    for value in ("", "  ", "missing"):
        with pytest.raises(QueryError, match="means no value here; use is_null"):
            pets.Text(7).spelt(value)
    for other in (True, 1.5, None, b"x"):
        with pytest.raises(QueryError, match="compare it with a text in quotes"):
            pets.Text(7).spelt(other)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (lambda: APC.where(col("code") < "J").agg(n=pets.count()), "whose order says nothing; use ==, != or isin"),
        (lambda: APC.where(col("code").between("A", "B")).agg(n=pets.count()), "whose order says nothing"),
        (lambda: APC.group_by("code").agg(n=pets.count()), "keys = session.group_keys(table, by=['code'], …)"),
        (lambda: APC.group_by(col("code").bins([0, 1])).agg(n=pets.count()), "grouped by as it is, without parts"),
        (lambda: APC.group_by(col("code").month()).agg(n=pets.count()), "grouped by as it is, without parts"),
        (lambda: APC.agg(n=pets.sum("code")), "this needs an integer or real column"),
        (lambda: APC.agg(n=pets.mean("code")), "this needs an integer or real column"),
        (lambda: APC.agg(n=pets.quantile("code", 0.5)), "this needs an integer or real column"),
        (lambda: APC.agg(n=pets.histogram("code")), "its values are text that nobody listed"),
        (lambda: APC.where(col("code") == "two words").agg(n=pets.count()), "and 'two words' is none"),
        (lambda: APC.where(col("code") == 1.5).agg(n=pets.count()), "compare it with a text in quotes"),
        (
            lambda: APC.group_by(pets.KeySet.of([{"code": "I21.0"}, {"code": "i210"}])).agg(n=pets.count()),
            "lists one group under two names",
        ),
        (lambda: APC.group_by(pets.KeySet.of([{"code": "?"}])).agg(n=pets.count()), "column 'code': it holds text"),
    ],
)
def test_what_a_text_may_not_do_is_one_sentence(query: Any, said: str) -> None:
    with pytest.raises(QueryError, match=re.escape(said)) as caught:
        pets.explain(query(), SCHEMA)
    assert "\n" not in str(caught.value)


def test_a_rule_cannot_rest_on_texts() -> None:
    columns = {"code": pets.Text(7), "n": pets.Integer(0, 9)}
    with pytest.raises(pets.UserError, match="text"):
        pets.Table("row", columns, rules=({"column": "n", "when": {"code": ["a"]}},))  # type: ignore[arg-type]


def test_the_remedy_in_sql_for_a_text_that_nobody_listed_works() -> None:
    asked = "SELECT code, COUNT(*) AS n FROM apc GROUP BY code"
    with pytest.raises(QueryError, match="HAVING KEYS") as caught:
        pets.explain(pets.sql(asked, SCHEMA), SCHEMA)
    remedy = str(caught.value).partition("in SQL: ")[2].partition("), or release")[0]
    remedy = remedy.replace("'A'", "'A00'").replace("'B'", "'B01'")
    mended = pets.sql(f"{asked} {remedy}", SCHEMA)
    pets.explain(mended, SCHEMA)
    assert mended.keyset == pets.KeySet(("code",), (("A00",), ("B01",)))
