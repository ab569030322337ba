"""Dense: grouping everybody by their codes in an array, with a place for each code, instead of a table of hashes.

Person codes of a set are numbered without large gaps, so that DuckDB may keep each person's sums at the place of the
code: a third less work where all people are grouped, by few threads. Each thread writes an array of its own, which no
limit of memory counts, so it only pays where rows are more than places; both are looked at here. Answers are the same.
"""

from __future__ import annotations

from typing import Any

STATE = 24
"""Bytes of one sum of one person (counts take 8, sums and firsts 16 to 32)."""
SHARE = 8
"""The arrays of one grouping may take this part of the memory that DuckDB may take."""
PLACES = 1
"""All threads together may have so many places a row: to write one takes about a third of the time of hashing a row."""
USUAL, MOST = 12, 32
"""Bits of a key for which DuckDB takes an array anyway, and the most that it can be told to."""

_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}


def tell(cursor: Any, people: int, rows: int, sums: int) -> None:
    """Have a cursor's statements group by arrays, where so many people with so many rows fit in them."""
    memory, threads = cursor.execute("SELECT current_setting('memory_limit'), current_setting('threads')").fetchone()
    number, unit = memory.split()
    if bits := key_bits(people, rows, sums, int(float(number) * _UNITS[unit]), threads):
        cursor.execute(f"SET perfect_ht_threshold = {bits}")


def key_bits(people: int, rows: int, sums: int, memory: int, threads: int) -> int:
    """The bits of a person's code for which arrays are the better way; 0: as DuckDB does it.

    ``people`` is of the largest table; others may have a few more, so that codes may take one bit more. ``sums`` is how
    many of each person are kept at once.
    """
    bits = people.bit_length() + 1
    places = 2**bits * threads
    fits = places * STATE * (sums + 1) <= memory // SHARE and places <= PLACES * rows
    return bits if USUAL < bits <= MOST and fits else 0
