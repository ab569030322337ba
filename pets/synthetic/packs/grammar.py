"""Every setting of a pack's files: its name, what may stand there, what it means, and what holds where it is left out.

The reader of packs takes the names from here, and the reference of the documentation is made from here, so that
neither knows a setting that the other does not. The functions of formulas are in ``functions`` and their kin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pets.errors import SchemaError, did_you_mean, shown
from pets.schema.settings import MAX_ROWS, Part, Setting

MADE = "MADE"
"""The key of the source that every pack has: what was made up for it."""

HEAD = Part(
    "pack.yaml",
    "The head of a pack, in `pack.yaml`. It may hold the parts `codes`, `tables` and `faults` itself, or name the "
    "files that do.",
    (
        Setting("pack", "a name of small letters, digits, - and _", "Its name; its dataset is NAME-like."),
        Setting("title", "a text", "What it is about, in a few words.", "(the name)"),
        Setting("version", "a text in quotes", "Raise it when rows change.", '"1"'),
        Setting(
            "window",
            "two days, `2023-01-01..2023-12-31`",
            "From `start` to `end`, as formulas call them: in which time things happen. People are as old as they are "
            "at its end.",
        ),
        Setting(
            "link",
            "`nhs_number` or `pseudonym`",
            "Numbers that name people: valid NHS numbers of the block reserved for tests (909,091 people at most), or "
            "pseudonyms of 16 digits. `pets.dummy(…, link=…)` says otherwise.",
            "nhs_number",
        ),
        Setting(
            "parts",
            "a list of names",
            "The other files without `.yaml`, in the order in which they are read: a table stands below those that it "
            "refers to.",
            "[]",
        ),
        Setting(
            "sources",
            "keys, each with a text",
            f"The documents that fields, codes and rates were taken from. `{MADE}` (made up for this pack) is always "
            "there.",
            "{}",
        ),
        Setting("calendars", "names, each with its calendar", "How busy the days are.", "{}"),
        Setting("codes", "names, each with its code list", "As in a part.", "{}"),
        Setting("tables", "names, each with its table", "As in a part.", "{}"),
        Setting("faults", "names, each with its fault", "As in a part.", "{}"),
        Setting("products", "names, each with its product", "As in a part.", "{}"),
    ),
)

PART = Part(
    "a part of a pack",
    "Another file of the pack, named under `parts`.",
    (
        Setting("codes", "names, each with its code list", "Codes to draw from.", "{}"),
        Setting(
            "tables",
            "names, each with its table",
            "The tables, in the order in which they are made. The first of the pack has one row a person. A table "
            "whose name begins with `_` is in no file: others rest on it.",
            "{}",
        ),
        Setting("faults", "names, each with its fault", "What `faults=True` plants for training.", "{}"),
        Setting(
            "products",
            "names, each with its product",
            "Tables that belong together: `pets.dummy(…, products=[…])` makes those of some. A table of no product is "
            "always made, and so is what a table rests on.",
            "{}",
        ),
    ),
)

CALENDAR = Part(
    "a calendar",
    "How busy the days are: `day_in(low, high, 'name')` draws days by it. The weights multiply.",
    (
        Setting("about", "a text", "What it stands for.", "(none)"),
        Setting("months", "12 weights, `1 1.2 …`", "From January. A weight may be 0, but not all.", "(all 1)"),
        Setting("weekdays", "7 weights", "From Monday. A clinic that closes on Sundays ends with 0.", "(all 1)"),
        Setting(
            "spans",
            "spans of days, each with its weight",
            "`{2020-03-23..2020-06-30: 0.5}`, both ends in it.",
            "{}",
        ),
    ),
)

CODES = Part(
    "a code list",
    "Codes with their weights and meanings: either `values` or `numbered`.",
    (
        Setting("source", "a key of `sources`", "Where the codes are from.", MADE),
        Setting("about", "a text", "What they are.", "(none)"),
        Setting("form", "a form of codes", "A form that each must have, check digits included.", "(none)"),
        Setting(
            "values",
            "codes, each with `weight | meaning`",
            "How often each is drawn, relative to the others. Several weights (`5 2 1 | meaning`) are those of groups "
            "0, 1, 2 of `pick('name', group)`.",
            "(given by `numbered`)",
        ),
        Setting(
            "numbered",
            "`{prefix: C, digits: 3, from: 1, to: 40}`",
            "Codes that differ in their last digits only, each as likely.",
            "(given by `values`)",
        ),
    ),
)

TABLE = Part(
    "a table",
    "One table, and what holds in it.",
    (
        Setting(
            "rows",
            "a mapping, or a list of mappings",
            "Where its rows come from. Of several, each adds rows.",
        ),
        Setting("columns", "names, each with a line", "See below: its columns, in the order in which they are made."),
        Setting("title", "a text", "What it is; a row of what.", "(none)"),
        Setting("source", "a key of `sources`", "Of every column that names no other.", MADE),
        Setting(
            "unit",
            "`{max_rows: 20, rows: 5}`",
            "Rows that a person has at most, and that a query counts unless it says otherwise, as in a schema.",
            "{max_rows: 1}",
        ),
        Setting("keep", "a formula", "Rows that do not meet it are dropped when all columns are made.", "(all stay)"),
        Setting(
            "rules",
            "a list of rules",
            "What a schema says of the columns of a row (see the reference of schemas); `PERSON` is the column that "
            "names a person.",
            "[]",
        ),
        Setting(
            "checks",
            "sentences, each with a formula",
            "What holds in every row; `pets pack check` and the tests look at written rows.",
            "{}",
        ),
    ),
)

ROWS = Part(
    "rows",
    "Where rows come from.",
    (
        Setting(
            "each",
            "the name of a table above, or `nobody`",
            "One row for each of its rows; `nobody`, of the first table: one for each person.",
        ),
        Setting("where", "a formula", "Only for those rows of the parent that meet it.", "(for all)"),
        Setting("times", "a formula", "So many rows for each, instead of one; 0 is none.", "1"),
        Setting("most", f"a whole number up to {MAX_ROWS:,}", "At most so many for each, whatever `times` says.", "1"),
    ),
)

PRODUCT = Part(
    "a product",
    "A data product, as those who hold it call it.",
    (
        Setting("title", "a text", "What it is called."),
        Setting("tables", "a list of tables", "Those that stand for it; none where `about` says why.", "[]"),
        Setting("about", "a text", "What is in them and what is not.", "(none)"),
        Setting("usual", "`yes` or `no`", "Whether they are made unless products are named.", "yes"),
    ),
)

UNIT = Part(
    "a unit",
    "How many rows a person has in the table.",
    (
        Setting("max_rows", f"a whole number up to {MAX_ROWS:,}", "At most.", "1"),
        Setting("rows", "a whole number up to `max_rows`", "That a query counts.", "(as `max_rows`)"),
    ),
)

NUMBERED = Part(
    "numbered",
    "Codes that differ in their last digits.",
    (
        Setting("prefix", "a text", "What they begin with."),
        Setting("digits", "a whole number up to 12", "How many digits follow; noughts stand in front."),
        Setting("from", "a whole number", "The first."),
        Setting("to", "a whole number", "The last; 100,000 codes at most."),
    ),
)

FAULT = Part(
    "a fault",
    "A fault to plant in a share of the rows, for training: `pets.dummy(…, faults=True)`.",
    (
        Setting("table", "a table", "Where it is planted."),
        Setting("kind", "a kind of fault", "What is done."),
        Setting("columns", "columns, with blanks between", "To which columns.", "(the whole row)"),
        Setting("share", "a number from 0 to 1", "Of the rows that may bear it; three at least, if there are."),
        Setting("where", "a formula", "Which rows may bear it.", "(all)"),
        Setting("value", "a text", "What is written, by the kinds `set`, `number` and `day`.", "(none)"),
        Setting("breaks", "a sentence of the table's checks", "The check that finds it."),
        Setting("lesson", "a text", "What it teaches."),
    ),
)

KINDS: Mapping[str, tuple[str, str]] = {
    "person": (
        "person",
        "Names a person; one a table. Its formula: `person` in the first table, `FIRST.PERSON` below.",
    ),
    "id": ("id", "A number that names a record, such as `key(10)`. No query reads it."),
    "codes": ("codes LIST", "Codes of one or several lists. Without a formula one is drawn from the first."),
    "values": ("values A B C", "One of these texts."),
    "day": ("day, or day 2023-01-01..2024-12-31", "A day; without bounds, of the window."),
    "whole": ("whole 0..120", "A whole number."),
    "real": ("real 0..500 0.01", "A number in steps: what the formula gives, on the nearest one."),
    "truth": ("truth", "Yes or no: the formula is a condition."),
    "text": ("text", "Any other text. No query reads it."),
}
"""The types of columns: how each is written, and what it is."""

FAULT_KINDS: Mapping[str, tuple[int, str]] = {
    "repeat": (0, "the row stands there twice"),
    "swap": (2, "two columns hold each other's values"),
    "later": (1, "a day after the person's death, which the first table's column `date_of_death` holds"),
    "orphan": (1, "the person is nobody of the first table"),
    "digit": (1, "another last digit"),
    "dot": (1, "a dot after the third character"),
    "cut": (1, "the last character is lost"),
    "set": (1, "the text `value`"),
    "number": (1, "the number `value`"),
    "day": (1, "the day `value`"),
}
"""The kinds of faults: how many columns each takes, and what it does."""

OPTIONS = {
    "blank": "`blank=V81999`: what stands where there is no value (without it, nothing)",
    "nulls": "`nulls=99,X`: further texts that mean: no value",
    "distinct": "`distinct`: the columns of a family hold different values, without gaps",
}


def mapping(value: object, part: Part) -> Mapping[str, Any]:
    """The value, where it is a mapping of the part's settings that holds the needed ones."""
    if not isinstance(value, Mapping):
        example = ", ".join(f"{one.name}: …" for one in part.settings[:2])
        raise SchemaError(f"{part.what} must be a mapping such as {{{example}}}, not {shown(value)}")
    for key in value:
        if key not in part.names:
            raise SchemaError(f"{shown(key)} is not a setting of {part.what}{did_you_mean(key, part.names)}")
    for needed in part.settings:
        if needed.needed and value.get(needed.name) is None:
            raise SchemaError(f"{part.what} needs {needed.name!r}: {needed.value}")
    return value


def named(value: object, what: str) -> Mapping[str, Any]:
    """The value, where it is a mapping of names to something; nothing is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SchemaError(f"{what} must be a mapping of names, not {shown(value)}")
    return value


def text(value: object, what: str, most: int = 1_000) -> str:
    """A text that may stand in one line of a page."""
    if not isinstance(value, str) or not value.strip() or len(value) > most or not value.isprintable():
        raise SchemaError(f"{what} must be a text of one line, at most {most:,} characters, not {shown(value)}")
    return value


def whole(value: object, what: str, low: int, high: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, str) and value.isascii() and value.lstrip("-").isdigit() and len(value) <= 15:
        number = int(value) if value.lstrip("-") and value.count("-") <= 1 else low - 1
        if low <= number <= high:
            return number
    raise SchemaError(f"{what} must be a whole number from {low:,} to {high:,}, not {shown(value)}")
