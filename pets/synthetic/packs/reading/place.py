"""The files of a pack, and where in them an error stands: ``my_pack/visits.yaml:12``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pets.common.yamlfile import Lines
from pets.common.yamlfile import read as read_yaml
from pets.errors import PackError, SchemaError, did_you_mean, shown
from pets.schema.settings import Part
from pets.synthetic.packs import grammar

MAX_BYTES = 2_000_000
"""Of one file of a pack."""


class PackFile:
    """One file of a pack; raises :class:`SchemaError` where it cannot be read.

    Attributes:
        label: the folder's name and the file's.
        tree: what stands in it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.label = f"{folder.resolve().name}/{name}"
        path = folder / name
        if not path.is_file():
            what = "write it" if name == "pack.yaml" else "write it, or take it out of the pack's 'parts'"
            raise PackError(f"{self.label}: there is no such file; {what}")
        try:
            if path.stat().st_size > MAX_BYTES:
                raise SchemaError(f"the file has more than {MAX_BYTES:,} bytes; divide it into several parts")
            self.tree: Any = read_yaml(path, "pack")[0]
        except SchemaError as error:
            found = re.fullmatch(r"(?:\S+, )?line (\d+): (.*)", str(error), re.DOTALL)
            where, said = (f"{self.label}:{found[1]}", found[2]) if found else (self.label, str(error))
            raise PackError(f"{where}: {said}") from None

    def place(self, parent: Any, key: str) -> str:
        """Where an entry stands."""
        line = parent.at.get(key) if isinstance(parent, Lines) else None
        return f"{self.label}:{line}" if line else self.label

    @contextmanager
    def at(self, parent: Any = None, key: str = "") -> Iterator[None]:
        """Errors inside are of this entry, unless they name a place of their own."""
        try:
            yield
        except PackError:
            raise
        except SchemaError as error:
            raise PackError(f"{self.place(parent, key)}: {error}") from None

    def mapping(self, value: object, part: Part, parent: Any = None, key: str = "") -> Mapping[str, Any]:
        """The value, where it is a mapping of the part's settings; any other name is refused at its line."""
        for name in value if isinstance(value, Mapping) else ():
            with self.at(value, name):
                if name not in part.names:
                    raise SchemaError(f"{shown(name)} is not a setting of {part.what}{did_you_mean(name, part.names)}")
        with self.at(parent, key):
            return grammar.mapping(value, part)

    def entries(self, section: str) -> Iterator[tuple[Mapping[str, Any], str, Any]]:
        """The named entries of a section, each with the mapping that it stands in."""
        with self.at(self.tree, section):
            given = grammar.named(self.tree.get(section), repr(section))
        for name, form in given.items():
            yield given, name, form
