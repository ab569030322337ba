"""Refusals of a table outside the grid, of whoever asks and of whoever decides, and their remedies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pets
from pets import col
from pets.errors import HeldError
from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.session.disclosure import solving
from pets.session.door import allowed, checking
from tests.checked_tables import SCHEMA, N, T, of_days, searched_here, total
from tests.doors import DAYS, HES, OPEN, asked, days, kept
from tests.remedies import Case

Act = Callable[[], object]
TWO = pets.Schema(
    {
        "people": pets.Table(
            pets.Unit("id", max_rows=1), dict(SCHEMA.table("people").columns) | {"kids": pets.Integer(0, 9)}
        )
    },
    dataset="two-numbers",
)


def here(act: Callable[..., object]) -> Any:
    """The search runs in this process."""
    if act.__code__.co_argcount:

        def within(folder: Path) -> object:
            with mock.patch.object(solving, "_replies", searched_here):
                return act(folder)

        return within

    def inside() -> object:
        with mock.patch.object(solving, "_replies", searched_here):
            return act()

    return inside


def waits(query: Any, more: Any = None, protection: Any = HES) -> Any:
    """Whoever asks is told that it waits; anything else is raised."""

    def ask() -> object:
        custodian = kept(more=more)
        try:
            return custodian.session(analyst="ann").release(query, protection)
        except HeldError as held:
            return held

    return here(ask)


def of_two(query: Any, protection: Any) -> Any:
    def ask() -> object:
        rows, policy = of_days(DAYS).assign(kids=2), pets.Policy(**OPEN)
        custodian = pets.Custodian(TWO, rows, budget=pets.Budget(9, 1e-6), policy=policy, progress=False)
        custodian.name_grid(T.group_by("sex").agg(n=N), HES)
        return custodian.session(analyst="ann").release(query, protection)

    return ask


def approved(**given: Any) -> Any:
    """A proved table is let out."""

    def act() -> object:
        custodian = kept()
        request = asked(custodian, days(0, 1))
        found = custodian.look(request)
        return custodian.approve(request, **{"by": "jo", "finding": found.digest} | given)

    return here(act)


def derived(**given: Any) -> Any:
    """A table from which somebody can be derived."""

    def act() -> object:
        custodian = kept([1, 1, 40])
        total(custodian, days(0, 1))
        request = asked(custodian, days(0, 0))
        return custodian.approve(request, by="jo", finding=custodian.look(request).digest, **given)

    return here(act)


def after(meanwhile: Callable[[pets.Custodian], object], again: bool, end: str = "approve") -> Any:
    """Something happens between a look and the decision; ``again``: it is looked at once more."""

    def act() -> object:
        custodian = kept()
        request = asked(custodian, days(0, 1))
        found = custodian.look(request)
        meanwhile(custodian)
        found = custodian.look(request) if again else found
        if end == "refuse":
            return custodian.refuse(request, by="jo", reason="unclear")
        return custodian.approve(request, by="jo", finding=found.digest, anyway="a test wants it")

    return here(act)


def of_another(columns: Callable[[Any], Any], rows: Any, act: str) -> Any:
    """The schema is another when a request is looked at, or refused."""

    def ask(folder: Path) -> object:
        with Ledger(folder / "ledger.db") as ledger:
            request = asked(kept(ledger=ledger), days(0, 1))
            table = pets.Table(SCHEMA.table("people").unit, columns(dict(SCHEMA.table("people").columns)))
            schema = pets.Schema({"people": table}, dataset="checked-tables")
            other = pets.Custodian(schema, rows, ledger=ledger, policy=pets.Policy(**OPEN), progress=False)
            return other.look(request) if act == "look" else other.refuse(request, by="jo", reason="unclear")

    return here(ask)


def later(less: Any, act: str) -> Any:
    """The policy is another when a request is looked at, or refused."""

    def ask(folder: Path) -> object:
        with Ledger(folder / "ledger.db") as ledger:
            request = asked(kept(ledger=ledger), days(0, 1))
            policy = pets.Policy(**OPEN | less)
            other = pets.Custodian(SCHEMA, of_days(DAYS), ledger=ledger, policy=policy, progress=False)
            return other.look(request) if act == "look" else other.refuse(request, by="jo", reason="unclear")

    return here(ask)


def ruled(act: str) -> Any:
    """The dataset's grid is rounded by another rule when a request is looked at, or refused."""

    def ask() -> object:
        custodian = kept()
        request = asked(custodian, days(0, 1))
        if act != "look":
            return custodian.refuse(request, by="jo", reason="unclear")
        with mock.patch.object(allowed, "present", lambda _: mock.Mock(protection={})):
            return custodian.look(request)

    return here(ask)


def without(columns: Any) -> Any:
    return {name: one for name, one in columns.items() if name != "came"}


def beside(columns: Any) -> Any:
    return columns | {"x": pets.Boolean()}


FEWER, MORE = of_days(DAYS).drop(columns="came"), of_days(DAYS).assign(x=True)


def uncounted(read: bool) -> Any:
    def act() -> object:
        custodian = kept()
        request = asked(custodian, days(0, 1))
        with mock.patch.object(checking, "tabulate", None):
            if not read:
                return custodian.look(request)
            try:
                return custodian.look(request)
            except pets.errors.ReleaseFailedError as failed:
                return custodian.incident(str(failed).partition("incident ")[2][:12])

    return here(act)


def slow(act: Callable[[pets.Custodian, str], object]) -> Any:
    """The table cannot be counted in the policy's time."""

    def look() -> object:
        custodian = kept()
        request = asked(custodian, days(0, 1))
        times = mock.patch.object(checking, "monotonic", mock.Mock(side_effect=[0.0, 10.0**6]))
        with mock.patch.object(checking, "tabulate", None), times:
            return act(custodian, request)

    return here(look)


def beside_others(alone: bool) -> Any:
    """Others look at tables of the dataset all the time."""

    def look() -> object:
        custodian = kept()
        request = asked(custodian, days(0, 1))
        if alone:
            return custodian.look(request)
        with mock.patch.object(checking, "note_look", lambda *_: False):
            return custodian.look(request)

    return here(look)


def no(custodian: pets.Custodian, request: str) -> None:
    custodian.refuse(request, by="jo", reason="unclear")


def edited(again: bool) -> Any:
    """What was found is edited where it lies."""

    def act(folder: Path) -> object:
        with Ledger(folder / "ledger.db") as ledger:
            custodian = kept(ledger=ledger)
            request = asked(custodian, days(0, 1))
            found = custodian.look(request)
            (file,) = (folder / "ledger.db.findings").iterdir()
            file.write_text(json.dumps(found.to_json() | {"state": "sure"}))
            found = custodian.look(request) if again else found
            return custodian.approve(request, by="jo", finding=found.digest)

    return here(act)


def unwritable(blocked: bool) -> Any:
    def act(folder: Path) -> object:
        with Ledger(folder / "ledger.db") as ledger:
            custodian = kept(ledger=ledger)
            if blocked:
                (folder / "ledger.db.findings").write_text("a file")
            return custodian.look(asked(custodian, days(0, 1)))

    return here(act)


def other_request(decide: bool) -> Any:
    def act() -> object:
        custodian = kept()
        job = Queue(custodian.ledger).put("checked-tables", "p", "a", "release", {}, None, held=True)
        return custodian.approve(job.id, by="jo") if decide else custodian.look(job.id)

    return here(act)


def unseen(look: bool) -> Any:
    def act() -> object:
        custodian = kept()
        request = asked(custodian, days(0, 1))
        digest = custodian.look(request).digest if look else "0" * 64
        return custodian.approve(request, by="jo", finding=digest)

    return here(act)


def refused_before(custodian: pets.Custodian) -> None:
    custodian.refuse(asked(custodian, days(1, 2), "bob"), by="jo", reason="unclear")


def left(custodian: pets.Custodian) -> None:
    total(custodian, days(4, 5))


SEVERAL = T.with_columns(sum=col("age") + col("kids")).group_by(col("sum").bins([0, 20, 108])).agg(n=N)
MEAN = T.where(col("came").is_null()).agg(m=pets.mean("age"))
ANEW = "refuse it, and let it be asked anew"
HELD = {"approval": "before"}


def held(grid: bool) -> Any:
    """A custodian whose policy asks for approvals, of a dataset with a grid."""

    def act(folder: Path) -> object:
        with Ledger(folder / "ledger.db") as ledger:
            kept(ledger=ledger, snapshots=folder)
            policy = pets.Policy(**OPEN | HELD)
            custodian = pets.Custodian(SCHEMA, None, ledger=ledger, policy=policy, snapshots=folder, progress=False)
            session = custodian.session(analyst="ann")
            if grid:
                job = custodian.custody.scoped("default", "ann").under("job:1")
                from pets.session.grid.answers import rounded

                return rounded(job, [T.group_by("sex").agg(n=N)], HES, again=False, key=None)
            return session.release(days(0, 1), HES)

    return here(act)


DOOR = [
    Case(waits([days(0, 1), days(0, 2)]), "ask for each in a request of its own", waits([days(0, 1)])),
    Case(waits(MEAN), "ask for pets.count() or pets.rate", waits(days(0, 1))),
    Case(of_two(SEVERAL, HES), "ask with pets.DP(epsilon=…)", of_two(SEVERAL, pets.DP(epsilon=1))),
    Case(held(False), "ask for sums of the grid's cells", held(True)),
    Case(of_another(without, FEWER, "look"), ANEW, of_another(without, FEWER, "refuse")),
    Case(of_another(beside, MORE, "look"), ANEW, of_another(beside, MORE, "refuse")),
    Case(later({"sdc_review": "never"}, "look"), "open the data with sdc_review='always'", later({}, "look")),
    Case(ruled("look"), "by another rule than this table; refuse it", ruled("refuse")),
    Case(uncounted(False), "look at it", uncounted(True)),
    Case(slow(pets.Custodian.look), "allow more, or refuse it", slow(no)),
    Case(beside_others(False), "look once more", beside_others(True)),
    Case(edited(False), "look at it once more", edited(True)),
    Case(unwritable(True), "look at its owner and at the space", unwritable(False)),
    Case(other_request(False), "decide it with approve('the id', by=…)", other_request(True)),
    Case(after(refused_before, True), "refuse it, too", after(refused_before, True, "refuse")),
    Case(derived(anyway=7), "in words", derived(anyway="they consented")),
    Case(derived(), "write anyway='why it leaves all the same'", derived(anyway="they consented")),
    Case(after(pets.Custodian.refresh, False), "look at it once more", after(pets.Custodian.refresh, True)),
    Case(after(left, False), "look at it once more", after(left, True)),
    Case(unseen(False), "write custodian.look('the id') first", unseen(True)),
    Case(approved(finding="0" * 64), "write finding='its digest'", approved()),
    Case(approved(finding=None, anyway="yes"), "name its finding", approved()),
]  # fmt: skip
