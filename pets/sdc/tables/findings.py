"""Finding: what is said of one cell of a table, and why; a closed list of reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What becomes of a cell."""

    PASS = "pass"
    REVIEW = "review"
    FAIL = "fail"


REASONS = {
    "small": "a small count is shown as it is",
    "zero": "a zero is shown, and the rule hides zeros",
    "unrounded": "the rule rounds, and this number is not rounded",
    "derived": "what is hidden or rounded can be found from other numbers",
    "difference": "two tables differ by few people",
    "undecided": "neither a proof nor a way to find it was reached in time",
    "contradiction": "the tables contradict each other, so nothing can be proved of them",
    "few": "a mean or a sum rests on few people",
    "size": "a mean whose number of people is not given",
    "digits": "the digits of a mean tell on how many people it rests",
    "dominance": "the greatest contributions are nearly all of a sum",
    "p_percent": "one contributor can tell another's amount too well",
    "open": "enough is left open",
    "large": "no small count",
    "empty": "nothing is shown, and nothing can be found",
}
"""What a finding's reason means."""


@dataclass(frozen=True)
class Finding:
    """What is said of one cell.

    Attributes:
        table: the name of its table.
        cell: its labels; for a difference, both tables.
        measure: what is counted, or the name of a column of means or sums.
        shown: the text in the file.
        verdict: pass, review or fail.
        reason: one of :data:`REASONS`.
        derivation: how it is found, or what is left open, as a sentence.
        low, high: the least and the greatest count that it can be; ``None`` where that was not asked.
        row, column: where it stands in the file's body, from 0; ``None`` for a difference.
    """

    table: str
    cell: str
    measure: str
    shown: str
    verdict: Verdict
    reason: str
    derivation: str = ""
    low: int | None = None
    high: int | None = None
    row: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Grid:
    """A table as it was read: its head, and its cells as texts."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...]
