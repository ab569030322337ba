"""``pets keyholder grid`` names the one grid that is shown by a rule, and ``pets federation grid`` is shown it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

import pets.federated.deployment.remote as remote
from pets.cli import main
from pets.errors import PolicyError, UserError
from pets.federated import Federation
from pets.federated.deployment.keyholder_folder import KeyHolderFolder
from pets.federated.deployment.site_folder import SiteFolder
from pets.protection.sdc import SDC
from pets.release.rounded.rounded_sum import RoundedSum
from pets.schema.schema import Schema
from tests.unit.federated.site.test_holder_grid import apart
from tests.unit.federated.site.test_rounded import BY_G, HES, SCHEMA, THREE, numbers, rows

NAMES = ("east", "north", "west")
ASKED = ["--by", "g", "--count", "n", "--sdc", "hes"]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("t.json").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    Path("policy.yaml").write_text("tables: {t: {}}\nsdc_encrypted: [hes]\n", "utf-8")
    for name, counts in zip(NAMES, THREE, strict=True):
        rows(name, *counts).to_csv(f"{name}.csv", index=False)
        made = ["--data", f"{name}.csv", "--schema", "t.json", "--budget-epsilon", "2", "--policy", "policy.yaml"]
        assert main.run(["site", "init", name, *made]) == 0
    assert main.run(["keyholder", "init", "holder"]) == 0
    return tmp_path


def test_the_key_holder_names_it_and_the_federation_is_shown_it(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ["keyholder", "grid", "holder", "--schema", "t.json"]
    assert main.run([*name, *ASKED]) == 0
    assert "The grid of three, 3 cells: 1 to 7 hidden" in capsys.readouterr().out
    assert main.run([*name, *ASKED]) == 0  # the same again
    assert main.run([*name, "--by", "ill", "--count", "n", "--sdc", "hes"]) == 7
    assert "has named another grid" in capsys.readouterr().err
    assert main.run(["keyholder", "status", "holder"]) == 0
    assert "Of one grid it shows the counts by SDC(preset='hes'): count by g." in capsys.readouterr().out

    holder = KeyHolderFolder(Path("holder"))
    many = Federation([SiteFolder(shelf / name).site for name in NAMES], sites_per_person=1, progress=False)
    line = apart(many, holder.open(None)._secret, grid=holder.grid)
    monkeypatch.setattr(remote, "connect", lambda folder, patience: contextlib.nullcontext(many))
    assert main.run(["federation", "grid", "trial", *ASKED, "--out", "grid.json"]) == 0
    assert numbers(RoundedSum.load("grid.json")) == [[10, 8, 12], [20, 18, 22], [45, 43, 47]]
    asked = len(line.asked)
    ask = ["federation", "query", "trial", "--count", "n", "--sdc", "hes", "--secure", "encrypted"]
    assert main.run([*ask, "--out", "all.json"]) == 0
    assert len(line.asked) == asked  # it is a sum of what was shown
    (shelf / "coordinator.pub").write_text(RoundedSum.load("all.json").sharing["roster"]["coordinator"], "ascii")
    capsys.readouterr()
    assert main.run(["verify", "all.json", "--key", "coordinator.pub"]) == 0
    assert "each number is the sum of the 3 cells that the key holder signed" in capsys.readouterr().out


def test_another_width_is_named_by_all_alike(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ["keyholder", "grid", "holder", "--schema", "t.json", *ASKED]
    assert main.run([*name, "--width", "5"]) == 6
    assert "width=5 asks that 5 whole numbers beside the true one stay open" in capsys.readouterr().err
    assert KeyHolderFolder(Path("holder")).grid is None
    assert main.run([*name, "--width", "4"]) == 0
    assert main.run(name) == 7
    assert "has named another grid" in capsys.readouterr().err
    assert main.run(["keyholder", "status", "holder"]) == 0
    assert "by SDC(preset='hes', width=4): count by g." in capsys.readouterr().out

    holder = KeyHolderFolder(Path("holder"))
    assert holder.grid == (BY_G, SDC("hes", width=4))
    many = Federation([SiteFolder(shelf / name).site for name in NAMES], sites_per_person=1, progress=False)
    line = apart(many, holder.open(None)._secret, grid=holder.grid)
    monkeypatch.setattr(remote, "connect", lambda folder, patience: contextlib.nullcontext(many))
    grid = ["federation", "grid", "trial", *ASKED, "--out", "grid.json"]
    assert main.run(grid) == 7
    assert "(count by g, SDC(preset='hes', width=4))" in capsys.readouterr().err
    assert main.run([*grid, "--width", "4"]) == 0
    shown = RoundedSum.load("grid.json")
    assert numbers(shown) == [[10, 8, 12], [20, 18, 22], [45, 43, 47]]
    asked = len(line.asked)
    ask = ["federation", "query", "trial", "--count", "n", "--secure", "encrypted", "--out", "all.json"]
    assert main.run([*ask, "--sdc", "hes", "--width", "4"]) == 0
    assert len(line.asked) == asked and numbers(RoundedSum.load("all.json")) == [[75, 69, 81]]
    assert main.run([*ask, "--width", "4", "--total"]) == 2
    assert "--width is of a rule that counts are rounded by; name it, too: --sdc hes" in capsys.readouterr().err


def test_the_grid_is_that_of_one_schema_whose_values_are_its_cells(shelf: Path) -> None:
    """The same question of finer groups has other cells, of fewer people, and nobody named those."""
    folder = KeyHolderFolder(Path("holder"))
    folder.name_grid(BY_G, SCHEMA, HES)
    finer = SCHEMA.to_json()
    finer["tables"]["t"]["columns"]["g"]["values"] = ["a", "b", "c", "d"]
    with pytest.raises(PolicyError, match="has named another grid"):
        folder.name_grid(BY_G, Schema.from_json(finer), HES)
    sites = [SiteFolder(shelf / name).site for name in NAMES]
    for schema, fits in ((Schema.from_json(finer).digest, False), (folder.grid_schema, True)):
        many = Federation(sites, sites_per_person=1, progress=False)
        line = apart(many, folder.open(None)._secret, grid=folder.grid, schema=schema)
        if fits:
            assert numbers(many.name_grid(BY_G, HES))[0] == [10, 8, 12]
        else:
            with pytest.raises(PolicyError, match="named its grid of another schema"):
                many.name_grid(BY_G, HES)
            assert len(line.told) == 1
    form = json.loads(Path("holder", "grid.json").read_bytes())
    Path("holder", "grid.json").write_text(json.dumps({"query": form["query"], "protection": form["protection"]}))
    assert folder.grid_schema is None and folder.open(None)._schema is None  # as an earlier version wrote it
    folder.name_grid(BY_G, SCHEMA, HES)
    assert folder.open(None)._schema == SCHEMA.digest


def test_a_grid_file_that_is_none_is_told(shelf: Path) -> None:
    folder = KeyHolderFolder(Path("holder"))
    assert folder.grid is None
    folder.name_grid(BY_G, SCHEMA, HES)
    assert folder.grid is not None and folder.grid[1] == HES
    for wrong in ("[]", "{", json.dumps({"query": BY_G.to_json(), "protection": {"kind": "total"}})):
        Path("holder", "grid.json").write_text(wrong, "utf-8")
        with pytest.raises(UserError):
            _ = folder.grid
