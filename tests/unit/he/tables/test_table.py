"""Encrypted columns: the numbers that numpy gives, or a plain sentence."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pets import he
from pets.errors import QueryError, UserError
from pets.he.numbers import whole_numbers
from pets.he.presets import PRESETS
from pets.he.tables.columns import backwards, positional
from pets.he.tables.table import EncryptedTable, uniform
from pets.he.tenseal_engine import scheme
from tests.he_parties import holder

RNG = np.random.default_rng(11)
ROWS = 10_000
COST = RNG.integers(-50_000, 50_001, ROWS)
STAY = RNG.integers(0, 15, ROWS).astype(np.int16)
FEMALE = RNG.integers(0, 2, ROWS).astype(bool)
BOUNDS = {"cost": 50_000, "stay": 14}


@cache
def with_products() -> tuple[he.PublicKey, he.SecretKey]:
    return he.keygen(products=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("columns") / "t.enc"
    made = EncryptedTable.encrypt(path, {"cost": COST, "stay": STAY}, holder()[0], bounds=BOUNDS, squares=["cost"])
    return made, holder()[1]


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    path = tmp_path_factory.mktemp("columns") / "m.enc"
    public, secret = with_products()
    made = EncryptedTable.encrypt(
        path, {"cost": COST, "stay": STAY}, public, bounds=BOUNDS, squares=["stay"], masks={"female": FEMALE}
    )
    return made, secret


@pytest.fixture(params=["table", "masked"])
def each(request):
    """Both parameter sets."""
    return request.getfixturevalue(request.param)


def test_sums_and_means(each):
    made, secret = each
    assert secret.read(made.sum("cost")) == COST.sum()
    assert secret.read(made.mean("stay")) == Fraction(int(STAY.astype(int).sum()), ROWS)


def test_variance(table, masked):
    for (made, secret), name, values in ((table, "cost", COST), (masked, "stay", STAY.astype(np.int64))):
        exact = Fraction(int((values**2).sum()), ROWS) - Fraction(int(values.sum()), ROWS) ** 2
        assert secret.read(made.variance(name)) == exact
        assert float(exact) == pytest.approx(values.var())
    with pytest.raises(QueryError, match="were not uploaded"):
        table[0].variance("stay")


@pytest.mark.parametrize("most", [1, 7, 8, 9, 100, 10**6])
def test_dot_products(each, most):
    made, secret = each
    weights = RNG.integers(-most, most + 1, ROWS)
    if 50_000 * int(np.abs(weights).sum()) > made._layout.preset.reach:
        with pytest.raises(QueryError, match="the answer could pass"):
            made.dot("cost", weights)
        weights, name, values = weights, "stay", STAY.astype(np.int64)
        if 14 * int(np.abs(weights).sum()) > made._layout.preset.reach:
            return
    else:
        name, values = "cost", COST
    assert secret.read(made.dot(name, weights)) == int(values @ weights)


def test_weights_at_their_limits(table):
    """Rows that weigh nothing, alone, first or last in their ciphertext, and weights that need digits."""
    made, secret = table
    for place in (0, 1, 4095, 4096, 9999):
        weights = np.zeros(ROWS, dtype=np.int64)
        weights[place] = -(10**9)
        assert secret.read(made.dot("stay", weights)) == -(10**9) * int(STAY[place])
    nothing = made.dot("cost", np.zeros(ROWS, dtype=np.int64))
    assert secret.read(nothing) == 0
    many = made.dot("stay", np.full(ROWS, 10**8))
    assert len(many.parts) > 1 and secret.read(many) == 10**8 * int(STAY.astype(int).sum())


def test_group_sums(each):
    made, secret = each
    groups = RNG.integers(0, 5, ROWS)
    groups[groups == 3] = 4  # nobody is in group 3
    wanted = [int(COST[groups == group].sum()) for group in range(5)]
    asked = made.group_sums("cost", groups)
    assert secret.read(asked) == wanted
    assert [part.number for part in asked.parts] == [0, 1, 2, 4]  # a group without rows has no ciphertext
    assert asked.shows == "5 whole numbers"


def test_sparse_groups_stay_small(tmp_path, monkeypatch):
    """Ten rows, one label of 2^14: a ciphertext for each group that has rows, and none for the 16,383 others."""
    made = EncryptedTable.encrypt(tmp_path / "t", {"a": list(range(10))}, holder()[0], bounds={"a": 10})
    groups = [0] * 9 + [2**14]
    asked = made.group_sums("a", groups)
    assert len(asked.parts) == 2
    assert holder()[1].read(asked) == [36, *[0] * (2**14 - 1), 9]
    with pytest.raises(UserError, match="at most 1,048,575"):
        made.group_sums("a", [2**20] * 10)
    monkeypatch.setattr("pets.he.tables.table._MAX_MEMORY", 9 * 2**17)
    monkeypatch.setattr(EncryptedTable, "_weighted", None)  # refused before anything is computed
    with pytest.raises(QueryError, match="10 groups have rows, and an answer of at most 9 fits"):
        made.group_sums("a", list(range(10)))


def test_masked_sums(masked):
    made, secret = masked
    assert secret.read(made.masked_sum("cost", "female")) == COST[FEMALE].sum()
    with pytest.raises(QueryError, match="is not a mask column"):
        made.masked_sum("cost", "stay")


def test_scores(each):
    made, secret = each
    assert secret.read(made.score({"cost": 3, "stay": -20}, 7)) == (3 * COST - 20 * STAY.astype(int) + 7).tolist()
    assert secret.read(made.score({"cost": 0, "stay": 1})) == STAY.tolist()
    for wrong in ({}, {"cost": 0}, {"cost": 1.5}, {"age": 1}, "cost", {"cost": 2**40}):
        with pytest.raises(UserError):
            made.score(wrong)


def test_the_reader_sees_only_the_answer(table):
    """Coefficients other than the first are uniform: they hold no value of a row, and differ each time."""
    made, secret = table
    preset = PRESETS["dot50"]
    t = preset.plain[0]
    decrypt = scheme(preset.chain, t).decryptor(secret.reveal(preset.chain))
    weights = np.ones(ROWS, dtype=np.int64)
    one, two = (decrypt(made.dot("cost", weights).parts[0].residues) for _ in range(2))
    assert one[0] == two[0] == int(COST.sum()) % t
    assert (one[1:] != two[1:]).all()
    assert abs(one[1:].astype(float).mean() / t - 0.5) < 0.03


def test_uniform_numbers_are_below_the_modulus():
    for t in (3, 5, 1025, PRESETS["dot50"].plain[0]):
        drawn = uniform(20_000, t)
        assert int(drawn.max()) < t
        assert abs(drawn.astype(float).mean() / (t - 1) - 0.5) < 0.02
    counts = np.bincount(uniform(30_000, 3).astype(int))
    assert counts.min() > 9_600


def test_backwards_makes_dot_products():
    t, n = 97, 8
    x, w = RNG.integers(0, 97, n), RNG.integers(-5, 6, n)
    product = np.convolve(x, backwards(w, n, t).astype(int))
    folded = product[:n].copy()
    folded[: n - 1] -= product[n:]
    assert folded[0] % t == int(x @ w) % t
    assert backwards(w[:3], n, t).tolist() == backwards(np.append(w[:3], [0] * 5), n, t).tolist()


@pytest.mark.parametrize(
    ("columns", "bounds", "said"),
    [
        ({"a": [1.5]}, {"a": 5}, "whole numbers"),
        ({"a": np.array([1.0, math.nan])}, {"a": 5}, "whole numbers"),
        ({"a": [6]}, {"a": 5}, "at most 5"),
        ({"a": np.array([2**63], dtype=np.uint64)}, {"a": 5}, "at most 5"),
        ({"a": [1]}, {"a": 2**60}, "bound of 'a'"),
        ({"a": [1]}, {"a": 0}, "bound of 'a'"),
        ({"a": [1]}, {}, "bounds must name"),
        ({"a": [1], "b": [1, 2]}, {"a": 5, "b": 5}, "equally many rows"),
        ({"a": []}, {"a": 5}, "at least one row"),
        ({}, {}, "at least one"),
        (None, {}, "at least one"),
        ({"a": "123"}, {"a": 5}, "a list or an array of whole numbers or flags, not str"),
        ({"a": [True]}, {"a": 5}, "whole numbers"),
        ({"a": [True, 2]}, {"a": 5}, "whole numbers"),
        ({"a": [1, [2]]}, {"a": 5}, "whole numbers"),
        ({"a": np.ma.array([1, 100, 3], mask=[0, 1, 0])}, {"a": 500}, "masked array"),
        ({"a": bytearray(b"12")}, {"a": 500}, "not bytearray"),
        ({"a": b"12"}, {"a": 500}, "not bytes"),
        ({"a": memoryview(b"12")}, {"a": 500}, "not memoryview"),
        ({"a": {1, 2}}, {"a": 5}, "not set"),
        ({"a": {0: 1, 1: 2}}, {"a": 5}, "not dict"),
        ({"a": 5}, {"a": 5}, "not int"),
        ({"a": np.array(5)}, {"a": 5}, "at least one row"),
        ({"a": np.ones((2, 2), dtype=int)}, {"a": 5}, "one row of whole numbers"),
        ({"a": pd.Series([1, None], dtype="Int64")}, {"a": 5}, "whole numbers"),
        ({"a": pd.Series([1, None])}, {"a": 5}, "whole numbers"),
        ({"a": pa.array([1, None])}, {"a": 5}, "cannot be read as an array"),
        ({"a": pd.DataFrame({"x": [1]})}, {"a": 5}, "one row of whole numbers"),
        ({"a": pd.Series}, {"a": 5}, "not type"),
    ],
)
def test_bad_columns(tmp_path, columns, bounds, said):
    with pytest.raises(UserError, match=said):
        EncryptedTable.encrypt(tmp_path / "t", columns, holder()[0], bounds=bounds)
    assert list(tmp_path.iterdir()) == []


class Shrinking(list):
    """A list that loses rows while it is read."""

    def __getitem__(self, run):
        return list(self)[run][:-1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"squares": None}, "squares must be a list"),
        ({"squares": "a"}, "squares must be a list"),
        ({"squares": [["a"]]}, "squares must be a list"),
        ({"masks": [True]}, "masks must be a mapping"),
        ({"masks": {3: [True]}}, "masks must be a mapping"),
        ({"masks": {"m": [True, 1, True]}}, "True and False"),
        ({"masks": {"m": np.ma.array([True] * 3, mask=[0, 1, 0])}}, "masked array"),
        ({"masks": {"m": np.ones((3, 3), dtype=bool)}}, "True and False"),
        ({"masks": {"m": {True}}}, "not set"),
        ({"masks": {"m": [[True], [True, False], [True]]}}, "True and False"),
        ({"owner": "north"}, "owner must be a key"),
        ({"path": None}, "written to a path"),
        ({"path": "\0"}, "written to a path"),
        ({"path": "none/such/folder"}, "cannot be written"),
        ({"columns": {"a": Shrinking([1, 2, 3])}}, "changed its length"),
    ],
)
def test_bad_arguments(tmp_path, monkeypatch, more, said):
    monkeypatch.chdir(tmp_path)
    given = {"path": "t", "columns": {"a": [1, 2, 3]}, "public_key": with_products()[0], "bounds": {"a": 5}, **more}
    with pytest.raises(UserError, match=said):
        EncryptedTable.encrypt(**given)
    assert list(tmp_path.iterdir()) == []


def test_rows_count_by_position(tmp_path):
    """Labels of a pandas index, of whatever kind, choose no rows; other libraries' columns are taken as arrays."""
    values = np.arange(ROWS)
    columns = {
        "float": pd.Series(np.ones(ROWS, dtype=int), index=np.arange(ROWS) * 2.0),
        "backwards": pd.Series(values, index=values[::-1]),
        "text": pd.Series(values, index=values.astype(str), dtype="Int64"),
        "arrow": pa.chunked_array([values[:5000], values[5000:]]),
        "list": values.tolist(),
    }
    made = EncryptedTable.encrypt(tmp_path / "t", columns, holder()[0], bounds=dict.fromkeys(columns, ROWS))
    read = holder()[1].read
    assert read(made.sum("float")) == ROWS
    weights = pd.Series(np.arange(ROWS) % 7, index=values[::-1])
    for name in ("backwards", "text", "arrow", "list"):
        assert read(made.dot(name, weights)) == int(values @ (values % 7)), name


def test_arrays_are_looked_at_not_copied(tmp_path):
    kept = np.lib.format.open_memmap(tmp_path / "v.npy", mode="w+", dtype=np.int64, shape=(5,))
    assert np.shares_memory(positional(kept, "it"), kept)
    assert type(positional(kept, "it")) is np.ndarray
    with pytest.raises(UserError, match="masked array"):
        whole_numbers(np.ma.array([1, 100], mask=[0, 1]), 500)
    with pytest.raises(UserError, match="masked array"):
        positional(np.ma.array([1, 2]), "it")  # with no mask yet, too: it may get one while it is read


def test_bad_calls(table, tmp_path):
    made, secret = table
    for attempt in (
        lambda: made.sum("age"),
        lambda: made.dot("cost", [1, 2]),
        lambda: made.dot("cost", np.ones(ROWS)),
        lambda: made.dot("cost", np.ma.array([1] * ROWS, mask=[1] + [0] * (ROWS - 1))),
        lambda: made.dot("cost", {1, 2}),
        lambda: made.group_sums("cost", np.ma.array([1] * ROWS, mask=[1] + [0] * (ROWS - 1))),
        lambda: made.sum(None),
        lambda: made.score({"cost": 1}, "7"),
        lambda: EncryptedTable.open(None),
        lambda: EncryptedTable.open("\0"),
        lambda: EncryptedTable.open(tmp_path, owner="north"),
        lambda: made.group_sums("cost", np.full(ROWS, -1)),
        lambda: made.masked_sum("cost", "female"),
        lambda: secret.read(5),
        lambda: he.keygen()[1].read(made.sum("cost")),
        lambda: EncryptedTable.open(tmp_path / "none"),
        lambda: EncryptedTable.encrypt(tmp_path / "t", {"a": [1]}, None, bounds={"a": 1}),
        lambda: EncryptedTable.encrypt(tmp_path / "t", {"a": [1]}, holder()[0], bounds={"a": 1}, masks={"m": [True]}),
        lambda: EncryptedTable.encrypt(tmp_path / "t", {"a": [1]}, holder()[0], bounds={"a": 1}, squares=["b"]),
        lambda: EncryptedTable.encrypt(
            tmp_path / "t", {"a": [1]}, with_products()[0], bounds={"a": 1}, masks={"m": [2]}
        ),
    ):
        with pytest.raises(UserError):
            attempt()


def test_damaged_tables(tmp_path):
    """Every region of a table's file: one flipped bit, or a cut, and it is refused."""
    path, kept = tmp_path / "t", tmp_path / "kept"
    EncryptedTable.encrypt(path, {"a": [1, 2, 3]}, holder()[0], bounds={"a": 5})
    data, refused, tried = path.read_bytes(), 0, 0
    path.rename(kept)
    tail = len(data) - 64
    for at in (*range(400), *range(400, tail, 256), *range(tail, len(data))):
        broken = bytearray(data)
        broken[at] ^= 1 << int(RNG.integers(8))
        for wrong in (broken, data[:at]):
            tried += 1
            path.write_bytes(wrong)
            with pytest.raises(UserError):
                EncryptedTable.open(path).sum("a")
            refused += 1
    print(f"tables: {refused} of {tried} refused")
    assert refused == tried > 1_500
    assert holder()[1].read(EncryptedTable.open(kept).sum("a")) == 6


def test_a_table_is_never_overwritten(tmp_path):
    (tmp_path / "t").write_text("mine")
    with pytest.raises(UserError, match="never overwritten"):
        EncryptedTable.encrypt(tmp_path / "t", {"a": [1]}, holder()[0], bounds={"a": 5})
    assert (tmp_path / "t").read_text() == "mine"


def test_of_two_writers_one_wins(tmp_path):
    """A second table is written to the same name, and complete, while the first is: the first then gives way."""
    public, target = holder()[0], tmp_path / "t"

    class Late(list):
        def __getitem__(self, run):
            if not target.exists():
                EncryptedTable.encrypt(target, {"a": [7]}, public, bounds={"a": 7})
            return list(self)[run]

    with pytest.raises(UserError, match="never overwritten"):
        EncryptedTable.encrypt(target, {"a": Late([1, 2])}, public, bounds={"a": 5})
    assert holder()[1].read(EncryptedTable.open(target).sum("a")) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


@pytest.mark.chance(0)
def test_a_million_values_in_little_memory(tmp_path):
    """From a memory-mapped file, in a process of its own: peak memory with Python, numpy and SEAL in it."""
    code = f"""
import numpy as np, pathlib, re
from pets import he
values = np.lib.format.open_memmap({str(tmp_path / "v.npy")!r}, mode="w+", dtype=np.int64, shape=(1_000_000,))
values[:] = np.arange(1_000_000)
public, secret = he.keygen()
path = {str(tmp_path / "t")!r}
table = he.EncryptedTable.encrypt(path, {{"v": values}}, public, bounds={{"v": 10**6}}, progress=False)
assert secret.read(table.sum("v")) == 499999500000
status = pathlib.Path('/proc/self/status').read_text()  # getrusage counts what the parent had when it forked
print(int(re.search(r'VmHWM:\\s*(\\d+)', status)[1]) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 300, done.stdout
