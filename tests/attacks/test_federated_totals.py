"""Two exact totals whose difference is a few people: the rules that stand between them, and what they remember."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import PolicyError, ReleaseFailedError
from pets.federated import Federation, Site, SitePolicy, Totals
from pets.federated.analyst.models import glm
from pets.federated.query_round.regression_step import Model, Step

N = pets.query("stays").agg(n=pets.count())
TOTAL = pets.Total()


def schema(**unit: Any) -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "age": pets.Category(["young", "old", "oldest"], nullable=False),
        "ward": pets.Category(["a", "b"], nullable=False),
        "days": pets.Integer(0, 10, nullable=False),
        "cost": pets.Real(0, 100, step=0.5, nullable=False),
    }
    table = pets.Table(pets.Unit("id", **({"max_rows": 2} | unit)), columns, people=2**12)
    return pets.Schema({"stays": table}, dataset="totals")


def rows(site: int, oldest: int = 0) -> pd.DataFrame:
    """A hundred people with one row each, three of them with a second; ``oldest`` are alone in their group."""
    ids = [f"{site}-{person}" for person in range(100)]
    frame = pd.DataFrame({"id": [*ids, *ids[:3]]})
    order = np.arange(len(frame))
    frame["age"] = np.where(order < oldest, "oldest", np.where(order % 2, "young", "old"))
    frame["ward"] = np.where(order % 3, "a", "b")
    frame["days"], frame["cost"] = order % 11, (order % 41) / 2
    return frame


def many(rules: Totals, folder: Path | None = None, oldest: int = 0, known: pets.Schema | None = None) -> Federation:
    sites = []
    for number in range(3):
        session = pets.Session(
            known or schema(),
            {"stays": rows(number, oldest)},
            budget=pets.Budget(epsilon=1, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            ledger=None if folder is None else folder / f"{number}.db",
            snapshots=None if folder is None else folder / f"rows-{number}",
            progress=False,
        )
        policy = SitePolicy.open(session.schema, totals=rules)
        sites.append(
            Site(session, policy=policy, key=None if folder is None else folder / f"{number}.key", name=f"s{number}")
        )
    return Federation(sites, sites_per_person=1, progress=False)


def incidents(federation: Federation) -> set[str]:
    return {why for site in federation.sites.values() for why in site._incidents.values()}


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_more_rows_of_each_person_may_be_a_few_rows_more(first: int, second: int) -> None:
    # three people have a second row: the totals at one and at two rows of a person differ by these rows alone
    sites = many(Totals(allow=True))
    sites.release(N.bound(rows=first), TOTAL)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.release(N.bound(rows=second), TOTAL)
    assert incidents(sites) == {"it differs from an earlier exact total by too few rows"}


def test_people_are_not_counted_where_rules_count_rows() -> None:
    """A person with many rows in a ward is a group of many rows, and one person."""
    sites = many(Totals(allow=True))
    people = pets.query("stays").group_by("ward").agg(n=pets.count_units())
    for asked, secure in ((people, "masked"), (people.bound(rows=1), "masked"), (people, "encrypted")):
        with pytest.raises(PolicyError, match=r"ask pets.count\(\) with bound\(rows=1\)"):
            sites.release(asked, TOTAL, secure=secure)
    assert [len(site.session.history()) for site in sites.sites.values()] == [0] * 3
    assert sites.release(N.group_by("ward").bound(rows=1), TOTAL)
    assert few(Totals(allow=True)).release(T.agg(n=pets.count_units()), TOTAL)  # whose people have one row each
    assert many(Totals(allow=True, min_cohort=0)).release(people, TOTAL)


def test_a_site_that_was_restarted_remembers_what_it_gave(tmp_path: Path) -> None:
    many(Totals(allow=True), tmp_path).release(N, TOTAL)
    with pytest.warns(UserWarning, match="stored snapshots"):
        again = many(Totals(allow=True), tmp_path)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        again.release(N.where(~((col("days") == 3) & (col("cost") < 10))), TOTAL)
    assert again.release(N.where(col("ward") == "a"), TOTAL)


@pytest.mark.parametrize("gone", ["", "cost", "ward"])
def test_an_edited_schema_forgets_no_total(tmp_path: Path, gone: str) -> None:
    """An earlier total is read by the schema as it is; where a column that it asked about is gone, nobody can tell."""
    first = N.where(col("cost") >= 0) if gone == "cost" else N
    many(Totals(allow=True), tmp_path).release(first, TOTAL)
    table = schema().tables["stays"]
    columns = {name: kind for name, kind in table.columns.items() if name != gone}
    columns["days"] = pets.Integer(0, 12, nullable=False)
    edited = pets.Schema({"stays": pets.Table(table.unit, columns, people=2**12)}, dataset="totals")
    for number in range(3):
        shutil.rmtree(tmp_path / f"rows-{number}")  # as the custodian must, who makes them again
    again = many(Totals(allow=True), tmp_path, known=edited)
    why = "an earlier exact total is of a schema with which it cannot be compared"
    if gone != "cost":
        why = "it differs from an earlier exact total by too few rows"
    with pytest.raises(ReleaseFailedError, match="withheld"):
        again.release(N.where(~((col("days") == 3) & (col("age") == "young"))), TOTAL)
    assert incidents(again) == {why}


def test_a_step_of_a_regression_is_about_the_same_groups_as_a_table() -> None:
    """X'WX and X'(y − μ) hold every group's size and outcomes: rules about groups cannot be walked around so."""
    table = N.group_by("age")
    query = pets.query("stays").agg(n=pets.count())
    for rules, why in (
        (Totals(allow=True, min_cell=8), "too few rows are in a group"),
        (Totals(allow=True, dominance=0.2), "one person may have too great a part of a group"),
    ):
        sites = many(rules, oldest=5)
        with pytest.raises(ReleaseFailedError, match="withheld"):
            sites.release(table, TOTAL)
        model = Model(Step("gaussian", "days", ("age", "cost"), (0.0,) * 4), schema().fields("stays"))
        with pytest.raises(ReleaseFailedError, match="withheld"):
            sites.iterate(query, model, TOTAL)
        assert incidents(sites) == {why}
    # pairs of values, too: each ward and each age has many rows, and this age in this ward has few
    sites = many(Totals(allow=True, min_cell=8), oldest=20)
    assert sites.release(table, TOTAL)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        glm(sites, "stays", "days", ["age", "ward", "cost"], "gaussian", TOTAL)
    assert glm(sites, "stays", "days", ["ward", "cost"], "gaussian", TOTAL).rows == 309


@pytest.mark.parametrize(
    "aggregate",
    [
        pets.sum("score"),
        pets.mean("score"),
        pets.variance("score"),
        pets.histogram("score", [0, 5, 10]),
        pets.quantile("score", 0.5),
    ],
)
def test_a_cohort_is_the_rows_that_an_aggregate_reads(aggregate: Any) -> None:
    """With one known value among 120 rows, its sum is that value."""
    sites = one_column(Totals(allow=True), known=1)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.release(pets.query("t").agg(x=aggregate), TOTAL)
    assert incidents(sites) == {"too few rows are in the cohort"}
    assert sites.release(pets.query("t").agg(n=pets.count()), TOTAL).table["n"][0] == 360
    known = one_column(Totals(allow=True), known=100)
    assert known.release(pets.query("t").agg(x=aggregate), TOTAL)


@pytest.mark.parametrize(
    ("aggregate", "leaves"),
    [
        (pets.sum("score"), True),
        (pets.count(where=col("score") == 10), False),
        (pets.histogram("score", [0, 5, 10]), True),
        (pets.histogram("score"), False),  # three people have a 10
        (pets.quantile("score", 0.5), False),
    ],
)
def test_a_cell_is_what_an_aggregate_counts(aggregate: Any, leaves: bool) -> None:
    sites = one_column(Totals(allow=True, min_cohort=0, min_cell=5), known=100)
    query = pets.query("t").agg(x=aggregate)
    if leaves:
        assert sites.release(query, TOTAL)
        return
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.release(query, TOTAL)
    assert incidents(sites) == {"too few rows are in a group"}


def test_a_group_has_as_many_rows_as_have_a_value_there() -> None:
    sites = one_column(Totals(allow=True, min_cohort=0, min_cell=5), known=100, in_b=3)
    by_ward = pets.query("t").group_by("ward")
    assert sites.release(by_ward.agg(n=pets.count()), TOTAL)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.release(by_ward.agg(x=pets.sum("score")), TOTAL)


def test_a_whole_number_among_the_covariates_has_cells_of_its_own() -> None:
    sites = one_column(Totals(allow=True, min_cohort=1, min_cell=5), known=100)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        glm(sites, "t", "cost", ["score", "cost2"], "gaussian", TOTAL)
    assert incidents(sites) == {"too few rows are in a group"}
    assert glm(sites, "t", "cost", ["cost2"], "gaussian", TOTAL).rows == 360


def one_column(rules: Totals, *, known: int, in_b: int | None = None) -> Federation:
    """At each site 120 people, of whom the first ``known`` have a score; three of these have a 10."""
    columns = {
        "id": pets.Identifier(),
        "ward": pets.Category(["a", "b"], nullable=False),
        "score": pets.Integer(0, 10),
        "cost": pets.Real(0, 100, step=0.5, nullable=False),
        "cost2": pets.Real(0, 100, step=0.5, nullable=False),
    }
    table = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns, people=2**12)}, dataset="one")
    order = np.arange(120)
    score = np.where(order < 3, 10, order % 8).astype(object)
    score[order >= known] = None
    ward = np.where(order % 2, "a", "b")
    if in_b is not None:
        score[(ward == "b") & (np.cumsum(ward == "b") > in_b)] = None
    frame = pd.DataFrame({"id": order, "ward": ward, "score": score, "cost": order / 2, "cost2": (order % 23) / 2})
    sites = []
    for number in range(3):
        session = pets.Session(
            table,
            {"t": frame.assign(id=[f"{number}-{person}" for person in order])},
            budget=pets.Budget(epsilon=1, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        sites.append(Site(session, policy=SitePolicy.open(table, totals=rules), name=f"s{number}"))
    return Federation(sites, sites_per_person=1, progress=False)


def few(rules: Totals, **given: Any) -> Federation:
    """At each site 150 people, 50 in a ward; of ward b one is ill at the first site, two are at the second."""
    columns = {
        "id": pets.Identifier(),
        "ward": pets.Category(["a", "b", "c"], nullable=False),
        "ill": pets.Boolean(nullable=False),
        "one": pets.Integer(0, 1, nullable=False),
        "age": pets.Integer(0, 100, nullable=False),
    }
    table = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns, people=2**12)}, dataset="few")
    sites, order = [], np.arange(150)
    for number in range(3):
        ward = np.array(["a", "b", "c"])[order % 3]
        ill = ((ward != "b") & (order % 2 == 0)) | ((ward == "b") & (order < 3 * (number % 3)))
        frame = pd.DataFrame({"id": [f"{number}-{n}" for n in order], "ward": ward, "ill": ill, "age": order % 61})
        frame["one"] = ill.astype(int)
        session = pets.Session(
            table,
            {"t": frame},
            budget=pets.Budget(epsilon=1, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        sites.append(Site(session, policy=SitePolicy.open(table, totals=rules, **given), name=f"s{number}"))
    return Federation(sites, sites_per_person=1, progress=False)


T = pets.query("t")


@pytest.mark.parametrize(
    ("aggregate", "what"),
    [
        (pets.sum("age", clip=(83, 84)), "clip"),
        (pets.mean("age", clip=(0, 99)), "clip"),
        (pets.variance("age", clip=(1, 100)), "clip"),
        (pets.variance("age", step=50), "step"),
    ],
)
def test_bounds_of_ones_own_tell_how_many_rows_lie_between_them(aggregate: Any, what: str) -> None:
    """A hundred sums, each clipped to (a, a + 1), less a · n told how many people are of every single age."""
    sites = few(Totals(allow=True))
    with pytest.raises(PolicyError, match=f"leave {what} out of 'x', or ask under pets.DP"):
        sites.release(T.agg(n=pets.count(), x=aggregate), TOTAL)
    assert [len(site.session.history()) for site in sites.sites.values()] == [0] * 3
    assert sites.release(T.agg(n=pets.count(), x=type(aggregate)("age")), TOTAL)
    assert sites.release(T.agg(x=aggregate), pets.DP(epsilon=0.5))
    # the same bounds, written out, are no bounds of one's own; and without rules about rows there is nothing to keep
    assert sites.release(T.agg(x=pets.sum("age", clip=(0, 100))), TOTAL)
    assert few(Totals(allow=True, min_cohort=0)).release(T.agg(x=aggregate), TOTAL)


def test_no_column_is_summed_over_rows_that_its_values_choose() -> None:
    """Of rows with a 0 or a 1, number and sum are the counts of both, however few have a 1."""
    sites = few(Totals(allow=True))
    low, age = col("age") <= 1, pets.sum("age")
    for query in (
        T.where(low).agg(n=pets.count(), x=age),
        T.where(col("ill").isin([True]) | low).agg(x=pets.mean("age")),
        T.group_by("ward", col("age").bins([0, 2, 101])).agg(x=pets.variance("age")),
        T.agg(x=pets.std("age", where=low)),
    ):
        with pytest.raises(PolicyError, match="ask 'x' without 'age' in its conditions and groups, or ask under"):
            sites.release(query, TOTAL)
    step = Step("gaussian", "one", ("age",), (0.0, 0.0))
    model = Model(step, next(iter(sites.sites.values())).session.schema.fields("t"))
    with pytest.raises(PolicyError, match="ask the regression without 'age'"):
        sites.iterate(T.where(low).agg(n=pets.count()), model, TOTAL)
    assert [len(site.session.history()) for site in sites.sites.values()] == [0] * 3
    assert sites.release(T.group_by("ward").agg(n=pets.count(), x=age, m=pets.count(where=col("age") < 30)), TOTAL)
    assert few(Totals(allow=True, min_cohort=0)).release(T.where(low).agg(x=age), TOTAL)


def test_the_first_step_of_a_fit_tells_the_outcomes_of_each_category() -> None:
    """X'(y − 1/2) at zero and the rows of a ward are the number that is ill there: 0, 1 and 2 at the three sites."""
    query = T.agg(n=pets.count())
    for family, outcome in (("binomial", "ill"), ("poisson", "one"), ("gaussian", "one")):
        sites = few(Totals(allow=True, min_cell=2))
        step = Step(family, outcome, ("ward",), (0.0, 0.0, 0.0))
        model = Model(step, next(iter(sites.sites.values())).session.schema.fields("t"))
        with pytest.raises(ReleaseFailedError, match="withheld"):
            sites.iterate(query, model, TOTAL)
        assert incidents(sites) == {"too few rows are in a group"}
        assert few(Totals(allow=True, min_cell=1)).iterate(query, model, TOTAL)


def test_a_sum_of_noughts_and_ones_is_a_count() -> None:
    for aggregate in (pets.sum("one"), pets.mean("one"), pets.variance("one")):
        sites = few(Totals(allow=True, min_cell=8))
        with pytest.raises(ReleaseFailedError, match="withheld"):
            sites.release(T.group_by("ward").agg(x=aggregate), TOTAL)
        assert incidents(sites) == {"too few rows are in a group"}
        assert sites.release(T.agg(x=aggregate), TOTAL)


def test_two_numbers_of_one_answer_are_as_far_apart_as_two_answers() -> None:
    sites = few(Totals(allow=True, min_cohort=10))
    some = pets.count(where=col("age") != 7)  # three at each site are
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.release(T.agg(n=pets.count(), m=some), TOTAL)
    assert incidents(sites) == {"two of its numbers differ by too few rows"}
    assert sites.release(T.agg(n=pets.count(), m=pets.count(where=col("age") < 30)), TOTAL)


WHOLE, FROM_30, TO_30 = (pets.count(), pets.count(where=col("age") >= 30), pets.count(where=col("age") <= 30))


@pytest.mark.parametrize("asked", [(WHOLE, FROM_30, TO_30), (TO_30, FROM_30, WHOLE)])
def test_three_totals_that_tell_by_sums_what_no_two_of_them_do(asked: tuple[Any, ...]) -> None:
    """Those from 30 on and those up to 30, less everybody, are those of 30: two people at each site."""
    sites = few(Totals(allow=True, min_cell=8))
    *first, last = (T.agg(n=one) for one in asked)
    for query in first:
        assert sites.release(query, TOTAL)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.release(last, TOTAL)
    assert incidents(sites) == {"together with earlier exact totals it tells the number of too few rows"}
    with pytest.raises(ReleaseFailedError, match="withheld"):  # nor in pieces that add up to it
        sites.release(T.group_by("ward").agg(n=asked[-1]), TOTAL)
    assert sites.release(T.agg(n=pets.count(where=col("age") < 25)), TOTAL)
    in_one = few(Totals(allow=True, min_cell=8))
    with pytest.raises(ReleaseFailedError, match="withheld"):
        in_one.release(T.agg(n=asked[0], m=asked[1], k=asked[2]), TOTAL)
    assert few(Totals(allow=True, min_cell=2)).release(T.agg(n=asked[0], m=asked[1], k=asked[2]), TOTAL)


def test_tables_of_one_column_each_leave_whatever_their_crossing_holds() -> None:
    """Ill in ward b are none, one and two at the three sites; ages in bins of ten by ward are under eight."""
    sites = few(Totals(allow=True, min_cell=8))
    bins = pets.histogram("age", [0, 10, 20, 30, 40, 50, 61])
    for query in (T.agg(n=WHOLE), T.group_by("ward").agg(n=WHOLE), T.group_by("ill").agg(n=WHOLE), T.agg(h=bins)):
        assert sites.release(query, TOTAL)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.release(T.group_by("ward").agg(h=bins), TOTAL)
    with pytest.raises(ReleaseFailedError, match="withheld"):  # of whom there are two: 30 year olds
        sites.release(T.agg(h=pets.histogram("age", [0, 10, 20, 31, 40, 50, 61])), TOTAL)
