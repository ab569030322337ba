"""Evaluate: the features of one invented person, in plain Python, from the codes of all their rows.

What hangs on chance in a snapshot is not known here: which rows a bound on events keeps, and which of two rows of one
day comes first. Such a person is not judged.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pets.plan.person_steps import Attribute, PersonPlan, Read, Step
from pets.plan.predicate import met

Row = Mapping[str, int]
NO_CODE = -1
"""Of a difference without a value: it lies in no range."""


def evaluated(plan: PersonPlan, rows: Mapping[str, Sequence[Row]]) -> dict[int, int] | None:
    """The code of each step; ``None`` where one hangs on chance.

    Args:
        plan: of the features.
        rows: of the person, by table: the codes of all columns that a query of the table may name.
    """
    codes: dict[int, int] = {}
    for place, step in enumerate(plan.steps):
        if isinstance(step, Attribute):
            own = rows.get(step.table, ())
            codes[place] = own[0][step.column] if own else step.absent
        elif isinstance(step, Read):
            found = evaluated_read(step, rows.get(step.table, ()), codes, plan.steps)
            if found is None:
                return None
            codes[place] = found
        else:
            other: Any = step
            codes[place] = other.value(codes)
    return codes


def _differing(step: Read, row: Row, codes: Mapping[int, int], steps: Sequence[Step]) -> Row:
    """A row with the differences that a step's condition looks at."""
    out = dict(row)
    for one in step.differences:
        column, other = row[one.column], codes[one.step]
        if not 0 <= column < one.cells or other >= steps[one.step].domain.cells:
            out[one.name] = NO_CODE
        else:
            (wide, start), (other_wide, other_start) = zip(one.widths, one.starts, strict=True)
            out[one.name] = (column + start) // wide - (other + other_start) // other_wide + one.shift
    return out


def met_rows(step: Read, rows: Sequence[Row], codes: Mapping[int, int], steps: Sequence[Step]) -> Sequence[Row]:
    """The rows that meet the condition of a step."""
    where = step.where
    return rows if where is None else [row for row in rows if met(where, _differing(step, row, codes, steps))]


def evaluated_read(step: Read, rows: Sequence[Row], codes: Mapping[int, int], steps: Sequence[Step]) -> int | None:
    """The code of one step that reads rows of its table; ``None`` where it hangs on chance."""
    if step.rows is not None and len(rows) > step.rows:
        return None
    rows = met_rows(step, rows, codes, steps)
    if step.how == "exists":
        return int(bool(rows))
    if step.how == "count":
        return min(len(rows), step.high)
    assert step.column is not None
    column = step.column
    if step.by is not None:
        by = step.by
        dated = [row for row in rows if row[by] < step.order]
        order = sorted((row[by] for row in dated), reverse=step.how == "last")
        if len(order) < step.nth:
            return step.absent
        picked = {row[column] for row in dated if row[by] == order[step.nth - 1]}
        return None if len(picked) > 1 else picked.pop()
    values = [row[column] for row in rows if row[column] < step.cells]
    return _of_values(step, values)


def _of_values(step: Read, values: Sequence[int]) -> int:
    if step.how == "count_distinct":
        return min(len(set(values)), step.high)
    if step.how in ("days_with", "episodes"):
        days = sorted({(value + step.start) // step.width for value in values})
        apart = [1 for one, two in itertools.pairwise(days) if two - one > step.gap]
        return min(len(days) if step.how == "days_with" else bool(days) + len(apart), step.high)
    if not values:
        return step.absent
    if step.how == "mean":
        return (2 * sum(values) + len(values)) // (2 * len(values))
    if step.how == "sum":
        total = step.scale * sum(values) + step.start * len(values)
        return max(step.low, min(total, step.high)) - step.low
    return min(values) if step.how == "min" else max(values)
