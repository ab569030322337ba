"""Keys, released: what every release of them has, and the terms and the form of keys that nobody listed.

The exact counts of one release exist in one place alone, its ``found``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from pets.common.codec import Json, fraction, number
from pets.dp.key_threshold import KeyNoise
from pets.dp.noise import noisy_keys
from pets.plan.key_plan import KeyPlan
from pets.protection.budget import Cost
from pets.protection.protection import DP, Protection
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.sealed_keys import order
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import key_counts
from pets.session import guarantee_text
from pets.session.guard import guarded


@dataclass(frozen=True)
class Place:
    """Where a release is entered: of which rows (``"real"`` or ``"dummy"``), in which ledger.

    Attributes:
        origin: the ledger's public name; memory: whether it dies with the process.
        unbounded: earlier releases of the dataset without a finite guarantee.
    """

    data: str
    origin: str
    memory: bool
    unbounded: int


@dataclass(frozen=True)
class Asked:
    """A release as the ledger knows it; attributes as in :class:`pets.ledger.states.Request`."""

    table: str
    what: str
    question: str
    snapshot: str
    query: Json
    cost: Cost
    delta: float | None
    unbounded: bool = False


class Chosen:
    """One release of keys, or of a rounded table, ready to run; everything here comes from public knowledge.

    Attributes:
        protection: what was asked of privacy.
        key: the same for the same question about the same snapshot under the same protection and policy.
    """

    protection: Protection
    key: str

    @property
    def asked(self) -> Asked:
        """What is entered in the ledger."""
        raise NotImplementedError

    def found(self, engine: str) -> tuple[Json | None, str]:
        """The parts of the form that rows and noise decide; or nothing, and what went wrong, for the custodian."""
        raise NotImplementedError

    def form(self, found: Json, schema: Json, at: Place) -> Json:
        """The canonical form, but for the parts that the account knows."""
        raise NotImplementedError

    def told(self, form: Json, engine: str) -> Json:
        """What the certificate states of it, but for the ledger's own part."""
        raise NotImplementedError


@dataclass(frozen=True)
class KeyJob(Chosen):
    """One release of keys that nobody listed."""

    plan: KeyPlan
    protection: DP
    noise: KeyNoise
    snapshot: Snapshot
    key: str

    @property
    def asked(self) -> Asked:
        plan, noise, what = self.plan, self.noise, guarantee_text.key_question(self.plan)
        # of the budget that priced it: the account's may be another by now
        delta = None if self.protection.delta is not None else noise.conversion
        return Asked(plan.table, what, plan.digest, self.snapshot.id, plan.question(), noise.cost, delta)

    def found(self, engine: str) -> tuple[Json | None, str]:
        return guarded(partial(_found, self, engine))

    def form(self, found: Json, schema: Json, at: Place) -> Json:
        plan, noise = self.plan, self.noise
        return found | {
            "pets": ReleasedKeys.FORM,
            "version": ReleasedKeys.VERSION,
            "dataset": plan.dataset,
            "table": plan.table,
            "keys": plan.question(),
            "schema": schema,
            "plan": plan.digest,
            "scale": number(fraction(noise.scale)),
            "threshold": noise.threshold,
            "protection": self.protection.to_json(),
            "snapshot": self.snapshot.id,
            "guarantee": guarantee_text.key_guarantee(plan, noise, at.data, at.origin, at.memory),
            "notes": list(guarantee_text.key_notes(plan, noise, at.unbounded)),
            **{name: number(fraction(getattr(noise, name))) for name in ("epsilon", "delta", "rho")},
        }

    def told(self, form: Json, engine: str) -> Json:
        return guarantee_text.keys(form, self.plan, engine)


def _found(job: KeyJob, engine: str) -> Json:
    columns, people = key_counts(job.plan, job.snapshot, engine)
    places, noisy = noisy_keys(people, job.noise.scale, job.noise.threshold)
    rows = [tuple(job.plan.value(i, column[place]) for i, column in enumerate(columns)) for place in places.tolist()]
    pairs: list[tuple[tuple[Any, ...], int]] = list(zip(rows, noisy.tolist(), strict=True))
    pairs.sort(key=lambda pair: order(pair[0]))
    return {"rows": [list(row) for row, _ in pairs], "people": [count for _, count in pairs]}
