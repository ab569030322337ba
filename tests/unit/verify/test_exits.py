"""Who leaves when, by the checker: the same plan from other code, and lies about it refused."""

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
from pets.query_model.nodes.exits import Exits
from pets.verify.check import CannotCheck, Plan, Refused, check
from tests.unit.models.survival.test_curves import MANY, MODEL, session

pytestmark = pytest.mark.chance(0)

COLUMNS: dict[str, Any] = {
    "days": pets.Integer(0, 99),
    "few": pets.Integer(1, 5, nullable=False),
    "once": pets.Integer(4, 4),
    "years": pets.Real(0, 10, "0.25"),
    "early": pets.Integer(-3, 9),
    "died": pets.Boolean(),
    "q": pets.Category(["x", "y", "z"]),
}
T = pets.query("t")
SHAPES = {
    "plain": T,
    "a condition": T.where(pets.col("few") > 3),
    "rows of a person": T.bound(rows=2),
    "groups": T.bound(rows=3).group_by("q"),
    "rows of a group": T.bound(rows=4, rows_per_group=2).group_by("q"),
    "groups of a person": T.bound(groups=2).group_by("q"),
}
ASKED: dict[str, Exits] = {
    "as they come": Exits("days", "died"),
    "by number": Exits("years", "died", bins=7),
    "single values": Exits("few", "died", bins=1000),
    "one value more than bins": Exits("few", "died", bins=4),
    "as many values as bins": Exits("few", "died", bins=5),
    "one value": Exits("once", "died"),
    "edges": Exits("days", "died", (0, 30, 60)),  # type: ignore[arg-type]
    "edges off the grid": Exits("years", "died", ("0", "0.3", "2.1", 9)),  # type: ignore[arg-type]
    "edges past the end": Exits("few", "died", (1, 3, 50)),  # type: ignore[arg-type]
    "a condition": Exits("days", "died", (0, 50), where=pets.col("q") == "x"),  # type: ignore[arg-type]
}


def schema(people: int = 1000) -> pets.Schema:
    unit = pets.Unit("id", max_rows=5, rows=2)
    return pets.Schema({"t": pets.Table(unit, {"id": pets.Identifier(), **COLUMNS}, people=people)}, dataset="left")


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_plan_is_the_same(name: str, shape: str) -> None:
    query = SHAPES[shape].agg(fit=ASKED[name], n=pets.count(), other=Exits("days", "died", bins=3))
    there = make_plan(query, schema())
    here = Plan(json.loads(canonical(query.to_json())), json.loads(canonical(schema().to_json())))
    assert canonical(here.form) == canonical(there.to_json())
    assert here.widths == [measure.width for measure in there.measures]


GOOD: Any = {
    "table": "t",
    "agg": [["fit", {"agg": "survival", "time": {"column": "days"}, "event": {"column": "died"}, "edges": [0, 30]}]],
}
WRONG: dict[str, dict[str, Any]] = {
    "a time before 0": {"time": {"column": "early"}},
    "a category as the time": {"time": {"column": "q"}},
    "a number as the event": {"event": {"column": "few"}},
    "edges that begin later": {"edges": [5, 30]},
    "edges below 0": {"edges": [-5, 30]},
    "a bin without a time": {"edges": [0, "0.2", "0.4", 30]},
    "edges past the end": {"edges": [0, 200, 300]},
    "edges that do not grow": {"edges": [0, 30, 30]},
    "edges and bins": {"bins": 3},
    "one edge": {"edges": [0]},
    "too many edges": {"edges": list(range(1003))},
    "another part": {"weights": "few"},
    "the person": {"time": {"column": "id"}},
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


@pytest.mark.parametrize("bins", [0, 1, 1001, "3", None])
def test_bins_are_a_number_in_a_range(bins: Any) -> None:
    wrong = copy.deepcopy(GOOD)
    del wrong["agg"][0][1]["edges"]
    wrong["agg"][0][1] |= {} if bins is None else {"bins": bins}
    with pytest.raises((Refused, CannotCheck, LookupError)):
        Plan(wrong, json.loads(canonical(schema().to_json())))


def test_a_time_before_0_is_refused_however_it_is_cut() -> None:
    asked = {"agg": "survival", "time": {"column": "early"}, "event": {"column": "died"}, "bins": 3}
    with pytest.raises(Refused):
        Plan({"table": "t", "agg": [["fit", asked]]}, json.loads(canonical(schema().to_json())))


def test_a_curve_s_release_holds_and_lies_about_it_do_not(tmp_path: Path) -> None:
    asked = session(MANY, ledger=tmp_path / "ledger.db")
    release, key = asked.fit(MODEL, pets.DP(epsilon=1)).release, asked.ledger.key.raw
    assert "exits: L1" in check(canonical(release.to_json()), key)
    form = json.loads(canonical(release.to_json()))
    for edited in (
        form | {"scales": [number / 2 for number in map(float, form["scales"])]},
        form | {"epsilon": "0.5"},
        form | {"values": form["values"][1:]},
    ):
        with pytest.raises((Refused, CannotCheck)):
            check(canonical(edited), key)
    said = release.certificate.predicate["dp"]["sensitivities"] if release.certificate else []
    assert said == [{"kind": "exits"} | release.plan.measures[0].sensitivity.to_json()]
