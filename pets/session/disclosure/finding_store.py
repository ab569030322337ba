"""Finding store: what was found of tables outside the grid, for the owner alone, beside the ledger's key.

A finding holds tables of people that agree with all that was released, and a table that nobody has let out: it is
never in the ledger's database nor in its log. Those of a ledger in memory die with it.
"""

from __future__ import annotations

import json
import re
from typing import Any
from weakref import WeakKeyDictionary

from pets.common.codec import canonical
from pets.common.files import replace_file
from pets.errors import LedgerError
from pets.ledger.ledger import Ledger

_NAME = re.compile(r"[0-9a-f]{32}")
_memory: WeakKeyDictionary[Ledger, dict[str, bytes]] = WeakKeyDictionary()


class FindingStore:
    """The newest finding about each request of a ledger; safe from threads and processes."""

    def __init__(self, ledger: Ledger) -> None:
        place = ledger.public_path
        self._ledger = ledger
        self._folder = None if place is None else place.with_name(f"{place.name.removesuffix('.pub')}.findings")

    def put(self, request: str, form: Any) -> None:
        """Keep a finding in place of the earlier one; raises :class:`LedgerError` where it cannot be written."""
        if self._folder is None:
            _memory.setdefault(self._ledger, {})[request] = canonical(form)
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._folder.chmod(0o700)
            replace_file(self._folder / f"{request}.json", canonical(form), owner_only=True)
        except OSError:
            raise LedgerError(
                f"the folder {str(self._folder)!r}, which keeps what was found of tables, cannot be written; look at "
                "its owner and at the space on its disk"
            ) from None

    def has(self, request: str) -> bool:
        """Whether anything was ever found of a request, whether or not it can be read."""
        if self._folder is None:
            return request in _memory.get(self._ledger, {})
        return _NAME.fullmatch(request) is not None and (self._folder / f"{request}.json").exists()

    def get(self, request: str) -> Any:
        """The form of the newest finding; ``None`` where there is none, or it cannot be read."""
        try:
            if self._folder is None:
                return json.loads(_memory.get(self._ledger, {})[request])
            return json.loads((self._folder / f"{request}.json").read_bytes()) if self.has(request) else None
        except (OSError, ValueError, KeyError, RecursionError):
            return None
