"""What the cells of compared tables mean: equal values are equal however each table spells them, and none is merged."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import UserError
from pets.synthetic.assess import fidelity, matches, nearness
from pets.synthetic.assess.matches import Attack, Fold
from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Coded, Tables, prepare
from tests.extras import needs

needs("sklearn")


def frame(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    age = np.clip(random.normal(50, 15, rows), 0, 99).round(1)
    return pd.DataFrame({"age": age, "ill": np.where(random.random(rows) < age / 99, "yes", "no")})


REAL, MADE, HELD = frame(800, 1), frame(800, 2), frame(600, 3)


def three(real: Any, made: Any, held: Any, schema: pets.Schema | None = None) -> Tables:
    """The tables with one more column, spelt three ways."""
    return prepare(REAL.assign(x=real), MADE.assign(x=made), HELD.assign(x=held), schema, None)


def apart(tables: Tables, name: str = "x") -> float:
    """Total variation distance of one column between the real rows and the synthetic ones."""
    at = tables.names.index(name)
    sizes = [column.size for column in tables.columns]
    return fidelity._distances(tables.real.codes, tables.synthetic.codes, [(at,)], sizes)[0]


def drawn(values: list[Any], rows: int, seed: int) -> list[Any]:
    return [values[i] for i in np.random.default_rng(seed).integers(0, len(values), rows)]


DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(40)]

SPELT = {
    "whole numbers beside gaps, and as text": (
        pd.Series(drawn([1, 2, 9], 800, 1)).astype(float).where(pd.RangeIndex(800) > 9),
        pd.Series(drawn([1, 2, 9], 800, 2)).astype(str),
        pd.Series(drawn([1, 2, 9, None], 600, 3), dtype="Int64"),
        pets.Category(["1", "2", "9"]),
    ),
    "days": (
        pd.to_datetime(pd.Series(drawn(DAYS, 800, 1))),
        [day.isoformat() for day in drawn(DAYS, 800, 2)],
        drawn(DAYS, 600, 3),
        pets.Date("2020-01-01", "2020-12-31"),
    ),
    "times of day": (
        pd.Series(drawn([dt.time(8, 30), dt.time(17), None], 800, 1), dtype=object),
        drawn(["08:30:00", "17:00:00", None], 800, 2),
        drawn(["08:30:00", "17:00:00", ""], 600, 3),
        pets.Time("06:00"),
    ),
    "truth": (
        np.array(drawn([True, False], 800, 1)),
        drawn(["True", "False"], 800, 2),
        drawn([True, False, None], 600, 3),
        pets.Boolean(),
    ),
    "numbers and gaps as objects": (
        drawn([3, 4.5, 80], 800, 1),
        [None, *drawn([3, 4.5, 80], 799, 2)],
        drawn(["3", "4.50", "80.0"], 600, 3),
        pets.Real(0, 100, step=0.5),
    ),
}


@pytest.mark.parametrize("name", SPELT)
@pytest.mark.parametrize("told", [True, False])
def test_equal_values_are_equal_however_they_are_spelt(name: str, told: bool) -> None:
    *columns, domain = SPELT[name]
    schema = pets.Schema({"t": pets.Table("row", {"x": domain})}, dataset="d")
    assert apart(three(*columns, schema if told else None)) < 0.2


def test_a_file_keeps_zeros_and_words_that_look_like_gaps(tmp_path: Path) -> None:
    """``01`` is no number, and the value ``None`` (of a test that was not done) no gap."""
    code, test = drawn(["01", "10", "02"], 800, 1), drawn(["None", "NA", "high"], 800, 2)
    made = MADE.assign(code=code, test=test)
    made.to_csv(tmp_path / "made.csv", index=False)
    REAL.assign(code=code, test=test).to_csv(tmp_path / "real.csv", index=False)
    found = prepare(str(tmp_path / "real.csv"), made, HELD.assign(code=code[:600], test=test[:600]), None, None)
    assert {column.name: column.labels for column in found.columns if column.name in ("code", "test")} == {
        "code": ("01", "02", "10", "missing"),
        "test": ("NA", "None", "high", "missing"),
    }
    assert apart(found, "code") == apart(found, "test") == 0


def test_a_file_whose_rows_do_not_fit_the_heading_is_refused_not_shifted(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("age,ill\n" + "1,x,y\n2,z,y\n" * 400, encoding="utf-8")
    with pytest.raises(UserError, match=r"real table cannot be read .*more fields than the heading"):
        prepare(str(tmp_path / "real.csv"), MADE, HELD, None, None)
    # a comma at the end of every line is no field
    (tmp_path / "real.csv").write_text("age,ill\n" + "1,x,\n2,z,\n" * 400, encoding="utf-8")
    found = prepare(str(tmp_path / "real.csv"), MADE, HELD, None, None)
    assert found.names == ["age", "ill"] and {"x", "z"} < set(found.columns[1].labels)


def test_texts_for_no_value_are_the_schemas() -> None:
    schema = pets.Schema(
        {"t": pets.Table("row", {"x": pets.Date("2020-01-01", "2020-12-31", null=["1800-01-01"])})}, dataset="d"
    )
    real = pd.to_datetime(pd.Series(["1800-01-01", *drawn([day.isoformat() for day in DAYS], 799, 1)]))
    tables = three(real, drawn(DAYS, 800, 2), drawn(DAYS, 600, 3), schema)
    assert np.isnan(tables.real.numbers[0, -1]) and tables.columns[-1].labels[-1] == "missing"


def test_a_table_that_was_read_amiss_is_refused() -> None:
    schema = pets.Schema({"t": pets.Table("row", {"x": pets.Category(["01", "02"])})}, dataset="d")
    with pytest.raises(UserError, match=r"no value of column 'x' in the real table .* keep their zeros"):
        three([1] * 400 + [2] * 400, ["01"] * 800, ["02"] * 600, schema)


def test_a_value_that_most_rows_have_gets_a_bin_of_its_own() -> None:
    """Cut at quantiles alone, nineteen rows in twenty without a gain share one bin with all the others."""
    random = np.random.default_rng(0)
    some, many = np.where(np.arange(800) % 20 == 0, random.integers(1, 4000, 800), 0), random.integers(0, 4000, 800)
    assert apart(three(some, many, some[:600])) > 0.9 and apart(three(some, some, some[:600])) == 0
    ends = three(np.where(some > 0, some, 9999), np.where(some > 0, some, 99_999), some[:600])
    assert apart(ends) > 0.9  # beyond the greatest real value, too
    below = three(some, np.where(some > 0, some, -1), some[:600])
    assert apart(below) > 0.9 and below.columns[-1].labels[0] == "under 0"


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_what_learners_stumble_over_is_read_or_left_out() -> None:
    """A column of gaps, infinite and huge numbers, lists: no traceback, no warning, and the reason is said."""
    big = REAL["age"].where(REAL.index > 3, np.inf)
    real = REAL.assign(age=big, gaps=np.nan, far=REAL["age"] * 1e300, cells=[[1]] * 800, one=1)
    made = MADE.assign(age=np.nan, gaps=1.0, far=MADE["age"] * 1e300, cells=[[1]] * 800, one=1)
    held = HELD.assign(gaps=np.nan, far=HELD["age"] * 1e300, cells=[[2]] * 600, one=1)
    found = pets.assess(real, made, held, target="ill", progress=False)
    assert dict(found.tables.left_out) == {"gaps": "without a value in every real row"}
    assert found["told from real rows"].value > 0.9 and 0 <= found["told from real rows"].high <= 1
    assert np.isnan(found.tables.real.numbers[:4, 0]).all()


def test_wide_columns_take_no_room_for_cells_that_nobody_is_in() -> None:
    """Two columns of 40,000 codes have 1.6 thousand million cells; nobody is in more than a few of them."""
    random = np.random.default_rng(0)
    codes = random.integers(0, 40_000, (3000, 2))
    other = codes.copy()
    other[:300] = random.integers(0, 40_000, (300, 2))
    sizes = [40_001, 40_001]
    assert fidelity._distances(codes, other, [(0, 1)], sizes)[0] == pytest.approx(0.1, abs=1e-3)
    few = np.where(codes % 7 == 0, codes % 7, codes % 3)
    small = fidelity._association(few, [4, 4])[0, 1]
    assert fidelity._association(few, sizes)[0, 1] == pytest.approx(small) and 0 < small < 0.2
    assert fidelity._association(np.column_stack([few[:, 0], few[:, 0]]), sizes)[0, 1] == pytest.approx(1)


def test_association_is_cramers() -> None:
    """As worked by hand: 30, 10 and 10, 30 rows have χ² = 20 of 80, so V = 1/2."""
    codes = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [30, 10, 10, 30], axis=0)
    assert fidelity._association(codes, [2, 2])[0, 1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"real": pd.concat([REAL, REAL[["age"]]], axis=1)}, "two columns named 'age'; rename"),
        ({"target": "same"}, "'same' is the same in every real row"),
        ({"target": "many"}, "'many' has 400 values and learners tell at most 20"),
        ({"progress": 3}, "progress must be True or False"),
        ({"table": "stays"}, "give the schema too"),
    ],
)
def test_bad_input_is_told_in_one_sentence(given: dict[str, Any], words: str) -> None:
    more = {
        name: table.assign(same=1, many=[f"v{i % 400}" for i in range(len(table))])
        for name, table in (("real", REAL), ("synthetic", MADE), ("holdout", HELD))
    }
    with pytest.raises(UserError, match=words):
        pets.assess(**{"progress": False, **more, **given})


def test_the_interval_of_a_risk_is_anonymeters() -> None:
    """As in the paper's own code: errors of both rates carried through (a − c) / (1 − c)."""
    attack = Attack(300, 1000, 100, 800)
    rate, control = matches._centre(300, 1000), matches._centre(100, 800)
    first, second = matches._half(300, 1000), matches._half(100, 800)
    risk = (rate - control) / (1 - control)
    half = np.hypot(first / (1 - control), second * (rate - 1) / (1 - control) ** 2)
    assert attack.interval == pytest.approx((risk - half, risk + half)) and attack.risk == pytest.approx(risk)


def test_one_column_that_is_told_is_not_hidden_by_the_others() -> None:
    """Who knows a person's size learns the diagnosis; all else can be guessed of anybody, so the mean hides it."""

    def people(rows: int, seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        size = random.random(rows)
        near = {name: (size + random.normal(0, 1e-5, rows)).round(6) for name in ("height", "reach", "stride")}
        usual = {f"c{i}": np.where(random.random(rows) < 0.002, "b", "a") for i in range(20)}
        return pd.DataFrame(near | usual | {"diagnosis": random.integers(0, 12, rows).astype(str)})

    def risks(made: pd.DataFrame) -> dict[str, Score]:
        random = np.random.default_rng(0)
        tables = prepare(real, made, held, None, None)
        ceiling, control = tables.holdout.take(np.arange(1000)), tables.holdout.take(np.arange(1000, 3000))
        released = {"value": tables.synthetic, "floor": tables.real.shuffled(random), "ceiling": ceiling}
        folds = [Fold(released, control, tables.real)]
        return {score.name: score for score in nearness.by_nearness(tables, folds, random, 600)}

    real, held, made = people(1500, 1), people(3000, 2), people(1500, 3)
    name = "inference of one column"
    assert not risks(made)[name].flagged
    third = np.arange(1500) < 500
    made.loc[third, ["height", "reach", "stride"]] = real.loc[third, ["height", "reach", "stride"]] + 1e-6
    made.loc[third, "diagnosis"] = real.loc[third, "diagnosis"]
    found = risks(made)
    assert "'diagnosis'" in found[name].meaning and found[name].flagged and 0.2 < found[name].value < 0.5
    assert found["attribute inference"].value < 0.3 and not found["attribute inference"].flagged


def test_every_score_has_an_interval_and_no_luck_is_praised() -> None:
    found = pets.assess(REAL, MADE, HELD, progress=False)
    for score in found.scores:
        assert score.low <= score.value <= score.high, score.name
    learnt = found["ill by boosted trees"]
    assert 0.005 < learnt.high - learnt.low < 0.2

    def score(value: float, low: float, high: float, better: Any) -> Score:
        floor, ceiling = (0.5, 0.9) if better == "more" else (0.9, 0.5)
        return Score("utility", "a", "b", value, floor, ceiling, better, low, high)

    assert score(0.7, 0.6, 0.8, "more").places == pytest.approx((0.25, 0.75))
    assert score(0.7, 0.6, 0.8, "less").places == pytest.approx((0.25, 0.75))
    assert score(0.52, 0.49, 0.55, "more").worthless and not score(0.56, 0.53, 0.59, "more").worthless
    assert score(0.88, 0.85, 0.91, "less").worthless and not score(0.8, 0.77, 0.83, "less").worthless


def test_a_shuffle_keeps_rows_and_columns() -> None:
    tables = prepare(REAL, MADE, HELD, None, None)
    shuffled = tables.real.shuffled(np.random.default_rng(0))
    assert isinstance(shuffled, Coded) and (np.sort(shuffled.codes, axis=0) == np.sort(tables.real.codes, axis=0)).all()
