"""The canonical JSON form of a release, there and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from pets.common.codec import Json, fraction, number
from pets.common.integers import array_of, exact
from pets.errors import InternalError
from pets.query_model.query import Query
from pets.release.estimate import MECHANISMS, noise_of
from pets.release.views import Answer
from pets.schema.schema import Schema

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
        **({} if release.sharing is None else {"sharing": release.sharing}),
    }


def parts_of(form: Mapping[str, Any]) -> Json:
    """The parts that a release is made of; raises the errors of ordinary look-ups and conversions."""
    if form["pets"] != FORM or form["version"] != VERSION:
        raise ValueError("another form")
    return {
        "dataset": form["dataset"],
        "table": form["table"],
        "query": Query.from_json(form["query"]),
        "schema": Schema.from_json(form["schema"]),  # opens no file, whatever the form says
        "plan_digest": form["plan"],
        "values": array_of(form["values"]),
        "scales": tuple(float(fraction(scale)) for scale in form["scales"]),
        "snapshot_id": form["snapshot"],
        "notes": tuple(form["notes"]),
        "sharing": form.get("sharing"),
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


def mismatch(release: Sealed) -> str | None:
    """The first part of a release that does not fit the others (``None``: all fit)."""
    texts = (release.id, release.plan_digest, release.snapshot_id, release.guarantee, release.project, release.analyst)
    units = [release.cost.get(name) for name in ("loss", "delta")]
    noisy = release.mechanism != "none"
    plan, values, scales = release.plan, release.values, release.scales
    checks = (
        ("plan", release.plan_digest == plan.digest),
        ("values", values.shape == (plan.size,) and exact(values)),
        # a party's numbers fit 64 bits, and so does what one place measures; only a total of parties may pass them
        ("values", values.dtype == np.int64 or release.protection.get("secure") == "encrypted"),
        ("mechanism", release.mechanism in MECHANISMS),
        ("scales", len(scales) == len(plan.measures)),
        ("shares of noise", not noisy or len(noise_of(release).scales) == len(plan.measures)),
        ("scales", all(np.isfinite(s) and (s > 0 if noisy else s == 0) for s in scales)),
        ("data", release.data in ("real", "dummy")),
        ("protection", isinstance(release.protection.get("kind"), str)),
        ("cost", isinstance(release.cost.get("currency"), str)),
        ("cost", all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in units)),
        ("texts", all(isinstance(text, str) for text in (*texts, *release.notes)) and bool(release.id)),
        ("time", _is_time(release.issued_at)),
    )
    return next((what for what, fits in checks if not fits), None)


def _is_time(text: object) -> bool:
    try:
        dt.datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def work_form(question: str, releases: Sequence[Json]) -> Json:
    """What one certificate of several answers is about: they were asked one after another, and charged as one.

    Args:
        question: the digest of what was asked, by which the ledger knows it again.
        releases: the canonical forms of the answers, in order.
    """
    return {"pets": "work", "question": question, "releases": list(releases)}
