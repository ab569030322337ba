"""Book: what each release without noise says of its people, as intervals of whole numbers; and what it says besides.

What is released under differential privacy is no part of it. A table that is a sum of the grid's shown cells says
nothing that the grid does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pets.common.codec import Json, digest
from pets.common.integers import Ints, array_of
from pets.errors import PetsError
from pets.plan.plan import Plan, make_plan
from pets.protection.rounding import Rounding
from pets.query_model.query import Query
from pets.schema.schema import Schema
from pets.sdc.counted import beyond, counts_of, population, unfit

EXACT, GRID, REVIEWED, UNTOLD = "release", "grid", "reviewed", "untold"
SUMS = ("rounded", "federated-contribution")
"""What may be made of the shown cells of a grid, which it then names: a site's part of rounded counts, too."""


@dataclass(frozen=True)
class Told:
    """One release without noise.

    Attributes:
        number: its place among them, from 1 on, by which sentences name it; 0: of a grid that has not left yet.
        id, snapshot, at: its public name, that of the rows that it counts, and when it left.
        kind: what form it has; :data:`UNTOLD`: it has not left, and what was found of it is taken for told.
        plan: what was counted; ``None``: it is no table of counts.
        rule: how its counts are shown; ``None``: as they are.
        low, high: of each block of counts, in the order of :func:`pets.sdc.counted.counts_of`, what each cell's number
            is known to lie between.
        besides: what it tells that these do not hold, as the end of a sentence; ``None``: nothing.
    """

    number: int
    id: str
    snapshot: str
    at: str
    kind: str
    plan: Plan | None
    rule: Rounding | None = None
    low: tuple[Ints, ...] = field(default=(), repr=False)
    high: tuple[Ints, ...] = field(default=(), repr=False)
    besides: str | None = None

    @property
    def people(self) -> str | None:
        """Whose people it counts, as one text; ``None``: nobody's that atoms stand for."""
        return None if self.plan is None else whose(self.plan)

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        if self.kind == UNTOLD:
            return f"request {self.id}, which has not left,"
        return f"release {self.number}" if self.number else "the new grid"


@dataclass(frozen=True)
class Book:
    """All releases of a dataset without noise.

    Attributes:
        entries: those that say something, oldest first.
        head: a digest of all of them; it changes with each release.
    """

    entries: tuple[Told, ...]
    head: str

    def of(self, people: str) -> list[Told]:
        """The tables of one population."""
        return [one for one in self.entries if one.people == people]

    def with_untold(self, tables: Iterable[Told]) -> Book:
        """The book as it would be if these tables had left, too."""
        return replace(self, entries=(*self.entries, *tables))

    def and_grid(self, plan: Plan, snapshot: str, rule: Rounding, shown: Ints) -> Book:
        """The book as it would be with a grid that has not left yet."""
        told = Told(0, "", snapshot, "", GRID, None)
        if (why := unfit(plan)) is not None:
            return replace(self, entries=(*self.entries, replace(told, besides=why)))
        low, high = rule.interval(shown)
        told = replace(told, plan=plan, rule=rule, low=(low,), high=(high,), besides=beyond(plan))
        return replace(self, entries=(*self.entries, told))

    @property
    def populations(self) -> list[str]:
        """Each population that a table counts."""
        return list(dict.fromkeys(one.people for one in self.entries if one.people is not None))

    def besides(self, people: str) -> list[str]:
        """What the tables of a population do not hold, a sentence each: while there is any, nothing is proved of it."""
        out = []
        for one in self.entries:
            if one.people == people and one.besides is not None:
                out.append(f"{one.name} is not compared in full: {one.besides}")
            elif one.people != people:
                why = one.besides or "it counts other people, who may be the same"
                out.append(f"{one.name} is not compared: {why}")
        return out


def whose(plan: Plan) -> str:
    """Whose people a plan counts, as one text; plans of another schema have no atoms in common with it."""
    return digest([plan.schema_digest, population(plan)])


def book_of(stored: Iterable[bytes | Told | None]) -> Book:
    """The book of what a ledger holds of each release without a finite guarantee, oldest first.

    One that was started and is not sealed stands as what it can have told at most; ``None``: that is not known.
    """
    bodies = list(stored)
    entries, seen = list[Told](), set[str]()
    for body in bodies:
        if body is None:
            why = "it was started and not sealed, so what left of it is not known"
            entries.append(Told(len(entries) + 1, "", "", "", "", None, besides=why))
            continue
        if isinstance(body, Told):
            entries.append(replace(body, number=len(entries) + 1))
            continue
        form = json.loads(body)
        if form.get("pets") in SUMS and dict(form.get("grid") or {}).get("id") in seen:
            continue
        told = _told(form, len(entries) + 1)
        seen.add(told.id)
        entries.append(told)
    return Book(tuple(entries), digest([_head(body) for body in bodies]))


def _head(body: bytes | Told | None) -> str | None:
    if isinstance(body, Told):
        return digest(["pets.unsealed", body.id])
    return None if body is None else digest(json.loads(body))


def _told(form: Json, number: int) -> Told:
    kind = str(form.get("pets"))
    name, snapshot, at = (str(form.get(part, "")) for part in ("id", "snapshot", "issued_at"))
    bare = Told(number, name, snapshot, at, kind, None)
    if kind not in (EXACT, GRID, REVIEWED):
        return replace(bare, besides=f"it is no table of counts ({kind})")
    try:
        plan = make_plan(Query.from_json(form["query"]), Schema.from_json(form["schema"]))
        if (why := unfit(plan)) is not None:
            return replace(bare, besides=why)
        rule, low, high = _ends(plan, form, kind)
    except (LookupError, TypeError, ValueError, PetsError):
        # it was made by another version of pets: it stays in the book as something that is not compared
        return replace(bare, besides="it cannot be read as a table any more")
    return replace(bare, plan=plan, rule=rule, low=tuple(low), high=tuple(high), besides=beyond(plan))


def _ends(plan: Plan, form: Json, kind: str) -> tuple[Rounding | None, list[Ints], list[Ints]]:
    counts = counts_of(plan)
    if kind == EXACT:
        values = array_of(form["values"])
        exact = [one.of(plan, values) for one in counts]
        return None, exact, exact
    rule = Rounding.from_json(form["rule"])
    return rule, *rounded_ends(plan, rule, [form["shown"]] * len(counts) if kind == GRID else _shown(plan, form))


def _shown(plan: Plan, form: Json) -> list[list[int]]:
    """Of each block of counts, what each cell shows, of the counts of each output."""
    pairs = zip(plan.outputs, form["shown"], strict=True)
    shown = dict(one for output, several in pairs for one in zip(output.parts, several, strict=True))
    return [shown[one.measure] for one in counts_of(plan)]


def rounded_ends(plan: Plan, rule: Rounding, shown: Iterable[Any]) -> tuple[list[Ints], list[Ints]]:
    """Of each block of counts, as it is shown, what each cell's number is known to lie between; else ``ValueError``."""
    ends = [rule.interval(array_of(one)) for one in shown]
    if any(len(low) != plan.groups * one.width for one, (low, _) in zip(counts_of(plan), ends, strict=True)):
        raise ValueError("another form")
    return [low for low, _ in ends], [high for _, high in ends]
