from __future__ import annotations

from pathlib import Path

import pytest

from pets.cli.main import run
from pets.ledger.ledger import Ledger
from pets.ledger.tokens import Tokens
from tests.ledgers import account


def test_a_token_is_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = str(tmp_path / "ledger.db")
    with Ledger(address) as ledger:
        account(ledger, "stays")
    begin = ["service", "token"]
    assert run([*begin, "list", "--ledger", address]) == 0 and "no token yet" in capsys.readouterr().out
    flags = ["--subject", "nightly", "--project", "asthma", "--dataset", "stays", "--days", "90", "--role", "auditor"]
    assert run([*begin, "create", "--ledger", address, *flags]) == 0
    made = capsys.readouterr()
    secret = made.out.strip()  # alone, so that a script can keep it
    with Ledger(address) as ledger:
        token = Tokens(ledger).find(secret)
    assert token is not None and (token.subject, token.project, token.roles) == ("nightly", "asthma", ("auditor",))
    assert token.datasets == ("stays",) and token.expires is not None and secret not in made.err
    assert run([*begin, "list", "--ledger", address]) == 0
    listed = capsys.readouterr().out
    assert token.id in listed and "nightly, project asthma: auditor; stays; in force until" in listed
    assert secret not in listed
    assert run([*begin, "revoke", token.id, "--ledger", address]) == 0
    with Ledger(address) as ledger:
        assert Tokens(ledger).find(secret) is None
    capsys.readouterr()
    assert run([*begin, "list", "--ledger", address]) == 0 and "revoked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["create", "--subject", "a", "--project", "b", "--days", "0"], "--days must be above 0"),
        (["create", "--subject", "a", "--project", "b", "--role", "analist"], "did you mean 'analyst'"),
        (["create", "--subject", "", "--project", "b"], "printable text"),
        (
            ["create", "--subject", "a", "--project", "b", "--dataset", "stay"],
            "no dataset 'stay'; did you mean 'stays'?",
        ),
        (["revoke", "none"], "there is no token 'none'"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    address = str(tmp_path / "ledger.db")
    with Ledger(address) as ledger:
        account(ledger, "stays")
    assert run(["service", "token", *flags, "--ledger", address]) != 0
    assert said in capsys.readouterr().err
    with Ledger(address) as ledger:
        assert Tokens(ledger).all() == []
