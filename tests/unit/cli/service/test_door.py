"""``pets review look`` and ``approve --finding``: tables outside the grid, on the machine where the rows are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import pets
from pets.cli.main import run
from pets.ledger.ledger import Ledger
from pets.session.disclosure import solving
from tests.checked_tables import SCHEMA, searched_here, total
from tests.doors import HES, OPEN, asked, days, kept


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(solving, "_replies", searched_here)
    monkeypatch.chdir(tmp_path)
    Path("people.json").write_text(json.dumps(SCHEMA.to_json()))
    policy = {name: list(part) if isinstance(part, tuple) else part for name, part in OPEN.items()}
    dataset = {"schema": "people.json", "snapshots": "ready", "policy": policy}
    Path("service.yaml").write_text(yaml.safe_dump({"ledger": "ledger.db", "datasets": [dataset]}))
    other = dataset | {"schema": "other.json"}
    Path("other.json").write_text(json.dumps(SCHEMA.to_json() | {"dataset": "another"}))
    Path("other-service.yaml").write_text(yaml.safe_dump({"ledger": "ledger.db", "datasets": [other]}))
    return "ledger.db"


def waiting(address: str, narrow: bool) -> str:
    with Ledger(address) as ledger:
        custodian = kept([1, 1, 40] if narrow else None, ledger=ledger, snapshots="ready")
        if narrow:
            total(custodian, days(0, 1))
        return asked(custodian, days(0, 0) if narrow else days(0, 1))


@pytest.mark.parametrize(("narrow", "code"), [(False, 0), (True, 31)])
def test_a_table_is_looked_at_and_let_leave(
    address: str, capsys: pytest.CaptureFixture[str], narrow: bool, code: int
) -> None:
    request = waiting(address, narrow)
    where = ["--ledger", address, "--config", "service.yaml"]
    assert run(["review", "look", request, *where]) == code
    said = capsys.readouterr().out
    assert said.startswith("Attack" if narrow else "Proved")
    digest = said.strip().rpartition("Digest: ")[2]
    letting = ["review", "approve", request, "--by", "jo", "--finding", digest[:12], *where]
    if narrow:
        assert run(letting) == 21 and "answers for it" in capsys.readouterr().err
        letting += ["--anyway", "both consented"]
    assert run(letting) == 0 and "Approved" in capsys.readouterr().err
    with Ledger(address) as ledger:
        custodian = pets.Custodian(
            SCHEMA, None, ledger=ledger, policy=pets.Policy(**OPEN), snapshots="ready", progress=False
        )
        table = custodian.session(analyst="ann").release(days(0, 0) if narrow else days(0, 1), HES)
        assert table.form["review"]["found"] == ("attack" if narrow else "proved")


def test_what_is_wrong_with_it_is_one_sentence(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    request = waiting(address, False)
    for more, said in (
        ([], "name the service.yaml"),
        (["--config", "other-service.yaml"], "does not serve the dataset 'checked-tables'"),
    ):
        assert run(["review", "look", request, "--ledger", address, *more]) == 2
        assert said in capsys.readouterr().err
    assert run(["review", "look", "0" * 32, "--ledger", address, "--config", "service.yaml"]) != 0
    assert "is held" in capsys.readouterr().err
    assert run(["review", "approve", request, "--by", "jo", "--ledger", address]) == 21
    assert run(["review", "refuse", request, "--by", "jo", "--reason", "out-of-scope", "--ledger", address]) == 0
