"""A site's grid by the command line, and the rounded counts over sites that are made of it."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest

import pets
import pets.federated.deployment.remote as remote
from pets.cli import main
from pets.federated import Federation
from pets.federated.deployment.federation_folder import Answers
from pets.federated.deployment.site_folder import SiteFolder
from pets.release.rounded.rounded_sum import RoundedSum
from pets.session.disclosure import solving
from pets.session.grid import naming
from tests.checked_tables import searched_here
from tests.unit.federated.site.test_rounded import BY_G, HES, SCHEMA, THREE, numbers, rows

NAMES = ("east", "north", "west")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three sites that are made, and name no grid yet."""
    monkeypatch.chdir(tmp_path)
    Path("t.json").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    Path("policy.yaml").write_text("tables: {t: {}}\nsdc: [hes]\n", "utf-8")
    for name, counts in zip(NAMES, THREE, strict=True):
        rows(name, *counts).to_csv(f"{name}.csv", index=False)
        made = ["--data", f"{name}.csv", "--schema", "t.json", "--budget-epsilon", "2", "--policy", "policy.yaml"]
        assert main.run(["site", "init", name, *made]) == 0
    return tmp_path


def test_a_grid_is_one_command_and_rounded_counts_another(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ["federation", "query", "trial", "--by", "g", "--count", "n"]
    for name in NAMES:
        assert main.run(["site", "grid", name, "--by", "g", "--count", "n", "--sdc", "hes"]) == 0
        said = capsys.readouterr().out
        assert "The grid of three, 3 cells: 1 to 7 hidden" in said and "does not list the rule yet" not in said
    many = Federation([SiteFolder(shelf / name).site for name in NAMES], sites_per_person=1, progress=False)
    monkeypatch.setattr(remote, "connect", lambda folder, patience: contextlib.nullcontext(many))
    assert main.run([*ask, "--sdc", "hes", "--out", "answer.json"]) == 0
    answer = RoundedSum.load("answer.json")
    assert numbers(answer) == [[14, 9, 19], [18, 10, 26], [45, 41, 49]]
    assert main.run([*ask, "--sdc", "hes"]) == 0
    assert "14 [9, 19]" in capsys.readouterr().out
    kept = Answers(shelf / "answers")
    kept["key"] = answer
    assert kept["key"] == answer
    (shelf / "coordinator.pub").write_text(answer.sharing["roster"]["coordinator"], "ascii")
    assert main.run(["verify", "answer.json", "--key", "coordinator.pub"]) == 0
    assert "No differential privacy" in capsys.readouterr().out
    for more, why in ((["--epsilon", "1"], "have no epsilon"), (["--total"], "no exact totals")):
        assert main.run([*ask, "--sdc", "hes", *more]) != 0
        assert why in capsys.readouterr().err
    assert main.run([*ask, "--sdc", "hez"]) != 0
    assert "did you mean 'hes'" in capsys.readouterr().err


def test_a_policy_that_does_not_list_the_rule_is_named(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("east/policy.yaml").write_text("tables: {t: {}}\n", "utf-8")
    assert main.run(["site", "grid", "east", "--by", "g", "--count", "n", "--sdc", "hes"]) == 0
    assert "does not list the rule yet: add sdc: [hes]" in capsys.readouterr().out
    assert main.run(["site", "grid", "east", "--by", "ill", "--count", "n", "--sdc", "hes"]) != 0
    assert "has a grid already" in capsys.readouterr().err
    assert main.run(["site", "grid", "north", "--by", "g", "--count", "n", "--sdc", "strict_10"]) != 0
    assert "to check tables by" in capsys.readouterr().err


def test_a_grid_after_anything_left_is_looked_at_first(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)
    line = ["site", "grid", "east", "--by", "g", "--count", "n", "--sdc", "hes"]
    with monkeypatch.context() as broken:
        broken.setattr(naming, "tabulate", lambda *_: 1 / 0)
        assert main.run(line) != 0  # it was begun, so what left of it is not known
    capsys.readouterr()
    assert main.run(line) == 30
    (word,) = re.findall("confirm='([0-9a-f]+)'", capsys.readouterr().out)
    assert main.run([*line, "--confirm", word]) == 0


def test_a_folders_site_answers_its_own_custodian_alike(shelf: Path) -> None:
    session = SiteFolder(shelf / "east").site.session
    session.name_grid(BY_G, HES)
    assert session.release(BY_G, HES).table["n"].isna().tolist() == [True, False, False]
    with pytest.raises(pets.UserError):
        session.release(BY_G, pets.SDC("midpoint6"))
