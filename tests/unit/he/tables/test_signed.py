"""Tables that somebody changed on purpose: what their owner's signature shows, and what passes without one."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from pets import he
from pets.errors import UserError
from pets.he.ciphertext_bytes import pack
from pets.he.presets import PRESETS
from pets.he.tables.columns import packed
from pets.he.tables.table import EncryptedTable
from pets.he.tables.tablefile import Chunks, Column, Layout
from pets.he.tenseal_engine import scheme
from tests.he_parties import holder


def read(answer):
    return holder()[1].read(answer)


def remade(path, chunk=None, header=None):
    """The table's file with its first chunk, or its header, exchanged, and digests that fit."""
    data, made = path.read_bytes(), Chunks(path)
    start, size = made._start, made.layout.chunk_size
    count = len(made.layout.columns) * made.layout.chunks
    head = made.layout.header() if header is None else header(made.layout).header()
    body = data[start : start + count * size]
    if chunk is not None:
        body = chunk + body[size:]
    listed = b"".join(hashlib.sha256(body[i * size : (i + 1) * size]).digest() for i in range(count))
    seal = hashlib.sha256(head + listed).digest()
    signature = data[len(data) - 64 :] if made.layout.owner else b""
    path.write_bytes(b"pets col" + len(head).to_bytes(4, "little") + head + body + listed + seal + signature)


def bytes_of(values, public, most):
    """An encrypted chunk as it lies in a file, under any key."""
    preset = PRESETS["dot50"]
    engine = scheme(preset.chain, preset.plain[0])
    few = Layout("k", preset, len(values), (Column("v", "value", most),))
    encrypted = engine.encryptor(public.of(preset.chain))(packed(few.columns[0], values, 0, few))
    return pack(engine.transformed(encrypted), preset.chain.kept)


def lower(layout):
    return dataclasses.replace(layout, columns=tuple(dataclasses.replace(c, most=1) for c in layout.columns))


def test_owners_sign_tables(tmp_path):
    """With the owner's public key, chunks, keys and bounds that were exchanged are noticed; so is another signer."""
    public, north, south, path = holder()[0], he.partykey("north"), he.partykey("south"), tmp_path / "t"
    made = EncryptedTable.encrypt(path, {"v": [1, 2, 3]}, public, bounds={"v": 5}, owner=north)
    whole = path.read_bytes()
    assert read(EncryptedTable.open(path, owner=north.public).sum("v")) == 6
    assert EncryptedTable.open(path).digest == made.digest
    with pytest.raises(UserError, match="was not signed by 'south'"):
        EncryptedTable.open(path, owner=south.public)
    for changes in (
        {"chunk": bytes_of([5, 5, 5], public, 5)},
        {"chunk": bytes_of([1, 2, 3], he.keygen()[0], 5)},
        {"header": lower},
        {"header": lambda layout: dataclasses.replace(layout, key_id="0" * 64)},
        {"header": lambda layout: dataclasses.replace(layout, rows=2)},
    ):
        path.write_bytes(whole)
        remade(path, **changes)
        for owner in (north.public, None):  # a signature is checked whoever opens
            with pytest.raises(UserError, match="damaged"):
                EncryptedTable.open(path, owner=owner)
    path.write_bytes(whole)
    for at in range(len(whole) - 64, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(UserError, match="damaged"):
            EncryptedTable.open(path)
    plain = tmp_path / "plain"
    EncryptedTable.encrypt(plain, {"v": [1]}, public, bounds={"v": 5})
    with pytest.raises(UserError, match="was not signed by 'north'"):
        EncryptedTable.open(plain, owner=north.public)


def test_what_is_not_noticed_without_a_signature(tmp_path):
    """As docs/guarantees.md says: a chunk of the same key passes; one of another key, and a wrap, miss the range."""
    public, path = holder()[0], tmp_path / "t"
    made = EncryptedTable.encrypt(path, {"v": [1, 2, 3]}, public, bounds={"v": 5})
    whole = path.read_bytes()
    remade(path, chunk=bytes_of([5, 5, 5], public, 5))
    swapped = EncryptedTable.open(path)
    assert read(swapped.sum("v")) == 15 and swapped.digest != made.digest  # the digest is all that tells
    path.write_bytes(whole)
    remade(path, chunk=bytes_of([1, 2, 3], he.keygen()[0], 5))
    with pytest.raises(UserError, match="outside its proved range"):
        read(EncryptedTable.open(path).sum("v"))
    great = PRESETS["dot50"].reach
    high = tmp_path / "high"
    EncryptedTable.encrypt(high, {"v": [great, great, great]}, public, bounds={"v": great})
    with pytest.raises(UserError, match="the answer could pass"):
        EncryptedTable.open(high).sum("v")
    remade(high, header=lower)
    with pytest.raises(UserError, match="outside its proved range"):  # 3·reach wraps round; its range is now ±3
        read(EncryptedTable.open(high).sum("v"))


def test_chunks_outside_their_primes_are_refused(tmp_path):
    path = tmp_path / "t"
    EncryptedTable.encrypt(path, {"v": [1]}, holder()[0], bounds={"v": 5})
    remade(path, chunk=b"\xff" * Chunks(path).layout.chunk_size)
    with pytest.raises(UserError, match="the encrypted table holds numbers outside their range"):
        EncryptedTable.open(path).sum("v")
