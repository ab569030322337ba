"""The same noise on a neighbour, for keys that nobody listed: where both worlds hold the same keys, all is compared."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import pets
from pets.testing import replay

pytestmark = pytest.mark.chance(0)  # whatever is drawn, both worlds get the same

SCHEMA = pets.Schema(
    {"t": pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier(), "g": pets.Category(["a", "b", "c", "d"])})}
)
ROWS = pd.DataFrame({"id": [i // 2 for i in range(240)], "g": ["abcd"[i % 4] for i in range(240)]})


def test_keys_that_nobody_listed_hold() -> None:
    def ask(session: pets.Session) -> Any:
        return session.group_keys("t", by=["g"], protection=pets.DP(epsilon=2))

    budget = pets.Budget(epsilon=1000, delta=1e-5, threshold_delta=5e-6)
    found = replay(SCHEMA, ROWS, ask, count=2, budget=budget, person=7)
    assert found.holds, found
    assert found.draws >= 1 and 0 < found.worst <= 1
