"""Ranks rest on the rows themselves: not on where they stood, who else is there, or how many threads read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import pets
from pets.common.entropy import rank_key
from pets.rows.snapshot import Snapshot

COLUMNS = {"id": pets.Identifier(), "v": pets.Integer(0, 10**6)}


def kept(rows: pd.DataFrame, key: int, max_rows: int = 3) -> Counter[tuple[int, ...]]:
    """The values that each person keeps, in the order of rank."""
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=max_rows), COLUMNS)})
    found = Snapshot.make(schema, "t", {"t": rows}, key=key, progress=False).arrow().to_pandas()
    found = found.sort_values(["person", "rank"])
    return Counter(tuple(values) for _, values in found.groupby("person")["c0"])


def test_many_rows_are_ranked_alike_in_every_order_and_without_one_person() -> None:
    """150,000 rows, more than DuckDB gives one thread; each row's value says whose it is."""
    people, each = 1500, 100
    rows = pd.DataFrame({"id": np.repeat(np.arange(people), each), "v": np.arange(people * each)})
    whole = kept(rows, key=7)
    assert whole.total() == people
    assert kept(rows.sample(frac=1, random_state=1), key=7) == whole
    assert kept(rows[::-1], key=7) == whole
    without = kept(rows[rows["id"] != 3].sample(frac=1, random_state=2), key=7)
    assert whole - without == Counter([next(person for person in whole if person[0] // each == 3)])
    assert not without - whole


def test_identical_rows_are_ranked_alike_in_every_order() -> None:
    rows = pd.DataFrame({"id": np.repeat(np.arange(300), 9), "v": np.tile([1, 1, 1, 2, 2, 3, 4, 5, 6], 300)})
    whole = kept(rows, key=11)
    assert len(whole) > 50
    assert all(kept(rows.sample(frac=1, random_state=seed), key=11) == whole for seed in range(3))


@pytest.mark.parametrize("values", [range(9), [1, 1, 1, 2, 2, 3, 4, 5, 6]])
def test_whole_numbers_and_their_texts_keep_the_same_rows(values: Sequence[int]) -> None:
    """Whole numbers are ranked as they are, texts by their codes: the exact id decides, however it is stored."""
    rows = pd.DataFrame({"id": np.repeat(np.arange(300), 9), "v": np.tile(values, 300)})
    texts = rows.assign(id=rows["id"].astype(str)).sample(frac=1, random_state=5)
    whole = kept(rows, key=11)
    assert len(whole) > 50 and kept(texts, key=11) == whole


def test_identical_rows_beyond_the_bound_have_their_chance() -> None:
    """Nine of ten rows are one value, so about nine of ten people keep it, though as one row it would be every second.

    Of 2,000 people 1,800 ± 14 keep it; 6 deviations are a chance of 2 in 10⁹, of a seed that is fixed here.
    """
    rows = pd.DataFrame({"id": np.repeat(np.arange(2000), 10), "v": np.tile([1] * 9 + [2], 2000)})
    assert abs(kept(rows, key=13, max_rows=1)[1,] - 1800) < 6 * 14


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("arrival", [None, "b"])
def test_packed_codes_come_back_as_they_were(arrival: str | None, text: bool) -> None:
    """Codes of all widths, their greatest and null among them, in three numbers of 64 bits."""
    tops = {"a": 0, "b": 254, "c": 255, "d": 2**32 - 2, "e": 2**32 - 1, "f": 1, "g": 2**44, "h": 6, "i": 2, "j": 3}
    chance = np.random.default_rng(3)
    rows = pd.DataFrame({name: chance.choice([0, top // 2, top], 600) for name, top in tops.items()})
    rows = rows.astype("Int64").assign(id=np.repeat(np.arange(100), 6), word=chance.choice(["x", "ab" * 20], 600))
    for name in set(tops) - {"b"}:
        rows.loc[chance.choice(600, 60), name] = pd.NA
    columns = {name: pets.Integer(0, top) for name, top in tops.items()}
    unit = pets.Unit("id", max_rows=6, arrival=arrival)
    columns["b"] = pets.Integer(0, 254, nullable=False)
    table = pets.Table(unit, {"id": pets.Identifier(), "word": pets.Text(max_length=50), **columns})
    data = rows.assign(id=rows["id"].astype(str)) if text else rows
    made = Snapshot.make(pets.Schema({"t": table}), "t", {"t": data}, key=1, progress=False)
    found = made.arrow().to_pandas()
    cells = {made.columns[name]: top + 1 for name, top in tops.items()}
    wanted = pd.DataFrame({made.columns[name]: rows[name].fillna(top + 1) for name, top in tops.items()})
    wanted = wanted.assign(**{made.columns["word"]: rows["word"]})
    assert (found[list(cells)].max() <= pd.Series(cells)).all() and len(found) == 600
    assert Counter(map(tuple, found[list(wanted)].to_numpy())) == Counter(map(tuple, wanted.to_numpy()))


@pytest.mark.parametrize("bit", [0, 7, 8, 31, 32, 62, 63])
def test_every_bit_of_the_key_decides(bit: int) -> None:
    """300 people of ten rows: two keys that keep the same of all of them by chance are 1 in 10^300."""
    rows = pd.DataFrame({"id": np.repeat(np.arange(300), 10), "v": np.tile(np.arange(10), 300)})
    frames = [rows.assign(v=rows["v"] + 10 * rows["id"]) for _ in range(2)]
    assert kept(frames[0], 0, 1) != kept(frames[1], 1 << bit, 1)


@pytest.mark.chance(2e-17)  # 128 times "one of 64 bits is the same in 64 keys": 128 / 2^63 is 1.4e-17
def test_a_key_has_64_bits() -> None:
    keys = [rank_key() for _ in range(64)]
    ones, zeros = 0, 0
    for key in keys:
        ones, zeros = ones | key, zeros | ~key
    assert ones == zeros & (2**64 - 1) == 2**64 - 1
