"""Signed notes, cosignatures, policies and proofs: published vectors, and everything that is nearly one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

import pytest

from pets.common import signing
from pets.ledger.log.merkle import inclusion_path, leaf_hash, root
from pets.verify.witness import LOG, WITNESS, Key, Unwitnessed, key, message, parts, proven, rules, signed_at

# golang.org/x/mod/sumdb/note, note_test.go (BSD-3-Clause)
PETER, ENOCH = (
    key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
    key("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"),
)
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

# a witness of Google's Android log (a public example of transparency-dev/formats)
WITNESSED = (
    "developers.google.com/android/binary_transparency/google1p/0\n5\nxqaCEZhTGZUuKNA7MpSyxe1WXiiESB2p+crAyzM+Vxo=\n"
)
COSIGNED = "r0xBJQAAAABnkyoLuHgN5KlIUUpZV9hulwsFcgqV5v1CyeIhBZWdkfOJT0ims1LqbYygO5MEl91CGha5sP79K57P7lIGrz7Qtx8eBw=="
BY = base64.b64decode("MCowBQYDK2VwAyEApTPPKyRu6Q3PoMkeY+/sNni0biF4vnVTYRHbVNA31mY=")[-32:]


# notes ----------------------------------------------------------------------------------------------------------------


def test_the_notes_of_others_verify_and_ours_are_theirs() -> None:
    note = TEXT + "\n" + BY_PETER + BY_ENOCH
    assert [signed_at(note, one) for one in (PETER, ENOCH)] == [0, 0]
    ours = signing.from_seed(SEED)
    assert Key("PeterNeumann", LOG, ours.public.raw) == PETER
    assert f"— PeterNeumann {base64.b64encode(PETER.id + ours.sign(TEXT.encode())).decode()}\n" == BY_PETER


def test_who_did_not_sign_is_not_taken_for_who_did() -> None:
    note = TEXT + "\n" + BY_PETER
    assert signed_at(note, ENOCH) is None
    assert signed_at(note, Key("PeterNeumann", LOG, ENOCH.raw)) is None
    assert signed_at(note, PETER._replace(kind=WITNESS)) is None  # another id
    assert signed_at(TEXT + "\n" + BY_PETER + BY_PETER, PETER) == 0
    for false in (note.replace("cryptography", "cryptographY"), TEXT + "\n" + BY_PETER[:60] + "ABCD" + BY_PETER[60:]):
        with pytest.raises(Unwitnessed, match="not by its key"):
            signed_at(false, PETER)


@pytest.mark.parametrize(
    "note",
    [
        TEXT,
        TEXT + "\n",
        TEXT + "\n" + BY_PETER[:-1],
        "\x01" + TEXT + "\n" + BY_PETER,
        TEXT
        + "\n— Bad Name x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=",
        TEXT + "\n" + BY_PETER + "Unexpected line.\n",
        TEXT + "\n" + BY_PETER * 101,
        TEXT + "\n— PeterNeumann x08gow==\n",
        TEXT + "\n— a+b x08go/ZJkuBS\n",
        TEXT + "\n" + BY_PETER.replace("nAM=", "nAN="),
        TEXT + "\n" + BY_PETER.replace("nAM=", "nAM"),
        "",
        "\n\n",
    ],
)
def test_what_is_no_note(note: str) -> None:
    with pytest.raises(Unwitnessed, match="no signed note"):
        parts(note)


def test_there_is_one_way_to_write_a_key() -> None:
    text = str(PETER)
    wrong = [text[a:b] for a in range(len(text)) for b in range(a, len(text) + 1) if (a, b) != (0, len(text))]
    wrong += [text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))]
    wrong.append("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==")
    wrong.append("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    for one in wrong:
        with pytest.raises(Unwitnessed):
            key(one)


def test_a_cosignature_that_is_out_in_the_world() -> None:
    raw = base64.b64decode(COSIGNED)
    at = int.from_bytes(raw[4:12], "big")
    assert message(WITNESSED, at) == f"cosignature/v1\ntime 1737697803\n{WITNESSED}".encode()
    by = Key("w", WITNESS, BY)
    note = f"{WITNESSED}\n— w {base64.b64encode(by.id + raw[4:]).decode()}\n"
    assert signed_at(note, by) == 1737697803
    late = f"{WITNESSED}\n— w {base64.b64encode(by.id + (at + 1).to_bytes(8, 'big') + raw[12:]).decode()}\n"
    with pytest.raises(Unwitnessed, match="not by its key"):
        signed_at(late, by)


# policies -------------------------------------------------------------------------------------------------------------

KEYS = {name: signing.from_seed(hashlib.sha256(name.encode()).digest()) for name in ("log", "a", "b", "c", "d")}
OF = {name: Key(f"{name}.example", LOG if name == "log" else WITNESS, one.public.raw) for name, one in KEYS.items()}
BODIES = [bytes([number]) for number in range(21)]
CHECKPOINT = f"log.example\n21\n{base64.b64encode(root(BODIES)).decode()}\nan extension\n"
POLICY = f"""
# who must have seen it
log {OF["log"]}
\twitness A {OF["a"]}  https://a.example/
witness B {OF["b"]}
witness C {OF["c"]}
witness D {OF["d"]}
group some 2 A B C
group all all some D
quorum all
"""


def note_by(names: Iterable[str], text: str = CHECKPOINT) -> str:
    out = f"{text}\n"
    for name in names:
        signed = b"" if name == "log" else (1_800_000_000).to_bytes(8, "big")
        signed += KEYS[name].sign(message(text, None if name == "log" else 1_800_000_000))
        out += f"— {OF[name].name} {base64.b64encode(OF[name].id + signed).decode()}\n"
    return out


@pytest.mark.parametrize(
    ("by", "enough"),
    [
        ("log a b d", True),
        ("d log c a", True),
        ("log a b c d", True),
        ("log a d", False),
        ("log a b c", False),
        ("a b d", False),
        ("log", False),
    ],
)
def test_a_quorum(by: str, enough: bool) -> None:
    note = note_by(by.split())
    if enough:
        found = rules(POLICY).check(note)
        assert set(found) == {name.upper() for name in by.split() if name != "log"}
        assert set(found.values()) == {1_800_000_000}
    else:
        with pytest.raises(Unwitnessed):
            rules(POLICY).check(note)


def test_a_false_signature_is_worse_than_none() -> None:
    other = note_by("a", CHECKPOINT.replace("an extension", "another")).rpartition("\n\n")[2]
    with pytest.raises(Unwitnessed, match=r"a\.example is not by its key"):
        rules(POLICY).check(note_by(["log", "b", "c", "d"]) + other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum A",
        f"witness none {OF['a']}\nquorum none",
        f"witness A {OF['a']}",
        f"witness A {OF['log']}\nquorum A",
        f"log {OF['a']}\nquorum none",
        f"witness A {OF['a']}\nwitness A {OF['b']}\nquorum A",
        f"witness A {OF['a']}\nwitness B {OF['a']}\nquorum A",
        f"witness A {OF['a']}\nquorum A\nquorum A",
        f"witness A {OF['a']}\ngroup g 2 A\nquorum g",
        f"witness A {OF['a']}\ngroup g 0 A\nquorum g",
        f"witness A {OF['a']}\ngroup g 01 A\nquorum g",
        f"witness A {OF['a']}\ngroup g any A A\nquorum g",
        f"witness A {OF['a']}\ngroup g any A\ngroup h any A\nquorum h",
        f"witness A {OF['a']}\ngroup g any B\nquorum g",
        f"witness A {OF['a']}\ngroup g any\nquorum g",
        f"quorum A\nwitness A {OF['a']}",
        f"witness A {OF['a']} u v\nquorum A",
        "quorum none none",
    ],
)
def test_a_policy_that_cannot_be_read(text: str) -> None:
    with pytest.raises(Unwitnessed, match="policy"):
        rules(text)


def test_a_policy_without_witnesses_or_logs() -> None:
    assert rules("quorum none\n").check(note_by(["log"])) == {}
    assert rules(f"witness A {OF['a']}\nquorum A\n").check(note_by(["a"])) == {"A": 1_800_000_000}


# proofs ---------------------------------------------------------------------------------------------------------------


def proof_of(index: int, note: str, extra: str = "") -> str:
    path = inclusion_path(index, [leaf_hash(body) for body in BODIES])
    nodes = "".join(f"{base64.b64encode(node).decode()}\n" for node in path)
    return f"c2sp.org/tlog-proof@v1\n{extra}index {index}\n{nodes}\n{note}"


def test_a_proof_leads_from_an_entry_to_who_saw_it() -> None:
    note = note_by(["log", "a"])
    for index, body in enumerate(BODIES):
        assert proven(proof_of(index, note, "extra AAAA\n" if index % 2 else ""), body) == (index, note)
        for other in (b"x", BODIES[index - 1]):
            with pytest.raises(Unwitnessed, match="does not lead to the checkpoint"):
                proven(proof_of(index, note), other)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 5", "index 05"),
        lambda text: text.replace("index 5", "index 6"),
        lambda text: text.replace("index 5", "index 21"),
        lambda text: "\n".join(text.split("\n")[:2] + text.split("\n")[3:]),
        lambda text: text.replace("\n\n", "\nAAAA\n\n", 1),
        lambda text: text.partition("\n\n")[0],
        lambda text: text.rpartition("— ")[0],
    ],
)
def test_a_broken_proof(change: object) -> None:
    text = proof_of(5, note_by(["log"]))
    with pytest.raises(Unwitnessed):
        proven(change(text), BODIES[5])  # type: ignore[operator]
