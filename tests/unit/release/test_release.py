"""A release: sealed, checked, the same bytes there and back, and views that never change it."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import FrozenInstanceError, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.common.codec import canonical, digest
from pets.errors import InternalError, QueryError, UserError
from pets.release import html
from pets.release.release import Release
from tests.sample_releases import AGES, ASKED, GUARANTEE, release

LONG = pets.col("days") >= 8
BY_AGE = ASKED.group_by("age").agg(stays=pets.count(), days=pets.sum("days"), mean=pets.mean("days"))
BY_BOTH = ASKED.group_by("age", "sex").agg(
    stays=pets.count(),
    people=pets.count_units(),
    days=pets.sum("days"),
    mean=pets.mean("days"),
    long=pets.rate(LONG),
    bins=pets.histogram("days"),
    median=pets.quantile("days"),
)


# ── made by protections only ──────────────────────────────────────────────────────────────────────────────────────────


def test_only_a_protection_can_make_one() -> None:
    sample = release(BY_AGE)
    parts = {name: getattr(sample, name) for name in Release.__dataclass_fields__ if name != "seal"}
    with pytest.raises(InternalError, match="only a protection"):
        Release(**parts)
    with pytest.raises((InternalError, ValueError, TypeError)):
        replace(sample, values=np.zeros(sample.plan.size, dtype=np.int64))


@pytest.mark.parametrize(
    "wrong",
    [
        {"plan_digest": "0" * 64},
        {"values": np.zeros(3, dtype=np.int64)},
        {"values": np.zeros(8, dtype=np.float64)},
        {"mechanism": "cauchy"},
        {"scales": (1.0,)},
        {"scales": (0.0, 0.0)},
        {"data": "invented"},
        {"cost": {"currency": "zcdp", "loss": -1, "delta": 0}},
        {"cost": {"currency": "zcdp", "loss": 0.5, "delta": 0}},
        {"issued_at": "yesterday"},
        {"id": ""},
        {"dataset": "another"},
        {"table": "another"},
        {"notes": (3,)},
    ],
)
def test_parts_that_do_not_fit_together_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InternalError):
        release(BY_AGE, **wrong)


def test_it_cannot_be_changed() -> None:
    sample = release(BY_AGE)
    with pytest.raises(FrozenInstanceError):
        sample.guarantee = "none"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        sample.values[0] = 0
    table = sample.table
    table.loc[0, "stays"] = 0
    assert sample.table.loc[0, "stays"] != 0


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_has_keys_then_each_output_with_its_interval() -> None:
    table = release(BY_AGE).table
    assert list(table) == ["age", *(f"{o}{end}" for o in ("stays", "days", "mean") for end in ("", "_low", "_high"))]
    assert table["age"].tolist() == AGES
    assert table["stays"].dtype == table["stays_low"].dtype == np.int64
    assert table["mean"].isna().tolist() == [False, False, False, True]


def test_an_exact_release_has_no_intervals() -> None:
    sample = release(BY_BOTH, mechanism="none", data="dummy")
    assert list(sample.table) == ["age", "sex", "stays", "people", "days", "mean", "long", "bins", "median"]
    assert list(sample.histogram("bins")) == ["age", "sex", "bin", "count"]


def test_a_histogram_is_a_list_a_cell_or_a_long_table() -> None:
    sample = release(BY_BOTH)
    table, long = sample.table, sample.histogram("bins")
    assert list(long) == ["age", "sex", "bin", "count", "low", "high"]
    assert len(long) == 8 * 14
    for name, end in (("count", ""), ("low", "_low"), ("high", "_high")):
        assert long[name].tolist() == [n for cell in table[f"bins{end}"] for n in cell]
    with pytest.raises(QueryError, match="'stays' is a count, not a histogram"):
        sample.histogram("stays")


def test_confidence_is_the_protection_s() -> None:
    wide = release(BY_AGE, protection={"kind": "dp", "epsilon": "0.5", "confidence": 0.999})
    assert wide.confidence == 0.999
    assert (wide.table["stays_high"] > release(BY_AGE).table["stays_high"]).all()
    assert "99.9 % interval" in str(wide)


# ── views ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_view_is_clamped_and_rounded_and_the_release_is_not() -> None:
    sample = release(BY_BOTH, scale=2_000.0)
    before = sample.to_json()
    table, view = sample.table, sample.view(nonnegative=True, whole=True)
    assert (table["stays"] < 0).any()
    assert (view[["stays", "people", "days", "days_low"]] >= 0).all().all()
    assert min(min(cell) for cell in view["bins"]) == 0
    assert view["days"].dtype == np.int64
    assert sample.to_json() == before
    pd.testing.assert_frame_equal(sample.table, table)
    pd.testing.assert_frame_equal(sample.view(), table)


@pytest.mark.parametrize("by", [(), ("age",), ("sex",), ("age", "sex")])
def test_totals_are_the_sums_of_raw_parts(by: tuple[str, ...]) -> None:
    sample = release(BY_BOTH)
    table = sample.table
    for output in ("stays", "people", "days"):
        found = sample.total(output, by)
        wanted = table.groupby(list(by), sort=False)[output].sum() if by else [table[output].sum()]
        assert found[output].tolist() == list(wanted)
    mean = sample.total("mean", by)
    days, stays = sample.total("days", by)["days"], sample.total("stays", by)["stays"]
    known = mean["mean"].notna()
    assert known.any()
    assert np.allclose(mean["mean"][known], (days / stays)[known])


def test_totals_have_the_interval_of_added_noise() -> None:
    sample = release(BY_BOTH)
    cell = sample.table.iloc[0]
    one, all_eight = cell["stays_high"] - cell["stays"], sample.total("stays").iloc[0]
    assert all_eight["stays_high"] - all_eight["stays"] == pytest.approx(one * math.sqrt(8), rel=0.01)
    same = sample.total("stays", ["age", "sex"])
    pd.testing.assert_frame_equal(same, sample.table[["age", "sex", "stays", "stays_low", "stays_high"]])


def test_a_key_set_with_more_groups_under_one_key_has_wider_noise_there() -> None:
    keys = pets.KeySet(("age", "sex"), ((AGES[0], "F"), (AGES[0], "M"), (AGES[1], "F")))
    found = release(ASKED.group_by(keys).agg(n=pets.count())).total("n", "age")
    assert found["age"].tolist() == AGES[:2]
    widths = (found["n_high"] - found["n"]).tolist()
    assert widths[0] == pytest.approx(widths[1] * math.sqrt(2), rel=0.01)


def test_totals_of_people_say_what_they_count() -> None:
    sample = release(BY_BOTH)
    assert sample.total("people", "age")["people_counts"].unique().tolist() == ["person-group pairs"]
    assert "people_counts" not in sample.total("people", ("age", "sex"))
    assert "stays_counts" not in sample.total("stays")


def test_totals_of_histograms_and_quantiles_come_from_summed_parts() -> None:
    sample = release(BY_BOTH)
    assert sample.total("bins")["bins"][0] == np.sum(sample.table["bins"].tolist(), axis=0).tolist()
    assert 3 <= sample.total("median")["median"][0] <= 5


def test_an_unknown_output_or_key_is_named() -> None:
    with pytest.raises(QueryError, match="did you mean 'stays'"):
        release(BY_AGE).total("stay")
    with pytest.raises(QueryError, match="did you mean 'age'"):
        release(BY_AGE).total("stays", "agee")


# ── there and back ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mechanism", ["gaussian", "laplace", "none"])
def test_the_form_goes_there_and_back_byte_by_byte(mechanism: str, tmp_path: Path) -> None:
    sample = release(BY_BOTH, scale=12.345678901234567, mechanism=mechanism)
    path = sample.save(tmp_path / "release.json")
    again = Release.load(path)
    assert again == sample
    assert hash(again) == hash(sample)
    assert canonical(again.to_json()) == path.read_bytes() == canonical(sample.to_json())
    assert again.scales == sample.scales
    assert again.digest == sample.to_json()["digest"]
    pd.testing.assert_frame_equal(again.table, sample.table)
    assert pickle.loads(pickle.dumps(sample)) == sample
    assert Release.from_json(path.read_text()) == sample


EDITS: dict[str, Any] = {
    "a value": lambda f: f["values"].__setitem__(0, f["values"][0] + 1),
    "a fraction": lambda f: f["values"].__setitem__(0, f["values"][0] + 0.5),
    "a value too many": lambda f: f["values"].append(0),
    "beyond 64 bits": lambda f: f["values"].__setitem__(0, 2**70),
    "the scale": lambda f: f.update(scales=[1, 1]),
    "the guarantee": lambda f: f.update(guarantee="ε = 0"),
    "the query": lambda f: f["query"].update(rows=1),
    "the schema": lambda f: f["schema"].update(dataset="x"),
    "the cost": lambda f: f["cost"].update(loss=1),
    "real for dummy": lambda f: f.update(data="dummy"),
    "a part less": lambda f: f.pop("notes"),
    "a part more": lambda f: f.update(signed=True),
    "another version": lambda f: f.update(version=2),
    "another thing": lambda f: f.update(pets="query"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("redigest", [False, True])
def test_edited_files_are_refused_in_one_sentence(edit: str, redigest: bool, tmp_path: Path) -> None:
    form = json.loads(canonical(release(BY_AGE).to_json()))
    EDITS[edit](form)
    if redigest:  # what the digest cannot show (a forger computes it anew), the plan must, where it can
        if edit in ("a value", "the scale", "the guarantee", "the cost", "real for dummy"):
            pytest.skip("for the signed certificate to show")
        form["digest"] = digest({name: part for name, part in form.items() if name != "digest"})
    path = tmp_path / "release.json"
    path.write_text(json.dumps(form))
    with pytest.raises(UserError, match="edited or damaged") as caught:
        Release.load(path)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"3", b"\xff\xfe", b'{"pets":"release","version":1}', b"[" * 10**5]
)
def test_what_is_no_release_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a release"):
        Release.load(path)
    with pytest.raises(UserError, match="cannot be read"):
        Release.load(tmp_path / "missing.json")
    with pytest.raises(UserError, match="cannot be written"):
        release(BY_AGE).save(tmp_path / "missing" / "release.json")


# ── for people ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_as_text_it_has_margins_and_the_guarantee() -> None:
    shown = str(release(BY_AGE))
    assert "stays, days and mean by age, from demo/stays: differentially private, ε = 0.5, δ = 1e-06" in shown
    assert "± 196" in shown
    assert "not estimable" in shown
    assert GUARANTEE in shown
    assert "Room for about 12 more queries like this." in shown
    assert repr(release(BY_AGE)) == shown


def test_long_tables_are_cut_and_say_so() -> None:
    shown = str(release(ASKED.group_by("ward").agg(n=pets.count())))
    assert "… and 170 more groups" in shown
    assert len(shown.splitlines()) < 45


def test_whole_numbers_of_any_size_keep_their_digits() -> None:
    query = ASKED.agg(n=pets.count())
    shown = str(release(query, mechanism="none", values=np.array([2**62 - 1])))
    assert "4,611,686,018,427,387,903" in shown


def test_dummy_and_exact_answers_say_what_they_are() -> None:
    dummy = release(BY_AGE, mechanism="none", data="dummy")
    total = release(BY_AGE, mechanism="none")
    assert "DUMMY DATA: invented rows" in str(dummy)
    assert "DUMMY DATA: invented rows" in dummy._repr_html_()
    assert "exact: no finite guarantee" in str(total)
    assert "more queries" not in str(total)
    for shown in (str(dummy), dummy._repr_html_(), str(release(BY_AGE)), release(BY_AGE)._repr_html_()):
        assert ("DUMMY" in shown) == ("Cost: nothing" in shown or "Cost" not in shown)


class Tags(HTMLParser):
    """Checks that tags close in order, and keeps what a test asks for."""

    EMPTY = ("meta", "br", "hr", "rect", "path", "line")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def parsed(document: str) -> Tags:
    tags = Tags()
    tags.feed(document)
    tags.close()
    assert tags.open == []
    return tags


@pytest.mark.parametrize("whole_page", [False, True])
@pytest.mark.parametrize("mechanism", ["gaussian", "none"])
def test_html_is_escaped_closed_described_and_fetches_nothing(whole_page: bool, mechanism: str) -> None:
    sample = release(
        BY_BOTH,
        mechanism=mechanism,
        guarantee="<script>alert(1)</script>",
        notes=("<img src=x onerror=y>",),
        analyst="<b>me</b>",
    )
    document = html.page(sample, "Stays & <days>", "<p>Hello</p>") if whole_page else sample._repr_html_()
    tags = parsed(document)
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "img", "link", "iframe", "b", "days", "object", "image", "foreignobject"}
    assert "&lt;30 &amp; over&gt;" in document
    for tag, settings in tags.seen:
        assert not {"src", "onerror", "onload", "onclick"} & set(settings), tag
        assert not any("//" in (value or "") for key, value in settings.items() if not key.startswith("xmlns")), tag
        if tag == "svg" and settings.get("class") in ("gauge", "marks"):
            assert settings["role"] == "img"
            assert settings["aria-label"]
    assert "@import" not in document
    assert "url(http" not in document
    scopes = [settings.get("scope") for tag, settings in tags.seen if tag == "th"]
    assert set(scopes) == {"col", "row"}
    assert "caption" in names
    ids = [settings["id"] for _, settings in tags.seen if "id" in settings]
    assert len(ids) == len(set(ids))


def test_a_page_stands_alone() -> None:
    document = html.page(release(BY_BOTH), "Stays & <days>", "<p>Hello</p>")
    assert document.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>Stays &amp; &lt;days&gt;</title>" in document
    assert "default-src 'none'" in document
    assert document.count("<figure>") == 4
    assert "<p>Hello</p>" in document
    headings = [tag for tag, _ in parsed(document).seen if tag in ("h1", "h2", "h3")]
    assert headings == ["h1", "h2", "h2", "h2", "h2", "h2"]


def test_without_a_budget_there_is_no_gauge() -> None:
    assert "<svg" in release(BY_AGE)._repr_html_()
    assert "<svg" not in release(BY_AGE, budget=None)._repr_html_()
