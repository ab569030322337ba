"""``--service URL``: a service's quote and answer on the command line, and what does not go beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.cli.main import run
from pets.errors import HeldError
from pets.release.release import Release
from pets.service.client.transport import Transport
from tests.service_stub import TOKEN, URL, Stub

SCHEMA = pets.Schema(
    {"stays": pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "sex": pets.Category(["f", "m"], nullable=False)})},
    dataset="cli-service",
)
ROWS = pd.DataFrame({"id": [f"p{i}" for i in range(300)], "sex": ["f", "m", "m"] * 100})
ASK = ["--service", URL, "--by", "sex", "--count", "n", "--epsilon", "1"]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stub:
    custodian = pets.Custodian(SCHEMA, ROWS, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
    found = Stub(custodian.session(analyst="amina", project="stroke"), custodian.ledger.key.raw)

    def carried(*given: Any, **more: Any) -> Transport:
        return Transport(*given, **more | {"sent_by": found})

    monkeypatch.setattr("pets.service.client.connect.Transport", carried)
    monkeypatch.setenv("PETS_TOKEN", TOKEN)
    (tmp_path / "ledger.pub").write_text(custodian.ledger.key.raw.hex())
    return found


def test_a_service_is_asked_as_one_s_own_data_is(
    stub: Stub, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["quote", *ASK]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(
        stub.session.quote(pets.query("stays").group_by("sex").agg(n=pets.count()), pets.DP(epsilon=1))
    )
    assert "pin it: pets.connect" in told.err
    out = tmp_path / "answer.json"
    assert run(["query", *ASK, "--ledger-key", str(tmp_path / "ledger.pub"), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert Release.load(out) == stub.session.release(
        pets.query("stays").group_by("sex").agg(n=pets.count()), pets.DP(epsilon=1)
    )
    assert told.err.startswith(f"service: {URL}, dataset cli-service; Spent ε = ") and TOKEN not in told.err + told.out
    assert run(["query", "--service", URL, "--by", "sex", "--count", "n", "--dummy"]) == 0
    assert "DUMMY" in capsys.readouterr().out


def test_the_history_says_what_became_of_each_request(
    stub: Stub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert run(["history"]) == 2
    assert "add --service URL" in capsys.readouterr().err
    assert run(["history", "--service", URL]) == 0
    assert capsys.readouterr().out == "No request yet.\n"
    assert run(["query", *ASK]) == 0
    with stub.session._custody.account.ledger.writing() as (tx, _):  # as a person would mark it
        tx.connection.exec_driver_sql("UPDATE pets_requests SET review = 'refused'")
    capsys.readouterr()
    assert run(["history", "--service", URL, "--last", "5", "--project", "stroke"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3 and told[1].split()[2:] == ["stroke", "amina", "count", "by", "sex", "refused", "1"]
    assert run(["history", "--service", URL, "--analyst", "nobody"]) == 0
    assert capsys.readouterr().out == "No request yet.\n"
    assert run(["history", "--service", URL, "--last", "0"]) == 2


def test_what_is_held_is_shown_by_the_same_command_later(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    def held(answer: Any) -> Any:
        raise HeldError("a second person approves it; fetch it later with connection.fetch('job0')")

    usual, stub.edit = stub.edit, held
    assert run(["query", *ASK, "--key", "first"]) == 21
    said = capsys.readouterr().err
    assert "connection.fetch('job0'); here, the same command shows it once they have approved it" in said
    stub.edit = usual
    stub.jobs.clear()
    assert run(["query", *ASK, "--key", "first"]) == 0


def test_a_token_comes_from_a_file_too(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PETS_TOKEN")
    assert run(["quote", *ASK]) == 2
    assert "put its token into the variable PETS_TOKEN" in capsys.readouterr().err
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert run(["quote", *ASK, "--token-file", str(tmp_path / "token"), "--project", "stroke"]) == 0
    assert stub.seen[-1].headers["pets-project"] == "stroke"
    assert run(["quote", *ASK, "--token-file", str(tmp_path / "none")]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([*ASK, "--schema", "stays.yaml"], "--schema is about data here"),
        ([*ASK, "--ledger", "x.db"], "--ledger is about data here"),
        ([*ASK, "--data", "x.csv"], "--data is about data here"),
        ([*ASK, "--analyst", "x"], "--analyst is about data here"),
        (["--by", "sex", "--count", "n", "--epsilon", "1"], "add --schema FILE, or --service URL"),
        (["--dataset", "x", "--schema", "s.yaml", "--count", "n"], "--dataset goes with --service URL"),
        ([*ASK[:-2], "--sql", "SELECT 1"], "give the query as"),
    ],
)
def test_what_does_not_go_beside_it(
    stub: Stub, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["query", *flags]) in (2, 3, 4)
    assert said in capsys.readouterr().err
