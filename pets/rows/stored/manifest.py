"""Manifest: what is said of a stored snapshot beside its rows, by every engine that makes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

from pets.common.clock import now
from pets.common.codec import Json
from pets.rows.ranking import physical
from pets.rows.report import Report
from pets.rows.roster import Run
from pets.rows.stored.store import LAYOUT
from pets.schema.schema import Schema


def completed(run: Run, report: Report, relation: str, max_rows: int) -> Report:
    """The report with what only the written rows tell."""
    counts = dict(run(f"SELECT rank, count(*) FROM {relation} GROUP BY rank", "counting rows kept").fetchall())
    return kept_of(report, counts, max_rows)


def kept_of(report: Report, counts: Mapping[int, int], max_rows: int) -> Report:
    """The report with how many rows of each rank there are."""
    kept = tuple(accumulate(counts.get(k, 0) for k in range(1, max_rows + 1)))
    return replace(report, rows_kept=kept[-1], kept_per_k=kept)


def manifest_of(schema: Schema, table: str, public_id: str, set_id: str, report: Report) -> Json:
    """The manifest of a table's new snapshot, but for its parts and its seal."""
    return {
        "layout": LAYOUT,
        "id": public_id,
        "set": set_id,
        "table": table,
        "schema": schema.digest,
        "made": now(),
        "columns": physical(schema, table),
        "report": report.to_json(),
    }
