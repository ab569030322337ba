"""Saved: the canonical form of a fit, which is its model and its release; every number follows from these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pets.common.codec import Json
from pets.errors import PetsError
from pets.models import saving
from pets.models.margins.together import together
from pets.models.model import Model
from pets.models.reading.other_names import OtherNames
from pets.release.release import Release

VERSION = 1


class Saved(OtherNames):
    """What is written of a fit, and read again.

    Attributes:
        form: what it is called in its canonical form.
        called: what it is called in a sentence, with its article.
        also: the names of further releases that it may be made of.
    """

    form: ClassVar[str] = ""
    called: ClassVar[str] = ""
    also: ClassVar[tuple[str, ...]] = ()
    model: Model[Any]
    release: Release

    @property
    def answers(self) -> tuple[Release, ...]:
        """The releases that it follows from."""
        further = (getattr(self, name) for name in self.also)
        return (self.release, *(one for one in further if one is not None))

    @property
    def guarantee(self) -> str:
        """What all its releases promise together."""
        return together(self.answers)

    @classmethod
    def _made(cls, model: Any, release: Release, **also: Release) -> Self:
        """The fit of these; raises :class:`PetsError` where they do not belong together."""
        raise NotImplementedError

    def to_json(self) -> Json:
        """The canonical form: the model and the release; every number follows from them."""
        form: Json = {"pets": self.form, "version": VERSION, "model": self.model.to_json()}
        names = [name for name in ("release", *self.also) if getattr(self, name) is not None]
        return form | {name: getattr(self, name).to_json() for name in names}

    @classmethod
    def from_json(cls, form: Mapping[str, Any] | str | bytes) -> Self:
        """The fit whose canonical form this is; raises :class:`UserError` for one that was edited, or is none."""
        try:
            given = json.loads(form) if isinstance(form, (str, bytes)) else form
            also = {name: Release.from_json(given[name]) for name in cls.also if name in given}
            if given["pets"] != cls.form or given["version"] != VERSION or len(given) != 4 + len(also):
                raise ValueError("another form")
            return cls._made(given["model"], Release.from_json(given["release"]), **also)
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
