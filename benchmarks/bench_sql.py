"""SQL: from a text to a plan, for the queries of the tests that are answered; the parser's part apart."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from common import Page, about, finish, options

MILLISECONDS = 8.0


def best(case: Callable[[], object], rounds: int) -> float:
    """The median milliseconds of CPU of a call."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        case()
        times.append((time.process_time() - start) * 1e3)
    return statistics.median(times)


def main() -> None:
    args = options(__doc__, rounds={"type": int, "help": "calls of each (50; 5 with --quick)"}).parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import pets
    from pets.errors import QueryError
    from pets.plan.plan import make_plan
    from pets.query_model.sql.parsing import tree
    from tests.unit.query_model.sql.test_forty_two import CASES, SCHEMA

    page = Page("SQL from text to plan")
    about(page)
    rounds = args.rounds or (5 if args.quick else 50)
    answered, refused = [], []
    for case in CASES:
        try:
            make_plan(pets.sql(case.sql, SCHEMA).shown_as(None), SCHEMA)
            answered.append(case)
        except QueryError:  # refused, or answered once the keys of a text are released
            refused.append(case)
    whole, parsed = {}, {}
    for case in answered:
        text = case.sql
        numbers = itertools.count()

        def plan(text: str = text, numbers: Iterator[int] = numbers) -> object:
            query = pets.sql(text, SCHEMA)
            # names of its own each time, so that no plan is taken from the cache
            named = tuple((f"m{next(numbers)}", node) for _, node in query.aggregates)
            return make_plan(replace(query.shown_as(None), aggregates=named), SCHEMA)

        def parse(text: str = text) -> object:
            return tree(text)

        whole[case.number], parsed[case.number] = best(plan, rounds), best(parse, rounds)
    page.table(
        ["query", "text to plan, ms", "of it parsing, ms"],
        [[number, whole[number], parsed[number]] for number in sorted(whole, key=lambda number: -whole[number])],
    )
    page.target("text to plan, the slowest, ms", max(whole.values()), MILLISECONDS)
    finish(page, "bench_sql", args)


if __name__ == "__main__":
    main()
