"""Chosen groups: in the order of the choice, a key set in their own; saved, read, refused where they were edited."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import pets
from pets import KeySet
from pets.errors import UserError
from pets.release.keys.read_keys import read_keys
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys

FORM: dict[str, Any] = dict.fromkeys(TopKeys.PARTS, "x") | {
    "pets": "top",
    "version": 1,
    "query": {"by": [{"key": "column", "column": "code"}, {"key": "column", "column": "rank"}]},
    "rows": [["b", 1], [None, 2], ["a", 3]],
    "k": 3,
    "candidates": 10,
    "counted": "people",
    "scale": "2.5",
    "data": "dummy",
    "notes": ["one"],
    "cost": {"currency": "zcdp", "loss": 0, "delta": 0},
}


def test_they_are_ranked_and_grouped_by_in_their_own_order() -> None:
    keys = TopKeys(FORM)
    assert isinstance(keys, pets.KeySet)
    assert keys.rows == (("b", 1), (None, 2), ("a", 3))
    assert keys.plain().rows == (("a", 3), ("b", 1), (None, 2))
    assert keys.table.to_dict("list") == {"code": ["b", "missing", "a"], "rank": [1, 2, 3], "rank_2": [1, 2, 3]}
    assert "The 3 of 10 groups of code, rank with most people" in repr(keys) and "DUMMY DATA" in repr(keys)
    assert "rank_2" in keys._repr_html_()
    assert (keys.candidates, keys.scale, keys.notes, keys.guarantee) == (10, 2.5, ("one",), "x")
    assert pickle.loads(pickle.dumps(keys)) == keys


def test_they_are_saved_and_read(tmp_path: Path) -> None:
    keys = TopKeys(FORM)
    path = keys.save(tmp_path / "top.json")
    assert TopKeys.load(path) == read_keys(path) == KeySet.load(path) == keys
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps(keys.plain().to_json()))
    assert KeySet.load(listed) == keys.plain() and type(KeySet.load(listed)) is KeySet
    with pytest.raises(UserError, match="cannot be read from"):
        KeySet.load(tmp_path / "none.json")
    with pytest.raises(UserError, match="these are no keys"):
        ReleasedKeys.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": [["b", 1], ["a", 3]]},
        {"rows": [["b", 1], ["b", 1], ["a", 3]]},
        {"candidates": 3},
        {"k": 2},
        {"pets": "keys"},
        {"version": 2},
        {"more": 1},
    ],
)
def test_what_was_edited_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="these are no keys as pets released them"):
        TopKeys.sealed(FORM | change)
    (tmp_path / "top.json").write_text(json.dumps(FORM | change))
    with pytest.raises(UserError):
        read_keys(tmp_path / "top.json")


def test_a_file_of_real_rows_holds_its_certificate(tmp_path: Path) -> None:
    path = TopKeys(FORM | {"data": "real"}).save(tmp_path / "top.json")
    with pytest.raises(UserError, match="lacks the digest or the certificate"):
        read_keys(path)
