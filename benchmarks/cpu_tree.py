"""CPU of a process and of all that it started: a Spark is a Java process and Python workers beside the one that asks.

Standard library alone: it is also run by environments that have nothing of ours.
"""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds() -> float:
    """CPU seconds of this process and of those below it so far, ended ones too (Linux)."""
    parents: dict[int, int] = {}
    spent: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has just ended
                continue
            fields = text.rpartition(")")[2].split()  # a name may hold anything
            parents[int(entry.name)] = int(fields[1])
            spent[int(entry.name)] = sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    while more := {one for one, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(spent[one] for one in ours if one in spent) / _TICKS
