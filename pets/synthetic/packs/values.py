"""Columns of a pack while they are made: typed numpy arrays that know which rows have no value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

KINDS = ("whole", "real", "day", "minute", "truth", "text")
"""Days and minutes are counted from the start of 1970; a text is a code into its labels."""


@dataclass(frozen=True)
class Values:
    """One column: what kind of values, the values, the labels of a text, and the rows without a value."""

    kind: str
    data: Array
    labels: tuple[str, ...] = ()
    empty: Mask | None = None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def holes(self) -> Mask:
        """The rows without a value."""
        return np.zeros(len(self.data), dtype=bool) if self.empty is None else self.empty

    def take(self, index: Array) -> Values:
        """The rows at these places (-1: no value)."""
        outside = index < 0
        if not len(self.data):
            return Values(self.kind, np.zeros(len(index), self.data.dtype), self.labels, np.ones(len(index), bool))
        holes = None if self.empty is None else self.empty[index]
        if outside.any():
            holes = outside if holes is None else holes | outside
        return Values(self.kind, self.data[index], self.labels, holes)

    def without(self, rows: Mask) -> Values:
        """The same, with no value in these rows."""
        return Values(self.kind, self.data, self.labels, rows if self.empty is None else self.empty | rows)

    def relabelled(self, change: Callable[[str], str]) -> Values:
        """A text with each of its labels changed."""
        return coded(self.data, [change(label) for label in self.labels], self.empty)


def coded(codes: Array, labels: Sequence[str], empty: Mask | None = None) -> Values:
    """A text column from codes into labels, of which some may be equal."""
    place = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    if len(place) < len(labels):
        codes = np.array([place[label] for label in labels], dtype=np.int32)[codes]
    return Values("text", codes.astype(np.int32, copy=False), tuple(place), empty)


def labelled(numbers: Array, write: Callable[[int], str], empty: Mask | None = None) -> Values:
    """A text column that writes whole numbers; each different one is written once."""
    known, codes = np.unique(numbers, return_inverse=True)
    return coded(codes, [write(int(number)) for number in known], empty)


def constant(value: Any, rows: int) -> Values:
    """The same value in every row."""
    if isinstance(value, bool):
        return Values("truth", np.full(rows, value))
    if isinstance(value, int):
        return Values("whole", np.full(rows, value, dtype=np.int64))
    if isinstance(value, float):
        return Values("real", np.full(rows, value))
    return Values("text", np.zeros(rows, dtype=np.int32), (str(value),))


def nothing(kind: str, rows: int) -> Values:
    """No value in any row."""
    data = np.zeros(rows, dtype=np.int32 if kind == "text" else np.int64)
    return Values(kind, data, ("",) if kind == "text" else (), np.ones(rows, dtype=bool))


def aligned(parts: Sequence[Values]) -> list[Values]:
    """Columns of one kind: texts with the same labels, whole numbers beside reals as reals; else ``ValueError``."""
    first = parts[0]
    if all(part.kind == first.kind and part.labels == first.labels for part in parts):
        return list(parts)
    kinds = {part.kind for part in parts if part.empty is None or not part.empty.all()} or {first.kind}
    if kinds == {"whole", "real"}:
        kinds = {"real"}
    if len(kinds) > 1:
        raise ValueError(f"{' and '.join(sorted(kinds))} do not go together")
    (kind,) = kinds
    if kind != "text":
        return [Values(kind, part.data, (), part.empty) for part in parts]
    labels = list(dict.fromkeys(label for part in parts if part.kind == "text" for label in part.labels)) or [""]
    place = {label: i for i, label in enumerate(labels)}
    out = []
    for part in parts:
        if part.kind != "text":
            out.append(nothing("text", len(part)))
            continue
        move = np.array([place[label] for label in part.labels], dtype=np.int32)
        out.append(Values("text", move[part.data], tuple(labels), part.empty))
    return [Values("text", part.data, tuple(labels), part.empty) for part in out]


def chosen(condition: Mask, yes: Values, no: Values) -> Values:
    """The one value where the condition holds, the other elsewhere."""
    first, second = aligned([yes, no])
    data = np.where(condition, first.data, second.data)
    if first.empty is None and second.empty is None:
        return Values(first.kind, data, first.labels)
    holes = np.where(condition, first.holes, second.holes)
    return Values(first.kind, data, first.labels, holes if holes.any() else None)


def stacked(parts: Sequence[Values]) -> Values:
    """Columns one below the other."""
    same = aligned(parts)
    holes = None if all(part.empty is None for part in same) else np.concatenate([part.holes for part in same])
    return Values(same[0].kind, np.concatenate([part.data for part in same]), same[0].labels, holes)
