"""What bounds leave out, released once: its price, its table, what it says beside other answers, and full intervals."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import BudgetError, QueryError
from pets.protection.budget import UNIT
from pets.release.bounding.rows_lost import RowsLost

M = 6
SCHEMA = pets.Schema.load(
    {
        "dataset": "lost",
        "tables": {
            "stays": {
                "unit": {"column": "id", "max_rows": M, "rows": 2},
                "columns": {
                    "id": {"type": "identifier"},
                    "ward": {"type": "category", "values": ["north", "south"], "nullable": False},
                    "cost": {"type": "integer", "min": -2, "max": 10, "nullable": False},
                },
            }
        },
    }
)
PEOPLE = {1: 600, 2: 250, 4: 100, 6: 40, 9: 10}  # rows, and how many people have so many
STAYS = pd.DataFrame(
    [
        {"id": f"{rows}-{person}", "ward": "south" if rows > 2 else "north", "cost": 5}
        for rows, people in PEOPLE.items()
        for person in range(people)
        for _ in range(rows)
    ]
)
TAILS = [sum(people for rows, people in PEOPLE.items() if rows >= k) for k in range(1, M + 1)]
ALL = pets.query("stays").agg(n=pets.count())
BY_WARD = pets.query("stays").group_by("ward").agg(n=pets.count(), s=pets.sum("cost"), u=pets.count_units())


def session(**settings: object) -> pets.Session:
    return pets.Session(SCHEMA, STAYS, budget=pets.Budget(epsilon=10, delta=1e-6), **settings)


def test_it_is_one_release_of_tails_paid_once() -> None:
    one = session()
    asked = pets.query("stays").agg(people=pets.tails())
    price = one.quote(asked, pets.DP(epsilon=0.5)).cost
    lost = one.rows_lost("stays", pets.DP(epsilon=0.5))
    assert lost.release.query.digest == asked.digest
    assert lost.release.certificate is not None
    assert one.remaining().spent == price
    again = one.rows_lost("stays", pets.DP(epsilon=0.5))
    assert again.release.digest == lost.release.digest and one.remaining().spent == price
    # √M of sensitivity at this ρ, and no more
    assert lost.release.scales[0] == pytest.approx(np.sqrt(M / (2 * price.loss / UNIT)), rel=1e-3)


def test_its_table_is_near_the_truth() -> None:
    lost = session().rows_lost("stays", pets.DP(epsilon=3))
    table = lost.table
    assert table["rows"].tolist() == list(range(1, M + 1))
    wanted = [sum(TAILS[k:]) for k in range(1, M + 1)]
    assert (table["people_low"] <= TAILS).all() and (table["people_high"] >= TAILS).all()
    assert (table["lost_low"] <= wanted).all() and (wanted <= table["lost_high"]).all()
    shares = [1 - left / sum(TAILS) for left in wanted]
    assert (table["counted_low"] <= shares).all() and (shares <= table["counted_high"]).all()
    assert table["lost"].tolist()[-1] == 0 and table["counted"].tolist()[-1] == 1
    assert lost.kept == M and f"Rows beyond {M}" in str(lost)


def test_by_group_each_group_has_its_own_loss_at_the_same_price() -> None:
    one = session()
    whole, by = (one.rows_lost("stays", pets.DP(epsilon=3), by=keys) for keys in (None, "ward"))
    assert by.release.cost == whole.release.cost and by.release.scales == whole.release.scales
    table = by.table.set_index(["ward", "rows"])
    assert table.loc[("south", 2), "lost"] == pytest.approx(sum(TAILS[2:]), abs=60)
    assert table.loc[("north", 2), "lost"] == pytest.approx(0, abs=60)
    assert not by.whole and by.sentence(2) == ""


def test_quotes_answers_and_charts_say_what_share_is_counted() -> None:
    one = session()
    before = one.release(BY_WARD, pets.DP(epsilon=1))
    assert "K = 2 counts" not in str(before) and "K = 2 counts" not in str(one.quote(BY_WARD, pets.DP(epsilon=1)))
    lost = one.rows_lost("stays", pets.DP(epsilon=1))
    said = lost.sentence(2)
    assert said.startswith("K = 2 counts about ") and "leaves out" in said
    after = one.release(BY_WARD, pets.DP(epsilon=1))
    assert after.digest == before.digest, "what is shown beside a release is no part of it"
    assert said in str(after) and html.escape(said) in after._repr_html_()
    assert said in str(after.plot("n").to_dict()["title"]["subtitle"])
    assert said.split(" that ")[0] in " ".join(str(one.quote(BY_WARD, pets.DP(epsilon=1))).split())
    assert said in " ".join(str(session().quote(ALL, pets.DP(epsilon=1), rows_lost=lost)).split())
    people = pets.query("stays").agg(u=pets.count_units())
    assert "K = 2 counts" not in str(one.release(people, pets.DP(epsilon=1))), "people are counted over all kept rows"


def test_after_a_refresh_it_is_no_longer_said(tmp_path: Path) -> None:
    budget = pets.Budget(epsilon=10, delta=1e-6)
    custodian = pets.Custodian(SCHEMA, STAYS, budget=budget, snapshots=tmp_path / "others", progress=False)
    own = session(snapshots=tmp_path / "snapshots")
    for one, holder in ((own, own), (custodian.session(analyst="amina"), custodian)):
        one.rows_lost("stays", pets.DP(epsilon=1))
        assert "K = 2 counts" in str(one.quote(ALL, pets.DP(epsilon=1)))
        holder.refresh()
        assert "K = 2 counts" not in str(one.quote(ALL, pets.DP(epsilon=1)))
        assert "K = 2 counts" not in str(one.release(ALL, pets.DP(epsilon=1)))
        one.rows_lost("stays", pets.DP(epsilon=1))
        assert "K = 2 counts" in str(one.quote(ALL, pets.DP(epsilon=1)))


def test_it_is_read_again_from_a_file(tmp_path: Path) -> None:
    lost = session().rows_lost("stays", pets.DP(epsilon=1))
    lost.release.save(tmp_path / "lost.json")
    assert RowsLost(pets.Release.load(tmp_path / "lost.json")).table.equals(lost.table)
    with pytest.raises(QueryError, match=r"pets\.tails"):
        RowsLost(session().release(ALL, pets.DP(epsilon=1)))


# ── intervals that claim the full answer ──────────────────────────────────────────────────────────────────────────────


def test_a_full_interval_holds_the_whole_loss_in_any_group() -> None:
    one = session()
    release, lost = one.release(BY_WARD, pets.DP(epsilon=2)), one.rows_lost("stays", pets.DP(epsilon=2))
    counts = lost.full(release, "n").set_index("ward")
    full = STAYS[STAYS.groupby("id").cumcount() < M].groupby("ward").size()
    assert (counts["low"] <= full).all() and (full <= counts["high"]).all()
    wide = release.table.set_index("ward")["n_high"] - release.table.set_index("ward")["n_low"]
    upper = lost.at(2).high[0]
    assert (counts["width"] >= wide + upper).all() and (counts["width"] <= 1.5 * wide + upper).all()
    sums = lost.full(release, "s").set_index("ward")
    assert (sums["width"] >= 12 * upper).all(), "each lost row may be worth -2 to 10"
    people = lost.full(release, "u").set_index("ward")
    assert (people["width"] < upper).all(), "people are counted over all kept rows, and none is lost"


def test_the_loss_by_the_same_groups_is_narrower() -> None:
    one = session()
    release = one.release(BY_WARD, pets.DP(epsilon=2))
    whole, by = (one.rows_lost("stays", pets.DP(epsilon=2), by=keys) for keys in (None, "ward"))
    wide, narrow = (lost.full(release, "n").set_index("ward")["width"] for lost in (whole, by))
    assert narrow["north"] < wide["north"] / 2


@pytest.mark.parametrize(
    ("asked", "by", "output", "why"),
    [
        (pets.query("stays").agg(m=pets.mean("cost")), None, "m", "use a larger K"),
        (ALL.bound(groups=1, rows_per_group=1), None, "n", "caps groups"),
        (ALL, "ward", "n", "by other groups"),
    ],
)
def test_what_has_no_full_interval_says_why(asked: pets.Query, by: str | None, output: str, why: str) -> None:
    one = session()
    lost = one.rows_lost("stays", pets.DP(epsilon=1), by=by)
    with pytest.raises(QueryError, match=why):
        lost.full(one.release(asked, pets.DP(epsilon=1)), output)


def test_another_snapshots_loss_is_refused() -> None:
    lost = session().rows_lost("stays", pets.DP(epsilon=1))
    with pytest.raises(QueryError, match="another table or snapshot"):
        lost.full(session().release(ALL, pets.DP(epsilon=1)), "n")


# ── the best K ────────────────────────────────────────────────────────────────────────────────────────────────────────


def square_error(rows: int, scale: float, groups: int) -> float:
    return (sum(TAILS[rows:]) / groups) ** 2 + (rows * scale) ** 2


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 0.5, 3])
def test_the_best_k_errs_least(epsilon: float) -> None:
    """With a loss that is known almost exactly: against the sum of squares, K by K, of a count's own noise."""
    rich = pets.Session(SCHEMA, STAYS, budget=pets.Budget(epsilon=2000, delta=1e-6))
    lost = rich.rows_lost("stays", pets.DP(epsilon=1000))
    scale = rich.release(ALL.bound(rows=1), pets.DP(epsilon=epsilon)).scales[0]
    errors = {rows: square_error(rows, scale, 1) for rows in range(1, M + 1)}
    assert rich.best_rows(ALL, lost, pets.DP(epsilon=epsilon)) == min(errors, key=lambda rows: errors[rows])


def test_more_groups_share_the_loss_but_not_the_noise() -> None:
    rich = pets.Session(SCHEMA, STAYS, budget=pets.Budget(epsilon=2000, delta=1e-6))
    lost = rich.rows_lost("stays", pets.DP(epsilon=1000))
    by = rich.rows_lost("stays", pets.DP(epsilon=1000), by="ward")
    counts = pets.query("stays").group_by("ward").agg(n=pets.count())
    noise = pets.DP(epsilon=0.1)
    assert rich.best_rows(counts, lost, noise) <= rich.best_rows(ALL, lost, noise)
    assert rich.best_rows(counts, by, noise) >= rich.best_rows(counts, lost, noise), "all of the loss is in one ward"


def test_the_best_k_needs_a_count_a_price_and_the_same_table() -> None:
    one = session()
    lost = one.rows_lost("stays", pets.DP(epsilon=1))
    with pytest.raises(QueryError, match=r"add \.agg\(n=pets\.count\(\)\)"):
        one.best_rows(pets.query("stays").agg(m=pets.mean("cost")), lost, pets.DP(epsilon=1))
    with pytest.raises(BudgetError, match="for a price"):
        one.best_rows(ALL, lost, pets.DP(within=5))
    with pytest.raises(QueryError, match="own table"):
        one.best_rows(pets.query("visits").agg(n=pets.count()), lost, pets.DP(epsilon=1))
    assert one.best_rows(ALL.where(col("ward") == "north"), lost, pets.DP(epsilon=1)) >= 1
