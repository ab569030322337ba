"""Attack: how a protected number is derived from what was told, in fractions, and as a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from pets.sdc.proof import Attack, Multipliers, Protected, end
from pets.sdc.system import System

DENOMINATORS = (1, 2, 6, 60, 2520, 10**6)
"""The fractions that a solver's multipliers are tried as, coarsest first."""

_TERMS = 9


def derivation(
    system: System, protected: Protected, least: npt.NDArray[np.float64], most: npt.NDArray[np.float64]
) -> Attack | None:
    """What a solver's multipliers of both ends show, once they are fractions; ``None``: nothing."""
    lower, upper = _exact(system, protected, least, -1), _exact(system, protected, most, 1)
    if upper is None:
        return None
    low = Fraction(0) if lower is None else end(system, protected, lower, -1)
    high = end(system, protected, upper, 1)
    if low is None or high is None:
        return None
    return Attack(max(ceil(low), 0), floor(high), lower or (), upper)


def _exact(system: System, protected: Protected, values: npt.NDArray[np.float64], sense: int) -> Multipliers | None:
    """The multipliers as fractions, with as small denominators as show what the solver's own do."""
    best: Multipliers | None = None
    found: Fraction | None = None
    for most in DENOMINATORS:
        taken = [(row, Fraction(float(values[row])).limit_denominator(most)) for row in np.flatnonzero(values).tolist()]
        some = tuple((row, factor) for row, factor in taken if factor)
        here = end(system, protected, some, sense)
        if here is not None and (found is None or sense * here < sense * found):
            best, found = some, here
    return best


def sentence(system: System, protected: Protected, attack: Attack) -> str:
    """A derivation in words, for the custodian.

    >>> from pets.sdc.system import Statement
    >>> told = [Statement((0, 1), 23, 23, "North of release 1"), Statement((1,), 20, 20, "North, M of release 4")]
    >>> shown = Attack(3, 3, ((0, Fraction(1)), (1, Fraction(-1))), ((0, Fraction(1)), (1, Fraction(-1))))
    >>> sentence(System.from_statements(2, told), Protected((0,), "cell (North, F)"), shown)
    'cell (North, F) is 3: 23 − 20, from North of release 1 and North, M of release 4'
    """
    least, most = _terms(system, attack.lower, -1), _terms(system, attack.upper, 1)
    known = f"is {attack.lo:,}" if attack.lo == attack.hi else f"lies between {attack.lo:,} and {attack.hi:,}"
    how = most if least == most else f"at least {least or '0'} and at most {most}"
    rows = [row for row, _ in (*_ordered(attack.upper), *_ordered(attack.lower))]
    names = list(dict.fromkeys(system.sources[row] or f"number {row + 1}" for row in rows))
    return f"{protected.name} {known}: {how}, from {_listed(names)}"


def _ordered(multipliers: Multipliers) -> list[tuple[int, Fraction]]:
    """What is added, then what is taken away."""
    return sorted(multipliers, key=lambda one: one[1] < 0)


def _terms(system: System, multipliers: Multipliers, sense: int) -> str:
    out = ""
    for row, factor in _ordered(multipliers)[:_TERMS]:
        number = int(system.hi[row] if (factor > 0) == (sense > 0) else system.lo[row])
        size = abs(factor)
        term = f"{number:,}" if size == 1 else f"{size} × {number:,}"
        sign = "−" if factor < 0 else "+"
        out += f" {sign} {term}" if out else (term if factor > 0 else f"−{term}")
    return out + (f" and {len(multipliers) - _TERMS} more" if len(multipliers) > _TERMS else "")


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:_TERMS], *([f"{len(names) - _TERMS} more"] if len(names) > _TERMS else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
