"""The sums of a regression, by the checker: the same plan from other code, and lies about it refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import PetsError
from pets.plan.plan import make_plan
from pets.query_model.nodes.design import Moments
from pets.verify.check import CannotCheck, Plan, Refused, check
from tests.unit.models.test_fit import MANY, session
from tests.unit.models.test_fit import SCHEMA as FITS
from tests.unit.plan.fitted.test_design import COLUMNS, DESIGNS, LENGTHS, LISTED

pytestmark = pytest.mark.chance(0)

T = pets.query("t")
SHAPES = {
    "plain": T,
    "a condition": T.where(pets.col("n2") > 3),
    "rows of a person": T.bound(rows=2),
    "groups": T.bound(rows=3).group_by("q"),
    "rows of a group": T.bound(rows=4, rows_per_group=2).group_by("q"),
    "groups of a person": T.bound(groups=2).group_by("q"),
}


def schema(people: int = 1000) -> pets.Schema:
    unit = pets.Unit("id", max_rows=5, rows=2)
    columns = {"id": pets.Identifier(), **COLUMNS, "fine": pets.Integer(0, 2**20), "weeks": pets.Integer(0, 59)}
    return pets.Schema({"t": pets.Table(unit, columns, people=people)}, dataset="sums")


def sums(name: str, where: Any = None, weights: Any = None) -> Moments:
    terms, outcome = DESIGNS[name]
    return Moments(where=where, terms=tuple(terms), outcome=outcome, weights=weights, levels=LISTED.get(name, ()))


def agree(query: pets.Query, people: int = 1000) -> None:
    there = make_plan(query, schema(people))
    here = Plan(json.loads(canonical(query.to_json())), json.loads(canonical(schema(people).to_json())))
    assert canonical(here.form) == canonical(there.to_json())
    assert here.widths == [measure.width for measure in there.measures]


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_plan_is_the_same(name: str, shape: str) -> None:
    agree(SHAPES[shape].agg(fit=sums(name), other=sums(name, pets.col("b1").isin([True])), n=pets.count()))


@pytest.mark.parametrize("name", DESIGNS)
def test_the_plan_is_the_same_where_rows_have_weights(name: str) -> None:
    for longest in LENGTHS:
        agree(T.bound(rows=2).agg(fit=sums(name, weights=longest), other=sums(name, pets.col("n2") > 3, 2)))


@pytest.mark.parametrize("weights", [None, 3])
@pytest.mark.parametrize("people", [1, 7, 10**4, 10**6, 2**31])
def test_it_is_for_any_number_of_people(people: int, weights: Any) -> None:
    agree(T.agg(fit=sums("all of them", weights=weights)), people)


TERMS = [[{"column": name}] for name in ("n1", "r")]
GOOD: Any = {"table": "t", "agg": [["fit", {"agg": "regression", "terms": TERMS, "outcome": {"column": "y"}}]]}
WRONG: dict[str, dict[str, Any]] = {
    "no terms": {"terms": []},
    "too many terms": {"terms": [[{"column": f"x{n}"}] for n in range(33)]},
    "a term twice": {"terms": [*TERMS, TERMS[0]]},
    "a column twice in a term": {"terms": [*TERMS, [{"column": "n1"}, {"column": "n1"}]]},
    "a product without its parts": {"terms": [*TERMS, [{"column": "n2"}, {"column": "r"}]]},
    "the outcome in a term": {"outcome": {"column": "n1"}},
    "a category as the outcome": {"outcome": {"column": "q"}},
    "an unknown column": {"outcome": {"column": "z"}},
    "a product of four": {"terms": [[{"column": name} for name in ("b1", "b2", "n1", "n2")]]},
    "values of a category": {"levels": [{"column": "r"}]},
    "values of no term": {"levels": [{"column": "n2"}]},
    "values of a column twice": {"levels": [{"column": "n1"}, {"column": "n1"}]},
    "values of too many": {"terms": [[{"column": "weeks"}]], "levels": [{"column": "weeks"}]},
    "weights of a column": {"weights": "n2"},
    "weights below 1": {"weights": "0.99"},
    "weights above 64": {"weights": 65},
    "weights of a term that is too fine": {"outcome": {"column": "n1"}, "terms": [[{"column": "fine"}]], "weights": 2},
    "another part": {"offset": "n2"},
    "the person": {"terms": [[{"column": "id"}]]},
}


def test_the_question_that_is_not_wrong_is_taken() -> None:
    assert Plan(copy.deepcopy(GOOD), json.loads(canonical(schema().to_json()))).groups == 1


@pytest.mark.parametrize("name", WRONG)
def test_what_the_product_refuses_is_refused(name: str) -> None:
    wrong = copy.deepcopy(GOOD)
    wrong["agg"][0][1] |= WRONG[name]
    with pytest.raises(PetsError):
        make_plan(pets.Query.from_json(copy.deepcopy(wrong)), schema())
    with pytest.raises((Refused, CannotCheck, LookupError)):
        Plan(wrong, json.loads(canonical(schema().to_json())))


def test_a_fit_s_release_holds_and_lies_about_it_do_not(tmp_path: Path) -> None:
    asked = session(MANY, ledger=tmp_path / "ledger.db")
    fit = asked.fit(pets.linear("cost ~ age * sick + C(region)", data="p"), pets.DP(epsilon=1))
    release, key = fit.release, asked.ledger.key.raw
    assert "moments: L1" in check(canonical(release.to_json()), key)
    form = json.loads(canonical(release.to_json()))
    plan = make_plan(release.query, FITS)
    for edited in (
        form | {"scales": [number / 2 for number in map(float, form["scales"])]},
        form | {"epsilon": "0.5"},
        form | {"values": form["values"][1:]},
    ):
        with pytest.raises((Refused, CannotCheck)):
            check(canonical(edited), key)
    said = release.certificate.predicate["dp"]["sensitivities"] if release.certificate else []
    assert said == [{"kind": "moments"} | plan.measures[0].sensitivity.to_json()]
