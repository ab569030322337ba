"""Answers from a grid: entered, certified, free, the same for everybody, and apart from all that noise pays for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import BudgetError, PolicyError, QueryError, ReleaseFailedError, UserError
from pets.session.disclosure import solving
from pets.session.grid import answers, naming
from tests.chance import SOURCES
from tests.checked_tables import searched_here
from tests.grids import BUDGET, EDGES, GRID, HES, POLICY, ROWS, SCHEMA, T, opened, people

N = pets.count()
BY_SEX = T.group_by("sex").agg(n=N)
ASKED = [
    T.agg(n=N),
    BY_SEX,
    T.where(col("age") >= 65).group_by("sex", "region").agg(n=N),
    T.group_by(col("age").bins([0, 40, 99])).agg(n=N, e=pets.count(where=col("region") == "E")),
    T.group_by("region").agg(n=pets.count_units()),
]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ready")
    opened(snapshots=folder)
    return folder


@pytest.fixture
def custodian(ready: Path, tmp_path: Path) -> Iterator[pets.Custodian]:
    given: dict[str, Any] = {"budget": BUDGET, "policy": POLICY, "snapshots": ready, "progress": False}
    yield pets.Custodian(SCHEMA, None, ledger=tmp_path / "ledger.db", **given)


@cache
def teller() -> pets.Session:
    """A session that may tell exact counts."""
    return opened(policy=pets.Policy(allow_unbounded=True))


def stored(ready: Path, **more: Any) -> pets.Session:
    """A session on the rows that were prepared."""
    given: dict[str, Any] = {"budget": BUDGET, "policy": POLICY, "snapshots": ready, "progress": False}
    return pets.Session(SCHEMA, None, **(given | more))


def looked_at(custodian: pets.Custodian) -> Any:
    """What follows of the grid and all that left before; the search does not leave this process."""
    with mock.patch.object(solving, "_replies", searched_here):
        return custodian.compare_grid(GRID, HES, seconds=0)


def exact(query: pets.Query, name: str = "n") -> list[int]:
    """The exact counts."""
    return [int(one) for one in teller().release(query, pets.Total()).table[name]]


@pytest.mark.parametrize("preset", ["hes", "ons_10_5", "opensafely", "midpoint6"])
def test_each_exact_count_lies_between_its_ends(preset: str, ready: Path) -> None:
    session = stored(ready)
    grid = session.name_grid(GRID, pets.SDC(preset))
    whole = exact(GRID)
    assert grid.shown.tolist() == pets.SDC(preset).rule.shown(np.array(whole)).tolist()
    for query in ASKED:
        table = session.release(query, pets.SDC(preset)).table
        for output in [name for name, _ in query.aggregates]:
            found = np.array(exact(query, output))
            assert (table[f"{output}_low"] <= found).all() and (found <= table[f"{output}_high"]).all()


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_both_engines_name_the_same_grid(engine: str, ready: Path) -> None:
    grid = stored(ready, engine=engine).name_grid(GRID, HES)
    assert grid.shown.tolist() == HES.rule.shown(np.array(exact(GRID))).tolist()


def test_an_answer_reads_no_row_and_costs_nothing(custodian: pets.Custodian) -> None:
    custodian.name_grid(GRID, HES)
    session = custodian.session(analyst="amina")
    with (
        mock.patch.object(naming, "tabulate", side_effect=AssertionError),
        mock.patch.object(answers, "tabulate") as no,
    ):
        found = session.release([BY_SEX, *ASKED[2:]], HES)
    assert no.call_count == 0 and len(found) == 4
    assert custodian.remaining().spent.loss == 0
    assert [one.form["cost"]["loss"] for one in found] == [0] * 4
    again = session.release(BY_SEX, HES)
    assert again == found[0] and again.certificate == found[0].certificate


def test_what_leaves_is_entered_as_unbounded_and_named_on_every_later_certificate(custodian: pets.Custodian) -> None:
    grid = custodian.name_grid(GRID, HES)
    session = custodian.session(analyst="amina")
    table = session.release(BY_SEX, HES)
    noisy = session.release(BY_SEX, pets.DP(epsilon=1))
    entries = custodian.history()
    assert list(entries["unbounded"]) == [True, True, False] and list(entries["state"]) == ["committed"] * 3
    assert list(entries["what"])[:2] == ["grid count by sex, region, age", "rounded count by sex"]
    assert noisy.certificate is not None and table.certificate is not None and grid.certificate is not None
    named = [one["what"] for one in noisy.certificate.predicate["other_releases"]["unbounded"]]
    assert named == ["grid count by sex, region, age", "rounded count by sex"]
    assert [one["what"] for one in table.certificate.predicate["other_releases"]["unbounded"]] == named[:1]
    assert any("2 earlier release(s)" in note for note in noisy.notes)
    assert grid.certificate.predicate["dp"] is None and "no ε" in grid.certificate.predicate["guarantee"]


def test_a_grid_is_found_again_by_whoever_opens_the_ledger(custodian: pets.Custodian, ready: Path) -> None:
    grid = custodian.name_grid(GRID, HES)
    assert custodian.name_grid(GRID, HES) == grid  # once more it is the same, and nothing is counted
    given: dict[str, Any] = {"policy": POLICY, "snapshots": ready, "progress": False}
    other = pets.Custodian(SCHEMA, None, ledger=custodian.ledger, **given)
    mine, theirs = (one.session(analyst="a", project=name) for one, name in ((custodian, "x"), (other, "y")))
    first, second = mine.release(BY_SEX, HES), theirs.release(BY_SEX, HES)
    assert first.form["counts"] == second.form["counts"] and first.form["grid"]["digest"] == grid.digest
    assert first.form["project"] == "x" and second.form["project"] == "y"
    assert list(custodian.history()["state"]) == ["committed", "committed", "delivered"]


def test_a_dataset_has_one_grid(custodian: pets.Custodian) -> None:
    custodian.name_grid(GRID, HES)
    for query, protection in ((BY_SEX, HES), (GRID, pets.SDC("midpoint6")), (GRID, pets.SDC(threshold=7))):
        for anew in (False, True):
            with pytest.raises(UserError, match="has a grid already"):
                custodian.name_grid(query, protection, anew=anew)
    assert len(custodian.history()) == 1


def test_two_who_name_a_grid_at_once_have_one(custodian: pets.Custodian) -> None:
    """Whoever is second finds the first one's, and says so where it is another."""
    real = naming.grids

    def meanwhile(custody: Any, calls: list[int] = []) -> Any:  # noqa: B006 (it counts)
        calls.append(1)
        if len(calls) == 1:
            found = real(custody)
            with mock.patch.object(naming, "grids", real):
                custodian.name_grid(GRID, HES)
            return found
        return real(custody)

    with mock.patch.object(naming, "grids", meanwhile), pytest.raises(UserError, match="has a grid already"):
        custodian.name_grid(BY_SEX, HES)
    assert naming.present(custodian.custody).plan.groups == 2 * 4 * 4


def test_after_a_refresh_releases_stay_on_the_old_grid_until_the_custodian_decides(tmp_path: Path) -> None:
    source = tmp_path / "people.csv"
    ROWS.to_csv(source, index=False)
    custodian = pets.Custodian(SCHEMA, source, budget=BUDGET, policy=POLICY, progress=False)
    session = custodian.session(analyst="amina")
    old = custodian.name_grid(GRID, HES)
    before = session.release(BY_SEX, HES)
    people(900, seed=2).to_csv(source, index=False)
    custodian.refresh()
    after = session.release(BY_SEX, HES)
    assert after.form["counts"] == before.form["counts"] and after.snapshot_id == old.snapshot_id
    assert any("refreshed since the grid was made" in note for note in after.notes)
    assert not any("refreshed" in note for note in before.notes)
    with pytest.raises(UserError, match="anew=True"):
        custodian.name_grid(GRID, HES)
    new = custodian.name_grid(GRID, HES, anew=True, confirm=looked_at(custodian).word)
    assert new.snapshot_id != old.snapshot_id and new.shown.sum() > old.shown.sum()
    last = session.release(BY_SEX, HES)
    assert last.form["grid"]["digest"] == new.digest and last.form["counts"] != before.form["counts"]
    assert list(custodian.history()["what"]).count("grid count by sex, region, age") == 2


def test_what_the_policy_does_not_name_is_refused_before_anything_is_entered(ready: Path) -> None:
    session = stored(ready, policy=pets.Policy(allow_unbounded=True))
    for protection in (HES, pets.SDC(threshold=7)):
        with pytest.raises(PolicyError, match="does not allow"):
            session.name_grid(GRID, protection)
        with pytest.raises(PolicyError, match="does not allow"):
            session.release(BY_SEX, protection)
    for name in ("strict_10", "acro_default", "datashield"):
        with pytest.raises(PolicyError, match="not to release by"):
            session.release(BY_SEX, pets.SDC(name))
    assert len(session.history()) == 0


def test_verbs_that_need_noise_say_so(ready: Path) -> None:
    session = stored(ready)
    for ask in (
        lambda: session.quote(BY_SEX, HES),
        lambda: session.top_keys(T.group_by("region").agg(n=pets.count()), 1, HES),
        lambda: session.group_keys("p", by=["sex"], protection=HES),
        lambda: session.contribute(BY_SEX, HES, honest=1, purpose={}, check=lambda _: None),
    ):
        with pytest.raises(BudgetError, match=r"pets.DP\(epsilon=…\)"):
            ask()


def test_a_grid_that_fails_stays_on_the_account_and_shows_nothing(custodian: pets.Custodian) -> None:
    broken = mock.patch.object(naming, "tabulate", side_effect=ValueError("canary 17"))
    with broken, pytest.raises(ReleaseFailedError) as caught:
        custodian.name_grid(GRID, HES)
    assert "canary" not in str(caught.value)
    entries = custodian.history()
    assert list(entries["state"]) == ["forfeited"] and list(entries["unbounded"]) == [True]
    looked = looked_at(custodian)
    assert any("was started and not sealed" in one for one in looked.attack.besides)
    custodian.name_grid(GRID, HES, confirm=looked.word)  # and it can be named again
    assert len(custodian.history()) == 2


def test_on_dummy_data_the_same_rule_rounds_invented_people(custodian: pets.Custodian) -> None:
    session = custodian.session(analyst="amina")
    with pytest.raises(QueryError, match="none is named yet"):
        session.dummy(200).release(BY_SEX, HES)
    custodian.name_grid(GRID, HES)
    dummy = session.dummy(200, seed=3)
    table = dummy.release(BY_SEX, HES)
    assert table.data == "dummy" and "DUMMY DATA" in repr(table) and table.guarantee.startswith("Dummy data")
    found = dummy.release(BY_SEX, pets.Exact()).table["n"]
    assert (table.table["n_low"] <= found).all() and (found <= table.table["n_high"]).all()
    assert len(custodian.history()) == 1  # nothing of it is on the account
    own = opened().dummy(100)
    assert own.name_grid(GRID, HES).data == "dummy"
    assert own.release(BY_SEX, HES).form["grid"]["id"] == own.name_grid(GRID, HES).id


def test_noise_its_price_and_its_refusals_are_the_same_with_a_grid_and_without(ready: Path) -> None:
    """The line between the two: only the list of releases without a guarantee differs, and the note of it."""
    told = []
    for named in (False, True):
        session = stored(ready)
        if named:
            session.name_grid(GRID, HES)
            session.release(BY_SEX, HES)
        with SOURCES.seeded("one line"):
            releases = [session.release(query, pets.DP(epsilon=0.7)) for query in ASKED]
        assert all(one.certificate is not None for one in releases)
        said = [one.certificate.predicate for one in releases if one.certificate is not None]
        refused = []
        for query, protection in ((GRID, pets.DP(epsilon=10_000)), (T.group_by("x").agg(n=N), pets.DP(epsilon=1))):
            with pytest.raises(UserError) as caught:
                session.release(query, protection)
            refused.append((type(caught.value), caught.value.code, str(caught.value)))
        with pytest.raises(UserError) as caught:
            session.release(BY_SEX, pets.Total())
        refused.append((type(caught.value), caught.value.code, str(caught.value)))
        told.append(
            {
                "values": [one.values.tolist() for one in releases],
                "scales": [one.scales for one in releases],
                "guarantees": [one.guarantee.split(" in ")[0] for one in releases],
                "quotes": [str(session.quote(query, pets.DP(epsilon=0.7))) for query in ASKED],
                "spent": session.remaining().spent,
                "charged": [one["budget"]["charged"] for one in said],
                "dp": [one["other_releases"]["dp"] for one in said],
                "refused": refused,
            }
        )
        assert [len(one["other_releases"]["unbounded"]) for one in said] == [2 * named] * len(ASKED)
    assert told[0] == told[1]


def test_people_of_several_tables_have_a_grid(ready: Path) -> None:
    columns = {"id": pets.Identifier(), "ward": pets.Category(["a", "b"], nullable=False)}
    schema = pets.Schema(
        {"p": SCHEMA.table("p"), "stays": pets.Table(pets.Unit("id", max_rows=3), columns, "p")}, dataset="linked"
    )
    stays = pd.DataFrame({"id": [f"i{n % 120}" for n in range(200)], "ward": ["a", "b"] * 100})
    session = pets.Session(schema, {"p": ROWS, "stays": stays}, budget=BUDGET, policy=POLICY, progress=False)
    asked = pets.people(of="p", stays=pets.events("stays").count(max=3))
    grid = session.name_grid(asked.group_by("stays", "sex").agg(n=N), HES)
    found = session.release(asked.where(col("stays") >= 1).group_by("sex").agg(n=N), HES).table
    assert found["n_low"].sum() <= 120 <= found["n_high"].sum() and grid.plan.groups == 8
    assert EDGES[0] == 0
