"""Files of keys, read by another implementation: what the page says of them is so."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pets.he.keys.keyfile import write_secret

PASS = "four random words here"


def test_a_passphrase_is_stretched_as_the_page_says(tmp_path: Path) -> None:
    """scrypt with N = 2^17, r = 8, p = 1 and a fresh salt; then ChaCha20-Poly1305 over the head and the secret."""
    salts = set()
    for name in ("one", "two"):
        data = write_secret(tmp_path / name, b"the secret", PASS, "a secret key").read_bytes()
        start = len(b"pets sealed 1\n")
        salt, nonce, body = data[start : start + 16], data[start + 16 : start + 28], data[start + 28 :]
        key = hashlib.scrypt(PASS.encode(), salt=salt, n=2**17, r=8, p=1, maxmem=2**28, dklen=32)
        assert ChaCha20Poly1305(key).decrypt(nonce, body, data[: start + 28]) == b"the secret"
        assert b"the secret" not in data
        salts |= {salt, nonce}
    assert len(salts) == 4
