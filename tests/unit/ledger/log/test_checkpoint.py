"""Checkpoints: one way to write them, nothing in them may change, and a later one is never replaced by an earlier."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import threading
from pathlib import Path

import pytest

from pets.common import signing
from pets.errors import LedgerError, VerificationError
from pets.ledger.log.checkpoint import Checkpoint, dataset_id, newest, parse, publish, published_size

KEY = signing.ephemeral()
ONE = Checkpoint(
    "pets-ledger/0123456789abcdef",
    57,
    bytes(range(32)),
    bytes(reversed(range(32))),
    "2026-11-22T06:32:31.123+00:00",
    {dataset_id("stays"): (0, 5, 6, 7, 8)},
)


def test_its_text() -> None:
    assert ONE.text.splitlines() == [
        "pets-ledger/0123456789abcdef",
        "57",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "chain 1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100",
        "at 2026-11-22T06:32:31.123+00:00",
        'totals {"f54331e3e3d11dc7":[0,5,6,7,8]}'.replace("f54331e3e3d11dc7", dataset_id("stays")),
    ]


def test_the_signature_line_is_a_signed_note() -> None:
    text, empty, line = ONE.signed(KEY).rpartition("\n\n")
    mark, name, signature = line.removesuffix("\n").split(" ")
    raw = base64.b64decode(signature)
    assert (mark, name, empty, text + "\n") == ("—", ONE.origin, "\n\n", ONE.text)
    assert raw[:4] == hashlib.sha256(ONE.origin.encode() + b"\n\x01" + KEY.public.raw).digest()[:4]
    assert KEY.public.verifies(raw[4:], ONE.text.encode())


def as_before(one: Checkpoint, key: signing.SigningKey) -> str:
    """The note as earlier versions wrote it, with the id of the key alone."""
    raw = bytes.fromhex(key.public.id)[:4] + key.sign(one.text.encode())
    return f"{one.text}\n— {one.origin} {base64.b64encode(raw).decode()}\n"


def test_those_of_earlier_versions_are_read_for_ever() -> None:
    assert parse(as_before(ONE, KEY), KEY.public) == ONE
    with pytest.raises(VerificationError):
        parse(as_before(ONE, KEY).replace("\n57\n", "\n58\n"), KEY.public)
    # the ledger's key with somebody else's id signs nothing here
    raw = bytes(4) + KEY.sign(ONE.text.encode())
    with pytest.raises(VerificationError):
        parse(f"{ONE.text}\n— {ONE.origin} {base64.b64encode(raw).decode()}\n", KEY.public)


def test_a_note_that_others_signed_too_is_not_damaged(tmp_path: Path) -> None:
    other = f"— w.example/w1 {base64.b64encode(bytes(76)).decode()}\n"
    for note in (ONE.signed(KEY) + other, ONE.signed(KEY).replace("— ", other + "— "), as_before(ONE, KEY) + other):
        assert parse(note, KEY.public) == ONE
        publish(tmp_path / "l.checkpoint", note, ONE.size, KEY.public)
        assert newest(tmp_path / "l.checkpoint", KEY.public) is not None
        assert published_size(tmp_path / "l.checkpoint", KEY.public) == 57
    for wrong in (ONE.signed(KEY) + "x\n", ONE.signed(KEY) + other[:-2] + "\n", ONE.signed(KEY) + other * 101):
        with pytest.raises(VerificationError):
            parse(wrong, KEY.public)
    # one false signature in the ledger's own name spoils the note
    false = ONE.signed(KEY).rpartition("\n\n")[2]
    raw = bytearray(base64.b64decode(false.split(" ")[2]))
    raw[9] ^= 1
    with pytest.raises(VerificationError):
        parse(ONE.signed(KEY) + f"— {ONE.origin} {base64.b64encode(raw).decode()}\n", KEY.public)


def test_there_and_back() -> None:
    assert parse(ONE.signed(KEY), KEY.public) == ONE


def test_every_flipped_bit_is_found() -> None:
    raw = ONE.signed(KEY).encode()
    missed = 0
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        try:
            parse(bytes(flipped).decode(), KEY.public)
        except (VerificationError, UnicodeDecodeError):
            continue
        missed += 1
    assert missed == 0


@pytest.mark.parametrize(
    "edit",
    [
        lambda note: note + "\n",
        lambda note: note[:-1],
        lambda note: note.replace("\n57\n", "\n057\n"),
        lambda note: note.replace("\n57\n", "\n+57\n"),
        lambda note: note.replace("\n57\n", "\n-57\n"),
        lambda note: note.replace("\n57\n", "\n" + "9" * 5000 + "\n"),
        lambda note: note.replace("[0,5,6,7,8]", "[0,5,6,7, 8]"),
        lambda note: note.replace("chain 1f", "chain 1F"),
        lambda note: note.replace("Hh8=", "Hh9="),
        lambda note: note.replace("— ", "- "),
        lambda note: "",
        lambda note: "\n\n",
        lambda note: "[" * 100_000,
    ],
)
def test_another_way_to_write_it_is_refused(edit: object) -> None:
    with pytest.raises(VerificationError):
        parse(edit(ONE.signed(KEY)), KEY.public)  # type: ignore[operator]


def test_another_key_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed by this ledger's key"):
        parse(ONE.signed(signing.ephemeral()), KEY.public)


def test_a_later_one_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "l.checkpoint"
    assert published_size(path, KEY.public) == -1
    sizes = list(range(1, 41))
    notes = {size: dataclasses.replace(ONE, size=size).signed(KEY) for size in sizes}
    threads = [
        threading.Thread(target=lambda part=part: [publish(path, notes[size], size, KEY.public) for size in part])  # type: ignore[misc]
        for part in (sizes[::2], sizes[::-1], sizes[1::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert published_size(path, KEY.public) == 40
    publish(path, notes[3], 3, KEY.public)
    assert parse(path.read_text(), KEY.public).size == 40
    names = ["l.checkpoint", "l.checkpoint.lock", "l.checkpoint.previous"]
    assert {p.name for p in tmp_path.iterdir()} <= set(names)
    path.unlink()  # taken away: an older one does not stand for it
    assert newest(path, KEY.public) is None


MANY = {f"{n:016x}": (0, 10**6 + n, 0, 10**6 + n, 0) for n in range(200)}
"""Datasets whose totals fill many sectors."""


@pytest.mark.parametrize("totals", [ONE.totals, MANY], ids=["one sector", "many sectors"])
def test_what_a_power_loss_leaves_of_a_write(tmp_path: Path, totals: dict[str, tuple[int, ...]]) -> None:
    """Wherever the write was cut, one of two true checkpoints is found, and it is the old one only where it must be."""
    path = tmp_path / "l.checkpoint"
    old, new = (
        dataclasses.replace(ONE, size=size, root=bytes([size % 256]) * 32, totals=totals).signed(KEY).encode()
        for size in (57, 1057)
    )
    publish(path, old.decode(), 57, KEY.public)
    publish(path, new.decode(), 1057, KEY.public)
    assert (newest(path, KEY.public), published_size(path, KEY.public)) == (new, 1057)
    assert len(new) != len(old), "lengths differ, as they do when a number grows"
    for at in range(0, len(new), 512):
        for left in (new[:at] + old[at:], old[:at] + new[at:], new[:at], new[:at] + bytes(len(new) - at)):
            path.write_bytes(left)
            found = newest(path, KEY.public)
            if left in (new, old):
                assert found == left
            elif left == new[:at] and left:  # somebody shortened it: no write leaves that
                assert found == left
                with pytest.raises(VerificationError):
                    parse(found.decode(), KEY.public)
            else:
                assert found == old
    # the next one takes its place, and what was left of it is never kept beside it
    cut = new[:512] + old[512:] if len(new) > 512 else b""
    path.write_bytes(cut)
    assert published_size(path, KEY.public) == 57
    publish(path, new.decode(), 1057, KEY.public)
    assert (path.read_bytes(), path.with_name("l.checkpoint.previous").read_bytes()) == (new, old)
    path.write_bytes(new + bytes(700))  # killed before it was cut to its length
    assert newest(path, KEY.public) == new
    publish(path, old.decode(), 57, KEY.public)
    last = dataclasses.replace(ONE, size=1058, totals=totals).signed(KEY).encode()
    publish(path, last.decode(), 1058, KEY.public)
    assert newest(path, KEY.public) == last, "many datasets' totals are the same in both, sector by sector"
    assert published_size(path, KEY.public) == 1058


def test_a_changed_one_is_not_taken_for_one_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "l.checkpoint"
    for size in (57, 58):
        publish(path, dataclasses.replace(ONE, size=size, root=bytes([size]) * 32).signed(KEY), size, KEY.public)
    kept = path.read_bytes()
    for at in range(len(kept)):
        changed = kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :]
        path.write_bytes(changed)
        assert newest(path, KEY.public) == changed
        with pytest.raises(VerificationError):
            parse(changed.decode("utf-8", "replace"), KEY.public)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be written"):
        publish(tmp_path / "no" / "l.checkpoint", ONE.signed(KEY), 57, KEY.public)
