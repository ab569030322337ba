"""Ten kinds of outputs, as somebody who had the page alone queued and cleared them: what is asked about each."""

from __future__ import annotations

import json

import pytest

from pets.airlock.preflight import preflight
from tests.unit.airlock.test_preflight import notebook, png

ROUNDED = b"region,sex,n\nEast,F,215\nEast,M,255\nNorth,F,*\n"
PEOPLE = "".join(f"{'NS'[at % 2]},{'FM'[at % 3 % 2]},{at % 60 + 20},{at % 29}\n" for at in range(200))
LISTED = "".join(f"P{at:04},{line}\n" for at, line in enumerate(PEOPLE.splitlines()))
MADE = "".join(f"SYNTHETIC-{at:08},{line}\n" for at, line in enumerate(PEOPLE.splitlines()))
RELEASED = b"region,n,n_low,n_high\nNorth,250,248,252\nEast,*,1,7\nWest,0,0,0\n"
OUTPUTS: dict[str, tuple[dict[str, bytes], set[str], bool]] = {
    "rounded counts": ({"stays.csv": ROUNDED}, set(), True),
    "exact counts": ({"bands.csv": b"band,n\n18-40,120\n41-60,141\n"}, {"unrounded"}, True),
    "a picture and its numbers": ({"bars.png": png(), "bars.csv": ROUNDED}, set(), True),
    "a picture alone": ({"points.png": png()}, {"missing-numbers"}, True),
    "a notebook that shows rows": ({"a.ipynb": notebook(**{"text/plain": LISTED[:400]})}, {"unreadable"}, True),
    "coefficients": ({"model.json": json.dumps({"age": 0.013, "sex[M]": 0.087, "n": 1500}).encode()}, set(), True),
    "a model of its rows": ({"near.json": json.dumps({"points": [[44, 3]] * 600}).encode()}, {"row-level"}, True),
    "people with an id": ({"t.csv": f"patient_id,region,sex,age,days\n{LISTED}".encode()}, {"identifier"}, False),
    "people without one": ({"t.csv": f"region,sex,age,days\n{PEOPLE}".encode()}, {"row-level"}, True),
    "a release with its ends": ({"answer.csv": RELEASED, "answer.json": b'{"certificate": {}}'}, set(), True),
    "a synthetic table": ({"made.csv": f"synthetic_id,region,sex,age,days\n{MADE}".encode()}, {"row-level"}, True),
    "a workbook": ({"table.xlsx": b"PK\x03\x04"}, {"type-not-allowed"}, False),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_what_is_asked_about_an_output(kind: str) -> None:
    files, rules, ready = OUTPUTS[kind]
    found = preflight(files, "Stays by region in 2025, for table 1.", "Counts below 10 are hidden, the rest rounded.")
    assert found.ready == ready and found.clean == (not rules)
    assert rules <= {one.rule for one in found.findings}
    assert not (kind == "exact counts" and len(found.findings) > 1)
