"""Real follow-ups that ship with lifelines: time, event, groups, and the step of the time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import lifelines.datasets as shipped  # type: ignore[import-untyped]
import numpy as np
import pandas as pd

import pets

SETS: dict[str, tuple[str, str, str | None, str]] = {
    "canadian_senators": ("diff_days", "observed", None, "1"),
    "dd": ("duration", "observed", "democracy", "1"),
    "g3": ("time", "event", "group", "1"),
    "gbsg2": ("time", "cens", "horTh", "1"),
    "kidney_transplant": ("time", "death", "black_male", "1"),
    "larynx": ("time", "death", "Stage_III", "0.1"),
    "leukemia": ("t", "status", "Rx", "1"),
    "lung": ("time", "status", "sex", "1"),
    "lymph_node": ("survtime", "censrec", "grade", "1"),
    "lymphoma": ("Time", "Censor", "Stage_group", "1"),
    "psychiatric_patients": ("T", "C", "sex", "1"),
    "rossi": ("week", "arrest", "prio", "1"),
    "waltons": ("T", "E", "group", "1"),
}
"""By name: the columns of the time, the event and the groups, and the time's step."""


@dataclass(frozen=True)
class Followed:
    """One of them, as a table of one row a person."""

    rows: pd.DataFrame
    schema: pets.Schema
    by: str | None

    def session(self, **more: Any) -> pets.Session:
        more.setdefault("budget", pets.Budget(epsilon=1000, delta=1e-6))
        more.setdefault("policy", pets.Policy(allow_unbounded=True))
        return pets.Session(self.schema, {"t": self.rows}, progress=False, **more)


@cache
def followed(name: str) -> Followed:
    time, event, by, step = SETS[name]
    given = getattr(shipped, f"load_{name}")()
    kept = given[[time, event, *([by] if by else [])]].dropna()
    grid = np.rint(kept[time].to_numpy(dtype=float) / float(step)).astype(int)
    assert np.allclose(grid * float(step), kept[time]), "its times lie on the grid"
    low, high = Fraction(step) * int(grid.min()), Fraction(step) * int(grid.max())
    domain = pets.Integer(0, int(high)) if step == "1" else pets.Real(0, high, step)
    event_true = kept[event].to_numpy(dtype=float) == kept[event].to_numpy(dtype=float).max()
    columns: dict[str, Any] = {"time": domain, "event": pets.Boolean(nullable=False)}
    rows = pd.DataFrame({"time": kept[time].to_numpy(), "event": event_true})
    if by is not None:
        rows["arm"] = kept[by].astype(str).to_numpy()
        columns["arm"] = pets.Category(sorted(set(rows["arm"])), nullable=False)
    assert low >= 0
    table = pets.Table(pets.Unit(None), columns, people=5000)
    return Followed(rows, pets.Schema({"t": table}, dataset=name), "arm" if by else None)
