"""Texts: how much a file of words, code or JSON holds, and whether its lines look like rows of a table.

A person reads a text; nobody reads thousands of lines, one line without end, or a thousand numbers. The same is asked
of everything in a notebook, wherever in it the text stands.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from pets.airlock.findings import Finding
from pets.airlock.pictures import check_picture

LINES = 2000
LETTERS = 200_000
LINE = 5000
"""Lines and letters of a text, and letters of one line, that somebody reads at most."""

VALUES = 1000
"""Numbers of a text, and values of a JSON file, at most; more may be one a person."""

ROWS = 50
"""Lines of a text that look like rows of a table: fewer are no list of people."""

SHOWN_ROWS = 5
"""The same of what a notebook's cells show: as many are a table."""

_PART = "take out the part that somebody will read"
_NUMBERS = re.compile(r"(?<![\w:.])(?<!\d-)\d+(?:\.\d+)?(?![\w:])")  # those of a date or a time are not meant
_BETWEEN = re.compile(r"[,;|\t]|\s{2,}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
_PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_DRAWN = ("svg", "vega", "plotly", "bokeh", "widget")


def check_text(name: str, data: bytes) -> Iterator[Finding]:
    """What a checker would ask about words or code."""
    text = data.decode("utf-8", "replace")
    if says := _much(text):
        yield Finding(name, "many-rows", says, _PART)
    yield from _like_people(name, text)


def check_model(name: str, data: bytes) -> Iterator[Finding]:
    """What a checker would ask about a model's coefficients, written as JSON."""
    form = _parsed(name, data)
    if isinstance(form, Finding):
        yield form
        return
    texts, count, _ = _walked(form)
    if len(data) > LETTERS:
        yield Finding(name, "many-rows", f"it has more than {LETTERS:,} letters", _PART)
    if count > VALUES:
        says = f"it holds {count:,} values, which may be one a person"
        yield Finding(name, "row-level", says, "take out the coefficients alone, without fitted values or residuals")
    yield from _like_people(name, "\n".join(texts))


def check_notebook(name: str, data: bytes) -> Iterator[Finding]:
    """What a checker would ask about a notebook: its cells, what they show, and what is attached to them."""
    form = _parsed(name, data)
    if isinstance(form, Finding):
        yield form
        return
    kinds: set[str] = set()
    shown: list[str] = []
    pictures: set[int] = set()
    tables = 0
    for held in _held(form):
        for kind, value in held.items():
            text = _joined(value)
            drawn = kind == "text/html" and re.search(r"<svg|<script", text, re.I)
            kinds.add("an SVG picture or a script" if drawn else kind)
            if kind in _PICTURES:
                pictures.add(id(value))
                yield from _picture(name, kind, text)
            elif kind == "text/html":
                tables += "<table" in text.lower()
            else:
                shown.append(text)
    if drawn_ := sorted(one for one in kinds if one.startswith("an SVG") or any(part in one for part in _DRAWN)):
        says = f"its cells hold {drawn_[0]}, with the numbers that it was drawn from"
        yield Finding(name, "type-not-allowed", says, "draw it as PNG, or clear the cell's output", stops=True)
    if not tables:
        tables = sum(_rows(text) >= SHOWN_ROWS for text in shown)
    if tables:
        says = f"its cells show {tables} table(s), which nobody looked through here"
        yield Finding(name, "unreadable", says, "clear those outputs, and submit the tables as .csv")
    texts, _, numbers = _walked(form, pictures)
    if says := _much("\n".join(texts)):
        yield Finding(name, "many-rows", says, "clear the outputs that nobody will read, and the notebook's metadata")
    yield from _like_people(name, "\n".join(texts), numbers)


def _parsed(name: str, data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        says = "it is not JSON in which each name stands once"
        return Finding(name, "unreadable", says, "write it again, or take out its text as .md", stops=True)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that stands twice, readers see the last value alone."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _much(text: str) -> str:
    """In what a text is more than somebody reads; '' for one that is not."""
    lines = text.splitlines()
    if len(lines) > LINES:
        return f"it has more than {LINES:,} lines"
    if len(text) > LETTERS:
        return f"it has more than {LETTERS:,} letters"
    longest = max(map(len, lines), default=0)
    return f"a line of it has {longest:,} letters" if longest > LINE else ""


def _like_people(name: str, text: str, others: int = 0) -> Iterator[Finding]:
    text = text[: 5 * LETTERS]  # of more, its size is asked about
    numbers = others + len(_NUMBERS.findall(text))
    if (rows := _rows(text)) >= ROWS or numbers > VALUES:
        says = f"{rows:,} of its lines look like rows of a table" if rows >= ROWS else f"it holds {numbers:,} numbers"
        remedy = "take out the rows, or group and count them and submit the table as .csv"
        yield Finding(name, "row-level", f"{says}, which may be one a person", remedy)


def _rows(text: str) -> int:
    """Lines of two numbers and more, or lines of one shape and a number in each that follow each other."""
    numeric = longest = run = before = 0
    for line in text.splitlines():
        parts = [part.strip(" \t\"'()[]{}") for part in _BETWEEN.split(line.strip())]
        numbers = sum(_NUMBER.fullmatch(part) is not None for part in parts)
        numeric += numbers > 1
        shape = len(parts) if numbers and len(parts) > 1 else 0
        run, before = (run + 1 if shape == before else 1) if shape else 0, shape
        longest = max(longest, run)
    return max(numeric, longest)


def _walked(form: Any, besides: Collection[int] = ()) -> tuple[list[str], int, int]:
    """Every text of a JSON form, how many values it holds, and how many of these are numbers.

    What the places in memory of ``besides`` hold is looked at elsewhere: the pictures of a notebook.
    """
    texts: list[str] = []
    values = numbers = 0
    left = [form]
    while left:
        one = left.pop()
        if id(one) in besides:
            continue
        if isinstance(one, dict):
            texts += one
            values += not one
            left += [value for key, value in one.items() if not (key == "execution_count" and isinstance(value, int))]
        elif isinstance(one, list) and one and all(isinstance(line, str) for line in one):
            texts.append("".join(one) if any(line.endswith("\n") for line in one) else "\n".join(one))
            values += len(one)
        elif isinstance(one, list):
            values += not one
            left += one
        else:
            texts += [one] if isinstance(one, str) else []
            values += 1
            numbers += isinstance(one, (int, float)) and not isinstance(one, bool)
    return texts, values, numbers


def _held(form: Any) -> Iterator[dict[str, Any]]:
    """By its kind, each thing that a notebook's cells show or have attached."""
    for cell in _list(form, "cells"):
        attached = cell.get("attachments") if isinstance(cell, dict) else None
        yield from (one for one in (attached.values() if isinstance(attached, dict) else ()) if isinstance(one, dict))
        for output in _list(cell, "outputs"):
            held = output.get("data") if isinstance(output, dict) else None
            if isinstance(held, dict):
                yield held
            if isinstance(output, dict) and "text" in output:
                yield {"text/plain": output["text"]}


def _list(form: Any, name: str) -> list[Any]:
    found = form.get(name) if isinstance(form, dict) else None
    return found if isinstance(found, list) else []


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _picture(name: str, kind: str, text: str) -> Iterator[Finding]:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if data.startswith(_PICTURES[kind]):
        yield from check_picture(name, data)
    else:
        says = f"what a cell holds as {kind} is no picture"
        yield Finding(name, "not-as-named", says, "run the cell again, or clear its output", stops=True)
