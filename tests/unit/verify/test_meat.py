"""People's scores of a regression, by the checker: the same plan from other code; lies are refused."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.plan.plan import make_plan
from pets.query_model.nodes.meat import Meat
from pets.verify.check import CannotCheck, Plan, Refused, check
from tests.unit.models.line.test_clusters import LINE, opened
from tests.unit.plan.fitted.test_newton import COLUMNS, DESIGNS
from tests.unit.verify.test_moments import SHAPES

pytestmark = pytest.mark.chance(0)

T = pets.query("t")


def schema(people: int = 1000) -> pets.Schema:
    unit = pets.Unit("id", max_rows=5, rows=3)
    return pets.Schema({"t": pets.Table(unit, {"id": pets.Identifier(), **COLUMNS}, people=people)}, dataset="scores")


def here(query: pets.Query, people: int = 1000) -> Plan:
    return Plan(json.loads(canonical(query.to_json())), json.loads(canonical(schema(people).to_json())))


def agree(query: pets.Query, people: int = 1000) -> None:
    there, own = make_plan(query, schema(people)), here(query, people)
    assert canonical(own.form) == canonical(there.to_json())
    assert own.widths == [measure.width for measure in there.measures]


@pytest.mark.parametrize("design", DESIGNS)
def test_the_plan_is_the_same(design: str) -> None:
    draw = random.Random(len(design))
    terms, count = DESIGNS[design]
    agreed = 0
    for far in (0, 2**27, 2**31, 2**45):
        for norm in (None, "0.25", 3, "100.5"):
            node = Meat(
                terms=tuple(terms),
                outcome="n",
                at=tuple(draw.randint(-far, far) for _ in range(count)),
                norm=norm,  # type: ignore[arg-type]
                weights=draw.choice([None, 1, "2.5", "4.5", 8]),
                where=draw.choice([None, pets.col("n2") > 3]),
            )
            query, people = draw.choice(list(SHAPES.values())).agg(fit=node), draw.choice([1, 1000, 10**6, 2**31])
            try:
                agree(query, people)
                agreed += 1
            except pets.QueryError:
                with pytest.raises(Refused):
                    here(query, people)
    assert agreed


GOOD: Any = {
    "agg": "scores",
    "terms": [[{"column": name}] for name in ("n1", "b1")],
    "outcome": {"column": "n"},
    "at": [1, -2, 3],
    "norm": "4.5",
    "weights": 3,
}
WRONG: dict[str, dict[str, Any]] = {
    "too few coefficients": {"at": [1, 2]},
    "a coefficient that is too great": {"at": [1, 2, 2**53]},
    "a coefficient that is no whole number": {"at": [1, 2, 0.5]},
    "a coefficient that is true": {"at": [1, 2, True]},
    "no length": {"norm": 0},
    "a length of other steps": {"norm": "0.0001"},
    "a length that is too great": {"norm": 2**23},
    "a weight of nothing": {"weights": 0},
    "the outcome among the terms": {"outcome": {"column": "n1"}},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_scores_that_pets_never_asks_for_are_refused(wrong: str) -> None:
    form = json.loads(canonical(T.to_json())) | {"agg": [["fit", GOOD]]}
    assert Plan(copy.deepcopy(form), json.loads(canonical(schema().to_json()))).measures
    form["agg"] = [["fit", GOOD | WRONG[wrong]]]
    with pytest.raises((Refused, CannotCheck)):
        Plan(form, json.loads(canonical(schema().to_json())))


def test_both_releases_of_a_fit_are_checked_with_their_log(tmp_path: Path) -> None:
    asked = opened(ledger=tmp_path / "ledger.db")
    fit = asked.fit(LINE, pets.DP(epsilon=3))
    assert fit.meat is not None
    key = asked.ledger.key.raw
    assert "moments: L1" in check(canonical(fit.release.to_json()), key)
    assert "meat: L1" in check(canonical(fit.meat.to_json()), key)
    form = json.loads(canonical(fit.meat.to_json()))
    nearer, longer = copy.deepcopy(form), copy.deepcopy(form)
    nearer["query"]["agg"][0][1]["at"][0] += 1
    longer["query"]["agg"][0][1]["norm"] = 9
    for edited in (
        form | {"scales": [number / 2 for number in map(float, form["scales"])]},
        form | {"epsilon": "0.1"},
        form | {"values": form["values"][1:]},
        nearer,
        longer,
    ):
        with pytest.raises((Refused, CannotCheck)):
            check(canonical(edited), key)
