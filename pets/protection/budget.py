"""What privacy costs: budgets, costs, and the conversion between ρ and (ε, δ).

A ledger has one currency for ever. *zcdp*: every cost is a ρ of zero-concentrated differential privacy (and perhaps a
δ for thresholds); *pure*: every cost is an ε. Costs and caps are whole numbers of units, so that adding them never
rounds: ρ and ε count in 1e-12, δ in 1e-18. Costs are rounded up, caps down.

Sources: Bun and Steinke 2016 (zCDP; it adds up, and pure ε costs ρ = ε²/2); Canonne, Kamath and Steinke 2020, *The
Discrete Gaussian for Differential Privacy*, Proposition 12 and Corollary 13 (ρ to (ε, δ)), CKS20 below.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, Literal

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number, python_value
from pets.errors import BudgetError, InternalError, shown

Currency = Literal["zcdp", "pure"]
UNIT = 10**12  # units of ρ or ε in 1
DELTA_UNIT = 10**18  # units of δ in 1
MAX_LOSS = 1_000_000  # a greater ε or ρ promises nothing, and its units would not fit a database's 64-bit integer
GREATEST_DELTA = Fraction(1, 100)

_GOLDEN = (math.sqrt(5) - 1) / 2
_LOG_RANGE = (-30.0, 40.0)  # log(α − 1) of the best order, for every ρ and ε from 1e-12 to 1e6 and δ from 1e-18


def positive(name: str, value: object, most: float = MAX_LOSS) -> float:
    """A request's number: finite, greater than 0, at most ``most``.

    Raises:
        BudgetError: for anything else (also for text and for True and False), naming the setting.
    """
    given = _given(name, value)
    if not 0 < given <= most:
        raise BudgetError(f"{name} must be greater than 0 and at most {most:,.0f}, not {shown(value)}")
    return float(given)


def small_delta(name: str, value: object) -> float:
    """A request's δ: at least 0 and below 0.01.

    Raises:
        BudgetError: for anything else; a δ of 0.01 or more would allow publishing one person in a hundred outright.
    """
    given = _given(name, value)
    if not 0 <= given < 1:
        raise BudgetError(f"{name} must be at least 0 and below 1, not {shown(value)}; 0.000001 (1e-6) is usual")
    if given >= GREATEST_DELTA:
        raise BudgetError(
            f"{name}={shown(value)} is too large: it is the chance that the guarantee fails altogether; "
            "choose well below 1 divided by the number of people, such as 1e-6"
        )
    if 0 < given * DELTA_UNIT < 1:
        raise BudgetError(f"{name}={shown(value)} is too small to be counted; use at least 1e-18, or 0")
    return float(given)


def _given(name: str, value: object) -> Fraction:
    plain = python_value(value)
    if isinstance(plain, bool) or not isinstance(plain, (int, float, Fraction, Decimal)):
        raise BudgetError(f"{name} must be a number, not {shown(value)}")
    try:
        return fraction(plain)
    except ValueError:
        infinite = isinstance(plain, (float, Decimal)) and not Decimal(plain).is_finite()
        size = "a finite number" if infinite else "a number of ordinary size"
        raise BudgetError(f"{name} must be {size}, not {shown(value)}") from None


@dataclass(frozen=True)
class Cost:
    """An amount of privacy loss, exact.

    Attributes:
        currency: ``"zcdp"`` (``loss`` is ρ) or ``"pure"`` (``loss`` is ε).
        loss: in units of 1e-12.
        delta: spent on thresholds, in units of 1e-18; the δ of converting ρ to ε is the budget's, not a cost.

    >>> Cost("zcdp", 3) + Cost("zcdp", 4, delta=1)
    Cost(currency='zcdp', loss=7, delta=1)
    """

    currency: Currency
    loss: int
    delta: int = 0

    def __post_init__(self) -> None:
        if self.currency not in ("zcdp", "pure"):
            raise InternalError(f"there is no currency {self.currency!r}")
        for value in (self.loss, self.delta):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InternalError(f"a cost is a whole number of units, not {value!r}")
        if self.currency == "pure" and self.delta:
            raise InternalError("a pure cost has no delta")

    def __add__(self, other: Cost) -> Cost:
        """Both losses, one after the other: sequential composition, adaptive too (Bun and Steinke 2016, Lemma 2.3)."""
        if not isinstance(other, Cost):
            return NotImplemented
        if other.currency != self.currency:
            raise InternalError(f"a cost in {self.currency} and one in {other.currency} cannot be added")
        return Cost(self.currency, self.loss + other.loss, self.delta + other.delta)

    def fits(self, cap: Cost) -> bool:
        """Whether neither loss nor δ is above the cap's."""
        if cap.currency != self.currency:
            raise InternalError(f"a cost in {self.currency} cannot be held against a cap in {cap.currency}")
        return self.loss <= cap.loss and self.delta <= cap.delta

    def to_json(self) -> Json:
        """The canonical form."""
        return {"currency": self.currency, "loss": self.loss, "delta": self.delta}

    @classmethod
    def from_json(cls, value: Any) -> Cost:
        """The inverse of :meth:`to_json`; raises :class:`BudgetError` for anything else."""
        try:
            return cls(value["currency"], value["loss"], value["delta"])
        except (TypeError, LookupError, ValueError, InternalError):
            raise BudgetError(f"{shown(value)} is not a cost; it needs currency, loss and delta") from None


def added_up(costs: Sequence[Cost]) -> Cost:
    """What several requests, at least one, cost together."""
    return functools.reduce(operator.add, costs)


@plain_fields(BudgetError, "write Budget(epsilon=3, delta=1e-6)")
@dataclass(frozen=True)
class Budget:
    """All the privacy loss that one ledger may ever allow.

    Attributes:
        epsilon: the ε of the whole ledger, over all releases.
        delta: the δ of the whole ledger; 0 makes a *pure* ledger, in which only Laplace noise can be bought. Otherwise
            the ledger counts ρ, and its whole use is (epsilon, delta)-differentially private.
        threshold_delta: the part of ``delta`` kept for releases with data-dependent keys; the rest converts ρ to ε.

    Raises:
        BudgetError: naming the setting and the remedy.

    >>> Budget(epsilon=1, delta=1e-6).cap
    Cost(currency='zcdp', loss=24355970359, delta=0)
    >>> Budget(epsilon=2).cap
    Cost(currency='pure', loss=2000000000000, delta=0)
    """

    epsilon: float
    delta: float = 0.0
    threshold_delta: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", positive("epsilon", self.epsilon))
        object.__setattr__(self, "delta", small_delta("delta", self.delta))
        object.__setattr__(self, "threshold_delta", small_delta("threshold_delta", self.threshold_delta))
        if self.threshold_delta and self.threshold_delta >= self.delta:
            raise BudgetError(
                f"threshold_delta={self.threshold_delta!r} must be a part of delta={self.delta!r}: "
                "make it smaller, such as half of delta"
            )
        if self.cap.loss == 0:
            raise BudgetError(f"epsilon={self.epsilon!r} is too small to be counted; use a larger one")

    @property
    def currency(self) -> Currency:
        """What this budget counts in."""
        return "zcdp" if self.delta else "pure"

    @cached_property
    def conversion_delta(self) -> float:
        """The δ at which ρ is converted to ε; 0 in a pure ledger."""
        rest = fraction(self.delta) - fraction(self.threshold_delta)
        value = float(rest)
        return value if Fraction(value) <= rest or not self.threshold_delta else math.nextafter(value, 0.0)

    @cached_property
    def cap(self) -> Cost:
        """The most that may be spent in all, rounded down to whole units."""
        if self.currency == "pure":
            return Cost("pure", math.floor(fraction(self.epsilon) * UNIT))
        rho = rho_from_epsilon(self.epsilon, self.conversion_delta)
        return Cost("zcdp", math.floor(Fraction(rho) * UNIT), math.floor(fraction(self.threshold_delta) * DELTA_UNIT))

    def describe(self, cost: Cost) -> tuple[float, float]:
        """The (ε, δ) that a cost amounts to, for people: every printed ε has its δ.

        Total costs are described, not summed descriptions: ε of a sum of ρ is far less than the sum of the ε.
        """
        if cost.currency != self.currency:
            raise InternalError(f"a cost in {cost.currency} is not described by a budget in {self.currency}")
        return described(cost, self.conversion_delta)

    def to_json(self) -> Json:
        """The canonical form."""
        named = {"epsilon": self.epsilon, "delta": self.delta, "threshold_delta": self.threshold_delta}
        return {name: number(fraction(value)) for name, value in named.items()}

    @classmethod
    def from_json(cls, value: Any) -> Budget:
        """The inverse of :meth:`to_json`; raises :class:`BudgetError` for anything else."""
        if not isinstance(value, dict) or set(value) != {"epsilon", "delta", "threshold_delta"}:
            raise BudgetError(f"{shown(value)} is not a budget; it needs epsilon, delta and threshold_delta")
        try:
            return cls(**{name: fraction(part) for name, part in value.items()})  # type: ignore[arg-type]
        except ValueError:
            raise BudgetError(f"{shown(value)} is not a budget; its parts must be numbers") from None


def described(cost: Cost, delta: float) -> tuple[float, float]:
    """The (ε, δ) that a cost amounts to, where ρ is converted at ``delta``.

    >>> described(Cost("pure", 10**12), 0.0)
    (1.0, 0.0)
    """
    if cost.currency == "pure" or cost.loss == 0:
        return cost.loss / UNIT, cost.delta / DELTA_UNIT
    return epsilon_from_rho(cost.loss / UNIT, delta), delta + cost.delta / DELTA_UNIT


LEAVE_PURE = (
    "Laplace noise (pure=True) takes far more of a budget with δ than Gaussian noise of the same ε: leave pure out, or "
    "ask with a smaller epsilon"
)
"""The remedy where a pure request does not fit."""


def told_apart(more: float, less: float) -> tuple[str, str]:
    """Two numbers of which the first is greater, with the four digits of every other ε, or as many as tell them apart.

    >>> told_apart(1.5, 0.7), told_apart(1.00000012, 1.0)
    (('1.5', '0.7'), ('1.0000001', '1'))
    """
    for digits in range(4, 18):
        texts = f"{more:.{digits}g}", f"{less:.{digits}g}"
        if float(texts[0]) > float(texts[1]):
            break
    return texts


def rounded_up(value: float) -> str:
    """Four digits, never less than the value by more than its fifth: a cost is not made to look smaller.

    >>> rounded_up(0.87881), rounded_up(0.5000001), rounded_up(3.0), rounded_up(0.0)
    ('0.8789', '0.5', '3', '0')
    """
    if value <= 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    return f"{math.ceil(value / unit - 1e-3) * unit:.4g}"


def pure_as_zcdp(units: int) -> int:
    """The ρ, in units rounded up, of a release that is ε-DP with ε in units: ρ = ε²/2 (Bun and Steinke, Prop. 1.4).

    >>> pure_as_zcdp(10**12)
    500000000000
    """
    return -(-units * units // (2 * UNIT))


@lru_cache(maxsize=4096)
def epsilon_from_rho(rho: float, delta: float) -> float:
    """The smallest ε for which every ρ-zCDP release is (ε, δ)-DP by CKS20, Corollary 13; rounded up.

    ε = min over α > 1 of αρ + [log(1/δ) + (α−1)·log(1−1/α) − log α] / (α−1), and never below 0. Every α gives a valid
    ε, so the search for the best one can cost accuracy, never privacy.

    >>> round(epsilon_from_rho(0.0243559704, 1e-6), 5)
    1.0
    """
    if rho == 0:
        return 0.0

    def negative(log_order: float) -> float:
        less, slack, order = _conversion(log_order, delta)
        return -(order * rho + less + slack)

    epsilon = -_greatest(negative)
    return max(0.0, epsilon + abs(epsilon) * 2 * sys.float_info.epsilon)


@lru_cache(maxsize=4096)
def rho_from_epsilon(epsilon: float, delta: float) -> float:
    """The greatest ρ that CKS20's conversion allows for (ε, δ)-DP; rounded down.

    The conversion solved for ρ at each order and maximised: ρ = max over α > 1 of
    (ε − [log(1/δ) + (α−1)·log(1−1/α) − log α] / (α−1)) / α. The maximum is the only one, because log δ is convex in α
    (CKS20, below Proposition 12).

    >>> f"{rho_from_epsilon(1, 1e-6):.7f}"
    '0.0243560'
    """

    def rho(log_order: float) -> float:
        less, slack, order = _conversion(log_order, delta)
        return (epsilon - less - slack) / order

    found = _greatest(rho)
    return max(0.0, found - abs(found) * 4 * sys.float_info.epsilon)


def _conversion(log_order: float, delta: float) -> tuple[float, float, float]:
    """[log(1/δ) + (α−1)·log(1−1/α) − log α]/(α−1) at α = 1 + exp(log_order); a bound on its rounding error; α."""
    above = math.exp(log_order)
    order = 1 + above
    start, middle, end = -math.log(delta), log_order - math.log1p(above), math.log1p(above)
    value = (start - end) / above + middle
    slack = 4 * sys.float_info.epsilon * ((start + end) / above + abs(log_order) + end)
    return value, slack, order


def _greatest(function: Callable[[float], float]) -> float:
    """The greatest value seen by a golden-section search over log(α − 1) of a function with one peak."""
    low, high = _LOG_RANGE
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    best = max(at_left, at_right)
    while high - low > 1e-9:
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
            best = max(best, at_right)
        else:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
            best = max(best, at_left)
    return best
