"""Statements: the sentences that say what a release promises, and what its reader must know."""

from __future__ import annotations

from pets.codec import number
from pets.dp.calibrate import Noise
from pets.plan import Plan


def guarantee(plan: Plan, noise: Noise | None, data: str) -> str:
    """One sentence: unit, neighbours, ε and δ, the bound, and who keeps the account.

    ``noise`` is ``None`` for exact answers; ``data`` is ``"real"`` or ``"dummy"``.
    """
    if data == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    if noise is None:
        return "No guarantee: these are exact totals of real rows (unbounded; named on every later release)."
    who = "any one row (a person)" if plan.unit_column is None else f"all rows of any one person ({plan.unit_column})"
    at = f"ε = {noise.epsilon:.6g}" + (f" and δ = {noise.delta:g}" if noise.delta else "")
    return (
        f"Differentially private with {at}: adding or removing {who} changes the chance of any released table by "
        f"at most that much; at most {_counted(plan)}; the account of what else was released is kept by this "
        "session, in this process only."
    )


def notes(plan: Plan, noise: Noise | None, unbounded: int) -> tuple[str, ...]:
    """What a reader must know beside the guarantee; ``unbounded`` is the number of exact releases so far."""
    out = []
    if plan.unit_column is not None:
        kept = plan.kept_rows if all(measure.kind == "units" for measure in plan.measures) else plan.rows
        what = "Numbers are" if noise is None else "Intervals are for"
        out.append(
            f"{what} the bounded answer: at most K = {_rows(kept)} of a person count, chosen at "
            "random before any filter."
        )
    for output in plan.outputs:
        weight = plan.measures[output.parts[0]].weight
        if output.kind == "variance" and weight is not None and weight.coarse > 1:
            step = number(output.factor * weight.scale)
            out.append(
                f"{output.name}: values were cut to steps of {step}; its interval holds what that can have done."
            )
    if noise is not None and unbounded:
        out.append(f"{unbounded} earlier release(s) of this dataset had no finite guarantee (exact totals).")
    return tuple(out)


def _counted(plan: Plan) -> str:
    """How many rows of a person enter the answer; distinct people are counted over all rows that were kept."""
    kinds = {measure.kind for measure in plan.measures}
    if kinds == {"units"}:
        return f"{_rows(plan.kept_rows)} of a person are looked at"
    people = "units" in kinds and plan.kept_rows != plan.rows
    also = f" ({plan.kept_rows} are looked at to count people)" if people else ""
    return f"{_rows(plan.rows)} of a person count{also}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
