"""Fit steps: how a model asks a federation, one question after the other, once every site has room for the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pets.dp.calibrate import target_units
from pets.federated.messages.roster import Roster
from pets.protection.budget import UNIT, Cost, described
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema
from pets.session.fitting.steps import no_room
from pets.session.quoting.quote import Remaining


class FitSteps:
    """The questions of one fit to a federation; each is an entry of its own at every site.

    Args:
        ask: gives the answer to one question.
        lefts: what is left at each site, as far as sites tell.
        known: whether the answer to a question was paid for before.
    """

    def __init__(
        self,
        schema: Schema,
        roster: Roster,
        ask: Callable[[Query, Protection], Release],
        lefts: Callable[[], Mapping[str, Remaining]],
        known: Callable[[Query, Protection], bool],
    ) -> None:
        self.schema, self._roster, self._ask, self._lefts = schema, roster, ask, lefts
        self._known = known

    def rho(self, protection: DP) -> float:
        """The ρ that a protection means in the sites' accounts."""
        return self._units(protection) / UNIT

    def _units(self, protection: DP) -> int:
        return target_units(protection, self._roster.currency, self._roster.delta)

    def check(self, query: Query, rest: Sequence[Protection], *, begun: bool = False) -> None:
        """As :class:`pets.models.model.Ask` says, for each site that tells what it has left."""
        if self._roster.members[0].data == "dummy":  # (which pays nothing)
            return
        cost = Cost(self._roster.currency, sum(self._units(one) for one in rest if isinstance(one, DP)))
        for name, remaining in self._lefts().items():
            if not cost.fits(remaining.left) and not self._known(query, rest[0]):
                asked, spare = (described(one, self._roster.delta)[0] for one in (cost, remaining.left))
                raise no_room(len(rest), asked, f"site {name!r}", spare, begun=begun)

    def __call__(self, query: Query, protection: Protection) -> Release:
        """The answer to a question."""
        return self._ask(query, protection)
