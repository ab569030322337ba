"""Keys to a task: the answer itself, which a trainer keeps, or slow hashes of its parts, which only deter.

A hash of a row's number cannot hide it: there are few rows, and whoever tries each has the answer after minutes. So
offline marking keeps a student from reading the answer by accident, not from finding it on purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pets.errors import UserError
from pets.synthetic.quiz.task import Task

ONLY_DETERS = (
    "This file marks answers without a trainer, and only deters: whoever tries every row finds the answers with it. "
    "What counts is the trainer's own marking."
)
N, R, P = 2**14, 8, 1
"""Of scrypt (RFC 7914): 16 MiB and some hundredths of a second for each part of an answer."""

MOST_SLOW = 300
"""Parts of an answer that are hashed."""


class Key(Protocol):
    """What knows an answer."""

    def compare(self, task: Task, parts: frozenset[str]) -> tuple[int, int, int]:
        """Of some parts: how many are right, how many are wrong, and how many there are to find."""


@dataclass(frozen=True, repr=False)
class PlainKey:
    """The answer itself: in the memory of whoever made the rows, and in the trainer's file."""

    parts: frozenset[str]

    def compare(self, task: Task, parts: frozenset[str]) -> tuple[int, int, int]:
        """See :class:`Key`."""
        right = sum(not self.parts.isdisjoint(task.near(part)) for part in parts)
        return right, len(parts) - right, len(self.parts)

    def to_json(self) -> dict[str, Any]:
        """For the trainer's file."""
        return {"answer": sorted(self.parts)}


@dataclass(frozen=True, repr=False)
class SlowKey:
    """Salted slow hashes of the answer's parts: for a file that is handed out."""

    salt: bytes
    hashes: frozenset[str]

    @classmethod
    def of(cls, key: PlainKey, salt: bytes) -> SlowKey:
        """The hashes of an answer's parts."""
        return cls(salt, frozenset(slow(part, salt) for part in key.parts))

    def compare(self, task: Task, parts: frozenset[str]) -> tuple[int, int, int]:
        """See :class:`Key`. Raises :class:`UserError` for more parts than are hashed in seconds."""
        if len(parts) > MOST_SLOW:
            raise UserError(
                f"an answer to {task.name!r} has at most {MOST_SLOW} parts here, since each is looked at slowly; "
                "name those that are wrong, not all"
            )
        right = sum(any(slow(one, self.salt) in self.hashes for one in task.near(part)) for part in parts)
        return right, len(parts) - right, len(self.hashes)

    def to_json(self) -> dict[str, Any]:
        """For the file that is handed out."""
        return {"salt": self.salt.hex(), "scrypt": [N, R, P], "hashes": sorted(self.hashes)}


def slow(part: str, salt: bytes) -> str:
    """The hash of one part."""
    return hashlib.scrypt(part.encode("utf-8"), salt=salt, n=N, r=R, p=P, maxmem=2**26, dklen=16).hex()


def read_key(told: Mapping[str, Any]) -> Key | None:
    """The key of a task in a file; ``None`` where the file has none: answers are then noted alone."""
    if "answer" in told:
        return PlainKey(frozenset(str(part) for part in told["answer"]))
    if "hashes" in told:
        if list(told["scrypt"]) != [N, R, P]:
            raise UserError("the marking file is of another version of pets; ask the trainer for a new one")
        return SlowKey(bytes.fromhex(told["salt"]), frozenset(told["hashes"]))
    return None
