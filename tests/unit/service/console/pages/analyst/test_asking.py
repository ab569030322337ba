"""The page on which one asks: price, invented rows, and an answer that is paid for once."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pets
from pets.ledger.queue import Queue
from pets.session.custodian import Custodian
from tests.console import Nobody, Pages, console, hidden, said
from tests.http_services import custodian

ASK = "/datasets/stays/ask"
BY_SEX = "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex"


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("asking"))


@pytest.fixture(scope="module")
def amina(keeper: Custodian) -> Iterator[Pages]:
    with console(keeper) as made:
        yield made


def _spent(keeper: Custodian) -> int:
    return keeper.remaining().spent.loss


def _file(page: str, ending: str) -> str:
    (found,) = re.findall(rf'href="data:[^;]*;base64,([^"]*)" download="\w+-[0-9a-f]{{8}}{re.escape(ending)}"', page)
    return base64.b64decode(found).decode()


def test_a_fresh_page_has_a_question_with_its_price(keeper: Custodian, amina: Pages) -> None:
    page = amina.get(ASK)
    assert "SELECT COUNT(*) AS n\nFROM stays</textarea>" in page
    query = pets.sql("SELECT COUNT(*) AS n FROM stays", keeper.schema)
    quote = keeper.session(analyst="amina", project="asthma").quote(query, pets.DP(epsilon=0.1))
    assert f"ε = {quote.epsilon:.4g}" in said(page) and f"about {quote.more:,} such questions" in said(page)
    assert str(quote.errors[0][0]) in said(page) and "Protected: " in said(page)
    assert "patient" not in {*re.findall(r'<option value="([^"]*)"', page)}


def test_the_form_writes_the_sql_and_a_page_keeps_what_it_was_given(amina: Pages) -> None:
    page = amina.get(ASK)
    fields = {"what0": "mean", "of0": "days", "low0": "0", "high0": "14", "by0": "sex", "do": "write"}
    made = amina.send(ASK, page, form="parts", **fields)
    assert "SELECT sex, AVG(CLIP(days, 0, 14)) AS mean_days\nFROM stays\nGROUP BY sex</textarea>" in made
    # the other form carries the fields along, so that they are there again beside the price
    again = amina.send(ASK, made, form="sql", sql=BY_SEX, how="epsilon", amount="0.2", do="price")
    assert f"{BY_SEX}</textarea>" in again and 'value="mean" selected' in again and 'name="high0" value="14"' in again
    assert "ε = 0.2" in said(again) and hidden(again, "sql")["page"] == hidden(page, "sql")["page"]


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"sql": "SELECT sexx, COUNT(*) AS n FROM stays GROUP BY sexx"}, 422, "sexx"),
        ({"sql": "SELECT * FROM <b>stays</b>"}, 422, ""),
        ({"sql": ""}, 422, ""),
        ({"sql": BY_SEX, "amount": "much"}, 422, "epsilon must be a number"),
        ({"sql": BY_SEX, "amount": ""}, 422, "fill in ε"),
        ({"sql": BY_SEX, "how": "luck"}, 422, "there is no protection by 'luck'"),
    ],
)
@pytest.mark.parametrize("do", ["price", "dummy", "release"])
def test_what_cannot_be_asked_is_said_on_the_page(
    keeper: Custodian, amina: Pages, fields: dict[str, str], status: int, sentence: str, do: str
) -> None:
    spent, page = _spent(keeper), amina.get(ASK)
    found = amina.send(ASK, page, form="sql", status=status, **({"how": "epsilon", "amount": "0.1", "do": do} | fields))
    assert 'role="alert"' in found and sentence in said(found) and "<b>stays" not in found
    assert f"{html.escape(fields['sql'], quote=False)}</textarea>" in found and _spent(keeper) == spent


def test_the_fragment_is_a_price_and_the_sql_of_the_parts(amina: Pages) -> None:
    path, page = "/datasets/stays/price", amina.get(ASK)
    sent = {"sql": BY_SEX, "how": "epsilon", "amount": "0.1"}
    found = amina.send(path, page, form="sql", **sent | {"from": "sql"})
    assert "<html" not in found and 'class="cost"' in found and f'data-sql="{BY_SEX}"' in found
    found = amina.send(path, page, form="sql", **sent | {"from": "parts", "what0": "count_units", "by0": ""})
    assert 'data-sql="SELECT COUNT(DISTINCT patient) AS people\nFROM stays"' in found and "by0" not in found
    # parts that are no question yet leave nothing in the box that could be asked in its place
    found = amina.send(path, page, form="sql", **sent | {"from": "parts", "what0": "sum"})
    assert 'data-sql=""' in found and "choose one beside it" in found and 'class="cost"' not in found


def test_invented_rows_are_marked_wherever_they_are_shown(keeper: Custodian, amina: Pages) -> None:
    spent, page = _spent(keeper), amina.get(ASK)
    found = amina.send(ASK, page, form="sql", sql=BY_SEX, how="epsilon", amount="0.1", do="dummy")
    assert _spent(keeper) == spent
    assert '<article class="answer invented"' in found and 'class="watermark"' in found
    assert "No number here says anything about a real person" in said(found)
    assert "Certificate" not in found and "Nothing: no real person" in said(found)
    assert _file(found, ".csv").startswith("# DUMMY DATA: invented rows\n") and '"data":"dummy"' in _file(
        found, ".json"
    )
    assert re.findall(r'download="([^"]*)"', found) and all(
        name.startswith("invented-") for name in re.findall(r'download="([^"]*)"', found)
    )
    # what a script puts beside the question is marked as well, and so is the list
    (job,) = re.findall(r"/console/jobs/([0-9a-f]{32})", amina.get("/jobs"))[:1]
    assert 'class="watermark"' in amina.get(f"/jobs/{job}/part") and "Invented rows" in said(amina.get("/jobs"))


def test_a_table_holds_no_formula(amina: Pages) -> None:
    sql = 'SELECT sex, COUNT(*) AS "=HYPERLINK(1)", COUNT(DISTINCT patient) AS "-n" FROM stays GROUP BY sex'
    found = amina.send(ASK, amina.get(ASK), form="sql", sql=sql, how="epsilon", amount="0.1", do="dummy")
    marked, heads, *_ = _file(found, ".csv").splitlines()
    assert marked == "# DUMMY DATA: invented rows"
    assert heads.split(",")[:2] == ["sex", "'=HYPERLINK(1)"] and "'-n" in heads.split(",")


def test_an_answer_is_shown_with_its_certificate_its_cost_and_what_is_left(keeper: Custodian, amina: Pages) -> None:
    spent, page = _spent(keeper), amina.get(ASK)
    found = amina.send(ASK, page, form="sql", sql=BY_SEX, how="epsilon", amount="0.1", do="release")
    assert amina.last is not None and re.fullmatch(r"/console/jobs/[0-9a-f]{32}", amina.last.url.path)
    release = pets.Release.from_json(_file(found, ".json"))
    assert _spent(keeper) - spent == release.cost["loss"] > 0
    assert f"checked with the ledger’s key {keeper.ledger.key.id}" in said(found) and release.certificate is not None
    assert f"{int(release.estimates['n'].estimate[0]):,} ± " in said(found) and release.guarantee in said(found)
    assert 'class="watermark"' not in found and "of the budget was spent" in said(found)
    assert _file(found, ".csv") == release.table.to_csv(index=False)
    assert _file(found, "-certificate.json") and 'src="data:image/svg+xml;base64,' in found


def test_the_same_question_again_is_free_and_there_at_once(keeper: Custodian, amina: Pages) -> None:
    asked = {"sql": BY_SEX, "how": "epsilon", "amount": "0.15", "do": "release"}
    first = amina.send(ASK, amina.get(ASK), form="sql", **asked)
    spent = _spent(keeper)
    found = amina.send(ASK, amina.get(ASK), form="sql", **asked)
    assert "answered before" in said(found) and _spent(keeper) == spent
    values = [pets.Release.from_json(_file(one, ".json")).values.tolist() for one in (first, found)]
    assert values[0] == values[1]


def test_a_double_click_and_a_reload_are_one_request(tmp_path: Path) -> None:
    keeper = custodian(tmp_path)
    queue = Queue(keeper.ledger)
    asked = {"sql": BY_SEX, "how": "epsilon", "amount": "0.1", "do": "release"}
    with console(keeper, supervisor=Nobody()) as amina:
        page = amina.get(ASK)
        jobs = []
        for _ in range(3):
            amina.send(ASK, page, form="sql", **asked)
            assert amina.last is not None
            jobs.append(amina.last.url.path)
        assert len({*jobs}) == 1 and len(queue.mine("asthma", "amina", after=None, limit=9)) == 1
        # another question of the same page, and the same of another page, are requests of their own
        amina.send(ASK, page, form="sql", **asked | {"amount": "0.2"})
        amina.send(ASK, amina.get(ASK), form="sql", **asked)
        assert len(queue.mine("asthma", "amina", after=None, limit=9)) == 3
        found = amina.send(ASK, page, form="sql", status=400, **asked | {"page": ""})
        assert "open the page again" in said(found)
        assert len(queue.mine("asthma", "amina", after=None, limit=9)) == 3


def test_who_answers_starts_when_somebody_is_about_to_ask(keeper: Custodian) -> None:
    started: list[str] = []

    class Starts(Nobody):
        def ensure(self) -> None:
            started.append("here")

    with console(keeper, supervisor=Starts()) as amina:
        amina.get("/")
        assert started == []
        amina.get(ASK)
        assert started == ["here"]


def test_a_budget_that_is_gone_is_said_before_and_when_one_asks(tmp_path: Path) -> None:
    keeper = custodian(tmp_path, epsilon=0.2)
    with console(keeper) as amina:
        asked = {"sql": BY_SEX, "how": "epsilon", "amount": "5"}
        page = amina.send(ASK, amina.get(ASK), form="sql", **asked, do="price")
        assert "which is more than is left" in said(page) and 'class="cost bad"' in page
        job = amina.send(ASK, page, form="sql", **asked, do="release")
        assert "failed" in said(job) and "budget" in said(job) and _spent(keeper) == 0


def test_who_may_not_ask_is_told_so(keeper: Custodian) -> None:
    with console(keeper) as made:
        made.who = "vera/audit/auditor"
        page = made.get(ASK)
        found = made.send(ASK, page, form="sql", status=403, sql=BY_SEX, how="epsilon", amount="0.1", do="release")
        assert "analyst" in said(found)
        assert "there is no dataset" in said(made.get("/datasets/stayz/ask", status=404))
