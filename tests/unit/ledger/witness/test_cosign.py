"""A log asks witnesses: the dead, the slow and those that saw more; and what is proved of what they signed."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pets.errors import UserError, VerificationError
from pets.ledger.ledger import Ledger
from pets.ledger.log import verifier
from pets.ledger.log.checkpoint import parse
from pets.ledger.witness import cosign
from pets.ledger.witness.server import serving
from pets.ledger.witness.witness import Witness
from pets.verify.witness import Unwitnessed, proven, rules, signed_at
from tests.ledgers import account, ask, request


@contextlib.contextmanager
def at_work(witness: Witness) -> Iterator[str]:
    """Its address while it serves."""
    with serving(witness) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as made:
        asker = account(made)
        for number in range(4):
            ask(asker, request(f"q{number}"))
        yield made


def witnesses(folder: Path, ledger: Ledger, count: int) -> list[Witness]:
    made = [Witness.open(folder / f"w{number}", f"w.example/w{number}") for number in range(count)]
    for one in made:
        one.trust(str(cosign.log_key(ledger)))
    return made


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A server that takes a connection and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_two_of_three_are_a_quorum_and_the_dead_are_named(ledger: Ledger, tmp_path: Path) -> None:
    made = witnesses(tmp_path, ledger, 3)
    names = [f"witness W{number} {one.key}" for number, one in enumerate(made)]
    lines = [f"log {cosign.log_key(ledger)}", *names, "group g 2 W0 W1 W2", "quorum g"]
    policy = rules("\n".join(lines))
    with at_work(made[0]) as first, at_work(made[1]) as second, silent() as dead:
        log = cosign.head(ledger)
        alive = cosign.cosign(log, [first, second], 60)
        found = cosign.cosign(cosign.Head(alive.note, log.leaves), [dead, "http://127.0.0.1:1", "ftp://x"], 0.2)
        assert set(policy.check(found.note)) == {"W0", "W1"} and not alive.failed
        assert set(found.failed) == {dead, "http://127.0.0.1:1", "ftp://x"}
        assert parse(found.note, ledger.key).size == found.size
        ask(account(ledger, milli=None), request("more"))  # no answer waited for anybody
        later = cosign.cosign(cosign.head(ledger), [first], 60)
        assert later.size > found.size and not later.failed
        with pytest.raises(Unwitnessed, match=r"more witnesses than signed the checkpoint \(W0\)"):
            policy.check(later.note)
    assert made[2].seen == {}


def test_a_witness_that_saw_more_shows_that_entries_were_lost(ledger: Ledger, tmp_path: Path) -> None:
    (witness,) = witnesses(tmp_path, ledger, 1)
    before = cosign.head(ledger)
    ask(account(ledger, milli=None), request("more"))
    with at_work(witness) as url:
        assert not cosign.cosign(cosign.head(ledger), [url], 60).failed
        found = cosign.cosign(before, [url], 60)  # a ledger that was put back
    assert "entries were lost or cut off" in found.failed[url]
    assert signed_at(found.note, witness.key) is None


def test_what_a_witness_may_not_send(ledger: Ledger) -> None:
    note = cosign.head(ledger).note
    for lines in ("x\n", "— a b\n", f"{note}", "\n\n— w AAAAAAAA\n", "— w AAAAAAAA"):
        with pytest.raises(UserError, match="no signature"):
            cosign.joined(note, lines)
    once = cosign.joined(note, "— w AAAAAAAA\n")
    assert cosign.joined(once, "— w AAAAAAAA\n") == once


def test_a_proof_covers_an_entry(ledger: Ledger, tmp_path: Path) -> None:
    (witness,) = witnesses(tmp_path, ledger, 1)
    with at_work(witness) as url:
        found = cosign.cosign(cosign.head(ledger), [url], 60)
    ask(account(ledger, milli=None), request("later"))
    with ledger.reading() as tx:
        bodies = [body for body, _, _ in tx.entries()]
    for seq in range(found.size):
        assert proven(cosign.proof(ledger, seq, found.note), bodies[seq]) == (seq, found.note)
    with pytest.raises(UserError, match="get one signed that does"):
        cosign.proof(ledger, found.size, found.note)
    (tmp_path / "other").mkdir()
    with Ledger(tmp_path / "other" / "ledger.db") as other, pytest.raises(VerificationError):
        cosign.proof(other, 0, found.note)


def test_a_certificate_is_genuine_with_the_new_id(ledger: Ledger) -> None:
    sealed = ask(account(ledger, milli=None), request("new"))[0]
    payload = json.loads(sealed.certificate)
    assert payload["signatures"][0]["keyid"] == ledger.key.id
    with ledger.reading() as tx:
        note = ledger.checkpoint(tx)
    assert signed_at(note, cosign.log_key(ledger)) == 0
    assert verifier.canonical(payload) == sealed.certificate


def test_a_server_answers_nothing_but_its_one_door(ledger: Ledger, tmp_path: Path) -> None:
    (witness,) = witnesses(tmp_path, ledger, 1)

    def said(url: str, raw: bytes) -> bytes:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 60) as line:
            line.sendall(raw)
            return b"".join(iter(lambda: line.recv(65536), b""))

    with at_work(witness) as url:
        for raw, status in (
            (b"GET / HTTP/1.0\r\n\r\n", b" 501 "),
            (b"POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n", b" 404 "),
            (b"POST /add-checkpoint HTTP/1.0\r\n\r\n", b" 411 "),
            (b"POST /add-checkpoint HTTP/1.0\r\nContent-Length: 9999999999\r\n\r\n", b" 413 "),
            (b"POST /add-checkpoint HTTP/1.0\r\nContent-Length: 2\r\n\r\n\xff\xff", b" 400 "),
            (b"POST /add-checkpoint HTTP/1.0\r\nContent-Length: 2\r\n\r\nxx", b" 400 "),
        ):
            assert status in said(url, raw).split(b"\r\n")[0], raw
        (witness.folder / "seen.json").write_text("{")
        body = str(cosign.head(ledger).enquiry(0)).encode()
        reply = said(url, b"POST /add-checkpoint HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        assert b" 500 " in reply.split(b"\r\n")[0] and b"cannot keep what it saw" in reply
    with pytest.raises(UserError, match="cannot listen"), serving(witness, "256.0.0.1", 1):
        pass
