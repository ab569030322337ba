"""Clamping in words: between which values a plan moves the values that it sums, orders or counts in bins.

A value outside is counted as the nearer end; that is no noise, and no interval holds it.
"""

from __future__ import annotations

from pets.common.codec import number
from pets.plan.plan import Plan
from pets.schema.numeric import Numeric


def clamps(plan: Plan) -> tuple[str, ...]:
    """One sentence for each output of a numeric column, with the ends (public: the schema's, or the clip's)."""
    out = []
    for output in plan.outputs:
        measure = plan.measures[output.parts[0]]
        domain = plan.fields.get(measure.column or "")
        if not isinstance(domain, Numeric):
            continue
        weight = measure.weight
        codes = (0, domain.cells - 1) if weight is None else (weight.low, weight.high)
        low, high = (number(domain.origin + domain.spacing * code) for code in codes)
        step = number(domain.spacing * (1 if weight is None else weight.coarse))
        out.append(f"{output.name}: values of {measure.column!r} are clamped to [{low}, {high}] in steps of {step}.")
    return tuple(out)
