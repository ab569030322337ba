"""Steps of logistic and Poisson regressions, by the checker: the same plan from other code; lies are refused."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import PetsError
from pets.plan.plan import make_plan
from pets.query_model.nodes.newton import Newton
from pets.verify.check import CannotCheck, Plan, Refused, check
from tests.unit.models.test_glm import BIG, session
from tests.unit.plan.fitted.test_newton import COLUMNS, DESIGNS, FAMILIES
from tests.unit.verify.test_moments import SHAPES

pytestmark = pytest.mark.chance(0)

T = pets.query("t")


def schema(people: int = 1000) -> pets.Schema:
    unit = pets.Unit("id", max_rows=5, rows=2)
    return pets.Schema({"t": pets.Table(unit, {"id": pets.Identifier(), **COLUMNS}, people=people)}, dataset="steps")


def here(query: pets.Query, people: int = 1000) -> Plan:
    return Plan(json.loads(canonical(query.to_json())), json.loads(canonical(schema(people).to_json())))


def agree(query: pets.Query, people: int = 1000) -> None:
    there, own = make_plan(query, schema(people)), here(query, people)
    assert canonical(own.form) == canonical(there.to_json())
    assert own.widths == [measure.width for measure in there.measures]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_plan_is_the_same(design: str, family: str) -> None:
    draw = random.Random(len(design) * 10 + len(family))
    (terms, count), (kind, outcome, exposure) = DESIGNS[design], FAMILIES[family]
    for far in (None, 0, 2**27, 2**31, 2**35):
        at = None if far is None else tuple(draw.randint(-far, far) for _ in range(count))
        node = Newton(
            terms=tuple(terms),
            outcome=outcome,
            family=kind,
            at=at,
            exposure=exposure,
            weights=draw.choice([None, 1, "2.5", "4.5", 8, 100]),
            fine=draw.choice([None, True]),
            where=draw.choice([None, pets.col("n2") > 3]),
        )
        try:
            agree(draw.choice(list(SHAPES.values())).agg(fit=node), draw.choice([1, 1000, 10**6, 2**31]))
        except pets.QueryError:
            with pytest.raises(Refused):
                here(T.agg(fit=node), 2**31)


TERMS = [[{"column": name}] for name in ("n1", "b1")]
GOOD: Any = {
    "agg": "newton",
    "family": "poisson",
    "terms": TERMS,
    "outcome": {"column": "n"},
    "at": [1, -2, 3],
    "exposure": {"column": "e"},
    "weights": 4.5,
}
WRONG: dict[str, dict[str, Any]] = {
    "another family": {"family": "gamma"},
    "too few coefficients": {"at": [1, 2]},
    "a coefficient that is too great": {"at": [1, 2, 2**36]},
    "a true coefficient": {"at": [1, 2, True]},
    "a radius between the steps": {"weights": "4.51"},
    "a radius below 1": {"weights": "0.5"},
    "a true radius": {"weights": True},
    "an exposure that can be 0": {"exposure": {"column": "n2"}},
    "an exposure among the terms": {"exposure": {"column": "n1"}},
    "a real outcome": {"outcome": {"column": "n3"}},
    "a product without its parts": {"terms": [*TERMS, [{"column": "n2"}, {"column": "b1"}]]},
    "an odd finesse": {"fine": 1},
    "another part": {"shares": [1, 2]},
}


def asked(change: Any) -> Any:
    one = json.loads(canonical(json.loads(json.dumps(copy.deepcopy(GOOD) | {"weights": "4.5"} | change))))
    return {"table": "t", "agg": [["fit", one]]}


def test_the_question_that_is_not_wrong_is_taken() -> None:
    assert Plan(asked({}), json.loads(canonical(schema().to_json()))).groups == 1


@pytest.mark.parametrize("name", WRONG)
def test_what_the_product_refuses_is_refused(name: str) -> None:
    with pytest.raises(PetsError):
        make_plan(pets.Query.from_json(asked(WRONG[name])), schema())
    with pytest.raises((Refused, CannotCheck, LookupError)):
        Plan(asked(WRONG[name]), json.loads(canonical(schema().to_json())))


def test_every_release_of_a_fit_holds_and_lies_about_it_do_not(tmp_path: Path) -> None:
    from_ledger = session(BIG, ledger=tmp_path / "ledger.db")
    fit = from_ledger.fit(pets.poisson("falls ~ age + sick", data="p", exposure="days"), pets.DP(epsilon=1))
    key = from_ledger.ledger.key.raw
    assert "moments: L1" in check(canonical(fit.releases[0].to_json()), key)
    for release in fit.releases[1:]:
        assert "step: L1" in check(canonical(release.to_json()), key)
    form = json.loads(canonical(fit.releases[-1].to_json()))
    nearer = copy.deepcopy(form)
    nearer["query"]["agg"][0][1]["at"][0] += 1
    for edited in (
        form | {"scales": [number / 2 for number in map(float, form["scales"])]},
        form | {"epsilon": "0.5"},
        form | {"values": form["values"][1:]},
        nearer,
    ):
        with pytest.raises((Refused, CannotCheck)):
            check(canonical(edited), key)
