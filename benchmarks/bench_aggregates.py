"""Count, sum, mean and count_units at 10 million rows, against DuckDB without protection, OpenDP and diffprivlib.

diffprivlib is measured with ``--diffprivlib PYTHON``, of an environment where it is installed beside scikit-learn 1.3.
In one run: each contender has a process of its own, and rounds are interleaved.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import contenders
from common import HERE, Child, Cost, Page, about, finish, interleave, options, paired, rows_file

SUMS = ("count + sum", "count + sum + mean")


def main() -> None:
    args = options(
        __doc__,
        rows={"type": int, "help": "rows (10 million; 1 million with --quick)"},
        rounds={"type": int, "help": "interleaved rounds (9; 3 with --quick)"},
        no_peers={"action": "store_true", "help": "leave OpenDP and diffprivlib out"},
        diffprivlib={
            "metavar": "PYTHON",
            "help": "of an environment that has it; left out, it is not measured",
        },
    ).parse_args()
    rows = args.rows or (1_000_000 if args.quick else 10_000_000)
    rounds = args.rounds or (3 if args.quick else 9)
    page = Page(f"Aggregates at {rows:,} rows")
    about(page)
    path, groups = rows_file(rows), tuple(contenders.GROUPS)
    with tempfile.TemporaryDirectory() as folder:
        raw = Child(contenders.raw, path, groups)
        ours = Child(contenders.prepared, path, groups, False, None)
        nullable = Child(contenders.prepared, path, groups, True, None)
        stored = Child(contenders.prepared, path, groups, False, f"{folder}/snapshot")
        fast = [f"{g} {what}" for g in groups for what in SUMS]
        extra = [f"{g} count + sum, {what}" for g in groups for what in ("clipped", "K = 2")]
        interleave(rounds, (raw, fast), (ours, fast + extra), (nullable, fast + extra), (stored, fast))
        slow = [f"{g} {what}" for g in groups for what in ("people", "people, filtered", "count + sum + people")]
        interleave(2 if args.quick else 3, (raw, slow), (ours, slow), (nullable, slow))
        aggregates(page, groups, raw, {"in memory": ours, "nullable": nullable, "stored": stored})
        preparation(page, rows, raw, {"in memory": ours, "nullable": nullable, "stored": stored})
        for child in (nullable, stored):
            child.close()
    overhead(page, 10 if args.quick else 40)
    peers(page, args, rows, raw, ours)
    finish(page, "bench_aggregates", args)


def aggregates(page: Page, groups: tuple[str, ...], raw: Child, ours: dict[str, Child]) -> None:
    """CPU of prepared queries ÷ CPU of the same question in DuckDB without protection."""
    page.say(
        "### Prepared queries",
        "",
        "CPU ms of the exact bounded vector (K = 3) and its ratio to the unprotected query over natively typed columns "
        "in memory. *stored*: from the Parquet file of a snapshot folder. A snapshot holds at most 3 rows of a person, "
        f"here {ours['in memory'].info['kept']:,}, and a part of the gain is that.",
    )
    lines = []
    for g in groups:
        size = contenders.GROUPS[g]
        for what in (*SUMS, "count + sum, clipped", "count + sum, K = 2"):
            case, base = f"{g} {what}", f"{g} {what.split(',')[0]}"
            cells: list[object] = [f"{what}, {size} groups", raw.cpu(base) * 1e3]
            for child in ours.values():
                if case in child.runs:
                    cells += [child.cpu(case) * 1e3, paired(child, case, raw, base)]
                else:
                    cells += ["", ""]
            lines.append(cells)
        for what in ("people", "people, filtered", "count + sum + people"):
            case = f"{g} {what}"
            cells = [f"{what}, {size} groups", raw.cpu(case) * 1e3]
            for child in ours.values():
                ran = case in child.runs
                cells += [child.cpu(case) * 1e3, paired(child, case, raw, case)] if ran else ["", ""]
            lines.append(cells)
    heads = ["query", "DuckDB"]
    for name in ours:
        heads += [name, "ratio"]
    page.table(heads, lines)
    main, nullable = ours["in memory"], ours["nullable"]
    for g, limit in (("g9", 1.0), ("g1000", 1.2)):
        size = contenders.GROUPS[g]
        base = f"{g} count + sum"
        page.target(f"count + sum, {size} groups: CPU ÷ unprotected", paired(main, base, raw, base), limit)
        clipped = paired(main, f"{base}, clipped", raw, base)
        page.target(f"the same, clipped tighter than the schema, {size} groups", clipped, 1.5)
        page.target(f"the same, nullable columns, {size} groups", paired(nullable, base, raw, base), 1.5)
        for what in ("people", "people, filtered"):
            ratio = paired(main, f"{g} {what}", raw, f"{g} {what}")
            page.target(f"count_units ({what}), {size} groups: CPU ÷ COUNT(DISTINCT person)", ratio, 0.2)


def preparation(page: Page, rows: int, raw: Child, ours: dict[str, Child]) -> None:
    """What is done once."""
    page.say("### Preparation, once, from typed columns (Parquet), and peak memory of each process")
    lines: list[list[object]] = [["DuckDB: loading into memory", raw.built.cpu, "", "", raw.peak]]
    for name, child in ours.items():
        cost: Cost = child.info["prepare"]
        lines.append(
            [f"pets, {name}: preparing", cost.cpu, cost.wall, cost.cpu / rows * 1e6, child.info["prepare_peak"]]
        )
        wide: Cost = child.info["wide"]
        lines.append(
            [
                f"pets, {name}: one row per person (first count_units)",
                wide.cpu,
                wide.wall,
                wide.cpu / rows * 1e6,
                child.peak,
            ]
        )
    page.table(("step", "CPU s", "clock s", "CPU µs a row", "peak GB"), lines)
    page.target("coding and ranking, CPU µs a row", ours["in memory"].info["prepare"].cpu / rows * 1e6, 1.5)
    page.target("the same, stored", ours["stored"].info["prepare"].cpu / rows * 1e6, 1.5)


def overhead(page: Page, repeats: int) -> None:
    """What a query costs whatever the size of the data."""
    child = Child(contenders.overhead, repeats)
    page.say("### Fixed overhead of a query: CPU ms on a table of 600 rows, median; the ledger is not in it")
    names = ("plan", "calibrate", "tabulate", "estimate", "fixed", "first", "noise")
    found = {g: child.info[g] for g in contenders.GROUPS}
    page.say("*first*: the first time that a query is asked. *noise*: OpenDP's samplers, not counted as fixed.")
    page.table(
        ("count + sum", *names),
        [[f"{contenders.GROUPS[g]} groups", *(parts[name] for name in names)] for g, parts in found.items()],
    )
    page.target("fixed overhead, CPU ms", max(parts["fixed"] for parts in found.values()), 20)
    child.close()


def by_rows(python: str, path: Path, groups: tuple[str, ...]) -> dict[str, Any]:
    """What diffprivlib's environment measures of itself."""
    sizes = [f"{name}={contenders.GROUPS[name]}" for name in groups]
    call = [python, str(HERE / "row_level.py"), str(path), str(contenders.BOUND), str(contenders.BEST), *sizes]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"diffprivlib failed: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def peers(page: Page, args: argparse.Namespace, rows: int, raw: Child, ours: Child) -> None:
    """Time and error of other tools."""
    quick, skipped = args.quick, args.no_peers
    path = rows_file(rows)
    mine = Child(contenders.error, rows_file(100_000), 100 if quick else 2000)
    errors: dict[str, tuple[float, float]] = dict(mine.info)
    mine.close()
    lines: list[list[object]] = []
    base = {g: f"{g} count + sum" for g in contenders.GROUPS}
    for name, child in (("DuckDB, unprotected", raw), ("pets, prepared", ours)):
        lines.append([name, *(x for g in base for x in (child.cpu(base[g]), child.wall(base[g]))), child.peak])
        child.close()
    if not skipped:
        once = ("g9",) if quick else tuple(contenders.GROUPS)
        other = Child(contenders.opendp, path, once, rows)
        for g in once:
            other.run(f"{g} plain")
            other.run(f"{g} count + sum")
        scales = other.run("scales", keep=False)
        errors["OpenDP Polars context"] = (contenders.laplace_rmse(scales[0]), contenders.laplace_rmse(scales[1]))
        lines.append(["OpenDP Polars context", *_each(other, once, "count + sum"), other.peak])
        lines.append(["  (Polars, unprotected)", *_each(other, once, "plain"), ""])
        for g in once:
            ratio = other.cpu(base[g]) / ours.cpu(base[g])
            page.target(f"OpenDP Polars CPU ÷ ours, {contenders.GROUPS[g]} groups", ratio, 50, least=True)
        other.close()
        if args.diffprivlib:
            told = by_rows(args.diffprivlib, path, once)
            errors["diffprivlib (rows; ε/3 each)"] = tuple(told["errors"])
            cells = [x for g in contenders.GROUPS for x in told["groups"].get(g, ("", ""))]
            lines.append([f"diffprivlib {told['version']} (rows only)", *cells, told["peak"]])
    page.say("### Peers: count + sum, one release (pets: the exact vector; noise and overhead are above)")
    heads = [f"{unit} s, {size} groups" for size in contenders.GROUPS.values() for unit in ("CPU", "clock")]
    page.table(("tool", *heads, "peak GB"), lines)
    page.say(
        "### Error: RMSE at ε = 1, 9 groups, v from 0 to 100, at most 3 rows of a person",
        "",
        "Around the exact bounded answer. Gaussian: (ε = 1, δ = 1e-6); all others are pure. OpenDP's is computed from "
        "the scales it reports. *aligned*: every error is proportional to 1/ε (Gaussian: 1/√ρ), so ours are scaled to "
        "the budget at which our count has the peer's RMSE; *its ε* is that budget.",
    )
    rivals = [name for name in errors if not name.startswith("pets")]
    table: list[list[object]] = []
    for name, (count, total) in errors.items():
        table.append([name, count, total, total / count, "", "", ""])
        if name in rivals:
            own = errors["pets, Laplace (pure=True)"]
            factor = count / own[0]
            table[-1][4:] = [own[1] / total, own[1] * factor / total, 1 / factor]
            page.target(f"our sum RMSE ÷ {name}'s, at its count RMSE", own[1] * factor / total, 0.75)
    heads = ["tool", "count RMSE", "sum RMSE", "sum ÷ count", "ours ÷ its, same ε", "ours ÷ its, aligned", "its ε"]
    page.table(heads, table)


def _each(child: Child, groups: tuple[str, ...], what: str) -> list[object]:
    cells: list[object] = []
    for g in contenders.GROUPS:
        name = f"{g} {what}"
        cells += [child.cpu(name), child.wall(name)] if g in groups else ["", ""]
    return cells


if __name__ == "__main__":
    main()
