"""Solving: the search for proofs and attacks, in a process of its own with a time limit.

Nothing that comes back is believed: each pair of tables is checked here by adding whole numbers, and what does not
hold, or did not come back in time, is undecided.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from pets.common.codec import Json
from pets.common.integers import Ints
from pets.errors import missing_extra
from pets.sdc.compare import Known, Sum
from pets.sdc.proof import Attack, Protected, verify_attack, verify_pair
from pets.sdc.system import GREATEST, Statement, System

PROVED, ATTACK, UNDECIDED = "proved", "attack", "undecided"
GRACE = 15
"""Seconds beside the limit that a process may take to start and to say what it found."""


@dataclass(frozen=True)
class Question:
    """What is asked of the search.

    Attributes:
        atoms: how many.
        known: what each number of each table is known to lie between.
        sums: which must stay open.
        width: whole numbers beside the true one that each must leave open.
        truth: the people in each atom; ``None``: from what was released alone.
        seconds: for all of it.
    """

    atoms: int
    known: tuple[Known, ...]
    sums: tuple[Sum, ...]
    width: int
    truth: Ints | None = field(repr=False)
    seconds: float

    @cached_property
    def system(self) -> System:
        """What is known as one system: what nobody can be in says nothing."""
        told = [one for one in self.known if one.sum.atoms]
        ends = [(one, min(one.high, GREATEST)) for one in told]
        statements = [Statement(one.sum.atoms, one.low, high, one.sum.name) for one, high in ends]
        return System.from_statements(self.atoms, statements)

    @property
    def protected(self) -> list[Protected]:
        """The sums as the search names them."""
        return [Protected(one.atoms, one.name) for one in self.sums]

    def to_json(self) -> Json:
        """For the process."""
        return {
            "atoms": self.atoms,
            "known": [[list(one.sum.atoms), one.low, one.high, one.sum.name] for one in self.known],
            "sums": [[list(one.atoms), one.name] for one in self.sums],
            "width": self.width,
            "truth": None if self.truth is None else self.truth.tolist(),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, form: Json) -> Question:
        """The inverse of :meth:`to_json`."""
        known = tuple(Known(Sum(tuple(atoms), name), low, high) for atoms, low, high, name in form["known"])
        sums = tuple(Sum(tuple(atoms), name) for atoms, name in form["sums"])
        truth = None if form["truth"] is None else np.array(form["truth"], dtype=np.int64)
        return cls(form["atoms"], known, sums, form["width"], truth, form["seconds"])


@dataclass(frozen=True)
class Verdict:
    """What was found of one sum.

    Attributes:
        state: of :data:`PROVED`, :data:`ATTACK` and :data:`UNDECIDED`.
        low, high: between what it is derived to lie; ``None``: not known.
        sentence: of an attack: how; of what is undecided: why, where that is known.
        pair: of a proof: two tables of people that agree with all that was released, far enough apart.
    """

    sum: Sum
    state: str
    low: int | None = None
    high: int | None = None
    sentence: str = ""
    pair: tuple[tuple[int, ...], tuple[int, ...]] | None = field(default=None, repr=False)


def check_engine() -> None:
    """Raises :class:`MissingExtraError` where no engine is there to search with."""
    if importlib.util.find_spec("highspy") is None:
        raise missing_extra("the search for proofs and attacks", "sdc")


def solved(question: Question) -> list[Verdict]:
    """A verdict of each sum, in order."""
    if not question.sums:
        return []
    replies = _replies(question) if question.seconds > 0 else None
    if replies is None or len(replies) != len(question.sums):
        return [Verdict(one, UNDECIDED) for one in question.sums]
    return [_verdict(question, *both) for both in zip(question.sums, question.protected, replies, strict=True)]


def _replies(question: Question) -> list[Json] | None:
    """What a process of its own says; ``None``: nothing in time."""
    command = [sys.executable, "-P", "-m", "pets.session.disclosure.worker"]
    body = json.dumps(question.to_json()).encode()
    try:
        done = subprocess.run(command, input=body, capture_output=True, timeout=question.seconds + GRACE, check=False)
        return list(json.loads(done.stdout)) if done.returncode == 0 else None
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        return None


def _verdict(question: Question, asked: Sum, protected: Protected, reply: Any) -> Verdict:
    """A reply, where it holds."""
    try:
        if reply["state"] == PROVED:
            first, second = (tuple(int(n) for n in one) for one in reply["pair"])
            if verify_pair(question.system, protected, (np.array(first), np.array(second)), question.width):
                return Verdict(asked, PROVED, pair=(first, second))
        if reply["state"] == ATTACK:
            attack = attack_of(reply["attack"])
            if verify_attack(question.system, protected, attack, question.width):
                return Verdict(asked, ATTACK, attack.lo, attack.hi, str(reply["sentence"]))
        if reply["state"] == UNDECIDED:
            return Verdict(asked, UNDECIDED, sentence=str(reply["sentence"]))
    except (LookupError, TypeError, ValueError, ArithmeticError):
        pass
    return Verdict(asked, UNDECIDED)


def attack_json(attack: Attack) -> Json:
    """A derivation, for the way between processes."""
    ends = {name: [[row, str(factor)] for row, factor in getattr(attack, name)] for name in ("lower", "upper")}
    return {"lo": attack.lo, "hi": attack.hi} | ends


def attack_of(form: Json) -> Attack:
    """The inverse of :func:`attack_json`."""
    lower, upper = (tuple((int(row), Fraction(f)) for row, f in form[name]) for name in ("lower", "upper"))
    return Attack(int(form["lo"]), int(form["hi"]), lower, upper)
