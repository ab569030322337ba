"""Manifest: what an output consists of, by its bytes; and names that lead nowhere else."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pets.errors import UserError
from pets.ledger.review.manifest import LONGEST, Manifest, check_names

TABLE = b"region,n\nNorth,120\n"
SAID = {"context": "Stays by region, for the paper.", "controls": "Counts below 10 are hidden."}


def test_any_change_is_another_digest() -> None:
    made = Manifest.of({"b.csv": TABLE, "a.csv": TABLE}, **SAID)
    assert [(one.name, one.size) for one in made.files] == [("a.csv", len(TABLE)), ("b.csv", len(TABLE))]
    assert made.file("a.csv").sha256 == hashlib.sha256(TABLE).hexdigest()
    assert Manifest.from_json(made.to_json()) == made
    others = [
        Manifest.of({"b.csv": TABLE, "a.csv": TABLE.replace(b"120", b"125")}, **SAID),
        Manifest.of({"b.csv": TABLE, "c.csv": TABLE}, **SAID),
        Manifest.of({"b.csv": TABLE}, **SAID),
        Manifest.of({"b.csv": TABLE, "a.csv": TABLE}, **(SAID | {"context": "Stays by region, for a talk."})),
        Manifest.of({"b.csv": TABLE, "a.csv": TABLE}, **(SAID | {"controls": "Counts below 8 are hidden."})),
    ]
    assert len({made.digest, *(one.digest for one in others)}) == 6
    with pytest.raises(UserError, match=r"the output has no file 'a\.cvs'; did you mean 'a\.csv'"):
        made.file("a.cvs")


NAMES = ["../a.csv", "/a.csv", "a/../b.csv", "a//b.csv", "", ".", ".hidden.csv", "a\\b.csv", "c:a.csv", "a\n.csv"]
NAMES += [" a.csv", "a/ /b.csv", "x" * LONGEST + ".csv", "a?.csv"]


@pytest.mark.parametrize("name", [*NAMES, 3])
def test_a_name_leads_nowhere_else(name: Any) -> None:
    with pytest.raises(UserError, match="is no name of a file in an output"):
        check_names({name: b""})


def test_names_differ_by_more_than_capitals() -> None:
    check_names({"a b/Table 1.csv": b"", "résumé.md": b""})
    with pytest.raises(UserError, match="but for capitals"):
        check_names({"A.csv": b"", "a.csv": b""})
    with pytest.raises(UserError, match="forms of a letter; rename one"):
        check_names({"re\u0301sume\u0301.md": b"", "R\u00e9sum\u00e9.md": b""})


def test_no_file_is_a_folder_of_another() -> None:
    check_names({"a.csv": b"", "b/a.csv": b"", "b/c/a.csv": b""})
    for names in (("a.csv", "a.csv/b.csv"), ("A.csv/b/c.csv", "a.csv")):
        with pytest.raises(UserError, match="in a folder that is named as another file of the output"):
            check_names(dict.fromkeys(names, b""))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"context": "x" * 10_001}, "context is a text of at most 10,000 letters"),
        ({"controls": None}, "controls is a text of at most"),
        ({"context": "a\x00" * 30}, "context is a text"),
        ({"controls": "\ud800" * 30}, "half a character"),
        ({"files": {"a.csv": "text"}}, "are its bytes by name, or a folder"),
        ({"files": {}}, "an output has 1 to 50 files; name at least one file"),
        ({"files": {"a.svg": b"<svg>", "b.pkl": b"x"}}, r"a\.svg: .*save the picture as \.png.*\(and 1 more"),
    ],
)
def test_what_may_not_be_submitted(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Manifest.of(**({"files": {"a.csv": TABLE}} | SAID | changed))
