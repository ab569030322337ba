"""``pets review key`` and ``--key``: a checker's own key on the command line, and in Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import pets
from pets.cli.main import run
from pets.common import signing
from pets.errors import ForbiddenError, LedgerError
from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.ledger.review.output import Rules
from pets.ledger.review.outputs import Outputs
from tests.ledgers import account
from tests.unit.ledger.review.test_outputs import holds, submit
from tests.unit.session.airlock.test_airlock import CONTEXT, CONTROLS, TABLE
from tests.unit.verify.test_check import SCHEMA

WHY = ["--reason", "Jo checks from May on", "--by", "A. One", "--by", "B. Two"]


def test_a_key_is_made_trusted_used_and_revoked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    books = ["--ledger", "ledger.db"]
    with Ledger("ledger.db") as ledger:
        account(ledger)
        made = submit(ledger, rules=Rules(logins=True))
        held = Queue(ledger).put("d", "p", "amina", "release", {"queries": [1]}, None, held=True)
    assert run(["review", "key", "new", "jo.key"]) == 0
    assert "jo.key signs (keep it to yourself), jo.pub is for the custodians" in capsys.readouterr().out
    assert Path("jo.key").stat().st_mode & 0o077 == 0
    assert run(["review", "key", "new", "jo.key"]) == 2
    about = ["jo.pub", "--checker", "jo", "--dataset", "d", *books]
    approve = ["review", "approve", made.id, "--by", "jo", "--digest", made.digest[:12], *books]
    assert run(approve) == 18 and "or signs them" in capsys.readouterr().err
    assert run([*approve, "--key", "jo.key"]) == 18 and "not trusted to sign votes of jo" in capsys.readouterr().err
    assert run(["review", "key", "list", "--dataset", "d", *books]) == 0
    assert "No checker's key" in capsys.readouterr().err
    assert run(["review", "key", "trust", *about, *WHY]) == 0
    assert run(["review", "key", "list", "--dataset", "d", *books]) == 0
    assert capsys.readouterr().out.rstrip().endswith("jo  trusted")
    assert run([*approve, "--key", "other.key"]) == 2 and "pets review key new other.key" in capsys.readouterr().err
    assert run([*approve, "--key", "jo.key"]) == 0
    assert "Voted; the output is partially-reviewed." in capsys.readouterr().err
    no = ["review", "approve", held.id, "--by", "jo", "--key", "jo.key", *books]
    assert run(no) == 2 and "leave --key out" in capsys.readouterr().err
    assert run(["review", "key", "revoke", *about, *WHY]) == 0
    assert run(["review", "key", "list", "--dataset", "d", *books]) == 0
    assert capsys.readouterr().out.rstrip().endswith("jo  revoked")
    with Ledger("ledger.db") as ledger:
        again = submit(ledger, b"x,n\na,20\n", rules=Rules(logins=True))
    for verb in (["return", "--now"], ["return"], ["reject"]):
        more = ["--reason", "other", "--by", "jo", "--digest", again.digest, "--key", "jo.key", *books]
        assert run(["review", verb[0], again.id, *verb[1:], *more]) == 18
        assert "was revoked" in capsys.readouterr().err
    with Ledger("ledger.db") as ledger:
        holds(ledger, tmp_path)
        assert Outputs(ledger).find(made.id).voted == 1


def test_approvers_sign_a_draft_of_the_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Ledger("ledger.db") as ledger:
        account(ledger)
    assert run(["review", "key", "new", "jo.key"]) == 0
    about = ["jo.pub", "--checker", "jo", "--dataset", "d", "--ledger", "ledger.db", *WHY]
    assert run(["review", "key", "trust", *about, "--draft", "change.json"]) == 0
    assert json.loads(Path("change.json").read_text())["signatures"] == []
    assert run(["ledger", "apply", "change.json", "--ledger", "ledger.db"]) == 0


@pytest.fixture
def keeper() -> Iterator[pets.Custodian]:
    with pets.Ledger() as ledger:
        yield pets.Custodian(SCHEMA, None, ledger=ledger, budget=pets.Budget(1, 1e-6), progress=False)


def test_the_same_in_python(keeper: pets.Custodian, tmp_path: Path) -> None:
    desk, by = keeper.airlock, ["A. One", "B. Two"]
    mine = keeper.session(analyst="amina", project="stroke").airlock
    made = mine.submit({"stays.csv": TABLE}, context=CONTEXT, controls=CONTROLS)
    signing.load_or_make(tmp_path / "jo.key")
    seen = desk.look(made.id, by="jo")
    with pytest.raises(ForbiddenError, match="not trusted to sign votes of jo"):
        desk.decide(seen, "approve", by="jo", key=tmp_path / "jo.key")
    desk.trust_key(tmp_path / "jo.pub", checker="jo", reason="from May on", by=by)
    assert desk.decide(seen, "approve", by="jo", key=tmp_path / "jo.key").state == "partially-reviewed"
    desk.revoke_key(tmp_path / "jo.pub", checker="jo", reason="it was lost", by=by)
    with pytest.raises(LedgerError, match="make another"):
        desk.trust_key(tmp_path / "jo.pub", checker="jo", reason="found again", by=by)
    other = mine.submit({"other.csv": TABLE}, context=CONTEXT, controls=CONTROLS)
    with pytest.raises(ForbiddenError, match="was revoked"):
        desk.send_back(desk.look(other.id, by="jo"), by="jo", reason="unclear", key=tmp_path / "jo.key")
