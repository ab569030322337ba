"""Parts: the files that hold a stored snapshot's rows, each named once and never written again.

A manifest lists them; what it does not list is none of the snapshot, whatever lies beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common.codec import Json
from pets.common.pinned import Pinned
from pets.errors import InternalError

MOST_HELD = 256
"""Files of one snapshot that are held open at most; of one with more, none is."""

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.=-]{0,199}\.parquet")


@dataclass(frozen=True, order=True)
class Part:
    """One file of a snapshot.

    Attributes:
        name: its name in the folder of parts; another part never has it.
        bytes: its length.
        digest: the SHA-256 of its bytes, in hex.

    Raises:
        InternalError: for what could be no file of a snapshot, such as a path that leads elsewhere.
    """

    name: str
    bytes: int
    digest: str

    def __post_init__(self) -> None:
        size = isinstance(self.bytes, int) and not isinstance(self.bytes, bool) and self.bytes >= 0
        digest = isinstance(self.digest, str) and re.fullmatch("[0-9a-f]{64}", self.digest)
        if not (isinstance(self.name, str) and _NAME.fullmatch(self.name) and size and digest):
            raise InternalError("a part of a snapshot has a plain name, a length and a SHA-256")

    @classmethod
    def of(cls, path: Path) -> Part:
        """A file that is there, as it is now; reads it to its end."""
        with path.open("rb") as file:
            return cls(path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def to_json(parts: Iterable[Part]) -> list[Json]:
    """The list of a manifest: sorted by name, so that one set of parts has one seal.

    Raises :class:`InternalError` where two parts have one name.
    """
    found = sorted(parts)
    if len({part.name for part in found}) < len(found):
        raise InternalError("two parts of a snapshot have one name")
    return [{"name": part.name, "bytes": part.bytes, "digest": part.digest} for part in found]


def from_json(given: Any) -> tuple[Part, ...]:
    """The parts that a manifest lists; raises ``KeyError``, ``TypeError`` or ``InternalError`` where it lists none."""
    found = tuple(Part(one["name"], one["bytes"], one["digest"]) for one in given)
    if list(given) != to_json(found):
        raise InternalError("the parts of a snapshot are listed in the order of their names")
    return found


class Held:
    """A stored snapshot's files as they are now: its parts held open, so that no refresh takes them away.

    Attributes:
        parts: the files, in the order of their names.
    """

    def __init__(self, manifest: Path, parts: Sequence[Path]) -> None:
        self.parts = tuple(parts)
        self._manifest = Pinned(manifest)
        self._pins = tuple(map(Pinned, parts)) if len(parts) <= MOST_HELD else ()

    @property
    def current(self) -> bool:
        """Whether its manifest is still the one in the folder; never reads a row."""
        return bool(self._manifest.stamp) and self._manifest.current

    @property
    def held(self) -> bool:
        """Whether it can be read though another has taken its place."""
        return bool(self._pins) and all(pin.held for pin in self._pins)

    @property
    def readable(self) -> list[Path]:
        """Paths that lead to these very files, in this process; where they are not held, their names."""
        return [pin.readable for pin in self._pins] if self.held else [part.resolve() for part in self.parts]
