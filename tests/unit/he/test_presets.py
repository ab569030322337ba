"""The ledgers of encrypted columns at their limits: what SEAL measures, what is exact, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pets import he
from pets.errors import QueryError
from pets.he.presets import MARGIN_BITS, PRESETS, max_products, max_weight
from pets.he.tables.columns import packed
from pets.he.tables.table import EncryptedTable
from pets.he.tables.tablefile import Column, Layout
from pets.he.tenseal_engine import _POLY, scheme
from tests.he_parties import holder

DOT, ROW = PRESETS["dot50"], PRESETS["row42"]


class Pooled:
    """A table's file of any size whose chunks come from a few, over and over, so that it need not be written."""

    digest = "0" * 64

    def __init__(self, public, secret, most, rows, value=None, pool=1):
        self.layout = Layout(public.id, DOT, rows, (Column("v", "value", most),))
        self.secret = secret
        engine = scheme(DOT.chain, DOT.plain[0])
        encrypt = engine.encryptor(public.of(DOT.chain))
        few = Layout(public.id, DOT, DOT.degree, self.layout.columns)
        values = [most if value is None else value] * DOT.degree
        self.pool = [engine.transformed(encrypt(packed(few.columns[0], values, 0, few))) for _ in range(pool)]

    def chunk(self, column, place):
        return self.pool[place % len(self.pool)]


def pooled(most, rows, **more):
    return EncryptedTable(Pooled(*holder(), most, rows, **more))


def budget(secret, answer):
    """The least noise budget that SEAL measures in an answer's ciphertexts."""
    sealapi = pytest.importorskip("tenseal.sealapi")
    preset = answer.preset
    engine = scheme(preset.chain, preset.plain[0])
    array = secret.reveal(preset.chain)
    parts = [_POLY.pack(engine._key_id, array.size, 1.0), *engine._array(array)]
    key = engine._pipe.load(sealapi.SecretKey(), engine._context, parts)
    measure = sealapi.Decryptor(engine._context, key)
    return min(measure.invariant_noise_budget(engine._ciphertext(part.residues)) for part in answer.parts)


def most_chunks():
    """Chunks of the longest table that ``sum`` allows, by noise alone."""
    return math.floor((max_weight(DOT) / DOT.degree) ** 2)


def test_a_sum_at_both_limits():
    """As noisy as the longest table's, at the greatest range. A pool of m ciphertexts added k times each has k·√m
    times the noise of one, so 64 of them stand for the longest table's √chunks in far fewer chunks."""
    pool = 64
    again = math.floor(math.sqrt(most_chunks() / pool))
    assert again >= 1 and again * math.sqrt(pool) > 0.9 * math.sqrt(most_chunks())
    rows = again * pool * DOT.degree
    most = DOT.reach // rows
    assert most * rows > 0.99 * DOT.reach
    for value in (most, -most):
        made = pooled(most, rows, value=value, pool=pool)
        answer = made.sum("v")
        assert holder()[1].read(answer) == value * rows
        assert budget(holder()[1], answer) >= MARGIN_BITS


def test_a_score_at_both_limits(tmp_path):
    """Σ|w| as great as the noise ledger allows, values as great as the range does; and with the other set."""
    heavy = math.floor(max_weight(DOT)) - 1
    most = (DOT.reach - 1) // (heavy + 1)
    for sign in (1, -1):
        path = tmp_path / f"dot{sign}"
        columns = {"a": [sign * most] * 3, "b": [most, -most, 0]}
        made = EncryptedTable.encrypt(path, columns, holder()[0], bounds={"a": most, "b": most})
        answer = made.score({"a": heavy, "b": 1}, sign)
        wanted = [sign * most * heavy + b + sign for b in columns["b"]]
        assert max(map(abs, wanted)) == most * (heavy + 1) + 1
        assert holder()[1].read(answer) == wanted
        assert budget(holder()[1], answer) >= MARGIN_BITS
    with pytest.raises(QueryError, match="too great for the noise"):
        pooled(1, 10).score({"v": heavy + 2})
    public, secret = he.keygen(products=True)
    most = 5
    heavy = ROW.reach // most
    columns, masks = {"a": [most, -most]}, {"m": [True, False]}
    made = EncryptedTable.encrypt(tmp_path / "row", columns, public, bounds={"a": most}, masks=masks)
    answer = made.score({"a": heavy})
    assert secret.read(answer) == [most * heavy, -most * heavy]
    assert budget(secret, answer) >= MARGIN_BITS
    assert heavy < max_weight(ROW)  # so that there the range always refuses first


def test_a_dot_product_at_both_limits():
    chunks = 3
    rows = chunks * DOT.degree
    weight = math.floor(max_weight(DOT) / DOT.degree / math.sqrt(chunks))
    most = DOT.reach // (weight * rows)
    made = pooled(most, rows, pool=chunks)
    weights = np.full(rows, weight)
    assert made._noise_of(weights) <= max_weight(DOT) < made._noise_of(weights + 1)
    answer = made.dot("v", weights)
    assert len(answer.parts) == 1 and holder()[1].read(answer) == most * weight * rows > 0.9 * DOT.reach
    assert budget(holder()[1], answer) >= MARGIN_BITS
    with pytest.raises(QueryError, match="the answer could pass"):
        pooled(2 * most, rows).dot("v", weights)


def test_products_leave_far_more_room(tmp_path):
    """As many products in one ciphertext as the ledger allows (its bound is a worst case; SEAL's are far better)."""
    public, secret = he.keygen(products=True)
    rows = max_products(ROW) * ROW.degree
    most = ROW.reach // rows
    path, every = tmp_path / "t", np.ones(rows, dtype=bool)
    made = EncryptedTable.encrypt(
        path, {"v": np.full(rows, -most)}, public, bounds={"v": most}, masks={"m": every}, progress=False
    )
    answer = made.masked_sum("v", "m")
    assert len(answer.parts) == 1 and secret.read(answer) == -most * rows
    assert budget(secret, answer) > 40


def test_too_many_rows():
    """Refused before a chunk is read: these tables have none."""
    made = pooled(1, (most_chunks() + 1) * DOT.degree, pool=0)
    with pytest.raises(QueryError, match="too many rows for one sum"):
        made.sum("v")
    chunks = math.floor((max_weight(DOT) / (8 * DOT.degree)) ** 2) + 1
    made = pooled(1, chunks * DOT.degree, pool=0)
    with pytest.raises(QueryError, match="too many rows for one dot product"):
        made.dot("v", np.full(made.rows, -8 - 8 * 16))


def test_noise_that_no_check_of_the_answer_sees(monkeypatch):
    """Why the ledger is asked first: a few times past it, some coefficients are wrong, by little, and within range."""
    weight = math.floor(max_weight(DOT)) * 64
    rows = DOT.degree
    made = pooled(2, rows, value=1)
    with pytest.raises(QueryError, match="too great for the noise"):
        made.score({"v": weight})
    monkeypatch.setattr("pets.he.tables.table.max_weight", lambda preset: math.inf)
    found = np.array(holder()[1].read(made.score({"v": weight}, 1)))
    wrong = np.flatnonzero(found != weight + 1)
    print(f"{wrong.size} of {rows} wrong, at most by {int(np.abs(found - weight - 1).max())}")
    assert 0 < wrong.size < rows and int(np.abs(found - weight - 1).max()) < 10


def test_what_could_wrap_round_is_refused(tmp_path):
    """Every computation: one more than the modulus holds, by the bounds alone."""
    public, _ = he.keygen(products=True)
    for preset, masks in ((DOT, {}), (ROW, {"m": [True] * 3})):
        high = preset.reach // 2
        made = EncryptedTable.encrypt(
            tmp_path / preset.name,
            {"v": [0] * 3, "small": [0] * 3},
            public,
            bounds={"v": high, "small": math.isqrt(preset.reach)},
            squares=["small"],
            masks=masks,
        )
        asks = [
            lambda made=made: made.sum("v"),
            lambda made=made: made.mean("v"),
            lambda made=made: made.variance("small"),
            lambda made=made: made.dot("v", [1, 1, -1]),
            lambda made=made: made.group_sums("v", [7, 7, 7]),
            lambda made=made: made.score({"v": 2, "small": -1}, 0),
            lambda made=made: made.score({"v": 2}, 2),
        ]
        asks += [lambda made=made: made.masked_sum("v", "m")] if masks else []
        for ask in asks:
            with pytest.raises(QueryError, match="the answer could pass"):
                ask()
        made.dot("v", [1, 0, -1])
        made.score({"v": 2}, preset.reach - 2 * high)
