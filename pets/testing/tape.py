"""Tape: what goes into and comes out of every OpenDP measurement, kept in one world and given again in another.

The idea is Re:cord-play's (arXiv 2602.17454): where a second world gets the very numbers that the first one drew,
whatever it does differently shows what depends on rows without noise, and how far the exact values differ shows what
the answers really lose. OpenDP itself is tapped, at the one function through which every measurement runs, so that no
draw passes by, whoever asked for it; neither ``pets.dp`` nor a session knows of it, and there is no switch.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from pets.dp import noise
from pets.protection.budget import Currency

_ALONE = threading.Lock()


@dataclass(frozen=True)
class Draw:
    """One run of a measurement.

    Attributes:
        law: what it draws, as text: its metric, its measure and its loss at a distance of 1.
        exact: what went in.
        noisy: what came out.
    """

    law: str
    exact: Any
    noisy: Any


class Listener(Protocol):
    """What stands between pets and OpenDP.

    Attributes:
        keys: where a threshold is held against counts: the keys that they are of, in the order of their places.
    """

    keys: list[Any]

    def __call__(self, run: Callable[[], Any], measurement: Any, exact: Any) -> Any:
        """What the measurement gives; ``run`` draws really."""


class Recorder:
    """The first world: everything is drawn, and kept.

    Attributes:
        draws: what was drawn, in order.
    """

    def __init__(self) -> None:
        self.draws: list[Draw] = []
        self.keys: list[Any] = []

    def __call__(self, run: Callable[[], Any], measurement: Any, exact: Any) -> Any:
        before = self._named(exact)
        noisy = run()
        self.draws.append(Draw(law(measurement), before, self._named(noisy)))
        return noisy

    def _named(self, values: Any) -> Any:
        """Counts by their keys: a place means another key in another world."""
        return by_key(self.keys, values) if isinstance(values, dict) else _copy(values)


class Player:
    """The second world: it gets what came out in the first, as long as it asks for the same.

    Attributes:
        losses: what each draw loses between these two worlds, by OpenDP's own map of how far they differ there: the
            measure's name, and the loss.
        delta: of all draws together, what keys that one world alone has may show, by the same map.
        differences: what it asked for otherwise, in words; it got fresh noise then.
        apart: whether such a key did show: that is what δ is charged for, and what is shown need not agree then.
        keys: of counts against which a threshold is held, as for :class:`Listener`.
    """

    def __init__(self, draws: Sequence[Draw]) -> None:
        self._draws, self._next = draws, 0
        self.losses: list[tuple[str, Fraction]] = []
        self.delta = Fraction(0)
        self.keys: list[Any] = []
        self.differences: list[str] = []
        self.apart = False

    def __call__(self, run: Callable[[], Any], measurement: Any, exact: Any) -> Any:
        place = self._next
        self._next += 1
        if place >= len(self._draws):
            self.differences.append(f"noise is drawn once more (draw {place + 1}) than without that person")
            return run()
        known, here = self._draws[place], law(measurement)
        if known.law != here:
            self.differences.append(f"draw {place + 1} has another law: {known.law}; without that person {here}")
            return run()
        if isinstance(exact, dict):
            return self._keyed(run, measurement, known, exact)
        if np.shape(known.exact) != np.shape(exact):
            shapes = f"{np.shape(known.exact)}, not {np.shape(exact)}"
            self.differences.append(f"draw {place + 1} has another shape: {shapes}")
            return run()
        self.losses.append((str(measurement.output_measure), loss(measurement, known.exact, exact)))
        return _copy(known.noisy)

    def _keyed(self, run: Callable[[], Any], measurement: Any, known: Draw, exact: Any) -> Any:
        """Counts of keys: those of both worlds get what came out in the first, and others are counted against δ."""
        here = by_key(self.keys, exact)
        spent = key_loss(measurement, known.exact, here)
        self.losses.append((str(measurement.output_measure), spent[0]))
        self.delta += spent[1]
        if not known.noisy.keys() <= here.keys():
            self.apart = True
            return run()
        places = {key: place for place, key in zip(exact, here, strict=True)}
        return {places[key]: noisy for key, noisy in known.noisy.items()}

    def end(self) -> None:
        """All was asked: draws that are left over are a difference too."""
        if self._next < len(self._draws):
            self.differences.append(f"noise is drawn {self._next} times, and {len(self._draws)} times with that person")


@contextmanager
def tapped(listener: Listener) -> Iterator[None]:
    """All that OpenDP draws meanwhile goes through a listener; one at a time in a process, and by one thread."""
    import opendp.core

    real, threaded, lock = opendp.core.measurement_invoke, noise.THREADED, threading.Lock()

    def invoke(measurement: Any, exact: Any) -> Any:
        with lock:
            return listener(lambda: real(measurement, exact), measurement, exact)

    with _ALONE:
        opendp.core.measurement_invoke = invoke
        noise.THREADED = 2**63  # the order of draws is then the order of the vector
        try:
            yield
        finally:
            opendp.core.measurement_invoke, noise.THREADED = real, threaded


def law(measurement: Any) -> str:
    """What tells two measurements apart that are not the same."""
    metric = str(measurement.input_metric)
    return f"{metric}, {measurement.output_measure}, {measurement.map(_one(metric))!r} at a distance of 1"


def loss(measurement: Any, one: Any, other: Any) -> Fraction:
    """What a measurement loses between these two vectors, by its own map of their distance; exact for what it gives."""
    steps = [abs(int(a) - int(b)) for a, b in zip(one, other, strict=True)]
    if not any(steps):
        return Fraction(0)
    if str(measurement.input_metric).startswith("LInf"):  # some rise, others fall: the range of the differences decides
        moves = [0, *(int(a) - int(b) for a, b in zip(one, other, strict=True))]
        return _finite(measurement.map(max(moves) - min(moves)))
    root = noise.sqrt_up(sum(step * step for step in steps))
    return _finite(measurement.map(root if str(measurement.input_metric).startswith("L2") else sum(steps)))


def by_key(keys: Sequence[Any], counts: Mapping[int, int]) -> dict[Any, int]:
    """Counts by their keys; by their places where nobody said which keys they are of."""
    return {keys[place] if keys else place: count for place, count in counts.items()}


def key_loss(measurement: Any, one: Mapping[Any, int], other: Mapping[Any, int]) -> tuple[Fraction, Fraction]:
    """The same of counts of keys: the ρ of keys that both have, and the δ of those that one of the two alone has."""
    moved = [abs(one[key] - other[key]) for key in one.keys() & other.keys()]
    lone = [one.get(key, 0) + other.get(key, 0) for key in one.keys() ^ other.keys()]
    rho = _threshold_map(measurement, [step for step in moved if step])[0]
    return rho, min(Fraction(1), _threshold_map(measurement, lone)[1])


def _threshold_map(measurement: Any, steps: Sequence[int]) -> tuple[Fraction, Fraction]:
    """Its (ρ, δ) where so many counts differ, so far; without bound where one could pass the threshold by itself."""
    from opendp.mod import OpenDPException

    if not steps:
        return Fraction(0), Fraction(0)
    root = noise.sqrt_up(sum(step * step for step in steps))
    try:
        rho, delta = measurement.map((len(steps), root, float(max(steps))))
    except OpenDPException:  # OpenDP has no map beyond the threshold
        return _finite(math.inf), _finite(math.inf)
    return _finite(rho), _finite(delta)


def _finite(value: float) -> Fraction:
    return Fraction(float(value)) if math.isfinite(value) else Fraction(10**9)


def in_currency(losses: Sequence[tuple[str, Fraction]], currency: Currency) -> Fraction | None:
    """All losses together, as a ledger counts them; ``None`` where it has no number for one of them.

    Pure ε costs ρ = ε²/2 (Bun and Steinke 2016); ρ has no pure ε.
    """
    total = Fraction(0)
    for measure, amount in losses:
        if measure.startswith("Approximate(ZeroConcentratedDivergence") and currency == "zcdp":
            total += amount
        elif measure.startswith("MaxDivergence"):
            total += amount if currency == "pure" else amount * amount / 2
        elif measure.startswith("ZeroConcentratedDivergence") and currency == "zcdp":
            total += amount
        elif amount:
            return None
    return total


def _one(metric: str) -> Any:
    if metric.startswith("L02"):
        return (1, 1.0, 1.0)
    return 1.0 if metric.startswith("L2") else 1


def _copy(values: Any) -> Any:
    return dict(values) if isinstance(values, dict) else np.array(values, copy=True)
