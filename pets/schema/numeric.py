"""Numeric domains: whole numbers, and reals kept in fixed-point steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number
from pets.errors import QueryError, SchemaError, shown
from pets.schema.domain import Domain, ordered


def _whole(name: str, value: object) -> int:
    try:
        exact = fraction(value)
    except ValueError:
        raise SchemaError(f"{name} must be a whole number, not {shown(value)}") from None
    if exact.denominator != 1:
        raise SchemaError(f"{name} must be a whole number, not {shown(value)}; use type real for fractions")
    if not -(2**63) <= exact < 2**63:
        raise SchemaError(f"{name} must fit in 64 bits, not {shown(value)}")
    return int(exact)


@dataclass(frozen=True)
class Numeric(Domain):
    """What integers and reals share: a grid of equally spaced values from ``lo`` to ``hi``.

    Values outside are clamped to the nearer bound; text that is no number, NaN and infinity become null.
    """

    @property
    def origin(self) -> Fraction:
        """The value of code 0."""
        raise NotImplementedError

    @property
    def spacing(self) -> Fraction:
        """The distance between neighbouring values (the fixed-point step)."""
        raise NotImplementedError

    def position(self, value: object) -> Fraction:
        """Where a number lies on the scale of codes (a fraction between codes is no grid value)."""
        try:
            return (fraction(value) - self.origin) / self.spacing
        except ValueError:
            raise QueryError(f"{shown(value)} is not a finite number") from None

    def encode(self, value: object) -> int:
        place = self.position(value)
        if place.denominator != 1 or not 0 <= place < self.cells:
            raise QueryError(f"{shown(value)} is not one of its values ({self.describe()})")
        return int(place)


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Integer(Numeric):
    """Whole numbers from ``lo`` to ``hi``, both included.

    >>> Integer(1, 14).cells
    14
    """

    lo: int = 0
    hi: int = 0
    kind: ClassVar[str] = "integer"

    def __init__(self, lo: object, hi: object, *, nullable: bool = True, null: Sequence[str] = ()) -> None:
        object.__setattr__(self, "lo", _whole("min", lo))
        object.__setattr__(self, "hi", _whole("max", hi))
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "null", null)
        super().__post_init__()
        ordered(self.lo, self.hi, self.cells)

    @property
    def cells(self) -> int:
        return self.hi - self.lo + 1

    @property
    def origin(self) -> Fraction:
        return Fraction(self.lo)

    @property
    def spacing(self) -> Fraction:
        return Fraction(1)

    def _value(self, code: int) -> int:
        return self.lo + code

    def to_json(self) -> Json:
        return super().to_json() | {"min": self.lo, "max": self.hi}

    def describe(self) -> str:
        return f"whole numbers {self.lo} to {self.hi}"


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Real(Numeric):
    """Numbers from ``lo`` to ``hi`` kept in fixed-point steps: each value is rounded to the nearest step.

    >>> Real(0, 100000, step=0.01).cells
    10000001
    """

    lo: Fraction = Fraction(0)
    hi: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    kind: ClassVar[str] = "real"

    def __init__(
        self, lo: object, hi: object, step: object, *, nullable: bool = True, null: Sequence[str] = ()
    ) -> None:
        for name, value in (("lo", lo), ("hi", hi), ("step", step)):
            try:
                object.__setattr__(self, name, fraction(value))
            except ValueError:
                label = {"lo": "min", "hi": "max"}.get(name, name)
                raise SchemaError(f"{label} must be a finite number, not {shown(value)}") from None
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "null", null)
        super().__post_init__()
        if self.step <= 0:
            raise SchemaError(f"step must be greater than 0, not {number(self.step)}")
        if ((self.hi - self.lo) / self.step).denominator != 1:
            raise SchemaError(
                f"max must be min plus a whole number of steps, and {number(self.lo)} to {number(self.hi)} is not a "
                f"whole number of steps of {number(self.step)}; change max or step"
            )
        if self.hi < self.lo:
            raise SchemaError(f"min {number(self.lo)} is greater than max {number(self.hi)}; swap them")
        ordered(self.lo, self.hi, self.cells)

    @property
    def cells(self) -> int:
        return int((self.hi - self.lo) / self.step) + 1

    @property
    def origin(self) -> Fraction:
        return self.lo

    @property
    def spacing(self) -> Fraction:
        return self.step

    def _value(self, code: int) -> float:
        return float(self.lo + code * self.step)

    def to_json(self) -> Json:
        return super().to_json() | {"min": number(self.lo), "max": number(self.hi), "step": number(self.step)}

    def describe(self) -> str:
        return f"numbers {number(self.lo)} to {number(self.hi)} in steps of {number(self.step)}"
