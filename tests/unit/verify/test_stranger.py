"""A stranger's program, written from docs/proofs and one release alone, agrees with one promise, and with no lie."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from tests.unit.verify.test_check import ROWS, SCHEMA, STAYS, said_of
from tests.unit.verify.test_made import World

SCRIPT = Path(__file__).with_name("stranger.py")


def ran(folder: Path, file: Any, key: bytes) -> subprocess.CompletedProcess[str]:
    (folder / "release.json").write_bytes(canonical(file))
    (folder / "ledger.pub").write_text(key.hex() + "\n")
    (folder / "stranger.py").write_bytes(SCRIPT.read_bytes())
    command = [sys.executable, "-I", "-X", "utf8", "stranger.py", "release.json", "ledger.pub"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.chance(0)
def test_a_stranger_agrees_with_a_promise_and_with_no_lie(tmp_path: Path) -> None:
    session = pets.Session(SCHEMA, {"stays": ROWS}, budget=pets.Budget(5, 1e-6), progress=False)
    world = World(session)
    release = session.release(STAYS.group_by("age").bound(rows=2).agg(n=pets.count()), pets.DP(epsilon=0.7))
    done = ran(tmp_path, release.to_json(), world.key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ε = 0.69") or done.stdout.startswith("ε = 0.70")
    assert done.stdout.endswith("at δ = 1e-06: at most 2 rows of a person count\n")
    lie = release.form | {"scales": [str(float(release.scales[0]) / 2)]}
    done = ran(tmp_path, world.signed(lie, said_of(release)), world.key)
    assert done.returncode == 1 and "it loses ε = " in done.stderr
    assert ran(tmp_path, release.to_json(), bytes(32)).returncode == 1


def test_it_rests_on_nothing_of_pets() -> None:
    tree = ast.parse(SCRIPT.read_text("utf-8"))
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, "cryptography"}
    assert len(SCRIPT.read_text("utf-8").splitlines()) <= 60
