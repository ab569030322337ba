"""Top keys, released: the terms of one choice, the one place where its exact counts exist, its form and its words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pets.common.codec import Json, fraction, number
from pets.dp.noise import noisy_top
from pets.dp.selection import TopNoise
from pets.plan.bounding.bounds import rows_text
from pets.plan.selection.top_plan import TopPlan
from pets.plan.unreached import unreached
from pets.protection.protection import DP
from pets.release.keys.top_keys import TopKeys
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.session.guarantee_text import FORM, bare, dataset_of, dp_terms, made_by, what
from pets.session.guard import guarded
from pets.session.key_release import Asked, Chosen, Place

MECHANISM = "gumbel, then the greatest"


@dataclass(frozen=True)
class TopJob(Chosen):
    """One choice of groups, ready to run; everything here comes from public knowledge."""

    top: TopPlan
    protection: DP
    noise: TopNoise
    snapshot: Snapshot | Linked
    key: str

    @property
    def asked(self) -> Asked:
        plan = self.top.plan
        form = {"pets": "top", "k": self.top.k, "query": plan.query.to_json()}
        delta = None if self.protection.delta is not None else self.noise.delta
        return Asked(
            plan.table, top_question(self.top), self.top.digest, self.snapshot.id, form, self.noise.cost, delta
        )

    def found(self, engine: str) -> tuple[Json | None, str]:
        return guarded(partial(_found, self, engine))

    def form(self, found: Json, schema: Json, at: Place) -> Json:
        plan, noise = self.top.plan, self.noise
        return found | {
            "pets": TopKeys.FORM,
            "version": TopKeys.VERSION,
            "dataset": plan.dataset,
            "table": plan.table,
            "query": plan.query.to_json(),
            "k": self.top.k,
            "candidates": self.top.candidates,
            "counted": self.top.counted,
            "schema": schema,
            "plan": self.top.digest,
            "scale": number(fraction(noise.scale)),
            "protection": self.protection.to_json(),
            "snapshot": self.snapshot.id,
            "guarantee": top_guarantee(self.top, noise, at),
            "notes": list(top_notes(self.top, noise, at)),
            **{name: number(fraction(getattr(noise, name))) for name in ("epsilon", "delta", "rho")},
        }

    def told(self, form: Json, engine: str) -> Json:
        plan, dp = self.top.plan, None
        if form["data"] == "real":
            terms = {name: form[name] for name in ("rho", "epsilon", "delta")} | {"scales": [form["scale"]]}
            dp = dp_terms(plan, "zcdp", "", terms)
            dp |= {"mechanism": [MECHANISM], "losses": [form["cost"]["loss"]], "k": self.top.k}
        told = {name: form[name] for name in ("issued_at", "query", "protection", "guarantee", "cost", "notes")}
        return {
            "form": FORM,
            "release_id": form["id"],
            "dataset": dataset_of(plan, form["snapshot"], form["data"]),
            "project_id": form["project"],
            "agent_id": form["analyst"],
            "dp": dp,
            "what": top_question(self.top),
            "plan_sha256": self.top.digest,
            **told,
        } | made_by(engine, form["issued_at"])


def _found(job: TopJob, engine: str) -> Json:
    counts = tabulate(job.top.plan, job.snapshot, engine).reveal()
    return {"rows": job.top.keys(noisy_top(counts, job.top.k, job.noise.scale).tolist())}


def top_question(top: TopPlan) -> str:
    """What is asked, without any constant of a filter or of a key set: it stands in the public log."""
    return f"top_keys of {what(top.plan.query)}"


def top_guarantee(top: TopPlan, noise: TopNoise, at: Place) -> str:
    """One sentence on a choice: unit, neighbours, ε and δ, the bound, and who keeps the account."""
    if at.data == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    return (
        f"Differentially private with ε = {noise.epsilon:.6g} and δ = {noise.delta:g}: adding or removing "
        f"{top.plan.who} changes the chance of any choice of groups, and of any order of theirs, by at most that much; "
        f"{top.plan.counted}; the account of what else was released is kept "
        + ("by this session, in this process only." if at.memory else f"in the ledger {at.origin}.")
    )


def top_notes(top: TopPlan, noise: TopNoise, at: Place) -> tuple[str, ...]:
    """What a reader must know beside the guarantee."""
    plan, out = top.plan, []
    if plan.people_of is not None:
        out.append(f"Counts are of the kept rows: at most {plan.people_of.said} of a person, {plan.chosen}.")
    elif plan.unit_column is not None:
        kept = plan.kept_rows if plan.measures[0].reads_kept else plan.rows
        out.append(f"Counts are bounded: at most {rows_text(kept)} of a person, {plan.chosen} before any filter.")
    out.append(
        f"The counts that chose are not released. With 95 % certainty no group that is left out has over "
        f"{noise.behind:,} {noise.counted} more than one that is chosen, and none comes so far out of order."
    )
    out += unreached(plan)
    if at.unbounded:
        out.append(bare(at.unbounded))
    return tuple(out)
