"""Texts that nobody listed, as DuckDB SQL: a valid one is its own code, and the empty text stands for no value."""

from __future__ import annotations

from pets.rows.coding.cell import Cell, Coding, quoted, trimmed
from pets.schema.domain import MISSING
from pets.schema.text_column import FORMS, Text

BROKEN = "chr(1)"
"""SQL of the mark of a text that breaks its form: no text may hold it."""


def text(domain: Text, cell: Cell, helper: str) -> Coding:
    """The coding of a column of texts; see :class:`pets.schema.text_column.Text`."""
    spelt = trimmed(cell.text)
    if domain.form == "icd10":
        # A to Z alone: what other letters become differs between programs
        lower, upper = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        spelt = f"translate(replace({spelt}, '.', ''), '{lower}', '{upper}')"
    name = f"{helper}_text"
    also = (f"{name} IN ({quoted('')}, {quoted(MISSING)})",)
    missing = cell.missing(domain, name, domain.plain, also)
    fits = f"length({name}) <= {domain.max_length} AND regexp_full_match({name}, {quoted(FORMS[domain.form][0])})"
    return Coding(f"CASE WHEN {missing} THEN '' WHEN {fits} THEN {name} ELSE {BROKEN} END", ((name, spelt),))
