"""Cox regressions by a formula, with products and references of one's choice; what they predict, and their chart."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import Any

import lifelines  # type: ignore[import-untyped]
import lifelines.datasets as shipped  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import QueryError, UserError
from pets.models.survival.cox import Cox
from pets.models.survival.hazards import Hazards
from pets.models.survival.partial import partial, survival_of
from pets.models.survival.streams import Streams
from tests.remedies import Case, check

ARMS, STAGES = ["old", "new"], ["I", "II", "III"]
COLUMNS: dict[str, Any] = {
    "days": pets.Integer(0, 119, nullable=False),
    "died": pets.Boolean(nullable=False),
    "arm": pets.Category(ARMS, nullable=False),
    "stage": pets.Category(STAGES, nullable=False),
    "dose": pets.Integer(0, 3, nullable=False),
    "age": pets.Integer(0, 110, nullable=False),
    "weight": pets.Real(30, 200, "0.5", nullable=False),
    "smoker": pets.Boolean(),
    "one": pets.Integer(7, 7, nullable=False),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=50_000)})


def people(count: int, seed: int = 0, **fixed: Any) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "arm": draw.choice(ARMS, count),
            "stage": draw.choice(STAGES, count),
            "dose": draw.integers(0, 4, count),
            "age": draw.integers(20, 100, count),
            "weight": draw.integers(60, 400, count) / 2,
            "smoker": draw.random(count) < 0.4,
            "one": 7,
        }
    ).assign(**fixed)
    new, third = rows.arm == "new", rows.stage == "III"
    time = draw.exponential(90 / np.exp(-0.3 * new + 0.5 * third + 0.4 * (new & third) + 0.1 * rows.dose))
    lost = draw.uniform(30, 140, count)
    return rows.assign(days=np.minimum(np.minimum(time, lost), 119).astype(int), died=(time <= lost) & (time < 119))


def asked(rows: pd.DataFrame) -> pets.Session:
    budget, policy = pets.Budget(epsilon=1000, delta=1e-6), pets.Policy(allow_unbounded=True)
    return pets.Session(SCHEMA, {"t": rows}, budget=budget, policy=policy, progress=False)


def cox(covariates: Any, edges: Any = range(0, 121, 5), **more: Any) -> Cox:
    return pets.cox("days", "died", covariates, data="t", edges=edges, **more)


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("formula", "by", "products", "levels"),
    [
        ("arm + stage", ("arm", "stage"), (), ()),
        ("stage*arm", ("stage", "arm"), (("arm", "stage"),), ()),
        ("arm + C(dose) + arm:C(dose)", ("arm", "dose"), (("arm", "dose"),), ("dose",)),
        ("arm + 1", ("arm",), (), ()),
    ],
)
def test_a_formula_names_covariates_and_products(formula: str, by: Any, products: Any, levels: Any) -> None:
    model = cox(formula)
    assert (model.by, model.products, model.levels) == (by, products, levels)
    assert Cox.from_json(json.loads(json.dumps(model.to_json()))) == model == cox(model.formula)


def test_a_list_and_a_formula_of_the_same_columns_are_the_same() -> None:
    assert cox(["arm", "stage"]) == cox("arm + stage") and cox("arm").by == ("arm",)
    plain = cox(["arm", "stage"])
    assert set(plain.to_json()) == {"model", "version", "time", "event", "edges", "by", "data"}
    assert cox("arm * stage", reference={"stage": "III"}).query.digest == plain.query.digest, "the same counts"


CASES = [
    Case(lambda: cox("died ~ arm"), "has no ~", lambda: cox("arm")),
    Case(lambda: cox("arm + stage:dose"), "write dose * stage", lambda: cox("arm + dose * stage")),
    Case(lambda: cox("arm + log(dose)"), "runs no code", lambda: cox("arm + C(dose)")),
    Case(lambda: cox(["arm", "arm"]), "keep one", lambda: cox(["arm"])),
    Case(lambda: cox("days + arm"), "take it out", lambda: cox("arm")),
    Case(lambda: cox("arm", reference=["new"]), "such as {'arm': 'old'}", lambda: cox("arm", reference={"arm": "new"})),
    Case(
        lambda: cox("arm", reference={"stage": "II"}).check(SCHEMA),
        "name one of arm",
        lambda: cox("arm", reference={"arm": "new"}).check(SCHEMA),
    ),
    Case(
        lambda: cox("arm", reference={"arm": "nwe"}).check(SCHEMA),
        "did you mean 'new'",
        lambda: cox("arm", reference={"arm": "new"}).check(SCHEMA),
    ),
    Case(
        lambda: cox("dose", reference={"dose": 1}).check(SCHEMA),
        "write C(dose)",
        lambda: cox("C(dose)", reference={"dose": 1}).check(SCHEMA),
    ),
    Case(lambda: cox("arm + one").check(SCHEMA), "a column of one value", lambda: cox("arm").check(SCHEMA)),
    Case(
        lambda: cox("arm + weight").check(SCHEMA),
        "weight_band=pets.col('weight') // 20",
        lambda: pets.cox(
            *("days", "died", "arm + weight_band"),
            data=pets.query("t").with_columns(weight_band=pets.col("weight") // 20),
        ).check(SCHEMA),
    ),
    Case(
        lambda: cox("age").check(SCHEMA),
        "with_columns(band=pets.col('age') // 20)",
        lambda: pets.cox("days", "died", "band", data=pets.query("t").with_columns(band=pets.col("age") // 20)).check(
            SCHEMA
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)


# ── exact fits are those of lifelines ─────────────────────────────────────────────────────────────────────────────────


def theirs(rows: pd.DataFrame, design: pd.DataFrame) -> Any:
    frame = design.assign(days=rows.days + 1.0, died=rows.died.astype(float))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter = lifelines.CoxPHFitter()
        return fitter.fit(frame, "days", "died", fit_options={"precision": 1e-13})


def test_products_references_and_predictions_are_those_of_lifelines_without_noise() -> None:
    rows = people(900)
    model = pets.cox(
        *("days", "died", "arm * stage + C(dose)"), data="t", bins=1000, reference={"stage": "II", "dose": 3}
    )
    found = asked(rows).fit(model, pets.Total())
    design = pd.DataFrame(
        {"arm[new]": rows.arm == "new", "stage[I]": rows.stage == "I", "stage[III]": rows.stage == "III"}
    )
    for one in (0, 1, 2):
        design[f"dose[{one}]"] = rows.dose == one
    for one in ("I", "III"):
        design[f"arm[new]:stage[{one}]"] = design["arm[new]"] & design[f"stage[{one}]"]
    other = theirs(rows, design.astype(float))
    assert list(found.terms) == list(design)
    assert np.allclose(found.table.coefficient, other.params_, atol=1e-8)
    assert np.allclose(found.table.error, other.standard_errors_, rtol=1e-7)
    new = rows.drop_duplicates(["arm", "stage", "dose"])
    against = other.predict_partial_hazard(pd.DataFrame([dict.fromkeys(design, 0.0)])).iloc[0]
    ratio = other.predict_partial_hazard(design.astype(float).loc[new.index]) / against
    assert np.allclose(found.predict(new), ratio, rtol=1e-7)
    said = found.predict_survival(new.head(4))
    curves = other.predict_survival_function(design.astype(float).loc[new.index[:4]])
    for row in new.index[:4]:
        mine = said[said.row == row].set_index("to").survival
        shared = mine.index.intersection(curves.index)
        assert len(shared) > 50 and np.allclose(mine[shared], curves.loc[shared, row], atol=1e-7)


def test_errors_of_predicted_survival_are_those_of_the_cumulative_hazard_by_hand() -> None:
    """Tsiatis' variance, summed over single people of lifelines' own rossi; and the hazard ratio's, by Var(β)."""
    given = shipped.load_rossi()
    rows = pd.DataFrame({"days": given.week, "died": given.arrest == 1, "arm": np.where(given.fin == 1, "new", "old")})
    found = asked(people(len(rows)).assign(**{name: rows[name] for name in rows})).fit(
        pets.cox("days", "died", "arm", data="t", bins=1000), pets.Total()
    )
    x = (rows.arm == "new").to_numpy(dtype=float)
    beta, variance = found.coefficients["arm[new]"], float(found.covariance.iloc[0, 0])
    told = found.predict_survival({"arm": ["new"]}).set_index("from")
    hazard = spread = slope = 0.0
    for time in sorted(set(rows.days[rows.died])):
        there = (rows.days >= time).to_numpy()
        weight = np.exp(beta * (x[there] - 1))
        events = int((rows.died & (rows.days == time)).sum())
        hazard += events / weight.sum()
        spread += events / weight.sum() ** 2
        slope += events / weight.sum() * (weight @ (x[there] - 1)) / weight.sum()
        line = told.loc[float(time)]
        assert line.survival == pytest.approx(np.exp(-hazard), rel=1e-9)
        assert line.error == pytest.approx(np.exp(-hazard) * np.sqrt(spread + slope**2 * variance), rel=1e-9)
    ratio = found.ratios({"arm": ["new", "old"]})
    assert ratio.error.tolist() == pytest.approx([np.sqrt(variance), 0.0]) and ratio.ratio[1] == 1
    assert ratio.low[0] == pytest.approx(found.table.ratio_low.iloc[0])


# ── with noise ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_noise_on_predicted_survival_is_the_derivative_s() -> None:
    draw = np.random.default_rng(0)
    design = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    left = [Streams(draw.uniform(20, 60, 6), draw.uniform(20, 90, 7), 2.0) for _ in range(4)]
    wide, row = np.array([1.0, 1, 1, 1, 1, 1]), np.array([1.0, 1.0])

    def curve(patterns: Any) -> Any:
        return survival_of(patterns, design - row, wide, partial(patterns, design, wide))

    made, noise = curve(left), 0.0
    assert made.bins == 6
    for at, one in enumerate(left):
        for name in ("events", "others"):
            counts, slopes = getattr(one, name), []
            for place in range(len(counts)):
                step = np.zeros(len(counts))
                step[place] = 1e-3
                ends = [
                    np.log(curve([*left[:at], replace(one, **{name: counts + by * step}), *left[at + 1 :]]).survival)
                    for by in (1, -1)
                ]
                slopes.append((ends[0] - ends[1]) / 2e-3)
            slope = np.array(slopes).T
            noise = noise + slope @ one.covariance(len(counts)) @ slope.T
    assert np.allclose(noise, made.noise, rtol=1e-4)


def test_a_formula_under_noise_tells_products_predicts_and_draws() -> None:
    rows = people(20_000)
    session = asked(rows)
    found = session.fit(cox("arm * stage", reference={"stage": "III"}), pets.DP(epsilon=2))
    truth = asked(rows).fit(cox("arm * stage", reference={"stage": "III"}), pets.Total())
    told = found.table
    assert list(told.index)[-1] == "arm[new]:stage[II]" and (told.noise > 0).all()
    assert (np.abs(told.coefficient - truth.table.coefficient) < 5 * told.noise).all()
    assert any("against arm[old], stage[III]" in note for note in found.notes)
    assert "by arm + stage + arm:stage" in found.summary()
    new = {"arm": ["new", "old"], "stage": ["III", "III"]}
    said, exact = found.predict_survival(new), truth.predict_survival(new)
    assert (said.noise > 0).all() and (np.abs(said.survival - exact.survival) < 5 * said.noise).all()
    assert np.allclose(said.error**2, said.noise**2 + said.sampling**2) and said.low.lt(said.survival).all()
    ratio = found.ratios({"arm": ["new"], "stage": ["I"]}, against={"arm": "old", "stage": "I"})
    both = told.coefficient[["arm[new]", "arm[new]:stage[I]"]].sum()
    assert ratio.ratio[0] == pytest.approx(np.exp(both)) and ratio.low[0] < ratio.ratio[0] < ratio.high[0]
    spent = session.remaining().spent
    other = session.fit(cox("arm + stage"), pets.DP(epsilon=2))
    assert session.remaining().spent == spent, "another reference, or no product, is of the same counts"
    assert Hazards.from_json(json.dumps(found.to_json())).table.equals(told)
    drawn = json.loads(other.plot().to_json())
    assert "hazard ratio" in json.dumps(drawn, ensure_ascii=False)
    ends = [row for layer in drawn["layer"] for row in layer["data"]["values"] if "term" in row][:3]
    assert [row["ratio"] for row in ends] == pytest.approx(other.table.ratio.tolist())


def test_a_reference_that_few_have_is_said_and_another_one_mends_it() -> None:
    rows = people(8000)
    rows["stage"] = np.where(np.arange(8000) < 6, "I", np.where(rows.stage == "I", "II", rows.stage))
    session = asked(rows)
    found = session.fit(cox("arm + stage"), pets.DP(epsilon=1))
    assert not found.estimable
    assert (
        "with stage[I], against which the others are; take another, such as reference={'stage': 'II'}" in found.notes[0]
    )
    spent = session.remaining().spent
    other = session.fit(cox("arm + stage", reference={"stage": "II"}), pets.DP(epsilon=1))
    assert session.remaining().spent == spent and other.estimable
    assert other.table.coefficient.isna().tolist() == [False, True, False], "stage[I] alone is not given"
    said = other.predict({"arm": ["new", "new"], "stage": ["I", "III"]})
    assert np.isnan(said[0]) and said[1] > 0
    curves = other.predict_survival({"arm": ["new", "new"], "stage": ["I", "III"]})
    assert curves.row.tolist()[:2] == [0, 1] and curves.survival.isna().tolist()[:2] == [True, False]


def test_a_product_of_which_few_have_a_pattern_is_not_given_or_the_whole_is_refused() -> None:
    rows = people(8000)
    few = rows[~((rows.arm == "new") & (rows.stage == "III"))]
    found = asked(few).fit(cox("arm * stage"), pets.DP(epsilon=1))
    assert found.estimable and found.table.coefficient.isna().tolist() == [False, False, False, False, True]
    few = rows[~((rows.arm == "new") & (rows.stage == "I"))]
    for protection in (pets.DP(epsilon=1), pets.Total()):
        found = asked(few).fit(cox("arm * stage"), protection)
        assert not found.estimable and "with some of the values of 'arm' and 'stage' together" in found.notes[0]
        assert asked(few).fit(cox("arm + stage"), protection).estimable
    dose = rows[~((rows.arm == "new") & (rows.dose == 3))]
    found = asked(dose).fit(cox("arm * dose"), pets.DP(epsilon=1))
    assert not found.estimable and "some value of 'arm' and 'dose' has fewer events" in found.notes[0]


def test_rows_that_cannot_be_predicted_are_told_in_a_sentence() -> None:
    found = asked(people(4000)).fit(cox("arm + smoker"), pets.DP(epsilon=2))
    said = found.ratios({"arm": ["new", "new"], "smoker": [True, None]})
    assert said.ratio.isna().tolist() == [False, True]
    for call in (found.predict, found.ratios, found.predict_survival):
        with pytest.raises(UserError, match="no column 'smoker'"):
            call({"arm": ["new"]})
        with pytest.raises(UserError, match="not one of its categories"):
            call({"arm": ["newer"], "smoker": [True]})
    for wrong in ("old", {"arm": ["old"], "smoker": [True]}, {"arm": "old", "smoker": None}):
        with pytest.raises(UserError, match=r"against is one pattern, .* such as {'arm': 'old', 'smoker': False}"):
            found.ratios({"arm": ["new"], "smoker": [True]}, against=wrong)  # type: ignore[arg-type]
    none = asked(people(60)).fit(cox("arm + smoker"), pets.DP(epsilon=0.1))
    with pytest.raises(UserError, match="predicts nothing: No coefficients"):
        none.predict({"arm": ["new"], "smoker": [True]})
    assert found.predict_survival({"arm": [], "smoker": []}).empty


def test_a_quote_knows_products() -> None:
    session = asked(people(100))
    quote = session.quote_fit(cox("arm * stage"), pets.DP(epsilon=1))
    assert "arm[new]:stage[III]" in quote.table.index and session.remaining().spent.loss == 0
    with pytest.raises(QueryError, match="take it in steps"):
        session.quote_fit(cox("arm + weight"), pets.DP(epsilon=1))
