"""Linear: the model of a straight line, in the terms of a question: what explains what, in which rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, digest
from pets.errors import QueryError, shown
from pets.models.formula import Terms, parsed
from pets.query_model.nodes.design import Moments
from pets.query_model.query import Query
from pets.schema.domain import Boolean, Category
from pets.schema.schema import Schema

VERSION = 1
NAME = "fit"
"""What the sums are called in the answer to the model's question."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Linear:
    """A straight line: an outcome as a sum of terms, each times a coefficient, and an intercept.

    Attributes:
        data: the question that chooses the rows and computes columns; it has no measure and no groups of its own.
        outcome: a number, or a boolean (1 where it is true).
        terms: columns of each term; fewer first.
        levels: columns of which the formula says that they are categories.
    """

    data: Query
    outcome: str
    terms: Terms
    levels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.data, Query) or self.data.aggregates or self.data.keys or self.data.keyset is not None:
            raise QueryError(
                "a model's data is the name of a table, or a question about rows without measures and groups, such as "
                "pets.query('stays').where(pets.col('age') >= 18)"
            )
        made = self._sums(self.terms)
        terms = tuple(sorted(made.terms, key=len))
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "data", self.data.shown_as(None))
        given: Any = self.levels if isinstance(self.levels, (tuple, list)) else (self.levels,)
        named = [name for name in given if name not in made.columns or name == self.outcome]
        if named:
            raise QueryError(f"{shown(named[0])} is to be a category, and in no term of the model; leave it out")
        object.__setattr__(self, "levels", tuple(sorted(set(given))))

    def _sums(self, terms: Any) -> Moments:
        return Moments(terms=terms, outcome=self.outcome)

    @cached_property
    def query(self) -> Query:
        """The question whose answer the model is fitted to: one list of sums, whatever protects it."""
        return self.data.agg(**{NAME: self._sums(self.terms)})

    @property
    def formula(self) -> str:
        """The formula.

        >>> linear("y ~ b * a", data="t").formula
        'y ~ b + a + a:b'
        """
        terms = [
            ":".join(f"C({_name(name)})" if name in self.levels else _name(name) for name in term)
            for term in self.terms
        ]
        return f"{_name(self.outcome)} ~ {' + '.join(terms)}"

    def check(self, schema: Schema) -> None:
        """Refuse ``C()`` of what has no listed values; raises :class:`QueryError`."""
        from pets.plan.plan import make_plan

        fields = make_plan(self.query, schema).fields
        for name in self.levels:
            if not isinstance(fields[name], (Category, Boolean)):
                raise QueryError(
                    f"C({name}) is of a category or a boolean, and column {name!r} holds {fields[name].describe()}; "
                    "take C() off, or declare a category of its groups in the schema"
                )

    def to_json(self) -> Json:
        """The canonical form."""
        sums = self._sums(self.terms).to_json()
        form: Json = {"model": "linear", "version": VERSION, "terms": sums["terms"], "outcome": sums["outcome"]}
        form |= {"levels": [{"column": name} for name in self.levels]} if self.levels else {}
        return form | {"data": {name: part for name, part in self.data.to_json().items() if name != "agg"}}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())

    @classmethod
    def from_json(cls, form: Any) -> Linear:
        """The model whose canonical form this is; raises :class:`QueryError` for anything else."""
        try:
            if form["model"] != "linear" or form["version"] != VERSION:
                raise ValueError("another model")
            made = cls(
                Query.from_json({**form["data"], "agg": []}),
                form["outcome"]["column"],
                tuple(tuple(one["column"] for one in term) for term in form["terms"]),
                tuple(one["column"] for one in form.get("levels", ())),
            )
            if made.to_json() != form:
                raise ValueError("not canonical")
        except (LookupError, TypeError, ValueError, AttributeError):
            raise QueryError(
                "this is no model of a straight line as pets writes it; build it with pets.linear"
            ) from None
        return made


def _name(column: str) -> str:
    return column if column.replace(".", "_").isidentifier() else f"`{column}`"


@plain_arguments(QueryError, "linear", "write pets.linear('cost ~ age + sex', data='stays')")
def linear(formula: str, terms: Sequence[str] | None = None, *, data: str | Query) -> Linear:
    """The model of a straight line, for :meth:`pets.Session.fit`. Nothing is read, and no code is run.

    >>> linear("cost ~ age + C(region)", data="stays") == linear("cost", ["age", "region"], data="stays")
    False
    >>> linear("cost ~ age + region", data="stays") == linear("cost", ["age", "region"], data="stays")
    True

    Args:
        formula: such as ``"cost ~ age + sex * C(region)"``: columns, ``C(column)`` for a category or a boolean, ``:``
            for a product, ``*`` for a product with its parts. Needs the extra ``models``. With ``terms``, the outcome.
        terms: the columns that explain it, in place of a formula.
        data: the table, or a question that chooses rows and computes columns, such as
            ``pets.query("stays").where(pets.col("age") >= 18)`` or ``pets.people(…)``.

    Raises:
        QueryError: for a formula that has more than that, with what to write in its place.
    """
    asked = Query(data) if isinstance(data, str) else data
    if terms is None:
        found = parsed(formula)
        return Linear(asked, found.outcome, found.terms, found.levels)
    if isinstance(terms, (str, bytes, Mapping)) or not isinstance(terms, Sequence):
        raise QueryError(f"terms is a list of columns, such as ['age', 'sex'], not {shown(terms)}")
    return Linear(asked, formula, tuple((name,) for name in terms))
