"""Parties: who takes part in a secure total, by two public keys; and the secret half that stays with them.

A party signs what it sends (Ed25519, RFC 8032) and receives a round's checksum seed sealed to it (HPKE, RFC 9180: base
mode, X25519, HKDF-SHA256, ChaCha20-Poly1305), so that the aggregator never learns it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pets.common import signing
from pets.common.codec import Json, canonical
from pets.common.entropy import random_bytes
from pets.common.signing import SigningKey, VerifyingKey
from pets.errors import InternalError, UserError, missing_extra, shown
from pets.he.keys.keyfile import read, read_secret, write_new, write_secret
from pets.he.scrub import forgetful

_MAKE = object()
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_FORM = "pets-he-party-1"


def party_name(name: object) -> str:
    """A party's name: 1 to 64 letters, digits, spaces, dots and dashes."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(
            f"a party's name is 1 to 64 letters, digits, spaces, dots, dashes and underscores, not {shown(name)}"
        )
    return name


@dataclass(frozen=True)
class Party:
    """What everybody may know of a party.

    Attributes:
        name: unique within a round.
        sign: checks its signatures.
        box: its X25519 public key, 32 bytes.
    """

    name: str
    sign: VerifyingKey
    box: bytes

    def __post_init__(self) -> None:
        party_name(self.name)
        if not isinstance(self.sign, VerifyingKey) or not isinstance(self.box, bytes) or len(self.box) != 32:
            raise UserError(f"the public keys of party {self.name!r} are damaged; ask it for its public file again")

    def to_json(self) -> Json:
        """The canonical form."""
        return {"name": self.name, "sign": self.sign.raw.hex(), "box": self.box.hex()}

    @classmethod
    def from_json(cls, value: Any) -> Party:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else."""
        try:
            if set(value) != {"name", "sign", "box"}:
                raise ValueError
            return cls(value["name"], VerifyingKey(bytes.fromhex(value["sign"])), bytes.fromhex(value["box"]))
        except (TypeError, ValueError, KeyError):
            raise UserError("this does not describe a party; ask it for its public file again") from None

    def seal(self, secret: bytes, info: bytes) -> bytes:
        """Encrypt a few bytes to this party alone."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        try:
            return bytes(_suite().encrypt(secret, X25519PublicKey.from_public_bytes(self.box), info=info))
        except ValueError:  # a point of small order
            raise UserError(f"the public keys of party {self.name!r} are damaged; ask it for its public file") from None

    def save(self, path: str | Path) -> Path:
        """Write the public file, to be given to the key holder."""
        return write_new(path, canonical({"form": _FORM, **self.to_json()}) + b"\n", "a party's file", owner_only=False)

    @classmethod
    def load(cls, path: str | Path) -> Party:
        """Read a party's public file."""
        try:
            form = json.loads(read(path, "a party's public file"))
            if form.pop("form") != _FORM:
                raise ValueError
        except (ValueError, AttributeError, KeyError, RecursionError):
            raise UserError(f"{str(path)!r} is not a party's public file; it ends in .pub") from None
        return cls.from_json(form)


class PartyKey:
    """A party's secret keys. They sign and unseal; they show only their public half."""

    __slots__ = ("_box", "_sign", "name")

    def __init__(self, name: str, sign: SigningKey, box: bytes, *, made: object = None) -> None:
        if made is not _MAKE:
            raise InternalError("a party's key comes from pets.he.partykey() or PartyKey.load()")
        self.name, self._sign, self._box = party_name(name), sign, box

    @property
    def public(self) -> Party:
        """What everybody may know."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        box = self._exchange().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return Party(self.name, self._sign.public, box)

    def sign(self, message: bytes) -> bytes:
        """This party's signature of a message."""
        return self._sign.sign(message)

    @forgetful
    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """What was sealed to this party; raises :class:`UserError` where it was not."""
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(_suite().decrypt(sealed, self._exchange(), info=info))
        except (InvalidTag, ValueError):
            raise UserError(
                f"the round's seed was not sealed to this key of party {self.name!r}; give the key whose public file "
                "is on the round's roster"
            ) from None

    @forgetful
    def save(self, path: str | Path, passphrase: str | None = None) -> Path:
        """Write the secret file, readable by its owner only; with a passphrase, encrypted."""
        form = {"form": _FORM, "name": self.name, "sign": self._sign.reveal_seed().hex(), "box": self._box.hex()}
        return write_secret(path, canonical(form), passphrase, "a party's key")

    @classmethod
    @forgetful
    def load(cls, path: str | Path, passphrase: str | None = None) -> PartyKey:
        """Read what :meth:`save` wrote; raises :class:`UserError` for anything else."""
        try:
            form = json.loads(read_secret(path, passphrase, "a party's key"))
            if form["form"] != _FORM:
                raise ValueError
            box = bytes.fromhex(form["box"])
            if len(box) != 32:
                raise ValueError
            return cls(form["name"], signing.from_seed(bytes.fromhex(form["sign"])), box, made=_MAKE)
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{str(path)!r} does not hold a party's key; restore it from your backup") from None

    def _exchange(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        return X25519PrivateKey.from_private_bytes(self._box)

    def __repr__(self) -> str:
        return f"<PartyKey {self.name!r} {self._sign.public.id}>"

    def __reduce__(self) -> NoReturn:
        raise InternalError("a party's key is never pickled; save it to a file of its owner's")

    def __copy__(self) -> NoReturn:
        raise InternalError("a party's key is never copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise InternalError("a party's key is never copied")


def partykey(name: str) -> PartyKey:
    """Fresh keys for a party, from the operating system's randomness."""
    _suite()
    return PartyKey(name, signing.generate(), random_bytes(32), made=_MAKE)


def partykey_of(name: str, sign: SigningKey) -> PartyKey:
    """The keys of a party that is known by a signing key already, such as a federation's site.

    What is sealed to it is opened by a key of its own, derived from the secret by HKDF-SHA256 (RFC 5869), so that one
    file keeps both.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    box = HKDF(SHA256(), 32, None, b"pets he party box 1").derive(sign.reveal_seed())
    return PartyKey(name, sign, bytes(box), made=_MAKE)


def _suite() -> Any:
    try:
        from cryptography.hazmat.primitives import hpke
    except ImportError:
        raise missing_extra("a secure total", "he") from None
    return hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
