"""The key holder's grid: exact counts go to it encrypted, once; it rounds them; nobody else sees them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
import pets.federated.site.site as site_module
from pets import col, he
from pets.common.codec import canonical
from pets.common.entropy import random_id
from pets.errors import (
    BudgetError,
    PetsError,
    PolicyError,
    QueryError,
    ReleaseFailedError,
    UserError,
    VerificationError,
)
from pets.federated import Federation, Site, SitePolicy, Totals, check_sharing
from pets.federated.analyst.rounded import holder_grid
from pets.federated.analyst.sealing import load
from pets.federated.analyst.sharing import signature
from pets.federated.keyholder.client import KeyHolderClient
from pets.federated.keyholder.gate import KeyHolderGate
from pets.federated.messages.errors import Refused
from pets.federated.query_round import envelopes
from pets.he.totals import encrypting, shown_grid
from pets.he.totals.shown_grid import ShownGrid
from pets.ledger.ledger import Ledger
from pets.ledger.states import Request
from pets.plan.plan import make_plan
from pets.protection.budget import Cost
from pets.protection.protection import Total
from pets.protection.sdc import PRESETS, SDC
from pets.release.certificate import Certificate
from pets.release.rounded.rounded_sum import RoundedSum
from pets.sdc.book import book_of
from tests.attacks.test_federated_keyholder import Line
from tests.sample_ledger import Clock
from tests.unit.federated.site.test_rounded import (
    ALL,
    BY_G,
    GRID,
    HES,
    POLICY,
    SCHEMA,
    THREE,
    T,
    entries,
    numbers,
    over,
    rows,
    session,
    sites,
)

RULES = SitePolicy.open(
    SCHEMA, sdc=("hes",), sdc_encrypted=("hes", "midpoint6"), totals=Totals(allow=True, min_cohort=1)
)


@pytest.fixture(scope="module")
def spare() -> he.SecretKey:
    """A key whose grid nobody has named; tests that name one make their own."""
    return he.keygen()[1]


def some(*counts: tuple[int, ...], rules: SitePolicy = RULES, **settings: Any) -> list[Site]:
    return sites(*counts, grid=None, rules=rules, **settings)


def ask(many: Federation, query: pets.Query, rule: SDC = HES) -> RoundedSum:
    return many.release(query, rule, secure="encrypted")


# ── by hand ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sums_of_three_sites_are_rounded_once() -> None:
    """11, 20 and 43 people over all sites: 10 (8 to 12), 20 (18 to 22), 45 (43 to 47); masked, 9 to 19 for the 11."""
    many = over(some())
    grid = many.name_grid(BY_G, HES)
    assert numbers(grid) == [[10, 8, 12], [20, 18, 22], [45, 43, 47]]
    assert numbers(ask(many, ALL)) == [[75, 69, 81]]
    of_two = ask(many, T.where(col("g").isin(["a", "b"])).agg(n=pets.count()))
    assert numbers(of_two) == [[30, 26, 34]]
    for said in ("'hes' (1 to 7 hidden, others to the nearest 5)", "No proof is claimed", "over 3 sites"):
        assert said in grid.guarantee
    assert "No differential privacy" in grid.guarantee and grid.guarantee == of_two.guarantee
    assert "All 3 sites are in the answer, combined by secure='encrypted'." in grid.notes
    assert grid.cost["loss"] == 0 and grid.certificate is None


BY_PRESET = {"hes": [[None, 1, 7], [10, 8, 12]], "midpoint6": [[9, 7, 12], [9, 7, 12]]}


@pytest.mark.parametrize("name", sorted(BY_PRESET))
def test_each_rule_is_that_of_the_sum_on_either_side_of_its_threshold(name: str) -> None:
    """7 people of a and 8 of b, in parts that every site alone would have hidden."""
    many = over(some((3, 4, 0), (2, 4, 0), (2, 0, 0)))
    assert numbers(many.name_grid(BY_G, SDC(name)))[:2] == BY_PRESET[name]


def test_it_is_saved_read_checked_and_asked_for_again(tmp_path: Path) -> None:
    houses = some()
    many = over(houses)
    grid = many.name_grid(BY_G, HES)
    before = entries(houses)
    assert many.name_grid(BY_G, HES) == grid and ask(many, ALL) == ask(many, ALL)
    assert entries(houses) == before == [1, 1, 1]  # later answers ask nobody
    read = load(ask(many, ALL).save(tmp_path / "answer.json"))
    assert isinstance(read, RoundedSum) and check_sharing(read).digest == check_sharing(grid).digest
    assert set(read.sharing["certificates"]) == {"s0", "s1", "s2"}
    assert set(many.certificates(read)) == {"s0", "s1", "s2"}
    for certificate in read.sharing["certificates"].values():
        said = Certificate(certificate).predicate
        assert said["what"] == "for the key holder's grid, count by g" and said["guarantee"] == grid.guarantee
        assert said["dp"] is None and said["federation"]["key_holder"] == many._keyed.key_holder


def test_a_site_enters_it_as_unbounded_and_in_its_book(monkeypatch: pytest.MonkeyPatch) -> None:
    houses = some()
    many = over(houses)
    many.name_grid(BY_G, HES)
    for site in houses:
        last = site.session.history().iloc[-1]
        assert last["unbounded"] and last["state"] == "committed" and last["what"].startswith("for the key holder's")
        (told,) = book_of(site.session.custody.account.exact()).entries
        assert told.besides == "it is no table of counts (federated-contribution)"
    later = many.release(ALL, pets.DP(epsilon=0.1))
    assert len(many.certificates(later)["s0"].predicate["other_releases"]["unbounded"]) == 1
    with pytest.raises(UserError, match="1 release has left this dataset without noise before"):
        houses[0].session.name_grid(BY_G, HES)


def test_on_invented_rows_the_keys_one_grid_is_left_alone(spare: he.SecretKey) -> None:
    many = over(some(), key_holder=spare)
    twin = many.dummy(rows=60)
    shown = twin.name_grid(BY_G, HES)
    assert shown.data == "dummy" and shown.guarantee.startswith("Dummy data")
    check_sharing(shown)
    assert spare.kept("grid") is None


# ── what is refused, and what mends it ────────────────────────────────────────────────────────────────────────────────


def test_a_site_sends_nothing_to_a_key_holder_until_its_policy_says_so() -> None:
    assert SitePolicy().sdc_encrypted == SitePolicy.open(SCHEMA, sdc=("hes",)).sdc_encrypted == ()
    for rules, settings, said in (
        (SitePolicy.open(SCHEMA, sdc=("hes",)), {}, r"\(it allows: none\); use secure='masked'"),
        (SitePolicy.open(SCHEMA, sdc_encrypted=("midpoint6",)), {}, r"'hes' \(it allows: 'midpoint6'\)"),
        (RULES, {"policy": pets.Policy(sdc=("hes",))}, r"\(it allows: none\).*allows exact totals"),
    ):
        houses = some(rules=rules, **settings)
        with pytest.raises(Refused, match=said):
            over(houses).name_grid(BY_G, HES)
        assert entries(houses) == [0, 0, 0]


@pytest.mark.parametrize("rule", [SDC(threshold=2, base=2, width=1), SDC("hes", width=3)])
def test_a_site_sends_nothing_that_leaves_less_open_than_its_custodian_asks_for(rule: SDC) -> None:
    rules = SitePolicy.open(SCHEMA, sdc_encrypted=("hes", "own"))
    strict = pets.Policy(allow_unbounded=True, sdc_width=4)
    houses = some(rules=rules, policy=strict)
    with pytest.raises(Refused, match="less open than this custodian's policy asks for; use width=4"):
        over(houses).name_grid(BY_G, rule)
    assert entries(houses) == [0, 0, 0]
    assert over(houses).name_grid(BY_G, replace(SDC("hes"), width=4))  # as the remedy says


def test_a_policy_of_before_keeps_its_digest() -> None:
    assert "sdc_encrypted" not in SitePolicy.open(SCHEMA, sdc=("hes",)).to_json()
    read = SitePolicy.from_json({"sdc_encrypted": ["midpoint6", "hes"]})
    assert read.sdc_encrypted == ("hes", "midpoint6") and SitePolicy.from_json(read.to_json()) == read
    with pytest.raises(PolicyError, match="sdc_encrypted has no rule 'hez'; did you mean 'hes'"):
        SitePolicy.from_json({"sdc_encrypted": ["hez"]})


def test_without_a_grid_the_refusal_says_how_to_have_one() -> None:
    houses = some()
    many = over(houses)
    with pytest.raises(PolicyError, match=r"many.name_grid\("):
        ask(many, ALL)
    assert entries(houses) == [0, 0, 0]
    many.name_grid(BY_G, HES)
    assert ask(many, ALL)


def test_a_grid_is_whole_and_sums_are_of_whole_cells() -> None:
    houses = some()
    many = over(houses)
    for query, said in (
        (T.where(col("g") == "a").group_by("g").agg(n=pets.count()), "a grid leaves nobody out"),
        (T.agg(n=pets.count()), "a grid is grouped by the columns"),
        (T.group_by("g").agg(n=pets.count(), m=pets.mean("x")), "a grid has one count of everybody"),
    ):
        with pytest.raises(QueryError, match=said):
            many.name_grid(query, HES)
    assert entries(houses) == [0, 0, 0]
    many.name_grid(BY_G, HES)
    with pytest.raises(QueryError, match="column 'ill' is not in the dataset's grid"):
        ask(many, GRID)
    with pytest.raises(PetsError, match=r"pets.SDC rounds counts of people"):
        ask(many, T.agg(m=pets.mean("x")))
    with pytest.raises(QueryError, match="leave out HAVING"):
        ask(many, many.sql("SELECT g, COUNT(*) AS n FROM t GROUP BY g ORDER BY n"))
    with pytest.raises(BudgetError, match="leave again=True out"):
        many.release(ALL, HES, secure="encrypted", again=True)


def test_a_grid_is_no_larger_than_a_custodian_allows() -> None:
    houses = some(policy=pets.Policy(allow_unbounded=True, sdc_atoms=2))
    with pytest.raises(Refused, match=r"the grid has 3 cells and this site's custodian allows 2 \(sdc_atoms\)"):
        over(houses).name_grid(BY_G, HES)
    assert entries(houses) == [0, 0, 0]


def test_one_key_has_one_grid_by_one_rule_over_one_list_of_sites() -> None:
    public, secret = he.keygen()
    houses = some(*THREE, (9, 2, 30))
    many = over(houses[:3], key_holder=secret)
    many.name_grid(BY_G, HES)
    for query, rule, said in (
        (BY_G, SDC("midpoint6"), r"ask with pets.SDC\(preset='hes'\)"),
        (GRID, HES, "has shown another grid"),
    ):
        with pytest.raises(PolicyError, match=said):
            many.name_grid(query, rule)
    with pytest.raises(PolicyError, match=r"ask with pets.SDC\(preset='hes'\)"):
        ask(many, ALL, SDC("midpoint6"))
    # the key itself refuses what another coordinator asks of it
    fresh = over(houses[:3], key_holder=secret)
    for query, rule in ((BY_G, SDC("midpoint6")), (GRID, HES)):
        with pytest.raises(UserError, match="this key has shown its one grid"):
            fresh.name_grid(query, rule)
    with pytest.raises(UserError, match="this key has shown its one grid"):
        over(houses, key_holder=secret).name_grid(BY_G, HES)
    assert entries(houses) == [1, 1, 1, 0]
    assert numbers(fresh.name_grid(BY_G, HES)) == [[10, 8, 12], [20, 18, 22], [45, 43, 47]]
    assert entries(houses) == [1, 1, 1, 0]  # it is given as it was, and nobody is asked
    assert public.id == secret.public.id
    other = over(houses[:3], key_holder=secret, colluding=0)
    with pytest.raises(PolicyError, match="with other assumptions"):
        other.name_grid(BY_G, HES)


def test_a_site_sends_one_grid_to_one_key_holder() -> None:
    """Whoever has another key, another grid or another rule gets none of it, whatever the first key holder does."""
    houses = some()
    over(houses).name_grid(BY_G, HES)
    for query, rule in ((BY_G, HES), (BY_G, SDC("midpoint6")), (GRID, HES)):
        with pytest.raises(Refused, match="another grid, another rule or another key holder"):
            over(houses).name_grid(query, rule)
    assert entries(houses) == [1, 1, 1]


def test_what_is_begun_without_noise_and_not_sealed_may_yet_leave() -> None:
    """Whoever has the ledger open, too, may be counting a total; what failed for a key holder sent none."""
    for what, start, said in (
        ("count", True, "something left this dataset without noise before, or was begun"),
        ("count", False, ""),
        ("for the key holder's grid, count by g", True, "are being sent to a key holder just now; ask again"),
    ):
        houses = some()
        account = houses[0].session.custody.account
        (grant,) = account.reserve([begun(what)], start=start)
        many = over(houses)
        if said:
            with pytest.raises(Refused, match=said):
                many.name_grid(BY_G, HES)
        account.close([grant])
        if what == "count" and start:  # the data was opened, and nobody knows what became of it
            with pytest.raises(Refused, match=said):
                many.name_grid(BY_G, HES)
        else:
            assert many.name_grid(BY_G, HES)


def test_what_a_dead_process_was_to_send_is_not_under_way_for_ever() -> None:
    clock = Clock()
    ledger = Ledger(clock=clock)
    houses = [Site(session("x-", 3, 12, 0, ledger=ledger), policy=RULES, name="x"), *some((0, 7, 20), (8, 1, 23))]
    houses[0].session.custody.account.reserve([begun("for the key holder's grid, count by g")])
    many = over(houses)
    with pytest.raises(Refused, match="ask again in a minute"):
        many.name_grid(BY_G, HES)
    clock.now += 61
    assert many.name_grid(BY_G, HES)


def test_what_is_begun_between_the_last_look_and_the_entry_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    houses = some()
    account = houses[0].session.custody.account
    true = account.start

    def start(grants: Any) -> None:
        account.reserve([begun("count")])  # by another process
        true(grants)

    monkeypatch.setattr(account, "start", start)
    with pytest.raises(Refused, match="something left this dataset without noise before, or was begun"):
        over(houses).name_grid(BY_G, HES)
    assert account.exact() == ()


def begun(what: str) -> Request:
    plan, nothing = make_plan(ALL, SCHEMA), Cost("zcdp", 0)
    form = Total().to_json()
    return Request("t", what, plan.digest, random_id(), "rows", ALL.to_json(), form, nothing, unbounded=True)


def test_sites_that_share_people_have_no_grid_of_a_key_holder() -> None:
    """One person at eight sites would be shown as 10 people."""
    houses = some()
    many = over(houses, sites_per_person=2)
    with pytest.raises(PolicyError, match="a person may be at up to 2 of them"):
        many.name_grid(BY_G, HES)
    line = apart(many, he.keygen()[1], grid=(BY_G, HES))
    with pytest.raises(PolicyError, match="a person may be at up to 2 of them"):
        many.name_grid(BY_G, HES)
    assert line.told == [] and entries(houses) == [0, 0, 0]
    named = sites(rules=RULES)
    assert over(named, sites_per_person=2).release(BY_G, HES)  # as the remedy says


@pytest.mark.parametrize("trusting", [1, 2])
def test_neither_key_holder_nor_site_takes_others_word_for_that(trusting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to look is the coordinator, then the key holder, and each site by itself."""
    houses, looks, true = some(), list[Any](), envelopes.check_apart

    def look(roster: Any) -> None:
        looks.append(roster)
        if len(looks) > trusting:
            true(roster)

    many = over(houses, sites_per_person=2)
    apart(many, he.keygen()[1], grid=(BY_G, HES))
    monkeypatch.setattr(envelopes, "check_apart", look)
    with pytest.raises(PolicyError, match="a person may be at up to 2 of them"):
        many.name_grid(BY_G, HES)
    assert len(looks) == 2 and entries(houses) == [0, 0, 0]


def test_nothing_else_leaves_without_noise_beside_it() -> None:
    """Seven sites with one person each: their own grids say one or more each, the sum's seven or fewer: one each."""
    rule = PRESETS["hes"].rule
    ones = np.ones(7, dtype=np.int64)
    low, _ = rule.interval(rule.shown(ones))
    _, high = rule.interval(rule.shown(np.array([ones.sum()])))
    assert int(low.sum()) == int(high[0]) == 7
    after = some()
    many = over(after)
    many.name_grid(BY_G, HES)
    for query, protection in ((BY_G, HES), (ALL, Total())):
        with pytest.raises(Refused, match=r"ask for sums of that grid, with pets\.SDC"):
            many.release(query, protection)
    assert many.release(ALL, pets.DP(epsilon=0.1)) and ask(many, ALL)
    for protection in (HES, Total()):
        before = sites(rules=RULES) if protection is HES else some()
        many = over(before)
        many.release(BY_G, protection)
        with pytest.raises(Refused, match="something left this dataset without noise before"):
            many.name_grid(BY_G, HES)


def test_of_refreshed_rows_there_is_no_grid_and_what_is_said_instead_works(tmp_path: Path) -> None:
    """6 people of a, in three parts, are shown as 3; 7 would be 9: who knows that one came knows both numbers."""
    rule, houses = SDC("midpoint6"), list[Site]()
    for place in range(3):
        rows(f"s{place}-", 2, 20, 20).to_csv(tmp_path / f"{place}.csv", index=False)
        source = {"t": tmp_path / f"{place}.csv"}
        one = pets.Session(SCHEMA, source, budget=pets.Budget(epsilon=30, delta=1e-6), policy=POLICY, progress=False)
        houses.append(Site(one, policy=SitePolicy.open(SCHEMA, sdc_encrypted=("midpoint6",)), name=f"s{place}"))
    secret = he.keygen()[1]
    many = over(houses, key_holder=secret)
    before = many.name_grid(BY_G, rule)
    assert numbers(before)[0] == [3, 1, 6]
    rows("s0-", 3, 20, 20).to_csv(tmp_path / "0.csv", index=False)
    houses[0].session.refresh()
    fresh = over(houses, key_holder=secret)
    for again in (many.name_grid(BY_G, rule), fresh.name_grid(BY_G, rule)):
        assert again.sharing["grid"] == before.sharing["grid"]  # the people of its day; nobody is asked
    with pytest.raises(PolicyError, match=r"where a cell moves from 6 to 7.*sums of the one that was shown.*pets\.DP"):
        fresh.name_grid(BY_G, rule, anew=True)
    with pytest.raises(Refused, match="another grid, another rule or another key holder"):
        over(houses).name_grid(BY_G, rule)
    assert entries(houses) == [1, 1, 1]
    assert numbers(ask(fresh, ALL, rule)) == [[3 + 57 + 57, 1 + 55 + 55, 6 + 60 + 60]]
    noisy = fresh.release(BY_G, pets.DP(epsilon=25))  # of today
    assert noisy.table["n"].sum() == pytest.approx(127, abs=20)


def test_other_sites_are_another_list() -> None:
    houses = some(*THREE, (9, 2, 30))
    over(houses[:3]).name_grid(BY_G, HES)
    with pytest.raises(Refused, match=r"(exact totals of these people left over other sites|another key holder)"):
        over(houses).name_grid(BY_G, HES)


def test_no_site_may_be_lost_and_the_same_may_be_asked_again() -> None:
    houses = some()
    many = over(houses, dropouts=1, colluding=0)
    roster = many._key_holder()[1]
    houses[2].leave(roster)
    with pytest.raises(PetsError, match="s2"):
        many.name_grid(BY_G, HES)
    houses[2].join(roster, many._holder.public)  # type: ignore[union-attr]
    assert numbers(many.name_grid(BY_G, HES))[0] == [10, 8, 12]
    assert entries(houses) == [2, 2, 1]


# ── the key itself ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_gives_the_exact_numbers_of_no_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    public, secret = he.keygen()
    many = over(some(), key_holder=secret)
    seen: list[Any] = []
    true = shown_grid.opened_grid

    def look(key: Any, total: Any) -> ShownGrid:
        for way in (secret.open, secret.numbers):
            with pytest.raises(UserError, match="leave as the rule shows them, and never exactly"):
                way(total)
        seen.append(total)
        return true(key, total)

    monkeypatch.setattr("pets.he.secret_key.opened_grid", look)
    many.name_grid(BY_G, HES)
    assert len(seen) == 1 and secret.grid(seen[0]).shown.tolist() == [10, 20, 45]  # as it was; not opened again
    with pytest.raises(UserError, match=r"make its round with secret.grid_round"):
        secret.round(BY_G, SCHEMA, seen[0].round.parties, HES)
    with pytest.raises(UserError, match="is of no grid"):
        true(secret, _total(many, secret))
    assert public == secret.public


def _total(many: Federation, secret: he.SecretKey) -> Any:
    """An encrypted total with noise, of the same sites."""
    found: list[Any] = []
    true = type(secret).numbers

    def keep(self: he.SecretKey, total: Any, consents: Any = ()) -> Any:
        found.append(total)
        return true(self, total, consents)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(he.SecretKey, "numbers", keep)
        many.release(ALL, pets.DP(epsilon=0.1), secure="encrypted")
    return found[0]


def test_what_was_shown_outlives_the_process_and_no_other_is_made(tmp_path: Path) -> None:
    secret = he.keygen()[1]
    secret.save(tmp_path / "secret.key")
    houses = some()
    grid = over(houses, key_holder=secret).name_grid(BY_G, HES)
    again = he.SecretKey.load(tmp_path / "secret.key")
    assert over(houses, key_holder=again).name_grid(BY_G, HES).sharing["grid"] == grid.sharing["grid"]
    with pytest.raises(UserError, match="this key has shown its one grid"):
        over(houses, key_holder=again).name_grid(GRID, HES)
    assert entries(houses) == [1, 1, 1]


def test_what_was_shown_moves_with_the_key(tmp_path: Path) -> None:
    secret = he.keygen()[1]
    over(some(), key_holder=secret).name_grid(BY_G, HES)
    kept = secret.kept("grid")
    secret.save(tmp_path / "secret.key")
    assert kept is not None and he.SecretKey.load(tmp_path / "secret.key").kept("grid") == kept


@pytest.mark.parametrize("saved", [False, True])
def test_of_two_that_are_opened_at_once_the_first_is_given(
    saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = he.keygen()[1]
    if saved:
        secret.save(tmp_path / "secret.key")
    first = over(some(), key_holder=secret)
    others = over(some((30, 30, 30), (30, 30, 30), (30, 30, 30)), key_holder=secret)
    monkeypatch.setattr(shown_grid, "named_grid", lambda *_: None)  # (as each is asked before the other is kept)
    monkeypatch.setattr("pets.he.secret_key.named_grid", lambda *_: None)
    first.name_grid(BY_G, HES)
    with pytest.raises(ReleaseFailedError, match="this key has shown its one grid"):
        others.name_grid(BY_G, HES)


@pytest.mark.parametrize("lie", [-6, -5])
def test_a_site_that_lies_learns_by_no_refusal_what_others_sent(lie: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """5 people of a at the others: were 5 - 6 refused and asked again, 5 - 5 would be shown as 0, and give the 5."""
    houses = some((3, 0, 0), (2, 0, 0), (0, 0, 0))
    true = site_module.vector

    def vector(admission: Any, snapshot: Any, custody: Any, rules: Any) -> Any:
        own = lie if custody is houses[2].session.custody else 0
        return true(admission, snapshot, custody, rules) + own

    monkeypatch.setattr(site_module, "vector", vector)
    many = over(houses)
    assert numbers(many.name_grid(BY_G, HES)) == [[0, 0, 0]] * 3
    assert many.name_grid(BY_G, HES).sharing["grid"]["shown"] == [0, 0, 0]
    assert entries(houses) == [1, 1, 1]


def test_a_sum_beyond_all_people_is_shown_as_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    true, most = site_module.vector, encrypting.reach
    many = over(some())
    monkeypatch.setattr(encrypting, "reach", lambda asked, terms: 4 * most(asked, terms))  # (a site need not ask)
    monkeypatch.setattr(site_module, "vector", lambda *given: true(*given) + people)
    people = make_plan(BY_G, SCHEMA).measures[0].limit + 1
    shown = many.name_grid(BY_G, HES).sharing["grid"]["shown"]
    assert shown == [int(one) for one in HES.rule.shown(np.array([3 * (people - 1)] * 3))]


# ── a key holder elsewhere ────────────────────────────────────────────────────────────────────────────────────────────


def apart(many: Federation, secret: he.SecretKey, **settings: Any) -> Line:
    many._pin(secret)
    gate = KeyHolderGate(secret, **settings)
    gate.join(many._keyed)
    line = Line(many, gate)
    many._transport = line
    keys = many._coordinator, many._analyst
    many._holder = KeyHolderClient(secret.public, many._keyed, *keys, many.analyst, line, line.place)
    return line


def test_a_key_holder_elsewhere_shows_the_grid_that_it_named_and_sends_no_exact_number() -> None:
    secret = he.keygen()[1]
    houses = some((500, 3, 0), (411, 4, 0), (86, 0, 0))
    many = over(houses)
    line = apart(many, secret, grid=(BY_G, HES))
    assert numbers(many.name_grid(BY_G, HES)) == [[995, 993, 997], [None, 1, 7], [0, 0, 0]]
    exact = np.array([997, 7, 0], dtype="<i8").tobytes()
    number = re.compile(rb"[\[,:]997[\],}]")  # (the digits alone stand in many a signature)
    assert len(line.told) == 2 and not any(exact in one or number.search(one) for one in line.told)
    fresh = over(houses)
    line = apart(fresh, secret, grid=(BY_G, HES))
    # (another coordinator over the same sites: it is told what was shown)
    assert numbers(fresh.name_grid(BY_G, HES))[1] == [None, 1, 7]
    assert len(line.told) == 1 and entries(houses) == [1, 1, 1]


@pytest.mark.parametrize("grid", [None, (GRID, HES), (BY_G, SDC("midpoint6"))])
def test_a_key_holder_elsewhere_shows_no_grid_that_it_did_not_name(grid: Any) -> None:
    houses = some()
    many = over(houses)
    apart(many, he.keygen()[1], grid=grid, totals=True)
    with pytest.raises(PolicyError, match="shows the counts of the one grid that it has named"):
        many.name_grid(BY_G, HES)
    assert entries(houses) == [0, 0, 0]


def test_a_reply_that_another_key_signed_is_no_grid(spare: he.SecretKey) -> None:
    secret = he.keygen()[1]
    many = over(some())
    line = apart(many, secret, grid=(BY_G, HES))
    many.name_grid(BY_G, HES)
    client = many._holder
    assert isinstance(client, KeyHolderClient)
    grid = json.loads(secret.kept("grid") or b"")
    with pytest.raises(UserError, match="not signed by the key holder"):
        KeyHolderClient(
            spare.public,
            replace(many._keyed, key_holder=spare.public.id),
            *(client.coordinator, client.analyst, client.name, line, line.place),
        )._of_holder(canonical(grid))
    for name, part in (("shown", [10, 20, 50]), ("data", "dummy"), ("issued_at", "2020-01-01T00:00:00Z")):
        with pytest.raises(UserError, match="not a grid as a key holder signed it"):
            ShownGrid(grid | {name: part})


# ── lies ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_does_not_follow_from_the_grid_is_refused() -> None:
    many = over(some())
    many.name_grid(BY_G, HES)
    answer = ask(many, ALL)

    def signed(form: Any) -> RoundedSum:
        sharing = {name: part for name, part in form["sharing"].items() if name != "coordinator"}
        bare = form | {"sharing": sharing}
        return RoundedSum(bare | {"sharing": sharing | {"coordinator": signature(bare, many._coordinator)}})

    assert check_sharing(signed(answer.form))
    more = [
        [{name: [part[0] + 5 * (name != "hidden" and name != "cells")] for name, part in one.items()}]
        for (one,) in answer.form["counts"]
    ]
    sharing = answer.form["sharing"]
    for lie in (
        answer.form | {"counts": more},
        answer.form | {"guarantee": "Nobody can be found."},
        answer.form | {"notes": []},
        answer.form | {"sharing": sharing | {"answered": ["s0", "s1"]}},
        answer.form | {"sharing": sharing | {"sites": 4}},
    ):
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(signed(lie))
    with pytest.raises(VerificationError, match="does not follow"):
        check_sharing(RoundedSum(answer.form | {"issued_at": "2020-01-01T00:00:00Z"}))


def test_a_grid_of_other_sites_is_none_of_this_roster() -> None:
    first, second = over(some()), over(some((30, 30, 30), (30, 30, 30), (30, 30, 30)))
    first.name_grid(BY_G, HES)
    second.name_grid(BY_G, HES)
    answer = ask(first, ALL)
    for grid, fits in ((answer.sharing["grid"], True), (ask(second, ALL).sharing["grid"], False)):
        about = first._keyed, SCHEMA, first.analyst
        form = holder_grid.unsigned(ShownGrid(grid), answer.plan, *about, {})
        whole = RoundedSum(form | {"sharing": form["sharing"] | {"coordinator": signature(form, first._coordinator)}})
        if fits:
            check_sharing(whole)
        else:
            with pytest.raises(VerificationError, match="does not follow"):
                check_sharing(whole)
