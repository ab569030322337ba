"""The groups with most people: chosen by noise, paid for once, sealed; refused where the choice would not protect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.cli import main
from pets.common.codec import canonical
from pets.dp.noise import noisy_top
from pets.errors import BudgetError, PolicyError, QueryError, ReleaseFailedError, UserError
from pets.protection.budget import Cost
from pets.session.selection import top_release
from pets.verify.check import check

BUDGET = pets.Budget(epsilon=20, delta=1e-6)
CODES = [f"c{number}" for number in range(40)]
COLUMNS = {
    "id": pets.Identifier(),
    "code": pets.Category(CODES),
    "sex": pets.Category(["F", "M"], nullable=False),
    "note": pets.Text(6),
}
SCHEMA = pets.Schema({"apc": pets.Table(pets.Unit("id", max_rows=4), COLUMNS)}, dataset="codes")
BY = pets.query("apc").group_by("code").agg(n=pets.count_units())
DP = pets.DP(epsilon=1)


def rows() -> pd.DataFrame:
    """c7 is had by 900 people, c3 by 600, c20 by 300, once each; c9 by 100 people, each four times; others by none."""
    listed = [
        (f"p{i}", code, "FM"[i % 2]) for code, size in (("c7", 900), ("c3", 600), ("c20", 300)) for i in range(size)
    ]
    listed += [(f"q{i}", "c9", "F") for i in range(100) for _ in range(4)]
    return pd.DataFrame(listed, columns=["id", "code", "sex"]).assign(note="a")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("ready")
    pets.Session(SCHEMA, {"apc": rows()}, budget=BUDGET, snapshots=folder, progress=False).snapshots  # noqa: B018
    yield folder


@pytest.fixture
def opened(ready: Path) -> Any:
    def make(budget: pets.Budget | None = BUDGET, **more: Any) -> pets.Session:
        return pets.Session(SCHEMA, budget=budget, snapshots=ready, progress=False, **more)

    return make


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_the_groups_with_most_people_are_chosen_and_grouped_by(engine: str, opened: Any) -> None:
    asker = opened(engine=engine)
    keys = asker.top_keys(BY, 3, DP)
    assert keys.rows == (("c7",), ("c3",), ("c20",))
    assert keys.scale == asker.quote_top_keys(BY, 3, DP).scale
    found = asker.release(pets.query("apc").group_by(keys).agg(n=pets.count_units()), pets.DP(epsilon=5)).table
    assert found["code"].tolist() == ["c3", "c7", "c20"]  # in the schema's order
    assert np.allclose(found["n"], [600, 900, 300], atol=60)


def test_rows_are_another_count_than_people(opened: Any) -> None:
    """c9 has 400 rows, of 100 people; one person has up to four, so the noise is four times as wide."""
    asker, by_rows = opened(), pets.query("apc").group_by("code").agg(n=pets.count())
    assert asker.top_keys(by_rows, 3, pets.DP(epsilon=3)).rows == (("c7",), ("c3",), ("c9",))
    people, all_rows = (asker.quote_top_keys(one, 3, DP) for one in (BY, by_rows))
    assert all_rows.scale == pytest.approx(4 * people.scale, rel=1e-5)
    assert "with most rows" in str(all_rows) and "with most people" in str(people)


def test_conditions_listed_sets_and_several_columns(opened: Any) -> None:
    asker = opened()
    women = pets.query("apc").where(col("sex") == "F").group_by("code", "sex").agg(n=pets.count_units())
    assert asker.top_keys(women, 2, DP).rows == (("c7", "F"), ("c3", "F"))
    listed = pets.query("apc").group_by(pets.KeySet.product({"code": ["c20", "c9", "c1"]})).agg(n=pets.count_units())
    keys = asker.top_keys(listed, 1, DP)
    assert keys.rows == (("c20",),) and keys.candidates == 3


def test_it_is_paid_for_once_and_certified(opened: Any) -> None:
    asker = opened()
    quoted = asker.quote_top_keys(BY, 3, DP)
    assert asker.remaining().spent == Cost("zcdp", 0)
    keys = asker.top_keys(BY, 3, DP)
    assert asker.remaining().spent == quoted.cost == Cost(**keys.cost)
    assert asker.top_keys(BY, 3, DP) == keys
    assert asker.remaining().spent == quoted.cost
    assert asker.top_keys(BY, 3, DP, again=True) != keys
    assert asker.top_keys(BY, 2, DP) != keys
    assert asker.remaining().spent.loss > 2 * quoted.cost.loss
    said = keys.certificate.predicate
    assert keys.certificate.subject == keys.digest
    assert said["what"] == "top_keys of count_units by code"
    assert said["budget"]["charged"] == quoted.cost.loss == said["dp"]["losses"][0]
    assert said["guarantee"] == keys.guarantee
    assert "any choice of groups, and of any order of theirs" in keys.guarantee
    assert any(f"over {quoted.behind:,} people more" in note for note in keys.notes)
    assert asker.history()["what"].tolist() == ["top_keys of count_units by code"] * 3


def test_a_colleague_gets_the_same_groups_at_no_cost(
    tmp_path: Path, opened: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = opened(ledger=tmp_path / "ledger.db")
    keys = mine.top_keys(BY, 3, DP)
    theirs = opened(ledger=tmp_path / "ledger.db", project="other", analyst="ann").top_keys(BY, 3, DP)
    file, key = theirs.save(tmp_path / "top.json"), tmp_path / "ledger.db.pub"
    assert main.run(["verify", str(file), "--key", str(key)]) == 0
    assert "promise: it follows" in capsys.readouterr().out
    assert theirs.rows == keys.rows
    assert (theirs.form["project"], theirs.form["analyst"]) == ("other", "ann")
    assert mine.remaining().spent == Cost(**keys.cost)


def test_every_group_enters_with_its_exact_count_whoever_has_it(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listed group that nobody has is a candidate, with 0: which groups there are tells nothing."""
    seen: list[Any] = []

    def watched(counts: Any, k: int, scale: float) -> Any:
        seen.append(counts.copy())
        return noisy_top(counts, k, scale)

    monkeypatch.setattr(top_release, "noisy_top", watched)
    opened().top_keys(BY, 3, DP)
    assert len(seen[0]) == len(CODES) + 1
    assert sorted(seen[0].tolist())[-5:] == [0, 100, 300, 600, 900]


def test_what_fails_after_the_data_was_opened_stays_charged_and_says_nothing(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("c7 has 900")

    monkeypatch.setattr(top_release, "tabulate", broken)
    asker = opened()
    with pytest.raises(ReleaseFailedError) as caught:
        asker.top_keys(BY, 3, DP)
    assert "c7" not in str(caught.value) and caught.value.__cause__ is None
    assert asker.remaining().spent.loss > 0


def test_the_dummy_twin_chooses_at_no_cost(opened: Any) -> None:
    asker = opened()
    twin = asker.dummy()
    keys = twin.top_keys(BY, 3, DP)
    assert keys.form["data"] == "dummy" and len(keys.rows) == 3
    assert "DUMMY DATA" in repr(keys)
    assert twin.remaining().spent == asker.remaining().spent == Cost("zcdp", 0)


def test_refusals_come_before_the_data_and_never_depend_on_it(opened: Any) -> None:
    asker = opened(pets.Budget(epsilon=1, delta=1e-6))
    unlisted = pets.query("apc").group_by("note").agg(n=pets.count_units())
    for query, k, protection, error, said in [
        (BY, 3, pets.Total(), BudgetError, "take the greatest of the answer's table"),
        (BY, 3, pets.Exact(), BudgetError, "take the greatest of the answer's table"),
        (BY, 3, pets.DP(within=5), BudgetError, "within= means nothing"),
        (BY, 41, DP, QueryError, "has 41 groups, of which 41 are no choice"),
        (unlisted, 3, DP, QueryError, "text that nobody listed"),
        (BY, 3, pets.DP(epsilon=9.9, delta=1e-9), BudgetError, "budget"),
    ]:
        with pytest.raises(error, match=said):
            asker.top_keys(query, k, protection)
    with pytest.raises(UserError, match="again must be True or False"):
        asker.top_keys(BY, 3, DP, again=1)
    with pytest.raises(PolicyError, match="2 conditions"):
        opened(policy=pets.Policy(max_conditions=1)).top_keys(
            BY.where((col("sex") == "F") & (col("code") != "c1")), 3, DP
        )
    assert asker.remaining().spent == Cost("zcdp", 0)


def test_people_of_linked_tables_are_chosen_among_too() -> None:
    person = pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "area": pets.Category(["n", "s", "w"])})
    visits = pets.Table(pets.Unit("id", max_rows=4), {"id": pets.Identifier(), "x": pets.Integer(0, 9)}, "people")
    schema = pets.Schema({"people": person, "visits": visits}, dataset="linked")
    people = pd.DataFrame({"id": range(600), "area": ["n", "s", "s"] * 200})
    data = {"people": people, "visits": pd.DataFrame({"id": range(0, 600, 2), "x": 1})}
    cohort = pets.people(came=pets.events("visits").exists(), of="people").where(col("came") == True)  # noqa: E712
    cohort = cohort.group_by("area").agg(n=pets.count())
    asker = pets.Session(schema, data, budget=BUDGET, progress=False)
    quoted = asker.quote_top_keys(cohort, 1, DP)
    assert quoted.counted == "people" and quoted.candidates == 4
    keys = asker.top_keys(cohort, 1, DP)
    assert keys.rows == (("s",),) and "of 'visits'" in keys.guarantee
    signed = keys.form | {"digest": keys.digest, "certificate": dict(keys.certificate)}
    assert check(canonical(signed), asker.ledger.key.raw).startswith(keys.guarantee)


def test_chosen_groups_that_were_saved_are_grouped_by_on_the_command_line(opened: Any, tmp_path: Path) -> None:
    from pets.cli.question.reading import keys as read

    keys = opened().top_keys(BY, 3, DP)
    assert read(str(keys.save(tmp_path / "top.json"))) == keys.plain()
