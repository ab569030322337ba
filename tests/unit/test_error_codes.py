"""Every kind of error has one code of its own, and the guide's table is the whole list."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pets
from pets.errors import PetsError

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
KIND = re.compile(r"^class \w+\((?:\w+, )*(?:\w*Error|Refused|Withheld)\b.*\):", re.MULTILINE)
ROW = re.compile(r"^\| `([a-z-]+)` \| `(\w+)` \| (\d+) \| (.+) \|$", re.MULTILINE)


def kinds(root: type[PetsError] = PetsError) -> Iterator[type[PetsError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__.partition(".")[0] == "pets":
            yield from kinds(kind)


def every() -> list[type[PetsError]]:
    folder = Path(pets.__file__).parent
    for path in folder.rglob("*.py"):  # what nobody has loaded yet is found by its text
        if KIND.search(path.read_text("utf-8")):
            importlib.import_module(".".join(("pets", *path.relative_to(folder).with_suffix("").parts)))
    return list(dict.fromkeys(kinds()))


def row(kind: type[PetsError]) -> tuple[str, str, str, str]:
    first = " ".join(str(kind.__doc__).split("\n\n")[0].split())
    return kind.code, kind.__name__, str(kind.exit_code), first


def test_every_kind_has_a_code_of_its_own() -> None:
    found = every()
    names = {one.__name__ for one in found}
    assert names >= {"RecordError", "ProtocolError", "Refused", "Withheld", "CommitUnknown"}
    assert [one.__name__ for one in found if "code" not in vars(one)] == []
    codes = [one.code for one in found]
    assert len(set(codes)) == len(codes) and all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_the_guide_lists_every_code() -> None:
    listed = ROW.findall(GUIDE.read_text("utf-8"))
    assert sorted(listed) == sorted(row(one) for one in every() if one is not PetsError)
