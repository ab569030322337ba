"""Exported logs for tests and benchmarks: any number of entries, by a ledger's own functions but without a database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pets.common import signing
from pets.common.codec import Json
from pets.ledger.db.row_types import moment
from pets.ledger.log.checkpoint import Checkpoint, dataset_id
from pets.ledger.log.merkle import Tree
from pets.ledger.log.records import GENESIS, Record, chained, record
from pets.ledger.publish import export
from pets.protection.budget import Budget

ORIGIN = "pets-ledger/0123456789abcdef"
COST = 1000
_START = 1_800_000_000.0


def entries(count: int, key: str) -> Iterator[tuple[Json, Json]]:
    """Public and private parts: a ledger, its dataset, then requests that start and are committed, one by one."""
    budget = Budget(epsilon=1, delta=1e-6)
    yield {"event": "ledger", "origin": ORIGIN, "key": key, "version": 1}, {}
    cap = {"loss": budget.cap.loss, "delta": budget.cap.delta, "currency": budget.currency}
    yield {"event": "dataset", "dataset": "stays", "budget": budget.to_json(), "units": {"stays": "id"}} | cap, {}
    for number in range(2, count):
        request = {
            "request": f"{number // 2:032x}",
            "dataset": "stays",
            "project": f"project-{number // 2 % 7}",
            "analyst": f"analyst-{number // 2 % 31}",
            "table": "stays",
            "what": "count, mean(length_of_stay) by sex where age",
            "protection": {"kind": "dp", "epsilon": "0.5", "confidence": "0.95"},
            "epoch": 0,
            "loss": COST,
            "delta": 0,
            "unbounded": False,
        }
        if number % 2:
            yield {"event": "committed"} | request, {"release": f"{number:064x}", "snapshot": "5" * 32}
        else:
            query = {"table": "stays", "where": {"op": ">", "column": "age", "value": number % 90}, "by": ["sex"]}
            yield {"event": "started"} | request, {"query": query, "question": f"{number:064x}", "snapshot": "5" * 32}


def records(count: int, key: str) -> Iterator[Record]:
    """The entries as they are stored."""
    for seq, (public, private) in enumerate(entries(count, key)):
        yield record({"seq": seq, "at": moment(_START + seq // 100)} | public, private)


def write_log(path: Path, count: int, *, public: bool = False) -> signing.VerifyingKey:
    """An export of so many entries (2 or more); the key that signed it."""
    key = signing.ephemeral()
    lines, chain, tree, block = path.with_suffix(".lines"), GENESIS, Tree(), []
    with lines.open("wb") as handle:
        for one in records(count, key.public.raw.hex()):
            chain = chained(chain, one.body)
            handle.write(export.line(one.body, None if public else one.private, chain))
            block.append(one.body)
            if len(block) == 4096:
                tree.add(block)
                block = []
    tree.add(block)
    spent = COST * ((count - 1) // 2)
    totals = {dataset_id("stays"): (0, spent, 0, spent, 0)}
    note = Checkpoint(ORIGIN, count, tree.root(), chain, moment(_START + (count - 1) // 100), totals).signed(key)
    with path.open("wb") as out, lines.open("rb") as handle:
        out.write(export.header(export.VIEWS[public], key.public, note))
        while data := handle.read(1 << 20):
            out.write(data)
    lines.unlink()
    return key.public


def packed(
    entries: Sequence[tuple[Json, Json]],
    totals: Mapping[str, tuple[int, ...]],
    key: signing.SigningKey,
    *,
    origin: str = ORIGIN,
    view: str = "public",
    named: bool = False,
    spell: Callable[[bytes], bytes] = lambda body: body,
) -> bytes:
    """A log of any entries, chained and signed as they are; their times and numbers are made up where they have none.

    ``totals`` are by dataset, or with ``named`` as a checkpoint has them.
    """
    chain, tree, lines, at = GENESIS, Tree(), [], moment(_START)
    for seq, (public, private) in enumerate(entries):
        one = record({"seq": seq, "at": at} | public, private)
        body = spell(one.body)
        chain = chained(chain, body)
        tree.add([body])
        lines.append(export.line(body, one.private if view == "full" else None, chain))
        at = str(json.loads(body)["at"])
    known = dict(totals) if named else {dataset_id(name): parts for name, parts in totals.items()}
    note = Checkpoint(origin, len(entries), tree.root(), chain, at, known).signed(key)
    return export.header(view, key.public, note) + b"".join(lines)


def unpacked(data: bytes) -> list[tuple[Json, Json]]:
    """The entries of a full view."""
    lines = [line.split(b"\t") for line in data.split(b"\n")[1:-1]]
    return [(json.loads(body), json.loads(private)) for _, body, private in lines]


def totals_of(data: bytes) -> dict[str, tuple[int, ...]]:
    """What the checkpoint of an export says was charged."""
    note = json.loads(data.split(b"\n")[0])["checkpoint"]
    line = next(line for line in note.split("\n") if line.startswith("totals "))
    return {name: tuple(parts) for name, parts in json.loads(line.removeprefix("totals ")).items()}
