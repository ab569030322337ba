"""Cohorts: one row a person from linked tables, and rows a person gives to a group, against plain SQL (DuckDB)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from common import CACHE, Case, Child, Page, about, finish, interleave, options, paired, rows_file

COHORT, RANK = 0.7, 1.3
NAMES = ("mi", "everybody")


def files(rows: int) -> dict[str, Path]:
    """Parquet of invented tables, made once: admissions and prescriptions (3.3 rows a person), and the people."""
    import duckdb

    CACHE.mkdir(exist_ok=True)
    people = int(rows * 0.3)

    def person(seed: int) -> str:
        return f"CAST(hash(hash(i, {seed})) % {people} AS BIGINT) * 7919 + 1000003 AS person"

    def day(seed: int) -> str:
        return f"DATE '2020-01-01' + CAST(hash(hash(i, {seed})) % 1826 AS INTEGER)"

    kind = "CAST(hash(hash(i, 2)) % 60 AS INTEGER)"  # one admission in sixty is for a heart attack
    code = f"CASE {kind} WHEN 0 THEN 'I21' ELSE ['I50', 'J44', 'K35', 'S72'][1 + {kind} % 4] END"
    texts = {
        "apc": f"SELECT {person(1)}, {code} AS diagnosis, {day(3)} AS admitted, "
        f"CAST(hash(hash(i, 4)) % 31 AS SMALLINT) AS days FROM range({rows}) t(i)",
        "rx": f"SELECT {person(5)}, {day(6)} AS dispensed FROM range({rows}) t(i)",
        "people": f"SELECT CAST(i AS BIGINT) * 7919 + 1000003 AS person, ['f', 'm'][1 + CAST(hash(hash(i, 9)) % 2 "
        f"AS INTEGER)] AS sex, CAST(hash(hash(i, 10)) % 9 AS SMALLINT) AS region FROM range({people}) t(i)",
    }
    found = {}
    for name, text in texts.items():
        found[name] = CACHE / f"cohort-{name}-{rows}.parquet"
        if not found[name].exists():
            with duckdb.connect() as con:
                con.execute(f"COPY ({text}) TO '{found[name]}' (FORMAT parquet)")
    return found


def asked(plan: Any, rows: Any) -> Case:
    """One question about prepared rows; its answer stays where it is."""
    from pets.rows.tabulate import tabulate

    return lambda: tabulate(plan, rows) is None


def ours(paths: dict[str, Path], folder: str) -> tuple[dict[str, Case], Any]:
    """The two questions, over tables that were prepared into a folder as one set."""
    from common import timed

    import pets
    from pets import col
    from pets.plan.plan import make_plan
    from pets.rows.linked import Linked
    from pets.rows.snapshot import Snapshot
    from pets.rows.tabulate import tabulate

    identifier, dates = {"type": "identifier"}, {"type": "date", "min": "2020-01-01", "max": "2024-12-31"}
    codes = {"type": "category", "values": ["I21", "I50", "J44", "K35", "S72"]}
    days = {"type": "integer", "min": 0, "max": 30}
    columns: dict[str, Any] = {
        "apc": {"diagnosis": codes, "admitted": dates, "days": days},
        "rx": {"dispensed": dates},
        "people": {
            "sex": {"type": "category", "values": ["f", "m"]},
            "region": {"type": "category", "values": list(range(9))},
        },
    }
    most = {"apc": 40, "rx": 40, "people": 1}
    tables: dict[str, Any] = {
        name: {
            "unit": {"column": "person", "max_rows": most[name]},
            "people": 100_000_000,
            "columns": {"person": identifier, **own},
        }
        for name, own in columns.items()
    }
    schema = pets.Schema.load({"dataset": "benchmark", "tables": tables})
    sources = {name: str(path) for name, path in paths.items()}
    cost, snapshots = timed(lambda: Snapshot.make_all(schema, list(tables), sources, folder=folder, progress=False))
    apc, rx = pets.events("apc"), pets.events("rx")
    first = apc.where(col("diagnosis") == "I21").first("admitted", by="admitted")
    questions = {
        "mi": pets.people(
            of="people",
            first=first,
            readmitted=apc.where(col("admitted").within(first, days=(1, 30))).exists(),
            drugs=rx.where(col("dispensed") >= first).count(max=40),
        )
        .where(col("first").between("2022-01-01", "2022-12-31"))
        .group_by("sex", "region")
        .agg(n=pets.count(), again=pets.count(col("readmitted") == True), drugs=pets.sum("drugs")),  # noqa: E712
        "everybody": pets.people(
            of="people", stays=apc.count(max=40), days=apc.sum("days", clip=(0, 400)), drugs=rx.count(max=40)
        )
        .group_by("sex", "region")
        .agg(n=pets.count(), stays=pets.sum("stays"), days=pets.sum("days"), drugs=pets.sum("drugs")),
    }
    cases: dict[str, Case] = {}
    answers: dict[str, list[list[int]]] = {}
    for name, query in questions.items():
        plan = make_plan(query, schema)
        assert plan.people_of is not None
        linked = Linked({table: snapshots[table] for table in plan.people_of.tables})
        cases[name] = asked(plan, linked)
        cells = plan.size // len(plan.measures)
        values = tabulate(plan, linked).reveal()
        answers[name] = [[int(value) for value in values[at : at + cells]] for at in range(0, plan.size, cells)]
    return cases, {"prepare": cost, "answers": answers}


def plain(paths: dict[str, Path]) -> tuple[dict[str, Case], Any]:
    """The SQL that somebody would write without bounds, over the tables' own Parquet files."""
    import duckdb

    con = duckdb.connect()
    for name, path in paths.items():
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
    texts = {
        "mi": """
            WITH f AS (SELECT person, min(admitted) AS first FROM apc WHERE diagnosis = 'I21' GROUP BY person
                       HAVING min(admitted) BETWEEN '2022-01-01' AND '2022-12-31'),
                 a AS (SELECT DISTINCT f.person FROM f JOIN apc USING (person)
                       WHERE admitted - first BETWEEN 1 AND 30),
                 d AS (SELECT f.person, count(*) AS drugs FROM f JOIN rx USING (person)
                       WHERE dispensed >= first GROUP BY f.person)
            SELECT sex, region, count(*), count(a.person), sum(least(coalesce(drugs, 0), 40))
            FROM f JOIN people USING (person) LEFT JOIN a USING (person) LEFT JOIN d USING (person)
            GROUP BY sex, region ORDER BY sex, region""",
        "everybody": """
            WITH a AS (SELECT person, count(*) AS stays, sum(days) AS days FROM apc GROUP BY person),
                 d AS (SELECT person, count(*) AS drugs FROM rx GROUP BY person)
            SELECT sex, region, count(*), sum(coalesce(stays, 0)), sum(coalesce(days, 0)), sum(coalesce(drugs, 0))
            FROM people LEFT JOIN a USING (person) LEFT JOIN d USING (person)
            GROUP BY sex, region ORDER BY sex, region""",
    }

    def case(text: str) -> Case:
        return lambda: con.cursor().execute(text).fetchall()

    cases = {name: case(text) for name, text in texts.items()}
    return cases, {
        name: [list(map(int, column)) for column in list(zip(*run(), strict=True))[2:]] for name, run in cases.items()
    }


def same(ours: list[list[int]], theirs: list[list[int]]) -> bool:
    """Whether two answers are one: ours has cells for missing keys, too, and counts sums from their middle."""
    full = [at for at, people in enumerate(ours[0]) if people]
    mine = [[column[at] for at in full] for column in ours]
    if len(mine) != len(theirs) or mine[0] != theirs[0]:
        return False
    for found, wanted in zip(mine, theirs, strict=True):
        middles = {(b - a) / people for a, b, people in zip(found, wanted, mine[0], strict=True)}
        if len(middles) != 1:
            return False
    return True


def ranked(path: Path, folder: str) -> tuple[dict[str, Case], Any]:
    """Rows a person gives to a group: with the stored rank, on the fly, and the same query without the bound."""
    import pets
    from pets.plan.plan import make_plan
    from pets.rows.snapshot import Snapshot

    def columns() -> dict[str, Any]:
        return {
            "person": {"type": "identifier"},
            "g9": {"type": "category", "values": list(range(9))},
            "g1000": {"type": "category", "values": list(range(1000))},
            "v": {"type": "integer", "min": 0, "max": 100},
            "x": {"type": "real", "min": 0, "max": 1000, "step": 0.1},
            "d": {"type": "date", "min": "2019-04-01", "max": "2024-03-31"},
        }

    cases: dict[str, Case] = {}
    for name, within in (("stored", [["g1000"]]), ("on the fly", [])):
        table: dict[str, Any] = {"unit": {"column": "person", "max_rows": 7}, "people": 100_000_000}
        if within:
            table["unit"]["rank_within"] = within
        schema = pets.Schema.load({"dataset": "benchmark", "tables": {"stays": table | {"columns": columns()}}})
        snapshot = Snapshot.make(schema, "stays", {"stays": str(path)}, folder=f"{folder}/{name}", progress=False)
        query = pets.query("stays").group_by("g1000").agg(n=pets.count(), s=pets.sum("v")).bound(rows=7)
        bounded = query.bound(rows=7, groups=7, rows_per_group=1)
        for kind, one in ((name, bounded), (f"without, {name}", query)):
            plan = make_plan(one, schema)
            cases[kind] = asked(plan, snapshot)
    return cases, None


def curve(rows: int, folder: str) -> tuple[dict[str, Case], Any]:
    """Cases by week in each of 14 districts for a year, in one question, against plain SQL over the same rows."""
    import duckdb

    import pets
    from pets import col
    from pets.plan.plan import make_plan
    from pets.rows.snapshot import Snapshot
    from pets.rows.tabulate import tabulate

    path = CACHE / f"weekly-{rows}.parquet"
    con = duckdb.connect()
    if not path.exists():
        texts = f"""SELECT CAST(hash(hash(i, 1)) % {max(1, int(rows * 0.337))} AS BIGINT) * 7919 + 1000003 AS person,
            'District ' || (1 + hash(hash(i, 2)) % 14) AS district,
            DATE '2023-01-02' + CAST(hash(hash(i, 3)) % 364 AS INTEGER) AS onset FROM range({rows}) t(i)"""
        con.execute(f"COPY ({texts}) TO '{path}' (FORMAT parquet)")
    districts = [f"District {number}" for number in range(1, 15)]
    columns = {
        "person": {"type": "identifier"},
        "district": {"type": "category", "values": districts, "nullable": False},
        "onset": {"type": "date", "min": "2023-01-02", "max": "2023-12-31", "nullable": False},
    }
    unit = {"column": "person", "max_rows": 40, "rank_within": [["onset.week", "district"]]}
    table = {"unit": unit, "people": 100_000_000, "columns": columns}
    schema = pets.Schema.load({"dataset": "benchmark", "tables": {"cases": table}})
    snapshot = Snapshot.make(schema, "cases", {"cases": str(path)}, folder=folder, progress=False)
    query = pets.query("cases").group_by(col("onset").week(), "district").agg(cases=pets.count()).bound(rows=40)
    plan = make_plan(query, schema)
    once = make_plan(query.bound(rows=40, rows_per_group=1), schema)
    text = f"""SELECT date_trunc('week', onset) AS week, district, count(*) FROM '{path}' GROUP BY week, district
        ORDER BY week, length(district), district"""
    equal = [line[2] for line in con.execute(text).fetchall()] == tabulate(plan, snapshot).reveal().tolist()
    cases = {"counts": asked(plan, snapshot), "once a week": asked(once, snapshot)}
    return {"plain SQL": lambda: con.cursor().execute(text).fetchall(), **cases}, (plan.groups, equal)


def main() -> None:
    args = options(
        __doc__,
        rows={"type": int, "help": "rows of each of the two large tables (10 million; 300,000 with --quick)"},
        rounds={"type": int, "help": "interleaved rounds (5; 2 with --quick)"},
    ).parse_args()
    rows = args.rows or (300_000 if args.quick else 10_000_000)
    rounds = args.rounds or (2 if args.quick else 5)
    page = Page(f"Cohorts over two tables of {rows:,} rows")
    about(page)
    paths = files(rows)
    page.say(
        f"*mi*: of {int(rows * 0.3):,} people those first admitted with a heart attack in 2022; readmitted within 30 "
        "days, drugs since, by sex and region. *everybody*: stays, days and drugs of all of them. Plain SQL reads the "
        "same rows from Parquet, without bounds on anything but drugs."
    )
    with tempfile.TemporaryDirectory() as folder:
        mine, sql = Child(ours, paths, folder), Child(plain, paths)
        interleave(rounds, (sql, NAMES), (mine, NAMES))
    lines = [[name, sql.cpu(name) * 1e3, mine.cpu(name) * 1e3, paired(mine, name, sql, name)] for name in NAMES]
    page.table(["question", "plain SQL, CPU ms", "pets, CPU ms", "ratio"], lines)
    cost = mine.info["prepare"]
    equal = [name for name in NAMES if same(mine.info["answers"][name], sql.info[name])]
    page.say(
        f"Prepared once, as one set: {cost.cpu:.1f} CPU s, {cost.wall:.1f} s on the clock, peak {mine.peak:.2f} GB. "
        f"Equal cell by cell: {', '.join(equal) or 'none'}."
    )
    mine.close()
    sql.close()
    with tempfile.TemporaryDirectory() as folder:
        ranks = Child(ranked, rows_file(rows), folder)
        kinds = ("without, stored", "stored", "without, on the fly", "on the fly")
        interleave(rounds, (ranks, kinds))
    page.say("A person's rows in a group, `rows=7, groups=7, rows_per_group=1`: count and sum by 1,000 groups.")
    ratios = {name: paired(ranks, name, ranks, f"without, {name}") for name in ("stored", "on the fly")}
    page.table(
        ["rank within (person, group)", "without the bound, CPU ms", "with it, CPU ms", "ratio"],
        [[name, ranks.cpu(f"without, {name}") * 1e3, ranks.cpu(name) * 1e3, ratio] for name, ratio in ratios.items()],
    )
    ranks.close()
    with tempfile.TemporaryDirectory() as folder:
        weekly = Child(curve, rows, folder)
        interleave(rounds, (weekly, ("plain SQL", "counts", "once a week")))
    groups, equal_cells = weekly.info
    page.say(
        f"Counts by week in each of 14 districts for a year: {groups} groups in one question, "
        f"{'equal' if equal_cells else 'NOT equal'} cell by cell to plain SQL; and with one row of a person in each, "
        "by the rank stored within (week, district)."
    )
    page.table(["weekly counts", "CPU ms"], [[name, weekly.cpu(name) * 1e3] for name in weekly.runs])
    week = paired(weekly, "once a week", weekly, "counts")
    weekly.close()
    page.target("cohort of three features: CPU ÷ plain SQL's", paired(mine, "mi", sql, "mi"), COHORT)
    page.target("features of everybody: CPU ÷ plain SQL's", paired(mine, "everybody", sql, "everybody"), COHORT)
    page.target("rows a group by the stored rank: CPU ÷ without", ratios["stored"], RANK)
    page.target("rows a week and district by the stored rank: CPU ÷ without", week, RANK)
    finish(page, "bench_cohort", args)


if __name__ == "__main__":
    main()
