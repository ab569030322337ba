"""What a question may ask: the checker takes no question that the product refuses, whoever signs the release."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import PetsError
from pets.plan.plan import make_plan
from pets.verify import check as checker
from pets.verify.check import CannotCheck, Plan, Refused, check
from tests.unit.verify.test_check import SCHEMA, Made, said_of

FORM: Any = json.loads(canonical(SCHEMA.to_json()))
AGE = {"by": [{"key": "column", "column": "age"}]}
COUNT = {"agg": "count"}


def asked(*aggregates: Any, **more: Any) -> Any:
    return {"table": "stays", "agg": [[f"a{n}", one] for n, one in enumerate(aggregates or [COUNT])], **more}


def refused(query: Any, schema: Any = FORM, of: pets.Schema = SCHEMA) -> str:
    """Why the checker takes none of it; the product takes it neither."""
    with pytest.raises(PetsError):
        make_plan(pets.Query.from_json(copy.deepcopy(query)), of)
    with pytest.raises((Refused, CannotCheck)) as caught:
        Plan(query, schema)
    return str(caught.value)


@pytest.mark.parametrize("name", ["rows", "groups", "rows_per_group"])
@pytest.mark.parametrize("cap", [-2, 0, True, "2", 10**7])
def test_a_bound_is_a_whole_number_from_1(name: str, cap: Any) -> None:
    assert f"{name} in it" in refused(asked(**AGE, **{name: cap}))


@pytest.mark.parametrize("edges", [[0, 14, 0, 14], [5, 1], [0, 0, 14], [0], [], [3, 3], ["0.5", "1/2"]])
def test_edges_grow(edges: list[Any]) -> None:
    """Where bins overlap, a row is in several of them, and moves more than one cell."""
    assert "do not grow" in refused(asked({"agg": "histogram", "column": "days", "edges": edges}))
    assert "do not grow" in refused(asked(by=[{"key": "bins", "column": "days", "edges": edges}]))


def text(value: float) -> str:
    return format(Decimal(repr(value)), "f")


def forged(made: Made, query: Any, scales: list[str], **lie: Any) -> bytes:
    """A release of another question with a certificate that fits, by the checker's own arithmetic and sentences."""
    release, answers = made.releases[0], checker._answers
    form, said = copy.deepcopy(release.form), copy.deepcopy(said_of(release))
    form["query"] = query
    plan = Plan(query, form["schema"])
    form["plan"], form["values"] = checker.sha256(canonical(plan.form)), [0] * (plan.groups * sum(plan.widths))
    moved = [Fraction(one["sensitivity"]["l2_squared"], 2) for one in plan.measures]
    exact = [size / Fraction(float(scale)) ** 2 * 10**12 for size, scale in zip(moved, scales, strict=True)]
    losses = [-int(-loss // 1) for loss in exact]
    total = sum(losses)
    form["scales"], form["cost"]["loss"], form["rho"] = scales, total, text(total / 1e12)
    form["epsilon"] = text(checker.epsilon(total / 1e12, float(form["delta"])))
    form["protection"] = {"kind": "dp", "rho": form["rho"]}
    budget = said["budget"]
    budget |= {"charged": total, "after": budget["before"] + total}
    delta = checker.conversion(checker.number(budget["delta"]), checker.number(budget["threshold_delta"]))
    form["budget"] |= {"spent": budget["after"], "left": budget["cap"] - budget["after"]}
    form["budget"] |= {"epsilon_spent": text(checker.epsilon(budget["after"] / 1e12, delta))}
    form["budget"]["lifetime"] = budget["lifetime"] = max(budget["lifetime"], budget["after"])
    form["guarantee"] = answers.sentence(form, plan, plan.who, said["log"]["origin"], False)
    said["dp"] = {"losses": losses}
    form["query"] = query | lie
    return made.signed(form, said | answers.expected(form, said, plan, form["plan"]))[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("asked"), pets.Budget(20, 1e-6, 1e-7))


@pytest.mark.chance(0)
def test_losses_do_not_cancel(made: Made) -> None:
    """With negative sensitivities a count would win back what the tails lose, and ε be as small as anybody likes."""
    query = asked(COUNT, {"agg": "tails"}, **AGE)
    assert "Differentially private" in check(forged(made, query | {"groups": 2}, ["4", "3"]), made.key)
    with pytest.raises(Refused, match="groups in it is no whole number"):
        check(forged(made, query | {"groups": 2}, ["4", "3"], groups=-2), made.key)


@pytest.mark.parametrize(("size", "holds"), [(2, True), (-2, False), (0, False)])
def test_every_measure_loses_something(size: int, holds: bool) -> None:
    moved = {"l0": size, "l1": size, "l2_squared": size, "linf": 1}
    plan = SimpleNamespace(measures=[{"kind": "rows", "sensitivity": moved}])
    given = {"mechanism": "gaussian", "scales": ["1"]}, [size * 10**12 // 2], plan
    if holds:
        checker._loss.check_losses(*given)
        return
    with pytest.raises(Refused, match="loses nothing"):
        checker._loss.check_losses(*given)
