"""``pets fit`` and ``pets train``: the models of Python in a shell, their prices, files and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets.cli import main
from pets.models.fit import Fit
from pets.models.trained import Trained

SCHEMA = """
dataset: stays
tables:
  stays:
    unit: {column: id, max_rows: 2, rows: 1}
    people: 100000
    columns:
      id: {type: identifier}
      age: {type: integer, min: 0, max: 110}
      sex: {type: category, values: [F, M]}
      days: {type: integer, min: 1, max: 90}
      died: {type: boolean}
      arm: {type: category, values: [new, old]}
      late: {type: boolean}
"""
BASE = ["--schema", "stays.yaml"]
DATA = [*BASE, "--data", "stays.csv"]
TIMES = ["--time", "days", "--event", "died"]
DP = ["--epsilon", "2", "--budget-epsilon", "2"]
LINE = ["--formula", "days ~ age + sex"]
NET = ["--outcome", "died", "--columns", "age,sex", "--steps", "5"]
KINDS = {
    "linear": LINE,
    "logistic": ["--formula", "died ~ age + C(sex)", "--weights", "none"],
    "poisson": ["--formula", "age ~ sex", "--exposure", "days"],
    "kaplan-meier": [*TIMES, "--by", "arm", "--edges", "0,30,60,90"],
    "log-rank": [*TIMES, "--by", "arm", "--bins", "6"],
    "cox": [*TIMES, "--terms", "arm,sex", "--bins", "6"],
}
Shown = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng, n = tmp_path_factory.mktemp("models"), np.random.default_rng(0), 4000
    (folder / "stays.yaml").write_text(SCHEMA)
    rows = {"id": range(n), "age": rng.integers(0, 111, n), "sex": rng.choice(["F", "M"], n)}
    rows |= {"days": rng.integers(1, 91, n), "died": rng.random(n) < 0.3, "arm": rng.choice(["new", "old"], n)}
    rows |= {"late": rng.random(n) < 0.5}
    pd.DataFrame(rows).to_csv(folder / "stays.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def folder(world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(world)
    return world


@pytest.mark.parametrize("kind", KINDS)
def test_each_model_is_fitted_quoted_and_of_invented_rows(kind: str, capsys: Shown, tmp_path: Path) -> None:
    flags = [kind, *KINDS[kind]]
    assert main.run(["fit", *flags, *DATA, *DP, "--out", str(tmp_path / "fit.json")]) == 0
    shown = capsys.readouterr()
    made = pets.load(tmp_path / "fit.json")
    assert shown.out == f"{made}\n" and "Written to" in shown.err and "--ledger ledger.db" in shown.err
    assert main.run(["fit", *flags, *BASE, *DP, "--quote"]) == 0
    assert capsys.readouterr().out.startswith("Cost: ε = 2, δ = 1e-06")
    assert main.run(["fit", *flags, *BASE, "--dummy"]) == 0
    assert "DUMMY DATA" in capsys.readouterr().out


def test_a_fit_is_python_s_own_and_its_release_holds(capsys: Shown, tmp_path: Path) -> None:
    account = ["--ledger", str(tmp_path / "ledger.db")]
    assert main.run(["snapshot", *DATA, "--out", str(tmp_path / "ready")]) == 0
    assert main.run(["ledger", "open", *account, *BASE, "--budget-epsilon", "9"]) == 0
    stored = [*BASE, "--snapshots", str(tmp_path / "ready"), *account, "--epsilon", "1"]
    capsys.readouterr()
    asked = ["fit", "linear", *LINE, *stored, "--out", str(tmp_path / "a.json"), "--releases", str(tmp_path / "all")]
    assert main.run(asked) == 0
    first = capsys.readouterr()
    assert "ledger: " in first.err and "at no cost" not in first.err
    assert main.run(asked) != 0  # (releases of two fits in one folder would be taken for one's)
    assert "holds releases of an earlier fit; take an empty folder" in capsys.readouterr().err
    assert main.run(asked[:-2]) == 0
    again = capsys.readouterr()
    assert again.out == first.out and "at no cost" in again.err
    session = pets.Session("stays.yaml", ledger=tmp_path / "ledger.db", snapshots=tmp_path / "ready")
    assert Fit.load(tmp_path / "a.json") == session.fit(
        pets.linear("days ~ age + sex", data="stays"), pets.DP(epsilon=1)
    )
    key = str(tmp_path / "ledger.db.pub")
    assert main.run(["verify", str(tmp_path / "all" / "release-1.json"), "--key", key]) == 0
    odds = ["fit", "logistic", *KINDS["logistic"], *stored]
    assert main.run([*odds, "--releases", str(tmp_path / "five")]) == 0
    assert "5 release(s) written" in capsys.readouterr().err
    assert len(list((tmp_path / "five").glob("release-*.json"))) == 5
    assert main.run(["verify", str(tmp_path / "a.json"), "--key", key]) != 0  # (it was not edited: nobody signs it)
    assert "is a straight line, which nobody signs: verify the releases" in capsys.readouterr().err
    assert main.run([*asked[:-1], str(tmp_path / "both"), "--rows", "2"]) == 0  # (people's scores are a second one)
    assert "2 release(s) written" in capsys.readouterr().err
    both = [pets.Release.load(tmp_path / "both" / f"release-{at}.json") for at in (1, 2)]
    assert list(Fit.load(tmp_path / "a.json").answers) == both
    for at in (1, 2):
        assert main.run(["verify", str(tmp_path / "both" / f"release-{at}.json"), "--key", key]) == 0
    assert main.run(["train", *NET, *stored, "--out", str(tmp_path / "net.json"), "--key", "k"]) == 0
    assert "ε = 1 and δ = 1e-06" in capsys.readouterr().out
    assert main.run(["verify", str(tmp_path / "net.json"), "--key", key]) == 0
    network = pets.classifier("died", ["age", "sex"], data="stays", steps=5)
    assert Trained.load(tmp_path / "net.json") == session.train(network, pets.DP(epsilon=1))


def test_a_network_is_trained_quoted_and_of_invented_rows(capsys: Shown, tmp_path: Path) -> None:
    assert main.run(["train", *NET, *DATA, *DP, "--hidden", "3,2", "--activation", "relu", "--clip", "0.5"]) == 0
    assert "3 relu → 2 relu → 1" in capsys.readouterr().out
    assert main.run(["train", *NET, *BASE, *DP, "--quote", "--seed", "3", "--rate", "2"]) == 0
    assert "for all 5 steps of 3 numbers" in capsys.readouterr().out
    chosen = ["--where", "age >= 18", "--with", "tens=age // 10", "--rows", "2", "--table", "stays"]
    assert main.run(["train", *NET, *BASE, *DP, "--dummy", *chosen, "--columns", "tens", "--out", "net.json"]) == 0
    assert "DUMMY DATA" in capsys.readouterr().out
    assert json.loads(Path("net.json").read_bytes())["network"]["columns"] == [{"column": "tens"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "line", *LINE, *DATA, *DP], "there is no model 'line'; did you mean 'linear'?"),
        (["fit", "linear", *DATA, *DP], 'linear needs --formula, such as --formula "cost ~ age + sex"'),
        (["fit", "linear", *LINE, *TIMES, *DATA, *DP], "linear takes no --time; leave it out (it takes --formula"),
        (["fit", "logistic", *LINE, "--exposure", "days", *DATA, *DP], "logistic takes no --exposure"),
        (["fit", "kaplan-meier", "--time", "days", *DATA, *DP], "kaplan-meier needs --event, such as --event died"),
        (["fit", "log-rank", *TIMES, *DATA, *DP], "log-rank needs --by, such as --by arm"),
        (["fit", "cox", *TIMES, "--by", "arm", *DATA, *DP], "cox takes no --by"),
        (["fit", "cox", *TIMES, *DATA, *DP], "cox needs --terms, such as --terms arm,sex"),
        (["fit", "linear", *LINE, *DATA, *DP, "--out", "fit.csv"], "must end in .json"),
        (["fit", "linear", *LINE, *DATA, *DP, "--out", "none/fit.json"], "does not exist; make it first"),
        (["fit", "linear", *LINE, *DATA], "add --epsilon 0.5"),
        (["fit", "linear", *LINE, *DATA, "--epsilon", "3", "--budget-epsilon", "1"], "the budget has room for ε = 1"),
        (["fit", "linear", *LINE, *BASE, *DP], "no data was given"),
        (["fit", "cox", *KINDS["cox"], *DATA, *DP, "--rows", "2"], "are right where a person has one row"),
        (["train", "--outcome", "age", "--columns", "sex", *DATA, *DP], "name another column"),
        (["train", *NET, *DATA, *DP, "--hidden", "wide"], "such as --hidden 32,16"),
        (["train", *NET, *DATA, *DP, "--hidden", "9" * 5000], "such as --hidden 32,16"),
        (["train", *NET, *DATA, *DP, "--releases", "all"], "leave --releases out"),
        (["train", *NET, *DATA, "--epsilon", "3", "--budget-epsilon", "1"], "the budget has room for ε = 1"),
        (["train", *NET, *BASE, "--dummy"], "add --epsilon 0.5"),
        (["train", *NET, *DATA, *DP, "--activation", "gelu"], "there are none; add --hidden 16, or leave it out"),
        (["train", *NET, *DATA, *DP, "--activation", "relu"], "there are none; add --hidden 16, or leave it out"),
        (["train", *NET, *DATA, *DP, "--activation", "gelu", "--hidden", "3"], "'tanh' and 'relu' alone"),
        (["train", *NET, *DATA, *DP, "--hidden", ","], "such as --hidden 32,16"),
        (["fit", "kaplan-meier", *TIMES, *DATA, *DP, "--by", ""], "leave it out for all rows together"),
        (
            ["fit", "cox", *KINDS["cox"], *DATA, *DP, "--reference", "arm=old", "--reference", "arm=new"],
            "a column has one --reference",
        ),
        (["fit", "cox", *KINDS["cox"], *DATA, *DP, "--reference", "old"], "such as --reference arm=old"),
        (["fit", "cox", *KINDS["cox"], *DATA, *DP, "--reference", "arm=odd"], "'odd', which the schema does not list"),
        (["fit", "cox", *KINDS["cox"], *DATA, *DP, "--reference", "age=9"], "'age', which is no covariate"),
        (
            ["fit", "log-rank", *KINDS["log-rank"], *DATA, *DP, "--reference", "arm=old"],
            "log-rank takes no --reference",
        ),
    ],
)
def test_mistakes_are_one_sentence_and_cost_nothing(arguments: list[str], said: str, capsys: Shown) -> None:
    assert main.run(arguments) != 0
    shown = capsys.readouterr()
    assert said in shown.err and not shown.out and len(shown.err.strip().splitlines()) == 1


def test_a_folder_that_takes_no_releases_is_refused_before_data_is_read(capsys: Shown, tmp_path: Path) -> None:
    (tmp_path / "all" / "release-2.json").mkdir(parents=True)
    assert main.run(["fit", "linear", *LINE, *DATA, *DP, "--releases", str(tmp_path / "all")]) != 0
    shown = capsys.readouterr()
    assert "an earlier fit; take an empty folder" in shown.err and not shown.out


def test_a_model_does_not_lie_among_its_releases(capsys: Shown, tmp_path: Path) -> None:
    """Where one of them could take its place."""
    flags = ["--out", str(tmp_path / "release-1.json"), "--releases", str(tmp_path)]
    assert main.run(["fit", "linear", *LINE, *BASE, "--dummy", *flags]) != 0
    assert "keep it in another folder" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_cox_regression_is_against_the_values_that_are_named(capsys: Shown, tmp_path: Path) -> None:
    """Booleans, whole numbers and those of computed columns too, as the schema has them."""
    asked = ["fit", "cox", *TIMES, "--bins", "4", *BASE, "--dummy", "--out", str(tmp_path / "cox.json")]
    for terms, flags, reference in (
        ("arm,sex", ["--reference", "arm=old", "--reference", "sex = M"], {"arm": "old", "sex": "M"}),
        ("arm", ["--reference", "arm=new"], {"arm": "new"}),
        ("C(half)", ["--with", "half=age // 60", "--reference", "half=1"], {"half": 1}),
        ("late", ["--reference", "late=true"], {"late": True}),
    ):
        assert main.run([*asked, "--terms", terms, *flags]) == 0, capsys.readouterr().err
        assert dict(pets.load(tmp_path / "cox.json").model.reference) == reference


def test_several_tables_are_told_apart(capsys: Shown, tmp_path: Path) -> None:
    two = SCHEMA + SCHEMA.partition("tables:\n")[2].replace("  stays:", "  more:")
    (tmp_path / "two.yaml").write_text(two)
    asked = ["fit", "linear", *LINE, "--schema", str(tmp_path / "two.yaml"), *DP, "--quote"]
    assert main.run(asked) != 0
    assert "add --table, one of" in capsys.readouterr().err
    assert main.run([*asked, "--table", "more"]) == 0
