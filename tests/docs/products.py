"""The page of the data products: each of the national access service, and what stands for it in the NHS-like pack."""

from __future__ import annotations

from pets.synthetic.packs.declared import Pack, Product
from pets.synthetic.packs.pack import whole_pack
from tests.docs.markdown import WRITTEN, cell, table


def page() -> str:
    """The whole page."""
    pack = whole_pack("nhs")
    tables = [one for one in pack.products.values() if one.tables]
    without = [one for one in pack.products.values() if not one.tables]
    columns = sum(len(one.visible()) for one in pack.files)
    return "\n".join(
        [
            f"""\
# Data products of the national access service

{WRITTEN.format(command="python -m tests.docs.render", source="pets/synthetic/packs/nhs")}

`pets.dummy("nhs", people=1000, products=["gdppr", "medicines"])` makes the invented tables of two products and what
they rest on; `products="all"` makes every table, and left out are those marked *on request*. On the command line:
`pets dummy nhs --products gdppr,medicines --out exercises`. A person has the same rows whichever products are made.

{len(tables)} of {len(pack.products)} products have tables: {len(pack.files)} tables with {columns:,} columns.
Names of fields, codes and rules follow public descriptions; every weight is made up. A table has some of the columns of
the real one, not all: `pets pack describe nhs --table gdppr` lists them, with the source of each. Nobody's record was
used.

## Products with tables
""",
            table(
                ["product", "what it is", "tables", "rows of", "made", "what to know"],
                [_row(pack, one) for one in tables],
            ),
            "## Products without\n",
            table(
                ["product", "what it is", "why"],
                [[f"`{one.name}`", cell(one.title), cell(one.about)] for one in without],
            ),
        ]
    )


def _row(pack: Pack, one: Product) -> list[str]:
    titles = [pack.tables[name].title for name in one.tables]
    rows = [title.rpartition("one row ")[2] if "one row " in title else "" for title in titles]
    return [
        f"`{one.name}`",
        cell(one.title),
        ", ".join(f"`{name}`" for name in one.tables),
        cell("; ".join(dict.fromkeys(row for row in rows if row))),
        "always" if one.usual else "on request",
        cell(one.about or "–"),
    ]
