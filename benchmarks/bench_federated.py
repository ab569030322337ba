"""Federated totals: what the protocol itself costs, how many bytes a site sends, and that random totals are exact.

All sites and the coordinator run in this one process, one after the other, on vectors in memory: what is measured is
masking, sharing, signing and unmasking, not the query, not the ledgers and not a network.
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
import socket
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from common import Page, about, finish, options, timed

from pets.common import signing
from pets.common.progress import steps
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of
from pets.federated.messages.roster import Member, Roster
from pets.federated.secure_sum.graph import degree
from pets.federated.secure_sum.interface import Task, Words
from pets.federated.secure_sum.registry import collector, party

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


class Echo:
    """A gate that says back what it is told: what is timed is the way to it."""

    def handle(self, data: bytes) -> bytes:
        return data


def nvflare_rounds(rounds: int) -> list[tuple[int, float, float]]:
    """Three NVFlare sites on loopback over mutual TLS: (numbers, median and worst seconds of a round)."""
    from pets.federated.deployment import processes, startup_kit
    from pets.federated.deployment.federation_folder import ADMIN
    from pets.federated.deployment.gateway import VARIABLE, listening
    from pets.federated.deployment.nvflare_engine import Line, provision

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names, out = ["a", "b", "c"], []
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made, _ = provision("pets", "localhost", port, names, ADMIN, root / "work")
        for name in ("", *names):
            gate = {VARIABLE: stack.enter_context(listening(Echo()))} if name else {}
            startup_kit.unpack(
                startup_kit.of(made / (name or "localhost"), name, "pets", "localhost", port), root / f"run-{name}"
            )
            stack.enter_context(processes.running(root / f"run-{name}", name, root / f"{name}.log", gate))
        line = _connected(lambda: Line(made / ADMIN, ADMIN, names, startup_kit.write_job(root), 60.0), port, len(names))
        stack.callback(line.close)
        line.prepare()
        for numbers in (1, 1000, 100_000):
            message, walls = bytes(8 * numbers), []
            for _ in range(rounds):
                begun = time.perf_counter()
                replies = line.exchange(dict.fromkeys(range(3), message), lambda site: None)
                walls.append(time.perf_counter() - begun)
                assert replies == dict.fromkeys(range(3), message)
            out.append((numbers, statistics.median(walls), max(walls)))
    return out


def _connected(make, port: int, sites: int):
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.3)
    line = make()
    while len(line.prepare()) < sites:
        time.sleep(0.3)
    return line


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
        k = min(n - 1, degree(runs[0].roster))
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
    with steps(range(count), "random totals") as runs:
        for _ in runs:
            n = random.randint(3, 32)
            lost = random.randint(0, (n - 2) // 2)
            wrong += not Run(n, random.randint(1, 200), lost, dropouts=lost, colluding=0).play()
    page.say(f"{count:,} random totals over 3 to 32 sites, up to half of them lost: {wrong} wrong.")
    page.target(f"{count:,} random totals: wrong", wrong, 0)
    if importlib.util.find_spec("nvflare") is None:
        page.say("NVFlare is not installed (pip install '.[federated]'), so its rounds were not timed.")
    else:
        timings = nvflare_rounds(5 if args.quick else 20)
        page.say(
            "A round over NVFlare: three sites on this machine, mutual TLS, a message there and one of its size back."
        )
        page.table(
            ["numbers", "median round, s", "worst, s"],
            [[f"{numbers:,}", mid, worst] for numbers, mid, worst in timings],
        )
        for numbers, mid, _ in timings:
            page.target(f"NVFlare, 3 sites × {numbers:,}: wall s a round", mid, 2.5)
    finish(page, "bench_federated", args)


if __name__ == "__main__":
    main()
