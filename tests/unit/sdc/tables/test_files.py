"""Files as offices publish them: titles, notes, semicolons, another encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from pets.errors import DataError
from pets.sdc.tables.checking import check
from pets.sdc.tables.files import of_text, read_table

PUBLISHED = """Table 3.1: Admissions by area,,,
"Source: invented, 2026",,,

Area,Female,Male,Total
North,[c],20,23
South,"1,040",960,"2,000"
Total,"1,043",980,"2,023"

[c] small counts are hidden,,,
Released 1 March 2026,,,
"""


def test_titles_above_and_notes_below_are_left_out(tmp_path: Path) -> None:
    table = of_text(PUBLISHED, "t")
    assert list(table) == ["Area", "Female", "Male", "Total"] and list(table["Area"]) == ["North", "South", "Total"]
    file = tmp_path / "admissions.csv"
    file.write_text(PUBLISHED, "utf-8")
    assert [one.derivation for one in check(file).failed] == ["cell (North, Female) is 3: 23 − 20"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_semicolons_and_encodings(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes("Land;Anzahl\nKärnten;12\nTirol;34\n".encode(encoding))
    assert list(read_table(file)["Land"]) == ["Kärnten", "Tirol"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("t.xlsx", b"", "save it as CSV"), ("t.csv", b"", "holds no table"), ("t.parquet", b"x", "save it as CSV")],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_table(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for folder, total in (("a", 57), ("b", 48)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text(f"sex,n\nTotal,{total}\n")
    (one,) = check([tmp_path / "a" / "t.csv", str(tmp_path / "b" / "t.csv")]).failed
    assert one.derivation == "the difference everybody in t.csv and not in t.csv (2) is 9: 57 − 48"
