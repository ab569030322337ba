"""Several synthetic tables of the same people: rows that are linked and follow one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.common.codec import canonical
from pets.errors import BudgetError, UserError
from pets.federated import Federation, Site, SitePolicy
from pets.schema.rules import OnlyWhen
from pets.session.synthesis.request import LIVES
from pets.synthetic.dp_model.histories import histories
from pets.synthetic.synthetic_release import RECORD, SyntheticRelease
from pets.verify.check import Refused, check
from tests.extras import needs
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.verify.test_check import moved, said_of
from tests.unit.verify.test_made import World

needs("mbi")

SCHEMA = pets.Schema(
    {
        "patients": pets.Table(
            pets.Unit("id", max_rows=1),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["F", "M"], nullable=False),
                "note": pets.Text(8),
            },
        ),
        "stays": pets.Table(
            pets.Unit("id", max_rows=6),
            {
                "id": pets.Identifier(),
                "stay": pets.Identifier(),
                "admitted": pets.Date("2021-01-01", "2023-12-31", nullable=False),
                "ward": pets.Category(["heart", "lung", "eye"], nullable=False),
                "end": pets.Category(["home", "care", "died"], nullable=False),
                "score": pets.Integer(0, 3),
            },
            person_table="patients",
            rules=(OnlyWhen("score", "ward", ("heart", "lung")),),
        ),
        "tests": pets.Table(
            pets.Unit("id", max_rows=4),
            {
                "id": pets.Identifier(),
                "number": pets.Integer(1, 4, nullable=False),
                "result": pets.Category(["neg", "pos"], nullable=False),
            },
            person_table="patients",
        ),
    },
    dataset="linked-test",
)
TABLES = ["patients", "stays", "tests"]
WANTED: dict[str, Any] = {"tables": TABLES, "order": {"tests": "number"}, "progress": False}
HIGH = 400.0
"""An ε at which noise shows nowhere, so that what is left is the model's own."""


def rows(people: int = 4000, seed: int = 5) -> dict[str, pd.DataFrame]:
    """Wards stay (nine times in ten), the dead do not come back, women have more stays, a test follows another."""
    random = np.random.default_rng(seed)
    woman = random.random(people) < 0.5
    counts = np.where(woman, random.integers(1, 6, people), random.integers(0, 3, people))
    stays, tests = [], []
    for person in range(people):
        ward, day = random.choice(["heart", "lung", "eye"], p=[0.5, 0.3, 0.2]), int(random.integers(0, 300))
        for stay in range(counts[person]):
            if stay and random.random() < 0.1:
                ward = random.choice(["heart", "lung", "eye"])
            last = stay == counts[person] - 1
            end = random.choice(["home", "care", "died"], p=[0.6, 0.1, 0.3] if last else [0.8, 0.2, 0])
            score = None if ward == "eye" else int(random.integers(0, 4))
            stays.append((person, f"{person}-{stay}", day, ward, end, score))
            day += int(random.integers(5, 12))
        result = "pos" if random.random() < 0.3 else "neg"
        for number in range(1, int(random.integers(1, 5))):
            tests.append((person, number, result))
            result = "neg" if random.random() < 0.5 else result
    days = np.datetime64("2021-01-01") + np.array([one[2] for one in stays]).astype("timedelta64[D]")
    frame = pd.DataFrame(stays, columns=["id", "stay", "admitted", "ward", "end", "score"])
    return {
        "patients": pd.DataFrame({"id": range(people), "sex": np.where(woman, "F", "M"), "note": "x"}).astype(str),
        "stays": frame.assign(
            id=frame["id"].astype(str), admitted=days.astype(str), score=frame["score"].astype("Int64")
        ),
        "tests": pd.DataFrame(tests, columns=["id", "number", "result"]).astype({"id": str}),
    }


REAL = rows()


def opened(epsilon: float = 2 * HIGH, data: dict[str, pd.DataFrame] | None = None) -> pets.Session:
    return pets.Session(
        SCHEMA, REAL if data is None else data, budget=pets.Budget(epsilon=epsilon, delta=1e-6), progress=False
    )


@pytest.fixture(scope="module")
def world() -> World:
    return World(opened())


@pytest.fixture(scope="module")
def made(world: World) -> SyntheticRelease:
    return world.session.synthesise(epsilon=HIGH, **WANTED)


def steps(frame: pd.DataFrame, order: str, column: str) -> pd.Series:
    """The share of each pair of a value and the next one of the same person."""
    ordered = frame.sort_values(["id", order], kind="stable")
    again = ordered["id"].eq(ordered["id"].shift(-1))
    two = pd.DataFrame({"one": ordered[column], "next": ordered[column].shift(-1)})[again]
    return two.value_counts(normalize=True)


def apart(one: pd.Series, other: pd.Series) -> float:
    left, right = one.align(other, fill_value=0)
    return float((left - right).abs().sum()) / 2


def test_rows_are_of_the_people_and_in_order(made: SyntheticRelease) -> None:
    tables = made.tables
    assert list(tables) == TABLES and made.table_name == "patients"
    assert list(tables["patients"]) == [RECORD, "id", "sex"]
    assert list(tables["stays"]) == [RECORD, "id", "stay", "admitted", "ward", "end", "score"]
    people = set(tables["patients"]["id"])
    assert len(people) == len(tables["patients"]) and abs(len(people) - 4000) < 40
    for name, most, order in (("stays", 6, "admitted"), ("tests", 4, "number")):
        frame = tables[name]
        assert set(frame["id"]) <= people and frame.groupby("id").size().max() <= most
        assert frame[RECORD].is_unique and frame["id"].is_monotonic_increasing
        assert all(own.is_monotonic_increasing for _, own in frame.groupby("id")[order])
    days = tables["stays"]["admitted"]
    assert days.between("2021-01-01", "2023-12-31").all()
    assert LIVES in made.notes


def test_what_follows_follows(made: SyntheticRelease) -> None:
    """With hardly any noise, steps are those of the real rows, where rows that are dealt out at random are far off."""
    tables = made.tables
    for name, order, column in (
        ("stays", "admitted", "ward"),
        ("tests", "number", "result"),
        ("stays", "admitted", "end"),
    ):
        real, mixed = REAL[name], REAL[name].copy()
        mixed[column] = mixed[column].sample(frac=1, random_state=1).to_numpy()
        near = apart(steps(real, order, column), steps(tables[name], order, column))
        assert near < 0.05
        if column != "end":
            assert apart(steps(real, order, column), steps(mixed, order, column)) > 4 * near
    stays = tables["stays"]
    again = stays["id"].eq(stays["id"].shift(-1))
    assert (stays[again]["end"] == "died").mean() < 0.03  # none of the real ones
    assert abs((stays[~again]["end"] == "died").mean() - 0.3) < 0.05
    gaps = pd.to_datetime(stays["admitted"]).diff().dt.days[stays["id"].eq(stays["id"].shift())]
    assert gaps.between(4, 14).mean() > 0.98  # 5 to 11 days, in bins of 4 to 7 and 8 to 14


def test_how_many_rows_goes_with_the_person(made: SyntheticRelease) -> None:
    tables = made.tables
    for data in (REAL, tables):
        counts = data["stays"].groupby("id").size().reindex(data["patients"]["id"], fill_value=0)
        mean = counts.groupby(data["patients"].set_index("id")["sex"]).mean()
        assert abs(mean["F"] - 3) < 0.15 and abs(mean["M"] - 1) < 0.15


def test_rules_are_kept(made: SyntheticRelease) -> None:
    stays = made.tables["stays"]
    assert stays[stays["ward"] == "eye"]["score"].isna().all()
    assert stays[stays["ward"] != "eye"]["score"].notna().mean() > 0.9
    told = {one["rule"]: one["kept"] for one in made.settings["rules"]}
    assert any("put right, or drawn again: broken in 0.0% of these rows" in kept for kept in told.values())


def test_one_person_moves_one_cell_of_each_marginal(world: World, made: SyntheticRelease) -> None:
    once = {"l0": 1, "l1": 1, "l2_squared": 1, "linf": 1}
    assert all(one.sensitivity.to_json() == once for release in made.releases for one in release.plan.measures)
    assert "all rows of any one person (id) in all tables of the dataset" in made.guarantee
    assert world.session.remaining().spent.loss == made.cost["loss"] <= pets.Budget(HIGH, 1e-6).cap.loss
    quote = world.session.quote_synthesis(epsilon=HIGH, **WANTED)
    assert quote.cost.loss == made.cost["loss"] and len(made.releases) == len(made.misfits)
    assert world.session.synthesise(epsilon=HIGH, **WANTED).cost == made.cost  # the same answers, and free
    assert world.session.remaining().spent.loss == made.cost["loss"]


@pytest.mark.chance(0)
def test_the_checker_holds_its_tables_to_what_was_asked(world: World, made: SyntheticRelease, tmp_path: Path) -> None:
    made.save(tmp_path / "made")
    assert {path.name for path in (tmp_path / "made").glob("*.csv")} == {f"{name}.csv" for name in TABLES}
    form: Any = made.derived
    said = check((tmp_path / "made" / "stays.certificate.json").read_bytes(), world.key)
    assert said.startswith(made.guarantee)
    told = ("manifest", "settings", "people")
    lies = [edited(form, path, moved) for path in leaves(form) if path[:3] == told][:12]
    lies.append(form | {"tables": {"people": form["tables"]["patients"]}})
    lies.append(form | {"tables": {name: form["tables"][name] for name in TABLES[1:]}})
    fewer = {name: form["manifest"]["tables"][name] for name in TABLES[1:]}
    lies.append(lies[-1] | {"manifest": form["manifest"] | {"tables": fewer}})
    for lie in lies:
        with pytest.raises(Refused):
            check(canonical(world.signed(lie, said_of(made))), world.key)  # type: ignore[arg-type]


def test_cells_that_nobody_can_be_in_are_known() -> None:
    known = histories(SCHEMA, TABLES, {"tests": "number"})
    stays = known.events[0]
    assert (stays.most, known.events[1].most) == (6, 4)
    held = known.possible((stays.rows, stays.second["ward"]))
    assert held is not None and held.shape == (7, 4)
    assert held[:2].tolist() == [[False, False, False, True]] * 2 and held[2:].tolist() == [[True] * 3 + [False]] * 5
    score = known.possible((stays.rows, stays.first["score"]))  # who has a row may lack it
    assert score is not None and score[:, -1].all() and not score[0, :-1].any() and score[1:].all()
    filled = known.possible((stays.rows, stays.first["score"]), filled=(stays.first["score"],))
    assert filled is not None and not filled[1:, -1].any()
    assert known.possible((known.attributes["sex"], stays.rows)) is None
    assert known.possible((stays.rows, known.events[1].rows)) is None


def test_names_say_what_is_counted() -> None:
    known = histories(SCHEMA, ["stays"], bound=3, columns={"stays": ["ward"]})
    table = known.events[0]
    assert known.workload.names((table.rows, table.first["ward"], table.second["ward"], table.gap)) == (
        "stays: rows",
        "stays: ward of row 1",
        "stays: ward of row 2",
        "stays: from row 1 to row 2",
    )
    assert [int(label) for label in known.workload.columns[table.rows].labels] == [1, 2, 3]  # nobody without a row


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tables": []}, "tables must be a list of names"),
        ({"tables": "stays"}, "tables must be a list of names"),
        ({"tables": ["stay"]}, "did you mean 'stays'"),
        ({"tables": ["stays", "stays"]}, "names a table twice"),
        ({"tables": ["patients"]}, "write table='patients' instead of tables"),
        ({"tables": ["tests"]}, r"no column of dates; say which orders a person's rows with order="),
        ({"tables": ["stays"], "order": "ward"}, "ordered by a date or a number"),
        ({"tables": ["stays"], "order": {"stays": "admited"}}, "did you mean 'admitted'"),
        ({"tables": ["stays"], "order": {"tests": "number"}}, "which is not in tables"),
        ({"tables": ["stays"], "columns": ["ward"]}, "stated by table"),
        ({"tables": ["stays"], "columns": {"stays": ["wards"]}}, "did you mean 'ward'"),
        ({"tables": ["stays"], "bound": 9}, "bound of table 'stays' must be .* 2 to 6"),
        ({"tables": ["stays"], "table": "stays"}, "leave one of them out"),
        ({"tables": ["stays"], "selection": "aim"}, "leave selection out"),
        ({"table": "stays", "order": "admitted"}, "order is of the rows of several tables"),
    ],
)
def test_what_is_refused_costs_nothing(settings: dict[str, Any], words: str) -> None:
    session = opened(4, rows(30))
    with pytest.raises(UserError, match=words):
        session.synthesise(epsilon=1, progress=False, **settings)
    assert session.remaining().spent.loss == 0


def test_what_noise_would_drown_is_refused_with_an_epsilon_that_does() -> None:
    session = pets.Session(few(), rows(30), budget=pets.Budget(9, 1e-6), progress=False)
    with pytest.raises(BudgetError, match="noise would drown this table"):
        session.synthesise(epsilon=0.1, **WANTED)
    assert session.remaining().spent.loss == 0


def few() -> pets.Schema:
    form = SCHEMA.to_json()
    for table in form["tables"].values():
        table["people"] = 200
    return pets.Schema.from_json(form)


def test_a_dummy_twin_and_sites_make_them_too() -> None:
    twin = opened(4, rows(60)).dummy(rows=200)
    made = twin.synthesise(50, epsilon=3, **WANTED)
    assert len(made.tables["patients"]) == 50 and made.guarantee.startswith("Dummy data")
    every = rows(300)
    sites = []
    for place in range(3):
        own = {name: frame[frame["id"].astype(int) % 3 == place] for name, frame in every.items()}
        session = pets.Session(SCHEMA, own, budget=pets.Budget(epsilon=HIGH, delta=1e-6), progress=False)
        sites.append(Site(session, policy=SitePolicy.open(SCHEMA), name=f"s{place}"))
    many = Federation(sites, sites_per_person=1, progress=False)
    wanted: dict[str, Any] = {"tables": ["stays"], "columns": {"stays": ["ward", "score"]}, "bound": 2}
    made = many.synthesise(40, epsilon=HIGH / 2, secure="masked", progress=False, **wanted)
    assert list(made.tables) == ["stays"] and made.table["id"].nunique() == 40 and LIVES in made.notes
    (rule,) = made.settings["rules"]
    assert "drawn again: broken in 0.0%" in rule["kept"] and any(rule["kept"] in note for note in made.notes)
