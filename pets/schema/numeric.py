"""Numeric domains: whole numbers, and reals kept in fixed-point steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number
from pets.errors import QueryError, SchemaError, shown
from pets.schema.domain import Domain, ordered
from pets.schema.reading import PLAIN_NUMBER, NumberText, rounding


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

    Values outside are clamped to the nearer bound; text that is no number, NaN and infinity become null. ``decimal``,
    ``thousands``, ``prefix`` and ``suffix`` say how a file writes numbers.
    """

    reading: NumberText = field(default=PLAIN_NUMBER, kw_only=True, repr=False)

    def _written(self, decimal: str, thousands: str | None, prefix: object, suffix: object) -> None:
        """Take the settings of how numbers are written."""
        object.__setattr__(self, "reading", NumberText(decimal, thousands, prefix, suffix))  # type: ignore[arg-type]

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

    A number with a fraction is null, or what ``round`` makes of it: ``floor``, ``ceil`` or ``nearest`` (halves up).

    >>> Integer(1, 14).cells
    14
    """

    lo: int = 0
    hi: int = 0
    round: str | None = None
    kind: ClassVar[str] = "integer"

    def __init__(
        self,
        lo: object,
        hi: object,
        *,
        round: str | None = None,
        decimal: str = ".",
        thousands: str | None = None,
        prefix: str | Sequence[str] = (),
        suffix: str | Sequence[str] = (),
        nullable: bool = True,
        null: Sequence[str] = (),
    ) -> None:
        self._written(decimal, thousands, prefix, suffix)
        object.__setattr__(self, "round", rounding(round))
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
        out = super().to_json() | {"min": self.lo, "max": self.hi} | self.reading.to_json()
        return out | ({} if self.round is None else {"round": self.round})

    def describe(self) -> str:
        return f"whole numbers {self.lo} to {self.hi}"


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Real(Numeric):
    """Numbers from ``lo`` to ``hi`` kept in fixed-point steps: each value is rounded to the nearest step, halves up.

    Texts, decimals and whole numbers are rounded exactly as they are written; a float by its own exact value.

    >>> Real(0, 100000, step=0.01).cells
    10000001
    """

    lo: Fraction = Fraction(0)
    hi: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    kind: ClassVar[str] = "real"

    def __init__(
        self,
        lo: object,
        hi: object,
        step: object,
        *,
        decimal: str = ".",
        thousands: str | None = None,
        prefix: str | Sequence[str] = (),
        suffix: str | Sequence[str] = (),
        nullable: bool = True,
        null: Sequence[str] = (),
    ) -> None:
        self._written(decimal, thousands, prefix, suffix)
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
        scale_of(self)

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
        grid = {"min": number(self.lo), "max": number(self.hi), "step": number(self.step)}
        return super().to_json() | grid | self.reading.to_json()

    def describe(self) -> str:
        return f"numbers {number(self.lo)} to {number(self.hi)} in steps of {number(self.step)}"


DIGITS = 37
"""Digits of the whole numbers in which values are read; 128 bits hold them and a spare one."""


@dataclass(frozen=True)
class Scale:
    """The whole numbers in which a grid is exact.

    A value x is read as n = floor(x · 10^places); its code is (n · parts - low + step / 2) // step, for n from
    ``least`` to ``most``. Where steps are decimals, nothing is lost: every border between two codes is a whole n.
    """

    places: int
    parts: int
    low: int
    step: int
    least: int
    most: int


def scale_of(domain: Numeric) -> Scale:
    """The scale of a grid; raises :class:`SchemaError` where 37 digits do not hold it."""
    last = domain.origin + domain.spacing * (domain.cells - 1)
    most = max(abs(domain.origin), abs(last), Fraction(1))
    decimals = [_places(value) for value in (domain.origin, domain.spacing)]
    if None in decimals:  # thirds: as many digits as there is room for
        parts = math.lcm(domain.origin.denominator, 2 * domain.spacing.denominator)
        places = DIGITS - len(str(math.ceil(most * parts))) - 1
        fine = places > 0 and domain.spacing * 10**places >= 1000
    else:
        parts, places = 1, max(place for place in decimals if place is not None) + 1
        fine = most * 10**places < 10**DIGITS
    if not fine:
        raise SchemaError(
            f"numbers of up to {DIGITS} digits are read exactly, and this grid needs more; choose a coarser step or "
            "round min and max"
        )
    unit = 10**places * parts
    exact = [domain.origin * unit, domain.spacing * unit]
    low, high = domain.origin * 10**places, last * 10**places
    return Scale(places, parts, int(exact[0]), int(exact[1]), math.ceil(low), math.floor(high))


def _places(value: Fraction) -> int | None:
    """Decimal places of a number; ``None`` where they never end."""
    rest, counts = value.denominator, []
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        counts.append(count)
    return max(counts) if rest == 1 else None
