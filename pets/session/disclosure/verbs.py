"""Verbs: what a custodian does about tables without noise: look at what follows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pets.common.arguments import plain_arguments
from pets.errors import UserError
from pets.protection.sdc import WIDTH
from pets.session.custody import Custody
from pets.session.disclosure.solving import check_engine

if TYPE_CHECKING:
    from pets.session.disclosure.attack import Attack


class DisclosureVerbs:
    """Of a custodian: what follows of tables without noise."""

    _custody: Custody

    @plain_arguments(UserError, "attack", "write attack(seconds=60)")
    def attack(self, *, width: int = WIDTH, seconds: float = 60) -> Attack:
        """What can be derived today of all releases of the dataset without noise: totals, the grid, rounded tables.

        No row is read: it finds what whoever has all releases can find. Each small number of people that can be
        derived more closely than ``width`` whole numbers beside the true one is named, with the numbers that it is
        derived from. What is answered under differential privacy is not part of it.

        Args:
            width: of the promise that is looked at.
            seconds: for the search; what was not decided in time is said.
        """
        from pets.session.disclosure.attack import attack

        check_engine()
        return attack(self._custody, width=width, seconds=seconds)
