"""The environment that ``make`` keeps is of the Python that was named; nothing is run here (``make --dry-run``)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

if shutil.which("make") is None:  # pragma: no cover - it runs the tests themselves
    pytest.skip("there is no make here", allow_module_level=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with a whole environment, made with another Python a moment ago."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    python(tmp_path / "newer", "3.12.1 (main)")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python(tmp_path / ".venv" / "bin" / "python", "3.11.7 (main)")
    for name in ("bin/pip", ".light", ".full"):
        (tmp_path / ".venv" / name).touch()
    return tmp_path


def python(path: Path, version: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)


def planned(folder: Path, *given: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", "--dry-run", "lint", *given],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


MAKE, INSTALL = "-m venv .venv", "-e '.[all,dev]'"


def test_an_environment_of_another_python_is_made_anew(folder: Path) -> None:
    for plan in (planned(folder, "PYTHON=./newer"), planned(folder, PYTHON="./newer")):
        # away with the old one, then a new one, then PyTorch before whatever needs it
        places = [plan.index(part) for part in ("rm -rf .venv", MAKE, "torch==", INSTALL, "ruff check")]
        assert places == sorted(places)


def test_an_environment_of_the_same_python_stays(folder: Path) -> None:
    python(folder / "newer", "3.11.7 (main)")
    plan = planned(folder, "PYTHON=./newer")
    assert MAKE not in plan and INSTALL not in plan and "rm -rf .venv" not in plan


def test_where_no_python_is_named_what_is_there_stays(folder: Path) -> None:
    assert MAKE not in planned(folder) and INSTALL not in planned(folder)
    shutil.rmtree(folder / ".venv")
    plan = planned(folder)
    assert plan.index(MAKE) < plan.index("torch==") < plan.index(INSTALL)


def test_a_python_that_will_not_do_takes_nothing_away(folder: Path) -> None:
    for named in ("./none", "/bin/false"):
        done = subprocess.run(
            ["make", "lint", f"PYTHON={named}"],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2 and "pets needs Python 3.11 or later" in done.stderr
        assert (folder / ".venv" / ".full").exists()
