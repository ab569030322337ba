"""Federated totals: what the protocol itself costs, how many bytes a site sends, and that random totals are exact.

All sites and the coordinator run in this one process, one after the other, on vectors in memory: what is measured is
masking, sharing, signing and unmasking, not the query, not the ledgers and not a network.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field

import numpy as np
from common import Page, about, finish, options, timed
from tqdm import tqdm

from pets import signing
from pets.federated.combine import Task, Words
from pets.federated.message import COORDINATOR, Channel, Kind, context_of
from pets.federated.roster import Member, Roster
from pets.federated.ways import collector, party

EMPTY = "0" * 64
QUERY = b"q" * 16


@dataclass
class Run:
    """One query over n sites of m numbers, of which some send nothing from the masked vectors on."""

    n: int
    m: int
    lost: int = 0
    dropouts: int = 0
    colluding: int = 1
    bytes_up: int = 0
    unmask: float = 0.0
    vectors: list[Words] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = [signing.ephemeral() for _ in range(self.n)]
        relay = signing.ephemeral()
        members = tuple(
            Member(f"s{i}", k.public.raw.hex(), EMPTY, EMPTY, "zcdp", 1e-6) for i, k in enumerate(self.keys)
        )
        self.roster = Roster(
            members, relay.public.raw.hex(), (("a", EMPTY),), sites_per_person=1, dropouts=self.dropouts,
            colluding=self.colluding,
        )  # fmt: skip
        context = context_of(self.roster, b"order")
        self.sites = [Channel(self.roster, QUERY, context, i, key) for i, key in enumerate(self.keys)]
        self.desk = Channel(self.roster, QUERY, context, COORDINATOR, relay)
        rng = np.random.default_rng()
        self.vectors = [rng.integers(0, 2**64, self.m, dtype=np.uint64) for _ in range(self.n)]

    def play(self) -> bool:
        """Whether the total is the survivors' sum, bit for bit."""
        parties = [
            party("masked", Task(channel, self.m), lambda i=i: self.vectors[i]) for i, channel in enumerate(self.sites)
        ]
        total, sent = collector("masked", Task(self.desk, self.m)), [0] * self.n
        bodies = dict.fromkeys(range(self.n), b"")
        for number in range(total.rounds):
            replies = {}
            for site, body in bodies.items():
                if number >= 2 and site < self.lost:
                    continue
                data = self.sites[site].write(Kind.ROUND, number, parties[site].answer(number, body))
                sent[site] += len(data)
                replies[site] = self.desk.read(data, number, site)
            cost, bodies = timed(lambda number=number, replies=replies: total.close(number, replies))
        self.unmask, self.bytes_up = cost.cpu, max(sent)
        wanted = np.sum([self.vectors[i] for i in total.survivors], axis=0, dtype=np.uint64)
        return bool((total.total == wanted).all())


def main() -> None:
    args = options(__doc__, queries={"type": int, "help": "random totals (10,000; 30 with --quick)"}).parse_args()
    page = Page("Federated totals")
    about(page)
    page.say(
        "CPU of all parties together, in one process: the protocol alone. Bytes are the most that one site sends, all "
        "messages with headers and signatures. A signature that several parties check is checked once in a process."
    )
    lines: list[list[object]] = []
    cases = [(3, 1000, 0), (10, 1000, 3), (10, 100_000, 3), (300, 1000, 60)]
    for n, m, lost in cases[:3] if args.quick else cases:
        rounds = 1 if n == 300 else 3 if args.quick else 7
        runs = [Run(n, m, lost, dropouts=lost) for _ in range(rounds)]
        costs = [timed(run.play) for run in runs]
        seconds = statistics.median(cost.cpu for cost, _ in costs)
        right = all(exact for _, exact in costs)
        up, unmask = max(run.bytes_up for run in runs), statistics.median(run.unmask for run in runs)
        k = min(n - 1, 30)
        lines.append(
            [n, f"{m:,}", lost, seconds * 1e3, seconds * 1e3 / n, unmask * 1e3, f"{up:,}", up / (8 * m), right]
        )
        page.target(f"{n} sites × {m:,}: totals wrong", 0 if right else 1, 0)
        page.target(f"{n} sites × {m:,}: bytes up above 8m + 256(k + 1)", max(0, up - 8 * m - 256 * (k + 1)), 0)
        if m == 100_000:
            page.target(f"{n} sites × {m:,}: bytes up ÷ 8m", up / (8 * m), 1.01)
        wanted = {(3, 1000): 0.02, (10, 1000): 0.06, (10, 100_000): 0.5}.get((n, m))
        if wanted is not None:
            page.target(f"{n} sites × {m:,}: all parties, CPU s", seconds, wanted)
        else:
            page.target(f"{n} sites × {m:,}: unmasking, CPU s", unmask, 1.0)
    heads = ["sites", "numbers", "lost", "all parties, ms", "a site, ms", "unmask, ms", "bytes up", "÷ 8m", "exact"]
    page.table(heads, lines)
    count = args.queries or (30 if args.quick else 10_000)
    wrong = 0
    for _ in tqdm(range(count), desc="random totals", delay=1):
        n = random.randint(3, 32)
        lost = random.randint(0, (n - 2) // 2)
        wrong += not Run(n, random.randint(1, 200), lost, dropouts=lost, colluding=0).play()
    page.say(f"{count:,} random totals over 3 to 32 sites, up to half of them lost: {wrong} wrong.")
    page.target(f"{count:,} random totals: wrong", wrong, 0)
    finish(page, "bench_federated", args)


if __name__ == "__main__":
    main()
