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
            _licences(pack),
        ]
    )


def _licences(pack: Pack) -> str:
    """How many codes of each classification are there, and whose they are."""
    many: dict[str, set[str]] = {}
    for one in pack.lists.values():
        many.setdefault(one.form or one.source, set()).update(one.codes)

    def of(name: str) -> str:
        return f"{len(many[name]):,}"

    trud = "NHS England (TRUD)"
    bsa = "NHS Business Services Authority"
    rows = [
        [
            "SNOMED CT",
            of("snomed"),
            f"SNOMED International; the UK edition from {trud}, free in the UK under its licence",
        ],
        ["ICD-10", of("icd10"), f"World Health Organization; the edition for England from {trud}"],
        ["OPCS-4", of("opcs4"), trud],
        ["HRG", of("hrg"), "NHS England, national casemix office"],
        ["BNF classification", of("BNF"), f"{bsa}; codes of strengths are made up"],
        ["dm+d", "0", f"{bsa} and {trud}; vaccines alone have codes, of SNOMED CT"],
        ["OMOP", "6", "OHDSI (Athena); concepts of sexes, kinds of visits and of records, every other is 0"],
        ["FHIR R4", "–", "HL7 International (CC0); codes of its own sets, and of the sources; units are of UCUM"],
        ["organisations, areas", "–", "made up: no trust, practice or area has these codes"],
    ]
    return """## Codes and their licences

The pack holds some codes of classifications that belong to others, each with words of its own, and none of them whole.
They are there so that programs meet codes of the right form; whoever works with the whole of one needs its licence.

""" + table(["classification", "codes here", "whose it is, and where it is had"], rows)


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
