"""The groups within which a snapshot ranks rows: SQL of a column's code, or of the slot of a period of its times."""

from __future__ import annotations

from collections.abc import Mapping

from pets.plan.layout import dimension
from pets.query_model.group_keys import Period
from pets.schema.person.periods import period_of
from pets.schema.schema import Schema


def ranked_group(name: str, schema: Schema, table: str, codes: Mapping[str, str]) -> str:
    """SQL of what tells groups apart. It is the slot that a question by that period has, so that both are one rule.

    Args:
        name: of a column of the table, or of a period of one.
        codes: SQL of each column's code.
    """
    columns = schema.table(table).columns
    period = period_of(name, columns)
    if period is None:
        return codes[name]
    column, unit = period
    code, of = f"CAST({codes[column]} AS BIGINT)", dimension(Period(column, "", unit), columns, table)
    if of.cycle is None:
        return _steps(code, of.breaks, of.slots)
    slot = f"(({code} + {of.cycle.offset}) // {of.cycle.width}) % {of.cycle.size}"
    return f"CASE WHEN {code} = {columns[column].cells} THEN {of.cycle.size} ELSE {slot} END"


def _steps(code: str, breaks: tuple[int, ...], slots: tuple[int, ...]) -> str:
    """A step function of a code, as a balanced tree of comparisons."""
    if len(slots) == 1:
        return str(slots[0])
    middle = len(slots) // 2
    below, above = _steps(code, breaks[:middle], slots[:middle]), _steps(code, breaks[middle:], slots[middle:])
    return f"CASE WHEN {code} < {breaks[middle]} THEN {below} ELSE {above} END"
