"""Federated queries: many sites, one answer, no site revealed.

The protocol is bytes in and bytes out (:mod:`pets.federated.message`, :mod:`~pets.federated.coordinator`,
:mod:`~pets.federated.site`); a transport carries the bytes and is trusted with nothing. Begin with
:class:`pets.Federation`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pets.federated.federation import Federation
    from pets.federated.models import glm, kaplan_meier
    from pets.federated.remote import connect
    from pets.federated.roster import Member, Roster
    from pets.federated.site import Site
    from pets.federated.sitepolicy import SitePolicy, TableRule, Totals

_HOMES = {
    "Federation": "federation",
    "Member": "roster",
    "Roster": "roster",
    "Site": "site",
    "SitePolicy": "sitepolicy",
    "TableRule": "sitepolicy",
    "glm": "models",
    "kaplan_meier": "models",
    "Totals": "sitepolicy",
    "connect": "remote",
}
__all__ = [
    "Federation",
    "Member",
    "Roster",
    "Site",
    "SitePolicy",
    "TableRule",
    "Totals",
    "connect",
    "glm",
    "kaplan_meier",
]


def __getattr__(name: str) -> Any:
    """Names are loaded when first used, so that importing the package loads no engine."""
    if name in _HOMES:
        value = getattr(importlib.import_module(f"pets.federated.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"pets.federated has no {name!r}; there are: {', '.join(__all__)}")
