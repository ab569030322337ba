"""Directly standardised rates: a published example, exact limits, and intervals that hold chance and noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.query_model.group_keys import ColumnKey
from pets.release.standardise import ESP2013, byar, interval

# Down's syndrome in Michigan, fifth and later births by the mother's age (Fay and Feuer 1997, table II; Stark and
# Mantell 1966); the rate is that of the vignette of R's dsrTest
CASES = [0, 8, 63, 112, 262, 295]
BIRTHS = [327, 30666, 123419, 149919, 104088, 34392]
ALL = [319933, 931318, 786511, 488235, 237863, 61313]
AGES = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 120]


def test_the_standard_population_is_a_hundred_thousand() -> None:
    assert len(ESP2013) == 19 and sum(ESP2013) == 100_000
    assert sum(ESP2013[13:]) == 19_500  # 65 and over


def test_a_published_rate() -> None:
    share = np.array(ALL) / sum(ALL)
    rate, low, high = interval(np.array(CASES, float), np.array(BIRTHS, float), share, (0.0, 0.0), 0.95)
    assert round(rate * 1e5, 5) == 75.52901
    # Dobson's interval by exact limits of a Poisson mean of 740 (687.6 to 795.3, by the chi-squared law) is as good
    scale = math.sqrt(float((share**2 * np.array(CASES) / np.array(BIRTHS, float) ** 2).sum()) / 740)
    assert low == pytest.approx(rate + scale * (687.64 - 740), rel=2e-4)
    assert high == pytest.approx(rate + scale * (795.29 - 740), rel=2e-4)


@pytest.mark.parametrize(("events", "low", "high"), [(1, 0.025, 5.57), (10, 4.795, 18.39), (100, 81.36, 121.63)])
def test_byars_limits_are_near_the_exact_ones(events: int, low: float, high: float) -> None:
    """Exact (Garwood's) limits of a Poisson mean, as tables print them."""
    found = byar(events, 0.95)
    assert found[0] == pytest.approx(low, rel=0.01, abs=0.02) and found[1] == pytest.approx(high, rel=0.01)


SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit(None),
            {
                "age": pets.Integer(0, 119, nullable=False),
                "area": pets.Category(["n", "s"], nullable=False),
                "ill": pets.Boolean(nullable=False),
            },
            people=10**6,
        )
    }
)
QUERY = (
    pets.query("t")
    .group_by("area", col("age").bins(AGES, "band"))
    .agg(cases=pets.count_units(col("ill") == True), n=pets.count_units(), m=pets.mean("age"))  # noqa: E712
)


def people(seed: int = 3, size: int = 40_000) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    age = draw.integers(0, 100, size)
    return pd.DataFrame({"age": age, "area": draw.choice(["n", "s"], size), "ill": draw.random(size) < age / 2000})


def released(protection: Any, rows: pd.DataFrame) -> pets.Release:
    policy = pets.Policy(allow_unbounded=True)
    session = pets.Session(
        SCHEMA, {"t": rows}, budget=pets.Budget(epsilon=1000, delta=1e-6), policy=policy, progress=False
    )
    return session.release(QUERY, protection)


def test_it_is_the_weighted_mean_of_the_rates() -> None:
    rows = people()
    found = released(pets.Total(), rows).standardise("cases", "n", by="band")
    assert found.columns.tolist() == ["area", "rate", "rate_low", "rate_high"]
    for area, rate, low, high in found.itertuples(index=False):
        here = rows[rows["area"] == area]
        band = np.minimum(here["age"] // 5, 18)
        rates = here.groupby(band)["ill"].mean()
        assert rate == pytest.approx(float((rates * np.array(ESP2013)).sum()))
        assert low < rate < high


def test_noise_widens_the_interval_and_is_inside_it() -> None:
    rows = people()
    truth = released(pets.Total(), rows).standardise("cases", "n", by="band")
    noisy = released(pets.DP(epsilon=2), rows).standardise("cases", "n", by="band")
    assert ((noisy["rate_high"] - noisy["rate_low"]) > (truth["rate_high"] - truth["rate_low"])).all()
    assert ((noisy["rate_low"] < truth["rate"]) & (truth["rate"] < noisy["rate_high"])).all()
    public = {
        (area, band): 1000.0 for area in "ns" for band in dict.fromkeys(released(pets.Total(), rows).table["band"])
    }
    assert len(released(pets.DP(epsilon=2), rows).standardise("cases", public, by="band")) == 2


def test_intervals_hold_chance_and_noise_as_often_as_they_say() -> None:
    """And without the noise in them they do not. A fixed seed: no look is left to chance."""
    draw = np.random.default_rng(8)
    n, share = np.full(19, 2000.0), np.array(ESP2013) / 1e5
    rates = np.linspace(0.002, 0.03, 19)
    truth, held, forgot = float((share * rates).sum()), 0, 0
    for _ in range(2000):
        x = draw.poisson(n * rates) + np.rint(draw.normal(0, 12, 19))
        noise = 1.96 * math.sqrt(float(((share / n) ** 2).sum())) * 12
        _, low, high = interval(x, n, share, (noise, noise), 0.95)
        held += low <= truth <= high
        _, low, high = interval(x, n, share, (0.0, 0.0), 0.95)
        forgot += low <= truth <= high
    assert held > 0.94 * 2000 and forgot < 0.88 * 2000


def test_an_age_with_too_few_people_has_no_rate() -> None:
    rows = people(size=400)
    assert released(pets.DP(epsilon=0.5), rows).standardise("cases", "n", by="band")["rate"].isna().all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"events": "m"}, "no count"),
        ({"by": "ages"}, "there are: area, band"),
        ({"by": "area"}, r"as col\('area'\)\.bins"),
        ({"population": "ESP"}, "'ESP2013'"),
        ({"population": pd.Series([1.0, 2.0])}, r"such as population=\{'\[0, 5\)': 1000, …\}, not a Series"),
        ({"population": ["ESP2013"]}, "or a mapping of each group of 'band'"),
        ({"by": ["band"]}, r"\['band'\] is not a key of this release; did you mean 'band'"),
        ({"among": pd.Series([1.0])}, "or public people by key, not a Series"),
        ({"population": {"[0, 5)": 1}}, "a weight for every group"),
        ({"among": 3}, "public people by key"),
        ({"per": 0}, "per is above 0"),
        ({"per": "x"}, "per is above 0"),
        ({"confidence": "x"}, "confidence is between 0 and 1"),
        ({"among": {("n", "[0, 5)"): "x"}}, "numbers from 0 on, not 'x'"),
        ({"among": {("n", "[0, 5)"): -1}}, "numbers from 0 on, not -1"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    release = released(pets.Total(), people(size=200))
    with pytest.raises(QueryError, match=said):
        release.standardise(**({"events": "cases", "among": "n", "by": "band"} | settings))


BANDS = ["[0, 65)", "[65, 120]"]
COARSE = (
    pets.query("t")
    .group_by("area", col("age").bins([0, 65, 120], "band"))
    .agg(cases=pets.count_units(col("ill") == True), n=pets.count_units())  # noqa: E712
)


def coarse(keys: list[tuple[str, str]] | None = None, query: pets.Query = COARSE) -> pets.Release:
    asked = query if keys is None else query.group_by(pets.KeySet(("area", "band"), tuple(keys)), *query.keys)
    session = pets.Session(
        SCHEMA,
        {"t": people()},
        budget=pets.Budget(epsilon=1000, delta=1e-6),
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
    )
    return session.release(asked, pets.Total())


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (col("age").bins([0, 18, 65, 120], "band"), r"costs nothing: population=\{'\[0, 18\)': 1000, …\}$"),
        (col("age").bins([0, 65, 85], "band"), "fewer of these; for other groups give"),
        (ColumnKey("ill", "band"), r"population=\{False: 1000, …\}$"),
    ],
)
def test_ages_that_the_standard_lacks_need_no_second_release(key: Any, said: str) -> None:
    asked = pets.query("t").group_by(key).agg(cases=pets.count_units(col("ill") == True), n=pets.count_units())  # noqa: E712
    release = coarse(query=asked)
    with pytest.raises(QueryError, match=said):
        release.standardise("cases", "n", by="band")
    weights = dict.fromkeys(release.table["band"], 1000)
    assert len(release.standardise("cases", "n", by="band", population=weights, per=1000)) == 1
    for events, among in (("case", "n"), ("cases", "nn")):
        with pytest.raises(QueryError, match="is not an output of this release; did you mean"):
            release.standardise(events, among, by="band")


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ((-1, 2), "the weight -1 for"),
        ((math.nan, 1), "the weight nan for"),
        ((math.inf, 1), "the weight inf for"),
        (("x", 1), "the weight 'x' for"),
        ((0, 0), "no weight above 0"),
    ],
)
def test_weights_are_numbers_from_nought_on(weights: tuple[Any, Any], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        coarse().standardise("cases", "n", by="band", population=dict(zip(BANDS, weights, strict=True)))


def test_a_weight_of_another_group_is_refused() -> None:
    given = {"[0, 65)": 3, "[65, 120]": 1, "[65, 120)": 1}
    with pytest.raises(QueryError, match=r"which is no group of 'band' here"):
        coarse().standardise("cases", "n", by="band", population=given)


@pytest.mark.parametrize("nullable", [False, True])
def test_an_age_that_is_called_missing_is_one_where_the_column_is_never_empty(nullable: bool) -> None:
    """Where it may be empty, no value has that name, and the group without an age has no weight."""
    values = ["young", "old"] if nullable else ["young", "old", "missing"]
    columns = {"age": pets.Category(values, nullable=nullable), "ill": pets.Boolean(nullable=False)}
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=10**6)})
    ages = ["young", "old", None if nullable else "missing"] * 200
    rows = pd.DataFrame({"age": ages, "ill": [place % 5 < (place % 3) for place in range(600)]})
    session = pets.Session(schema, rows, budget=pets.Budget(1000, 1e-6), policy=pets.Policy(allow_unbounded=True))
    asked = pets.query("t").group_by("age").agg(x=pets.count(col("ill") == True), n=pets.count())  # noqa: E712
    release, weights = session.release(asked, pets.Total()), {"young": 1, "old": 2, "missing": 5}
    held = {name: part for name, part in weights.items() if name in values}
    rates = {"young": 0.0, "old": 0.2, "missing": 0.4}
    wanted = sum(rates[name] * part for name, part in held.items()) / sum(held.values())
    found = release.standardise("x", "n", by="age", population=held, per=1)
    assert found["rate"].tolist() == [pytest.approx(wanted)]
    wrong = weights if nullable else {"young": 1, "old": 2}
    with pytest.raises(QueryError, match="'missing'"):
        release.standardise("x", "n", by="age", population=wrong, per=1)


def test_a_stratum_without_an_age_of_the_standard_is_refused() -> None:
    """Its rate would be by another standard than that of the others."""
    some = coarse([("n", "[65, 120]"), ("s", "[0, 65)"), ("s", "[65, 120]")])
    for population in ("ESP2013", {"[0, 65)": 4.0, "[65, 120]": 1.0}):
        with pytest.raises(QueryError, match=r"have no '\[0, 65\)' of 'band' for area 'n'"):
            some.standardise("cases", "n", by="band", population=population)
    old = some.standardise("cases", "n", by="band", population={"[0, 65)": 0, "[65, 120]": 7})
    rows = people()
    rows = rows[rows["age"] >= 65]
    assert old["rate"].tolist() == pytest.approx((rows.groupby("area")["ill"].mean() * 1e5).tolist())


def test_the_frame_names_the_standard_population() -> None:
    assert coarse().standardise("cases", "n", by="band").attrs == {"standard": "ESP2013"}
    old = (
        pets.query("t")
        .group_by(col("age").bins([65, 80, 120], "band"))
        .agg(cases=pets.count_units(col("ill") == True), n=pets.count_units())  # noqa: E712
    )
    said = coarse(query=old).standardise("cases", "n", by="band").attrs["standard"]
    assert said == "ESP2013 of the ages from 65 on (19,500 of 100,000 people)"
    given = dict.fromkeys(BANDS, 1)
    assert coarse().standardise("cases", "n", by="band", population=given).attrs == {"standard": "the weights given"}
