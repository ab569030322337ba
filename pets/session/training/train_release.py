"""Training, released: its terms, the one place where its exact sums exist, its form and its words.

All steps are one entry of the ledger, charged before the first. Between two steps nothing is looked at but what the
earlier ones released, and nothing ends a training early: that would be decided by rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from pets.common.codec import Json, fraction, number
from pets.dp.noise import add_gaussian
from pets.dp.train_noise import TrainNoise
from pets.models.trained import Trained
from pets.plan.bounding.bounds import rows_text
from pets.plan.trained.descent import Descent, descended
from pets.plan.trained.train_plan import TrainPlan
from pets.plan.unreached import unreached
from pets.protection.protection import DP
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import gradients
from pets.session.guarantee_text import FORM, bare, dataset_of, dp_terms, made_by, what
from pets.session.guard import guarded
from pets.session.key_release import Asked, Chosen, Place


@dataclass(frozen=True)
class TrainJob(Chosen):
    """One training, ready to run; everything here comes from public knowledge."""

    train: TrainPlan
    protection: DP
    noise: TrainNoise
    snapshot: Snapshot
    key: str

    @property
    def asked(self) -> Asked:
        form = {"pets": "training", "network": self.train.network.to_json()}
        delta = None if self.protection.delta is not None else self.noise.delta
        place = self.train.plan.table, train_question(self.train), self.train.digest
        return Asked(*place, self.snapshot.id, form, self.noise.cost, delta)

    def found(self, engine: str) -> tuple[Json | None, str]:
        return guarded(partial(_found, self, engine))

    def form(self, found: Json, schema: Json, at: Place) -> Json:
        plan, noise = self.train.plan, self.noise
        return found | {
            "pets": Trained.FORM,
            "version": Trained.VERSION,
            "dataset": plan.dataset,
            "table": plan.table,
            "network": self.train.network.to_json(),
            "query": plan.query.to_json(),
            "schema": schema,
            "plan": self.train.digest,
            "mechanism": "gaussian",
            "scales": [number(fraction(scale)) for scale in (noise.people_scale, noise.scale)],
            "losses": list(noise.losses),
            "protection": self.protection.to_json(),
            "snapshot": self.snapshot.id,
            "guarantee": train_guarantee(self.train, noise, at),
            "notes": list(train_notes(self.train, at)),
            **{name: number(fraction(getattr(noise, name))) for name in ("epsilon", "delta", "rho")},
        }

    def told(self, form: Json, engine: str) -> Json:
        plan, dp = self.train.plan, None
        if form["data"] == "real":
            terms = {name: form[name] for name in ("rho", "epsilon", "delta", "scales", "losses")}
            dp = dp_terms(plan, "zcdp", "", terms) | {"mechanism": ["discrete gaussian"] * 2}
            dp |= {"sensitivities": self.train.sensitivities(), "steps": self.noise.steps}
        told = {name: form[name] for name in ("issued_at", "query", "protection", "guarantee", "cost", "notes")}
        return {
            "form": FORM,
            "release_id": form["id"],
            "dataset": dataset_of(plan, form["snapshot"], form["data"]),
            "project_id": form["project"],
            "agent_id": form["analyst"],
            "network": form["network"],
            "dp": dp,
            "what": train_question(self.train),
            "plan_sha256": self.train.digest,
            **told,
        } | made_by(engine, form["issued_at"])


def _found(job: TrainJob, engine: str) -> Json:
    """Every step's noisy sum, in order: the weights follow from them, and from nothing else."""
    network = job.train.network
    rows = gradients(job.train, job.snapshot, engine)
    people = int(add_gaussian(np.array([rows.people], dtype=np.int64), job.noise.people_scale)[0])
    descent = Descent(job.train.widths, people, network.steps, network.rate, network.seed)
    sums = descended(descent, network.steps, lambda now: add_gaussian(rows.step(now.weights), job.noise.scale))
    return {"people": people, "sums": [one.tolist() for one in sums], "weights": descent.final}


def train_question(train: TrainPlan) -> str:
    """What is asked, without any constant of a filter: it stands in the public log."""
    return f"train {train.network.outcome} by {', '.join(train.network.columns)}; {what(train.plan.query)}"


def train_guarantee(train: TrainPlan, noise: TrainNoise, at: Place) -> str:
    """One sentence on a training: unit, neighbours, ε and δ, the bound, and who keeps the account."""
    if at.data == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    steps = "1 step" if noise.steps == 1 else f"all {noise.steps:,} steps"
    return (
        f"Differentially private with ε = {noise.epsilon:.6g} and δ = {noise.delta:g}: adding or removing "
        f"{train.plan.who} changes the chance of any released sums of {steps}, and of any network made of them, by at "
        f"most that much; {train.plan.counted}; the account of what else was released is kept "
        + ("by this session, in this process only." if at.memory else f"in the ledger {at.origin}.")
    )


def train_notes(train: TrainPlan, at: Place) -> tuple[str, ...]:
    """What a reader must know beside the guarantee."""
    plan, out = train.plan, []
    if plan.unit_column is not None:
        out.append(f"At most {rows_text(plan.rows)} of a person count, {plan.chosen} before any filter.")
    out.append(
        "Rows without a value in one of the columns do not count. What one person adds to a step is shortened to the "
        "clip, so people whom a network tells badly pull less than they would."
    )
    out += unreached(plan)
    if at.unbounded:
        out.append(bare(at.unbounded))
    return tuple(out)
