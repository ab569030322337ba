"""Packing: the codes of a row in one number while rows are sorted, which moves a number as quickly as one code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pets.rows.coding.cell import code_type
from pets.schema.domain import Domain
from pets.schema.text_column import Text

WORD = 64
"""Bits of a number that holds several codes."""


@dataclass(frozen=True)
class Packed:
    """How the columns of a row travel.

    Attributes:
        packed: name to SQL of what travels, over the columns.
        columns: name to SQL of each column, over what travels.
    """

    packed: dict[str, str]
    columns: dict[str, str]


def packing(columns: Sequence[str], domains: Mapping[str, Domain]) -> Packed:
    """Pack the columns whose domain is given, but for texts; the others travel as they are.

    Each has the bits that its greatest code takes, so that no two numbers stand for the same codes.
    """
    packed, out, words = {}, {}, list[list[tuple[str, int]]]()
    room = 0
    for column in columns:
        domain = domains.get(column)
        if domain is None or isinstance(domain, Text):
            packed[column] = out[column] = column
            continue
        bits = domain.cells.bit_length()
        if bits > room:
            words.append([])
            room = WORD
        words[-1].append((column, WORD - room))
        room -= bits
        word = f"w{len(words) - 1}"
        kept = f"({word} >> {WORD - room - bits}) & {2**bits - 1}"
        out[column] = f"CAST({kept} AS {code_type(domain)})"
    for place, held in enumerate(words):
        packed[f"w{place}"] = " | ".join(f"(CAST({column} AS UBIGINT) << {shift})" for column, shift in held)
    return Packed(packed, {column: out[column] for column in columns})
