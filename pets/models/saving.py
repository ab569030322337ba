"""Saving: a fit's canonical form in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pets.common.codec import Json, canonical
from pets.common.files import reading, replace_file, writing
from pets.errors import UserError

SAVED = {
    "fit": ("pets.models.fit", "Fit", "a straight line"),
    "glm fit": ("pets.models.glm.fit", "GlmFit", "a logistic or a Poisson regression"),
    "survival curves": ("pets.models.survival.curves", "Curves", "a survival curve"),
    "log-rank test": ("pets.models.survival.comparison", "Comparison", "a log-rank test"),
    "hazard ratios": ("pets.models.survival.hazards", "Hazards", "a Cox regression"),
    "margins": ("pets.models.margins.result", "Margins", "averages over people"),
    "trained": ("pets.models.trained", "Trained", "a trained network"),
    "trained over sites": (
        "pets.models.networks.over_sites",
        "TrainedOverSites",
        "a network of several sites",
    ),
    "release": ("pets.release.release", "Release", "a release"),
    "quiz": ("pets.service.client.lessons.quiz", "LessonQuiz", "a quiz"),  # where it is marked may be a service
}
"""By the name in its form: where what is saved is read, and what it is called, with its article."""

FITS = ("fit", "glm fit", "survival curves", "log-rank test", "hazard ratios", "margins")
"""Those of :data:`SAVED` that nobody signs: they follow from releases that are signed, each by itself."""

TABLE = "for its table write fit.table.to_csv('fit.csv')"


def kind_of(form: Any) -> str | None:
    """The name in a form of what pets saves, as :data:`SAVED` has it; ``None`` for anything else."""
    try:
        given = json.loads(form) if isinstance(form, (str, bytes)) else form
        name = given["pets"]
        return name if name in SAVED else None
    except (LookupError, TypeError, ValueError, RecursionError):
        return None


def broken(form: Any, own: str, called: str = "a fit") -> UserError:
    """Why a form is not what it was taken for.

    Args:
        own: the name of the form that was looked for.
        called: what that is, with its article.
    """
    kind = kind_of(form)
    if kind is not None and kind != own:
        return UserError(
            f"this is {SAVED[kind][2]}, and not {called}; read its file with pets.load, such as pets.load('fit.json')"
        )
    return UserError(f"this is not {called} as pets wrote it: it was edited or damaged; ask for the original file")


def save(form: Json, path: str | Path, the: str = "the fit", example: str = "fit.json", instead: str = TABLE) -> Path:
    """Write a form to a file; raises :class:`UserError` where the path does not end in ``.json``, or cannot be written.

    Args:
        the: what is written.
        example: a path that would do.
        instead: what to write where another kind of file was wanted.
    """
    with writing(the, path, example):
        target = Path(path)
        kept = target.suffix.lower() == ".json"
        if kept:
            replace_file(target, canonical(form))
    if not kept:
        raise UserError(f"{the} is saved as JSON, so its file's name ends in .json, such as {example!r}; {instead}")
    return target


def load(path: str | Path) -> bytes:
    """What a file holds; raises :class:`UserError` when it cannot be read."""
    with reading("the fit", path, "fit.json"):
        return Path(path).read_bytes()
