"""Disclosure control: what may be derived of tables that left without noise, proved or shown.

:func:`check` looks at tables that others made; releases of one's own are asked for with :class:`pets.SDC`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pets.sdc.tables.checking import check
    from pets.sdc.tables.findings import Finding, Verdict
    from pets.sdc.tables.result import TableCheck

_HOMES = {
    "check": "tables.checking",
    "TableCheck": "tables.result",
    "Finding": "tables.findings",
    "Verdict": "tables.findings",
}
__all__ = ["check", "TableCheck", "Finding", "Verdict"]


def __getattr__(name: str) -> Any:
    """Names are loaded when first used, so that importing the package loads no solver."""
    if name in _HOMES:
        value = getattr(importlib.import_module(f"pets.sdc.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"pets.sdc has no {name!r}; there are: {', '.join(__all__)}")
