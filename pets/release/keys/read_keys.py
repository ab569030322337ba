"""Read keys of whatever kind a file holds: released ones, or a list."""

from __future__ import annotations

import json
from pathlib import Path

from pets.query_model.group_keys import KeySet
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys


def read_keys(path: str | Path) -> KeySet:
    """The keys that were saved there; raises :class:`UserError` as :meth:`SealedKeys.load`."""
    try:
        form = json.loads(Path(path).read_bytes())
        names = form if isinstance(form, dict) else {}
    except (OSError, TypeError, ValueError, RecursionError):
        names = {}  # refused below, in words
    if set(names) == {"columns", "rows"}:
        return KeySet.from_json(names)
    return TopKeys.load(path) if names.get("pets") == TopKeys.FORM else ReleasedKeys.load(path)
