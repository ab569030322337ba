"""What is not let out tells, too: tables that were refused, that wait after a look, and whose finding is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import HeldError
from pets.ledger.db import reviews
from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.ledger.queued.kinds import TABLE
from pets.ledger.review.tables import Look, looks
from pets.session.disclosure.finding import ATTACK, CLOSED, PROVED, UNDECIDED, Finding
from tests.checked_tables import BUDGET, N, T, total
from tests.doors import GRID, HES, OPEN, asked, days, kept

E9 = [11, 1, 11, 30, 40]


def waiting() -> tuple[pets.Custodian, str]:
    """Two sums of two days left; that of all three would tell, was looked at, and is let wait."""
    custodian = kept(E9)
    for query in (days(0, 1), days(1, 2)):
        request = asked(custodian, query)
        custodian.approve(request, by="jo", finding=custodian.look(request).digest)
    request = asked(custodian, days(0, 2))
    assert custodian.look(request).state == ATTACK
    return custodian, request


@pytest.mark.parametrize("cancelled", [False, True])
def test_to_let_a_table_wait_closes_its_people_as_a_refusal_does(cancelled: bool) -> None:
    custodian, request = waiting()
    if cancelled:
        assert Queue(custodian.ledger).cancel(request, "default", "ann") is not None
    other = asked(custodian, days(2, 3), "bob", "elsewhere")
    found = custodian.look(other)
    assert found.state == CLOSED and request in "".join(found.besides)
    with pytest.raises(HeldError, match="was looked at, is not proved and waits"):
        custodian.approve(other, by="jo", finding=found.digest, anyway="please")
    assert custodian.look(asked(custodian, days(4, 4), "bob")).state == PROVED, "who shares nobody with it"
    if not cancelled:  # a closed table closes nothing: the first can still leave, and then the other
        again = custodian.look(request)
        assert again.state == ATTACK
        custodian.approve(request, by="jo", finding=again.digest, anyway="a test wants it")
        assert custodian.look(other).state != CLOSED


FINE = T.group_by("came").agg(n=N)
"""Of each day a number: with the grid it has more groups than the policy compares."""


def test_what_everybody_knows_without_a_look_closes_nobody() -> None:
    """That no look could prove the table follows from the questions alone, so that it waits tells nothing."""
    custodian = kept(more={"sdc_atoms": 30})
    too_fine, other = asked(custodian, FINE), asked(custodian, days(4, 4), "bob")
    found = custodian.look(too_fine)
    assert found.state == UNDECIDED and "sdc_atoms" in "".join(found.besides)
    assert not any(one.tells for one in noted(custodian))
    after = custodian.look(other)
    assert after.state == PROVED
    custodian.approve(other, by="jo", finding=after.digest)
    custodian.refuse(too_fine, by="jo", reason="out-of-scope")  # a refusal closes, whatever the reason
    assert custodian.look(asked(custodian, days(5, 5), "bob")).state == CLOSED


@pytest.mark.parametrize(("came", "state"), [(E9, ATTACK), ([30] * 5, UNDECIDED)])
def test_what_was_compared_and_not_proved_closes_as_an_attack_does(came: list[int], state: str) -> None:
    """Beside tables of rows of another time nothing is proved, as everybody knows. Did one that is undecided by that
    close nobody, another that leaves beside it would tell that nothing small was found in it."""
    custodian = kept(came)
    custodian.refresh()
    for query in (days(0, 1), days(1, 2)):
        request = asked(custodian, query)
        custodian.approve(request, by="jo", finding=custodian.look(request).digest, anyway="a test wants it")
    found = custodian.look(asked(custodian, days(0, 2)))
    assert found.state == state and "people of another time" in "".join(found.besides)
    assert noted(custodian)[-1].tells and custodian.look(asked(custodian, days(2, 3), "bob")).state == CLOSED


def test_what_is_undecided_beside_a_table_that_waits_tells_of_that_one() -> None:
    """That it waits closes these people too: it is undecided since somebody looked at another, and found something."""
    custodian, _ = waiting()
    custodian.refresh()
    request = asked(custodian, days(4, 4), "bob")
    assert custodian.look(request).state == UNDECIDED and noted(custodian)[-1].tells
    assert custodian.look(asked(custodian, days(4, 4), "eve")).state == UNDECIDED, "but for whoever asks the same"
    assert custodian.look(asked(custodian, days(3, 4), "eve")).state == CLOSED


def noted(custodian: pets.Custodian) -> list[Look]:
    """What is noted of looks, the newest request last."""
    with custodian.ledger.reading() as tx:
        rows = reviews.of_kind(tx.connection, custodian.schema.dataset, TABLE)
        return [one for row in sorted(rows, key=lambda row: row.at) for one in looks(row)]


def test_a_look_at_another_table_meanwhile_makes_a_finding_another() -> None:
    custodian = kept([1, 1, 40, 40])
    total(custodian, days(0, 1))
    request = asked(custodian, days(2, 3))
    found = custodian.look(request)
    assert custodian.look(asked(custodian, days(0, 0), "bob")).state == ATTACK
    with pytest.raises(HeldError, match="something left or was refused"):
        custodian.approve(request, by="jo", finding=found.digest, anyway="a test wants it")


def test_what_waits_is_looked_at_when_the_rows_are_others() -> None:
    custodian, request = waiting()
    custodian.refresh()
    found = custodian.look(request)
    assert found.state != PROVED and "when the rows were others" in "".join(found.besides)


def of_a_lost_finding(custodian: pets.Custodian, folder: Path, lost: bool) -> Finding:
    total(custodian, days(0, 1))
    request = asked(custodian, days(0, 0))
    custodian.look(request)
    custodian.refuse(request, by="jo", reason="may-disclose")
    if lost:
        shutil.rmtree(folder / "ledger.db.findings")
    return custodian.look(asked(custodian, days(2, 3)))


def test_a_finding_of_a_refused_table_that_is_lost_leaves_it_undecided(tmp_path: Path) -> None:
    for lost, state in ((False, PROVED), (True, UNDECIDED)):
        folder = tmp_path / str(lost)
        folder.mkdir()
        with Ledger(folder / "ledger.db") as ledger:
            found = of_a_lost_finding(kept([18, 2, 6, 30], ledger=ledger), folder, lost)
            assert found.state == state and ("is lost" in "".join(found.besides)) == lost


def test_what_was_found_counts_for_whoever_asked_the_same(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept([18, 2, 6, 30], ledger=ledger)
        looked, refused = (asked(custodian, days(0, 0), who) for who in ("ann", "bob"))
        custodian.look(looked)
        Queue(ledger).cancel(looked, "default", "ann")
        custodian.refuse(refused, by="jo", reason="may-disclose")
        assert custodian.look(asked(custodian, days(2, 3))).state == PROVED
        shutil.rmtree(tmp_path / "ledger.db.findings")
        assert custodian.look(asked(custodian, days(3, 4))).state == UNDECIDED


def refused(custodian: pets.Custodian, query: pets.Query) -> None:
    """A table that somebody looked at and a person refused."""
    request = asked(custodian, query)
    custodian.look(request)
    custodian.refuse(request, by="jo", reason="may-disclose")


def test_an_attack_takes_what_was_refused_for_told_and_says_so() -> None:
    custodian = kept([9, 1, 40])
    total(custodian, days(0, 1))
    before = custodian.attack()
    assert not before and before.untold == ()
    refused(custodian, days(0, 0))
    found = custodian.attack()
    assert found and found.sentences == () and found.untold and found.releases == before.releases
    assert all("which has not left" in one for one in found.untold)
    assert "taken for told" in str(found) and "No other small number" not in str(found)


def test_a_grid_is_compared_with_what_was_refused() -> None:
    custodian = kept([9, 1, 40])
    total(custodian, days(0, 1))
    first = custodian.compare_grid(GRID, HES)
    refused(custodian, days(0, 0))
    second = custodian.compare_grid(GRID, HES)
    assert not first and second.attack.untold and first.word != second.word
    waits = asked(custodian, days(1, 1), "bob")
    custodian.look(waits)
    assert custodian.compare_grid(GRID, HES).word == second.word, "that somebody looked is told to nobody"
    custodian.refresh()
    with pytest.raises(pets.errors.UserError, match="is the word of another comparison"):
        custodian.name_grid(GRID, HES, anew=True, confirm=first.word)
    custodian.name_grid(GRID, HES, anew=True, confirm=custodian.compare_grid(GRID, HES).word)


def test_an_attack_says_that_a_refused_table_is_lost(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        refused(custodian, days(0, 0))
        assert not custodian.attack().besides
        shutil.rmtree(tmp_path / "ledger.db.findings")
        assert any("is lost" in one for one in custodian.attack().besides)


def two_populations() -> pets.Custodian:
    units = {"id": pets.Identifier()}
    day = {"d": pets.Category(["a", "b", "c"], nullable=False)}
    sex = {"sex": pets.Category(["f", "m"], nullable=False)}
    stays = pets.Table(pets.Unit("id", max_rows=10), units | {"code": pets.Category(["x"], nullable=False)})
    schema = pets.Schema(
        {"p": pets.Table(pets.Unit("id", max_rows=1), units | day | sex), "stays": stays}, dataset="two"
    )
    rows = pd.DataFrame({"id": [f"a{i}" for i in range(60)], "d": ["a"] * 11 + ["b"] + ["c"] * 48, "sex": "f"})
    data = {"p": rows, "stays": pd.DataFrame({"id": ["a1"], "code": ["x"]})}
    custodian = pets.Custodian(schema, data, budget=BUDGET, policy=pets.Policy(**OPEN), progress=False)
    number = pets.count()
    custodian.name_grid(pets.query("p").group_by("sex").agg(n=number), HES)
    return custodian


SEEN = pets.events("stays").exists()


def test_a_refusal_closes_these_people_as_another_population_too() -> None:
    custodian, number = two_populations(), pets.count()
    custodian.refuse(asked(custodian, pets.query("p").group_by("d").agg(n=number)), by="jo", reason="may-disclose")
    for query in (pets.people(of="p"), pets.people(of="p", z=SEEN)):
        assert custodian.look(asked(custodian, query.group_by("d").agg(n=number))).state == CLOSED


@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize(
    ("where", "closed"), [(col("d") == "c", False), (col("d") == "b", True), (col("sex") == "f", True)]
)
def test_a_refusal_leaves_open_who_shares_nobody_with_it(where: Any, closed: bool, looked_at: bool) -> None:
    for people in (pets.people(of="p"), pets.people(of="p", z=SEEN)):
        custodian, number = two_populations(), pets.count()
        query = pets.query("p").where(col("d").isin(["a", "b"])).agg(n=number)
        if looked_at:
            refused(custodian, query)
        else:
            custodian.refuse(asked(custodian, query), by="jo", reason="out-of-scope")
        found = custodian.look(asked(custodian, people.where(where).agg(n=number)))
        assert (found.state == CLOSED) == closed
        assert closed or any("counts none of these people" in one for one in found.besides) == looked_at
