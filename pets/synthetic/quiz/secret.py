"""The trainer's secret: what a student is handed out follows from it, and nobody without it can make it again.

Numbers are HMAC-SHA256 of what they are for, under the secret; ordinary random numbers are then drawn from them. A seed
alone would not do: whoever has it makes the same rows without their faults, and sees what differs.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from pets.common.codec import canonical
from pets.common.entropy import random_bytes
from pets.common.files import make_folder, reading, replace_file, writing
from pets.errors import UserError, shown

BYTES = 32
LEAST = 16
_FOR = "pets: what is handed out, 1"


@dataclass(frozen=True, repr=False)
class Secret:
    """At least 16 bytes that no student knows."""

    key: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.key, bytes) or len(self.key) < LEAST:
            raise UserError(f"a secret has at least {LEAST} bytes; make one with: pets learn secret trainer.secret")

    def __repr__(self) -> str:
        return "<a trainer's secret>"

    @classmethod
    def fresh(cls) -> Secret:
        """A new one, from the operating system."""
        return cls(random_bytes(BYTES))

    @classmethod
    def read(cls, given: str | Path | bytes) -> Secret:
        """A secret's bytes, or the file that :meth:`save` wrote.

        Raises :class:`UserError` for a file that holds none, and for a secret that is short.
        """
        if isinstance(given, bytes):
            return cls(given)
        with reading("the secret", given, "trainer.secret"):
            text = Path(given).read_text("ascii").strip()
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise UserError(
                f"the file {shown(str(given))} holds no secret; make one with: pets learn secret trainer.secret"
            ) from None

    def save(self, path: str | Path) -> Path:
        """Write it into a file that its owner alone reads. A file that is there is refused: its rows would be lost."""
        with writing("the secret", path, "trainer.secret"):
            file = Path(path)
            if file.exists():
                raise UserError(f"{shown(str(path))} is there already, and rows may rest on it; name another file")
            make_folder(file.parent)
            replace_file(file, (self.key.hex() + "\n").encode("ascii"), owner_only=True)
        return file

    def bytes_for(self, *names: str | int) -> bytes:
        """32 bytes for one named thing; they say nothing about those of another, nor about the secret."""
        return hmac.new(self.key, canonical([_FOR, *names]), hashlib.sha256).digest()

    def number(self, *names: str | int) -> int:
        """:meth:`bytes_for` as a whole number of 256 bits: a seed that cannot be tried out."""
        return int.from_bytes(self.bytes_for(*names), "big")
