"""Disclosure control: seconds until each small count of a table is proved open or derived; of linked tables too.

The check runs in one thread, so that its CPU is its time on a quiet machine; targets are judged by CPU.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from common import Page, about, finish, options, timed

WIDTH, SECONDS = 3, 60
ONE = (("two-way, 25 × 40", (25, 40), 1.0), ("three-way, 5 × 10 × 20", (5, 10, 20), 5.0))


def main() -> None:
    args = options(
        __doc__,
        sequences={"type": int, "help": "sequences of linked tables (10; 2 with --quick)"},
        cells={"type": int, "help": "protected counts of one table at most (120, as they were measured first)"},
    ).parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import numpy as np

    from pets.sdc.search import check
    from pets.sdc.system import System
    from tests.linked_tables import RULES, Slot, linked, people, small, told, with_margins

    page = Page("Disclosure control: the check of tables")
    about(page, ("pets-privacy", "highspy", "numpy"))
    cells, draw = args.cells or 120, np.random.default_rng(1)
    rules = ("hes", "ons_10_5", "midpoint6", "naive10")
    rows = []
    worst: dict[str, float] = {}
    for name, shape, _ in ONE:
        truth = draw.negative_binomial(0.8, 0.06, int(np.prod(shape)))
        slots = with_margins(shape)
        for rule in rules:
            system = System.from_statements(len(truth), told(slots, truth, RULES[rule]))
            cost, found = timed(lambda: check(system, truth, small(slots, truth)[:cells], WIDTH, SECONDS))  # noqa: B023
            rows.append([f"{name}, {rule}", *counts(found), cost.cpu, cost.wall])
            worst[name] = max(worst.get(name, 0.0), cost.cpu)
    nested = "two nested, 10 × 20"
    truth = draw.negative_binomial(0.8, 0.06, 400)
    inner = with_margins((10, 20))
    outer = [Slot((*one.cells, *(cell + 200 for cell in one.cells)), one.name) for one in inner]
    left = [Slot(tuple(cell + 200 for cell in one.cells), one.name) for one in inner]
    for rule in rules[:3]:
        system = System.from_statements(400, told([*inner, *outer], truth, RULES[rule]))
        wanted = small([*inner, *outer, *left], truth)[:cells]
        cost, found = timed(lambda: check(system, truth, wanted, WIDTH, SECONDS))  # noqa: B023
        rows.append([f"{nested}, {rule}", *counts(found), cost.cpu, cost.wall])
        worst[nested] = max(worst.get(nested, 0.0), cost.cpu)
    apart = with_margins((25, 40))
    large = draw.integers(10, 200, 1000)  # nobody's count is small: there is nothing to prove, and no solver starts
    system = System.from_statements(1000, told(apart, large, RULES["hes"]))
    free = []
    for _ in range(20):
        cost, found = timed(lambda: check(system, large, small(apart, large), WIDTH, SECONDS))
        free.append(1000 * cost.cpu)
    rows.append(["two-way, 25 × 40, hes, nothing small", *counts(found), free[0] / 1000, cost.wall])
    page.table(["table", "protected", "proved", "derived", "undecided", "CPU, s", "clock, s"], rows)
    later = []
    for seed in range(args.sequences or (2 if args.quick else 10)):
        truth, book, slots, tables = people(seed), [], [], []
        for number, new in enumerate(linked(seed, 6)):
            slots = [*slots, *new]
            book = [*book, *told(new, truth, RULES[rules[seed % 3]])]
            system = System.from_statements(len(truth), book)
            cost, found = timed(
                lambda: check(system, truth, small(slots, truth), WIDTH, SECONDS, tables=tables[-60:])  # noqa: B023
            )
            tables = list({id(one): one for f in found if f.pair for one in f.pair}.values())
            if number == 5:
                later.append(cost.cpu)
    page.say(
        f"One more table after five linked ones: median {statistics.median(later):.2g} CPU s of {len(later)} sequences."
    )
    for name, limit in [(name, limit) for name, _, limit in ONE] + [(nested, 1.0)]:
        page.target(f"{name}, the slowest rule, CPU s", worst[name], limit)
    page.target("two-way, 25 × 40, nothing protected, median CPU ms", statistics.median(free), 10.0)
    page.target("one more after five linked tables, p95, CPU s", sorted(later)[int(0.95 * (len(later) - 1))], 3.0)
    finish(page, "bench_sdc", args)


def counts(found: object) -> list[int]:
    return [len(found), *(found.count(state) for state in ("proved", "attack", "undecided"))]  # type: ignore


if __name__ == "__main__":
    main()
