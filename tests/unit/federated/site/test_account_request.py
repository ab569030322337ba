"""What a site tells of its own account: its ledger's numbers, to analysts on the roster, where its policy says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import pets
import pets.federated.site.vector as vector_module
from pets import Budget
from pets.common import signing
from pets.common.codec import canonical
from pets.common.entropy import random_id
from pets.errors import BudgetError, LedgerError, PolicyError, ReleaseFailedError
from pets.federated import Federation, Roster, SitePolicy, Totals
from pets.federated.analyst.account_replies import AccountReply, ask_accounts, frame
from pets.federated.analyst.models import glm
from pets.federated.analyst.transport import InProcess
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of
from pets.federated.site.account_request import AccountRequest
from pets.federated.site.policy import TELLABLE
from pets.ledger.log.verifier import Unverified, verify
from pets.session.account_views import as_asked
from tests.unit.federated.site.test_site import HALF, SCHEMA, UNBOUNDED, N, federation, states


def account_request(many: Federation, *about: str, **settings: Any) -> AccountRequest:
    given = {"id": random_id(), "roster": many.roster.digest, "analyst": "local", "about": about or TELLABLE}
    return AccountRequest(**given | settings)


PURE = {"currency": "pure", "loss": 1, "delta": 0}
Change = Callable[[int, bytes], bytes]


class Bent:
    """A transport that changes replies."""

    def __init__(self, many: Federation, change: Change) -> None:
        self.inner, self.change = InProcess(list(many.sites.values())), change

    def exchange(self, messages: Mapping[int, bytes], heard: Any) -> Mapping[int, bytes]:
        return {site: self.change(site, reply) for site, reply in self.inner.exchange(messages, heard).items()}


def ask(
    many: Federation, asked: AccountRequest | None = None, *, change: Change = lambda site, reply: reply, **keys: Any
) -> tuple[dict[str, AccountReply], dict[str, str]]:
    keys = {"coordinator": many._coordinator, "analyst": many._analyst} | keys
    return ask_accounts(asked or account_request(many), many.roster, transport=Bent(many, change), **keys)


def test_it_is_what_the_ledger_holds() -> None:
    many = federation(people=60)
    many.release(N, HALF)
    with pytest.raises(BudgetError):
        many.sites["s1"].session.release(N, pets.DP(epsilon=9))  # denied, by this site's own budget
    said, silent = ask(many)
    assert silent == {}
    assert {name: one.left for name, one in said.items()} == many.remaining()
    table, own = frame(said, many.roster), many.history()
    assert list(table["site"]) == ["s0", "s1", "s1", "s2"]
    assert list(table["state"]) == ["charged", "charged", "denied", "charged"]
    for name in ("at", "what", "epsilon", "rho", "unbounded", "table", "protection", "epoch", "id"):
        assert list(table[name]) == list(own[name]), name
    newest, _ = ask(many, account_request(many, "history", last=1))
    assert [one.requests[0]["state"] for one in newest.values()] == ["charged", "denied", "charged"]
    assert newest["s0"].left is None
    assert ask(many, account_request(many, "budget"))[0]["s0"].requests == ()
    assert list(frame({}, many.roster).columns) == list(table.columns)


def test_a_certificate_is_told_to_whoever_was_given_the_answer() -> None:
    many = federation(people=60)
    first, second = (many.release(N, HALF, again=True) for _ in range(2))
    own, others = many.certificates(first), many.certificates(second)
    said, silent = ask(many, account_request(many, "certificates", release=first.id))
    assert silent == {}
    assert {name: one.certificate for name, one in said.items()} == own
    assert own["s0"].predicate["release_id"] == first.id
    for site in many.sites.values():
        site.certificates.clear()  # a site that was started anew has them in its ledger
    again, _ = ask(many, account_request(many, "certificates", release=first.id))
    assert {name: one.certificate for name, one in again.items()} == own
    unknown, _ = ask(many, account_request(many, "certificates", release=random_id()))
    assert [one.certificate for one in unknown.values()] == [None] * 3
    assert ask(many, account_request(many, "budget", release=first.id))[0]["s0"].certificate is None
    wanted = account_request(many, "certificates", release=first.id)

    def another(site: int, reply: bytes) -> bytes:
        form = json.loads(reply[21:-64])
        form["certificate"] = dict(others["s0"]) if site else dict(own["s0"]) | {"payload": "e30="}
        context, key = context_of(many.roster, wanted.form), many.sites[f"s{site}"]._key
        return Channel(many.roster, bytes.fromhex(wanted.id), context, site, key).write(
            Kind.ACCOUNT_REPLY, 0, canonical(form)
        )

    assert ask(many, wanted, change=another)[0] == {}


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_what_is_told_verifies_with_the_ledgers_public_key_alone(secure: str) -> None:
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True))
    many = federation(people=60, rules=rules, policy=UNBOUNDED)
    releases = [many.release(N, HALF, secure=secure)]
    if secure != "local":
        releases.append(many.release(N, pets.Total(), secure=secure))
    many.roster = many._keyed  # the one that names the key holder, where there is one
    if secure == "encrypted":  # between machines there is one roster, which names the key holder
        many.roster = many._key_holder()[1]
    for release in releases:
        said, _ = ask(many, account_request(many, "certificates", release=release.id))
        assert list(said) == ["s0", "s1", "s2"]
        for name, one in said.items():
            assert one.certificate is not None
            assert one.certificate.predicate["federation"]["analyst"] == "local"
            text = str(verify(canonical(dict(one.certificate)), many.sites[name].session.ledger.key.raw))
            assert text.startswith("Genuine: signed by key")
            assert release.guarantee.split(",")[0][:20] in text
            with pytest.raises(Unverified):
                verify(canonical(dict(one.certificate)), signing.ephemeral().public.raw)


def test_a_steps_certificate_verifies_too() -> None:
    from tests.unit.federated.analyst.test_glm import many as trial

    sites = trial()
    found = glm(sites, "trial", "score", ["age"], "gaussian", pets.Total())
    for site in sites.sites.values():
        for one in found.ids:
            assert verify(canonical(dict(site.certificates[one])), site.session.ledger.key.raw)


def test_a_certificate_is_not_told_to_another_analyst() -> None:
    many, other = federation(people=60), signing.ephemeral()
    narrow, form = many.roster, many.roster.to_json()
    form["analysts"] |= {"other": other.public.raw.hex()}
    wide = many.roster = Roster.from_json(form)
    for site in many.sites.values():
        site.join(wide)
    release = many.release(N, HALF)
    told = {}
    for roster, analyst, key in (
        (wide, "local", many._analyst),
        (wide, "other", other),
        (narrow, "local", many._analyst),
    ):
        asked = AccountRequest(random_id(), roster.digest, analyst, ("certificates",), 0, release.id)
        said, _ = ask_accounts(asked, roster, many._coordinator, key, InProcess(list(many.sites.values())))
        told[roster is wide, analyst] = [one.certificate is not None for one in said.values()]
    assert told == {(True, "local"): [True] * 3, (True, "other"): [False] * 3, (False, "local"): [False] * 3}


def test_a_pure_ledger_and_an_exact_total() -> None:
    pure = federation(people=60, budget=pets.Budget(epsilon=3))
    pure.release(N, HALF, secure="local")
    said, _ = ask(pure)
    assert {name: one.left for name, one in said.items()} == pure.remaining()
    assert list(frame(said, pure.roster)["epsilon"]) == [0.5] * 3
    assert "rho" not in frame(said, pure.roster)
    exact = federation(rules=SitePolicy.open(SCHEMA, totals=Totals(allow=True)), policy=UNBOUNDED)
    exact.release(N, pets.Total())
    said, _ = ask(exact)
    assert list(frame(said, exact.roster)["epsilon"]) == [float("inf")] * 3
    assert said["s0"].left == exact.remaining()["s0"]


def test_nothing_is_told_unless_the_policy_says_so() -> None:
    closed = federation(people=30, rules=SitePolicy())
    said, silent = ask(closed)
    assert said == {}
    assert set(silent.values()) == {
        "refused: the site's policy does not tell its budget; its custodian may list it under tell"
    }
    half = federation(people=30, rules=SitePolicy(tell=("budget",)))
    assert set(ask(half, account_request(half, "budget"))[0]) == {"s0", "s1", "s2"}
    said, silent = ask(half, account_request(half, "budget", "history"))
    assert said == {}
    assert "does not tell its history" in silent["s2"]


def test_a_policy_file_says_what_is_told() -> None:
    assert SitePolicy.from_json({"tell": ["history", "budget"]}).tell == ("budget", "history")
    assert SitePolicy.from_json(SitePolicy(tell=TELLABLE).to_json()) == SitePolicy(tell=TELLABLE)
    assert SitePolicy().digest != SitePolicy(tell=("budget",)).digest
    with pytest.raises(PolicyError, match="did you mean 'budget'"):
        SitePolicy.from_json({"tell": ["budgets"]})
    with pytest.raises(PolicyError, match="a list of what analysts may know"):
        SitePolicy.from_json({"tell": "budget"})


def test_a_changed_policy_tells_nothing_under_the_old_roster() -> None:
    many = federation(people=30)
    many.sites["s1"].policy = SitePolicy.open(SCHEMA, max_epsilon=0.1)
    said, silent = ask(many)
    assert set(said) == {"s0", "s2"}
    assert "policy has changed" in silent["s1"]


def test_no_row_is_read_and_nothing_is_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=30)
    many.release(N, HALF)
    before = states(many), many.remaining()

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("rows were read")

    monkeypatch.setattr(vector_module, "tabulate", never)
    for site in many.sites.values():
        monkeypatch.setattr(site.session.custody, "snapshot", never)
    assert len(ask(many)[0]) == 3
    assert (states(many), many.remaining()) == before


def test_what_is_told_does_not_show_that_a_site_withheld() -> None:
    """Whether an exact total left a site is a fact about its rows; its account reads the same either way."""
    told = []
    for least in (1, 1000):
        rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=least))
        many = federation(people=60, rules=rules, policy=UNBOUNDED)
        if least == 1:
            many.release(N, pets.Total())
        else:
            with pytest.raises(ReleaseFailedError):
                many.release(N, pets.Total())
        own = [row["state"] for _, row in many.history().iterrows()]
        assert own == ["committed" if least == 1 else "forfeited"] * 3
        said, _ = ask(many)
        told.append([(one.left, [{**r, "id": "", "at": ""} for r in one.requests]) for one in said.values()])
    assert told[0] == told[1]
    assert told[0][0][0].unbounded == 1


# who may ask ----------------------------------------------------------------------------------------------------------


def message(
    many: Federation, asked: AccountRequest, coordinator: Any = None, analyst: Any = None, query: bytes = b""
) -> bytes:
    query = query or bytes.fromhex(asked.id)
    channel = Channel(many.roster, query, context_of(many.roster), COORDINATOR, coordinator or many._coordinator)
    return channel.write(Kind.ACCOUNT_REQUEST, 0, asked.signed(analyst or many._analyst))


def test_strangers_replays_and_other_rosters_get_no_word() -> None:
    many = federation(people=30)
    site, stranger = many.sites["s0"], signing.ephemeral()
    asked = account_request(many)
    with pytest.raises(ProtocolError, match="not from the coordinator"):
        site.handle(message(many, asked, coordinator=stranger))
    with pytest.raises(ProtocolError, match="not signed by an analyst"):
        site.handle(message(many, asked, analyst=stranger))
    with pytest.raises(ProtocolError, match="not signed by an analyst"):
        site.handle(message(many, account_request(many, analyst="somebody")))
    with pytest.raises(ProtocolError, match="about another roster"):
        site.handle(message(many, account_request(many, roster="0" * 64)))
    with pytest.raises(ProtocolError, match="not its message's"):
        site.handle(message(many, asked, query=b"\1" * 16))
    good = message(many, asked)
    assert site.handle(good)
    with pytest.raises(ProtocolError, match="seen before"):
        site.handle(good)
    lowered = Roster.from_json(many.roster.to_json() | {"colluding": 0})
    other = Channel(lowered, bytes.fromhex(asked.id), context_of(lowered), COORDINATOR, many._coordinator)
    with pytest.raises(ProtocolError, match="has pinned"):
        site.handle(other.write(Kind.ACCOUNT_REQUEST, 0, asked.signed(many._analyst)))


def test_a_request_for_an_account_is_no_order_and_an_order_no_request() -> None:
    many = federation(people=30)
    asked = account_request(many)
    channel = Channel(many.roster, bytes.fromhex(asked.id), context_of(many.roster), COORDINATOR, many._coordinator)
    with pytest.raises(ProtocolError, match="not in the form"):
        many.sites["s0"].handle(channel.write(Kind.ORDER, 0, asked.signed(many._analyst)))
    for bad in (b"", b"{}" + b"\0" * 64, asked.form.replace(b"budget", b"Budget") + b"\0" * 64, b"[" * 5000):
        with pytest.raises(ProtocolError, match="not in the form"):
            many.sites["s0"].handle(channel.write(Kind.ACCOUNT_REQUEST, 0, bad))
    wrongs: list[dict[str, Any]] = [{"about": ("rows",)}, {"about": ("history", "budget")}, {"last": -1}]
    for wrong in [*wrongs, {"id": "x" * 32}, {"analyst": []}, {"roster": 1}, {"release": "x"}, {"release": None}]:
        with pytest.raises(ProtocolError):
            account_request(many, **wrong)


def test_a_reply_belongs_to_one_site_and_one_request() -> None:
    many = federation(people=30)
    kept: dict[int, bytes] = {}
    ask(many, change=lambda site, reply: kept.setdefault(site, reply))
    said, silent = ask(many, change=lambda site, reply: kept[site])  # of an earlier request
    assert said == {}
    assert set(silent.values()) == {"a message of another query was handed in; it was ignored"}
    asked = account_request(many)
    again = account_request(many, "budget", id=asked.id)  # the same id, and another question
    ask(many, again, change=lambda site, reply: kept.update({site: reply}) or reply)
    for place in many.sites.values():
        place._seen.clear()
    said, silent = ask(many, asked, change=lambda site, reply: kept[site])
    assert said == {}
    assert "is about another roster or another query" in silent["s0"]
    swapped: dict[int, bytes] = {}
    ask(many, change=lambda site, reply: swapped.setdefault(site, reply))
    asked = account_request(many)

    def other(site: int, reply: bytes) -> bytes:
        swapped[site] = reply
        return swapped[max(0, site - 1)] if site else reply

    said, silent = ask(many, asked, change=other)
    assert set(said) == {"s0"}
    assert "from somebody else" in silent["s1"]


@pytest.mark.parametrize(
    "lie",
    [
        {},
        [],
        {"pets": "federated-account", "version": 2},
        {"budget": None},
        {"budget": {}},
        {"budget": {"more": -1}},
        {"budget": {"left": {"currency": "pure", "loss": 1, "delta": 0}}},
        {"budget": {"left": {"currency": "zcdp", "loss": -1, "delta": 0}}},
        {"budget": {"budget": {"epsilon": "1e999", "delta": "0.1", "threshold_delta": "0"}}},
        {"budget": {"epoch": 2**70}},
        {"budget": {"budget": Budget(3).to_json(), "spent": PURE, "left": PURE, "lifetime": PURE}},
        {"requests": [{}]},
        {"requests": [1]},
        {"requests": {"loss": "much"}},
        {"requests": {"at": "yesterday"}},
    ],
    ids=str,
)
def test_a_site_that_says_nonsense_says_nothing(lie: Any) -> None:
    many = federation(people=30)
    many.release(N, HALF)

    def bent(site: int, reply: bytes) -> bytes:
        form = json.loads(reply[21:-64])
        if isinstance(lie, dict) and lie:
            for name, change in lie.items():
                if name == "budget" and change:
                    form["budget"] |= change
                elif name == "requests" and isinstance(change, dict):
                    form["requests"][0] |= change
                else:
                    form[name] = change
        else:
            form = lie
        channel = Channel(many.roster, bytes.fromhex(asked.id), context_of(many.roster, asked.form), site, keys[site])
        return channel.write(Kind.ACCOUNT_REPLY, 0, canonical(form))

    asked, keys = account_request(many), [site._key for site in many.sites.values()]
    said, silent = ask(many, asked, change=bent)
    assert said == {}
    assert set(silent.values()) == {"the site's account is not in the form that pets writes; it was ignored"}


def test_what_a_site_says_does_nothing_to_a_terminal() -> None:
    many = federation(people=30)
    many.release(N, HALF)
    asked, key = account_request(many), many.sites["s0"]._key

    def loud(site: int, reply: bytes) -> bytes:
        form = json.loads(reply[21:-64])
        form["requests"][0]["what"] = "\x1b[2J" + "a" * 10_000
        context = context_of(many.roster, asked.form)
        return Channel(many.roster, bytes.fromhex(asked.id), context, 0, key).write(
            Kind.ACCOUNT_REPLY, 0, canonical(form)
        )

    said, _ = ask(many, asked, change=loud)
    assert said["s0"].requests[0]["what"] == "[2J" + "a" * 496


def test_a_ledger_that_cannot_be_read_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=30)

    def broken(self: Any) -> Any:
        raise LedgerError("the ledger '/secret/place.db' cannot be read")

    monkeypatch.setattr(type(many.sites["s0"].session.custody.account), "entries", broken)
    said, silent = ask(many)
    assert said == {}
    assert set(silent.values()) == {"refused: this site's ledger cannot be read just now"}


def test_silence_is_told_from_absence() -> None:
    many = federation(people=30)
    many.sites["s1"].handle = _gone  # type: ignore[method-assign]
    transport = InProcess(list(many.sites.values()))
    said, silent = ask_accounts(
        account_request(many), many.roster, many._coordinator, many._analyst, transport, here=[0, 1]
    )
    assert set(said) == {"s0"}
    assert silent == {"s1": "no reply", "s2": "away"}


def _gone(data: bytes) -> bytes:
    raise ProtocolError("gone")


def test_several_queries_that_are_known_need_no_room() -> None:
    many = federation(people=30, budget=pets.Budget(epsilon=1, delta=1e-6))
    other = pets.query("stays").agg(u=pets.count_units())
    first = many.release([N, other], pets.DP(epsilon=0.6))
    assert many.release([N, other], pets.DP(epsilon=0.6)) == first
    with pytest.raises(BudgetError, match="no room for these 2 queries"):
        many.release([N, other], pets.DP(epsilon=0.6), again=True)


@pytest.mark.parametrize(
    ("protection", "told"),
    [('{"epsilon": "0.5"}', 0.5), ('{"epsilon": "9"}', 0.4999999), ("[]", 0.4999999), ("no JSON", 0.4999999)],
)
def test_an_epsilon_is_told_as_it_was_asked_whatever_else_a_site_says(protection: str, told: float) -> None:
    assert as_asked(0.4999999, protection) == told
