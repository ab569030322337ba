"""Site policy: what a site lets others ask, in a file that the site owns. What it does not list is refused.

.. code-block:: yaml

    tables:
      stays: {columns: [age, gender, time_in_hospital], aggregates: [count, mean]}
    secure: [masked]
    min_sites: 3
    min_colluding: 1
    max_epsilon: 1.0
    tell: [budget, history, certificates]
    sdc: [hes]
    totals: {allow: true, min_cohort: 10, min_cell: 8, dominance: 0.9}
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pets.common.arguments import plain_fields
from pets.common.codec import Json, digest, fraction, number
from pets.common.yamlfile import read
from pets.errors import PolicyError, QueryError, SchemaError, did_you_mean, shown
from pets.federated.secure_sum.interface import WAYS
from pets.protection.sdc import allowed_names
from pets.protection.threshold import Threshold
from pets.query_model.traits import TRAITS
from pets.schema.schema import Schema

AGGREGATES = (*TRAITS, "glm")
_MOST = ("max_steps", "max_fits", "max_totals")
TELLABLE = ("budget", "certificates", "history")


@plain_fields(PolicyError)
@dataclass(frozen=True)
class TableRule:
    """What may be asked of one table.

    Attributes:
        columns: that a query may name anywhere; ``None``: all that the schema has.
        aggregates: kinds of measures; ``None``: all.
        keys: columns to group by; ``None``: any of ``columns``.
        filters: columns in conditions; ``None``: any of ``columns``.
    """

    columns: tuple[str, ...] | None = None
    aggregates: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    filters: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("columns", "aggregates", "keys", "filters"):
            given = getattr(self, name)
            if given is None:
                continue
            if not isinstance(given, (list, tuple)) or not all(isinstance(text, str) for text in given):
                raise PolicyError(f"{name} is a list of names, not {shown(given)}")
            object.__setattr__(self, name, tuple(sorted(set(given))))
        for kind in self.aggregates or ():
            if kind not in AGGREGATES:
                raise PolicyError(f"there is no aggregate {shown(kind)}{did_you_mean(kind, AGGREGATES)}")

    def to_json(self) -> Json:
        """The canonical form."""
        given = {name: getattr(self, name) for name in ("columns", "aggregates", "keys", "filters")}
        return {name: list(value) for name, value in given.items() if value is not None}


@plain_fields(PolicyError)
@dataclass(frozen=True)
class Totals:
    """Rules for exact totals (``pets.Total()``): the only ones that look at rows, since nothing else protects there.

    Attributes:
        allow: whether exact totals may leave at all, inside a secure sum.
        min_cohort: rows that a query must count at this site, and rows by which it must differ from an earlier one.
        min_cell: a group with fewer rows than this at this site, but not none, withholds the answer.
        dominance: the greatest part of a group's rows that one person may have.
        max_steps: of one regression that is asked step by step.
        max_fits: such regressions of one outcome on the same covariates, whatever their condition.
        max_totals: different exact totals of one table, whatever they ask of it, but for steps of regressions.
    """

    allow: bool = False
    min_cohort: int = 10
    min_cell: int = 0
    dominance: float = 1.0
    max_steps: int = 15
    max_fits: int = 10
    max_totals: int = 100

    def __post_init__(self) -> None:
        if not isinstance(self.allow, bool):
            raise PolicyError(f"totals: allow is true or false, not {shown(self.allow)}")
        for name in ("min_cohort", "min_cell"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**9:
                raise PolicyError(f"totals: {name} is a number of rows, not {shown(value)}")
        for name in _MOST:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
                raise PolicyError(f"totals: {name} is a whole number from 0 to 1,000, not {shown(value)}")
        if isinstance(self.dominance, bool) or not isinstance(self.dominance, (int, float)):
            raise PolicyError(f"totals: dominance is a part of 1, not {shown(self.dominance)}")
        if not 0 < self.dominance <= 1:
            raise PolicyError(f"totals: dominance is above 0 and at most 1, not {shown(self.dominance)}")

    @property
    def cohort(self) -> Threshold:
        """Cohorts, and differences of cohorts, that are of too few rows; a cohort of none is, too."""
        return Threshold(self.min_cohort, zero=True)

    @property
    def cell(self) -> Threshold:
        """Groups that are of too few rows; one of none tells nothing."""
        return Threshold(self.min_cell)

    @property
    def about_rows(self) -> bool:
        """Whether any rule is about how many rows an answer rests on."""
        return self.min_cohort > 1 or self.min_cell > 1 or self.dominance < 1

    def to_json(self) -> Json:
        """The canonical form."""
        part = number(fraction(self.dominance))
        form: Json = {"allow": self.allow, "min_cohort": self.min_cohort, "min_cell": self.min_cell, "dominance": part}
        # only where they are not the usual ones: policies of before keep their digests
        return form | {name: getattr(self, name) for name in _MOST if getattr(self, name) != getattr(Totals, name)}


@plain_fields(PolicyError)
@dataclass(frozen=True)
class SitePolicy:
    """What a site lets the federation ask. By default it allows no table.

    Attributes:
        tables: by name, what may be asked.
        secure: ways to combine that the site takes part in.
        min_sites: sites that must be on a roster.
        min_colluding: sites that the roster must assume to collude, at least.
        min_sites_per_person: what the roster must assume of shared people, at least.
        max_epsilon: the most that one query may charge, as ε at the ledger's δ (``None``: what the ledger allows).
        tell: what analysts on the roster may know of the site's account: ``"budget"`` (what is left of it),
            ``"history"`` (what was asked through federations, and what it cost) and ``"certificates"`` (what the ledger
            signed of the answers that they were given).
        sdc: the rules of disclosure control by which counts of people may leave, rounded at this site: names of
            presets (``"hes"``, …), and ``"own"``. The session's own policy must allow them too, and a grid be named.
        sdc_encrypted: the rules by which the key holder may show the sums of one grid: this site then sends it the
            exact counts of that grid, encrypted, and trusts it to round the sum over all sites and to show nothing
            else. The session's own policy must allow exact totals (``allow_unbounded``).
        totals: the rules for exact totals.
    """

    tables: Mapping[str, TableRule] = field(default_factory=dict)
    secure: tuple[str, ...] = ("masked", "encrypted")
    min_sites: int = 3
    min_colluding: int = 0
    min_sites_per_person: int = 1
    max_epsilon: float | None = None
    tell: tuple[str, ...] = ()
    sdc: tuple[str, ...] = ()
    sdc_encrypted: tuple[str, ...] = ()
    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        if not isinstance(self.tables, Mapping) or not all(isinstance(name, str) for name in self.tables):
            raise PolicyError(f"tables is a mapping of names to TableRule(…), not {shown(self.tables)}")
        if not isinstance(self.secure, (list, tuple)):
            raise PolicyError(f"secure is a list of ways to combine, such as ['masked'], not {shown(self.secure)}")
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))
        for way in self.secure:
            if way not in WAYS:
                raise PolicyError(f"secure lists {shown(way)}, which is no way to combine{did_you_mean(way, WAYS)}")
        object.__setattr__(self, "secure", tuple(sorted(set(self.secure))))
        if not isinstance(self.tell, (list, tuple)):
            raise PolicyError(f"tell is a list of what analysts may know, such as ['budget'], not {shown(self.tell)}")
        for what in self.tell:
            if what not in TELLABLE:
                raise PolicyError(f"tell lists {shown(what)}, which no site tells{did_you_mean(what, TELLABLE)}")
        object.__setattr__(self, "tell", tuple(sorted(set(self.tell))))
        for listed in ("sdc", "sdc_encrypted"):
            object.__setattr__(self, listed, tuple(sorted(allowed_names(getattr(self, listed), listed))))
        for name, least in (("min_sites", 3), ("min_colluding", 0), ("min_sites_per_person", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise PolicyError(f"{name} is a whole number of at least {least}, not {shown(value)}")
        most = self.max_epsilon
        if most is not None and (isinstance(most, bool) or not isinstance(most, (int, float)) or not 0 < most < 2**63):
            raise PolicyError(f"max_epsilon is a positive number, not {shown(most)}")
        if not isinstance(self.totals, Totals) or not all(isinstance(rule, TableRule) for rule in self.tables.values()):
            raise PolicyError("a site policy's tables are TableRule(…) and its totals Totals(…)")

    @classmethod
    def open(cls, schema: Schema, **settings: Any) -> SitePolicy:
        """Every table of a schema, every way to combine: for sites of one custodian in one process."""
        tables = {name: TableRule() for name in schema.tables}
        return cls(**{"tables": tables, "secure": WAYS, "tell": TELLABLE} | settings)

    @classmethod
    def load(cls, path: str | Path) -> SitePolicy:
        """The policy in a YAML file; raises :class:`PolicyError` naming the entry that is wrong."""
        try:
            form, name = read(path, "policy")
        except SchemaError as error:
            raise PolicyError(str(error)) from None
        try:
            return cls.from_json(form)
        except PolicyError as error:
            raise PolicyError(f"{name}: {error}") from None

    @classmethod
    def from_json(cls, form: Any) -> SitePolicy:
        """The inverse of :meth:`to_json`; also of texts, as a YAML file gives them."""
        given = _known(form, "a site policy", ("tables", "totals", *_LISTS, "max_epsilon", *_WHOLE))
        tables = _known(given.get("tables") or {}, "tables", None)
        rules = {name: TableRule(**_known(rule or {}, name, _RULE)) for name, rule in tables.items()}
        settings: dict[str, Any] = {name: _whole(name, given[name]) for name in _WHOLE if name in given}
        if given.get("max_epsilon") is not None:
            settings["max_epsilon"] = _number("max_epsilon", given["max_epsilon"])
        settings |= {name: given[name] for name in _LISTS if given.get(name) is not None}
        kinds: dict[str, Callable[[str, Any], Any]] = dict.fromkeys(_TOTALS, _whole)
        kinds |= {"allow": _truth, "dominance": _number}
        totals = _known(given.get("totals") or {}, "totals", _TOTALS)
        read_totals = {name: kinds[name](name, value) for name, value in totals.items()}
        return cls(tables=rules, totals=Totals(**read_totals), **settings)

    def check(self, schema: Schema) -> None:
        """Raises :class:`PolicyError` for a table or a column that the schema does not have: a misspelt rule."""
        for table, rule in self.tables.items():
            if table not in schema.tables:
                raise PolicyError(f"the policy names table {shown(table)}{did_you_mean(table, schema.tables)}")
            for name in {*(rule.columns or ()), *(rule.keys or ()), *(rule.filters or ())}:
                if name not in schema.fields(table):
                    raise PolicyError(
                        f"the policy names column {shown(name)} of table {table!r}"
                        f"{did_you_mean(name, schema.fields(table))}"
                    )

    def rule(self, table: str) -> TableRule:
        """What may be asked of a table; raises :class:`QueryError` where nothing may."""
        if table not in self.tables:
            raise QueryError(f"the site's policy allows no query of table {shown(table)}")
        return self.tables[table]

    def to_json(self) -> Json:
        """The canonical form."""
        most = None if self.max_epsilon is None else number(fraction(self.max_epsilon))
        return {
            "tables": {name: rule.to_json() for name, rule in sorted(self.tables.items())},
            "secure": list(self.secure),
            "min_sites": self.min_sites,
            "min_colluding": self.min_colluding,
            "min_sites_per_person": self.min_sites_per_person,
            "max_epsilon": most,
            "tell": list(self.tell),
            "totals": self.totals.to_json(),
            # only where any is listed: policies of before keep their digests
            **({"sdc": list(self.sdc)} if self.sdc else {}),
            **({"sdc_encrypted": list(self.sdc_encrypted)} if self.sdc_encrypted else {}),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form: what the roster shows of it."""
        return digest(self.to_json())


_WHOLE = ("min_sites", "min_colluding", "min_sites_per_person")
_LISTS = ("secure", "tell", "sdc", "sdc_encrypted")
_TOTALS = ("allow", "min_cohort", "min_cell", "dominance", *_MOST)
_RULE = ("columns", "aggregates", "keys", "filters")


def _known(form: Any, what: str, names: tuple[str, ...] | None) -> dict[str, Any]:
    if not isinstance(form, Mapping):
        raise PolicyError(f"{what} is a mapping, not {shown(form)}")
    for name in form:
        if names is not None and name not in names:
            raise PolicyError(f"{what} has no entry {shown(name)}{did_you_mean(name, names)}")
    return dict(form)


def _whole(name: str, value: Any) -> Any:
    if isinstance(value, str) and value.strip().isdecimal():
        with contextlib.suppress(ValueError):  # of thousands of digits: refused as any other text
            return int(value)
    return value


def _number(name: str, value: Any) -> float:
    try:
        return float(fraction(value))
    except ValueError:
        raise PolicyError(f"{name} is a number, not {shown(value)}") from None


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise PolicyError(f"{name} is true or false, not {shown(value)}")
    return bool(value == "true")
