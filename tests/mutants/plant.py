"""Planted bugs: one line of pets changed in a copy of the tree, and the test that must go red there.

``mutants.jsonl`` lists them, one a line: ``name`` (what the bug does), ``file``, ``old`` and ``new`` text, and
``killer``, the tests (as pytest takes them) that must fail; ``core`` where every run plants it. A mutant that means the
same as the original has ``equivalent`` in place of a killer: the reason, and who signed it off.

To plant one by hand: ``python -m tests.mutants.plant "part of its name"``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.jsonl")
COPIED = ("pets", "tests", "conftest.py", "pyproject.toml")
LEFT_OUT = ("cacheprovider", "random_order", "faker", "anyio", "xdist", "unraisableexception")
"""Plugins of pytest that no killer needs: a child would spend half of its time on them."""
ARGUMENTS = ("-x", "-q", "--no-header", "--tb=line", *(word for name in LEFT_OUT for word in ("-p", f"no:{name}")))


@dataclass(frozen=True)
class Mutant:
    """A bug that can be planted.

    Attributes:
        name: what it does.
        file: below the root of the repository.
        old, new: the text that is replaced, which stands there once, and what replaces it.
        killer: the tests that must fail, as arguments of pytest; none where it is equivalent.
        core: whether every run plants it.
        equivalent: why no test can tell it from the original, and who says so.
    """

    name: str
    file: str
    old: str
    new: str
    killer: tuple[str, ...] = ()
    core: bool = False
    equivalent: str = ""

    @property
    def source(self) -> str:
        return (ROOT / self.file).read_text("utf-8")

    @property
    def planted(self) -> str:
        """The file with the bug in it."""
        return self.source.replace(self.old, self.new)


def mutants() -> list[Mutant]:
    """All of the list."""
    found = [json.loads(line) for line in LIST.read_text("utf-8").splitlines() if line]
    return [Mutant(**one | {"killer": tuple(one.get("killer", ()))}) for one in found]


class Nursery:
    """A Python that has loaded what pets builds on, but nothing of pets, and forks a child for each planted bug.

    Each child sees a tree of its own and a fresh pets, as a new Python would; only what takes longest, loading the
    libraries and compiling what no bug was planted in, is done once. What else a child leaves behind dies with it.
    """

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
        self._parent = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def outcome(self, mutant: Mutant | None, killer: tuple[str, ...] = ()) -> tuple[int, str]:
        """What the killer says of a tree with the bug in it: pytest's exit code (1: a test failed), and its output."""
        home = Path(self._home.name)
        said = home / "said.txt"
        said.unlink(missing_ok=True)
        with tree(home, mutant) as folder:
            tests = killer if mutant is None else mutant.killer
            order = {"folder": str(folder), "arguments": [*ARGUMENTS, *tests], "said": str(said)}
            assert self._parent.stdin is not None and self._parent.stdout is not None
            self._parent.stdin.write(json.dumps(order) + "\n")
            self._parent.stdin.flush()
            code: Any = json.loads(self._parent.stdout.readline())
            return int(code), said.read_text("utf-8", errors="replace") if said.exists() else ""

    def close(self) -> None:
        """No more."""
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.stdout.close()
        self._parent.wait()
        self._home.cleanup()


@contextmanager
def tree(home: Path, mutant: Mutant | None) -> Iterator[Path]:
    """A copy of the tree with the bug in it, always in the same place: what was compiled of the rest is used again.

    So is the copy itself, unless somebody left something in it or put another file in a file's place.
    """
    folder = home / "tree"
    if not folder.exists():
        for name in COPIED:
            _copied(ROOT / name, folder / name)
        for inside in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            kept = home / "compiled" / inside.relative_to(folder)
            kept.mkdir(parents=True, exist_ok=True)
            (inside / "__pycache__").symlink_to(kept)
    if mutant is not None:
        file = folder / mutant.file
        file.unlink()  # the copy may be a second name of the original
        file.write_text(mutant.planted, "utf-8")
        _forget(file)
    before = _files(folder)
    try:
        yield folder
    finally:
        whole = _files(folder) == before
        if mutant is not None:
            _forget(file)
            file.unlink(missing_ok=True)
            _copied(ROOT / mutant.file, file)
        if not whole:
            shutil.rmtree(folder)


def _files(folder: Path) -> set[tuple[str, int, int]]:
    """All that a folder holds: of each file which one it is, and when it was written."""
    found = set()
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    found.add((entry.path, 0, 0))
                else:
                    known = entry.stat(follow_symlinks=False)
                    found.add((entry.path, known.st_ino, known.st_mtime_ns))
    return found


def _forget(file: Path) -> None:
    """No compiled bug serves another tree, however alike the two files are."""
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()


def _copied(source: Path, target: Path) -> None:
    """Second names of the same files, which nobody writes to."""
    if source.is_file():
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(source, target)
        return
    ignored = shutil.ignore_patterns(".hypothesis", "__pycache__", "node_modules")
    try:
        shutil.copytree(source, target, ignore=ignored, copy_function=os.link)
    except (shutil.Error, OSError):  # another file system
        shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


if __name__ == "__main__":
    nursery = Nursery()
    for one in mutants():
        if one.equivalent or (sys.argv[1:] and all(part not in one.name for part in sys.argv[1:])):
            continue
        if one.source.count(one.old) != 1:
            print(f"STALE: {one.name}: its text does not stand once in {one.file}", flush=True)
            continue
        code, said = nursery.outcome(one)
        last = said.strip().splitlines()[-1] if said.strip() else ""
        print(f"{'caught' if code == 1 else f'SURVIVED ({code})'}: {one.name}: {last}", flush=True)
    nursery.close()
