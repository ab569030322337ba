"""Curves without noise are those of lifelines on the same times; with noise, what is said of them is what there is."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import lifelines  # type: ignore[import-untyped]
import lifelines.utils  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest

import pets
from pets.common.codec import canonical
from pets.errors import QueryError, UserError
from pets.models.survival.curves import Curves
from tests.unit.models.survival.data_sets import SETS, Followed, followed

# ── without noise ─────────────────────────────────────────────────────────────────────────────────────────────────────


def exactly(data: Followed, **more: Any) -> Curves:
    model = pets.kaplan_meier("time", "event", by=data.by, data="t", **more)
    return data.session().fit(model, pets.Total())


def theirs(times: Any, events: Any, weights: Any = None) -> lifelines.KaplanMeierFitter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lifelines.KaplanMeierFitter().fit(np.asarray(times, dtype=float), events, weights=weights)


def parts(data: Followed, found: Curves) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Each group's rows and its part of the table."""
    told = found.table
    if data.by is None:
        return [("all", data.rows, told)]
    return [
        (name, data.rows[data.rows.arm == name], told[told.arm == name].reset_index(drop=True)) for name in found.groups
    ]


def close(found: Any, wanted: Any) -> Any:
    return np.isclose(np.asarray(found, float), np.asarray(wanted, float), rtol=1e-12, atol=1e-12, equal_nan=True)


def near(found: Any, wanted: Any) -> bool:
    return bool(close(found, wanted).all())


@pytest.mark.parametrize("name", SETS)
def test_a_curve_by_single_values_is_lifelines_to_twelve_digits(name: str) -> None:
    data = followed(name)
    domain = data.schema.fields("t")["time"]
    if domain.cells > 1000:
        pytest.skip("a curve has at most 1,000 bins; the next test bins these times")
    found = exactly(data, bins=1000)
    for group, rows, told in parts(data, found):
        fit = theirs(rows.time, rows.event)
        at = told["from"].to_numpy(dtype=float)
        assert near(told.survival, fit.survival_function_at_times(at + 1e-9))
        last = told.survival > 0  # (an interval at 0 is none)
        ends = fit.confidence_interval_survival_function_
        where = np.searchsorted(ends.index.to_numpy(), at + 1e-9) - 1
        low, high = ends.to_numpy()[where].T
        went = (told.events.cumsum() > 0) & last
        assert near(told.low[went], low[went]) and near(told.high[went], high[went])
        assert (told.noise[last] == 0).all()
        median = found.median.loc[group, "median"]
        theirs_median = fit.median_survival_time_
        assert near(median, theirs_median if np.isfinite(theirs_median) else np.nan) or close(told.survival, 0.5).any()


def binned(data: Followed, found: Curves) -> pd.DataFrame:
    """The same rows with each time moved to the first of its bin."""
    edges = found.edges
    at = np.searchsorted(edges, data.rows.time.to_numpy(dtype=float) + 1e-9) - 1
    return data.rows.assign(at=np.minimum(at, len(edges) - 2), start=edges[np.minimum(at, len(edges) - 2)])


@pytest.mark.parametrize("name", SETS)
def test_a_curve_of_bins_is_lifelines_on_binned_times_to_twelve_digits(name: str) -> None:
    """Whole: as lifelines counts; half: as it counts where half the weight of who is lost leaves before events."""
    data = followed(name)
    for actuarial in (False, True):
        found = exactly(data, bins=10, actuarial=actuarial)
        wide = [value is None for value in found.bins.values]
        rows = binned(data, found)
        for _, group, told in parts(Followed(rows, data.schema, data.by), found):
            times, events = group.start.to_numpy(), group.event.to_numpy()
            weights = np.ones(len(group))
            if actuarial:
                half = ~events & np.array(wide)[group["at"].to_numpy()]
                times = np.append(times, times[half] - 1e-7)
                events = np.append(events, np.zeros(half.sum(), bool))
                weights = np.append(np.where(half, 0.5, 1.0), np.full(half.sum(), 0.5))
            fit = theirs(times, events, weights)
            assert near(told.survival, fit.survival_function_at_times(told["from"].to_numpy() + 1e-9))
            assert near(told.at_risk[0], len(group))


@pytest.mark.parametrize("name", ["waltons", "rossi", "leukemia", "larynx", "g3"])
def test_restricted_means_are_those_of_lifelines(name: str) -> None:
    data = followed(name)
    found = exactly(data, bins=1000)
    ends = found.bins.edges
    told: Any = found.rmst(ends[len(ends) // 2])
    horizon = told.attrs["horizon"]
    for group, rows, _ in parts(data, found):
        fit = theirs(rows.time, rows.event)
        if rows.time.max() < horizon and fit.survival_function_.iloc[-1, 0] > 0:
            assert np.isnan(told.loc[group, "rmst"])  # nobody is at risk: lifelines goes on as if nothing happened
            continue
        assert near(told.loc[group, "rmst"], lifelines.utils.restricted_mean_survival_time(fit, horizon))
    if data.by is not None:
        first, second = found.groups[:2]
        assert near(told.loc[f"{second} − {first}", "rmst"], told.loc[second, "rmst"] - told.loc[first, "rmst"])
        assert told.loc[f"{second} − {first}", "error"] == pytest.approx(
            np.hypot(told.loc[first, "error"], told.loc[second, "error"])
        )


def test_the_restricted_mean_s_error_is_that_of_the_area_s_formula() -> None:
    """Σ A² d / (N (N − d)), A the area under the curve after each event (Klein and Moeschberger 2003, 4.5)."""
    data = followed("waltons")
    found = exactly(data, bins=1000)
    told: Any = found.rmst(40)
    for group, rows, table in parts(data, found):
        table = table[table["to"] <= 40]
        area = [(table.survival * (table["to"] - table["from"]))[at:].sum() for at in range(len(table))]
        variance = (np.square(area) * table.events / (table.at_risk * (table.at_risk - table.events))).sum()
        assert told.loc[group, "error"] == pytest.approx(np.sqrt(variance), rel=1e-12), len(rows)


def to_one_end(largest: str, step: str, beyond: bool = False) -> Followed:
    """All are followed to one end, or for longer: nobody is lost before."""
    draw, high = np.random.default_rng(0), float(largest)
    time = draw.exponential(1.6 * high, 3000)
    end = draw.uniform(high, 2 * high, 3000) if beyond else np.full(3000, high)
    seen = (time < end) & (time < high)
    grid = np.floor(np.minimum(np.where(seen, time, end), end) / float(step)) * float(step)
    domain = pets.Integer(0, int(largest)) if step == "1" else pets.Real(0, largest, step)
    table = pets.Table(pets.Unit(None), {"time": domain, "event": pets.Boolean(nullable=False)}, people=5000)
    return Followed(pd.DataFrame({"time": grid.astype(int) if step == "1" else grid, "event": seen}),
                    pets.Schema({"t": table}, dataset="one end"), None)  # fmt: skip


ENDS = {
    "rossi": lambda: replace(followed("rossi"), by=None),
    "whole numbers": lambda: to_one_end("365", "1"),
    "reals": lambda: to_one_end("2.5", "0.05"),
    "followed for longer": lambda: to_one_end("365", "1", beyond=True),
    "one value more than bins": lambda: to_one_end("25", "1"),
}


@pytest.mark.parametrize("bins", [None, 2, 13])
@pytest.mark.parametrize("name", ENDS)
def test_who_reaches_the_largest_time_is_at_risk_to_the_end(name: str, bins: int | None) -> None:
    data = ENDS[name]()
    found = exactly(data, bins=bins)
    largest = float(found.bins.largest)
    for group, rows, told in parts(data, found):
        fit = theirs(np.minimum(rows.time, largest), rows.event)
        at = told["to"].to_numpy(dtype=float)
        assert near(told.survival, fit.survival_function_at_times(at - 1e-6)), "nobody is lost before the end"
        assert told["from"].iloc[-1] == largest == told["to"].iloc[-2] and told.at_risk.iloc[-1] > 0, group
    assert not any("largest time" in note or "do not count" in note for note in found.notes)
    assert found.rmst().attrs["horizon"] == largest and found.rmst(largest).rmst.notna().all()


def test_given_edges_say_what_they_do_with_the_largest_times() -> None:
    data = followed("rossi")
    asked = data.session()
    says = {
        "Events from 52 on, the last edge, do not count; the schema allows times up to 52.": [*range(0, 53, 4)],
        "52 is the largest time of the schema and lies inside the last bin": [*range(0, 49, 4), 53],
        "": [*range(0, 53, 4), 53],
    }
    for said, edges in says.items():
        model = pets.kaplan_meier("time", "event", data="t", edges=edges)
        texts = [str(asked.quote_fit(model, pets.DP(epsilon=1))), "\n".join(asked.fit(model, pets.Total()).notes)]
        for text in texts:
            found = [other for other in says if other and other in text]
            assert found == ([said] if said else []), text
    for model in (
        pets.kaplan_meier("time", "event", data="t", edges=[0, 26, 53], actuarial=False),
        pets.log_rank("time", "event", "arm", data="t", edges=[0, 26, 53]),
    ):
        assert not model.remarks(asked.fit(model, pets.Total()).release.plan), "there they count whole"
    test = pets.log_rank("time", "event", "arm", data="t", edges=[0, 26, 52])
    assert any("Events from 52 on" in note for note in asked.fit(test, pets.Total()).notes)


def test_edges_conditions_and_missing_values_are_a_question_s() -> None:
    data = followed("gbsg2")
    rows = data.rows.astype(object)
    rows.loc[rows.index[::7], "time"] = None
    columns = dict(data.schema.fields("t")) | {"event": pets.Boolean(), "arm": pets.Category(["no", "yes"])}
    rows.loc[rows.index[::5], "event"] = None
    rows.loc[rows.index[::11], "arm"] = None
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=5000)})
    asked = pets.Session(
        *(schema, {"t": rows}), budget=pets.Budget(epsilon=1), policy=pets.Policy(allow_unbounded=True), progress=False
    )
    chosen = pets.query("t").where(pets.col("time") >= 100)
    model = pets.kaplan_meier("time", "event", "arm", data=chosen, edges=[0, 365, 730, 1500], actuarial=False)
    found = asked.fit(model, pets.Total())
    assert found.groups == ("no", "yes") and any("in no group" in note for note in found.notes)
    whole = rows.dropna()
    whole = whole[whole.time >= 100]
    for group in found.groups:
        mine = whole[whole.arm == group]
        start = np.array([0, 365, 730, 1500])[np.searchsorted([0, 365, 730, 1500], mine.time.astype(float) + 0.5) - 1]
        seen = mine.event.astype(bool) & (mine.time.astype(float) < 1500)
        fit = theirs(start, seen)
        told = found.table[found.table.arm == group]
        assert near(told.survival, fit.survival_function_at_times([0.5, 365.5, 730.5]))


def test_a_curve_of_people_s_features() -> None:
    columns = {
        "id": pets.Identifier(),
        "day": pets.Integer(0, 30, nullable=False),
        "dead": pets.Boolean(nullable=False),
    }
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=4), columns, people=500)})
    draw = np.random.default_rng(1)
    ids = np.repeat(np.arange(150), draw.integers(1, 5, 150))
    rows = pd.DataFrame({"id": ids, "day": draw.integers(0, 31, len(ids)), "dead": draw.random(len(ids)) < 0.3})
    stays = pets.events("t")
    cohort = pets.people(of="t", last=stays.max("day"), died=stays.where(pets.col("dead").isin([True])).exists())
    asked = pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=9), policy=pets.Policy(allow_unbounded=True))
    found = asked.fit(pets.kaplan_meier("last", "died", data=cohort, bins=31), pets.Total())
    whole = rows.groupby("id").agg(last=("day", "max"), died=("dead", "any"))
    fit = theirs(whole["last"], whole.died)
    assert near(found.table.survival, fit.survival_function_at_times(found.table["from"] + 1e-9))


def test_the_dummy_twin_gives_the_same_path_exactly() -> None:
    data = followed("rossi")
    twins = [data.session().dummy(300, seed=3) for _ in range(2)]
    model = pets.kaplan_meier("time", "event", data="t")
    found = [twin.fit(model, pets.Exact()) for twin in twins]
    assert found[0].table.equals(found[1].table) and "DUMMY" in str(found[0]) and "DUMMY" in found[0]._repr_html_()


# ── with noise ────────────────────────────────────────────────────────────────────────────────────────────────────────

ARMS = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit(None),
            {
                "days": pets.Integer(0, 119, nullable=False),
                "died": pets.Boolean(nullable=False),
                "arm": pets.Category(["old", "new"], nullable=False),
            },
            people=20_000,
        )
    },
    dataset="arms",
)
MODEL = pets.kaplan_meier("days", "died", by="arm", data="t", edges=range(0, 101, 10))


def arms(count: int = 6000, seed: int = 0, ratio: float = 0.7) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    arm = draw.choice(["old", "new"], count)
    time = draw.exponential(70, count) / np.where(arm == "new", ratio, 1.0)
    lost = np.minimum(draw.exponential(400, count), draw.uniform(60, 200, count))
    seen = (time <= lost) & (time < 119)
    return pd.DataFrame({"days": np.minimum(np.minimum(time, lost), 119).astype(int), "died": seen, "arm": arm})


def session(rows: pd.DataFrame, **more: Any) -> pets.Session:
    more.setdefault("budget", pets.Budget(epsilon=1000, delta=1e-6))
    return pets.Session(ARMS, {"t": rows}, progress=False, **more)


MANY = arms()


def test_with_noise_the_error_holds_both_and_a_curve_is_a_curve() -> None:
    asked = session(MANY, policy=pets.Policy(allow_unbounded=True))
    found, truth = asked.fit(MODEL, pets.DP(epsilon=1)), asked.fit(MODEL, pets.Total())
    told, exact = found.table, truth.table
    assert np.allclose(told.error**2, told.noise**2 + told.sampling**2)
    assert (told.noise > 0).all() and np.allclose(told.sampling, exact.sampling, rtol=0.25)
    assert (np.abs(told.survival - exact.survival) < 5 * told.noise).all()
    assert (np.abs(told.at_risk - exact.at_risk) < 5 * found.streams[0].at_risk_deviation.max()).all()
    assert not told.survival.equals(exact.survival)
    for group in found.groups:
        mine = told[told.arm == group]
        assert mine.survival.is_monotonic_decreasing and mine.survival.between(0, 1).all()
        assert (mine.band_low <= mine.low).all() and (mine.low <= mine.survival).all()
        assert (mine.survival <= mine.high).all() and (mine.high <= mine.band_high).all()
    ends = told[["low", "high", "band_low", "band_high"]].to_numpy()
    assert (ends >= 0).all() and (ends <= 1).all()
    assert found.certificate is not None and "noise" in found.summary()
    mean: Any = found.rmst()
    half: Any = found.median
    assert (mean.noise_share > 0.01).all() and (mean.noise_share < 1).all() and mean.loc["new − old", "p"] < 0.01
    assert half.loc["old", "low"] < 70 * np.log(2) < half.loc["old", "high"]


def test_more_epsilon_makes_less_noise_in_proportion() -> None:
    asked = session(MANY)
    noise = [asked.fit(MODEL, pets.DP(rho=rho)).table.noise.to_numpy() for rho in (0.1, 10)]
    assert np.allclose(noise[0] / noise[1], 10, rtol=0.2)


def test_the_same_model_costs_nothing_again_and_its_groups_cost_nothing_more() -> None:
    asked = session(MANY)
    first = asked.fit(MODEL, pets.DP(epsilon=1))
    spent = asked.remaining().spent
    assert asked.fit(MODEL, pets.DP(epsilon=1)).table.equals(first.table) and asked.remaining().spent == spent
    asked.fit(pets.log_rank("days", "died", "arm", data="t", edges=range(0, 101, 10)), pets.DP(epsilon=1))
    assert asked.remaining().spent == spent, "a test of the same counts is free"
    alone = pets.kaplan_meier("days", "died", data="t", edges=range(0, 101, 10))
    prices = [str(asked.quote_fit(model, pets.DP(epsilon=1)).price).splitlines()[0] for model in (MODEL, alone)]
    assert prices[0] == prices[1]


def test_few_people_end_a_curve_early_and_it_is_said() -> None:
    found = session(arms(300)).fit(MODEL, pets.DP(epsilon=0.5))
    assert len(found.table) < 20 and "A curve ends where fewer are at risk than 4 standard deviations" in found.notes[0]
    assert any("Noise on the events of single bins" in note for note in found.notes)
    some = session(arms(900)).fit(MODEL, pets.DP(epsilon=0.5))
    means = some.rmst()
    assert means.attrs["horizon"] < some.table["to"].max() and means.rmst.notna().all()
    further: Any = some.rmst(some.table["to"].max())
    assert further.rmst.isna().any(), "where noise decides how far it goes there is no mean"
    assert ((further.known_to < further.horizon) == further.rmst.isna()).all(), "and the table says how far it does"
    (said,) = [note for note in some.notes if "Means (rmst) go to" in note]
    assert f"{further.known_to['old']:g} (old), {further.known_to['new']:g} (new)" in said
    none = session(arms(5)).fit(MODEL, pets.DP(epsilon=0.1))
    assert len(none.table) == 0 and "no bin at all" in none.notes[0] and none.median["median"].isna().all()
    assert none.rmst().drop(columns=["horizon", "known_to"]).isna().all(axis=None) and not none.rmst().known_to.any()
    assert none.summary() and none._repr_html_()
    exact = session(arms(0), policy=pets.Policy(allow_unbounded=True)).fit(MODEL, pets.Total())
    assert len(exact.table) == 0 and "nobody is" in exact.notes[0]


def test_groups_of_two_columns_are_named_by_both_and_sizes_have_no_bias() -> None:
    rows = MANY.assign(sex=np.where(np.arange(len(MANY)) % 3, "f", "m"))
    columns = dict(ARMS.fields("t")) | {"sex": pets.Category(["f", "m"], nullable=False)}
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=20_000)})
    asked = pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=1000, delta=1e-6), progress=False)
    model = pets.kaplan_meier("days", "died", by=["arm", "sex"], data="t", edges=range(0, 101, 2))
    found = asked.fit(model, pets.DP(epsilon=0.2))
    assert found.groups == ("arm old, sex f", "arm old, sex m", "arm new, sex f", "arm new, sex m")
    truth = rows.groupby("arm").size().loc["old"]
    sd = np.sqrt(sum(one.covariance(50).sum() + one.covariance(51).sum() for one in found.streams[:2]))
    assert abs(sum(size for size, _ in found.sizes[:2]) - truth) < 4.5 * sd
    assert sum(one.at_risk[0] for one in found.streams[:2]) > truth, "counts cut at 0 add up to more"


def test_a_horizon_is_an_edge() -> None:
    found = session(MANY).fit(MODEL, pets.DP(epsilon=1))
    with pytest.raises(UserError, match="take 40 or 50"):
        found.rmst(45)
    with pytest.raises(UserError, match="a horizon is a number"):
        found.rmst("late")
    assert found.rmst(40).attrs["horizon"] == 40
    assert (found.rmst(40).rmst.iloc[:2] < 40).all()


def test_saved_and_read_again_it_is_the_same_and_an_edited_one_is_refused(tmp_path: Path) -> None:
    found = session(MANY).fit(MODEL, pets.DP(epsilon=1))
    again = Curves.load(found.save(tmp_path / "curves.json"))
    assert again.table.equals(found.table) and again.model == found.model and again.certificate == found.certificate
    form = json.loads(canonical(found.to_json()))
    other = pets.log_rank("days", "died", "arm", data="t", edges=range(0, 101, 10))
    changed: list[Any] = [
        form | {"model": pets.kaplan_meier("days", "died", data="t").to_json()},
        form | {"model": other.to_json()},
        form | {"release": form["release"] | {"values": [1, *form["release"]["values"][1:]]}},
        form | {"pets": "fit"},
        form | {"more": 1},
        [],
        None,
    ]
    for edited in changed:
        with pytest.raises(UserError, match="not a survival curve"):
            Curves.from_json(edited)
    for wrong, says in ((tmp_path / "none.json", "cannot be read"), (3, r"such as 'fit\.json'")):
        with pytest.raises(UserError, match=says):
            Curves.load(wrong)  # type: ignore[arg-type]
    for wrong, says in ((tmp_path / "no" / "fit.json", "cannot be written"), (3, r"such as 'fit\.json'")):
        with pytest.raises(UserError, match=says):
            found.save(wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"made by session\.fit"):
        Curves(pets.kaplan_meier("days", "died", data="t"), found.release)


def shown(drawn: Any) -> list[dict[str, Any]]:
    (values,) = [one["data"]["values"] for one in (drawn, *drawn["layer"][:1]) if "data" in one]
    return list(values)


def test_a_chart_holds_what_was_released() -> None:
    found = session(MANY).fit(MODEL, pets.DP(epsilon=1))
    drawn = json.loads(found.chart().to_json())
    values = shown(drawn)
    assert len(values) == len(found.table) + 2 and {one["of"] for one in values} == {"old", "new"}
    first = [one for one in values if one["of"] == "old"]
    assert [one["survival"] for one in first[1:]] == found.table[found.table.arm == "old"].survival.tolist()
    assert [one["low"] for one in first[1:]] == found.table[found.table.arm == "old"].band_low.tolist()
    said = drawn["title"]["subtitle"]
    assert said[1:] == ["Differentially private, ε = 1, δ = 1e-06."]
    assert max(map(len, said)) < 90  # no wider than the chart
    points = json.loads(found.plot(band=False).to_json())
    lows = [one["low"] for one in shown(points) if one["of"] == "old"]
    assert lows[1:] == found.table[found.table.arm == "old"].low.tolist()


def test_a_quote_forecasts_the_noise_and_spends_nothing() -> None:
    asked = session(MANY)
    quote = asked.quote_fit(MODEL, pets.DP(epsilon=1))
    assert asked.remaining().spent.loss == 0
    found = asked.fit(MODEL, pets.DP(epsilon=1))
    forecast: Any = quote.forecast
    assert forecast.at_risk == pytest.approx(found.streams[0].at_risk_deviation.max(), rel=1e-6)
    assert forecast.exits == pytest.approx(np.sqrt(found.streams[0].covariance(10)[-1, -1]), rel=1e-6)
    told = found.table[found.table.arm == "old"]
    at_10_000 = quote.table.loc[10_000]
    assert 0.3 < at_10_000["noise"] / told.noise[5] < 1.2
    said = str(asked.quote_fit(MODEL, pets.DP(epsilon=0.1)))
    assert "take fewer bins, fewer groups or more epsilon" in said and "it ends after" in said
    assert "n =   1,000" in said and quote._repr_html_()


@pytest.mark.parametrize(
    "model",
    [
        lambda: pets.kaplan_meier("days", "nothing", data="t"),
        lambda: pets.kaplan_meier("days", "arm", data="t"),
        lambda: pets.kaplan_meier("arm", "died", data="t"),
        lambda: pets.kaplan_meier("days", "died", by="days", data="t"),
        lambda: pets.kaplan_meier("days", "died", data="t", edges=[10, 20]),
        lambda: pets.log_rank("days", "died", [], data="t"),
    ],
)
def test_a_refusal_spends_nothing(model: Any) -> None:
    asked = session(MANY.head(50))
    with pytest.raises(QueryError):
        asked.fit(model(), pets.DP(epsilon=1))
    assert asked.remaining().spent.loss == 0 and len(asked.history()) == 0


def test_explain_tells_the_sensitivity() -> None:
    said = str(session(MANY).explain(MODEL.query))
    assert "who leaves when, by days in 10 bins" in said and "L2 = " in said
    assert "values of 'days' are clamped to [0, 119]" in said
