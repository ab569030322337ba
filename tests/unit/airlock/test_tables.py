"""Tables: what a checker would send back is found before, by its place; what is fine is not asked about."""

from __future__ import annotations

import pytest

from pets.airlock.findings import Finding
from pets.airlock.tables import COUNTS, KEYS, RATES, Column, check_table


def found(text: str, name: str = "t.csv", small: int = 10) -> dict[str, Finding]:
    return {one.rule: one for one in check_table(name, text.encode(), small=small)}


def rows(head: str, count: int, line: str) -> str:
    return "\n".join([head, *(line.format(at) for at in range(1, count + 1))]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "region,n\nNorth,120\nSouth,85\n",
        "region,n\nNorth,*\nSouth,85\nWest,[redacted]\nEast,<8\nAll,0\n",
        'region,patients\nNorth,"1,250"\nSouth,85\n',
        "year,month,n\n2024,1,120\n2024,7,85\n",  # keys are no counts
        "age_group,n,rate\n0-17,120,0.24\n18-64,85,0.31\n",
        "band,n\na,3\nb,9\nc,15\nd,0\n",  # midpoints of six
        "term,coefficient,n\nage,0.021,1200\nsex,-0.3,1200\n",
        "region\tn\nNorth\t120\n",
    ],
)
def test_what_is_fine_is_not_asked_about(text: str) -> None:
    assert found(text, "t.tsv" if "\t" in text else "t.csv") == {}


def test_small_counts_are_found_by_their_lines() -> None:
    text = "region,n\nNorth,120\nSouth,4\nWest,9\nEast,10\nAll,0\n"
    one = found(text)["small-count"]
    assert "column 'n' holds 2 value(s) from 1 to 9 (line 3, 4)" in one.says and not one.stops
    assert "small-count" not in found(text.replace(",4", ",*").replace(",9", ",*"))
    assert "from 1 to 7" in found("a,n\nx,7\ny,8\n", small=8)["small-count"].says
    many = found("a,n\n" + "".join(f"x{at},{at % 9 + 1}\n" for at in range(20)))["small-count"]
    assert "20 value(s)" in many.says and "(line 2, 3, 4, 5, 6 and 15 more)" in many.says
    doubtful = found("region,nurses\nNorth,4\nSouth,20\n")["small-count"]
    assert "if it counts people" in doubtful.says


@pytest.mark.parametrize(
    ("text", "rules", "odd"),
    [
        ("region,n\nA,10\nB,12.5\nC,3\n", {"small-count", "unrounded"}, "1 value(s) of column 'n'"),
        ("region,n\nA,10\nB,3\nC,4 (2%)\n", {"small-count", "unrounded"}, "(line 4)"),
        ("region,n\nA,10\nB,121\nC,about 20\n", {"unrounded"}, "(line 4)"),
        ("region,n\nA,4 (2%)\nB,20 (98%)\n", {"small-count", "unrounded"}, "(line 2, 3)"),
        ("region,nurses\nA,10\nB,12.5\nC,3\n", {"small-count", "unrounded"}, "if it counts people (line 3)"),
        ("region,n\nA,10\nB,-5\nC,1e999\n", set(), "(line 3, 4)"),
    ],
)
def test_one_cell_hides_no_column_of_counts(text: str, rules: set[str], odd: str) -> None:
    one = found(text)
    assert set(one) == {"unreadable", *rules}
    assert odd in one["unreadable"].says and "no whole number" in one["unreadable"].says
    assert not one["unreadable"].stops and "* for what is hidden" in one["unreadable"].remedy


def test_a_group_named_as_a_count_is_none() -> None:
    assert found("population,n\nAdults,120\nChildren,85\n") == {}
    assert found("region,n,score\nNorth,120,1.5\nSouth,85,2\n") == {}
    assert "row-level" in found(rows("population,sex", 60, "r{0},F")), "words count nobody"


def test_exact_counts_are_found() -> None:
    assert "column 'n' is not rounded" in found("region,n\nNorth,121\nSouth,85\n")["unrounded"].says
    assert found("region,n\nNorth,121\n")["unrounded"].remedy.endswith("totals too")


@pytest.mark.parametrize("name", ["rate", "mean_los", "Median age", "percent", "hazardRatio"])
def test_a_rate_needs_its_counts(name: str) -> None:
    text = f"region,{name}\nNorth,0.24\nSouth,0.31\n"
    assert f"column {name!r} holds a rate" in found(text)["missing-counts"].says
    assert "missing-counts" not in found(
        text.replace("\n", ",n\n", 1).replace("0.24", "0.24,120").replace("0.31", "0.31,85")
    )
    assert "missing-counts" in found(
        text.replace("\n", ",year\n", 1).replace("0.24", "0.24,2024").replace("0.31", "0.31,2025")
    )


def test_smallest_and_largest_are_one_persons() -> None:
    assert "column 'max_age' holds smallest or largest" in found("region,n,max_age\nNorth,120,104\n")["extreme"].says


@pytest.mark.parametrize("name", ["patient_id", "NHS number", "dob", "date_of_birth", "postcode", "PersonID", "e-mail"])
def test_what_names_people_is_found(name: str) -> None:
    one = found(f"{name},n\na1,120\na2,85\n")["identifier"]
    assert one.stops and repr(name) in one.says
    assert not found(f"{name},n\na1,120\na1,85\n")["identifier"].stops, "a group may have that name"


@pytest.mark.parametrize("name", ["patients", "people", "person_years", "region", "postcode_area", "hospital"])
def test_what_names_nobody_is_not(name: str) -> None:
    assert "identifier" not in found(f"{name},n\n1200,120\n1300,85\n")


def test_lists_of_people_are_found() -> None:
    people = rows("ref,sex,stay", 60, "r{0},F,3.{0}")
    assert "60 rows, a column of which no two values are the same" in found(people)["row-level"].says
    assert "row-level" not in found(rows("ref,sex,stay", 40, "r{0},F,3.{0}")), "few rows are groups"
    assert "row-level" not in found(rows("ward,n", 60, "w{0},100")), "counted groups are no people"
    assert "1,001 rows" in found(rows("ward,n", 1001, "w{0},100"))["many-rows"].says
    assert "many-rows" not in found(rows("ward,n", 1000, "w{0},100"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"region,n\n\xff\xfe,1\n", "not UTF-8"),
        (b"region,n\n", "no rows below its header"),
        (b"region,n\nNorth,120,3\n", "line 2 has 3 values and the header 2"),
        (b"region,n\nNo\x00rth,120\n", "NUL"),
        (b'region,n\n"' + b"x" * 140_000 + b'",1\n', "no table of values"),
    ],
)
def test_what_nobody_can_read_stops(data: bytes, said: str) -> None:
    (one,) = check_table("t.csv", data)
    assert one.rule == "unreadable" and one.stops and said in one.says and one.remedy


def test_a_column_is_what_its_texts_are() -> None:
    assert Column.of("n", ["1,000", "<8", "2.5e3", "10%"]).numbers == (1000.0, None, 2500.0, 10.0)
    assert Column.of("n", ["1", "one"]).numbers is None and Column.of("n", ["*", ""]).numbers is None
    mixed = Column.of("n", ["1", "-2", "*", "1.5", "4 (2%)", "many"])
    assert (mixed.values, mixed.odd) == ((1.0, -2.0, None, 1.5, 4.0, None), (3, 5, 6, 7)) and mixed.counts
    assert not Column.of("cost", ["1", "2.5"]).counts and Column.of("beds", ["1", "2.5", "3"]).counts
    assert Column.of("n", ["15"]).counts and not Column.of("n", ["many"]).counts
    assert {"n", "tested"} <= COUNTS and {"rate", "coverage"} <= RATES and {"year", "degrees"} <= KEYS
    assert not COUNTS & (RATES | KEYS)


RELEASED = "region,n,n_low,n_high\nNorth,250,248,252\nSouth,10,10,12\nEast,*,1,7\nWest,0,0,0\n"


def test_a_releases_own_ends_are_no_counts_to_round() -> None:
    assert found(RELEASED) == {}
    assert found(RELEASED.replace("*,1,7", "*,2,14")) == {}, "a sum of two hidden cells"
    for near in ("250,249,252", "250,248,251", "250,250,250"):
        assert "unrounded" in found(RELEASED.replace("250,248,252", near)), "nearer than rounding leaves it"
    assert "small-count" in found(RELEASED.replace("*,1,7", "*,3,4"))
    assert "small-count" in found(RELEASED.replace("0,0,0", "0,3,7"))
    assert "unreadable" in found(RELEASED.replace("250,248,252", "250,248,253.5"))
    assert "unrounded" in found(RELEASED.replace("n_high", "n_top"))


def test_rows_that_repeat_are_people_too() -> None:
    people = found(rows("region,sex,days", 60, "N,F,35"))["row-level"]
    assert "it has 60 rows and no counts" in people.says and "certificate" in people.remedy
    assert "row-level" not in found(rows("region,sex,days", 49, "N,F,35"))
