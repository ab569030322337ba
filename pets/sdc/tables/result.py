"""TableCheck: what a check of published tables found, as a table, as text, as a page and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pets.common import html_table
from pets.common.codec import Json
from pets.common.files import replace_file
from pets.errors import UserError
from pets.sdc.tables.findings import REASONS, Finding, Grid, Verdict
from pets.sdc.tables.page import page

_LINES = 40


@dataclass(frozen=True)
class TableCheck:
    """What was found.

    Attributes:
        tables: the tables, as they were read.
        rule: the rule in words, with its name.
        preset: its name; ``"own"`` where it is no preset.
        width: how many whole numbers beside the true one a small count had to leave open.
        findings: one a cell, and one for each other thing that was found.
        small, base, hides_zero: the greatest count that is small, to what counts are rounded (1: as they are), and
            whether a zero is small, too.
        remarks: what was taken for granted.
    """

    tables: tuple[Grid, ...]
    rule: str
    preset: str
    width: int
    findings: tuple[Finding, ...]
    small: int
    base: int
    hides_zero: bool
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Of all together: fail where one fails, review where one has to be looked at, else pass."""
        states = {one.verdict for one in self.findings}
        return next((one for one in (Verdict.FAIL, Verdict.REVIEW) if one in states), Verdict.PASS)

    @property
    def exit_code(self) -> int:
        """What the command line returns: 0 pass, 30 review, 31 fail."""
        return {Verdict.PASS: 0, Verdict.REVIEW: 30, Verdict.FAIL: 31}[self.verdict]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that fail."""
        return tuple(one for one in self.findings if one.verdict is Verdict.FAIL)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many findings have each verdict."""
        found = Counter(one.verdict for one in self.findings)
        return {one.value: found[one] for one in Verdict}

    @property
    def table(self) -> pd.DataFrame:
        """One row a finding."""
        names = [*Finding.__dataclass_fields__]
        rows = [[getattr(one, name) for name in names] for one in self.findings]
        frame = pd.DataFrame(rows, columns=names)
        frame["verdict"] = [one.verdict.value for one in self.findings]
        return frame.astype(dict.fromkeys(("low", "high", "row", "column"), "Int64"))

    def to_json(self) -> Json:
        """Everything, as JSON."""
        return {
            "pets": "sdc check",
            "verdict": self.verdict.value,
            "preset": self.preset,
            "rule": self.rule,
            "width": self.width,
            "counts": self.counts,
            "findings": [asdict(one) | {"verdict": one.verdict.value} for one in self.findings],
            "remarks": list(self.remarks),
            "tables": [asdict(one) for one in self.tables],
        }

    def page(self) -> str:
        """A page to look at, which loads nothing: each table with its cells marked, and what was found of them."""
        return page(self)

    def save(self, path: str | Path) -> Path:
        """Write it as ``.html``, ``.json`` or ``.csv``.

        Raises:
            UserError: for another ending, or where the file cannot be written.
        """
        out = Path(path)
        forms: dict[str, Any] = {
            ".html": self.page,
            ".json": lambda: json.dumps(self.to_json(), indent=2, ensure_ascii=False),
            ".csv": lambda: self.table.to_csv(index=False),
        }
        if out.suffix.lower() not in forms:
            raise UserError(f"{out.name!r} must end in .html, .json or .csv")
        try:
            replace_file(out, f"{forms[out.suffix.lower()]().rstrip()}\n".encode())
        except OSError as error:
            raise UserError(f"{str(out)!r} cannot be written ({error.strerror})") from None
        return out

    def __str__(self) -> str:
        """The verdict, and a line for each finding that is none of a passing cell."""
        counted = ", ".join(f"{number:,} {name}" for name, number in self.counts.items())
        lines = [
            f"{self.verdict.value.upper()}: {counted}, by {self.rule}; a small count leaves {self.width} others open"
        ]
        told = [one for verdict in (Verdict.FAIL, Verdict.REVIEW) for one in self.findings if one.verdict is verdict]
        lines += [f"  {line(one)}" for one in told[:_LINES]]
        if len(told) > _LINES:
            lines.append(f"  … and {len(told) - _LINES:,} more; the page and the file list them all")
        lines += [f"  note: {remark}" for remark in self.remarks]
        return "\n".join(lines)

    def __repr__(self) -> str:
        counted = ", ".join(f"{name} {number:,}" for name, number in self.counts.items())
        return f"TableCheck({self.verdict.value}: {counted})"

    def _repr_html_(self) -> str:
        told = [one for one in self.findings if one.verdict is not Verdict.PASS][:_LINES]
        rows = [
            (one.verdict.value, one.table, one.cell, one.shown, one.derivation or REASONS[one.reason]) for one in told
        ]
        head = ("verdict", "table", "cell", "shown", "why")
        parts = [html_table.sentence(str(self).splitlines()[0], alarm=self.verdict is Verdict.FAIL)]
        parts += [html_table.table("What was found", head, rows)] if rows else []
        return html_table.block(*parts, *(html_table.sentence(one) for one in self.remarks))


def line(one: Finding) -> str:
    """A finding as one line."""
    why = one.derivation or REASONS[one.reason]
    place = "" if one.row is None else f", row {one.row + 1}"
    return f"{one.verdict.value}  {one.table}{place}: {why}"
