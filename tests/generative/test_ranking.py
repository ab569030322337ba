"""The choice of a person's rows is a function of that person's own rows: checked on random tables, with teeth.

A theorem in test form: a snapshot of everybody is the union of the snapshot of one person alone and of the snapshot of
all others, however the rows are ordered.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pets.rows import ranking
from pets.rows.snapshot import Snapshot
from pets.schema.schema import Category, Identifier, Integer, Schema, Table, Unit

Row = tuple[str | None, str | None, str | None]
Signature = tuple[tuple[int, ...], ...]

# pairs that a careless comparison would merge, and texts that mean nobody
IDS = ["a", "a ", "1", "01", "1.0", "b", "é", "e\u0301", "A", "a\t", "\u0000x", "'", None, ""]
NUMBERS = ["0", "1", "2", "9", "3.0", "3", "nan", "x", "", None, "2.5"]
WORDS = ["x", "y", "z", "", None]


def schema(max_rows: int, trim: bool = False) -> Schema:
    columns = {"id": Identifier(), "v": Integer(0, 3), "w": Category(["x", "y"])}
    return Schema({"t": Table(Unit("id", max_rows=max_rows, trim=trim), columns)})


def snapshot(rows: Sequence[Row], key: int, max_rows: int) -> Snapshot:
    frame = pd.DataFrame(list(rows), columns=["id", "v", "w"], dtype=object)
    return Snapshot.make(schema(max_rows), "t", {"t": frame}, key=key, progress=False)


def people_of(made: Snapshot) -> Counter[Signature]:
    """What each person keeps (rank and content), as a multiset over people: person codes mean nothing."""
    kept: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for row in made.arrow().to_pylist():
        kept[row["person"]].append((row["rank"], row["c0"], row["c1"]))
    return Counter(tuple(sorted(rows)) for rows in kept.values())


def check_neighbours(
    rows: Sequence[Row], gone: str, key: int, max_rows: int, order: Callable[[list[Row]], None]
) -> None:
    own = [row for row in rows if row[0] == gone]
    others = [row for row in rows if row[0] != gone]
    order(others)
    whole = people_of(snapshot(rows, key, max_rows))
    assert whole == people_of(snapshot(own, key, max_rows)) + people_of(snapshot(others, key, max_rows))


ROWS = st.lists(
    st.tuples(st.sampled_from(IDS), st.sampled_from(NUMBERS), st.sampled_from(WORDS)), min_size=1, max_size=40
)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(rows=ROWS, key=st.integers(0, 2**64 - 1), max_rows=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_removing_one_person_moves_nobody_else(rows: list[Row], key: int, max_rows: int, seed: int) -> None:
    someone = next((row[0] for row in rows if row[0]), None)
    if someone is not None:
        check_neighbours(rows, someone, key, max_rows, random.Random(seed).shuffle)


@QUICK
@given(rows=ROWS, key=st.integers(0, 2**64 - 1), max_rows=st.integers(1, 4))
def test_rows_kept_per_person(rows: list[Row], key: int, max_rows: int) -> None:
    """Exactly min(rows, max_rows), ranked 1, 2, … without a gap; ids are told apart as exact text."""
    made = snapshot(rows, key, max_rows)
    owned = Counter(row[0] for row in rows if row[0])
    kept: dict[int, list[int]] = defaultdict(list)
    for row in made.arrow().to_pylist():
        kept[row["person"]].append(row["rank"])
    assert sorted(len(ranks) for ranks in kept.values()) == sorted(min(n, max_rows) for n in owned.values())
    assert all(sorted(ranks) == list(range(1, len(ranks) + 1)) for ranks in kept.values())
    assert sorted(kept) == list(range(len(owned))), "person codes are dense"
    assert made.arrow()["rank"].to_pylist() == sorted(made.arrow()["rank"].to_pylist()), "stored in the order of rank"
    assert made.report.people == len(owned)
    assert made.report.kept_per_k == tuple(sum(min(n, k) for n in owned.values()) for k in range(1, max_rows + 1))


@QUICK
@given(rows=ROWS, key=st.integers(0, 2**64 - 1))
def test_a_smaller_bound_keeps_a_prefix(rows: list[Row], key: int) -> None:
    """Ranks do not depend on ``max_rows``: so a query's K is the same choice on every snapshot."""
    two, four = people_of(snapshot(rows, key, 2)), people_of(snapshot(rows, key, 4))
    assert two == Counter(tuple(row for row in person if row[0] <= 2) for person in four.elements())


def random_rows(seed: int) -> list[Row]:
    draw = random.Random(seed)
    return [(draw.choice("abcdef"), draw.choice("0123"), draw.choice("xy")) for _ in range(40)]


def by_position(seed: str, columns: Sequence[str]) -> str:
    return "hash(hash(row_number() OVER ()))"


def by_dense_code(seed: str, columns: Sequence[str]) -> str:
    person = "p.person" if seed.startswith("p.") else "person"
    return f"hash(hash({', '.join([person, *columns])}))"


def ties_by_position(seed: str, columns: Sequence[str]) -> str:
    """A bucket of the sound hash, then the position: only partial ties are decided by the position."""
    return f"({SOUND(seed, columns)} % 2) * 1000000 + row_number() OVER ()"


SOUND = ranking.row_hash


@pytest.mark.parametrize("unsound", [by_position, by_dense_code, ties_by_position])
def test_the_neighbour_test_has_teeth(monkeypatch: pytest.MonkeyPatch, unsound: Callable[..., str]) -> None:
    for seed in range(3):
        check_neighbours(random_rows(seed), "a", seed, 2, random.Random(seed).shuffle)
    monkeypatch.setattr(ranking, "row_hash", unsound)
    caught = 0
    for seed in range(10):
        try:
            check_neighbours(random_rows(seed), "a", seed, 2, random.Random(seed).shuffle)
        except AssertionError:
            caught += 1
    assert caught >= 3, f"an unsound order was caught only {caught} times of 10"


def shares(content: Sequence[tuple[str, str]], keys: int = 30, people: int = 700) -> Counter[tuple[int, int]]:
    """Which content is kept at K = 1, over many keys and people who all have the same rows."""
    rows = [(f"person {i}", v, w) for i in range(people) for v, w in content]
    found: Counter[tuple[int, int]] = Counter()
    for key in range(keys):
        for person, times in people_of(snapshot(rows, key * 7919, 1)).items():
            found[person[0][1:]] += times
    return found


# Each test below is one or three two-sided tests at 6 sigma over 21,000 independent choices: a sound ranking fails
# with probability under 1e-8. An order that favours one row by 2 percentage points fails almost always.
def near(count: int, total: int, share: float) -> bool:
    return abs(count - total * share) < 6 * math.sqrt(total * share * (1 - share))


def test_identical_rows_have_a_fair_chance_each() -> None:
    found = shares([("1", "x"), ("1", "x"), ("2", "y")])
    assert near(found[1, 0], found.total(), 2 / 3), found


def test_without_the_occurrence_number_it_would_be_unfair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "again", lambda hashed, occurrence: hashed)
    found = shares([("1", "x"), ("1", "x"), ("2", "y")], keys=10)
    assert not near(found[1, 0], found.total(), 2 / 3), found


def test_rows_that_differ_in_one_column_only_are_chosen_evenly() -> None:
    for content in ([("1", "x"), ("1", "y"), ("1", "")], [("0", "x"), ("1", "x"), ("2", "x")]):
        found = shares(content)
        assert len(found) == 3 and all(near(n, found.total(), 1 / 3) for n in found.values()), found


def test_people_choose_independently_of_each_other() -> None:
    found = shares([("1", "x"), ("2", "y")], keys=1, people=5000)
    assert near(found[1, 0], 5000, 1 / 2), "without the person in the hash everybody would keep the same row"


def test_the_key_decides() -> None:
    rows = random_rows(1)
    assert len({str(sorted(people_of(snapshot(rows, key, 1)).items())) for key in range(5)}) > 1
    assert people_of(snapshot(rows, 3, 1)) == people_of(snapshot(rows, 3, 1))


def test_trimmed_ids_are_one_person() -> None:
    frame = pd.DataFrame({"id": ["a", " a", "a\t", "b c", "  "], "v": 1, "w": "x"})
    for trim, people in ((False, 5), (True, 2)):
        made = Snapshot.make(schema(9, trim), "t", {"t": frame}, key=1, progress=False)
        assert made.report.people == people
