"""Markdown that is made from code: tables, and the note that says where a page comes from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WRITTEN = "<!-- Written by `{command}` from {source}; edit that, not this file. -->"


def cell(text: str) -> str:
    """A text that can stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def wrapped(text: str) -> str:
    """A paragraph in lines of a page."""
    return textwrap.fill(" ".join(text.split()), 116, break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
