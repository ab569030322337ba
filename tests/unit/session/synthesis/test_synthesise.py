"""Synthetic tables with a guarantee: what is measured, what it costs, and what may come out."""

from __future__ import annotations

import dataclasses
import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.common.codec import canonical
from pets.dp.calibrate import target_units
from pets.errors import BudgetError, InternalError, ReleaseFailedError, UserError
from pets.ledger.log import verifier
from pets.protection.budget import Cost
from pets.session import answering
from pets.session.batch import Work
from pets.session.job import measured as measured_job
from pets.synthetic.charts import slots
from pets.synthetic.dp_model import collected as collected_module
from pets.synthetic.dp_model.columns import modelled
from pets.synthetic.dp_model.marginals import Model, fit
from pets.synthetic.dp_model.select import choose, from_singles, model_cells, surprise
from pets.synthetic.dp_model.workload import Marginal, Workload, total_error, total_of
from pets.synthetic.synthetic_release import RECORD, SyntheticRelease
from tests.extras import needs
from tests.hosts import named

needs("mbi")

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=4, rows=2),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["F", "M"], nullable=False),
                "age": pets.Integer(0, 99, nullable=False),
                "ward": pets.Category(["A", "B", "C"]),
                "wing": pets.Category(
                    ["North", "South"], lookup=pets.Lookup("ward", {"A": "North", "B": "North", "C": "South"})
                ),
                "day": pets.Date("2024-01-15", "2024-12-20"),
            },
        )
    },
    dataset="unit-test",
)
KEPT = ["sex", "age", "ward", "day"]


def frame(people: int = 3000, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), random.integers(1, 4, people))
    n = len(person)
    sex = np.where(random.random(n) < 0.7, "F", "M")
    ward = np.where(sex == "F", random.choice(["A", "B"], n), "C").astype(object)
    ward[random.random(n) < 0.2] = None
    day = pd.Timestamp("2024-01-15") + pd.to_timedelta(random.integers(0, 341, n), unit="D")
    age = np.clip(random.normal(50, 15, n), 0, 99).astype(int)
    return pd.DataFrame({"id": person.astype(str), "sex": sex, "age": age, "ward": ward, "day": day.astype(str)})


def opened(budget: pets.Budget | None = None) -> pets.Session:
    return pets.Session(SCHEMA, frame(), budget=budget or pets.Budget(epsilon=8, delta=1e-6), progress=False)


@pytest.fixture(scope="module")
def session() -> pets.Session:
    return opened()


@pytest.fixture(scope="module")
def made(session: pets.Session) -> SyntheticRelease:
    return session.synthesise(epsilon=4, progress=False)


def test_every_value_is_one_that_the_schema_allows(made: SyntheticRelease) -> None:
    table = made.table
    assert list(table) == [RECORD, "id", "sex", "age", "ward", "wing", "day"]
    again = pets.Session(SCHEMA, table, budget=pets.Budget(epsilon=1, delta=1e-6), progress=False)
    report = str(again.report("stays"))
    assert "out" not in report.lower() or again.report("stays").rows_kept == len(table)
    assert again.report("stays").rows_kept == len(table)
    assert table["age"].between(0, 99).all() and table["age"].dtype == np.int64
    assert table["day"].dropna().between("2024-01-15", "2024-12-20").all()


def test_nulls_only_where_the_schema_has_a_slot_for_them(made: SyntheticRelease) -> None:
    table = made.table
    assert table[["id", "sex", "age"]].notna().all(axis=None)
    # a fifth of the wards are missing
    assert 0.1 < table["ward"].isna().mean() < 0.3
    assert (table["wing"].isna() == table["ward"].isna()).all()
    assert set(table.loc[table["ward"] == "C", "wing"]) == {"South"}


def test_times_of_day_come_back_as_times_of_the_column() -> None:
    """Fine ones are modelled by the hour, of which the first and the last may be cut."""
    columns = {
        "ward": pets.Category(["A", "B"], nullable=False),
        "coarse": pets.Time("08:00", "19:00", step="hour", nullable=False),
        "fine": pets.Time("08:30", "18:15", step="minute"),
    }
    schema = pets.Schema({"visits": pets.Table("row", columns)}, dataset="times")
    random = np.random.default_rng(0)
    ward = random.choice(["A", "B"], 4000)
    hour = np.where(ward == "A", 9, 15)
    minute = random.integers(0, 60, 4000)
    fine = pd.Series([f"{h:02d}:{m:02d}" for h, m in zip(hour, minute, strict=True)], dtype=object)
    table = pd.DataFrame({"ward": ward, "coarse": [f"{h:02d}:00" for h in hour], "fine": fine.where(minute > 5, None)})
    session = pets.Session(schema, table, budget=pets.Budget(epsilon=20, delta=1e-6), progress=False)
    made = session.synthesise(epsilon=16, progress=False).table
    again = pets.Session(schema, made, budget=pets.Budget(epsilon=1, delta=1e-6), progress=False)
    assert again.report("visits").rows_kept == len(made)
    for name in ("coarse", "fine"):
        hours = made[name].dropna().map(lambda value: int(str(value)[:2]))
        assert hours.between(8, 19).all()
        # each ward has its hour, as among the real rows
        assert (hours == np.where(made["ward"][hours.index] == "A", 9, 15)).mean() > 0.9
    assert made["fine"].dropna().map(lambda value: "08:30" <= str(value)[:5] <= "18:15").all()
    assert made["fine"].dropna().map(lambda value: str(value)[3:5]).nunique() > 30
    assert 0.05 < made["fine"].isna().mean() < 0.2


def test_noise_makes_no_gaps_where_there_are_none(tmp_path: Path) -> None:
    """Most schemas allow gaps that the rows do not have: noise on the slot "no value" must not become rows."""
    columns = {
        "age": pets.Integer(0, 99),
        "ward": pets.Category(["A", "B", "C"]),
        "score": pets.Integer(0, 9),
        "day": pets.Date("2024-01-01", "2024-12-31"),
    }
    schema = pets.Schema({"t": pets.Table("row", columns)}, dataset="gaps")
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.integers(0, 100, 6000),
            "ward": random.choice(["A", "B", "C"], 6000),
            "score": pd.Series(random.integers(0, 10, 6000)).astype(object).where(np.arange(6000) % 5 > 0, None),
            "day": [f"2024-{1 + i % 12:02d}-11" for i in range(6000)],
        }
    )
    session = pets.Session(schema, table, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False)
    for selection in ("tree", "aim"):
        made = session.synthesise(epsilon=0.5, selection=selection, progress=False)
        assert made.table.isna().sum()[["age", "ward", "day"]].tolist() == [0, 0, 0]
        assert 0.15 < made.table["score"].isna().mean() < 0.25
        assert made.manifest["settings"]["never_empty"] == ["age", "ward", "day"]
        assert any(note.endswith("no row here lacks one: age, ward, day.") for note in made.notes)
    # whole numbers stay whole beside gaps
    made.save(tmp_path / "made.csv")
    assert set(pd.read_csv(tmp_path / "made.csv", dtype=str)["score"].dropna()) == {str(i) for i in range(10)}


def test_what_goes_together_goes_together(made: SyntheticRelease) -> None:
    table = made.table
    assert (table.loc[table["ward"] == "C", "sex"] == "M").mean() > 0.9
    assert abs(float(table["age"].mean()) - 50) < 4


def test_a_row_is_a_record_with_an_invented_id(made: SyntheticRelease) -> None:
    table = made.table
    assert table["id"].is_unique and table["id"].str.startswith("SYNTHETIC-").all()
    assert not set(table["id"]) & set(frame()["id"])
    assert "not a person" in made.manifest["what"] and any("not a person" in note for note in made.notes)


def test_the_charge_is_that_of_the_marginals_and_at_most_what_was_asked() -> None:
    session = opened()
    made = session.synthesise(epsilon=1, rows=50, progress=False)
    spent = session.remaining().spent.loss
    assert spent == made.cost["loss"] == sum(release.cost["loss"] for release in made.releases)
    whole = session.quote(pets.query("stays").agg(n=pets.count()), pets.DP(epsilon=1)).cost.loss
    assert 0.999 * whole < spent <= whole
    assert len(made.releases) == len(KEPT) + 6 and made.epsilon == 1 and made.delta == 1e-6
    assert "ε = 1 and δ = 1e-06" in made.guarantee and "2 rows of a person" in made.guarantee
    # the same question is the same answer, at no cost
    assert session.synthesise(epsilon=1, rows=50, progress=False).table.equals(made.table)
    assert session.remaining().spent.loss == spent
    session.synthesise(epsilon=1, rows=50, again=True, progress=False)
    assert session.remaining().spent.loss == 2 * spent


def test_noise_hides_all_rows_of_a_person(session: pets.Session) -> None:
    workload = Workload("stays", modelled(SCHEMA, "stays", KEPT, None))
    one, two = (session.release(workload.query((0, 1)).bound(rows=rows), pets.DP(rho=0.01)) for rows in (1, 2))
    assert two.scales[0] / one.scales[0] == pytest.approx(2, rel=1e-4)
    assert two.plan.measures[0].sensitivity.l2_squared == 4
    assert session.release(workload.query((0, 1)), pets.DP(rho=0.01)).scales == two.scales  # K of the schema


def test_a_pure_budget_measures_with_laplace() -> None:
    made = opened(pets.Budget(epsilon=8)).synthesise(epsilon=4, rows=20, columns=["sex", "ward"], progress=False)
    assert {release.mechanism for release in made.releases} == {"laplace"} and made.rho is None
    assert made.cost["loss"] <= 4 * 10**12 and "δ" not in made.guarantee


FILES = ["rows.certificate.json", "rows.csv", "rows.manifest.json", "rows.parquet"]
AIM: dict[str, Any] = {"selection": "aim", "columns": ["sex", "ward", "age"], "rows": 10, "progress": False}


PRICE = target_units(pets.DP(epsilon=2), "zcdp", 1e-6)


def test_aim_measures_again_what_fits_worst_within_the_price() -> None:
    session = opened()
    made = session.synthesise(epsilon=2, **AIM)
    assert 0.999 * PRICE < sum(release.cost["loss"] for release in made.releases) <= PRICE
    assert len(made.releases) == 3 + 3 + 3  # singles, pairs, rounds
    first = {release.plan.digest: release.scales[0] for release in reversed(made.releases)}
    pairs = [one for one in made.misfits if len(one.columns) == 2]
    # measured again at a similar price: the mean of both is better than either by about √2
    assert min(one.sigma for one in pairs) < 0.8 * max(first.values())
    # one entry for all of them, with one certificate, at the price that was asked
    assert session.history()["state"].tolist() == ["committed"] and session.history()["unbounded"].tolist() == [False]
    assert session.remaining().spent.loss == made.cost["loss"] == PRICE
    assert made.certified is not None and made.derived is not None and made.derived["from"] == [made.certified]
    assert "charged together before the first" in made.guarantee
    # asked again, the same rows at no cost; again=True draws and pays anew
    assert session.synthesise(epsilon=2, **AIM).table.equals(made.table)
    assert session.remaining().spent.loss == made.cost["loss"]
    session.synthesise(epsilon=2, again=True, **AIM)
    assert session.remaining().spent.loss == 2 * made.cost["loss"]


def test_aim_is_charged_whole_before_any_row_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    session, seen = opened(), []

    def spying(job: Any, engine: str) -> Any:
        seen.append(session.remaining().spent.loss)
        return measured_job(job, engine)

    monkeypatch.setattr(answering, "measured", spying)
    made = session.synthesise(epsilon=2, **AIM)
    assert len(seen) == 9 and set(seen) == {made.cost["loss"]}


def test_aim_that_does_not_fit_is_refused_before_anything_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    # room for the first look at everything, and not for the rounds: half way there would be nothing to show
    session = opened(pets.Budget(epsilon=1.5, delta=1e-6))
    monkeypatch.setattr(answering, "measured", lambda *_: pytest.fail("rows were read"))
    with pytest.raises(BudgetError, match="nothing was spent"):
        session.synthesise(epsilon=2, **AIM)
    assert session.remaining().spent.loss == 0


@pytest.mark.parametrize("where", ["measuring", "fitting"])
def test_an_aim_that_fails_stays_charged_whole_and_says_so(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session, calls = opened(), []

    def failing(job: Any, engine: str) -> Any:
        calls.append(1)
        return (None, "of a row") if len(calls) == 8 else measured_job(job, engine)

    def broken(*_: object, **__: object) -> Model:
        raise MemoryError("of the fit")

    with monkeypatch.context() as patch:
        if where == "measuring":
            patch.setattr(answering, "measured", failing)
        else:
            patch.setattr(collected_module, "fit", broken)
        words = "its charge stands" if where == "measuring" else "charged before the first, and asking again is charged"
        with pytest.raises(ReleaseFailedError, match=words) as caught:
            session.synthesise(epsilon=2, **AIM)
        assert "of a row" not in str(caught.value)
    assert session.remaining().spent.loss == PRICE
    assert session.history()["state"].tolist() == ["forfeited"]


def test_an_aim_that_was_sealed_is_answered_by_another_process(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "stays.csv", index=False)
    budget = pets.Budget(epsilon=2.1, delta=1e-6)

    def again(**more: Any) -> tuple[pets.Session, SyntheticRelease]:
        session = pets.Session(
            SCHEMA, str(tmp_path / "stays.csv"), ledger=str(tmp_path / "l.db"), snapshots=tmp_path / "s",
            progress=False, **more,
        )  # fmt: skip
        return session, session.synthesise(epsilon=2, **AIM)

    first, made = again(budget=budget)
    second, same = again()
    assert same.table.equals(made.table) and same.certified == made.certified
    assert second.remaining().spent.loss == first.remaining().spent.loss == made.cost["loss"]
    # the certificate is genuine
    key = bytes.fromhex(Path(first.ledger.public_path).read_text("utf-8"))
    assert verifier.verify(canonical(dict(made.certified or {})), key).startswith("Genuine")


def test_a_work_asks_for_no_more_than_was_charged() -> None:
    session = opened()
    jobs = [session.custody.job(pets.query("stays").agg(n=pets.count()), pets.DP(rho=0.01))] * 3
    terms: dict[str, Any] = {"table": "stays", "what": "a test", "question": "0" * 64, "protection": {"kind": "dp"}}
    cost = Cost("zcdp", 2 * jobs[0].noise.cost.loss)  # type: ignore[union-attr]
    work = Work(**terms, snapshot=jobs[0].snapshot.id, price=cost, guarantee="none", terms={"epsilon": 1})
    with pytest.raises(InternalError, match="more than was charged"), session.custody.work(work, again=False) as ask:
        ask(jobs[:2])
        ask(jobs[2:])
    assert session.history()["state"].tolist() == ["forfeited"] and session.remaining().spent.loss == cost.loss


def test_dummy_sessions_synthesise_for_nothing(session: pets.Session) -> None:
    twin = session.dummy(rows=500)
    made = twin.synthesise(epsilon=1, rows=10, progress=False)
    assert made.data == "dummy" and "invented" in made.guarantee and twin.remaining().spent.loss == 0


# whether rows were enough ---------------------------------------------------------------------------------------------


def test_the_first_line_says_whether_rows_were_enough(made: SyntheticRelease) -> None:
    first = repr(made).splitlines()[0]
    assert first.startswith("Enough rows: of about ") and first == made.notes[0] == made.manifest["enough"]
    shown = made._repr_html_()
    assert shown.index(first) < shown.index("SYNTHETIC DATA") and shown.count(first) == 1
    assert made.level.startswith("multivariately plausible") and repr(made).count(first) == 1


def test_a_hundred_and_twenty_three_people_are_never_enough() -> None:
    few = pets.Session(SCHEMA, frame(123), budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)
    for columns in (["sex", "age", "ward"], ["sex", "ward"]):
        made = few.synthesise(40, epsilon=1, columns=columns, progress=False)
        assert repr(made).splitlines()[0].startswith("NOT ENOUGH ROWS: "), columns
        assert "multivariately" not in json.dumps(made.manifest) and made.level.startswith("valid")
    # a column by itself needs far fewer, and holds no pairs to be right about
    alone = few.synthesise(40, epsilon=1, columns=["sex"], progress=False)
    assert alone.enough.startswith("Enough rows for its one column") and alone.level.startswith("univariately")


def test_rare_values_that_noise_may_inflate_are_named() -> None:
    """One ward in a hundred: what noise makes of it is named with what was measured, from noisy numbers alone."""
    table = frame(800)
    table["ward"] = np.where(np.arange(len(table)) % 100 == 0, "C", "A")
    session = pets.Session(SCHEMA, table, budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)
    made = session.synthesise(epsilon=1, columns=["sex", "age", "ward"], progress=False)
    named = [tuple(one) for one in made.manifest["settings"]["below_noise"]]
    assert ("ward", "C") in named and ("ward", "A") not in named and ("sex", "F") not in named
    note = next(note for note in made.notes if note.startswith("Rare values"))
    share = 100 * float((made.table["ward"] == "C").mean())
    told = float(note.partition("ward 'C' (")[2].partition(" %")[0])
    assert abs(told - share) < 2.5 and "may come several times as often here" in note


# refusals and failures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "epsilon=1"),
        ({"epsilon": 1, "method": "dpp"}, "did you mean 'dp'"),
        ({"epsilon": 1, "columns": ["sexx"]}, "did you mean 'sex'"),
        ({"epsilon": 1, "columns": ["id"]}, "identifier"),
        ({"epsilon": 1, "columns": ["wing"]}, "look-up"),
        ({"epsilon": 1, "columns": "sex"}, "list"),
        ({"epsilon": 1, "columns": [["sex"]]}, "there is no column"),
        ({"epsilon": 1, "bins": {"age": [0, 18, 65]}}, "'age' must cover its public bounds, 0 to 99"),
        ({"epsilon": 1, "bins": {"agee": [0, 99]}}, "did you mean 'age'"),
        ({"epsilon": 1, "bins": {"sex": [0, 1]}}, "column 'sex' .* no bins"),
        ({"epsilon": 1, "bins": {"day": "week"}}, "'year', 'quarter' or 'month'"),
        ({"epsilon": 1, "rows": 0}, "rows must be"),
        ({"epsilon": 1, "table": "stay"}, "did you mean 'stays'"),
        ({"epsilon": 1, "selection": "mst"}, "tree, aim"),
        ({"epsilon": 1, "colums": ["sex"]}, "did you mean 'columns'"),
        ({"epsilon": 1e-5}, "too small for 10 marginals"),
        ({"epsilon": 9}, "nothing was spent"),
        ({"epsilon": 9, "selection": "aim"}, "nothing was spent"),
        ({"epsilon": 1, "bound": 9}, "above the 4 rows"),
    ],
)
def test_what_is_refused_costs_nothing_and_says_why(settings: dict[str, Any], words: str) -> None:
    session = pets.Session(SCHEMA, frame(50), budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)
    with pytest.raises(UserError, match=words):
        session.synthesise(**settings)
    assert session.remaining().spent.loss == 0


def test_too_many_cells_names_the_widest_column() -> None:
    columns = {f"c{i}": pets.Category([str(v) for v in range(1200)]) for i in range(3)}
    schema = pets.Schema({"t": pets.Table("row", columns)})
    with pytest.raises(UserError, match=r"at most 2,000,000 can be measured; 'c0' has the most values \(1,201\)"):
        Workload("t", modelled(schema, "t"))
    wide = pets.Schema({"t": pets.Table("row", {"c": pets.Category([str(v) for v in range(3000)])})})
    with pytest.raises(UserError, match=r"column 'c' has 3,001 slots.*leave it out"):
        modelled(wide, "t")


def test_a_failed_fit_stays_charged_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened()

    def broken(*_: object, **__: object) -> Model:
        raise MemoryError("of the fit")

    with monkeypatch.context() as patch:
        patch.setattr(collected_module, "fit", broken)
        with pytest.raises(ReleaseFailedError, match=r"stay charged.*MemoryError.*no cost"):
            session.synthesise(epsilon=1, progress=False)
    spent = session.remaining().spent.loss
    assert spent > 0
    session.synthesise(epsilon=1, rows=5, progress=False)  # as the message says
    assert session.remaining().spent.loss == spent


def test_noise_that_drowns_the_rows_is_told(session: pets.Session) -> None:
    few = pets.Session(SCHEMA, frame(5), budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)
    with pytest.raises(ReleaseFailedError, match="drowns the rows; ask with a larger epsilon"):
        few.synthesise(epsilon=0.01, progress=False)
    assert few.remaining().spent.loss > 0


# files ----------------------------------------------------------------------------------------------------------------


def test_a_file_has_its_manifest_beside_it(made: SyntheticRelease, tmp_path: Path) -> None:
    for name in ("rows.csv", "rows.parquet"):
        made.save(tmp_path / name)
    manifest = json.loads((tmp_path / "rows.manifest.json").read_text("utf-8"))
    assert manifest["marker"] == "SYNTHETIC" and manifest["epsilon"] == 4 and manifest["method"] == "dp"
    assert len(manifest["marginals"]) == 10 and "multivariately plausible" in manifest["level"]
    assert pd.read_csv(tmp_path / "rows.csv")["age"].tolist() == made.table["age"].tolist()
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES
    with pytest.raises(UserError, match=r"\.csv or \.parquet"):
        made.save(tmp_path / "rows.xlsx")
    with pytest.raises(UserError, match="cannot be written"):
        made.save(tmp_path / "no" / "rows.csv")
    assert made.derived is not None and len(made.derived["from"]) == 10


def test_a_folder_that_is_not_there_is_named(made: SyntheticRelease, tmp_path: Path) -> None:
    for ending in ("csv", "parquet"):
        with pytest.raises(UserError, match=r"cannot be written to '.*' \([A-Za-z ]+\)") as told:
            made.save(tmp_path / "no" / f"made.{ending}")
        assert "None" not in str(told.value)


def test_a_chart_shows_rows_beside_what_was_measured(made: SyntheticRelease) -> None:
    pytest.importorskip("altair")
    form = made.plot("ward").to_dict()
    rows = next(iter(form["datasets"].values())) if "datasets" in form else form["data"]["values"]
    assert [row["slot"] for row in rows] == ["A", "B", "C", "missing"]
    assert sum(row["rows"] for row in rows) == len(made.table)
    with pytest.raises(UserError, match="did you mean 'ward'"):
        made.plot("wards")


def test_what_is_shown_of_it_names_no_other_host(made: SyntheticRelease) -> None:
    evil = "<script src='https://x.example/a.js'></script>"
    frame = made.table.rename(columns={"ward": evil})
    bad = dataclasses.replace(
        made, frames={made.table_name: frame}, enough=f"NOT {evil}", guarantee=evil, notes=(evil,), dataset=evil
    )
    text = bad._repr_html_()
    assert "<script" not in text and text.count("&lt;script") == 5
    assert named(text.replace("https://x.example", "")) == []  # (a text, not an address: no tag has it)
    assert named(made._repr_html_() + opened().quote_synthesis(epsilon=1, columns=["sex"])._repr_html_()) == []
    pytest.importorskip("vl_convert")
    assert named(made.plot("ward")._repr_mimebundle_()["image/svg+xml"]) == []


# the model ------------------------------------------------------------------------------------------------------------


def counts(rows: Any, clique: tuple[int, ...], sizes: list[int]) -> Any:
    return np.histogramdd(rows[:, list(clique)], bins=[np.arange(sizes[c] + 1) - 0.5 for c in clique])[0]


SIZES = [6, 5, 4, 3]
PAIRS = list(itertools.combinations(range(4), 2))


def measured(rows: Any, sigma: float, seed: int = 0) -> dict[tuple[int, ...], Marginal]:
    random = np.random.default_rng(seed)
    cliques = [(c,) for c in range(4)] + PAIRS
    return {
        c: Marginal(c, counts(rows, c, SIZES) + random.normal(0, sigma, [SIZES[i] for i in c]), sigma) for c in cliques
    }


@pytest.fixture(scope="module")
def rows() -> Any:
    """Four columns: 1 and 2 follow 0, 3 stands alone."""
    random = np.random.default_rng(1)
    first = random.choice(6, 20_000, p=[0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
    one = (first + random.integers(0, 2, 20_000)) % 5
    two = np.where(random.random(20_000) < 0.8, first % 4, random.integers(0, 4, 20_000))
    return np.stack([first, one, two, random.integers(0, 3, 20_000)], axis=1)


@pytest.fixture(scope="module")
def model(rows: Any) -> Model:
    found = measured(rows, 5.0)
    return fit(SIZES, {c: one for c, one in found.items() if c not in [(0, 3), (1, 3), (2, 3)]}, 20_000)


def distance(a: Any, b: Any) -> float:
    return float(np.abs(a / a.sum() - b / b.sum()).sum()) / 2


def test_a_sample_is_distributed_as_its_own_model(model: Model) -> None:
    """Sample-to-own-model distance of at most 0.02 (mbi's own default, rounding, gave 0.25 on Adult)."""
    drawn = model.sample(30_000, np.random.default_rng(0))
    pairs = [pair for pair in PAIRS if model.marginal(pair) is not None]
    assert len(pairs) >= 3
    for pair in pairs:
        assert distance(counts(drawn, pair, SIZES), model.marginal(pair)) <= 0.02
        # what would be wrong is seen: siblings that move together
        together = np.sort(drawn, axis=0)
        assert distance(counts(together, pair, SIZES), model.marginal(pair)) > 0.05


def test_siblings_of_one_parent_stay_apart() -> None:
    """Given the parent, two children are independent; mbi's rounding ranks them alike within each parent's rows."""
    parent = np.array([0.5, 0.5])
    child = np.array([[0.5, 0.5], [0.5, 0.5]])
    joint = parent[:, None] * child
    model = Model((2, 2, 2), (((0, 1), joint), ((0, 2), joint)), 100.0)
    drawn = model.sample(20_000, np.random.default_rng(3))
    assert abs(np.corrcoef(drawn[:, 1], drawn[:, 2])[0, 1]) < 0.03


def test_the_model_holds_what_it_was_given(rows: Any, model: Model) -> None:
    for pair in [(0, 1), (0, 2), (1, 2)]:
        share = model.marginal(pair)
        assert share is not None and distance(counts(rows, pair, SIZES), share) < 0.015
    assert model.marginal((2, 0)).shape == (4, 6)  # type: ignore[union-attr]


def test_selection_prefers_what_independence_does_not_explain(rows: Any) -> None:
    found = measured(rows, 30.0)
    total = total_of(list(found.values()))
    assert abs(total - 20_000) < 5 * total_error(list(found.values()))
    scores = from_singles(found, PAIRS, total)
    assert max(scores, key=lambda pair: scores[pair]) in [(0, 1), (0, 2)]
    assert all(abs(scores[pair]) < 4 for pair in [(0, 3), (1, 3), (2, 3)])
    chosen = choose(scores, [], SIZES, 10_000)
    assert set(chosen) == {(0, 1), (0, 2), (1, 2)}
    # no room for a triangle of 120 cells: the tree alone
    assert len(choose(scores, [], SIZES, 100)) == 2
    assert choose(scores, chosen, SIZES, 10_000) == []


def test_surprise_of_noise_alone_is_near_nothing() -> None:
    random = np.random.default_rng(5)
    truth = np.full((12, 10), 50.0)
    scores = [surprise(Marginal((0, 1), truth + random.normal(0, 9, truth.shape), 9.0), truth) for _ in range(300)]
    assert abs(float(np.mean(scores))) < 0.25 and 0.8 < float(np.std(scores)) < 1.25


def test_cells_agree_with_the_engines_own_count() -> None:
    import mbi

    random = np.random.default_rng(7)
    for _ in range(20):
        sizes = random.integers(2, 6, 6).tolist()
        pairs = [pair for pair in itertools.combinations(range(6), 2) if random.random() < 0.4]
        names = [f"c{i}" for i in range(6)]
        cliques = [(names[a], names[b]) for a, b in pairs] + [(name,) for name in names]
        megabytes = mbi.junction_tree.hypothetical_model_size(mbi.Domain(names, sizes), cliques)
        theirs = megabytes * 2**20 / 8
        assert 0.5 * theirs <= model_cells(sizes, pairs) <= 1.5 * theirs


def test_shares_add_up_and_precision_joins() -> None:
    workload = Workload("stays", modelled(SCHEMA, "stays", KEPT, None))
    assert sum(share for _, share in workload.shares(Fraction(1, 3))) == Fraction(1, 3)
    joined = Marginal((0,), np.array([10.0]), 3.0).joined(Marginal((0,), np.array([20.0]), 6.0))
    assert joined.values[0] == pytest.approx(12) and joined.sigma == pytest.approx(6 / 5**0.5)


@pytest.mark.parametrize("bins", [None, {"age": [0, 18, 18.4, 18.6, 65, 200], "day": "quarter"}, {"age": 7}])
def test_decoding_stays_in_the_slot(bins: Any) -> None:
    random = np.random.default_rng(2)
    for column in modelled(SCHEMA, "stays", KEPT, bins):
        drawn = random.integers(0, column.size, 4000)
        values = pd.Series(column.values(drawn, random), dtype=object)
        assert slots(values, column.dimension, column.domain).tolist() == drawn.tolist()


def test_no_bin_is_without_a_value() -> None:
    (age,) = modelled(SCHEMA, "stays", ["age"], {"age": [-10, -5, 0, 18, 18.4, 18.6, 99, 120]})
    assert age.dimension.labels == ("[0, 18)", "[18, 18.6)", "[18.6, 99)", "[99, 120]")


def test_an_epsilon_that_is_no_number_is_refused(session: pets.Session) -> None:
    with pytest.raises(BudgetError, match="epsilon must be a number"):
        session.synthesise(epsilon="one")
