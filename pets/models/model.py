"""Model: what every fitted model has in common, whatever it explains: questions, a result, and a forecast of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, Self, TypeVar

from pets.common.codec import Json, digest
from pets.errors import QueryError
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

R_co = TypeVar("R_co", covariant=True)


class Ask(Protocol):
    """How a model asks: a question under a protection, answered by a session or by a federation."""

    @property
    def schema(self) -> Schema:
        """What the tables are."""

    def rho(self, protection: DP) -> float:
        """The ρ that a protection means in the account."""

    def check(self, query: Query, rest: Sequence[Protection], *, begun: bool = False) -> None:
        """Refuse to begin, or to go on, where the account has no room for all that is still to be asked.

        Args:
            query: the next question; where it was paid for before, nothing is refused.
            rest: the protections of it and of those that follow.
            begun: whether questions of the same fit were asked before.

        Raises:
            BudgetError: nothing more is spent.
        """

    def __call__(self, query: Query, protection: Protection) -> Release: ...


class Forecast(Protocol):
    """What a fit will be worth, before anything is spent and without reading a row."""

    @property
    def table(self) -> pd.DataFrame:
        """The expected standard errors, one row a term or time."""

    @property
    def lines(self) -> Sequence[str]:
        """The same in text, with what will not be estimable."""


def check_rows(data: object) -> Query:
    """The question that chooses a model's rows; raises :class:`QueryError` for what is none, or counts already."""
    if not isinstance(data, Query) or data.aggregates or data.keys or data.keyset is not None:
        raise QueryError(
            "a model's data is the name of a table, or a question about rows without measures and groups, such as "
            "pets.query('stays').where(pets.col('age') >= 18); the rows themselves go into pets.Session(schema, rows)"
        )
    return data


class Model(ABC, Generic[R_co]):
    """A model of rows, in the terms of a question. It holds no rows and no results."""

    several: ClassVar[bool] = False
    """Whether its intervals are right where a person has several rows."""

    @property
    @abstractmethod
    def query(self) -> Query:
        """The question that is asked first; those that follow are about the same rows."""

    @abstractmethod
    def to_json(self) -> Json:
        """The canonical form."""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())

    @abstractmethod
    def check(self, schema: Schema) -> None:
        """Refuse what has no meaning in this schema; raises :class:`pets.errors.QueryError`."""

    def settled(self, schema: Schema, protection: Protection) -> Self:
        """The model with what it left open settled, by public knowledge alone: nothing, unless its kind says more."""
        return self

    def questions(
        self, schema: Schema, protection: Protection, rho: Callable[[DP], float]
    ) -> tuple[tuple[Query, Protection], ...]:
        """What may be asked, each question in the form that needs most, with its own protection.

        Args:
            rho: the ρ that a protection means in the account.
        """
        return ((self.query, protection),)

    @abstractmethod
    def fitted(self, ask: Ask, protection: Protection) -> R_co:
        """The fit, of answers alone: whatever it holds keeps their guarantee."""

    @abstractmethod
    def forecast(self, schema: Schema, protection: Protection, budget: Budget) -> Forecast:
        """What :meth:`fitted` would be worth."""
