"""The engines that must all give the same answer: a new one is one more entry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from pets.query_model.query import Query
from pets.schema.schema import Schema
from pets.testing import exact

Engine = Callable[[Schema, Any, Query], pd.DataFrame]

ENGINES: dict[str, Engine] = {
    "duckdb": partial(exact, engine="duckdb"),
    "polars": partial(exact, engine="polars"),
    "encrypted": partial(exact, engine="encrypted", parties=3),
}

WAYS = ("masked", "encrypted", "local")
FEDERATED: dict[str, Engine] = {
    f"federated({sites}), {secure}": partial(exact, engine="federated", sites=sites, secure=secure)
    for sites in (3, 5)
    for secure in WAYS
}
"""Each answer opens several sites with a ledger each, so the generative suite gives them fewer examples."""

ALL = ENGINES | FEDERATED
