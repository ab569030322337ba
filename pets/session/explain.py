"""Explain: a plan in plain words, for the person who asks and for the person who must approve."""

from __future__ import annotations

from dataclasses import dataclass

from pets.common import html_table
from pets.common.arguments import plain_arguments
from pets.common.codec import number
from pets.common.percent import percent
from pets.dp.calibrate import calibrate
from pets.errors import BudgetError, QueryError, SchemaError, UserError, shown
from pets.plan.clamping import clamps
from pets.plan.computed.derive import Made
from pets.plan.layout import Dimension
from pets.plan.measure import Measure
from pets.plan.person_steps import PersonPlan
from pets.plan.plan import Plan, make_plan
from pets.plan.unreached import unreached
from pets.protection.budget import Budget
from pets.protection.protection import DP
from pets.query_model.features import Feature, Reading
from pets.query_model.nodes.derived import Derived
from pets.query_model.query import Query
from pets.query_model.written import derived_text, feature_text
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema
from pets.session.quoting.forecast import forecast

DELTA = 1e-6
"""The δ at which an explanation without a ledger states ε."""


@dataclass(frozen=True)
class Explanation:
    """A readable account of a plan; print it, or let a notebook show it."""

    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts: list[str] = []
        for line in self.lines:
            plain = line.strip()
            if plain:
                # an indented line belongs to the one above it
                part = html_table.sentence(plain)
                parts.append(f'<div style="margin-left:1.5em">{part}</div>' if line.startswith(" ") else part)
        return html_table.block(*parts)


@plain_arguments(UserError, "explain", "write pets.explain(query, schema, pets.DP(epsilon=1))")
def explain(query: Query, schema: Schema, protection: DP | None = None) -> Explanation:
    """Who is protected, what is clamped, each measure's sensitivity and why, and the expected error.

    Reads no rows. Without a protection the error is shown at ε = 1 (δ = 1e-6).

    Raises:
        QueryError, SchemaError, BudgetError: for what is no query, schema or protection with noise, or does not fit.
    """
    if not isinstance(query, Query):
        raise QueryError(f"explain needs a query, built from pets.query('table'), not {shown(query)}")
    if not isinstance(schema, Schema):
        raise SchemaError(f"explain needs a schema, such as pets.Schema.load('stays.yaml'), not {shown(schema)}")
    if protection is not None and not isinstance(protection, DP):
        raise BudgetError(f"explain shows the error under pets.DP(epsilon=…), not under {shown(protection)}")
    plan = make_plan(query, schema)
    lines = [
        *_who(plan),
        *(_derived(made, dict(plan.query.derived)[made.name]) for made in plan.derived),
        *_groups(plan),
        *clamps(plan),
        *unreached(plan),
        "",
        "What is measured, and how far one person can move it:",
    ]
    for measure in plan.measures:
        lines += _measure(measure)
    lines += ["", *_errors(plan, DP(epsilon=1.0) if protection is None else protection)]
    return Explanation(tuple(lines))


def _people(plan: Plan, of: PersonPlan) -> list[str]:
    """Of a question about people: who is in, what is read of them, and each feature in words."""
    source = plan.query.people
    assert source is not None
    who = "who meet the condition" if of.of is None else f"with a row in table {of.of!r}"
    also = " who meet the condition" if of.of is not None and plan.where is not None else ""
    out = [
        f"Question about people of dataset {plan.dataset!r}: one row a person, for all people {who}{also}.",
        f"Protected: {plan.who}.",
        "A person counts once, however many rows and tables are read (K = 1).",
        f"Of a person at most max_rows rows are read, those that snapshots keep, {of.chosen}: {of.said}.",
    ]
    out += of.hidden
    out += [f"  {name}: {feature_text(feature)}{_total(feature, plan, name)}" for name, feature in source.features]
    return out + [
        f"  {name}: {derived_text(node)}, so it holds {plan.fields[name].describe()}"
        for name, node in plan.query.derived
    ]


def _total(feature: Feature, plan: Plan, name: str) -> str:
    """Between which ends a person's total is clamped, where those that were asked are no steps of the column."""
    clip = feature.clip if isinstance(feature, Reading) else None
    domain = plan.fields[name]
    if clip is None or not isinstance(domain, Numeric):
        return ""
    low, high = domain.origin, domain.origin + domain.spacing * (domain.cells - 1)
    used = f" (clamped to [{number(low)}, {number(high)}], the next steps of the total outwards)"
    return "" if (low, high) == clip else used


def _who(plan: Plan) -> list[str]:
    if plan.people_of is not None:
        return _people(plan, plan.people_of)
    if plan.unit_column is None:
        who = "each row is one person (declared by the custodian)"
    else:
        who = f"all rows of one person (column {plan.unit_column!r})"
    out = [f"Query on table {plan.table!r} of dataset {plan.dataset!r}.", f"Protected: {who}."]
    if plan.unit_column is not None:
        kept = f"{plan.chosen} before any filter"
        if plan.arrival is not None:
            one = "row" if plan.rows == 1 else f"{plan.rows} rows"
            kept = f"the first {one} to arrive, by {plan.arrival!r}, before any filter"
        elif plan.rows == plan.kept_rows:
            kept = "all their kept rows"
        out.append(
            f"At most K = {plan.rows} row{'s' if plan.rows > 1 else ''} of a person count, over the whole table "
            f"({kept}); count_units reads the {plan.kept_rows} that snapshots keep."
        )
        out.append(
            "Intervals are for this bounded answer: rows beyond K are not in it, so it may lie below the full one."
        )
    if plan.group_cap is not None:
        groups = "1 group" if plan.group_cap == 1 else f"{plan.group_cap} groups"
        out.append(f"A person counts in at most {groups}, enforced by the query.")
    if plan.group_rows is not None:
        out += _in_groups(plan)
    return out


def _derived(made: Made, node: Derived) -> str:
    return f"Computed: {made.name!r} is {derived_text(node)}, so it holds {made.domain.describe()}."


def _in_groups(plan: Plan) -> list[str]:
    """What a cap on the rows of a group does, and what it costs."""
    rows = "1 row of a person counts" if plan.group_rows == 1 else f"{plan.group_rows} rows of a person count"
    order = "in the order of the random choice" if plan.arrival is None else "to arrive"
    first = f"In each group at most {rows}: the first {order}, after the condition and any cap on groups."
    if plan.stored_rank is not None:
        by = ", ".join(plan.stored_rank)
        return [first, f"Snapshots hold that order within {by} (rank_within), so it costs hardly any time."]
    return [
        first,
        "Rows are ranked for this question, which takes 12 to 67 times as long as the question without the cap. Where "
        "columns of the table or periods of its times are the keys, and the condition reads nothing else but these "
        "columns and what is the same for all rows of a person, rank_within in the schema's unit makes it quick.",
    ]


def _groups(plan: Plan) -> list[str]:
    if not plan.layout.dimensions:
        return ["Groups: one (the whole table)." if plan.people_of is None else "Groups: one (all these people)."]
    by = ", ".join(f"{d.name} ({_size(d)})" for d in plan.layout.dimensions)
    listed = "the listed keys" if plan.layout.keys is not None else "every combination of public keys"
    return [f"Groups: {plan.groups:,}, {listed} of {by}; a group nobody is in is answered like any other."]


def _size(dimension: Dimension) -> str:
    return f"{dimension.size:,} value{'s' if dimension.size != 1 else ''}"


def _measure(measure: Measure) -> list[str]:
    bound = measure.sensitivity
    root = bound.l2_squared**0.5
    return [
        f"  {measure.name}",
        f"    L0 = {bound.l0:,}, L1 = {bound.l1:,}, L2 = {root:,.6g}, L∞ = {bound.linf:,}: {measure.reason}",
    ]


def _errors(plan: Plan, protection: DP) -> list[str]:
    budget = Budget(epsilon=1.0, delta=DELTA)
    try:
        noise = calibrate(plan, protection, budget)
    except BudgetError:
        if protection.delta is not None or not protection.pure:
            raise
        noise = calibrate(plan, protection, Budget(epsilon=1.0))
    at = f"ε = {noise.epsilon:.4g}" + (f", δ = {noise.delta:g}" if noise.delta else "")
    out = [f"Expected error at {at} ({noise.mechanism} noise, {percent(protection.confidence)} of cells within):"]
    errors = forecast(plan, noise.mechanism, noise.scales, protection.confidence)
    width = max(len(error.output) for error in errors)
    return out + [f"  {error.output:<{width}}  {error}" for error in errors]
