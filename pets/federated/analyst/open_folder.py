"""Open folder: the questions of a federation that wait for their sites, one file each, good after any restart."""

from __future__ import annotations

import re
from pathlib import Path

from pets.common.codec import canonical
from pets.common.files import make_folder, replace_file
from pets.errors import UserError, shown
from pets.federated.analyst.open_question import OpenQuestion, load

_NAME = re.compile(r"[0-9a-f]{32}\.json")


class OpenFolder:
    """The questions under way, by their ids."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[OpenQuestion, ...]:
        """Every question, the oldest first."""
        if not self._folder.is_dir():
            return ()
        files = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        return tuple(sorted((self._read(path) for path in files), key=lambda one: (one.asked, one.id)))

    def get(self, number: str) -> OpenQuestion:
        """One question, by its id or the first digits of it; raises :class:`UserError` where there is none."""
        found = [one for one in self.all() if isinstance(number, str) and number and one.id.startswith(number)]
        if len(found) != 1:
            what = "several open questions begin" if found else "no open question begins"
            raise UserError(f"{what} with {shown(number)}; pets federation pending lists them")
        return found[0]

    def keep(self, question: OpenQuestion) -> None:
        """Write a question down, as far as it is."""
        try:
            make_folder(self._folder)
            replace_file(self._folder / f"{question.id}.json", canonical(question.to_json()), owner_only=True)
        except OSError as error:
            raise UserError(f"the question cannot be kept in {str(self._folder)!r} ({error.strerror})") from None

    def drop(self, question: OpenQuestion) -> None:
        """A question is over."""
        (self._folder / f"{question.id}.json").unlink(missing_ok=True)

    @staticmethod
    def _read(path: Path) -> OpenQuestion:
        try:
            return load(path.read_bytes())
        except OSError as error:
            raise UserError(f"{str(path)!r} cannot be read ({error.strerror})") from None
        except UserError as error:
            raise UserError(f"{str(path)!r}: {error}; restore it from your backup") from None
