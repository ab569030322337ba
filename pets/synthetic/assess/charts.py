"""Pictures of an assessment, as inline SVG: nothing is fetched, and the page is one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from pets.release.chart_roles import COLOURS
from pets.release.picture import altair, inline, svg
from pets.release.plot import INK, SOFT
from pets.synthetic.assess.fidelity import Fidelity
from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Tables

WORST = 6
FIRST = 20
FURTHEST = -1.0
_BLUE, _ORANGE = COLOURS[0], COLOURS[1]


class Shown(Protocol):
    """What is read of an assessment."""

    @property
    def scores(self) -> tuple[Score, ...]:
        """All of them."""

    @property
    def tables(self) -> Tables:
        """What was compared."""

    @property
    def detail(self) -> Fidelity:
        """What the pictures of fidelity show."""


def pictures(shown: Shown) -> dict[str, str]:
    """Each picture by name, as figures with SVG in them: scale, columns, associations, risk.

    Raises :class:`MissingExtraError` without the ``plot`` extra.
    """
    alt = altair()
    made = [
        ("scale", _scale(alt, shown.scores), "Every score between shuffled columns and real rows."),
        *(("columns", chart, f"Real and synthetic shares in {name}.") for name, chart in _columns(alt, shown)),
        ("associations", _associations(alt, shown), "How much stronger or weaker pairs of columns hold together."),
        ("risk", _risk(alt, shown.scores), "Risks of the table, of shuffled columns and of real rows kept out."),
    ]
    out: dict[str, str] = {}
    for number, (name, chart, label) in enumerate(made):
        picture = inline(svg(chart), label, number)
        out[name] = f"{out.get(name, '')}<figure>{picture}</figure>"
    return out


def _title(alt: Any, text: str, *more: str) -> Any:
    return alt.TitleParams(text=text, subtitle=list(more), color=INK, subtitleColor=SOFT, anchor="start")


def _scale(alt: Any, scores: Sequence[Score]) -> Any:
    kept = [score for score in scores if score.group != "risk" and score.place == score.place]
    # room for what is worse than a shuffle, to a limit; what lies beyond stands at it, as an arrow
    least = max(FURTHEST, min([-0.15, *(score.place for score in kept)]))

    def inside(place: float) -> float:
        return min(max(place, least), 1.15)

    rows = []
    for score in kept:
        low, high = score.places if score.low == score.low else (score.place, score.place)
        beyond = "left" if score.place < least else "right" if score.place > 1.15 else ""
        ends = {"low": inside(low), "high": inside(high)}
        rows.append({"score": score.name, "group": score.group, "place": inside(score.place), "beyond": beyond} | ends)
    order = [row["score"] for row in rows]
    base = alt.Chart(alt.Data(values=rows))
    y = alt.Y("score:N", sort=order, title=None, axis=alt.Axis(labelLimit=260))
    x = alt.X(
        "place:Q",
        title=None,
        scale=alt.Scale(domain=[least, 1.15]),
        axis=alt.Axis(values=[0, 1], labelExpr="datum.value == 0 ? 'shuffled columns' : 'real rows'", grid=True),
    )
    line = base.mark_rule(color="#c8d0d6").encode(y=y, x=alt.datum(0), x2=alt.datum(1))
    dots = base.mark_point(filled=True, size=130, opacity=1).encode(
        y=y,
        x=x,
        shape=alt.Shape(
            "beyond:N",
            legend=None,
            scale=alt.Scale(domain=["", "left", "right"], range=["circle", "triangle-left", "triangle-right"]),
        ),
        color=alt.Color(
            "group:N", title=None, scale=alt.Scale(range=list(COLOURS[:3])), legend=alt.Legend(orient="top")
        ),
    )
    ends = base.mark_rule(color=INK).encode(y=y, x="low:Q", x2="high:Q")
    return alt.layer(line, dots, ends).properties(
        width=300,
        height=26 * max(len(rows), 1),
        title=_title(alt, "What it keeps", "With 95 % intervals. An arrow: further than the picture is wide."),
    )


def _columns(alt: Any, shown: Shown) -> list[tuple[str, Any]]:
    """One chart a column, so that a page may set them side by side or below each other."""
    single = shown.detail.single
    worst = sorted(range(len(single)), key=lambda at: -single[at])[:WORST]
    panels = []
    for at in worst:
        column = shown.tables.columns[at]
        rows = []
        both = (("real", shown.tables.real), ("synthetic", shown.tables.synthetic))
        shares = {name: np.bincount(t.codes[:, at], minlength=column.size) / len(t) for name, t in both}
        most = np.maximum(shares["real"], shares["synthetic"])
        top = np.argsort(-most, kind="stable")[: column.size if column.numeric else FIRST]
        for i in sorted(top[most[top] > 0].tolist()):  # no place for what is in neither
            rows += [{"bin": column.labels[i], "share": float(share[i]), "of": name} for name, share in shares.items()]
        order = [label for label in column.labels if any(row["bin"] == label for row in rows)]
        chart = (
            alt.Chart(alt.Data(values=rows))
            .mark_bar(width=alt.RelativeBandSize(1))
            .encode(
                x=alt.X(
                    "bin:N",
                    sort=order,
                    title=None,
                    axis=alt.Axis(labelLimit=100, labelFontSize=10, labelAngle=-60),
                    scale=alt.Scale(paddingInner=0.25),
                ),
                xOffset=alt.XOffset("of:N", scale=alt.Scale(paddingInner=0)),
                y=alt.Y("share:Q", title=None, axis=alt.Axis(format="%")),
                color=alt.Color(
                    "of:N",
                    title=None,
                    scale=alt.Scale(domain=["real", "synthetic"], range=[_BLUE, _ORANGE]),
                    legend=alt.Legend(orient="top"),
                ),
            )
            .properties(width=320, height=140, title=_title(alt, f"{column.name}: {single[at]:.1%} in the wrong place"))
        )
        panels.append((column.name, chart))
    return panels


def _associations(alt: Any, shown: Shown) -> Any:
    real, synthetic = shown.detail.association
    names = shown.tables.names
    cells = [
        {"a": names[i], "b": names[j], "gap": float(synthetic[i, j] - real[i, j])}
        for i in range(len(names))
        for j in range(len(names))
        if i != j
    ]
    axis = alt.Axis(labelLimit=130)
    return (
        alt.Chart(alt.Data(values=cells))
        .mark_rect()
        .encode(
            x=alt.X("a:N", sort=names, title=None, axis=axis),
            y=alt.Y("b:N", sort=names, title=None, axis=axis),
            color=alt.Color(
                "gap:Q", title="synthetic − real", scale=alt.Scale(scheme="blueorange", domain=[-0.5, 0.5], clamp=True)
            ),
        )
        .properties(
            width=24 * len(names),
            height=24 * len(names),
            title=_title(alt, "Associations (Cramér's V)", "Blue: weaker than in the real rows. Orange: stronger."),
        )
    )


def _risk(alt: Any, scores: Sequence[Score]) -> Any:
    risks = [score for score in scores if score.group == "risk"]
    order = [score.name for score in risks]
    bars = [
        {
            "risk": s.name,
            "value": s.value,
            "low": s.low,
            "high": s.high,
            "flag": "flagged" if s.flagged else "not flagged",
        }
        for s in risks
    ]
    marks = [
        {"risk": s.name, "value": value, "of": of}
        for s in risks
        for of, value in (("shuffled columns", s.floor), ("real rows kept out", s.ceiling))
    ]
    y = alt.Y("risk:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, labelPadding=12, ticks=False))
    base = alt.Chart(alt.Data(values=bars))
    drawn = base.mark_bar(height=12).encode(
        y=y,
        x=alt.X("value:Q", title="added to what is known anyway (0 nothing, 1 all)", axis=alt.Axis(tickCount=5)),
        color=alt.Color(
            "flag:N",
            title=None,
            scale=alt.Scale(domain=["not flagged", "flagged"], range=["#7f97a8", "#b00020"]),
            legend=alt.Legend(orient="top"),
        ),
    )
    ends = base.mark_rule(color=INK).encode(y=y, x="low:Q", x2="high:Q")
    others = (
        alt.Chart(alt.Data(values=marks))
        .mark_point(size=70, strokeWidth=2)
        .encode(
            y=y,
            x="value:Q",
            shape=alt.Shape("of:N", title=None, legend=alt.Legend(orient="top")),
            color=alt.value(INK),
        )
    )
    return alt.layer(drawn, ends, others).properties(
        width=300, height=34 * max(len(risks), 1), title=_title(alt, "What it risks", "Bars with their 95 % intervals.")
    )
