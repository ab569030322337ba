"""``pets pack``: begin a pack of one's own, check it, see what it says and a few of its rows."""

# no "from __future__ import annotations": typer reads the annotations when this file loads

from pathlib import Path
from typing import Annotated

import typer

from pets.cli.command import verb
from pets.errors import UserError

pack_app = typer.Typer(name="pack", help="Packs: linked invented tables, declared in YAML.", no_args_is_help=True)

Pack = Annotated[str, typer.Argument(help="The folder of the pack, or the name of one of pets.", metavar="PACK")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same rows.")]


@verb(pack_app)
def new(
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    like: Annotated[str, typer.Option("--like", help="The pack to begin from.")] = "dental",
) -> None:
    """Begin a pack: a copy of one that works, to change line by line.

    \b
    pets pack new eye_clinic/
    """
    from pets.synthetic.own_pack import begin

    for path in begin(folder, like):
        print(path)
    print(f"Change them, and look at what they make: pets pack check {folder}")


@verb(pack_app)
def check(
    pack: Pack,
    people: Annotated[int, typer.Option("--people", help="Of the trial.")] = 2000,
    seed: Seed = 0,
) -> None:
    """Read a pack, make rows, and look at every one of its checks on them.

    \b
    pets pack check eye_clinic/
    """
    from pets.synthetic.dummy import dummy
    from pets.synthetic.packs.check import check as checked
    from pets.synthetic.packs.pack import whole_pack

    made = dummy(pack, people=people, seed=seed, products="all")
    verdicts = checked(whole_pack(pack), made.tables)
    broken = [verdict for verdict in verdicts if not verdict]
    held = ", ".join(f"{name} {table.num_rows:,}" for name, table in made.tables.items())
    print(f"{people:,} people; rows: {held}.")
    for verdict in broken:
        print(f"{verdict} (the first: row {verdict.rows[0] + 1:,})")
    empty = [name for name, table in made.tables.items() if not table.num_rows]
    if empty:
        raise UserError(f"no row was made of: {', '.join(empty)}; look at its rows: where and times")
    if broken:
        raise UserError(f"{len(broken)} of {len(verdicts)} checks are broken; mend the formulas, or the checks")
    print(f"All {len(verdicts)} checks hold.")


@verb(pack_app)
def describe(
    pack: Pack,
    table: Annotated[str | None, typer.Option("--table", help="Of this table alone, every column.")] = None,
) -> None:
    """What a pack declares: its tables; of one, the columns with their meanings, values and sources.

    \b
    pets pack describe dental
    pets pack describe eye_clinic/ --table visits
    """
    from pets.synthetic.own_pack import described
    from pets.synthetic.packs.pack import whole_pack

    for line in described(whole_pack(pack), table):
        print(line)


@verb(pack_app)
def preview(
    pack: Pack,
    people: Annotated[int, typer.Option("--people", help="How many people.")] = 3,
    table: Annotated[str | None, typer.Option("--table", help="This table alone.")] = None,
    seed: Seed = 0,
) -> None:
    """All rows of a few invented people, each column on a line of its own where there are many.

    \b
    pets pack preview eye_clinic/
    pets pack preview nhs --people 1 --table apc
    """
    from pets.synthetic.dummy import dummy

    made = dummy(pack, people=people, seed=seed, products=None if table is None else "all")
    for name in [table] if table is not None else list(made):
        frame = made[name]
        print(f"{name}: {len(frame):,} invented rows")
        if len(frame.columns) > 12:
            frame = frame.head(3).T
        print(frame.to_string(index=len(frame.columns) <= 3, header=len(frame.columns) > 3, max_rows=20, na_rep=""))
        print()
