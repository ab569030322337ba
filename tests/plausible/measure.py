"""Published rates, and what the tables of a pack show of them: ``python -m tests.plausible.measure`` prints both.

``rates.yaml``, the three looks and ``lives.yaml`` hold those that the pack is tuned to, ``held_out.yaml`` those that it
is never tuned to. Each is measured by one line of SQL over the tables as they are written; nothing here knows how a row
was made.
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
TUNED, FIRST_LOOK, SECOND_LOOK, THIRD_LOOK, LIVES, HELD_OUT = (
    f"{name}.yaml" for name in ("rates", "first_look", "second_look", "third_look", "lives", "held_out")
)
SEEN = (TUNED, FIRST_LOOK, SECOND_LOOK, THIRD_LOOK, LIVES)
MEASURED = HERE / "measured.json"
"""What the page shows, and the test compares: of so many people, with this seed."""

PEOPLE, SEED = 50_000, 20
MANY, OTHER_SEED = 400_000, 98
"""Of so many people chance moves a rate less: what the pack gives, rather than what these people show."""


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


def shown(people: int, seed: int, wanted: Iterable[Rate]) -> dict[str, Any]:
    """What so many invented people show, in three digits."""
    import pets

    tables = pets.dummy("nhs", people=people, seed=seed).tables
    found = {name: float(f"{value:.3g}") for name, value in measure(tables, wanted).items()}
    return {
        "people": people,
        "seed": seed,
        "rows": {name: table.num_rows for name, table in tables.items()},
        "rates": found,
    }


def main() -> None:
    """Measure, print, and with ``--keep`` write what the page shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--held-out", action="store_true", help="those too that are never used for tuning")
    parser.add_argument("--keep", action="store_true", help="measure all of 50,000 and 400,000, write measured.json")
    args = parser.parse_args()
    wanted = [rate for file in SEEN for rate in rates(file)]
    wanted += rates(HELD_OUT) if args.held_out or args.keep else []
    told = shown(args.people, args.seed, wanted)
    for rate in wanted:
        found = told["rates"][rate.name]
        beside = "" if rate.holds(found) else f"  <- {found / rate.published - 1:+.0%}"
        print(f"{rate.name:28} {rate.published:8g} {found:8.3g}{beside}")
    print(sum(rate.holds(told["rates"][rate.name]) for rate in wanted), "of", len(wanted))
    if args.keep:
        kept = shown(PEOPLE, SEED, wanted) | {"many": shown(MANY, OTHER_SEED, wanted)}
        MEASURED.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
