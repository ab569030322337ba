"""What a question may ask: the checker takes no question that the product refuses, whoever signs the release."""

from __future__ import annotations

import copy
import json
import re
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
from tests.unit.verify.test_check import COLUMNS, SCHEMA, Made, said_of

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


@pytest.mark.parametrize(
    "edges",
    [
        ["2020-05-01", "2020-04-01"],
        ["2020-05-01", "2020-05-01"],
        ["2020-05-01"],
        [0, 14],
        ["2020-05-01", 14],
        ["2020-05-01", "2020-13-01"],
        ["2020-05-01", "2020-06-01 12:00"],
    ],
)
def test_edges_of_days_grow(edges: list[Any]) -> None:
    said = refused(asked(by=[{"key": "bins", "column": "admitted", "edges": edges}]))
    assert "do not grow" in said or "what is no day" in said


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (asked(COUNT | {"weight": 5}), "a part that this checker does not know"),
        (asked(COUNT | {"column": "days"}), "a part that this checker does not know"),
        (asked(by=[{"key": "column", "column": "age", "part": "year"}]), "a part that this checker does not know"),
        (asked({"agg": "sum", "column": "days", "step": 1}), "a part that this checker does not know"),
        (asked({"agg": "quantile", "column": "days", "q": "0.5", "bins": 1}), "its bins are no whole number"),
        (asked({"agg": "quantile", "column": "days", "q": "0.5", "bins": -5}), "its bins are no whole number"),
        (asked({"agg": "quantile", "column": "days", "q": "0.5", "bins": 10**9}), "its bins are no whole number"),
        (asked({"agg": "quantile", "column": "days", "q": 2}), "its quantile is none between"),
        (asked({"agg": "quantile", "column": "days", "q": -1}), "its quantile is none between"),
        (asked({"agg": "quantile", "column": "age", "q": "0.5"}), "of a column that has none"),
        (asked({"agg": "sum", "column": "age"}), "it has a sum of a column that has none"),
        (asked({"agg": "mean", "column": "admitted"}), "it has a mean of a column that has none"),
        (asked({"agg": "histogram", "column": "age", "edges": [0, 1]}), "of a column that has none"),
        (asked({"agg": "histogram", "column": "admitted"}), "of a column that has none"),
        (asked({"agg": "sum", "column": "days", "clip": [14, 0]}), "its clip is none"),
        (asked({"agg": "variance", "column": "days", "step": -1}), "its step or its divisor is none"),
        (asked({"agg": "rate"}), "it has a rate of nothing"),
        (asked({"agg": "covariance", "columns": [{"column": "days"}] * 2}), "other than two columns"),
        (asked(by=AGE["by"] * 2), "two columns of its answer have one name"),
        (asked(by=[{"key": "column", "column": "cost"}]), "it groups by what has no groups"),
        (asked(by=[{"key": "bins", "column": "age", "edges": [0, 1]}]), "it groups by what has no groups"),
        ({"table": "stays", "agg": [["n", COUNT], ["n", {"agg": "tails"}]]}, "two columns of its answer have one name"),
        (asked(**AGE, keyset={"columns": ["sex"], "rows": [["young"]]}), "its key set is of other columns"),
    ],
    ids=str,
)
def test_the_checker_takes_no_more_than_the_product(query: Any, why: str) -> None:
    assert why in refused(query)


def test_a_condition_with_a_part_that_is_not_known_cannot_be_checked() -> None:
    met = {"filter": "is_null", "column": "days"}
    assert Plan(asked(COUNT | {"where": met}), FORM).measures
    for query in (asked(COUNT | {"where": met | {"not": True}}), asked(where=met | {"not": True})):
        with pytest.raises(CannotCheck, match="a part that this checker does not know"):
            Plan(query, FORM)


PERSON = {"id": pets.Identifier(), "born": pets.Date("1950-01-01", "2000-12-31")}
OWNED = pets.Table(pets.Unit("id", max_rows=9, rows=3), COLUMNS, people=2**14, person_table="people")
PEOPLE = pets.Schema({"people": pets.Table(pets.Unit("id", max_rows=1), PERSON), "stays": OWNED}, dataset="people")
ROWS = {"table": "stays"}
FIRST = {"feature": "first", "column": "admitted", "by": "admitted", "rows": ROWS}
LAST = FIRST | {"feature": "last"}
TAKEN: list[dict[str, Any]] = [
    {"feature": "count", "rows": ROWS | {"rows": 9}, "most": 5},
    {"feature": "exists", "rows": ROWS},
    {"feature": "episodes", "column": "admitted", "gap": 0, "rows": ROWS, "most": 5},
    {"feature": "days", "later": LAST, "earlier": FIRST, "between": [0, 9]},
    {"feature": "sum", "column": "cost", "rows": ROWS, "clip": [0, 5]},
    FIRST | {"nth": 999},
]


@pytest.mark.parametrize(
    ("place", "change"),
    [
        *((0, {"most": most}) for most in (-3, 0, True, 10**30)),
        *((0, {"rows": ROWS | {"rows": rows}}) for rows in (-1, 0, True)),
        (0, {"weight": 9}),
        (0, {"rows": ROWS | {"weight": 9}}),
        (1, {"column": "admitted"}),
        (2, {"gap": -5}),
        (2, {"column": "cost"}),
        (3, {"between": [9, 0]}),
        (3, {"between": [0, 10**12]}),
        (4, {"clip": [5, 0]}),
        (4, {"clip": [5, 5]}),
        (4, {"column": "age"}),
        *((5, {"nth": nth}) for nth in (-1, 0, 1000, True)),
        (4, {"nth": 2}),
    ],
    ids=str,
)
def test_features_of_people_are_as_the_product_takes_them(place: int, change: dict[str, Any]) -> None:
    form = json.loads(canonical(PEOPLE.to_json()))

    def about(feature: dict[str, Any]) -> Any:
        return asked(people={"features": [["f", feature]], "of": "stays"})

    agreed = make_plan(pets.Query.from_json(about(TAKEN[place])), PEOPLE)
    assert canonical(Plan(about(TAKEN[place]), form).form) == canonical(agreed.to_json())
    assert refused(about(TAKEN[place] | change), form, PEOPLE)


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


RANG = pets.Schema({"stays": pets.Table("row", {"rang": pets.Time(), "age": pets.Integer(0, 9)})})


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ({"key": "part", "part": "month"}, "by what has a date"),
        ({"key": "part", "part": "weekday"}, "by what has a date"),
        ({"key": "period", "unit": "hour"}, "has no groups|by what has a date"),
        ({"key": "bins", "edges": ["09:00", "08:00"]}, "do not grow"),
        ({"key": "bins", "edges": ["08:00", "24:01"]}, "no time"),
        ({"key": "bins", "edges": ["2020-01-01", "2020-02-01"]}, "no time"),
        ({"key": "bins", "edges": [0, 8]}, "no time"),
    ],
)
def test_times_of_day_have_hours_and_bins_alone(key: Any, why: str) -> None:
    form = json.loads(canonical(RANG.to_json()))
    assert re.search(why, refused(asked(by=[key | {"column": "rang"}]), form, RANG))
    for fine in ({"key": "part", "part": "hour"}, {"key": "bins", "edges": ["08:00", "24:00"]}, {"key": "column"}):
        query = asked(by=[fine | {"column": "rang"}])
        assert Plan(query, form).form == json.loads(canonical(make_plan(pets.Query.from_json(query), RANG).to_json()))
