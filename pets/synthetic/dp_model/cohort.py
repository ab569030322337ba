"""Cohort: people as the rows of a model, whose columns are the features of a question about them.

Which people are in and what their features may be is public, as are the codes that the question's condition leaves: a
slot that nobody who meets it can be in gets no rows, whatever noise it got.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pets.errors import UserError
from pets.plan.plan import make_plan
from pets.plan.predicate import AllOf, AnyOf, Codes, Predicate, Range, overlap, union
from pets.query_model.aggregate import count
from pets.query_model.query import Query
from pets.schema.domain import Category, Domain, Identifier
from pets.schema.schema import Schema
from pets.schema.text_column import Text
from pets.synthetic.dp_model.columns import Modelled, cut


def plain_cohort(cohort: Query) -> Query:
    """The question, if its people can be rows; raises :class:`UserError` with the remedy where they cannot."""
    if cohort.people is None:
        raise UserError(
            f"a synthetic table is of a whole table or of people; write table={cohort.table!r}, or "
            f"table=pets.people(n=pets.events({cohort.table!r}).count(max=9)).where(…)"
        )
    if cohort.aggregates or cohort.keys:
        raise UserError(
            "a synthetic table of people has their features as columns, and no groups or measures; leave group_by and "
            "agg out of the question"
        )
    return cohort.shown_as(None)


def features(
    cohort: Query, schema: Schema, columns: Sequence[str] | None = None, bins: Mapping[str, object] | None = None
) -> tuple[Modelled, ...]:
    """The columns of people that a model can hold, each with its slots.

    Args:
        cohort: who the people are, and their features.
        schema: of the tables that these read.
        columns: which; left out, the features and the computed columns. Those of the person table can be listed, too.
        bins: as for a table (:func:`pets.synthetic.dp_model.columns.modelled`).

    Raises:
        QueryError: where the question cannot be asked.
        UserError: naming the column and the remedy.
    """
    assert cohort.people is not None
    plan = make_plan(cohort.agg(people=count()), schema)
    made = [name for name, _ in (*cohort.people.features, *cohort.derived)]
    fields = {name: _plain(domain) if name in made else domain for name, domain in plan.fields.items()}
    usual = made or [name for name, domain in fields.items() if not isinstance(domain, (Identifier, Text))]
    left = _left(plan.where)
    found = tuple(replace(one, codes=left.get(one.name)) for one in cut(fields, "people", usual, columns, bins))
    for one in found:
        if not one.size:
            raise UserError(f"nobody can meet the condition, for it leaves no value of {one.name!r}; change it")
    return found


def _plain(domain: Domain) -> Domain:
    """A feature's own values: one that was read of a look-up is a value like any other."""
    if not isinstance(domain, Category) or domain.lookup is None:
        return domain
    twin = copy.copy(domain)
    object.__setattr__(twin, "lookup", None)
    return twin


def _left(where: Predicate | None) -> dict[str, tuple[Range, ...]]:
    """The codes of each column that everybody who meets a condition has, where it bounds the column by itself."""
    if isinstance(where, Codes):
        return {where.column: where.ranges}
    if isinstance(where, AnyOf):  # a column is bounded that every term bounds
        several = [_left(term) for term in where.terms]
        always = set[str]().union(*several).intersection(*several)
        return {name: union(one[name] for one in several) for name in sorted(always)}
    found: dict[str, tuple[Range, ...]] = {}
    for term in where.terms if isinstance(where, AllOf) else ():
        for name, ranges in _left(term).items():
            found[name] = overlap(found[name], ranges) if name in found else ranges
    return found
