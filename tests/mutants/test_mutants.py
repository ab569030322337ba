"""Every planted bug is caught by the test that must catch it: a few in each run, all of them in ``make soak``.

Which few follows from the code of pets, so that a tree always has the same ones and a change draws others;
``MUTANTS_SEED`` chooses by hand. They stay few however long the list grows: each takes a Python of its own.
"""

from __future__ import annotations

import hashlib
import os
import random

import pytest

from tests.mutants.plant import ROOT, Mutant, mutants, outcome

ALL = mutants()


def _seed() -> str:
    seen = hashlib.sha256()
    for file in sorted((ROOT / "pets").rglob("*.py")):
        seen.update(file.read_bytes())
    return os.environ.get("MUTANTS_SEED", seen.hexdigest())


FEW = {one.name for one in random.Random(_seed()).sample(ALL, 8)}


@pytest.mark.parametrize("mutant", ALL, ids=[one.name for one in ALL])
def test_it_can_be_planted(mutant: Mutant) -> None:
    """Its text stands there once, so that code that moves takes its planted bugs along; and its killers exist."""
    assert mutant.source.count(mutant.old) == 1, f"{mutant.file} no longer holds this text once: {mutant.old!r}"
    compile(mutant.planted, mutant.file, "exec")
    for killer in mutant.killer:
        if not killer.startswith("-"):
            path, *names = killer.split("::")
            assert (ROOT / path).is_file()
            assert all(f"def {name.partition('[')[0]}(" in (ROOT / path).read_text("utf-8") for name in names)


def test_their_names_differ() -> None:
    assert len({one.name for one in ALL}) == len(ALL)


@pytest.mark.chance(0)  # the killers run in another Python, under their own marks
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    "mutant",
    [pytest.param(one, marks=() if one.name in FEW else pytest.mark.soak, id=one.name) for one in ALL],
)
def test_it_is_caught(mutant: Mutant) -> None:
    code, said = outcome(mutant)
    assert code == 1, f"{mutant.name}: {' '.join(mutant.killer)} gave {code}, not 1 (a failed test):\n{said[-2000:]}"
