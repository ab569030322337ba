"""Axis: which people a label names, where labels of several tables overlap (``0-17`` beside ``0-4`` and ``5-17``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

_BETWEEN = re.compile(r"[\[(]?\s*(\d+)\s*(?:-|–|to|,)\s*(\d+)\s*([\])]?)")
_ABOVE = re.compile(r"(\d+)\s*(?:\+|(?:and|or) (?:over|above|more|older))", re.IGNORECASE)
_BELOW = re.compile(r"(?:<|under|below)\s*(\d+)|(\d+)\s*(?:and|or) (?:under|below|less|younger)", re.IGNORECASE)
_LAST = 10**9


def span(label: str) -> tuple[int, int] | None:
    """The first and the last whole number of a label that is a range; ``None`` for any other.

    >>> span("5-17"), span("[0-10)"), span("65 and over"), span("Under 18"), span("North")
    ((5, 17), (0, 9), (65, 1000000000), (0, 17), None)
    """
    text = label.strip()
    if found := _BETWEEN.fullmatch(text):
        low, high = int(found[1]), int(found[2]) - (found[3] == ")" and text[0] in "[(")
        return (low, high) if low <= high else None
    if found := _ABOVE.fullmatch(text):
        return int(found[1]), _LAST
    if found := _BELOW.fullmatch(text):
        return (0, int(found[1]) - 1) if found[1] else (0, int(found[2]))
    return (int(text), int(text)) if text.isdecimal() else None


@dataclass(frozen=True)
class Axis:
    """One dimension of linked tables.

    Attributes:
        size: into how many parts the labels cut it.
        parts: by label, the parts that it names.
    """

    size: int
    parts: Mapping[str, tuple[int, ...]]


def axis(labels: Iterable[str]) -> Axis:
    """The parts into which labels cut a dimension: one each, but ranges that overlap are cut at their ends.

    >>> axis(["0-17", "0-4", "5-17", "18+"]).parts
    {'0-17': (0, 1), '0-4': (0,), '5-17': (1,), '18+': (2,)}
    """
    names = list(dict.fromkeys(labels))
    spans = [span(name) for name in names]
    known = [one for one in spans if one is not None]
    if len(known) < len(names) or len(known) < 2 or not _overlap(known):
        return Axis(len(names), {name: (place,) for place, name in enumerate(names)})
    edges = sorted({end for low, high in known for end in (low, high + 1)})
    steps = [one for one in pairwise(edges) if any(a <= one[0] and one[1] - 1 <= b for a, b in known)]
    parts = {
        name: tuple(place for place, (low, after) in enumerate(steps) if a <= low and after - 1 <= b)
        for name, (a, b) in zip(names, known, strict=True)
    }
    return Axis(len(steps), parts)


def _overlap(spans: list[tuple[int, int]]) -> bool:
    ordered = sorted(spans)
    return any(low <= before for (_, before), (low, _) in pairwise(ordered))


def cover(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels that name everybody once: all of them, or the widest where some are within others.

    >>> cover(("0-17", "0-4", "5-17", "18+")), cover(("F", "M"))
    (('0-17', '18+'), ('F', 'M'))
    """
    whole = axis(labels)
    if whole.size == len(labels) and all(len(parts) == 1 for parts in whole.parts.values()):
        return labels
    taken: set[int] = set()
    kept = []
    for label in sorted(labels, key=lambda one: -len(whole.parts[one])):
        if not taken.intersection(whole.parts[label]):
            taken.update(whole.parts[label])
            kept.append(label)
    return tuple(label for label in labels if label in kept)
