"""Steps of a fit: how a model asks a session, one question after the other, once the whole of it is known to fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pets.dp.calibrate import target_units
from pets.errors import BudgetError
from pets.protection.budget import UNIT, Budget, Cost
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema


@dataclass(frozen=True)
class Steps:
    """The questions of one fit to a session.

    A question that was paid for before costs nothing, so a fit that was broken off goes on where it was.

    Attributes:
        schema: what the tables are.
        budget: of the account.
        ask: gives the answer to one question.
        left: what the account has room for now; ``None`` where nothing is charged.
        known: whether the answer to a question was paid for before.
        again: whether all of it is asked anew, though it may have been paid for.
    """

    schema: Schema
    budget: Budget
    ask: Callable[[Query, Protection], Release]
    left: Callable[[], Cost] | None
    known: Callable[[Query, Protection], bool]
    again: bool = False

    def rho(self, protection: DP) -> float:
        """The ρ that a protection means in the account."""
        return rho_of(self.budget, protection)

    def check(self, query: Query, rest: Sequence[Protection], *, begun: bool = False) -> None:
        """As :class:`pets.models.model.Ask` says."""
        if self.left is None:
            return
        cost = Cost(self.budget.currency, sum(units_of(self.budget, one) for one in rest if isinstance(one, DP)))
        left = self.left()
        if cost.fits(left) or self.known(query, rest[0]):
            return
        asked, spare = (self.budget.describe(one)[0] for one in (cost, left))
        raise no_room(len(rest), asked, "the account", spare, begun=begun, again=self.again)

    def __call__(self, query: Query, protection: Protection) -> Release:
        """The answer to a question."""
        return self.ask(query, protection)


def rho_of(budget: Budget, protection: DP) -> float:
    """The ρ that a protection means in an account with this budget."""
    return units_of(budget, protection) / UNIT


def units_of(budget: Budget, protection: DP) -> int:
    """The most that a question under a protection may cost, in the account's units."""
    return target_units(protection, budget.currency, budget.conversion_delta)


WITHOUT_AGAIN = ", without again=True,"
"""How something that was asked anew goes on: asked anew once more, it would be paid for from its start."""


def no_room(
    questions: int, asked: float, where: str, spare: float, *, begun: bool, called: str = "fit", again: bool = False
) -> BudgetError:
    """Why a fit does not begin, or go on: what its questions cost, as ε, and what there is room for."""
    anew = WITHOUT_AGAIN if again else ""
    going_on = f"what was asked stays charged, and the same {called}{anew} goes on once there is room"
    left = "that are left " if begun else ""
    return BudgetError(
        f"the {questions} questions of this {called} {left}would cost ε = {asked:.4g} together "
        f"and {where} has room for ε = {spare:.4g}; "
        f"{going_on if begun else 'nothing was spent; ask with a smaller epsilon'}"
    )
