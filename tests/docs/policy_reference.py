"""The reference of every setting of a site's policy, made from the classes that hold them."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from inspect import cleandoc
from typing import Any

from pets.federated.site.policy import SitePolicy, TableRule, Totals
from tests.docs.markdown import cell, table

PARTS = (
    ("### The policy", SitePolicy),
    ("### Under `tables`, for each table's name", TableRule),
    ("### Under `totals`", Totals),
)

OPENING = """\
## A site's policy

What a site of a [federation](federated.md) lets others ask: `policy.yaml`, a file that the site owns. What it does not
list is refused, and so is a name that is no setting.
"""


def meanings(kind: type) -> dict[str, str]:
    """By setting, what its class says of it under "Attributes"."""
    attributes = cleandoc(kind.__doc__ or "").split("Attributes:\n")[1]
    entries = re.split(r"^ {4}(?=[a-z_]+: )", attributes, flags=re.MULTILINE)[1:]
    pairs = (entry.partition(": ") for entry in entries)
    return {name: " ".join(text.replace("``", "`").split()) for name, _, text in pairs}


def default(one: Any) -> str:
    """What holds where a setting is left out."""
    if one.default_factory is not MISSING:
        return "no table" if one.name == "tables" else "as below"
    value = one.default
    if value is None:
        return "(none)"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def section() -> str:
    """The whole section."""
    out = [OPENING]
    for title, kind in PARTS:
        said = meanings(kind)
        rows = [[f"`{one.name}`", cell(said[one.name]), default(one)] for one in fields(kind)]
        out.append(f"{title}\n\n{table(['setting', 'what it says', 'left out'], rows)}")
    return "\n".join(out)
