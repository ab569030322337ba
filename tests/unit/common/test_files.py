"""Files: whole, nobody's but their owner's to write, and only their owner's to read where they hold exact facts."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import pets
from pets.common.files import created, make_folder, reading, replace_file, writing, written_together
from pets.errors import UserError

ROOT = Path(pets.__file__).parent
SCHEMA = pets.Schema(
    {"t": pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "sex": pets.Category(["F", "M"], nullable=False)})},
    dataset="files",
)
QUERY = pets.query("t").group_by("sex").agg(n=pets.count())


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture(scope="module")
def session() -> pets.Session:
    rows = pd.DataFrame({"id": [f"p{i}" for i in range(2000)], "sex": ["F", "M"] * 1000})
    policy = pets.Policy(allow_unbounded=True)
    return pets.Session(SCHEMA, rows, budget=pets.Budget(epsilon=8, delta=1e-6), policy=policy, progress=False)


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


def saved(session: pets.Session, folder: Path) -> None:
    private, exact = session.release(QUERY, pets.DP(epsilon=1)), session.release(QUERY, pets.Total())
    for ending in (".json", ".html", ".csv", ".parquet", ".svg"):
        private.save(folder / f"private{ending}")
        exact.save(folder / f"exact{ending}")
    session.dummy(20).release(QUERY, pets.Exact()).save(folder / "dummy.json")
    assert private.certificate is not None
    private.certificate.save(folder / "certificate.json")
    private.plot().save(folder / "chart.html")
    private.plot().save(str(folder / "chart.svg"))
    pytest.importorskip("mbi")
    table = session.synthesise(rows=20, epsilon=1, progress=False)
    table.save(folder / "synthetic.csv")
    table.save(folder / "synthetic.parquet")
    dataclasses.replace(table, epsilon=None, method="gaussian_copula").save(folder / "exact-engine.csv")
    for format in ("csv", "parquet", "duckdb"):
        pets.dummy(SCHEMA, rows=20, progress=False).save(folder / "deep" / format, format)


def test_nothing_is_anybodys_to_write_and_exact_facts_are_their_owners(
    session: pets.Session, tmp_path: Path, umask: int
) -> None:
    saved(session, tmp_path)
    found = modes(tmp_path)
    exact = {name: mode for name, mode in found.items() if name.startswith("exact")}
    folders = {name: mode for name, mode in found.items() if (tmp_path / name).is_dir()}
    others = {name: mode for name, mode in found.items() if name not in exact and name not in folders}
    assert len(exact) == 8 and set(exact.values()) == {0o600}, exact
    assert set(folders) == {"deep", "deep/csv", "deep/parquet", "deep/duckdb"}
    assert set(folders.values()) == {0o755 & ~umask}
    assert len(others) > 15
    if umask == 0:
        assert set(others.values()) <= {0o644, 0o600}, others  # (a dummy's file may be made in a folder of its own)
    assert not any(mode & 0o022 for mode in others.values()), others
    assert found["private.json"] == found["certificate.json"] == found["synthetic.csv"] == 0o644 & ~umask


def test_what_is_replaced_takes_the_new_rights(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    file.chmod(0o666)
    replace_file(file, b"new", owner_only=True)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o600)
    assert created(file).read_text() == "" and stat.S_IMODE(file.stat().st_mode) == 0o644 & ~_umask()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        replace_file(pipe, b"said")
        assert os.read(reader, 9) == b"said" and pipe.is_fifo()
    finally:
        os.close(reader)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(NotADirectoryError):
        replace_file(tmp_path / "a" / "b", b"new")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a")
    assert modes(tmp_path).keys() == {"a"} and (tmp_path / "a").read_text() == "old"


def test_files_of_an_assessment_are_their_owners(tmp_path: Path, umask: int) -> None:
    with written_together() as files:
        files.write({tmp_path / "a.json": "1", tmp_path / "a.html": "2"})
    assert modes(tmp_path) == {"a.json": 0o600, "a.html": 0o600}


def _umask() -> int:
    found = os.umask(0o022)
    os.umask(found)
    return found


# no other way --------------------------------------------------------------------------------------------------------

WRITES = re.compile(r"\.write_(text|bytes)\(|open\(\"[wxa]|\.mkdir\((?!mode=0o7)|\.makedirs\(")
OWN_FOLDERS = {
    # in folders that are made for their owner alone, or for the time of one computation
    "common/files.py",
    "federated/deployment/federation_folder.py",
    "federated/deployment/keyholder_folder.py",
    "federated/deployment/site_folder.py",
    "federated/deployment/startup_kit.py",
    "federated/deployment/nvflare_engine/kits.py",
    "federated/deployment/processes.py",
    "rows/csv_file.py",
    "synthetic/dummy_data/files.py",
    "synthetic/sdv/engine.py",
    "synthetic/sdv/engine_process.py",
}


def test_files_are_written_in_one_place() -> None:
    found = {
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if WRITES.search(path.read_text(encoding="utf-8"))
    }
    assert found - OWN_FOLDERS == set(), "write with pets.common.files"


@pytest.mark.parametrize("bad", ['path.write_text("x")', 'open("w")', "folder.mkdir(parents=True)", "out.mkdir()"])
def test_the_scan_bites(bad: str) -> None:
    assert WRITES.search(bad)


@pytest.mark.parametrize("path", [3, None, "a\0b", ["x"]])
def test_no_path_is_one_sentence_with_a_path_that_would_do(path: object) -> None:
    said = r"^the fit cannot be written to .*; give a path, such as 'fit\.json'$"
    with pytest.raises(UserError, match=said) as told, writing("the fit", path, "fit.json"):
        replace_file(Path(path), b"x")  # type: ignore[arg-type]
    assert told.value.__cause__ is None and told.value.__suppress_context__
    said = r"^the fit cannot be read from .*; give a file such as 'answer\.json'$"
    with pytest.raises(UserError, match=said), reading("the fit", path):
        Path(path).read_bytes()  # type: ignore[arg-type]


def test_what_the_system_says_is_in_the_sentence_and_what_pets_says_stays(tmp_path: Path) -> None:
    file = tmp_path / "none" / "f"
    said = r"^the fit cannot be (written to|read from) '.*none/f' \(No such file or directory\)$"
    with pytest.raises(UserError, match=said), writing("the fit", file):
        replace_file(file, b"x")
    with pytest.raises(UserError, match=said), reading("the fit", file):
        file.read_bytes()
    for told in (writing, reading):
        with pytest.raises(UserError, match=r"^it was edited$"), told("the fit", file):
            raise UserError("it was edited")
