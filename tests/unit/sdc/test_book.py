"""Book: what each kind of release says of its people, what it says besides, and that nothing is forgotten."""

from __future__ import annotations

from typing import Any

import pets
from pets import col
from pets.common.codec import canonical
from pets.plan.plan import Plan, make_plan
from pets.protection.rounding import Rounding
from pets.sdc.book import Told, book_of, whose
from tests.checked_tables import SCHEMA, N, T

HES = Rounding(threshold=7, base=5)
BY_SEX = T.group_by("sex").agg(n=N, old=pets.rate(col("age") > 70))


def form(kind: str, query: pets.Query, **parts: Any) -> bytes:
    said = {"pets": kind, "query": query.to_json(), "schema": SCHEMA.to_json(), "id": f"{kind}-1", "snapshot": "s"}
    return canonical(said | {"issued_at": "2026-01-01T00:00:00+00:00", "rule": HES.to_json()} | parts)


def only(*bodies: bytes) -> Told:
    (one,) = book_of(bodies).entries
    return one


def ends(one: Told) -> list[list[list[int]]]:
    return [[low.tolist(), high.tolist()] for low, high in zip(one.low, one.high, strict=True)]


def test_exact_totals_are_points_and_a_rate_is_two_counts() -> None:
    plan: Plan = make_plan(BY_SEX, SCHEMA)
    kinds = [one.kind for one in plan.measures]
    values = {"rows": [10, 7], "balance": [-4, 1]}  # 3 of 10, and 4 of 7
    told = only(form("release", BY_SEX, values=[n for kind in kinds for n in values[kind]]))
    found = {kind: low for kind, (low, _) in zip(kinds, ends(told), strict=True)}
    assert found == {"rows": [10, 7], "balance": [3, 4]} and all(low == high for low, high in ends(told))
    assert (told.kind, told.rule, told.besides, told.people) == ("release", None, None, whose(plan))


def test_a_grid_is_intervals_of_its_rule() -> None:
    grid = only(form("grid", T.group_by("sex").agg(n=N), shown=[-1, 10]))
    assert ends(grid) == [[[1, 8], [7, 12]]] and grid.rule == HES


def test_what_was_started_and_never_sealed_is_not_forgotten() -> None:
    two = book_of([form("release", T.agg(n=N), values=[300]), None])
    (said,) = two.besides(str(two.entries[0].people))
    assert said == "release 2 is not compared: it was started and not sealed, so what left of it is not known"
    assert two.head != book_of([form("release", T.agg(n=N), values=[300])]).head


def test_sums_of_a_grid_that_is_there_say_nothing_more_and_others_are_not_forgotten() -> None:
    grid = form("grid", T.group_by("sex").agg(n=N), shown=[-1, 10])
    known, stranger = (form("rounded", T.agg(n=N), grid={"id": name}, counts=[]) for name in ("grid-1", "grid-2"))
    assert [one.kind for one in book_of([grid, known]).entries] == ["grid"]
    two = book_of([grid, stranger])
    assert [one.kind for one in two.entries] == ["grid", "rounded"]
    assert two.besides(str(two.entries[0].people)) == ["release 2 is not compared: it is no table of counts (rounded)"]


def test_what_cannot_be_read_stays_in_the_book() -> None:
    for body in (
        form("release", BY_SEX, values=[1]),
        form("grid", T.group_by("sex").agg(n=N), shown=[1, 2, 3]),
        form("grid", T.group_by("sex").agg(n=N), shown="no", rule={}),
    ):
        assert only(body).plan is None and only(body).besides == "it cannot be read as a table any more"
    assert only(canonical({"pets": "unbounded"})).besides == "it is no table of counts (unbounded)"
    assert "several rows" in str(only(form("release", T.agg(n=N), schema=_several(), values=[3])).besides)


def _several() -> Any:
    columns = dict(SCHEMA.table("people").columns)
    return pets.Schema({"people": pets.Table(pets.Unit("id", max_rows=2), columns)}, dataset="several").to_json()


def test_tables_of_others_are_named_and_the_head_moves_with_each_release() -> None:
    mine = form("release", T.agg(n=N), values=[300])
    other = pets.Schema({"people": SCHEMA.table("people")}, dataset="other").to_json()
    both = book_of([mine, form("release", T.agg(n=N), values=[9], schema=other)])
    first, second = both.populations
    assert len(both.of(first)) == len(both.of(second)) == 1
    assert both.besides(first) == ["release 2 is not compared: it counts other people, who may be the same"]
    assert book_of([mine]).besides(first) == [] and both.head != book_of([mine]).head != book_of([]).head
