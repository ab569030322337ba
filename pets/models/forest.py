"""A forest plot: each coefficient with its interval, from released numbers alone. Needs the ``plot`` extra (Altair)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pets.release.picture import altair, offline
from pets.release.plot import ALARM, INK, SOFT
from pets.release.release import Release
from pets.release.text import DUMMY

if TYPE_CHECKING:
    import pandas as pd


def forest(
    table: pd.DataFrame,
    title: str,
    release: Release,
    notes: Sequence[str] = (),
    *,
    guarantee: str = "",
    axis: str = "coefficient",
    ratio: bool = False,
    line: bool = True,
) -> Any:
    """The chart of a fit's coefficients; of those that are not given nothing is drawn.

    Args:
        table: of the fit, without an intercept, which is of another kind.
        title: what they are of.
        release: what the numbers follow from.
        notes: the first is told where nothing is given.
        guarantee: of all releases together; left out, that of ``release``.
        axis: what is drawn, with its unit.
        ratio: whether ratios are drawn, on a scale of their logarithms.
        line: whether one stands where nothing differs: at 0, of ratios at 1.
    """
    alt = altair()
    names = ("ratio", "ratio_low", "ratio_high") if ratio else ("coefficient", "low", "high")
    middle, low, high = names
    rows = [
        {"term": str(term), **{name: float(one[name]) for name in names}}
        for term, one in table.iterrows()
        if all(math.isfinite(one[name]) and (one[name] > 0 or not ratio) for name in names)
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("term:N", sort=[str(term) for term in table.index], title=None)
    )
    scale = alt.Scale(type="log", nice=False) if ratio else alt.Scale(zero=line)
    bars = base.mark_rule(strokeWidth=2, color=INK).encode(x=alt.X(f"{low}:Q", title=axis, scale=scale), x2=f"{high}:Q")
    points = base.mark_point(filled=True, size=60, color=INK, opacity=1).encode(x=f"{middle}:Q")
    none = alt.Chart(alt.Data(values=[{"at": int(ratio)}])).mark_rule(strokeDash=[4, 4], color=SOFT).encode(x="at:Q")
    dummy = release.data == "dummy"
    heading = alt.TitleParams(
        text=f"{DUMMY} — {title}" if dummy else title,
        subtitle=[
            "Intervals of 95 % hold both the choice of people and the noise.",
            *(() if rows else notes[:1]),
            guarantee or release.guarantee,
        ],
        color=ALARM if dummy else INK,
        subtitleColor=SOFT,
        anchor="start",
    )
    layers = none + bars + points if line else bars + points
    return offline(layers.properties(title=heading, width=480).configure(background="white"))
