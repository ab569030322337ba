"""How SQL shows an answer: in every face of a release, outside what is sealed, and charged once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.query_model.display import Display, Order
from pets.release.release import Release
from pets.schema.schema import Schema

SCHEMA = Schema.load(
    {
        "tables": {
            "t": {
                "unit": "row",
                "columns": {
                    "g": {"type": "category", "values": ["z", "a", "m"]},
                    "v": {"type": "integer", "min": 0, "max": 9},
                },
            }
        }
    }
)
ROWS = pd.DataFrame({"g": ["z", "z", "z", "a", "m", "m", None, "a"], "v": [1, 2, None, None, 7, 9, 5, None]})
ASKED = pets.query("t").group_by("g").agg(n=pets.count(), mean=pets.mean("v"))


@pytest.fixture(scope="module")
def session() -> pets.Session:
    policy = pets.Policy(allow_unbounded=True)
    return pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(epsilon=1), policy=policy)


def shown(session: pets.Session, display: Display | None) -> Release:
    return session.release(ASKED.shown_as(display), pets.Total())


@pytest.mark.parametrize(
    ("display", "groups"),
    [
        (None, ["z", "a", "m", "missing"]),
        (Display(order=(Order("g", descending=True),)), ["z", "m", "a", "missing"]),
        (Display(order=(Order("g", nulls_first=True),)), ["missing", "a", "m", "z"]),
        (Display(order=(Order("n", descending=True), Order("g", descending=True))), ["z", "m", "a", "missing"]),
        (Display((("g", (("z", "B"), ("missing", "C"))),), order=(Order("g"),)), ["B", "C", "a", "m"]),
        (Display(order=(Order("mean"),)), ["z", "missing", "m", "a"]),
        (Display(order=(Order("mean", descending=True),)), ["m", "missing", "z", "a"]),
        (Display(order=(Order("mean", nulls_first=True),)), ["a", "z", "missing", "m"]),
        (Display(order=(Order("n"),), limit=2, offset=1), ["a", "m"]),
        (Display(limit=1), ["z"]),
        (Display(offset=3), ["missing"]),
        (Display(limit=0), []),
        (Display(having=col("n") > 1), ["z", "a", "m"]),
        (Display(having=~(col("n") > 1)), ["missing"]),
        (Display(having=col("mean") > 1.5), ["m", "missing"]),
        (Display(having=~(col("mean") > 1.5)), ["z"]),
        (Display(having=col("mean").is_null()), ["a"]),
        (Display(having=~col("mean").is_null()), ["z", "m", "missing"]),
        (Display(having=col("n").between(2, 3) & ~col("n").isin([2])), ["z"]),
        (Display(having=~((col("n") == 3) | (col("n") == 1))), ["a", "m"]),
    ],
)
def test_the_table_shows_what_was_asked(session: pets.Session, display: Display | None, groups: list[str]) -> None:
    release = shown(session, display)
    assert release.table["g"].tolist() == groups
    named = None if display is None else Display(display.labels)
    whole = shown(session, named).table.set_index("g")
    assert release.table["n"].tolist() == whole.loc[groups, "n"].tolist(), "each group keeps its own numbers"
    assert np.array_equal(release.table["mean"], whole.loc[groups, "mean"], equal_nan=True)


def test_every_face_but_the_sealed_form_follows(session: pets.Session) -> None:
    whole = shown(session, None)
    names = (("g", (("z", "Zebra"), ("missing", "none"))),)
    release = shown(session, Display(labels=names, having=col("n") > 1, order=(Order("n", descending=True),), limit=2))
    assert release.table["g"].tolist() == release.view(whole=True)["g"].tolist() == ["Zebra", "a"]
    assert release.to_arrow()["g"].to_pylist() == ["Zebra", "a"]
    assert [row["g"] for row in release] == ["Zebra", "a"]
    for text in (str(release), release._repr_html_()):
        assert "Zebra" in text
        assert "missing" not in text
        assert "Shown: 2 of 4 groups" in text
    assert "Shown:" not in str(whole)
    assert release.digest == whole.digest
    assert release.to_json() == whole.to_json()
    assert Release.from_json(release.to_json()).display is None
    assert release.shown_as(None).table.equals(whole.table)
    assert release == whole


def test_one_question_shown_twice_is_charged_once() -> None:
    session = pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(epsilon=1, delta=1e-6))
    texts = ("", " ORDER BY n", " HAVING n > -1000 ORDER BY n DESC LIMIT 2")
    first, second, third = (session.sql(f"SELECT g, COUNT(*) AS n FROM t GROUP BY g{text}") for text in texts)
    plain = session.release(first, pets.DP(epsilon=0.1))
    spent = session.remaining().spent
    assert spent.loss > 0
    up, down = session.release([second, third], pets.DP(epsilon=0.1))
    assert session.remaining().spent == spent
    assert plain.digest == up.digest == down.digest
    assert up.table["n"].tolist() == sorted(plain.table["n"])
    assert down.table["n"].tolist() == sorted(plain.table["n"], reverse=True)[:2]
    assert plain.table["g"].tolist() == ["z", "a", "m", "missing"]


def test_a_twin_and_a_federation_show_it_too() -> None:
    sessions = [pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(epsilon=1, delta=1e-6)) for _ in range(3)]
    asked = sessions[0].sql("SELECT g, COUNT(*) AS n FROM t GROUP BY g ORDER BY g DESC LIMIT 2")
    for asker in (sessions[0], pets.Federation(sessions, sites_per_person=1)):
        assert asker.dummy(rows=50).release(asked, pets.Exact()).table["g"].tolist() == ["z", "m"]


HISTOGRAM = pets.query("t").group_by("g").agg(n=pets.count(), h=pets.histogram("v", [0, 5, 9]))


def test_a_histogram_is_of_the_groups_that_are_shown_and_a_total_of_all(session: pets.Session) -> None:
    display = Display((("g", (("z", "Zebra"),)),), having=col("n") > 1, order=(Order("g", descending=True),), limit=2)
    release = session.release(HISTOGRAM.shown_as(display), pets.Total())
    assert release.histogram("h").to_dict("list") == {
        "g": ["m", "m", "a", "a"],
        "bin": ["[0, 5)", "[5, 9]"] * 2,
        "count": [0, 2, 0, 0],
    }
    assert release.total("n")["n"].tolist() == [len(ROWS)]


def test_groups_that_noise_chose_are_said_to_be_chosen_by_it() -> None:
    session = pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(epsilon=1, delta=1e-6))
    said = "an interval holds with 0.95 for a group chosen beforehand"

    def text(display: Display) -> str:
        return str(session.release(ASKED.shown_as(display), pets.DP(epsilon=0.1)))

    assert said in text(Display(order=(Order("n", descending=True),), limit=1))
    assert said in text(Display(having=col("n") > 10**6))
    assert said not in text(Display(order=(Order("g"),), limit=1)), "no noise had a part in it"
    assert said not in text(Display(order=(Order("n"),))), "all groups are shown"
