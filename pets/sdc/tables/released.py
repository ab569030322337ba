"""Releases of disclosure control beside tables of others: what each of their counts leaves open, as text."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from pets.errors import DataError, UserError, shown
from pets.release.rounded.reviewed_table import table_of
from pets.release.rounded.sealed_table import SealedTable


def of_release(release: SealedTable) -> pd.DataFrame:
    """Its counts as texts such as ``8-12``, the ends of what a reader knows; rates follow from counts: left out.

    Raises:
        UserError: where it has no count.
    """
    table = release.table
    keys = release.plan.layout.columns()
    out = pd.DataFrame({str(name): table[name].astype(str) for name in table if name in keys})
    for output, parts in zip(release.plan.outputs, release.counts(), strict=True):
        if len(parts) == 1:
            (one,) = parts
            ends = zip(one.low.tolist(), one.high.tolist(), strict=True)
            out[output.name] = [f"{low}-{high}" for low, high in ends]
    if not any(len(parts) == 1 for parts in release.counts()):
        raise UserError("a release beside which tables are checked has a count; give one of pets.count()")
    return out


def saved(path: str | Path) -> SealedTable:
    """A release with :class:`pets.SDC` that was saved; raises :class:`DataError` for any other file."""
    try:
        return table_of(json.loads(Path(path).read_bytes()))
    except (OSError, ValueError, RecursionError, UserError):
        raise DataError(
            f"{shown(str(path))} is no release with pets.SDC that was saved; give that, or a table as .csv"
        ) from None
