"""The airlock in Python: an analyst hands files in, checkers look and decide, and their keeper lets them out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pets
from pets.errors import ForbiddenError, HeldError, NotFoundError, PolicyError, UserError
from pets.session.airlock.shown import plain
from tests.unit.verify.test_check import SCHEMA

TABLE = b"region,n\nNorth,120\nSouth,85\n"
CONTEXT, CONTROLS = "Stays by region, for the paper.", "Counts below 10 are hidden, the rest to the nearest 5."


@pytest.fixture
def keeper() -> Iterator[pets.Custodian]:
    with pets.Ledger() as ledger:
        yield pets.Custodian(SCHEMA, None, ledger=ledger, budget=pets.Budget(1, 1e-6), progress=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "outputs"
    (place / "tables").mkdir(parents=True)
    (place / "tables" / "stays.csv").write_bytes(TABLE)
    (place / "CONTEXT.md").write_text(CONTEXT)
    (place / "CONTROLS.md").write_text(CONTROLS)
    return place


def test_an_output_goes_the_whole_way(keeper: pets.Custodian, folder: Path, tmp_path: Path) -> None:
    mine = keeper.session(analyst="amina", project="stroke").airlock
    assert mine.check(folder).clean
    made = mine.submit(folder)
    assert (made.state, made.turn, made.analyst, made.project) == ("submitted", 1, "amina", "stroke")
    desk = keeper.airlock
    assert [one.id for one in desk.waiting(by="jo")] == [made.id]
    seen = desk.look(made.id, by="jo")
    assert seen.files == {"tables/stays.csv": TABLE} and seen.preflight is not None and seen.preflight.clean
    assert seen.text("tables/stays.csv") == "region,n\nNorth,120\nSouth,85"
    assert (
        desk.decide(seen, "return", by="jo", reason="missing-context", note="which year?").votes[0].note
        == "which year?"
    )
    assert mine.output(made.id).votes == ()
    desk.comment(made.id, "see my note", by="jo")
    assert desk.decide(desk.look(made.id, by="kim"), "return", by="kim", reason="unclear").state == "returned"
    told = mine.output(made.id)
    assert [one.reason for one in told.votes] == ["missing-context", "unclear"]
    assert "jo: return (missing-context); which year?" in repr(told) and "see my note" in repr(told)
    again = mine.resubmit(made.id, folder, context=f"{CONTEXT} Year 2025.")
    with pytest.raises(HeldError, match="not the output that waits"):
        desk.decide(seen, "approve", by="jo")
    for name in ("jo", "kim"):
        last = desk.decide(desk.look(made.id, by=name), "approve", by=name)
    assert (last.state, again.turn, again.state) == ("approved", 2, "submitted")
    (written,) = desk.release(made.id, tmp_path / "out", by="vera")
    assert written == tmp_path / "out" / "tables" / "stays.csv" and written.read_bytes() == TABLE
    assert desk.release(made.id, tmp_path / "out", by="vera") == [written]
    written.write_text("another")
    with pytest.raises(UserError, match="has another file named"):
        desk.release(made.id, tmp_path / "out", by="vera")
    assert [one.state for one in mine.outputs()] == ["released"] == [one.state for one in desk.outputs("released")]


def test_what_is_another_analysts_is_not_there(keeper: pets.Custodian) -> None:
    made = keeper.session(analyst="amina", project="stroke").airlock.submit(
        {"a.csv": TABLE}, context=CONTEXT, controls=CONTROLS
    )
    for analyst, project in (("ben", "stroke"), ("amina", "other")):
        other = keeper.session(analyst=analyst, project=project).airlock
        for act in (
            lambda other=other: other.output(made.id),
            lambda other=other: other.withdraw(made.id),
            lambda other=other: other.comment(made.id, "hello"),
            lambda other=other: other.resubmit(made.id, {"a.csv": TABLE}, context=CONTEXT, controls=CONTROLS),
        ):
            with pytest.raises(NotFoundError):
                act()
        assert len(other.outputs()) == 0
    mine = keeper.session(analyst="amina", project="stroke").airlock
    assert mine.comment(made.id, "hello").comments[0].text == "hello" and mine.withdraw(made.id).state == "withdrawn"


def test_the_policy_says_who_decides() -> None:
    with pets.Ledger() as ledger:
        policy = pets.Policy(output_votes=1, output_days=2, output_logins=True)
        keeper = pets.Custodian(SCHEMA, None, ledger=ledger, budget=pets.Budget(1, 1e-6), policy=policy, progress=False)
        given = {"context": CONTEXT, "controls": CONTROLS}
        made = keeper.session(analyst="amina").airlock.submit({"a.csv": TABLE}, **given)
        assert "0 of 1 have voted" in repr(made) and not made.overdue
        with pytest.raises(ForbiddenError, match="only from whoever is logged in"):
            keeper.airlock.decide(keeper.airlock.look(made.id), "approve", by="jo")
    assert pets.Policy.from_json(policy.to_json()) == policy and pets.Policy().to_json() == {"allow_unbounded": False}
    with pytest.raises(PolicyError, match="output_logins must be True or False"):
        pets.Policy(output_logins=1)  # type: ignore[arg-type]


def test_an_output_is_shown_and_steers_nothing(keeper: pets.Custodian) -> None:
    mine = keeper.session(analyst="amina").airlock
    made = mine.submit(
        {"a.md": b"# \x1b[2J words\n" + b"x\n" * 40}, context=f"{CONTEXT} \x1b[31m<b>", controls=CONTROLS
    )
    seen = keeper.airlock.look(made.id)
    assert "\x1b" not in repr(seen) and "\x1b" not in seen.text("a.md") and r"\x1b[2J" in seen.text("a.md")
    assert seen.text("a.md").endswith("… and 11 lines more") and "<b>" not in seen._repr_html_()
    assert "&lt;b&gt;" in seen._repr_html_() and made.id in mine.outputs()._repr_html_()
    assert repr(keeper.airlock.outputs("released")) == "No outputs."
    with pytest.raises(UserError, match=r"no file 'b\.md' here; did you mean 'a\.md'"):
        seen.text("b.md")
    with pytest.raises(UserError, match="'done' is no state of an output"):
        keeper.airlock.outputs("done")
    with pytest.raises(UserError, match=r"decide\(airlock\.look\('the id'\)"):
        keeper.airlock.decide(made.id, "approve", by="jo")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"send_back\(airlock\.look\('the id'\)"):
        keeper.airlock.send_back(made.id, by="jo")  # type: ignore[arg-type]
    assert keeper.airlock.send_back(seen, by="jo", reason="unclear").state == "returned"
    assert plain("a\tb\n") == r"a\tb" + "\n"
