"""Root: what a dataset's first opening pins, and what a later opening may add.

A dataset is named in its schema. Its data may be made ready again, by any process, under any path: it is the same
people's budget.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common.codec import Json
from pets.errors import BudgetError, LedgerError, did_you_mean, shown
from pets.ledger.db.row_types import ROOT, parsed
from pets.ledger.db.transaction import Transaction
from pets.ledger.ledger import Ledger
from pets.ledger.log.checkpoint import dataset_id
from pets.protection.budget import Budget


@dataclass(frozen=True)
class Root:
    """What a dataset's first opening pins.

    Attributes:
        dataset: its name in the schema.
        units: by table, the column that names a person ('' where each row is one).
        sources: by table, where the rows come from (never what is in them); a table may be without one.
        budget: what it may spend; ``None`` where the ledger must know.
    """

    dataset: str
    units: Mapping[str, str]
    sources: Mapping[str, str]
    budget: Budget | None


def check_begun(address: object, dataset: str, budget: Budget | None) -> None:
    """Refuse a file that is no ledger yet, for who gives no budget: opening it would leave it behind, with its key.

    Raises:
        BudgetError: with the remedy; nothing was made.
    """
    if budget is not None or not isinstance(address, (str, Path)) or "://" in str(address):
        return
    with contextlib.suppress(OSError, ValueError):
        path = Path(address)
        # beside a checkpoint that was left behind, opening it says what to do
        if path.name and not path.exists() and not path.with_name(f"{path.name}.checkpoint").exists():
            raise BudgetError(
                f"there is no ledger {shown(path.name)} there yet; to begin it, give the whole budget of dataset "
                f"{dataset!r} (budget=, or --budget-epsilon), or check the path"
            )


def check_root(ledger: Ledger, root: Root) -> None:
    """Raise what :func:`open_root` would, and change nothing."""
    with ledger.reading() as tx:
        _news(tx, root)


def open_root(ledger: Ledger, root: Root) -> None:
    """Open a dataset, or make it; what was pinned stays as it is.

    Raises:
        LedgerError, BudgetError: where the ledger knows the dataset otherwise: another unit, cap or currency, or the
            same source under another name.
    """
    with ledger.reading() as tx:
        if not _news(tx, root):
            return
    with ledger.writing() as (tx, now):
        for event, said, private in _news(tx, root):
            tx.append(event, now, {"dataset": root.dataset} | said, private)
            _enter(tx, root, event, said, private)
    ledger.publish()


def _news(tx: Transaction, root: Root) -> list[tuple[str, Json, Json]]:
    """What opening it adds to the ledger; raises where it would change what was pinned."""
    name = root.dataset
    row = tx.dataset(name)
    out: list[tuple[str, Json, Json]] = []
    if row is None:
        if root.budget is None:
            known = did_you_mean(name, tx.dataset_names())
            raise BudgetError(
                f"the ledger has no dataset {name!r}{known}; to open it, give its whole budget (budget=, or "
                "--budget-epsilon)"
            )
        opening = _opening(root.budget, root.units)
        if (lost := tx.lost(dataset_id(name))) is not None:  # it was opened before a backup was restored
            if lost[0] > opening["loss"] or lost[1] > opening["delta"]:
                raise BudgetError(
                    f"dataset {name!r} had spent more than that before a backup of the ledger was restored; give a "
                    "budget that holds what it spent"
                )
            opening["charged"] = list(lost)
        out.append(("dataset", opening, {}))
    else:
        _check_pinned(row, root)
    for table, source in root.sources.items():
        if not _check_source(tx, root, table, source):
            out.append(("source", {"table": table}, {"source": source}))
    return out


def _opening(budget: Budget, units: Mapping[str, str]) -> Json:
    cap = budget.cap
    return {
        "currency": cap.currency,
        "budget": budget.to_json(),
        "loss": cap.loss,
        "delta": cap.delta,
        "units": dict(units),
    }


def _enter(tx: Transaction, root: Root, event: str, said: Json, private: Json) -> None:
    if event == "dataset":
        tx.add_dataset(root.dataset, said["currency"], said["budget"], said["units"], (said["loss"], said["delta"]))
        if "charged" in said:
            charged = (said["charged"][0], said["charged"][1])
            tx.charge(root.dataset, ROOT, spent=charged)
            tx.lived(root.dataset, *charged)
    else:
        table = said["table"]
        tx.put_source(private["source"], root.dataset, table, root.units[table])


def _check_pinned(row: Any, root: Root) -> None:
    remedy = "a signed policy change can alter it (pets ledger change)"
    pinned = Budget.from_json(parsed(row.budget))
    if root.budget is not None and root.budget != pinned:
        raise BudgetError(
            f"the ledger holds {pinned!r} for dataset {row.name!r}, not {root.budget!r}; leave budget out; {remedy}"
        )
    pinned_units = parsed(row.units)
    for table, unit in root.units.items():
        if table not in pinned_units:
            raise LedgerError(
                f"dataset {row.name!r} was opened without table {table!r}{did_you_mean(table, pinned_units)}; its "
                "people have one budget, so a table joins by a signed policy change (pets ledger change --table "
                f"'{table}={unit}')"
            )
    for table, unit in pinned_units.items():
        given = root.units.get(table, unit)
        if given != unit:
            raise LedgerError(
                f"in the ledger {_unit(unit)} is protected in table {table!r}, and the schema says {_unit(given)}; "
                f"mend the schema; {remedy}"
            )


def _check_source(tx: Transaction, root: Root, table: str, source: str) -> bool:
    """Whether the source is registered; raises where it is under another name, or protects someone else."""
    row = registered(tx, source)
    if row is None:
        return False
    if row.dataset != root.dataset:
        raise LedgerError(
            f"the data of table {table!r} is registered in this ledger under dataset {row.dataset!r}; the same "
            f"people have one budget: write 'dataset: {row.dataset}' in the schema"
        )
    if row.unit != root.units[table]:
        raise LedgerError(
            f"the data of table {table!r} is registered in this ledger with {_unit(row.unit)} protected, and the "
            f"schema says {_unit(root.units[table])}; mend the schema"
        )
    return True


def registered(tx: Transaction, source: str) -> Any:
    """The row of a source, also under another path to the same file; ``None`` where it is not registered."""
    return tx.source(source) or next((row for row in tx.all_sources() if _same_file(row.id, source)), None)


def _unit(column: str) -> str:
    return f"the person in column {column!r}" if column else "each row"


def _same_file(known: str, given: str) -> bool:
    """Whether two registered paths are one file (links, another spelling)."""
    if not (known.startswith("file:") and given.startswith("file:")):
        return False
    with contextlib.suppress(OSError):
        return Path(known[5:]).samefile(given[5:])
    return False
