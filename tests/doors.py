"""What tests of the door share: people by day, a grid that knows no days, and tables outside it that wait."""

from __future__ import annotations

from typing import Any

import pets
from pets.errors import HeldError
from pets.session.disclosure.finding import Finding
from tests.checked_tables import N, T, between, of_days, opened

HES = pets.SDC("hes")
OPEN: dict[str, Any] = {"sdc": ("hes",), "sdc_review": "always", "sdc_filters": "any", "allow_unbounded": True}
GRID = T.group_by("sex", "region").agg(n=N)
DAYS = [5, 3, 40, 9, 12, 0, 22]


def kept(days: list[int] | None = None, more: dict[str, Any] | None = None, **given: Any) -> pets.Custodian:
    """A custodian of so many people a day, whose grid is named."""
    custodian = opened(of_days(DAYS if days is None else days), policy=pets.Policy(**OPEN | (more or {})), **given)
    custodian.name_grid(GRID, HES)
    return custodian


def days(first: int, last: int) -> pets.Query:
    """How many people came on these days."""
    return T.where(between(first, last)).agg(n=N)


def asked(custodian: pets.Custodian, query: pets.Query, analyst: str = "ann", project: str = "default") -> str:
    """A table is asked for, and waits; gives its request."""
    try:
        custodian.session(analyst=analyst, project=project).release(query, HES)
    except HeldError as held:
        return str(held).partition("(request ")[2].rstrip(")")
    raise AssertionError("it does not wait")


def let_out(custodian: pets.Custodian, query: pets.Query, analyst: str = "ann", **more: Any) -> Finding:
    """A table is asked for, looked at, and let out on somebody's word, whatever was found."""
    request = asked(custodian, query, analyst)
    found = custodian.look(request)
    custodian.approve(request, by="jo", finding=found.digest, **{"anyway": "a test wants it"} | more)
    return found
