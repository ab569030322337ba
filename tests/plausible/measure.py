"""Published rates, and what the tables of a pack show of them: ``python -m tests.plausible.measure`` prints both.

``rates.yaml`` holds those that the pack is tuned to, ``held_out.yaml`` those that it is never tuned to. Each is
measured by one line of SQL over the tables as they are written; nothing here knows how a row was made.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TUNED, HELD_OUT = "rates.yaml", "held_out.yaml"
MEASURED = HERE / "measured.json"
"""What the page shows, and the test compares: of so many people, with this seed."""

PEOPLE, SEED = 50_000, 20


@dataclass(frozen=True)
class Rate:
    """A published rate.

    Attributes:
        name: its key in the file.
        what: what is measured, with its unit.
        published: its value there.
        source: where that stands.
        sql: how it is measured.
        band: how far from the published value is near enough, in per cent of it.
    """

    name: str
    what: str
    published: float
    source: str
    sql: str
    band: float = 10.0

    def __post_init__(self) -> None:
        if not (0 < self.band <= 10 and self.published > 0 and self.what and self.source):
            raise ValueError(f"rate {self.name!r} needs a published value, a source and a band of at most 10 %")

    def holds(self, measured: float) -> bool:
        """Whether a measured value lies in the band."""
        return abs(measured / self.published - 1) <= self.band / 100


def rates(file: str) -> list[Rate]:
    """The rates of a file."""
    return [Rate(name, **told) for name, told in yaml.safe_load((HERE / file).read_text("utf-8")).items()]


def measure(tables: Mapping[str, Any], wanted: Iterable[Rate]) -> dict[str, float]:
    """What Arrow tables show of the rates."""
    import duckdb

    with duckdb.connect() as con:
        con.execute("SET threads = 1")
        for name, table in tables.items():
            con.register(name, table)
        con.execute((HERE / "views.sql").read_text("utf-8"))
        return {rate.name: float(con.execute(rate.sql).fetchall()[0][0]) for rate in wanted}


def kept() -> dict[str, Any]:
    """What was measured when the page was last written."""
    told: dict[str, Any] = json.loads(MEASURED.read_text("utf-8"))
    return told


def main() -> None:
    """Measure, print, and with ``--keep`` write what the page shows."""
    import pets

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--held-out", action="store_true", help="those too that are never used for tuning")
    parser.add_argument("--keep", action="store_true", help="write measured.json")
    args = parser.parse_args()
    wanted = rates(TUNED) + (rates(HELD_OUT) if args.held_out or args.keep else [])
    made = pets.dummy("nhs", people=args.people, seed=args.seed)
    found = measure(made.tables, wanted)
    for rate in wanted:
        beside = "" if rate.holds(found[rate.name]) else f"  <- {found[rate.name] / rate.published - 1:+.0%}"
        print(f"{rate.name:28} {rate.published:8g} {found[rate.name]:8.3g}{beside}")
    print(sum(rate.holds(found[rate.name]) for rate in wanted), "of", len(wanted))
    if args.keep:
        told = {name: float(f"{value:.3g}") for name, value in found.items()}
        rows = {name: table.num_rows for name, table in made.tables.items()}
        MEASURED.write_text(
            json.dumps({"people": args.people, "seed": args.seed, "rows": rows, "rates": told}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
