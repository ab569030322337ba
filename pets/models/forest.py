"""A forest plot: each coefficient with its interval, from released numbers alone. Needs the ``plot`` extra (Altair)."""

from __future__ import annotations

import math
from typing import Any

from pets.release.picture import altair, offline
from pets.release.plot import ALARM, INK, SOFT
from pets.release.text import DUMMY


def forest(fit: Any) -> Any:
    """The chart of a straight line's coefficients; the intercept, which is of another kind, is left out."""
    alt = altair()
    said = fit.table.iloc[1:]
    names = ("coefficient", "low", "high")
    rows = [
        {"term": str(term), **{name: float(one[name]) for name in names}}
        for term, one in said.iterrows()
        if not math.isnan(one["coefficient"])
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("term:N", sort=[str(term) for term in said.index], title=None)
    )
    bars = base.mark_rule(strokeWidth=2, color=INK).encode(x=alt.X("low:Q", title="coefficient"), x2="high:Q")
    points = base.mark_point(filled=True, size=60, color=INK, opacity=1).encode(x="coefficient:Q")
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(strokeDash=[4, 4], color=SOFT).encode(x="at:Q")
    dummy = fit.release.data == "dummy"
    title = f"Coefficients: {fit.model.formula}"
    heading = alt.TitleParams(
        text=f"{DUMMY} — {title}" if dummy else title,
        subtitle=[
            "Intervals of 95 % hold both the choice of people and the noise.",
            *(() if fit.estimable else fit.notes[:1]),
            fit.release.guarantee,
        ],
        color=ALARM if dummy else INK,
        subtitleColor=SOFT,
        anchor="start",
    )
    return offline((zero + bars + points).properties(title=heading, width=480).configure(background="white"))
