"""Pre-flight: kinds of files, what their beginnings betray, and what is said of an output."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from pets.airlock.findings import RULES, Finding, Preflight
from pets.airlock.kinds import KINDS, REMEDIES, Kind, allowed, betrays, ending, kind_of, remedy
from pets.airlock.preflight import MAX_FILE, MAX_FILES, check_file, preflight, read_folder
from pets.errors import UserError

TABLE = b"region,n\nNorth,120\nSouth,85\n"


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(*beside: bytes, coded: bytes = zlib.compress(b"\0\0")) -> bytes:
    size = b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"
    parts = [chunk(b"IHDR", size), *beside, chunk(b"IDAT", coded), chunk(b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data


def jpeg(*beside: bytes, scan: bytes = b"\x12\xff\x00\xff\xd0\x34") -> bytes:
    size = segment(0xC0, b"\x08\0\1\0\1\1\1\x11\0")
    return b"\xff\xd8" + b"".join(beside) + size + segment(0xDA, b"\1\1\0\0\x3f\0") + scan + b"\xff\xd9"


LIST = b"nhs_number,age\n" + b"1234567890,44\n" * 1000
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
    assert ending("a.tar.GZ") == ".gz" and ending("folder.d/a") == "" and len(RULES) == 15


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
        "a.png": png(chunk(b"tEXt", b"Software\0Matplotlib"), chunk(b"pHYs", b"\0" * 9)),
        "a.jpeg": jpeg(segment(0xE0, b"JFIF\0\1\1"), segment(0xDB, b"\0" * 65)),
        "b.jpg": jpeg(b"\xff", segment(0xC4, b"\0" * 28)),
        "a.log": b"2026-11-29 04:56:36 model 2 of 5 has converged, loss fell\n" * 40,
        "a.md": b"# Words\n",
        "m.json": b'{"age": 0.02}',
        "model.py": b"print(1)\n",
        "m.yaml": b"age: 0.02\n",
    }.items():
        assert rules(name, data) == {}, name


@pytest.mark.parametrize(
    ("name", "data", "rule", "said"),
    [
        ("a.png", png() + LIST, "not-as-named", "14,015 bytes follow the end of the picture"),
        ("a.jpg", jpeg() + LIST, "not-as-named", "14,015 bytes follow"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50 + b"IEND\xaeB`\x82" + LIST, "unreadable", "no whole picture"),
        ("a.png", png()[:-1], "unreadable", "no whole picture"),
        ("a.jpg", jpeg()[:-2], "unreadable", "no whole picture"),
        ("a.jpg", b"\xff\xd8" + segment(0xE0, b"") + b"\xff\xd9", "unreadable", "no whole picture"),
        ("a.png", png(chunk(b"tEXt", b"rows\0" + LIST)), "unreadable", "14,020 bytes of text"),
        ("a.png", png(chunk(b"PLTE", LIST)), "unreadable", "13,247 bytes of text"),
        ("a.jpg", jpeg(segment(0xFE, LIST)), "unreadable", "beside the picture"),
        ("a.png", png(coded=LIST), "not-as-named", "14,015 bytes, more than a picture of its size"),
        ("a.jpg", jpeg(scan=LIST), "not-as-named", "14,015 bytes, more than a picture of its size"),
    ],
)
def test_a_picture_holds_the_picture_alone(name: str, data: bytes, rule: str, said: str) -> None:
    found = rules(name, data)
    assert set(found) == {rule} and said in found[rule].says and "save the picture again" in found[rule].remedy
    assert found[rule].stops == ("bytes of text" not in found[rule].says and "beside" not in found[rule].says)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"1234567890,44;" * 2000, {"many-rows", "row-level"}),  # one line
        ("a.txt", b"1234567890,44\r" * 2001, {"many-rows", "row-level"}),  # ends that no \n has
        ("a.yaml", b"[1234567890,44]," * 2000, {"many-rows", "row-level"}),
        ("a.py", b"# " + b"x" * 5000, {"many-rows"}),
        ("a.md", (b"word " * 100 + b"\n") * 401, {"many-rows"}),  # 200,901 letters
        ("a.txt", b"F,44\n" * 50, {"row-level"}),
        ("a.txt", b"F,44\n" * 49, set()),
        ("a.sql", b"(1234567890, 44),\n-- more\n" * 50, {"row-level"}),
        ("a.md", b"44 " * 1001, {"row-level"}),
        ("m.json", json.dumps([[[at, n, 44] for n in range(90)] for at in range(20)]).encode(), {"row-level"}),
        ("m.json", json.dumps({str(at): {} for at in range(1001)}).encode(), {"row-level"}),
        ("m.json", json.dumps({"note": LIST.decode()}).encode(), {"row-level"}),
        ("m.json", json.dumps({"image/png": [44] * 1001}).encode(), {"row-level"}),
        ("m.json", b'{"age": 0.02' + b" " * 200_000 + b"}", {"many-rows"}),
        ("m.json", b'{"age": [1234567890, 44], "age": 0.02}', {"unreadable"}),
    ],
)
def test_a_text_is_no_longer_than_somebody_reads(name: str, data: bytes, expected: set[str]) -> None:
    found = rules(name, data)
    assert set(found) == expected and all(one.remedy for one in found.values())


def test_a_picture_stands_beside_its_numbers() -> None:
    (alone,) = preflight({"a.png": png(), "a.md": b"# Words"}, CONTEXT, CONTROLS).findings
    assert (alone.file, alone.rule, alone.stops) == ("a.png", "missing-numbers", False) and ".csv" in alone.remedy
    assert preflight({"a.png": png(), "t.csv": TABLE}, CONTEXT, CONTROLS).clean


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
    drawing = base64.encodebytes(png()).decode()
    assert rules("n.ipynb", notebook(**{"text/plain": "1", "image/png": drawing})) == {}
    drawn = rules("n.ipynb", notebook(**{"image/svg+xml": "<svg>"}))["type-not-allowed"]
    assert drawn.stops and "image/svg+xml" in drawn.says
    assert rules("n.ipynb", notebook(**{"application/vnd.vegalite.v5+json": {}}))["type-not-allowed"].stops
    shows = rules("n.ipynb", notebook(**{"text/html": ["<div>", "<table border>"]}))["unreadable"]
    assert not shows.stops and "1 table(s)" in shows.says
    for broken in (b"{", b"[]", b'{"cells": 3}', b'{"cells": [3, {"outputs": [3]}]}', b"[" * 100_000):
        assert set(rules("n.ipynb", broken)) <= {"unreadable"}


@pytest.mark.parametrize(
    ("cell", "rule", "said"),
    [
        ({"outputs": [{"text": ["id,age\n"] * 2001}]}, "many-rows", "more than 2,000 lines"),
        ({"outputs": [{"text": "0    44\n" * 5}]}, "unreadable", "1 table(s)"),
        ({"outputs": [{"data": {"text/plain": ["   id  age\n"] + ["0  12  44\n"] * 5}}]}, "unreadable", "1 table(s)"),
        ({"outputs": [{"data": {"text/plain": ["n\n 3\n"] * 1001}}]}, "many-rows", "more than 2,000 lines"),
        ({"metadata": {"rows": list(range(1001))}}, "row-level", "1,001 numbers"),
        ({"metadata": {"rows": ["id,44"] * 50}}, "row-level", "50 of its lines look like rows"),
        ({"metadata": {"image/png": "id,44\n" * 50}}, "row-level", "50 of its lines look like rows"),
        ({"execution_count": [44] * 1001}, "row-level", "1,001 numbers"),
        ({"attachments": {"x.svg": {"image/svg+xml": "PHN2Zz4="}}}, "type-not-allowed", "image/svg+xml"),
        ({"outputs": [{"data": {"text/html": "<div><svg><path/>"}}]}, "type-not-allowed", "SVG"),
        ({"attachments": {"x": {"image/png": base64.b64encode(png() + LIST).decode()}}}, "not-as-named", "follow"),
        ({"outputs": [{"data": {"image/png": LIST.decode()}}]}, "not-as-named", "is no picture"),
    ],
)
def test_nothing_in_a_notebook_is_overlooked(cell: dict[str, Any], rule: str, said: str) -> None:
    found = rules("n.ipynb", json.dumps({"cells": [cell], "metadata": {"kernelspec": {"name": "python3"}}}).encode())
    assert said in found[rule].says and found[rule].remedy
    assert found[rule].stops == (rule in ("type-not-allowed", "not-as-named"))


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
