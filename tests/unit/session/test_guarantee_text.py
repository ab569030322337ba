"""What the ledger signs about an answer: each word of the certificate's ``dp`` block, computed here another way."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest

import pets
from pets.common.codec import Json
from pets.protection.protection import Protection

ROWS = pd.DataFrame({"id": [f"p{i % 20}" for i in range(60)], "g": ["a", "b", "c"] * 20, "x": [1, 2, 3, 4, 5] * 12})
COLUMNS: dict[str, Any] = {
    "id": pets.Identifier(),
    "g": pets.Category(["a", "b", "c"], nullable=False),
    "x": pets.Integer(0, 10, nullable=False),
}
ASKED = pets.query("t").group_by("g").agg(n=pets.count(), u=pets.count_units(), s=pets.sum("x"))


def session(unit: pets.Unit | None = None, budget: pets.Budget | None = None) -> pets.Session:
    unit = unit or pets.Unit("id", max_rows=4, rows=2)
    columns = {name: domain for name, domain in COLUMNS.items() if name != "id" or unit.column is not None}
    schema = pets.Schema({"t": pets.Table(unit, columns)}, dataset="d")
    rows = ROWS if unit.column is not None else ROWS.drop(columns="id")
    return pets.Session(schema, rows, budget=budget or pets.Budget(epsilon=3, delta=1e-6), progress=False)


def signed(of: pets.Session | Any, asked: pets.Query, protection: Protection) -> tuple[Json, pets.Release]:
    release = of.release(asked, protection)
    assert release.certificate is not None
    return release.certificate.statement["predicate"], release


def delta_of(rho: float, epsilon: float) -> float:
    """δ of ρ-zCDP at ε (Canonne, Kamath and Steinke 2020, Proposition 12), by trying orders of Rényi."""
    orders = [1 + 1.002**step / 1000 for step in range(5_500)]  # from 1.001 to 60
    return min(math.exp((a - 1) * (a * rho - epsilon) + a * math.log1p(-1 / a)) / (a - 1) for a in orders)


@pytest.mark.chance(0)
def test_a_gaussian_answer() -> None:
    said, release = signed(session(), ASKED, pets.DP(epsilon=1))
    dp = dict(said["dp"])
    rho, scales = Fraction(dp.pop("rho")), [Fraction(scale) for scale in dp.pop("scales")]
    moved, losses = dp.pop("sensitivities"), dp.pop("losses")
    assert [(one["kind"], one["l1"], one["l2_squared"]) for one in moved] == [
        ("rows", 2, 4),
        ("units", 3, 3),
        ("total", 10, 100),
    ]
    assert sum(losses) == said["cost"]["loss"]
    assert dp == {
        "epsilon": 1,
        "delta": "0.000001",
        "measure": "approx_zcdp",
        "neighbouring": "all rows of any one person (id) added or removed",
        "mechanism": ["discrete gaussian"] * 3,
        "contribution_bound": {"rows": 2, "kept_rows": 4, "groups": None},
    }
    assert tuple(map(float, scales)) == release.scales
    # rows: two of a person in one group; people: three groups of four kept rows; the sum: two rows of 5 from the middle
    squares = [4, 3, 100]
    spent = sum(square / (2 * float(scale) ** 2) for square, scale in zip(squares, scales, strict=True))
    assert spent == pytest.approx(float(rho), rel=1e-4) and spent <= float(rho)
    assert delta_of(float(rho), 1) <= 1e-6 < delta_of(float(rho), 0.999)
    assert said["dataset"]["privacy_unit"] == "id" and said["dataset"]["rows"] == "real"
    assert said["cost"] == {"currency": "zcdp", "loss": round(float(rho) * 10**12), "delta": 0}


@pytest.mark.chance(0)
def test_a_pure_answer_with_bounds_of_its_own() -> None:
    asked = ASKED.bound(rows=3, groups=2)
    said, release = signed(session(budget=pets.Budget(epsilon=3)), asked, pets.DP(epsilon=0.5))
    dp = dict(said["dp"])
    scales = [float(Fraction(scale)) for scale in dp.pop("scales")]
    moved, losses = dp.pop("sensitivities"), dp.pop("losses")
    assert [(one["kind"], one["l0"], one["l1"]) for one in moved] == [("rows", 2, 3), ("units", 2, 2), ("total", 2, 15)]
    assert sum(losses) == said["cost"]["loss"]
    assert dp == {
        "rho": None,
        "epsilon": "0.5",
        "delta": 0,
        "measure": "pure",
        "neighbouring": "all rows of any one person (id) added or removed",
        "mechanism": ["discrete laplace"] * 3,
        "contribution_bound": {"rows": 3, "kept_rows": 4, "groups": 2},
    }
    assert tuple(scales) == release.scales
    spent = sum(l1 / scale for l1, scale in zip([3, 2, 15], scales, strict=True))
    assert spent == pytest.approx(0.5, rel=1e-4) and spent <= 0.5


@pytest.mark.chance(0)
def test_a_table_of_one_row_a_person() -> None:
    said, _ = signed(session(pets.Unit(None)), ASKED, pets.DP(epsilon=1))
    assert said["dp"]["neighbouring"] == "any one row (a person) added or removed"
    assert said["dp"]["contribution_bound"] == {"rows": 1, "kept_rows": 1, "groups": None}
    assert said["dataset"]["privacy_unit"] == "row"


@pytest.mark.chance(0)
def test_invented_rows_and_exact_totals_promise_nothing() -> None:
    dummy = session().dummy()
    for protection in (pets.DP(epsilon=1), pets.Exact()):
        said, _ = signed(dummy, ASKED, protection)
        assert said["dp"] is None and said["dataset"]["rows"] == "dummy"
    real = pets.Session(
        session().schema,
        ROWS,
        budget=pets.Budget(epsilon=3, delta=1e-6),
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
    )
    said, _ = signed(real, ASKED, pets.Total())
    assert said["dp"] is None and said["dataset"]["rows"] == "real"
