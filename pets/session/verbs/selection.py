"""Selection verbs of a session: the k groups with most people or rows, chosen by noise, and the price of that."""

from __future__ import annotations

from pets.common.arguments import plain_arguments
from pets.dp.selection import TopNoise
from pets.errors import UserError
from pets.protection.protection import Protection
from pets.query_model.query import Query
from pets.release.keys.top_keys import TopKeys
from pets.session.verbs.asker import Asker, check_request

_WRITE = "write top_keys(query, 10, pets.DP(epsilon=0.5))"


class SelectionVerbs(Asker):
    """The part of :class:`pets.Session` that chooses groups."""

    @plain_arguments(UserError, "top_keys", _WRITE)
    def top_keys(
        self, query: Query, k: int, protection: Protection, *, again: bool = False, key: str | None = None
    ) -> TopKeys:
        """The k groups of a question with most people or rows: a key set, the greatest first, without the counts.

        The groups are listed (a category's values, or a KeySet), and noise on every count chooses: only which k they
        are leaves. So it costs the same for ten groups as for ten thousand, however many of them a person is in, and
        far less than all counts. Paid for once: the same question about the same snapshot costs nothing. Of keys that
        were released already, ``keys.top(k)`` is free; of values that nobody listed there is no top that protects
        anybody, but of the keys of enough people (:meth:`pets.Session.group_keys`).

        Args:
            query: one ``pets.count_units()`` or ``pets.count()``, grouped by columns as they are or by a KeySet.
            k: how many, fewer than there are groups.
            protection: ``pets.DP(epsilon=…)`` or ``pets.DP(rho=…)``.
            again: whether an equal question is to be answered, and charged, anew.
            key: names this request, as for :meth:`pets.Session.release`.

        Raises:
            QueryError, BudgetError, PolicyError: before any row is read; nothing is spent. In a ledger without a δ
                all counts are released instead.
            ReleaseFailedError: after the data was opened; the charge stands.
        """
        check_request(again, key)
        return self._top_keys(query, k, protection, again=again, key=key)

    @plain_arguments(UserError, "quote_top_keys", "write quote_top_keys(query, 10, pets.DP(epsilon=0.5))")
    def quote_top_keys(self, query: Query, k: int, protection: Protection) -> TopNoise:
        """The price of :meth:`top_keys`, and how far behind a group that is left out may be, before spending."""
        return self._top_terms(query, k, protection)[1]
