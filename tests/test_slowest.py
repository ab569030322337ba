"""Who begins with which modules, where several processes share the tests."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import slowest


def of(name: str, count: int) -> list[Any]:
    return [SimpleNamespace(path=slowest.HERE / name, number=number) for number in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_each_part_begins_with_slow_modules_and_nothing_is_lost(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowest, "SECONDS", {"a.py": 9, "b.py": 5, "c.py": 4, "d.py": 1})
    items = [*of("x.py", 17), *of("d.py", 3), *of("y.py", 20), *of("b.py", 2), *of("c.py", 4), *of("a.py", 1)]
    found = slowest.dealt(items, workers)
    assert sorted(map(id, found)) == sorted(map(id, items))
    begun, parts = 0, []
    for number in range(workers):  # as pytest-xdist cuts the list
        size = (len(items) - begun) // (workers - number)
        parts.append([one.path.name for one in found[begun : begun + size]])
        begun += size
    heads = {1: "a", 2: "ab", 3: "abc", 4: "abcd"}[workers]
    assert [part[0] for part in parts] == [f"{name}.py" for name in heads]
    slow = [[name for name in dict.fromkeys(part) if name in slowest.SECONDS] for part in parts]
    assert (
        slow
        == {
            1: [["a.py", "b.py", "c.py", "d.py"]],
            2: [["a.py", "d.py"], ["b.py", "c.py"]],
            3: [["a.py"], ["b.py"], ["c.py", "d.py"]],
            4: [["a.py"], ["b.py"], ["c.py"], ["d.py"]],
        }[workers]
    )
    for part in parts:  # whole modules together, those that are not slow last and in their order
        assert [*dict.fromkeys(part)] == [part[0], *(b for a, b in itertools.pairwise(part) if a != b)]
    assert [one.number for one in found if one.path.name in ("x.py", "y.py")] == [*range(17), *range(20)]


def test_every_slow_module_is_there() -> None:
    assert [name for name in (*slowest.SECONDS, *slowest.ON_SPARK) if not (Path(slowest.HERE) / name).exists()] == []


def test_one_process_runs_all_that_needs_a_spark() -> None:
    every = {path for path in slowest.HERE.rglob("test_*.py") if "tests.sparks import" in path.read_text("utf-8")}
    every |= set((slowest.HERE / slowest.SPARK).glob("test_*.py"))
    items = [SimpleNamespace(path=path, number=0) for path in sorted({*every, *slowest.HERE.glob("unit/*/test_*.py")})]
    on = [one.path in every for one in slowest.dealt(items, 3)]  # type: ignore[arg-type]
    assert sum(on) == len(every) > 10 and sum(a and not b for a, b in itertools.pairwise([*on, False])) == 1
