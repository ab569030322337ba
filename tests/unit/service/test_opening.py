from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.errors import BudgetError, LedgerError, PolicyError, UserError
from pets.service.opening import Opening

SCHEMA = """
dataset: stays
tables:
  stays:
    unit: {column: patient, max_rows: 3}
    columns:
      patient: {type: identifier}
      sex: {type: category, values: [F, M]}
"""


def written(folder: Path) -> Opening:
    (folder / "stays.yaml").write_text(SCHEMA, "utf-8")
    (folder / "stays.csv").write_text("patient,sex\n1,F\n2,M\n", "utf-8")
    return Opening(
        str(folder / "stays.yaml"),
        str(folder / "ledger.db"),
        {"stays": str(folder / "stays.csv")},
        snapshots=str(folder / "snap"),
        budget=pets.Budget(epsilon=1, delta=1e-6).to_json(),
        policy={"max_numbers": 7},
        threads=1,
    )


def test_another_process_opens_the_same_from_text(tmp_path: Path) -> None:
    opening = written(tmp_path)
    first = opening.custodian()
    again = Opening.from_json(json.loads(json.dumps(opening.to_json())))
    assert again == opening
    second = again.custodian()
    # the stored snapshots, the ledger and the policy are the first one's
    assert second.reused == ("stays",) and second.snapshots == first.snapshots
    assert second.ledger.origin == first.ledger.origin and second.policy.max_numbers == 7


@pytest.mark.parametrize(
    "budget", [pets.Budget(epsilon=3, delta=1e-6), {"epsilon": 3, "delta": 1e-6}, {"epsilon": 3.0, "delta": 0.000001}]
)
def test_budget_and_policy_are_given_as_everywhere(tmp_path: Path, budget: Any) -> None:
    written(tmp_path)
    given = (str(tmp_path / "stays.yaml"), str(tmp_path / "ledger.db"), {"stays": str(tmp_path / "stays.csv")})
    opening = Opening(*given, budget=budget, policy=pets.Policy(approval="before"))
    found = Opening.from_json(json.loads(json.dumps(opening.to_json())))
    assert found == opening == Opening(*given, budget=budget, policy=pets.Policy(approval="before").to_json())
    custodian = found.custodian()
    assert custodian.budget == pets.Budget(epsilon=3, delta=1e-6) and custodian.policy.approval == "before"


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"budget": 3}, BudgetError, r"a budget is pets.Budget\(epsilon=3, delta=1e-6\), or its parts by name, not 3"),
        ({"budget": {"epsilon": 3, "delt": 1e-6}}, BudgetError, "'delt'; did you mean 'delta'"),
        ({"budget": {"delta": 1e-6}}, BudgetError, "needs epsilon; write Budget"),
        ({"budget": {"epsilon": -1}}, BudgetError, "epsilon"),
        ({"policy": {"aproval": "before"}}, PolicyError, "'aproval'; did you mean 'approval'"),
        ({"policy": {"approval": "later"}}, PolicyError, "approval must be 'before' or 'after'"),
        ({"policy": "before"}, PolicyError, "a policy is pets.Policy"),
    ],
)
def test_a_budget_or_a_policy_that_is_none(wrong: dict[str, Any], error: type[UserError], said: str) -> None:
    with pytest.raises(error, match=said):
        Opening("stays.yaml", "ledger.db", **wrong)


def test_what_is_no_opening_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'snapshots'"):
        Opening.from_json(written(tmp_path).to_json() | {"snapshot": "x"})
    with pytest.raises(UserError, match="is an object"):
        Opening.from_json(["schema"])
    with pytest.raises(LedgerError):
        Opening(str(tmp_path / "stays.yaml"), "mysql://u@h/d").custodian()
