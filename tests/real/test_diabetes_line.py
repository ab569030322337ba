"""A straight line through a real table: 71,515 patients' first stays, against statsmodels; and its noise against its
sampling error, with rows that have weights and without."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from tests.extras import needs

needs("statsmodels", "formulaic")

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "diabetes130" / "diabetic_data.csv.gz"
LINE = "time_in_hospital ~ num_medications + number_inpatient + C(gender)"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the diabetes130 data is not on this machine")


def test_a_line_is_that_of_statsmodels_and_noise_stays_within_its_interval() -> None:
    api = import_module("statsmodels.formula.api")

    rows = pd.read_csv(DATA, dtype=str, keep_default_na=False).drop_duplicates("patient_nbr")
    session = pets.Session(
        pets.Schema.load(ROOT / "examples" / "diabetes130.yaml"),
        {"stays": rows},
        budget=pets.Budget(epsilon=2, delta=1e-6),
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
    )
    model = pets.linear(LINE, data=pets.query("stays").bound(rows=1))
    exact, noisy = (session.fit(model, one).table for one in (pets.Total(), pets.DP(epsilon=1)))
    numbers = ["time_in_hospital", "num_medications", "number_inpatient"]
    known = rows[rows["gender"] != "Unknown/Invalid"].astype(dict.fromkeys(numbers, int))
    wanted = api.ols(LINE, known).fit()
    order = ["Intercept", "num_medications", "number_inpatient", "C(gender)[T.Male]"]
    assert len(known) == 71_515
    assert exact["coefficient"].tolist() == pytest.approx(wanted.params[order].tolist(), rel=1e-10)
    assert exact["error"].tolist() == pytest.approx(wanted.bse[order].tolist(), rel=1e-8)
    far = (noisy["coefficient"] - exact["coefficient"]).abs()
    assert (far <= 5 * noisy["noise"]).all() and (far > 0).all()


NUMBERS = {"age": (0, 9), "num_lab_procedures": (0, 100), "num_medications": (0, 50), "number_diagnoses": (1, 16)}
TWO = {"gender": ("Female", "Male"), "change": ("No", "Ch"), "diabetesMed": ("No", "Yes")}


def patients() -> tuple[pets.Schema, pd.DataFrame]:
    """Eight coefficients: a decade of age, and other numbers between round bounds, as a custodian would state them."""
    rows = pd.read_csv(DATA, dtype=str, keep_default_na=False).drop_duplicates("patient_nbr")
    rows["age"] = rows["age"].str.extract(r"(\d+)")[0].astype(int) // 10
    columns: dict[str, Any] = {name: pets.Integer(*ends, nullable=False) for name, ends in NUMBERS.items()}
    columns |= {name: pets.Category(list(both), nullable=name == "gender") for name, both in TWO.items()}
    columns["time_in_hospital"] = pets.Integer(1, 14, nullable=False)
    schema = pets.Schema({"stays": pets.Table(pets.Unit("patient_nbr"), {"patient_nbr": pets.Identifier(), **columns},
                                              people=100_000)})  # fmt: skip
    return schema, rows[["patient_nbr", *columns]]


def by_weights(rows: pd.DataFrame, longest: float) -> Any:
    """Weighted least squares of statsmodels, weights worked out in the table's own numbers."""
    api = import_module("statsmodels.api")

    known = rows[rows["gender"] != "Unknown/Invalid"]
    length, design = np.full(len(known), 1.0 + len(TWO)), [np.ones(len(known))]
    for name, (low, high) in NUMBERS.items():
        value = known[name].astype(float).clip(low, high).to_numpy()
        length += ((2 * value - low - high) / (high - low)) ** 2
        design.append(value)
    design += [(known[name] == second).to_numpy(dtype=float) for name, (_, second) in TWO.items()]
    share = np.floor(np.minimum(1024, 1024 * longest / length + 1e-6)) / 1024
    return api.WLS(known["time_in_hospital"].astype(float).to_numpy(), np.column_stack(design), share).fit()


def test_noise_is_less_than_the_sampling_error_of_every_coefficient_because_rows_have_weights() -> None:
    schema, rows = patients()
    policy = pets.Policy(allow_unbounded=True)
    session = pets.Session(schema, rows, budget=pets.Budget(epsilon=50, delta=1e-6), policy=policy, progress=False)
    model = pets.linear("time_in_hospital", [*NUMBERS, *TWO], data="stays")
    fits = [session.fit(model, pets.DP(epsilon=1), again=True) for _ in range(12)]
    longest = fits[0].design.weights
    assert longest == 5, "without being asked, a row of a greater squared length than 5 counts less"
    assert "Weighted least squares, R² = 5" in str(fits[0]) and "weights=None" in str(fits[0])
    exact = session.fit(pets.linear("time_in_hospital", [*NUMBERS, *TWO], data="stays", weights=5), pets.Total()).table
    wanted = by_weights(rows, float(longest))
    assert (np.abs(exact["coefficient"] - wanted.params) < 1e-3 * wanted.bse).all()
    moved = np.array([fit.table["coefficient"] - exact["coefficient"] for fit in fits])
    stated = np.array([fit.table["noise"] for fit in fits])
    assert (stated <= 1.0 * exact["sampling"].to_numpy()).all()
    # 96 squares of about 1 on the mean, eight of each draw (which tests take from a seed)
    assert 0.5 < np.mean((moved / stated) ** 2) < 1.8
    plain = session.fit(pets.linear("time_in_hospital", [*NUMBERS, *TWO], data="stays", weights=None),
                        pets.DP(epsilon=1)).table  # fmt: skip
    assert (plain["noise"] > 1.0 * plain["sampling"]).any(), "the bar is one that rows in full do not reach"
    assert (stated.mean(axis=0) < 0.8 * plain["noise"].to_numpy()).all()
