"""Authority: what signs the certificates of a federation's kits. Its key is the coordinator's, to renew them with.

Whoever has the key can make kits, and so sit in a party's place on the line: that can stop an answer, and forge none,
since messages are signed with the sites' own keys. The coordinator, whose server relays every message, can stop answers
anyway. So the key is kept, in a file that only its owner can read, and kits can be renewed without a day on which no
party reaches another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from pets.errors import UserError
from pets.federated.deployment.startup_kit import save_secret


@dataclass(frozen=True)
class Authority:
    """A certificate that signs others, and its key: PEM texts."""

    certificate: str
    key: str = field(repr=False)

    def save(self, path: Path) -> None:
        """Write it for its owner alone."""
        save_secret(path, {"pets": "authority", "version": 1, "certificate": self.certificate, "key": self.key})

    @classmethod
    def read(cls, path: Path) -> Authority | None:
        """The inverse of :meth:`save`; ``None`` where there is no file.

        Raises:
            UserError: for any other file.
        """
        try:
            form = json.loads(path.read_bytes())
            if (form["pets"], form["version"]) != ("authority", 1):
                raise ValueError("another form")
            texts = form["certificate"], form["key"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(f"{str(path)!r} cannot be read; restore it from your backup") from None
        return cls(*map(str, texts))
