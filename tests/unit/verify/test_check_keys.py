"""The checker and released keys: what pets releases holds, and what promises too much is refused, whoever signs it."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.common import codec
from pets.common.codec import canonical
from pets.errors import BudgetError
from pets.ledger.ledger import Ledger
from pets.release.keys.released_keys import ReleasedKeys
from pets.verify import check as checker
from pets.verify.check import CannotCheck, check
from tests.unit.verify.test_check import Made, changed, refused

COLUMNS = {
    "id": pets.Identifier(),
    "code": pets.Text(7, form="icd10"),
    "sex": pets.Category(["F", "M"]),
    "day": pets.Date("2024-01-01", "2024-01-03"),
    "n": pets.Integer(0, 3),
    "ok": pets.Boolean(),
}
SCHEMA = pets.Schema({"apc": pets.Table(pets.Unit("id", max_rows=3), COLUMNS)}, dataset="codes")
ROWS = pd.DataFrame({"id": range(600), "code": ["I21", "J45.0"] * 300, "sex": ["F", "F", "M", None] * 150})
ROWS[["day", "n", "ok"]] = ["2024-01-02", 2, True]
EVERY = ["code", "sex", "day", "n", "ok"]


class Keys(Made):
    """Released keys of a ledger with a file, and an ordinary release after them."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        budget, ready = pets.Budget(20, 1e-6, 1e-7), folder / "ready"
        session = pets.Session(
            SCHEMA, {"apc": ROWS}, budget=budget, ledger=self.ledger, snapshots=ready, progress=False
        )
        release = session.group_keys
        self.keys = [
            release("apc", by=["code"], protection=pets.DP(epsilon=1)),
            release("apc", by=EVERY, protection=pets.DP(rho=0.1), where=~(col("code") == "K35"), groups=1),
            release("apc", by=["sex", "code"], protection=pets.DP(epsilon=2, delta=1e-8), delta=1e-9),
        ]
        self.answer = session.release(pets.query("apc").group_by(self.keys[0]).agg(n=pets.count()), pets.DP(epsilon=1))
        with pytest.warns(UserWarning):
            other = pets.Session(SCHEMA, {"apc": ROWS}, ledger=self.ledger, project="other", snapshots=ready)
        self.keys.append(other.group_keys("apc", by=["code"], protection=pets.DP(epsilon=1)))
        self.key = self.ledger.key.raw
        with self.ledger.reading() as tx:
            self.log = [(body, chain) for body, _, chain in tx.entries()]
            self.note = self.ledger.checkpoint(tx)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


def file_of(keys: ReleasedKeys) -> bytes:
    assert keys.certificate is not None
    return canonical(keys.form | {"digest": keys.digest, "certificate": dict(keys.certificate)})


def said_of(keys: ReleasedKeys) -> Any:
    assert keys.certificate is not None
    return copy.deepcopy(keys.certificate.predicate)


@pytest.mark.chance(0)
def test_released_keys_hold_with_their_log(made: Keys) -> None:
    for keys in made.keys:
        assert len(keys.rows) >= 2
        said = check(file_of(keys), made.key, log=made.whole_log(), schema=canonical(SCHEMA.to_json()))
        assert said.startswith(keys.guarantee)
        assert "a key of theirs alone shows with a chance of" in said
        assert f"as all {len(made.log)} entries of the log lead to" in said
    # and an answer after them, whose account tells of δ that thresholds took
    assert made.answer.certificate is not None
    assert made.answer.certificate.predicate["budget"]["after_delta"] > 0
    check(canonical(made.answer.to_json()), made.key, log=made.whole_log())


@pytest.mark.chance(0)
def test_dummy_keys_and_keys_of_rows_that_are_people_hold() -> None:
    columns = {name: domain for name, domain in COLUMNS.items() if name != "id"}
    schema = pets.Schema({"apc": pets.Table("row", columns)}, dataset="rows")  # type: ignore[arg-type]
    session = pets.Session(schema, {"apc": ROWS.drop(columns="id")}, budget=pets.Budget(3, 1e-6, 1e-7), progress=False)
    keys = session.group_keys("apc", by=["code"], protection=pets.DP(epsilon=1))
    assert "any one row (a person)" in check(file_of(keys), session.ledger.key.raw)
    twin = session.dummy()
    dummy = twin.group_keys("apc", by=["code"], protection=pets.DP(epsilon=1))
    assert check(file_of(dummy), twin.ledger.key.raw).startswith("Dummy data")


def lie(made: Keys, form: dict[str, Any], **certified: Any) -> str:
    """Why keys with another form are refused, though the ledger's own key signed them with a certificate that fits."""
    keys = made.keys[0]
    one, said = copy.deepcopy(keys.form) | form, said_of(keys)
    for name in ("protection", "cost", "notes", "guarantee", "keys"):
        said[name] = one[name]
    said["plan_sha256"] = one["plan"]
    for name in ("rho", "epsilon", "delta", "threshold"):
        said["dp"][name] = one[name]
    said["dp"] |= {"scales": [one["scale"]], "losses": [one["cost"]["loss"]]}
    said["dp"] |= {"threshold_delta": one["cost"]["delta"]} | certified
    return refused(made.signed(one, said)[0], made.key)


@pytest.mark.chance(0)
def test_a_lower_threshold_than_its_delta_pays_for_is_refused(made: Keys) -> None:
    form = made.keys[0].form
    assert "shows more often than it states" in lie(made, {"threshold": form["threshold"] - 2})
    # the very least threshold that the law itself allows may be one below pets' own bound, and no more
    shows = checker._answers.KEYS.shows(form["keys"]["groups"], float(form["scale"]), form["threshold"] - 2)
    assert shows * 10**18 > form["cost"]["delta"]


@pytest.mark.chance(0)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"scale": "1"}, "its noise costs something else"),
        ({"scale": "100"}, "its noise costs something else"),
        ({"epsilon": "0.5"}, "promises something else (guarantee)"),
        ({"rho": "0.001"}, "ρ"),
        ({"delta": "0.0000001"}, "promises something else (guarantee)"),
        ({"rows": [["I21"], ["I21"]]}, "in order, each once"),
        ({"rows": [["J450"], ["I21"]]}, "in order, each once"),
        ({"rows": [["I21"], ["j45.0"]]}, "no text of its column"),
        ({"people": [300, 3]}, "below its threshold"),
        ({"people": [300]}, "another number of counts"),
        ({"threshold": 1}, "threshold is none"),
        ({"data": "dummy"}, "no invented rows"),
        ({"protection": {"kind": "dp", "epsilon": 1, "pure": True}}, "means nothing"),
        ({"more": 1}, "other parts"),
        ({"plan": "0" * 64}, "its plan does not follow"),
        ({"guarantee": "Nobody can be harmed."}, "promises something else"),
        ({"keys": {"table": "apc", "by": ["code"], "groups": 1}}, "plan does not follow"),
        ({"keys": {"table": "apc", "by": ["code"], "groups": 4}}, "more keys than rows"),
        ({"keys": {"table": "apc", "by": ["code", "code"], "groups": 3}}, "or one twice"),
    ],
)
def test_what_does_not_follow_is_refused(made: Keys, change: dict[str, Any], why: str) -> None:
    assert why in lie(made, change)


@pytest.mark.chance(0)
def test_a_charge_without_delta_is_refused(made: Keys) -> None:
    keys = made.keys[0]
    cost = keys.form["cost"] | {"delta": 0}
    one, said = copy.deepcopy(keys.form) | {"cost": cost}, said_of(keys)
    said["cost"], said["budget"]["charged_delta"] = cost, cost["delta"]
    said["dp"]["threshold_delta"] = cost["delta"]
    assert refused(made.signed(one, said)[0], made.key)


@pytest.mark.chance(0)
def test_another_kind_cannot_be_checked(made: Keys) -> None:
    keys = made.keys[0]
    one = copy.deepcopy(keys.form) | {"version": 2}
    with pytest.raises(CannotCheck):
        check(made.signed(one, said_of(keys))[0], made.key)


@pytest.mark.parametrize("scale", [0.4, 3.0, 40.0])
def test_the_chance_that_a_key_shows_is_the_tail_of_the_law(scale: float) -> None:
    reach = range(-int(50 * scale) - 5, int(50 * scale) + 6)
    mass = {k: math.exp(-k * k / (2 * scale * scale)) for k in reach}
    for threshold in (2, 3, math.ceil(1 + 3 * scale)):
        one = math.fsum(mass[k] for k in reach if k >= threshold - 1) / math.fsum(mass.values())
        assert checker._answers.KEYS.shows(1, scale, threshold) == pytest.approx(one, rel=1e-9)
        assert checker._answers.KEYS.shows(4, scale, threshold) == pytest.approx(1 - (1 - one) ** 4, rel=1e-6)


def test_a_wide_scale_is_bounded_and_not_added_up() -> None:
    wide = 2e5
    assert checker._answers.KEYS.shows(1, wide, int(4 * wide)) == pytest.approx(3.17e-5, rel=0.01)


def test_keys_are_not_signed_at_a_delta_that_was_changed(tmp_path: Path) -> None:
    """A session that is open during the change asks again; keys that name their own δ rest on no budget's."""
    ledger = Ledger(tmp_path / "ledger.db")
    budget = pets.Budget(20, 1e-6, 1e-7)
    schema = pets.Schema({"stays": SCHEMA.tables["apc"]}, dataset="hospital-stays")
    session = pets.Session(schema, {"stays": ROWS}, budget=budget, ledger=ledger, progress=False)
    changed(ledger, pets.Budget(20, 1e-5, 1e-6))
    own = session.group_keys("stays", by=["code"], protection=pets.DP(epsilon=1, delta=1e-8))
    changed(ledger, pets.Budget(20, 1e-4, 1e-6))
    for protection in (pets.DP(epsilon=0.5), pets.DP(rho=0.01)):
        with pytest.raises(BudgetError, match="after this was priced; nothing was spent; ask again"):
            session.group_keys("stays", by=["code"], protection=protection)
        after = session.group_keys("stays", by=["code"], protection=protection)
        for keys in (own, after):
            assert keys.guarantee in check(file_of(keys), ledger.key.raw)
        changed(ledger, pets.Budget(20, 1e-5, 1e-6))
        session.remaining()
        changed(ledger, pets.Budget(20, 1e-4, 1e-6))


def test_a_change_between_price_and_charge_is_refused(tmp_path: Path) -> None:
    """Another thread of the session hears of the change, after this one's price and before its charge."""
    ledger = Ledger(tmp_path / "ledger.db")
    schema = pets.Schema({"stays": SCHEMA.tables["apc"]}, dataset="hospital-stays")
    session = pets.Session(schema, {"stays": ROWS}, budget=pets.Budget(20, 1e-6, 1e-7), ledger=ledger, progress=False)
    custody, asked = session.custody, pets.DP(epsilon=0.5)
    most = pets.query("stays").group_by("sex").agg(people=pets.count_units())

    def keys(own: pets.DP) -> Any:
        terms = custody.key_terms("stays", ["code"], own, where=None, groups=None, delta=None)
        return lambda: custody.keys(terms, own, None, again=False)

    def top(own: pets.DP) -> Any:
        terms = custody.top_terms(most, 1, own)
        return lambda: custody.top(terms, own, again=False)

    for kind, threshold in ((keys, 1e-6), (top, 2e-6)):
        released = [kind(asked), kind(pets.DP(epsilon=0.4, delta=1e-8))]
        changed(ledger, pets.Budget(20, threshold * 10, 1e-6))
        before = session.remaining().epsilon
        with pytest.raises(BudgetError, match="after this was priced; nothing was spent; ask again"):
            released[0]()
        assert session.remaining().epsilon == before
        for answer in (kind(asked)(), released[1]()):
            assert answer.guarantee in check(file_of(answer), ledger.key.raw)


def test_keys_that_were_paid_for_are_not_charged_anew_after_another_delta_came(tmp_path: Path) -> None:
    """They are told as of then, to whoever asks again; that they are not at the present δ the log alone tells."""
    world, ledger = object.__new__(Keys), Ledger(tmp_path / "ledger.db")
    schema = pets.Schema({"stays": SCHEMA.tables["apc"]}, dataset="hospital-stays")
    settings: Any = {"ledger": ledger, "progress": False, "snapshots": tmp_path / "ready"}
    session = pets.Session(schema, {"stays": ROWS}, budget=pets.Budget(20, 1e-6, 1e-7), **settings)
    wishes = [(pets.DP(epsilon=1), None), (pets.DP(rho=0.1), None), (pets.DP(epsilon=1, delta=1e-8), 1e-9)]
    ask: list[dict[str, Any]] = [{"by": ["code"], "protection": asked, "delta": delta} for asked, delta in wishes]
    first = [session.group_keys("stays", **one) for one in ask]
    changed(ledger, pets.Budget(20, 1e-5, 1e-6))
    with pytest.warns(UserWarning):
        session, ann = (pets.Session(schema, {"stays": ROWS}, analyst=name, **settings) for name in ("local", "ann"))
    before = session.remaining().epsilon
    again = [session.group_keys("stays", **one) for one in ask]
    assert [keys.digest for keys in again] == [keys.digest for keys in first]
    theirs = [ann.group_keys("stays", **one) for one in ask]
    assert [keys.rows for keys in theirs] == [keys.rows for keys in first] and session.remaining().epsilon == before
    assert {said_of(keys)["budget"]["charged"] for keys in theirs} == {0}
    other = ann.group_keys("stays", **ask[0] | {"delta": 2e-9})  # another question
    assert said_of(other)["budget"]["charged"] > 0
    world.ledger, world.key = ledger, ledger.key.raw
    with ledger.reading() as tx:
        world.log, world.note = [(body, chain) for body, _, chain in tx.entries()], ledger.checkpoint(tx)
    for keys in (*first, *theirs, other):
        for log in (world.whole_log(), None):
            assert check(file_of(keys), world.key, log=log).startswith(keys.guarantee)
    for keys, old in zip(theirs, first, strict=True):
        assert said_of(keys)["dp"] == said_of(old)["dp"] and said_of(keys)["budget"]["delta"] == "0.00001"
    # at the present budget's δ all else fits but the log; another loss or a lower δ of the threshold do not
    keys, said = theirs[1], said_of(theirs[1])
    delta = float(said["dp"]["delta"]) + 8.1e-6
    epsilon = checker.epsilon(said["cost"]["loss"] / 10**12, delta - said["cost"]["delta"] / 10**18)
    told = {name: codec.number(codec.fraction(value)) for name, value in (("delta", delta), ("epsilon", epsilon))}
    words = keys.guarantee.replace(f"δ = {float(said['dp']['delta']):g}:", f"δ = {delta:g}:")
    words = words.replace(f"ε = {float(said['dp']['epsilon']):.6g} ", f"ε = {epsilon:.6g} ")
    lied = said | {"dp": said["dp"] | told, "guarantee": words}
    file, log = world.signed(keys.form | told | {"guarantee": words}, lied)
    assert "no log was given" in check(file, world.key)
    assert "its δ is another" in refused(file, world.key, log=log)
    for name in ("loss", "delta"):
        cost = said["cost"] | {name: said["cost"][name] // 2}
        terms = {"losses": [cost["loss"]], "threshold_delta": cost["delta"]}
        refused(world.signed(keys.form | {"cost": cost}, said | {"cost": cost, "dp": said["dp"] | terms})[0], world.key)
