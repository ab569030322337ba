"""Tables given together: which are about the same people, which about some of them, and what they say together.

An atom is a combination of every label that any of the tables uses, within the smallest population that holds it. Each
cell is then a set of atoms, and what it shows is a statement about their sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

from pets.sdc.tables.axis import Axis, axis
from pets.sdc.tables.bounds import Bounded, Ends, Key
from pets.sdc.tables.sheet import TOTAL, Entry

MAX_ATOMS = 20_000


@dataclass(frozen=True)
class Stated:
    """The people of these atoms are so many; ``source`` says which cell tells it."""

    atoms: tuple[int, ...]
    low: int
    high: int
    source: str


@dataclass(frozen=True)
class Target:
    """A count that has to stay open: a cell of a table, or the difference of two.

    Attributes:
        atoms: whose people they are.
        name: how a sentence names it.
        sheet: the number of the table.
        entry: the cell; ``None`` for a difference, and for a combination that has no row.
        plain: what is known without putting anything together.
        difference: whether it is a difference.
    """

    atoms: tuple[int, ...]
    name: str
    sheet: int
    entry: Entry | None
    plain: Ends
    difference: bool = False


@dataclass(frozen=True)
class Linked:
    """Sheets about the same people, or one about some of another's.

    Attributes:
        sheets: from the outermost population inwards; those of one number are about the same people.
        axes: by name, each dimension.
    """

    sheets: tuple[tuple[int, Bounded], ...]
    axes: tuple[tuple[str, Axis], ...]

    @property
    def levels(self) -> int:
        """How many populations there are, each within the one before."""
        return 1 + max((level for level, _ in self.sheets), default=0)

    @property
    def size(self) -> int:
        """How many atoms there are."""
        return self.levels * prod(one.size for _, one in self.axes)

    def atoms(self, named: Iterable[tuple[str, tuple[str, ...]]], levels: range) -> tuple[int, ...]:
        """The atoms of any of the labels that are named, dimension by dimension, in these populations."""
        wanted = dict(named)
        places = [
            sorted({part for label in wanted[name] for part in one.parts[label]}) if name in wanted else range(one.size)
            for name, one in self.axes
        ]
        sizes = [one.size for _, one in self.axes]
        out = []
        for level, *at in product(levels, *places):
            number = level
            for size, place in zip(sizes, at, strict=True):
                number = number * size + place
            out.append(number)
        return tuple(out)

    def slot(self, level: int, sheet: Bounded, at: Sequence[str]) -> tuple[int, ...]:
        """The atoms of one cell of a sheet."""
        named = [
            (name, labels if label == TOTAL else (label,))
            for name, label, labels in zip(sheet.sheet.dimensions, at, sheet.labels, strict=True)
            if label != TOTAL or labels
        ]
        return self.atoms(named, range(level, self.levels))

    def statements(self) -> Iterator[Stated]:
        """What the cells say."""
        for level, one in self.sheets:
            for at, ends in one.ends.items():
                if at not in one.silent:
                    yield Stated(
                        self.slot(level, one, at), *ends, f"{one.texts[at]} ({', '.join(at)}) of {one.sheet.name}"
                    )
            for at, ends in one.absent.items():
                yield Stated(self.slot(level, one, at), *ends, f"no row ({', '.join(at)}) of {one.sheet.name}")

    def targets(self) -> Iterator[Target]:
        """What has to stay open: every cell, and every difference of two populations by the same labels."""
        for number, (level, one) in enumerate(self.sheets):
            for entry in one.sheet.entries:
                yield Target(
                    self.slot(level, one, entry.labels), f"cell {entry.name}", number, entry, one.ends[entry.labels]
                )
            for at, ends in one.absent.items():
                if ends[1] > 0:
                    yield Target(self.slot(level, one, at), f"({', '.join(at)}), which has no row,", number, None, ends)
        margins = [one.margins() for _, one in self.sheets]
        seen: set[tuple[int, ...]] = set()
        for (outer, (a, one)), (inner, (b, other)) in product(enumerate(self.sheets), repeat=2):
            if a >= b:
                continue
            for key in margins[outer]:
                if key not in margins[inner] or not comparable(one, other, key):
                    continue
                (low, high), (least, most) = margins[outer][key], margins[inner][key]
                atoms = self.atoms([(name, (label,)) for name, label in key], range(a, b))
                if atoms in seen:
                    continue
                seen.add(atoms)
                whose = f"({', '.join(label for _, label in key)})" if key else "everybody"
                name = f"the difference {whose} in {one.sheet.name} and not in {other.sheet.name}"
                yield Target(atoms, name, outer, None, (max(low - most, 0), high - least), True)


def comparable(one: Bounded, other: Bounded, key: Key) -> bool:
    """Whether a total by these labels is about the same labels of all other dimensions in both sheets."""
    ours = dict(zip(one.sheet.dimensions, one.labels, strict=True))
    theirs = dict(zip(other.sheet.dimensions, other.labels, strict=True))
    named = {name for name, _ in key}
    if not named <= ours.keys() & theirs.keys():
        return False
    return all(set(ours[name]) == set(theirs[name]) for name in (ours.keys() & theirs.keys()) - named)


def relation(one: Bounded, other: Bounded) -> str:
    """``"same"``, ``"around"`` (the first holds the second's people and more), ``"within"`` or ``"other"``."""
    ours, theirs = one.margins(), other.margins()
    above = below = False
    for key in ours:
        if key in theirs and comparable(one, other, key):
            above |= ours[key][0] > theirs[key][1]
            below |= theirs[key][0] > ours[key][1]
    return {(False, False): "same", (True, False): "around", (False, True): "within", (True, True): "other"}[
        above, below
    ]


def linked(sheets: Sequence[Bounded], people: str) -> tuple[tuple[Linked, ...], tuple[str, ...]]:
    """Sheets in groups that are put together, and remarks on what was taken for granted."""
    groups: list[list[list[Bounded]]] = []  # of each group, its populations from the outermost inwards
    remarks: list[str] = []
    for one in sheets:
        for group in groups if people != "other" else []:
            place = _place(one, group, people)
            if place is not None:
                at, new = place
                group.insert(at, [one]) if new else group[at].append(one)
                break
        else:
            groups.append([[one]])
    made = []
    for group in groups:
        for outer, inner in pairwise(group):
            remarks.append(
                f"the people of {inner[0].sheet.name} are taken to be among those of {outer[0].sheet.name}; if they "
                "are not, say people='other'"
            )
        whole = _joined(group)
        if whole.size <= MAX_ATOMS:
            made.append(whole)
            continue
        remarks.append(f"{len(whole.sheets)} tables together have {whole.size:,} combinations; each is checked alone")
        made += [_joined([[one]]) for _, one in whole.sheets]
    if len(groups) > 1 and people != "other":
        names = ", ".join(dict.fromkeys(group[0][0].sheet.name for group in groups))
        remarks.append(f"neither holds the people of the other, so these are not put together: {names}")
    return tuple(made), tuple(remarks)


def _place(one: Bounded, group: list[list[Bounded]], people: str) -> tuple[int, bool] | None:
    """Where a sheet belongs among populations, and whether as a new one; ``None`` where it does not."""
    found = [_towards(one, population) for population in group]
    if people == "same":
        return 0, False
    if "other" in found:
        return None
    if found.count("same") == 1 and people != "nested":
        at = found.index("same")
        fits = set(found[:at]) <= {"within"} and set(found[at + 1 :]) <= {"around"}
        return (at, False) if fits else None
    at = sum(state == "within" for state in found)
    if people == "nested":
        at = sum(state in ("within", "same") for state in found)
    fits = "same" not in found or people == "nested"
    return (at, True) if fits and set(found[at:]) <= {"around"} else None


def _towards(one: Bounded, population: list[Bounded]) -> str:
    states = {relation(one, other) for other in population} - {"same"}
    return "same" if not states else states.pop() if len(states) == 1 else "other"


def _joined(group: Sequence[Sequence[Bounded]]) -> Linked:
    sheets = tuple((level, one) for level, population in enumerate(group) for one in population)
    names: dict[str, list[str]] = {}
    for _, one in sheets:
        for name, labels in zip(one.sheet.dimensions, one.labels, strict=True):
            names.setdefault(name, []).extend(labels)
    return Linked(sheets, tuple((name, axis(labels)) for name, labels in names.items() if labels))
