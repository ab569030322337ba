"""Pre-flight: everything about an output that a program can see before two people look at it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pets.airlock.findings import Finding, Preflight
from pets.airlock.kinds import Kind, allowed, betrays, ending, kind_of, remedy
from pets.airlock.pictures import check_picture
from pets.airlock.tables import SMALL, check_table
from pets.airlock.texts import check_model, check_notebook, check_text
from pets.errors import UserError, shown

MAX_FILES = 50
MAX_FILE = 16 << 20
MAX_BYTES = 64 << 20
"""Files of one output, bytes of one file, and of all together."""

LEAST = 20
"""Letters of the context, and of the controls."""

MOST = 10_000
"""Letters of each at most."""

CONTEXT, CONTROLS = "CONTEXT.md", "CONTROLS.md"
"""The files of a folder that say what the output is, and what was done; they are no files of the output."""


def read_folder(folder: str | Path) -> tuple[dict[str, bytes], str, str]:
    """The files of a folder by their names, with its context and controls ('' where they are not there).

    Raises:
        UserError: for no folder, one without files, a file that cannot be read, or more than an output may hold.
    """
    if not isinstance(folder, (str, Path)):
        raise UserError(f"an output is a folder of files, not {shown(folder)}; name the folder")
    place = Path(folder)
    if not place.is_dir():
        raise UserError(f"there is no folder {shown(str(folder))}; put the files to be taken out into one, and name it")
    files: dict[str, bytes] = {}
    total = 0
    for above, below, names in os.walk(place):
        below[:] = sorted(one for one in below if not one.startswith("."))
        for name in sorted(names):
            path = Path(above, name)
            if name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            total += path.stat().st_size
            if len(files) >= MAX_FILES + 2 or total > MAX_BYTES:
                raise UserError(_TOO_MUCH)
            try:
                files[path.relative_to(place).as_posix()] = path.read_bytes()
            except OSError:
                raise UserError(f"the file {shown(name)} cannot be read; look at who owns it") from None
    context, controls = (files.pop(name, b"").decode("utf-8", "replace").strip() for name in (CONTEXT, CONTROLS))
    if not files:
        raise UserError(f"there is nothing to take out in {shown(str(folder))}; put the files into it")
    return files, context, controls


_TOO_MUCH = (
    f"an output has at most {MAX_FILES} files and {MAX_BYTES >> 20} MB, so that people can check it; submit it in parts"
)


def preflight(files: Mapping[str, bytes], context: str, controls: str, *, small: int = SMALL) -> Preflight:
    """What a checker would ask about these files, and about what is said of them.

    Args:
        files: by name, their bytes.
        context: what they are and what they are for.
        controls: what was done so that they disclose nothing.
        small: counts of fewer people are small.
    """
    return Preflight.of([*_said(context, controls), *_all(files, small)], len(files))


def _said(context: str, controls: str) -> Iterator[Finding]:
    if len(context.strip()) < LEAST:
        yield Finding(
            "",
            "no-context",
            "what the output is, is not said",
            f"say in a sentence what it shows, of whom, and what it is for (context, or {CONTEXT})",
            stops=True,
        )
    if len(controls.strip()) < LEAST:
        yield Finding(
            "",
            "no-controls",
            "what was done so that it discloses nothing is not said",
            f"say which counts were hidden and how they were rounded (controls, or {CONTROLS})",
            stops=True,
        )


def _all(files: Mapping[str, bytes], small: int) -> Iterator[Finding]:
    if not 0 < len(files) <= MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        remedy_ = "submit it in parts" if files else "name at least one file"
        yield Finding("", "too-large", f"an output has 1 to {MAX_FILES} files", remedy_, stops=True)
    for name, data in files.items():
        yield from check_file(name, data, small=small)
    kinds = {name: kind_of(name) for name in files}
    if Kind.TABLE not in kinds.values():
        for name in (name for name, kind in kinds.items() if kind is Kind.PICTURE):
            says = "no table beside it has the numbers that it was drawn from"
            yield Finding(name, "missing-numbers", says, "add them as .csv: points and bars may each be one person")


def check_file(name: str, data: bytes, *, small: int = SMALL) -> Iterator[Finding]:
    """What a checker would ask about one file."""
    kind = kind_of(name)
    if kind is None:
        what = f"files that end in {ending(name)!r}" if ending(name) else "files without an ending"
        yield Finding(name, "type-not-allowed", f"{what} are not taken out", remedy(name), stops=True)
        return
    if not data.strip():
        yield Finding(name, "empty", "it is empty", "leave it out", stops=True)
        return
    if len(data) > MAX_FILE:
        says = f"it has {len(data) >> 20} MB, and a person checks at most {MAX_FILE >> 20}"
        yield Finding(name, "too-large", says, "take out what you need of it alone", stops=True)
        return
    if other := betrays(name, data):
        other_remedy = remedy(f"x{other}") if other.startswith(".") else f"write it as one of {allowed()}"
        yield Finding(name, "not-as-named", f"it holds {other}, whatever its name says", other_remedy, stops=True)
        return
    if kind is Kind.TABLE:
        yield from check_table(name, data, small=small)
    elif kind is Kind.PICTURE:
        yield from check_picture(name, data)
    elif kind is Kind.NOTEBOOK:
        yield from check_notebook(name, data)
    elif kind is Kind.MODEL and ending(name) == ".json":
        yield from check_model(name, data)
    else:
        yield from check_text(name, data)
