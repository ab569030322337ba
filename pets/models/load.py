"""Load: whatever pets saved of an answer, a fit or a network, by what its file says that it is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from pets.common.arguments import plain_arguments
from pets.errors import UserError
from pets.models import saving


@plain_arguments(UserError, "load", "write pets.load('fit.json')")
def load(path: str | Path) -> Any:
    """What ``save`` wrote: a fit of any kind, a trained network or a release; and the quiz of a lesson.

    Each has its own ``load``, too. No code is run: the file is JSON, and every number of a fit is worked out anew. For
    tables and lists of keys, use ``load`` of what they were.

    Raises:
        UserError: for a file that is missing, was edited, or is none of these.
    """
    kind = saving.kind_of(saving.load(path))
    if kind is None:
        raise UserError(
            "this is no fit, network or release as pets wrote it: it was edited or damaged, or is something else; ask "
            "for the original file"
        )
    module, name, _ = saving.SAVED[kind]
    return getattr(import_module(module), name).load(path)
