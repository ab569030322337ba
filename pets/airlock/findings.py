"""Findings: what a checker would ask about an output, each with what to do, in the order in which one would ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pets.common import html_table
from pets.common.codec import Json

RULES = {
    "type-not-allowed": "kinds of files that hold more than they show are not taken out",
    "not-as-named": "what is in a file is what its name says",
    "unreadable": "a person must be able to read all of it",
    "identifier": "nothing that names a person is taken out",
    "row-level": "rows of people are not taken out",
    "small-count": "counts of few people are hidden or rounded",
    "unrounded": "counts are rounded, so that no two of them show a small one by subtraction",
    "missing-counts": "beside each rate, mean or quantile stands the number of people behind it",
    "missing-numbers": "beside a picture stand the numbers that it was drawn from",
    "extreme": "a smallest or largest value is one person's",
    "many-rows": "a table is no larger than a person can check",
    "no-context": "a checker must know what the output is and what it is for",
    "no-controls": "a checker must know what was done so that it discloses nothing",
    "empty": "something is in every file",
    "too-large": "an output is no larger than a person can check",
}
"""By rule, what it asks for."""


@dataclass(frozen=True)
class Finding:
    """One thing that a checker would ask about.

    Attributes:
        file: in which file; '' for what is said of all of them.
        rule: of :data:`RULES`.
        says: what was found. It is for whoever submits the file, who has it, and may quote a column's name or a place
            in it.
        remedy: what to do.
        stops: whether it cannot be submitted so; else a person decides.
    """

    file: str
    rule: str
    says: str
    remedy: str
    stops: bool = False

    def __str__(self) -> str:
        place = f"{self.file}: " if self.file else ""
        return f"{'!' if self.stops else '?'} {place}{self.says}; {self.remedy} [{self.rule}]"

    def to_json(self) -> Json:
        """As a reply tells it."""
        return {name: getattr(self, name) for name in ("file", "rule", "says", "remedy", "stops")}


@dataclass(frozen=True)
class Preflight:
    """All that was found in an output before anybody else saw it."""

    findings: tuple[Finding, ...]
    files: int

    @classmethod
    def of(cls, findings: Iterable[Finding], files: int) -> Preflight:
        """What stops it first."""
        return cls(tuple(sorted(findings, key=lambda one: not one.stops)), files)

    @property
    def ready(self) -> bool:
        """Whether it may be submitted; a person may still ask about what was found."""
        return not any(one.stops for one in self.findings)

    @property
    def clean(self) -> bool:
        """Whether nothing was found. A person decides all the same: this looks at each file, and at no other output."""
        return not self.findings

    def __str__(self) -> str:
        if self.clean:
            return f"Nothing to ask about in {self.files} file(s), as far as a program can see; two people look next."
        stops = sum(one.stops for one in self.findings)
        asks = len(self.findings) - stops
        heads = [f"{stops} must be mended before it is submitted"] if stops else []
        heads += [f"{asks} a checker would ask about"] if asks else []
        return "\n".join([f"{self.files} file(s): {', '.join(heads)}.", *map(str, self.findings)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = str(self).partition("\n")[0]
        if self.clean:
            return html_table.block(html_table.sentence(head))
        rows = [
            (one.file or "all", "mend" if one.stops else "asked", one.says, one.remedy, one.rule)
            for one in self.findings
        ]
        names = ("File", "", "What", "What to do", "Rule")
        return html_table.block(html_table.table(head, names, rows))
