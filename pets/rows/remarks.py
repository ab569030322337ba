"""What the custodian is told where a column did not survive its reading, with the remedy for its kind.

A remark holds a share of real rows. It goes where the report goes, to the custodian alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pets.errors import DataError, shown


class Fates(Protocol):
    """What a remark rests on: how many cells a column has, its type, and how many cells met each fate."""

    @property
    def rows(self) -> int:
        """The column's cells."""

    @property
    def kind(self) -> str:
        """The column's type."""

    def counts(self) -> Mapping[str, int]:
        """Each fate by its name."""


SHARE = 0.05
"""Of a column's cells: more than this is worth a remark."""

_NULL = "list texts that mean no value under null"
_NUMBERS = f"say how the file writes numbers (decimal, thousands, prefix, suffix), or {_NULL}"
_DAYS = f"say how the file writes them (format: dd/mm/yyyy, yyyymmdd or a strptime pattern), or {_NULL}"
_BOUNDS = "look the bounds up in the data's documentation, and the unit that it counts in"

_REMEDIES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("date", "unparsable"): ("are no days as the schema has them", _DAYS),
    ("date", "out_of_domain"): ("lie outside min and max, and have no value now", f"{_BOUNDS}, or {_NULL}"),
    ("datetime", "unparsable"): ("are no date-times as the schema has them", _DAYS),
    ("datetime", "out_of_domain"): ("lie outside min and max, and have no value now", f"{_BOUNDS}, or {_NULL}"),
    ("time", "unparsable"): (
        "are no times of day",
        f"say that the file writes them without colons (format: hhmm), or {_NULL}; of date and time together the type "
        "is datetime",
    ),
    ("time", "out_of_domain"): ("lie outside min and max, and have no value now", f"{_BOUNDS}, or {_NULL}"),
    ("integer", "unparsable"): (
        "are no whole numbers as the schema has them",
        f"{_NUMBERS}; fractions need round: floor, ceil or nearest (or type: real)",
    ),
    ("integer", "clamped"): ("lie outside min and max, and are the nearer bound now", f"{_BOUNDS}, or {_NULL}"),
    ("real", "unparsable"): ("are no numbers as the schema has them", _NUMBERS),
    ("real", "clamped"): ("lie outside min and max, and are the nearer bound now", f"{_BOUNDS}, or {_NULL}"),
    ("category", "out_of_domain"): (
        "are not among values, and have no value now",
        f"name other spellings (map, trim: true, case: fold), add values that the documentation lists, or {_NULL}",
    ),
    ("text", "out_of_domain"): (
        "are longer than max_length or not of the form, and have no value now",
        f"look the form and the length up in the data's documentation, or {_NULL}",
    ),
    ("boolean", "out_of_domain"): (
        "are neither yes nor no",
        f"declare a category with the file's own two values, or {_NULL}",
    ),
}


def remarks(columns: Mapping[str, Fates], share: float = SHARE) -> tuple[str, ...]:
    """One line for each column of which more than a share was unreadable, out of domain or clamped."""
    _check(share)
    found = []
    for name, fates in columns.items():
        for fate in ("unparsable", "out_of_domain", "clamped"):
            count = fates.counts()[fate]
            if fates.rows and count > share * fates.rows and (fates.kind, fate) in _REMEDIES:
                what, remedy = _REMEDIES[fates.kind, fate]
                found.append(f"! column {name!r}: {100 * count / fates.rows:.1f} % of its cells {what}: {remedy}")
    return tuple(found)


def unseen(table: str, valid: int, kept: int, max_rows: int, share: float = SHARE) -> tuple[str, ...]:
    """A line where more than a share of an event table's rows lies beyond ``max_rows``, so that no question sees it."""
    _check(share)
    if not valid or valid - kept <= share * valid:
        return ()
    return (
        f"! table {table!r}: {100 * (valid - kept) / valid:.1f} % of its rows lie beyond max_rows ({max_rows}), and no "
        "question sees them: a person's first event may be missed, or look later than it was; raise max_rows, for a "
        "question about people pays no noise for it (one about rows counts 'rows' of them, unless it says otherwise)",
    )


def _check(share: float) -> None:
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise DataError(f"share must be a number from 0 to 1, such as 0.05, not {shown(share)}")
