"""ACRO's results, field by field, as ACRO 1.0.2 writes them and SACRO-Viewer reads them."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pets.errors import UserError
from pets.sdc.exports.acro import export
from pets.sdc.tables.checking import check
from tests.unit.sdc.exports.tables import AT, FAILING, PASSING, released

KEYS = ["uid", "status", "type", "properties", "files", "outcome", "command", "summary", "timestamp", "comments"]
KEYS += ["exception", "fair"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = [check({"failing.csv": FAILING}), check({"passing.csv": PASSING}, preset="hes"), released()]
    return export(made, tmp_path_factory.mktemp("acro") / "outputs", at=AT)


@pytest.fixture(scope="module")
def results(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text("utf-8"))


def test_the_version_is_one_that_the_viewer_takes(results: Any) -> None:
    assert list(results) == ["version", "results"] and results["version"] == "1.0.2"
    assert re.fullmatch(r"\d+\.\d+\.\d+", results["version"]) and results["version"] >= "0.4"  # as the viewer compares


def test_every_record_has_acros_fields_in_acros_order(results: Any) -> None:
    assert list(results["results"]) == ["output_0", "output_1", "output_2"]
    for uid, record in results["results"].items():
        assert list(record) == KEYS
        assert record["uid"] == uid and record["type"] == "table" and record["exception"] == ""
        assert record["timestamp"] == AT and isinstance(record["comments"], list)
        assert set(record["properties"]) == {"method", "mitigation", "round_base"}
        assert record["files"] and all(set(one) == {"name", "sdc"} for one in record["files"])


def test_status_summary_and_cells_are_what_was_found(results: Any) -> None:
    first, second, third = results["results"].values()
    assert [one["status"] for one in (first, second, third)] == ["fail", "pass", "review"]
    assert first["files"][0]["sdc"] == {
        "summary": {"MinimumThresholdCheck": 1, "PresenceOfLinkedTableCheck": 1, "PresenceOfZeroCheck": 0},
        "cells": {
            "MinimumThresholdCheck": [[1, 0]],
            "PresenceOfLinkedTableCheck": [[0, 0]],
            "PresenceOfZeroCheck": [],
        },
    }
    assert "cell (North, F) is 3: 23 − 20" in first["comments"]
    assert first["outcome"]["F"] == {
        "North": "PresenceOfLinkedTableCheck; ",
        "South": "MinimumThresholdCheck; ",
        "Total": "ok",
    }
    assert set(second["files"][0]["sdc"]["summary"].values()) == {0} and second["files"][0]["sdc"]["cells"]
    assert second["properties"] == {"method": "crosstab", "mitigation": "round", "round_base": 5}
    assert third["summary"].startswith("review: ") and not any(third["files"][0]["sdc"]["cells"].values())


def test_cells_lie_where_the_viewer_counts_them(folder: Path, results: Any) -> None:
    record = results["results"]["output_0"]
    head, *body = csv.reader((folder / record["files"][0]["name"]).read_text("utf-8").splitlines())
    ((row, column),) = record["files"][0]["sdc"]["cells"]["MinimumThresholdCheck"]
    assert body[row][1 + column] == "8" and head[1 + column] == "F"  # header and one index column are not counted


def test_the_ontology_is_named_for_each_analysis(results: Any) -> None:
    fair = results["results"]["output_0"]["fair"]
    fields = ["context", "statbarn", "risks", "checks_needed", "common_mitigations", "check_status"]
    assert list(fair) == [*fields, "dependent", "independent"]
    assert fair["context"] == "https://w3id.org/statbarnsdc#" and fair["statbarn"] == "Frequencies"
    assert fair["check_status"] == {
        "MinimumThresholdCheck": "fail",
        "PresenceOfZeroCheck": "pass",
        "PresenceOfLinkedTableCheck": "fail",
    }
    assert fair["independent"] == ["region"]


def test_a_table_with_means_has_the_checks_of_both(tmp_path: Path) -> None:
    table = pd.DataFrame({"region": ["North", "South"], "people": [120, 85], "mean_stay": ["5.1", "6.4"]})
    export([check({"m.csv": table}), check({"n.csv": table[["region", "people"]]})], tmp_path / "out", at=AT)
    both, counts = json.loads((tmp_path / "out" / "results.json").read_text())["results"].values()
    assert (both["fair"]["statbarn"], counts["fair"]["statbarn"]) == ("LinearAggregations", "Frequencies")
    assert {"NKCheck", "PresenceOfZeroCheck", "PresenceOfLinkedTableCheck"} <= set(both["fair"]["check_status"])
    assert set(both["files"][0]["sdc"]["summary"]) == set(both["fair"]["checks_needed"])


def test_every_file_has_its_checksum_or_the_viewer_marks_nothing(folder: Path) -> None:
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {"results.json", "config.json", *(f"output_{i}_0.csv" for i in range(3))}
    assert {path.name for path in (folder / "checksums").iterdir()} == {f"{name}.txt" for name in names}
    for name in names:
        content = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert (folder / "checksums" / f"{name}.txt").read_text() == content


def test_config_is_the_risk_appetite(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["safe_threshold"] == 10 and config["zeros_are_disclosive"] is True
    assert (config["safe_nk_n"], config["safe_nk_k"], config["safe_pratio_p"]) == (2, 0.9, 0.1)


def test_keys_are_one_column_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ["=1+1", "b"], "s": ["x", "y"], "n": [20, 30]})
    made = export([check(table)], tmp_path / "out", at=AT)
    assert (made / "output_0_0.csv").read_text() == "a / s,n\n'=1+1 / x,20\nb / y,30\n"


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match="name a new folder"):
        export([check(PASSING)], tmp_path, at=AT)
    with pytest.raises(UserError, match="nothing to export"):
        export([], tmp_path / "new", at=AT)
    with pytest.raises(UserError, match="of releases and of results"):
        export([3], tmp_path / "new", at=AT)  # type: ignore[list-item]
