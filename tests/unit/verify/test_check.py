"""The checker of promises: what pets releases holds, and no lie does, whoever signs it."""

from __future__ import annotations

import ast
import base64
import contextlib
import copy
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.errors import BudgetError
from pets.ledger.change import Change, apply, draft
from pets.ledger.ledger import Ledger
from pets.ledger.log.dsse import envelope
from pets.ledger.publish import export
from pets.verify import check as checker
from pets.verify.check import KIND, CannotCheck, Refused, check
from pets.verify.witness import LOG, Key
from tests import releases, strategies
from tests.unit.ledger.log.test_verifier import edited, leaves, other
from tests.work import calls

FOLDER = Path(checker.__file__).parent
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("[!_]*.py"))

LONGER = {
    "asked.py": 160,
    "kinds/made.py": 155,
    "check.py": 278,
    "log.py": 185,
    "loss.py": 160,
    "answers.py": 200,
    "columns.py": 200,
    "plan.py": 379,
    "kinds/fitted/moments.py": 260,
    "kinds/fitted/newton.py": 210,
}
"""Lines, of files that are not a part for one kind: who signed, the log, an answer and the planner that it takes."""

FREE = ("assumptions", "engine_versions", "service", "values")
"""The parts that may say anything: nothing follows from them, and they follow from nothing that a reader has.

``values`` are the release's noisy numbers; the others are the certificate's. All else is derived, with the log at hand.
"""

TOLD = ("notes", "id", "snapshot")
"""And these, where release and certificate say the same: nothing else tells of them (beside the kind of ledger)."""

DUMMY = "Dummy data: every row is invented, so no one's presence can show."
UNIT = pets.Unit("id", max_rows=9, rows=3)
COLUMNS = {
    "id": pets.Identifier(),
    "age": pets.Category(["young", "old"]),
    "days": pets.Integer(0, 14),
    "cost": pets.Real(-5, 2000, "0.5", nullable=False),
    "admitted": pets.Date("2020-01-01", "2021-12-31"),
}
SCHEMA = pets.Schema({"stays": pets.Table(UNIT, COLUMNS, people=2**20)}, dataset="hospital-stays")
ROWS = pd.DataFrame({"id": ["a", "a", "b"], "age": ["young", "old", None], "days": [1, 20, 3], "cost": [1.0, 2, 3]})
ROWS["admitted"] = "2020-05-01"
STAYS = pets.query("stays")
QUERIES = [
    STAYS.group_by("age").agg(n=pets.count(), p=pets.count_units(), s=pets.sum("days", clip=(0, 7))),
    STAYS.where(~(col("days") > 3)).agg(s=pets.sum("cost"), m=pets.mean("cost"), r=pets.rate(col("days") < 2)),
    STAYS.group_by(col("admitted").period("quarter")).agg(v=pets.variance("days"), q=pets.quantile("cost", 0.9)),
    STAYS.group_by("age").bound(rows=2, groups=1).agg(h=pets.histogram("days", [0, 1, 7, 14]), n=pets.count()),
    STAYS.bound(rows=2, groups=5).agg(people=pets.count_units()),
]


class Made:
    """Every kind of release, of a ledger with a file; each with its key and the log as it stood at the end."""

    def __init__(self, folder: Path, budget: pets.Budget, *, durable: bool = True) -> None:
        self.ledger = Ledger(folder / "ledger.db" if durable else None)
        settings: Any = {"policy": pets.Policy(allow_unbounded=True), "progress": False, "snapshots": folder / "ready"}
        session = pets.Session(SCHEMA, {"stays": ROWS}, budget=budget, ledger=self.ledger, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it takes the snapshot which is there: so an equal question is one
            names = {"project": "other", "analyst": "ann"}
            beside = pets.Session(SCHEMA, {"stays": ROWS}, ledger=self.ledger, **names, **settings)
        self.releases = [session.release(query, pets.DP(epsilon=1)) for query in QUERIES]
        self.releases += [session.release(QUERIES[0], pets.Total())]
        self.releases += session.release([QUERIES[3], QUERIES[4]], pets.DP(epsilon=0.01))
        if budget.delta:
            for asked in (pets.DP(rho=0.01), pets.DP(epsilon=1, delta=1e-9), pets.DP(epsilon=2, pure=True)):
                self.releases.append(session.release(QUERIES[0], asked))
        self.releases.append(session.release(STAYS.agg(n=pets.count()), pets.DP(within=20)))
        self.releases += [beside.release(QUERIES[1], pets.DP(epsilon=1)), beside.release(QUERIES[0], pets.Total())]
        events = [json.loads(said_of(release)["log"]["entry"])["event"] for release in self.releases]
        assert events == [*["committed"] * (len(events) - 2), "delivered", "delivered"]
        self.key = self.ledger.key.raw
        with self.ledger.reading() as tx:
            self.log = [(body, chain) for body, _, chain in tx.entries()]
            self.note = self.ledger.checkpoint(tx)

    def whole_log(self) -> io.BytesIO:
        """As the public view of it is exported."""
        head = export.header("public", self.ledger.key, self.note)
        return io.BytesIO(head + b"".join(export.line(body, None, chain) for body, chain in self.log))

    def signed(self, form: Any, said: Any, log: Any = None) -> tuple[bytes, io.BytesIO]:
        """A release and a certificate with whatever they say, signed by the ledger's own key, and a log that fits.

        ``log``: what is changed in the certificate's place in the log, after all else was made to fit.
        """
        said, place = copy.deepcopy(said), dict(said["log"])
        digest = hashlib.sha256(canonical(form)).hexdigest()
        private = json.loads(place["private"]) | {"release": digest, "snapshot": said["dataset"]["snapshot_id"]}
        place["private"] = canonical(private).decode()
        budget, data = said["budget"], said["dataset"]
        told = {"request": said["request_id"], "dataset": data["id"], "table": data["table"], "what": said["what"]}
        told |= {"project": said["project_id"], "analyst": said["agent_id"], "protection": said["protection"]}
        told |= {"epoch": budget["epoch"], "loss": budget["charged"], "delta": budget["charged_delta"]}
        told |= {"unbounded": said["dp"] is None and data["rows"] == "real", "metadata_sha256": data["metadata_sha256"]}
        entry = json.loads(place["entry"]) | told
        entry["sealed"] = hashlib.sha256(canonical(private)).hexdigest()
        body, seq = canonical(entry), place["seq"]
        chain = hashlib.sha256(self.log[seq - 1][1] + body).digest()
        node = hashlib.sha256(b"\0" + body).digest()
        for left in place["inclusion_proof"]:
            node = hashlib.sha256(b"\1" + bytes.fromhex(left) + node).digest()
        lines = place["checkpoint"].partition("\n\n")[0].split("\n")
        lines[2:4] = [base64.b64encode(node).decode(), f"chain {chain.hex()}"]
        text = "\n".join(lines) + "\n"
        key = self.ledger.signer
        mark = base64.b64encode(Key(lines[0], LOG, key.public.raw).id + key.sign(text.encode())).decode()
        place |= {"entry": body.decode(), "entry_hash": chain.hex(), "checkpoint": f"{text}\n— {lines[0]} {mark}\n"}
        said["log"] = place if log is None else log(place)
        about = {"_type": checker.TYPES[0], "predicateType": checker.TYPES[1], "predicate": said}
        about["subject"] = [{"name": f"release {said.get('release_id')}", "digest": {"sha256": digest}}]
        file = form | {"digest": digest, "certificate": envelope(KIND, canonical(about), key)}
        head = export.header("public", self.ledger.key, place["checkpoint"])
        kept = [*self.log[:seq], (body, chain)]
        return canonical(file), io.BytesIO(head + b"".join(export.line(*one[:1], None, one[1]) for one in kept))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("check"), pets.Budget(20, 1e-6, 1e-7))


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("check"), pets.Budget(20), durable=False)


def said_of(release: pets.Release) -> Any:
    assert release.certificate is not None
    return release.certificate.predicate


def refused(*given: Any, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        check(*given, **named)
    said = str(caught.value)
    assert said and "\n" not in said and len(said) < 200
    return said


# what holds -----------------------------------------------------------------------------------------------------------


@pytest.mark.chance(0)
@pytest.mark.parametrize("kind", ["made", "pure"])
def test_every_kind_of_release_holds(kind: str, request: pytest.FixtureRequest) -> None:
    world: Made = request.getfixturevalue(kind)
    for release in world.releases:
        said = check(canonical(release.to_json()), world.key, log=world.whole_log())
        assert said.startswith(release.guarantee) and "not checked, since no program can know it" in said
        assert f"as all {len(world.log)} entries of the log lead to" in said
        apart = canonical(dict(release.certificate or {}))
        assert "no log was given" in check(canonical(release.form), world.key, apart)
        assert "as the custodian says" in said
        public = canonical(SCHEMA.to_json())
        assert "schema: the published one" in check(canonical(release.to_json()), world.key, schema=public)
    wrong = canonical(pets.Schema(SCHEMA.tables, dataset="other").to_json())
    assert "not the published one" in refused(canonical(release.to_json()), world.key, schema=wrong)


@pytest.mark.chance(0)
def test_one_row_a_person_and_dummy_rows_hold() -> None:
    columns = {name: domain for name, domain in COLUMNS.items() if name != "id"}
    schema = pets.Schema({"stays": pets.Table("row", columns)}, dataset="rows")  # type: ignore[arg-type]
    session = pets.Session(schema, {"stays": ROWS.drop(columns="id")}, budget=pets.Budget(3, 1e-6), progress=False)
    release = session.release(STAYS.group_by("age").agg(n=pets.count()), pets.DP(epsilon=1))
    assert "any one row (a person)" in check(canonical(release.to_json()), session.ledger.key.raw)
    dummy = session.dummy()
    for asked in (pets.DP(epsilon=1), pets.Exact()):
        said = check(canonical(dummy.release(QUERIES[1], asked).to_json()), dummy.ledger.key.raw)
        assert said.startswith("Dummy data: every row is invented")


def held(count: int, seed: int) -> tuple[int, int]:
    """Releases that hold, of so many random requests; and how many kinds they are of."""
    fate, worlds, kinds, found = random.Random(seed), releases.worlds(), set(), 0
    with releases.no_rows(seed):
        for world in worlds:
            mine = []
            for query in releases.drawn(strategies.queries(world.schema), -(-count // len(worlds))):
                for release, key in world.releases(query, fate):
                    assert check(canonical(release.to_json()), key).startswith(release.guarantee)
                    kinds.add((release.protection["kind"], release.mechanism, release.data, release.project))
                    mine += [release] if key == world.ledger.key.raw else []
                    found += 1
            with world.ledger.reading() as tx:  # and, with the log, some of each: failures and other projects are in it
                lines = [export.line(body, None, chain) for body, _, chain in tx.entries()]
                log = export.header("public", world.ledger.key, world.ledger.checkpoint(tx)) + b"".join(lines)
            for release in mine[:: max(1, len(mine) // 4)]:
                check(canonical(release.to_json()), world.ledger.key.raw, log=io.BytesIO(log))
    return found, len(kinds)


@pytest.mark.chance(0)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_releases_hold() -> None:
    found, kinds = held(300, 5)
    assert found >= 250 and kinds >= 6


@pytest.mark.soak
@pytest.mark.chance(0)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_ten_thousand_random_releases_hold() -> None:
    found, _ = held(10_000, 6)
    assert found >= 9_000


@pytest.mark.chance(0)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_releases_hold_before_and_after_the_budget_was_changed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    settings: Any = {"ledger": ledger, "progress": False, "snapshots": tmp_path / "ready"}
    session = pets.Session(SCHEMA, {"stays": ROWS}, budget=pets.Budget(3, 1e-6), **settings)
    found = [session.release(QUERIES[0], pets.DP(epsilon=1))]
    for budget in (pets.Budget(5, 1e-5, 1e-6), pets.Budget(4, 1e-7)):
        changed(ledger, budget)
        session = pets.Session(SCHEMA, {"stays": ROWS}, **settings)
        found.append(session.release(QUERIES[0], pets.DP(epsilon=0.5, delta=budget.delta)))
        found.append(session.release(QUERIES[0], pets.DP(rho=budget.delta)))
    ann = pets.Session(SCHEMA, {"stays": ROWS}, project="other", analyst="ann", **settings)
    found.append(ann.release(QUERIES[0], pets.DP(epsilon=0.5, delta=1e-5)))  # it was answered under another budget
    assert json.loads(said_of(found[-1])["log"]["entry"])["event"] == "delivered"
    with ledger.reading() as tx:
        lines = [export.line(body, None, chain) for body, _, chain in tx.entries()]
        log = export.header("public", ledger.key, ledger.checkpoint(tx)) + b"".join(lines)
    for release in found:
        assert check(canonical(release.to_json()), ledger.key.raw, log=io.BytesIO(log)).startswith(release.guarantee)
    assert len({said_of(release)["budget"]["delta"] for release in found}) == 3


def changed(ledger: Ledger, budget: pets.Budget) -> None:
    """The budget of the samples' dataset, by a signed change."""
    about: Any = {"origin": ledger.origin, "dataset": SCHEMA.dataset, "reason": "a reason", "by": ("Ann", "Bob")}
    apply(ledger, draft(Change(kind="budget", details={"budget": budget.to_json()}, **about)))


@pytest.mark.chance(0)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_delivered_after_another_delta_came_holds(tmp_path: Path) -> None:
    world, ledger = object.__new__(Made), Ledger(tmp_path / "ledger.db")
    settings: Any = {"ledger": ledger, "progress": False, "snapshots": tmp_path / "ready"}
    asked = [(QUERIES[0], pets.DP(epsilon=1)), (QUERIES[1], pets.DP(rho=0.01))]
    session = pets.Session(SCHEMA, {"stays": ROWS}, budget=pets.Budget(3, 1e-6), **settings)
    for query, protection in asked:
        session.release(query, protection)
    changed(ledger, pets.Budget(5, 1e-5, 1e-6))
    ann = pets.Session(SCHEMA, {"stays": ROWS}, project="other", analyst="ann", **settings)
    found = [ann.release(query, protection) for query, protection in asked]
    world.ledger, world.key = ledger, ledger.key.raw
    with ledger.reading() as tx:
        world.log, world.note = [(body, chain) for body, _, chain in tx.entries()], ledger.checkpoint(tx)
    for release in found:
        said = said_of(release)
        assert json.loads(said["log"]["entry"])["event"] == "delivered"
        assert (said["dp"]["delta"], said["budget"]["delta"]) == ("0.000001", "0.00001")
        for log in (world.whole_log(), None):
            assert check(canonical(release.to_json()), world.key, log=log).startswith(release.guarantee)
    # the log alone knows the budget of then: told at the present one's δ, all else fits
    release, said = found[1], said_of(found[1])
    told = {"delta": "0.000009", "epsilon": str(Decimal(checker.epsilon(0.01, 9e-6)))}
    told["epsilon"] = str(Decimal(told["epsilon"]).quantize(Decimal(10) ** -15))
    words = release.guarantee.replace("δ = 1e-06", "δ = 9e-06")
    words = words.replace(f"ε = {release.epsilon:.6g} ", f"ε = {float(told['epsilon']):.6g} ")
    lie = said | {"dp": said["dp"] | told, "guarantee": words}
    file, log = world.signed(release.form | told | {"guarantee": words}, lie)
    assert "no log was given" in check(file, world.key)
    assert "its δ is another" in refused(file, world.key, log=log)


@pytest.mark.chance(0)
def test_a_session_that_is_open_while_the_delta_changes_signs_nothing_at_the_old_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    session = pets.Session(SCHEMA, {"stays": ROWS}, budget=pets.Budget(3, 1e-6), ledger=ledger, progress=False)
    before = session.release(QUERIES[0], pets.DP(epsilon=0.5))
    changed(ledger, pets.Budget(5, 1e-5))
    assert session.release(QUERIES[0], pets.DP(epsilon=0.5)).id == before.id  # paid for, and told as of then
    own = session.release(QUERIES[0], pets.DP(epsilon=0.5, delta=1e-7))  # rests on no budget's
    changed(ledger, pets.Budget(5, 1e-4))
    for protection in (pets.DP(epsilon=0.25), pets.DP(rho=0.001)):
        with pytest.raises(BudgetError, match=r"changed to 0\.0001 after this was priced; nothing was spent; ask"):
            session.release(QUERIES[0], protection)
        after = session.release(QUERIES[0], protection)
        assert after.delta == 1e-4
        changed(ledger, pets.Budget(5, 1e-5))
        session.remaining()
        changed(ledger, pets.Budget(5, 1e-4))
    with ledger.reading() as tx:
        lines = [export.line(body, None, chain) for body, _, chain in tx.entries()]
        log = export.header("public", ledger.key, ledger.checkpoint(tx)) + b"".join(lines)
    for release in (before, own, after):
        assert check(canonical(release.to_json()), ledger.key.raw, log=io.BytesIO(log)).startswith(release.guarantee)


# what does not --------------------------------------------------------------------------------------------------------


@pytest.mark.chance(0)
def test_signing_the_truth_again_changes_nothing(made: Made, pure: Made) -> None:
    for world in (made, pure):
        for release in world.releases:
            file, log = world.signed(release.form, said_of(release))
            assert check(file, world.key, log=log)


def moved(value: Any) -> Any:
    """Another value: of a decimal number one that is more than a rounding away."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+\.[0-9]+", value):
        return str(Decimal(value) * Decimal("1.001"))
    return [*value, "x"] if isinstance(value, list) else other(value)


def lies(world: Made) -> Iterator[tuple[str, Any]]:
    """One part of a release, or of its certificate, that says something else, and all of it signed by the ledger."""

    def elsewhere(path: tuple[Any, ...], of: Any) -> Any:
        return edited(of, path, moved)

    for number, release in enumerate(world.releases):
        said = said_of(release)
        for path in leaves(release.form):
            if path[0] not in FREE:
                yield f"{number} release {path}", (world, elsewhere(path, release.form), said, None)
        for path in leaves(said):
            if path[0] == "log":
                placed = lambda place, path=path: elsewhere(path[1:], place)  # noqa: E731
                yield f"{number} certificate {path}", (world, release.form, said, placed)
            elif path[0] not in FREE:
                yield f"{number} certificate {path}", (world, release.form, elsewhere(path, said), None)
        for name in said:
            if name not in FREE and name != "log":
                without = {key: value for key, value in said.items() if key != name}
                yield f"{number} without {name}", (world, release.form, without, None)


def fitted(form: Any, said: Any) -> tuple[Any, Any]:
    """The certificate and the sentence that fit what a release says: the checker's own, as a liar can make them."""
    plan = checker.Plan(form["query"], form["schema"])
    digest = hashlib.sha256(canonical(plan.form)).hexdigest()
    form = form | {"plan": digest}
    said = said | {"budget": said["budget"] | {"scope": form["dataset"]}}
    said = said | checker.expected(form, said, plan, digest)
    return form | {"guarantee": said["guarantee"]}, said


def as_dummy(form: Any, said: Any) -> tuple[Any, Any]:
    """Real rows, said to be invented ones; of exact totals that is all it takes."""
    exact = {"protection": {"kind": "exact"}} if form["mechanism"] == "none" else {}
    cost, budget = form["cost"] | {"loss": 0}, said["budget"]
    before = {"before": budget["after"] if budget["charged"] else budget["before"], "charged": 0}
    return form | exact | {"data": "dummy", "cost": cost}, said | {"budget": budget | before}


SPENT = {"cap": "cap", "currency": "currency", "epoch": "epoch", "lifetime": "lifetime", "after": "spent"}
ASKED: list[Any] = [
    {"kind": "dp"},
    {"kind": "dp", "epsilon": 1, "per": "hospital for life"},
    {"kind": "dp", "epsilon": 1, "within": 1},
    {"kind": "dp", "epsilon": 1, "confidence": "0.9"},
    {"kind": "dp", "epsilon": 1, "simultaneous": True},
    {"kind": "dp", "within": "0.001"},
    {"kind": "dp", "within": 20, "pure": False},
    {"kind": "dp", "within": 20, "delta": "0.000001"},
    {"kind": "total"},
    {"kind": "exact"},
]


def paired(world: Made) -> Iterator[tuple[str, Any]]:
    """Lies that fit together: one thing said otherwise on both sides, with the sentence, entry and plan of it."""

    def together(name: str, form: Any, said: Any) -> Iterator[tuple[str, Any]]:
        none = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, Refused)
        with contextlib.suppress(*none):  # (where it has no plan)
            yield f"{name} on both sides", (world, *fitted(form, said), None)

    for number, release in enumerate(world.releases):
        form, said = release.form, said_of(release)
        delivered = json.loads(said["log"]["entry"])["event"] == "delivered"
        for path in leaves(form):
            elsewhere = delivered and path[0] in ("project", "analyst")  # (the log says of nothing else who got it)
            if path[0] not in (*FREE, *TOLD, "query", "plan", "guarantee") and not elsewhere:
                yield from together(f"{number} {path}", edited(form, path, moved), said)
        for name in sorted({*said["budget"]} - {"scope"}):
            lie, told = edited(said, ("budget", name), moved), form
            if name in SPENT:
                told = edited(form, ("budget", SPENT[name]), lie["budget"][name])
            yield from together(f"{number} budget {name}", told, lie)
        for whole, part in (("0.0000009", 0), ("0.5000009", "0.5"), ("0.0000019", "0.000001")):
            lie = edited(edited(said, ("budget", "delta"), whole), ("budget", "threshold_delta"), part)
            yield from together(f"{number} budget δ {whole}", form, lie)
        for near in ("0.00000095", "0.000001", "0.0000009000000000001"):
            yield from together(f"{number} told δ {near}", edited(form, ("budget", "delta"), near), said)
        for asked in ASKED:
            if asked != form["protection"]:
                yield from together(f"{number} {asked}", form | {"protection": asked}, said)
        for at in ("1999-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"):
            yield from together(f"{number} at {at}", form | {"issued_at": at}, said)
        yield from together(f"{number} dummy", *as_dummy(form, said))


def believed(cases: list[tuple[str, Any]]) -> list[str]:
    """The lies that hold."""
    out = []
    for name, (world, form, said, placed) in cases:
        try:
            file, log = world.signed(form, said, placed)
        except (LookupError, TypeError):
            continue  # (not even a lying ledger can write it)
        try:
            check(file, world.key, log=log)
            out.append(name)
        except (Refused, CannotCheck):
            pass
    return out


@pytest.mark.chance(0)
def test_a_hundred_signed_lies_are_refused(made: Made, pure: Made) -> None:
    everything, fitting = [*lies(made), *lies(pure)], [*paired(made), *paired(pure)]
    assert len(everything) > 1000 and len(fitting) > 1000
    assert believed([*random.Random(23).sample(everything, 100), *random.Random(29).sample(fitting, 100)]) == []


@pytest.mark.soak
@pytest.mark.chance(0)
def test_every_signed_lie_is_refused(made: Made, pure: Made) -> None:
    assert believed([*lies(made), *lies(pure), *paired(made), *paired(pure)]) == []


@pytest.mark.chance(0)
@pytest.mark.parametrize("name", FREE)
def test_the_free_parts_are_free(made: Made, name: str) -> None:
    """The list says what it must: a part that is derived has no place on it."""
    release = made.releases[0]
    form, said = release.form, said_of(release)
    if name == "values":
        file, log = made.signed(edited(form, ("values", 0), lambda value: value + 1), said)
    else:
        path = next(path for path in leaves(said) if path[0] == name and path[-1] != "image_digest")
        file, log = made.signed(form, edited(said, path, other))
    assert check(file, made.key, log=log)


@pytest.mark.chance(0)
@pytest.mark.parametrize("name", [*TOLD, "ledger"])
def test_what_only_both_sides_tell_is_named_as_not_checked(made: Made, name: str) -> None:
    release = made.releases[0]
    form, said = release.form, said_of(release)
    if name == "ledger":
        said = edited(said, ("budget", "ledger"), "memory")
    else:
        form = form | {name: moved(form[name])}
    file, log = made.signed(*fitted(form, said))
    words = {"notes": "notes", "id": "names of release", "snapshot": "snapshot", "ledger": "on disk or in memory"}
    assert words[name] in " ".join(check(file, made.key, log=log).split())
    assert "promises something else" in refused(made.signed(form, said)[0], made.key)  # (said on one side alone)


@pytest.mark.chance(0)
def test_real_rows_are_not_said_to_be_invented(made: Made, pure: Made) -> None:
    """Not of a ledger on disk; and of one in memory not beside a log in which they were asked for as real ones."""
    for world in (made, pure):
        for release in world.releases:
            form, said = fitted(*as_dummy(release.form, said_of(release)))
            assert said["guarantee"] == DUMMY
            file, log = world.signed(form, said)
            why = "holds no invented rows" if world is made else "asked otherwise|its account|something else"
            with pytest.raises(Refused, match=why):
                check(file, world.key, log=log)
    total = next(release for release in pure.releases if release.protection["kind"] == "total")
    alone = check(pure.signed(*fitted(*as_dummy(total.form, said_of(total))))[0], pure.key)
    assert "that invented rows are invented" in alone  # (without the log nobody can know)


@pytest.mark.chance(0)
@pytest.mark.parametrize("asked", ASKED[:8], ids=lambda asked: str(asked)[:50])
def test_what_was_asked_is_one_thing_in_the_words_of_pets(made: Made, asked: Any) -> None:
    """Some of it without the log: only the log tells that another accuracy or confidence was asked for."""
    of = next(release for release in made.releases if ("within" in release.protection) is ("within" in asked))
    file, log = made.signed(*fitted(of.form | {"protection": asked}, said_of(of)))
    known = [*asked] in (["kind", "within"], ["kind", "epsilon", "confidence"])
    why = refused(file, made.key, log=log)
    assert why.startswith("the log has what was asked otherwise" if known else ("it asks", "it was asked"))
    if not known:
        refused(file, made.key)


@pytest.mark.chance(0)
def test_every_way_to_ask_is_known() -> None:
    for asked in (
        pets.DP(epsilon=1, delta=1e-9, confidence=0.5),
        pets.DP(epsilon=0.3, pure=True),
        pets.DP(rho=0.01, confidence=0.999999),
        pets.DP(within=3, simultaneous=True, pure=True),
    ):
        checker._loss.check_protection(asked.to_json())


@pytest.mark.chance(0)
@pytest.mark.parametrize(("whole", "part", "alone"), [("0.0000009", 0, False), ("0.5000009", "0.5", True)])
def test_a_budget_of_another_delta(made: Made, whole: str, part: Any, alone: bool) -> None:
    """The part that converts ρ is the same: only the log tells what the whole was, or that there is no such budget."""
    release = made.releases[0]
    said = edited(edited(said_of(release), ("budget", "delta"), whole), ("budget", "threshold_delta"), part)
    file, log = made.signed(*fitted(release.form, said))
    assert ("its budget is none" if alone else "not the one that the log leads to") in refused(file, made.key, log=log)
    if not alone:
        assert "budget, other releases: as the ledger says" in check(file, made.key)


@pytest.mark.chance(0)
def test_the_account_is_told_at_its_own_delta(made: Made) -> None:
    release = made.releases[0]
    assert release.form["budget"]["delta"] == "0.0000009"
    for near in ("0.00000095", "0.0000009000000000001", "0.0000008999999999999"):
        file, _ = made.signed(*fitted(edited(release.form, ("budget", "delta"), near), said_of(release)))
        assert "told at another δ" in refused(file, made.key)


@pytest.mark.chance(0)
def test_a_release_is_issued_while_its_request_lives(made: Made) -> None:
    for release in (made.releases[0], made.releases[-1]):  # (the last was delivered)
        for at, why in (
            ("1999-01-01T00:00:00+00:00", "before it was asked"),
            ("2999-01-01T00:00:00+00:00", "issued after it was entered"),
            (release.issued_at.replace("+00:00", "Z"), "not written as pets writes it"),
        ):
            file, log = made.signed(*fitted(release.form | {"issued_at": at}, said_of(release)))
            assert why in refused(file, made.key, log=log)


TOGETHER: list[tuple[str, Any, str]] = [
    ("epsilon", "0.5", "too little for the ε"),
    ("epsilon", 2, "not that of its noise"),
    ("delta", "0.0000001", "its δ is another"),
    ("rho", "0.0001", "its ρ is not its cost"),
    ("scales", ["1000", "1000", "1000"], "loses something else"),
    ("cost", {"currency": "zcdp", "delta": 0, "loss": 7}, "it costs something else|something else than its cost"),
    ("protection", {"kind": "dp", "epsilon": "0.5"}, "not the one that was asked for"),
    ("protection", {"kind": "dp", "rho": "0.001"}, "costs more than was asked for"),
    ("protection", {"kind": "dp", "epsilon": 1, "pure": True}, "another law"),
    ("guarantee", "Nobody's rows show.", "guarantee"),
]


@pytest.mark.chance(0)
@pytest.mark.parametrize(
    ("name", "value", "why"), TOGETHER, ids=[f"{name} {value}"[:30] for name, value, _ in TOGETHER]
)
def test_a_lie_in_release_and_certificate_alike(made: Made, name: str, value: Any, why: str) -> None:
    release = made.releases[0]
    form, said = release.form | {name: value}, said_of(release)
    said = said | ({"dp": said["dp"] | {name: value}} if name in said["dp"] else {name: value})
    if name in ("epsilon", "delta"):
        true, lie = {"epsilon": ("ε = 1 ", f"ε = {value} "), "delta": ("δ = 9e-07", "δ = 1e-07")}[name]
        assert true in release.guarantee
        form["guarantee"] = said["guarantee"] = release.guarantee.replace(true, lie)
    file, log = made.signed(form, said)
    with pytest.raises(Refused, match=why):
        check(file, made.key, log=log)


@pytest.mark.chance(0)
def test_a_cap_that_is_not_what_its_epsilon_means(made: Made) -> None:
    release = made.releases[0]
    for factor in (0.9, 1.1):
        cap = int(release.form["budget"]["cap"] * factor)
        form, said = edited(release.form, ("budget", "cap"), cap), edited(said_of(release), ("budget", "cap"), cap)
        form = edited(form, ("budget", "left"), min(form["budget"]["left"], cap - said["budget"]["after"]))
        assert "not what its budget's ε means" in refused(made.signed(form, said)[0], made.key)


@pytest.mark.chance(0)
def test_a_log_that_is_not_the_one(made: Made, pure: Made) -> None:
    release = made.releases[2]
    file = canonical(release.to_json())
    whole = made.whole_log().getvalue()
    lines = whole.splitlines(keepends=True)
    for wrong in (
        pure.whole_log().getvalue(),
        b"".join(lines[:-1]),
        b"".join([*lines[:4], *lines[5:]]),
        b"".join([*lines[:4], lines[5], lines[4], *lines[6:]]),
        whole.replace(b'"loss":', b'"lost":', 1),
        whole + lines[-1],
        lines[0],
        b"",
        b"\n",
    ):
        refused(file, made.key, log=io.BytesIO(wrong))


# what cannot be said --------------------------------------------------------------------------------------------------


@pytest.mark.chance(0)
def test_what_cannot_be_checked(made: Made) -> None:
    release = made.releases[0]
    form, said = release.form, said_of(release)
    for changed, stated, why in (
        (form, {name: part for name, part in said.items() if name != "form"}, "before certificates carried"),
        (form, said | {"form": 2}, "does not know"),
        (form | {"pets": "contribution"}, said, "does not know"),
        (form | {"version": 2}, said, "does not know"),
        (edited(form, ("query", "agg", 0, 1, "agg"), "top"), said, "does not know"),
        (edited(form, ("schema", "tables", "stays", "columns", "days", "type"), "span"), said, "does not know"),
        (form | {"protection": {"kind": "sdc"}}, said | {"protection": {"kind": "sdc"}}, "does not know"),
    ):
        with pytest.raises(CannotCheck, match=why):
            check(made.signed(changed, stated)[0], made.key)
    with pytest.raises(CannotCheck, match="combines sites in a way"):
        check(canonical(form | {"sharing": {}}), made.key)
    with pytest.raises(CannotCheck, match="nobody has signed it"):
        check(canonical(form), made.key)


# what is hostile ------------------------------------------------------------------------------------------------------


@pytest.mark.chance(0)
def test_edited_bytes_are_refused(made: Made) -> None:
    chance, data = random.Random(3), canonical(made.releases[2].to_json())
    for number in range(300):
        at, length = chance.randrange(len(data)), chance.choice([1, 2, 9, 300])
        insert = (b"", data[at : at + length] * 2, chance.randbytes(length))[number % 3]
        changed = data[:at] + insert + data[at + length :]
        if changed != data:
            refused(changed, made.key)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[]", b"null", b"7", b'"x"', b"\xff", b'{"a":NaN}', b'{"a":"\\ud800"}'),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"certificate":{"payload":"","signatures":[]}}'),
        *(b"9" * 10_000_000, b"1e999999", b'{"a":1e999999}', b'{"a":' + b"9" * 5000 + b"}"),
    ],
    ids=lambda data: str(data[:20]),
)
def test_a_foreign_file(made: Made, data: bytes) -> None:
    with pytest.raises((Refused, CannotCheck)):
        check(data, made.key)
    with pytest.raises((Refused, CannotCheck)):
        check(canonical(made.releases[0].form), made.key, data)


@pytest.mark.chance(0)
@pytest.mark.parametrize("number", ["1e999999", "9" * 200, "1/0", "-1", "0", "nan", True, None, [], 10**159])
def test_numbers_that_no_release_has(made: Made, number: Any) -> None:
    release = made.releases[0]
    for name in ("epsilon", "delta", "rho"):
        form, said = release.form | {name: number}, said_of(release)
        refused(made.signed(form, said | {"dp": said["dp"] | {name: number}})[0], made.key)
    scales = [number, *release.form["scales"][1:]]
    said = said_of(release)
    refused(made.signed(release.form | {"scales": scales}, said | {"dp": said["dp"] | {"scales": scales}})[0], made.key)


# the conversion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [1e-18, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("rho", [1e-12, 1e-6, 1e-3, 0.0243559704, 1.0, 50.0, 1e6])
def test_the_least_epsilon_is_the_least_over_all_orders(rho: float, delta: float) -> None:
    """By the paper's formula at many orders: none gives less, and some give nearly as little."""
    import math

    orders = [1 + 10 ** (step / 100) for step in range(-1200, 1900)]
    tried = min(a * rho + math.log(1 / (a * delta)) / (a - 1) + math.log1p(-1 / a) for a in orders)
    found = checker.epsilon(rho, delta)
    assert found <= max(0, tried) * (1 + 1e-9) and found == pytest.approx(max(0, tried), rel=1e-3, abs=1e-9)


# files that stand alone -----------------------------------------------------------------------------------------------


def test_they_are_short_and_need_nothing_of_pets() -> None:
    assert (FOLDER / "__init__.py").read_text("utf-8").count("\n") == 1
    for name in FILES:
        source = (FOLDER / name).read_text("utf-8")
        assert len(source.splitlines()) <= LONGER.get(name, 150), name
        imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {one.module if isinstance(one, ast.ImportFrom) else a.name for one in imports for a in one.names}
        assert {str(one).split(".")[0] for one in names} <= {*sys.stdlib_module_names, "cryptography"}


@pytest.mark.chance(0)
def test_they_run_alone(made: Made, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    release = made.releases[0]
    (tmp_path / "answer.json").write_bytes(canonical(release.to_json()))
    (tmp_path / "bare.json").write_bytes(canonical(release.form))
    (tmp_path / "certificate.json").write_bytes(canonical(dict(release.certificate or {})))
    (tmp_path / "ledger.pub").write_text(made.key.hex() + "\n")
    (tmp_path / "public.log").write_bytes(made.whole_log().getvalue())
    (tmp_path / "schema.json").write_bytes(canonical(SCHEMA.to_json()))
    (tmp_path / "lie.json").write_bytes(made.signed(release.form, said_of(release) | {"what": "nothing"})[0])

    def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        command = [sys.executable, *(["-I"] if env is None else []), "check.py", *arguments]  # (-I reads no variable)
        settings: Any = {"capture_output": True, "text": True, "errors": "replace", "check": False, "env": env}
        done = subprocess.run(command, cwd=tmp_path, **settings)
        return done.returncode, done.stdout, done.stderr

    known = ("--log", "public.log", "--schema", "schema.json")
    assert run("answer.json", "ledger.pub", *known)[::2] == (0, "")
    assert run("bare.json", "ledger.pub", "certificate.json")[1].startswith("holds: Differentially private")
    code, out, err = run("lie.json", "ledger.pub")
    assert (code, out, err.count("\n")) == (11, "", 1) and err.startswith("refused: its certificate promises")
    assert run("bare.json", "ledger.pub")[0] == 12
    assert run("none.json", "ledger.pub")[0] == 12
    for words in ("latin-1", "ascii", "cp1252"):  # a terminal that has no ε
        code, out, err = run("answer.json", "ledger.pub", env={"PYTHONIOENCODING": words})
        assert (code, err) == (0, "") and "with \\u03b5 = 1" in out, words


@pytest.mark.chance(0)
def test_it_is_quick(made: Made) -> None:
    data = canonical(made.releases[2].to_json())
    assert calls(lambda: check(data, made.key)) < 50_000
