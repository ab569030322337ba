"""The picture of the house: every module is in it once, a door has one number, and each path that is named is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.docs import architecture
from tests.docs.architecture import PAGE, ROOT, contracts, modules, says

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "GLOSSARY.md")]
PAGES = [path for path in [*PAGES, *sorted((ROOT / "docs").glob("*.md"))] if path.exists()]
A_PATH = re.compile(r"`((?:pets|tests|docs|notebooks|examples|benchmarks)/[\w./*-]*|[\w-]+\.(?:md|toml|txt))`")


def listed(page: str) -> Counter[str]:
    """How often the page's last part names each module."""
    found: Counter[str] = Counter()
    folder = ""
    for line in page.partition("## Every module")[2].splitlines():
        if heading := re.match(r"### `(.*)/`$", line):
            folder = heading[1]
        elif name := re.match(r"(?:\| )?`(\w+\.py)`", line):
            found[f"{folder}/{name[1]}"] += 1
    return found


def test_every_module_is_named_once() -> None:
    page = PAGE.read_text("utf-8")
    wanted = [str(path) for path in modules()]
    assert listed(page) == Counter(wanted)
    assert "| `noise.py` |" in page and "OpenDP" in says(Path("pets/dp/noise.py"))
    without = re.sub(r"\| `noise.py` \|.*\n", "", page)
    assert set(wanted) - set(listed(without)) == {"pets/dp/noise.py"}  # a module that is missing is missed


def test_every_module_says_what_it_is() -> None:
    assert [str(path) for path in modules() if not re.search(r"[.?\])]$", says(path))] == []


def doors(page: str) -> list[tuple[int, str]]:
    """The numbers and titles of the page's doors."""
    part = page.partition("\n## Doors\n")[2].partition("\n## ")[0]
    return [
        (int(number), title.lower()) for number, title in re.findall(r"^(\d+)\. \*\*(.+?)\.\*\*", part, re.MULTILINE)
    ]


def named(names: list[str]) -> set[tuple[int, str]]:
    """The numbers and titles in the names of contracts, such as ``Door 2: rows (…)``; not those of one room."""
    return {(int(m[1]), m[2]) for name in names if (m := re.match(r"Door (\d+): ([\w ]+?)(?: \(|$)", name))}


def test_a_door_has_one_number_and_a_number_one_door() -> None:
    listed = doors(PAGE.read_text("utf-8"))
    assert [number for number, _ in listed] == list(range(1, len(listed) + 1))
    assert len({title for _, title in listed}) == len(listed) >= 5
    names = [str(one["name"]) for one in contracts()]
    assert all(re.match(r"Door \d+[:,] ", name) for name in names)
    assert named(names) <= set(listed) and len(named(names)) >= 4
    assert {int(name[5]) for name in names} <= {number for number, _ in listed}
    assert not named(["Door 4: randomness"]) <= set(listed)  # it bites


def missing(text: str) -> list[str]:
    """The paths in a text's type of code that lead nowhere."""
    return [path for path in A_PATH.findall(text) if not list(ROOT.glob(path.rstrip("/")))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_path_that_a_page_names_is_there(path: Path) -> None:
    assert missing(path.read_text("utf-8")) == []


def absent(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", text)
    return [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text("utf-8")]


def test_each_test_that_goes_red_first_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert absent(text) == []
    assert len(re.findall(r"::test_\w+", text)) >= 5
    assert absent("`tests/docs/test_docs.py::test_nothing`") == ["tests/docs/test_docs.py::test_nothing"]


def test_the_search_for_paths_bites() -> None:
    assert missing("`pets/dp/nothing.py`, `pets/nowhere/`, `NOTHING.md`") == [
        "pets/dp/nothing.py",
        "pets/nowhere/",
        "NOTHING.md",
    ]
    assert (
        missing("`pets/dp/noise.py`, `pets/he/`, `tests/stats/`, `tests/attacks/test_federated_*.py`, `README.md`")
        == []
    )
    assert len(A_PATH.findall(PAGE.read_text("utf-8"))) > 100


def test_the_rooms_are_those_of_the_contract() -> None:
    table = PAGE.read_text("utf-8").partition("<!-- rooms -->")[2].partition("<!-- /rooms -->")[0]
    rooms = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(rooms) == {path.name.removesuffix(".py") for path in (ROOT / "pets").iterdir() if _is_room(path)}
    assert rooms.index("cli") < rooms.index("session") < rooms.index("rows") < rooms.index("schema")
    assert architecture.rooms_table() in table


def _is_room(path: Path) -> bool:
    return (path / "__init__.py").exists() or (path.suffix == ".py" and path.name != "__init__.py")
