"""YAML and JSON files whose every entry remembers its line, and whose every scalar is the text that was written.

YAML's own guesses are wrong for data: ``NO`` would become false and ``[0-10)`` a list. Here a scalar is always text;
whoever reads it knows which kind it must be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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


def read(path: str | Path, what: str = "schema") -> tuple[Any, str]:
    """The parsed file and its short name; raises :class:`SchemaError` with the line where it cannot be read."""
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
    return parse(text, file.name), file.name


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


def parse(text: str, name: str) -> Any:
    """Text to nested :class:`Lines`, lists and texts (``None`` for an empty or ``null`` plain scalar).

    libyaml reads it, in a twentieth of the time; what it refuses, or may read otherwise, PyYAML reads, which also has
    the words of every refusal (:func:`carefully`).
    """
    if yaml.__with_libyaml__ and not _OTHERWISE.search(text):
        try:
            return _quickly(text)
        except (yaml.YAMLError, _Unsure):
            pass
    return carefully(text, name)


class _Unsure(Exception):
    """PyYAML is to say what is meant, or why it is refused."""


_OTHERWISE = re.compile("[\\t\\x85\\u2028\\u2029\\ufeff]|[|>][-+0-9]*#")
"""What libyaml takes for a blank, a break or a comment where PyYAML takes it for something else."""

_DEEP = 60
"""Levels that nothing reaches which pets reads: whether a file is nested too deeply, PyYAML says."""


def _quickly(text: str) -> Any:
    """As :func:`carefully`, from libyaml's events."""
    loader = yaml.CSafeLoader(text)
    try:
        take: Callable[[], Any] = loader.get_event
        take()  # the stream's beginning
        event = take()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        if event.version is not None or event.tags:
            raise _Unsure
        tree = _part(take(), take, 0, in_flow=False)
        take()  # the document's end
        if not isinstance(take(), yaml.StreamEndEvent):
            raise _Unsure
        return tree
    finally:
        loader.dispose()


def _part(event: Any, take: Callable[[], Any], depth: int, *, in_flow: bool) -> Any:
    kind = type(event)
    if kind is yaml.AliasEvent or event.tag is not None or depth > _DEEP:
        raise _Unsure
    if kind is yaml.ScalarEvent:
        value = event.value
        if event.style:
            return value
        if in_flow and "?" in value:  # here PyYAML ends a plain scalar, and libyaml does not
            raise _Unsure
        return None if value in ("", "~", "null") else value
    in_flow = bool(event.flow_style)
    if kind is yaml.SequenceStartEvent:
        found = []
        while type(item := take()) is not yaml.SequenceEndEvent:
            found.append(_part(item, take, depth + 1, in_flow=in_flow))
        return found
    out = Lines()
    while type(key := take()) is not yaml.MappingEndEvent:
        if type(key) is not yaml.ScalarEvent or key.tag is not None or key.value in out:
            raise _Unsure
        if in_flow and not key.style and "?" in key.value:
            raise _Unsure
        begins: Any = key.start_mark
        out.at[key.value] = begins.line + 1
        out[key.value] = _part(take(), take, depth + 1, in_flow=in_flow)
    return out


def carefully(text: str, name: str) -> Any:
    """What :func:`parse` gives, as PyYAML reads it."""
    try:
        return _build(yaml.compose(text, Loader=_Loader), name)
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
