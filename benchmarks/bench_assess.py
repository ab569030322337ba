"""Assess: how long a page about 30,000 rows of 15 columns takes, and whether 1 % of copied rows is flagged every time.

The rows are invented here: eight categories and seven whole numbers that hang together. The yardstick in the same run
is scikit-learn's boosted trees, fitted once on the same rows: an assessment fits and asks several dozen learners.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pandas as pd
from common import Page, about, finish, options

import pets

ROWS, QUICK_ROWS = 30_000, 3_000
COPIES = 0.01


def main() -> None:
    args = options(__doc__).parse_args()
    rows, seeds = (QUICK_ROWS, 1) if args.quick else (ROWS, 3)
    page = Page("Assess: a page about a synthetic table")
    about(page)
    real, holdout = invented(rows, 1), invented(rows, 2)
    copied = int(COPIES * rows)
    lines: list[list[object]] = []
    flagged = 0
    for seed in range(seeds):
        clean = invented(rows, 10 + seed)
        planted = pd.concat([clean[copied:], real.sample(copied, random_state=seed)], ignore_index=True)
        learnt = clocked(lambda: learn(real))[0]
        took, _ = clocked(lambda made=clean: pets.assess(real, made, holdout, progress=False))  # type: ignore[misc]
        took_planted, found = clocked(lambda made=planted: pets.assess(real, made, holdout, progress=False))  # type: ignore[misc]
        flagged += any(flag.startswith("copies of unique rows") for flag in found.flags)
        lines.append(
            [
                f"seed {seed}",
                took,
                took_planted,
                learnt,
                took / learnt,
                "; ".join(flag.partition(":")[0] for flag in found.flags),
            ]
        )
    page.table(("", "assess, s", "with 1 % copies, s", "one learner, s", "ratio", "flags with copies"), lines)
    page.target(
        f"assess, {rows:,} rows of 15 columns, seconds",
        statistics.median(line[1] for line in lines),
        120,  # type: ignore[misc]
    )
    page.target("tables with 1 % of copied rows that were flagged, share", flagged / seeds, 1, least=True)
    finish(page, "bench_assess", args)


def invented(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    hidden = random.normal(size=rows)
    out: dict[str, object] = {}
    for number in range(8):
        cut = pd.cut(hidden + random.normal(size=rows), bins=5, labels=list("abcde"))
        out[f"c{number}"] = cut.astype(str)
    for number in range(7):
        out[f"n{number}"] = np.round(50 + 10 * hidden + 15 * random.normal(size=rows)).astype(int)
    return pd.DataFrame(out)


def learn(real: pd.DataFrame) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    numbers = real.apply(lambda column: column if column.dtype.kind in "iu" else column.astype("category").cat.codes)
    with threadpool_limits(1):  # two threads of OpenMP that share a core wait for each other without end
        HistGradientBoostingClassifier(random_state=0).fit(numbers.drop(columns="c7"), numbers["c7"])


def clocked(work):  # type: ignore[no-untyped-def]
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


if __name__ == "__main__":
    main()
