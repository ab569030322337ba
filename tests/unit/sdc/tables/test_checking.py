"""Tables of others: what they show, what follows from their totals and from each other, and what leaves enough open."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import BudgetError, DataError, UserError
from pets.protection.sdc import PRESETS
from pets.sdc.tables.checking import check
from pets.sdc.tables.findings import Verdict


def found(result: Any, reason: str) -> list[str]:
    return [one.cell for one in result.findings if one.reason == reason]


def told(result: Any) -> list[str]:
    return [one.derivation for one in result.failed]


def crosstab(rows: dict[str, list[object]], *columns: str) -> pd.DataFrame:
    return pd.DataFrame([[name, *cells] for name, cells in rows.items()], columns=["region", *columns])


WIDE = crosstab({"North": ["*", 20, 23], "South": [15, 40, 55], "Total": [18, 60, 78]}, "F", "M", "Total")


def test_a_hidden_cell_follows_from_its_row_and_is_told_as_a_subtraction() -> None:
    result = check(WIDE)
    assert result.verdict is Verdict.FAIL and result.exit_code == 31
    assert told(result) == ["cell (North, F) is 3: 23 − 20"]
    (one,) = result.failed
    assert (one.low, one.high, one.row, one.column, one.shown) == (3, 3, 0, 0, "*")


def test_a_column_of_texts_with_separators_and_a_total_row() -> None:
    table = pd.DataFrame({"area": ["A", "B", "All areas"], "patients": ["<5", "1,234", "1,236"]})
    assert told(check(table, preset="hes")) == [
        "1234 is no number that the rule shows",
        "1236 is no number that the rule shows",
        "cell (A) is 2: 1236 − 1234",
    ]


E1 = {"hes": (1, 7), "ons_10_5": (1, 9), "midpoint6": (1, 4)}


@pytest.mark.parametrize("preset", E1)
def test_e1_what_a_small_count_leaves_open_by_each_rule(preset: str) -> None:
    rule = PRESETS[preset].rule
    exact = pd.DataFrame([[3, 20, 23], [15, 40, 55], [18, 60, 78]], columns=["F", "M", "Total"])
    shown = exact.map(lambda n: int(rule.shown(np.array([n]))[0])).replace(-1, "*")
    result = check(shown.assign(region=["N", "S", "Total"]), preset=preset)
    (one,) = (one for one in result.findings if one.cell == "(N, F)")
    assert (one.low, one.high) == E1[preset] and one.verdict is not Verdict.FAIL


def test_a_total_that_was_rounded_on_its_own_says_something_though_it_is_the_sum_of_what_is_shown() -> None:
    result = check(pd.DataFrame({"r": [*"abc", "Total"], "n": ["*", 10, 15, 25]}), preset="hes")
    assert [(one.low, one.high) for one in result.findings if one.shown == "*"] == [(1, 6)] and not result.remarks


def test_a_count_that_leaves_too_few_others_open_fails_and_one_more_does_not() -> None:
    assert told(check(WIDTH, hidden=(1, 9))) == [
        "cell (a) is 7 to 9: at least 16 − 9",
        "cell (b) is 7 to 9: at least 16 − 9",
    ]
    assert [one.verdict.value for one in check(WIDTH, hidden=(1, 9), width=3).findings] == ["pass", "fail", "fail"]
    assert "fail" not in [one.verdict.value for one in check(WIDTH, hidden=(1, 9), width=2).findings]


WIDTH = pd.DataFrame({"r": [*"ab", "Total"], "n": ["*", "*", 16]})  # each of them is 7 to 9


def test_e4_hidden_cells_of_a_total_that_is_as_small_as_they_are_many() -> None:
    table = pd.DataFrame({"r": [*"abc", "Total"], "n": ["*", "*", "*", "3"]})
    result = check(table, hidden=(1, 9))
    assert [one.cell for one in result.findings if (one.low, one.high) == (1, 1)] == ["(a)", "(b)", "(c)"]
    assert "cell (a) is 1: 3 − 1 − 1" in told(result)


def test_e5_rounding_fails_in_one_table() -> None:
    hidden = check(pd.DataFrame({"r": [*"abcdefg", "Total"], "n": ["*"] * 8}), preset="hes")
    assert [(one.low, one.high) for one in hidden.failed] == [(1, 1)] * 7 + [(7, 7)]
    middle = check(pd.DataFrame({"r": [*"abcdef", "Total"], "n": [3] * 7}), preset="midpoint6")
    assert [(one.low, one.high) for one in middle.failed] == [(1, 1)] * 6 + [(6, 6)]


def test_e2_two_tables_whose_totals_differ_by_one() -> None:
    all_, some = (pd.DataFrame({"sex": ["F", "M", "Total"], "n": [a, 186, a + 186]}) for a in (200, 199))
    result = check({"all": all_, "adults": some})
    assert told(result) == [
        "the difference everybody in all and not in adults is 1: 386 − 385",
        "the difference (F) in all and not in adults is 1: 200 − 199",
    ]
    assert "people of adults are taken to be among those of all" in result.remarks[0]
    assert check({"all": all_, "adults": some}, people="other").verdict is Verdict.PASS


def test_e2_a_difference_of_nine_is_small_too_and_one_of_ten_is_not() -> None:
    def of(number: int) -> pd.DataFrame:
        return pd.DataFrame({"sex": ["Total"], "n": [number]})

    assert told(check([of(57), of(48)])) == ["the difference everybody in table 1 and not in table 2 is 9: 57 − 48"]
    assert check([of(57), of(47)]).verdict is Verdict.PASS


def test_rounded_totals_that_differ_leave_the_difference_open() -> None:
    def of(number: int) -> pd.DataFrame:
        return pd.DataFrame({"sex": ["Total"], "n": [number]})

    assert check([of(385), of(385)], preset="hes", people="nested").verdict is not Verdict.FAIL


def test_two_calls_of_acro_with_suppression_and_totals_made_anew() -> None:
    # the totals of the first table are of what it shows; the second has the true total, and so the hidden cell
    first = crosstab(
        {"E": [None, 185, 200, 385], "N": [30, 200, 100, 330], "All": [30, 385, 300, 715]}, "A", "B", "C", "All"
    )
    second = crosstab({"E": [186, 200, 386], "N": [130, 200, 330], "All": [316, 400, 716]}, "F", "M", "All")
    alone = check(first)
    assert alone.verdict is Verdict.PASS and "without the cells that are hidden" in alone.remarks[0]
    both = check({"by icd": first, "by sex": second})
    assert told(both)[0] == "cell (E, A) is 1: 386 − 185 − 200"
    assert [one.table for one in both.failed] == ["by icd"]


def test_ages_in_other_bands_are_cut_at_their_ends() -> None:
    wide = pd.DataFrame({"age": ["0-17", "18+"], "n": [43, 100]})
    narrow = pd.DataFrame({"age": ["0-4", "5-17", "18+"], "n": ["*", "40", "100"]})
    assert told(check([wide, narrow])) == ["cell (0-4) is 3: 43 − 40"]


def test_levels_in_two_key_columns() -> None:
    table = pd.DataFrame(
        {
            "region": ["N", "N", "N", "S", "S", "S", "Total"],
            "trust": ["A", "B", "Total", "C", "D", "Total", "Total"],
            "stays": ["*", "30", "34", "50", "60", "110", "144"],
        }
    )
    assert told(check(table)) == ["cell (N, A) is 4: 34 − 30"]


def test_a_row_that_was_left_out_is_found_from_the_total() -> None:
    table = pd.DataFrame({"r": ["a", "b", "b"], "s": ["x", "x", "y"], "n": [20, 30, 40]})
    totals = pd.DataFrame({"r": ["a", "b"], "s": ["Total", "Total"], "n": [23, 70]})
    result = check(pd.concat([table, totals], ignore_index=True))
    assert told(result) == ["(a, y), which has no row, is 3: 23 − 20"]
    assert "1 combinations have no row, and totals count people in some" in result.remarks[0]
    added = check(pd.concat([table, totals.assign(n=[20, 70])], ignore_index=True))
    assert added.verdict is Verdict.PASS and "taken as 0" in added.remarks[0]


def test_small_counts_zeros_and_numbers_that_are_not_rounded() -> None:
    table = pd.DataFrame({"r": list("abcd"), "n": [0, 3, 9, 10]})
    strict = check(table, preset="strict_10")
    assert found(strict, "zero") == ["(a)"] and found(strict, "small") == ["(b)", "(c)"]
    assert found(check(table, preset="datashield"), "small") == []
    assert found(check(table.assign(n=[0, 1, 2, 3]), preset="datashield"), "small") == ["(b)", "(c)"]
    hes = check(table.assign(n=[0, 10, 15, 22]), preset="hes")
    assert found(hes, "unrounded") == ["(d)"] and hes.verdict is Verdict.FAIL
    assert check(table.assign(n=[0, 10, 15, 20]), preset="hes").verdict is Verdict.PASS


@pytest.mark.parametrize("preset", ["hes", "ons_10_5", "opensafely", "midpoint6"])
def test_a_table_without_totals_that_the_rule_made_passes(preset: str) -> None:
    shown = {"midpoint6": ["3", "9", "15"]}.get(preset, ["*", "10", "20"])
    result = check(pd.DataFrame({"r": list("abc"), "n": shown}), preset=preset)
    assert result.verdict is Verdict.PASS and result.exit_code == 0, str(result)


def test_e12_the_digits_of_a_mean_tell_its_number_of_people() -> None:
    table = pd.DataFrame({"r": ["a", "b"], "n": ["*", "20"], "mean_days": ["0.142857", "3.2"]})
    result = check(table, preset="hes")
    (one,) = result.failed
    assert one.reason == "digits" and "a mean of 7 people and of no other" in one.derivation
    few = check(table.assign(n=[4, 20]), preset="acro_default")
    assert "mean_days of (a) rests on 4 people" in told(few)
    unknown = check(table.drop(columns="n").assign(mean_days=["0.142857", "33.3"]), preset="hes")
    assert [one.reason for one in unknown.findings] == ["digits", "size"]
    assert unknown.verdict is Verdict.REVIEW and unknown.exit_code == 30


def test_e10_dominance_where_the_greatest_contributions_are_named() -> None:
    rows = {
        "a": (90740, 90000, 300),
        "b": (100, 50, 30),
        "c": (1000, 500, 400),
        "d": (950, 500, 400),
        "e": (20, 10, 10),
    }
    table = pd.DataFrame([[k, 20, *v] for k, v in rows.items()], columns=["r", "n", "sum", "x1", "x2"])
    result = check(table)
    assert found(result, "dominance") == ["(a)", "(c)", "(d)", "(e)"]
    assert found(result, "p_percent") == ["(a)", "(e)"]
    assert found(check(table.assign(n=[20, 3, 20, 20, 20])), "few") == ["(b)"]


def test_a_contradiction_proves_nothing_and_is_said() -> None:
    result = check(pd.DataFrame({"r": ["a", "b", "Total"], "n": ["*", "50", "20"]}))
    assert result.verdict is Verdict.REVIEW and found(result, "contradiction") == ["(a)"]
    assert "is not what its parts add up to" in result.remarks[-1]


def test_columns_that_another_table_has_as_labels_are_its_key() -> None:
    wide = pd.DataFrame({"region": ["N", "S"], "F": ["*", "30"], "M": ["40", "50"]})
    total = pd.DataFrame({"sex": ["F", "M"], "n": [34, 90]})
    assert told(check([wide, total])) == ["cell (N, F) is 4: 34 − 30"]
    apart = check([wide.rename(columns={"F": "first", "M": "again"}), total])
    assert apart.verdict is Verdict.PASS and "not put together: first, again, people" in apart.remarks[0]


def test_a_schema_names_keys_and_what_runs_across() -> None:
    columns = {"id": pets.Identifier(), "sex": pets.Category(["F", "M"]), "wave": pets.Integer(1, 9)}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns)}, dataset="d")
    wide = pd.DataFrame({"wave": [1, 2], "F": ["*", "30"], "M": ["40", "50"]})
    long = pd.DataFrame({"sex": ["F", "M"], "wave": [1, 1], "n": [4, 40]})
    result = check([wide, long], schema=schema)
    assert told(result) == ["cell (F, 1) shows 4", "cell (1, F) is 4: as 4 (F, 1) of table 2 shows"]


def test_the_result_as_table_text_json_and_page(tmp_path: Any) -> None:
    result = check({"t.csv": WIDE})
    assert list(result.table["verdict"]).count("fail") == 1
    assert str(result).splitlines()[1] == "  fail  t.csv, row 1: cell (North, F) is 3: 23 − 20"
    assert "cell (North, F) is 3: 23 − 20" in result._repr_html_()
    form = json.loads(result.save(tmp_path / "r.json").read_text())
    assert form["verdict"] == "fail" and form["counts"] == {"pass": 8, "review": 0, "fail": 1}
    page = result.save(tmp_path / "r.html").read_text()
    assert "✕ *<small>is 3</small>" in page and "default-src 'none'" in page
    assert "://" not in page and "<script" not in page
    assert result.save(tmp_path / "r.csv").read_text().count("\n") == 10
    with pytest.raises(UserError, match=r"must end in \.html, \.json or \.csv"):
        result.save(tmp_path / "r.pdf")


def test_labels_of_a_file_are_texts_on_the_page() -> None:
    table = pd.DataFrame({"<b>r</b>": ["<script>x</script>", "b"], "n": [3, 40]})
    page = check(table).page()
    assert "<script>" not in page and "&lt;script&gt;x&lt;/script&gt;" in page and "<b>r" not in page


def test_percentages_and_differences_are_neither_keys_nor_counts() -> None:
    table = pd.DataFrame({"r": [*"ab", "Total"], "n": ["*", "20", "23"], "share": ["-", "87%", "100%"]})
    assert told(check(table.assign(change=["-1", "+2", "1"]))) == ["cell (a) is 3: 23 − 20"]


def test_a_note_in_a_column_of_counts_is_no_zero() -> None:
    table = pd.DataFrame({"r": [*"abcdefg"], "s": ["x"] * 7, "n": ["see note", *map(str, range(20, 26))]})
    total = pd.DataFrame({"r": ["Total"], "s": ["x"], "n": ["139"]})
    assert told(check(pd.concat([table, total]))) == ["cell (a, x) is 4: 139 − 20 − 21 − 22 − 23 − 24 − 25"]


def test_where_zeros_are_shown_what_is_hidden_is_none() -> None:
    table = pd.DataFrame({"r": [*"abc", "Total"], "n": ["*", "*", "0", "4"]})
    found = [(one.low, one.high) for one in check(table, preset="acro_default").findings if one.shown == "*"]
    assert found == [(1, 3), (1, 3)]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"preset": "hess"}, BudgetError, "did you mean 'hes'"),
    ({"people": "both"}, UserError, "people must be one of"),
    ({"width": 0}, UserError, "whole number above 0"),
    ({"hidden": (7, 1)}, UserError, "the least and the greatest"),
    ({"counts": ["nn"]}, DataError, "has no column 'nn'"),
    ({"keys": ["n", "r"]}, DataError, "name them, such as counts="),
]


@pytest.mark.parametrize(("given", "kind", "says"), WRONG, ids=lambda one: str(one)[:20])
def test_bad_input_is_one_sentence_with_its_remedy(given: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        check(pd.DataFrame({"r": ["a", "b"], "n": [1, 20]}), **given)


def test_rows_that_keys_do_not_tell_apart_are_refused_and_the_remedy_works() -> None:
    table = pd.DataFrame({"r": ["a", "a"], "when": ["1", "2"], "n": [20, 30]})
    with pytest.raises(DataError, match="rows 1 and 2 have the same keys; name the columns"):
        check(table, keys=["r"], counts=["n"])
    assert check(table, keys=["r", "when"]).verdict is Verdict.PASS


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(UserError, match="a pandas DataFrame, the path of a file, or a release"):
        check(3)
    with pytest.raises(UserError, match="no table to check"):
        check([])
    with pytest.raises(DataError, match="two columns are called 'n'"):
        check(pd.DataFrame([[1, 2]], columns=["n", "n"]))
