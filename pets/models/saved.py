"""Saved: the canonical form of a fit, which is its model and its release; every number follows from these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pets.common.codec import Json
from pets.errors import PetsError
from pets.models import saving
from pets.models.model import Model
from pets.models.reading.other_names import OtherNames
from pets.release.release import Release

VERSION = 1


class Saved(OtherNames):
    """What is written of a fit, and read again.

    Attributes:
        form: what it is called in its canonical form.
        called: what it is called in a sentence, with its article.
    """

    form: ClassVar[str] = ""
    called: ClassVar[str] = ""
    model: Model[Any]
    release: Release

    @property
    def answers(self) -> tuple[Release, ...]:
        """The one release that it follows from."""
        return (self.release,)

    @property
    def guarantee(self) -> str:
        """What its release promises."""
        return self.release.guarantee

    @classmethod
    def _made(cls, model: Any, release: Release) -> Self:
        """The fit of these two; raises :class:`PetsError` where they do not belong together."""
        raise NotImplementedError

    def to_json(self) -> Json:
        """The canonical form: the model and the release; every number follows from them."""
        return {"pets": self.form, "version": VERSION, "model": self.model.to_json(), "release": self.release.to_json()}

    @classmethod
    def from_json(cls, form: Mapping[str, Any] | str | bytes) -> Self:
        """The fit whose canonical form this is; raises :class:`UserError` for one that was edited, or is none."""
        try:
            given = json.loads(form) if isinstance(form, (str, bytes)) else form
            if given["pets"] != cls.form or given["version"] != VERSION or len(given) != 4:
                raise ValueError("another form")
            return cls._made(given["model"], Release.from_json(given["release"]))
        except (PetsError, LookupError, TypeError, ValueError, AttributeError):
            raise saving.broken(form, cls.form, cls.called) from None

    def save(self, path: str | Path) -> Path:
        """Write :meth:`to_json` to a file; :meth:`load` reads it. What ``pets verify`` checks is ``release.save(…)``.

        Raises:
            UserError: where the path cannot be written.
        """
        return saving.save(self.to_json(), path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read one that was saved; raises :class:`UserError` when it is missing, was edited, or is none."""
        return cls.from_json(saving.load(path))
