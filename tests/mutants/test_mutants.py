"""Every planted bug is caught by the test that must catch it: the core and those of changed files in each run, all of
them in ``make soak``.

A change's files are those that differ from where its branch left ``main``, or on ``main`` from the commit before, and
those that are not committed yet; ``MUTANTS_BASE`` names another commit. Of many, ``MOST`` are drawn, the same for the
same tree.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.mutants.plant import ROOT, Mutant, Nursery, mutants, tree

pytestmark = pytest.mark.chance(0)  # the killers run in another Python, under their own marks

ALL = mutants()
PLANTED = [one for one in ALL if not one.equivalent]
CORE = [one for one in PLANTED if one.core]
MOST = 12
"""Of changed files, in each run."""


def changed() -> set[str]:
    """Files of pets that differ from what landed before; none outside a repository."""

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    base = os.environ.get("MUTANTS_BASE") or git("merge-base", "HEAD", "main")
    if not base or base == git("rev-parse", "HEAD"):
        base = git("rev-parse", "HEAD~1")
    return set(git("diff", "--name-only", base, "--", "pets").splitlines()) if base else set()


def drawn() -> set[str]:
    """The names of the mutants that this run plants."""
    files = changed()
    near = [one for one in PLANTED if one.file in files and not one.core]
    seed = hashlib.sha256(b"".join((ROOT / file).read_bytes() for file in sorted(files) if (ROOT / file).exists()))
    few = near if len(near) <= MOST else random.Random(seed.hexdigest()).sample(near, MOST)
    return {one.name for one in [*CORE, *few]}


HERE = drawn()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize("mutant", ALL, ids=[one.name for one in ALL])
def test_it_can_be_planted(mutant: Mutant) -> None:
    """Its text stands there once, so that code that moves takes its planted bugs along; and its killers exist."""
    assert mutant.source.count(mutant.old) == 1, f"{mutant.file} no longer holds this text once: {mutant.old!r}"
    if mutant.file.endswith(".yaml"):
        yaml.safe_load(mutant.planted)
    else:
        compile(mutant.planted, mutant.file, "exec")
    assert bool(mutant.killer) != bool(mutant.equivalent), "it has a killer, or a reason why it needs none"
    assert not mutant.equivalent or "; signed off by " in mutant.equivalent
    for killer in mutant.killer:
        if not killer.startswith("-"):
            path, *names = killer.split("::")
            assert (ROOT / path).is_file()
            assert all(f"def {name.partition('[')[0]}(" in (ROOT / path).read_text("utf-8") for name in names)


def test_their_names_differ() -> None:
    assert len({one.name for one in ALL}) == len(ALL)


def test_there_are_forty_core_ones_of_the_whole_proof() -> None:
    assert len(CORE) >= 40 and len(ALL) >= 150
    assert {one.file.split("/")[1] for one in CORE} >= {
        "plan",
        "rows",
        "dp",
        "protection",
        "session",
        "ledger",
        "verify",
    }


def test_a_tree_serves_again_unless_somebody_left_something_there(tmp_path: Path) -> None:
    one = CORE[0]
    with tree(tmp_path, one) as folder:
        made = folder.stat().st_ino
        assert (folder / one.file).read_text("utf-8") == one.planted
    with tree(tmp_path, None) as folder:
        assert folder.stat().st_ino == made
        assert (folder / one.file).read_text("utf-8") == one.source
        (folder / "left.txt").touch()
    with tree(tmp_path, None) as folder:
        assert not (folder / "left.txt").exists()
        (folder / one.file).unlink()
        (folder / one.file).write_text(one.planted, "utf-8")
    with tree(tmp_path, None) as folder:
        assert (folder / one.file).read_text("utf-8") == one.source


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    "mutant",
    [pytest.param(one, marks=() if one.name in HERE else pytest.mark.soak, id=one.name) for one in PLANTED],
)
def test_it_is_caught(nursery: Nursery, mutant: Mutant) -> None:
    code, said = nursery.outcome(mutant)
    assert code == 1, f"{mutant.name}: {' '.join(mutant.killer)} gave {code}, not 1 (a failed test):\n{said[-2000:]}"


def test_the_same_tests_pass_where_nothing_is_planted(nursery: Nursery) -> None:
    """In the nursery too: a killer that failed there anyway would catch everything."""
    quick = sorted({name for one in CORE for name in one.killer if "unit/" in name and "[" not in name})
    code, said = nursery.outcome(None, tuple(quick))
    assert code == 0, said[-2000:]
