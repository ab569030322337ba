"""The parts of ``docs/architecture.md`` that are made from the code: its rooms, and what each module says it is."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.docs.markdown import cell, table, wrapped

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"


@cache
def contracts() -> list[dict[str, Any]]:
    """The contracts of import-linter."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["tool"]["importlinter"]["contracts"])


def rooms() -> list[list[str]]:
    """The rooms from the top of the house to its ground, as the first contract has them; those of one line together."""
    (order,) = (one["layers"] for one in contracts() if one.get("containers") == ["pets"])
    floors = [[name.strip(" ()") for name in re.split("[|:]", floor)] for floor in order]
    return [there for floor in floors if (there := [name for name in floor if home(name) is not None])]


def home(room: str) -> Path | None:
    """The file that says what a room is; none for a room that is not built."""
    files = (ROOT / "pets" / room / "__init__.py", ROOT / "pets" / f"{room}.py")
    return next((path for path in files if path.exists()), None)


def modules() -> Iterator[Path]:
    """Every module of pets, seen from the repository."""
    for path in sorted((ROOT / "pets").rglob("*.py")):
        yield path.relative_to(ROOT)


def says(path: Path) -> str:
    """The first paragraph of a module's docstring, as Markdown."""
    text = ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8"))) or ""
    text = re.sub(r":\w+:`~?\.?([^`]*)`", r"`\1`", text.partition("\n\n")[0])
    return cell(text.replace("``", "`"))


def rooms_table() -> str:
    """One line a floor."""
    rows = []
    for floor in rooms():
        homes = [path.relative_to(ROOT) for name in floor if (path := home(name)) is not None]
        rows += [[f"`{name}`", says(path)] for name, path in zip(floor, homes, strict=True)]
    return table(["room", "what it is"], rows)


def modules_table() -> str:
    """Each folder with its modules; what a folder is stands above them."""
    folders: dict[Path, list[Path]] = {}
    for path in modules():
        folders.setdefault(path.parent, []).append(path)
    parts = []
    for folder, paths in folders.items():
        opening = next((path for path in paths if path.name == "__init__.py"), None)
        parts.append(f"### `{folder}/`\n")
        if opening is not None:
            parts.append(wrapped(f"`__init__.py`: {says(opening)}") + "\n")
        rows = [[f"`{path.name}`", says(path)] for path in paths if path != opening]
        if rows:
            parts.append(table(["module", "what it is"], rows))
    return "\n".join(parts)


def page() -> str:
    """The page, with what is made anew between its marks."""
    text = PAGE.read_text("utf-8")
    for mark, made in (("rooms", rooms_table()), ("modules", modules_table())):
        pattern = rf"(?<=<!-- {mark} -->\n).*(?=<!-- /{mark} -->)"
        text = re.sub(pattern, lambda _, made=made: f"\n{made}\n", text, count=1, flags=re.DOTALL)  # type: ignore[misc]
    return text
