"""Charts of a synthetic data set: its rows beside what was measured. Needs the ``plot`` extra (Altair)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pets.plan.layout import Dimension
from pets.release.chart_roles import COLOURS
from pets.release.estimate import noise_of
from pets.release.picture import altair, offline
from pets.release.plot import INK, SOFT
from pets.release.release import Release

if TYPE_CHECKING:
    import pandas as pd

    from pets.schema.domain import Domain

_MAX_VALUES = 40


class Shown(Protocol):
    """What is read of a data set."""

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """Its tables."""

    @property
    def table_name(self) -> str:
        """The first of them."""

    @property
    def releases(self) -> tuple[Release, ...]:
        """What it was made from."""

    @property
    def guarantee(self) -> str:
        """What it promises."""

    @property
    def method(self) -> str:
        """How it was made."""


def column(made: Shown, name: str) -> Any:
    """One column: bars for the invented rows, and a tick with its noise where the column was measured."""
    alt = altair()
    values = made.frames[made.table_name][name]
    release = next(
        (one for one in made.releases if [key.column for key in one.query.keys] == [name]),
        None,
    )
    if release is None:
        counts = values.astype(object).where(values.notna(), "missing").value_counts().head(_MAX_VALUES)
        rows = [{"slot": str(label), "rows": int(count)} for label, count in counts.items()]
    else:
        dimension = release.plan.layout.dimensions[0]
        found = np.bincount(slots(values, dimension, release.plan.fields[name]), minlength=dimension.size)
        half = noise_of(release).half_width([(0, 1.0)])
        rows = [
            {"slot": str(label), "rows": int(own), "noisy": int(noisy), "low": noisy - half, "high": noisy + half}
            for label, own, noisy in zip(dimension.labels, found, release.values, strict=True)
        ]
    order = [row["slot"] for row in rows]
    x = alt.X("slot:N", sort=order, title=name, axis=alt.Axis(labelLimit=120))
    base = alt.Chart(alt.Data(values=rows))
    layers = [base.mark_bar(color=COLOURS[5], opacity=0.7).encode(x=x, y=alt.Y("rows:Q", title="rows"))]
    said = ["Bars: synthetic rows."]
    if release is not None:
        layers.append(base.mark_rule(color=INK).encode(x=x, y="low:Q", y2="high:Q"))
        layers.append(base.mark_tick(color=COLOURS[1], thickness=2).encode(x=x, y="noisy:Q"))
        said = ["Bars: synthetic rows. Ticks: the noisy counts that were measured, with 95 % of their noise."]
    title = alt.TitleParams(
        text=f"SYNTHETIC — {name} ({made.method})", subtitle=said, color=INK, subtitleColor=SOFT, anchor="start"
    )
    return offline(alt.layer(*layers).properties(title=title, width=520, height=240))


def slots(values: pd.Series[Any], dimension: Dimension, domain: Domain) -> Any:
    """The slot of each value."""
    codes = {value: domain.encode(value) for value in values.dropna().unique()}
    found = np.array([codes.get(value, domain.cells) for value in values.tolist()], dtype=np.int64)
    if not dimension.breaks:
        return found
    return np.array(dimension.slots)[np.searchsorted(np.array(dimension.breaks), found, side="right") - 1]
