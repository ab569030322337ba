"""Verbs: what a custodian does about tables outside the grid that somebody asks for: look at what they would tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pets.common.arguments import plain_arguments
from pets.errors import UserError
from pets.session.custody import Custody
from pets.session.disclosure.solving import check_engine

if TYPE_CHECKING:
    from pets.session.disclosure.finding import Finding


class DoorVerbs:
    """Of a custodian: tables outside the grid."""

    _custody: Custody

    @plain_arguments(UserError, "look", "write look('the id')")
    def look(self, request: str) -> Finding:
        """What a table outside the grid that somebody asks for would tell, beside all that left before without noise.

        The table is counted and rounded here; whether each small sum of people stays open is then looked for in a
        process of its own, for ``sdc_seconds`` of the policy, from what was told and these shown numbers alone. What
        is found is kept for the custodian alone, and nobody else is told that anybody looked. A decision names its
        digest; where anything leaves or is refused meanwhile, or the rows change, it must be looked at once more.

        Args:
            request: the id, as :meth:`pets.Custodian.reviews` lists it.

        Raises:
            NotFoundError: where no such request is held.
            UserError: it is for another kind of answer, or was made under another schema.
            ReleaseFailedError: the table could not be counted; the incident tells why.
        """
        from pets.session.door.checking import examined
        from pets.session.door.door import requested

        check_engine()
        return examined(self._custody, requested(self._custody, request))
