"""A folder of parts: what its manifest lists is the snapshot, whatever lies beside it and wherever a writer stopped."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pets.errors import DataError, InternalError
from pets.rows.snapshot import Snapshot
from pets.rows.stored.parts import Part, from_json, to_json
from pets.rows.stored.store import New, Store, commit
from pets.schema.schema import Schema
from tests.unit.rows.test_snapshot import EVENTS, events, everything, make

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def divided(folder: Path, parts: int) -> Snapshot:
    """A stored snapshot of one part, written again as one of so many, as an engine of many tasks writes it."""
    import pyarrow.parquet as pq

    made = make(EVENTS, events(), folder=folder)
    rows, store = made.arrow(), Store(folder, "t")
    manifest, _ = store.read()
    size = -(-rows.num_rows // parts)
    with store.writing("divided") as new:
        for place in range(parts):
            pq.write_table(rows.slice(place * size, size), new / f"divided-{place:05}.parquet")
        commit([New(store, new, {name: said for name, said in manifest.items() if name != "parts"})])
    return Snapshot.open(EVENTS, "t", folder)


def rows(snapshot: Snapshot) -> list[str]:
    return sorted(map(str, snapshot.arrow().to_pylist()))


def nameless(snapshot: Snapshot) -> list[str]:
    """The rows without the numbers of people, which are others in each snapshot."""
    return sorted(map(str, snapshot.arrow().drop_columns(["person"]).to_pylist()))


def test_a_snapshot_of_many_parts_is_read_whole_and_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    whole = nameless(make(EVENTS, events()))
    made = divided(folder, 7)
    assert len(list((folder / "t.parquet").iterdir())) == 7
    assert nameless(made) == whole
    assert made.connection().table(made.relation).count().execute() == len(whole)
    again = make(EVENTS, events(), folder=folder)
    assert [path.name for path in (folder / "t.parquet").iterdir()] == [f"{again.id}-00000.parquet"]
    assert len(rows(made)) == len(whole), "its parts are held, though no name leads to them"


@pytest.mark.parametrize("lost", ["removed", "changed", "swapped", "renamed", "linked", "pipe"])
def test_a_part_that_is_not_as_it_was_is_refused(tmp_path: Path, lost: str) -> None:
    folder = tmp_path / "s"
    divided(folder, 3)
    first, second, third = sorted((folder / "t.parquet").iterdir())
    if lost == "removed":
        second.unlink()
    elif lost == "changed":
        second.write_bytes(second.read_bytes()[:-1] + b"\0")
    elif lost == "swapped":
        one, other = first.read_bytes(), third.read_bytes()
        first.write_bytes(other)
        third.write_bytes(one)
    elif lost == "renamed":
        third.rename(third.with_name("other.parquet"))
    elif lost == "pipe":  # whoever opened it would wait for somebody who writes
        third.unlink()
        os.mkfifo(third, 0o600)
    else:
        third.rename(tmp_path / "elsewhere")
        third.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        DataError, match=r"was changed or is incomplete; make it again|is a link, and may lead anywhere; move"
    ):
        Snapshot.open(EVENTS, "t", folder)


@pytest.mark.parametrize(
    "damaged",
    [
        "[" * 100_000,
        "{}",
        '{"seal": "é"}',
        '{"seal": "\\ud800"}',
        '{"seal": "", "n": 1e400}',
        '{"seal": "", "n": "\\ud800"}',
    ],
)
def test_a_manifest_that_pets_could_not_have_written_is_refused_in_a_sentence(tmp_path: Path, damaged: str) -> None:
    folder = tmp_path / "s"
    divided(folder, 1)
    layout = json.loads((folder / "t.json").read_bytes())["layout"]
    told = damaged.replace('"seal"', f'"layout": {layout}, "table": "t", "seal"')
    (folder / "t.json").write_text(told, encoding="utf-8")
    with pytest.raises(DataError, match="was changed or is incomplete; make it again"):
        Snapshot.open(EVENTS, "t", folder)


def test_what_no_manifest_lists_is_no_part_and_is_swept_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = divided(folder, 2)
    stray = folder / "t.parquet" / "stray.parquet"
    shutil.copy(sorted((folder / "t.parquet").iterdir())[0], stray)
    opened = Snapshot.open(EVENTS, "t", folder)
    assert rows(opened) == rows(made) and opened.connection().table(opened.relation).count().execute() == len(
        rows(made)
    )
    make(EVENTS, events(), folder=folder)
    assert not stray.exists()


class Stopped(BaseException):
    pass


def test_wherever_a_writer_stops_one_whole_snapshot_is_there_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a store that renames nothing at once: what is moved is copied, byte by byte, and may stop half-way."""
    folder, replace = tmp_path / "s", Path.replace
    first = divided(folder, 3)
    ids = {first.id}

    def stopping(after: int, half: bool) -> Callable[[Path, Any], Path]:
        moved = [0]

        def copied(self: Path, target: Any) -> Path:
            if folder not in Path(target).parents:
                return replace(self, target)
            moved[0] += 1
            data = self.read_bytes()
            if moved[0] > after:
                if half:
                    Path(target).write_bytes(data[: len(data) // 2])
                raise Stopped
            Path(target).write_bytes(data)
            Path(target).chmod(0o600)
            self.unlink()
            return Path(target)

        return copied

    outcomes = []
    for after in range(3):  # a part, the manifest, the report
        for half in (False, True):
            shutil.rmtree(folder)
            kept = divided(tmp_path / "kept", 3)
            old = rows(kept)  # (people have other numbers each time)
            shutil.copytree(kept.folder, folder)  # type: ignore[arg-type]
            before = Snapshot.open(EVENTS, "t", folder).id
            monkeypatch.setattr(Path, "replace", stopping(after, half))
            with pytest.raises(Stopped):
                make(EVENTS, events(seed=2), folder=folder)
            monkeypatch.undo()
            try:
                found = Snapshot.open(EVENTS, "t", folder)
            except DataError as error:
                assert "was changed or is incomplete; make it again" in str(error)
                outcomes.append("refused")
            else:
                outcomes.append("old" if found.id == before else "new")
                assert (rows(found) == old) is (found.id == before)
            again = make(EVENTS, events(), folder=folder)
            assert sorted(everything(folder)) == sorted(
                [*(f"t.{end}" for end in ("json", "key", "report.txt")), f"t.parquet/{again.id}-00000.parquet"]
            )
    assert outcomes == ["old", "old", "old", "refused", "new", "new"] and ids


def failing(monkeypatch: pytest.MonkeyPatch, name: str, after: int = 0) -> None:
    """The disk is full when something of that name is to be put in its place, after so many times."""
    replace, left = Path.replace, [after]

    def replaced(self: Path, target: Any) -> Path:
        if Path(target).name.endswith(name):
            if left[0] == 0:
                raise OSError(28, "No space left on device")
            left[0] -= 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replaced)


@pytest.mark.parametrize(
    ("name", "after", "says", "new"),
    [
        (".parquet", 1, "device), and nothing was stored; mend that, then make the snapshot again", []),
        (".json", 0, "device), and nothing was stored; mend that", []),
        (
            ".json",
            1,
            "device) when the new snapshots of 't' were already stored, but not 'u'; mend that, then make",
            ["t"],
        ),
    ],
    ids=["a part", "the first manifest", "the second manifest"],
)
def test_a_store_that_fails_is_one_sentence_that_says_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: int, says: str, new: list[str]
) -> None:
    folder = tmp_path / "s"
    schema = Schema({"t": EVENTS.tables["t"], "u": EVENTS.tables["t"]})
    given: Any = {"folder": folder, "progress": False}
    sources = {"t": events(), "u": events(seed=2)}
    before = Snapshot.make_all(schema, ("t", "u"), sources, **given)
    with monkeypatch.context() as patch:
        failing(patch, name, after)
        with pytest.raises(DataError, match=re.escape(says)):
            Snapshot.make_all(schema, ("t", "u"), sources, **given)
    found = [one for one in ("t", "u") if Snapshot.open(schema, one, folder).id != before[one].id]
    assert found == new and not list(folder.glob(".pets-*"))


def test_a_report_that_cannot_be_left_is_no_snapshot_that_was_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(EVENTS, events(), folder=tmp_path)
    with monkeypatch.context() as patch:
        failing(patch, ".report.txt")
        with pytest.raises(DataError, match=r"'t' was stored, but its report t.report.txt was not \(No space"):
            make(EVENTS, events(), folder=tmp_path)
    assert Snapshot.open(EVENTS, "t", tmp_path).id != first.id


def test_a_store_that_keeps_no_locks_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(EVENTS, events(), folder=tmp_path / "s")

    def none(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    says = r"'s' lies on a store that keeps no locks \(Function not implemented\).*; choose a folder on a disk of this"
    with monkeypatch.context() as patch:
        patch.setattr("pets.rows.stored.store.fcntl", SimpleNamespace(**(vars(fcntl) | {"flock": none})))
        with pytest.raises(DataError, match=says):
            make(EVENTS, tmp_path / "never-looked-for.csv", folder=tmp_path / "s")
        with pytest.raises(DataError, match=says):
            Snapshot.open(EVENTS, "t", tmp_path / "s")
    assert not list((tmp_path / "s").glob(".pets-*"))


def test_a_folder_that_is_swept_up_before_it_is_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else begins a making there at that very moment."""
    swept = dict.fromkeys(("stored.store", "scratch_db"), 0)

    def of(module: str) -> SimpleNamespace:
        def flock(handle: int, how: int) -> None:
            name = Path(f"/proc/self/fd/{handle}").readlink()
            if how & fcntl.LOCK_EX and name.name.startswith(".pets-") and swept[module] < 2:
                shutil.rmtree(name)
                swept[module] += 1
            fcntl.flock(handle, how)

        return SimpleNamespace(**(vars(fcntl) | {"flock": flock}))

    for module in swept:
        monkeypatch.setattr(f"pets.rows.{module}.fcntl", of(module))
    one = make(EVENTS, events(), folder=tmp_path / "s")
    monkeypatch.undo()
    assert set(swept.values()) == {2} and nameless(one) == nameless(make(EVENTS, events()))
    assert Snapshot.open(EVENTS, "t", tmp_path / "s").id == one.id and not list((tmp_path / "s").glob(".pets-*"))


def test_what_a_manifest_lists_is_on_the_disk_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut leaves of a folder the names that it had when it was last flushed, and of a file its bytes then."""
    folder, replace, fsync = tmp_path / "s", Path.replace, os.fsync
    names: dict[int, set[str]] = {}
    sizes: dict[int, int] = {}
    checked = []

    def flushed(handle: int) -> None:
        fsync(handle)
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            names[found.st_ino] = set(os.listdir(handle))
        else:
            sizes[found.st_ino] = found.st_size

    def placed(self: Path, target: Any) -> Path:
        if Path(target) == folder / "t.json":
            listed = {part["name"] for part in json.loads(self.read_bytes())["parts"]}
            assert {"t.parquet", "t.key"} <= names.get(folder.stat().st_ino, set())
            assert listed and listed <= names[(folder / "t.parquet").stat().st_ino]
            for path in (self, folder / "t.key", *(folder / "t.parquet" / name for name in listed)):
                assert sizes.get(path.stat().st_ino) == path.stat().st_size, path.name
            checked.append(listed)
        return replace(self, target)

    monkeypatch.setattr("pets.rows.stored.store.os", SimpleNamespace(**(vars(os) | {"fsync": flushed})))
    monkeypatch.setattr(Path, "replace", placed)
    for seed in (1, 2):
        make(EVENTS, events(seed=seed), folder=folder)
    assert len(checked) == 2


def test_parts_that_are_kept_are_named_again_and_must_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made = divided(folder, 3)
    store = Store(folder, "t")
    manifest, held = store.read()
    body = {name: said for name, said in manifest.items() if name != "parts"}
    two = tuple(map(Part.of, held.parts[:2]))
    with store.writing("fewer") as new:
        commit([New(store, new, body | {"id": "fewer"}, two)])
    assert len(rows(Snapshot.open(EVENTS, "t", folder))) < len(rows(made)) and not made.current
    with (
        store.writing("gone") as new,
        pytest.raises(DataError, match="table 't' was refreshed meanwhile; make it again"),
    ):
        commit([New(store, new, body, (*two, Part("gone.parquet", 0, EMPTY)))])
    assert Snapshot.open(EVENTS, "t", folder).id == "fewer"


def test_an_earlier_layout_is_refused_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    make(EVENTS, events(), folder=folder)
    shutil.rmtree(folder / "t.parquet")
    (folder / "t.parquet").write_bytes(b"PAR1")
    manifest = json.loads((folder / "t.json").read_bytes()) | {"layout": 2}
    (folder / "t.json").write_text(json.dumps(manifest))
    (folder / "t.parquet").chmod(0o600)
    with pytest.raises(DataError, match="was made by another version of pets; make it again"):
        Snapshot.open(EVENTS, "t", folder)
    assert make(EVENTS, events(), folder=folder).current


@pytest.mark.parametrize("there", ["a file", "a folder", "a manifest", "a link"])
def test_the_data_are_not_replaced_by_their_snapshot(tmp_path: Path, there: str) -> None:
    """Who names the folder of the data as that of the snapshots would lose them: ``t.parquet`` is both."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    rows_of = events()
    named = {"a file": "t.parquet", "a folder": "t.parquet/part.parquet", "a manifest": "t.json", "a link": "else/t"}
    data = folder / named[there]
    data.parent.mkdir(exist_ok=True)
    rows_of.to_parquet(data)
    if there == "a link":
        make(EVENTS, rows_of, folder=folder)
        shutil.rmtree(folder / "t.parquet")
        (folder / "t.parquet").symlink_to(data.parent)
    before = everything(folder)
    with pytest.raises(DataError, match=r"'data' has t.*, which is no snapshot .* choose another folder"):
        make(EVENTS, data if there == "a file" else rows_of, folder=folder)
    assert everything(folder) == before
    make(EVENTS, data, folder=folder / "ready")


def test_a_folder_whose_key_was_removed_is_still_ours(tmp_path: Path) -> None:
    make(EVENTS, events(), folder=tmp_path)
    (tmp_path / "t.key").unlink()
    assert make(EVENTS, events(), folder=tmp_path).current


def test_a_list_of_parts_has_one_order_and_plain_names() -> None:
    one, two = Part("a.parquet", 0, EMPTY), Part("b.parquet", 0, EMPTY)
    assert to_json([two, one]) == to_json([one, two]) and from_json(to_json([two, one])) == (one, two)
    with pytest.raises(InternalError, match="two parts of a snapshot have one name"):
        to_json([one, Part("a.parquet", 1, EMPTY)])
    with pytest.raises(InternalError, match="in the order of their names"):
        from_json(to_json([one, two])[::-1])
    for name in ("../a.parquet", "/a.parquet", "a", ".a.parquet", "a/b.parquet", "a\n.parquet", "a.parquet\n", ""):
        with pytest.raises(InternalError, match="a plain name"):
            Part(name, 0, EMPTY)
    for size, digest in ((-1, EMPTY), (True, EMPTY), ("1", EMPTY), (1, EMPTY[1:]), (1, EMPTY.upper()), (1, None)):
        with pytest.raises(InternalError, match="a length and a SHA-256"):
            Part("a.parquet", size, digest)  # type: ignore[arg-type]
