"""Golden digests: the canonical forms of today are those of yesterday, or the change was meant.

A digest names a question in ledgers, caches and certificates. Write the file anew with
``python -m tests.vectors.test_digests`` after bumping the version of the form and saying so in CHANGELOG.md.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import pets
from pets import col
from pets.common.codec import digest
from pets.plan.plan import make_plan

FILE = Path(__file__).with_name("digests.json")


def _schema() -> pets.Schema:
    stays = pets.Table(
        pets.Unit("patient", max_rows=40, rows=3, trim=True),
        {
            "patient": pets.Identifier(),
            "age": pets.Category(["[0-10)", "[10-20)", "Élan"], null=["?"]),
            "region": pets.Category(["East", "West"], lookup=pets.Lookup("age", {"[0-10)": "East", "Élan": "West"})),
            "days": pets.Integer(1, 14),
            "cost": pets.Real(0, 100_000, 0.01, nullable=False),
            "admitted": pets.Date("2019-04-01", "2021-03-31", null=["1800-01-01"]),
            "emergency": pets.Boolean(),
        },
        person_table="people",
        people=1_000_000,
    )
    people = pets.Table(
        pets.Unit("patient", trim=True), {"patient": pets.Identifier(), "sex": pets.Category(["F", "M"])}
    )
    return pets.Schema({"stays": stays, "people": people}, dataset="golden")


def forms() -> dict[str, Any]:
    """Name to canonical form (or a plan, which has one)."""
    schema = _schema()
    stays = pets.query("stays")
    keyset = pets.KeySet.product({"age": ["[0-10)", None], "emergency": [True, False]})
    rows = pets.KeySet.of([{"day": dt.date(2020, 5, 1), "days": 3}, {"day": dt.date(2020, 5, 2), "days": 4}])
    queries = {
        "count": stays.agg(n=pets.count()),
        "people": stays.group_by("age", "sex").agg(n=pets.count_units(), m=pets.count(col("days") > 3)),
        "numbers": stays.group_by("region").agg(
            s=pets.sum("cost", clip=(0, Fraction(1, 4))), m=pets.mean("days"), v=pets.variance("cost", step="0.5")
        ),
        "shapes": stays.agg(h=pets.histogram("days", [1, 3, 7, 14]), q=pets.quantile("cost", 0.9, bins=64)),
        "rate": stays.agg(r=pets.rate(~(col("emergency") == True) | col("age").is_null())),  # noqa: E712
        "where": stays.where(
            (col("days").between(2, 5) & (col("admitted") >= dt.date(2020, 1, 1))) | col("age").isin(["Élan", "[0-10)"])
        ).agg(n=pets.count()),
        "dates": stays.group_by(col("admitted").year(), col("admitted").period("month", "when")).agg(n=pets.count()),
        "bins": stays.group_by(col("cost").bins([0, "0.01", 1000], "band")).agg(n=pets.count()),
        "keyset": stays.group_by(keyset).agg(n=pets.count()),
        "bounds": stays.group_by("age").bound(rows=2, groups=1).agg(n=pets.count()),
    }
    person = pets.Table("row", {"age": pets.Integer(0, 120), "ok": pets.Boolean(nullable=False)})  # type: ignore[arg-type]
    protections = {
        "epsilon": pets.DP(epsilon=0.5),
        "delta": pets.DP(epsilon=1, delta=1e-7),
        "pure": pets.DP(epsilon=1, pure=True),
        "rho": pets.DP(rho=0.01, confidence=0.9),
        "within": pets.DP(within=50, simultaneous=True),
        "exact": pets.Exact(),
        "total": pets.Total(),
    }
    out: dict[str, Any] = {f"query {name}": query.to_json() for name, query in queries.items()}
    out |= {f"plan {name}": make_plan(query, schema).to_json() for name, query in queries.items()}
    out |= {f"protection {name}": protection.to_json() for name, protection in protections.items()}
    out |= {"schema stays": schema.to_json(), "schema row": pets.Schema({"people": person}).to_json()}
    out |= {"keyset product": keyset.to_json(), "keyset list": rows.to_json()}
    out |= {"budget": pets.Budget(3, 1e-6, 1e-7).to_json(), "policy": pets.Policy().to_json()}
    return out


@pytest.mark.parametrize("name", sorted(forms()))
def test_the_digest_is_the_golden_one(name: str) -> None:
    golden = json.loads(FILE.read_text("utf-8"))
    assert digest(forms()[name]) == golden.get(name), (
        f"the canonical form of {name!r} changed: bump the version of the form, say so in CHANGELOG.md, "
        "and write the file anew with python -m tests.vectors.test_digests"
    )


def test_every_golden_digest_is_checked() -> None:
    assert sorted(json.loads(FILE.read_text("utf-8"))) == sorted(forms())


def test_an_object_has_the_digest_of_its_form() -> None:
    assert _schema().digest == digest(forms()["schema stays"])
    assert pets.query("stays").agg(n=pets.count()).digest == digest(forms()["query count"])


@pytest.mark.chance(0)  # another Python, whose sets are in another order; it draws nothing
def test_no_digest_rests_on_the_order_of_a_set() -> None:
    code = (
        "from tests.vectors.test_digests import *\n"
        "print(json.dumps([list({'a', 'b', 'c', 'd'}), {name: digest(form) for name, form in forms().items()}]))"
    )
    orders, made = [], []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=FILE.parents[2],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        order, digests = json.loads(done.stdout)
        orders.append(order)
        made.append(digests)
    assert orders[0] != orders[1]
    assert made[0] == made[1] == json.loads(FILE.read_text("utf-8"))


if __name__ == "__main__":
    made = {name: digest(form) for name, form in sorted(forms().items())}
    FILE.write_text(json.dumps(made, indent=2) + "\n", "utf-8")
