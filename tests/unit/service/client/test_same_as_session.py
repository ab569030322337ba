"""One suite over a session and a connection: the same verbs, results, errors and words, whoever answers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import BudgetError, PetsError, PolicyError, QueryError, ReleaseFailedError, SqlError, UserError
from pets.models.trained import Trained
from pets.protection.budget import Cost
from pets.service.client.connection import Connection
from pets.session.verbs.analyst_session import AnalystSession
from pets.session.verbs.analyst_verbs import AnalystVerbs
from tests.http_services import connected

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=3, rows=1),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["f", "m"], nullable=False),
                "days": pets.Integer(0, 20, nullable=False),
                "code": pets.Text(max_length=8),
            },
        )
    },
    dataset="same-test",
)
ROWS = pd.DataFrame(
    {
        "id": [f"p{i // 2}" for i in range(1200)],
        "sex": ["f", "m"] * 600,
        "days": [i % 20 for i in range(1200)],
        "code": [f"c{i % 3}" for i in range(1200)],
    }
)
N = pets.query("stays").group_by("sex").agg(n=pets.count())
DAYS = pets.query("stays").where(col("days") > 3).agg(d=pets.mean("days"))
PEOPLE = pets.query("stays").group_by("sex").agg(n=pets.count_units())
DP = pets.DP(epsilon=0.5)


@pytest.fixture(scope="module")
def custodian(tmp_path_factory: pytest.TempPathFactory) -> pets.Custodian:
    budget = pets.Budget(epsilon=30, delta=1e-6, threshold_delta=1e-7)
    ledger, policy = tmp_path_factory.mktemp("same") / "ledger.db", pets.Policy(max_numbers=5000)
    return pets.Custodian(SCHEMA, ROWS, budget=budget, ledger=ledger, policy=policy, progress=False)


PLACES = ("session", "service")


@pytest.fixture(scope="module", params=PLACES)
def asker(request: pytest.FixtureRequest, custodian: pets.Custodian) -> Iterator[AnalystVerbs]:
    if request.param == "session":
        yield custodian.session(analyst="amina", project=request.param)
        return
    with connected(custodian, analyst="amina", project=request.param) as connection:
        yield connection


def test_every_verb_has_the_same_words_and_arguments() -> None:
    verbs = {name for name in dir(AnalystVerbs) if not name.startswith("_")}
    assert verbs <= set(dir(Connection)) & set(dir(AnalystSession)) and "synthesise" in verbs
    for name in verbs:
        here, there = getattr(AnalystSession, name), getattr(Connection, name)
        assert inspect.getdoc(here) == inspect.getdoc(there), name
        if callable(here):
            own = set(inspect.signature(there).parameters) - set(inspect.signature(here).parameters)
            assert own <= {"wait"}, name


def test_an_answer_is_a_release_with_its_certificate(asker: AnalystVerbs, custodian: pets.Custodian) -> None:
    release = asker.release(N, DP)
    assert list(release.table["sex"]) == ["f", "m"] and abs(release.table["n"].sum() - 600) < 100
    assert (release.data, release.analyst, release.project) == ("real", "amina", asker.project)
    assert release.certificate is not None and release.certificate.key_id == custodian.ledger.key.id
    spent = asker.remaining().spent
    assert asker.release(N, DP) == release and asker.remaining().spent == spent, "asked again it costs nothing"
    both = asker.release([N, DAYS], DP)
    assert both[0].table.equals(release.table) and len(both) == 2
    assert asker.release(N, DP, again=True).table["n"].tolist() != release.table["n"].tolist()
    named = asker.release(DAYS, pets.DP(epsilon=0.25), again=True, key=f"of {asker.project}")
    assert asker.release(DAYS, pets.DP(epsilon=0.25), again=True, key=f"of {asker.project}") == named


def test_what_sql_says_of_the_order_is_kept(asker: AnalystVerbs) -> None:
    query = asker.sql("SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex ORDER BY sex DESC")
    assert query.digest == N.digest and asker.release(query, DP).table["sex"].tolist() == ["m", "f"]


def test_what_is_said_before_anything_is_spent(
    asker: AnalystVerbs, custodian: pets.Custodian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asker, "_lost", {})  # what another test has released of the rows, and the twin has not
    twin = custodian.session(analyst="twin")
    for asked in (N, [N, DAYS]):
        assert asker.quote(asked, DP) == twin.quote(asked, DP) and repr(asker.quote(asked, DP)) == repr(
            twin.quote(asked, DP)
        )
    assert str(asker.explain(N, DP)) == str(twin.explain(N, DP))
    assert asker.quote_keys("stays", by=["code"], protection=DP) == twin.quote_keys("stays", by=["code"], protection=DP)
    assert asker.quote_top_keys(PEOPLE, 1, DP) == twin.quote_top_keys(PEOPLE, 1, DP)
    assert (asker.schema, asker.policy, asker.budget) == (twin.schema, twin.policy, twin.budget)
    assert (asker.tables, asker.snapshots, asker.engine) == (twin.tables, twin.snapshots, twin.engine)
    assert asker.remaining().left == twin.remaining().left


LINE = pets.linear("days", ["sex"], data="stays")


def test_a_line_is_fitted_and_forecast(asker: AnalystVerbs, custodian: pets.Custodian) -> None:
    assert (
        str(asker.quote_fit(LINE, DP)).splitlines()[1:]
        == (str(custodian.session(analyst="twin").quote_fit(LINE, DP)).splitlines()[1:])
    )
    fit = asker.fit(LINE, DP)
    assert fit.terms == ("intercept", "sex[m]") and fit.certificate is not None and fit.estimable
    spent = asker.remaining().spent
    assert asker.fit(LINE, DP).table.equals(fit.table) and asker.remaining().spent == spent
    with pytest.raises(QueryError, match="'weeks' is not in"):
        asker.fit(pets.linear("days", ["weeks"], data="stays"), DP)


def test_a_line_of_several_rows_a_person_is_two_releases(asker: AnalystVerbs) -> None:
    visits = pets.linear("days", ["sex"], data=pets.query("stays").bound(rows=2))
    fit = asker.fit(visits, pets.DP(epsilon=2))
    assert fit.meat is not None and fit.estimable and abs(fit.people - 600) < 200
    assert [one.certificate is not None for one in fit.answers] == [True, True]
    spent = asker.remaining().spent
    assert asker.fit(visits, pets.DP(epsilon=2)).table.equals(fit.table) and asker.remaining().spent == spent


def test_a_fit_that_was_paid_for_needs_no_room(asker: AnalystVerbs, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is left."""
    data = pets.query("stays").bound(rows=1)
    visits, other = (pets.poisson("days", ["sex"], data=data, weights=weights) for weights in (1, 2))
    fit = asker.fit(visits, pets.DP(epsilon=2))
    spent = asker.remaining().spent
    monkeypatch.setattr(type(asker), "_left", lambda self: Cost("zcdp", 5))
    assert asker.fit(visits, pets.DP(epsilon=2)).table.equals(fit.table) and asker.remaining().spent == spent
    for refused in (other, pets.poisson("days", ["sex"], data=data.where(col("days") > 1), weights=1)):
        with pytest.raises(BudgetError, match=r"5 questions of this fit would cost|questions .* that are left"):
            asker.fit(refused, pets.DP(epsilon=2))
    with pytest.raises(BudgetError, match="5 questions of this fit would cost"):
        asker.fit(visits, pets.DP(epsilon=2), again=True)
    assert asker.remaining().spent == spent


def test_curves_are_fitted_and_forecast(asker: AnalystVerbs, custodian: pets.Custodian) -> None:
    first = pets.events("stays").where(pets.col("sex") == "m").exists()
    cohort = pets.people(of="stays", days=pets.events("stays").max("days"), male=first)
    curves = pets.kaplan_meier("days", "male", data=cohort, bins=4)
    twin = custodian.session(analyst="twin").quote_fit(curves, DP)
    assert str(asker.quote_fit(curves, DP)).splitlines()[1:] == str(twin).splitlines()[1:]
    found = asker.fit(curves, DP)
    assert found.certificate is not None and found.groups == ("all",) and len(found.streams[0].events) == 5
    spent = asker.remaining().spent
    assert asker.fit(curves, DP).table.equals(found.table) and asker.remaining().spent == spent


def test_invented_rows_are_the_same_everywhere(asker: AnalystVerbs, custodian: pets.Custodian) -> None:
    mine, theirs = asker.dummy(200, 3), custodian.session(analyst="twin").dummy(200, 3)
    assert mine.release(PEOPLE, pets.Exact()).table.equals(theirs.release(PEOPLE, pets.Exact()).table)
    assert "invented" in mine._repr_html_() and type(mine) is AnalystSession


def test_keys_are_released_and_grouped_by(asker: AnalystVerbs) -> None:
    keys = asker.group_keys("stays", by=["code"], protection=DP, where=col("days") > 0)
    assert sorted(keys.columns) == ["code"] and len(keys.rows) == 3 and keys.certificate is not None
    assert asker.release(pets.query("stays").group_by(keys).agg(n=pets.count()), DP).table.shape[0] == 3
    top = asker.top_keys(PEOPLE, 1, DP)
    assert top.form["k"] == 1 and len(top.rows) == 1 and asker.top_keys(PEOPLE, 1, DP) == top


NETWORK = pets.classifier("sex", ["days"], data="stays", steps=3)


def test_a_network_is_trained_and_priced(asker: AnalystVerbs, custodian: pets.Custodian) -> None:
    assert asker.quote_train(NETWORK, DP) == custodian.session(analyst="twin").quote_train(NETWORK, DP)
    made = asker.train(NETWORK, DP)
    assert isinstance(made, Trained) and made.certificate is not None and made.network == NETWORK
    spent = asker.remaining().spent
    assert asker.train(NETWORK, DP) == made and asker.remaining().spent == spent
    with pytest.raises(QueryError, match="code that would run"):
        asker.train("sex ~ days", DP)
    with pytest.raises(BudgetError, match="alone"):
        asker.quote_train(NETWORK, pets.Total())


def test_rows_lost_are_said_beside_quotes_and_answers(asker: AnalystVerbs) -> None:
    assert "leaves out" not in str(asker.quote(N, DP)) + str(asker.release(N, DP))
    lost = asker.rows_lost("stays", pets.DP(epsilon=1))
    assert lost.table["rows"].tolist() == [1, 2, 3]
    assert "leaves out" in str(asker.quote(N, DP)) and "K = 1 counts" in str(asker.release(N, DP))
    assert asker.best_rows(N, lost, DP) in (1, 2, 3)


def test_the_history_shows_one_s_own_project(asker: AnalystVerbs) -> None:
    asker.release(N, DP)
    history = asker.history()
    assert set(history["project"]) == {asker.project} and repr(history).startswith("at ")
    assert len(asker.history(last=1)) == 1 and asker.history(analyst="nobody").empty


def test_a_synthetic_table_comes_with_its_certificate(asker: AnalystVerbs) -> None:
    pytest.importorskip("mbi")
    settings: dict[str, Any] = {"epsilon": 4, "columns": ["sex", "days"], "bins": {"days": [0, 10.5, 20]}}
    quote = asker.quote_synthesis(60, **settings)
    made = asker.synthesise(60, progress=False, **settings)
    assert made.table.shape[0] == 60 and made.project == asker.project and made.certificate is not None
    assert quote.epsilon == made.epsilon == 4 and made.releases[0].certificate is not None


def test_what_was_closed_is_asked_nothing(custodian: pets.Custodian) -> None:
    with connected(custodian, analyst="ben", project="closing") as connection:
        for one in (custodian.session(analyst="ben", project="closing"), connection):
            with one as opened:
                assert opened is one and not one.closed and one.remaining().left == custodian.remaining().left
            one.close()
            assert one.closed and repr(one).endswith(", closed>") and "closed" in one._repr_html_()
            for ask in (lambda: one.release(N, DP), lambda: one.history(), lambda: one.remaining()):  # noqa: B023
                with pytest.raises(UserError, match="was closed; open it again"):
                    ask()
        with pytest.raises(UserError, match="was closed; open it again"):
            connection.fetch("f3a9")
    assert custodian.remaining().left.loss > 0


MISTAKES: list[tuple[type[PetsError], Any]] = [
    (UserError, lambda asker: asker.release(N)),
    (UserError, lambda asker: asker.release(N, DP, agian=True)),
    (UserError, lambda asker: asker.release(N, DP, again=1)),
    (UserError, lambda asker: asker.release(N, DP, key="")),
    (BudgetError, lambda asker: asker.release(N, 0.5)),
    (BudgetError, lambda asker: asker.release(N, pets.DP(epsilon=1000))),
    (BudgetError, lambda asker: asker.quote(N, pets.Exact())),
    (PolicyError, lambda asker: asker.release(N, pets.Exact())),
    (PolicyError, lambda asker: asker.release(N, pets.Total())),
    (QueryError, lambda asker: asker.release("stays", DP)),
    (UserError, lambda asker: asker.release(pets.query("stay").agg(n=pets.count()), DP)),
    (QueryError, lambda asker: asker.release([], DP)),
    (QueryError, lambda asker: asker.quote(pets.query("stays").group_by("sexx").agg(n=pets.count()), DP)),
    (UserError, lambda asker: asker.rows_lost("stay", DP)),
    (SqlError, lambda asker: asker.sql("SELECT id FROM stays")),
    (BudgetError, lambda asker: asker.group_keys("stays", by=["code"], protection=pets.Total())),
    (QueryError, lambda asker: asker.group_keys("stays", by=["coed"], protection=DP)),
    (QueryError, lambda asker: asker.top_keys(PEOPLE, 7, DP)),
    (QueryError, lambda asker: asker.top_keys(PEOPLE, "one", DP)),
    (UserError, lambda asker: asker.history(last=0)),
    (UserError, lambda asker: asker.history(analyst="")),
    (UserError, lambda asker: asker.dummy(rows=-1)),
    (UserError, lambda asker: asker.synthesise(method="magic")),
    (BudgetError, lambda asker: asker.synthesise()),
    (UserError, lambda asker: asker.synthesise(epsilon=1, colums=["sex"])),
    (UserError, lambda asker: asker.report()),
    (UserError, lambda asker: asker.realease(N, DP)),
]


@pytest.mark.parametrize("place", range(len(MISTAKES)))
def test_a_mistake_is_said_in_the_same_words(place: int, custodian: pets.Custodian) -> None:
    kind, mistake = MISTAKES[place]
    said = []
    with connected(custodian, analyst="ben", project="slips") as connection:
        for one in (custodian.session(analyst="ben", project="slips"), connection):
            with pytest.raises(kind) as caught:
                mistake(one)
            said.append((type(caught.value), str(caught.value), caught.value.retry_after))
    assert said[0] == said[1]


def test_a_failure_after_the_data_was_opened_is_the_same(
    custodian: pets.Custodian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pets.session.answering.measured", lambda job, engine: (None, "row 7 is 'Ann'"))
    with connected(custodian, analyst="ben", project="failures") as connection:
        for one in (custodian.session(analyst="ben", project="failures"), connection):
            with pytest.raises(ReleaseFailedError, match=r"incident [0-9a-f]{12}.*its charge stands") as caught:
                one.release(N, DP, again=True)
            assert "Ann" not in str(caught.value)
