"""Columns of people that are made of the same rows: what one table says of one of them, the other table has, too.

40 people have no stay, and one each has 1 to 7. By how many stays they had, each of the seven is hidden as 1 to 7
people; whether they had any shows the seven together as 1 to 7: so each of the seven cells has one person.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.sdc.counted import beyond, related
from pets.session.disclosure.finding import UNDECIDED
from tests.checked_tables import total
from tests.doors import HES, OPEN, asked, let_out

CODES = pets.Category(["x", "y"], nullable=False)
SCHEMA = pets.Schema(
    {
        "p": pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "sex": CODES, "age": CODES}),
        "stays": pets.Table(pets.Unit("id", max_rows=10), {"id": pets.Identifier(), "code": CODES}, person_table="p"),
    },
    dataset="same-rows",
)
STAYS = [0] * 40 + list(range(1, 8))
N = pets.count()
SAID = "columns 'b' and 'n' are made of the same rows"


def people(of: str = "p", **more: Any) -> Any:
    stays = pets.events("stays")
    return pets.people(of=of, n=stays.count(max=7), b=stays.exists(), **more)


BY_NUMBER, BY_ANY = people().group_by("n").agg(m=N), people().group_by("b").agg(m=N)


def opened(**more: Any) -> pets.Custodian:
    owners = pd.DataFrame({"id": [f"p{i}" for i in range(len(STAYS))], "sex": "x", "age": "y"})
    stays = pd.DataFrame({"id": [f"p{i}" for i, n in enumerate(STAYS) for _ in range(n)], "code": "x"})
    policy, budget = pets.Policy(**OPEN | more), pets.Budget(epsilon=20, delta=1e-6)
    return pets.Custodian(SCHEMA, {"p": owners, "stays": stays}, budget=budget, policy=policy, progress=False)


def test_nothing_is_proved_of_two_tables_that_tell_of_each_other() -> None:
    custodian = opened()
    custodian.name_grid(people().group_by("sex").agg(m=N), HES)
    let_out(custodian, BY_NUMBER)
    found = custodian.look(asked(custodian, BY_ANY))
    assert (found.state, found.attacks) == (UNDECIDED, ()) and any(SAID in one for one in found.besides)


@pytest.mark.parametrize("filters", ["bins", "any"])
def test_beside_the_grids_columns_such_a_table_is_refused_from_its_plan_alone(filters: str) -> None:
    custodian = opened(sdc_filters=filters)
    custodian.name_grid(BY_NUMBER, HES)
    with pytest.raises(QueryError, match=r"the grid's and its columns .* are made of the same rows"):
        custodian.session(analyst="ann").release(BY_ANY, HES)
    assert not custodian.reviews()
    asked(custodian, people().group_by("age").agg(m=N))


def test_an_attack_does_not_say_that_it_found_all() -> None:
    custodian = opened()
    custodian.name_grid(people().group_by("sex").agg(m=N), HES)
    for query in (BY_NUMBER, BY_ANY):
        assert "No other small number" in str(custodian.attack(width=2))
        let_out(custodian, query)
    found = custodian.attack(width=2)
    assert (
        found.sentences == ()
        and any(SAID in one for one in found.besides)
        and "No other small number" not in str(found)
    )
    assert "More may follow" in str(found)


def test_a_grid_beside_a_table_that_tells_of_it_is_not_said_to_be_compared_in_full() -> None:
    custodian = opened()
    total(custodian, BY_ANY)
    found = custodian.compare_grid(BY_NUMBER, HES)
    assert any(SAID in one for one in found.attack.besides) and "No other small number" not in str(found)


def joined(*queries: pets.Query) -> str | None:
    return related(make_plan(one, SCHEMA) for one in queries)


def test_columns_of_the_same_rows_are_found_in_one_table_and_in_several() -> None:
    said = str(beyond(make_plan(people().group_by("n", "b").agg(m=N), SCHEMA)))
    assert said == "its columns 'b' and 'n' are made of the same rows, so one tells of the other"
    assert SAID in str(joined(BY_NUMBER, BY_ANY)) and SAID in str(joined(BY_ANY, BY_NUMBER))
    assert joined(BY_NUMBER, people().where(col("n") > 3).agg(m=N)) is None
    assert joined(people().group_by("sex").agg(m=N), people().group_by("age", "n").agg(m=N)) is None
    assert joined(people().agg(m=N), BY_ANY) is None


def test_a_column_and_a_feature_of_the_same_table_are_made_of_the_same_rows() -> None:
    both = people(old=pets.events("p").where(col("age") == "x").exists())
    one, other = both.group_by("old").agg(m=N), both.group_by("age").agg(m=N)
    assert "'age' and 'old'" in str(joined(one, other)) and "'age' and 'old'" in str(joined(other, one))


def test_who_has_no_row_has_no_value_in_any_column() -> None:
    away = people("stays")
    assert "'age' and 'sex'" in str(joined(away.group_by("sex").agg(m=N), away.group_by("age").agg(m=N)))
