"""The distribution: a wheel that is built has the name that every remedy names, and the version that pets says.

On the package index ``pets`` is another project, so a remedy that named it would install a stranger's code.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import pets
from pets.errors import missing_extra

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

ROOT = Path(__file__).resolve().parents[2]
OTHER = re.compile(r"pip install\s+(-\S+\s+)*['\"]?pets(?![-\w])")
"""A command that would install the other project."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode("utf-8"))


def remedy(extra: str) -> list[str]:
    """The words of the command in the error about a missing extra."""
    found = re.search(r"(pip install) '(.+)'$", str(missing_extra("this", extra)))
    assert found is not None
    return [*found[1].split(), found[2]]


def test_the_wheel_bears_the_name_of_the_remedy_and_the_version_of_pets(metadata: Message) -> None:
    assert metadata["Name"] != "pets"  # which is another project
    assert remedy("plot")[-1] == f"{metadata['Name']}[plot]"
    assert metadata["Version"] == pets.__version__ == "0.1.0"


def test_the_wheel_holds_the_package_and_what_lies_beside_its_code(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    wanted = {"pets/__init__.py", "pets/py.typed", "pets/synthetic/stays.yaml"}
    lessons = (ROOT / "pets/synthetic/lessons").glob("*/lesson.*")
    wanted |= {path.relative_to(ROOT).as_posix() for path in lessons if path.suffix != ".pyc"}
    assert wanted <= held
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pets/service/console").rglob("*.*")}
    assert {f"pets/service/console/{one}" for one in ("templates/base.html", "static/console.css")} <= pages
    assert {path for path in pages if not path.endswith(".pyc")} <= held
    assert {name.split("/")[0] for name in held if not name.split("/")[0].endswith(".dist-info")} == {"pets"}


def test_the_extra_called_all_holds_every_other_and_no_other_project(metadata: Message) -> None:
    wanted: dict[str, set[str]] = {}
    for text in metadata.get_all("Requires-Dist", []):
        requirement, _, marker = text.partition("; extra == ")
        wanted.setdefault(marker.strip("'"), set()).add(requirement)
    parts = set(metadata.get_all("Provides-Extra", [])) - {"all", "dev"}
    assert len(parts) >= 8
    assert wanted["all"] == set().union(*(wanted[part] for part in parts))
    assert not any(re.match(r"pets\b", requirement) for every in wanted.values() for requirement in every)


def test_the_remedy_finds_what_is_installed_without_any_index(wheel: Path, tmp_path: Path) -> None:
    """Also before the distribution is published: pip adds the extra to the copy that is there."""
    quiet = ["-q", "--disable-pip-version-check", "--no-index"]
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "install", *quiet, "--no-deps", "--target", str(tmp_path), str(wheel)], check=True)
    words = remedy("plot")
    done = subprocess.run(
        [*pip, words[1], *quiet, "--dry-run", words[2]],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_no_page_or_message_installs_the_other_project() -> None:
    assert OTHER.search("run: pip install 'pets[plot]'") and OTHER.search("pip install -q pets")  # it bites
    assert not OTHER.search("pip install 'pets-privacy[plot]'") and not OTHER.search("pip install '.[plot]'")
    files = [ROOT / "README.md", ROOT / "Makefile"]
    files += [path for folder in ("docs", "pets", "notebooks") for path in (ROOT / folder).rglob("*.*")]
    text = {path: path.read_text("utf-8") for path in files if path.suffix in (".md", ".py", ".ipynb", "")}
    assert len(text) > 200
    assert [str(path.relative_to(ROOT)) for path, content in text.items() if OTHER.search(content)] == []
