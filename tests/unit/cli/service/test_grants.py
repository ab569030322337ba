from __future__ import annotations

from pathlib import Path

import pytest

from pets.cli.main import run
from pets.ledger.grants import Grants
from tests.http_services import custodian


def test_a_grant_is_given_listed_and_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keeper, address = custodian(tmp_path), ["--ledger", str(tmp_path / "ledger.db"), "--dataset", "stays"]
    whom = ["--project", "asthma", "--analyst", "amina", "--by", "vera"]
    begin = ["service", "grant"]
    assert run([*begin, "list", *address]) == 0 and "all logins may ask" in capsys.readouterr().err
    assert run([*begin, "add", *address, *whom, "--role", "analyst", "--role", "auditor"]) == 0
    granted = Grants(keeper.ledger).of("stays", "asthma", "amina")
    assert granted is not None and granted.roles == ("analyst", "auditor")
    capsys.readouterr()
    assert run([*begin, "list", *address]) == 0
    assert capsys.readouterr().out.startswith(f"amina, project asthma: analyst, auditor (entry {granted.seq} of")
    assert run([*begin, "end", *address, *whom]) == 0
    assert Grants(keeper.ledger).of("stays", "asthma", "amina") is None and Grants(keeper.ledger).any("stays")
    capsys.readouterr()
    assert run([*begin, "list", *address]) == 0 and "nobody may ask" in capsys.readouterr().err
    # mistakes are one sentence
    assert run([*begin, "end", *address, *whom]) != 0 and "has no grant" in capsys.readouterr().err
    wrong = [*begin, "add", *address, *whom, "--role", "analist"]
    assert run(wrong) != 0 and "did you mean 'analyst'" in capsys.readouterr().err
    assert run([*begin, "add", *address[:2], "--dataset", "stay", *whom]) != 0
    assert "has no dataset 'stay'" in capsys.readouterr().err
