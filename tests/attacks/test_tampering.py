"""Tampering: whatever is changed in an exported log, or in the database behind one, is found."""

from __future__ import annotations

import io
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pets.cli import main
from pets.errors import VerificationError
from pets.ledger.publish import export
from pets.ledger.publish.export import verify_stream
from tests.logs import write_log
from tests.sample_ledger import eventful

ENTRIES = 100


@pytest.fixture(scope="module", params=["full", "public"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("log") / "a.log"
    write_log(path, ENTRIES, public=request.param == "public")
    return path.read_bytes()


def found(data: bytes) -> bool:
    """Whether a verifier refuses it, in one sentence."""
    try:
        verify_stream(io.BytesIO(data), progress=False)
    except VerificationError as error:
        assert str(error) and "\n" not in str(error) and len(str(error)) < 300
        return True
    return False


def flipped(data: bytes) -> list[bytes]:
    out = []
    for place in range(len(data) * 8):
        new = bytearray(data)
        new[place // 8] ^= 1 << place % 8
        out.append(bytes(new))
    return out


def test_every_flipped_bit_is_found(log: bytes) -> None:
    """All of them: in the header and at line ends by verifying the whole file, else as the verifier meets the line."""
    assert not found(log)
    first, *lines = log.removesuffix(b"\n").split(b"\n")
    assert len(lines) == ENTRIES
    rest = b"".join(line + b"\n" for line in lines)
    tried = missed = 0
    for new in flipped(first + b"\n"):
        tried += 1
        missed += not found(new + rest)
    start = len(first) + 1
    reading = export.Reading(*export._header(first + b"\n"), [])
    for line in lines:
        for new in flipped(line + b"\n"):
            tried += 1
            if new.count(b"\n") != 1 or not new.endswith(b"\n"):
                missed += not found(log[:start] + new + log[start + len(new) :])
                continue
            try:
                reading.take([new[:-1]])
            except VerificationError:
                continue
            missed += 1
            break
        reading.take([line])  # the refused lines left nothing behind
        start += len(line) + 1
    reading.end()
    assert (tried, missed) == (len(log) * 8, 0)


def _flip(data: bytes, chance: random.Random) -> bytes:
    new = bytearray(data)
    new[chance.randrange(len(new))] ^= 1 << chance.randrange(8)
    return bytes(new)


def _drop(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.choice([1, 2, 7, 64, 500]) :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice([b" ", b"\t", b"\n", b"\r", b"0", b"\x00", b"{}", chance.randbytes(9)]) + data[at:]


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _lines(edit: Callable[[list[bytes], random.Random], None]) -> Callable[[bytes, random.Random], bytes]:
    def edited(data: bytes, chance: random.Random) -> bytes:
        lines = data.splitlines(keepends=True)
        edit(lines, chance)
        return b"".join(lines)

    return edited


def _drop_line(lines: list[bytes], chance: random.Random) -> None:
    del lines[chance.randrange(len(lines))]


def _swap_lines(lines: list[bytes], chance: random.Random) -> None:
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]


def _repeat_line(lines: list[bytes], chance: random.Random) -> None:
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))


def _replace_line(lines: list[bytes], chance: random.Random) -> None:
    one, other = chance.sample(range(len(lines)), 2)
    lines[one] = lines[other]


def _cut_lines(lines: list[bytes], chance: random.Random) -> None:
    del lines[chance.randrange(len(lines)) :]


def _swap_parts(lines: list[bytes], chance: random.Random) -> None:
    one, other = chance.sample(range(1, len(lines)), 2)
    mine, theirs = lines[one][:-1].split(b"\t"), lines[other][:-1].split(b"\t")
    part = chance.randrange(len(mine))
    mine[part], theirs[part] = theirs[part], mine[part]
    lines[one], lines[other] = b"\t".join(mine) + b"\n", b"\t".join(theirs) + b"\n"


EDITS = {
    "flip a bit": _flip,
    "drop bytes": _drop,
    "insert bytes": _insert,
    "truncate": _truncate,
    "drop a line": _lines(_drop_line),
    "swap lines": _lines(_swap_lines),
    "repeat a line": _lines(_repeat_line),
    "replace a line": _lines(_replace_line),
    "cut lines off": _lines(_cut_lines),
    "swap parts of lines": _lines(_swap_parts),
}


def test_ten_thousand_random_edits_are_found(log: bytes) -> None:
    chance = random.Random(7)
    caught: Counter[str] = Counter()
    for number in range(5000):  # in each of the two views
        name = list(EDITS)[number % len(EDITS)]
        edited = EDITS[name](log, chance)
        while edited == log:
            edited = EDITS[name](log, chance)
        caught[name] += found(edited)
    assert caught == dict.fromkeys(EDITS, 5000 // len(EDITS))


@pytest.mark.chance(0)  # it starts Python, which draws nothing that is looked at
def test_two_processes_find_what_one_finds(log: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Long logs are looked at by two; neither sees all that is checked."""
    monkeypatch.setattr(export, "_MANY", 10)
    path = tmp_path / "a.log"

    def by_two(data: bytes) -> export.Verified | None:
        path.write_bytes(data)
        try:
            with path.open("rb") as handle:
                return export._by_two(handle, None, [], False)
        except (VerificationError, ValueError, OSError):
            return None

    alone = verify_stream(io.BytesIO(log), progress=False)
    assert by_two(log) == alone == export.verify(path, progress=False)
    lines, edits = log.splitlines(keepends=True), []
    chance = random.Random(8)
    for name, edit in EDITS.items():
        edits += [(name, new) for _ in range(4) if (new := edit(log, chance)) != log]
    for number in (1, 2, 50, ENTRIES):
        parts = lines[number].split(b"\t")
        for at in range(len(parts)):  # the private part too: one of the two hashes it
            new = [*parts]
            new[at] = new[at].replace(b"5", b"6") if at else new[at].translate(bytes.maketrans(b"0a", b"a0"))
            if new != parts:
                edits.append((f"part {at}", b"".join([*lines[:number], b"\t".join(new), *lines[number + 1 :]])))
    edits += [("more", log + lines[-1]), ("less", b"".join(lines[:-1]))]
    assert len(edits) >= 45
    assert [name for name, data in edits if by_two(data) is not None or not found(data)] == []
    with pytest.raises(VerificationError, match=f"entry {ENTRIES - 1} was altered"):
        path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b"p", b"q")]))
        export.verify(path)


def test_a_log_cut_off_at_an_earlier_checkpoint_is_found_with_a_later_one_alone(tmp_path: Path) -> None:
    past = eventful(tmp_path / "ledger.db")
    account = past.account("national audit", "m.silva")
    early, late = tmp_path / "early.log", tmp_path / "late.log"
    export.write(past.ledger, early)
    past.release(account, "count", 0.1, "s2")
    export.write(past.ledger, late)
    with past.ledger.reading() as tx:
        kept = past.ledger.checkpoint(tx)
    lines, first = late.read_bytes().splitlines(keepends=True), early.read_bytes().splitlines(keepends=True)
    cut = first[:1] + lines[1 : len(first)]
    assert b"".join(cut) == early.read_bytes()
    assert not found(b"".join(cut))  # whole, as far as the file itself can tell: this is what the manual warns of
    with pytest.raises(VerificationError, match="entries were cut off"):
        export.verify(early, checkpoints=[kept])
    assert export.verify(late, checkpoints=[kept]).outside == (len(lines) - 1,)


# the database ------------------------------------------------------------------------------------------------------


def edited(path: Path, *statements: str) -> None:
    """A determined hand: the triggers are taken away first."""
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
    connection.close()


def test_the_log_is_append_only_to_a_careless_hand(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    eventful(path).ledger.close()
    with sqlite3.connect(path) as connection:
        for statement in (
            "UPDATE pets_log SET body = x'00' WHERE seq = 3",
            "UPDATE pets_log SET private = x'00'",
            "UPDATE OR REPLACE pets_log SET seq = 999 WHERE seq = 3",
            "DELETE FROM pets_log WHERE seq = 3",
            "DELETE FROM pets_log",
        ):
            with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE pets_log SET body = CAST(replace(body, '\"loss\":', '\"loss\":1') AS BLOB) WHERE seq = 5", "entry 5 "),
        ("UPDATE pets_log SET body = CAST(body || ' ' AS BLOB) WHERE seq = 5", "entry 5 "),
        ("UPDATE pets_log SET body = CAST(body || x'0A' AS BLOB) WHERE seq = 5", "entry 5 "),
        ("UPDATE pets_log SET private = CAST(replace(private, 'salt', 'malt') AS BLOB) WHERE seq = 5", "entry 5 "),
        ("UPDATE pets_log SET hash = zeroblob(32) WHERE seq = 5", "entry 5 "),
        ("DELETE FROM pets_log WHERE seq = 5", "entry 5 "),
        ("UPDATE pets_log SET private = x'00' WHERE seq = 0", "entry 0 "),
    ],
)
def test_an_edited_row_is_found_in_a_fresh_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], statement: str, said: str
) -> None:
    path, log = tmp_path / "ledger.db", tmp_path / "a.log"
    eventful(path).ledger.close()
    edited(path, statement)
    assert main.run(["log", "export", "--ledger", str(path), "--out", str(log)]) == 0
    assert main.run(["log", "verify", str(log), "--key", f"{path}.pub"]) == VerificationError.exit_code
    assert said in capsys.readouterr().err


def test_a_rewritten_account_is_found_in_a_fresh_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Less spent in the tables than in the log: the checkpoint that is signed then tells another account."""
    path, log = tmp_path / "ledger.db", tmp_path / "a.log"
    past = eventful(path)
    edited(path, "UPDATE pets_scopes SET spent_loss = 0 WHERE project = ''")
    export.write(past.ledger, log)
    assert main.run(["log", "verify", str(log)]) == VerificationError.exit_code
    assert "tells another account than the entries lead to" in capsys.readouterr().err
