"""Keys that nobody listed, released: the terms of one release, the one place where its exact counts exist, its form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from pets.common.codec import Json, fraction, number
from pets.dp.key_threshold import KeyNoise
from pets.dp.noise import noisy_keys
from pets.plan.key_plan import KeyPlan
from pets.protection.protection import DP
from pets.release.keys.released_keys import FORM, VERSION, order
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import key_counts
from pets.session.guard import guarded

Found = tuple[list[tuple[Any, ...]], list[int]]


@dataclass(frozen=True)
class KeyJob:
    """One release of keys, ready to run; everything here comes from public knowledge.

    Attributes:
        key: the same for the same question about the same snapshot under the same protection and policy.
    """

    plan: KeyPlan
    protection: DP
    noise: KeyNoise
    snapshot: Snapshot
    key: str


def found(job: KeyJob, engine: str) -> tuple[Found | None, str]:
    """The keys that may leave with their noisy counts, sorted; or nothing, and what went wrong, for the custodian."""
    return guarded(partial(_found, job, engine))


def _found(job: KeyJob, engine: str) -> Found:
    columns, people = key_counts(job.plan, job.snapshot, engine)
    places, noisy = noisy_keys(people, job.noise.scale, job.noise.threshold)
    rows = [tuple(job.plan.value(i, column[place]) for i, column in enumerate(columns)) for place in places.tolist()]
    pairs = sorted(zip(rows, noisy.tolist(), strict=True), key=lambda pair: order(pair[0]))
    return [row for row, _ in pairs], [count for _, count in pairs]


def form_of(job: KeyJob, rows: Found, schema: Json, **parts: Any) -> Json:
    """The canonical form of released keys; ``parts`` are those that the account knows."""
    keys, people = rows
    return {
        "pets": FORM,
        "version": VERSION,
        "dataset": job.plan.dataset,
        "table": job.plan.table,
        "keys": job.plan.question(),
        "schema": schema,
        "plan": job.plan.digest,
        "rows": [list(key) for key in keys],
        "people": people,
        "scale": number(fraction(job.noise.scale)),
        "threshold": job.noise.threshold,
        "protection": job.protection.to_json(),
        "snapshot": job.snapshot.id,
        **{name: number(fraction(getattr(job.noise, name))) for name in ("epsilon", "delta", "rho")},
        **parts,
    }
