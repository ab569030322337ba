"""Saving: a fit's canonical form in a file."""

from __future__ import annotations

from pathlib import Path

from pets.common.codec import Json, canonical
from pets.common.files import reading, replace_file, writing
from pets.errors import UserError


def broken() -> UserError:
    """Why a form is no fit."""
    return UserError("this is not a fit as pets wrote it: it was edited or damaged; ask for the original file")


def save(form: Json, path: str | Path) -> Path:
    """Write a form to a file; raises :class:`UserError` where the path cannot be written."""
    with writing("the fit", path, "fit.json"):
        target = Path(path)
        replace_file(target, canonical(form))
    return target


def load(path: str | Path) -> bytes:
    """What a file holds; raises :class:`UserError` when it cannot be read."""
    with reading("the fit", path, "fit.json"):
        return Path(path).read_bytes()
