"""Planted bugs: one line of pets changed in a copy of the tree, and the test that must go red there.

``mutants.jsonl`` lists them, one a line: ``name`` (what the bug does), ``file``, ``old`` and ``new`` text, and
``killer``, the tests (as pytest takes them) that must fail. To plant one by hand:
``python -m tests.mutants.plant "part of its name"``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.jsonl")
COPIED = ("pets", "tests", "conftest.py", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """A bug that can be planted.

    Attributes:
        name: what it does.
        file: below the root of the repository.
        old, new: the text that is replaced, which stands there once, and what replaces it.
        killer: the tests that must fail, as arguments of pytest.
    """

    name: str
    file: str
    old: str
    new: str
    killer: tuple[str, ...]

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
    return [Mutant(**one | {"killer": tuple(one["killer"])}) for one in found]


def outcome(mutant: Mutant) -> tuple[int, str]:
    """What the killer says of a copy of the tree with the bug in it: pytest's exit code (1: a test failed), output."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        for name in COPIED:
            _copied(ROOT / name, Path(folder) / name)
        file = Path(folder) / mutant.file
        file.unlink()  # the copy may be a second name of the original
        file.write_text(mutant.planted, "utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment |= {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*command, *mutant.killer], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    return done.returncode, done.stdout + done.stderr


def _copied(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy(source, target)
        return
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    try:
        shutil.copytree(source, target, ignore=ignored, copy_function=os.link)
    except (shutil.Error, OSError):  # another file system
        shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


if __name__ == "__main__":
    for one in mutants():
        if all(part not in one.name for part in sys.argv[1:]) and sys.argv[1:]:
            continue
        code, said = outcome(one)
        last = said.strip().splitlines()[-1] if said.strip() else ""
        print(f"{'caught' if code == 1 else f'SURVIVED ({code})'}: {one.name}: {last}", flush=True)
