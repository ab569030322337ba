"""Across tables: what holds between a person and their rows, which no rule of one table states and no engine is told.

Two things: which columns stay the same within every person (PAR keeps them so, as context), and which dates of people
lie before, or after, dates of their rows. It reads real rows: for engines without a guarantee only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.common.codec import Json
from pets.schema.dates import Date
from pets.schema.domain import Domain
from pets.schema.rules import Order
from pets.synthetic.sdv.rules_kept import Names, ordered
from pets.synthetic.sdv.sdv_metadata import coded

if TYPE_CHECKING:
    import pandas as pd

_EXCEPTIONS = 0.01
"""The share of real rows that may break an order which is taken for one."""


def constant_within(codes: Mapping[str, Any], person: Names, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that are the same in all rows of every person, where somebody has several."""
    order = np.argsort(person, kind="stable")
    whose = np.asarray(person)[order]
    again = whose[1:] == whose[:-1]
    if not again.any():
        return ()
    found = []
    for name in names:
        values = np.asarray(codes[name])[order]
        if not (again & (values[1:] != values[:-1])).any():
            found.append(name)
    return tuple(found)


def broken_across(
    fields: Mapping[str, Domain], people: Collection[str], codes: Mapping[str, Any], made: Mapping[str, pd.Series[Any]]
) -> list[Json]:
    """What a manifest says of orders between dates of people and of their rows that the made rows break.

    Args:
        fields: the columns with their domains.
        people: those of them that are about the person.
        codes: of the real rows, each with its person's.
        made: of the made rows, each with its person's.
    """
    dates = [name for name, domain in fields.items() if isinstance(domain, Date) and name in codes and name in made]
    theirs = {name: coded(made[name], fields[name]) for name in dates}
    out: list[Json] = []
    for first in dates:
        for second in dates:
            if (first in people) == (second in people):
                continue
            rule = Order((first, second))
            before, after = (_broken(rule, fields, of) for of in (codes, theirs))
            if before is not None and before <= _EXCEPTIONS and after is not None and after > before:
                kept = (
                    f"across two tables, so the engine is not told of it: broken in {after:.1%} of the rows made "
                    f"(of the real ones, in {before:.1%})"
                )
                out.append({"rule": str(rule), "kept": kept})
    return out


def _broken(rule: Order, fields: Mapping[str, Domain], codes: Mapping[str, Any]) -> float | None:
    """The share of rows with both dates that break an order; ``None`` where no row has both."""
    both = np.logical_and.reduce([np.asarray(codes[name]) != fields[name].cells for name in rule.order])
    if not both.any():
        return None
    own = {name: np.asarray(codes[name])[both] for name in rule.order}
    return float(np.mean(~ordered(rule, fields, own)))
