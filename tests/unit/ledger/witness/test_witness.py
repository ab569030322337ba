"""A witness: it signs what only grows, stores it first, and never signs two logs of one name and size."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest

from pets.common import signing
from pets.errors import UserError
from pets.ledger.log.merkle import consistency_path, leaf_hash, root
from pets.ledger.witness.witness import Enquiry, Witness
from pets.verify.witness import LOG, Key, key, signed_at

LOGS = signing.from_seed(b"l" * 32)
OF = Key("log.example", LOG, LOGS.public.raw)
BODIES = [bytes([number]) for number in range(40)]
FORK = [*BODIES[:5], b"another", *BODIES[6:]]


def note(size: int, bodies: list[bytes] = BODIES, of: Key = OF, by: signing.SigningKey = LOGS) -> str:
    text = f"{of.name}\n{size}\n{base64.b64encode(root(bodies[:size])).decode()}\nchain 00\n"
    return f"{text}\n— {of.name} {base64.b64encode(of.id + by.sign(text.encode())).decode()}\n"


def asked(old: int, size: int, bodies: list[bytes] = BODIES) -> str:
    return str(Enquiry(old, consistency_path(old, [leaf_hash(body) for body in bodies[:size]]), note(size, bodies)))


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    made = Witness.open(tmp_path / "w", "w.example/w1")
    made.trust(str(OF))
    return made


def test_it_signs_what_grows(witness: Witness) -> None:
    for old, size in ((0, 3), (3, 3), (3, 17), (17, 40)):
        reply = witness.add_checkpoint(asked(old, size))
        assert reply.status == 200
        assert signed_at(note(size) + reply.body, witness.key)
    assert witness.seen == {"log.example": [40, base64.b64encode(root(BODIES)).decode()]}


def test_it_says_what_it_saw_to_who_asks_from_elsewhere(witness: Witness) -> None:
    witness.add_checkpoint(asked(0, 7))
    for old, size in ((0, 20), (3, 20), (8, 20), (0, 7)):
        reply = witness.add_checkpoint(asked(old, size))
        assert (reply.status, reply.body, reply.kind) == (409, "7\n", "text/x.tlog.size")


def test_a_split_view_and_a_cut_end_get_no_signature(witness: Witness) -> None:
    assert witness.add_checkpoint(asked(0, 9)).status == 200
    assert witness.add_checkpoint(asked(9, 9, FORK)).status == 409
    assert witness.add_checkpoint(asked(9, 20, FORK)).status == 422
    assert witness.add_checkpoint(asked(5, 20, FORK)).status == 409  # (a true proof, from another size)
    cut = str(Enquiry(9, (), note(4)))
    assert witness.add_checkpoint(cut).status == 400
    assert witness.add_checkpoint(asked(4, 4)).status == 409
    proof = str(Enquiry(9, consistency_path(8, [leaf_hash(body) for body in BODIES]), note(40)))
    assert witness.add_checkpoint(proof).status == 422
    assert witness.seen["log.example"][0] == 9
    assert witness.add_checkpoint(asked(9, 20)).status == 200


def test_unknown_logs_and_false_signatures(witness: Witness, tmp_path: Path) -> None:
    other = signing.from_seed(b"o" * 32)
    assert witness.add_checkpoint(f"old 0\n\n{note(3, of=Key('other.example', LOG, other.public.raw))}").status == 404
    assert witness.add_checkpoint(f"old 0\n\n{note(3, by=other)}").status == 403
    foreign = note(3, of=Key(OF.name, LOG, other.public.raw), by=other)  # the name alone is no log
    assert witness.add_checkpoint(f"old 0\n\n{foreign}").status == 403
    assert witness.seen == {}
    with pytest.raises(UserError, match="known by another key"):
        witness.trust(str(Key(OF.name, LOG, other.public.raw)))
    with pytest.raises(UserError, match="pets log key"):
        witness.trust("nothing")
    with pytest.raises(UserError, match="no log's key"):
        witness.trust(str(witness.key))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 0",
        "old 0\n\n",
        note(3),
        f"old 00\n\n{note(3)}",
        f"old -1\n\n{note(3)}",
        f"old 0\nAAAA\n\n{note(3)}",
        f"old 0\n!\n\n{note(3)}",
        f"old 0\n{'A' * 43}=\n" * 70 + f"\n{note(3)}",
        f"old 0\n\n{note(3)}".replace("\n3\n", "\n03\n"),
        f"old 0\n\n{note(3)}".replace("\n3\n", "\nx\n"),
        f"old 0\n\n{note(3)}x",
        f"old 0 \n\n{note(3)}",
    ],
)
def test_what_is_no_request(witness: Witness, text: str) -> None:
    assert witness.add_checkpoint(text).status in (400, 403)
    assert witness.seen == {}


def test_what_it_saw_is_stored_before_it_signs(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    def power_loss(self: Witness, body: str) -> str:
        raise RuntimeError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Witness, "_signed", power_loss)
        with pytest.raises(RuntimeError):
            witness.add_checkpoint(asked(0, 9))
    again = Witness(witness.folder)
    assert again.seen["log.example"][0] == 9
    assert again.add_checkpoint(asked(9, 9, FORK)).status == 409
    assert again.add_checkpoint(asked(9, 9)).status == 200


def test_what_it_saw_cannot_be_lost_unseen(witness: Witness) -> None:
    witness.add_checkpoint(asked(0, 9))
    (witness.folder / "seen.json").write_text("{")
    with pytest.raises(UserError, match="nothing is signed without it"):
        witness.add_checkpoint(asked(0, 9))


def test_many_at_once_sign_one_history(witness: Witness) -> None:
    """Two versions of one log race: what is signed of any size is one of them alone."""
    signed: list[tuple[int, bool]] = []

    def push(bodies: list[bytes]) -> None:
        mine = Witness(witness.folder)
        for size in range(6, 40):
            old = mine.seen.get("log.example", [0])[0]
            if old <= size and mine.add_checkpoint(asked(old, size, bodies)).status == 200:
                signed.append((size, bodies is FORK))

    threads = [threading.Thread(target=push, args=(bodies,)) for bodies in (BODIES, FORK, BODIES, FORK)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert signed and len({fork for _, fork in signed}) == 1


def test_it_is_made_once_and_opened_again(witness: Witness, tmp_path: Path) -> None:
    assert key(str(witness.key)) == witness.key
    again = Witness(witness.folder)
    assert (again.name, again.logs, again.key) == (witness.name, [OF], witness.key)
    assert oct((witness.folder / "witness.key").stat().st_mode)[-3:] == "600"
    for name in ("", "a b", "a+b", "x" * 201, 7):
        with pytest.raises(UserError, match="no spaces"):
            Witness.open(tmp_path / "other", name)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="already"):
        Witness.open(witness.folder, "w.example/w2")
    with pytest.raises(UserError, match="pets witness open"):
        Witness(tmp_path / "none")
    (witness.folder / "witness.json").write_text("[]")
    with pytest.raises(UserError, match="edited"):
        Witness(witness.folder)
