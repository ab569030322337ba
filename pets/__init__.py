"""pets: privacy-enhancing technologies for people who hold, or want to learn from, sensitive records.

One query runs unchanged on dummy data, on real rows under differential privacy, on encrypted values and across sites;
every answer that leaves is bounded, paid for and logged. Begin with :class:`Schema`, :func:`query` and
:class:`Session`; ``pets --help`` is the same on a command line.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pets.common.version import __version__ as __version__
from pets.query_model import aggregate as _aggregate
from pets.query_model.aggregate import *  # noqa: F403 (every aggregate's name; a question loads them all anyway)
from pets.query_model.query import Query, people, query

if TYPE_CHECKING:
    from pets.errors import PetsError, UserError
    from pets.federated.analyst.federation import Federation
    from pets.ledger.ledger import Ledger
    from pets.models.glm.regressions import logistic, poisson
    from pets.models.linear import linear
    from pets.models.load import load
    from pets.models.survival.cox import cox
    from pets.models.survival.kaplan_meier import kaplan_meier
    from pets.models.survival.log_rank import log_rank
    from pets.protection.budget import Budget
    from pets.protection.policy import Policy
    from pets.protection.protection import DP, Exact, Total
    from pets.protection.sdc import SDC
    from pets.query_model.columns import col, max_of, min_of
    from pets.query_model.features import case
    from pets.query_model.group_keys import KeySet
    from pets.query_model.people import events
    from pets.query_model.sql.reading import sql
    from pets.query_model.trained.network import classifier, network
    from pets.release.release import Release
    from pets.schema.schema import (
        Boolean,
        Category,
        Date,
        DateTime,
        Identifier,
        Integer,
        Lookup,
        Real,
        Schema,
        Table,
        Text,
        Time,
        Unit,
    )
    from pets.service.client.connect import connect
    from pets.session.custodian import Custodian
    from pets.session.explain import explain
    from pets.session.quoting.quote import Quote, Remaining
    from pets.session.session import Session
    from pets.synthetic.assess.run import assess
    from pets.synthetic.dummy import dummy

_HOMES = {
    "col": "query_model.columns",
    "max_of": "query_model.columns",
    "min_of": "query_model.columns",
    "case": "query_model.features",
    "KeySet": "query_model.group_keys",
    "events": "query_model.people",
    "sql": "query_model.sql.reading",
    "Schema": "schema.schema",
    "Table": "schema.schema",
    "Unit": "schema.schema",
    "Category": "schema.schema",
    "Integer": "schema.schema",
    "Real": "schema.schema",
    "Date": "schema.schema",
    "DateTime": "schema.schema",
    "Time": "schema.schema",
    "Boolean": "schema.schema",
    "Text": "schema.schema",
    "Identifier": "schema.schema",
    "Lookup": "schema.schema",
    "Budget": "protection.budget",
    "DP": "protection.protection",
    "Exact": "protection.protection",
    "Total": "protection.protection",
    "SDC": "protection.sdc",
    "Policy": "protection.policy",
    "Session": "session.session",
    "Custodian": "session.custodian",
    "connect": "service.client.connect",
    "dummy": "synthetic.dummy",
    "Federation": "federated.analyst.federation",
    "Ledger": "ledger.ledger",
    "Quote": "session.quoting.quote",
    "Remaining": "session.quoting.quote",
    "Release": "release.release",
    "linear": "models.linear",
    "load": "models.load",
    "classifier": "query_model.trained.network",
    "network": "query_model.trained.network",
    "cox": "models.survival.cox",
    "kaplan_meier": "models.survival.kaplan_meier",
    "log_rank": "models.survival.log_rank",
    "logistic": "models.glm.regressions",
    "poisson": "models.glm.regressions",
    "assess": "synthetic.assess.run",
    "explain": "session.explain",
    "PetsError": "errors",
    "UserError": "errors",
}

# what `from pets import *` brings: all but sum, which would take the place of Python's own
__all__ = [
    "query",
    "people",
    "events",
    "case",
    "Query",
    "col",
    "max_of",
    "min_of",
]
__all__ += _aggregate.__all__
__all__.remove("sum")
__all__ += [
    "KeySet",
    "sql",
    "Schema",
    "Table",
    "Unit",
    "Category",
    "Integer",
    "Real",
    "Date",
    "DateTime",
    "Time",
    "Boolean",
    "Text",
    "Identifier",
    "Lookup",
    "Budget",
    "DP",
    "Exact",
    "Total",
    "SDC",
    "Policy",
    "Session",
    "Custodian",
    "connect",
    "dummy",
    "Federation",
    "Ledger",
    "Quote",
    "Remaining",
    "Release",
    "linear",
    "classifier",
    "network",
    "cox",
    "kaplan_meier",
    "log_rank",
    "logistic",
    "poisson",
    "load",
    "assess",
    "explain",
    "PetsError",
    "UserError",
]


def __getattr__(name: str) -> Any:
    """Names are loaded when first used, so that ``import pets`` loads no engine."""
    if name in _HOMES:
        value = getattr(importlib.import_module(f"pets.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    if name in ("testing", "errors", "he", "federated", "service", "sdc"):
        return importlib.import_module(f"pets.{name}")
    from pets.errors import NoSuchNameError, did_you_mean

    raise NoSuchNameError(f"pets has no {name!r}{did_you_mean(name, __dir__())}")


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext pets`` in a notebook: the cell magic ``%%pets``, which asks a session in SQL."""
    importlib.import_module("pets.cli.notebook.magic").register(shell)


def __dir__() -> list[str]:
    return sorted({*__all__, "sum"})
