"""A snapshot that grows: what it holds after each delivery, what it refuses, and whose its files are."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import pets
from pets.cli.main import run
from pets.errors import DataError, LeftOutWarning
from pets.plan.plan import make_plan
from pets.rows import growing
from pets.rows.growing import append
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from tests.growing import COLUMNS, Row, frame, grown, kept, schema, whole

DELIVERIES: list[list[Row]] = [
    [(f"p{i % 7}", "1", str(i % 3)) for i in range(17)],
    [(f"p{i % 9}", "3", str(i % 2)) for i in range(13)] + [(None, "3", "1"), ("p1", "", "2"), ("p2", "3", "x")],
    [],
    [(f"p{i % 12}", str(4 + i % 2), str(i)) for i in range(24)],
]
BY = pets.query("t").group_by("v").agg(n=pets.count(), people=pets.count_units())
BUDGET = pets.Budget(epsilon=9, delta=1e-6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    grown(schema(), DELIVERIES[:2], tmp_path / "s")
    return tmp_path / "s"


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("max_rows", [1, 3, 40])
def test_it_is_what_it_would_be_had_all_rows_been_given_at_once(tmp_path: Path, max_rows: int) -> None:
    for n in range(1, len(DELIVERIES) + 1):
        made = grown(schema(max_rows), DELIVERIES[:n], tmp_path / f"s{n}")
        at_once = whole(schema(max_rows), DELIVERIES[:n], tmp_path / f"w{n}", tmp_path / f"s{n}")
        assert kept(made) == kept(at_once) and made.report == at_once.report
        assert kept(Snapshot.open(schema(max_rows), "t", tmp_path / f"s{n}")) == kept(at_once)
        plan = make_plan(BY.bound(rows=1), schema(max_rows))
        vectors = {
            tuple(tabulate(plan, one, engine).reveal()) for one in (made, at_once) for engine in ("duckdb", "polars")
        }
        assert len(vectors) == 1


def test_rows_of_before_are_not_read_and_their_files_stay(folder: Path) -> None:
    before = Snapshot.open(schema(), "t", folder)
    rows, old = kept(before), {p.name: p.stat().st_ino for p in (folder / "t.parquet").glob("*-00000.parquet")}
    after = append(schema(), "t", frame(DELIVERIES[3]), folder, progress=False)
    assert after.id != before.id and after.set_id != before.set_id
    now = {p.name: p.stat().st_ino for p in (folder / "t.parquet").glob("*-00000.parquet")}
    assert old.items() < now.items() and len(now) == len(old) + 1
    assert kept(before) == rows and not before.current, "a question that began on it ends on it"
    assert sum(part.num_rows for part in map(pq.read_table, (folder / "t.parquet").glob("*-00000.parquet"))) == (
        after.report.rows_kept
    )


def test_people_who_come_later_are_people_of_their_own(tmp_path: Path) -> None:
    made = grown(schema(), [[("a", "1", "1")], [("b", "2", "2")], [("a", "3", "3"), ("c", "3", "4")]], tmp_path / "s")
    assert len(set(made.arrow()["person"].to_pylist())) == 3 and made.report.people == 3
    assert kept(made) == kept(whole(schema(), [made_rows(made)], tmp_path / "w", tmp_path / "s"))


def made_rows(made: Snapshot) -> list[Row]:
    names = made.columns
    rows = made.arrow().to_pylist()
    return [(str(row["person"]), str(row[names["load"]] + 1), str(row[names["v"]])) for row in rows]


LATE: list[list[Row]] = [
    [("p1", "3", "1")],
    [("nobody", "2", "1")],
    [("p1", "9", "1"), ("p2", "1", "1")],
    [("p1", "-5", "1")],  # clamped to the first code there is
]


@pytest.mark.parametrize("rows", LATE, ids=["the same day", "earlier", "one of them", "clamped"])
def test_a_late_row_is_refused_and_nothing_changes(folder: Path, rows: list[Row]) -> None:
    before = state(folder)
    with pytest.raises(DataError, match=r"arrived no later than the last.* make the snapshot anew from all rows"):
        append(schema(), "t", frame(rows), folder, progress=False)
    assert state(folder) == before


def test_nobody_is_advised_to_leave_late_rows_out(folder: Path, tmp_path: Path) -> None:
    """Whoever has the last row so far would decide about the rows of ten others; made anew, they move their own."""
    last, late = ("x", "9", "0"), [(f"late{i}", "8", "1") for i in range(10)]
    with pytest.raises(DataError) as refusal:
        append(schema(), "t", frame([*late, ("y", "10", "1")]), append(schema(), "t", frame([last]), folder).folder)
    assert "alone" not in str(refusal.value).replace("where it holds some of these already, give the others alone", "")
    left_out = kept(grown(schema(), [[last], [("y", "10", "1")]], tmp_path / "with"))
    without = kept(grown(schema(), [[("y", "10", "1"), *late]], tmp_path / "without"))
    assert (without - left_out).total() == 10
    anew = kept(grown(schema(), [[last, ("y", "10", "1"), *late]], tmp_path / "anew"))
    assert (anew - without).total() == 1 and not without - anew


def test_a_row_counts_as_arrived_though_it_was_not_kept(tmp_path: Path) -> None:
    grown(schema(max_rows=1), [[("a", "1", "1"), ("a", "5", "2")]], tmp_path / "s")
    with pytest.raises(DataError, match="no later than the last"):
        append(schema(max_rows=1), "t", frame([("b", "4", "1")]), tmp_path / "s", progress=False)
    append(schema(max_rows=1), "t", frame([]), tmp_path / "s", progress=False)
    with pytest.raises(DataError, match="no later than the last"):
        append(schema(max_rows=1), "t", frame([("b", "5", "1")]), tmp_path / "s", progress=False)


def test_the_public_bound_on_people_holds_for_all_deliveries_together(tmp_path: Path) -> None:
    alone, beside = schema(people=2), pets.Schema({"t": schema(people=2).table("t"), "u": schema().table("t")})
    for name, of in (("alone", alone), ("beside", beside)):  # where another table may have more, this one may not
        grown(of, [[("a", "1", "1")], [("b", "2", "1")]], tmp_path / name)
        before = state(tmp_path / name)
        with pytest.raises(DataError, match=r"more people .*\(2\); raise 'people'"):
            append(of, "t", frame([("c", "3", "1")]), tmp_path / name, progress=False)
        assert state(tmp_path / name) == before


def of(**unit: Any) -> pets.Schema:
    attached = unit.pop("person_table", None)
    table = pets.Table(pets.Unit("id", max_rows=3, **unit), COLUMNS, attached)
    people = pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "sex": pets.Category(["f", "m"])})
    return pets.Schema({"t": table} | ({} if attached is None else {"p": people}))


CANNOT = [
    (of(), "names no column of arrival"),
    (of(arrival="load", rank_within=[["v"]]), "rank_within"),
    (of(arrival="load", person_table="p"), "the columns of table 'p' are attached"),
]


@pytest.mark.parametrize(("known", "why"), CANNOT, ids=["no arrival", "stored ranks", "a person table"])
def test_what_cannot_grow_says_why_before_a_row_is_read(tmp_path: Path, known: pets.Schema, why: str) -> None:
    with pytest.raises(DataError, match=f"{why}.*make the snapshot anew from all rows"):
        append(known, "t", tmp_path / "none.csv", tmp_path / "s", progress=False)


def test_tables_of_one_set_are_made_anew_together(tmp_path: Path) -> None:
    one = schema().table("t")
    both = pets.Schema({"t": one, "u": one})
    data = {"t": frame(DELIVERIES[0]), "u": frame(DELIVERIES[1])}
    Snapshot.make_all(both, ["t", "u"], data, folder=tmp_path / "s", progress=False)
    assert not list((tmp_path / "s").rglob("*-people.parquet"))
    with pytest.raises(DataError, match="made together with other tables"):
        append(both, "t", frame([("a", "9", "1")]), tmp_path / "s", progress=False)


def test_two_additions_at_once_are_not_both_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = growing.prepare

    def slow(*given: Any) -> Any:
        monkeypatch.undo()
        append(schema(), "t", frame([("first", "7", "1")]), folder, progress=False)
        return prepare(*given)

    monkeypatch.setattr(growing, "prepare", slow)
    with pytest.raises(DataError, match="was refreshed meanwhile"):
        append(schema(), "t", frame([("second", "8", "1")]), folder, progress=False)
    made = Snapshot.open(schema(), "t", folder)
    assert max(made.arrow()[made.columns["load"]].to_pylist()) == 6


def test_counters_are_the_owners_alone_and_an_edit_is_refused(folder: Path) -> None:
    (counters,) = folder.rglob("*-people.parquet")
    assert counters.stat().st_mode & 0o777 == 0o600
    held = {row["id"]: row["seen"] for row in pq.read_table(counters).to_pylist()}
    assert held["p0"] == 3 and held["p8"] == 1 and len(held) == 9
    ids = re.compile(rb"p[0-8]\b")
    for path in folder.rglob("*"):
        assert path == counters or path.is_dir() or not ids.search(path.read_bytes()), path.name
    data = bytearray(counters.read_bytes())
    data[len(data) // 2] ^= 1
    counters.write_bytes(data)
    with pytest.raises(DataError, match="was changed or is incomplete"):
        append(schema(), "t", frame([("a", "9", "1")]), folder, progress=False)


def test_what_of_the_manifest_decides_is_sealed(folder: Path) -> None:
    manifest = json.loads((folder / "t.json").read_bytes())
    (folder / "t.json").write_text(json.dumps(manifest | {"arrived": 0}))
    with pytest.raises(DataError, match="was changed or is incomplete"):
        append(schema(), "t", frame([("a", "2", "1")]), folder, progress=False)


def test_a_session_asks_the_new_rows_and_pays_again(folder: Path) -> None:
    session = pets.Session(schema(), budget=BUDGET, snapshots=folder, progress=False)
    before = session.release(BY, pets.DP(epsilon=1))
    spent = session.remaining().spent
    session.append({"t": frame(DELIVERIES[3])})
    assert session.report().rows_read == sum(map(len, (DELIVERIES[0], DELIVERIES[1], DELIVERIES[3])))
    after = session.release(BY, pets.DP(epsilon=1))
    assert after.snapshot_id == session.snapshots["t"] != before.snapshot_id
    assert session.remaining().spent.loss == 2 * spent.loss > 0
    assert any("the first to arrive (by 'load')" in note for note in after.notes)


def test_a_refresh_from_the_first_rows_says_that_the_added_ones_are_gone(tmp_path: Path) -> None:
    """A file may hold them by now; then nothing is lost."""
    frame(DELIVERIES[0]).to_csv(tmp_path / "t.csv", index=False)
    session = pets.Session(schema(), tmp_path / "t.csv", budget=BUDGET, snapshots=tmp_path / "s", progress=False)
    session.append(frame(DELIVERIES[1]))
    pd.concat([frame(DELIVERIES[0]), frame(DELIVERIES[1])]).to_csv(tmp_path / "t.csv", index=False)
    both = session.report().rows_read
    with pytest.warns(UserWarning, match="t: made anew .* rows that were added since count only if") as told:
        session.refresh()
    (said,) = (one for one in told if one.category is UserWarning)  # (of some rows that are left out it warns, too)
    assert session.report().rows_read == both and said.filename == __file__
    with warnings.catch_warnings(action="error"):
        warnings.simplefilter("ignore", LeftOutWarning)
        session.refresh()


def test_tables_in_memory_do_not_grow() -> None:
    session = pets.Session(schema(), frame(DELIVERIES[0]), budget=BUDGET, progress=False)
    with pytest.raises(DataError, match="open the session with snapshots="):
        session.append(frame(DELIVERIES[3]))


def test_the_command_adds_and_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.yaml").write_text(
        "dataset: deliveries\ntables:\n  t:\n    unit: {column: id, max_rows: 3, arrival: load}\n    people: 1000\n"
        "    columns:\n      id: {type: identifier}\n      load: {type: integer, min: 1, max: 99, nullable: false}\n"
        "      v: {type: integer, min: 0, max: 9}\n"
    )
    frame(DELIVERIES[3]).to_csv(tmp_path / "new.csv", index=False)
    call: Sequence[str] = ["snapshot", "--schema", str(tmp_path / "s.yaml"), "--data", str(tmp_path / "new.csv")]
    assert run([*call, "--out", str(folder), "--append"]) == 0
    said = capsys.readouterr().out
    assert "rows of before were not read" in said and Snapshot.open(schema(), "t", folder).id in said
    assert run([*call, "--out", str(folder), "--append"]) != 0
    assert "no later than the last" in capsys.readouterr().err
