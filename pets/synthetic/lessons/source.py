"""The one source of a lesson's notebooks: Markdown, whose fenced code is for all, to fill in, or a solution.

A fence that says ``python blank`` is the student's, ``python solution`` the instructor's, ``python`` everybody's. The
same form gives notebooks, scripts in R and scripts in SQL; in a script the prose is comments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pets.errors import UserError, did_you_mean, shown

LANGUAGES = {"python": ("lesson.ipynb", ""), "r": ("lesson.R", "#"), "sql": ("lesson.sql", "--")}
"""How a lesson's file is called, and what begins a comment in it."""

_FENCE = re.compile(r"^```(\w+)(?: (\w+))?$")
_TAGS = ("", "blank", "solution")


@dataclass(frozen=True)
class Cell:
    """A piece of a lesson: prose, or code (``tag`` says whose)."""

    code: bool
    text: str
    tag: str = ""


def cells(text: str, label: str, language: str = "python") -> list[Cell]:
    """The pieces of a source, in order. Raises :class:`UserError` with the line for a fence that is none of a lesson's.

    >>> [(cell.code, cell.tag) for cell in cells("# A\\n```python blank\\nx = 0\\n```\\n", "lesson.md")]
    [(False, ''), (True, 'blank')]
    """
    out, prose, code = list[Cell](), list[str](), list[str]()
    tag: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if tag is not None:
            if line == "```":
                out.append(Cell(True, "\n".join(code), tag))
                tag, code = None, []
            else:
                code.append(line)
            continue
        found = _FENCE.match(line)
        if found is None:
            prose.append(line)
            continue
        if found[1] != language or (found[2] or "") not in _TAGS:
            raise UserError(f"{label}:{number}: a fence says ```{language}, ```{language} blank or … solution")
        out += _prose(prose)
        prose, tag = [], found[2] or ""
    if tag is not None:
        raise UserError(f"{label}: the last fence is not closed; end it with ```")
    return out + _prose(prose)


def _prose(lines: list[str]) -> list[Cell]:
    text = "\n".join(lines).strip("\n")
    return [Cell(False, text)] if text else []


def of_whom(every: list[Cell], *, solutions: bool) -> Iterator[Cell]:
    """The pieces of the student's version, or of the instructor's."""
    left_out = "blank" if solutions else "solution"
    return (cell for cell in every if cell.tag != left_out)


def written(every: list[Cell], language: str, *, solutions: bool) -> str:
    """The text of the file: a notebook (nbformat 4.5), or a script."""
    mine = list(of_whom(every, solutions=solutions))
    if language == "python":
        return notebook(mine)
    mark = LANGUAGES[language][1]
    parts = [cell.text if cell.code else _commented(cell.text, mark) for cell in mine]
    return "\n\n".join(parts) + "\n"


def _commented(text: str, mark: str) -> str:
    return "\n".join(f"{mark} {line}".rstrip() for line in text.splitlines())


def notebook(every: list[Cell]) -> str:
    """The pieces as a Jupyter notebook, with no output."""
    made: list[dict[str, Any]] = []
    for number, cell in enumerate(every, start=1):
        source = cell.text.splitlines(keepends=True)
        kind = "code" if cell.code else "markdown"
        head: dict[str, Any] = {"cell_type": kind, "id": f"c{number:02d}", "metadata": {}}
        made.append(head | ({"execution_count": None, "outputs": []} if cell.code else {}) | {"source": source})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}}
    return json.dumps(whole | {"nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


def language_of(given: str) -> str:
    """A language by its name. Raises :class:`UserError` for another."""
    if given not in LANGUAGES:
        raise UserError(f"there are no lessons in {shown(given)}{did_you_mean(given, LANGUAGES)}")
    return given
