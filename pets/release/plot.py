"""Charts of a release: every estimate with its interval, in the order of the public keys.

Needs the ``plot`` extra (Altair). Charts hold only what was released.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pets.common.percent import percent
from pets.release import text
from pets.release.chart_roles import BIN, COLOURS, Roles, facts
from pets.release.chart_roles import roles as roles_of
from pets.release.estimate import Column
from pets.release.picture import altair, offline
from pets.release.views import Answer
from pets.schema.domain import MISSING

INK, SOFT, ALARM = "#1f2933", "#5b6770", "#b00020"
MAX_GROUPS = 20_000
MAX_PANELS = 400
_LONG = 40  # groups from which one key is drawn as a line with a band
_LETTER = 5.5  # the width of a letter of a label, on average


def chart(answer: Answer, output: str | None = None, *, x: Any = None, facet: Any = None, colour: Any = None) -> Any:
    """An Altair chart of one output (left out: the first), with every key of the answer in it.

    Unless asked otherwise a key with an order (time, then numbers) lies along the axis, a key of few values is told
    by colour, and each combination of the others has a panel. Groups that are not estimable are gaps, and named below
    the title.

    Raises :class:`MissingExtraError` without the ``plot`` extra, :class:`QueryError` for an unknown output or key.
    """
    alt = altair()
    column = answer.estimates[output] if output is not None else answer.estimates.columns[0]
    histogram = column.output.traits.shape == "bins"
    roles = roles_of(facts(answer.plan), histogram=histogram, x=x, facet=facet, colour=colour)
    rows, notes = _rows(answer, column, roles)
    drawing = _drawing(alt, answer, column, rows, roles)
    title = f"{column.output.name}{_by(answer)}"
    dummy = answer.data == "dummy"
    heading = alt.TitleParams(
        text=f"{text.DUMMY} — {title}" if dummy else title,
        subtitle=[*_subtitle(answer), *notes],
        color=ALARM if dummy else INK,
        subtitleColor=SOFT,
        anchor="start",
        fontSize=15,
        subtitleFontSize=11.5,
        subtitleLineHeight=15,
        offset=12,
    )
    drawn = drawing.properties(title=heading, description=f"{title}. {' '.join(_subtitle(answer))}")
    return offline(
        drawn.configure_view(stroke=None)
        .configure_axis(labelColor=INK, titleColor=INK, gridColor="#e4e8eb", domainColor="#9aa5ad", titleFontWeight=500)
        .configure_axis(labelFontSize=11, titleFontSize=11.5, titlePadding=8, tickColor="#9aa5ad", labelLimit=220)
        .configure_legend(labelColor=INK, titleColor=INK, labelFontSize=11, symbolOpacity=1)
        .configure_header(labelColor=INK, titleColor=INK, labelFontSize=11.5, labelFontWeight=600, title=None)
        .configure(background="white", font="Liberation Sans, Arial, sans-serif", padding=12)
    )


def measured(answer: Answer, column: Column) -> str:
    """What an output is, in words: ``days (sum of time_in_hospital)``."""
    name = column.output.name
    aggregate = dict(answer.plan.query.aggregates)[name]
    q = column.output.q
    share = "" if q is None else "median" if 2 * q == 1 else f"{percent(float(q))} quantile"
    what = column.output.traits.chart.format(column=" and ".join(aggregate.of), q=share)
    if answer.plan.people_of is not None:  # of a question about people each row is one of them
        what = {"rows": "people", "share of rows": "share of people"}.get(what, what)
    if whose := text.whose_rows(answer.plan, column.output):
        what = whose if column.output.traits.counts else f"{what}, {whose}"
    return name if name == what else f"{name} ({what})"


def _by(answer: Answer) -> str:
    keys = [dimension.name for dimension in answer.plan.layout.dimensions]
    return f" by {', '.join(keys)}" if keys else ""


def _subtitle(answer: Answer) -> list[str]:
    said = [] if answer.estimates.exact else [f"With the {text.interval(answer)} for the bounded answer."]
    if answer.data != "dummy":
        said.append(text.protection(answer)[:1].upper() + text.protection(answer)[1:] + ".")
    return [*said, *(line for line in (text.rows_counted(answer),) if line)]


def _rows(answer: Answer, column: Column, roles: Roles) -> tuple[list[dict[str, Any]], list[str]]:
    """One record a mark (``k`` + number for keys, so that a key may have any name), and notes."""
    layout, notes = answer.plan.layout, []
    keys = {name: [str(label) for label in values] for name, values in layout.columns().items()}
    shown = min(answer.plan.groups, MAX_GROUPS)
    if shown < answer.plan.groups:
        notes.append(
            f"NOT ALL IS SHOWN: the first {shown:,} of {answer.plan.groups:,} groups. Add groups up with "
            "release.total(…, by=…), or ask by fewer keys."
        )
    bins = column.output.bins if column.output.traits.shape == "bins" else ()
    whole = _joined(list(keys.values()), shown)
    panels = _joined([keys[name] for name in roles.panels], shown)
    order = list(dict.fromkeys(panels))
    if len(order) > MAX_PANELS:
        notes.append(
            f"NOT ALL IS SHOWN: the first {MAX_PANELS} of {len(order):,} panels. Choose another key for them (facet=…)."
        )
    drawn = set(order[:MAX_PANELS])
    rows: list[dict[str, Any]] = []
    unknown = []
    parts = [np.asarray(part, dtype=np.float64) for part in (column.estimate, column.low, column.high)]
    for group in range(shown):
        if panels[group] not in drawn:
            continue
        labels = {f"k{i}": values[group] for i, values in enumerate(keys.values())}
        labels |= {"group": whole[group]} | ({"panel": panels[group]} if roles.panels else {})
        if not bins and np.isnan(parts[0][group]):
            unknown.append(whole[group] or "the whole")
        for place, label in enumerate(bins or ("",)):
            at = (group, place) if bins else (group,)
            value, low, high = (None if np.isnan(part[at]) else float(part[at]) for part in parts)
            rows.append(labels | {"bin": str(label), "value": value, "low": low, "high": high})
    if unknown:
        few = [name for i, name in enumerate(unknown) if len(", ".join(unknown[: i + 1])) <= 60 or i == 0]
        rest = f" and {len(unknown) - len(few):,} more" if len(few) < len(unknown) else ""
        notes.append(f"Not estimable (too few rows for the noise): {', '.join(few)}{rest}.")
    return rows, notes


def _joined(labels: list[list[str]], shown: int) -> list[str]:
    """What each group is called by some of its keys."""
    return [" · ".join(parts) for parts in zip(*labels, strict=True)][:shown] if labels else [""] * shown


def _drawing(alt: Any, answer: Answer, column: Column, rows: list[dict[str, Any]], roles: Roles) -> Any:
    fields = {dimension.name: f"k{i}" for i, dimension in enumerate(answer.plan.layout.dimensions)}
    fields[BIN] = fields[""] = "bin"
    data = alt.Data(values=rows)
    values = measured(answer, column)
    bars = column.output.traits.bars
    scale = alt.Scale(zero=True, nice=True) if bars else alt.Scale(zero=False, nice=True, padding=6)
    histogram = column.output.traits.shape == "bins"
    field = "bin" if histogram or not roles.along else fields[roles.along]
    order = list(dict.fromkeys(row[field] for row in rows))
    longest = max(len(label) for label in order)
    # long or many labels are read more easily beside horizontal bars than turned by 45 degrees
    flat = not roles.along or (not roles.panels and not roles.colour and (longest > 12 or 14 < len(order) <= _LONG))
    aggregate = dict(answer.plan.query.aggregates)[column.output.name]
    named = getattr(aggregate, "column", "bin") if histogram else roles.along
    form = ".0%" if column.output.traits.percent else "~s" if _greatest(rows) >= 1e7 else ",~r"
    value_axis = alt.Axis(title=values, grid=True, format=form, tickCount=6)
    main, other = ("y", "x") if flat else ("x", "y")
    many = not flat and len(order) > _LONG
    apart = many and MISSING in order
    known = [label for label in order if label != MISSING]
    key: dict[str, Any] = {"field": field, "type": "nominal", "sort": order}
    if apart:  # which is no period after the last one: free places lie between
        free = [" " * place for place in range(1, 2 + len(known) // 40)]
        key["scale"] = alt.Scale(domain=[*known, *free, MISSING])
    panels = list(dict.fromkeys(row["panel"] for row in rows)) if roles.panels else []
    tones_shown = len({row[fields[roles.colour]] for row in rows}) if roles.colour else 1
    width, height = _size(len(order), tones_shown, len(panels), flat)
    fits = longest * _LETTER + 2 <= width / len(order)
    label = alt.Axis(title=named or None, labelAngle=0 if flat or fits else -40, labels=bool(roles.along))
    if many:
        step = -(-len(order) // (6 if roles.panels else 20))
        ticks = (known if apart else order)[::step]
        if apart:
            ticks = [*(ticks[:-1] if len(known) - known.index(ticks[-1]) < step / 2 else ticks), MISSING]
        label = alt.Axis(title=named, labelAngle=-40, values=ticks)
    encode: dict[str, Any] = {main: alt.X(**key, axis=label) if main == "x" else alt.Y(**key, axis=label)}
    channel = alt.Y if other == "y" else alt.X
    encode[other] = channel("value:Q", axis=value_axis, scale=scale)
    encode["tooltip"] = [
        alt.Tooltip(f"{name}:N", title=title) for name, title in _tooltips(roles, fields, histogram)
    ] + [alt.Tooltip(f"{name}:Q", title=name, format=",.6~g") for name in ("value", "low", "high")]
    if roles.colour:
        tone = fields[roles.colour]
        tones = list(dict.fromkeys(row[tone] for row in rows))
        few = {"range": list(COLOURS[: len(tones)])} if len(tones) <= len(COLOURS) else {"scheme": "category20"}
        encode["color"] = alt.Color(f"{tone}:N", scale=alt.Scale(domain=tones, **few), title=roles.colour)
        if not many:
            encode["xOffset"] = alt.XOffset(f"{tone}:N", sort=tones, scale=alt.Scale(paddingInner=0.15))
    base = alt.Chart().encode(**encode)  # the data belong to the whole chart: a panel then takes only its own
    if not many:
        layers = _marks(alt, base, other, bars, roles, answer.estimates.exact)
    elif not apart:
        layers = _line(alt, base, other)
    else:
        line, point = (base.transform_filter(f"datum.{field} {sign} '{MISSING}'") for sign in ("!==", "==="))
        layers = [*_line(alt, line, other), *_marks(alt, point, other, False, roles, answer.estimates.exact)]
    if not roles.panels:
        return alt.layer(*layers, data=data).properties(width=width, height=height)
    drawn = alt.layer(*layers).properties(width=width, height=height)
    facet = alt.Facet("panel:N", sort=panels, header=alt.Header(title=None, labelAnchor="start"))
    columns = {1: 1, 2: 2, 4: 2, 8: 4}.get(len(panels), 3 if len(panels) <= 12 else 4)
    # a panel with none below it would else have no axis of its own
    return drawn.facet(facet=facet, columns=columns, data=data).resolve_axis(x="independent")


def _marks(alt: Any, base: Any, other: str, bars: bool, roles: Roles, exact: bool) -> list[Any]:
    """Bars or points, then a line from the low to the high end of each interval with a cap at both."""
    colour = {} if roles.colour else {"color": COLOURS[0]}
    shape = (
        base.mark_bar(opacity=0.75, **colour) if bars else base.mark_point(filled=True, size=55, opacity=1, **colour)
    )
    if exact:
        return [shape]
    ink = {"color": INK} if bars or not roles.colour else {}
    low, high = (f"{end}:Q" for end in ("low", "high"))
    ends = {"x": alt.X(low), "x2": alt.X2("high")} if other == "x" else {"y": alt.Y(low), "y2": alt.Y2("high")}
    plain = alt.value(INK)
    rule = base.mark_rule(strokeWidth=1.4, **ink).encode(**ends)
    caps = [
        base.mark_tick(thickness=1.4, size=8, orient="vertical" if other == "x" else "horizontal", **ink).encode(
            **{other: alt.X(end) if other == "x" else alt.Y(end)}
        )
        for end in (low, high)
    ]
    marks = [rule, *caps]
    if bars and roles.colour:  # dark on the coloured bar
        marks = [mark.encode(color=plain) for mark in marks]
    return [shape, *marks]


def _line(alt: Any, base: Any, other: str) -> list[Any]:
    """For very many groups: a line in a band."""
    band = base.mark_area(opacity=0.25).encode(**{other: alt.Y("low:Q"), f"{other}2": alt.Y2("high")})
    return [band, base.mark_line(strokeWidth=1.6)]


def _size(groups: int, tones: int, panels: int, flat: bool) -> tuple[int, int]:
    if flat:
        return 460, max(46, 24 * groups)
    if panels:
        return max(150, min(260 if panels <= 12 else 210, 16 * groups * tones)), 170 if panels <= 12 else 130
    return max(260, min(760, 34 * groups * max(1, (tones + 1) // 2))), 280


def _greatest(rows: list[dict[str, Any]]) -> float:
    return max((abs(row[end] or 0) for row in rows for end in ("low", "high")), default=0)


def _tooltips(roles: Roles, fields: dict[str, str], histogram: bool) -> list[tuple[str, str]]:
    """The keys that a mark names when it is pointed at: field and title."""
    named = [name for name in ("" if histogram else roles.along, roles.colour, *roles.panels) if name]
    return [(fields[name], name) for name in named] + ([("bin", "bin")] if histogram else [])
