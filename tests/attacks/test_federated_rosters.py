"""Exact totals over five sites, then over four of them: their difference is one site's exact numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import pets
from pets.cli.main import app
from pets.common import signing
from pets.common.codec import canonical
from pets.errors import LedgerError, PolicyError, ReleaseFailedError, VerificationError
from pets.federated import Federation, Site, SitePolicy, TableRule, Totals
from pets.federated.messages.errors import Refused
from pets.federated.messages.roster import Member
from pets.federated.query_round.regression_step import Model, Step
from pets.ledger.change import Change, apply, draft, made
from pets.ledger.publish.export import verify, write

N = pets.query("t").agg(n=pets.count())
TOTAL = pets.Total()
WHY = "left over other sites than this roster's"


def schema() -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "age": pets.Real(0, 100, step=1, nullable=False),
        "ill": pets.Boolean(nullable=False),
    }
    tables = {"t": pets.Table(pets.Unit("id", max_rows=1), columns, people=2**12)}
    return pets.Schema(tables, dataset="rosters")


def session(number: int, **settings: Any) -> pets.Session:
    count = 100 + 10 * number
    order = np.arange(count)
    frame = pd.DataFrame({"id": [f"{number}-{i}" for i in order], "age": order % 97, "ill": order % 3 == 0})
    return pets.Session(
        schema(),
        {"t": frame},
        budget=pets.Budget(epsilon=1, delta=1e-6),
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
        **settings,
    )


def sites(count: int = 5, **totals: Any) -> list[Site]:
    policy = SitePolicy(tables={"t": TableRule()}, totals=Totals(**{"allow": True, "min_cohort": 1} | totals))
    return [Site(session(number), policy=policy, name=f"s{number}") for number in range(count)]


def over(some: list[Site], **settings: Any) -> Federation:
    return Federation(some, **({"sites_per_person": 1, "progress": False} | settings))


def entries(some: list[Site]) -> list[int]:
    return [len(site.session.history()) for site in some]


def test_five_sites_and_then_four_give_nothing() -> None:
    """The four had the first order in their ledgers, and answered: 600 less 460 is the fifth's 140 people."""
    all_five = sites()
    assert over(all_five).release(N, TOTAL).table["n"][0] == 600
    before = entries(all_five)
    with pytest.raises(Refused, match=WHY):
        over(all_five[:4]).release(N, TOTAL)
    with pytest.raises(Refused, match=WHY):  # nor step by step
        step = Model(Step("binomial", "ill", ("age",), (0.0, 0.0)), schema().fields("t"))
        over(all_five[:4]).iterate(N, step, TOTAL)
    assert entries(all_five) == before
    assert over(all_five[:4]).release(N, pets.DP(epsilon=0.1))  # whose losses add up


def test_four_sites_and_then_five_give_nothing_either() -> None:
    all_five = sites()
    assert over(all_five[1:]).release(N, TOTAL).table["n"][0] == 500
    with pytest.raises(Refused, match=WHY):
        over(all_five).release(N, TOTAL)
    with pytest.raises(Refused, match=WHY):  # one site that was asked before is enough
        over([all_five[0], all_five[1], *sites(3)[2:], *sites(5)[3:]]).release(N, TOTAL)


def test_a_roster_made_anew_over_the_same_sites_is_no_other_list() -> None:
    all_five = sites()
    assert over(all_five).release(N, TOTAL)
    again = over(list(reversed(all_five)), colluding=2, dropouts=1)  # another coordinator, other assumptions
    assert again.roster.digest != over(all_five).roster.digest
    assert again.release(N, TOTAL).table["n"][0] == 600


def test_a_site_is_known_by_its_key_after_a_restart_too(tmp_path: Path) -> None:
    policy = SitePolicy(tables={"t": TableRule()}, totals=Totals(allow=True, min_cohort=1))

    def opened() -> list[Site]:
        some = [session(n, ledger=tmp_path / f"{n}.db", snapshots=tmp_path / f"{n}") for n in range(4)]
        return [Site(one, policy=policy, key=tmp_path / f"{n}.key", name=f"s{n}") for n, one in enumerate(some)]

    assert over(opened()).release(N, TOTAL).table["n"][0] == 460
    with pytest.warns(UserWarning, match="stored snapshots"):
        again = opened()
    with pytest.raises(Refused, match=WHY):
        over(again[:3]).release(N, TOTAL)
    assert over(again).release(N, TOTAL)


def test_queries_that_were_let_in_together_do_not_pass_each_other() -> None:
    """Both orders come before either is entered; the second is stopped before the data is opened."""
    all_five = sites()
    first, second = over(all_five), over(all_five[:4])
    inner = first._transport.exchange

    def between(messages: Any, heard: Any) -> Any:
        if messages[0][2] == 1:  # the keys of the first are known, and no data was opened yet
            first._transport.exchange = inner  # type: ignore[method-assign]
            second.release(N, TOTAL)
        return inner(messages, heard)

    first._transport.exchange = between  # type: ignore[method-assign]
    with pytest.raises(Refused, match=WHY):
        first.release(N, TOTAL)
    states = [list(site.session.history()["state"]) for site in all_five]
    assert states[:4] == [["voided", "committed"]] * 4 or states[:4] == [["committed", "voided"]] * 4


def test_a_lost_hospital_is_let_go_by_a_signed_entry_that_says_what_is_told(tmp_path: Path) -> None:
    all_five = sites()
    over(all_five).release(N, TOTAL)
    four = over(all_five[:4])
    for place, site in enumerate(all_five[:4]):
        with pytest.raises(Refused, match=WHY):
            four.release(N, TOTAL)
        said = site.allow_roster(four.roster, reason="s4 was closed", by=["A. One", f"B. Two {place}"])
        assert said == (
            "Exact totals over s0, s1, s2, s3 may leave beside those over s0, s1, s2, s3, s4: what is asked of both "
            "shows, by subtraction, the exact numbers of s4 together. Beside exact totals over still other lists "
            "of sites, single sites' exact numbers may follow, of this site too."
        )
        (change,) = made(site.session.ledger, "rosters", "roster")
        assert change.details["tells"] == said
    assert four.release(N, TOTAL).table["n"][0] == 460
    with pytest.raises(Refused, match=WHY):  # it was let go: the way back is another entry
        over(all_five).release(N, TOTAL)
    with pytest.raises(PolicyError, match="nothing to allow"):
        all_five[0].allow_roster(four.roster, reason="again", by=["A. One", "B. Two"])
    ledger = all_five[0].session.ledger
    write(ledger, tmp_path / "s0.log", progress=False)
    assert verify(tmp_path / "s0.log", key=ledger.key)
    assert said.encode() in (tmp_path / "s0.log").read_bytes()


TWO = ["A. One", "B. Two"]


def test_three_lists_together_tell_more_than_each_so_a_second_lift_is_said_to_be_meant() -> None:
    """(A + B - C) / 2 is one site's exact numbers: each custodian allowed a difference of several sites' alone."""
    some = sites()
    first = over(some[:3]).release(N, TOTAL).table["n"][0]
    second = over([some[0], *some[3:]])
    with pytest.raises(Refused, match=WHY):
        second.release(N, TOTAL)
    said = [site.allow_roster(second.roster, reason="another study", by=TWO) for site in (some[0], *some[3:])]
    number = second.release(N, TOTAL).table["n"][0]
    third = over(some[1:])
    for site in some[1:]:
        with pytest.raises(PolicyError, match="totals without noise left over 2 other lists of sites; beside"):
            site.allow_roster(third.roster, reason="a third", by=TWO)
        said.append(site.allow_roster(third.roster, reason="a third", by=TWO, several=True))
    assert (first + number - third.release(N, TOTAL).table["n"][0]) / 2 == 100  # the people of the first site
    assert all(
        "Beside exact totals over still other lists of sites, single sites' exact numbers" in one for one in said
    )


def test_a_site_that_joins_is_asked_before_its_rows_are_shown() -> None:
    """Four sites gave totals, and allowed the fifth beside them: 600 less 500 would be the first's 100 people."""
    five = sites()
    assert over(five[1:]).release(N, TOTAL).table["n"][0] == 500
    whole = over(five)
    for site in five[1:]:
        site.allow_roster(whole.roster, reason="s0 joined", by=TWO)
    with pytest.raises(Refused, match=WHY):
        whole.release(N, TOTAL)
    assert list(whole.lost) == ["s0"]
    assert entries(five) == [0, 2, 2, 2, 2]  # of which the second was given back
    said = five[0].allow_roster(whole.roster, reason="we agree", by=TWO)
    assert "Exact totals over s0, s1, s2, s3, s4 may leave beside those over s1, s2, s3, s4" in said
    assert "the exact numbers of s0 together." in said
    assert whole.release(N, TOTAL).table["n"][0] == 600


def test_a_roster_that_is_older_than_a_total_hides_it_from_nobody() -> None:
    """Made before the four were asked, it says nothing of them to the fifth: the four refuse until it is made anew."""
    five = sites()
    old = over(five)
    assert over(five[1:]).release(N, TOTAL)
    for site in five[1:]:
        site.allow_roster(old.roster, reason="s0 joined", by=TWO)
    with pytest.raises(Refused, match="exchange a new roster, of the sites' present entries"):
        old.release(N, TOTAL)


def test_a_site_with_more_totals_than_the_roster_states_is_on_it_all_the_same() -> None:
    five = sites()
    made = over(five)
    assert over(five[1:]).release(N, TOTAL)
    assert five[1].is_on(made.roster) and five[1].member not in made.roster.members
    five[1].join(made.roster)
    stated = Member.from_json(five[1].member.to_json())
    assert stated == five[1].member and stated.totals[0][0] == over(five[1:]).roster.membership
    ((membership, listed),) = stated.totals
    with pytest.raises(PolicyError, match="is not the one that it is called"):
        replace(stated, totals=((membership, listed[:-1]),))
    assert "totals" not in five[0].member.to_json()  # entries of before keep their form, and rosters their digest


def test_a_name_that_another_key_has_hides_nobody() -> None:
    """A sham called s4 in the place of s4: somebody who knows the sham's rows learns those of the true one."""
    some = sites()
    over(some).release(N, TOTAL)
    sham = sites()[4]
    said = some[0].allow_roster(over([*some[:4], sham]).roster, reason="it renewed its key", by=TWO)
    assert "the exact numbers of s4 of then and s4 of now, which has another key together." in said
    some[3].name, some[2].name = "s2", "s3"  # two that take each other's names are the same sites
    said = some[0].allow_roster(over(some[:4]).roster, reason="it was closed", by=TWO)
    assert "by subtraction, the exact numbers of s4 together." in said
    some[3].name, some[2].name = "s4", "s2"  # the name of one that was closed is given to one that stays
    said = some[1].allow_roster(over(some[:4]).roster, reason="it was closed", by=TWO)
    assert "by subtraction, the exact numbers of s4 of then together." in said


def test_keys_that_an_older_entry_does_not_hold_are_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from pets.federated.site import wording

    now = wording.contribution
    monkeypatch.setattr(
        wording, "contribution", lambda *given: {name: part for name, part in now(*given).items() if name != "keys"}
    )
    some = sites()
    first = over(some)
    first.release(N, TOTAL)
    monkeypatch.undo()
    sham, beside = sites()[4], "s0, s1, s2, s3, s4: what is asked of both shows, by subtraction, the exact numbers of"
    other = over([*some[:4], sham]).roster
    known = some[0].to_allow(other, reason="renewed", by=TWO).details["tells"]
    some[0].leave(first.roster)
    unknown = some[0].to_allow(other, reason="renewed", by=TWO).details["tells"]
    assert f"{beside} s4 of then and s4 of now, which has another key together." in known
    assert f"{beside} any site whose key is another together." in unknown


def test_a_roster_without_this_site_is_no_roster_to_allow() -> None:
    some = sites()
    over(some).release(N, TOTAL)
    with pytest.raises(PolicyError, match="does not have this site's key"):
        some[0].to_allow(over(some[1:]).roster, reason="closed", by=TWO)


def test_what_one_allowed_beside_one_is_not_allowed_beside_another() -> None:
    all_five = sites()
    over(all_five).release(N, TOTAL)
    four, three = over(all_five[:4]), over(all_five[:3])
    for site in all_five[:3]:
        site.allow_roster(three.roster, reason="two were closed", by=["A. One", "B. Two"])
    for site in all_five[:4]:
        site.allow_roster(four.roster, reason="one was closed", by=["A. One", "B. Two"])
    four.release(N, TOTAL)
    with pytest.raises(Refused, match=WHY):  # three were allowed beside five, before there were four
        three.release(N, TOTAL)


def test_allowing_takes_two_people_and_the_approvers_signatures() -> None:
    all_five = sites()
    over(all_five).release(N, TOTAL)
    site, roster = all_five[0], over(all_five[:4]).roster
    with pytest.raises(LedgerError, match="two different people"):
        site.allow_roster(roster, reason="closed", by=["A. One"])
    approver, ledger = signing.ephemeral(), site.session.ledger
    details = {"keys": [approver.public.raw.hex()], "needed": 1}
    apply(ledger, draft(Change(ledger.origin, "rosters", "approvers", details, "from now on", ("A. One", "B. Two"))))
    with pytest.raises(VerificationError, match="approvers"):
        site.allow_roster(roster, reason="closed", by=["A. One", "B. Two"])
    with pytest.raises(Refused, match=WHY):
        over(all_five[:4]).release(N, TOTAL)
    apply(ledger, draft(site.to_allow(roster, reason="closed", by=["A. One", "B. Two"]), approver))
    for other in all_five[1:4]:
        other.allow_roster(roster, reason="closed", by=["A. One", "B. Two"])
    assert over(all_five[:4]).release(N, TOTAL)


def test_sites_of_totals_that_were_entered_without_them_are_those_of_a_pinned_roster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pets.federated.site import wording

    now = wording.contribution
    before = ("pets", "version", "id", "site", "roster", "order", "commitment")
    monkeypatch.setattr(wording, "contribution", lambda *given: {name: now(*given)[name] for name in before})
    all_five = sites()
    first = over(all_five)
    assert first.release(N, TOTAL)
    monkeypatch.undo()
    assert over(all_five).release(N, TOTAL)  # the roster of before is still pinned, and has the same sites
    with pytest.raises(Refused, match=WHY):
        over(all_five[:4]).release(N, TOTAL)
    for site in all_five:
        site.leave(first.roster)
    with pytest.raises(Refused, match=WHY):  # which sites these were is not known any more
        over(all_five).release(N, TOTAL)
    said = all_five[0].allow_roster(over(all_five).roster, reason="the same sites", by=["A. One", "B. Two"])
    assert "a roster whose sites were not written down" in said


def test_a_site_that_withheld_gave_nothing_to_subtract() -> None:
    """No total came of it, so nothing is to be kept apart; its charge stays."""
    all_five = sites(min_cohort=105)  # the first has 100
    with pytest.raises(ReleaseFailedError, match="withheld"):
        over(all_five).release(N, TOTAL)
    assert entries(all_five)[0] == 1
    assert over(all_five[1:]).roster.membership != over(all_five).roster.membership
    with pytest.raises(
        Refused, match=WHY
    ):  # the others' vectors had left, which their ledgers cannot tell from a total
        over(all_five[1:]).release(N, TOTAL)


def test_the_command_line_allows_a_roster(tmp_path: Path) -> None:
    columns = "id: {type: identifier}, age: {type: real, min: 0, max: 100, step: 1, nullable: false}"
    text = f"{{unit: {{column: id, max_rows: 1}}, people: 4096, columns: {{{columns}, ill: {{type: boolean}}}}}}"
    (tmp_path / "t.yaml").write_text(f"dataset: rosters\ntables:\n  t: {text}\n", "utf-8")
    (tmp_path / "policy.yaml").write_text("tables: {t: {}}\ntotals: {allow: true, min_cohort: 1}\n", "utf-8")
    frame = pd.DataFrame({"id": range(50), "age": range(50), "ill": [True, False] * 25})
    frame.to_csv(tmp_path / "t.csv", index=False)
    run, names = CliRunner().invoke, ("north", "east", "west", "south")
    for name in names:
        given = ["--data", str(tmp_path / "t.csv"), "--schema", str(tmp_path / "t.yaml")]
        given += ["--policy", str(tmp_path / "policy.yaml"), "--budget-epsilon", "1"]
        found = run(app, ["site", "init", str(tmp_path / name), *given])
        assert found.exit_code == 0, found.output
    from pets.federated.deployment.site_folder import SiteFolder

    four = [SiteFolder(tmp_path / name).site for name in names]
    assert over(four).release(N, TOTAL).table["n"][0] == 200
    roster = over(four[:3]).roster
    (tmp_path / "first.json").write_bytes(canonical(over(four).roster.to_json()))
    joined = run(app, ["site", "join", str(tmp_path / "north"), "--roster", str(tmp_path / "first.json")])
    assert joined.exit_code == 0 and "by subtraction" not in joined.output
    (tmp_path / "roster.json").write_bytes(canonical(roster.to_json()))
    asked = ["--roster", str(tmp_path / "roster.json"), "--reason", "closed", "--by", "A. One", "--by", "B. Two"]
    drafted = [*asked, "--draft", str(tmp_path / "change.json")]
    found = run(app, ["site", "allow-roster", str(tmp_path / "north"), *drafted])
    assert found.exit_code == 0 and "the exact numbers of south together" in found.output
    with pytest.raises(Refused, match=WHY):
        over(four[:3]).release(N, TOTAL)
    ledger = str(tmp_path / "north" / "ledger.db")
    assert run(app, ["ledger", "apply", str(tmp_path / "change.json"), "--ledger", ledger]).exit_code == 0
    for name in names[1:3]:
        found = run(app, ["site", "allow-roster", str(tmp_path / name), *asked])
        assert found.exit_code == 0 and "Exact totals over east, north, west may leave" in found.output
    assert over(four[:3]).release(N, TOTAL).table["n"][0] == 150
