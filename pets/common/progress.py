"""Bars for what takes longer than a second: the only place that draws them.

A bar appears once a second has gone by *and* some work was done, so that none stands at 0 %, and it is removed however
the work ends: done, failed or interrupted. On a terminal it is a line on stderr. In a notebook it is an output of its
cell that is replaced in place: what is written to stderr there stays, in red.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sized
from time import monotonic, time
from typing import Any, Protocol

DELAY = 1.0  # seconds before a bar appears
INTERVAL = 0.1  # seconds between two drawings
_FORM = "{l_bar}{bar}{r_bar}"


class Bar:
    """How far some work has come. Only :func:`bar` makes one."""

    def __init__(self, total: float, doing: str, unit: str, show: bool, form: str) -> None:
        self._total, self._doing, self._unit, self._show, self._form = total, doing, unit, show, form
        self._done = 0.0
        self._began = monotonic()
        self._next = self._began + DELAY  # when it may be drawn
        self._line: Any = None

    def update(self, more: float = 1) -> None:
        """So much more is done."""
        self.to(self._done + more)

    def to(self, done: float, doing: str | None = None) -> None:
        """So much is done in all; and, where given, what is being done now."""
        self._done = done
        self._said(doing, self._form if done > 0 else None)

    def at(self, doing: str) -> None:
        """What is being done, where nobody can say how much of it is done: its name and the time, without a bar."""
        self._said(doing, "{desc} [{elapsed}]")

    def _said(self, doing: str | None, form: str | None) -> None:
        self._doing = self._doing if doing is None else doing
        now = monotonic()
        if self._show and form is not None and now >= self._next:
            self._next = now + INTERVAL
            self._draw(form)

    def restart(self, total: float, unit: str) -> None:
        """Count something else from here on, from none of it done."""
        self._total, self._unit, self._done, self._began = total, unit, 0, monotonic()

    def _draw(self, form: str) -> None:
        if self._line is None:
            from tqdm import tqdm

            cell = _cell()
            self._line = tqdm(
                desc=self._doing, leave=False, file=cell or sys.stderr, ncols=80 if cell else None,
                dynamic_ncols=cell is None, miniters=1, delay=1e-9,
            )  # fmt: skip  # a delay, however short: without one it is drawn at once, at 0 %
        line = self._line
        line.start_t = time() - (monotonic() - self._began)
        line.total, line.unit, line.n, line.bar_format = self._total, self._unit, self._done, form
        line.set_description_str(self._doing, refresh=False)
        line.refresh()

    def close(self) -> None:
        """Remove it."""
        if self._line is not None:
            self._line.close()
            self._line = None
        self._show = False


@contextlib.contextmanager
def bar(total: float, doing: str, *, unit: str = "step", show: bool = True, form: str = _FORM) -> Iterator[Bar]:
    """A bar that is moved on by its ``update`` or ``to`` while the block runs."""
    made = Bar(total, doing, unit, show, form)
    try:
        yield made
    finally:
        made.close()


class Items(Sized, Iterable[Any], Protocol):
    """A sequence, a range or an array."""


@contextlib.contextmanager
def steps(items: Items, doing: str, *, unit: str = "step", show: bool = True) -> Iterator[Iterator[Any]]:
    """The items one after the other, each a step of a bar. A block, since an iterator alone may be left half-way."""
    with bar(len(items), doing, unit=unit, show=show) as made:

        def each() -> Iterator[Any]:
            for item in items:
                yield item
                made.update()

        yield each()


class _Cell:
    """What a bar writes, as one output of a notebook's cell that is replaced by what is written next."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._shown: Any = None

    def write(self, text: str) -> None:
        from IPython.display import display

        line = text.strip()
        data = {"text/plain": line} if line else {"text/plain": "", "text/html": ""}
        if self._shown is not None:
            self._shown.update(data, raw=True)
        elif line:
            self._shown = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Nothing waits."""


def _cell() -> _Cell | None:
    """Where this runs in a notebook's kernel: a new output of the cell."""
    face = sys.modules.get("IPython")
    shell = None if face is None else face.get_ipython()
    return None if getattr(shell, "kernel", None) is None else _Cell()
