"""Warned: what opening the data warns its custodian of, as plain lines on standard error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pets.errors import LeftOutWarning


@contextmanager
def custodian_warned() -> Iterator[None]:
    """Data are opened inside; rows that are left out are told, other warnings are the command's own to say or not."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    warned(one.message for one in found if issubclass(one.category, LeftOutWarning))


def warned(lost: Iterable[object]) -> None:
    """Each as a line on standard error."""
    for text in dict.fromkeys(map(str, lost)):
        print(f"pets: WARNING: {text}", file=sys.stderr)
