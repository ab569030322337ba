"""Noise alone: the distance that noise makes, whether rows were enough, and which values are below their noise."""

from __future__ import annotations

import numpy as np
import pytest

import pets
from pets.synthetic.dp_model.columns import modelled
from pets.synthetic.dp_model.noise_alone import Forecast, NoiseAlone, Rare, rare_note, rare_values, verdict
from pets.synthetic.dp_model.workload import Marginal, Workload, displaced, slot_counts
from pets.synthetic.synthetic_release import Misfit


def test_the_distance_is_that_of_drawn_noise() -> None:
    random = np.random.default_rng(0)
    drawn = [np.abs(random.normal(0, 7, 30)).sum() / 2 / 400 for _ in range(2000)]
    assert displaced(7, 30, 400) == pytest.approx(float(np.mean(drawn)), rel=0.02)
    assert NoiseAlone(("a",), 30, 7).at(400) == displaced(7, 30, 400) and NoiseAlone(("a",), 30, 700).at(400) == 1


def misfits(single: float, pair: float | None) -> list[Misfit]:
    found = [Misfit(("a",), 4, 1.0, 0.0, single, True), Misfit(("b",), 4, 1.0, 0.0, single, True)]
    return found if pair is None else [*found, Misfit(("a", "b"), 16, 1.0, 0.0, pair, True)]


@pytest.mark.parametrize(
    ("single", "pair", "words", "level"),
    [
        (0.01, 0.05, "Enough rows: of about 1,234 rows, noise alone puts about 1 %", "multivariately"),
        (0.01, 0.06, "Enough rows for columns by themselves, NOT FOR PAIRS: ", "univariately"),
        (0.06, 0.06, "NOT ENOUGH ROWS: ", "valid"),
        (0.06, 0.01, "NOT ENOUGH ROWS: ", "valid"),
        (0.4, 7.0, "about 40 % in the wrong place of a column and about 100 % in the wrong place of a pair", "valid"),
        (0.05, None, "Enough rows for its one column: ", "univariately"),
        (0.3, None, "NOT ENOUGH ROWS: ", "valid"),
    ],
)
def test_whether_rows_were_enough_is_said_in_plain_words(
    single: float, pair: float | None, words: str, level: str
) -> None:
    told = verdict(misfits(single, pair), 1234)
    assert words in told.words and told.level.startswith(level)


def test_rows_that_are_enough_are_enough_and_no_fewer() -> None:
    some = (NoiseAlone(("a",), 16, 57.0), NoiseAlone(("b",), 2, 57.0))
    forecast = Forecast(some, ())
    rows = forecast.rows_for(some)
    assert forecast.columns_at(rows) <= 0.05 < forecast.columns_at(rows * 0.9) and rows % 100 == 0
    assert forecast.pairs_at(rows) is None and forecast.scaled(2).columns_at(2 * rows) == forecast.columns_at(rows)


SCHEMA = pets.Schema(
    {"t": pets.Table("row", {"a": pets.Category(["x", "y", "z"], nullable=False), "b": pets.Boolean(nullable=False)})},
    dataset="noise",
)
WORKLOAD = Workload("t", modelled(SCHEMA, "t"))


def test_every_marginal_tells_of_a_slot_by_its_precision() -> None:
    own = Marginal((0,), np.array([100.0, 40.0, 7.0]), 3.0)
    pair = Marginal((0, 1), np.array([[60.0, 46.0], [20.0, 20.0], [1.0, 0.0]]), 3.0)
    counts, sigma = slot_counts({(0,): own, (0, 1): pair, (1,): Marginal((1,), np.array([5.0, 5.0]), 1.0)}, 0)
    # a sum of two cells has twice the variance, and so half the weight
    assert counts == pytest.approx((np.array([100.0, 40, 7]) + np.array([106.0, 40, 1]) / 2) / 1.5)
    assert sigma == pytest.approx(1 / np.sqrt(1 / 9 + 1 / 18))


def test_values_below_their_noise_are_named_with_what_the_model_makes_of_them() -> None:
    marginals = {
        (0,): Marginal((0,), np.array([900.0, 88.0, 12.0]), 10.0),
        (1,): Marginal((1,), np.array([500.0, 500.0]), 10.0),
    }
    share = {(0,): np.array([0.873, 0.088, 0.039]), (1,): np.array([0.5, 0.5])}
    found = rare_values(WORKLOAD, marginals, share.__getitem__, 1000)
    assert [(one.column, one.value, one.made) for one in found] == [("a", "z", 0.039)]
    (note,) = rare_note(found)
    assert "a 'z' (3.9 % of the model's rows, measured 1.2 % ± 2.0 %)" in note and "several times as often" in note
    # a value that no row has cannot mislead; one that is measured beyond its noise is no news
    none = {(0,): np.array([0.91, 0.09, 0.0]), (1,): np.array([0.5, 0.5])}
    assert rare_values(WORKLOAD, marginals, none.__getitem__, 1000) == () == rare_note(())


def test_a_long_list_of_rare_values_is_cut_by_column() -> None:
    many = [Rare("a", f"v{i}", 0.01, 0.0, 0.02) for i in range(5)] + [Rare("b", "w", 0.01, 0.0, 0.02)]
    (note,) = rare_note(many)
    assert "'v2'" in note and "'v3'" not in note and "'w'" in note and "and 2 more" in note
