"""Comparing: a grid, before it is made, with all that left before without noise; what is found is the custodian's.

Whether the custodian must look follows from the account alone, and so does the word by which they say that they did:
neither tells anything of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.common.codec import digest
from pets.common.integers import Ints
from pets.errors import UserError, shown
from pets.protection.rounding import HIDDEN
from pets.protection.sdc import SDC
from pets.release.rounded.sealed_table import STAR
from pets.sdc.book import Book
from pets.sdc.grid import Grid
from pets.session.disclosure.attack import Attack, beside
from pets.session.disclosure.told_book import Unleft

FIRST = "Nothing had left without noise of this dataset before it was made."
_LISTED = 20


class UnconfirmedError(UserError):
    """Something left before, and the custodian has not said that they looked at what follows of it with the grid."""

    code = "unconfirmed"


@dataclass(frozen=True)
class Compared:
    """What follows of a grid together with all that left before without noise, for the custodian alone.

    Attributes:
        attack: each small number of people that can be derived of all of it, the grid among it.
        moved: each cell that the grid of before a refresh shows in another way, and what follows of that for somebody
            who knows how few people came or went.
        word: what says, in ``name_grid(…, confirm=…)``, that this was looked at. It is of this grid, of these tables,
            and of what has left until now; it tells nothing of what was found.
    """

    attack: Attack
    moved: tuple[str, ...]
    word: str

    def __bool__(self) -> bool:
        return bool(self.attack or self.moved)

    def __str__(self) -> str:
        more = [f"… and {len(self.moved) - _LISTED:,} cells more"] if len(self.moved) > _LISTED else []
        moved = [f"{len(self.moved):,} cells would show another number than before the refresh."] if self.moved else []
        last = f"To make the grid all the same, with this in mind: confirm={self.word!r}"
        return "\n".join([str(self.attack), *moved, *self.moved[:_LISTED], *more, last])


def compared(
    book: Book,
    grid: Grid,
    protection: SDC,
    snapshot: str,
    cells: Ints,
    before: Ints | None,
    refused: Sequence[Unleft] = (),
    *,
    atoms: int,
    **limits: Any,
) -> Compared:
    """What follows of a grid's cells as they would be shown; ``before``: those of the grid before a refresh.

    Args:
        refused, atoms, limits: as for :func:`pets.session.disclosure.attack.beside`.
    """
    found = beside(book.and_grid(grid.plan, snapshot, protection.rule, cells), refused, atoms, **limits)
    cells_moved = () if before is None else moved(grid, protection, before, cells)
    return Compared(found, cells_moved, word_of(book, grid, protection, snapshot, refused))


def word_of(book: Book, grid: Grid, protection: SDC, snapshot: str, refused: Sequence[Unleft] = ()) -> str:
    """By what a custodian says that they looked: of what left or was refused, and of what is to leave; no row decides.

    The word is published. That somebody looked at a table which waits is told to nobody, so it is no part of it.
    """
    left: list[Any] = [[one.number, one.id] for one in book.entries]
    left += [one.row.id for one in refused if one.row.review == "refused"]
    return digest(["pets.compared", left, grid.plan.digest, protection.to_json(), snapshot])[:12]


def confirmed(
    book: Book, grid: Grid, protection: SDC, snapshot: str, word: object, refused: Sequence[Unleft] = ()
) -> str:
    """What the grid's notes say of the comparison.

    Raises:
        UnconfirmedError: something left before, and the word of what follows of it is not given, or is another's.
    """
    count = len(book.entries)
    if word is None and not count:
        return FIRST
    several = f"{count:,} release{'s have' if count > 1 else ' has'}"
    if word is None:
        raise UnconfirmedError(
            f"{several} left this dataset without noise before, and with the grid more may follow of them: look at "
            "print(custodian.compare_grid(…)) with the same grid and rule, and write the word that it ends with, "
            "name_grid(…, confirm='…')"
        )
    if word != word_of(book, grid, protection, snapshot, refused):
        raise UnconfirmedError(
            f"{shown(word)} is the word of another comparison: of another grid or rule, of other tables, or of before "
            "something else left or was refused; look again at print(custodian.compare_grid(…)) and write the word "
            "that it ends with"
        )
    return (
        f"Its custodian compared it, before it was made, with all that had left before without noise ({count:,} "
        f"release{'' if count == 1 else 's'}), and decided that it may leave (confirmed: {word})."
    )


def moved(grid: Grid, protection: SDC, before: Ints, now: Ints) -> tuple[str, ...]:
    """Each cell that shows another number, and what it was and is where as few people as possible came or went."""
    (low, high), (least, most) = protection.rule.interval(before), protection.rule.interval(now)
    names, out = grid.plan.layout.columns(), []
    for cell in np.flatnonzero(before != now).tolist():
        who = ", ".join(f"{name} {column[cell]}" for name, column in names.items())
        was, here = _said(before[cell], low[cell], high[cell]), _said(now[cell], least[cell], most[cell])
        grew = least[cell] > high[cell]
        few = int(least[cell] - high[cell]) if grew else int(low[cell] - most[cell])
        ends = (high[cell], least[cell]) if grew else (low[cell], most[cell])
        more = f"{few:,} more came than went" if grew else f"{few:,} more went than came"
        out.append(
            f"cell ({who}) showed {was} and would show {here}: who knows that {more} learns that it was "
            f"{int(ends[0]):,} and is {int(ends[1]):,}"
        )
    return tuple(out)


def _said(number: int, low: int, high: int) -> str:
    return f"{STAR if number == HIDDEN else format(int(number), ',')} [{low:,}, {high:,}]"
