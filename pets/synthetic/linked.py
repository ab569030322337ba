"""Linked invented tables of a pack: people, what happens to them, and, where asked for, planted faults."""

from __future__ import annotations

from typing import Any

from pets.common.progress import bar
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.dummy_data.manifest import manifest
from pets.synthetic.packs.declared import Pack
from pets.synthetic.packs.faults import plant
from pets.synthetic.packs.generator import ends, make
from pets.synthetic.packs.render import dictionary, render


def linked(pack: Pack, people: int, seed: int, *, faults: bool = False, progress: bool = False) -> Dummy:
    """The tables of a pack for so many invented people; the same request gives the same rows.

    With ``faults`` the pack's faults are planted, and ``answers`` is the key to them. A bar shows the progress of what
    takes over a second.

    Raises :class:`pets.UserError` where there are more people than the pack can name.
    """
    import pyarrow as pa

    parts: dict[str, list[Any]] = {table.name: [] for table in pack.files}
    with bar(sum(1 for _ in ends(people)), "people", unit="block", show=progress) as moved:
        for block in make(pack, people, seed):
            for table in pack.files:
                parts[table.name].append(render(table, block[table.name]))
            moved.update()
    tables: dict[str, Any] = {name: pa.concat_tables(some) for name, some in parts.items()}
    answers = None
    if faults:
        tables, answers = plant(pack, tables, seed)
    told = manifest(
        dataset=pack.schema.dataset,
        schema=pack.schema.digest,
        seed=seed,
        rows={name: table.num_rows for name, table in tables.items()},
        made_from=f"the pack {pack.name}",
        pack={"name": pack.name, "version": pack.version, "title": pack.title, "link": pack.link},
        people=people,
        as_of=pack.window[1].isoformat(),
        faults=len(answers) if answers is not None else 0,
        sources=dict(pack.sources),
    )
    return Dummy(pack.schema, tables, told, dictionary(pack), answers)
