"""Encrypted columns: the numbers that numpy gives, or a plain sentence."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from pets import he
from pets.errors import QueryError, UserError
from pets.he.answer import Answer
from pets.he.ledger import most_weight, product_chunks
from pets.he.presets import PRESETS
from pets.he.seal import scheme
from pets.he.table import EncryptedTable, backwards, uniform
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
    assert secret.read(made.group_sums("cost", groups)) == wanted


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


def test_the_ledger_leaves_room(table, masked):
    """What SEAL measures at the ledger's limit is never below the margin it promises; products have far more."""
    sealapi = pytest.importorskip("tenseal.sealapi")
    from pets.he.seal import _POLY

    def budget(secret, answer):
        preset = answer.preset
        engine = scheme(preset.chain, preset.plain[0])
        array = secret.reveal(preset.chain)
        parts = [_POLY.pack(engine._key_id, array.size, 1.0), *engine._array(array)]
        key = engine._pipe.load(sealapi.SecretKey(), engine._context, parts)
        measure = sealapi.Decryptor(engine._context, key)
        return min(measure.invariant_noise_budget(engine._ciphertext(part.residues)) for part in answer.parts)

    made, secret = table
    limit = most_weight(PRESETS["dot50"])
    weights = np.full(ROWS, int(limit / math.sqrt(2 * 4096**2 + (ROWS - 8192) ** 2)))
    assert weights[0] > 50 and made._noise_of(weights) <= limit < made._noise_of(weights + 1)
    at_limit = made.dot("stay", weights)
    assert len(at_limit.parts) == 1 and budget(secret, at_limit) >= 2
    products, other = masked
    assert budget(other, products.masked_sum("cost", "female")) > 40
    assert product_chunks(PRESETS["row42"]) >= 4


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
        ({"a": "123"}, {"a": 5}, "whole numbers"),
        ({"a": [True]}, {"a": 5}, "whole numbers"),
    ],
)
def test_bad_columns(tmp_path, columns, bounds, said):
    with pytest.raises(UserError, match=said):
        EncryptedTable.encrypt(tmp_path / "t", columns, holder()[0], bounds=bounds)
    assert list(tmp_path.iterdir()) == []


def test_bad_calls(table, tmp_path):
    made, secret = table
    for attempt in (
        lambda: made.sum("age"),
        lambda: made.dot("cost", [1, 2]),
        lambda: made.dot("cost", np.ones(ROWS)),
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


def test_damaged_tables_and_answers(tmp_path):
    path = tmp_path / "t"
    EncryptedTable.encrypt(path, {"a": [1, 2, 3]}, holder()[0], bounds={"a": 5})
    data, fates = path.read_bytes(), [0, 0]
    for number in range(600):
        at = int(RNG.integers(len(data) * 8)) if number % 2 else int(RNG.integers(400 * 8))
        broken = bytearray(data)
        broken[at // 8] ^= 1 << (at % 8)
        path.write_bytes(broken if number % 5 else data[: at // 8])
        try:
            found = holder()[1].read(EncryptedTable.open(path).sum("a"))
        except UserError:
            fates[0] += 1
        else:
            fates[1] += 1
            assert found == 6
    print(f"tables: {fates[0]} of 600 refused, {fates[1]} right")
    assert fates[1] == 0
    path.write_bytes(data)
    answer = EncryptedTable.open(path).sum("a").to_bytes()
    assert holder()[1].read(Answer.from_bytes(answer)) == 6
    for number in range(300):
        broken = bytearray(answer)
        at = int(RNG.integers(300 * 8))
        broken[at // 8] ^= 1 << (at % 8)
        if number % 3 == 0:
            broken = broken[: at // 8]
        with contextlib.suppress(UserError):  # and nothing else
            Answer.from_bytes(bytes(broken))


def test_a_table_is_never_overwritten(tmp_path):
    (tmp_path / "t").write_text("mine")
    with pytest.raises(UserError, match="never overwritten"):
        EncryptedTable.encrypt(tmp_path / "t", {"a": [1]}, holder()[0], bounds={"a": 5})
    assert (tmp_path / "t").read_text() == "mine"


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
