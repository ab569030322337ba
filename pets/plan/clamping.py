"""Clamping in words: between which values a plan moves the values that it sums, orders or counts in bins.

A value outside is counted as the nearer end; that is no noise, and no interval holds it. Days between two dates of a
person that lie outside their bounds are no value, and do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pets.common.codec import number
from pets.plan.plan import Plan
from pets.query_model.features import Days
from pets.schema.domain import Domain
from pets.schema.numeric import Numeric


def clamps(plan: Plan) -> tuple[str, ...]:
    """One sentence for each output of a numeric column, with the ends (public: the schema's, or the clip's)."""
    out = []
    people = plan.query.people
    spans = {} if people is None else {name: one for name, one in people.features if isinstance(one, Days)}
    for output in plan.outputs:
        measure = plan.measures[output.parts[0]]
        if measure.cells or measure.wiring is not None or measure.kind == "exits":
            said = clamped_columns(plan.fields, measure.columns)
            out += [f"{output.name}: {one[0].lower()}{one[1:]}" for one in said]
            continue
        domain = plan.fields.get(measure.column or "")
        if not isinstance(domain, Numeric):
            continue
        weight = measure.weight
        codes = (0, domain.cells - 1) if weight is None else (weight.low, weight.high)
        coarse = 1 if weight is None else weight.coarse
        if measure.column in spans:
            out.append(f"{output.name}: {_days(measure.column or '', spans[measure.column or ''])}")
            if codes == (0, domain.cells - 1) and coarse == 1:
                continue
        out.append(f"{output.name}: values of {_between(measure.column, domain, codes, coarse)}")
    return tuple(out)


def clamped_columns(fields: Mapping[str, Domain], columns: Iterable[str]) -> tuple[str, ...]:
    """One sentence for each numeric column of a model, with the schema's ends."""
    numbers = ((name, fields[name]) for name in columns)
    return tuple(
        f"Values of {_between(name, domain, (0, domain.cells - 1))}"
        for name, domain in numbers
        if isinstance(domain, Numeric)
    )


def _days(column: str, span: Days) -> str:
    return f"values of {column!r} outside [{span.low}, {span.high}] days are no value; they are not clamped."


def _between(column: str | None, domain: Numeric, codes: tuple[int, int], coarse: int = 1) -> str:
    low, high = (number(domain.origin + domain.spacing * code) for code in codes)
    return f"{column!r} are clamped to [{low}, {high}] in steps of {number(domain.spacing * coarse)}."
