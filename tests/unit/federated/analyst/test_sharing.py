"""What a federated release states of its sites: its charge is reckoned again from the saved release alone."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import math
import types
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import pets
from pets.common import codec
from pets.common.codec import canonical
from pets.dp.shares import Shares, Spread, shares_loss
from pets.errors import UserError, VerificationError
from pets.federated import Federation, Site, SitePolicy, Totals, check_sharing
from pets.federated.analyst.sharing import signature
from pets.federated.analyst.statement import WORDINGS, statement
from pets.federated.messages.message import Channel, Kind, context_of
from pets.federated.query_round.order import Order
from pets.federated.secure_sum.unmasking import FAULTS
from pets.federated.site import wording
from pets.release.release import Release

QUERY = pets.query("t").group_by("ward").agg(n=pets.count(), x=pets.sum("age"), p=pets.count_units())


def schema() -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "ward": pets.Category(["a", "b"], nullable=False),
        "age": pets.Integer(0, 100, nullable=False),
    }
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), columns, people=2**12)}, dataset="sharing")


def many(count: int = 4, budget: Any = None, **about: Any) -> Federation:
    sites = []
    for number in range(count):
        frame = pd.DataFrame({"id": [f"{number}-{i}" for i in range(60)], "ward": ["a", "b"] * 30, "age": range(60)})
        session = pets.Session(
            schema(),
            {"t": frame},
            budget=budget or pets.Budget(epsilon=9, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        policy = SitePolicy.open(schema(), totals=Totals(allow=True, min_cohort=1))
        sites.append(Site(session, policy=policy, name=f"s{number}"))
    return Federation(sites, **({"sites_per_person": 1, "progress": False} | about))


def saved(release: Release, folder: Path) -> dict[str, Any]:
    return dict(json.loads(release.save(folder / "answer.json").read_bytes()))


def sensitivities(m: int, rows: int, kept: int) -> list[tuple[float, int, int]]:
    """(L1, L2², numbers) of a count, a sum about its middle and a count of people over two wards, at m sites."""
    half = 50
    return [
        (rows * m, (rows * m) ** 2, 2),
        (rows * half * m, (rows * half * m) ** 2, 2),
        (min(kept, 2) * m, min(kept, 2) * m * m, 2),
    ]


def rho_of(l1: float, l2_squared: float, size: int, scale: float, parties: int) -> float:
    """Proposition 14 of Kairouz, Liu and Steinke (2021), for the sum of this many shares."""
    tau = 10 * sum(math.exp(-2 * math.pi**2 * scale**2 * k / (k + 1)) for k in range(1, parties))
    spread = parties * scale**2
    extra = min(
        tau * size,
        l1 * tau / math.sqrt(spread) + tau**2 * size / 2,
        math.sqrt(l2_squared * size) * tau / math.sqrt(spread) + tau**2 * size / 2,
    )
    return l2_squared / (2 * spread) + extra


@pytest.mark.parametrize("m", [1, 2])
def test_the_charge_follows_from_the_saved_release_alone(tmp_path: Path, m: int) -> None:
    """With nothing of pets but its canonical bytes: the noise, the sites and the plan's bounds give the cost."""
    sites = many(5, dropouts=1, sites_per_person=m)
    form = saved(sites.release(QUERY, pets.DP(epsilon=0.7)), tmp_path)
    told = form["sharing"]
    roster, noise = told["roster"], told["noise"]
    assert hashlib.sha256(canonical(roster)).hexdigest() == told["roster_sha256"]
    n, d, c = len(roster["members"]), roster["dropouts"], roster["colluding"]
    assert (told["sites"], told["honest"], told["sites_per_person"]) == (n, n - d - c, m) == (5, 3, m)
    (bound,) = {
        json.dumps(json.loads(base64.b64decode(one["payload"]))["predicate"]["dp"]["contribution_bound"])
        for one in told["certificates"].values()
    }
    rows = json.loads(bound)
    losses = []
    for scale, finer, (l1, l2, size) in zip(
        noise["scales"], noise["refine"], sensitivities(m, rows["rows"], rows["kept_rows"]), strict=True
    ):
        losses.append(rho_of(l1 * finer, l2 * finer**2, size, float(Fraction(scale)), told["honest"]))
    for mine, stated in zip(losses, noise["losses"], strict=True):
        assert stated == pytest.approx(mine * 10**12, rel=1e-9, abs=2)
        assert stated >= mine * 10**12 - 1e-3
    assert form["cost"] == {"currency": "zcdp", "loss": sum(noise["losses"]), "delta": 0}
    rho, delta = sum(noise["losses"]) / 1e12, float(Fraction(noise["delta"]))
    assert delta == 1e-6 and form["epsilon"] == noise["epsilon"] == "0.7"
    assert min(_delta(rho, 0.7, alpha) for alpha in [1 + k / 100 for k in range(1, 20_000)]) <= delta * (1 + 1e-9)
    totals = [math.sqrt(5) * float(Fraction(s)) / g for s, g in zip(noise["scales"], noise["refine"], strict=True)]
    for share, total, finer in zip(totals, form["scales"], noise["refine"], strict=True):
        assert float(total) == pytest.approx(math.sqrt(share**2 + (finer > 1) / 12), rel=1e-3)


def _delta(rho: float, epsilon: float, alpha: float) -> float:
    """Canonne, Kamath and Steinke 2020, Corollary 13."""
    return math.exp((alpha - 1) * (alpha * rho - epsilon)) / (alpha - 1) * (1 - 1 / alpha) ** alpha


def test_each_site_that_answered_signed_who_did_and_each_certificate_is_of_this_query(tmp_path: Path) -> None:
    sites = many(5, dropouts=1)
    form = saved(sites.release(QUERY, pets.DP(epsilon=0.7)), tmp_path)
    told = form["sharing"]
    assert (
        told["answered"] == ["s0", "s1", "s2", "s3", "s4"] == sorted(told["signatures"]) == sorted(told["certificates"])
    )
    order = canonical(
        {
            "pets": "federated-order",
            "version": 1,
            "id": form["id"],
            "roster": told["roster_sha256"],
            "schema": hashlib.sha256(canonical(form["schema"])).hexdigest(),
            "analyst": form["analyst"],
            "query": form["query"],
            "protection": form["protection"],
            "secure": told["secure"],
            "shares": {name: told["noise"][name] for name in ("mechanism", "scales", "refine", "alone")},
            "round": None,
            "step": None,
        }
    )
    domain = b"pets.federated.v1\x00"
    digest = bytes.fromhex(told["roster_sha256"])
    context = hashlib.sha256(domain + digest + hashlib.sha256(order).digest()).digest()
    for number, member in enumerate(told["roster"]["members"]):
        head = bytes([1, 2, 3]) + bytes.fromhex(form["id"]) + number.to_bytes(2, "big") + bytes([0b11111])
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(member["key"]))
        key.verify(bytes.fromhex(told["signatures"][member["name"]]["signature"]), domain + context + head)
        envelope = told["certificates"][member["name"]]
        predicate = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
        assert predicate["release_id"] == form["id"] and predicate["plan_sha256"] == form["plan"]
        assert predicate["federation"]["roster_sha256"] == told["roster_sha256"]
        assert predicate["federation"]["honest"] == 3 and predicate["federation"]["sites_per_person"] == 1
        assert predicate["dp"]["losses"] == told["noise"]["losses"] and predicate["cost"] == form["cost"]
        assert predicate["dp"]["neighbouring"] == "all rows of any one person (id) added or removed"
        assert {name: predicate["dp"][name] for name in ("epsilon", "delta", "rho")} == {
            name: form[name] for name in ("epsilon", "delta", "rho")
        }
    coordinator = Ed25519PublicKey.from_public_bytes(bytes.fromhex(told["roster"]["coordinator"]))
    bare = {name: part for name, part in form.items() if name not in ("digest", "certificate")}
    bare["sharing"] = {name: part for name, part in told.items() if name != "coordinator"}
    coordinator.verify(bytes.fromhex(told["coordinator"]), b"pets.federated.release.v1\x00" + canonical(bare))


@pytest.mark.parametrize(
    ("secure", "protection", "budget"),
    [
        ("masked", pets.DP(epsilon=1), None),
        ("masked", pets.DP(within=3000), None),
        ("masked", pets.Total(), None),
        ("encrypted", pets.DP(epsilon=1), None),
        ("encrypted", pets.Total(), None),
        ("local", pets.DP(epsilon=1), None),
        ("local", pets.DP(epsilon=1), pets.Budget(epsilon=5)),
    ],
)
def test_a_release_is_held_against_what_it_carries(tmp_path: Path, secure: str, protection: Any, budget: Any) -> None:
    sites = many(budget=budget)
    release = sites.release(QUERY, protection, secure=secure)
    again = Release.load(release.save(tmp_path / "answer.json"))
    assert again == release and again.sharing == release.sharing
    assert check_sharing(again, unattested=secure == "local").members == sites.roster.members
    assert len(again.sharing["signatures"]) == (0 if secure == "local" else 4)  # type: ignore[index]
    dummy = sites.dummy(rows=20)
    invented = dummy.release(QUERY, pets.Exact() if protection == pets.Total() else protection, secure=secure)
    assert check_sharing(invented, unattested=secure == "local")


Change = Callable[[dict[str, Any]], Any]


def setting(*path: Any, to: Any) -> Change:
    def change(new: dict[str, Any]) -> None:
        at = new["sharing"]
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = to

    return change


def edited(form: dict[str, Any], change: Change, coordinator: Any = None) -> Release:
    """A release with one change, signed again where the coordinator itself lies."""
    new = copy.deepcopy({name: part for name, part in form.items() if name != "digest"})
    change(new)
    if coordinator is not None:
        bare = {name: part for name, part in new["sharing"].items() if name != "coordinator"}
        new["sharing"]["coordinator"] = signature(new | {"sharing": bare}, coordinator)
    return Release.from_json(new)


def test_nobody_but_the_coordinator_can_edit_a_release() -> None:
    sites = many()
    form = sites.release(QUERY, pets.DP(epsilon=1)).to_json()
    assert check_sharing(edited(form, lambda new: None))
    for change in (
        lambda new: new["values"].__setitem__(0, 7),
        lambda new: new["notes"].pop(),
        setting("certificates", to={}),
        setting("coordinator", to="00" * 64),
    ):
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(edited(form, change))
    session = sites.sites["s0"].session
    with pytest.raises(VerificationError, match="no federation's"):
        check_sharing(session.release(QUERY, pets.DP(epsilon=1)))


def test_nor_can_the_coordinator_state_another_cost_noise_or_other_sites() -> None:
    sites = many(4, dropouts=1)
    form = sites.release(QUERY, pets.DP(epsilon=1)).to_json()
    other = sites.release(QUERY, pets.DP(epsilon=1), again=True).to_json()["sharing"]
    signed, loss = form["sharing"]["signatures"], form["cost"]["loss"]
    assert check_sharing(edited(form, lambda new: None, sites._coordinator))
    few = {name: signed[name] for name in ("s0", "s1")}
    for change in (
        lambda new: new["cost"].update(loss=loss - 1),
        lambda new: new.update(epsilon="0.5"),
        lambda new: new.update(delta="0.0000001"),
        lambda new: new.update(analyst="another"),
        lambda new: new["protection"].update(epsilon="2"),
        setting("honest", to=3),
        setting("sites_per_person", to=2),
        setting("answered", to=["s0", "s1", "s2"]),
        setting("noise", "scales", 0, to="1000"),
        setting("noise", "losses", 0, to=1),
        setting("noise", "epsilon", to="0.5"),
        setting("noise", "alone", to=True),
        setting("noise", to=None),
        setting("secure", to="local"),
        setting("roster", "colluding", to=0),
        setting("roster_sha256", to="0" * 64),
        setting("signatures", to=other["signatures"]),
        setting("signatures", to=few),
        setting("signatures", "s1", to={"signature": "00" * 64}),
        setting("signatures", "s9", to=signed["s1"]),
        setting("more", to=1),
    ):
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(edited(form, change, sites._coordinator))


def test_a_coordinator_that_signs_something_else_is_found_out() -> None:
    """It signs the whole release, and may be whoever gains by it: what does not follow from the rest is refused."""
    sites = many(4, dropouts=1)
    form = sites.release(QUERY, pets.DP(epsilon=1)).to_json()
    loss, one = form["cost"]["loss"], {"s0": form["sharing"]["signatures"]["s0"]}

    def signed(change: Callable[[dict[str, Any]], Any]) -> Release:
        new = copy.deepcopy(form)
        del new["digest"], new["sharing"]["coordinator"]
        change(new)
        new["sharing"]["coordinator"] = signature(Release.from_json(new).form, sites._coordinator)
        return Release.from_json(new)

    assert check_sharing(signed(lambda new: None)) == sites.roster
    for change in (
        lambda new: new["cost"].update(loss=loss - 1),
        lambda new: new.update(epsilon="0.5"),
        lambda new: new.update(rho=None),
        lambda new: new["sharing"].update(answered=["s0", "s1", "s2"]),
        lambda new: new["sharing"].update(signatures=one),
        lambda new: new["sharing"]["signatures"].update(s1=one["s0"] | {"signature": "00" * 64}),
        lambda new: new["sharing"]["signatures"].update(s1=one["s0"]),
        lambda new: new["sharing"]["noise"]["scales"].__setitem__(0, "1000"),
        lambda new: new["sharing"].update(honest=3),
    ):
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(signed(change))


def lifted(form: dict[str, Any], **to: Any) -> dict[str, Any]:
    """A site's certificate that states something else; its signature is not looked at."""
    statement = json.loads(base64.b64decode(form["payload"]))
    statement["predicate"] |= to
    return form | {"payload": base64.b64encode(json.dumps(statement).encode()).decode()}


def test_no_coordinator_states_other_intervals_promises_data_or_notes() -> None:
    sites = many(4, dropouts=1)
    form = sites.release(QUERY, pets.DP(epsilon=1)).to_json()
    form["sharing"]["certificates"] = {}  # no site tells, so that nothing else contradicts it
    assert check_sharing(edited(form, lambda new: None, sites._coordinator))
    blame = "Site s1 dealt shares that are of no secret that it signed, as its own signature proves."
    for change in (
        lambda new: new.update(scales=[codec.number(codec.fraction(one) / 100) for one in new["scales"]]),
        lambda new: new.update(mechanism="laplace"),
        lambda new: new.update(guarantee="Differentially private with ε = 0.0001"),
        lambda new: new.update(data="dummy"),
        lambda new: new["notes"].append(blame),
        lambda new: new["notes"].pop(),
        lambda new: new.update(project="another"),
        lambda new: new["cost"].update(loss=form["cost"]["loss"] - 1),
        lambda new: new.update(epsilon="0.5"),
    ):
        changed = edited(form, change, sites._coordinator)
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(changed)


def test_certificates_are_of_the_sites_that_answered_and_of_this_answer() -> None:
    sites = many(4, dropouts=1)
    form = sites.release(QUERY, pets.DP(epsilon=1)).to_json()
    found = form["sharing"]["certificates"]
    other = sites.release(QUERY, pets.DP(epsilon=1), again=True).to_json()["sharing"]["certificates"]
    said = json.loads(base64.b64decode(found["s0"]["payload"]))["predicate"]
    assert check_sharing(edited(form, setting("certificates", to={"s0": lifted(found["s0"])}), sites._coordinator))
    cheap = {"currency": "zcdp", "loss": 1, "delta": 0}
    for change in (
        setting("certificates", to={"nobody": found["s0"]}),
        setting("certificates", to={"s0": {"x": 1}}),
        setting("certificates", to={"s0": found["s1"], "s1": found["s0"]}),
        setting("certificates", to=other),
        setting("certificates", "s0", to=lifted(found["s0"], cost=cheap)),
        setting("certificates", "s0", to=lifted(found["s0"], plan_sha256="0" * 64)),
        setting("certificates", "s0", to=lifted(found["s0"], dp=said["dp"] | {"epsilon": "0.1"})),
        setting("certificates", "s0", to=lifted(found["s0"], dataset=said["dataset"] | {"rows": "dummy"})),
    ):
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(edited(form, change, sites._coordinator))


def test_an_answer_that_no_site_signed_for_is_no_plain_pass() -> None:
    """A coordinator alone can make up the whole of a local release; of a masked one it cannot."""
    sites = many(4, dropouts=1)
    local = sites.release(QUERY, pets.DP(epsilon=1), secure="local")
    assert check_sharing(local, unattested=True)
    with pytest.raises(VerificationError, match=r"no site signed that it is in this answer.*unattested=True"):
        check_sharing(local)
    masked = sites.release(QUERY, pets.DP(epsilon=1), again=True)

    def made_up(release: Release, **told: Any) -> Release:
        """With every sentence and interval that follows from what is told."""
        noise, roster = Shares.from_json(release.sharing["noise"]), sites.roster  # type: ignore[index]
        about = (release.id, roster.digest, release.schema.digest, release.analyst, release.query)
        spread, protection = Spread(release.plan, 1), pets.DP(epsilon=1)
        loss = shares_loss(spread, noise, roster.honest, roster.currency, roster.delta, protection)
        way = str(told.get("secure", release.sharing["secure"]))  # type: ignore[index]
        said = statement(release.plan, roster, Order(*about, protection, way, noise), loss, told["answered"], {})

        def change(new: dict[str, Any]) -> None:
            new["sharing"].update(signatures={}, certificates={}, **told)
            scales = [codec.number(codec.fraction(one)) for one in said["scales"]]
            new.update(guarantee=said["guarantee"], notes=list(said["notes"]), scales=scales)

        return edited(release.to_json(), change, sites._coordinator)

    everybody = ["s0", "s1", "s2", "s3"]
    assert check_sharing(made_up(local, answered=everybody), unattested=True)
    assert check_sharing(made_up(local, answered=everybody[1:]), unattested=True)
    for changed in (
        made_up(local, answered=["s0", "s1"]),
        made_up(local, answered=["s0", "s0", "s1"]),
        made_up(local, answered=["s0", "s1", "s9"]),
        made_up(masked, answered=everybody, secure="local"),
    ):
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(changed, unattested=True)
    with pytest.raises(UserError, match="unattested must be True or False"):
        check_sharing(local, unattested="yes")  # type: ignore[arg-type]


def test_a_site_that_was_lost_has_not_signed_and_the_answer_says_so(tmp_path: Path) -> None:
    sites = many(5, dropouts=1)
    inner = sites._transport.exchange
    sites._transport.exchange = (  # type: ignore[method-assign]
        lambda messages, heard: inner({to: data for to, data in messages.items() if to != 2}, heard)
    )
    release = sites.release(QUERY, pets.DP(epsilon=1))
    assert check_sharing(release) == sites.roster
    assert release.sharing is not None
    assert release.sharing["answered"] == sorted(release.sharing["signatures"]) == ["s0", "s1", "s3", "s4"]
    # the lost site signs the list all the same: it is not in the total, and its word makes up no number
    told, liar = release.sharing, sites.sites["s2"]
    noise = Shares.from_json(told["noise"])
    about = (release.id, told["roster_sha256"], release.schema.digest, release.analyst, release.query)
    context = context_of(sites.roster, Order(*about, pets.DP(epsilon=1), "masked", noise).form)
    channel = Channel(sites.roster, bytes.fromhex(release.id), context, 2, liar._key)
    word = {"signature": channel.write(Kind.ROUND, 3, bytes([0b11011]))[-64:].hex()}
    with pytest.raises(VerificationError, match="does not follow"):
        check_sharing(edited(release.to_json(), setting("signatures", "s2", to=word), sites._coordinator))


def test_envelopes_that_no_site_signed_are_refused() -> None:
    sites = many(4)
    release = sites.release(QUERY, pets.DP(epsilon=1), secure="encrypted")
    form = release.to_json()
    other = sites.release(QUERY, pets.DP(epsilon=1), secure="encrypted", again=True).to_json()["sharing"]
    signed = form["sharing"]["signatures"]
    assert check_sharing(edited(form, lambda new: None, sites._coordinator)).members == sites.roster.members
    for change in (
        *(setting("signatures", "s1", name, to=other["signatures"]["s1"][name]) for name in signed["s1"]),
        setting("signatures", "s1", to=signed["s2"]),
        setting("signatures", to=other["signatures"]),
        setting("round", to=other["round"]),
    ):
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(edited(form, change, sites._coordinator))


# wordings -------------------------------------------------------------------------------------------------------------


def sentences(version: int) -> str:
    """SHA-256 of what releases say in many cases: with and without noise, every way, all sites and fewer."""
    said = []
    for settings in ({}, {"dropouts": 1, "colluding": 0}, {"sites_per_person": 2, "colluding": 2}):
        sites = many(5, **settings)
        for protection in (pets.DP(epsilon=0.5), pets.DP(epsilon=0.5, pure=True), pets.Total(), pets.Exact()):
            for way in ("local",) if protection == pets.DP(epsilon=0.5, pure=True) else ("masked", "local"):
                request = sites._request(QUERY, protection, way)
                about = ("0" * 32, sites.roster.digest, schema().digest, "a", QUERY, protection, way, request.shares)
                names = [member.name for member in sites.roster.members]
                for answered in (names, names[:4]):
                    faults = {"s1": FAULTS[0]} if len(answered) == 4 else {}
                    told = statement(
                        request.plan, sites.roster, Order(*about), request.loss, answered, faults, (), version
                    )
                    said.append([told["guarantee"], list(told["notes"])])
    return hashlib.sha256(canonical(said)).hexdigest()


def test_a_changed_sentence_is_another_wording() -> None:
    """Who changes one keeps the wording of before, under its number, and pins the new one here beside it."""
    assert {version: sentences(version) for version in WORDINGS} == PINNED
    assert max(WORDINGS) == wording.VERSION and sorted(WORDINGS) == list(range(1, wording.VERSION + 1))


PINNED = {
    1: "2124d1b7f9df16dd9d66e319a2d04e99a259c125ed0e539867643c79bc682d98",
    2: "fc035c12e8d5f8240322bdb617664bcd21ac9ea5dbb8573e0faa0db5a117e155",
}


def test_a_release_is_checked_by_the_wording_that_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = many()
    release = sites.release(QUERY, pets.DP(epsilon=0.5))
    assert release.sharing is not None and release.sharing["wording"] == wording.VERSION
    old = Release.load(release.save(tmp_path / "old.json"))
    new = types.SimpleNamespace(**vars(wording))  # pets of next year, which says it otherwise
    new.guarantee = lambda *given: wording.guarantee(*given).replace("adding or removing", "with or without")
    monkeypatch.setitem(WORDINGS, wording.VERSION + 1, new)  # type: ignore[arg-type]
    monkeypatch.setattr(wording, "VERSION", wording.VERSION + 1)
    assert check_sharing(old).size == 4
    form = saved(release, tmp_path)
    form["sharing"]["wording"] = wording.VERSION
    del form["digest"], form["sharing"]["coordinator"]
    form["sharing"]["coordinator"] = signature(Release.from_json(form).form, sites._coordinator)
    with pytest.raises(VerificationError, match="does not follow"):
        check_sharing(Release.from_json(form))


def test_a_wording_that_nobody_knows_is_not_passed_over(tmp_path: Path) -> None:
    sites = many()
    form = saved(sites.release(QUERY, pets.DP(epsilon=0.5)), tmp_path)
    del form["digest"]
    for version in (wording.VERSION + 1, True, "1"):
        with pytest.raises(VerificationError, match="a wording that this version of pets does not know"):
            check_sharing(Release.from_json(form | {"sharing": form["sharing"] | {"wording": version}}))
