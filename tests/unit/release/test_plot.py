"""Charts: every estimate with its interval, whatever the number of keys."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import pets
from pets.errors import MissingExtraError, QueryError
from pets.release import html
from tests.sample_releases import AGES, ASKED, release

ALL: dict[str, Any] = {
    "stays": pets.count(),
    "days": pets.sum("days"),
    "mean": pets.mean("days"),
    "long": pets.rate(pets.col("days") >= 8),
    "median": pets.quantile("days"),
    "bins": pets.histogram("days"),
}


def drawn(chart: Any) -> dict[str, Any]:
    form: dict[str, Any] = chart.to_dict()
    return form


def marks(form: dict[str, Any]) -> list[str]:
    layers = form["spec"]["layer"] if "spec" in form else form["layer"]
    return [layer["mark"]["type"] for layer in layers]


def records(form: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = form["data"]["values"]
    return found


def test_one_key_is_drawn_in_key_order_with_intervals() -> None:
    sample = release(ASKED.group_by("age").agg(**ALL))
    form = drawn(sample.plot())
    assert marks(form) == ["bar", "rule", "tick", "tick"]
    assert [row["k0"] for row in records(form)] == AGES
    assert form["layer"][0]["encoding"]["x"]["sort"] == AGES
    table = sample.table
    for name, column in (("value", "stays"), ("low", "stays_low"), ("high", "stays_high")):
        assert [row[name] for row in records(form)] == table[column].tolist()
    assert form["title"]["text"] == "stays by age"
    assert "95 % interval" in form["title"]["subtitle"][0]
    assert marks(drawn(sample.plot("mean")))[0] == "point"


def test_groups_that_are_not_estimable_are_gaps_with_a_note() -> None:
    form = drawn(release(ASKED.group_by("age").agg(**ALL)).plot("mean"))
    assert records(form)[3] == {"k0": AGES[3], "panel": AGES[3], "bin": "", "value": None, "low": None, "high": None}
    assert form["title"]["subtitle"][-1] == f"Not estimable (too few rows for the noise): {AGES[3]}."


def test_a_second_key_is_told_by_colour() -> None:
    form = drawn(release(ASKED.group_by("age", "sex").agg(**ALL)).plot())
    encoding = form["layer"][0]["encoding"]
    assert encoding["color"]["field"] == encoding["xOffset"]["field"] == "k1"
    assert encoding["color"]["scale"]["domain"] == ["F", "M"]


def test_the_key_with_few_values_gets_the_colours() -> None:
    encoding = drawn(release(ASKED.group_by("sex", "ward").agg(**ALL)).plot())["layer"][0]["encoding"]
    assert (encoding["x"]["field"], encoding["color"]["field"]) == ("k1", "k0")


def test_three_keys_have_panels_each_with_its_own_rows() -> None:
    form = drawn(release(ASKED.group_by("emergency", "age", "sex").agg(**ALL)).plot())
    assert form["facet"]["field"] == "k0"
    assert all("data" not in layer for layer in form["spec"]["layer"])
    assert len(records(form)) == 16


def test_a_histogram_is_drawn_bin_by_bin() -> None:
    form = drawn(release(ASKED.agg(**ALL)).plot("bins"))
    assert [row["bin"] for row in records(form)] == [str(day) for day in range(1, 15)]
    panels = drawn(release(ASKED.group_by("age").agg(**ALL)).plot("bins"))
    assert panels["facet"]["sort"] == AGES


def test_very_many_groups_are_a_line_in_a_band() -> None:
    assert marks(drawn(release(ASKED.group_by("ward").agg(**ALL)).plot())) == ["area", "line"]


def test_no_key_is_one_mark() -> None:
    form = drawn(release(ASKED.agg(**ALL)).plot("mean"))
    assert len(records(form)) == 1
    assert form["layer"][0]["encoding"]["x"]["field"] == "value"


def test_dummy_data_are_watermarked_in_the_title() -> None:
    form = drawn(release(ASKED.group_by("age").agg(**ALL), mechanism="none", data="dummy").plot())
    assert form["title"]["text"].startswith("DUMMY DATA: invented rows")
    assert marks(form) == ["bar"]


def test_an_unknown_output_is_named() -> None:
    with pytest.raises(QueryError, match="did you mean 'stays'"):
        release(ASKED.agg(**ALL)).plot("stay")


@pytest.mark.parametrize("keys", [(), ("age",), ("age", "sex"), ("emergency", "age", "sex"), ("sex", "ward")])
@pytest.mark.parametrize("output", ["stays", "long", "bins"])
def test_every_chart_can_be_drawn(keys: tuple[str, ...], output: str) -> None:
    import vl_convert

    query = ASKED.group_by(*keys).agg(**ALL) if keys else ASKED.agg(**ALL)
    picture = vl_convert.vegalite_to_svg(release(query).plot(output).to_json())
    assert picture.startswith("<svg")
    assert output in picture


def test_without_the_extra_the_remedy_is_named_and_pages_have_their_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    sample = release(ASKED.group_by("age").agg(**ALL))
    with pytest.raises(MissingExtraError, match=r"pip install 'pets-privacy\[plot\]'"):
        sample.plot()
    document = html.page(sample, "Stays")
    assert "<figure>" not in document
    assert "<table>" in document
