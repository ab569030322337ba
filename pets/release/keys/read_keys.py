"""Read released keys of whatever kind a file holds."""

from __future__ import annotations

import json
from pathlib import Path

from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.sealed_keys import SealedKeys
from pets.release.keys.top_keys import TopKeys


def read_keys(path: str | Path) -> SealedKeys:
    """The keys that were saved there; raises :class:`UserError` as :meth:`SealedKeys.load`."""
    try:
        form = json.loads(Path(path).read_bytes())
        kind = form.get("pets") if isinstance(form, dict) else None
    except (OSError, TypeError, ValueError, RecursionError):
        kind = None  # refused below, in words
    return TopKeys.load(path) if kind == TopKeys.FORM else ReleasedKeys.load(path)
