"""Tables of others beside releases with pets.SDC: what was released counts among what a reader knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.cli.main import run
from pets.errors import DataError, UserError
from pets.sdc.tables.checking import check
from pets.sdc.tables.findings import Verdict
from tests.grids import GRID, HES, ROWS, T, opened


@pytest.fixture(scope="module")
def session() -> pets.Session:
    made = opened()
    made.name_grid(GRID, HES)
    return made


@pytest.fixture(scope="module")
def released(session: pets.Session) -> Any:
    return session.release(T.group_by("sex", "region").agg(n=pets.count()), HES)


TRUE = ROWS.assign(region=ROWS["region"].fillna("None")).groupby(["sex", "region"]).size()


def test_a_count_of_others_narrows_what_a_release_leaves_open(released: Any) -> None:
    alone = check(released, preset="acro_default")
    assert alone.verdict is not Verdict.FAIL
    exact = TRUE.drop(("F", "E")).rename("n").reset_index()  # everybody but the few
    total = pd.DataFrame({"sex": ["F"], "region": ["Total"], "n": [int(TRUE["F"].sum())]})
    result = check({"released": released, "ours.csv": pd.concat([exact, total])}, preset="acro_default")
    small = int(TRUE["F", "E"])
    assert 0 < small < 10
    told = [one for one in result.failed if one.table == "released" and (one.low, one.high) == (small, small)]
    assert [one.cell for one in told] == ["(F, E)"] and f"is {small}: " in told[0].derivation


def test_a_saved_release_is_given_as_a_file(released: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released.save(tmp_path / "answer.json")
    TRUE[TRUE > 9].rename("n").reset_index().to_csv(tmp_path / "ours.csv", index=False)
    run(["sdc", "check", str(tmp_path / "answer.json"), str(tmp_path / "ours.csv")])
    assert "contradict" not in capsys.readouterr().out
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="that was saved; give that, or a table as"):
        check(tmp_path / "other.json")


def test_a_release_of_rates_alone_is_refused(session: pets.Session) -> None:
    rates = session.release(T.group_by("sex").agg(old=pets.rate(pets.col("age") >= 65)), HES)
    with pytest.raises(UserError, match="has a count"):
        check(rates)


ENDS = "region,n,n_low,n_high\nNorth,250,248,252\nSouth,*,1,7\nEast,0,0,0\n"


def test_the_ends_in_a_releases_own_table_are_no_counts(tmp_path: Path) -> None:
    def found(text: str, **more: Any) -> Any:
        (tmp_path / "t.csv").write_text(text)
        return check(tmp_path / "t.csv", preset="hes", **more)

    own = found(ENDS)
    assert own.verdict is Verdict.PASS and len(own.findings) == 3
    for nearer in ("250,249,252", "250,248,251", "250,,"):
        told = found(ENDS.replace("250,248,252", nearer))
        assert len(told.findings) == 9, "what tells more than the rule is a count"
    told = found(ENDS.replace("*", "").replace("1,7", "2,14"))  # a sum of two hidden cells
    assert {one.cell: one.shown for one in told.findings}["(South)"] == "2-14"
    for few in ("3,3", "3,4"):
        assert found(ENDS.replace("1,7", few)).verdict is Verdict.FAIL
    assert len(found(ENDS, counts=["n", "n_low"]).findings) == 6, "somebody says that it is one"


def test_a_release_as_csv_passes_as_it_does_as_json(session: pets.Session, tmp_path: Path) -> None:
    released = session.release(GRID, HES)
    released.table.to_csv(tmp_path / "answer.csv", index=False)
    released.save(tmp_path / "answer.json")
    both = [check(tmp_path / name, preset="hes") for name in ("answer.json", "answer.csv")]
    assert both[0].verdict is both[1].verdict is Verdict.PASS, both
    assert [len(one.findings) for one in both] == [len(released.table)] * 2
