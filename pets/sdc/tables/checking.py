"""Check: tables that others made, alone and together, by a rule of disclosure control.

Every cell ends in one finding: it shows something small, something small follows from other numbers (with the sum that
gives it), it was proved to leave enough open, or a person has to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pets.common.codec import whole
from pets.common.html_table import few
from pets.errors import UserError, shown
from pets.protection.rounding import Rounding
from pets.protection.sdc import PRESETS, SDC, WIDTH, preset
from pets.release.rounded.sealed_table import SealedTable
from pets.schema.schema import Category, Schema
from pets.sdc.tables import rules
from pets.sdc.tables.bounds import MOST, Bounded, bounded, ends_beside
from pets.sdc.tables.cell_text import read_cell
from pets.sdc.tables.files import read_table
from pets.sdc.tables.findings import Finding, Grid, Verdict
from pets.sdc.tables.linked import MAX_ATOMS, Linked, Target, linked
from pets.sdc.tables.reach import Reach
from pets.sdc.tables.released import of_release, saved
from pets.sdc.tables.result import TableCheck
from pets.sdc.tables.rules import Limits
from pets.sdc.tables.sheet import COLUMNS, TOTAL, Layout, Sheet, beside, flat, sheets
from pets.sdc.tables.subtraction import ContradictionError, Subtraction

PEOPLE = ("auto", "same", "nested", "other")


def check(
    tables: Any,
    *,
    preset: str | SDC | Rounding = "acro_default",
    schema: Schema | None = None,
    keys: Sequence[str] | None = None,
    counts: Sequence[str] | None = None,
    across: str | None = None,
    means: Mapping[str, str | None] | None = None,
    totals: Iterable[str] = (),
    hidden: tuple[int, int] | None = None,
    people: str = "auto",
    width: int | None = None,
    seconds: float = 60.0,
) -> TableCheck:
    """Check tables of counts, means and sums that somebody wants to publish, or has published.

    Args:
        tables: a DataFrame, a file, or a release with :class:`pets.SDC`; or several, as a list, or by name: they are
            then put together as well.
        preset: the rule by which they were made: a name, a :class:`pets.SDC`, or a rule of rounding.
        schema: columns that it knows as categories are keys, and name what runs across columns.
        keys, counts, across, means, totals: what the columns are, where that is not recognised: key columns, columns of
            counts of people, what the columns of counts are parted by, columns of means with the column of their
            numbers of people, and labels that name all together.
        hidden: the least and the greatest count that a hidden cell can be; left out, as the rule hides.
        people: whether several tables are about the same people: ``"same"``, ``"nested"`` (each within the one
            before), ``"other"`` (checked apart), or ``"auto"``: as their totals tell.
        width: how many whole numbers beside the true one a small count must leave open; left out, the preset's.
        seconds: how long to look for a proof; what is not proved by then is for a person to review.

    Returns:
        One finding for each cell, and for each difference of few people; ``result.verdict`` is that of all together.

    Raises:
        DataError: where a table cannot be read.
        UserError: for settings that make no sense.

    >>> table = pd.DataFrame({"region": ["North", "South", "Total"], "people": ["*", "20", "23"]})
    >>> print(check(table))
    FAIL: 2 pass, 0 review, 1 fail...
      fail  table 1, row 1: cell (North) is 3: 23 − 20
    """
    limits, name = _limits(preset, width)
    if people not in PEOPLE:
        raise UserError(f"people must be one of {', '.join(PEOPLE)}, not {shown(people)}")
    if hidden is not None and not (len(hidden) == 2 and 0 <= hidden[0] <= hidden[1]):
        raise UserError(
            f"hidden is the least and the greatest count that is hidden, such as (1, 7), not {shown(hidden)}"
        )
    layout = Layout(
        None if keys is None else tuple(keys),
        None if counts is None else tuple(counts),
        across,
        None if means is None else tuple(means.items()),
        frozenset(str(one).casefold() for one in totals),
    )
    grids: list[Grid] = []
    made: list[Sheet] = []
    named = [
        (title, frame, _by_ends(frame, _by_schema(frame, layout, schema), limits.rule))
        for title, frame in _named(tables)
    ]
    known = [one for title, frame, told in named for one in sheets(frame, title, told)]
    for title, frame, told in named:
        found = sheets(frame, title, _by_others(told, [one for one in known if one.name == title], known))
        made += found
        grids.append(_grid(frame, title, found))
    measures = list(dict.fromkeys(one.measure for one in made))
    single = len(measures) == 1
    read = [bounded(one, limits.rule, hidden) for one in _alike(made, single=single)]
    findings: list[Finding] = []
    remarks = [remark for one in read for remark in one.remarks]
    if not single and len(named) > 1:
        remarks.append(f"these are taken for counts of different things, and not put together: {few(measures)}")
    for measure in dict.fromkeys(one.sheet.measure for one in read):
        groups, said = linked([one for one in read if one.sheet.measure == measure], people)
        remarks += said
        for group in groups:
            findings += _checked(group, limits, seconds, remarks)
    for one in read:
        findings += rules.of_means(one, limits)
    rule = f"{name} ({limits.rule})" if name in PRESETS else str(limits.rule)
    return TableCheck(
        tuple(grids),
        rule,
        name,
        limits.width,
        tuple(findings),
        limits.small,
        limits.rule.base,
        limits.rule.hide_zero,
        tuple(dict.fromkeys(remarks)),
    )


def _limits(rule: str | SDC | Rounding, width: int | None) -> tuple[Limits, str]:
    """The rule, its width and its name."""
    if width is not None:
        try:
            width = whole(width)
        except ValueError:
            width = 0
        if width < 1:
            raise UserError(f"width must be a whole number above 0; {WIDTH} is usual")
    if isinstance(rule, SDC):
        return Limits(rule.rule, width or rule.width), rule.name
    if isinstance(rule, Rounding):
        return Limits(rule, width or WIDTH), "own"
    known = preset(rule)
    return Limits(known.rule, width or known.width), known.name


def _named(tables: Any) -> Iterable[tuple[str, pd.DataFrame]]:
    """Each table with its name."""
    if isinstance(tables, Mapping):
        given = [(str(name), table) for name, table in tables.items()]
    else:
        several = list(tables) if isinstance(tables, (list, tuple)) else [tables]
        given = [("" if isinstance(one, (str, Path)) else f"table {i}", one) for i, one in enumerate(several, start=1)]
    if not given:
        raise UserError("there is no table to check; give a DataFrame or a file")
    used: set[str] = set()
    for name, table in given:
        name = name or Path(table).name
        name = next(one for one in (name, *(f"{name} ({i})" for i in range(2, len(given) + 2))) if one not in used)
        used.add(name)
        if isinstance(table, (str, Path)) and Path(table).suffix.lower() == ".json":
            yield name, of_release(saved(table))
        elif isinstance(table, (str, Path)):
            yield name, read_table(table)
        elif isinstance(table, SealedTable):
            yield name, of_release(table)
        elif isinstance(table, pd.Series):
            yield name, table.to_frame("people" if table.name is None else str(table.name))
        elif isinstance(table, pd.DataFrame):
            yield name, table
        else:
            raise UserError(
                f"a table is a pandas DataFrame, the path of a file, or a release with pets.SDC, not {shown(table)}"
            )


def _by_schema(frame: pd.DataFrame, layout: Layout, schema: Schema | None) -> Layout:
    """What a schema knows of the columns of a table."""
    if schema is None:
        return layout
    columns = {name: column for table in schema.tables.values() for name, column in table.columns.items()}
    names = [str(name) for name in flat(frame)[0].columns]
    keys = layout.keys
    if keys is None and any(name in columns for name in names):
        keys = tuple(name for name in names if name in columns)
    across = layout.across
    if across is None:
        for name, column in columns.items():
            if isinstance(column, Category) and sum(str(value) in names for value in column.values) > 1:
                across = name
    return replace(layout, keys=keys, across=across)


def _by_ends(frame: pd.DataFrame, layout: Layout, rule: Rounding) -> Layout:
    """What a table's own columns say of the ends of its counts, where nobody says that they are counts."""
    columns = {str(name): [read_cell(one) for one in cells] for name, cells in flat(frame)[0].items()}
    said = {*(layout.keys or ()), *(layout.counts or ())}
    return replace(layout, ends=tuple(one for one in ends_beside(columns, rule) if said.isdisjoint(beside(one))))


def _by_others(layout: Layout, own: Sequence[Sheet], known: Sequence[Sheet]) -> Layout:
    """What runs across the columns of a table, where its counts have the names of labels in another."""
    heads = {one.measure for one in own}
    if layout.across is not None or len(heads) < 2:
        return layout
    for one in known:
        for place, name in enumerate(one.dimensions):
            if len(heads & {entry.labels[place] for entry in one.entries}) > 1:
                return replace(layout, across=name)
    return layout


def _grid(frame: pd.DataFrame, title: str, found: Sequence[Sheet]) -> Grid:
    whole_frame, _ = flat(frame)
    places = {entry.column for one in found for entry in one.entries}
    places |= {one.entry.column for sheet in found for one in sheet.means}
    places |= {one.entry.column for sheet in found for one in sheet.sums}
    keys = {name for one in found for name in one.dimensions}
    header = tuple(str(name) for name in whole_frame.columns)
    rows = tuple(
        tuple("" if value != value else str(value) for value in row) for row in whole_frame.itertuples(index=False)
    )
    return Grid(title, header, rows, tuple(name for name in header if name in keys))


def _alike(made: Sequence[Sheet], *, single: bool) -> list[Sheet]:
    """Sheets whose dimensions have the same name where they are the same; all of one measure if each has only one."""
    first: dict[str, str] = {}
    labels: dict[str, set[str]] = {}
    out = []
    for one in sorted(made, key=lambda sheet: COLUMNS in sheet.dimensions):
        names = []
        for place, name in enumerate(one.dimensions):
            own = {entry.labels[place] for entry in one.entries} - {TOTAL}
            kept = first.setdefault(_plain(name), name)
            if name == COLUMNS:
                same = [known for known, its in labels.items() if own & its]
                kept = same[0] if same else COLUMNS if COLUMNS not in labels else f"{COLUMNS} of {one.name}"
            labels.setdefault(kept, set()).update(own)
            names.append(kept)
        names = names if len(set(names)) == len(names) else list(one.dimensions)
        out.append(replace(one, dimensions=tuple(names), measure="people" if single else one.measure))
    return [out[place] for place in _places(made, out)]


def _places(made: Sequence[Sheet], out: Sequence[Sheet]) -> list[int]:
    """Where each sheet went, in the order in which they were given."""
    order = sorted(range(len(made)), key=lambda place: COLUMNS in made[place].dimensions)
    return [order.index(place) for place in range(len(out))]


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()


def _checked(group: Linked, limits: Limits, seconds: float, remarks: list[str]) -> list[Finding]:
    """One finding for each cell of linked sheets, and one for each difference that is small or open."""
    out: list[Finding] = []
    asked: list[Target] = []
    for target in group.targets():
        sheet = group.sheets[target.sheet][1]
        if target.entry is None:
            if target.plain[0] <= limits.small and target.plain[1] > 0:
                asked.append(target)
            continue
        told = rules.said(sheet, target.entry, limits) or rules.large(sheet, target.entry, limits)
        if told is None:
            asked.append(target)
        else:
            out.append(told)
    if not asked:
        return out
    if group.size > MAX_ATOMS:
        remarks.append(
            f"{group.sheets[0][1].sheet.name} has {group.size:,} combinations: too many to prove anything of"
        )
        return out + [_of(group, one, Verdict.REVIEW, "undecided", "", one.plain) for one in asked]
    try:
        reached = Reach(group, Subtraction(group), limits, seconds).all(asked)
    except ContradictionError as total:
        names = ", ".join(dict.fromkeys(one.sheet.name for _, one in group.sheets))
        remarks.append(f"{names}: {total} is not what its parts add up to, so nothing is proved of hidden cells")
        return out + [_of(group, one, Verdict.REVIEW, "contradiction", "", one.plain) for one in asked]
    for target, found in zip(asked, reached, strict=True):
        if target.entry is not None or found.verdict is not Verdict.PASS:
            out.append(_of(group, target, found.verdict, found.reason, found.told, (found.low, found.high)))
    return out


def _of(group: Linked, target: Target, verdict: Verdict, reason: str, told: str, ends: tuple[int, int]) -> Finding:
    sheet: Bounded = group.sheets[target.sheet][1]
    entry = target.entry
    low, high = ends
    return Finding(
        sheet.sheet.name,
        target.name if entry is None else entry.name,
        sheet.sheet.measure,
        "" if entry is None else entry.shown.text,
        verdict,
        "difference" if target.difference and reason == "derived" else reason,
        told,
        low,
        high if high < MOST else None,
        None if entry is None else entry.row,
        None if entry is None else entry.column,
    )
