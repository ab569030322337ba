"""The pages of bad days quote what pets says: each quoted message stands in its code, word for word."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("bad_day_*.md"))
ROW = re.compile(r"^\| (`.+?`)[^|]*\|", re.MULTILINE)


@cache
def sentences() -> tuple[str, ...]:
    """Every text in the code; what is filled in stands as …"""
    out = []
    for file in sorted((ROOT / "pets").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
                out.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
                out.append(node.value if isinstance(node.value, str) else node.value.decode("utf-8", "replace"))
    return tuple(" ".join(text.split()) for text in out)


def quoted(page: str) -> list[str]:
    return [found.strip("`") for found in ROW.findall(page)]


def said(message: str) -> bool:
    """Whether one text of the code has the message's pieces, in their order."""
    own = re.compile(".*".join(re.escape(piece.strip()) for piece in message.split("…")))
    return any(own.search(text) for text in sentences())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_what_is_quoted_is_what_is_said(page: Path) -> None:
    messages = quoted(page.read_text("utf-8"))
    assert len(messages) >= 10
    wrong = [message for message in messages if not said(message)]
    assert not wrong, f"nothing in pets says so: {wrong}"


def test_the_checker_bites() -> None:
    assert len(PAGES) == 4
    assert quoted("| `a … b` (to all) | c | d |\n| what | x |\n") == ["a … b"]
    assert said("the federation's server cannot be reached at …")
    assert not said("the federation's server can be reached at …")
    assert not said("by process …, served already")
