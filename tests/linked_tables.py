"""Tables of counts as an office publishes them, written apart from pets: rules, margins, sequences of linked ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.common.integers import Ints
from pets.sdc.proof import Protected
from pets.sdc.system import Statement, System

Rule = Callable[[int], tuple[int, int]]


def _nearest(count: int, base: int, above: int) -> tuple[int, int]:
    middle = (count + base // 2) // base * base
    return max(middle - base // 2, above), middle + base // 2


def naive10(count: int) -> tuple[int, int]:
    """1 to 9 hidden, the rest exact."""
    return (1, 9) if 1 <= count <= 9 else (count, count)


def strict_10(count: int) -> tuple[int, int]:
    """0 to 9 hidden, the rest exact."""
    return (0, 9) if count <= 9 else (count, count)


def rounded(hidden: int, base: int, zero: bool) -> Rule:
    """1 (or 0, where ``zero``) to ``hidden`` hidden, the rest to the nearest of an odd base."""

    def rule(count: int) -> tuple[int, int]:
        if count == 0 and not zero:
            return 0, 0
        return (0 if zero else 1, hidden) if count <= hidden else _nearest(count, base, hidden + 1)

    return rule


def midpoints(step: int) -> Rule:
    """0, or the middle of a step."""

    def rule(count: int) -> tuple[int, int]:
        top = -(-count // step) * step
        return (top - step + 1, top) if count else (0, 0)

    return rule


hes, ons_10_5, opensafely, midpoint6 = rounded(7, 5, False), rounded(9, 5, True), rounded(7, 5, True), midpoints(6)
RULES = {
    "naive10": naive10,
    "strict_10": strict_10,
    "hes": hes,
    "ons_10_5": ons_10_5,
    "opensafely": opensafely,
    "midpoint6": midpoint6,
}


@dataclass(frozen=True)
class Slot:
    """People in some atoms, as one number of one table."""

    cells: tuple[int, ...]
    name: str


def with_margins(shape: Sequence[int], table: str = "release 1") -> list[Slot]:
    """Every cell of a table of atoms, every sum over some of its columns, and the total."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    out = []
    for kept in np.ndindex(*(2,) * len(shape)):
        for index in np.ndindex(*(size if keep else 1 for size, keep in zip(shape, kept, strict=True))):
            part = places[tuple(i if keep else slice(None) for i, keep in zip(index, kept, strict=True))]
            label = ", ".join(str(i) if keep else "all" for i, keep in zip(index, kept, strict=True))
            out.append(Slot(tuple(np.atleast_1d(part).ravel().tolist()), f"({label}) of {table}"))
    return out[::-1]


def told(slots: Sequence[Slot], truth: Ints, rule: Rule) -> list[Statement]:
    """What a table says under a rule."""
    return [Statement(one.cells, *rule(int(truth[list(one.cells)].sum())), one.name) for one in slots]


def small(slots: Sequence[Slot], truth: Ints, most: int = 9) -> list[Protected]:
    """The slots of 1 to ``most`` people, each set of atoms once."""
    sums = {one.cells: one for one in slots if 1 <= int(truth[list(one.cells)].sum()) <= most}
    return [Protected(one.cells, one.name) for one in sums.values()]


def system_of(shape: Sequence[int], truth: Ints, rule: Rule) -> System:
    """One table with all its margins under one rule."""
    return System.from_statements(len(truth), told(with_margins(shape), truth, rule))


# ── sequences ───────────────────────────────────────────────────────────────────────────────────────────────────────

COLUMNS = {"region": 5, "sex": 2, "age": 8, "code": 6}
"""480 atoms."""


def people(seed: int, number: int = 900) -> Ints:
    """The true counts of the atoms: the columns are not independent."""
    draw = np.random.default_rng(seed)
    weights = draw.gamma(0.7, size=tuple(COLUMNS.values()))
    return draw.multinomial(number, (weights / weights.sum()).ravel()).astype(np.int64)


def linked(seed: int, tables: int) -> Iterator[list[Slot]]:
    """Two-way tables with margins; three of five after the first count only a range of another column."""
    draw = np.random.default_rng([seed, 1])
    sizes, names = tuple(COLUMNS.values()), list(COLUMNS)
    places = np.arange(int(np.prod(sizes))).reshape(sizes)
    for number in range(1, tables + 1):
        keys = sorted(draw.choice(len(names), 2, replace=False).tolist())
        window: list[Any] = [slice(None)] * len(names)
        if number > 1 and draw.random() < 0.6:
            column = int(draw.choice([i for i in range(len(names)) if i not in keys]))
            start, end = sorted(draw.choice(sizes[column] + 1, 2, replace=False).tolist())
            window[column] = slice(start, end)
        inside = places[tuple(window)]
        yield [
            Slot(
                tuple(np.moveaxis(inside, keys, (0, 1))[key].ravel().tolist()),
                f"{_words(names, keys, key)} of release {number}",
            )
            for a in (*range(sizes[keys[0]]), slice(None))
            for b in (*range(sizes[keys[1]]), slice(None))
            for key in [(a, b)]
        ]


def _words(names: Sequence[str], keys: Sequence[int], key: tuple[Any, ...]) -> str:
    parts = [f"{names[k]} {'all' if isinstance(v, slice) else v}" for k, v in zip(keys, key, strict=True)]
    return ", ".join(parts)
