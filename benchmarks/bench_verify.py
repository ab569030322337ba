"""The checker of promises: one release, and one release with the whole log of a busy ledger. Both must stay quick, and
the log's time linear. CPU of one process, the checker's own imports left out."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from common import Page, about, finish, options

import pets
from pets.common.codec import canonical
from pets.ledger.ledger import Ledger
from pets.ledger.log.dsse import envelope
from pets.ledger.log.merkle import Frontier
from pets.ledger.log.records import GENESIS, chained, record
from pets.ledger.publish import export
from pets.release.certificate import PAYLOAD, PREDICATE, STATEMENT
from pets.verify import check
from pets.verify.witness import LOG, Key

SCHEMA = {
    "dataset": "busy",
    "tables": {
        "stays": {
            "unit": {"column": "id", "max_rows": 9, "rows": 3},
            "columns": {
                "id": {"type": "identifier"},
                "age": {"type": "category", "values": [f"age {n}" for n in range(20)]},
                "days": {"type": "integer", "min": 0, "max": 100},
                "admitted": {"type": "date", "min": "2019-04-01", "max": "2024-03-31"},
            },
        }
    },
}
STAYS = pets.query("stays")
QUERIES = (
    STAYS.group_by("age").agg(n=pets.count(), p=pets.count_units(), s=pets.sum("days", clip=(0, 30))),
    STAYS.group_by(pets.col("admitted").period("month")).agg(m=pets.mean("days"), r=pets.rate(pets.col("days") < 2)),
    STAYS.agg(q=pets.quantile("days", 0.9), v=pets.variance("days")),
)
RELEASE, WHOLE = 0.050, 100.0
"""Seconds: of one release, and of a log of a million entries."""


class Busy:
    """A ledger of one release, and so many requests of others before it as a log is to have entries."""

    def __init__(self, folder: Path) -> None:
        import pandas as pd

        rows = pd.DataFrame({"id": ["a"], "age": ["age 1"], "days": [3], "admitted": ["2020-05-01"]})
        self.ledger = Ledger(folder / "ledger.db")
        budget = pets.Budget(20, 1e-6)
        session = pets.Session(SCHEMA, {"stays": rows}, budget=budget, ledger=self.ledger, progress=False)
        self.releases = [session.release(query, pets.DP(epsilon=0.5)) for query in QUERIES]
        self.budget = session.budget
        with self.ledger.reading() as tx:
            self.bodies = [body for body, _, _ in tx.entries()]
        self.first = next(n for n, body in enumerate(self.bodies) if b'"event":"started"' in body)

    def log(self, entries: int) -> tuple[bytes, io.BytesIO]:
        """The first release with all that others asked before it, signed by the ledger, and its whole public log."""
        others = max(0, entries - self.first - 2) // 2
        release, key = self.releases[0], self.ledger.signer
        said = json.loads(json.dumps(release.certificate.predicate if release.certificate else {}))
        bodies, place = self.bodies[: self.first], said["log"]
        model = json.loads(self.bodies[self.first]) | {"loss": 1, "analyst": "other"}
        for number in range(others):
            for event in ("started", "committed"):
                body = model | {"request": f"{number:032x}", "event": event, "seq": len(bodies)}
                bodies.append(record({name: part for name, part in body.items() if name != "sealed"}, {}).body)
        asked = json.loads(self.bodies[self.first]) | {"seq": len(bodies)}
        bodies.append(canonical(asked))
        entry = json.loads(place["entry"]) | {"seq": len(bodies)}
        form = json.loads(canonical(release.form))
        held = said["budget"]
        for name in ("before", "after", "lifetime"):
            held[name] += others
        form["budget"] |= {
            "spent": held["after"],
            "lifetime": held["lifetime"],
            "left": form["budget"]["left"] - others,
        }
        spent = check.epsilon(held["after"] / 10**12, self.budget.conversion_delta)
        form["budget"]["epsilon_spent"] = f"{spent:.15f}".rstrip("0")
        said["other_releases"]["dp"] += others
        digest = hashlib.sha256(canonical(form)).hexdigest()
        private = canonical(json.loads(place["private"]) | {"release": digest})
        entry["sealed"] = hashlib.sha256(private).hexdigest()
        chain, frontier, lines = GENESIS, Frontier(), []
        for body in bodies:
            chain, frontier = chained(chain, body), frontier.add(body)
            lines.append(export.line(body, None, chain))
        path, body = frontier.next_path(), canonical(entry)
        chain, frontier = chained(chain, body), frontier.add(body)
        lines.append(export.line(body, None, chain))
        told = place["checkpoint"].split("\n")
        root = base64.b64encode(frontier.root()).decode()
        text = "\n".join([told[0], str(frontier.size), root, f"chain {chain.hex()}", *told[4:6]]) + "\n"
        mark = base64.b64encode(Key(told[0], LOG, key.public.raw).id + key.sign(text.encode())).decode()
        note = f"{text}\n— {told[0]} {mark}\n"
        said["log"] = place | {"seq": len(bodies), "entry": body.decode(), "private": private.decode()}
        said["log"] |= {"entry_hash": chain.hex(), "checkpoint": note, "inclusion_proof": [p.hex() for p in path]}
        about_it: Any = {"_type": STATEMENT, "predicateType": PREDICATE, "predicate": said}
        about_it["subject"] = [{"name": f"release {said['release_id']}", "digest": {"sha256": digest}}]
        file = canonical(form | {"digest": digest, "certificate": envelope(PAYLOAD, canonical(about_it), key)})
        return file, io.BytesIO(export.header("public", self.ledger.key, note) + b"".join(lines))


def seconds(file: bytes, key: bytes, log: io.BytesIO | None = None, rounds: int = 1) -> float:
    """CPU of one check, the least of some."""
    found = []
    for _ in range(rounds):
        if log is not None:
            log.seek(0)
        before = time.process_time()
        check.check(file, key, log=log)
        found.append(time.process_time() - before)
    return min(found)


def main() -> None:
    args = options(
        __doc__, sizes={"type": int, "nargs": "+", "help": "entries (10,000, 100,000 and 1,000,000)"}
    ).parse_args()
    sizes = args.sizes or ([1_000, 10_000] if args.quick else [10_000, 100_000, 1_000_000])
    page = Page(f"Checking a promise, alone and with {min(sizes):,} to {max(sizes):,} log entries")
    about(page)
    with tempfile.TemporaryDirectory() as folder:
        busy = Busy(Path(folder))
        key = busy.ledger.key.raw
        alone = [seconds(canonical(one.to_json()), key, rounds=5) for one in busy.releases]
        page.table(["release", "CPU ms"], [[str(number), 1e3 * each] for number, each in enumerate(alone)])
        whole = [seconds(*(made := busy.log(size))[:1], key, made[1]) for size in sizes]
        page.table(
            ["entries", "CPU s", "µs an entry"], [[f"{n:,}", s, s / n * 1e6] for n, s in zip(sizes, whole, strict=True)]
        )
        busy.ledger.close()
    page.target("one release, CPU seconds", max(alone), RELEASE)
    page.target("a million entries (from the last size), CPU seconds", whole[-1] / sizes[-1] * 1e6, WHOLE)
    growth = math.log(whole[-1] / whole[0]) / math.log(sizes[-1] / sizes[0])
    page.target("exponent of growth with the log", growth, 1.1)
    finish(page, "bench_verify", args)


if __name__ == "__main__":
    main()
