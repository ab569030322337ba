"""Hopeless: a synthetic table that noise would drown even if every person whom the schema allows were there.

Judged before anything is charged, from the schema (slots, and the public bound ``people``) and σ alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pets.dp.calibrate import target_units
from pets.errors import BudgetError, UserError
from pets.protection.protection import DP
from pets.query_model.group_keys import Bins, Period
from pets.session.synthesis.request import SynthesisRequest
from pets.synthetic.dp_model.noise_alone import Forecast
from pets.synthetic.dp_model.select import SIGNIFICANT

DROWNED = 0.5
"""The share of rows in the wrong place of a column, on average, from which a table tells next to nothing."""

_MARGIN = 2
"""Of a remedy: it must do whatever noise is drawn (but for one time in 10,000)."""

_COARSE = (8, 4, 2)
_DEAREST = 100.0  # the greatest ε that a remedy names


def refuse_hopeless(request: SynthesisRequest, left: int | None = None) -> None:
    """Raise :class:`BudgetError`, before anything is charged, for what noise is bound to drown."""
    why = why_hopeless(request, left)
    if why:
        raise BudgetError(f"{why}; nothing was spent")


def why_hopeless(request: SynthesisRequest, left: int | None = None) -> str:
    """Why a request is bound to come to nothing, and a remedy that works; ``""`` where it may come to something.

    Args:
        request: that is asked.
        left: units of the budget that are left; a dearer remedy is not named.
    """
    if not _drowned(request.forecast, request.most_rows):
        return ""
    at = request.forecast.columns_at(request.most_rows)
    return (
        f"at epsilon={request.epsilon:g} noise would drown this table: the schema allows at most "
        f"{request.most_rows:,} rows that count, and of these noise alone would put {100 * at:.0f} % in the wrong "
        f"place of a column; {_remedy(request, left)}"
    )


def _drowned(forecast: Forecast, rows: int, margin: float = 1) -> bool:
    return rows < margin * SIGNIFICANT * forecast.total_sigma or forecast.columns_at(rows) >= DROWNED


def _remedy(request: SynthesisRequest, left: int | None) -> str:
    ways = [
        next((told for told, changed in some if _does(request, changed)), "")
        for some in (_dearer(request, left), _coarser(request), _fewer(request))
    ]
    named = [way for way in ways if way]
    if not named:
        if request.histories is not None:
            return (
                "no price that is left would do: name fewer tables or columns, or ask single questions with release(…)"
            )
        return "no price that is left and no bins would do: ask single questions with release(…)"
    return f"ask with {', or with '.join(named)}"


def _does(request: SynthesisRequest, changed: dict[str, Any]) -> bool:
    try:
        other = replace(request, **changed)
        return not _drowned(other.forecast, other.most_rows, _MARGIN)
    except UserError:
        return False


def _dearer(request: SynthesisRequest, left: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The least ε, in two digits, that would do."""
    for step in itertools.count(1):
        epsilon = _two_digits(request.epsilon * 1.1**step)
        units = target_units(DP(epsilon=epsilon), request.currency, request.delta)
        if epsilon > _DEAREST or (left is not None and units > left):
            return
        ratio = request.units / units
        rough = request.forecast.scaled(math.sqrt(ratio) if request.currency == "zcdp" else ratio)
        if not _drowned(rough, request.most_rows, _MARGIN):
            yield f"epsilon={epsilon:g}", {"epsilon": epsilon}


def _two_digits(value: float) -> float:
    """Rounded up."""
    digits = 1 - math.floor(math.log10(value))
    return float(f"{math.ceil(round(value * 10**digits, 6)) / 10**digits:.2g}")


def _coarser(request: SynthesisRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fewer bins for numbers, years for dates."""
    if request.histories is not None:
        return
    for count in _COARSE:
        bins: dict[str, Any] = dict(request.bins or {})
        for column in request.workload.columns:
            if isinstance(column.key, Bins) and column.size > count + 1:
                bins[column.name] = count
            elif isinstance(column.key, Period):
                bins[column.name] = "year"
        if bins != (request.bins or {}):
            yield f"bins={bins!r}", {"bins": bins}


def _fewer(request: SynthesisRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """The columns of fewest slots."""
    if request.histories is not None:
        return
    order = sorted(request.workload.columns, key=lambda column: column.size)
    for count in range(len(order) - 1, 0, -1):
        kept = [column.name for column in request.workload.columns if column in order[:count]]
        bins = {name: some for name, some in (request.bins or {}).items() if name in kept} or None
        told = f"columns={kept!r}" + (f" and bins={bins!r}" if bins != request.bins else "")
        yield told, {"columns": kept, "bins": bins}
