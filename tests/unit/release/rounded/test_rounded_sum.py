"""The form of rounded counts over sites: its bytes are those that were signed before it came from one place."""

from __future__ import annotations

import numpy as np
import pytest

from pets.common.codec import digest
from pets.plan.plan import make_plan
from pets.release.rounded import rounded_sum
from pets.release.rounded.rounded_sum import CountsOfSites, RoundedSum
from tests.unit.federated.site.test_rounded import BY_G, HES, SCHEMA

COUNTS = CountsOfSites(*(np.array(part) for part in ([14, 18, 45], [1, 2, 0], [9, 10, 41], [19, 26, 49], [3, 3, 3])))
STATED = {
    "snapshot": "federated 0f",
    "data": "real",
    "cost": {"rho": 0},
    "budget": None,
    "project": "federation",
    "guarantee": "No differential privacy, and no ε.",
    "notes": ("All 3 sites are in it.",),
    "mechanism": "none",  # (of a release with noise; it is left out)
}
ROUNDED = {
    "pets": "rounded-sum",
    "version": 1,
    "id": "0f",
    "dataset": "three",
    "table": "t",
    "rule": HES.rule.to_json(),
    "protection": HES.to_json(),
    "issued_at": "2026-11-29T12:00:00Z",
    "analyst": "amina",
    "sharing": {"version": 1, "sites": 3},
}
DIGEST = "f5a85d34d30608d84d35f512ac1433162251b10f02505870b5b05a4079502c71"


def test_its_bytes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounded_sum, "now", lambda: ROUNDED["issued_at"])
    plan = make_plan(BY_G, SCHEMA)
    form = RoundedSum.unsigned("0f", plan, SCHEMA, HES, "amina", [[COUNTS]], {"version": 1, "sites": 3}, STATED)
    asked = {"query": BY_G.to_json(), "schema": SCHEMA.to_json(), "plan": plan.digest}
    stated = {name: said for name, said in STATED.items() if name != "mechanism"} | {"notes": [*STATED["notes"]]}
    counts = {"shown": [14, 18, 45], "hidden": [1, 2, 0], "low": [9, 10, 41], "high": [19, 26, 49], "cells": [3, 3, 3]}
    assert form == ROUNDED | asked | stated | {"counts": [[counts]]}
    assert digest(form) == DIGEST
    read = RoundedSum(form)  # (a reader takes it, and every name of it)
    assert (read.id, read.analyst, read.table["n"].tolist()) == ("0f", "amina", [14, 18, 45])
