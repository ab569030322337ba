"""The file of an encrypted table: chunks that are read one at a time, so that it may be larger than memory.

    b"pets col" | length | header | chunks, column by column | SHA-256 of each chunk | SHA-256 of header and digests

The digests show accidents and careless edits. They are no signature: a store can compute on whatever it likes, and
what it returns is as good as the store is honest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pets.codec import Json, canonical
from pets.errors import PetsError, UserError
from pets.he.presets import Preset, preset
from pets.he.seal import U64
from pets.he.wire import check, pack, size, unpack

MAGIC = b"pets col"
_DIGEST = 32
_DAMAGED = "this is not an encrypted table as pets wrote it, or it was damaged; restore it from where it came"


@dataclass(frozen=True)
class Column:
    """One encrypted column.

    Attributes:
        kind: ``"value"``; ``"square"`` (of the value of that name); ``"mask"`` (0 and 1, packed the other way round).
        most: the public bound on its absolute values.
    """

    name: str
    kind: Literal["value", "square", "mask"]
    most: int


@dataclass(frozen=True)
class Layout:
    """What a table's file says of itself; all of it is public."""

    key_id: str
    preset: Preset
    rows: int
    columns: tuple[Column, ...]

    @property
    def chunks(self) -> int:
        """Ciphertexts of each column."""
        return -(-self.rows // self.preset.degree)

    @property
    def chunk_size(self) -> int:
        """Bytes of one ciphertext."""
        return size(self.preset.chain.kept, 2 * self.preset.degree)

    def header(self) -> bytes:
        """The canonical form."""
        form: Json = {
            "pets": "he-table",
            "version": 1,
            "key": self.key_id,
            "preset": self.preset.name,
            "rows": self.rows,
            "columns": [[column.name, column.kind, column.most] for column in self.columns],
        }
        return canonical(form)

    @classmethod
    def from_header(cls, text: bytes) -> Layout:
        """The inverse of :meth:`header`; raises :class:`UserError` for anything else."""
        try:
            form = json.loads(text)
            columns = tuple(Column(str(name), kind, int(most)) for name, kind, most in form["columns"])
            made = cls(str(form["key"]), preset(form["preset"]), int(form["rows"]), columns)
            same = made.rows > 0 and made.header() == text
        except (PetsError, LookupError, TypeError, ValueError, RecursionError):
            same = False
        if not same:
            raise UserError(_DAMAGED)
        return made


def write(path: str | Path, layout: Layout, chunks: Iterable[U64]) -> None:
    """Write the chunks of all columns, in order, as they come; the file appears when it is complete."""
    target = Path(path)
    if target.exists():
        raise UserError(
            f"{str(path)!r} exists already, and an encrypted table is never overwritten; choose another name"
        )
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    head = layout.header()
    digests = []
    try:
        with new.open("xb") as file:
            file.write(MAGIC + len(head).to_bytes(4, "little") + head)
            for chunk in chunks:
                data = pack(chunk, layout.preset.chain.kept)
                digests.append(hashlib.sha256(data).digest())
                file.write(data)
            listed = b"".join(digests)
            file.write(listed + hashlib.sha256(head + listed).digest())
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    except OSError as error:
        raise UserError(f"the encrypted table cannot be written to {str(path)!r} ({error.strerror})") from None
    finally:
        new.unlink(missing_ok=True)


class Chunks:
    """An open table's file: chunks by column and place, each checked when it is read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = self.path.open("rb")
            total = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise UserError(f"the encrypted table cannot be read from {str(path)!r} ({error.strerror})") from None
        front = self._file.read(len(MAGIC) + 4)
        length = int.from_bytes(front[len(MAGIC) :], "little")
        if front[: len(MAGIC)] != MAGIC or length > total:
            raise UserError(_DAMAGED)
        head = self._file.read(length)
        self.layout = Layout.from_header(head)
        self._start = len(front) + length
        count = len(self.layout.columns) * self.layout.chunks
        end = self._start + count * self.layout.chunk_size
        if total != end + (count + 1) * _DIGEST:
            raise UserError(_DAMAGED)
        listed = os.pread(self._file.fileno(), count * _DIGEST, end)
        seal = os.pread(self._file.fileno(), _DIGEST, end + len(listed))
        if hashlib.sha256(head + listed).digest() != seal:
            raise UserError(_DAMAGED)
        self._digests = [listed[i : i + _DIGEST] for i in range(0, len(listed), _DIGEST)]

    def chunk(self, column: int, place: int) -> U64:
        """One ciphertext, ``(2, primes, N)``, transformed; raises :class:`UserError` where it was damaged."""
        layout = self.layout
        number = column * layout.chunks + place
        data = os.pread(self._file.fileno(), layout.chunk_size, self._start + number * layout.chunk_size)
        if hashlib.sha256(data).digest() != self._digests[number]:
            raise UserError(_DAMAGED)
        primes = layout.preset.chain.kept
        check(data, primes, 2 * layout.preset.degree, "the encrypted table")
        return unpack(data, primes, (2, len(primes), layout.preset.degree))

    def __reduce__(self) -> Any:
        raise UserError("an open encrypted table is not pickled; open its file again")
