"""Real rows: UCI Adult (30,162 people). Networks at (ε = 1, δ = 1e-6) on four fifths, judged on the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "adult_raw" / "adult_complete_cases.csv"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the Adult data is not on this machine")

CATEGORIES = {
    "type_employer": "Federal-gov Local-gov Private Self-emp-inc Self-emp-not-inc State-gov Without-pay",
    "marital": "Divorced Married-AF-spouse Married-civ-spouse Married-spouse-absent Never-married Separated Widowed",
    "occupation": "Adm-clerical Armed-Forces Craft-repair Exec-managerial Farming-fishing Handlers-cleaners "
    "Machine-op-inspct Other-service Priv-house-serv Prof-specialty Protective-serv Sales Tech-support "
    "Transport-moving",
    "relationship": "Husband Not-in-family Other-relative Own-child Unmarried Wife",
    "race": "Amer-Indian-Eskimo Asian-Pac-Islander Black Other White",
    "sex": "Female Male",
    "income": "<=50K >50K",
}
NUMBERS = {
    "age": (17, 90),
    "education_num": (1, 16),
    "capital_gain": (0, 99_999),
    "capital_loss": (0, 4356),
    "hr_per_week": (1, 99),
}
SCHEMA = pets.Schema({
    "adult": pets.Table(
        "row",
        {name: pets.Category(values.split(), nullable=False) for name, values in CATEGORIES.items()}
        | {name: pets.Integer(*ends, nullable=False) for name, ends in NUMBERS.items()},
    )
})  # fmt: skip
PEOPLE = pets.query("adult").with_columns(gain=pets.min_of("capital_gain", 10_000))
COLUMNS = ["age", "education_num", "gain", "capital_loss", "hr_per_week", *list(CATEGORIES)[:-1]]


def judged(network: Any, epsilon: float) -> tuple[float, float]:
    """Accuracy, and the area under the ROC curve, on people it never saw."""
    rows = pd.read_csv(DATA)[[*CATEGORIES, *NUMBERS]]
    order = np.random.default_rng(0).permutation(len(rows))
    held, train = rows.iloc[order[:6033]], rows.iloc[order[6033:]]
    session = pets.Session(SCHEMA, train, budget=pets.Budget(epsilon=epsilon, delta=1e-6), progress=False)
    made = session.train(network, pets.DP(epsilon=epsilon))
    held = held.assign(gain=held.capital_gain.clip(upper=10_000))
    chance, rich = made.predict_proba(held)[:, 1], (held.income == ">50K").to_numpy()
    ranks = pd.Series(chance).rank().to_numpy()
    area = (ranks[rich].sum() - rich.sum() * (rich.sum() + 1) / 2) / (rich.sum() * (~rich).sum())
    return made.score(held, held.income), float(area)


def test_logistic_regression_in_noisy_steps_tells_incomes() -> None:
    """Without noise: 0.8457 and 0.9051; everybody at the more frequent class: 0.756."""
    right, area = judged(pets.classifier("income", COLUMNS, data=PEOPLE), 1)
    assert right >= 0.838 and area >= 0.895


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_hidden_layer_in_noisy_steps_tells_incomes() -> None:
    right, area = judged(pets.classifier("income", COLUMNS, data=PEOPLE, hidden=(16,)), 1)
    assert right >= 0.838 and area >= 0.895
