"""Tables: what a checker would ask about a CSV file: small or exact counts, rates without counts, rows of people.

It sees one file, and neither the data nor other outputs: what can be computed from several tables is found elsewhere.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pets.airlock.findings import Finding
from pets.airlock.kinds import ending

SMALL = 10
"""Counts of fewer people than this are small."""

MAX_ROWS = 1000
"""Rows of a table that one person can check."""

FEW_ROWS = 50  # below, a table without counts is no list of people
MAX_CELLS = 2_000_000
_SHOWN = 5  # places that one finding names

_WORDS = """
counts: n count counts num number total totals people persons patients participants subjects freq frequency events
  deaths cases admissions stays visits episodes obs observations denominator numerator population users tested
rates: rate rates mean means average avg percent percentage pct proportion share ratio odds risk prevalence incidence
  median quantile percentile quartile sd std stdev variance var hr rr irr auc coverage
extremes: min max minimum maximum lowest highest smallest largest earliest latest
keys: year month week day quarter date age decade hour code group band level order rank index decile bin quintile wave
  round epoch step bootstrap seed fold iteration df dof degrees
"""


def _words(kind: str) -> frozenset[str]:
    return frozenset(_WORDS.partition(f"\n{kind}: ")[2].replace("\n  ", " ").partition("\n")[0].split())


COUNTS, RATES, EXTREMES, KEYS = map(_words, ("counts", "rates", "extremes", "keys"))
"""Words in a column's name that say what its whole numbers are."""

_PEOPLE = re.compile(
    r"(nhs|chi|hospital|medical_record|social_security|insurance|passport|patient|person|participant|subject|member)"
    r"_?(id|no|nr|nhs|number|identifier|key|pseudonym|hash)$|^(mrn|ssn|nhsno|pid|uuid|guid|surname|forename|"
    r"first_?name|last_?name|full_?name|date_?of_?birth|dob|birth_?date|post_?code|zip_?code|address|street|e_?mail|"
    r"phone|telephone|mobile|ip_?address)$"
)
_HIDDEN = re.compile(
    r"|\*|\.\.?|-|–|—|na|n/a|nan|null|none|c|x|<\s*\d+|≤\s*\d+|\[?redacted\]?|\[?suppressed\]?|hidden", re.I
)
_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?([eE][+-]?\d+)?%?|[+-]?\.\d+([eE][+-]?\d+)?%?")

_FIRST = re.compile(rf"({_NUMBER.pattern.partition('|[+-]?')[0]})(?=\s*[(\[/±])")


def _whole(value: float) -> bool:
    """Whether a number can be a count."""
    return value >= 0 and value.is_integer()


@dataclass(frozen=True)
class Column:
    """One column, and what its values are.

    Attributes:
        cells: its texts, top to bottom.
        numbers: each as a number, ``None`` for what is hidden or empty; ``None`` where it is no column of numbers.
        values: each as a number, also in a column that holds other texts; ``None`` for what is hidden and for those.
        odd: the lines of the file whose text is hidden no more than it is a count: a whole number, none below 0.
    """

    name: str
    cells: tuple[str, ...]
    numbers: tuple[float | None, ...] | None
    values: tuple[float | None, ...]
    odd: tuple[int, ...]

    @classmethod
    def of(cls, name: str, cells: Sequence[str]) -> Column:
        """A column whose every text that is not hidden is a number is one of numbers."""
        found: list[float | None] = []
        odd, words = [], False
        for line, cell in enumerate(cells, start=2):
            text = cell.strip()
            if _HIDDEN.fullmatch(text):
                found.append(None)
                continue
            number = _NUMBER.fullmatch(text)
            words |= number is None
            first = number or _FIRST.match(text)  # '4 (2%)' tells 4
            value = float(first[0].rstrip("%").replace(",", "")) if first else None
            found.append(value)
            if number is None or value is None or not _whole(value):
                odd.append(line)
        there = not words and any(one is not None for one in found)
        return cls(name, tuple(cells), tuple(found) if there else None, tuple(found), tuple(odd))

    @property
    def words(self) -> frozenset[str]:
        """Of its name, in small letters."""
        parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name)
        return frozenset(part for part in re.split(r"[^a-z]+", parted.lower()) if part)

    @property
    def named_count(self) -> bool:
        """Whether its name says that it counts, and not that it is a rate or one of the table's keys."""
        return bool(self.words & COUNTS) and not self.words & (RATES | EXTREMES) and not self.identifies

    @property
    def counts(self) -> bool:
        """Whether its numbers are counts, each cell by itself: one that is none does not hide the others.

        Its name says that it counts and a cell has a number, or the name says nothing and most cells are whole numbers.
        """
        if self.words & (RATES | EXTREMES) or self.identifies:
            return False
        lines = [line for line, value in enumerate(self.values, start=2) if value is not None]
        if self.named_count:
            return bool(lines)
        return not self.words & KEYS and len(set(lines) - set(self.odd)) > len(self.odd)

    @property
    def identifies(self) -> bool:
        """Whether its name is that of something which names a person."""
        return bool(_PEOPLE.search(re.sub(r"[^a-z]+", "_", self.name.strip().lower()).strip("_")))

    @property
    def distinct(self) -> bool:
        """Whether no two of its texts are the same."""
        return len(set(self.cells)) == len(self.cells)


def columns_of(name: str, data: bytes) -> list[Column] | Finding:
    """The columns of a table, or why a person could not read it."""

    def unread(says: str, remedy: str) -> Finding:
        return Finding(name, "unreadable", says, remedy, stops=True)

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return unread("it is not UTF-8 text", "save it as UTF-8")
    if "\x00" in text:
        return unread("it holds NUL characters", "write it again as plain text")
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if ending(name) == ".tsv" else ","))
    except csv.Error:
        return unread("it is no table of values with commas between them", "write it with a header and commas")
    lines = [line for line in lines if line]
    if len(lines) < 2:
        return unread("it has no rows below its header", "leave it out, or write its numbers")
    head, rows = lines[0], lines[1:]
    if len(head) * len(rows) > MAX_CELLS:
        return Finding(
            name, "many-rows", f"it has {len(rows):,} rows", "take out what you need of it alone", stops=True
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(head):
            return unread(
                f"line {number} has {len(row)} values and the header {len(head)}",
                "give every line as many as the header",
            )
    return [Column.of(title, [row[at] for row in rows]) for at, title in enumerate(head)]


def check_table(name: str, data: bytes, *, small: int = SMALL) -> Iterator[Finding]:
    """What a checker would ask about one table."""
    found = columns_of(name, data)
    if isinstance(found, Finding):
        yield found
        return
    rows = len(found[0].cells)
    yield from _people(name, found, rows)
    ends = _ends(found)
    counts = [one for one in found if one.counts and one.name not in ends]
    for column in counts:
        yield from _counts(name, column, small)
    for column in found:
        if column.numbers is not None and column.words & EXTREMES:
            yield Finding(
                name,
                "extreme",
                f"column {column.name!r} holds smallest or largest values",
                "leave it out, or give a quantile of many people, such as the 5th percentile",
            )
    rates = [one.name for one in found if one.numbers is not None and one.words & RATES]
    if rates and not any(one.named_count for one in counts):
        yield Finding(
            name,
            "missing-counts",
            f"column {rates[0]!r} holds a rate, a mean or a quantile, and no column counts the people behind it",
            "add the rounded number of people of each row, in a column such as 'n'",
        )


def _people(name: str, found: Sequence[Column], rows: int) -> Iterator[Finding]:
    for column in found:
        if column.identifies:
            yield Finding(
                name,
                "identifier",
                f"column {column.name!r} is named as what names a person",
                "leave it out, or group the rows; give it another name if it is none",
                stops=column.distinct and rows > 1,
            )
    counted = any(one.named_count and one.counts for one in found)
    if not counted and rows >= FEW_ROWS:
        differ = ", a column of which no two values are the same," * any(one.distinct for one in found)
        yield Finding(
            name,
            "row-level",
            f"it has {rows:,} rows{differ} and no counts: it looks like a list of people",
            "group the rows and count them; if each row is a group already, add the number of people in it; if it is "
            "a synthetic table, submit its certificate with it",
        )
    if rows > MAX_ROWS:
        yield Finding(
            name,
            "many-rows",
            f"it has {rows:,} rows, more than a person checks ({MAX_ROWS:,})",
            "use coarser groups, or submit it in parts that are checked one by one",
        )


def _ends(found: Sequence[Column]) -> frozenset[str]:
    """The columns ``n_low`` and ``n_high`` beside a column ``n`` of counts, where they tell no more than rounding does.

    So a release's own table is not asked to round them; what lies nearer than rounding would leave it is still a count.
    """
    named = {one.name: one for one in found}
    out: set[str] = set()
    for name, column in named.items():
        low, high = named.get(f"{name}_low"), named.get(f"{name}_high")
        if low is None or high is None or not column.counts or column.odd:
            continue
        if all(map(_leaves_open, column.values, low.values, high.values)):
            out |= {low.name, high.name}
    return frozenset(out)


def _leaves_open(shown: float | None, low: float | None, high: float | None) -> bool:
    """Whether ends leave as much open as a number hidden, or rounded to 5 (the least, 10, may be 10 to 12)."""
    if low is None or high is None or not _whole(low) or not _whole(high):
        return False
    if shown is None:
        return high - low >= 4
    if shown == 0:
        return low == 0
    return (low <= shown - 2 or low <= shown <= SMALL) and high >= shown + 2


def _counts(name: str, column: Column, small: int) -> Iterator[Finding]:
    """Small counts are what a checker sends back most often; exact ones give small ones away by subtraction."""
    numbers = [(at, value) for at, value in enumerate(column.values, start=2) if value is not None and _whole(value)]
    there = [int(value) for _, value in numbers if value]
    midpoints = bool(there) and all(value % 6 == 3 for value in there)
    places = [at for at, value in numbers if 0 < value < small]
    sure = "" if column.named_count else ", if it counts people"
    if column.odd:
        yield Finding(
            name,
            "unreadable",
            f"{len(column.odd):,} value(s) of column {column.name!r} are no whole number{sure} "
            f"(line {_listed(column.odd)})",
            "write a whole number there, or * for what is hidden, and give shares and words a column of their own",
        )
    if places and not midpoints:
        said = f"{len(places):,} value(s) from 1 to {small - 1}{sure} (line {_listed(places)})"
        yield Finding(
            name,
            "small-count",
            f"column {column.name!r} holds {said}",
            "hide them and round the others to the nearest 5, or use coarser groups",
        )
    if there and not midpoints and any(value % 5 for value in there):
        yield Finding(
            name,
            "unrounded",
            f"column {column.name!r} is not rounded{sure}",
            "round it to the nearest 5 (or to the midpoint of six), totals too",
        )


def _listed(lines: Sequence[int]) -> str:
    more = len(lines) - _SHOWN
    return ", ".join(map(str, lines[:_SHOWN])) + f" and {more:,} more" * (more > 0)
