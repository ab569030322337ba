"""A site's gate, ledger and releases: refused by default, charged before data is opened, no row read by a refusal."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
import pets.federated.site.site as site_module
import pets.federated.site.vector as vector_module
from pets import col
from pets.common.clock import now
from pets.errors import BudgetError, LedgerError, PolicyError, ReleaseFailedError, UserError
from pets.federated import Federation, Site, SitePolicy, TableRule, Totals
from pets.federated.analyst.sharing import check_sharing
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.site import wording
from pets.ledger.ledger import LEASE, Ledger
from pets.plan.plan import make_plan
from tests.unit.session.test_session import SCHEMA, frame

N = pets.query("stays").agg(n=pets.count())
BY_AGE = pets.query("stays").group_by("age").agg(n=pets.count(), people=pets.count_units(), d=pets.mean("days"))
HALF = pets.DP(epsilon=0.5)
UNBOUNDED = pets.Policy(allow_unbounded=True)


def parts(n: int = 3, people: int = 300) -> list[pd.DataFrame]:
    rows = frame(people)
    number = rows["id"].str[1:].astype(int)
    return [rows[number % n == part] for part in range(n)]


def sessions(n: int = 3, people: int = 300, **settings: Any) -> list[pets.Session]:
    chosen = {"budget": pets.Budget(epsilon=3, delta=1e-6), "progress": False} | settings
    return [pets.Session(SCHEMA, {"stays": part}, **chosen) for part in parts(n, people)]


def federation(n: int = 3, *, rules: SitePolicy | None = None, people: int = 300, **settings: Any) -> Federation:
    names = ("dropouts", "colluding", "sites_per_person")
    about = {"sites_per_person": 1} | {name: settings.pop(name) for name in names if name in settings}
    policy = SitePolicy.open(SCHEMA) if rules is None else rules
    sites = [Site(one, policy=policy, name=f"s{i}") for i, one in enumerate(sessions(n, people, **settings))]
    return Federation(sites, progress=False, **about)


def spent(many: Federation) -> list[int]:
    return [site.session.remaining().spent.loss for site in many.sites.values()]


def states(many: Federation) -> list[list[str]]:
    return [list(site.session.history()["state"]) for site in many.sites.values()]


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_every_site_pays_and_certifies(secure: str) -> None:
    many = federation()
    price = many.quote(BY_AGE, HALF, secure=secure).cost.loss
    release = many.release(BY_AGE, HALF, secure=secure)
    assert spent(many) == [price] * 3
    assert states(many) == [["committed"]] * 3
    certificates = many.certificates(release)
    assert sorted(certificates) == ["s0", "s1", "s2"]
    said = certificates["s1"].predicate
    assert said["federation"]["sites_per_person"] == 1
    assert said["review"]["at"] == said["issued_at"] <= now()
    assert said["request_id"] != said["release_id"] == release.id
    assert (release.epsilon, release.delta) == (0.5, 1e-6)
    assert "one person" in release.guarantee
    assert release.cost["loss"] == price
    same = many.release(BY_AGE, HALF, secure=secure)
    assert same == release
    assert spent(many) == [price] * 3
    assert many.release(BY_AGE, HALF, secure=secure, again=True) != release
    assert spent(many) == [2 * price] * 3


def test_the_certificates_verify(tmp_path: Path) -> None:
    many = federation()
    release = many.release(N, HALF)
    for name, certificate in many.certificates(release).items():
        key = many.sites[name].session.ledger.key
        import base64

        body = base64.b64decode(certificate["payload"])
        kind = certificate["payloadType"].encode()
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
        assert key.verifies(base64.b64decode(certificate["signatures"][0]["sig"]), signed)


def test_a_release_round_trips_and_notes_who_is_in_it() -> None:
    release = federation().release(BY_AGE, HALF)
    assert pets.Release.from_json(release.to_json()) == release
    assert "3 of 3 sites" in release.notes[0]
    assert "1.5 times" in release.notes[1]


def test_exact_totals_are_the_pooled_ones_and_unbounded() -> None:
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=0))
    many = federation(rules=rules, policy=UNBOUNDED)
    found = many.release(BY_AGE, pets.Total())
    pooled = pets.Session(
        SCHEMA, {"stays": frame(300)}, budget=pets.Budget(epsilon=1), policy=UNBOUNDED, progress=False
    ).release(BY_AGE, pets.Total())
    n = BY_AGE.aggregates[0][0]
    assert (found.table[n] == pooled.table[n]).all()  # rows of a person are chosen by each snapshot's own key
    assert (found.table["people"] == pooled.table["people"]).all()
    assert all(site.session.history()["unbounded"].all() for site in many.sites.values())
    later = many.release(N, HALF)
    assert many.certificates(later)["s0"].predicate["other_releases"]["unbounded"]


def test_a_dummy_federation_costs_nothing() -> None:
    many = federation()
    twin = many.dummy(rows=50)
    release = twin.release(BY_AGE, pets.Exact())
    assert release.data == "dummy"
    assert spent(twin) == spent(many) == [0, 0, 0]
    with pytest.raises(Refused, match="dummy data only"):
        many.release(N, pets.Exact())


def test_plain_sessions_and_the_front_door() -> None:
    many = pets.Federation(sessions(), sites_per_person=1, progress=False)
    assert isinstance(many, Federation)
    assert many.release(N, HALF).table["n"].notna().all()
    assert set(many.remaining()) == {"site 1", "site 2", "site 3"}
    assert list(many.history()["site"]) == ["site 1", "site 2", "site 3"]


def test_sites_per_person_multiplies_the_noise_and_is_said() -> None:
    one = federation(sites_per_person=1).release(BY_AGE, HALF)
    two = federation(sites_per_person=2).release(BY_AGE, HALF)
    assert np.allclose(np.array(two.scales) / np.array(one.scales), 2, rtol=1e-4)
    assert any("person-site pairs" in note for note in two.notes)
    assert "across at most 2 sites" in two.guarantee


def test_several_queries_are_all_known_to_fit_first() -> None:
    many = federation(budget=pets.Budget(epsilon=0.6, delta=1e-6))
    with pytest.raises(BudgetError, match="no room for these 2"):
        many.release([N, BY_AGE], HALF)
    assert spent(many) == [0, 0, 0]
    assert len(many.release([N, BY_AGE], pets.DP(epsilon=0.1))) == 2


# ── the gate ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def narrow(**settings: Any) -> SitePolicy:
    rule = TableRule(columns=("age", "days"), aggregates=("count", "mean"), keys=("age",), filters=("age",))
    return SitePolicy(**({"tables": {"stays": rule}} | settings))


@pytest.mark.parametrize(
    ("rules", "query", "why"),
    [
        (SitePolicy(), N, "allows no query of table 'stays'"),
        (narrow(), pets.query("stays").agg(c=pets.mean("cost")), "use 'cost'"),
        (narrow(), pets.query("stays").agg(c=pets.sum("days")), "measure 'sum'"),
        (narrow(), pets.query("stays").group_by("days").agg(n=pets.count()), "group by 'days'"),
        (narrow(), N.where(col("days") > 3), "filter by 'days'"),
        (narrow(), pets.query("stays").agg(n=pets.count(where=col("days") > 3)), "filter by 'days'"),
        (narrow(min_sites=4), N, "at least 4 sites on the roster"),
        (narrow(min_colluding=2), N, "at least 2 sites assumed to collude"),
        (narrow(min_sites_per_person=2), N, "at least 2 sites_per_person"),
        (narrow(max_epsilon=0.4), N, "its policy allows 0.4"),
        (narrow(secure=("local",)), N, "does not allow secure='masked'"),
    ],
)
def test_the_gate_refuses_and_nothing_is_spent(rules: SitePolicy, query: pets.Query, why: str) -> None:
    many = federation(rules=rules, people=30)
    with pytest.raises(Refused, match=why):
        many.release(query, HALF)
    assert spent(many) == [0, 0, 0]
    assert states(many) == [[], [], []]


def test_a_policy_sees_what_a_column_is_computed_of() -> None:
    """A name of one's own does not lead past a list of columns, keys or filters."""
    many = federation(rules=narrow(), people=30)
    of_cost = pets.query("stays").with_columns(x=col("cost") + 1, y=2 * col("x"), z=col("days") + 1)
    for query, why in (
        (of_cost.agg(m=pets.mean("y")), "use 'cost'"),
        (pets.query("stays").with_columns(z=col("days") + 1).group_by("z").agg(n=pets.count()), "group by 'days'"),
        (pets.query("stays").with_columns(z=col("days") + 1).where(col("z") > 3).agg(n=pets.count()), "filter by"),
        (
            pets.query("stays").with_columns(z=col("days") + 1).agg(n=pets.count(where=col("z") > 3)),
            "filter by 'days'",
        ),
        (pets.query("stays").agg(c=pets.covariance("days", "cost")), "use 'cost'"),
    ):
        with pytest.raises(Refused, match=why):
            many.release(query, HALF)
    assert many.release(pets.query("stays").with_columns(z=col("days") + 1).agg(m=pets.mean("z")), HALF).epsilon


def test_exact_totals_take_no_computed_column() -> None:
    """A least of a column and a number is a clip by another name: beside the sum it tells who lies above it."""
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True))
    many = federation(rules=rules, policy=UNBOUNDED)
    query = pets.query("stays").with_columns(x=pets.min_of("days", 13)).agg(s=pets.sum("x"))
    with pytest.raises(Refused, match="leave with_columns out"):
        many.release(query, pets.Total())
    assert many.release(query, HALF).epsilon == 0.5


def test_what_the_policy_lists_is_answered() -> None:
    many = federation(rules=narrow(max_epsilon=0.5))
    query = pets.query("stays").where(col("age").isin(["young"])).group_by("age").agg(d=pets.mean("days"))
    assert many.release(query, HALF).epsilon == 0.5


def test_total_is_refused_unless_policy_and_session_both_allow_it() -> None:
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True))
    for many in (federation(people=30, policy=UNBOUNDED), federation(people=30, rules=rules)):
        with pytest.raises(Refused, match="does not allow exact totals"):
            many.release(N, pets.Total())
    with pytest.raises(Refused, match="never sent by one site alone"):
        federation(people=30, rules=rules, policy=UNBOUNDED).release(N, pets.Total(), secure="local")


def test_one_site_without_budget_refuses_and_the_others_get_it_back() -> None:
    many = federation()
    poor = many.sites["s2"]
    poor.session.release(N, pets.DP(epsilon=2.9))
    before = spent(many)
    with pytest.raises(Refused, match=r"s2: refused: .*room"):
        many.release(N, pets.DP(epsilon=1))
    assert spent(many) == before
    assert states(many)[0] == ["voided"]


def test_under_dp_no_refusal_looks_at_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> Any:
        raise AssertionError("a row was read")

    monkeypatch.setattr(vector_module, "tabulate", forbidden)
    many = federation(rules=narrow(), people=30)
    with pytest.raises(Refused):
        many.release(pets.query("stays").agg(c=pets.mean("cost")), HALF)
    # and an empty site answers like a full one
    monkeypatch.undo()
    empty = Federation(
        [
            Site(
                pets.Session(SCHEMA, {"stays": part}, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False),
                policy=SitePolicy.open(SCHEMA, totals=Totals(min_cohort=1000, min_cell=1000)),
                name=f"s{i}",
            )
            for i, part in enumerate([parts()[0], parts()[1], parts()[2].iloc[:1]])
        ],
        sites_per_person=1,
        progress=False,
    )
    assert empty.release(N, HALF).epsilon == 0.5


# ── rules of exact totals ─────────────────────────────────────────────────────────────────────────────────────────────


def totals(people: int = 300, **rules: Any) -> Federation:
    policy = SitePolicy.open(SCHEMA, totals=Totals(**({"allow": True} | rules)))
    return federation(rules=policy, policy=UNBOUNDED, people=people)


@pytest.mark.parametrize(
    ("rules", "query"),
    [
        ({"min_cohort": 500}, N),
        ({}, N.where((col("days") == 3) & (col("cost") < 5))),
        ({}, pets.query("stays").agg(n=pets.count(where=(col("days") == 3) & (col("cost") < 5)))),
        ({"min_cell": 50}, pets.query("stays").group_by("age", "days").agg(n=pets.count())),
        ({"dominance": 0.001}, N),
    ],
)
def test_small_cohorts_are_withheld_without_a_reason(rules: dict[str, Any], query: pets.Query) -> None:
    many = totals(**rules)
    with pytest.raises(ReleaseFailedError) as caught:
        many.release(query, pets.Total())
    assert "few" not in str(caught.value).replace("too few sites", "")
    assert set(many.lost.values()) <= {"withheld; what it cost stays charged there", "no reply"}
    assert any("forfeited" in found for found in states(many))


def test_two_totals_that_differ_by_few_rows_are_withheld() -> None:
    many = totals()
    all_but_few = N.where(~((col("days") == 3) & (col("cost") < 4)))
    assert many.release(N, pets.Total())
    with pytest.raises(ReleaseFailedError):
        many.release(all_but_few, pets.Total())
    assert many.release(N.group_by("age"), pets.Total())  # the same rows, cut otherwise
    assert many.release(N.where(col("age").isin(["old"])), pets.Total())  # many fewer


def test_two_totals_that_differ_by_few_values_are_withheld() -> None:
    # half of the people have a cost, and among those with none and one of the others nobody's is hidden by rows alone
    known = pd.DataFrame(
        {
            "id": [f"p{person}" for person in range(120)],
            "age": "young",
            "days": [0 if person == 7 else 10 if person >= 60 else 5 for person in range(120)],
            "cost": [50 + person / 2 if person < 60 else None for person in range(120)],
            "day": "2024-01-10",
            "urgent": "no",
        }
    )
    budget, rules = pets.Budget(epsilon=3, delta=1e-6), SitePolicy.open(SCHEMA, totals=Totals(allow=True))
    cost = pets.query("stays").agg(cost=pets.sum("cost"))
    for later in (cost.where(col("days") == 5), pets.query("stays").agg(m=pets.mean("cost", where=col("days") == 5))):
        held = [known.assign(id=known["id"] + f"-{site}") for site in range(3)]
        sites = [
            pets.Session(SCHEMA, {"stays": rows}, budget=budget, policy=UNBOUNDED, progress=False) for rows in held
        ]
        named = [Site(one, policy=rules, name=f"s{number}") for number, one in enumerate(sites)]
        many = Federation(named, progress=False, sites_per_person=1)
        assert many.release(cost, pets.Total())
        with pytest.raises(ReleaseFailedError):  # 61 rows are left out, and one value
            many.release(later, pets.Total())
        assert many.release(N.where(col("days") == 5), pets.Total())  # tells nothing of costs
        assert many.release(cost.group_by("age"), pets.Total())


# ── failures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_at_a_site_is_opaque_and_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation()

    def boom(*_: Any) -> Any:
        raise ValueError("patient p17 has a strange row")

    monkeypatch.setattr(vector_module, "tabulate", boom)
    with pytest.raises(ReleaseFailedError) as caught:
        many.release(N, HALF)
    assert "p17" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert states(many) == [["forfeited"]] * 3
    assert min(spent(many)) > 0
    site = many.sites["s0"]
    number = next(iter(site._incidents))
    assert "p17" in site.incident(number)


class Panic(BaseException):
    """What an engine written in Rust raises: no Exception."""


@pytest.mark.parametrize("kind", [ValueError, Panic, KeyboardInterrupt, SystemExit])
def test_no_failure_of_a_site_carries_exact_values(kind: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """No error of the chain, and no frame of its traceback, holds the exact vector."""
    many = federation(people=40)

    def broken(*_: object) -> None:
        raise kind("SECRET")

    monkeypatch.setattr(vector_module, "add_share", broken)
    with pytest.raises((ReleaseFailedError, KeyboardInterrupt, SystemExit)) as caught:
        many.release(N, HALF, secure="local")
    assert isinstance(caught.value, kind if issubclass(kind, (KeyboardInterrupt, SystemExit)) else ReleaseFailedError)
    chain = [caught.value]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    for error in chain:
        assert "SECRET" not in str(error)
        held = [value for at, _ in traceback.walk_tb(error.__traceback__) for value in at.f_locals.values()]
        assert not any(isinstance(value, np.ndarray) for value in held)
    assert states(many)[0] == ["forfeited"]


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_site_may_be_lost_at_any_round(at: int) -> None:
    many = federation(4, dropouts=1)
    lost = many.sites["s3"]
    whole = lost.handle
    calls = []

    def handle(data: bytes) -> bytes:
        calls.append(data)
        if len(calls) > at:
            raise_lost()
        return whole(data)

    def raise_lost() -> None:
        from pets.federated.messages.errors import ProtocolError

        raise ProtocolError("the line is dead")

    lost.handle = handle  # type: ignore[method-assign]
    release = many.release(N, HALF)
    # whose vector came is in the answer, whenever the line died after that
    told = [note for note in release.notes if note.startswith("Site s3 ")]
    opened = "Site s3 is not in the answer; its data may have been opened: what that cost stays charged there."
    assert told == ([] if at > 2 else [opened] if at == 2 else ["Site s3 is not in the answer."])
    check_sharing(release)
    assert set(many.lost) == {"s3"}
    counted = 4 if at > 2 else 3
    assert release.notes[0].startswith(f"{counted} of 4")
    price = release.cost["loss"]
    # a site that cannot be reached keeps its reservation until the query is over there too, whether or not data left
    assert spent(many) == [price] * 4
    site_module.LIFE, kept = -1.0, site_module.LIFE
    try:
        lost._sweep()
    finally:
        site_module.LIFE = kept
    assert spent(many)[3] == (price if at > 2 else 0)  # data was opened in round 2: that charge stands


@pytest.mark.parametrize(("point", "words"), [("reserve-begin", "ledger took no entry"), ("seal-begin", "withheld")])
def test_a_ledger_that_cannot_be_written_costs_one_site_not_the_answer(
    point: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = federation(4, dropouts=1, people=40)
    broken = many.sites["s3"].session.custody.account
    name = "reserve" if point == "reserve-begin" else "seal"

    def full(*_: Any, **__: Any) -> Any:
        raise LedgerError("/home/custodian/ledger.db: the disk is full")

    monkeypatch.setattr(broken, name, full)
    release = many.release(N, HALF)
    assert release.notes[0].startswith("3 of 4")
    assert words in many.lost["s3"]
    assert "custodian/" not in many.lost["s3"]
    assert any("disk is full" in why for why in many.sites["s3"]._incidents.values())
    assert (spent(many)[3] > 0) == (name == "seal")  # what was started stays charged


def test_a_query_may_wait_and_reckon_for_longer_than_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [0.0]
    books = [Ledger(None, clock=lambda: 1.8e9 + late[0]) for _ in range(3)]
    budget, policy = pets.Budget(epsilon=3, delta=1e-6), SitePolicy.open(SCHEMA)
    held = [
        pets.Session(SCHEMA, {"stays": rows}, budget=budget, ledger=book, progress=False)
        for rows, book in zip(parts(), books, strict=True)
    ]
    many = Federation(
        [Site(one, policy=policy, name=f"s{number}") for number, one in enumerate(held)],
        progress=False,
        sites_per_person=1,
    )

    def slow(site: Any, active: Any) -> Any:
        # the others were slow to answer, and somebody asks here meanwhile, which closes what was left behind
        late[0] += 5 * LEASE
        site.session.release(N, HALF, again=True)
        return contribute(site, active)

    contribute = site_module.Site._contribute
    monkeypatch.setattr(site_module.Site, "_contribute", slow)
    assert many.release(N, HALF)
    assert states(many) == [["committed", "committed"]] * 3


def test_an_order_is_answered_once_whoever_the_site_is_opened_for(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[tuple[str, bytes]] = []

    def seen(site: Any, message: Any, data: bytes) -> bytes:
        orders.append((site.name, data))
        return bytes(order(site, message, data))

    order = site_module.Site._order
    monkeypatch.setattr(site_module.Site, "_order", seen)
    book, budget, policy = Ledger(None), pets.Budget(epsilon=3, delta=1e-6), SitePolicy.open(SCHEMA)
    held = [
        pets.Session(SCHEMA, {"stays": rows}, budget=budget, ledger=book if not number else None, progress=False)
        for number, rows in enumerate(parts())
    ]
    sites = [Site(one, policy=policy, name=f"s{number}") for number, one in enumerate(held)]
    assert Federation(sites, progress=False, sites_per_person=1).release(N, HALF)
    later = pets.Session(SCHEMA, {"stays": parts()[0]}, ledger=book, analyst="two", progress=False)
    again = Site(later, policy=policy, name="s0", key=sites[0]._key)
    for roster in sites[0]._rosters.values():
        again.join(roster)
    with pytest.raises(ProtocolError, match="a query's id is used once"):
        again.handle(next(data for name, data in orders if name == "s0"))
    assert list(later.history()["state"]) == ["committed"]


def test_nothing_of_a_site_is_pickled_or_printed() -> None:
    many = federation(people=30)
    site = many.sites["s0"]
    with pytest.raises(UserError):
        pickle.dumps(site)
    assert "Site" in repr(site)
    assert repr(many).startswith("<Federation of 3 sites")


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_wrong_settings_say_what_to_do() -> None:
    three = sessions(people=30)
    with pytest.raises(PolicyError, match="sites_per_person"):
        pets.Federation(three)
    with pytest.raises(PolicyError, match="3 to"):
        pets.Federation(three[:2], sites_per_person=1)
    with pytest.raises(UserError, match="list of sessions"):
        pets.Federation("abc", sites_per_person=1)  # type: ignore[arg-type]
    other = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier()})})
    stranger = pets.Session(other, {"t": pd.DataFrame({"id": ["a"]})}, budget=pets.Budget(epsilon=1), progress=False)
    with pytest.raises(PolicyError, match="different schemas"):
        pets.Federation([*three[:2], stranger], sites_per_person=1)
    many = pets.Federation(three, sites_per_person=1, progress=False)
    for wrong in ("mask", None):
        with pytest.raises(UserError, match="no way to combine"):
            many.release(N, HALF, secure=wrong)  # type: ignore[arg-type]
    pure = pets.Federation(sessions(people=30, budget=pets.Budget(epsilon=1)), sites_per_person=1, progress=False)
    with pytest.raises(BudgetError, match="secure='local'"):
        pure.release(N, HALF)
    with pytest.raises(BudgetError, match="secure='local'"):
        pure.release(N, HALF, secure="encrypted")
    assert pure.release(N, HALF, secure="local").epsilon == 0.5


def test_a_policy_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "tables:\n  stays: {columns: [age, days], aggregates: [count, mean]}\nsecure: [masked]\nmin_sites: 3\n"
        "max_epsilon: 1.5\ntotals: {allow: true, min_cohort: 20, dominance: 0.9}\n"
    )
    policy = SitePolicy.load(path)
    assert policy.max_epsilon == 1.5
    assert policy.totals == Totals(True, 20, 0, 0.9)
    assert policy.rule("stays").columns == ("age", "days")
    assert SitePolicy.from_json(policy.to_json()) == policy
    for text, why in [
        ("tables: {}\nminsites: 3\n", "did you mean 'min_sites'"),
        ("min_sites: 2\n", "at least 3"),
        ("min_sites: ²\n", "min_sites is a whole number of at least 3"),
        (f"min_sites: {'9' * 5000}\n", "min_sites is a whole number of at least 3"),
        ("totals: {allow: maybe}\n", "true or false"),
        ("secure: [plain]\n", "no way to combine"),
        ("tables:\n  stays: {aggregates: [cuont]}\n", "did you mean 'count'"),
    ]:
        path.write_text(text)
        with pytest.raises(PolicyError, match=why):
            SitePolicy.load(path)


def test_what_is_promised_holds_at_every_sites_delta() -> None:
    # sites convert ρ to ε at deltas of their own: the release's is the smallest, which no site's ledger refuses
    deltas = (1e-6, 1e-8, 1e-7)
    three = [
        pets.Session(SCHEMA, {"stays": part}, budget=pets.Budget(epsilon=3, delta=delta), progress=False)
        for part, delta in zip(parts(people=30), deltas, strict=True)
    ]
    many = pets.Federation(three, sites_per_person=1, progress=False)
    smallest = min(session.budget.conversion_delta for session in three)
    assert many.roster.delta == smallest == three[1].budget.conversion_delta
    release = many.release(N, HALF)
    assert release.delta == smallest
    assert all(session.budget.describe(session.remaining().spent)[0] <= 0.5 * (1 + 1e-9) for session in three)


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_a_sites_certificate_says_no_more_than_the_site_knows(secure: str) -> None:
    """It is signed before anybody knows which sites will be lost."""
    many = federation(4, dropouts=1, people=40)
    many.sites["s3"].handle = _dead  # type: ignore[method-assign]
    release = many.release(N, HALF, secure=secure)
    assert release.notes[0].startswith("3 of 4 sites")
    notes = many.certificates(release)["s0"].predicate["notes"]
    assert notes[0].startswith("At least 3 of 4 sites are in the answer")
    assert not any(note.startswith("4 of 4") for note in notes)
    assert any("up to 2 times" in note or "at most 4 times" in note for note in notes)
    whole = federation(3, people=30)
    assert whole.certificates(whole.release(N, HALF))["s0"].predicate["notes"][0].startswith("All 3 sites")


def _dead(data: bytes) -> bytes:
    from pets.federated.messages.errors import ProtocolError

    raise ProtocolError("the line is dead")


def test_a_site_that_left_answers_a_roster_no_more() -> None:
    many = federation(4, dropouts=1, people=40)
    many.release(N, HALF)
    before = spent(many)
    many.sites["s3"].leave(many.roster)
    release = many.release(N, HALF, again=True)
    assert set(many.lost) == {"s3"}
    assert release.notes[0].startswith("3 of 4")
    assert spent(many)[3] == before[3]
    many.sites["s3"].join(many.roster)
    assert many.release(N, HALF, again=True).notes[0].startswith("4 of 4")


@pytest.mark.parametrize(
    ("secure", "pure"), [("masked", False), ("encrypted", False), ("local", False), ("local", True)]
)
def test_an_accuracy_is_that_of_the_answer_whichever_way_it_is_combined(secure: str, pure: bool) -> None:
    many = federation(people=60, budget=pets.Budget(epsilon=30, delta=1e-6))
    asked = pets.DP(within=20, pure=pure)
    quote = many.quote(N, asked, secure=secure)
    release = many.release(N, asked, secure=secure)
    wide = float(release.table["n_high"][0] - release.table["n_low"][0]) / 2
    assert 17 <= wide <= 20
    assert spent(many) == [quote.cost.loss] * 3  # and that is what it costs
    assert release.epsilon is not None
    assert (quote.epsilon, quote.delta) == (release.epsilon, release.delta)
    for certificate in many.certificates(release).values():
        said = certificate.predicate["dp"]
        assert (float(said["epsilon"]), float(said["delta"])) == pytest.approx((release.epsilon, release.delta))


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.999])
def test_an_accuracy_under_laplace_noise_is_of_the_sum_at_each_confidence(confidence: float) -> None:
    """It was calibrated as for one variance: an interval of ±20 at 80 % was asked for, and ±22 came."""
    many = federation(people=60, budget=pets.Budget(epsilon=30, delta=1e-6))
    asked = pets.DP(within=20, confidence=confidence, pure=True)
    quote, release = many.quote(N, asked, secure="local"), many.release(N, asked, secure="local")
    wide = float(release.table["n_high"][0] - release.table["n_low"][0]) / 2
    assert wide == quote.errors[0][0].half_width == 20


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_intervals_under_laplace_noise_of_each_site_are_those_of_the_sum(confidence: float) -> None:
    """And no wider: for a Gaussian of the same variance, 0.99 was said where 0.9825 was held."""
    many = federation(people=60, budget=pets.Budget(epsilon=30, delta=1e-6))
    asked = pets.DP(epsilon=1, pure=True, confidence=confidence)
    quote, release = many.quote(N, asked, secure="local"), many.release(N, asked, secure="local")
    assert release.sharing is not None
    (scale,) = (float(one) for one in release.sharing["noise"]["scales"])
    one = np.exp(-np.abs(np.arange(-2000, 2001)) / scale)
    law = np.convolve(np.convolve(one, one), one) / one.sum() ** 3
    table = pets.Release.from_json(release.to_json()).table
    wide = float(table["n_high"][0] - table["n_low"][0]) / 2
    far = np.abs(np.arange(len(law)) - len(law) // 2)
    assert law[far < wide].sum() < confidence <= law[far <= wide].sum()
    assert quote.errors[0][0].half_width == wide
    assert any("intervals are of that sum" in note for note in release.notes)


@pytest.mark.parametrize("budget", [pets.Budget(epsilon=30, delta=1e-6), pets.Budget(epsilon=30)])
def test_the_stated_epsilon_of_laplace_noise_is_that_of_the_noise_itself(budget: pets.Budget) -> None:
    """In a ledger that counts ρ, ε²/2 was once stated where ε belongs."""
    many = federation(people=60, budget=budget)
    asked = pets.DP(within=20, pure=True)
    release = many.release(N, asked, secure="local")
    rows = SCHEMA.tables["stays"].unit.rows
    for certificate in many.certificates(release).values():
        said = certificate.predicate["dp"]
        scale = float(said["scales"][0])
        # P(k) ∝ exp(−|k|/scale), and one person moves the count by at most their rows
        assert float(said["epsilon"]) == pytest.approx(rows / scale, rel=1e-9)
        assert float(said["delta"]) == 0
        assert release.epsilon == pytest.approx(rows / scale, rel=1e-9)
        assert certificate.predicate["guarantee"] == release.guarantee
    assert release.delta == 0
    assert f"ε = {release.epsilon:.6g}" in release.guarantee
    charged = sum(spent(many)) / 3 / 10**12
    wanted = release.epsilon if budget.currency == "pure" else release.epsilon**2 / 2
    assert charged == pytest.approx(wanted, rel=1e-9)
    assert release.rho == (None if budget.currency == "pure" else pytest.approx(wanted, rel=1e-9))


@pytest.mark.parametrize(("noisy", "what"), [(True, "noisy"), (False, "exact")])
def test_what_key_holder_and_coordinator_could_read_together_is_said_as_it_is(noisy: bool, what: str) -> None:
    roster = replace(federation(3, people=30).roster, key_holder="a" * 64)
    said = wording.notes(make_plan(N, SCHEMA), roster, "encrypted", 3, noisy, False)
    assert sum(f"Together they could read each site's {what} numbers." in note for note in said) == 1
