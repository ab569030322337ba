"""Regression: a model of what explains what, in which rows, in the terms of a question; its kind says how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from pets.common.codec import Json
from pets.errors import QueryError, shown
from pets.models.formula import Terms, parsed
from pets.models.model import Model, R_co, check_rows
from pets.query_model.nodes.design import Moments
from pets.query_model.query import Query
from pets.schema.domain import Boolean, Category
from pets.schema.schema import Schema

VERSION = 1
NAME = "fit"
"""What the sums are called in the answer to the model's question."""

_KINDS: dict[str, type[Regression[Any]]] = {}


@dataclass(frozen=True)
class Regression(Model[R_co]):
    """An outcome that a sum of terms explains, each times a coefficient, and an intercept.

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
    kind: ClassVar[str] = ""
    called: ClassVar[str] = ""
    """What it is called in a sentence, with its article."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        _KINDS[cls.kind] = cls

    def __post_init__(self) -> None:
        data = check_rows(self.data)
        made = self._sums(self.terms)
        terms = tuple(sorted(made.terms, key=len))
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "data", data.shown_as(None))
        given: Any = self.levels if isinstance(self.levels, (tuple, list)) else (self.levels,)
        named = [name for name in given if name not in made.columns or name == self.outcome]
        if named:
            raise QueryError(f"{shown(named[0])} is to be a category, and in no term of the model; leave it out")
        object.__setattr__(self, "levels", tuple(sorted(set(given))))

    def _sums(self, terms: Any) -> Moments:
        return Moments(terms=terms, outcome=self.outcome)

    @classmethod
    def _more(cls, form: Any) -> dict[str, Any]:
        """What a canonical form has beside the attributes of every kind."""
        return {}

    @cached_property
    def query(self) -> Query:
        """The question whose answer the model is fitted to: one list of sums, whatever protects it."""
        return self.data.agg(**{NAME: self._sums(self.terms)})

    @property
    def formula(self) -> str:
        """The formula.

        >>> from pets.models.linear import linear
        >>> linear("y ~ b * a", data="t").formula
        'y ~ b + a + a:b'
        """
        return f"{_name(self.outcome)} ~ {formula_of(self.terms, self.levels)}"

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
        form: Json = {"model": self.kind, "version": VERSION, "terms": sums["terms"], "outcome": sums["outcome"]}
        form |= {"levels": [{"column": name} for name in self.levels]} if self.levels else {}
        return form | {"data": {name: part for name, part in self.data.to_json().items() if name != "agg"}}

    @classmethod
    def from_json(cls, form: Any) -> Self:
        """The model whose canonical form this is; raises :class:`QueryError` for anything else."""
        try:
            if form["model"] != cls.kind or form["version"] != VERSION:
                raise ValueError("another model")
            made = cls(
                Query.from_json({**form["data"], "agg": []}),
                form["outcome"]["column"],
                tuple(tuple(one["column"] for one in term) for term in form["terms"]),
                tuple(one["column"] for one in form.get("levels", ())),
                **cls._more(form),
            )
            if made.to_json() != form:
                raise ValueError("not canonical")
        except (LookupError, TypeError, ValueError, AttributeError):
            raise QueryError(
                f"this is no model of {cls.called} as pets writes it; build it with pets.{cls.kind}"
            ) from None
        return made


def regression_of(form: Any) -> Regression[Any]:
    """The regression, of whatever kind, whose canonical form this is; raises :class:`QueryError` for anything else."""
    try:
        found = _KINDS[form["model"]]
    except (LookupError, TypeError):
        raise QueryError("this is no model as pets writes it; build it with pets.linear") from None
    return found.from_json(form)


def parts(formula: str, terms: Any, data: Any) -> tuple[Query, str, Terms, tuple[str, ...]]:
    """The data, outcome, terms and levels that a formula, or an outcome and a list of columns, says."""
    asked = Query(data) if isinstance(data, str) else data
    if terms is None:
        found = parsed(formula)
        return asked, found.outcome, found.terms, found.levels
    if isinstance(terms, (str, bytes, Mapping)) or not isinstance(terms, Sequence):
        raise QueryError(f"terms is a list of columns, such as ['age', 'sex'], not {shown(terms)}")
    return asked, formula, tuple((name,) for name in terms), ()


def formula_of(terms: Terms, levels: Sequence[str]) -> str:
    """What stands right of ``~``."""
    named = (":".join(f"C({_name(name)})" if name in levels else _name(name) for name in term) for term in terms)
    return " + ".join(named)


def _name(column: str) -> str:
    return column if column.replace(".", "_").isidentifier() else f"`{column}`"
