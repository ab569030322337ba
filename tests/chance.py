"""No test fails by chance: noise comes from a seed, but where a test says how seldom it raises a false alarm.

* A test without a mark gets noise (and keys for the choice of rows) from a seed that its own name decides. It draws the
  same numbers on every run, in any order, so that it cannot fail by chance. Names, nonces and keys
  (``pets.common.entropy``) come from a second generator of its own, so that one name more moves no noise.
* A test marked ``chance(p)`` gets OpenDP's noise and the operating system's keys. ``p`` bounds, for one instance, the
  probability that it fails though pets is right; a comment beside it says why. ``chance(0)``: nothing that it asserts
  depends on what was drawn.
* Processes that a test starts draw what they like: a test that starts Python without a mark is refused.
* All p of the suite together are at most ``MOST`` (``tests/test_chance.py``).

``CHANCE_SEED=2`` gives every unmarked test other numbers: a test that then fails asserts too much. ``NAMES_SEED=2``
gives it other names and keys alone (``make test-random`` does): a test that then fails rests on their order, which is a
defect, be it seldom or not. (Two requests at one time of a clock that stands, say, are in the order of their names.)
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing.process
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MOST = 1e-9
"""False alarms of the whole suite, in CI's selection and in the soak's."""

MOST_OF_ONE = 1e-10
JUDGES = "tests/stats/"
"""Where noise itself is judged: seeded noise has no place there."""

SUMS = pytest.StashKey[dict[str, float]]()


@dataclass(frozen=True)
class Seeded:
    """Generators of what a test draws."""

    noise: np.random.Generator
    names: np.random.Generator


class Sources:
    """Where the test that runs gets its randomness from; the top of ``stack`` is ``None`` where it is real."""

    def __init__(self) -> None:
        self.stack: list[Seeded | None] = [None]
        self.lock = threading.Lock()
        self.seeded_draws = 0
        self.started: list[str] = []

    @contextmanager
    def seeded(self, name: str, place: str = "") -> Iterator[None]:
        """Noise by the name alone (it stays when a test moves to another folder), names and keys by its place too: two
        fixtures of one name may meet in what a process keeps."""
        chance = os.environ.get("CHANCE_SEED", "1")
        names = os.environ.get("NAMES_SEED", chance)
        with self._pushed(Seeded(generator(f"{chance}:{name}"), generator(f"names {names}:{place}:{name}"))):
            yield

    @contextmanager
    def real(self) -> Iterator[None]:
        with self._pushed(None):
            yield

    @contextmanager
    def _pushed(self, source: Seeded | None) -> Iterator[None]:
        self.stack.append(source)
        try:
            yield
        finally:
            self.stack.pop()


def generator(seed: str) -> np.random.Generator:
    return np.random.default_rng(list(hashlib.sha256(seed.encode()).digest()))


SOURCES = Sources()


# what is seeded -----------------------------------------------------------------------------------------------------


class Measurement:
    """OpenDP's measurement, whose draws come from a seed while an unmarked test runs; its map is OpenDP's."""

    def __init__(self, real: Any, kind: str, scale: float) -> None:
        self._real, self._kind, self._scale = real, kind, scale

    def map(self, distance: Any) -> Any:
        return self._real.map(distance)

    def __call__(self, values: Any) -> Any:
        drawn = self.drawn(len(values))
        return self._real(values) if drawn is None else values + drawn

    def drawn(self, size: int) -> Any:
        """Noise from the seed; ``None`` where it is real."""
        with SOURCES.lock:
            source = SOURCES.stack[-1]
            if source is None:
                return None
            SOURCES.seeded_draws += 1
            return noise(source.noise, self._kind, self._scale, size)


class Threshold(Measurement):
    """The same for counts of keys: those that reach the threshold once noise is on them."""

    def __init__(self, real: Any, scale: float, threshold: int) -> None:
        super().__init__(real, "gaussian", scale)
        self._threshold = threshold

    def __call__(self, values: Any) -> Any:
        drawn = self.drawn(len(values))
        if drawn is None:
            return self._real(values)
        noisy = {key: count + int(more) for (key, count), more in zip(values.items(), drawn, strict=True)}
        return {key: count for key, count in noisy.items() if count >= self._threshold}


class Top(Measurement):
    """The same for places that are chosen: those of the greatest counts once Gumbel noise is on them."""

    def __init__(self, real: Any, k: int, scale: float) -> None:
        super().__init__(real, "gumbel", scale)
        self._k = k

    def __call__(self, values: Any) -> Any:
        drawn = self.drawn(len(values))
        return self._real(values) if drawn is None else np.argsort(-(values + drawn), kind="stable")[: self._k].tolist()


def noise(source: np.random.Generator, kind: str, scale: float, size: int) -> Any:
    """Draws of the discrete Gaussian or Laplace; of a great scale, of a rounded normal one."""
    if kind == "gumbel":
        return source.gumbel(0, scale, size)
    if kind == "laplace":
        p = -math.expm1(-1 / scale)
        return source.geometric(p, size) - source.geometric(p, size)
    if scale > 1000:
        return np.rint(source.normal(0, scale, size)).astype(np.int64)
    first, below = _law(scale)
    return first + below.searchsorted(source.random(size), side="right")  # as source.choice draws


@lru_cache(maxsize=256)
def _law(scale: float) -> tuple[int, Any]:
    """The discrete Gaussian: its first number, and from there on the chance of each and of all before it."""
    end = math.ceil(12 * scale) + 3
    mass = np.exp(-(np.arange(-end, end + 1) ** 2) / (2 * scale**2))
    below = (mass / mass.sum()).cumsum()
    return -end, below / below[-1]


class Keys:
    """``secrets`` as ``pets.common.entropy`` sees it: what it draws for an unmarked test comes from the seed."""

    def randbits(self, bits: int) -> int:
        """Keys for the choice of rows: they decide answers, as noise does."""
        with SOURCES.lock:
            source = SOURCES.stack[-1]
            return secrets.randbits(bits) if source is None else _bits(source.noise, bits)

    def token_bytes(self, count: int) -> bytes:
        with SOURCES.lock:
            source = SOURCES.stack[-1]
            return secrets.token_bytes(count) if source is None else source.names.bytes(count)

    def token_hex(self, count: int) -> str:
        return self.token_bytes(count).hex()

    def randbelow(self, limit: int) -> int:
        with SOURCES.lock:
            source = SOURCES.stack[-1]
            # (64 bits more than asked for: as good as uniform)
            return secrets.randbelow(limit) if source is None else _bits(source.names, limit.bit_length() + 64) % limit


def _bits(source: np.random.Generator, bits: int) -> int:
    return int.from_bytes(source.bytes(-(-bits // 8))) >> -bits % 8


def pytest_configure(config: pytest.Config) -> None:
    import pets.common.entropy
    import pets.dp.noise

    for kind in ("gaussian", "laplace", "threshold", "top"):
        made = getattr(pets.dp.noise, f"_{kind}")
        if not isinstance(made, _Made):
            setattr(pets.dp.noise, f"_{kind}", _Made(made, kind))
    pets.common.entropy.secrets = Keys()  # type: ignore[attr-defined]
    subprocess.Popen.__init__ = _watched(subprocess.Popen.__init__, _command)  # type: ignore[method-assign]
    start = multiprocessing.process.BaseProcess.start
    multiprocessing.process.BaseProcess.start = _watched(start, lambda process: "a process of multiprocessing")  # type: ignore[method-assign]


class _Made:
    """Gives measurements that may be seeded."""

    def __init__(self, real: Any, kind: str) -> None:
        self._real, self._kind = real, kind

    def __call__(self, scale: Any, *more: Any) -> Measurement:
        if self._kind == "top":
            return Top(self._real(scale, *more), scale, *more)
        if self._kind == "threshold":
            return Threshold(self._real(scale, *more), scale, *more)
        return Measurement(self._real(scale), self._kind, scale)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _watched(start: Any, describe: Any) -> Any:
    def watched(*given: Any, **more: Any) -> Any:
        started = describe(*given, **more)
        if started and SOURCES.stack[-1] is not None:
            SOURCES.started.append(started)
        return start(*given, **more)

    return watched


def _command(_: Any, args: Any = (), *__: Any, **more: Any) -> str:
    """A command that starts Python, or pets."""
    words = [os.fspath(args)] if isinstance(args, (str, bytes, os.PathLike)) else [str(word) for word in args]
    name = Path(str(words[0])).name if words else ""
    return " ".join(map(str, words))[:100] if name.startswith(("python", "pets")) or sys.executable in words else ""


# which test has which -----------------------------------------------------------------------------------------------


def rate(item: pytest.Item) -> float | None:
    """The false alarms that a test admits; ``None`` where it is not marked."""
    mark = item.get_closest_marker("chance")
    if mark is None:
        return None
    (p,) = mark.args
    if mark.kwargs or not isinstance(p, (int, float)) or not 0 <= p <= MOST_OF_ONE:
        raise pytest.UsageError(f"{item.nodeid}: chance(p) takes a probability of at most {MOST_OF_ONE:g}, not {p!r}")
    return float(p)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add up before -m takes tests away, so that each run knows what both selections admit."""
    sums = {"ci": 0.0, "soak": 0.0}
    for item in items:
        sums["soak" if item.get_closest_marker("soak") else "ci"] += rate(item) or 0.0
    config.stash[SUMS] = sums


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with SOURCES.real() if rate(item) is not None else SOURCES.seeded(item.name, item.nodeid):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Iterator[Any]:
    """What is made once for several tests does not depend on which of them came first."""
    if fixturedef.scope == "function" or request.node.get_closest_marker("chance") is not None:
        return (yield)
    with SOURCES.seeded(f"{fixturedef.argname} {getattr(request, 'param_index', 0)}", request.node.nodeid):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    SOURCES.seeded_draws = 0
    done = yield
    if SOURCES.started:
        started = SOURCES.started.pop()
        SOURCES.started.clear()
        pytest.fail(f"it starts {started!r}, which draws what it likes: mark it chance(p), see tests/chance.py")
    if SOURCES.seeded_draws and item.nodeid.startswith(JUDGES):
        pytest.fail("noise from a seed was judged: mark the test chance(p), see tests/chance.py")
    return done
