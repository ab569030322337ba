"""Code lists: the codes are the question, unknown ones are ignored and told; files that are no list are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.plan.predicate import Codes, Texts
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.codelists.codelist_file import MAX_BYTES
from pets.query_model.condition import condition
from pets.query_model.expression import filter_from_json
from pets.query_model.written import condition_text
from pets.verify.check import check

COLUMNS = {
    "id": pets.Identifier(),
    "code": pets.Category(["I21", "I210", "I22", "J45"]),
    "text": pets.Text(5, form="icd10"),
    "age": pets.Integer(0, 120),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS)}, dataset="d")
T = pets.query("t")
N = pets.count()
MI = "code,term\nI21,Acute myocardial infarction\nI22,Subsequent\nZZZ,gone\nI21,again\n"


def file(folder: Path, text: str | bytes, name: str = "mi.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def plan(node: Any) -> Any:
    return make_plan(T.where(node).agg(n=N), SCHEMA)


def test_the_codes_are_the_question_and_the_file_is_read_once(tmp_path: Path) -> None:
    path = file(tmp_path, MI)
    node = col("code").in_codelist(path)
    asked = T.where(node).agg(n=N)
    assert node.to_json() == {"filter": "codelist", "column": "code", "codes": ["I21", "I22", "ZZZ"]}
    assert InCodelist("code", ("ZZZ", "I22", "I21", "I21")) == node
    path.unlink()
    assert plan(node).where == Codes("code", ((0, 0), (2, 2)))
    assert pets.Query.from_json(asked.to_json()) == asked
    other = T.where(col("code").in_codelist(file(tmp_path, "code\nI22\nI21"))).agg(n=N)
    assert other.digest != asked.digest
    again = T.where(col("code").in_codelist(file(tmp_path, "id,code\n1,ZZZ\n2, I22 \n3,\n4,I21"))).agg(n=N)
    assert again.digest == asked.digest, "order, other columns, blanks and duplicates are no part of it"


def test_unknown_codes_are_ignored_and_told_everywhere(tmp_path: Path) -> None:
    """In a category those that are not listed, in a column of texts those that none can be."""
    said = "code: 1 code is ignored of the 3 of the list, such as 'ZZZ', since the schema has no such value."
    asked = T.where(col("code").in_codelist(file(tmp_path, MI))).agg(n=N)
    rows = pd.DataFrame({"id": range(90), "code": ["I21", "I210", "I22"] * 30, "text": "I21.0", "age": 3})
    session = pets.Session(SCHEMA, {"t": rows}, budget=pets.Budget(20, 1e-6), progress=False)
    assert said in str(session.quote(asked, pets.DP(epsilon=1)))
    assert said in str(pets.explain(asked, SCHEMA, pets.DP(epsilon=1)))
    release = session.release(asked, pets.DP(epsilon=5))
    assert said in release.notes
    assert release.table["n"][0] == pytest.approx(60, abs=20)
    assert check(canonical(release.to_json()), session.ledger.key.raw).startswith(release.guarantee)
    listed = pets.query("t").where(~col("text").in_codelist(file(tmp_path, "code\ni21.0\nÉÉÉ"))).agg(n=N)
    answer = session.release(listed, pets.DP(epsilon=5))
    assert check(canonical(answer.to_json()), session.ledger.key.raw).startswith(answer.guarantee)
    texts = plan(col("text").in_codelist(file(tmp_path, "code\ni21.0\nI21\nK3\nÉÉÉ\nI2100000")))
    assert texts.where == Texts("text", ("I21", "I210"), among=True)
    assert [str(one) for one in texts.lists] == [
        "text: 3 codes are ignored of the 5 of the list, such as 'I2100000', since the schema has no such value."
    ]
    assert plan(col("code") == "I21").lists == plan(InCodelist("code", ("I21",))).lists == ()


def test_codes_are_read_as_the_category_writes_them(tmp_path: Path) -> None:
    """Without dots and in upper case, where that is one value alone; what the column has is what is sealed."""
    columns = {"id": pets.Identifier(), "code": pets.Category(["I214", "I22", "j45", "J4.5", "K3"])}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns)}, dataset="d")
    listed = col("code").in_codelist(file(tmp_path, "code\nI21.4\nI21\ni22\nJ45\nJ4.5"))
    asked = T.where(listed).agg(n=N)
    made = make_plan(asked, schema)
    assert made.where == Codes("code", ((0, 1), (3, 3))), "J45 could be j45 or J4.5, and I21 is a header alone"
    said = (
        "code: 2 codes are read as the schema writes them, without dots and in upper case, of the 5 of the list, such "
        "as 'I21.4' as 'I214'. 2 codes are ignored of the 5 of the list, such as 'I21', since the schema has no such "
        "value."
    )
    assert [str(one) for one in made.lists] == [said]
    assert "code IN ('I214', 'I22', 'J4.5')" in asked.sql(schema)
    rows = pd.DataFrame({"id": range(90), "code": ["I214", "J4.5", "j45"] * 30})
    session = pets.Session(schema, {"t": rows}, budget=pets.Budget(20, 1e-6), progress=False)
    release = session.release(asked, pets.DP(epsilon=5))
    assert said in release.notes
    assert release.table["n"][0] == pytest.approx(60, abs=20)
    assert check(canonical(release.to_json()), session.ledger.key.raw).startswith(release.guarantee)


def test_a_list_of_headers_or_of_another_coding_is_told_what_to_write() -> None:
    columns = {"id": pets.Identifier(), "code": pets.Category(["I210", "I211"])}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns)}, dataset="d")
    for code, remedy in (("I21", r"begin so with startswith\('I21'\)"), ("G3..", "as the schema does, such as 'I210'")):
        with pytest.raises(QueryError, match=remedy):
            make_plan(T.where(InCodelist("code", (code,))).agg(n=N), schema)
    assert make_plan(T.where(col("code").startswith("I21")).agg(n=N), schema).where is not None


def test_lists_inside_measures_and_features_are_told_too() -> None:
    node = InCodelist("code", ("I21", "no"))
    asked = T.agg(n=pets.count(where=~node & (col("age") > 3)))
    assert [one.first for one in make_plan(asked, SCHEMA).lists] == ["no"]
    person = pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "sex": pets.Category(["F", "M"])})
    visits = pets.Table(pets.Unit("id", max_rows=3), COLUMNS, "people")
    schema = pets.Schema({"people": person, "t": visits}, dataset="d")
    cohort = pets.people(ill=pets.events("t").where(node).exists(), of="people").group_by("sex").agg(n=N)
    assert [one.column for one in make_plan(cohort, schema).lists] == ["code"]


def test_sql_lists_the_codes_that_the_column_holds() -> None:
    asked = T.where(InCodelist("code", ("ZZZ", "I22", "I21"))).agg(n=N)
    assert "WHERE code IN ('I21', 'I22')" in asked.sql(SCHEMA)
    assert make_plan(pets.sql(asked.sql(SCHEMA), SCHEMA), SCHEMA).where == plan(asked.condition).where


def test_it_is_written_and_read_as_a_condition_of_the_command_line(tmp_path: Path) -> None:
    node = InCodelist("code", ("I21", "I22", "J45"))
    assert condition_text(node) == "codelist(code, ['I21', 'I22', 'J45'])"
    assert condition(condition_text(node)) == node
    assert condition_text(node, most=2) == "codelist(code, ['I21', 'I22', …])"
    path = file(tmp_path, "id,term\nI21,x\nI22,y\nJ45,z")
    assert condition(f"codelist(code, {str(path)!r}, 'id')") == node
    assert condition(f"codelist(code, {str(path)!r}, column='id')") == node
    assert condition(f"not codelist(code, {str(file(tmp_path, MI))!r})") == ~InCodelist("code", ("I21", "I22", "ZZZ"))
    for text in ("codelist(code)", "codelist(code, 3)", "codelist(code, 'a', 'b', 'c')", "codelist(code, [3])"):
        with pytest.raises(QueryError):
            condition(text)
    for given in ("'a', 'b', column='c'", "'a', colum='c'", "column='c'", "'a', column=3", "['I21'], column='c'"):
        with pytest.raises(QueryError, match="is refused; "):
            condition(f"codelist(code, {given})")


@pytest.mark.parametrize("form", [{}, {"codes": []}, {"codes": [3]}, {"codes": "I21"}, {"codes": None}])
def test_forms_that_are_no_list_are_refused(form: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        filter_from_json({"filter": "codelist", "column": "code"} | form)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("\ufeffcode,term\r\nI21,x\r\n", ("I21",)),
        ('code,term\n"I21","a, b"\n"I22","two\nlines"\n', ("I21", "I22")),
        ("code\n\n\nI21\n\n", ("I21",)),
        ("\n\ncode,term\nI21\nI22,x, ,\n", ("I21", "I22")),
        ("term,code\nx,\ny,I21\n", ("I21",)),
        (" code , term\n I21 ,x\n", ("I21",)),
        ("code\n00123456789012345678\n0012\n", ("0012", "00123456789012345678")),
        ("code\rI21\rI22\r", ("I21", "I22")),
        ("code,term\nI21\n\nI22,y, ,\n , \n", ("I21", "I22")),
        ("term,code,\nx,I21,\ny,I22\n", ("I21", "I22")),
    ],
)
def test_ugly_files_are_read(text: str, codes: tuple[str, ...], tmp_path: Path) -> None:
    assert col("code").in_codelist(file(tmp_path, text)).to_json()["codes"] == list(codes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; it needs a first line"),
        ("\ufeff \n , \n", "is empty; it needs a first line"),
        ("code,term\n", "has no codes in its column 'code'; add them"),
        ("code,term\n,x\n", "has no codes in its column 'code'; add them"),
        ("id,term\n1,x\n", "has no column 'code'; there are: id, term; the one that holds the codes is named in"),
        ("Code,term\n1,x\n", "has no column 'code'; did you mean 'Code'"),
        (
            "code;term\n1;x\n",
            "has no column 'code', as no commas part its columns; save it as CSV in UTF-8, with commas",
        ),
        ("term,code\n\nInfarct, acute,I21\n", "has more cells in line 3 than names in its first line; put a term with"),
        ("term,code,\nInfarct, acute,I21,\n", "has more cells in line 2 than names"),
        ("code,term\nI21,Infarct, acute\n", "has more cells in line 2 than names"),
        ('term,code\n"of\nthe heart",I21\n,I22,I23\n', "has more cells in line 4 than names"),
        ("term,code\nInfarct\n", "has no cell in line 2 for its column 'code'; write one there"),
        ("code,code\n1,2\n", "has 2 columns 'code'; rename"),
        ('code,term\n"I21,x\n', "breaks the rules of CSV"),
        ('code,term\n"I21"x,y\n', "breaks the rules of CSV"),
        (b"code\n\xe9\xff\n", "is no text in UTF-8"),
        ("code\nI21\n".encode("utf-16"), "is no text in UTF-8"),
        (b"PK\x03\x04\x00\x00", "is no text in UTF-8"),
    ],
)
def test_files_that_are_no_list_are_refused_in_one_sentence(text: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(QueryError) as caught:
        col("code").in_codelist(file(tmp_path, text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and caught.value.__cause__ is None


def test_paths_and_columns_that_are_none_are_refused(tmp_path: Path) -> None:
    wrong: list[tuple[Any, Any, str]] = [
        (tmp_path / "none.csv", "code", "cannot be read"),
        (tmp_path, "code", "cannot be read"),
        ("a\0b", "code", "cannot be read"),
        (["I21"], "code", "is read from a file"),
        (None, "code", "is read from a file"),
        (file(tmp_path, MI), "", "column is the name"),
        (file(tmp_path, MI), 3, "column is the name"),
    ]
    for path, column, said in wrong:
        with pytest.raises(QueryError, match=said):
            col("code").in_codelist(path, column)
    with (tmp_path / "long.csv").open("wb") as long:
        long.truncate(MAX_BYTES + 1)
    with pytest.raises(QueryError, match="is longer than 50 MB"):
        col("code").in_codelist(tmp_path / "long.csv")


def test_a_list_too_long_or_of_no_code_of_the_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="100,001 codes and at most 100,000"):
        col("code").in_codelist(file(tmp_path, "code\n" + "\n".join(map(str, range(100_001)))))
    with pytest.raises(QueryError, match="none of the 2 codes of the list is a value of it, such as 'a'"):
        plan(InCodelist("code", ("a", "b")))
    with pytest.raises(QueryError, match="are no codes; use isin"):
        plan(InCodelist("age", ("1", "2")))
