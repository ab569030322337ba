"""Job: one query of a request, ready to run, and the one place where its exact answer exists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pets.dp.calibrate import Noise
from pets.dp.mechanism import measure
from pets.dp.shares import Terms, add_share
from pets.plan.plan import Plan
from pets.plan.vector import Ints
from pets.protection.protection import Protection
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.session.guard import guarded


@dataclass(frozen=True)
class Job:
    """Everything here comes from public knowledge.

    Attributes:
        noise: what is added to the exact vector; ``None`` for exact answers.
        key: the same for the same question about the same snapshot under the same protection and policy.
        share: for a secure total: this party's share of the noise, in place of ``noise``.
    """

    plan: Plan
    protection: Protection
    noise: Noise | None
    snapshot: Snapshot | Linked
    key: str
    share: Terms | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the rows themselves: of invented ones alone."""
        note = self.snapshot.note if isinstance(self.snapshot, Linked) else ""
        return (note,) if note else ()


def measured(job: Job, engine: str) -> tuple[Ints | None, str]:
    """The vector that may leave; or nothing, and what went wrong, for the custodian."""
    return guarded(partial(_vector, job, engine))


def _vector(job: Job, engine: str) -> Ints:
    values = tabulate(job.plan, job.snapshot, engine).reveal()
    if job.share is not None:
        return add_share(job.plan, values, job.share)
    return values if job.noise is None else measure(job.plan, values, job.noise)
