"""What one question may cost: refused before any work, by the custodian's policy, with remedies that work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pets
import pets.session.custody as custody_module
from pets import col
from pets.errors import BudgetError, PolicyError

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id"),
            {
                "id": pets.Identifier(),
                "days": pets.Integer(0, 779),
                "cost": pets.Integer(0, 779),
                "ward": pets.Category(["a", "b"]),
            },
        )
    }
)
DP = pets.DP(epsilon=0.1)
MANY = pets.query("stays").group_by("days", "cost").agg(n=pets.count())
"""113 bytes of JSON, and more than 608,000 groups."""


def session(**limits: Any) -> pets.Session:
    rows = pd.DataFrame({"id": ["p1", "p2"], "days": [1, 2], "cost": [3, 4], "ward": ["a", "b"]})
    policy = pets.Policy(**limits) if limits else None
    return pets.Session(SCHEMA, rows, budget=pets.Budget(epsilon=1, delta=1e-6), policy=policy, progress=False)


@pytest.mark.parametrize("verb", ["quote", "release"])
def test_an_answer_of_too_many_numbers_is_refused_before_any_work(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_work(*_: object) -> Any:
        raise AssertionError("noise was fixed for a question that is refused")

    asked = session()
    monkeypatch.setattr(custody_module, "calibrate", no_work)
    monkeypatch.setattr("pets.session.quoting.quoted.calibrate", no_work)
    with pytest.raises(AssertionError, match="noise was fixed"):
        getattr(asked, verb)(pets.query("stays").agg(n=pets.count()), DP)  # as for every question that is not refused
    with pytest.raises(PolicyError, match="would hold 609,961 numbers and this custodian's policy allows 200,000"):
        getattr(asked, verb)(MANY, DP)
    assert asked.history().empty


@pytest.mark.parametrize(
    "remedy",
    [
        lambda: pets.query("stays").group_by("days").agg(n=pets.count()),
        lambda: pets.query("stays").group_by(col("days").bins([0, 100, 780]), "cost").agg(n=pets.count()),
    ],
)
def test_its_remedies_work(remedy: Callable[[], pets.Query]) -> None:
    asked = session(max_numbers=3000)
    with pytest.raises(PolicyError, match="group by fewer columns, use coarser bins, or ask for fewer measures"):
        asked.release(MANY, DP)
    assert asked.quote(remedy(), DP).fits and asked.release(remedy(), DP).values.size <= 3000


def test_several_questions_are_one_request() -> None:
    asked = session(max_numbers=1000)
    one = pets.query("stays").group_by("days").agg(n=pets.count())
    other = pets.query("stays").group_by("cost").agg(n=pets.count())
    with pytest.raises(PolicyError, match="would hold 1,562 numbers"):
        asked.release([one, other], DP)
    assert asked.history().empty and len(asked.release([one], DP)) == 1


def test_fewer_measures_are_fewer_numbers() -> None:
    asked = session(max_numbers=1000)
    two = pets.query("stays").group_by("days").agg(n=pets.count(), m=pets.sum("cost"))
    with pytest.raises(PolicyError, match="fewer measures"):
        asked.quote(two, DP)
    assert asked.quote(pets.query("stays").group_by("days").agg(n=pets.count()), DP).fits


@pytest.mark.parametrize("verb", ["quote", "release"])
def test_a_condition_of_100_000_terms_is_refused_before_any_work(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_work(*_: object) -> Any:
        raise AssertionError("a question that is refused was planned")

    term = {"filter": "compare", "column": "days", "op": "!=", "value": 1}
    form = {"table": "stays", "agg": {"n": {"agg": "count"}}, "where": {"filter": "and", "terms": [term] * 100_000}}
    query = pets.Query.from_json(form)
    monkeypatch.setattr(custody_module, "make_plan", no_work)
    with pytest.raises(PolicyError, match="100,000 conditions and this custodian's policy allows 2,000"):
        getattr(session(), verb)(query, DP)


def test_conditions_of_measures_count_and_a_list_is_one() -> None:
    asked = session(max_conditions=3)
    four = (col("days") == 1) | (col("days") == 2) | ~(col("days") == 3) | (col("days") == 4)
    with pytest.raises(PolicyError, match="put values of one column in a list, with isin"):
        asked.quote(pets.query("stays").agg(n=pets.count(where=four)), DP)
    listed = col("days").isin([1, 2, 3, 4])
    assert asked.release(pets.query("stays").where(listed).agg(n=pets.count(where=listed)), DP).values.size == 1


@pytest.mark.parametrize("name", ["max_numbers", "max_conditions", "max_denials", "output_votes", "output_days"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "9"])
def test_a_limit_is_a_whole_number(name: str, value: object) -> None:
    with pytest.raises(PolicyError, match=f"{name} must be a whole number above 0"):
        pets.Policy(**{name: value})


def test_the_usual_limits_change_no_digest() -> None:
    """Answers that older versions stored stay the answers to the same questions."""
    assert pets.Policy().to_json() == {"allow_unbounded": False}
    assert pets.Policy(max_numbers=5).to_json() == {"allow_unbounded": False, "max_numbers": 5}
    assert pets.Policy(max_numbers=5).digest != pets.Policy().digest


def test_refusals_are_entered_as_often_as_the_policy_says() -> None:
    asked = session(max_denials=2)
    for _ in range(4):
        with pytest.raises(BudgetError):
            asked.release(pets.query("stays").agg(n=pets.count()), pets.DP(epsilon=5))
    assert list(asked.history()["state"]) == ["denied", "denied"]


def test_history_is_filtered_and_paged() -> None:
    asked = session()
    for epsilon in (0.01, 0.02, 0.03):
        asked.release(pets.query("stays").agg(n=pets.count()), pets.DP(epsilon=epsilon))
    assert list(asked.history(last=2)["id"]) == list(asked.history()["id"])[1:]
    assert asked.history(analyst="nobody").empty and len(asked.history(project="default", analyst="local")) == 3
    for last in (0, True, 2.5, "3"):
        with pytest.raises(pets.UserError, match="last must be a whole number"):
            asked.history(last=last)  # type: ignore[arg-type]
