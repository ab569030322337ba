"""Charts: every estimate with its interval, whatever the number of keys."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
import vl_convert

import pets
from pets.errors import MissingExtraError, QueryError
from pets.release import html
from pets.schema.domain import Domain
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


@pytest.mark.parametrize(("name", "angle"), [("Innere", 0), ("Gynäkologie", -40)])
def test_labels_that_would_run_into_each_other_are_turned(name: str, angle: int) -> None:
    schema = pets.Schema({"t": pets.Table("row", {"w": pets.Category([name, "B", "C", "D", "E"])})})
    session = pets.Session(schema, budget=pets.Budget(epsilon=1))
    asked = pets.query("t").group_by("w").agg(n=pets.count())
    form = drawn(session.dummy(rows=20).release(asked, pets.Exact()).plot())
    assert form["layer"][0]["encoding"]["x"]["axis"]["labelAngle"] == angle


def test_groups_that_are_not_estimable_are_gaps_with_a_note() -> None:
    form = drawn(release(ASKED.group_by("age").agg(**ALL)).plot("mean"))
    assert records(form)[3] == {"k0": AGES[3], "group": AGES[3], "bin": "", "value": None, "low": None, "high": None}
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
    assert form["facet"]["field"] == "panel"
    assert [row["panel"] for row in records(form)] == [row["k0"] for row in records(form)]
    assert all("data" not in layer for layer in form["spec"]["layer"])
    assert len(records(form)) == 16


def test_a_histogram_is_drawn_bin_by_bin() -> None:
    form = drawn(release(ASKED.agg(**ALL)).plot("bins"))
    assert [row["bin"] for row in records(form)] == [str(day) for day in range(1, 15)]
    panels = drawn(release(ASKED.group_by("age").agg(**ALL)).plot("bins"))
    assert panels["facet"]["sort"] == AGES


def test_very_many_groups_are_a_line_in_a_band() -> None:
    assert marks(drawn(release(ASKED.group_by("ward").agg(**ALL)).plot())) == ["area", "line"]


@pytest.mark.parametrize("unit", ["day", "week"])
@pytest.mark.parametrize("panels", [False, True])
def test_those_without_a_date_are_no_point_of_the_line(unit: str, panels: bool) -> None:
    """They follow no period: a point of their own, beyond a gap."""
    day = (
        pets.DateTime("2024-01-01 00:00", "2024-12-31 23:59")
        if unit == "week"
        else pets.Date("2024-01-01", "2024-03-11")
    )
    schema = pets.Schema({"t": pets.Table("row", {"seen": day, "district": districts(9)})})
    session = pets.Session(schema, budget=pets.Budget(epsilon=1))
    keys = (pets.col("seen").period(unit, "when"), *(["district"] if panels else []))  # type: ignore[arg-type]
    answer = session.dummy(rows=300).release(pets.query("t").group_by(*keys).agg(n=pets.count()), pets.Exact())
    chart = answer.plot()
    form = drawn(chart)
    layers = (form["spec"] if panels else form)["layer"]
    assert [layer["mark"]["type"] for layer in layers] == ["area", "line", "point"]
    x = layers[1]["encoding"]["x"]
    periods = list(dict.fromkeys(row["k0"] for row in records(form)))
    domain = x["scale"]["domain"]
    assert [label for label in domain if label.strip()] == periods and domain[-2].isspace() and domain[-1] == "missing"
    assert x["axis"]["values"][-1] == "missing"
    lines = re.findall(r'aria-roledescription="line mark" d="([^"]+)"', vl_convert.vegalite_to_svg(chart.to_json()))
    assert [line.count("L") for line in lines] == [len(periods) - 2] * (9 if panels else 1)


def test_a_chart_of_people_says_people() -> None:
    schema = pets.Schema(
        {
            "who": pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "sex": pets.Category(["F", "M"])}),
            "t": pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier(), "x": pets.Integer(0, 9)}, "who"),
        },
        dataset="d",
    )
    asked = pets.people(ill=pets.events("t").exists(), of="who").group_by("sex")
    asked = asked.agg(n=pets.count(), share=pets.rate(pets.col("ill") == True))  # noqa: E712
    answer = pets.Session(schema, budget=pets.Budget(epsilon=1)).dummy(rows=50).release(asked, pets.Exact())
    for output, said in (("n", "n (people)"), ("share", "share (share of people)")):
        assert drawn(answer.plot(output))["layer"][0]["encoding"]["y"]["axis"]["title"] == said


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


def table_of(**columns: Domain) -> pets.Release:
    """The exact dummy answer to a count by every column."""
    schema = pets.Schema({"t": pets.Table("row", columns)})
    session = pets.Session(schema, budget=pets.Budget(epsilon=1))
    return session.dummy(rows=500).release(pets.query("t").group_by(*columns).agg(n=pets.count()), pets.Exact())


def districts(count: int) -> pets.Category:
    return pets.Category([f"district {i}" for i in range(count)], nullable=False)


DAYS = pets.Date("2024-01-01", "2024-03-11", nullable=False)  # 71 of them


@pytest.mark.parametrize("first", ["day", "district"])
def test_time_lies_along_the_axis_and_every_district_has_its_panel(first: str) -> None:
    columns = {"day": DAYS, "district": districts(14)}
    answer = table_of(**dict(sorted(columns.items(), key=lambda pair: pair[0] != first)))
    form = drawn(answer.plot())
    key = {name: f"k{i}" for i, name in enumerate(answer.plan.layout.columns())}
    assert form["facet"]["sort"] == [f"district {i}" for i in range(14)]
    assert form["spec"]["layer"][0]["encoding"]["x"]["field"] == key["day"]
    assert len(records(form)) == 71 * 14
    assert sum(row["value"] for row in records(form)) == answer.table["n"].sum() == 500
    assert form["title"]["subtitle"] == []
    picture = vl_convert.vegalite_to_svg(answer.plot().to_json())
    assert all(f">district {i}<" in picture for i in range(14))


def test_no_panel_is_dropped_up_to_a_limit_that_shouts(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = table_of(ward=districts(40), district=districts(14))
    form = drawn(answer.plot())
    assert form["facet"]["sort"] == [f"district {i}" for i in range(14)]
    assert sum(row["value"] for row in records(form)) == 500
    monkeypatch.setattr("pets.release.plot.MAX_PANELS", 5)
    form = drawn(answer.plot())
    assert len(form["facet"]["sort"]) == 5
    assert form["title"]["subtitle"][0].startswith("NOT ALL IS SHOWN: the first 5 of 14 panels")
    monkeypatch.setattr("pets.release.plot.MAX_GROUPS", 14)
    assert drawn(answer.plot())["title"]["subtitle"][0].startswith("NOT ALL IS SHOWN: the first 14 of 560 groups")


def test_four_keys_are_all_told_apart() -> None:
    answer = table_of(a=districts(3), b=districts(9), day=DAYS, c=pets.Boolean(nullable=False))
    form = drawn(answer.plot())
    encoding = form["spec"]["layer"][0]["encoding"]
    assert (encoding["x"]["field"], encoding["color"]["field"]) == ("k2", "k3")
    assert len(form["facet"]["sort"]) == 27
    assert len({(r["panel"], r["k2"], r["k3"]) for r in records(form)}) == len(records(form)) == 3 * 9 * 71 * 2


def test_a_reader_may_say_who_is_shown_where() -> None:
    sample = release(ASKED.group_by("emergency", "age", "sex").agg(**ALL))
    form = drawn(sample.plot("mean", x="sex", facet="age", colour="emergency"))
    encoding = form["spec"]["layer"][0]["encoding"]
    assert (encoding["x"]["field"], encoding["color"]["field"]) == ("k2", "k0")
    assert form["facet"]["sort"] == AGES
    assert [layer["mark"]["type"] for layer in form["spec"]["layer"]] == ["point", "rule", "tick", "tick"]
    both = drawn(sample.plot(x="age", facet=["sex", "emergency"]))
    assert both["facet"]["sort"] == ["F · False", "M · False", "F · True", "M · True"]
    flat = drawn(sample.plot("bins", colour="age", facet="sex"))
    assert flat["spec"]["layer"][0]["encoding"]["color"]["field"] == "k1"
    many = drawn(table_of(day=DAYS, district=districts(14)).plot(colour="district"))
    assert many["layer"][0]["encoding"]["color"]["scale"]["scheme"] == "category20"
    assert len(many["layer"][0]["encoding"]["color"]["scale"]["domain"]) == 14


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"x": "agee"}, "'agee' is not a key of this release; did you mean 'age'"),
        ({"x": "age", "colour": "age"}, "key 'age' is shown once in a chart"),
        ({"colour": "ward"}, "has 200 values and colours tell at most 20 apart; use facet='ward'"),
        ({"x": 3}, "x must be the name of a key, not 3"),
        ({"facet": []}, "facet must be the name of a key, or a list of them"),
        ({"output": "bins", "x": "age"}, "a histogram has its bins along x"),
        ({"color": "age"}, "plot has no argument 'color'; did you mean 'colour'"),
    ],
)
def test_a_place_that_does_not_exist_is_named(asked: dict[str, Any], said: str) -> None:
    sample = release(ASKED.group_by("age", "ward").agg(n=pets.count(), bins=pets.histogram("days")))
    with pytest.raises(QueryError, match=said):
        sample.plot(**asked)
    if "use facet" in said:
        assert sample.plot(facet="ward")  # the remedy
