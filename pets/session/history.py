"""History: a data frame of requests that fits a terminal."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from collections.abc import Callable
from typing import Any

import pandas as pd

from pets.common.codec import Json, fraction
from pets.errors import UserError
from pets.release.release_form import plain

SHOWN = ("at", "project", "analyst", "what", "state", "epsilon")
_NAME = 16  # letters of a project and of an analyst that are printed
_MIN_LETTERS, _MAX_LETTERS = 20, 60  # letters of what was asked


class History(pd.DataFrame):
    """A data frame like any other; printed, it shows its first columns, a line each, and names the others."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame  # what is made from it is a plain data frame

    def __repr__(self) -> str:
        if self.empty:
            return "No request yet."
        columns = {name: [str(value) for value in self[name]] for name in SHOWN}
        columns["at"] = [text[:16] for text in columns["at"]]
        columns["epsilon"] = [f"{value:.4g}" for value in self["epsilon"]]
        if "reason" in self.columns:  # (one of an earlier service has none)
            columns["state"] = [
                f"{one} ({why})" if why else one for one, why in zip(columns["state"], self["reason"], strict=True)
            ]
        for name in ("project", "analyst"):
            columns[name] = _cut(columns[name], _NAME)
        taken = sum(max(map(len, [name, *texts])) + 2 for name, texts in columns.items() if name != "what")
        room = shutil.get_terminal_size((80, 24)).columns - taken
        columns["what"] = _cut(columns["what"], min(max(room, _MIN_LETTERS), _MAX_LETTERS))
        lines = _lines(columns)
        most = pd.get_option("display.max_rows") or len(lines)
        if len(lines) > most + 1:
            lines = [*lines[: most // 2 + 1], "…", *lines[-(most // 2) :], f"{len(self):,} requests."]
        rest = [str(name) for name in self.columns if name not in SHOWN]
        return "\n".join([*lines, f"More columns: {', '.join(rest)}."])

    __str__ = __repr__


def form_of(history: pd.DataFrame) -> Json:
    """The canonical form: what goes over a wire. An infinite ε, of what has no finite guarantee, is null."""
    columns = [str(name) for name in history.columns]
    return {"columns": columns, "rows": [[_plain(row[n]) for n in columns] for row in history.to_dict("records")]}


def read_form(form: Any) -> History:
    """The inverse of :func:`form_of`; raises :class:`UserError` for anything else."""
    try:
        columns = [str(name) for name in form["columns"]]
        rows = [dict(zip(columns, row, strict=True)) for row in form["rows"]]
        return History([{name: _read(name, value) for name, value in row.items()} for row in rows], columns=columns)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise UserError("this is no history as pets writes it; ask for it again") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return None if isinstance(value, float) and math.isinf(value) else plain(value)


def _read(name: str, value: Any) -> Any:
    if name == "at":
        return dt.datetime.fromisoformat(value)
    if name in ("epsilon", "rho"):
        return math.inf if value is None else float(fraction(value))
    return value


def _cut(texts: list[str], limit: int) -> list[str]:
    return [text if len(text) <= limit else f"{text[: limit - 1]}…" for text in texts]


def _lines(columns: dict[str, list[str]]) -> list[str]:
    """Heads and rows, each column as wide as its widest cell."""
    padded = []
    for name, texts in columns.items():
        width = max(map(len, [name, *texts]))
        padded.append([text.rjust(width) if name == "epsilon" else text.ljust(width) for text in [name, *texts]])
    return ["  ".join(row) for row in zip(*padded, strict=True)]
