"""A task, and what an answer to it is: rows by their numbers, texts, one number or one text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from pets.common.codec import fraction, python_value
from pets.errors import UserError, shown

KINDS = {
    "rows": "the numbers of rows, such as [3, 17]; the first row of data is row 1",
    "texts": "texts, such as ['I219', 'I214']",
    "number": "one number, such as 12.5",
    "text": "one text, such as 'three'",
}
MANY = ("rows", "texts")
MOST = 100_000
"""Parts of an answer."""


@dataclass(frozen=True)
class Task:
    """What is asked, and what is said to whoever has not found it.

    Attributes:
        name: by which it is answered.
        kind: one of ``KINDS``.
        question: in a sentence.
        hints: one more after each attempt; the last is the plainest.
        lesson: what is said to whoever has found all of it.
        decimals: of a number; with decimals, the last one may be off by one.
    """

    name: str
    kind: str
    question: str
    hints: tuple[str, ...] = ()
    lesson: str = ""
    decimals: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"task {self.name!r}: there is no kind {shown(self.kind)}; it is one of {', '.join(KINDS)}")
        object.__setattr__(self, "hints", tuple(self.hints))

    @property
    def many(self) -> bool:
        """Whether an answer has several parts."""
        return self.kind in MANY

    def parts(self, answer: object) -> frozenset[str]:
        """The parts of an answer, each in one spelling; none of what is empty, which is no answer yet.

        Raises :class:`UserError` for what is no answer to this task.

        >>> sorted(Task("t", "rows", "Which?").parts([7, 3.0])), Task("n", "number", "How many?", decimals=1).parts(2)
        (['3', '7'], frozenset({'2.0'}))
        """
        if answer is None or (isinstance(answer, str) and not answer.strip()):
            return frozenset()
        wrong = UserError(f"an answer to {self.name!r} is {KINDS[self.kind]}, not {shown(answer)}")
        if self.kind not in MANY:
            value = python_value(answer)
            if isinstance(value, bool) or (isinstance(value, Iterable) and not isinstance(value, str)):
                raise wrong
            return frozenset({self._one(value, wrong)})
        if isinstance(answer, (str, bytes, Mapping)) or not isinstance(answer, Iterable):
            raise wrong
        try:
            every = iter(answer)
        except TypeError:  # an array without a dimension
            raise wrong from None
        found = set[str]()
        for part in every:
            found.add(self._one(python_value(part), wrong))
            if len(found) > MOST:
                raise UserError(f"an answer to {self.name!r} has at most {MOST:,} parts; name those that are meant")
        return frozenset(found)

    def _one(self, value: Any, wrong: UserError) -> str:
        if self.kind == "rows":
            try:
                row = fraction(value)
            except ValueError:
                raise wrong from None
            if row < 1 or row.denominator != 1:
                raise wrong
            return str(row)
        if self.kind == "number":
            try:
                number = float(value)
            except (TypeError, ValueError, OverflowError):
                raise wrong from None
            if not math.isfinite(number) or abs(number) > 1e15:
                raise wrong
            return str(Decimal(repr(number)).quantize(Decimal(1).scaleb(-self.decimals), ROUND_HALF_EVEN) + 0)
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise wrong
        return " ".join(str(value).split()).casefold()

    def near(self, part: str) -> tuple[str, ...]:
        """The spellings of a part that are taken for it: a number with decimals may be off by one in the last."""
        if self.kind != "number" or not self.decimals:
            return (part,)
        unit = Decimal(1).scaleb(-self.decimals)
        return (part, str(Decimal(part) + unit), str(Decimal(part) - unit))

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        told = {"name": self.name, "kind": self.kind, "question": self.question, "hints": list(self.hints)}
        return told | {"lesson": self.lesson, "decimals": self.decimals}
