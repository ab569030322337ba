"""Fetching: the answer to a question that was left with a service, by the id of its job and of the kind that it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.errors import UserError, shown
from pets.release.bounding.rows_lost import RowsLost
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.release.rounded.rounded_table import RoundedTable
from pets.service.client import reading, synthesis
from pets.service.client.custodian_verbs import snapshots
from pets.service.client.jobs import Pending, kind_of
from pets.service.client.training import Training


class Fetching(Training):
    """The part of a connection that fetches what was asked before, there or in another notebook."""

    @plain_arguments(UserError, "fetch", "write fetch('the job's id')")
    def fetch(self, id: str, *, wait: bool = True) -> Any:
        """The answer to a question that was left with the service, by the id that it was left under.

        It is of the kind that was asked for (a release or several, keys, rows lost, a synthetic table, a network),
        signed, and one's own; which question it answers is not compared with what was asked, but stands in it
        (``query``, ``settings``). With ``wait=False`` a :class:`~pets.service.client.jobs.Pending`, which says its
        state.

        Raises:
            UserError: for an id that is none of this project's; and what the question's own verb raises.
        """
        if not isinstance(id, str) or not id:
            raise UserError(f"an answer is fetched by the id of its question, such as 'f3a9…', not by {shown(id)}")
        if not isinstance(wait, bool):
            raise UserError(f"wait must be True or False, not {shown(wait)}")
        pending: Pending = Pending(self._jobs.look(id), self._jobs, self._fetched)
        return pending.result() if wait else pending

    def _fetched(self, reply: Json) -> Any:
        readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
            "release": ("releases", self._fetched_releases),
            "dummy": ("releases", reading.invented),
            "group_keys": ("keys", partial(reading.keys, ReleasedKeys, key=self.key, own=self._own)),
            "top_keys": ("top", partial(reading.keys, TopKeys, key=self.key, own=self._own)),
            "rows_lost": ("rows_lost", self._fetched_rows),
            "synthesise": ("synthetic", lambda form: synthesis.synthetic(form, self.key, self._own)),
            "train": ("trained", partial(reading.network, key=self.key, own=self._own)),
            "refresh": ("snapshots", snapshots),
        }
        name, read = readers.get(kind_of(reply), ("", self._fetched_releases))
        if name not in reply:
            raise reading.another()
        return read(reply[name])

    def _fetched_rows(self, form: Any) -> RowsLost:
        return self._remembered(RowsLost(reading.answers([form], self.key, self._own)[0]))

    def _fetched_releases(self, forms: Any) -> Release | RoundedTable | list[Release] | list[RoundedTable]:
        if reading.are_rounded(forms):
            tables = reading.tables(forms, self.key, self._own)
            return tables[0] if len(tables) == 1 else tables
        found = [self._beside(one) for one in reading.answers(forms, self.key, self._own)]
        return found[0] if len(found) == 1 else found
