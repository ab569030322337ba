"""Logistic and Poisson regressions of 71,515 patients' first stays: against statsmodels, and noise against sampling."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from tests.extras import needs
from tests.real.test_diabetes_line import DATA, NUMBERS, TWO, patients

needs("statsmodels", "formulaic")

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the diabetes130 data is not on this machine")


def opened() -> tuple[pets.Session, pd.DataFrame]:
    """The table of the line's test, and whether a patient came back within 30 days."""
    schema, rows = patients()
    table = schema.tables["stays"]
    again = pd.read_csv(DATA, dtype=str, keep_default_na=False).drop_duplicates("patient_nbr")["readmitted"] == "<30"
    rows = rows.assign(soon=again.to_numpy())
    columns = {**table.columns, "soon": pets.Boolean(nullable=False)}
    wider = pets.Schema({"stays": pets.Table(table.unit, columns, people=100_000)})
    policy = pets.Policy(allow_unbounded=True)
    return pets.Session(wider, rows, budget=pets.Budget(50, 1e-6), policy=policy, progress=False), rows


def design(rows: pd.DataFrame) -> Any:
    known = rows[rows["gender"] != "Unknown/Invalid"]
    columns = [np.ones(len(known))]
    columns += [known[name].astype(float).clip(*ends).to_numpy() for name, ends in NUMBERS.items()]
    columns += [(known[name] == second).to_numpy(dtype=float) for name, (_, second) in TWO.items()]
    return known, np.column_stack(columns)


def test_exact_fits_are_those_of_statsmodels_and_noise_is_less_than_sampling() -> None:
    api = import_module("statsmodels.api")
    session, rows = opened()
    known, x = design(rows)
    terms = [*NUMBERS, *TWO]
    cases = (
        (pets.logistic("soon", terms, data="stays"), api.families.Binomial(), 0.6),
        (pets.poisson("time_in_hospital", terms, data="stays"), api.families.Poisson(), 1.0),
    )
    for model, family, most in cases:
        wanted = api.GLM(known[model.outcome].astype(float).to_numpy(), x, family=family).fit(tol=1e-14)
        exact = session.fit(model, pets.Total()).table
        assert exact["coefficient"].to_numpy() == pytest.approx(wanted.params, rel=1e-7, abs=1e-9)
        assert exact["error"].to_numpy() == pytest.approx(wanted.bse, rel=1e-7)
        fit = session.fit(model, pets.DP(epsilon=1))
        assert not fit.hidden and fit.health > 4
        told = fit.table
        assert (told["noise"] / told["sampling"]).median() <= most
        # (weighted: far rows count less, so this is another fit than that of rows alike)
        assert (np.abs(told["coefficient"] - exact["coefficient"]) < 6 * told["error"]).all()
