"""Chart: the use of a budget over time, as inline SVG that takes its colours from the page and says what it shows."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from html import escape

from pets.ledger.publish import wording
from pets.ledger.publish.read_log import Dataset, Point

_DOTS = 80
"""Steps up to which each has a dot."""

_NICE = (
    *(("minute", 60 * n) for n in (1, 2, 5, 10, 20, 30)),
    *(("hour", 3600 * n) for n in (1, 2, 3, 6, 12)),
    *(("day", 86_400 * n) for n in (1, 2, 5, 10, 20, 40, 91, 182, 365, 730, 1826, 3652)),
)


@dataclass(frozen=True)
class Frame:
    """Where the chart lies in its box, and which times it spans."""

    width: int
    height: int
    start: float
    end: float
    left: int = 46
    right: int = 14
    top: int = 26
    bottom: int = 30

    def x(self, at: float) -> float:
        """From left to right: time."""
        inner = self.width - self.left - self.right
        return round(self.left + inner * (at - self.start) / (self.end - self.start), 1)

    def y(self, share: float) -> float:
        """From the bottom up: the share that is used."""
        inner = self.height - self.top - self.bottom
        return round(self.top + inner * (1 - min(share, 1.0)), 1)


def used_over_time(known: Dataset, until: str, name: str, *, width: int, height: int) -> str:
    """Steps from each charge to the next, a dashed line at each renewal, a mark at each release without a guarantee.

    Args:
        until: the time up to which the account is known.
        name: for the ids inside, unique in the page.
    """
    points = known.points
    start, end = _seconds(points[0].at), _seconds(until)
    room = max(60.0, 0.03 * (end - start))
    frame = Frame(width, height, start - room, end + room)
    parts = [_grid(frame), _times(frame), *_steps(frame, points, end), *_marks(frame, known)]
    title = f"Use of the privacy budget of {known.name}"
    return (
        f'<svg class="chart" role="img" aria-labelledby="{name}-t {name}-d" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(_described(known, until))}</desc>{"".join(parts)}</svg>'
    )


def bar(share: float, label: str) -> str:
    """A bar that is as full as the budget is used; the words beside it say the same."""
    return (
        f'<svg class="bar" role="img" aria-label="{escape(label)}" width="100%" height="20">'
        f'<rect class="used" width="{max(0.0, min(share, 1.0)) * 100:.2f}%" height="20"/></svg>'
    )


def _described(known: Dataset, until: str) -> str:
    first, now = known.points[0].at, known.now
    said = [
        f"A line that climbs by the cost of each answer, from {wording.day(first)} to {wording.day(until)}, when "
        f"{wording.used(now.share)} of the budget was used."
    ]
    for epoch in known.epochs[1:]:
        said.append(f"On {wording.day(epoch.at)} the budget was renewed, and the line begins again at 0 %.")
    if known.unbounded:
        said.append(f"Diamonds mark {wording.bare(known.unbounded)} without a guarantee.")
    return " ".join([*said, "The tables below hold the same facts."])


def _grid(frame: Frame) -> str:
    out = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = frame.y(share)
        kind = "cap" if share == 1 else "grid"
        out.append(f'<line class="{kind}" x1="{frame.left}" x2="{frame.width - frame.right}" y1="{y}" y2="{y}"/>')
        out.append(f'<text x="{frame.left - 6}" y="{y + 4}" text-anchor="end">{share * 100:g}\u00a0%</text>')
    out.append(f'<text x="{frame.left}" y="{frame.y(1) - 8}">100 % = the whole budget</text>')
    return "".join(out)


def _times(frame: Frame) -> str:
    span = frame.end - frame.start
    most = (frame.width - frame.left) / 95
    kind, step = next((nice for nice in _NICE if span / nice[1] <= most), ("day", span / most))
    out = []
    at = -(-frame.start // step) * step
    while at <= frame.end:
        x = frame.x(at)
        if frame.left + 24 <= x <= frame.width - 40:
            when = dt.datetime.fromtimestamp(at, dt.UTC)
            text = f"{when.day} {when:%b %Y}" if kind == "day" else f"{when:%H:%M}"
            out.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{frame.y(0)}" y2="{frame.y(0) + 5}"/>')
            out.append(f'<text x="{x}" y="{frame.y(0) + 19}" text-anchor="middle">{text}</text>')
        at += step
    return "".join(out)


def _steps(frame: Frame, points: list[Point], end: float) -> list[str]:
    """One path an epoch: along to the next charge, then up by its cost."""
    out: list[str] = []
    for epoch in dict.fromkeys(point.epoch for point in points):
        own = [point for point in points if point.epoch == epoch]
        later = [point for point in points if point.epoch > epoch]
        close = frame.x(_seconds(later[0].at) if later else end)
        path, last = f"M{frame.x(_seconds(own[0].at))} {frame.y(0)}", frame.y(0)
        for point in own:
            x, y = frame.x(_seconds(point.at)), frame.y(point.share)
            path += f"H{x}" + (f"V{y}" if y != last else "")
            last = y
        path += f"H{close}"
        start = frame.x(_seconds(own[0].at))
        out.append(f'<path class="area" d="{path}V{frame.y(0)}H{start}Z"/><path class="line" d="{path}"/>')
        if later:
            out.append(f'<line class="renewal" x1="{close}" x2="{close}" y1="{frame.y(0)}" y2="{frame.top}"/>')
            side = "end" if close > frame.width / 2 else "start"
            x = close + (-5 if side == "end" else 5)
            out.append(f'<text x="{x}" y="{frame.top + 15}" text-anchor="{side}">renewed</text>')
    if len(points) <= _DOTS:
        rises = [point for before, point in itertools.pairwise(points) if point.share > before.share]
        out += [f'<circle class="dot" cx="{frame.x(_seconds(p.at))}" cy="{frame.y(p.share)}" r="3.5"/>' for p in rises]
    return out


def _marks(frame: Frame, known: Dataset) -> list[str]:
    """A diamond on the base line for each release without a guarantee."""
    out = []
    for one in known.unbounded:
        x, y = frame.x(_seconds(one.at)), frame.y(0)
        out.append(f'<path class="alarm" d="M{x} {y - 8}l8 8l-8 8l-8 -8z"/>')
        out.append(f'<text class="on" x="{x}" y="{y + 4.5}" text-anchor="middle">!</text>')
    return out


def _seconds(at: str) -> float:
    return dt.datetime.fromisoformat(at).timestamp()
