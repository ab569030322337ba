"""Signing keys: made once, for their owner only, and never shown, copied or pickled."""

from __future__ import annotations

import copy
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pets.common import signing
from pets.errors import InternalError, UserError
from pets.ledger.ledger import Ledger


def secret_of(path: Path) -> bytes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(path.read_bytes(), None).private_bytes_raw()  # type: ignore[union-attr]


def test_made_on_first_use_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ledger.key"
    before = os.umask(0)
    try:
        key = signing.load_or_make(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(p.name for p in path.parent.iterdir()) == ["ledger.key", "ledger.pub"]
    assert signing.load_public(path.with_suffix(".pub")).raw == key.public.raw
    assert signing.load_or_make(path).public.raw == key.public.raw


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ledger.key"
    signing.load_or_make(path)
    path.chmod(mode)
    with pytest.raises(UserError, match="can be read by others; run: chmod 600"):
        signing.load_or_make(path)


def test_it_signs(tmp_path: Path) -> None:
    key = signing.load_or_make(tmp_path / "ledger.key")
    signature = key.sign(b"message")
    assert key.public.verifies(signature, b"message")
    assert not key.public.verifies(signature, b"massage")
    assert not key.public.verifies(bytes(64), b"message")
    assert not signing.ephemeral().public.verifies(signature, b"message")


def test_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "ledger.key"
    key, secret = signing.load_or_make(path), secret_of(path)
    for text in (repr(key), str(key), f"{key!r:>90}", repr(key.public), repr([key]), repr(vars(signing))):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
    assert repr(key) == f"<SigningKey {key.public.id}>"
    assert not hasattr(key, "__dict__")
    with pytest.raises(TypeError):
        vars(key)
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.key.id in repr(ledger.signer)


def test_never_pickled_and_never_copied() -> None:
    key = signing.ephemeral()
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, lambda k: pickle.dumps({"key": [k]})):
        with pytest.raises(InternalError, match="never"):
            attempt(key)
    with pytest.raises(UserError, match="never pickled"):
        pickle.dumps(Ledger())


def test_not_constructed_by_accident() -> None:
    with pytest.raises(InternalError, match="load_or_make"):
        signing.SigningKey(b"x" * 32)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UserError, match="holds no signing key"):
        signing.load_or_make(path)
    assert path.read_bytes() == content


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = tmp_path / "ledger.key"
    path.write_bytes(X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(UserError, match="of another kind"):
        signing.load_or_make(path)


@pytest.mark.parametrize("text", ["", "00", "x" * 64, "0" * 63, "0" * 66])
def test_a_file_without_a_public_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ledger.pub"
    path.write_text(text)
    with pytest.raises(UserError, match=r"64 hex digits|32 bytes"):
        signing.load_public(path)
    with pytest.raises(UserError, match="cannot be read"):
        signing.load_public(tmp_path / "none.pub")


@pytest.mark.chance(0)
def test_processes_that_make_it_at_once_agree(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pets.common import signing\n"
        "sys.stdin.readline(); print(signing.load_or_make(Path(sys.argv[1])).public.raw.hex())"
    )
    for turn in range(3):
        path = tmp_path / str(turn) / "ledger.key"
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        made = {worker.communicate()[0].strip() for worker in workers}
        assert made == {signing.load_or_make(path).public.raw.hex()}
        assert signing.load_public(path.with_suffix(".pub")).raw.hex() in made
        assert [p.name for p in sorted(path.parent.iterdir())] == ["ledger.key", "ledger.pub"]
