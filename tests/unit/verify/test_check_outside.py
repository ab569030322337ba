"""The checkers and tables outside the grid: what a person let leave holds with its log; what nobody did does not."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.errors import VerificationError
from pets.ledger.ledger import Ledger
from pets.ledger.publish import export
from pets.ledger.review.tables import beside
from pets.session.disclosure import solving
from pets.verify.check import CannotCheck, Refused, _cleared, _reviewed, check
from tests.checked_tables import N, T, between, searched_here, total
from tests.doors import HES, days, kept, let_out
from tests.unit.verify.test_check import Made, refused, said_of
from tests.unit.verify.test_reviewed import World

pytestmark = pytest.mark.chance(0)
RATE = T.where(between(2, 4)).group_by("sex").agg(n=N, r=pets.rate(col("age") > 30))


class Outside(Made):
    """Tables outside a grid, of a ledger with a file: proved, derived on somebody's word, and one for another."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        custodian = kept([1, 1, 40, 9, 12, 0, 22], ledger=self.ledger)
        total(custodian, days(0, 1))
        self.found = [let_out(custodian, RATE), let_out(custodian, days(0, 0))]
        ann, bob = (custodian.session(analyst=name) for name in ("ann", "bob"))
        self.tables = [ann.release(RATE, HES), ann.release(days(0, 0), HES), bob.release(RATE, HES)]
        self.key = self.ledger.key.raw
        with self.ledger.reading() as tx:
            self.log = [(body, chain) for body, _, chain in tx.entries()]
            self.note = self.ledger.checkpoint(tx)
        self.ledger.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outside, Path]:
    folder = tmp_path_factory.mktemp("outside")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solving, "_replies", searched_here)
        return Outside(folder), folder


def test_what_a_person_let_leave_holds_with_its_log(made: tuple[Outside, Path]) -> None:
    world, folder = made
    assert [one.state for one in world.found] == ["proved", "attack"]
    for one in world.tables:
        said = check(canonical(one.to_json()), world.key, log=world.whole_log())
        assert said.startswith(one.guarantee) and "each number shown as its rule shows a count" in said
    with Ledger(shutil.copytree(folder, folder / "copy") / "ledger.db") as ledger:
        export.write(ledger, folder / "log.jsonl", progress=False)
        export.verify(folder / "log.jsonl", progress=False)


def lie(world: Outside, at: int = 0, **parts: Any) -> str:
    """Why a table that says something else is refused, though the ledger's own key signed it."""
    one = world.tables[at]
    assert one.certificate is not None
    told, said = copy.deepcopy(one.form) | parts, copy.deepcopy(one.certificate.predicate)
    for name in ("protection", "cost", "notes", "guarantee", "query"):
        said[name] = told[name]
    return refused(world.signed(told, said)[0], world.key)


def test_numbers_that_the_rule_does_not_show_are_refused(made: tuple[Outside, Path]) -> None:
    world = made[0]
    shown = world.tables[0].form["shown"]
    for number in (3, 7, 12, -2, True, "5"):
        assert "as its rule shows no count" in lie(world, shown=[[[number, *shown[0][0][1:]]], *shown[1:]])
    assert "other counts" in lie(world, shown=shown[:1])
    assert "another number of groups" in lie(world, shown=[[[5]], *shown[1:]])


def test_a_promise_of_more_than_was_found_is_refused(made: tuple[Outside, Path]) -> None:
    world = made[0]
    review = world.tables[1].form["review"]
    assert review["found"] == "attack"
    assert "promises something else (guarantee)" in lie(world, 1, review=review | {"found": "proved"})
    wrongs: list[dict[str, Any]] = [{"found": "sure"}, {"finding": "x"}, {"width": 0}, {"releases": 0}, {"width": "3"}]
    for wrong in (*wrongs, {"beside": "x"}, {"beside": 7}, {"salt": None}):
        assert "its review tells nothing" in lie(world, 1, review=review | wrong)
    assert "promises less" in lie(world, 1, review=review | {"width": 2})
    assert "other parts" in lie(world, 1, review=review | {"by": "jo"})


@pytest.fixture
def lying(made: tuple[Outside, Path], tmp_path: Path) -> World:
    """A log of its own to lie in."""
    world: Any = World.__new__(World)
    world.ledger = Ledger(
        shutil.copytree(made[1], tmp_path / "own", ignore=shutil.ignore_patterns("copy")) / "ledger.db"
    )
    return world


@pytest.mark.parametrize(
    ("lies", "said", "audit"),
    [
        (["started"], "", "begins a table outside the grid that nobody but its asker let leave"),
        (["review no finding", "started"], "", "that nobody but its asker let leave"),
        (["review own", "started"], "", "that nobody but its asker let leave"),
        (["review refused"], "decides about no finding", "does not say what an entry of kind 'review' must say"),
        (["review sure"], "decides about no finding", "does not say what an entry of kind 'review' must say"),
        (["review after"], "decides", "decides about an answer that is not held"),
        (["review"], "that was compared with other releases", "that was compared with other releases than had left"),
        (["review more"], "that was compared with other releases", "that was compared with other releases"),
        (["review no width"], "", "does not say what an entry of kind 'review' must say"),
        (["review no numbers"], "", "does not say what an entry of kind 'review' must say"),
    ],
)
def test_what_must_never_happen_is_found(
    made: tuple[Outside, Path], lying: World, lies: list[str], said: str, audit: str, tmp_path: Path
) -> None:
    started = lying.entry("started") | {"request": "0" * 32}
    assert started["what"].startswith("reviewed ")
    review = lying.entry("review") | {"job": "1" * 64}
    with lying.ledger.reading() as tx:
        said_now = [json.loads(body) for body, _, _ in tx.entries()]
    now = [one["request"] for one in said_now if one["event"] == "started" and one["unbounded"]]
    old, review = review, review | {"releases": len(now), "beside": beside(now)}
    bare = {name: part for name, part in review.items() if name not in ("finding", "found")}
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "started": ("started", started),
        "review no finding": ("review", bare),
        "review own": ("review", review | {"by": f" {started['analyst'].upper()}"}),
        "review refused": ("review", review | {"decision": "refuse"}),
        "review sure": ("review", review | {"found": "sure"}),
        "review": ("review", old),
        "review more": ("review", review | {"releases": len(now) + 1}),
        "review no width": ("review", review | {"width": 0}),
        "review no numbers": ("review", review | {"shown": "none"}),
        "review after": ("review", review | {"stage": "after"}),
    }
    for one in lies:
        lying.append(*kinds[one])
    if said:
        with pytest.raises((CannotCheck, Refused), match=said):
            lying.checked(made[0].tables[0])  # type: ignore[arg-type]
    export.write(lying.ledger, tmp_path / "log.jsonl", progress=False)
    with pytest.raises(VerificationError, match=audit):
        export.verify(tmp_path / "log.jsonl", progress=False)
    lying.ledger.close()


def test_a_table_on_the_word_of_another_finding_is_refused(made: tuple[Outside, Path]) -> None:
    world = made[0]
    for at, form in enumerate([one.form for one in world.tables]):
        review = form["review"]
        heard = _reviewed.Reviewed(need, _cleared.person)
        for body, _ in world.log:
            said = json.loads(body)
            if said.get("dataset") == "checked-tables":
                heard.hear(said, said["seq"])
        name = json.loads(said_of(world.tables[at])["log"]["entry"])["request"]
        assert heard.let_out(name, form) and not heard.let_out("0" * 32, form)
        others: list[dict[str, Any]] = [{"finding": "0" * 64}, {"found": "undecided"}, {"beside": "0" * 64}]
        for other in (*others, {"width": 2}, {"releases": 9}, {"salt": "0" * 32}):
            assert not heard.let_out(name, form | {"review": review | other}), other
        assert not heard.let_out(name, form | {"shown": [[[30]]]}), "numbers that were not compared"
        assert not heard.let_out(name, form | {"snapshot": "another"})


def until(lines: list[Any], end: int) -> Any:
    """What a reader of the log has heard before an entry."""
    heard = _reviewed.Reviewed(need, _cleared.person)
    for at, said in enumerate(lines[:end]):
        if said.get("dataset") == "checked-tables":
            heard.hear(said, at)
    return heard


def test_a_table_begins_with_the_entry_after_the_word_by_which_it_leaves(made: tuple[Outside, Path]) -> None:
    lines = [json.loads(body) for body, _ in made[0].log]
    for at, said in enumerate(lines):
        if said["event"] == "started" and said["what"].startswith("reviewed "):
            heard = until(lines, at)
            heard.hear(said, at)
            for places in ([at - 2], []):
                heard = until(lines, at - 1)
                for place in places:
                    heard.hear(lines[at - 1], place)
                with pytest.raises(Refused, match="begins a table that nobody let leave"):
                    heard.hear(said, at)
            heard = until(lines, at - 1)
            heard.hear(lines[at - 1] | {"by": f" {said['analyst'].upper()}"}, at - 1)
            with pytest.raises(Refused, match="begins a table that its asker let leave"):
                heard.hear(said, at)


def need(holds: object, why: str) -> None:
    if not holds:
        raise Refused(why)
