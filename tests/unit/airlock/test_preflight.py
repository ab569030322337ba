"""Pre-flight: kinds of files, what their beginnings betray, and what is said of an output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pets.airlock.findings import RULES, Finding, Preflight
from pets.airlock.kinds import KINDS, REMEDIES, Kind, allowed, betrays, ending, kind_of, remedy
from pets.airlock.preflight import MAX_FILE, MAX_FILES, check_file, preflight, read_folder
from pets.errors import UserError

TABLE = b"region,n\nNorth,120\nSouth,85\n"
CONTEXT, CONTROLS = "Stays by region, for the paper.", "Counts below 10 are hidden."


def rules(name: str, data: bytes) -> dict[str, Finding]:
    return {one.rule: one for one in check_file(name, data)}


def test_a_clean_output_is_said_to_be_looked_at_all_the_same() -> None:
    found = preflight({"t.csv": TABLE}, CONTEXT, CONTROLS)
    assert found.clean and found.ready and "two people look next" in str(found)


@pytest.mark.parametrize(
    ("context", "controls", "rule"), [("", CONTROLS, "no-context"), (CONTEXT, "none", "no-controls")]
)
def test_what_is_not_said_stops(context: str, controls: str, rule: str) -> None:
    found = preflight({"t.csv": TABLE}, context, controls)
    assert not found.ready and [one.rule for one in found.findings] == [rule] and not found.clean
    assert str(found).startswith("1 file(s): 1 must be mended before it is submitted.\n! ")


def test_what_stops_comes_first() -> None:
    found = preflight({"a.csv": b"region,n\nNorth,5\n", "b.svg": b"<svg/>"}, CONTEXT, CONTROLS)
    assert [(one.file, one.stops) for one in found.findings][:2] == [("b.svg", True), ("a.csv", False)]
    assert "1 must be mended before it is submitted, 1 a checker would ask about" in str(found)
    assert "<td>mend</td>" in found._repr_html_() and "<td>asked</td>" in found._repr_html_()
    assert found.findings[0].to_json()["rule"] == "type-not-allowed"
    assert "Nothing to ask" in Preflight.of([], 1)._repr_html_()


@pytest.mark.parametrize("name", [*(f"x{one}" for one in REMEDIES), "x", "x.exe", "X.SVG", "a/b.tar.gz", ".csv"])
def test_kinds_that_hold_more_than_they_show_stop(name: str) -> None:
    one = rules(name, b"data")["type-not-allowed"]
    assert one.stops and one.remedy == remedy(name) and kind_of(name) is None


def test_every_kind_that_is_allowed_is() -> None:
    for kind, endings in KINDS.items():
        assert all(kind_of(f"a{one.upper()}") is kind and one in allowed() for one in endings)
    assert not set(REMEDIES) & {one for endings in KINDS.values() for one in endings}
    assert ending("a.tar.GZ") == ".gz" and ending("folder.d/a") == "" and len(RULES) == 14


@pytest.mark.parametrize(
    ("name", "data", "held"),
    [
        ("t.csv", b"PAR1....", ".parquet"),
        ("t.csv", b"PK\x03\x04...", ".zip"),
        ("t.txt", b"\x1f\x8b\x08", ".gz"),
        ("m.json", b"\x80\x04\x95", ".pickle"),
        ("a.md", b'<?xml version="1.0"?>\n<svg xmlns="">', ".svg"),
        ("a.png", b"<svg>", "another kind of file"),
        ("a.jpg", b"\x89PNG\r\n\x1a\n", "another kind of file"),
        ("a.txt", b"words\x00\x01", "binary data"),
    ],
)
def test_a_file_is_what_its_name_says(name: str, data: bytes, held: str) -> None:
    assert betrays(name, data) == held
    one = rules(name, data)["not-as-named"]
    assert one.stops and held in one.says and one.remedy


def test_pictures_and_texts_that_are_fine() -> None:
    for name, data in {
        "a.png": b"\x89PNG\r\n\x1a\n....",
        "a.jpeg": b"\xff\xd8\xff....",
        "a.md": b"# Words\n",
        "m.json": b'{"age": 0.02}',
        "model.py": b"print(1)\n",
        "m.yaml": b"age: 0.02\n",
    }.items():
        assert rules(name, data) == {}, name


def test_sizes() -> None:
    assert rules("a.md", b" \n")["empty"].stops
    assert rules("a.md", b"x" * (MAX_FILE + 1))["too-large"].stops
    assert "more than 2,000 lines" in rules("a.log", b"x\n" * 2001)["many-rows"].says
    many = preflight({f"t{at}.md": b"x" for at in range(MAX_FILES + 1)}, CONTEXT, CONTROLS)
    assert [one.rule for one in many.findings] == ["too-large"] and not many.ready
    assert not preflight({}, CONTEXT, CONTROLS).ready


def notebook(**held: Any) -> bytes:
    return json.dumps(
        {"cells": [{"cell_type": "code", "outputs": [{"data": held}]}, {"cell_type": "markdown"}]}
    ).encode()


def test_notebooks_are_looked_into() -> None:
    assert rules("n.ipynb", notebook(**{"text/plain": "1", "image/png": "…"})) == {}
    drawn = rules("n.ipynb", notebook(**{"image/svg+xml": "<svg>"}))["type-not-allowed"]
    assert drawn.stops and "image/svg+xml" in drawn.says
    assert rules("n.ipynb", notebook(**{"application/vnd.vegalite.v5+json": {}}))["type-not-allowed"].stops
    shows = rules("n.ipynb", notebook(**{"text/html": ["<div>", "<table border>"]}))["unreadable"]
    assert not shows.stops and "1 table(s)" in shows.says
    for broken in (b"{", b"[]", b'{"cells": 3}', b'{"cells": [3, {"outputs": [3]}]}', b"[" * 100_000):
        assert set(rules("n.ipynb", broken)) <= {"unreadable"}


def test_models_hold_no_rows() -> None:
    assert rules("m.json", json.dumps({"fitted": list(range(1001))}).encode())["row-level"].says.endswith(
        "one a person"
    )
    assert rules("m.json", json.dumps({"fitted": list(range(1000))}).encode()) == {}


def test_a_folder_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "t.csv").write_bytes(TABLE)
    (tmp_path / "CONTEXT.md").write_text(f"{CONTEXT}\n")
    (tmp_path / ".DS_Store").write_text("x")
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    assert read_folder(tmp_path) == ({"sub/t.csv": TABLE}, CONTEXT, "")
    (tmp_path / "CONTROLS.md").write_text(CONTROLS)
    assert read_folder(str(tmp_path))[2] == CONTROLS
    (tmp_path / "sub" / "t.csv").unlink()
    with pytest.raises(UserError, match="there is nothing to take out"):
        read_folder(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="an output is a folder of files, not 3"):
        read_folder(3)  # type: ignore[arg-type]
    for at in range(MAX_FILES + 3):
        (tmp_path / f"{at}.md").write_text("x")
    with pytest.raises(UserError, match="at most 50 files"):
        read_folder(tmp_path)
    assert Kind("table") is Kind.TABLE
