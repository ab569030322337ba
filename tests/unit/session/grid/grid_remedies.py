"""Refusals of a grid and of what is asked of it, and their remedies."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pets
from pets import col
from pets.session.disclosure import solving
from pets.session.grid import naming
from tests.checked_tables import searched_here
from tests.grids import BUDGET, GRID, HES, POLICY, ROWS, SCHEMA, T, opened
from tests.remedies import Case

N = T.group_by("sex").agg(n=pets.count())


def named(query: Any = GRID, protection: Any = HES, *, confirm: str | None = None, **more: Any) -> Any:
    return lambda: opened(**more).name_grid(query, protection, confirm=confirm)


def asked(query: Any = N, protection: Any = HES, **more: Any) -> Any:
    def ask() -> object:
        session = opened()
        session.name_grid(GRID, HES)
        return session.release(query, protection, **more)

    return ask


def averaged() -> object:
    table: Any = asked(T.group_by("sex", col("age").bins([0, 65, 99], "age")).agg(n=pets.count()))()
    return table.averages("age")


def again(query: Any = GRID, *, looked: bool = False, **more: Any) -> Any:
    """The tables are refreshed between two calls; ``looked``: and what follows of both is looked at."""

    def ask() -> object:
        session = opened()
        session.name_grid(GRID, HES)
        session.refresh()
        if not looked:
            return session.name_grid(query, HES, **more)
        with mock.patch.object(solving, "_replies", searched_here):
            word = session.compare_grid(query, HES, seconds=0).word
        return session.name_grid(query, HES, confirm=word, **more)

    return ask


def overtaken(*, looked: bool = False) -> Any:
    """Everybody's number leaves while the grid is named; ``looked``: and then it is looked at."""

    def ask() -> object:
        session = opened(policy=pets.Policy(sdc=("hes",), allow_unbounded=True))
        true = naming.confirmed

        def late(*given: Any) -> str:
            said = true(*given)
            session.release(T.agg(n=pets.count()), pets.Total())
            return said

        if not looked:
            with mock.patch.object(naming, "confirmed", late):
                return session.name_grid(GRID, HES)
        session.release(T.agg(n=pets.count()), pets.Total())
        with mock.patch.object(solving, "_replies", searched_here):
            word = session.compare_grid(GRID, HES, seconds=0).word
        return session.name_grid(GRID, HES, confirm=word)

    return ask


def second(query: Any) -> Any:
    def ask() -> object:
        session = opened()
        session.name_grid(GRID, HES)
        return session.name_grid(query, HES)

    return ask


def approved(first: bool) -> Any:
    """A custodian whose policy asks for approvals; the grid is named before that, or not."""

    def ask(folder: Path) -> object:
        given: dict[str, Any] = {"ledger": folder / "ledger.db", "budget": BUDGET, "progress": False}
        held = pets.Policy(sdc=("hes",), approval="before")
        if first:
            pets.Custodian(SCHEMA, ROWS, policy=POLICY, snapshots=folder, **given).name_grid(GRID, HES)
            return pets.Custodian(SCHEMA, None, policy=held, snapshots=folder, **given)
        return pets.Custodian(SCHEMA, ROWS, policy=held, **given).name_grid(GRID, HES)

    return ask


def invented(named_there: bool) -> Any:
    def ask() -> object:
        dummy = opened().dummy()
        dummy.custody.like = None  # as a connection to a service makes them
        if named_there:
            dummy.name_grid(GRID, HES)
        return dummy.release(N, HES)

    return ask


RULES = [
    Case(named(policy=pets.Policy(sdc=("hes",), sdc_atoms=10)), "use coarser bins or fewer columns",
         named(T.group_by("sex", "region").agg(n=pets.count()), policy=pets.Policy(sdc=("hes",), sdc_atoms=10))),
    Case(approved(False), "open the data once with a policy without approval=", approved(True)),
    Case(second(N), "release from that one", asked()),
    Case(again(), "name_grid(…, anew=True, confirm='…')", again(anew=True, looked=True)),
    Case(again(anew=True), "name_grid(…, confirm='…')", again(anew=True, looked=True)),
    Case(named(confirm="0123456789ab"), "write the word that it ends with", named()),
    Case(named(protection=pets.DP(epsilon=1)), "such as pets.SDC('hes')", named()),
    Case(lambda: opened().release(N, HES), "custodian.name_grid(", asked()),
    Case(asked(again=True), "leave again=True out", asked()),
    Case(asked(pets.sql("SELECT sex, COUNT(*) AS n FROM p GROUP BY sex ORDER BY n LIMIT 1", SCHEMA)),
         "leave out HAVING, ORDER BY and LIMIT",
         asked(pets.sql("SELECT sex, COUNT(*) AS n FROM p GROUP BY sex", SCHEMA))),
    Case(asked(protection=pets.SDC("midpoint6")), "ask with pets.SDC(preset='hes')", asked()),
    Case(invented(False), "session.name_grid(", invented(True)),
    # the grid's own, and the policy's
    Case(asked(T.where(col("age") > 20).agg(n=pets.count())), "filter by whole steps",
         asked(T.where(col("age") >= 18).agg(n=pets.count()))),
    Case(asked(T.agg(m=pets.mean("age"))), "table.averages('age')", averaged),
    Case(asked(T.agg(m=pets.mean("age"))), "ask for this with pets.DP(epsilon=…)",
         lambda: opened().release(T.agg(m=pets.mean("age")), pets.DP(epsilon=1))),
    Case(named(protection=pets.SDC("strict_10")), "release with pets.SDC('hes')", named()),
    Case(overtaken(), "print(custodian.compare_grid(…)), and write the word that it ends with", overtaken(looked=True)),
]  # fmt: skip
