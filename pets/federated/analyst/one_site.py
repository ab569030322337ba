"""What one site releases and a federation does not: keys by a threshold, and groups by noise on unseen counts."""

from __future__ import annotations

from typing import NoReturn

from pets.errors import UserError


class OneSite:
    """The part of :class:`pets.Federation` that refuses, with the reason and what to ask instead."""

    def group_keys(self, *_: object, **__: object) -> NoReturn:
        """Not over several sites: always refused, with the reason and what to ask instead.

        Raises:
            UserError: in every case.
        """
        raise UserError(
            "keys that nobody listed are released by one site's threshold, not by a federation's: adding up unlisted "
            "keys over sites needs a secure union, which pets has not; have a site release its own with "
            "session.group_keys(…), at its own cost, and group by them over all sites, or list the keys in a KeySet"
        )

    quote_keys = group_keys

    def top_keys(self, *_: object, **__: object) -> NoReturn:
        """Not over several sites, masked or encrypted: always refused, with the reason and what to ask instead.

        Raises:
            UserError: in every case.
        """
        raise UserError(
            "groups are chosen by noise on counts that nobody sees, and a federation's counts are opened once each "
            "site has added its own: what is opened would be the counts; release the counts of all groups over the "
            "sites and take the greatest of the answer's table, or have a site choose with session.top_keys(…)"
        )

    quote_top_keys = top_keys
