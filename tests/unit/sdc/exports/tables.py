"""Tables and a release that exports are made of."""

from __future__ import annotations

from typing import Any

import pandas as pd

import pets
from tests.sample_releases import release

AT = "2026-03-01T10:00:00+00:00"
FAILING = pd.DataFrame(
    [["North", "*", 20, 23], ["South", 8, 40, 48], ["Total", 11, 60, 71]], columns=["region", "F", "M", "Total"]
)
PASSING = pd.DataFrame({"region": ["North", "South"], "people": ["10", "25"]})


def released() -> Any:
    """A release with noise."""
    return release(pets.query("stays").group_by("sex").agg(n=pets.count()))
