"""A release as a file: its ending says in which form. A file appears under its name when it is complete.

Only the canonical form (``.json``) holds the sealed release with its certificate; the others hold what a reader sees.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pets.common.codec import Json, canonical
from pets.common.files import replace_file, writing
from pets.errors import UserError, missing_extra
from pets.release import html, picture, text, views
from pets.schema.domain import MISSING


class Savable(views.Answer, Protocol):
    """What is read of a release, beside what a reader sees."""

    @property
    def table_name(self) -> str:
        """The table that was asked."""

    def to_json(self) -> Json:
        """The canonical form."""

    def plot(self) -> Any:
        """A chart of the first output."""


def save(release: Savable, path: Any) -> Path:
    """Write a release as its file's ending says; raises :class:`UserError` for another ending, or where it cannot."""
    target = check(path)
    content = WRITERS[target.suffix.lower()](release)
    with writing("the release", path):
        # exact numbers of real rows are for whoever may see them to pass on
        replace_file(target, content, owner_only=release.mechanism == "none" and release.data == "real")
    return target


def check(path: Any) -> Path:
    """The path of a file that can be written: its ending is known, and what writes it is installed."""
    with writing("the release", path):
        target = Path(path)
    ending = target.suffix.lower()
    if ending not in WRITERS:
        raise UserError(
            f"{target.name!r} must end in one of {', '.join(WRITERS)}: a release is written as its file's ending says"
        )
    if ending == ".xlsx":
        _xlsxwriter()
    elif ending in (".png", ".svg"):
        picture.needed()
    return target


def _xlsxwriter() -> Any:
    try:
        import xlsxwriter
    except ImportError:
        raise missing_extra("writing Excel files", "excel") from None
    return xlsxwriter


def _json(release: Savable) -> bytes:
    return canonical(release.to_json())


def _html(release: Savable) -> bytes:
    return html.page(release, f"Table {release.table_name}").encode()


def _csv(release: Savable) -> bytes:
    return bytes(views.frame(release, times=False).to_csv(index=False).encode())


def _parquet(release: Savable) -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(views.arrow(release), out)
    return out.getvalue()


def _png(release: Savable) -> bytes:
    return picture.png(release.plot())


def _svg(release: Savable) -> bytes:
    return picture.svg(release.plot()).encode()


def _xlsx(release: Savable) -> bytes:
    """One sheet with the numbers, one with what is promised."""
    out = io.BytesIO()
    # a text is a text: a label that begins with = is no formula, and an address no link
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with _xlsxwriter().Workbook(out, plain) as book:
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("answer")
        table = views.frame(release)
        for column, name in enumerate(table):
            sheet.write_string(0, column, str(name), bold)
            for row, value in enumerate(table[name].tolist(), start=1):
                _cell(sheet, row, column, value, day)
        sheet.freeze_panes(1, len(release.plan.layout.dimensions))
        sheet.autofit()
        about = book.add_worksheet("about")
        for row, (what, said) in enumerate(_about(release)):
            about.write_string(row, 0, what, bold)
            about.write_string(row, 1, said)
        about.set_column(0, 0, 16)
        about.set_column(1, 1, 100)
    return out.getvalue()


def _cell(sheet: Any, row: int, column: int, value: Any, day: Any) -> None:
    import pandas as pd

    if isinstance(value, pd.Timestamp):
        sheet.write_datetime(row, column, value.to_pydatetime(), day)
    elif isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)) and value == value and abs(value) < 2**53:
        sheet.write_number(row, column, value)
    elif value is pd.NaT:
        sheet.write_string(row, column, MISSING)
    elif not isinstance(value, float):  # not estimable: an empty cell, as a formula expects it
        sheet.write_string(row, column, str(value))


def _about(release: Savable) -> list[tuple[str, str]]:
    dummy = [("DUMMY DATA", text.DUMMY)] if release.data == "dummy" else []
    reading = [] if release.estimates.exact else [("_low, _high", f"the ends of the {text.interval(release)}")]
    facts = [
        ("Table", text.headline(release)),
        ("Protection", text.protection(release)),
        ("Promise", release.guarantee),
        ("Cost", text.cost(release)),
        *(("Note", note) for note in release.notes),
        ("Issued", release.issued_at),
        ("Release", release.id),
        ("Digest", release.digest),
    ]
    return [*dummy, *reading, *facts]


WRITERS: dict[str, Callable[[Savable], bytes]] = {
    ".json": _json,
    ".html": _html,
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".parquet": _parquet,
    ".png": _png,
    ".svg": _svg,
}
"""How each ending is written."""
