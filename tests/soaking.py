"""Soaking: a long run of examples says now and then how far it is.

With ``-s``, since pytest keeps to itself what a test writes until the end. New examples each time, or those of a seed::

    HYPOTHESIS_PROFILE=soak pytest -q -s -m soak --timeout=0 --hypothesis-seed=1 tests/generative/test_people.py
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

EVERY = 30.0
"""Seconds between two lines."""


@dataclass
class Told:
    """The examples of one test so far."""

    name: str
    examples: int = 0
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def one(self) -> None:
        """One example more is done."""
        self.examples += 1
        if not (now := time.monotonic()) - self.last < EVERY:
            self.last = now
            print(f"{self.name}: {self.examples} examples in {now - self.began:.0f} s", file=sys.stderr, flush=True)


_tests: dict[str, Told] = {}


def told(name: str) -> None:
    """One example more of the test is done; a line on stderr where the last is some while ago."""
    _tests.setdefault(name, Told(name)).one()
