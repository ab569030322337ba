"""The custodian: many analysts on one set of tables, each seeing their own; what is a custodian's is on no session."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import DataError, LeftOutWarning, UserError
from pets.session.verbs.analyst_session import AnalystSession

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "sex": pets.Category(["f", "m"], nullable=False)}
        )
    },
    dataset="custodian-test",
)
QUERY = pets.query("stays").group_by("sex").agg(n=pets.count())
CUSTODIANS = ("custody", "ledger", "refresh", "report", "check", "incident", "contribute", "reused", "of")


def rows(people: int = 300) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"p{i}" for i in range(people)], "sex": ["f", "m", "x"][:2] * (people // 2)})


def kept(**more: Any) -> pets.Custodian:
    budget = more.pop("budget", pets.Budget(epsilon=20, delta=1e-6))
    return pets.Custodian(SCHEMA, rows(), budget=budget, progress=False, **more)


def test_a_session_has_the_verbs_of_an_analyst_and_none_of_the_custodian() -> None:
    custodian = kept()
    session = custodian.session(analyst="amina", project="stroke")
    assert [name for name in CUSTODIANS if hasattr(session, name)] == []
    assert [name for name in CUSTODIANS if not hasattr(custodian, name) and not hasattr(pets.Session, name)] == []
    verbs = {name for name in dir(AnalystSession) if not name.startswith("_")}
    assert verbs <= set(dir(pets.Session)) and {"quote", "release", "dummy", "sql", "synthesise", "history"} <= verbs
    assert (session.analyst, session.project) == ("amina", "stroke")
    assert repr(session) == "<AnalystSession on dataset 'custodian-test' (real data): stays>"
    assert "report()" not in session._repr_html_()


def test_a_verb_that_is_somebody_elses_is_named_as_theirs() -> None:
    custodian = kept()
    session = custodian.session(analyst="amina")
    assert not hasattr(session, "report") and not hasattr(custodian, "release") and not hasattr(session, "_any")
    with pytest.raises(UserError, match=r"has no \.report, which is the custodian's alone: .* custodian\.report"):
        session.report()  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"write custodian\.session\(analyst='amina', project='stroke-2026'\)\.release"):
        custodian.release(QUERY, pets.DP(epsilon=1))  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"a custodian has no \.histroy; did you mean 'history'"):
        custodian.histroy()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"a session has no \.realease; did you mean 'release'"):
        session.realease(QUERY)  # type: ignore[attr-defined]


def test_who_shares_tables_shares_the_budget_and_the_answers() -> None:
    custodian = kept()
    first = custodian.session(analyst="amina", project="stroke").release(QUERY, pets.DP(epsilon=1))
    spent = custodian.remaining().spent.loss
    second = custodian.session(analyst="ben", project="falls").release(QUERY, pets.DP(epsilon=1))
    assert second.to_pandas().equals(first.to_pandas())
    assert custodian.remaining().spent.loss == spent > 0, "an equal question is charged once, whoever asks"
    assert "No cost to you: an equal question" in str(second) and "Cost: ρ = " in str(second)
    assert "No cost to you" not in str(first) and second.cost == first.cost
    assert second.certificate is not None and second.certificate.predicate["notes"] == list(second.notes)
    assert "amina" not in second.to_json() and "stroke" not in second.to_json()
    assert "amina" not in str(second.certificate.statement)


def test_projects_see_nothing_of_one_another() -> None:
    custodian = kept()
    amina, ben = (custodian.session(analyst=name, project=f"of {name}") for name in ("amina", "ben"))
    amina.release(QUERY, pets.DP(epsilon=1))
    amina.release(QUERY.where(pets.col("sex") == "f"), pets.DP(epsilon=1))
    ben.release(QUERY, pets.DP(epsilon=1))
    everything = custodian.history()
    assert everything["project"].tolist() == ["of amina", "of amina", "of ben"]
    seen = ben.history()
    assert seen["state"].tolist() == ["delivered"] and seen["id"].tolist() == [""], "not the id of her request"
    text = seen.to_csv() + repr(seen) + seen._repr_html_()
    assert not [one for one in ("amina", *everything["id"], *everything["question"][1:2]) if one and one in text]
    assert len(amina.history()) == 2 and set(amina.history()["id"]) == set(everything["id"][:2])
    assert amina.history(analyst="ben").empty and len(amina.history(last=1)) == 1
    with pytest.raises(UserError, match="has no argument 'project'"):
        ben.history(project="of amina")  # type: ignore[call-arg]
    assert ben.remaining().spent == amina.remaining().spent, "what all have spent is public"


def test_a_refresh_reaches_every_session() -> None:
    custodian = kept()
    session = custodian.session(analyst="amina")
    before = session.release(QUERY, pets.DP(epsilon=1))
    custodian.refresh()
    after = session.release(QUERY, pets.DP(epsilon=1))
    assert session.snapshots == custodian.snapshots and after.snapshot_id == session.snapshots["stays"]
    assert after.snapshot_id != before.snapshot_id and len(session.history()) == 2


def test_what_is_wrong_with_the_rows_is_told_to_the_custodian() -> None:
    ugly = rows().assign(sex=lambda found: found["sex"].where(found.index > 60, "?"))
    with pytest.warns(LeftOutWarning, match="are left out of every answer") as told:
        custodian = pets.Custodian(SCHEMA, ugly, budget=pets.Budget(epsilon=1, delta=1e-6), progress=False)
    lost, remark = custodian.check()
    assert "'sex'" in remark and lost == f"! {told[0].message}"
    assert custodian.check(share=0.9) == (lost,) and custodian.report().rows_read == 300


@pytest.mark.parametrize("stored", [False, True])
def test_limits_hold_where_rows_are_counted(tmp_path: Path, stored: bool) -> None:
    folder = tmp_path / "snapshots" if stored else None
    custodian = kept(memory="200MB", threads=1, snapshots=folder)
    if stored:
        with pytest.warns(UserWarning, match="stored snapshots"):
            custodian = kept(memory="200MB", threads=1, snapshots=folder)
    custodian.session(analyst="amina").release(QUERY, pets.DP(epsilon=1))
    con = custodian.custody.snapshot("stays").connection().con
    found = con.execute("SELECT current_setting('threads'), current_setting('memory_limit')").fetchone()
    assert found[0] == 1 and found[1] == "190.7 MiB"


@pytest.mark.parametrize(("wrong", "told"), [({"memory": "lots"}, "like '4GB'"), ({"threads": 0}, "from 1 to 1024")])
def test_limits_that_are_none(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        kept(**wrong)


def test_names_are_printable() -> None:
    with pytest.raises(UserError, match="analyst must be a printable text"):
        kept().session(analyst="")
    with pytest.raises(UserError, match=r"session\(analyst='amina', project='stroke-2026'\)"):
        kept().session("amina")  # type: ignore[misc]


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def lasting() -> set[threading.Thread]:
    """The threads of this process; not the one that renews leases, which comes and goes."""
    return {one for one in threading.enumerate() if one.name != "pets-keeper"}


@pytest.mark.parametrize("many", [60, pytest.param(500, marks=pytest.mark.soak)])
def test_each_session_is_small_and_has_no_thread(many: int) -> None:
    """A session with tables of its own takes 95 MB and 9 threads over a million rows; these have each had an answer."""
    custodian = kept()
    sessions = [custodian.session(analyst="first")]
    sessions[0].release(QUERY, pets.DP(epsilon=1))
    threads, before = lasting(), resident()
    for number in range(many):
        sessions.append(custodian.session(analyst=f"analyst {number}", project=f"project {number}"))
        assert len(sessions[-1].release(QUERY, pets.DP(epsilon=1)).to_pandas()) == 2
    assert (resident() - before) / many < 2**20 and lasting() <= threads  # (others may end)
    connections = {id(one.custody.snapshot("stays").connection()) for one in [custodian]}
    assert len(connections) == 1


def test_what_is_refused_for_want_of_a_budget_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with pytest.raises(UserError, match=r"there is no ledger 'h\.db' there yet; to begin it, give the whole budget of"):
        pets.Custodian(SCHEMA, rows(), ledger=path, progress=False)
    assert list(tmp_path.iterdir()) == []
    kept(ledger=path)
    assert pets.Custodian(SCHEMA, rows(), ledger=path, progress=False).remaining().spent.loss == 0
    path.rename(tmp_path / "moved.db")
    with pytest.raises(UserError, match="its published checkpoint is still there"):
        pets.Custodian(SCHEMA, rows(), ledger=path, progress=False)


def test_a_custodian_is_never_pickled() -> None:
    import pickle

    with pytest.raises(UserError, match="never pickled"):
        pickle.dumps(kept())


def test_a_custodian_without_data_quotes_and_makes_dummies() -> None:
    custodian = pets.Custodian(SCHEMA, budget=pets.Budget(epsilon=1, delta=1e-6))
    session = custodian.session(analyst="amina")
    assert session.dummy(100).release(QUERY, pets.Exact()).to_pandas()["n"].sum() == 100
    with pytest.raises(DataError, match="stored snapshots alone"):
        custodian.refresh()
