"""The file of an encrypted table: chunks that are read one at a time, so that it may be larger than memory.

    b"pets col" | length | header | chunks, column by column | SHA-256 of each chunk | SHA-256 of header and digests |
    the owner's signature of that (Ed25519; where the header names an owner)

The digests show accidents and careless edits; whoever makes new ones can exchange chunks and bounds. The signature
shows that, too, to whoever opens the file with the owner's public key. Neither binds a store that lies: it can compute
on whatever it likes, and what it returns is as good as the store is honest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pets.common.codec import Json, canonical
from pets.common.entropy import random_id
from pets.common.files import created
from pets.common.signing import VerifyingKey
from pets.errors import PetsError, UserError, shown
from pets.he.ciphertext_bytes import check, pack, size, unpack
from pets.he.keys.party import Party, PartyKey
from pets.he.presets import Preset, preset
from pets.he.tenseal_engine import U64

MAGIC = b"pets col"
_DIGEST = 32
_SIGNATURE = 64
_SIGNED = b"pets he table 1\0"
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
    """What a table's file says of itself; all of it is public.

    Attributes:
        owner: checks the file's signature, where there is one.
    """

    key_id: str
    preset: Preset
    rows: int
    columns: tuple[Column, ...]
    owner: VerifyingKey | None = None

    def __post_init__(self) -> None:
        known = {(column.name, column.kind): column.most for column in self.columns}
        fits = len(self.preset.plain) == 1 and self.rows > 0 and 0 < len(known) == len(self.columns)
        for (name, kind), most in known.items():
            allowed = {"value": most, "square": known.get((name, "value"), 0) ** 2, "mask": 1}
            fits = fits and 0 < most == allowed.get(kind) and most <= self.preset.reach
        if not fits:
            raise UserError(_DAMAGED)

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
            "version": 2,
            "key": self.key_id,
            "owner": None if self.owner is None else self.owner.raw.hex(),
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
            owner = None if form["owner"] is None else VerifyingKey(bytes.fromhex(form["owner"]))
            made = cls(str(form["key"]), preset(form["preset"]), int(form["rows"]), columns, owner)
            same = made.header() == text
        except (PetsError, LookupError, TypeError, ValueError, RecursionError):
            same = False
        if not same:
            raise UserError(_DAMAGED)
        return made


def free(path: object) -> Path:
    """The path of a new table; raises :class:`UserError` where something is there already."""
    try:
        target = Path(path)  # type: ignore[arg-type]
        if "\0" in str(target):
            raise ValueError
        taken = target.exists()
    except (TypeError, ValueError):
        raise UserError(
            f"an encrypted table is written to a path such as 'cost.columns', not to {shown(path)}"
        ) from None
    except OSError as error:
        raise UserError(f"the encrypted table cannot be written to {str(path)!r} ({error.strerror})") from None
    if taken:
        raise _taken(target)
    return target


def _taken(target: Path) -> UserError:
    return UserError(
        f"{str(target)!r} exists already, and an encrypted table is never overwritten; choose another name"
    )


def write(path: str | Path, layout: Layout, chunks: Iterable[U64], owner: PartyKey | None = None) -> None:
    """Write the chunks of all columns, in order, as they come; the file appears when it is complete."""
    target = free(path)
    new = target.with_name(f"{target.name}.{random_id()}.new")  # its own: several may write to one name
    head = layout.header()
    digests = []
    try:
        with created(new).open("r+b") as file:
            file.write(MAGIC + len(head).to_bytes(4, "little") + head)
            for chunk in chunks:
                data = pack(chunk, layout.preset.chain.kept)
                digests.append(hashlib.sha256(data).digest())
                file.write(data)
            listed = b"".join(digests)
            digest = hashlib.sha256(head + listed).digest()
            file.write(listed + digest + (b"" if owner is None else owner.sign(_SIGNED + digest)))
            file.flush()
            os.fsync(file.fileno())
        target.hardlink_to(new)  # unlike a rename, this never overwrites: of several writers one wins
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        raise UserError(f"the encrypted table cannot be written to {str(path)!r} ({error.strerror})") from None
    finally:
        new.unlink(missing_ok=True)


class Chunks:
    """An open table's file: chunks by column and place, each checked when it is read."""

    def __init__(self, path: str | Path, owner: Party | None = None) -> None:
        try:
            self.path = Path(path)
            self._file = self.path.open("rb")
        except OSError as error:
            raise UserError(f"the encrypted table cannot be read from {str(path)!r} ({error.strerror})") from None
        except (TypeError, ValueError):
            raise UserError(
                f"an encrypted table is read from a path such as 'cost.columns', not from {shown(path)}"
            ) from None
        try:
            self._start, self.layout, self._digests, self.digest = self._front(owner)
        except BaseException:
            self._file.close()
            raise

    def _front(self, owner: Party | None) -> tuple[int, Layout, list[bytes], str]:
        """Where the chunks begin, and what the file says of itself, checked."""
        total = os.fstat(self._file.fileno()).st_size
        front = self._file.read(len(MAGIC) + 4)
        length = int.from_bytes(front[len(MAGIC) :], "little")
        if front[: len(MAGIC)] != MAGIC or length > total:
            raise UserError(_DAMAGED)
        head = self._file.read(length)
        layout = Layout.from_header(head)
        start = len(front) + length
        count = len(layout.columns) * layout.chunks
        end = start + count * layout.chunk_size
        if total != end + (count + 1) * _DIGEST + (0 if layout.owner is None else _SIGNATURE):
            raise UserError(_DAMAGED)
        listed = os.pread(self._file.fileno(), count * _DIGEST, end)
        tail = os.pread(self._file.fileno(), _DIGEST + _SIGNATURE, end + len(listed))
        digest, signature = tail[:_DIGEST], tail[_DIGEST:]
        if hashlib.sha256(head + listed).digest() != digest:
            raise UserError(_DAMAGED)
        if layout.owner is not None and not layout.owner.verifies(signature, _SIGNED + digest):
            raise UserError(_DAMAGED)
        if owner is not None and layout.owner != owner.sign:
            raise UserError(
                f"{str(self.path)!r} was not signed by {owner.name!r}; have the owner send the table again, or check "
                "whose public key this is"
            )
        return start, layout, [listed[i : i + _DIGEST] for i in range(0, len(listed), _DIGEST)], digest.hex()

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
