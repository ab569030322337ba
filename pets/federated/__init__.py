"""Federated queries: many sites, one answer, no site revealed.

The protocol is bytes in and bytes out (:mod:`pets.federated.messages.message`,
:mod:`~pets.federated.query_round.coordinator`, :mod:`~pets.federated.site.site`); a transport carries the bytes and is
trusted with nothing. Begin with :class:`pets.Federation`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pets.federated.analyst.federation import Federation
    from pets.federated.analyst.models import glm, kaplan_meier
    from pets.federated.analyst.sharing import check_sharing
    from pets.federated.deployment.remote import connect
    from pets.federated.messages.roster import Member, Roster
    from pets.federated.site.policy import SitePolicy, TableRule, Totals
    from pets.federated.site.site import Site

_HOMES = {
    "Federation": "analyst.federation",
    "Member": "messages.roster",
    "Roster": "messages.roster",
    "Site": "site.site",
    "SitePolicy": "site.policy",
    "TableRule": "site.policy",
    "glm": "analyst.models",
    "kaplan_meier": "analyst.models",
    "Totals": "site.policy",
    "check_sharing": "analyst.sharing",
    "connect": "deployment.remote",
}
__all__ = [
    "Federation",
    "Member",
    "Roster",
    "Site",
    "SitePolicy",
    "TableRule",
    "Totals",
    "check_sharing",
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
