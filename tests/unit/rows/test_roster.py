"""One index of people a set: the same code is the same person in every table, and it decides nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import DataError
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot

WHO = pets.Integer(0, 9999)
PEOPLE = 400


def schema(people: int = 2**20, trim: bool = False, max_rows: int = 3) -> pets.Schema:
    """Two tables of events and one of people; each row says whose it is, for the test alone."""
    unit = pets.Unit("id", max_rows=max_rows, trim=trim)
    columns = {"id": pets.Identifier(), "who": WHO, "day": pets.Integer(0, 99)}
    person = {"id": pets.Identifier(), "self": WHO}
    return pets.Schema(
        {
            "apc": pets.Table(unit, columns, person_table="patients", people=people),
            "rx": pets.Table(unit, columns, people=people),
            "patients": pets.Table(pets.Unit("id", trim=trim), person, people=people),
        },
        dataset="linked",
    )


def events(seed: int, share: float, each: int = 6) -> pd.DataFrame:
    """Rows of a share of the people, in no order."""
    chance = np.random.default_rng(seed)
    who = chance.choice(PEOPLE, int(PEOPLE * share), replace=False).repeat(each)
    rows = pd.DataFrame({"id": who, "who": who, "day": chance.integers(0, 100, len(who))})
    return rows.sample(frac=1, random_state=seed)


def sources() -> dict[str, pd.DataFrame]:
    everybody = np.arange(0, PEOPLE, 2)
    patients = pd.DataFrame({"id": everybody, "self": everybody})
    return {"apc": events(1, 0.6), "rx": events(2, 0.7), "patients": patients}


def without(data: dict[str, pd.DataFrame], person: int) -> dict[str, pd.DataFrame]:
    return {table: rows[rows["id"] != person] for table, rows in data.items()}


def made(data: dict[str, Any], given: pets.Schema | None = None, **more: Any) -> Linked:
    tables = ("apc", "rx", "patients")
    settings = {"key": 9, "progress": False} | more
    return Linked(Snapshot.make_all(given or schema(), tables, data, **settings))


def asked(linked: Linked, sql: str) -> list[tuple[Any, ...]]:
    """The answer to SQL over the tables' names, in which ``apc.who`` is a column's name."""
    words = {f"{t}.{c}": f"{t}.{name}" for t in linked.tables for c, name in linked.columns(t).items()}
    for word, name in words.items():
        sql = sql.replace(word, name)
    for table in linked.tables:
        sql = sql.replace(f"<{table}>", f"{linked.relation(table)} AS {table}")
    return list(linked.connection().con.cursor().execute(sql).fetchall())


BOTH = "SELECT apc.who, rx.who FROM <apc> JOIN <rx> ON apc.person = rx.person"
OWN = "SELECT rx.who, patients.self FROM <rx> JOIN <patients> ON rx.person = patients.person"
AFTER = """SELECT apc.who, count(*), sum(rx.day)
    FROM <apc> JOIN <rx> ON apc.person = rx.person AND rx.day > apc.day GROUP BY apc.who"""


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_a_code_is_one_person_in_every_table(place: str, tmp_path: Any) -> None:
    linked = made(sources(), folder=None if place == "memory" else tmp_path / "ready")
    pairs = asked(linked, BOTH)
    assert len(pairs) > 900 and all(apc == rx for apc, rx in pairs)
    attached = asked(linked, OWN)
    assert len(attached) > 300 and all(rx == own for rx, own in attached)
    # who has a row somewhere has one code, and no two have the same
    codes = asked(linked, "SELECT person, count(DISTINCT who) FROM (SELECT apc.person, apc.who AS who FROM <apc> "
                          "UNION ALL SELECT rx.person, rx.who AS who FROM <rx>) GROUP BY person")  # fmt: skip
    assert {count for _, count in codes} == {1}


def test_removing_one_person_changes_nobody_elses_feature() -> None:
    """Joined by numbers that each table gave by itself, one person's leaving changed 3,190 of 4,897 others."""
    data = sources()
    whole = {row[0]: row for row in asked(made(data), AFTER)}
    assert len(whole) > 100
    for person in (0, 7, 211, 398):
        left = {row[0]: row for row in asked(made(without(data, person)), AFTER)}
        assert left == {who: row for who, row in whole.items() if who != person}


def kept(snapshot: Snapshot) -> Counter[tuple[int, ...]]:
    """Rank and codes of every kept row; whose it is, is among them."""
    rows = snapshot.arrow().to_pandas().drop(columns="person")
    return Counter(map(tuple, rows.itertuples(index=False)))


def test_what_is_kept_rests_on_the_exact_id_and_not_on_the_code() -> None:
    """With the code in the hash, one person's leaving changed what 2,434 of 4,897 others keep."""
    data = sources()
    linked = made(data)
    for table in linked.tables:  # made alone, its people have other codes
        assert kept(Snapshot.make(schema(), table, data, key=9, progress=False)) == kept(linked.snapshots[table])
    smaller = made(without(data, int(data["apc"]["who"].iloc[0])))
    for table in linked.tables:
        assert not kept(smaller.snapshots[table]) - kept(linked.snapshots[table])


def test_an_id_is_one_person_whatever_type_its_column_has() -> None:
    data: dict[str, Any] = sources()
    data["rx"] = data["rx"].assign(id=data["rx"]["id"].astype(str))
    data["patients"] = data["patients"].assign(id=data["patients"]["id"].astype(float))
    pairs = asked(made(data), BOTH)
    assert len(pairs) > 900 and all(apc == rx for apc, rx in pairs)
    attached = asked(made(data), OWN)
    assert len(attached) > 300 and all(rx == own for rx, own in attached)


def test_an_id_is_exact_text_and_trimmed_where_the_schema_says_so() -> None:
    data: dict[str, Any] = sources()
    data["rx"] = data["rx"].assign(id=[f" {who}" for who in data["rx"]["who"]])
    data["patients"] = data["patients"].assign(id=[f"0{who}" for who in data["patients"]["self"]])
    assert asked(made(data), BOTH) == []
    trimmed = made(data, schema(trim=True))
    pairs = asked(trimmed, BOTH)
    assert len(pairs) > 900 and all(apc == rx for apc, rx in pairs)
    assert asked(trimmed, "SELECT 1 FROM <rx> JOIN <patients> ON rx.person = patients.person") == []


def test_somebody_with_two_rows_in_the_person_table_has_one() -> None:
    """A plain join counts such a person in two cells."""
    data = sources()
    again = pd.DataFrame({"id": [2, 2, 2], "self": [2, 7000, 8000]})
    data["patients"] = pd.concat([data["patients"], again], ignore_index=True)
    counted = asked(made(data), "SELECT patients.person, count(*) FROM <patients> GROUP BY ALL")
    assert len(counted) == PEOPLE // 2 and {count for _, count in counted} == {1}
    joined = asked(made(data), OWN)
    own = {value for who, value in joined if who == 2}
    assert len(own) == 1
    # and it is the row that is attached to that person's events
    attached = asked(made(data), "SELECT DISTINCT apc.self FROM <apc> WHERE apc.who = 2")
    assert attached in ([], [(value,) for value in own])


def test_all_people_together_obey_one_public_bound() -> None:
    data = sources()
    both = len(set(data["apc"]["id"]) | set(data["rx"]["id"]) | set(data["patients"]["id"]))
    assert max(rows["id"].nunique() for rows in data.values()) < both - 1
    assert schema(people=both).people == both
    made(data, schema(people=both))
    with pytest.raises(
        DataError, match=f"more people together than the largest 'people' .* allows .{both - 1}.; raise"
    ):
        made(data, schema(people=both - 1))


def test_a_table_without_people_is_no_one() -> None:
    data = sources()
    data["apc"] = data["apc"][:0]
    linked = made(data)
    assert asked(linked, BOTH) == []
    assert asked(linked, "SELECT count(DISTINCT rx.person) FROM <rx>") == [(data["rx"]["id"].nunique(),)]
