"""A straight line through a real table: 71,515 patients' first stays, against statsmodels."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

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
