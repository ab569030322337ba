"""Manifest: what an output consists of, by the SHA-256 of the exact bytes, and what its author says of it.

Votes are about a manifest's digest: whoever changes a byte, a name or a word has another output to be voted about.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pets.airlock.preflight import MOST, preflight
from pets.common.codec import Json, digest
from pets.common.literals import text
from pets.errors import UserError, did_you_mean, shown

LONGEST = 200
"""Letters of a file's name, with its folders."""

_UNSAFE = set('\\:*?"<>|')


@dataclass(frozen=True)
class OutputFile:
    """One file of an output.

    Attributes:
        name: with the folders in which it lies within the output, parted by ``/``.
        sha256: of its bytes, in hex.
        size: in bytes.
    """

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What is to be taken out.

    Attributes:
        files: by name.
        context: what they are, of whom and for what.
        controls: what was done so that they disclose nothing.
    """

    files: tuple[OutputFile, ...]
    context: str
    controls: str

    @classmethod
    def of(cls, files: Mapping[str, bytes], context: str, controls: str) -> Manifest:
        """Of files that may be submitted; raises :class:`UserError` with what must be mended first."""
        said = {"context": context, "controls": controls}
        for name, value in said.items():
            if not isinstance(value, str) or len(value) > MOST or "\x00" in value:
                raise UserError(f"{name} is a text of at most {MOST:,} letters, not {shown(value)}; shorten it")
            text(value, UserError)
        if not isinstance(files, Mapping) or not all(isinstance(one, bytes) for one in files.values()):
            raise UserError("the files of an output are its bytes by name, or a folder; name the folder")
        check_names(files)
        stops = [one for one in preflight(files, context, controls).findings if one.stops]
        if stops:
            more = f" (and {len(stops) - 1} more, which a pre-flight lists)" if len(stops) > 1 else ""
            first = stops[0]
            place = f"{first.file}: " if first.file else ""
            raise UserError(f"{place}{first.says}; {first.remedy}{more}")
        return cls(cls.listing(files), context.strip(), controls.strip())

    @staticmethod
    def listing(files: Mapping[str, bytes]) -> tuple[OutputFile, ...]:
        """Files by their bytes, in the order of their names."""
        made = (OutputFile(name, hashlib.sha256(files[name]).hexdigest(), len(files[name])) for name in sorted(files))
        return tuple(made)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())

    def to_json(self) -> Json:
        """The canonical form."""
        files = [{"name": one.name, "sha256": one.sha256, "bytes": one.size} for one in self.files]
        return {"files": files, "context": self.context, "controls": self.controls}

    @classmethod
    def from_json(cls, form: Any) -> Manifest:
        """The inverse of :meth:`to_json`."""
        files = tuple(OutputFile(one["name"], one["sha256"], one["bytes"]) for one in form["files"])
        return cls(files, form["context"], form["controls"])

    def file(self, name: str) -> OutputFile:
        """One file by its name; raises :class:`UserError`."""
        for one in self.files:
            if one.name == name:
                return one
        raise UserError(f"the output has no file {shown(name)}{did_you_mean(name, [one.name for one in self.files])}")


def check_names(names: Mapping[str, bytes]) -> None:
    """Refuse names that would be written elsewhere than meant; raises :class:`UserError`."""
    seen: set[str] = set()
    for name in names:
        parts = name.split("/") if isinstance(name, str) else [""]
        plain = isinstance(name, str) and name.isprintable() and len(name) <= LONGEST and not set(name) & _UNSAFE
        if not plain or any(not one.strip(". ") or one.startswith(".") or one != one.strip() for one in parts):
            raise UserError(
                f"{shown(name)} is no name of a file in an output; use letters, digits, '-', '_' and '.', and '/' "
                "between folders"
            )
        one = _on_disk(name)
        if one in seen:
            raise UserError(
                f"two files of the output are named {shown(name)} but for capitals or forms of a letter; rename one"
            )
        seen.add(one)
    for name in names:
        folders = [_on_disk(str(parent)) for parent in PurePosixPath(name).parents]
        if seen.intersection(folders):
            raise UserError(f"{shown(name)} lies in a folder that is named as another file of the output; rename one")


def _on_disk(name: str) -> str:
    """A name as the strictest of file systems compares it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
