"""``pets serve``, as somebody who has nothing but a table and its schema runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pets.cli.main import run
from pets.cli.service.serve import _embedded, _local_token
from pets.ledger.ledger import Ledger
from pets.ledger.tokens import Tokens
from tests.http_services import ASKED, SCHEMA, rows


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stays.yaml").write_text(json.dumps(SCHEMA), "utf-8")
    rows().to_csv(tmp_path / "stays.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "say what to serve"),
        (["--config", "a.yaml", "--schema", "b.yaml"], "say what to serve"),
        (["--config", "none.yaml"], "the service file 'none.yaml' does not exist"),
        (["--config", "none.yaml", "--budget-epsilon", "1"], "stand in that file"),
        (["--schema", "none.yaml"], "none.yaml"),
        (["--schema", "stays.yaml"], "no data was given"),
    ],
)
def test_mistakes_are_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert run(["serve", *flags]) != 0
    assert said in capsys.readouterr().err and not (folder / "pets-service").exists()


def test_a_token_that_a_killed_service_left_ends_with_the_next(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        tokens = Tokens(ledger)
        script, _ = tokens.create("local", "default", ["analyst"])
        with _local_token(ledger) as first:
            roles = next(one.roles for one in tokens.all() if one.revoked is None and len(one.roles) > 1)
        assert tokens.find(first) is None
        left, _ = tokens.create("local", "default", roles)  # of one that never got to its end
        assert tokens.find(left) is not None
        with _local_token(ledger) as secret:
            assert tokens.find(left) is None and tokens.find(secret) is not None and tokens.find(script) is not None
        assert tokens.find(secret) is None


def test_data_that_is_not_read_again_is_said_to_be_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "there" / "snapshots").mkdir(parents=True)
    for data, said in ((["stays.csv"], True), (None, False)):
        _embedded("stays.yaml", data, (None, None), folder / "there")
        assert ("--data is not read again" in capsys.readouterr().out) == said


def asked(url: str, token: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=120) as reply:
        return json.load(reply)


def used(process: subprocess.Popen[str]) -> None:
    """Ask what an analyst asks, with the address and the token that were printed."""
    assert process.stdout is not None and process.stderr is not None
    said = ""
    while "pets.connect" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    url, token = re.findall(r'pets\.connect\("(.+)", token="(.+)"\)', said)[0]
    assert url.startswith("http://127.0.0.1:") and f"Token, for this run: {token}" in said
    assert asked(url, token, "/datasets")["datasets"] == [{"dataset": "stays", "tables": ["stays"]}]
    body = asked(url, token, "/datasets/stays/queries?wait=30", ASKED)
    while body["job"] is not None and body["job"]["state"] in ("waiting", "running"):
        body = asked(url, token, f"/queries/{body['job']['id']}?wait=30")
    assert len(body["releases"]) == 1, body


@pytest.mark.chance(0)
def test_one_command_serves_a_table_until_it_is_stopped(folder: Path) -> None:
    command = [sys.executable, "-m", "pets", "serve", "--schema", "stays.yaml", "--data", "stays.csv", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            used(process)
            process.send_signal(signal.SIGTERM)  # as systemd stops it
            rest, errors = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 0 and rest.endswith("Stopped.\n"), errors
    assert "Traceback" not in errors
    listed = subprocess.run(
        [sys.executable, "-m", "pets", "service", "token", "list", "--ledger", "pets-service/ledger.db"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert listed.count("revoked") == 1 and "in force" not in listed
