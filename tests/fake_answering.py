"""An answering process that answers nothing: it says what a test wrote down, once, and waits for its end.

Arguments: a folder. The lines of ``says`` in it are said; ``!die`` ends it, ``!hog`` takes 300 MB first.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Runs without pets, so that it starts at once."""
    terms = sys.stdin.readline()
    with (folder / "started").open("a") as begun:
        begun.write(terms)
    held = b""
    says = folder / "says"
    if says.exists():
        lines = says.read_text().splitlines()
        says.unlink()
        for line in lines:
            if line == "!die":
                os._exit(3)
            if line == "!hog":
                held = b"x" * 300_000_000
            else:
                print(line, flush=True)
    for _ in sys.stdin:
        with (folder / "pokes").open("a") as pokes:
            pokes.write(".")
    assert held in (b"", held)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
