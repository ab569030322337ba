"""What was asked: how an answer is to be protected. These are descriptions; the work is done elsewhere.

Each has one canonical JSON form, ``{"kind": …}`` with the settings that were given, so that the same request has the
same bytes on a wire, in the ledger and in a certificate.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number, python_value
from pets.errors import BudgetError, InternalError, did_you_mean, shown
from pets.protection.budget import positive, small_delta

_KINDS: dict[str, type[Protection]] = {}


@dataclass(frozen=True)
class Protection:
    """How an answer is protected before it leaves; :class:`DP` is the usual one."""

    kind: ClassVar[str] = ""
    texts: ClassVar[frozenset[str]] = frozenset()  # the settings that are texts; any other text is a decimal number

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.kind or _KINDS.get(cls.kind, cls).__qualname__ != cls.__qualname__:
            raise InternalError(f"{cls.__name__} needs a kind of its own")
        _KINDS[cls.kind] = cls

    def to_json(self) -> Json:
        """The canonical form: the kind and the settings that differ from their defaults."""
        return {"kind": self.kind} | {name: _plain(value) for name, value in self._given().items()}

    @staticmethod
    def from_json(value: Any) -> Protection:
        """The inverse of :meth:`to_json`.

        Raises:
            BudgetError: for an unknown kind or setting, or a setting that the protection refuses.
        """
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
            raise BudgetError("a protection is an object with a kind, such as {'kind': 'dp', 'epsilon': 1}")
        importlib.import_module("pets.protection.sdc")  # its kind is known once it is loaded
        if value["kind"] not in _KINDS:
            raise BudgetError(f"there is no protection {shown(value['kind'])}{did_you_mean(value['kind'], _KINDS)}")
        found = _KINDS[value["kind"]]
        settings = {name: part for name, part in value.items() if name != "kind"}
        known = [field.name for field in fields(found)]
        for name in settings:
            if name not in known:
                raise BudgetError(f"protection {found.kind!r} has no setting {shown(name)}{did_you_mean(name, known)}")
        numbers = {name: _value(name, part) for name, part in settings.items() if name not in found.texts}
        return found(**settings | numbers)

    def _given(self) -> dict[str, Any]:
        named = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in named.items() if value != default}

    def __repr__(self) -> str:
        settings = (f"{name}={_short(value)}" for name, value in self._given().items())
        return f"{type(self).__name__}({', '.join(settings)})"


@plain_fields(BudgetError, "write DP(epsilon=0.5), DP(rho=0.01) or DP(within=50)")
@dataclass(frozen=True, kw_only=True, repr=False)
class DP(Protection):
    """Differential privacy: noise that hides any one person, paid for from the ledger.

    Guarantee: whether or not one person's rows are in the data, every possible release is almost equally likely; how
    nearly is ε (and δ, the chance of missing it), or ρ.

    Exactly one of these is given:

    Attributes:
        epsilon: ε of this release. In a ledger with a δ it means (ε, δ)-DP, by the discrete Gaussian; in a pure ledger
            ε-DP, by the discrete Laplace.
        rho: ρ of zero-concentrated DP, in a ledger with a δ.
        within: the accuracy wanted instead: the smallest cost at which each count or sum of the answer lies within
            this distance of the exact bounded answer.

    And, where they apply:

    Attributes:
        delta: with ``epsilon``: another δ than the ledger's, for the meaning of that ε.
        pure: ε-DP with no δ at all (discrete Laplace), also in a ledger with a δ.
        confidence: of the interval around each answer, and of ``within``.
        simultaneous: with ``within``: the confidence is for all cells of all outputs at once, not for each.

    Raises:
        BudgetError: naming the setting and the remedy.

    >>> DP(epsilon=0.5)
    DP(epsilon=0.5)
    >>> DP(within=50, simultaneous=True)
    DP(within=50, simultaneous=True)
    """

    epsilon: float | None = None
    delta: float | None = None
    rho: float | None = None
    pure: bool = False
    within: float | None = None
    confidence: float = 0.95
    simultaneous: bool = False
    kind: ClassVar[str] = "dp"

    def __post_init__(self) -> None:
        chosen = [name for name in ("epsilon", "rho", "within") if getattr(self, name) is not None]
        if len(chosen) != 1:
            said = f"{' and '.join(chosen)} were" if chosen else "none was"
            raise BudgetError(f"DP needs exactly one of epsilon, rho and within, and {said} given")
        for name in chosen:
            most = 1e18 if name == "within" else 1e6
            object.__setattr__(self, name, positive(name, getattr(self, name), most))
        for name in ("pure", "simultaneous"):
            object.__setattr__(self, name, python_value(getattr(self, name)))
            if not isinstance(getattr(self, name), bool):
                raise BudgetError(f"{name} must be True or False, not {shown(getattr(self, name))}")
        confidence = positive("confidence", self.confidence, 1)
        if not 0.5 <= confidence <= 1 - 1e-9:
            raise BudgetError(f"confidence must be from 0.5 to below 1, not {shown(self.confidence)}; 0.95 is usual")
        object.__setattr__(self, "confidence", confidence)
        if self.delta is not None:
            object.__setattr__(self, "delta", small_delta("delta", self.delta))
            if self.epsilon is None:
                raise BudgetError(f"delta goes with epsilon, not with {chosen[0]}; leave delta out")
            if self.pure:
                raise BudgetError("pure=True has no delta; leave delta or pure out")
            if self.delta == 0:
                raise BudgetError("delta=0 is written pure=True")
        if self.pure and self.rho is not None:
            raise BudgetError("pure=True is measured by epsilon, not by rho; write DP(epsilon=..., pure=True)")
        if self.simultaneous and self.within is None:
            raise BudgetError("simultaneous=True goes with within; leave it out or write DP(within=...)")


@plain_fields(BudgetError)
@dataclass(frozen=True, repr=False)
class Exact(Protection):
    """The exact answer, for dummy data only: on real rows it is refused.

    Guarantee: none is needed, because no real person is in dummy data.

    >>> Exact().to_json()
    {'kind': 'exact'}
    """

    kind: ClassVar[str] = "exact"


@plain_fields(BudgetError)
@dataclass(frozen=True, repr=False)
class Total(Protection):
    """Exact totals of real rows.

    Guarantee: none. Refused unless the custodian's policy allows releases without a finite guarantee; entered in the
    ledger as unbounded, and listed on every later certificate of the same dataset.

    >>> Total()
    Total()
    """

    kind: ClassVar[str] = "total"


def checked(value: object) -> Protection:
    """The value, where it is a protection; raises :class:`BudgetError` for anything else."""
    if isinstance(value, Protection):
        return value
    raise unknown(value)


def unknown(value: object) -> BudgetError:
    """What is raised for a value that is none of the protections, or for one that does not protect this."""
    if isinstance(value, Protection):
        return BudgetError(f"{value!r} does not protect this; use pets.DP(epsilon=…)")
    return BudgetError(
        f"a protection is pets.DP(epsilon=…), pets.SDC('hes'), pets.Exact() or pets.Total(), not {shown(value)}"
    )


def noisy(value: object) -> DP:
    """The value, where it is a protection by noise; raises :class:`BudgetError` for anything else: it has no price."""
    if isinstance(value, DP):
        return value
    raise BudgetError("only a differentially private release has a cost; quote with pets.DP(epsilon=…)")


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, str)) else number(fraction(value))


def _value(name: str, part: Any) -> Any:
    """A setting from JSON that is no text: decimal text stands for a number."""
    if isinstance(part, str):
        try:
            return float(fraction(part))
        except ValueError:
            raise BudgetError(f"{name} must be a number, not {shown(part)}") from None
    return part


def _short(value: Any) -> str:
    """A float that is whole, without its ``.0``."""
    return repr(int(value)) if isinstance(value, float) and value.is_integer() and value < 1e15 else repr(value)
