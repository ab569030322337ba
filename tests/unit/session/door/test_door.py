"""Door: a table outside the grid waits in one state, and leaves on a person's word about what was found of it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

import pets
from pets import col
from pets.errors import (
    ForbiddenError,
    HeldError,
    NotApprovedError,
    NotFoundError,
    PolicyError,
    QueryError,
    ReleaseFailedError,
    UserError,
)
from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.ledger.review.tables import beside
from pets.session.disclosure import solving
from pets.session.disclosure.finding import ATTACK, CLOSED, PROVED, UNDECIDED, Finding
from pets.session.disclosure.finding_store import FindingStore
from pets.session.door import checking, door
from tests.checked_tables import N, T, between, of_days, opened, searched_here, total
from tests.doors import DAYS, HES, OPEN, asked, days, kept, let_out
from tests.ledgers import verify


def entries(custodian: pets.Custodian, event: str) -> list[dict[str, Any]]:
    with custodian.ledger.reading() as tx:
        bodies = [json.loads(body) for body, _, _ in tx.entries()]
    return [one for one in bodies if one["event"] == event]


def released(custodian: pets.Custodian, query: pets.Query, analyst: str = "ann") -> Any:
    return custodian.session(analyst=analyst).release(query, HES)


# who asks -------------------------------------------------------------------------------------------------------------


def test_a_table_outside_the_grid_waits_and_no_row_is_read_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = kept()
    monkeypatch.setattr(checking, "tabulate", None)
    before = custodian.custody.entries()
    first, again = asked(custodian, days(0, 1)), asked(custodian, days(0, 1))
    assert first == again and [one.id for one in custodian.reviews()] == [first]
    assert custodian.custody.entries() == before, "nothing is entered"
    line = custodian.session(analyst="ann").history().iloc[-1]
    assert (line["state"], line["what"], line["epsilon"]) == ("held", "count where came", 0.0)
    assert asked(custodian, days(0, 1), "bob") != first


def test_a_table_on_the_grid_needs_nobody() -> None:
    custodian = kept()
    assert released(custodian, T.group_by("sex").agg(n=N)).form["pets"] == "rounded" and not custodian.reviews()


def test_the_door_is_shut_unless_the_policy_opens_it() -> None:
    custodian = kept(more={"sdc_review": "never"})
    with pytest.raises(QueryError, match="is not in the dataset's grid"):
        released(custodian, days(0, 1))
    assert pets.Policy().sdc_review == "never" and not custodian.reviews()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (T.where(between(0, 1)).agg(m=pets.mean("age")), "has counts of people and rates alone"),
        (T.agg(h=pets.histogram("age", edges=[0, 50, 99])), "has counts of people and rates alone"),
        ([days(0, 1), days(0, 2)], "is decided about by itself"),
    ],
)
def test_what_no_person_could_let_out_is_refused_at_once(query: Any, said: str) -> None:
    custodian = kept()
    with pytest.raises(QueryError, match=said):
        released(custodian, query)
    assert not custodian.reviews()


def test_another_rule_than_the_grids_is_refused() -> None:
    custodian = kept(more={"sdc": ("hes", "ons_10_5")})
    with pytest.raises(PolicyError, match="the dataset's grid is protected by"):
        custodian.session(analyst="ann").release(days(0, 1), pets.SDC("ons_10_5"))


def test_invented_rows_have_no_door() -> None:
    custodian = kept()
    with pytest.raises(QueryError, match="is not in the dataset's grid"):
        custodian.session(analyst="ann").dummy().release(days(0, 1), HES)
    assert not custodian.reviews()


def test_bins_of_the_grid_are_kept_where_the_policy_says_so() -> None:
    custodian = kept(more={"sdc_filters": "bins"})
    for query in (days(0, 1), T.agg(n=pets.count(where=col("age") > 3)), T.where(col("came").is_null()).agg(n=N)):
        with pytest.raises(QueryError, match="takes conditions and computed columns of the grid alone"):
            released(custodian, query)
    sets = pets.KeySet.of([{"came": "2024-01-01"}])
    with pytest.raises(QueryError, match="takes no key sets"):
        released(custodian, T.group_by(sets).agg(n=N))
    derived = T.with_columns(older=col("age") + 1).group_by(col("older").bins([0, 30, 99])).agg(n=N)
    with pytest.raises(QueryError, match="'older' is none"):
        released(custodian, derived)
    asked(custodian, T.where(col("sex") == "f").group_by(col("age").bins([0, 50, 99])).agg(n=N))


def test_a_project_asks_for_so_many_whatever_becomes_of_them() -> None:
    custodian = kept(more={"sdc_tables": 2})
    custodian.refuse(asked(custodian, days(0, 1)), by="jo", reason="unclear")
    asked(custodian, days(0, 2), "bob")
    with pytest.raises(PolicyError, match="has asked for 2 tables outside the grid"):
        released(custodian, days(0, 3))
    asked(custodian, days(0, 2), "bob")  # the same once more is no other
    asked(custodian, days(0, 3), "eve", "elsewhere")


def test_a_request_that_was_taken_back_is_put_anew() -> None:
    custodian = kept()
    request = asked(custodian, days(0, 1))
    assert Queue(custodian.ledger).cancel(request, "default", "ann") is not None and not custodian.reviews()
    assert asked(custodian, days(0, 1)) == request and [one.id for one in custodian.reviews()] == [request]


# who decides ----------------------------------------------------------------------------------------------------------


def test_what_is_proved_leaves_on_a_persons_word(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        request = asked(custodian, days(0, 1))
        found = custodian.look(request)
        assert (found.state, found.shown, found.attacks, found.besides) == (PROVED, ((10,),), (), ())
        assert 0 < len(found.pairs) <= found.sums and found.releases == 1
        asked(custodian, days(0, 1))  # nobody is told that somebody looked
        custodian.approve(request, by="jo", finding=found.digest[:12], note="fine")
        table = released(custodian, days(0, 1))
        assert table.form["shown"] == [[[10]]] and table.table["n"].tolist() == [10]
        told = {"finding": found.digest, "found": "proved", "width": 3, "releases": 1}
        assert table.review == told | {"beside": found.beside, "salt": found.salt}
        assert "compared with all 1 earlier release(s)" in table.guarantee
        assert "Proved: of every small sum" in table.guarantee and "let out by a person" in repr(table)
        (said,) = entries(custodian, "review")
        assert (said["by"], said["decision"], said["finding"], said["found"]) == (
            "jo",
            "approve",
            found.digest,
            "proved",
        )
        shown = found.commitment(table.form["shown"])
        assert {name: said[name] for name in ("width", "releases", "beside", "shown")} == {
            "width": 3,
            "releases": 1,
            "beside": beside([entries(custodian, "started")[0]["request"]]),
            "shown": shown,
        }
        assert found.salt not in json.dumps(said)
        (started,) = [one for one in entries(custodian, "started") if one["what"].startswith("reviewed ")]
        assert started["seq"] == said["seq"] + 1 and started["unbounded"]
        assert released(custodian, days(0, 1)).digest == table.digest
        assert custodian.session(analyst="bob", project="x").release(days(0, 1), HES).form["project"] == "x"
        with pytest.raises(NotFoundError):
            custodian.approve(request, by="jo", finding=found.digest)
        assert custodian.attack().releases == 2 and custodian.remaining().spent.loss == 0
        verify(ledger)


def narrow() -> pets.Custodian:
    """Two people came on the first two days, by an exact total: a hidden 1 to 7 on one of them leaves 1 or 2."""
    custodian = kept([1, 1, 40])
    total(custodian, days(0, 1))
    return custodian


def test_what_can_be_derived_leaves_on_their_word_alone_and_says_so() -> None:
    custodian = narrow()
    request = asked(custodian, days(0, 0))
    found = custodian.look(request)
    assert found.state == ATTACK and found.attacks and "Attack" in str(found) and found.before == ()
    for word in ("", "  "):
        with pytest.raises(HeldError, match="leaves only on the word of a person who answers for it"):
            custodian.approve(request, by="jo", finding=found.digest, anyway=word)
    asked(custodian, days(0, 0))
    assert not entries(custodian, "review")
    custodian.approve(request, by="jo", finding=found.digest, anyway="both consented")
    table = released(custodian, days(0, 0))
    assert table.review["found"] == "attack" and "Not protected" in table.guarantee
    assert "compared with what can be compared of 2 earlier release(s)" in table.guarantee
    (said,) = entries(custodian, "review")
    assert said["found"] == "attack" and "consented" not in json.dumps(said)
    assert table.certificate is not None and table.certificate.predicate["guarantee"] == table.guarantee


def test_what_was_known_before_is_said_and_is_no_attack_by_this_table() -> None:
    custodian = kept([8, 0, 1, 30, 40, 50])
    total(custodian, days(0, 1))
    total(custodian, days(0, 2))
    found = custodian.look(asked(custodian, days(3, 4)))
    assert found.state == PROVED and found.before and all("is 1" in one for one in found.before)
    assert "Known before" in str(found)


def test_what_narrows_a_known_number_further_is_an_attack() -> None:
    custodian = kept([1, 1, 1, 40])
    total(custodian, days(0, 2))  # 3 people on three days
    let_out(custodian, days(0, 1))  # of whom 1 to 3 on the first two
    found = custodian.look(asked(custodian, days(1, 1)))
    assert found.state == ATTACK


def test_a_rate_is_two_counts_each_rounded() -> None:
    custodian = kept()
    query = T.where(between(0, 4)).group_by("sex").agg(n=N, r=pets.rate(col("age") > 30))
    let_out(custodian, query)
    table = released(custodian, query)
    assert table.form["shown"] == [[[70, 0]], [[70, 0], [70, 0]]]
    assert table.table["r"].tolist()[0] == 1.0


def test_nobody_decides_about_their_own_nor_without_looking() -> None:
    custodian = kept()
    request = asked(custodian, days(0, 1))
    with pytest.raises(HeldError, match="approved where the rows are"):
        custodian.approve(request, by="jo")
    with pytest.raises(HeldError, match="nobody has looked"):
        custodian.approve(request, by="jo", finding="0" * 64)
    found = custodian.look(request)
    for name in ("ann", "Ann", " ann"):
        with pytest.raises((ForbiddenError, UserError)):
            custodian.approve(request, by=name, finding=found.digest)
        with pytest.raises((ForbiddenError, UserError)):
            custodian.refuse(request, by=name, reason="unclear")
    for other in ("0" * 64, found.digest[:11], "", 7):
        with pytest.raises(HeldError, match="names the digest"):
            custodian.approve(request, by="jo", finding=other)  # type: ignore[arg-type]
    again = custodian.look(request)
    assert again.digest != found.digest and again.shown == found.shown
    with pytest.raises(HeldError, match="names the digest"):
        custodian.approve(request, by="jo", finding=found.digest)
    with pytest.raises(UserError, match="name its finding"):
        custodian.approve(request, by="jo", anyway="yes")
    with pytest.raises(UserError, match="in words"):
        custodian.approve(request, by="jo", finding=again.digest, anyway=True)  # type: ignore[arg-type]
    assert not entries(custodian, "review") and len(custodian.custody.entries()) == 1


def moved(custodian: pets.Custodian, request: str, finding: str, said: str) -> None:
    before = custodian.history()
    with pytest.raises(HeldError, match=said):
        custodian.approve(request, by="jo", finding=finding, anyway="a test wants it")
    assert len(custodian.history()) == len(before) and not entries(custodian, "review")[1:]
    assert [one.id for one in custodian.reviews()][:1] == [request]


def test_what_left_meanwhile_makes_a_finding_another() -> None:
    custodian = kept()
    request = asked(custodian, days(0, 1))
    found = custodian.look(request)
    released(custodian, T.group_by("sex").agg(n=N))  # sums of the grid's cells tell nothing more
    released(custodian, T.agg(n=N), "bob")
    custodian.session(analyst="bob").release(days(0, 1), pets.DP(epsilon=1))  # nor does what noise protects
    total(custodian, days(0, 0))
    moved(custodian, request, found.digest, "something left or was refused")
    assert custodian.look(request).releases == 2


def test_two_tables_that_were_looked_at_beside_the_same_do_not_both_leave() -> None:
    custodian = kept()
    first, second = asked(custodian, days(0, 1)), asked(custodian, days(0, 2), "bob", "elsewhere")
    one, two = custodian.look(first), custodian.look(second)
    custodian.approve(first, by="jo", finding=one.digest)
    moved(custodian, second, two.digest, "something left or was refused")
    again = custodian.look(second)
    assert again.releases == 2
    custodian.approve(second, by="jo", finding=again.digest, anyway="a test wants it")


def test_a_refusal_meanwhile_makes_a_finding_another() -> None:
    custodian = kept()
    request = asked(custodian, days(0, 1))
    found = custodian.look(request)
    custodian.refuse(asked(custodian, days(4, 5), "bob"), by="jo", reason="unclear")
    moved(custodian, request, found.digest, "something left or was refused")


def test_rows_that_were_made_anew_make_a_finding_another() -> None:
    custodian = kept()
    request = asked(custodian, days(0, 1))
    found = custodian.look(request)
    custodian.refresh()
    moved(custodian, request, found.digest, "the rows or the policy are others")
    again = custodian.look(request)
    assert again.state == UNDECIDED and "people of another time" in "".join(again.besides)


def test_another_policy_makes_a_finding_another(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger, snapshots=tmp_path / "ready")
        request = asked(custodian, days(0, 1))
        found = custodian.look(request)
        policy = pets.Policy(**OPEN | {"sdc_tables": 7})
        other = opened(None, policy=policy, ledger=ledger, snapshots=tmp_path / "ready")
        moved(other, request, found.digest, "the rows or the policy are others")


def test_a_request_under_another_schema_is_a_clean_error(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        request = asked(custodian, days(0, 1))
        table = opened().schema.table("people")
        columns = {name: one for name, one in table.columns.items() if name != "came"}
        schema = pets.Schema({"people": pets.Table(table.unit, columns)}, dataset="checked-tables")
        rows = of_days(DAYS).drop(columns="came")
        other = pets.Custodian(schema, rows, ledger=ledger, policy=pets.Policy(**OPEN), progress=False)
        with pytest.raises(UserError, match=r"cannot be read any more .*refuse it"):
            other.look(request)
        more = pets.Schema(
            {"people": pets.Table(table.unit, dict(table.columns) | {"x": pets.Boolean()})}, dataset="checked-tables"
        )
        third = pets.Custodian(
            more, of_days(DAYS).assign(x=True), ledger=ledger, policy=pets.Policy(**OPEN), progress=False
        )
        with pytest.raises(UserError, match="under another schema; refuse it"):
            third.look(request)
        other.refuse(request, by="jo", reason="unclear")


def test_only_tables_are_looked_at() -> None:
    custodian = kept()
    with pytest.raises(NotFoundError):
        custodian.look("none")
    job = Queue(custodian.ledger).put("checked-tables", "p", "a", "release", {}, None, held=True)
    with pytest.raises(UserError, match="for an answer that has no such finding"):
        custodian.look(job.id)


# what a refusal tells -------------------------------------------------------------------------------------------------


def test_a_refusal_closes_these_people_however_they_are_written() -> None:
    custodian = kept()
    custodian.refuse(asked(custodian, days(0, 1)), by="jo", reason="may-disclose")
    with pytest.raises(NotApprovedError, match="did not approve this table; nothing"):
        released(custodian, days(0, 1))
    written = T.where(~(col("came") > FIRST_TWO[1])).agg(k=N)
    for query, state in [
        (written, CLOSED),
        (days(1, 3), CLOSED),
        (T.where(between(1, 4)).group_by("came").agg(n=N), CLOSED),
        (days(2, 3), PROVED),
    ]:
        request = asked(custodian, query, "bob", "elsewhere")  # in review as any other
        found = custodian.look(request)
        assert found.state == state, query
        if state == CLOSED:
            with pytest.raises(HeldError, match="was refused before"):
                custodian.approve(request, by="jo", finding=found.digest, anyway="please")
    assert not [one for one in entries(custodian, "review") if one["decision"] == "approve"]


FIRST_TWO = [of_days([1, 1])["came"].iloc[place] for place in (0, 1)]


def test_what_a_refused_table_would_have_told_is_taken_for_told() -> None:
    # 10 people are known; of the last day nothing is, until one who heard the refusal takes the others from them
    custodian = kept([9, 1, 40])
    total(custodian, days(0, 1))
    request = asked(custodian, days(0, 0))
    first = custodian.look(asked(custodian, days(1, 2), "bob"))
    assert custodian.look(request).shown == ((10,),)
    custodian.refuse(request, by="jo", reason="may-disclose")
    second = custodian.look(asked(custodian, days(1, 2), "bob"))
    assert len(second.attacks) + len(second.before) > len(first.attacks) + len(first.before)


def test_what_was_refused_before_anybody_looked_tells_nothing() -> None:
    custodian = kept()
    custodian.refuse(asked(custodian, days(0, 1)), by="jo", reason="out-of-scope")
    found = custodian.look(asked(custodian, days(2, 3)))
    assert found.state == PROVED and found.besides == ()


def test_a_finding_of_a_refused_table_that_cannot_be_read_leaves_it_undecided(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        request = asked(custodian, days(0, 1))
        custodian.look(request)
        custodian.refuse(request, by="jo", reason="unclear")
        (tmp_path / "ledger.db.findings" / f"{request}.json").write_text("no")
        found = custodian.look(asked(custodian, days(2, 3)))
        assert found.state == UNDECIDED and "cannot be read" in "".join(found.besides)


# what a failure tells, and where a finding lies -----------------------------------------------------------------------


def test_what_is_counted_anew_must_be_what_was_let_out(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = kept()
    request = asked(custodian, days(0, 1))
    found = custodian.look(request)
    monkeypatch.setattr(door, "shown_of", lambda *_: ((15,),))
    with pytest.raises(ReleaseFailedError):
        custodian.approve(request, by="jo", finding=found.digest)
    assert list(custodian.history()["state"]) == ["committed", "forfeited"] and not custodian.reviews()
    monkeypatch.undo()
    monkeypatch.setattr(solving, "_replies", searched_here)
    again = asked(custodian, days(0, 1))  # it waits once more, as a request of its own
    assert again != request and [one.id for one in custodian.reviews()] == [again]
    custodian.approve(again, by="jo", finding=custodian.look(again).digest, anyway="a test wants it")
    assert released(custodian, days(0, 1)).form["shown"] == [[[10]]]
    verify(custodian.ledger)


def test_a_table_that_cannot_be_counted_is_an_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = kept()
    request = asked(custodian, days(0, 1))
    monkeypatch.setattr(checking, "tabulate", None)
    with pytest.raises(ReleaseFailedError, match=r"could not be counted \(incident") as failed:
        custodian.look(request)
    number = str(failed.value).partition("incident ")[2][:12]
    assert "TypeError" in custodian.incident(number)


def test_a_finding_is_its_owners_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        request = asked(custodian, days(0, 1))
        found = custodian.look(request)
        folder = tmp_path / "ledger.db.findings"
        (file,) = folder.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE(file.stat().st_mode) == 0o600
        assert Finding.from_json(json.loads(file.read_bytes())) == found
        store = FindingStore(ledger)
        assert store.get("../ledger.db") is None and not store.has("x/../../ledger.db")
        file.write_bytes(file.read_bytes().replace(b'"state":"proved"', b'"state":"sure"'))
        with pytest.raises(UserError, match="look at it once more"):
            custodian.approve(request, by="jo", finding=found.digest)


def test_witnesses_are_tables_that_agree_with_all_that_was_told() -> None:
    custodian = kept()
    found = custodian.look(asked(custodian, days(0, 1)))
    for atoms, first, second in found.pairs:
        ends = [sum(found.tables[one][atom] for atom in atoms) for one in (first, second)]
        assert abs(ends[0] - ends[1]) >= found.width


def test_time_that_ran_out_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = kept()
    monkeypatch.setattr("pets.session.disclosure.solving._replies", lambda question: None)
    found = custodian.look(asked(custodian, days(0, 1)))
    assert found.state == UNDECIDED and "nothing was decided in time" in str(found)


def test_a_table_of_other_people_leaves_it_undecided() -> None:
    custodian = kept()
    total(custodian, T.agg(m=pets.mean("age")))
    found = custodian.look(asked(custodian, days(0, 1)))
    assert found.state == UNDECIDED and "tells more than counts" in "".join(found.besides)


def test_too_many_groups_are_undecided() -> None:
    custodian = kept(more={"sdc_atoms": 12})
    found = custodian.look(asked(custodian, T.group_by("came").agg(n=N)))
    assert found.state == UNDECIDED and "sdc_atoms" in "".join(found.besides)
