"""SDC: counts of people under a rule of statistical disclosure control, as health services publish them.

No differential privacy: small counts are hidden and the others rounded. The presets are the rules as their owners
publish them; ``strict_10``, ``acro_default`` and ``datashield`` show exact counts, or refuse a table for what is in it,
and so are rules to check tables by, not to release by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import whole
from pets.errors import BudgetError, PolicyError, did_you_mean, shown
from pets.protection.protection import Protection
from pets.protection.rounding import Rounding

WIDTH = 3
OWN = "own"
"""The name, in a policy, of rules that are no preset."""


@dataclass(frozen=True)
class Preset:
    """A rule as its owner publishes it.

    Attributes:
        name: what :class:`SDC` calls it.
        rule: how a count is shown.
        owner, source: whose rule it is, and where they say so.
        width: what each small count must leave open beside itself (:attr:`SDC.width`).
        release: whether releases can be made by it; else tables are only checked by it.
        refuses: a table with a small count is refused as a whole, not shown with that count hidden.
    """

    name: str
    rule: Rounding
    owner: str
    source: str
    width: int = WIDTH
    release: bool = True
    refuses: bool = False


_OPENSAFELY = "https://docs.opensafely.org/outputs/sdc/"

_EVERY = (
    Preset(
        "hes",
        Rounding(threshold=7, base=5),
        "NHS England, Hospital Episode Statistics",
        "https://digital.nhs.uk/data-and-information/data-tools-and-services/data-services/hospital-episode-statistics/"
        "change-to-disclosure-control-methodology-for-hes-and-ecds-from-september-2018",
    ),
    Preset(
        "ons_10_5",
        Rounding(threshold=9, base=5, hide_zero=True),
        "Office for National Statistics, Integrated Data Service",
        "ptable_10_5_rule.csv of cell-key-perturbation 3.1.0 (Office for National Statistics)",
    ),
    Preset(
        "opensafely",
        Rounding(threshold=7, base=5, hide_zero=True, totals="parts"),
        "OpenSAFELY",
        _OPENSAFELY,
    ),
    Preset("midpoint6", Rounding(threshold=0, base=6, midpoint=True), "OpenSAFELY", _OPENSAFELY),
    Preset(
        "strict_10",
        Rounding(threshold=9, base=1, hide_zero=True),
        "UK Longitudinal Linkage Collaboration",
        "https://guidebook.ukllc.ac.uk (user guide: statistical disclosure control)",
        release=False,
        refuses=True,
    ),
    Preset(
        "acro_default",
        Rounding(threshold=9, base=1, hide_zero=True),
        "ACRO 1.0.1",
        "default.yaml of ACRO 1.0.1",
        release=False,
    ),
    Preset(
        "datashield",
        Rounding(threshold=2, base=1),
        "DataSHIELD",
        "DataSHIELD's default nfilter.tab = 3: a table with a count of 1 or 2 is refused",
        release=False,
        refuses=True,
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({one.name: one for one in _EVERY})
"""By name, every rule that is published and known here."""

RELEASING = tuple(one.name for one in _EVERY if one.release)


def preset(name: object) -> Preset:
    """The preset of a name; raises :class:`BudgetError` where there is none."""
    if not isinstance(name, str) or name not in PRESETS:
        raise BudgetError(f"there is no preset {shown(name)}{did_you_mean(str(name), PRESETS)}")
    return PRESETS[name]


def allowed_names(given: object, what: str = "sdc") -> tuple[str, ...]:
    """What a policy lists of rules, each once, in order; raises :class:`PolicyError` for what can release nothing."""
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, (tuple, list)):
        raise PolicyError(f"{what} must be names of presets, such as ('hes',), not {shown(given)}")
    for name in names:
        if name in PRESETS and not PRESETS[name].release:
            raise PolicyError(f"{what}={name!r} is a rule to check tables by, not to release by; use {_choices()}")
        if name not in (*RELEASING, OWN):
            raise PolicyError(f"{what} has no rule {shown(name)}{did_you_mean(str(name), [*RELEASING, OWN])}")
    return tuple(dict.fromkeys(names))


def _choices() -> str:
    return ", ".join(f"pets.SDC({name!r})" for name in RELEASING[:-1]) + f" or pets.SDC({RELEASING[-1]!r})"


@plain_fields(BudgetError, "write SDC('hes') or SDC(threshold=7, base=5)")
@dataclass(frozen=True, repr=False)
class SDC(Protection):
    """Statistical disclosure control: counts of people, small ones hidden and the others rounded.

    Guarantee: none of differential privacy, and no ε. Each number leaves open the interval that is printed beside it;
    what several releases together leave open is bounded only where all of them are sums of one grid's shown cells.
    Refused unless the custodian's policy names the rule; entered in the ledger as unbounded, and listed on every later
    certificate of the same dataset.

    Attributes:
        preset: a rule as it is published: ``"hes"``, ``"ons_10_5"``, ``"opensafely"`` or ``"midpoint6"``
            (:data:`PRESETS` says whose, and where). Or, without a preset, a rule of one's own:
        threshold: counts from 1 to this are hidden.
        base: shown counts are multiples of this; left out, 5 (6 with ``midpoint``).
        midpoint, hide_zero, totals: as for :class:`pets.protection.rounding.Rounding`.
        width: how many whole numbers beside the true one every small count must leave open.

    Raises:
        BudgetError: naming the setting and the remedy; among others for hiding without rounding: hidden counts are
            found by subtraction.

    >>> SDC("hes").rule
    Rounding(threshold=7, base=5, midpoint=False, hide_zero=False, totals='exact')
    >>> SDC(threshold=9)
    SDC(threshold=9, base=5)
    """

    preset: str | None = None
    threshold: int | None = None
    base: int | None = None
    midpoint: bool = False
    hide_zero: bool = False
    totals: str = "exact"
    width: int = WIDTH
    kind: ClassVar[str] = "sdc"
    texts: ClassVar[frozenset[str]] = frozenset({"preset", "totals"})

    def __post_init__(self) -> None:
        own = [name for name in ("threshold", "base", "midpoint", "hide_zero", "totals") if name in self._given()]
        if self.preset is not None:
            preset(self.preset)
            if own:
                raise BudgetError(
                    f"SDC({self.preset!r}) is a rule as it is published; leave {', '.join(own)} out, or write a rule "
                    "of your own, such as SDC(threshold=7, base=5)"
                )
        elif not own:
            raise BudgetError("SDC needs a rule: SDC('hes'), or one of your own, such as SDC(threshold=7, base=5)")
        else:
            if self.base is None:
                object.__setattr__(self, "base", 6 if self.midpoint else 5)
            if self.threshold is None and self.midpoint is not True:
                raise BudgetError("a rule of your own needs a threshold: the greatest count that is hidden, such as 7")
            rule = self.rule
            for name in ("threshold", "base"):
                kept = None if name == "threshold" and self.midpoint else getattr(rule, name)
                object.__setattr__(self, name, kept)
        self._check_width()

    def _check_width(self) -> None:
        try:
            width = whole(self.width)
        except ValueError:
            width = 0
        if width < 1:
            raise BudgetError(f"width must be a whole number above 0, not {shown(self.width)}; {WIDTH} is usual")
        object.__setattr__(self, "width", width)
        rule = self.rule
        if self.preset is not None and not PRESETS[self.preset].release:
            return  # it promises no width: tables are checked by it
        if rule.base == 1:
            raise BudgetError(
                "base=1 hides counts and rounds none: hidden counts are found by subtracting others from a total; "
                "round too, such as base=5"
            )
        first = (rule.threshold + 1 + rule.base // 2) // rule.base * rule.base  # the least number that is shown
        if not rule.midpoint and first - rule.base // 2 + rule.base - 1 <= rule.threshold + 1:
            raise BudgetError(
                f"threshold={rule.threshold} with base={rule.base} would show {rule.threshold + 1} people as {first}, "
                f"and nobody else so; use threshold={rule.threshold + 1}"
            )
        spans = {"base": rule.base} | ({"threshold": rule.threshold + rule.hide_zero} if rule.threshold else {})
        for name, numbers in spans.items():
            if numbers <= width:
                raise BudgetError(
                    f"width={width} asks that {width} whole numbers beside the true one stay open, and {name}="
                    f"{getattr(rule, name)} leaves fewer; use a greater {name}, or a smaller width"
                )

    @property
    def rule(self) -> Rounding:
        """How a count is shown."""
        if self.preset is not None:
            return PRESETS[self.preset].rule
        settings = {name: getattr(self, name) for name in ("midpoint", "hide_zero", "totals")}
        threshold = 0 if self.threshold is None else self.threshold
        return Rounding(threshold=threshold, base=5 if self.base is None else self.base, **settings)

    @property
    def name(self) -> str:
        """What a policy calls it: the preset, or ``"own"``."""
        return self.preset or OWN

    def check_releases(self) -> None:
        """Refuse a rule that tables are only checked by; raises :class:`PolicyError`."""
        if self.preset is not None and not PRESETS[self.preset].release:
            why = "refuses a table for what is in it" if PRESETS[self.preset].refuses else "shows exact counts"
            raise PolicyError(
                f"pets.SDC({self.preset!r}) {why}, so it is a rule to check tables by (pets sdc check), not to release "
                f"by; release with {_choices()}"
            )
