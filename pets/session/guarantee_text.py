"""Statements: the sentences that say what a release promises, and what its reader must know."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata

from pets.common.codec import Json, number
from pets.common.version import __version__
from pets.dp.calibrate import Noise, charges
from pets.dp.key_threshold import KeyNoise
from pets.dp.shares import Terms
from pets.plan.bounding.bounds import chosen, rows_text
from pets.plan.clamping import clamps
from pets.plan.key_plan import KeyPlan
from pets.plan.plan import Plan
from pets.plan.unreached import unreached
from pets.protection.budget import DELTA_UNIT, Cost
from pets.query_model.nodes.names import columns_of
from pets.query_model.query import Query
from pets.release.release import Release
from pets.rows.tabulate import PACKAGES
from pets.schema.schema import Schema
from pets.session.batch import Work

FORM = 1
"""Of the certificates from which :mod:`pets.verify.check` derives what they promise; earlier ones state none."""

ASSUMPTIONS = (
    "the schema's domains, bounds and group keys are public knowledge and were not read from the rows",
    "the unit's column names each person in the same way in all rows; tables that share people share this dataset",
    "the ledger's database, its key and the computer that answers are in honest hands",
    "how long an answer took, and whether it failed, are outside the proof",
)
"""What every guarantee rests on (docs/guarantees.md says more; hazards of NIST SP 800-226)."""


def what(query: Query) -> str:
    """What is asked, without any constant of a filter, of a bin or of a key set: it stands in the public log.

    >>> import pets
    >>> what(pets.query("stays").where(pets.col("age") > 89).group_by("sex").agg(n=pets.count(), d=pets.mean("days")))
    'count, mean(days) by sex where age'
    """
    measures = []
    for _, aggregate in query.aggregates:
        form = aggregate.to_json()
        name, where = form["agg"], columns_of(form.get("where"))
        of = " and ".join(aggregate.of)
        inside = of or " and ".join(where)
        also = f" where {' and '.join(where)}" if of and where else ""
        measures.append(f"{name}({inside}{also})" if inside else name)
    form = query.to_json()
    parts = [", ".join(dict.fromkeys(measures))]
    if keys := columns_of(form.get("by")):
        parts.append(f"by {', '.join(keys)}")
    if where := columns_of(form.get("where")):
        parts.append(f"where {' and '.join(where)}")
    if query.people is not None:
        parts.append(f"of people, from {', '.join(query.people.tables)}")
    if made := [f"{name}({' and '.join(columns_of(node))})" for name, node in form.get("with", ())]:
        parts.append(f"with {', '.join(made)}")
    return " ".join(parts)


def predicate(release: Release, engine: str) -> Json:
    """What the certificate states of a release, but for the ledger's own part."""
    form, plan = release.form, release.plan
    dp = None
    if release.epsilon is not None and release.data == "real":
        terms = {name: form[name] for name in ("rho", "epsilon", "delta", "scales")}
        dp = dp_terms(plan, form["cost"]["currency"], release.mechanism, terms)
        if release.mechanism != "none":
            dp["losses"] = list(charges(plan.measures, release.mechanism, release.scales))
    return {
        "form": FORM,
        "release_id": release.id,
        "issued_at": release.issued_at,
        "dataset": dataset_of(plan, release.snapshot_id, release.data),
        "project_id": release.project,
        "agent_id": release.analyst,
        "query": form["query"],
        "protection": form["protection"],
        "guarantee": release.guarantee,
        "dp": dp,
        "cost": form["cost"],
        "notes": list(release.notes),
    } | _common(plan, engine, release.issued_at)


def keys(form: Json, plan: KeyPlan, engine: str) -> Json:
    """What the certificate states of released keys (``form``), but for the ledger's own part.

    Every number is the form's: who asks again may do so under another budget than that of then.
    """
    real = form["data"] == "real"
    terms = {name: form[name] for name in ("rho", "epsilon", "delta", "threshold")}
    norms = {"l0": plan.groups, "l1": plan.groups, "l2_squared": plan.groups, "linf": 1}
    dp = terms | {
        "scales": [form["scale"]],
        "measure": "approx_zcdp",
        "neighbouring": f"{plan.who} added or removed",
        "mechanism": ["discrete gaussian, then a threshold"],
        "contribution_bound": {"rows": plan.rows, "kept_rows": plan.kept_rows, "groups": plan.groups},
        "sensitivities": [{"kind": "keys"} | norms],
        "losses": [form["cost"]["loss"]],
        "threshold_delta": form["cost"]["delta"],
    }
    return {
        "form": FORM,
        "release_id": form["id"],
        "issued_at": form["issued_at"],
        "dataset": {
            "id": form["dataset"],
            "table": form["table"],
            "snapshot_id": form["snapshot"],
            "privacy_unit": plan.unit_column or "row",
            "metadata_sha256": plan.schema_digest,
            "rows": form["data"],
        },
        "project_id": form["project"],
        "agent_id": form["analyst"],
        "keys": form["keys"],
        "protection": form["protection"],
        "guarantee": form["guarantee"],
        "dp": dp if real else None,
        "cost": form["cost"],
        "notes": form["notes"],
        "what": key_question(plan),
        "plan_sha256": form["plan"],
    } | made_by(engine, form["issued_at"])


def key_guarantee(plan: KeyPlan, noise: KeyNoise, data: str, ledger: str, memory: bool) -> str:
    """One sentence on released keys: unit, neighbours, ε and δ, the bound, and who keeps the account."""
    if data == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    groups = "1 key" if plan.groups == 1 else f"{plan.groups} keys"
    return (
        f"Differentially private with ε = {noise.epsilon:.6g} and δ = {noise.delta:g}: adding or removing {plan.who} "
        f"changes the chance of any released list of keys by at most that much; a person is counted in at most "
        f"{groups}; a key that one person alone has shows with a chance of at most "
        f"{noise.cost.delta / DELTA_UNIT:.3g}; the account of what else was released is kept "
        + ("by this session, in this process only." if memory else f"in the ledger {ledger}.")
    )


def key_notes(plan: KeyPlan, noise: KeyNoise, unbounded: int) -> tuple[str, ...]:
    """What a reader of released keys must know beside the guarantee; ``unbounded`` as for :func:`notes`."""
    out = []
    if plan.unit_column is not None:
        looked = "row is" if plan.kept_rows == 1 else "rows are"
        out.append(f"{plan.kept_rows} {looked} looked at of a person, {chosen(plan.arrival)} before any filter.")
    out.append(
        f"A key shows from a noisy count of {noise.threshold} people on. Keys that do not show may have people or "
        "none; small counts that show are rather too high than too low."
    )
    if unbounded:
        out.append(bare(unbounded))
    return tuple(out)


def bare(unbounded: int) -> str:
    """How many earlier releases no budget counts."""
    return f"{unbounded} earlier release(s) of this dataset had no finite guarantee (exact totals or rounded counts)."


def key_question(plan: KeyPlan) -> str:
    """What keys are asked for, without any constant of a filter: it stands in the public log.

    >>> import pets
    >>> from pets.plan.key_plan import make_key_plan
    >>> table = pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier(), "code": pets.Text(8)})
    >>> key_question(make_key_plan("stays", ["code"], pets.Schema({"stays": table}), where=pets.col("code") != "x"))
    'group_keys by code where code'
    """
    where = columns_of(plan.question().get("where"))
    return f"group_keys by {', '.join(plan.by)}" + (f" where {' and '.join(where)}" if where else "")


def contribution(
    plan: Plan, schema: Schema, snapshot: str, share: Terms | None, data: str, cost: Cost, engine: str, at: str
) -> Json:
    """What a party's certificate states of its part in a secure total, but for who asked and the ledger's own part.

    ``share`` is ``None`` for exact totals; ``at`` is when (ISO 8601).
    """
    dp, said = None, guarantee(plan, None, data, "", memory=True)
    if share is not None and data == "real":
        terms = {name: part for name, part in share.to_json().items() if name != "cost"}
        dp = dp_terms(plan, cost.currency, share.mechanism, terms)
        said = (
            f"One party's part in a secure total: differentially private with ε = {share.epsilon:.6g} and "
            f"δ = {share.delta:g} for {plan.who}, while {share.honest} parties keep their shares of noise to "
            f"themselves (Kairouz, Liu and Steinke 2021); ρ = {share.alone:.6g} from this share alone if all others "
            f"tell theirs; {plan.counted}. Its numbers left encrypted or masked."
        )
    return {
        "issued_at": at,
        "dataset": dataset_of(plan, snapshot, data),
        "query": plan.query.to_json(),
        "guarantee": said,
        "dp": dp,
        "cost": cost.to_json(),
        "notes": [],
    } | _common(plan, engine, at)


def unbounded(schema: Schema, table: str, snapshot: str, asked: str, cost: Cost, engine: str, at: str) -> Json:
    """What a certificate states of something without a finite guarantee that no query describes, but ``asked``."""
    unit = schema.table(table).unit.column
    return {
        "issued_at": at,
        "dataset": {
            "id": schema.dataset,
            "table": table,
            "snapshot_id": snapshot,
            "privacy_unit": unit or "row",
            "metadata_sha256": schema.digest,
            "rows": "real",
        },
        "query": None,
        "guarantee": "No guarantee: whoever made it saw the real rows (unbounded; named on every later release).",
        "dp": None,
        "cost": cost.to_json(),
        "notes": [],
        "what": asked,
        "plan_sha256": None,
    } | made_by(engine, at)


def work(done: Work, schema: Schema, data: str, cost: Cost, engine: str, at: str) -> Json:
    """What a certificate states of several answers that were charged as one."""
    unit = schema.table(done.table).unit.column
    return {
        "issued_at": at,
        "dataset": {
            "id": schema.dataset,
            "table": done.table,
            "snapshot_id": done.snapshot,
            "privacy_unit": unit or "row",
            "metadata_sha256": schema.digest,
            "rows": data,
        },
        "query": None,
        "protection": done.protection,
        "guarantee": done.guarantee,
        "dp": done.terms if data == "real" else None,
        "cost": cost.to_json(),
        "notes": [],
        "what": done.what,
        "plan_sha256": None,
    } | made_by(engine, at)


def derived(kind: str, schema: Schema, table: str, data: str, engine: str, at: str) -> Json:
    """What a certificate states of something that was made of answers alone, but for what it is and promises."""
    return {
        "form": FORM,
        "derived": kind,
        "issued_at": at,
        "dataset": {
            "id": schema.dataset,
            "table": table,
            "snapshot_id": "",
            "privacy_unit": schema.table(table).unit.column or "row",
            "metadata_sha256": schema.digest,
            "rows": data,
        },
        "query": None,
        "plan_sha256": None,
    } | made_by(engine, at)


def rounds(releases: Sequence[Release]) -> list[Json]:
    """Of answers that were charged as one, what each measured and lost: enough to reckon the charge again."""
    return [
        {
            "query": one.form["query"],
            "plan_sha256": one.plan_digest,
            "mechanism": one.mechanism,
            "scales": one.form["scales"],
            "losses": list(charges(one.plan.measures, one.mechanism, one.scales)),
        }
        for one in releases
        if one.mechanism != "none"
    ]


def dataset_of(plan: Plan, snapshot: str, data: str) -> Json:
    """What a certificate states of the rows that a plan read."""
    return {
        "id": plan.dataset,
        "table": plan.table,
        "snapshot_id": snapshot,
        "privacy_unit": "row" if plan.unit_column is None else plan.unit_column,
        "metadata_sha256": plan.schema_digest,
        "rows": data,
    }


def dp_terms(plan: Plan, currency: str, mechanism: str, terms: Json) -> Json:
    """What every certificate states of a finite guarantee, beside ``terms``, in one form."""
    return terms | {
        "measure": "approx_zcdp" if currency == "zcdp" else "pure",
        "neighbouring": f"{plan.who} added or removed",
        "mechanism": [f"discrete {mechanism}"] * len(plan.measures),
        "contribution_bound": {"rows": plan.rows, "kept_rows": plan.kept_rows, "groups": plan.group_cap}
        | ({} if plan.group_rows is None else {"rows_per_group": plan.group_rows}),
        "sensitivities": [{"kind": one.kind} | one.sensitivity.to_json() for one in plan.measures],
    }


def _common(plan: Plan, engine: str, at: str) -> Json:
    return {"what": what(plan.query), "plan_sha256": plan.digest} | made_by(engine, at)


def made_by(engine: str, at: str) -> Json:
    """What every certificate states of the programs that made it."""
    return {
        "service": {"name": "pets", "version": __version__, "image_digest": None},
        "review": {"decision": "released", "checker": "pets", "at": at, "reason": "within the policy"},
        "assumptions": list(ASSUMPTIONS),
        "engine_versions": versions(engine),
    }


@lru_cache(maxsize=8)
def versions(engine: str) -> Json:
    """The packages that made an answer; ``engine`` counted its rows."""
    found = {name: metadata.version(name) for name in ("opendp", PACKAGES[engine], "numpy")}
    return {"engine": engine} | found | {"python": platform.python_version()}


def guarantee(plan: Plan, noise: Noise | None, data: str, ledger: str, memory: bool) -> str:
    """One sentence: unit, neighbours, ε and δ, the bound, and who keeps the account.

    ``noise`` is ``None`` for exact answers; ``data`` is ``"real"`` or ``"dummy"``; ``ledger`` is its public name.
    """
    if data == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    if noise is None:
        return "No guarantee: these are exact totals of real rows (unbounded; named on every later release)."
    at = f"ε = {noise.epsilon:.6g}" + (f" and δ = {noise.delta:g}" if noise.delta else "")
    return (
        f"Differentially private with {at}: adding or removing {plan.who} changes the chance of any released table "
        f"by at most that much; {plan.counted}; the account of what else was released is kept "
        + ("by this session, in this process only." if memory else f"in the ledger {ledger}.")
    )


def notes(plan: Plan, noise: Noise | None, unbounded: int) -> tuple[str, ...]:
    """What a reader must know beside the guarantee; ``unbounded`` is the number of exact releases so far."""
    out = []
    what = "Numbers are" if noise is None else "Intervals are for"
    if plan.people_of is not None:
        out.append(
            f"{what} what the kept rows show: at most {plan.people_of.said} of a person, {plan.chosen} before any "
            "filter. A first event may lie beyond them."
        )
    elif plan.unit_column is not None:
        kept = plan.kept_rows if all(measure.reads_kept for measure in plan.measures) else plan.rows
        out.append(
            f"{what} the bounded answer: at most K = {rows_text(kept)} of a person count, {plan.chosen} before any "
            "filter."
        )
    if plan.group_rows is not None:
        out.append(f"Of these, at most {rows_text(plan.group_rows)} of a person count in each group.")
    if noise is None:  # an interval would hold this as little; but an exact number has none to make a reader ask
        out += clamps(plan)
    out += unreached(plan)
    for output in plan.outputs:
        weight = plan.measures[output.parts[0]].weight
        if weight is not None and weight.coarse > 1:
            step = number(output.factor * weight.scale)
            out.append(
                f"{output.name}: values were cut to steps of {step}; its interval holds what that can have done."
            )
    if noise is not None and unbounded:
        out.append(bare(unbounded))
    return tuple(out)
