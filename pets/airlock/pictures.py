"""Pictures: whether a PNG or JPEG file holds the picture alone, and nothing behind or beside it that nobody sees.

Its parts are walked as the standards lay them out (PNG, ISO/IEC 15948, chunks; JPEG, ITU-T T.81, marker segments). The
picture itself is not decoded: what it shows, a person sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pets.airlock.findings import Finding

BESIDE = 4096
"""Bytes that are no part of the picture (a program's name, a colour profile) at most."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in coded data: neither a stuffed byte, nor a restart
_SIZE = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # segments that say how large the picture is
_AGAIN = "save the picture again with the program that drew it, and submit that file"


class _Broken(ValueError):
    """The parts of a picture do not follow each other as they must."""


def check_picture(name: str, data: bytes) -> Iterator[Finding]:
    """What a checker would ask about one picture, which begins as PNG or JPEG does."""
    try:
        end, beside, coded, most = (_png if data.startswith(_SIGNATURE) else _jpeg)(data)
    except _Broken:
        yield Finding(name, "unreadable", "it is no whole picture: its parts do not fit together", _AGAIN, stops=True)
        return
    if end < len(data):
        says = f"{len(data) - end:,} bytes follow the end of the picture, and nobody sees them"
        yield Finding(name, "not-as-named", says, _AGAIN, stops=True)
    if coded > most:
        says = f"it has {coded:,} bytes, more than a picture of its size can need"
        yield Finding(name, "not-as-named", says, _AGAIN, stops=True)
    if beside > BESIDE:
        says = f"it holds {beside:,} bytes of text, profiles or other data beside the picture, and nobody sees them"
        yield Finding(name, "unreadable", says, "save the picture again without its metadata")


def _most(width: int, height: int) -> int:
    """Bytes that the coded picture takes at most: 8 a pixel (16 bits, four colours), and some for each line."""
    return 8 * width * height + 32 * height + BESIDE


def _png(data: bytes) -> tuple[int, int, int, int]:
    """Where it ends, the bytes beside the picture, those of the picture, and what these can be at most."""
    at, beside, coded, most = len(_SIGNATURE), 0, 0, -1
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        inside, at = at + 8, at + 12 + length
        if at > len(data) or (most < 0) != (kind == b"IHDR") or (kind == b"IHDR" and length != 13):
            break
        if kind == b"IHDR":
            most = _most(*(int.from_bytes(data[one : one + 4], "big") for one in (inside, inside + 4)))
        elif kind == b"IEND" and coded:
            return at, beside + length, coded, most
        elif kind == b"IDAT":
            coded += length
        # a table of 256 colours is part of the picture, and larger ones are not
        beside += max(0, length - 768) if kind in _PICTURE and kind != b"IDAT" else length * (kind != b"IDAT")
    raise _Broken


def _jpeg(data: bytes) -> tuple[int, int, int, int]:
    at, beside, coded, most = 2, 0, 0, -1
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            at, beside = at + 1, beside + 1
            continue
        if marker == 0xD9 and coded:
            return at + 2, beside, coded, most
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        inside, at = at + 4, at + 2 + length
        if length < 2 or at > len(data):
            break
        beside += length
        if marker in _SIZE:
            height, width = (int.from_bytes(data[one : one + 2], "big") for one in (inside + 1, inside + 3))
            most = _most(width, height)
        elif marker == 0xDA:  # a scan: coded data follow, up to the next marker
            found = _MARKER.search(data, at)
            if found is None:
                break
            coded, at = coded + found.start() - at, found.start()
    raise _Broken
