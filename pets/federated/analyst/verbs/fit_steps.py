"""Fit steps: how a model asks a federation, one question after the other, once every site has room for the whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from pets.dp.calibrate import target_units
from pets.errors import PetsError, ReleaseFailedError, UserError
from pets.federated.messages.roster import Roster
from pets.protection.budget import UNIT, Cost, described
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema
from pets.session.fitting.steps import WITHOUT_AGAIN, no_room
from pets.session.quoting.quote import Remaining


class FitSteps:
    """The questions of one fit, or of one training, to a federation; each is an entry of its own at every site.

    One that was answered before costs nothing, so what was broken off goes on where it was, at no second charge: the
    answers are kept here, and no site is asked again.

    Args:
        ask: gives the answer to one question.
        lefts: what is left at each site, as far as sites tell.
        known: whether the answer to a question was paid for before.
        called: what is done, in a word.
        again: whether all of it is asked anew, though it may have been paid for.
    """

    def __init__(
        self,
        schema: Schema,
        roster: Roster,
        ask: Callable[[Query, Protection], Release],
        lefts: Callable[[], Mapping[str, Remaining]],
        known: Callable[[Query, Protection], bool],
        called: str = "fit",
        again: bool = False,
    ) -> None:
        self.schema, self._roster, self._ask, self._lefts = schema, roster, ask, lefts
        self._known, self._called, self._again, self._answered = known, called, again, 0

    def rho(self, protection: DP) -> float:
        """The ρ that a protection means in the sites' accounts."""
        return self.units(protection) / UNIT

    def units(self, protection: DP) -> int:
        """The most that a question under a protection may cost a site, in its account's units."""
        return target_units(protection, self._roster.currency, self._roster.delta)

    def known(self, query: Query, protection: Protection) -> bool:
        """Whether the answer to a question was paid for before."""
        return self._known(query, protection)

    def check(self, query: Query, rest: Sequence[Protection], *, begun: bool = False) -> None:
        """As :class:`pets.models.model.Ask` says, for each site that tells what it has left."""
        if self._roster.members[0].data == "dummy":  # (which pays nothing)
            return
        cost = Cost(self._roster.currency, sum(self.units(one) for one in rest if isinstance(one, DP)))
        for name, remaining in self._lefts().items():
            if not cost.fits(remaining.left) and not self._known(query, rest[0]):
                asked, spare = (described(one, self._roster.delta)[0] for one in (cost, remaining.left))
                raise no_room(
                    len(rest), asked, f"site {name!r}", spare, begun=begun, called=self._called, again=self._again
                )

    def __call__(self, query: Query, protection: Protection) -> Release:
        """The answer to a question.

        Raises:
            PetsError: as the question alone would; where others were answered before, with what stays charged. Ctrl-C
                says it, too.
        """
        try:
            release = self._ask(query, protection)
        except KeyboardInterrupt:
            asked = "1 answer is" if self._answered == 1 else f"{self._answered:,} answers are"
            more = "what the question under way cost may stay charged"
            print(f"Stopped: {asked} kept, and {more}; {self._goes_on}.", file=sys.stderr)
            raise
        except (UserError, ReleaseFailedError) as error:
            raise self._going_on(error) from None
        self._answered += 1
        return release

    def _going_on(self, error: PetsError) -> PetsError:
        """The same error, with what stays charged of what came before, and how it goes on."""
        if not self._answered:
            return error
        before = "1 question" if self._answered == 1 else f"{self._answered:,} questions"
        return type(error)(
            f"{str(error).rstrip('.')}; before it, {before} of this {self._called} had been answered, and what that "
            f"cost stays charged; once this is mended, {self._goes_on}"
        )

    @property
    def _goes_on(self) -> str:
        anew = WITHOUT_AGAIN if self._again else ""
        return (
            f"the same {self._called} of this federation{anew} goes on from there, and none of them is paid for again"
        )
