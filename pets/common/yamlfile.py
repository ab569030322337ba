"""YAML and JSON files whose every entry remembers its line, and whose every scalar is the text that was written.

YAML's own guesses are wrong for data: ``NO`` would become false and ``[0-10)`` a list. Here a scalar is always text;
whoever reads it knows which kind it must be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pets.errors import SchemaError, UserError, shown

DOCUMENTATION = "# TODO: from documentation, not from the rows"
CONFIRM = "# TODO: confirm, guessed from the file"
"""The marks of a draft: a file with one of them is not read."""


class Lines(dict[str, Any]):
    """A mapping that knows the line of each of its keys."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, int] = {}


def read(path: str | Path, what: str = "schema", *, own: bool = False) -> tuple[Any, str]:
    """The parsed file and its short name; raises :class:`SchemaError` with the line where it cannot be read.

    ``own``: a file of pets itself, which the tests know that libyaml reads as PyYAML does, in a tenth of the time.
    """
    try:
        file = Path(path)
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise SchemaError(f"the {what} file {_path(path)} does not exist; check the path") from None
    except (OSError, TypeError, ValueError):  # ValueError: bytes that are no UTF-8, or a path that no system allows
        raise SchemaError(f"the {what} file {_path(path)} cannot be read as UTF-8 text; check the path") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if mark := next((mark for mark in (DOCUMENTATION, CONFIRM) if mark in line), None):
            raise SchemaError(
                f"{file.name}, line {number}: this {what} is a draft; check the line against the documentation, fill "
                f"it in, and delete its mark ({mark})"
            )
    return parse(text, file.name, own=own), file.name


def _path(path: object) -> str:
    text = str(path) if isinstance(path, Path) else path
    return repr(text) if isinstance(text, str) and len(text) <= 200 else shown(text)


_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq", "int", "float", "bool", "null")}


class _Loader(yaml.SafeLoader):
    """No aliases: a few lines of them could stand for more entries than memory holds. No tags: they ask for code."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One entry of the file."""
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1
            raise SchemaError(f"line {line}: a YAML alias (*name) is not read here; write the part out")
        tag = getattr(self.peek_event(), "tag", None)  # type: ignore[no-untyped-call]
        if tag is not None and tag not in _TAGS:
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise SchemaError(f"line {line}: a YAML tag (!name) is not read here; write the plain value")
        return super().compose_node(parent, index)


def parse(text: str, name: str, *, own: bool = False) -> Any:
    """Text to nested :class:`Lines`, lists and texts (``None`` for an empty or ``null`` plain scalar)."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader if own and yaml.__with_libyaml__ else _Loader)
        return _build(node, name)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}, line {mark.line + 1}" if mark is not None else name
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise SchemaError(f"{where}: this is not valid YAML ({problem})") from None
    except RecursionError:
        raise SchemaError(f"{name}: entries are nested too deeply") from None


def _build(node: yaml.Node | None, name: str) -> Any:
    if node is None:
        return None
    if isinstance(node, yaml.ScalarNode):
        plain_null = not node.style and node.value in ("", "~", "null")
        return None if plain_null else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, name) for item in node.value]
    out = Lines()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise SchemaError(f"{name}, line {line}: a key must be a plain text")
        if key.value in out:
            raise SchemaError(f"{name}, line {line}: {shown(key.value)} is given twice; keep one")
        out.at[key.value] = line
        out[key.value] = _build(value, name)
    return out


class Place:
    """Where in a file an error happened: turns a plain error into one that names file and line."""

    def __init__(self, name: str) -> None:
        self.name = name

    def error(self, error: UserError, parent: Any, key: str) -> SchemaError:
        """The same message, preceded by file and line when they are known (and only once)."""
        text = str(error)
        if self.name and text.startswith(f"{self.name}, line"):
            return SchemaError(text)
        line = parent.at.get(key) if isinstance(parent, Lines) else None
        return SchemaError(f"{self.name}, line {line}: {text}" if line else text)
