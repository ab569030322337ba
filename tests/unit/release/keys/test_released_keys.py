"""Released keys as a thing of their own: saved, read back, refused where edited, shown, and cut to the largest."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical, digest
from pets.errors import QueryError, UserError
from pets.release.certificate import PREDICATE, STATEMENT, Certificate
from pets.release.keys.released_keys import ReleasedKeys

FORM: dict[str, Any] = dict.fromkeys(ReleasedKeys.PARTS, "x") | {
    "pets": "keys",
    "version": 1,
    "keys": {"table": "apc", "by": ["code", "sex"], "groups": 3},
    "rows": [["A00", "F"], ["B01", "M"], ["B02", None], [None, "F"]],
    "people": [120, 90, 120, 55],
    "scale": "7.5",
    "threshold": 51,
    "data": "real",
    "cost": {"currency": "zcdp", "loss": 5, "delta": 7},
    "guarantee": "Differentially private.",
    "notes": ["one"],
}


def signed(form: dict[str, Any]) -> ReleasedKeys:
    """Keys with a certificate about them; nothing here looks at its signature."""
    statement = {"_type": STATEMENT, "predicateType": PREDICATE, "subject": [{"digest": {"sha256": digest(form)}}]}
    payload = base64.b64encode(canonical(statement)).decode()
    return ReleasedKeys(form, Certificate({"payload": payload, "signatures": []}))


KEYS = signed(FORM)


def test_what_it_says() -> None:
    assert KEYS.columns == ("code", "sex")
    assert KEYS.rows[2] == ("B02", None)
    assert (KEYS.threshold, KEYS.scale, KEYS.notes, KEYS.cost["delta"]) == (51, 7.5, ("one",), 7)
    assert KEYS.table.to_numpy().tolist() == [
        ["A00", "F", 120],
        ["B01", "M", 90],
        ["B02", "missing", 120],
        ["missing", "F", 55],
    ]
    assert KEYS.to_json() == {"columns": ["code", "sex"], "rows": FORM["rows"]}
    assert "4 keys of code, sex that at least about 51 people have" in repr(KEYS)
    assert "Differentially private." in KEYS._repr_html_()
    assert "B02" in KEYS._repr_html_()


def test_html_is_escaped() -> None:
    made = ReleasedKeys(FORM | {"rows": [["<b>", "F"]], "people": [60]})
    assert "<b>" not in made._repr_html_()
    assert "&lt;b&gt;" in made._repr_html_()


def test_the_largest_are_a_view() -> None:
    assert KEYS.top(2) == pets.KeySet(("code", "sex"), (("A00", "F"), ("B02", None)))
    assert KEYS.top(1).rows == (("A00", "F"),)
    assert KEYS.top(99).rows == KEYS.rows
    for wrong in (0, -1, 1.5, "3", True, None):
        with pytest.raises(QueryError, match="top takes a whole number above 0"):
            KEYS.top(wrong)  # type: ignore[arg-type]
    with pytest.raises(QueryError):
        ReleasedKeys(FORM | {"rows": [], "people": []}).top(3)


def test_it_is_saved_and_read_back(tmp_path: Path) -> None:
    path = KEYS.save(tmp_path / "keys.json")
    assert ReleasedKeys.load(path) == KEYS
    assert pickle.loads(pickle.dumps(KEYS)) == KEYS
    assert hash(ReleasedKeys.load(path)) == hash(KEYS)
    assert path.read_bytes() == KEYS.save(tmp_path / "again.json").read_bytes()
    for wrong in ("keys.csv", 3):
        with pytest.raises(
            UserError, match=r"keys are written to a \.json file|the keys cannot be written to 3; give a"
        ):
            KEYS.save(tmp_path / wrong if isinstance(wrong, str) else wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="cannot be read"):
        ReleasedKeys.load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "edit",
    [
        {"people": [120, 90, 120]},
        {"people": [120, 90, 120, 50]},
        {"people": [120, 90, 120, 55.5]},
        {"rows": [["B01", "M"], ["A00", "F"], ["B02", None], [None, "F"]]},
        {"rows": [["A00", "F"], ["A00", "F"], ["B02", None], [None, "F"]]},
        {"rows": [["A00"], ["B01"], ["B02"], ["C"]]},
        {"version": 2},
        {"pets": "release"},
        {"digest": "0" * 64},
        {"more": 1},
    ],
)
def test_what_was_edited_is_refused(edit: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(canonical(json.loads(KEYS.save(path).read_bytes()) | edit))
    with pytest.raises(UserError, match=r"no keys as pets released them|the keys cannot be read from"):
        ReleasedKeys.load(path)


@pytest.mark.parametrize("taken", [{"digest"}, {"certificate"}, {"digest", "certificate"}])
def test_a_file_without_its_digest_or_its_certificate_is_refused(taken: set[str], tmp_path: Path) -> None:
    """Such as one to which a key was added by hand: its guarantee would be about other keys."""
    path = KEYS.save(tmp_path / "keys.json")
    form = json.loads(path.read_bytes())
    more = {"rows": [*FORM["rows"][:3], ["B03", "M"], FORM["rows"][3]], "people": [120, 90, 120, 99, 55]}
    form |= more if "certificate" in taken and "digest" in taken else {}
    path.write_bytes(canonical({name: part for name, part in form.items() if name not in taken}))
    with pytest.raises(UserError, match=r"lacks the digest or the certificate .* ask for the original file"):
        ReleasedKeys.load(path)
    dummy = ReleasedKeys(FORM | {"data": "dummy"})
    assert ReleasedKeys.load(dummy.save(path)) == dummy


def test_what_was_released_cannot_be_changed_in_place() -> None:
    given = json.loads(json.dumps(FORM))
    keys = ReleasedKeys(given)
    given["people"][0] = keys.form["people"][0] = 10**6
    given["cost"]["loss"] = keys.form["cost"]["loss"] = 0
    keys.form["rows"][1][0] = given["rows"][1][0] = "Z99"
    assert keys.form == FORM
    assert keys.table["people"].tolist() == FORM["people"]
    assert keys.top(1).rows == (("A00", "F"),)
    assert keys.cost["loss"] == 5


@pytest.mark.parametrize(("by", "count"), [(["people", "sex"], "people_2"), (["people", "people_2"], "people_3")])
def test_a_key_may_have_the_name_of_the_counts(by: list[str], count: str) -> None:
    keys = ReleasedKeys(FORM | {"keys": FORM["keys"] | {"by": by}})
    assert keys.table.columns.tolist() == [*by, count]
    assert keys.table["people"].tolist() == ["A00", "B01", "B02", "missing"]
    assert keys.table[count].tolist() == FORM["people"]
    assert count in keys._repr_html_() and count in repr(keys)
