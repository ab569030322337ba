"""``pets group-keys`` and ``pets query --by keys.json``: from texts that nobody listed to an answer, in a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import pets
from pets.cli import main
from pets.release.keys.released_keys import ReleasedKeys

SCHEMA = """
dataset: episodes
tables:
  apc:
    unit: {column: person, max_rows: 2}
    columns:
      person: {type: identifier}
      diagnosis: {type: text, max_length: 7, form: icd10}
      sex: {type: category, values: [F, M]}
"""
BY = ["--schema", "apc.yaml", "--by", "diagnosis"]
LEDGER = ["--ledger", "ledger.db"]
WHO = ["--reason", "codes", "--by", "A", "--by", "B"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "apc.yaml").write_text(SCHEMA)
    rows = pd.DataFrame({"person": range(400), "diagnosis": ["I21.0", "J45"] * 200, "sex": ["F", "M"] * 200})
    rows.loc[0, "diagnosis"] = "Q99"
    rows.to_csv(tmp_path / "apc.csv", index=False)
    return tmp_path


def test_keys_are_released_and_grouped_by(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["snapshot", "--schema", "apc.yaml", "--data", "apc.csv", "--out", "ready"]) == 0
    asked = ["group-keys", *BY, *LEDGER, "--snapshots", "ready", "--epsilon", "1", "--out", "keys.json"]
    assert main.run(["ledger", "open", *LEDGER, "--schema", "apc.yaml", "--budget-epsilon", "9"]) == 0
    capsys.readouterr()
    assert main.run(asked) == 6
    # the line that the refusal names is typed as it stands, with the names filled in
    line = capsys.readouterr().err.partition("pets ledger change ")[2].split()
    named = [{"FILE": "ledger.db", "WHY": "codes"}.get(word, word) for word in line]
    for name in ("episodes", "A", "B"):
        named[named.index("NAME")] = name
    assert main.run(["ledger", "change", *named]) == 0
    assert main.run([*asked, "--quote"]) == 0
    assert "A key shows from a noisy count of" in capsys.readouterr().out
    assert not Path("keys.json").exists()
    assert main.run(asked) == 0
    shown = capsys.readouterr()
    assert "I210" in shown.out and "Q99" not in shown.out + shown.err
    assert ReleasedKeys.load("keys.json").rows == (("I210",), ("J45",))
    assert main.run(["verify", "keys.json", "--key", "ledger.db.pub"]) == 0
    assert "promise: it follows" in capsys.readouterr().out
    answer = ["query", "--schema", "apc.yaml", *LEDGER, "--snapshots", "ready", "--by", "keys.json", "--count", "n"]
    assert main.run([*answer, "--epsilon", "1"]) == 0
    assert "J45" in capsys.readouterr().out
    assert main.run(["ledger", "change", *LEDGER, "--dataset", "episodes", "--budget-delta", "2e-6", *WHO]) == 0
    assert "threshold_delta': '0.0000002'" in capsys.readouterr().out  # the share that it had


def test_invented_rows_and_mistakes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    price = ["--epsilon", "3", "--threshold-delta", "1e-7"]
    assert main.run(["group-keys", *BY, *price, "--dummy", "--groups", "1"]) == 0
    assert "DUMMY DATA" in capsys.readouterr().out
    for wrong, said in (
        (["--by", "nothing"], "column 'nothing' is not in table"),
        (["--groups", "99"], "groups must be a whole number"),
        (["--where", "sex == 'F' and"], "cannot be read"),
        (["--out", "keys.csv"], "data"),
    ):
        assert main.run(["group-keys", *BY, *price, *wrong]) != 0
        assert said in capsys.readouterr().err


def test_a_key_set_that_was_written_is_grouped_by(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("codes.json").write_text(json.dumps(pets.KeySet.of([{"diagnosis": "I21.0"}, {"diagnosis": "Z38"}]).to_json()))
    answer = ["query", "--schema", "apc.yaml", "--dummy", "--count", "n", "--epsilon", "1", "--by"]
    assert main.run([*answer, "codes.json"]) == 0
    shown = capsys.readouterr().out
    assert "I210" in shown and "Z38" in shown
    assert main.run([*answer, "codes.json", "--by", "sex"]) == 4
    assert "the key set does not list 'sex'; group by keys * pets.KeySet" in capsys.readouterr().err
    Path("sex.json").write_text('{"columns": ["sex"], "rows": [["F"], ["M"]]}')
    assert main.run([*answer, "codes.json", "--by", "sex.json"]) == 0
    assert capsys.readouterr().out.count("Z38") == 2
    for wrong, said in (
        ('{"columns": ["diagnosis"], "rows": []}', "a key set needs at least one row of keys"),
        ('{"columns": ["diagnosis"]}', "no keys as pets released them"),
        ("[", "give a file such as"),
    ):
        Path("codes.json").write_text(wrong)
        assert main.run([*answer, "codes.json"]) != 0
        assert said in capsys.readouterr().err
