"""Models of survival: one canonical form, and what they cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import QueryError
from pets.models.survival.exit_model import MAX_GROUPS, exit_model_of
from tests.remedies import Case, check

pytestmark = pytest.mark.chance(0)

ADULTS = pets.query("stays").where(pets.col("age") >= 18).with_columns(days=pets.col("left") - pets.col("came"))
FEATURES = pets.people(last=pets.events("stays").max("day"), died=pets.events("stays").exists())
MODELS = [
    pets.kaplan_meier("days", "died", data="stays"),
    pets.kaplan_meier("days", "died", by="arm", data=ADULTS.bound(rows=1), edges=[0, "0.5", 30], actuarial=False),
    pets.kaplan_meier("days", "died", by=["arm", "sex"], data="stays", bins=12),
    pets.kaplan_meier("last", "died", data=FEATURES),
    pets.log_rank("days", "died", "arm", data="stays", edges=range(0, 100, 10)),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.digest[:8])
def test_there_and_back(model: Any) -> None:
    form = json.loads(canonical(model.to_json()))
    assert type(model).from_json(form) == model == exit_model_of(model.kind, form)
    assert type(model).from_json(form).digest == model.digest
    assert pets.Query.from_json(json.loads(canonical(model.query.to_json()))) == model.query


def test_the_canonical_form_is_spelt_out() -> None:
    model = pets.kaplan_meier("days", "died", by="arm", data="stays", edges=[0, 30], actuarial=False)
    assert model.to_json() == {
        "model": "kaplan_meier",
        "version": 1,
        "time": {"column": "days"},
        "event": {"column": "died"},
        "edges": [0, 30],
        "actuarial": False,
        "by": [{"column": "arm"}],
        "data": {"table": "stays"},
    }


def test_one_model_however_it_is_written() -> None:
    one = pets.kaplan_meier("days", "died", by="arm", data="t")
    assert one == pets.kaplan_meier("days", "died", by=["arm"], data=pets.query("t"), bins=24)
    other = pets.log_rank("days", "died", "arm", data="t")
    assert one.query.digest == other.query.digest and one != other


@pytest.mark.parametrize(
    "change",
    [
        {"model": "log_rank"},
        {"version": 2},
        {"time": "days"},
        {"event": {"column": "days"}},
        {"bins": 1},
        {"bins": 24, "edges": [0, 1]},
        {"actuarial": True},
        {"actuarial": 0},
        {"by": []},
        {"by": ["arm"]},
        {"data": {"table": "stays", "agg": []}},
        {"data": {"table": "stays", "by": [{"key": "column", "column": "sex"}]}},
        {"data": "stays"},
        {"more": 1},
    ],
    ids=str,
)
def test_another_form_is_no_model(change: dict[str, Any]) -> None:
    form = pets.kaplan_meier("days", "died", data="stays").to_json()
    with pytest.raises(QueryError):
        type(MODELS[0]).from_json(form | change)
    for junk in (None, [], "days", 3):
        with pytest.raises(QueryError, match="no model of a survival curve"):
            type(MODELS[0]).from_json(junk)


COLUMNS: dict[str, Any] = {
    "id": pets.Identifier(),
    "days": pets.Integer(0, 99),
    "early": pets.Integer(-5, 99),
    "age": pets.Integer(0, 119),
    "died": pets.Boolean(),
    "arm": pets.Category(["a", "b"]),
    "one": pets.Category(["a"], nullable=False),
    "code": pets.Category([f"c{number}" for number in range(MAX_GROUPS + 1)]),
    "few": pets.Category([f"c{number}" for number in range(MAX_GROUPS)]),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id"), COLUMNS)})


def of(time: Any = "days", event: Any = "died", by: Any = None, data: Any = "t", **more: Any) -> Any:
    return lambda: pets.kaplan_meier(time, event, by, data=data, **more).check(SCHEMA)


def between(time: Any = "days", by: Any = "arm", **more: Any) -> Any:
    return lambda: pets.log_rank(time, "died", by, data="t", **more).check(SCHEMA)


CASES = [
    Case(of(data=3), "pets.query('stays')", of(data=pets.query("t"))),
    Case(of(data=pets.query("t").agg(n=pets.count())), "without measures", of(data=pets.query("t"))),
    Case(of(by=3), "such as by='arm'", of(by="arm")),
    Case(of(by={"arm": 1}), "a list of columns", of(by=["arm"])),
    Case(of(by="died"), "take it out of by", of(by="arm")),
    Case(of(event="days"), "name two columns", of()),
    Case(of(bins=1), "from 2 to 1,000 bins", of(bins=24)),
    Case(of(bins=2000), "from 2 to 1,000 bins", of(bins=24)),
    Case(of(bins="many"), "bins must be a whole number", of(bins=12)),
    Case(of(edges=[0, 1], bins=3), "not both", of(edges=[0, 1])),
    Case(of(edges=[0]), "edges", of(edges=[0, 50])),
    Case(of(edges=range(2000)), "edges of bins", of(bins=24)),
    Case(of(edges=[5, 50]), "begin with 0", of(edges=[0, 50])),
    Case(of(edges=[0, "0.2", "0.4", 50]), "leave one of these edges out", of(edges=[0, "0.4", 50])),
    Case(of("early"), "data.where(pets.col('early') >= 0).with_columns(t=pets.max_of(pets.col('early'), 0))",
         of("t", data=pets.query("t").where(pets.col("early") >= 0).with_columns(t=pets.max_of(pets.col("early"), 0)))),
    Case(of("arm"), "the time of a survival curve is a number", of()),
    Case(of(event="arm"), "is a boolean", of()),
    Case(of(event="dead"), "did you mean", of()),
    Case(of(by="age"), "with_columns(band=pets.col('age') // 20)",
         of(by="band", data=pets.query("t").with_columns(band=pets.col("age") // 20))),
    Case(of(by="code"), "group its values first with map", of(by="few")),
    Case(of(actuarial="yes"), "True or False", of(actuarial=False)),
    Case(between(by=[]), "name a column that tells them apart", between(by=["arm"])),
    Case(between(by="one"), "take another column", between()),
    Case(lambda: pets.kaplan_meier("days", "died"), "kaplan_meier('days', 'died', by='arm'", of()),  # type: ignore[call-arg]
    Case(lambda: pets.log_rank("days", "died", data="t"), "log_rank('days', 'died', 'arm'", between()),  # type: ignore[call-arg]
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)
