"""Synthetic tables by SDV: refused unless allowed, entered as unbounded, ended in time, and inside the schema."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.common import progress
from pets.errors import PolicyError, ReleaseFailedError, UserError
from pets.session.synthesis import synthesise
from pets.synthetic.sdv import engine as sdv_engine
from pets.synthetic.sdv import engine_process, external
from pets.synthetic.sdv.engine_process import Limits
from pets.synthetic.sdv.external import Asked
from pets.synthetic.sdv.sdv_metadata import coded, kinds, modelled_fields, rendered
from pets.synthetic.synthetic_release import RECORD
from tests.extras import needs

pytestmark = pytest.mark.chance(0)  # engines run in processes of their own, under seeds; no noise is drawn

needs("sdv")

TRIED = ("ctgan", "tvae", "copulagan", "par", "gaussian_copula")  # on every device; hma has a test of its own

SCHEMA = pets.Schema(
    {
        "people": pets.Table(
            pets.Unit("id", max_rows=1),
            {"id": pets.Identifier(), "sex": pets.Category(["F", "M"], nullable=False)},
        ),
        "stays": pets.Table(
            pets.Unit("id", max_rows=4),
            {
                "id": pets.Identifier(),
                "days": pets.Integer(0, 9, nullable=False),
                "cost": pets.Real(0, 50, step=0.5),
                "day": pets.Date("2024-01-01", "2024-12-31"),
                "urgent": pets.Boolean(),
                "ward": pets.Category(["A", "B", "C"]),
            },
            person_table="people",
        ),
    },
    dataset="unit-test",
)
ALLOWED = pets.Policy(allow_unbounded=True)
BUDGET = pets.Budget(epsilon=3, delta=1e-6)


def data(people: int = 150) -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(people), random.integers(1, 4, people))
    n = len(person)
    stays = {
        "id": [f"real{i}" for i in person],
        "days": random.integers(0, 10, n),
        "cost": np.round(random.random(n) * 100) / 2,
        "day": [f"2024-{1 + i % 12:02d}-11" for i in range(n)],
        "urgent": random.choice([True, False], n),
        "ward": random.choice(["A", "B"], n),
    }
    return {
        "people": pd.DataFrame({"id": [f"real{i}" for i in range(people)], "sex": random.choice(["F", "M"], people)}),
        "stays": pd.DataFrame(stays),
    }


def opened(policy: pets.Policy = ALLOWED) -> pets.Session:
    return pets.Session(SCHEMA, data(), budget=BUDGET, policy=policy, progress=False)


def in_schema(table: pd.DataFrame) -> None:
    again = pets.Session(SCHEMA, {"people": data()["people"], "stays": table}, budget=BUDGET, progress=False)
    assert again.report("stays").rows_kept > 0
    assert table["days"].between(0, 9).all() and table["cost"].dropna().between(0, 50).all()
    assert (table["cost"].dropna() * 2 % 1 == 0).all()
    assert table["ward"].dropna().isin(["A", "B", "C"]).all()
    assert table["day"].dropna().between("2024-01-01", "2024-12-31").all()
    assert not table["id"].str.contains("real").any()


def test_refused_by_default_with_the_remedy() -> None:
    session = opened(pets.Policy())
    with pytest.raises(PolicyError, match=r"method='dp'.*allow_unbounded=True"):
        session.synthesise(method="gaussian_copula", table="stays", progress=False)
    assert len(session.history()) == 0


def test_a_copula_is_unbounded_and_inside_the_schema() -> None:
    session = opened()
    made = session.synthesise(120, "gaussian_copula", table="stays", progress=False)
    assert list(made.table) == [RECORD, "id", "days", "cost", "day", "urgent", "ward"] and len(made.table) == 120
    in_schema(made.table)
    assert made.guarantee.startswith("No formal guarantee") and made.epsilon is None and made.releases == ()
    assert made.manifest["settings"]["device"] in ("cpu", "gpu")
    assert session.history()[["state", "unbounded"]].values.tolist() == [["committed", True]]
    later = session.release(pets.query("stays").agg(n=pets.count()), pets.DP(epsilon=0.1))
    assert any("no finite guarantee" in note for note in later.notes)


@pytest.mark.usefixtures("fits_here")
def test_a_table_and_its_people_together() -> None:
    made = opened().synthesise(40, "hma", table="stays", columns=["days", "ward", "sex"], progress=False)
    assert list(made.tables) == ["stays", "people"] and len(made.tables["people"]) == 40
    assert set(made.tables["stays"]["id"]) <= set(made.tables["people"]["id"])
    assert made.tables["people"]["sex"].isin(["F", "M"]).all() and made.table["days"].between(0, 9).all()


@pytest.mark.usefixtures("fits_here")
@pytest.mark.parametrize("method", ["ctgan", "tvae", "copulagan"])
def test_neural_engines_run_for_an_epoch(method: str) -> None:
    session = opened()
    made = session.synthesise(30, method, table="stays", columns=["days", "ward"], epochs=1, progress=False)
    assert len(made.table) == 30 and made.method == method and made.table["days"].between(0, 9).all()
    assert made.table["ward"].dropna().isin(["A", "B", "C"]).all()
    assert made.manifest["settings"]["epochs"] == 1
    assert session.history()[["state", "unbounded"]].values.tolist() == [["committed", True]]


@pytest.mark.usefixtures("fits_here")
def test_rows_of_a_person_in_order() -> None:
    columns = ["days", "day", "sex"]
    made = opened().synthesise(20, "par", table="stays", columns=columns, order="day", epochs=1, progress=False)
    assert len(made.table) >= 20 and made.table["days"].between(0, 9).all()
    assert made.table["id"].nunique() == 20 and any("belong together" in note for note in made.notes)
    # what is known of the person is the same in all rows
    assert (made.table.groupby("id")["sex"].nunique() <= 1).all()


def test_every_method_is_offered_and_tried_below() -> None:
    assert set(synthesise.METHODS) - {"dp"} == set(external.METHODS)
    assert {"hma", *TRIED} == set(external.METHODS)


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("method", TRIED)
def test_a_gpu_is_used_where_torch_sees_one(method: str, seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    columns: dict[str, Any] = {"a": {"sdtype": "numerical"}, "who": {"sdtype": "id"}}
    table = {"columns": columns} | ({"sequence_key": "who"} if method == "par" else {})
    request = {"seed": 0, "metadata": {"tables": {"t0": table}}, "method": method, "epochs": None, "context": []}
    device, maker = sdv_engine._maker(request | {"constraints": [], "tables": ["t0"]})
    neural = method != "gaussian_copula"
    assert device == ("gpu" if seen and neural else "cpu")
    if neural:
        told = maker.get_parameters()
        assert told["cuda" if method == "par" else "enable_gpu"] is seen


def test_what_the_engine_is_told_holds_no_value_of_a_row() -> None:
    told = kinds(modelled_fields(SCHEMA.fields("stays")))
    assert told["days"] == {"sdtype": "numerical"} and told["ward"] == {"sdtype": "categorical"} and "id" not in told


def test_values_out_of_the_domain_are_put_back() -> None:
    fields = SCHEMA.fields("stays")

    def within(values: list[Any], name: str) -> list[Any]:
        return rendered(
            coded(pd.Series(values, dtype=None if name == "cost" else object), fields[name]), fields[name]
        ).tolist()

    assert within([-3.2, 4.4, 99.0, np.nan], "days") == [0, 4, 9, None]
    assert within(["A", "Z", None], "ward") == ["A", None, None]
    assert within(["2023-01-01", "2024-05-05", None, "2030-01-01"], "day") == [
        "2024-01-01",
        "2024-05-05",
        None,
        "2024-12-31",
    ]
    assert within([pd.Timestamp("2024-05-05 23:10"), pd.NaT], "day") == ["2024-05-05", None]
    assert within([0.24, 7.0], "cost") == [0.0, 7.0]
    assert within([True, "False", None, np.True_], "urgent") == [True, False, None, True]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "ctgn"}, "did you mean 'ctgan'"),
        ({"method": "ctgan", "epsilon": 1}, "no setting 'epsilon'"),
        ({"method": "gaussian_copula", "epochs": 3}, "no epochs"),
        ({"method": "hma", "table": "people"}, "names none"),
        ({"method": "gaussian_copula", "columns": ["wards"]}, "did you mean 'ward'"),
        ({"method": "gaussian_copula", "columns": ["id"]}, "cannot be learnt"),
        ({"method": "gaussian_copula", "columns": [["days"]]}, "cannot be learnt"),
        ({"method": "par", "order": ["day"]}, "order= names the column"),
        ({"method": "ctgan", "order": "day"}, "method 'par'"),
        ({"method": "ctgan", "timeout": 0}, "timeout must be greater than 0"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_entered(settings: dict[str, Any], words: str) -> None:
    session = opened()
    with pytest.raises(UserError, match=words):
        session.synthesise(**({"table": "stays"} | settings))
    assert len(session.history()) == 0


# the child ------------------------------------------------------------------------------------------------------------

FRAME = {"t0": pd.DataFrame({"a": [1, 2]})}
REQUEST = {"method": "test"}


def engine(tmp_path: Path, body: str) -> tuple[str, ...]:
    script = tmp_path / "engine.py"
    script.write_text(f"import json, os, sys, time\nfolder = sys.argv[1]\n{body}\n", encoding="utf-8")
    return (sys.executable, str(script))


def fits() -> set[str]:
    import tempfile

    return {path.name for path in Path(tempfile.gettempdir()).glob("pets-fit-*")}


@pytest.mark.parametrize(
    ("body", "limits", "words"),
    [
        ("time.sleep(3600)", Limits(seconds=1), "longer than 1 seconds and was ended; allow more with timeout"),
        ("x = bytearray(400_000_000); time.sleep(60)", Limits(30, 0.2), "more than 0.2 GB of memory.*memory="),
        ("os.kill(os.getpid(), 9)", Limits(30), "ended from outside or broke down .*code -9"),
        (
            "json.dump({'failed': 'ValueError', 'stage': 'fitting', 'columns': ['a']}, open(folder + '/result.json', "
            "'w'))",
            Limits(30),
            r"failed while fitting \(ValueError\); it names column 'a': leave it out.*stays on the account",
        ),
    ],
    ids=["time", "memory", "killed", "failed"],
)
def test_a_fit_that_fails_leaves_nothing_and_says_why(
    tmp_path: Path, body: str, limits: Limits, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    # a folder of its own: other tests, and other people, fit beside this one
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = fits()
    with pytest.raises(ReleaseFailedError, match=words):
        engine_process.run(FRAME, REQUEST, limits, progress=False, command=engine(tmp_path, body))
    assert fits() == before


def test_the_bar_counts_epochs_and_estimates_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = (
        "for done in (1, 2, 3):\n"
        "    print(f'Loss (0.1): {done}/4 [00:01<00:02]', end='\\r', file=sys.stderr, flush=True)\n"
        "    time.sleep(0.8)\n"
        "json.dump({'tables': [], 'turned': 0}, open(folder + '/result.json', 'w'))"
    )
    engine_process.run(FRAME, REQUEST, Limits(seconds=3000), progress=True, command=engine(tmp_path, body))
    shown = capsys.readouterr().err
    assert "3/4 [" in shown and "/3000" not in shown.rpartition("3/4")[2] and "epoch" in shown


def test_a_fit_of_less_than_a_second_leaves_no_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "print('Loss (0.1): 1/4 [00:01<00:02]', end='\\r', file=sys.stderr, flush=True)\n"
        "time.sleep(0.3)\n"
        "json.dump({'tables': [], 'turned': 0}, open(folder + '/result.json', 'w'))"
    )
    monkeypatch.setattr(progress, "DELAY", 600.0)  # however slow the machine is
    engine_process.run(FRAME, REQUEST, Limits(seconds=3000), progress=True, command=engine(tmp_path, body))
    assert capsys.readouterr() == ("", "")


def gone(pid: int) -> bool:
    """Whether a process has ended (or is dead, and nobody asked for it yet)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def soon(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 120
    while not holds() and time.monotonic() < until:
        time.sleep(0.1)
    return holds()


def test_what_a_fit_started_ends_with_it(tmp_path: Path) -> None:
    body = (
        "import subprocess\nother = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"with open({str(tmp_path / 'pid')!r}, 'w') as file:\n    file.write(str(other.pid))\n"
        "x = bytearray(400_000_000)\ntime.sleep(300)"  # too much: it is ended once the other is there, and not before
    )
    with pytest.raises(ReleaseFailedError, match=r"more than 0\.2 GB of memory"):
        engine_process.run(FRAME, REQUEST, Limits(300, 0.2), progress=False, command=engine(tmp_path, body))
    assert soon(lambda: gone(int((tmp_path / "pid").read_text("utf-8"))))


def test_real_rows_do_not_outlive_whoever_fits_them(tmp_path: Path) -> None:
    """Killed outright, the session cannot remove the folder of real rows: the engine does, and ends."""
    body = (
        "from pathlib import Path\nfrom pets.synthetic.sdv.engine import follow\nfollow(Path(folder), 0.1)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)"
    )
    (tmp_path / "temporary").mkdir()
    code = (
        "import pandas as pd\nfrom pets.synthetic.sdv import engine_process\n"
        f"engine_process.run({{'t0': pd.DataFrame({{'a': [1]}})}}, {REQUEST!r}, engine_process.Limits(seconds=300), "
        f"progress=False, command={engine(tmp_path, body)!r})"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    fitting = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        assert soon(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text("utf-8")))
        assert len(list((tmp_path / "temporary").iterdir())) == 1
    finally:
        fitting.kill()
        fitting.wait()
    assert soon(lambda: not list((tmp_path / "temporary").iterdir()))
    assert soon(lambda: gone(int((tmp_path / "pid").read_text("utf-8"))))


def test_a_failed_fit_stays_on_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened()
    with pytest.raises(ReleaseFailedError, match="stays on the account"):
        session.synthesise(method="gaussian_copula", table="stays", timeout=0.1, progress=False)
    assert session.history()[["state", "unbounded"]].values.tolist() == [["forfeited", True]]


def test_the_request_is_checked_without_rows() -> None:
    asked = Asked.of(SCHEMA, "stays", "par", columns=None, order="day", rows=None, epochs=None, seed=0)
    assert asked.people == ("sex",) and "id" not in asked.fields
