"""Rendering: templates filled, every value escaped, and the files beside them, each at an address of its content."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pets.errors import NotFoundError, shown
from pets.protection.budget import rounded_up

FOLDER = Path(__file__).parent
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,  # every value in every template, whatever the template is called
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"part": part, "when": when, "number": number, "epsilon": epsilon}
    return made


def render(template: str, values: Mapping[str, Any]) -> bytes:
    """A page's text; a value that a template wants and was not given is a fault of the console."""
    return _environment().get_template(template).render(values).encode()


@cache
def statics() -> Mapping[str, tuple[str, bytes]]:
    """By the last part of their addresses, the files beside the templates: their type and content."""
    found = {}
    for path in sorted((FOLDER / "static").iterdir()):
        if path.suffix in TYPES:
            body = path.read_bytes()
            found[f"{path.stem}.{hashlib.sha256(body).hexdigest()[:16]}{path.suffix}"] = (TYPES[path.suffix], body)
    return found


def static(name: str) -> tuple[str, bytes]:
    """A file by the last part of its address; raises :class:`NotFoundError`."""
    if name not in statics():
        raise NotFoundError(f"the console has no file {shown(name)}; load the page again")
    return statics()[name]


@cache
def static_name(name: str) -> str:
    """The last part of a file's address, which changes when the file does: it may be kept for ever."""
    stem, _, suffix = name.rpartition(".")
    return next(one for one in statics() if one.startswith(f"{stem}.") and one.endswith(f".{suffix}"))


# what templates say things with -----------------------------------------------------------------------------------


def part(text: object) -> str:
    """A text as one part of an address.

    >>> part("a/b?c=<d>")
    'a%2Fb%3Fc%3D%3Cd%3E'
    """
    return quote(str(text), safe="")


def when(at: object) -> str:
    """A moment, in seconds since 1970 or in ISO 8601, as people read it, in UTC.

    >>> when(0), when("2026-11-28T23:16:05+00:00"), when("never")
    ('1 Jan 1970, 00:00', '28 Nov 2026, 23:16', 'never')
    """
    try:
        stamp = float(at) if isinstance(at, (int, float)) else dt.datetime.fromisoformat(str(at)).timestamp()
        found = dt.datetime.fromtimestamp(stamp, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return str(at)
    return f"{found.day} {found:%b %Y, %H:%M}"


def number(value: object) -> str:
    """A whole number with its thousands parted; anything else as it is.

    >>> number(1234567), number("12"), number(None)
    ('1,234,567', '12', '–')
    """
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def epsilon(value: object) -> str:
    """An ε in four digits, rounded up: a cost is not made to look smaller. What has none is “no limit”.

    >>> epsilon("0.50004"), epsilon(3), epsilon(None), epsilon("inf"), epsilon(0)
    ('0.5001', '3', 'no limit', 'no finite guarantee', '0')
    """
    if value is None:
        return "no limit"
    try:
        found = float(str(value))
    except ValueError:
        return str(value)
    if not math.isfinite(found):
        return "no finite guarantee"
    return rounded_up(found)
