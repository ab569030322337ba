"""The reference of every schema setting, made from the table that the reader of schema files goes by."""

from __future__ import annotations

from pets.schema.settings import KINDS, LOOKUP, RULE, SCHEMA, TABLE, UNIT, Part
from tests.docs import policy_reference
from tests.docs.markdown import WRITTEN, cell, table, wrapped

EXAMPLE = """\
dataset: hospital
dummy: nhs
tables:
  people:
    unit: {column: person, max_rows: 1, rows: 1, trim: true}
    columns:
      person: {type: identifier}
      born: {type: date, min: 1910-01-01, max: 2024-03-31, nullable: false, shape: bands 1 2 3 3 2}
  stays:
    unit:
      {column: person, max_rows: 20, rows: 3, trim: true, rank_within: [[ward], [ward, admitted.week]],
       arrival: delivery}
    person_table: people
    people: 5000000
    encoding: latin-1
    columns:
      person: {type: identifier, nullable: false, null: ["0"], refers: people.person}
      episode: {type: identifier}
      delivery: {type: integer, min: 1, max: 999, nullable: false}
      admitted:
        {type: date, min: 2019-04-01, max: 2024-03-31, nullable: true, null: "1800-01-01", format: dd/mm/yyyy,
         tz: Europe/London}
      discharged: {type: date, min: 2019-04-01, max: 2024-06-30}
      died: {type: boolean, nullable: true, null: ["?"], weights: {true: 3, false: 97}}
      arrived:
        {type: datetime, min: 2019-04-01 00:00, max: 2024-03-31 23:59, step: minute, nullable: true, null: "1800-01-01",
         format: dd/mm/yyyy hh:mm, tz: Europe/London, shape: even}
      rang:
        {type: time, min: 06:00, max: 21:59, step: minute, nullable: true, null: ["0000"], format: hhmm,
         shape: bands 1 3 2}
      diagnosis: {type: text, max_length: 7, form: icd10, nullable: true, null: [NA, "-"]}
      died_on: {type: date, min: 2019-04-01, max: 2024-06-30}
      ward:
        {type: category, values: [A, B, C], nullable: true, null: [NA, "-9"], trim: true, case: fold,
         map: {alpha: A}, weights: {A: 5, B: 3, C: 1}}
      wing: {type: category, values: [East, West], lookup: {column: ward, map: {A: East, B: West}}}
      house: {type: category, values: [Old, New], lookup: {column: ward, file: houses.csv, key: ward, value: house}}
      days:
        {type: integer, min: 0, max: 2000, nullable: true, null: ["99999"], round: floor, decimal: ",",
         thousands: ".", prefix: [about], suffix: [d, Tage], shape: geometric 4}
      years: {type: integer, min: 0, max: 5}
      drugs:
        {type: real, min: 0, max: 1000, step: 0.01, nullable: true, null: "-1", decimal: ",", thousands: ".",
         prefix: £, suffix: [GBP], shape: skewed 40 0.8}
      care: {type: real, min: 0, max: 1000, step: 0.01}
      cost: {type: real, min: 0, max: 2000, step: 0.01}
    rules:
      - {order: [admitted, discharged]}
      - {column: days, days: [admitted, discharged]}
      - {column: years, years: [admitted, discharged]}
      - {column: cost, sum: [drugs, care]}
      - {column: died_on, when: {died: [true]}}
      - {unique: episode}
"""
"""A schema in which every setting stands (the tests load it, and ask each setting for what its row here says)."""

HOUSES = "ward,house\nA,Old\nB,Old\nC,New\n"

OPENING = f"""\
# Every setting of a schema

{WRITTEN.format(command="python -m tests.docs.render", source="pets/schema/settings.py")}

A schema says what is public about the tables. It is a YAML or JSON file (`pets.Schema.load`), or the same made in
Python (`pets.Schema`, `pets.Table`, `pets.Unit` and one class for each type of column). How to write one is in the
[guide](guide.md#declare-a-schema); here is every setting that a file may hold. Any other name is refused, with the
nearest one that exists, and the line.

All of them at once, in a file beside which lies `houses.csv` with the columns `ward` and `house`:

```yaml
{EXAMPLE}```
"""

SHORT = """\
## Columns

`name: {type: …, …}`. `name: identifier` is short for `name: {type: identifier}`, and so is each type that needs no
more.
"""


def page() -> str:
    """The whole page."""
    columns = [part(f"Type `{kind}`", one, level=3) for kind, one in KINDS.items()]
    return "\n".join(
        [
            OPENING,
            part("The file", SCHEMA),
            part("A table", TABLE),
            part("The unit", UNIT),
            SHORT,
            *columns,
            part("A look-up", LOOKUP),
            part("A rule", RULE),
            policy_reference.section(),
        ]
    )


def part(title: str, one: Part, level: int = 2) -> str:
    """One mapping of the file as a section."""
    rows = [
        [f"`{s.name}`", cell(s.value), cell(s.meaning), "needed" if s.needed else _default(str(s.default))]
        for s in one.settings
    ]
    head = ["setting", "what may stand there", "what it says", "left out"]
    return f"{'#' * level} {title}\n\n{wrapped(one.about)}\n\n{table(head, rows)}"


def _default(text: str) -> str:
    return cell(text[1:-1]) if text.startswith("(") else f"`{text}`"
