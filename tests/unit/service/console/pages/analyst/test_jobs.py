"""Jobs in the console: one's own, what becomes of them, and no number whose certificate does not hold."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pets.common.codec import canonical
from pets.protection.policy import Policy
from pets.service.answering import answers
from pets.session.custodian import Custodian
from tests.console import Nobody, Pages, console, said
from tests.http_services import ASKED, DP, custodian

NEVER = "0" * 32


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def amina(keeper: Custodian) -> Iterator[Pages]:
    with console(keeper) as made:
        yield made


_NEW = itertools.count(1)


def _asked(pages: Pages, body: dict[str, Any] | None = None) -> str:
    """The job of a question that nobody asked before (unless it is given)."""
    sent = ASKED | {"protection": {"kind": "dp", "epsilon": f"0.01{next(_NEW):02d}"}} if body is None else body
    reply = pages.client.post("/datasets/stays/queries", json=sent, headers={"who": pages.who})
    return str(reply.json()["job"]["id"])


@pytest.mark.parametrize("who", ["mallory/malice/analyst", "mallory/asthma/analyst", "amina/malice/analyst"])
def test_anothers_job_is_as_one_that_never_was(keeper: Custodian, amina: Pages, who: str) -> None:
    number = _asked(amina)
    with console(keeper) as other:
        other.who = who
        for path in ("/jobs/{}", "/jobs/{}/part"):
            found, never = (other.get(path.format(one), status=404) for one in (number, NEVER))
            assert found.replace(number, NEVER) == never
        other.send(f"/jobs/{number}/cancel", other.get("/datasets/stays/ask"), form="sql", status=404)
        assert number not in other.get("/jobs")
        if "asthma" not in who:
            assert "count by sex" not in said(other.get("/datasets/stays/history"))
    assert "answered" in said(amina.get(f"/jobs/{number}"))


def test_a_job_that_waits_says_so_and_may_be_withdrawn(tmp_path: Path) -> None:
    keeper = custodian(tmp_path)
    with console(keeper, supervisor=Nobody()) as amina:
        number = _asked(amina)
        page = amina.get(f"/jobs/{number}")
        assert "waits for its turn" in said(page) and f'data-poll="/console/jobs/{number}/part"' in page
        assert '<noscript><meta http-equiv="refresh"' in page  # without scripts it loads itself again
        part = amina.get(f"/jobs/{number}/part")
        assert "<html" not in part and 'data-said="Answer: waits for its turn"' in part
        ended = amina.send(f"/jobs/{number}/cancel", page)
        assert "withdrawn" in said(ended) and "data-poll" not in ended and "http-equiv" not in ended
    assert keeper.remaining().spent.loss == 0


def test_a_held_job_waits_for_a_second_person(tmp_path: Path) -> None:
    keeper = custodian(tmp_path, policy=Policy(approval="before"))
    with console(keeper) as amina:
        assert "want a second person to approve" in said(amina.get("/jobs/" + _asked(amina)))
        assert "A second person approves before an answer is made" in said(amina.get("/datasets/stays"))


@pytest.mark.parametrize("part", ["values", "guarantee", "project", "data"])
def test_no_number_is_shown_whose_certificate_does_not_hold(
    amina: Pages, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    number = _asked(amina)
    real = answers.answer_of

    def forged(*given: Any) -> Any:
        (form,) = json.loads(real(*given) or b"")["releases"]
        lies = {"values": [one + 4096 for one in form["values"]], "data": "dummy"}
        return canonical({"releases": [form | {part: lies.get(part, "another")}]})

    assert "4,1" not in said(amina.get(f"/jobs/{number}"))
    monkeypatch.setattr(answers, "answer_of", forged)
    page = amina.get(f"/jobs/{number}", status=422)
    assert "is not shown" in said(page) and "<article" not in page and "4,1" not in said(page)


def test_ones_jobs_are_listed_by_pages(amina: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [_asked(amina) for _ in range(3)]
    monkeypatch.setattr("pets.service.console.pages.analyst.jobs._SHOWN", 2)
    page, seen = amina.get("/jobs"), []
    for _ in range(9):
        seen += re.findall(r'href="/console/jobs/([0-9a-f]{32})"', page)
        further = re.findall(r'href="/console(/jobs\?after=[0-9a-f]{32})"', page)
        if not further:
            break
        page = amina.get(further[0])
    assert seen[:3] == numbers[::-1] and len(seen) == len({*seen})


def test_an_answer_of_another_kind_is_a_file(amina: Pages) -> None:
    number = _asked(amina, {"kind": "group_keys", "table": "stays", "by": ["sex"], "protection": DP})
    page = amina.get(f"/jobs/{number}")
    assert "Group keys" in said(page) and re.search(r'download="group_keys-[0-9a-f]{8}\.json"', page)


@pytest.mark.parametrize("part", ["rows", "project", "protection"])
def test_no_file_is_handed_out_whose_certificate_does_not_hold(
    amina: Pages, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    number = _asked(amina, {"kind": "group_keys", "table": "stays", "by": ["sex"], "protection": DP})
    real = answers.answer_of

    def forged(*given: Any) -> Any:
        form = json.loads(real(*given) or b"")["keys"]
        assert part in form, [*form]
        return canonical({"keys": form | {part: [["X"]] if part == "rows" else "another"}})

    monkeypatch.setattr(answers, "answer_of", forged)
    page = amina.get(f"/jobs/{number}", status=422)
    assert "is not shown" in said(page) and "download=" not in page


def test_an_answer_that_waits_for_a_second_person_is_not_told_as_seen(tmp_path: Path) -> None:
    keeper = custodian(tmp_path, policy=Policy(approval="after"))
    with console(keeper) as amina:
        number = _asked(amina)
        assert "<article" not in amina.get(f"/jobs/{number}")
        found = said(amina.get("/datasets/stays/history"))
        assert "waits for a second person" in found and "ε = 0." in found and "answered" not in found
        keeper.refuse(number, by="jo", reason="may-disclose")
        assert "not approved (may-disclose)" in said(amina.get("/datasets/stays/history"))


def test_a_history_says_what_became_of_each_request(amina: Pages, keeper: Custodian) -> None:
    _asked(amina)
    found = said(amina.get("/datasets/stays/history"))
    last = keeper.session(analyst="amina", project="asthma").history().iloc[-1]
    assert last["what"] in found and "answer made" in found and f"ε = {last['epsilon']:.4g}" in found
