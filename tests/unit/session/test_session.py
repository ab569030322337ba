"""The session: what is charged, what is refused, and that nothing said depends on a row."""

from __future__ import annotations

import pickle
import shutil
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
import pets.session.job as job_module
from pets import col
from pets.errors import (
    BudgetError,
    DataError,
    LedgerError,
    PolicyError,
    QueryError,
    ReleaseFailedError,
    SchemaError,
    UserError,
)

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=4, rows=2),
            {
                "id": pets.Identifier(),
                "age": pets.Category(["young", "old"], nullable=False),
                "days": pets.Integer(0, 10, nullable=False),
                "cost": pets.Real(0, 100, step=0.5),
                "day": pets.Date("2024-01-01", "2024-12-31"),
                "urgent": pets.Boolean(),
            },
        )
    },
    dataset="unit-test",
)


def frame(people: int = 200) -> pd.DataFrame:
    rows = [
        {
            "id": f"p{person}",
            "age": ["young", "old"][person % 2],
            "days": person % 11,
            "cost": (person % 21) / 2,
            "day": f"2024-{1 + person % 12:02d}-10",
            "urgent": "yes" if person % 3 else "no",
        }
        for person in range(people)
        for _ in range(1 + person % 3)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def session() -> pets.Session:
    return pets.Session(SCHEMA, frame(), budget=pets.Budget(epsilon=3, delta=1e-6))


QUERY = pets.query("stays").group_by("age").agg(n=pets.count(), days=pets.sum("days"))


def test_quote_and_release_agree_on_the_cost(session: pets.Session) -> None:
    quote = session.quote(QUERY, pets.DP(epsilon=0.5))
    assert quote.fits and quote.epsilon == 0.5 and quote.delta == 1e-6
    before = session.remaining().left.loss
    release = session.release(QUERY, pets.DP(epsilon=0.5))
    assert before - session.remaining().left.loss == quote.cost.loss == release.cost["loss"]
    assert session.remaining().more == session.remaining().left.loss // quote.cost.loss


def test_a_release_is_a_table_with_intervals_and_a_guarantee(session: pets.Session) -> None:
    release = session.release(QUERY, pets.DP(epsilon=0.5))
    assert list(release.table.columns) == ["age", "n", "n_low", "n_high", "days", "days_low", "days_high"]
    assert release.table["age"].tolist() == ["young", "old"]
    assert (release.table["n_low"] <= release.table["n"]).all()
    assert "ε = 0.5 and δ = 1e-06" in release.guarantee and "this process only" in release.guarantee
    assert "at most 2 rows of a person count" in release.guarantee


def test_the_same_question_costs_once_and_again_draws_anew(session: pets.Session) -> None:
    first = session.release(QUERY, pets.DP(epsilon=0.3))
    spent = session.remaining().spent
    assert session.release(QUERY, pets.DP(epsilon=0.3)).to_json() == first.to_json()
    assert session.remaining().spent == spent
    fresh = [session.release(QUERY, pets.DP(epsilon=0.3), again=True) for _ in range(4)]
    # five draws of four cells with σ ≈ 60: all equal by chance far less often than once in 1e20
    assert any(release.table["n"].tolist() != first.table["n"].tolist() for release in fresh)
    assert session.remaining().spent.loss == 5 * spent.loss


def test_refresh_asks_anew_but_does_not_renew_the_budget(session: pets.Session) -> None:
    first = session.release(QUERY, pets.DP(epsilon=0.3))
    spent = session.remaining().spent.loss
    session.refresh()
    second = session.release(QUERY, pets.DP(epsilon=0.3))
    assert second.snapshot_id != first.snapshot_id and session.remaining().spent.loss == 2 * spent


def test_several_queries_are_paid_for_all_or_none(session: pets.Session) -> None:
    other = pets.query("stays").agg(n=pets.count())
    answers = session.release([QUERY, other, QUERY], pets.DP(epsilon=0.5))
    assert len(answers) == 3 and answers[0] is answers[2]
    spent = session.remaining().spent
    with pytest.raises(BudgetError, match="these 2 queries would cost"):
        session.release([other.bound(rows=1), QUERY.bound(rows=1)], pets.DP(epsilon=2.9))
    assert session.remaining().spent == spent
    assert session.release(other.bound(rows=1), pets.DP(epsilon=0.1)).table.shape == (1, 3)


def test_over_budget_spends_nothing_and_is_in_the_history(session: pets.Session) -> None:
    with pytest.raises(BudgetError, match="nothing was spent"):
        session.release(QUERY, pets.DP(epsilon=5))
    assert session.remaining().spent.loss == 0
    assert session.history()["state"].tolist() == ["denied"]
    assert not session.quote(QUERY, pets.DP(epsilon=5)).fits


def test_the_whole_budget_in_one_query_fits_exactly(session: pets.Session) -> None:
    session.release(QUERY, pets.DP(epsilon=3))
    with pytest.raises(BudgetError):
        session.release(QUERY, pets.DP(epsilon=0.01))


def test_pure_budget(session: pets.Session) -> None:
    pure = pets.Session(SCHEMA, frame(), budget=pets.Budget(epsilon=1))
    release = pure.release(QUERY, pets.DP(epsilon=0.25))
    assert release.mechanism == "laplace" and release.delta == 0
    assert pure.remaining().spent.loss <= 250_000_000_000
    with pytest.raises(BudgetError, match="rho"):
        pure.release(QUERY, pets.DP(rho=0.1))
    mixed = session.release(QUERY, pets.DP(epsilon=0.5, pure=True))
    assert mixed.mechanism == "laplace" and session.remaining().spent.loss <= 125_000_000_000


def test_exact_only_on_dummy_rows(session: pets.Session) -> None:
    with pytest.raises(PolicyError, match="dummy data only"):
        session.release(QUERY, pets.Exact())
    dummy = session.dummy(rows=500, seed=3)
    exact = dummy.release(QUERY, pets.Exact())
    assert exact.data == "dummy" and exact.table["n"].sum() <= 500 and "invented" in exact.guarantee
    assert dummy.release(QUERY, pets.DP(epsilon=0.5)).data == "dummy"
    assert session.remaining().spent.loss == 0 and dummy.remaining().spent.loss == 0
    again = session.dummy(rows=500, seed=3)
    assert [s.report().people for s in (dummy, again)] == [dummy.report().people] * 2


def test_totals_need_a_policy_and_are_named_ever_after(session: pets.Session) -> None:
    with pytest.raises(PolicyError, match="policy does not allow"):
        session.release(QUERY, pets.Total())
    open_session = pets.Session(
        SCHEMA, frame(), budget=pets.Budget(epsilon=3, delta=1e-6), policy=pets.Policy(allow_unbounded=True)
    )
    total = open_session.release(QUERY, pets.Total())
    assert total.table["n"].sum() == sum(min(2, 1 + p % 3) for p in range(200))
    assert open_session.history()["unbounded"].tolist() == [True]
    later = open_session.release(QUERY, pets.DP(epsilon=0.5))
    assert any("no finite guarantee" in note for note in later.notes)


def test_a_failure_after_opening_says_nothing_and_stays_charged(
    session: pets.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("row 17 holds p33")

    with monkeypatch.context() as patch:
        patch.setattr(job_module, "tabulate", broken)
        with pytest.raises(ReleaseFailedError) as caught:
            session.release(QUERY, pets.DP(epsilon=0.5))
    assert "p33" not in str(caught.value) and caught.value.__cause__ is None and caught.value.__context__ is None
    assert "row 17 holds p33" in session.incident(session.history()["id"][0][:12])
    assert session.history()["state"].tolist() == ["forfeited"] and session.remaining().spent.loss > 0
    session.release(QUERY, pets.DP(epsilon=0.5))


class Panic(BaseException):
    """What an engine written in Rust raises: no Exception."""


@pytest.mark.parametrize("kind", [ValueError, Panic, KeyboardInterrupt, MemoryError])
def test_no_failure_carries_exact_values(
    session: pets.Session, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """No context, no cause, and no frame of the traceback holds the exact vector."""

    def broken(*_: object) -> None:
        raise kind("SECRET")

    monkeypatch.setattr(job_module, "measure", broken)
    with pytest.raises((ReleaseFailedError, KeyboardInterrupt)) as caught:
        session.release(QUERY, pets.DP(epsilon=0.5))
    error = caught.value
    assert error.__context__ is None and error.__cause__ is None and "SECRET" not in str(error)
    frames = [frame for frame, _ in __import__("traceback").walk_tb(error.__traceback__)]
    held = [value for frame in frames for value in frame.f_locals.values()]
    assert not any(isinstance(value, np.ndarray) for value in held)


def test_different_questions_at_once_are_all_answered() -> None:
    """Cold and warm, with and without the table of one row a person: no thread fails, so no charge is lost."""

    def ask(session: pets.Session, query: pets.Query) -> None:
        session.release(query, pets.DP(epsilon=0.5))

    for engine in ("duckdb", "polars"):
        session = pets.Session(SCHEMA, frame(50), budget=pets.Budget(epsilon=100, delta=1e-6), engine=engine)
        questions = [
            pets.query("stays").where(col("days") >= low).group_by("age").agg(u=pets.count_units(), m=pets.mean("days"))
            for low in range(8)
        ]
        threads = [threading.Thread(target=ask, args=(session, question)) for question in questions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.history()["state"].tolist() == ["committed"] * 8


def test_columns_in_another_order_are_the_same_schema(tmp_path: object) -> None:
    """Two schemas of one digest share compiled queries and stored snapshots: a column must be itself in both."""
    table = SCHEMA.table("stays")
    turned = pets.Schema({"stays": pets.Table(table.unit, dict(reversed(table.columns.items())))}, dataset="unit-test")
    assert turned.digest == SCHEMA.digest
    budget, policy = pets.Budget(epsilon=1, delta=1e-6), pets.Policy(allow_unbounded=True)
    query = QUERY.bound(rows=4)
    seen = [
        pets.Session(SCHEMA, frame(), budget=budget, policy=policy, snapshots=f"{tmp_path}/s"),
        pets.Session(turned, budget=budget, policy=policy, snapshots=f"{tmp_path}/s"),
        pets.Session(turned, frame(), budget=budget, policy=policy),
    ]
    tables = [session.release(query, pets.Total()).table for session in seen]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)


def test_an_interrupt_keeps_the_charge_and_the_session_works(
    session: pets.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job_module, "measure", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.release([QUERY, QUERY.bound(rows=1)], pets.DP(epsilon=0.5))
    # one request, one charge: giving the second back because the first failed could depend on the data
    assert session.history()["state"].tolist() == ["forfeited", "forfeited"]
    both = session.quote([QUERY, QUERY.bound(rows=1)], pets.DP(epsilon=0.5)).cost.loss
    assert session.remaining().spent.loss == both
    session.release(QUERY, pets.DP(epsilon=0.5))


def test_concurrent_requests_never_overspend() -> None:
    session = pets.Session(SCHEMA, frame(20), budget=pets.Budget(epsilon=1, delta=1e-6))
    cost = session.quote(QUERY, pets.DP(epsilon=0.2)).cost.loss
    room = session.remaining().left.loss // cost
    outcomes: list[str] = []

    def ask() -> None:
        for _ in range(10):
            try:
                session.release(QUERY, pets.DP(epsilon=0.2), again=True)
                outcomes.append("answered")
            except BudgetError:
                outcomes.append("denied")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 40 and outcomes.count("answered") == room < 40
    assert session.remaining().spent.loss == room * cost


def test_nothing_said_depends_on_a_row() -> None:
    """The same questions on neighbouring data: the same columns, keys, costs, messages and history."""
    full = frame()
    without = full[full["id"] != "p7"]
    empty = full.iloc[:0]
    queries = [
        QUERY,
        QUERY.where(col("urgent") == True),  # noqa: E712
        pets.query("stays").group_by(col("day").month()).agg(m=pets.mean("cost")),
        pets.query("stays").agg(u=pets.count_units(), q=pets.quantile("days", 0.5)),
    ]
    seen = []
    for data in (full, without, empty):
        session = pets.Session(SCHEMA, data, budget=pets.Budget(epsilon=1.5, delta=1e-6))
        said: list[object] = []
        for query in queries:
            for protection in (pets.DP(epsilon=0.5), pets.DP(epsilon=9), pets.Exact(), pets.DP(within=30)):
                try:
                    release = session.release(query, protection)
                    keys = [key.name for key in query.keys]
                    said.append((release.cost, release.table[keys].to_csv(), list(release.table), release.guarantee))
                except UserError as error:
                    said.append((type(error), str(error)))
        history = session.history().drop(columns=["at", "id"])
        said.append((history.to_csv(), str(session.remaining())))
        seen.append(said)
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (pets.query("stay").agg(n=pets.count()), "did you mean 'stays'"),
        (pets.query("stays").group_by("agee").agg(n=pets.count()), "column 'agee' is not in table 'stays'.*'age'"),
        (pets.query("stays").group_by("id").agg(n=pets.count()), "identifier"),
        (pets.query("stays").where(col("id") == "p1").agg(n=pets.count()), "identifier"),
        (pets.query("stays").where(col("age") == "yung").agg(n=pets.count()), "did you mean 'young'"),
        (pets.query("stays").where(col("age") < "old").agg(n=pets.count()), "no order"),
        (pets.query("stays").where(col("days") == "3").agg(n=pets.count()), "compare it with a number"),
        (pets.query("stays").where(col("day") == "first").agg(n=pets.count()), "not a date"),
        (pets.query("stays").where(col("urgent") == 1).agg(n=pets.count()), "True, False"),
        (pets.query("stays").agg(s=pets.sum("age")), "integer or real column"),
        (pets.query("stays").agg(s=pets.sum("urgent")), "rate"),
        (pets.query("stays").group_by("cost").agg(n=pets.count()), "bins"),
        (pets.query("stays"), "asks for nothing"),
        (pets.query("stays").bound(rows=5).agg(n=pets.count()), "at most 4"),
        (pets.query("stays").bound(groups=99).agg(n=pets.count()), "above 16"),
        (
            pets.query("stays").agg(h=pets.histogram("day")),
            "histogram is of numbers or categories; leave it out, and group by",
        ),
        (pets.query("stays").agg(s=pets.sum("days", clip=(20, 30))), "clip lies outside"),
    ],
)
def test_wrong_questions_get_one_plain_sentence(session: pets.Session, query: pets.Query, message: str) -> None:
    with pytest.raises((QueryError, SchemaError), match=message) as caught:
        session.release(query, pets.DP(epsilon=0.5))
    assert "\n" not in str(caught.value)
    assert session.history().empty


def test_wrong_sessions() -> None:
    budget = pets.Budget(epsilon=1, delta=1e-6)
    with pytest.raises(BudgetError, match="budget="):
        pets.Session(SCHEMA, frame(), budget=3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"ledger is a file"):
        pets.Session(SCHEMA, frame(), budget=budget, ledger=3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="did you mean 'duckdb'"):
        pets.Session(SCHEMA, frame(), budget=budget, engine="duckdbb")
    with pytest.raises(DataError, match="did you mean 'stays'"):
        pets.Session(SCHEMA, {"stay": frame()}, budget=budget)
    with pytest.raises(DataError, match="no data was given"):
        pets.Session(SCHEMA, {}, budget=budget)
    with pytest.raises(UserError, match="never pickled"):
        pickle.dumps(pets.Session(SCHEMA, frame(3), budget=budget))


def test_without_data_a_session_quotes_and_makes_dummies() -> None:
    session = pets.Session(SCHEMA, budget=pets.Budget(epsilon=1, delta=1e-6))
    assert session.tables == () and session.quote(QUERY, pets.DP(epsilon=0.5)).fits
    assert session.dummy().release(QUERY, pets.Exact()).data == "dummy"
    with pytest.raises(QueryError, match="opened without data"):
        session.release(QUERY, pets.DP(epsilon=0.5))
    assert session.history().empty


def test_stored_snapshots_are_shared_and_refreshed(tmp_path: object) -> None:
    folder = f"{tmp_path}/snapshots"
    budget = pets.Budget(epsilon=1, delta=1e-6)
    first = pets.Session(SCHEMA, frame(), budget=budget, snapshots=folder)
    second = pets.Session(SCHEMA, budget=budget, snapshots=folder)
    ids = [s.release(QUERY, pets.DP(epsilon=0.1)).snapshot_id for s in (first, second)]
    assert ids[0] == ids[1]
    with pytest.raises(DataError, match="stored snapshots alone"):
        second.refresh()


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_refresh_elsewhere_is_found_before_the_charge(engine: str, tmp_path: Path) -> None:
    """The custodian refreshes in one session while others ask: they answer about the new snapshot, by themselves."""
    folder, ledger = tmp_path / "snapshots", str(tmp_path / "ledger.db")
    schema = pets.Schema({"stays": SCHEMA.table("stays")}, dataset="stays")
    known = {"budget": pets.Budget(epsilon=1, delta=1e-6), "snapshots": folder, "ledger": ledger, "progress": False}
    custodian = pets.Session(schema, frame(50), **known)
    asker = pets.Session(schema, **known, analyst="other", engine=engine)
    for turn in range(3):
        release = asker.release(QUERY, pets.DP(epsilon=0.1))
        assert release.snapshot_id == custodian.snapshots["stays"] == asker.snapshots["stays"]
        assert list(asker.history()["state"]) == ["committed"] * (turn + 1)
        custodian.refresh()
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    with pytest.raises(DataError, match="make it first"):
        asker.release(QUERY, pets.DP(epsilon=0.1))
    assert len(asker.history()) == 3, "charged for what is gone"


def test_polars_is_the_same_session() -> None:
    budget = pets.Budget(epsilon=1, delta=1e-6)
    policy = pets.Policy(allow_unbounded=True)
    # one stored snapshot would be shared; here each has its own ranks, so the question must not depend on them
    query = QUERY.bound(rows=4)
    tables = [
        pets.Session(SCHEMA, frame(), budget=budget, engine=engine, policy=policy).release(query, pets.Total()).table
        for engine in ("duckdb", "polars")
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])


def test_a_stored_snapshot_is_used_and_said_to_be(tmp_path: object) -> None:
    """A snapshot is remade when the custodian says so, never because rows changed; data that is not read is named."""
    budget, folder = pets.Budget(epsilon=1, delta=1e-6), f"{tmp_path}/snapshots"
    pets.Session(SCHEMA, frame(50), budget=budget, snapshots=folder)
    with pytest.warns(UserWarning, match="stored snapshots are used for stays, not the data that was given"):
        session = pets.Session(SCHEMA, frame(80), budget=budget, snapshots=folder)
    assert session.reused == ("stays",) and session.report().people == 50
    session.refresh()
    assert session.report().people == 80


def test_tables_with_unusual_names_are_reused_too(tmp_path: object) -> None:
    schema = pets.Schema({"é/x": SCHEMA.table("stays")})
    budget, folder = pets.Budget(epsilon=1, delta=1e-6), f"{tmp_path}/snapshots"
    pets.Session(schema, frame(5), budget=budget, snapshots=folder)
    assert pets.Session(schema, budget=budget, snapshots=folder).reused == ("é/x",)


def test_a_coarse_variance_owns_up_to_its_step() -> None:
    """0..9 uniform has variance 8.25, and cut to steps of 5 it has 6.25: the interval must reach the true one."""
    data = pd.DataFrame({"id": [f"p{i}" for i in range(10_000)], "days": [i % 10 for i in range(10_000)]})
    columns = {"id": pets.Identifier(), "days": pets.Integer(0, 10)}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns)})
    session = pets.Session(schema, data, budget=pets.Budget(epsilon=100, delta=1e-6))
    release = session.release(pets.query("t").agg(v=pets.variance("days", step=5)), pets.DP(epsilon=50))
    row = release.table.iloc[0]
    assert abs(row.v - 6.25) < 0.5 and row.v_low <= 8.25 <= row.v_high
    assert any("cut to steps of 5" in note for note in release.notes)


def test_a_batchs_certificates_add_up(session: pets.Session) -> None:
    answers = session.release(
        [QUERY, QUERY.bound(rows=1), pets.query("stays").agg(n=pets.count())], pets.DP(epsilon=0.5)
    )
    told = [answer.certificate.predicate["budget"] for answer in answers if answer.certificate is not None]
    assert [t["after"] - t["before"] for t in told] == [t["charged"] for t in told]
    assert [t["before"] for t in told[1:]] == [t["after"] for t in told[:-1]]
    assert answers[-1].certificate.predicate["other_releases"]["dp"] == 2  # type: ignore[union-attr]


def test_a_key_names_one_request_whatever_the_snapshot_is_called(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = pets.Session(SCHEMA, frame(), budget=pets.Budget(epsilon=3, delta=1e-6), ledger=path)
    answer = first.release(QUERY, pets.DP(epsilon=0.5), key="17")
    second = pets.Session(SCHEMA, frame(), ledger=path)
    assert second.snapshots != first.snapshots
    assert second.release(QUERY, pets.DP(epsilon=0.5), key="17").to_json() == answer.to_json()
    with pytest.raises(LedgerError, match="another question"):
        second.release(QUERY, pets.DP(epsilon=0.6), key="17")


def test_a_total_that_left_while_an_answer_was_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, open_ = tmp_path / "ledger.db", pets.Policy(allow_unbounded=True)
    session = pets.Session(SCHEMA, frame(), budget=pets.Budget(epsilon=3, delta=1e-6), ledger=path, policy=open_)
    other = pets.Session(SCHEMA, frame(), ledger=path, policy=open_)
    real = job_module.measure

    def slow(*given: object) -> object:
        other.release(QUERY, pets.Total())
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(job_module, "measure", slow)
    answer = session.release(QUERY, pets.DP(epsilon=0.5))
    assert len(answer.certificate.predicate["other_releases"]["unbounded"]) == 1  # type: ignore[union-attr]


def test_a_replay_publishes_what_its_maker_could_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    session = pets.Session(SCHEMA, frame(), budget=pets.Budget(epsilon=3, delta=1e-6), ledger=path)
    note = tmp_path / "ledger.db.checkpoint"
    before = note.read_bytes()
    session.release(QUERY, pets.DP(epsilon=0.5))
    after = note.read_bytes()
    note.write_bytes(before)  # as if the process had died between the seal and the checkpoint
    session.release(QUERY, pets.DP(epsilon=0.5))
    assert note.read_bytes().splitlines()[1:3] == after.splitlines()[1:3] != before.splitlines()[1:3]
