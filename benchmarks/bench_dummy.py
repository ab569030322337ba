"""Dummy data: linked rows a second of the NHS-like pack, against Faker filling the same columns without any rule.

Ours makes people, links, ordered dates and derived fields; Faker draws each cell by itself, with the same weights and
the same share of empty cells, and keeps no rule: the easier task. Then every rule of the pack is checked on all rows.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from common import Case, Child, Page, about, finish, interleave, options, paired

FAKED = 400  # rows of each table that Faker fills in a round


def ours(people: int) -> tuple[dict[str, Case], Any]:
    """The pack: Arrow tables in memory, written as CSV, and checked."""
    import pets
    from pets.synthetic.packs.check import check
    from pets.synthetic.packs.pack import load_pack

    pack = load_pack("nhs")
    made: list[Any] = [pets.dummy("nhs", people=100)]

    def make() -> int:
        made[0] = pets.dummy("nhs", people=people, seed=1)
        return sum(made[0].manifest["rows"].values())

    def write() -> int:
        with tempfile.TemporaryDirectory() as folder:
            return sum(path.stat().st_size for path in made[0].save(Path(folder)))

    def judge() -> tuple[int, int]:
        verdicts = check(pack, made[0].tables)
        return len(verdicts), sum(len(verdict.rows) for verdict in verdicts)

    def rows() -> dict[str, int]:
        return dict(made[0].manifest["rows"])

    return {"make": make, "write": write, "check": judge, "rows": rows}, None


def faker(rows: int) -> tuple[dict[str, Case], Any]:
    """Faker: each cell of each table by itself, empty as often as ours."""
    import random
    from collections import OrderedDict

    from faker import Faker

    import pets
    from pets.schema.dates import Date
    from pets.schema.domain import Boolean, Category
    from pets.schema.numeric import Integer, Real
    from pets.synthetic.packs.pack import load_pack

    sample = pets.dummy("nhs", people=2000)
    fake = Faker("en_GB")
    fake.seed_instance(0)
    chance = random.Random(0)
    plans: dict[str, list[tuple[str, float, Any]]] = {}
    pack = load_pack("nhs")
    for name, table in sample.tables.items():
        plans[name] = []
        for one, column in pack.tables[name].visible():
            domain = sample.schema.table(name).columns[column]
            empty = table.column(column).null_count / table.num_rows
            if isinstance(domain, Category) and one.kind == "codes":  # by the pack's weights, as ours draws them
                some = pack.lists[one.detail[0]]
                weights = OrderedDict(zip(some.codes, (w[0] for w in some.weights), strict=True))
                pool: Any = weights if len(set(weights.values())) > 1 else some.codes
                draw: Any = lambda pool=pool: fake.random_element(pool)  # noqa: E731
            elif isinstance(domain, Category):
                values = domain.values
                draw = lambda values=values: fake.random_element(values)  # noqa: E731
            elif isinstance(domain, Date):
                draw = lambda d=domain: fake.date_between_dates(d.lo, d.hi)  # noqa: E731
            elif isinstance(domain, Integer):
                draw = lambda d=domain: fake.random_int(d.lo, d.hi)  # noqa: E731
            elif isinstance(domain, Real):
                draw = lambda d=domain: fake.pyfloat(min_value=float(d.lo), max_value=float(d.hi))  # noqa: E731
            elif isinstance(domain, Boolean):
                draw = fake.pybool
            elif "name" in column:
                draw = fake.first_name
            else:
                draw = lambda: fake.numerify("##########")  # noqa: E731
            plans[name].append((column, empty, draw))

    share = {
        name: table.num_rows / sum(t.num_rows for t in sample.tables.values()) for name, table in sample.tables.items()
    }

    def make() -> int:
        total = 0
        for name, plan in plans.items():
            for _ in range(round(rows * share[name])):
                _row = {column: None if chance.random() < empty else draw() for column, empty, draw in plan}
                total += 1
        return total

    return {"make": make}, None


def main() -> None:
    """Run, print and judge."""
    args = options(__doc__, people={"type": int, "default": 75_000, "help": "invented people"}).parse_args()
    people = 10_000 if args.quick else args.people
    page = Page("Dummy data: the NHS-like pack against Faker")
    about(page, ("pets", "faker", "numpy", "pyarrow", "duckdb"))
    pack, other = Child(ours, people), Child(faker, FAKED * 13)
    interleave(1 if args.quick else 3, (pack, ["make"]), (other, ["make"]))
    rows, fakes = pack.run("make", keep=False), other.run("make", keep=False)
    size = pack.run("write")
    checks, broken = pack.run("check")
    tables = pack.run("rows")
    pack.close()
    other.close()
    cpu, wall = rows / pack.cpu("make"), rows / pack.wall("make")
    theirs, clock = fakes / other.cpu("make"), fakes / other.wall("make")
    ratio = paired(other, "make", pack, "make") * rows / fakes
    written = rows / pack.cpu("write"), rows / pack.wall("write")
    page.table(
        ["", "rows", "CPU s", "clock s", "rows a CPU second", "rows a second", "peak GB"],
        [
            ["pets, pack nhs", f"{rows:,}", pack.cpu("make"), pack.wall("make"), cpu, wall, pack.peak],
            ["Faker, no rules", f"{fakes:,}", other.cpu("make"), other.wall("make"), theirs, clock, other.peak],
            ["pets, writing CSV", f"{rows:,}", pack.cpu("write"), pack.wall("write"), *written, pack.peak],
        ],
    )
    page.say(
        f"{people:,} people; {size / 1e6:.0f} MB of CSV; {checks} rules checked on every row. Rows of each table: "
        + ", ".join(f"{name} {count:,}" for name, count in tables.items())
        + "."
    )
    page.target("linked rows a second of one core (all threads' CPU)", cpu, 100_000, least=True)
    page.target("times Faker, same run", ratio, 50, least=True)
    page.target("tables with rows", sum(count > 0 for count in tables.values()), 9, least=True)
    page.target(f"broken rules in {rows:,} rows", broken, 0)
    finish(page, "bench_dummy", args)


if __name__ == "__main__":
    main()
