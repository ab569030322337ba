"""An answer as words: numbers with as many digits as their interval carries, and a table for a terminal."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.common.codec import fraction
from pets.common.integers import Floats, Numbers
from pets.common.percent import percent
from pets.plan.measure import Output
from pets.plan.plan import Plan
from pets.release import shown as shown_of
from pets.release.estimate import Column
from pets.release.views import Answer

UNKNOWN = "not estimable"
DUMMY = "DUMMY DATA: invented rows"
SHOWN = 30
_BINS = 8
_BELOW = 18  # letters a line below a heading


@dataclass(frozen=True)
class Grid:
    """A table as text.

    Attributes:
        below: what stands below each heading: whose rows a count or a sum is made of.
        keys: how many of the leading columns are group keys.
        more: groups that are not shown.
    """

    header: tuple[str, ...]
    below: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: int
    more: int


def grid(answer: Answer, limit: int = SHOWN) -> Grid:
    """The first groups of an answer: keys, then ``estimate ± half-width`` (``[low, high]`` where the sides differ)."""
    keys, places = shown_of.labels(answer), shown_of.places(answer)
    groups = len(places)
    shown = min(groups, limit)
    columns = [[str(labels[place]) for place in places[:shown]] for labels in keys.values()]
    columns += [cells(column.at(places), answer.estimates.exact, shown) for column in answer.estimates]
    header = (*keys, *(column.output.name for column in answer.estimates))
    below = (*("" for _ in keys), *(whose_rows(answer.plan, column.output) for column in answer.estimates))
    return Grid(header, below, tuple(zip(*columns, strict=True)), len(keys), groups - shown)


def whose_rows(plan: Plan, output: Output) -> str:
    """Whose rows a count or a sum is made of, where a person may have several: those beyond K are not in it."""
    people = output.traits.counts == "people" or plan.measures[output.parts[0]].reads_kept
    if plan.unit_column is None or plan.people_of is not None or not output.traits.bars or people:
        return ""
    return f"at most {plan.rows:,} of each person's rows"


def rows_counted(answer: Answer) -> str:
    """What share of all rows the bound counts, where a release of that is shown beside the answer."""
    lost = getattr(answer, "rows_lost", None)
    if lost is None or all(measure.reads_kept for measure in answer.plan.measures):
        return ""
    return str(lost.sentence(answer.plan.rows))


def cells(column: Column, exact: bool, shown: int) -> list[str]:
    """One output's cells."""
    if column.estimate.ndim == 2:
        return [_bins(column, exact, row) for row in range(shown)]
    value, low, high = (_floats(part) for part in (column.estimate, column.low, column.high))
    places = decimals(column, exact)
    if exact:
        return [
            UNKNOWN if math.isnan(v) else _write(w, places)
            for v, w in zip(value, column.estimate[:shown], strict=False)
        ]
    even = _even(value, low, high)
    out = []
    for row in range(shown):
        if math.isnan(value[row]):
            out.append(UNKNOWN)
        elif even:
            half = max(high[row] - value[row], value[row] - low[row])
            out.append(f"{_write(column.estimate[row], places)} ± {_write(half, places)}")
        else:
            ends = ", ".join(_write(end[row], places) for end in (column.low, column.high))
            out.append(f"{_write(column.estimate[row], places)} [{ends}]")
    return out


def decimals(column: Column, exact: bool) -> int:
    """Digits after the point: two that the noise leaves meaningful (an exact answer: six in all)."""
    if column.estimate.dtype != np.float64:
        return 0
    value = _floats(column.estimate)
    size = np.abs(value if exact else (_floats(column.high) - _floats(column.low)) / 2)
    size = size[np.isfinite(size) & (size > 0)]
    ends = np.concatenate([value, _floats(column.low), _floats(column.high)])
    if np.all(np.mod(ends[np.isfinite(ends)], 1) == 0):
        return 0
    if not len(size):
        return 2
    return min(12, max(0, (5 if exact else 1) - math.floor(math.log10(float(np.median(size))))))


def protection(answer: Answer) -> str:
    """The protection in a few words, such as ``ε = 0.5, δ = 1e-06``.

    Every printed ε has its δ, except where the guarantee has none.
    """
    if answer.data == "dummy":
        return DUMMY
    if answer.mechanism == "none":
        return "exact: no finite guarantee"
    if answer.epsilon is None:
        return "differentially private" + ("" if answer.rho is None else f", ρ = {answer.rho:.4g} (zCDP)")
    with_delta = f", δ = {answer.delta:g}" if answer.delta else ""
    return f"differentially private, ε = {answer.epsilon:.4g}{with_delta}"


def cost(answer: Answer) -> str:
    """What the release cost, in the ledger's own currency."""
    loss = answer.cost["loss"]
    if answer.mechanism == "none" and answer.data == "real":
        return "no finite cost (an exact answer is unbounded)"
    if not loss:
        return "nothing"
    unit = "ρ" if answer.cost["currency"] == "zcdp" else "ε"
    threshold = f" and δ = {answer.cost['delta'] / 1e18:.3g}" if answer.cost["delta"] else ""
    return f"{unit} = {loss / 1e12:.4g}{threshold}"


def remaining(answer: Answer) -> int | None:
    """About how many more queries of the same cost the ledger has room for (``None``: it does not say)."""
    state, loss = answer.budget, int(answer.cost["loss"])
    if state is None or not loss or answer.mechanism == "none" or state.get("currency") != answer.cost["currency"]:
        return None
    if "cap" not in state or "spent" not in state:
        return None
    # a project or an analyst may have room for less than the dataset
    left = state.get("left", fraction(state["cap"]) - fraction(state["spent"]))
    return max(0, math.floor(fraction(left) / loss))


def more_like_this(answer: Answer) -> str | None:
    """:func:`remaining` as a sentence."""
    left = remaining(answer)
    if left is None:
        return None
    if not left:
        return "No room for another query like this."
    return f"Room for about {left:,} more {'query' if left == 1 else 'queries'} like this."


def interval(answer: Answer) -> str:
    """How the intervals are to be read."""
    return f"{percent(answer.estimates.confidence)} interval"


def headline(answer: Answer) -> str:
    """What was asked: outputs by keys of a table."""
    plan = answer.plan
    names = _listed([column.output.name for column in answer.estimates])
    keys = _listed([dimension.name for dimension in plan.layout.dimensions])
    return f"{names}{f' by {keys}' if keys else ''}, from {plan.dataset}/{plan.source}"


def plain(answer: Answer) -> str:
    """A table for a terminal, with ± and the guarantee."""
    shown = grid(answer)
    below = [textwrap.wrap(said, max(_BELOW, len(name))) for said, name in zip(shown.below, shown.header, strict=True)]
    above = list(itertools.zip_longest(*below, fillvalue=""))
    every = (shown.header, *above, *shown.rows)
    widths = [max(len(row[i]) for row in every) for i in range(len(shown.header))]
    lines = [f"{headline(answer)}: {protection(answer)}", ""]
    for row in every:
        texts = [
            text.ljust(width) if i < shown.keys else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(texts).rstrip())
    if shown.more:
        lines.append(f"… and {shown.more:,} more {'group' if shown.more == 1 else 'groups'} (.table has all of them)")
    lines.append("")
    if not answer.estimates.exact:
        lines.append(f"± and [ ]: {interval(answer)} around the noisy value, for the bounded answer.")
    lines.append(answer.guarantee)
    if answer.data != "dummy":
        lines.append(" ".join(part for part in (f"Cost: {cost(answer)}.", more_like_this(answer)) if part))
    lines += [said for said in (shown_of.sentence(answer),) if said]
    lines += [said for said in (*answer.notes, rows_counted(answer)) if said]
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _bins(column: Column, exact: bool, row: int) -> str:
    counts = [_write(count, 0) for count in column.estimate[row][:_BINS]]
    text = ", ".join(counts) + (", …" if column.estimate.shape[1] > _BINS else "")
    half = column.high[row] - column.estimate[row]
    apart = (
        " at most" if half.max() > half.min() * (1 + 1e-6) else ""
    )  # (sums of a regression are in units of their own)
    return text if exact else f"{text} (each ±{apart} {_write(half.max(), 0)})"


def _even(value: Floats, low: Floats, high: Floats) -> bool:
    """Whether every interval has sides of about one length, so that one ± tells all."""
    up, down = high - value, value - low
    known = np.isfinite(value)
    return bool(np.all(np.abs(up - down)[known] <= 0.1 * np.maximum(up, down)[known]))


def _floats(numbers: Numbers) -> Floats:
    return numbers.astype(np.float64)


def _write(value: Any, places: int) -> str:
    """A number with thousands separators; whole numbers of any size keep all their digits."""
    if not isinstance(value, float):
        return f"{int(value):,}"
    text = f"{value:,.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text
