"""Keys that nobody listed: paid for once, sealed, refused where they mean nothing; never more δ than there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.dp.noise import noisy_keys
from pets.errors import BudgetError, PolicyError, QueryError, ReleaseFailedError, UserError
from pets.protection.budget import DELTA_UNIT, Cost
from pets.release.keys.released_keys import ReleasedKeys
from pets.session import key_release

BUDGET = pets.Budget(epsilon=10, delta=1e-6, threshold_delta=1e-7)
COLUMNS = {
    "id": pets.Identifier(),
    "code": pets.Text(7, form="icd10"),
    "sex": pets.Category(["F", "M"]),
    "day": pets.Date("2024-01-01", "2024-01-03"),
    "cost": pets.Real(0, 9, 1),
}
SCHEMA = pets.Schema({"apc": pets.Table(pets.Unit("id", max_rows=4), COLUMNS)}, dataset="codes")
ASKED: dict[str, Any] = {"by": ["code"], "protection": pets.DP(epsilon=1)}


def rows(people: int = 900) -> pd.DataFrame:
    """Everybody has I21 or J45, every third person K35, and one alone Q99."""
    listed = [(f"p{i}", ["I21", "J45"][i % 2], "FM"[i % 2], "2024-01-01", 1) for i in range(people)]
    listed += [(f"p{i}", "K35.0", "F", "2024-01-02", 2) for i in range(0, people, 3)]
    listed += [(f"p{i}", None, None, None, None) for i in range(0, people, 2)]
    return pd.DataFrame([*listed, ("rare", "Q99", "F", "2024-01-01", 1)], columns=["id", "code", "sex", "day", "cost"])


def session(budget: pets.Budget | None = BUDGET, data: pd.DataFrame | None = None, **more: Any) -> pets.Session:
    return pets.Session(SCHEMA, {"apc": rows() if data is None else data}, budget=budget, progress=False, **more)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_the_keys_of_enough_people_are_released_and_grouped_by(engine: str) -> None:
    asker = session(engine=engine)
    keys = asker.group_keys("apc", **ASKED)
    assert isinstance(keys, pets.KeySet)
    assert keys.rows == (("I21",), ("J45",), ("K350",), (None,))
    quoted = asker.quote_keys("apc", **ASKED)
    assert (keys.threshold, keys.scale) == (quoted.threshold, quoted.scale)
    assert keys.threshold > 30
    table = keys.table
    assert list(table.columns) == ["code", "people"]
    assert table["code"].tolist() == ["I21", "J45", "K350", "missing"]
    assert np.allclose(table["people"], [450, 450, 300, 450], atol=12 * keys.scale)
    asked = pets.query("apc").group_by(keys).agg(n=pets.count_units())
    found = asker.release(asked, pets.DP(epsilon=5)).table
    assert np.allclose(found["n"], [450, 450, 300, 450], atol=60)


def test_a_question_holds_the_keys_alone() -> None:
    keys = session().group_keys("apc", **ASKED)
    plain = pets.KeySet(("code",), keys.rows)
    asked, listed = (pets.query("apc").group_by(one).agg(n=pets.count()) for one in (keys, plain))
    assert asked.digest == listed.digest
    assert asked.keyset == plain == keys.plain()
    assert pets.query("apc").group_by(keys * pets.KeySet.product({"sex": ["F"]})).keyset is not None
    assert pets.query_model.query.Query("apc", keys=asked.keys, keyset=keys).keyset == plain  # type: ignore[attr-defined]


def test_several_columns_are_one_key_and_a_condition_comes_first() -> None:
    keys = session().group_keys(
        "apc", by=["code", "sex", "day"], protection=pets.DP(epsilon=4), where=col("cost") == 1, groups=1
    )
    assert keys.columns == ("code", "sex", "day")
    assert keys.rows == (("I21", "F", "2024-01-01"), ("J45", "M", "2024-01-01"))
    asked = pets.query("apc").group_by(keys).agg(n=pets.count())
    found = pets.testing.exact(SCHEMA, {"apc": rows()}, asked)
    assert found["n"].tolist() == [450, 450]


def test_it_is_paid_for_once_and_certified() -> None:
    asker = session()
    quoted = asker.quote_keys("apc", **ASKED)
    assert asker.remaining().spent == Cost("zcdp", 0)
    keys = asker.group_keys("apc", **ASKED)
    assert asker.remaining().spent == quoted.cost == Cost(**keys.cost)
    assert quoted.cost.delta > 0
    again = asker.group_keys("apc", **ASKED)
    assert again == keys
    assert asker.remaining().spent == quoted.cost
    other = asker.group_keys("apc", **ASKED, again=True)
    assert other != keys
    assert asker.remaining().spent == quoted.cost + quoted.cost
    assert keys.certificate is not None
    said = keys.certificate.predicate
    assert keys.certificate.subject == keys.digest
    assert said["what"] == "group_keys by code"
    assert said["budget"]["charged"] == quoted.cost.loss
    assert said["budget"]["charged_delta"] == said["budget"]["after_delta"] == quoted.cost.delta
    assert said["dp"]["threshold_delta"] == quoted.cost.delta
    assert said["guarantee"] == keys.guarantee
    assert f"at most {quoted.cost.delta / DELTA_UNIT:.3g}" in keys.guarantee
    assert "a person is counted in at most 4 keys" in keys.guarantee
    assert asker.history()["what"].tolist() == ["group_keys by code"] * 2


def test_other_settings_are_another_question() -> None:
    asker = session()
    asked: list[dict[str, Any]] = [
        ASKED,
        ASKED | {"groups": 1},
        ASKED | {"delta": 5e-9},
        ASKED | {"where": col("sex") == "F"},
        ASKED | {"by": ["sex", "code"]},
        ASKED | {"protection": pets.DP(epsilon=1.5)},
    ]
    spent = Cost("zcdp", 0)
    for one in asked:
        keys = asker.group_keys("apc", **one)
        spent += Cost(**keys.cost)
        assert asker.remaining().spent == spent
    for one in asked:
        asker.group_keys("apc", **one)
    assert asker.remaining().spent == spent


def test_thresholds_never_take_more_delta_than_was_kept_for_them(tmp_path: Path) -> None:
    """Calls of about a quarter each, over restarts: some fit beside the first small one, and the next is refused."""
    ledger = tmp_path / "ledger.db"
    ready: dict[str, Any] = {"ledger": ledger, "snapshots": tmp_path / "ready"}
    budget = pets.Budget(epsilon=20, delta=1e-6, threshold_delta=4e-8)
    first = session(budget, **ready)
    first.group_keys("apc", **ASKED)
    taken = 0
    for _ in range(20):
        try:
            session(budget, **ready).group_keys("apc", **ASKED, delta=1e-8, again=True)
            taken += 1
        except BudgetError as error:
            assert "δ" in str(error) or "delta" in str(error)
            break
    spent = session(budget, **ready).remaining().spent
    assert spent.delta <= budget.cap.delta == 4 * 10**10
    assert 3 <= taken < 20
    # and an ordinary question still fits
    session(budget, **ready).release(pets.query("apc").agg(n=pets.count()), pets.DP(epsilon=0.1))


def test_a_colleague_gets_the_same_keys_at_no_cost(tmp_path: Path) -> None:
    ready: dict[str, Any] = {"ledger": tmp_path / "ledger.db", "snapshots": tmp_path / "ready"}
    mine = session(**ready)
    keys = mine.group_keys("apc", **ASKED)
    colleague = session(**ready, project="other", analyst="ann")
    theirs = colleague.group_keys("apc", **ASKED)
    assert theirs.rows == keys.rows
    assert theirs.form["people"] == keys.form["people"]
    assert (theirs.form["project"], theirs.form["analyst"]) == ("other", "ann")
    assert theirs.certificate is not None
    assert theirs.certificate.predicate["budget"]["charged_delta"] == 0
    assert mine.remaining().spent == Cost(**keys.cost)


def test_no_key_of_enough_people_is_an_answer_too() -> None:
    keys = session(data=rows(20)).group_keys("apc", **ASKED)
    assert keys.rows == ()
    assert len(keys.table) == 0
    with pytest.raises(QueryError, match="so there is nothing to group by"):
        pets.query("apc").group_by(keys)
    assert ReleasedKeys.sealed(keys.form) == keys


def test_refusals_come_before_the_data_and_never_depend_on_it() -> None:
    cases: list[tuple[dict[str, Any], type[UserError], str]] = [
        ({"protection": pets.Total()}, BudgetError, r"with pets.DP\(epsilon=…\) alone"),
        ({"protection": pets.Exact()}, BudgetError, r"with pets.DP\(epsilon=…\) alone"),
        ({"by": []}, QueryError, "by must be a list of column names"),
        ({"by": "code"}, QueryError, "by must be a list of column names"),
        ({"by": ["code", "code"]}, QueryError, "each once"),
        ({"by": ["kode"]}, QueryError, "column 'kode' is not in table 'apc'; did you mean 'code'"),
        ({"by": ["id"]}, QueryError, "is an identifier"),
        ({"by": ["cost"]}, QueryError, "whose single values are no keys"),
        ({"groups": 0}, QueryError, "groups must be a whole number from 1 to 16"),
        ({"groups": 17}, QueryError, "groups must be a whole number from 1 to 16"),
        ({"where": "sex"}, QueryError, "must be built from col"),
        ({"again": 1}, UserError, "again must be True or False"),
        ({"protection": pets.DP(epsilon=9.9, delta=1e-9)}, BudgetError, "budget"),
    ]
    for data in (rows(), rows(3)):
        asker = session(pets.Budget(epsilon=1, delta=1e-6, threshold_delta=1e-7), data)
        for more, error, said in cases:
            with pytest.raises(error, match=said):
                asker.group_keys("apc", **(ASKED | more))
        assert asker.remaining().spent == Cost("zcdp", 0)


def test_a_ledger_without_delta_refuses_with_the_reason() -> None:
    with pytest.raises(BudgetError, match="with some chance a key of one person shows; list the keys in a KeySet"):
        session(pets.Budget(epsilon=3)).group_keys("apc", **ASKED)
    with pytest.raises(BudgetError, match="keeps no delta for keys"):
        session(pets.Budget(epsilon=3, delta=1e-6)).group_keys("apc", **ASKED)


def test_the_policy_counts_conditions() -> None:
    asker = session(policy=pets.Policy(max_conditions=1))
    with pytest.raises(PolicyError, match="2 conditions"):
        asker.group_keys("apc", **ASKED, where=(col("sex") == "F") & (col("cost") == 1))


def test_what_fails_after_the_data_was_opened_stays_charged_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = session()

    def broken(*_: Any) -> Any:
        raise ValueError("Q99 of person rare")

    monkeypatch.setattr(key_release, "key_counts", broken)
    with pytest.raises(ReleaseFailedError) as caught:
        asker.group_keys("apc", **ASKED)
    assert "Q99" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert asker.remaining().spent.delta > 0
    number = str(caught.value).partition("incident ")[2].partition(")")[0]
    assert "Q99 of person rare" in asker.incident(number)


def test_only_keys_that_rows_have_reach_the_mechanism(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listed value that nobody has must not be there: with a count of 0 it could show."""
    seen: list[np.ndarray[Any, Any]] = []

    def watched(counts: Any, scale: float, threshold: int) -> Any:
        seen.append(counts.copy())
        return noisy_keys(counts, scale, threshold)

    monkeypatch.setattr(key_release, "noisy_keys", watched)
    session().group_keys("apc", by=["code", "sex"], protection=pets.DP(epsilon=1))
    assert sorted(seen[0].tolist()) == [1, 300, 450, 450, 450]


def test_the_dummy_twin_has_keys_that_cost_nothing() -> None:
    asker = session()
    twin = asker.dummy()
    keys = twin.group_keys("apc", by=["code"], protection=pets.DP(epsilon=5))
    assert keys.form["data"] == "dummy"
    assert 5 <= len(keys.rows) <= 21
    assert twin.remaining().spent == asker.remaining().spent == Cost("zcdp", 0)
    assert "DUMMY DATA" in repr(keys)
    named = pets.query("apc").group_by(pets.KeySet.of([{"code": "I21.0"}])).agg(n=pets.count())
    assert twin.release(named, pets.Exact()).table["n"][0] > 0
    where = pets.query("apc").where(col("code") == "Z38").agg(n=pets.count())
    assert twin.release(where, pets.Exact()).table["n"][0] > 0


def test_the_account_tells_what_thresholds_took() -> None:
    asker = session()
    keys = asker.group_keys("apc", **ASKED)
    later = asker.release(pets.query("apc").agg(n=pets.count()), pets.DP(epsilon=0.1))
    assert later.budget is not None
    assert later.budget["threshold_spent"] == keys.cost["delta"]
    assert float(later.budget["delta"]) == BUDGET.conversion_delta + keys.cost["delta"] / DELTA_UNIT
    assert json.loads(json.dumps(later.budget)) == later.budget
