"""The checker and rounded tables: what pets releases holds; what is no sum of a rule's numbers does not."""

from __future__ import annotations

import copy
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets import col
from pets.cli import main
from pets.common.codec import canonical
from pets.ledger.ledger import Ledger
from pets.protection.sdc import PRESETS, RELEASING
from pets.release.rounded.sealed_table import SealedTable
from pets.verify import check as checker
from pets.verify.check import CannotCheck, check
from tests.grids import BUDGET, GRID, HES, POLICY, ROWS, SCHEMA, T, opened
from tests.unit.verify.test_check import Made, refused

pytestmark = pytest.mark.chance(0)

N = pets.count()
ASKED = [
    T.group_by("region").agg(n=N, old=pets.rate(col("age") >= 65)),
    T.where(col("age") < 65).group_by("sex", col("age").bins([0, 40, 99])).agg(n=N),
    T.group_by(pets.KeySet.of([{"region": "S"}, {"region": "E"}])).agg(n=N, f=pets.count(where=col("sex") == "F")),
    T.agg(n=N),
]


class Rounded(Made):
    """A grid and its tables, of a ledger with a file."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        given: Any = {"policy": POLICY, "snapshots": folder / "ready", "progress": False}
        session = pets.Session(SCHEMA, ROWS, budget=BUDGET, ledger=self.ledger, **given)
        self.grid = session.name_grid(GRID, HES)
        session.release(T.agg(n=N), pets.DP(epsilon=1))
        self.tables = [session.release(one, HES) for one in ASKED]
        other = pets.Session(SCHEMA, None, ledger=self.ledger, project="other", **given)
        self.tables.append(other.release(ASKED[0], HES))
        self.key = self.ledger.key.raw
        with self.ledger.reading() as tx:
            self.log = [(body, chain) for body, _, chain in tx.entries()]
            self.note = self.ledger.checkpoint(tx)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Rounded:
    return Rounded(tmp_path_factory.mktemp("rounded"))


def file_of(one: SealedTable) -> bytes:
    return canonical(one.to_json())


def test_rounded_tables_hold_with_their_log_and_their_grid(made: Rounded) -> None:
    published = canonical(SCHEMA.to_json())
    for one in (made.grid, *made.tables):
        said = check(file_of(one), made.key, log=made.whole_log(), schema=published)
        assert said.startswith(one.guarantee) and f"as all {len(made.log)} entries of the log lead to" in said
    for one in made.tables:
        said = check(file_of(one), made.key, grid=file_of(made.grid))
        assert f"grid: each number is the sum of the cells of {made.grid.id}" in said


@pytest.mark.parametrize("preset", RELEASING)
def test_every_rule_holds_and_so_do_dummies(preset: str) -> None:
    session = opened()
    protection = pets.SDC(preset)
    grid = session.name_grid(GRID, protection)
    for query in ASKED:
        table = session.release(query, protection)
        assert "sum of the cells" in check(file_of(table), session.ledger.key.raw, grid=file_of(grid))
    dummy = session.dummy(200)
    table = dummy.release(ASKED[0], protection)
    assert check(file_of(table), dummy.ledger.key.raw).startswith("Dummy data")


def lie(made: Rounded, form: dict[str, Any], one: SealedTable, **more: Any) -> str:
    """Why a table with another form is refused, though the ledger's own key signed it with a certificate that fits."""
    assert one.certificate is not None
    told, said = copy.deepcopy(one.form) | form, copy.deepcopy(one.certificate.predicate)
    for name in ("protection", "cost", "notes", "guarantee", "query"):
        said[name] = told[name]
    said["plan_sha256"] = told["plan"]
    return refused(made.signed(told, said)[0], made.key, **more)


def change(one: SealedTable, name: str, at: int, to: int) -> dict[str, Any]:
    """The counts of a table with one number changed."""
    counts = copy.deepcopy(one.form["counts"])
    counts[0][0][name][at] += to
    return {"counts": counts}


def test_numbers_that_the_rule_does_not_show_are_refused(made: Rounded) -> None:
    shown = made.grid.form["shown"]
    for number in (3, 5, 7, 12, -2):
        assert "as its rule shows no count" in lie(made, {"shown": [number, *shown[1:]]}, made.grid)
    assert "another number of cells" in lie(made, {"shown": shown[1:]}, made.grid)
    table = made.tables[3]
    for name, to in [("shown", 1), ("shown", -2), ("low", 1), ("high", -1), ("hidden", 1), ("hidden", 10**6)]:
        said = lie(made, change(table, name, 0, to), table)
        assert "no sum of what its rule can show" in said or "more cells than there are" in said, (name, to, said)
    assert "no whole number" in lie(made, change(table, "low", 0, -(10**6)), table)
    assert "another number of counts" in lie(made, {"counts": table.form["counts"] * 2}, table)


def test_sums_of_other_cells_are_found_with_the_grid_at_hand(made: Rounded) -> None:
    """A cell more or less, or another one, may be a sum that the rule can show: the grid tells."""
    table = made.tables[3]
    counts = copy.deepcopy(table.form["counts"])
    counts[0][0] = {
        name: [number + by] for (name, (number,)), by in zip(sorted(counts[0][0].items()), (0, 5, 5, 5), strict=True)
    }
    told, said = table.form | {"counts": counts}, copy.deepcopy(table.certificate.predicate)  # type: ignore[union-attr]
    signed = made.signed(told, said)[0]
    assert check(signed, made.key)
    assert "not the sum of its grid's cells" in refused(signed, made.key, grid=file_of(made.grid))
    other = opened().name_grid(GRID, HES)
    assert "this key signed" in refused(file_of(table), made.key, grid=file_of(other))
    with pytest.raises(CannotCheck, match="leave --grid out"):
        check(file_of(made.grid), made.key, grid=file_of(made.grid))


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"rule": PRESETS["midpoint6"].rule.to_json()}, "its rule is not that of its protection"),
        ({"protection": {"kind": "sdc", "preset": "strict_10"}}, "none that releases are made by"),
        ({"protection": {"kind": "sdc", "preset": "midpoint6"}}, "its rule is not that of its protection"),
        ({"protection": {"kind": "sdc", "threshold": 7, "base": 5}}, "promises something else (guarantee)"),
        ({"guarantee": "Differentially private with ε = 0.1."}, "promises something else (guarantee)"),
        ({"cost": {"currency": "zcdp", "loss": 1, "delta": 0}}, "it costs something, and has no ε"),
        ({"plan": "0" * 64}, "its plan does not follow"),
        ({"more": 1}, "other parts than pets writes"),
        ({"data": "dummy"}, "a ledger on disk holds no invented rows"),
    ],
)
def test_what_promises_something_else_is_refused(form: dict[str, Any], why: str, made: Rounded) -> None:
    for one in (made.grid, made.tables[0]):
        assert why in lie(made, form, one)


def test_a_question_that_cuts_a_cell_of_its_grid_is_refused(made: Rounded) -> None:
    table = made.tables[3]
    for query, why in [
        (T.where(col("age") > 20).agg(n=N), "it cuts a cell of its grid"),
        (T.where(col("born") > "2000-01-01").agg(n=N), "a column that its grid does not have"),
        (T.agg(n=pets.mean("age")), "no count of people"),
    ]:
        form = {"query": query.to_json(), "plan": opened().custody.plan(query).digest}
        assert why in lie(made, form, table)
    for grid, why in [
        (T.group_by("sex", col("age").bins([18, 65])).agg(n=N), "leaves somebody out"),
        (T.where(col("age") < 65).group_by("sex").agg(n=N), "does not count everybody once"),
    ]:
        assert why in lie(made, {"grid": table.form["grid"] | {"query": grid.to_json()}}, table)


@pytest.mark.parametrize("preset", RELEASING)
def test_what_adds_up_is_what_some_cells_add_up_to(preset: str) -> None:
    """By enumeration of all counts of up to three cells: these sums add up, and none near them that no cells give."""
    rule, (least, most) = PRESETS[preset].rule, (0, 26)
    kinds = checker._answers.ROUNDED.RULES
    plain = rule.to_json()
    counts = np.arange(least, most)
    shown = rule.shown(counts)
    low, high = rule.interval(shown)
    cells = {(int(s), int(a), int(b)) for s, a, b in zip(shown, low, high, strict=True)}
    for many in (1, 2, 3):
        sums = set()
        for several in combinations_with_replacement(sorted(cells), many):
            hidden = sum(one[0] == -1 for one in several)
            total = sum(one[0] if one[0] >= 0 else rule.middle for one in several)
            sums.add((hidden, total, sum(one[1] for one in several), sum(one[2] for one in several)))
        for hidden, total, first, last in sums:
            assert kinds.adds_up(plain, many - hidden, hidden, total, first, last)
        near = {
            (h, t + x, f + y, n + z)
            for h, t, f, n in sums
            for x in (-1, 0, 1)
            for y in range(-3, 4)
            for z in (-1, 0, 1)
        }
        for hidden, total, first, last in near - sums:
            if total > 25:  # of cells that show more than was enumerated
                continue
            assert not kinds.adds_up(plain, many - hidden, hidden, total, first, last), (hidden, total, first, last)


def test_the_command_line_holds_a_table_against_its_grid(made: Rounded, tmp_path: Path, capsys: Any) -> None:
    table, grid = made.tables[0].save(tmp_path / "answer.json"), made.grid.save(tmp_path / "grid.json")
    (tmp_path / "ledger.pub").write_text(made.key.hex())
    given = [str(table), "--key", str(tmp_path / "ledger.pub"), "--grid", str(grid)]
    assert main.run(["verify", *given]) == 0
    assert "sum of the cells" in capsys.readouterr().out
    assert main.run(["verify", str(grid), "--key", str(tmp_path / "ledger.pub"), "--grid", str(grid)]) != 0
    alone = [str(table), str(tmp_path / "ledger.pub"), "--grid", str(grid)]
    assert checker.main(alone) == 0 and "sum of the cells" in capsys.readouterr().out
