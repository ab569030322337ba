"""pets: privacy-enhancing technologies for people who hold, or want to learn from, sensitive records.

One query runs unchanged on dummy data, on real rows under differential privacy, on encrypted values and across sites;
every answer that leaves is bounded, paid for and logged. Begin with :class:`Schema`, :func:`query` and
:class:`Session`; ``pets --help`` is the same on a command line.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# eager, since loading the module `pets.query` later would put it in the place of the function of that name
from pets.query import Query, query

if TYPE_CHECKING:
    from pets.aggregate import count, count_units, histogram, mean, quantile, rate, sum, variance
    from pets.budget import Budget
    from pets.errors import PetsError, UserError
    from pets.expression import col
    from pets.federated.federation import Federation
    from pets.keyset import KeySet
    from pets.ledger.ledger import Ledger
    from pets.policy import Policy
    from pets.protection import DP, Exact, Total
    from pets.quote import Quote, Remaining
    from pets.release import Release
    from pets.schema import (
        Boolean,
        Category,
        Date,
        Identifier,
        Integer,
        Lookup,
        Real,
        Schema,
        Table,
        Unit,
    )
    from pets.session import Session
    from pets.synthetic.assess.run import assess
    from pets.synthetic.dummy import dummy

__version__ = "0.1.0"

_HOMES = {
    "col": "expression",
    "count": "aggregate",
    "count_units": "aggregate",
    "sum": "aggregate",
    "mean": "aggregate",
    "rate": "aggregate",
    "variance": "aggregate",
    "histogram": "aggregate",
    "quantile": "aggregate",
    "KeySet": "keyset",
    "Schema": "schema",
    "Table": "schema",
    "Unit": "schema",
    "Category": "schema",
    "Integer": "schema",
    "Real": "schema",
    "Date": "schema",
    "Boolean": "schema",
    "Identifier": "schema",
    "Lookup": "schema",
    "Budget": "budget",
    "DP": "protection",
    "Exact": "protection",
    "Total": "protection",
    "Policy": "policy",
    "Session": "session",
    "dummy": "synthetic.dummy",
    "Federation": "federated.federation",
    "Ledger": "ledger.ledger",
    "Quote": "quote",
    "Remaining": "quote",
    "Release": "release",
    "assess": "synthetic.assess.run",
    "PetsError": "errors",
    "UserError": "errors",
}

__all__ = [
    "query",
    "Query",
    "col",
    "count",
    "count_units",
    "sum",
    "mean",
    "rate",
    "variance",
    "histogram",
    "quantile",
    "KeySet",
    "Schema",
    "Table",
    "Unit",
    "Category",
    "Integer",
    "Real",
    "Date",
    "Boolean",
    "Identifier",
    "Lookup",
    "Budget",
    "DP",
    "Exact",
    "Total",
    "Policy",
    "Session",
    "dummy",
    "Federation",
    "Ledger",
    "Quote",
    "Remaining",
    "Release",
    "assess",
    "PetsError",
    "UserError",
]


def __getattr__(name: str) -> Any:
    """Names are loaded when first used, so that ``import pets`` loads no engine."""
    if name in _HOMES:
        value = getattr(importlib.import_module(f"pets.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    if name in ("testing", "errors", "he", "federated"):
        return importlib.import_module(f"pets.{name}")
    from pets.errors import did_you_mean

    raise AttributeError(f"pets has no {name!r}{did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
