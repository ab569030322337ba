"""Questions about people from quote to release: on dummy rows, under DP, as encrypted totals and over sites."""

from __future__ import annotations

import pandas as pd
import pytest

import pets
from pets import col, he
from pets.common.codec import canonical
from pets.errors import PolicyError, QueryError
from pets.federated.site.policy import SitePolicy, TableRule
from pets.federated.site.site import Site
from pets.release.release import Release
from pets.testing.exact_answers import exact
from pets.verify.check import check
from tests.unit.rows.test_people import COHORT, DRUGS, FIRST, SCHEMA, STAYS, data

BUDGET = pets.Budget(epsilon=50, delta=1e-6)


def frames(part: int = 0, parts: int = 1) -> dict[str, pd.DataFrame]:
    """The rows of every so-manieth person."""
    return {
        table: pd.DataFrame([row for row in rows if int(row["id"][1:]) // 3 % parts == part])
        for table, rows in data().items()
    }


@pytest.fixture(scope="module")
def session() -> pets.Session:
    return pets.Session(SCHEMA, frames(), budget=BUDGET, progress=False)


def test_a_person_counts_once_so_the_price_does_not_grow_with_rows(session: pets.Session) -> None:
    quote = session.quote(COHORT, pets.DP(epsilon=1))
    one = pets.people(of="stays").agg(n=pets.count())
    fewest = pets.query("p").agg(n=pets.count())  # one row a person
    widths = [session.quote(asked, pets.DP(epsilon=1)).errors[0][0].half_width for asked in (one, fewest)]
    assert widths[0] == widths[1]
    assert any("A larger max_rows adds no noise to questions about people" in note for note in quote.notes)
    assert any("Each table's rows are chosen by themselves" in note for note in quote.notes)
    assert not any("max_rows" in note for note in session.quote(one, pets.DP(epsilon=1)).notes)
    assert quote.cost.loss == pytest.approx(session.quote(fewest, pets.DP(epsilon=1)).cost.loss, rel=1e-3)


def test_a_release_says_what_was_read_and_can_be_read_back(session: pets.Session) -> None:
    release = session.release(COHORT, pets.DP(epsilon=40))
    assert release.mechanism == "gaussian"
    assert set(release.table["kind"]) == {"a", "b", "c", "d", "missing"}
    assert abs(int(release.table["n"].sum()) - 60) < 60
    assert "all rows of any one person (id) in all tables of the dataset" in release.guarantee
    assert "at most 9 of 'stays', 9 of 'drugs', 1 of 'p' of a person" in release.notes[0]
    again = Release.from_json(canonical(release.form))
    assert again.digest == release.digest and again.query == COHORT
    assert session.release(COHORT, pets.DP(epsilon=40)) is release  # asked again, it costs nothing
    assert "people of stays, drugs, p" in str(release)


def test_an_explanation_is_in_plain_words() -> None:
    text = str(pets.explain(COHORT, SCHEMA))
    assert "one row a person" in text
    assert "at most max_rows rows" in text and "9 of 'stays', 9 of 'drugs'" in text
    assert "A larger max_rows adds no noise to questions about people." in text
    assert "drugs: number of rows, at most 9 in 'drugs' where day >= the first day by day in 'stays'" in text


def test_the_dummy_twin_answers_the_same_question(session: pets.Session) -> None:
    found = session.dummy().release(COHORT, pets.Exact()).table
    assert list(found.columns) == ["kind", "sex", "n", "drugs", "cost"]
    assert found["n"].sum() > 0


def test_rows_are_made_to_meet_it(session: pets.Session) -> None:
    """Where hardly anybody of the plain rows would, and for the whole session where it is said."""
    rare = COHORT.where(col("drugs") >= 3).where(col("sex") == "F")
    plain = dict(pets.dummy(SCHEMA, rows=250, seed=1).tables)
    assert exact(SCHEMA, plain, rare)["n"].sum() < 10
    twin = session.dummy(rows=250, seed=1)
    assert twin.release(rare, pets.Exact()).table["n"].sum() >= 10
    whole = session.dummy(rows=250, query=rare)
    assert whole.release(rare, pets.Exact()).table["n"].sum() >= 10
    # what nobody can meet is answered all the same, on plain rows, and its note says so
    never = twin.release(rare.where(col("first").is_null()), pets.Exact())
    assert never.table["n"].sum() == 0
    said = [
        ["nobody could be invented" in note for note in one.notes] for one in (never, twin.release(rare, pets.Exact()))
    ]
    assert sum(said[0]) == 1 and not any(said[1])


def test_tables_without_data_are_named() -> None:
    rows = frames()
    some = pets.Session(SCHEMA, {"p": rows["p"], "stays": rows["stays"]}, budget=BUDGET, progress=False)
    before = some.remaining().epsilon
    with pytest.raises(QueryError, match="no data for table 'drugs'"):
        some.release(COHORT, pets.DP(epsilon=1))
    assert some.remaining().epsilon == before


SMALL = pets.people(first=FIRST, drugs=DRUGS.exists()).where(~col("first").is_null())
SMALL = SMALL.agg(n=pets.count(), drugs=pets.rate(col("drugs") == True))  # noqa: E712


def sites(rule: TableRule | None = None) -> list[Site]:
    rules = {table: rule if rule and table == "stays" else TableRule() for table in SCHEMA.tables}
    parts = [pets.Session(SCHEMA, frames(part, 3), budget=BUDGET, progress=False) for part in range(3)]
    return [
        Site(part, policy=SitePolicy(tables=rules, min_sites=3), name=f"site {number}")
        for number, part in enumerate(parts)
    ]


def test_three_sites_answer_together() -> None:
    many = pets.Federation(sites(), sites_per_person=1, progress=False)
    release = many.release(SMALL, pets.DP(epsilon=20))
    assert abs(int(release.table["n"].sum()) - 60) < 30
    assert any("what happened to somebody at another site is not seen" in note for note in release.notes)


def test_a_site_gives_no_exact_totals_about_people_and_keeps_to_its_columns() -> None:
    many = pets.Federation(sites(), sites_per_person=1, progress=False)
    with pytest.raises(PolicyError, match=r"no exact totals about people.*pets\.DP"):
        many.release(SMALL, pets.Total())
    few = pets.Federation(sites(TableRule(columns=("kind",))), sites_per_person=1, progress=False)
    with pytest.raises(PolicyError, match="questions about people use 'day' of table 'stays'"):
        few.release(SMALL, pets.DP(epsilon=1))


def test_parties_add_encrypted_totals() -> None:
    public, secret = he.keygen()
    parts = [pets.Session(SCHEMA, frames(part, 3), budget=BUDGET, progress=False) for part in range(3)]
    keys = [he.partykey(f"party {number}") for number in range(3)]
    asked = secret.round(SMALL, SCHEMA, [key.public for key in keys], pets.DP(epsilon=20, delta=1e-6))
    sent = [he.encrypt(part, SMALL, public, round=asked, party=key) for part, key in zip(parts, keys, strict=True)]
    release = secret.open(he.add(sent))
    assert abs(int(release.table["n"].sum()) - 60) < 30
    assert any("at another party is not seen" in note for note in release.notes)


def test_no_feature_reads_a_household() -> None:
    """Rows belong to the person that the unit's column names: no other column joins them."""
    with pytest.raises(QueryError, match="identifier"):
        pets.explain(pets.people(of="p", n=STAYS.where(col("id") == "n1").exists()).agg(n=pets.count()), SCHEMA)


def test_the_checker_derives_it(session: pets.Session) -> None:
    release = session.release(SMALL, pets.DP(epsilon=1))
    assert check(canonical(release.to_json()), session.ledger.key.raw).startswith(release.guarantee)


ONE_ROW = pets.Schema(
    {
        "p": pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "born": pets.Date("1930-01-01", "2010-12-31")}),
        "deaths": pets.Table(
            pets.Unit("id"), {"id": pets.Identifier(), "day": pets.Date("2020-01-01", "2022-12-31")}, "p"
        ),
        "stays": pets.Table(
            pets.Unit("id", max_rows=30),
            {
                "id": pets.Identifier(),
                "day": pets.Date("2020-01-01", "2022-12-31"),
                "cost": pets.Real(0, 9, "0.5"),
            },
            "p",
        ),
    }
)
DIED, STAYED = (pets.events(table).first("day", by="day") for table in ("deaths", "stays"))


def explained(**features: object) -> str:
    asked = pets.people(of="p", **features)  # type: ignore[arg-type]
    return str(pets.explain(asked.agg(**{name: pets.sum(name) for name in features}), ONE_ROW))


def test_a_table_of_events_of_which_one_row_is_kept_is_named() -> None:
    wait = (DIED - STAYED).days(0, 400)
    assert "max_rows of 'deaths' is small" in explained(wait=wait)
    assert "is small" not in explained(stays=pets.events("stays").count(max=9))
    # a person has one row in the person table anyway
    assert "is small" not in explained(own=pets.events("p").count(max=1))


def test_the_ends_of_a_total_are_those_that_are_used() -> None:
    stays = pets.events("stays")
    assert "(clamped to [0, 7.5], the next steps of the total outwards)" in explained(
        a=stays.sum("cost", clip=(0.4, 7.3))
    )
    assert "outwards" not in explained(a=stays.sum("cost", clip=(0, 7.5)))


def test_days_outside_their_bounds_are_not_said_to_be_clamped() -> None:
    wait = (DIED - STAYED).days(0, 400)
    said = explained(wait=wait)
    assert "wait: values of 'wait' outside [0, 400] days are no value; they are not clamped." in said
    assert "clamped to" not in said
    tight = pets.people(of="p", wait=wait).agg(wait=pets.sum("wait", clip=(0, 100)))
    assert "wait: values of 'wait' are clamped to [0, 100] in steps of 1." in str(pets.explain(tight, ONE_ROW))
    assert "wait: values of 'wait' outside [0, 400] days" in str(pets.explain(tight, ONE_ROW))
