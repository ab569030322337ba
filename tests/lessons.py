"""Lessons as students and trainers use them: their notebooks are run, and classes of a small lesson are prepared."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from typing import Any


def run(folder: Path) -> dict[str, Any]:
    """Run a notebook's cells, in this process: what it releases is drawn from the test's seed."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with chdir(folder):
        for cell in json.loads((folder / "lesson.ipynb").read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"{folder.name}, {cell['id']}", "exec"), names)
    return names
