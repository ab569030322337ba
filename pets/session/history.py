"""History: a data frame of requests that fits a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pandas as pd

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


def _cut(texts: list[str], limit: int) -> list[str]:
    return [text if len(text) <= limit else f"{text[: limit - 1]}…" for text in texts]


def _lines(columns: dict[str, list[str]]) -> list[str]:
    """Heads and rows, each column as wide as its widest cell."""
    padded = []
    for name, texts in columns.items():
        width = max(map(len, [name, *texts]))
        padded.append([text.rjust(width) if name == "epsilon" else text.ljust(width) for text in [name, *texts]])
    return ["  ".join(row) for row in zip(*padded, strict=True)]
