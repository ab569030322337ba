"""The table of people as one statement of Spark: that of DuckDB, but for what the two write differently.

Integers of Spark are errors where they overflow or are divided by 0 (its ANSI mode), so what may be 0 is no value here.
"""

from __future__ import annotations

from pets.rows.people.arithmetic import SparkSql
from pets.rows.people.sql import PeopleSql


def literal(text: str) -> str:
    r"""A text as a literal of Spark, in which a backslash begins a character.

    >>> print(literal("it's a \\"))
    'it\'s a \\'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class SparkPeopleSql(PeopleSql):
    """The statement of one plan, for Spark."""

    FIRST, NUMBER = "min_by", SparkSql

    def _nth(self, code: str, order: str, dated: str, nth: int) -> str:
        # (a set is a list here, for no two rows have one order; what is past its end is no value)
        rows = f"array_sort(collect_set(named_struct('place', {order}, 'code', {code})) {dated})"
        return f"try_element_at({rows}, {nth}).code"

    def _whole(self, of: str, by: object) -> str:
        return f"{of} div nullif({by}, 0)"

    def _literal(self, text: str) -> str:
        return literal(text)

    def _day(self, first: str, after: str) -> str:
        return f"date_add(DATE {literal(first)}, CAST({after} AS INT))"

    def _apart(self, day: str, valued: str, gap: int) -> str:
        days = f"array_sort(collect_set({day}) {valued})"
        gaps = f"transform(slice({days}, 2, greatest(size({days}) - 1, 0)), (day, place) -> day - {days}[place])"
        return f"size(filter({gaps}, days -> days > {gap}))"
