"""The canonical JSON form of a release, there and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from pets.codec import Json, fraction, number
from pets.errors import InternalError
from pets.query import Query
from pets.schema import Schema
from pets.views import Answer

FORM = "release"
VERSION = 1
_SAME = ("id", "mechanism", "protection", "data", "cost", "guarantee", "budget", "issued_at", "project", "analyst")
_FLOATS = ("epsilon", "delta", "rho")


class Sealed(Answer, Protocol):
    """What the form reads of a release, beside what a reader sees."""

    @property
    def query(self) -> Query:
        """What was asked."""

    @property
    def schema(self) -> Schema:
        """Of what."""

    @property
    def plan_digest(self) -> str:
        """Of the plan that was measured."""


def form_of(release: Sealed) -> Json:
    """The form of a release, without its digest."""
    return {
        "pets": FORM,
        "version": VERSION,
        "dataset": release.schema.dataset,
        "table": release.query.table,
        "query": release.query.to_json(),
        "schema": release.schema.to_json(),
        "plan": release.plan_digest,
        "values": release.values.tolist(),
        "scales": [plain(scale) for scale in release.scales],
        "snapshot": release.snapshot_id,
        "notes": list(release.notes),
        **{name: getattr(release, name) for name in _SAME},
        **{name: plain(getattr(release, name)) for name in _FLOATS},
    }


def parts_of(form: Mapping[str, Any]) -> Json:
    """The parts that a release is made of; raises the errors of ordinary look-ups and conversions."""
    if form["pets"] != FORM or form["version"] != VERSION:
        raise ValueError("another form")
    return {
        "dataset": form["dataset"],
        "table": form["table"],
        "query": Query.from_json(form["query"]),
        "schema": Schema.load(form["schema"]),
        "plan_digest": form["plan"],
        "values": np.array(form["values"], dtype=np.int64),
        "scales": tuple(float(fraction(scale)) for scale in form["scales"]),
        "snapshot_id": form["snapshot"],
        "notes": tuple(form["notes"]),
        **{name: form[name] for name in _SAME},
        **{name: None if form[name] is None else float(fraction(form[name])) for name in _FLOATS},
    }


def plain(value: Any) -> Any:
    """JSON in canonical form: numbers that are not whole as decimal text.

    >>> plain({"epsilon_cap": 0.1, "spent": 3})
    {'epsilon_cap': '0.1', 'spent': 3}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, (float, Fraction, np.floating)):
        return number(fraction(value))
    raise InternalError(f"a release cannot hold {type(value).__name__}")


def is_time(text: object) -> bool:
    """Whether a value is an ISO 8601 date or time as text."""
    try:
        dt.datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True
