"""The contenders of bench_aggregates: each function is run in a process of its own and gives the cases it can run."""

from __future__ import annotations

import statistics
import time
import warnings
from pathlib import Path
from typing import Any

from common import Case, form, peak

GROUPS = {"g9": 9, "g1000": 1000}
BOUND = 3  # rows of a person that count
BEST = 100  # the greatest v


def raw(path: Path, groups: tuple[str, ...]) -> tuple[dict[str, Case], Any]:
    """DuckDB over natively typed columns in memory, without any protection."""
    import duckdb

    con = duckdb.connect()
    con.execute(f"CREATE TABLE raw AS SELECT * FROM read_parquet('{path}')")

    def ask(what: str, group: str, where: str = "") -> Case:
        sql = f"SELECT {group}, {what} FROM raw {where} GROUP BY {group}"
        return lambda: con.cursor().execute(sql).fetchnumpy() is None

    cases: dict[str, Case] = {}
    for g in groups:
        cases[f"{g} count + sum"] = ask("count(*), sum(v)", g)
        cases[f"{g} count + sum + mean"] = ask("count(*), sum(v), avg(v)", g)
        cases[f"{g} people"] = ask("count(DISTINCT person)", g)
        cases[f"{g} people, filtered"] = ask("count(DISTINCT person)", g, "WHERE v >= 50")
        cases[f"{g} count + sum + people"] = ask("count(*), sum(v), count(DISTINCT person)", g)
    return cases, None


def prepared(path: Path, groups: tuple[str, ...], nullable: bool, folder: str | None) -> tuple[dict[str, Case], Any]:
    """Ours: the exact bounded vector of a plan, from a snapshot in memory or in a folder."""
    from common import timed

    import pets
    from pets import col
    from pets.plan.plan import make_plan
    from pets.rows.snapshot import Snapshot
    from pets.rows.tabulate import tabulate
    from pets.schema.schema import Schema

    schema = Schema.load(form(nullable))
    preparing, snapshot = timed(
        lambda: Snapshot.make(schema, "stays", {"stays": str(path)}, folder=folder, progress=False)
    )
    most = peak()
    widening, _ = timed(snapshot.ensure_wide)

    def ask(query: pets.Query) -> Case:
        plan = make_plan(query, schema)
        return lambda: tabulate(plan, snapshot) is None

    cases: dict[str, Case] = {}
    for g in groups:
        base = pets.query("stays").group_by(g)
        both = base.agg(n=pets.count(), s=pets.sum("v"))
        cases[f"{g} count + sum"] = ask(both)
        cases[f"{g} count + sum, K = 2"] = ask(both.bound(rows=2))
        cases[f"{g} count + sum, clipped"] = ask(base.agg(n=pets.count(), s=pets.sum("v", clip=(10, 90))))
        cases[f"{g} count + sum + mean"] = ask(both.agg(m=pets.mean("v")))
        cases[f"{g} people"] = ask(base.agg(u=pets.count_units()))
        cases[f"{g} people, filtered"] = ask(base.where(col("v") >= 50).agg(u=pets.count_units()))
        cases[f"{g} count + sum + people"] = ask(both.agg(u=pets.count_units()))
    info = {"prepare": preparing, "prepare_peak": most, "wide": widening, "kept": snapshot.report.rows_kept}
    return cases, info


def overhead(repeats: int) -> tuple[dict[str, Case], Any]:
    """Ours on a table of 600 rows: what a query costs whatever the size of the data (CPU ms, median; first: cold)."""
    import pandas as pd

    import pets
    from pets.dp.calibrate import calibrate
    from pets.dp.mechanism import measure
    from pets.plan.plan import make_plan
    from pets.protection.budget import Budget
    from pets.release.estimate import estimate
    from pets.rows.snapshot import Snapshot
    from pets.rows.tabulate import tabulate
    from pets.schema.schema import Schema

    rows = range(600)
    frame = pd.DataFrame({"person": rows, "g9": [i % 9 for i in rows], "g1000": rows, "v": [i % 101 for i in rows]})
    frame = frame.assign(x=frame["v"] / 10, d="2020-01-01")
    schema, budget = Schema.load(form()), Budget(epsilon=1000, delta=1e-6)
    snapshot = Snapshot.make(schema, "stays", {"stays": frame}, progress=False)
    found: dict[str, dict[str, float]] = {}
    for g in ("warm-up", *GROUPS):
        parts: dict[str, list[float]] = {}
        for _ in range(repeats):
            clock = [time.process_time()]

            def lap(name: str, parts: dict[str, list[float]] = parts, clock: list[float] = clock) -> None:
                clock.append(time.process_time())
                parts.setdefault(name, []).append((clock[-1] - clock[-2]) * 1e3)

            query = pets.query("stays").group_by("g9" if g == "warm-up" else g).agg(n=pets.count(), s=pets.sum("v"))
            if g == "warm-up":
                query = query.bound(rows=1)
            plan = make_plan(query, schema)
            lap("plan")
            noise = calibrate(plan, pets.DP(epsilon=1), budget)
            lap("calibrate")
            exact = tabulate(plan, snapshot).reveal()
            lap("tabulate")
            noisy = measure(plan, exact, noise)
            lap("noise")
            estimate(plan, noisy, noise.mechanism, noise.scales)
            lap("estimate")
        fixed = [sum(parts[p][i] for p in parts if p != "noise") for i in range(repeats)]
        found[g] = {name: statistics.median(times) for name, times in parts.items()}
        found[g] |= {"fixed": statistics.median(fixed), "first": fixed[0]}
    return {}, found


def error(rows_path: Path, releases: int) -> tuple[dict[str, Case], Any]:
    """Ours: RMSE over many releases of count and sum at (ε = 1, δ = 1e-6), 9 groups."""
    import numpy as np

    import pets
    from pets.dp.calibrate import calibrate
    from pets.dp.mechanism import measure
    from pets.plan.plan import make_plan
    from pets.protection.budget import Budget
    from pets.release.estimate import estimate
    from pets.rows.snapshot import Snapshot
    from pets.rows.tabulate import tabulate
    from pets.schema.schema import Schema

    schema, budget = Schema.load(form()), Budget(epsilon=1000, delta=1e-6)
    snapshot = Snapshot.make(schema, "stays", {"stays": str(rows_path)}, progress=False)
    plan = make_plan(pets.query("stays").group_by("g9").agg(n=pets.count(), s=pets.sum("v")), schema)
    exact = tabulate(plan, snapshot).reveal()
    truth = estimate(plan, exact, "none", (0.0,) * len(plan.measures))
    out: dict[str, tuple[float, float]] = {}
    asked = {"pets, Laplace (pure=True)": pets.DP(epsilon=1, pure=True), "pets, Gaussian": pets.DP(epsilon=1)}
    for name, protection in asked.items():
        noise = calibrate(plan, protection, budget)
        squares: dict[str, list[float]] = {"n": [], "s": []}
        for _ in range(releases):
            got = estimate(plan, measure(plan, exact, noise), noise.mechanism, noise.scales)
            for column in squares:
                off = np.asarray(got[column].estimate, float) - np.asarray(truth[column].estimate, float)
                squares[column] += np.square(off).tolist()
        out[name] = (float(np.sqrt(np.mean(squares["n"]))), float(np.sqrt(np.mean(squares["s"]))))
    return {}, out


def opendp(path: Path, groups: tuple[str, ...], rows: int) -> tuple[dict[str, Case], Any]:
    """OpenDP's own Polars context: whole-number columns, at most 3 rows of a person, public keys, pure ε = 1.

    Whole numbers spare it the widening of float sums; ``truncate_per_group`` without groups is a row cap for each
    person (``truncate_num_groups`` fails in 0.16 with its default choice of rows).
    """
    import opendp.prelude as dp
    import polars as pl

    dp.enable_features("contrib")
    warnings.simplefilter("ignore")
    whole = dict.fromkeys(("g9", "g1000", "v"), pl.Int64)
    frame = pl.read_parquet(path, columns=["person", *whole]).cast(whole)

    def question(group: str) -> Any:
        context = dp.Context.compositor(
            data=frame.lazy(),
            privacy_unit=dp.unit_of(contributions=1, identifier=pl.col("person")),
            privacy_loss=dp.loss_of(epsilon=1.0),
            split_evenly_over=1,
            margins=[dp.polars.Margin(by=[group], max_length=rows, max_groups=GROUPS[group])],
        )
        keys = pl.LazyFrame({group: list(range(GROUPS[group]))}, schema={group: pl.Int64})
        measures = dp.len().alias("n"), pl.col("v").dp.sum((0, BEST)).alias("s")
        return context.query().truncate_per_group(BOUND).group_by(group).agg(*measures).with_keys(keys)

    def scales() -> tuple[float, float]:
        told = question("g9").summarize()
        return float(told["scale"][0]), float(told["scale"][1])

    def plain(group: str) -> Case:
        return lambda: frame.lazy().group_by(group).agg(pl.len(), pl.col("v").sum()).collect() is None

    def release(group: str) -> Case:
        return lambda: question(group).release().collect() is None

    cases: dict[str, Case] = {f"{g} count + sum": release(g) for g in groups}
    cases |= {f"{g} plain": plain(g) for g in groups}
    cases["scales"] = scales
    return cases, None


def laplace_rmse(scale: float) -> float:
    """The standard deviation of discrete Laplace noise."""
    import math

    p = math.exp(-1 / scale)
    return math.sqrt(2 * p) / (1 - p)
