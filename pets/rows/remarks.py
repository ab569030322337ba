"""What the custodian is told where a column did not survive its reading, with the remedy for its kind.

A remark holds a share of real rows. It goes where the report goes, to the custodian alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
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


class Rows(Protocol):
    """A report, as far as it says which rows are left out."""

    @property
    def rows_valid(self) -> int:
        """Rows that have a person and every value that the schema demands."""

    @property
    def rows_dropped(self) -> int:
        """Rows that have a person, and lack such a value."""

    @property
    def columns(self) -> Mapping[str, Fates]:
        """What became of each column's cells."""


SHARE = 0.05
"""Of a column's cells: more than this is worth a remark."""

LOUD = 0.01
"""Of a table's rows: where more than this are left out for want of a value, whoever opens the data is warned."""

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


_REMEDY = (
    "declare nullable: true for a column that may lack a value; where pandas has read a text such as None or NA as no "
    "value, read the file with keep_default_na=False or give its path; then make stored snapshots anew"
)


@dataclass(frozen=True)
class LeftOut:
    """Rows of a table that no answer counts, since a column that is declared ``nullable: false`` has no value there.

    As text (:meth:`__str__`) it has exact counts of real rows, for the custodian alone; :attr:`noted` has none.

    Attributes:
        table: which.
        rows: its rows that have a person.
        dropped: those of them that are left out.
        columns: by column, how many rows lack its value, most first; a row may lack several.
    """

    table: str
    rows: int = field(repr=False)
    dropped: int = field(repr=False)
    columns: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(cls, table: str, own: Collection[str], report: Rows, before: Rows | None = None) -> tuple[LeftOut, ...]:
        """One, where more than :data:`LOUD` of the rows are left out; else none.

        Args:
            own: the table's own columns; a report also tells of those of its person table.
            before: the report before rows were added: then only those that were added are looked at.
        """
        earlier = (0, 0) if before is None else (before.rows_valid, before.rows_dropped)
        dropped = report.rows_dropped - earlier[1]
        rows = report.rows_valid + report.rows_dropped - sum(earlier)
        if dropped <= LOUD * rows:
            return ()
        lacks = {
            name: fates.counts()["dropped"] - (0 if before is None else before.columns[name].counts()["dropped"])
            for name, fates in report.columns.items()
            if name in own
        }
        found = sorted(((name, count) for name, count in lacks.items() if count), key=lambda pair: -pair[1])
        return (cls(table, rows, dropped, dict(found)),)

    def __str__(self) -> str:
        lacking = ", ".join(f"{name!r} in {count:,}" for name, count in self.columns.items())
        share = f"{100 * self.dropped / self.rows:.1f} %"
        return self._said(f"{self.dropped:,} of {self.rows:,} rows ({share})", lacking)

    @property
    def noted(self) -> str:
        """The same for a log, which holds no count of real rows."""
        return self._said("too many rows", f"{', '.join(map(repr, self.columns))}; pets profile counts them")

    def _said(self, how_many: str, lacking: str) -> str:
        return (
            f"table {self.table!r}: {how_many} are left out of every answer, since columns that the schema declares "
            f"nullable: false have no value there ({lacking}); {_REMEDY}"
        )


def _check(share: float) -> None:
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise DataError(f"share must be a number from 0 to 1, such as 0.05, not {shown(share)}")
