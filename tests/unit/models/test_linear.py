"""The model of a straight line: one canonical form, and what it cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import QueryError
from pets.models.linear import Linear, linear
from tests.remedies import Case, check

pytestmark = pytest.mark.chance(0)

ADULTS = pets.query("stays").where(pets.col("age") >= 18).with_columns(days=pets.col("left") - pets.col("came"))
MODELS = [
    linear("cost ~ age", data="stays"),
    linear("cost ~ age * C(region) + sex", data="stays"),
    linear("cost ~ days + age:sex + age + sex", data=ADULTS.bound(rows=1)),
    linear("n", ["first"], data=pets.people(n=pets.events("stays").count(max=3), first=pets.events("stays").exists())),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.formula)
def test_there_and_back(model: Linear) -> None:
    form = json.loads(canonical(model.to_json()))
    assert Linear.from_json(form) == model
    assert Linear.from_json(form).digest == model.digest
    assert linear(model.formula, data=model.data) == model, "the formula that it shows is its own"
    assert pets.Query.from_json(json.loads(canonical(model.query.to_json()))) == model.query


def test_the_canonical_form_is_spelt_out() -> None:
    form = {
        "model": "linear",
        "version": 1,
        "outcome": {"column": "cost"},
        "terms": [[{"column": "sex"}], [{"column": "age"}], [{"column": "age"}, {"column": "sex"}]],
        "levels": [{"column": "sex"}],
        "data": {"table": "stays"},
    }
    for weights, written in ((None, {}), ("auto", {"weights": "auto"}), (4.5, {"weights": "4.5"}), (2, {"weights": 2})):
        model = linear("cost ~ C(sex) * age", data="stays", weights=weights)
        assert model.to_json() == form | written
        assert Linear.from_json(form | written) == model
    assert linear("cost ~ age", data="stays") == linear("cost ~ age", data="stays", weights="auto")


def test_one_model_however_it_is_written() -> None:
    one = linear("y ~ a * b", data="t")
    assert one == linear("y ~ b:a + a + b", data=pets.query("t")) == linear("y~(a)*(b) + 1", data="t")
    assert one != linear("y ~ b * a", data="t"), "coefficients are in the order of the formula"
    assert one.query.digest == linear("y ~ a*b", data="t").query.digest
    assert one.query.digest != linear("y ~ a*b", data="t", weights=3).query.digest


@pytest.mark.parametrize(
    "change",
    [
        {"model": "logistic"},
        {"version": 2},
        {"outcome": "cost"},
        {"outcome": {"column": "age"}},
        {"terms": []},
        {"terms": [[]]},
        {"terms": [[{"column": "age"}, {"column": "sex"}]]},
        {"terms": "age"},
        {"levels": [{"column": "other"}]},
        {"levels": []},
        {"data": {"table": "stays", "agg": []}},
        {"data": {"table": "stays", "by": [{"key": "column", "column": "sex"}]}},
        {"data": "stays"},
        {"weights": None},
        {"weights": "2.50"},
        {"values": [{"column": "age"}]},
        {"values": []},
        {"weights": "often"},
        {"weights": 0},
        {"more": 1},
    ],
    ids=str,
)
def test_another_form_is_no_model(change: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        Linear.from_json(linear("cost ~ age", data="stays").to_json() | change)
    for junk in (None, [], "cost ~ age", 3):
        with pytest.raises(QueryError, match="no model of a straight line"):
            Linear.from_json(junk)


def of(formula: Any, terms: Any = None, data: Any = "t", weights: Any = "auto") -> Any:
    return lambda: linear(formula, terms, data=data, weights=weights)


SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit(None),
            {
                "y": pets.Integer(0, 9),
                "a": pets.Integer(0, 9),
                "s": pets.Category(["f", "m"]),
                "d": pets.Date("2020-01-01", "2020-01-09"),
                "age": pets.Integer(0, 120),
            },
        )
    }
)
CASES = [
    Case(of("y", "a"), "a list of columns, such as ['age', 'sex']", of("y", ["a"])),
    Case(of("y", {"a": 1}), "a list of columns", of("y", ("a",))),
    Case(of("y ~ a", data=3), "pets.query('stays')", of("y ~ a", data=pets.query("t"))),
    Case(of("y ~ a", data=pets.query("t").agg(n=pets.count())), "without measures", of("y ~ a", data=pets.query("t"))),
    Case(of("y ~ a", data=pets.query("t").group_by("s")), "and groups", of("y ~ a", data=pets.query("t"))),
    Case(of("y ~ a:b"), "write a * b", of("y ~ a * b")),
    Case(lambda: Linear(pets.query("t"), "y", (("a",),), ("b",)), "leave it out", of("y ~ C(a)")),
    Case(of("y ~ a", weights="few"), "such as 4.5", of("y ~ a", weights=4.5)),
    Case(of("y ~ a", weights=0.5), "from 1 to 64", of("y ~ a", weights=1)),
    Case(of("y ~ a", weights=True), "weights is None", of("y ~ a", weights=None)),
    Case(lambda: linear("y ~ a"), "linear('cost ~ age + sex', data='stays')", of("y ~ a")),  # type: ignore[call-arg]
    Case(
        lambda: linear("y ~ C(age)", data="t").check(SCHEMA),
        "take C() off",
        lambda: linear("y ~ age", data="t").check(SCHEMA),
    ),
    Case(
        lambda: Linear(pets.query("t"), "y", (("a",),), (), None, ("a",)),
        "write C(a)",
        lambda: Linear(pets.query("t"), "y", (("a",),), ("a",), None, ("a",)),
    ),
    Case(lambda: linear("y ~ C(b)", data="t").check(SCHEMA), "there are: y, a, s, d, age", of("y ~ C(s)")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)
