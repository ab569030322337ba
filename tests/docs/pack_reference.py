"""The reference of packs: the worked example as it stands, and the whole grammar, made from the code that reads it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable

from pets.synthetic.packs import grammar
from pets.synthetic.packs.check import CHECKS
from pets.synthetic.packs.checkdigits import FORMS
from pets.synthetic.packs.codelists import MAX_CODES
from pets.synthetic.packs.field import MAX_SLOTS
from pets.synthetic.packs.formula import LAZY, MAX_DEPTH, MAX_TEXT, SIGNS, STEPS
from pets.synthetic.packs.functions import FUNCTIONS, GROUPED
from pets.synthetic.packs.generator import BLOCK, MAX_ROWS
from pets.synthetic.packs.pack import HOME
from pets.synthetic.packs.random_functions import CHANCE
from pets.synthetic.packs.reading.lint import BRANCHES, spelling
from pets.synthetic.packs.reading.place import MAX_BYTES
from pets.synthetic.packs.reading.tables import MAX_FIELDS, MAX_TABLES
from tests.docs.markdown import WRITTEN, cell, table, wrapped
from tests.docs.schema_reference import part

OPENING = f"""\
# Every setting and function of a pack

{WRITTEN.format(command="python -m tests.docs.render", source="pets/synthetic/packs")}

How a pack is written is in [own_pack.md](own_pack.md); here is one as it stands, and all that any may hold.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([OPENING, *_example(), *_grammar(), *_formulas(), _limits()])


def _example() -> Iterable[str]:
    yield "## The worked example\n"
    yield _prose(
        """`pets.dummy("dental")`: patients, their visits, and what was done to which tooth. It has two files,
        `pack.yaml` and the one that it names."""
    )
    for name in ("pack.yaml", "visits.yaml"):
        text = (HOME / "dental" / name).read_text("utf-8")
        yield f"`{name}`:\n\n```yaml\n{text}```\n"


def _grammar() -> Iterable[str]:
    yield "## Every setting\n"
    yield _prose("Any other name is refused, with the nearest one that exists, and the line.")
    yield part("The head", grammar.HEAD, 3)
    yield part("A part", grammar.PART, 3)
    yield part("A calendar", grammar.CALENDAR, 3)
    yield part("A code list", grammar.CODES, 3)
    yield part("Numbered codes", grammar.NUMBERED, 3)
    yield _prose(f"Forms of codes: {', '.join(f'`{form}`' for form in FORMS)}.")
    yield part("A table", grammar.TABLE, 3)
    yield part("Rows", grammar.ROWS, 3)
    yield part("The unit", grammar.UNIT, 3)
    yield "### A column\n"
    yield table(["type", "what it is"], [[f"`{spelt}`", cell(about)] for spelt, about in grammar.KINDS.values()])
    yield _prose(f"Behind the type may stand {'; '.join(grammar.OPTIONS.values())}.")
    yield _prose(
        """`TOOTH_[1-4]` is a family of four columns; its formula is computed for each, with `slot` as its number, and
        `TOOTH[slot]` is the column of the same number of a family above. `NHSNO/PERSON_ID` is called by the first
        name where people are linked by NHS number, and by the second where by pseudonym."""
    )
    yield part("A product", grammar.PRODUCT, 3)
    yield part("A fault", grammar.FAULT, 3)
    kinds = [[f"`{kind}`", str(many), cell(about)] for kind, (many, about) in grammar.FAULT_KINDS.items()]
    yield table(["kind of fault", "columns", "what it does"], kinds)


def _formulas() -> Iterable[str]:
    yield "## Formulas\n"
    steps, signs = (" ".join(f"`{WRITTEN_AS[kind]}`" for kind in kinds) for kinds in (STEPS, SIGNS))
    yield _prose(
        f"""A formula is written as in Python, and read, never run: columns, numbers, texts in quotes, `True` and
        `False`; {steps}; {signs} (also in a row, `1 <= a < b`); `a in ["A", "B"]`; `and`, `or`, `not`; and the
        functions below. A day moves by whole numbers, and two days are so many days apart. What has no value gives no
        value; in a check, a comparison with it is not broken. `start` and `end` are the days of the window."""
    )
    rest = [name for name in FUNCTIONS if name not in CHANCE]
    yield _functions("Chance", CHANCE)
    yield _functions("By conditions", LAZY)
    yield _functions("Numbers, days and texts", [name for name in rest if name not in GROUPED])
    yield _functions("The rows of one parent", GROUPED)
    yield _prose(
        """These need all rows of a parent, so none stands in a branch of `only`, `where` or `case`: give it a working
        column of its own."""
    )
    yield _functions("Only in checks", CHECKS)


WRITTEN_AS = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**"},
    **{ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="},
}


def _prose(text: str) -> str:
    return wrapped(text) + "\n"


def _functions(title: str, names: Iterable[str]) -> str:
    rows = [[f"`{spelling(name)}`", cell(_said(name))] for name in names]
    return f"### {title}\n\n{table(['function', 'what it gives'], rows)}"


def _said(name: str) -> str:
    if name in LAZY:
        return BRANCHES[name][3]
    return (inspect.getdoc(CHECKS.get(name) or FUNCTIONS[name]) or "").split("\n")[0].replace("``", "`")


def _limits() -> str:
    return "## Limits\n\n" + _prose(
        f"""A pack comes from elsewhere at times, so whatever could stop a machine is refused with a sentence: a file of
        more than {MAX_BYTES:,} bytes, more than {MAX_TABLES} tables, {MAX_FIELDS} columns of a table, {MAX_SLOTS} of
        a family, {MAX_CODES:,} codes of a list, a formula of more than {MAX_TEXT:,} characters or {MAX_DEPTH} parts
        deep, more than {MAX_ROWS:,} rows of one table for {BLOCK:,} people; YAML's aliases and tags; and every call
        and name that is not on this page."""
    )
