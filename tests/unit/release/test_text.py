"""An answer as words: the heading of a count says whose rows it counts, wherever it is read."""

import pandas as pd
import pytest

import pets
from pets import col
from pets.release.html import page
from pets.release.plot import measured
from tests.unit.session.test_session import SCHEMA, frame

WHOSE = "at most 2 of each person's rows"
QUERY = (
    pets.query("stays")
    .group_by("age")
    .agg(
        n=pets.count(),
        people=pets.count_units(),
        cost=pets.sum("cost", clip=(0, 8)),
        mean=pets.mean("days"),
        urgent=pets.rate(col("urgent") == True),  # noqa: E712
    )
)


@pytest.fixture(scope="module")
def session() -> pets.Session:
    return pets.Session(SCHEMA, frame(), budget=pets.Budget(epsilon=30, delta=1e-6))


@pytest.fixture(scope="module")
def release(session: pets.Session) -> pets.Release:
    return session.release(QUERY, pets.DP(epsilon=2))


def test_a_count_says_whose_rows_it_counts_in_the_terminal(release: pets.Release) -> None:
    shown = str(release).splitlines()
    top = next(i for i, line in enumerate(shown) if line.split()[:2] == ["age", "n"])
    above, below = shown[top + 1 : top + 3]
    assert above.count("at most 2 of each") == below.count("person's rows") == 2  # n and cost; nobody counts twice
    place = shown[top].index(" n") + 2
    assert above[:place].endswith("at most 2 of each")
    assert below[:place].endswith("person's rows")


def test_and_in_html_on_a_chart_and_in_a_quote(session: pets.Session, release: pets.Release) -> None:
    for form in (release._repr_html_(), page(release, "Stays")):
        assert f'n<span class="below">{WHOSE.replace(chr(39), "&#x27;")}</span>' in form
        assert form.count('class="below"') == 2
    axis = {name: measured(release, release.estimates[name]) for name in ("n", "people", "cost", "mean", "urgent")}
    assert axis == {
        "n": f"n ({WHOSE})",
        "people": "people",
        "cost": f"cost (sum of cost, {WHOSE})",
        "mean": "mean (mean of days)",
        "urgent": "urgent (share of rows)",
    }
    lines = {line.split()[0]: line for line in str(session.quote(QUERY, pets.DP(epsilon=2))).splitlines()}
    assert [name for name, line in lines.items() if WHOSE in line] == ["n", "cost"]


def test_the_number_of_rows_is_the_one_of_the_query(session: pets.Session) -> None:
    query = pets.query("stays").agg(n=pets.count()).bound(rows=4)
    assert "at most 4 of each person's rows" in str(session.quote(query, pets.DP(epsilon=1)))


def test_where_each_row_is_a_person_nothing_is_said() -> None:
    schema = pets.Schema({"t": pets.Table("row", {"x": pets.Integer(0, 3)})}, dataset="rows")
    session = pets.Session(schema, pd.DataFrame({"x": [1, 2]}), budget=pets.Budget(epsilon=3, delta=1e-6))
    query = pets.query("t").agg(n=pets.count(), x=pets.sum("x"))
    release = session.release(query, pets.DP(epsilon=1))
    for form in (str(release), release._repr_html_(), str(session.quote(query, pets.DP(epsilon=1)))):
        assert "each person" not in form
