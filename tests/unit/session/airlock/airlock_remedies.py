"""Refusals of the airlock in Python, and their remedies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pets
from tests.remedies import Case
from tests.unit.verify.test_check import SCHEMA

FILES = {"stays.csv": b"region,n\nNorth,120\nSouth,85\n"}
SAID = {"context": "Stays by region, for the paper.", "controls": "Counts below 10 are hidden, the rest rounded to 5."}

Desk = pets.Custodian


def kept(then: Callable[[Desk, str], object]) -> Callable[[], object]:
    """What is done about an output that was submitted."""

    def act() -> object:
        with pets.Ledger() as ledger:
            keeper = pets.Custodian(SCHEMA, None, ledger=ledger, budget=pets.Budget(1, 1e-6), progress=False)
            mine = keeper.session(analyst="amina", project="stroke").airlock
            return then(keeper, mine.submit(FILES, **SAID).id)

    return act


def released(wanted: Callable[[Path], Path]) -> Callable[[Path], object]:
    """An approved output is written out where a folder's ``taken`` holds another file of its name."""

    def act(folder: Path) -> object:
        (folder / "taken").mkdir()
        (folder / "taken" / "stays.csv").write_bytes(b"another")
        (folder / "file").write_bytes(b"")

        def let_out(keeper: Desk, output: str) -> object:
            for name in ("jo", "kim"):
                keeper.airlock.decide(keeper.airlock.look(output, by=name), "approve", by=name)
            return keeper.airlock.release(output, wanted(folder), by="vera")

        return kept(let_out)()

    return act


AIRLOCK = [
    Case(
        kept(lambda keeper, _: keeper.airlock.outputs("waiting")),
        "there are: ",
        kept(lambda keeper, _: keeper.airlock.outputs("submitted")),
    ),
    Case(
        kept(lambda keeper, output: keeper.session(analyst="amina", project="other").airlock.output(output)),
        "look at the list of those there are",
        kept(lambda keeper, _: keeper.session(analyst="amina", project="other").airlock.outputs()),
    ),
    Case(
        kept(lambda keeper, output: keeper.airlock.decide(output, "approve", by="jo")),  # type: ignore[arg-type]
        "write decide(airlock.look('the id'), …)",
        kept(lambda keeper, output: keeper.airlock.decide(keeper.airlock.look(output), "approve", by="jo")),
    ),
    Case(
        kept(lambda keeper, output: keeper.airlock.send_back(output, by="jo")),  # type: ignore[arg-type]
        "write send_back(airlock.look('the id'), …)",
        kept(lambda keeper, output: keeper.airlock.send_back(keeper.airlock.look(output), by="jo")),
    ),
    Case(
        released(lambda folder: folder / "taken"),
        "name a folder that is empty",
        released(lambda folder: folder / "empty"),
    ),
    Case(
        released(lambda folder: folder / "file"),
        "name another folder",
        released(lambda folder: folder / "other"),
    ),
    Case(
        kept(lambda keeper, output: keeper.airlock.look(output, by="jo").text("stay.csv")),
        "did you mean 'stays.csv'",
        kept(lambda keeper, output: keeper.airlock.look(output, by="jo").text("stays.csv")),
    ),
]
