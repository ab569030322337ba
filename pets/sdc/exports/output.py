"""Output: one table that is to leave, with what was found of it: a release's, or one of a file that was checked.

What an export says follows from the check alone. A release with noise is for a person to review there, since those
forms have no word for differential privacy.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from pets.common.csv_cell import no_formula
from pets.errors import UserError, shown
from pets.protection.rounding import Rounding
from pets.sdc.tables.findings import Finding, Verdict
from pets.sdc.tables.result import TableCheck

APART = " / "


@runtime_checkable
class Released(Protocol):
    """What an export reads of a release."""

    @property
    def table(self) -> pd.DataFrame:
        """The table."""

    @property
    def protection(self) -> Any:
        """The protection's canonical form."""

    @property
    def guarantee(self) -> str:
        """What is promised, as a sentence."""


@dataclass(frozen=True)
class Output:
    """One table that is to leave.

    Attributes:
        title: its name.
        header, rows: the table, the keys joined in one first column.
        shift: how many columns the keys took, less one: where a finding's column stands.
        status: pass, review or fail.
        findings: what was found of its cells.
        command: what made it or checked it, for people.
        summary: what is said of all of it.
        mitigation, base: ``"round"``, ``"suppress"`` or ``"none"``, and to what it is rounded.
        statbarn: the class of its statistics.
        keys: what its rows are about.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    status: Verdict
    findings: tuple[Finding, ...]
    command: str
    summary: str
    mitigation: str
    base: int
    keys: tuple[str, ...]
    measures: tuple[str, ...]

    def csv(self) -> bytes:
        """The table as a file: a head, and one column of row names."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        for row in (self.header, *self.rows):
            writer.writerow([no_formula(cell) for cell in row])
        return out.getvalue().encode()


def outputs(given: Sequence[TableCheck | Released]) -> tuple[Output, ...]:
    """Every table of checks and releases.

    Raises:
        UserError: for anything else, or for nothing.
    """
    if not given:
        raise UserError("there is nothing to export; give releases, or the results of pets.sdc.check")
    made: list[Output] = []
    for one in given:
        if isinstance(one, TableCheck):
            made += _checked(one)
        elif isinstance(one, Released):
            made.append(_released(one))
        else:
            raise UserError(f"an export is of releases and of results of pets.sdc.check, not of {shown(one)}")
    return tuple(made)


def _checked(check: TableCheck) -> list[Output]:
    made = []
    for grid in check.tables:
        places = [place for place, name in enumerate(grid.header) if name not in grid.keys]
        own = [place for place, name in enumerate(grid.header) if name in grid.keys]
        found = tuple(one for one in check.findings if one.table == grid.name)
        states = {one.verdict for one in found}
        status = next((one for one in (Verdict.FAIL, Verdict.REVIEW) if one in states), Verdict.PASS)
        rule = check.base
        made.append(
            Output(
                grid.name,
                (APART.join(grid.header[place] for place in own), *(grid.header[place] for place in places)),
                tuple(
                    (APART.join(row[place] for place in own), *(row[place] for place in places)) for row in grid.rows
                ),
                status,
                found,
                f"pets.sdc.check({grid.name!r}, preset={check.preset!r}, width={check.width})",
                f"{status.value}: {check.rule}",
                "round" if rule > 1 else "none",
                rule,
                grid.keys,
                tuple(grid.header[place] for place in places),
            )
        )
    return made


def _released(release: Released) -> Output:
    table, protection = release.table, dict(release.protection)
    numbers = [place for place, dtype in enumerate(table.dtypes) if pd.api.types.is_numeric_dtype(dtype)]
    own = [place for place in range(len(table.columns)) if place not in numbers]
    names = [str(name) for name in table.columns]
    kind, rule = str(protection.get("kind", "")), getattr(release, "rule", None)
    missing = "*" if kind == "sdc" else ""
    rows = [[missing if pd.isna(value) else str(value) for value in row] for row in table.itertuples(index=False)]
    return Output(
        str(getattr(release, "id", "release")),
        (APART.join(names[place] for place in own) or "everybody", *(names[place] for place in numbers)),
        tuple(
            (APART.join(row[place] for place in own) or "everybody", *(row[place] for place in numbers)) for row in rows
        ),
        Verdict.REVIEW,
        (),
        f"session.release(…, pets.{kind.upper()}(…))" if kind else "session.release(…)",
        f"review: {release.guarantee}",
        "round" if isinstance(rule, Rounding) else "none",
        rule.base if isinstance(rule, Rounding) else 1,
        tuple(names[place] for place in own),
        tuple(names[place] for place in numbers),
    )
