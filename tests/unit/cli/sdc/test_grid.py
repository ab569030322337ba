"""``pets sdc grid``: what follows of a grid is shown first, and it leaves with the word that ends it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import pets
from pets.cli.main import run
from pets.session.disclosure import solving
from tests.checked_tables import BUDGET, SCHEMA, N, T, of_counts, searched_here, total

LINE = ["sdc", "grid", "--schema", "people.json", "--snapshots", "ready", "--ledger", "ledger.db"]
ASKED = ["--preset", "hes", "--by", "region", "--count", "n"]


@pytest.fixture
def custodian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pets.Custodian:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(solving, "_replies", searched_here)
    Path("people.json").write_text(json.dumps(SCHEMA.to_json()))
    rows = of_counts({("f", "N"): 50, ("m", "E"): 31, ("f", "W"): 2})
    policy = pets.Policy(allow_unbounded=True, sdc=("hes",))
    return pets.Custodian(
        SCHEMA, rows, budget=BUDGET, ledger="ledger.db", snapshots="ready", policy=policy, progress=False
    )


def test_the_first_grid_leaves_at_once_and_is_the_same_when_named_again(
    custodian: pets.Custodian, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert run([*LINE, *ASKED]) == 0
        out = capsys.readouterr().out
        assert "50 [48, 52]" in out and "* [1, 7]" in out
    assert len(custodian.history()) == 1


def test_after_a_total_it_shows_what_follows_and_waits_for_the_word(
    custodian: pets.Custodian, capsys: pytest.CaptureFixture[str]
) -> None:
    total(custodian, T.where(pets.col("region") == "W").agg(n=N))
    assert run([*LINE, *ASKED]) == 30
    shown = capsys.readouterr().out
    assert "1 small numbers of people were released as they are" in shown and len(custodian.history()) == 1
    assert run([*LINE, *ASKED, "--confirm", "0123456789ab"]) == 30
    assert "the word of another comparison" in capsys.readouterr().err
    (word,) = re.findall("confirm='([0-9a-f]+)'", shown)
    assert run([*LINE, *ASKED, "--confirm", word]) == 0
    assert len(custodian.history()) == 2


def test_it_needs_a_ledger(custodian: pets.Custodian, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*LINE[:-2], *ASKED]) != 0
    assert "add --ledger ledger.db" in capsys.readouterr().err
