"""A chart of survival curves: what was released, and nothing else. Needs the ``plot`` extra (Altair)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pets.models.survival.estimate import Z
from pets.release.picture import altair, offline
from pets.release.plot import ALARM, INK, SOFT
from pets.release.text import DUMMY, protection


def drawn(found: Any, *, band: bool) -> Any:
    """The chart of such curves: steps at times that are known, straight to the end of a bin where they are not."""
    alt = altair()
    name = ", ".join(found.model.by) or "group"
    rows = []
    for group, made in zip(found.groups, found.curves, strict=True):
        low, high = made.interval(made.band if band else Z)
        values = found.bins.values[: made.bins]
        ends = [end if at is None else float(at) for end, at in zip(found.edges[1:], values, strict=False)]
        parts = [[found.edges[0], *ends], *(np.append(1.0, part) for part in (made.survival, low, high))]
        rows += [
            {"time": float(time), "survival": float(share), "low": float(a), "high": float(b), "of": group}
            for time, share, a, b in zip(*parts, strict=True)
        ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("time:Q", title=found.model.time),
        color=alt.Color("of:N", title=name, legend=alt.Legend() if found.model.by else None),
    )
    steps = "step-after" if all(value is not None for value in found.bins.values) else "linear"
    line = base.mark_line(interpolate=steps).encode(
        y=alt.Y("survival:Q", title=f"share without {found.model.event}", scale=alt.Scale(domain=[0, 1]))
    )
    area = base.mark_area(opacity=0.2, interpolate=steps).encode(y="low:Q", y2="high:Q")
    dummy = found.release.data == "dummy"
    title = f"Survival: {found.model.time} until {found.model.event}"
    what = "The band holds the whole curve in 95 % of releases" if band else "Intervals hold each point in 95 %"
    under = protection(found.release)
    heading = alt.TitleParams(
        text=f"{DUMMY} — {title}" if dummy else title,
        subtitle=[
            f"{what}: the choice of people and the noise.",
            *([] if dummy else [f"{under[:1].upper()}{under[1:]}."]),
        ],
        color=ALARM if dummy else INK,
        subtitleColor=SOFT,
        anchor="start",
    )
    return offline((area + line).properties(title=heading, width=480, height=300).configure(background="white"))
