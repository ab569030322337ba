"""``pets review``: what is held, and decisions about it, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

import pets
from pets.cli.main import run
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue
from tests.http_services import connected, custodian
from tests.ledgers import account


def test_what_is_held_is_listed_shown_and_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = str(tmp_path / "ledger.db")
    with Ledger(address) as ledger:
        account(ledger)
        first, second = (
            Queue(ledger).put("d", "p", "amina", "release", {"queries": [n]}, None, held=True) for n in (1, 2)
        )
    assert run(["review", "list", "--ledger", address]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith(first.id) and "d: release by amina, project p; not answered" in listed
    assert run(["review", "list", "--ledger", address, "--dataset", "e"]) == 0
    assert "Nothing is held." in capsys.readouterr().err
    assert run(["review", "show", first.id, "--ledger", address]) == 0
    assert '"queries": [' in capsys.readouterr().out
    assert run(["review", "approve", first.id, "--by", "amina", "--ledger", address]) == 18
    assert "of their own" in capsys.readouterr().err
    assert run(["review", "approve", first.id, "--by", "jo", "--ledger", address]) == 0
    refusing = ["review", "refuse", second.id, "--by", "jo", "--ledger", address, "--reason"]
    assert run([*refusing, "because"]) == 2 and "is no reason to refuse" in capsys.readouterr().err
    assert run([*refusing, "unclear", "--note", "which ward?"]) == 0
    assert run(["review", "approve", second.id, "--by", "jo", "--ledger", address]) == 21
    with Ledger(address) as ledger:
        queue = Queue(ledger)
        states = [found.state for job in (first, second) if (found := queue.find(job.id, "p", "amina"))]
    assert states == [JobState.WAITING, JobState.FAILED]


SCHEMA = """
dataset: stays
tables:
  stays:
    unit: {column: patient, max_rows: 3}
    columns:
      patient: {type: identifier}
      sex: {type: category, values: [F, M]}
      ward: {type: text, max_length: 20}
      days: {type: integer, min: 0, max: 30}
"""


@pytest.mark.parametrize("stage", ["before", "after"])
def test_a_question_is_shown_as_a_select(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: Literal["before", "after"]
) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval=stage))
    query = pets.query("stays").where(pets.col("days") > 3).group_by("sex").agg(n=pets.count())
    with connected(keeper, analyst="amina", project="asthma") as amina:
        number = amina.release(query, pets.DP(epsilon=0.5), wait=False).id
    for name, dataset in (("stays.yaml", "stays"), ("other.yaml", "other")):
        (tmp_path / name).write_text(SCHEMA.replace("dataset: stays", f"dataset: {dataset}"), "utf-8")
    show = ["review", "show", number, "--ledger", str(tmp_path / "ledger.db")]
    assert run([*show, "--schema", str(tmp_path / "stays.yaml")]) == 0
    told = capsys.readouterr()
    assert "SELECT sex, COUNT(*) AS n\nFROM stays\nWHERE days > 3\nGROUP BY sex" in told.out and told.err == ""
    assert "Protection: DP(epsilon=0.5)" in told.out and ("Answer:" in told.out) == (stage == "after")
    assert run(show) == 0
    told = capsys.readouterr()
    assert '"table":"stays"' in told.out and "Add --schema FILE" in told.err
    assert run([*show, "--json"]) == 0
    form = json.loads(capsys.readouterr().out)
    assert form["asked"]["queries"] == [query.to_json()] and ("releases" in form) == (stage == "after")
    assert run([*show, "--schema", str(tmp_path / "other.yaml")]) == 2
    assert "is about dataset 'stays', and that schema is of 'other'" in capsys.readouterr().err
