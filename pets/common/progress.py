"""Bars on stderr for what takes longer than a second."""

from __future__ import annotations

import sys
from typing import Any


def steps(items: Any, doing: str) -> Any:
    """The items of a sequence or an array, with a bar from the second second on."""
    return bar(len(items), doing, items)


def bar(total: int, doing: str, items: Any = None, *, show: bool = True) -> Any:
    """A bar to be moved on by ``update``."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=doing, unit="step", delay=1, leave=False, disable=not show, file=sys.stderr)
