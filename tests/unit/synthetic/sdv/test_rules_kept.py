"""Rules of a schema in rows that an engine made: kept, or said not to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import ReleaseFailedError
from pets.schema.rules import Order
from pets.synthetic.sdv import engine
from pets.synthetic.sdv.rules_kept import fates, first, kept, put_back
from pets.synthetic.sdv.sdv_metadata import rendered

ORDER, STAY, DIED, EPISODE = (
    {"order": ["seen", "admitted", "discharged"]},
    {"column": "stay", "days": ["admitted", "discharged"]},
    {"column": "died", "when": {"outcome": ["Died"]}},
    {"unique": "episode"},
)


def schema(*rules: Any, window: tuple[str, str] = ("2024-01-01", "2024-03-31")) -> pets.Schema:
    dates = {name: {"type": "date", "min": window[0], "max": window[1]} for name in ("admitted", "discharged", "died")}
    columns = {
        "id": {"type": "identifier"},
        "record": {"type": "identifier"},
        "seen": {"type": "date", "min": "2023-12-01", "max": "2024-03-31"},
        **dates,
        "stay": {"type": "integer", "min": 0, "max": 60},
        "outcome": {"type": "category", "values": ["Home", "Died"]},
        "episode": {"type": "integer", "min": 1, "max": 9999, "nullable": False},
    }
    table = {"unit": {"column": "id", "max_rows": 3}, "columns": columns, "rules": list(rules)}
    return pets.Schema.load({"dataset": "rules", "tables": {"stays": table}})


EVERY = schema(ORDER, STAY, DIED, EPISODE, {"unique": "record"})
FIELDS = {n: d for n, d in EVERY.fields("stays").items() if n not in ("id", "record")}


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    """Rows that keep every rule, but for one in ten that breaks the order and one in ten without a discharge."""
    random = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01")
    admitted = random.integers(0, 60, count)
    stay = random.integers(0, 30, count)
    seen = admitted - random.integers(0, 20, count)
    flip = random.random(count) < 0.1
    seen = np.where(flip, admitted + 5, seen)
    outcome = random.choice(["Home", "Died"], count)
    frame = pd.DataFrame(
        {
            "id": [f"real{i // 2}" for i in range(count)],
            "record": [f"r{i}" for i in range(count)],
            "seen": (start + pd.to_timedelta(seen, unit="D")).strftime("%Y-%m-%d"),
            "admitted": (start + pd.to_timedelta(admitted, unit="D")).strftime("%Y-%m-%d"),
            "discharged": (start + pd.to_timedelta(admitted + stay, unit="D")).strftime("%Y-%m-%d"),
            "died": (start + pd.to_timedelta(admitted + stay, unit="D")).strftime("%Y-%m-%d"),
            "stay": stay,
            "outcome": outcome,
            "episode": random.permutation(9000)[:count] + 1,
        }
    )
    frame.loc[outcome != "Died", "died"] = None
    frame.loc[random.random(count) < 0.1, ["discharged", "died", "stay"]] = None
    return frame


def broken(table: pd.DataFrame) -> dict[str, int]:
    """How many rows break each rule: counted from the values, by nothing that made them."""
    day = {name: pd.to_datetime(table[name]) for name in ("seen", "admitted", "discharged", "died")}
    length = (day["discharged"] - day["admitted"]).dt.days
    stay = pd.to_numeric(table["stay"])
    order = (day["seen"] > day["admitted"]) | (day["admitted"] > day["discharged"]) | (day["seen"] > day["discharged"])
    return {
        "order": int(order.sum()),
        "stay": int(((length != stay) & ~(length.isna() & stay.isna())).sum()),
        "died": int((day["died"].notna() & (table["outcome"] != "Died")).sum()),
        "episode": int(table["episode"].duplicated().sum()),
        "record": int(table["record"].duplicated().sum()),
    }


NONE = dict.fromkeys(("order", "stay", "died", "episode", "record"), 0)


def test_the_counter_of_broken_rules_counts() -> None:
    found = broken(rows(400).assign(outcome="Home", episode=1, record="r", stay=3))
    assert all(count > 20 for count in found.values())


def test_wild_rows_are_put_right_or_turned_away() -> None:
    random = np.random.default_rng(1)
    count = 2000
    start = pd.Timestamp("2023-11-01")
    made = pd.DataFrame(
        {
            name: np.where(
                random.random(count) < 0.1,
                pd.NaT,
                start + pd.to_timedelta(random.integers(0, 200, count), unit="D").to_numpy(),
            )
            for name in ("seen", "admitted", "discharged", "died")
        }
    )
    made = made.apply(pd.to_datetime).assign(
        outcome=random.choice(["Home", "Died", None], count), episode=random.integers(-50, 900, count)
    )
    codes, good = put_back([EVERY.table("stays")], FIELDS, made)
    assert 50 < good.sum() < count
    values = {n: rendered(codes[n][good], FIELDS[n]) for n in FIELDS}
    assert broken(pd.DataFrame(values).assign(record=range(int(good.sum())))) == NONE
    # no row that breaks nothing is turned away: those refused break the order, repeat, or stay longer than 60 days
    days = {
        n: np.where(codes[n] == FIELDS[n].cells, np.nan, codes[n] + FIELDS[n].lo.toordinal())
        for n in ("seen", "admitted", "discharged")  # type: ignore[attr-defined]
    }
    with np.errstate(invalid="ignore"):
        fine = ~(days["seen"] > days["admitted"]) & ~(days["admitted"] > days["discharged"])
        fine &= ~(days["seen"] > days["discharged"]) & ~(days["discharged"] - days["admitted"] > 60)
    assert set(codes["episode"][fine].tolist()) == set(codes["episode"][good].tolist())


def test_empty_values_break_no_order_but_do_not_hide_one() -> None:
    table = schema(ORDER).table("stays")
    last = FIELDS["admitted"].cells
    seen = {"seen": np.array([40, 40, 120]), "admitted": np.array([last] * 3), "discharged": np.array([20, 5, last])}
    # seen begins 31 days before the others: 40 there is 9 here
    for narrow in (np.int64, np.uint8):  # a snapshot's codes are as narrow as they may be
        codes = {name: values.astype(narrow) for name, values in seen.items()}
        assert kept(table, codes, list(codes))[1].tolist() == [True, False, True]


def test_what_becomes_of_each_rule_is_said() -> None:
    every = list(FIELDS)
    told = {one.rule.kind: one for one in fates(EVERY.table("stays"), every, constrained=True)}
    assert told["order"].constraint == {
        "class": "Range",
        "parameters": {
            "low_column_name": "seen",
            "middle_column_name": "admitted",
            "high_column_name": "discharged",
            "strict_boundaries": False,
        },
    }
    assert (
        "computed" in told["derived"].kept and "emptied" in told["when"].kept and "invented ids" in told["unique"].kept
    )
    apart = fates(EVERY.table("stays"), ["seen", "admitted", "stay"], constrained=True)
    assert [one.kept.startswith("does not apply") for one in apart] == [True, True, True, True, False]
    # constraints replace their columns: a second one on the same column is kept by turning rows away
    two = schema({"order": ["seen", "admitted"]}, {"order": ["admitted", "discharged"]}).table("stays")
    assert [one.constraint is not None for one in fates(two, every, constrained=True)] == [True, False]
    assert [one.constraint for one in fates(two, every, constrained=False)] == [None, None]
    long = schema({"order": ["seen", "admitted", "discharged", "died"]}).table("stays")
    assert [one.kept for one in fates(long, every, constrained=True)] == ["rows that break it are turned away"]


def test_rows_are_drawn_again_until_enough_keep_the_rules() -> None:
    keep = {"schema": EVERY.to_json(), "table": "stays", "columns": list(FIELDS)}
    calls: list[int] = []

    def sample(count: int) -> pd.DataFrame:
        calls.append(count)
        made = rows(count, len(calls)).drop(columns=["id", "record", "stay"])
        made["episode"] = np.random.default_rng(len(calls)).integers(1, 1000, count)
        return made

    made, turned = engine.drawn(sample, 300, keep)
    assert len(made) == 300 and len(calls) > 1 and turned > 40
    assert put_back([EVERY.table("stays")], FIELDS, made)[1].all()
    # too few values for a unique column: fewer rows, and an end
    short, _ = engine.drawn(lambda count: sample(count).assign(episode=7), 300, keep)
    assert len(short) == 1 and len(calls) < 60


@pytest.mark.chance(0)
@pytest.mark.usefixtures("fits_here")
def test_an_engine_learns_and_keeps_the_rules() -> None:
    pytest.importorskip("sdv")
    session = pets.Session(
        EVERY, rows(600), budget=pets.Budget(epsilon=1, delta=1e-6), progress=False,
        policy=pets.Policy(allow_unbounded=True),
    )  # fmt: skip
    made = session.synthesise(400, "gaussian_copula", progress=False)
    assert len(made.table) == 400 and broken(made.table) == NONE
    # something was learnt, gaps included
    assert made.table["stay"].nunique() > 10 and 0.02 < made.table["discharged"].isna().mean() < 0.4
    assert made.table["died"].notna().any()
    told = made.manifest["settings"]["rules"]
    assert [one["kept"].split()[0] for one in told] == ["learnt", "computed", "emptied", "rows", "by"]
    assert any("rules" in note for note in made.notes)


PEOPLE = pets.Schema.load(
    {
        "dataset": "rules",
        "tables": {
            "people": {
                "unit": {"column": "id", "max_rows": 1},
                "columns": {
                    "id": {"type": "identifier"},
                    "sex": {"type": "category", "values": ["F", "M"]},
                    "number": {"type": "integer", "min": 1, "max": 9999, "nullable": False},
                    "born": {"type": "date", "min": "1930-01-01", "max": "2020-01-01"},
                    "joined": {"type": "date", "min": "1930-01-01", "max": "2020-01-01"},
                },
                "rules": [{"unique": "number"}, {"unique": "id"}, {"order": ["born", "joined"]}],
            },
            "stays": EVERY.to_json()["tables"]["stays"]
            | {"person_table": "people", "rules": [ORDER, STAY, DIED, {"unique": "record"}]},
        },
    }
)


def people(stays: pd.DataFrame) -> pd.DataFrame:
    ids = sorted(set(stays["id"]))
    random = np.random.default_rng(5)
    born = pd.Timestamp("1930-01-01") + pd.to_timedelta(random.integers(0, 20_000, len(ids)), unit="D")
    return pd.DataFrame(
        {
            "id": ids,
            "sex": random.choice(["F", "M"], len(ids)),
            "number": random.permutation(9000)[: len(ids)] + 1,
            "born": born.strftime("%Y-%m-%d"),
            "joined": (born + pd.to_timedelta(random.integers(0, 9000, len(ids)), unit="D")).strftime("%Y-%m-%d"),
        }
    )


@pytest.mark.chance(0)
@pytest.mark.usefixtures("fits_here")
@pytest.mark.parametrize(("method", "settings"), [("hma", {}), ("par", {"epochs": 2, "order": "seen"})])
def test_people_and_their_rows_keep_the_rules_of_both_tables(method: str, settings: dict[str, Any]) -> None:
    """What is unique among people may stand in all rows of one: PAR's people keep all of theirs."""
    pytest.importorskip("sdv")
    stays = rows(240)
    session = pets.Session(
        PEOPLE, {"people": people(stays), "stays": stays}, budget=pets.Budget(epsilon=1, delta=1e-6), progress=False,
        policy=pets.Policy(allow_unbounded=True),
    )  # fmt: skip
    columns = ["seen", "admitted", "discharged", "stay", "outcome", "died", "sex", "number", "born", "joined"]
    made = session.synthesise(60, method, table="stays", columns=columns, progress=False, **settings)
    table, told = made.table, {one["rule"]: one["kept"] for one in made.manifest["settings"]["rules"]}
    assert broken(table.assign(episode=range(len(table)))) == NONE and len(told) == 7
    held = made.tables["people"] if method == "hma" else table
    assert (pd.to_datetime(held["born"]) <= pd.to_datetime(held["joined"])).all()
    assert (held.groupby("number")["id"].nunique() == 1).all() and (held.groupby("id")["number"].nunique() == 1).all()
    # most people have two rows, and so have invented ones
    assert table["id"].nunique() > 20 and len(table) > 1.15 * table["id"].nunique()
    if method == "hma":
        assert set(table["id"]) <= set(held["id"]) and held["id"].is_unique


def test_what_is_unique_among_people_may_repeat_within_one() -> None:
    values, person = np.array([7, 7, 7, 8, 9, 9]), np.array(["a", "a", "b", "b", "c", "d"])
    counted = np.array([True] * 5 + [False])
    assert first(values, counted).tolist() == [True, False, False, True, True, True]
    assert first(values, counted, person).tolist() == [True, True, False, True, True, True]


@pytest.mark.chance(0)
@pytest.mark.usefixtures("fits_here")
def test_rules_that_no_real_row_keeps_are_told() -> None:
    pytest.importorskip("sdv")
    frame = rows(200)
    frame[["seen", "admitted"]] = "2024-03-01"
    frame["seen"] = "2024-03-05"
    session = pets.Session(
        schema({"order": ["seen", "admitted"]}), frame, budget=pets.Budget(epsilon=1, delta=1e-6), progress=False,
        policy=pets.Policy(allow_unbounded=True),
    )  # fmt: skip
    with pytest.raises(ReleaseFailedError, match=r"keeps the rule order: \[seen, admitted\].*stays on the account"):
        session.synthesise(50, "gaussian_copula", progress=False)
    assert session.history()[["state", "unbounded"]].values.tolist() == [["forfeited", True]]


def test_a_table_with_a_guarantee_says_which_rules_it_does_not_keep() -> None:
    pytest.importorskip("mbi")
    session = pets.Session(EVERY, rows(600), budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)
    columns = ["seen", "admitted", "discharged", "stay", "outcome"]
    made = session.synthesise(500, epsilon=4, columns=columns, progress=False)
    told = {one["rule"]: one["kept"] for one in made.manifest["settings"]["rules"]}
    order = told[str(Order(["seen", "admitted", "discharged"]))]
    assert order.startswith("not kept: broken in ") and "of these rows" in order
    assert any("rules" in note for note in made.notes)
