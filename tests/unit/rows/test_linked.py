"""Linked tables: read together where they were made together, else refused with a remedy that works."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
import pets.federated
from pets.errors import DataError, QueryError
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.stored.parts import Part
from pets.rows.stored.store import New, Store, commit
from pets.session.custody import Custody
from pets.session.tables import Holdings
from pets.testing.exact_answers import linked, snapshot, split_linked
from tests.unit.rows.test_roster import BOTH, OWN, asked, kept, schema, sources, without
from tests.unit.rows.test_snapshot import everything

N = pets.query("rx").agg(n=pets.count())
BUDGET = pets.Budget(epsilon=9, delta=1e-6)
APART = "the snapshots of tables 'apc', 'rx' were not made together"


def tables(folder: Path | None, data: dict[str, Any] | None = None, reuse: pets.Schema | None = None) -> Holdings:
    return Holdings(reuse or schema(), data, folder, progress=False)


def stored(folder: Path) -> Path:
    tables(folder, sources())
    return folder


def test_tables_made_together_are_read_together(tmp_path: Path) -> None:
    folder = stored(tmp_path / "s")
    held = tables(folder)
    linked = held.linked(["apc", "rx"])
    assert linked.tables == ("apc", "rx") and linked.current
    assert {linked.id} == {json.loads((folder / f"{name}.json").read_text())["set"] for name in ("apc", "rx")}
    assert held.linked(["apc", "rx"]) is linked  # one database for all questions about the two
    assert all(apc == rx for apc, rx in asked(linked, BOTH))
    for table in linked.tables:
        assert linked.arrow(table).num_rows == linked.snapshots[table].report.rows_kept
    assert held.linked(["rx"]).id == held.snapshot("rx").id
    assert held.apart == ""


def test_one_refreshed_alone_is_of_another_set(tmp_path: Path) -> None:
    folder = stored(tmp_path / "s")
    before = tables(folder)
    both = before.linked(["apc", "rx"])
    (folder / "rx.json").unlink()
    with pytest.warns(UserWarning, match="'apc', 'rx', 'patients' were not made together.* still answered alone"):
        tables(folder, {"rx": sources()["rx"]})
    assert not both.current
    with pytest.raises(QueryError, match=APART) as refusal:
        before.linked(["apc", "rx"])
    assert str(refusal.value).endswith(
        "the custodian makes them again together: pets snapshot with --data for each of these tables, or "
        "session.refresh() on a session that was given all their data"
    )
    assert all(apc == own for apc, own in asked(before.linked(["apc", "patients"]), OWN.replace("rx", "apc")))
    for name in ("apc", "rx"):
        assert before.linked([name]).id == before.snapshot(name).id
    assert before.apart.startswith("the snapshots of tables 'apc', 'rx', 'patients' were not made together")
    with pytest.warns(UserWarning, match="stored snapshots are used"):
        again = tables(folder, sources())
    again.refresh()
    assert asked(again.linked(["apc", "rx"]), BOTH) and again.apart == ""


def test_a_refresh_of_some_tables_keeps_the_others(tmp_path: Path) -> None:
    folder = stored(tmp_path / "s")
    with pytest.warns(UserWarning, match="stored snapshots are used"):
        some = tables(folder, {"rx": sources()["rx"]})
    kept = some.snapshot("apc").id
    with pytest.warns(UserWarning, match="were not made together"):
        some.refresh()
    assert some.tables == ("apc", "rx", "patients") and some.snapshot("apc").id == kept


def old(folder: Path, table: str) -> None:
    """Rewrite a stored snapshot as an earlier version made it: without a set."""
    store = Store(folder, table)
    manifest, held = store.read()
    kept = tuple(map(Part.of, held.parts))
    with store.writing("old") as new:
        commit([New(store, new, {name: manifest[name] for name in manifest if name not in ("set", "parts")}, kept)])


def test_old_snapshots_answer_about_one_table_each(tmp_path: Path) -> None:
    folder = stored(tmp_path / "s")
    for name in ("apc", "rx"):
        old(folder, name)
    session = pets.Session(schema(), budget=BUDGET, snapshots=folder, progress=False)
    assert session.release(N, pets.DP(epsilon=1)).snapshot_id == session.snapshots["rx"]
    with pytest.raises(QueryError, match=APART):
        session.custody.linked(["apc", "rx"])
    assert session.custody.linked(["rx"]).id == session.snapshots["rx"]


def test_a_stored_set_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stored(tmp_path / "s")
    before = everything(folder)
    broken = sources()
    broken["patients"] = broken["patients"].drop(columns="self")
    with pytest.raises(DataError, match="column 'self' of table 'patients'"):
        Snapshot.make_all(schema(), ("rx", "patients"), broken, folder=folder, progress=False)
    assert everything(folder) == before

    # cut off between two moves: each table is whole, and they are not taken for one set
    moves: list[str] = []
    replace = Path.replace

    def dies(self: Path, target: Any) -> Any:
        moves.append(str(Path(target).parent.name if ".parquet" in str(target) else Path(target).name))
        if len(moves) == 4:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        Snapshot.make_all(schema(), ("apc", "rx"), sources(), folder=folder, progress=False)
    monkeypatch.undo()
    assert moves == ["apc.parquet", "rx.parquet", "apc.json", "rx.json"]
    held = tables(folder)
    assert held.snapshot("apc").report.rows_kept and held.snapshot("rx").report.rows_kept
    with pytest.raises(QueryError, match=APART):
        held.linked(["apc", "rx"])


def test_a_set_cannot_be_forged_by_hand(tmp_path: Path) -> None:
    folder = stored(tmp_path / "s")
    other = stored(tmp_path / "t")
    ours = json.loads((folder / "rx.json").read_text())["set"]
    forged = json.loads((other / "rx.json").read_text()) | {"set": ours}
    (other / "rx.json").write_text(json.dumps(forged))
    with pytest.raises(DataError, match="table 'rx' was changed or is incomplete; make it again"):
        Snapshot.open(schema(), "rx", other)


def test_snapshots_of_two_sets_are_refused_in_memory_too() -> None:
    one, other = (Snapshot.make_all(schema(), ("apc", "rx"), sources(), progress=False) for _ in range(2))
    assert Linked(one).id != Linked(other).id
    with pytest.raises(QueryError, match=APART):
        Linked({"apc": one["apc"], "rx": other["rx"]})


def test_a_refusal_does_not_depend_on_rows(tmp_path: Path) -> None:
    said = set()
    for name, data in (("s", sources()), ("t", without(sources(), 7))):
        folder = tmp_path / name
        tables(folder, data)
        old(folder, "rx")
        with pytest.raises(QueryError) as refusal:
            tables(folder).linked(["apc", "rx"])
        said.add(str(refusal.value))
    assert len(said) == 1


def test_a_table_without_a_person_is_read_alone() -> None:
    rows = pets.Schema(
        {**schema().tables, "beds": pets.Table("row", {"free": pets.Integer(0, 9)})},  # type: ignore[arg-type]
        dataset="linked",
    )
    held = tables(None, sources() | {"beds": pd.DataFrame({"free": [1, 2]})}, rows)
    with pytest.raises(QueryError, match=r"table 'beds' has no column that names a person \(unit: row\)"):
        held.linked(["rx", "beds"])
    assert held.linked(["beds"]).id == held.snapshot("beds").id and held.apart == ""


def test_two_schemas_in_one_process_have_their_own_people() -> None:
    """Another schema's tables of the same names, whose columns stand in another order."""
    turned = pets.Schema(
        {name: pets.Table(t.unit, dict(reversed(list(t.columns.items()))), t.person_table) for name, t in
         schema().tables.items()},
        dataset="other",
    )  # fmt: skip
    fewer = {name: rows[rows["id"] < 100] for name, rows in sources().items()}
    sessions = [
        Custody.open(schema(), sources(), budget=BUDGET, progress=False),
        Custody.open(turned, fewer, budget=BUDGET, progress=False),
    ]
    counts = [len(asked(custody.linked(["apc", "rx"]), BOTH)) for custody in sessions * 2]
    assert counts[:2] == counts[2:] and 0 < counts[1] < counts[0] / 2


def test_linked_tables_are_never_pickled_or_shown() -> None:
    linked = Linked(Snapshot.make_all(schema(), ("apc", "rx"), sources(), progress=False))
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(linked)
    assert repr(linked) == f"Linked(apc, rx; id={linked.id!r})"


def test_the_database_outlives_the_tables_and_is_gone_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    folder = stored(tmp_path / "s")
    linked = tables(folder).linked(["apc", "rx"])
    relation, backend = linked.relation("rx"), linked.connection()
    del linked
    assert backend.table(relation).count().execute() > 0 and len(list(scratch.iterdir())) == 1
    del backend
    assert list(scratch.iterdir()) == []


def test_the_judge_deals_people_out_whole() -> None:
    whole = linked(schema(), sources(), ["apc", "rx"])
    pairs = sorted(asked(whole, BOTH))
    parts = split_linked(schema(), whole, 3)
    assert sorted(pair for part in parts for pair in asked(part, BOTH)) == pairs
    people = [{who for who, _ in asked(part, BOTH)} for part in parts]
    assert sum(map(len, people)) == len(set.union(*people)) > 100
    assert len({part.id for part in parts} | {whole.id}) == 4
    one = snapshot(schema(), sources(), "rx")
    assert kept(whole.snapshots["rx"]) == kept(one)


def test_a_site_and_an_encrypting_party_reach_the_same_tables(tmp_path: Path) -> None:
    session = pets.Session(schema(), budget=BUDGET, snapshots=stored(tmp_path / "s"), progress=False)
    site = pets.federated.Site(session, policy=pets.federated.SitePolicy.open(schema()))
    linked = site.session.custody.linked(["apc", "rx"])
    assert linked is session.custody.linked(["apc", "rx"]) is session.custody.scoped("flu", "bob").linked(["apc", "rx"])
    assert all(apc == rx for apc, rx in asked(linked, BOTH))
    dummy = session.dummy(rows=200).custody
    assert dummy.linked(["apc", "rx"]).connection().table(dummy.linked(["apc", "rx"]).relation("rx")).count().execute()
