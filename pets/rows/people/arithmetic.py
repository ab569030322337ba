"""Arithmetic in SQL: the codes of derived columns as expressions of DuckDB, or of Spark."""

from __future__ import annotations

from typing import Any


class Sql:
    """An expression that is computed with as a number is; all of its numbers are whole ones of 64 bits.

    Attributes:
        WHOLE: how whole numbers are divided; neither is ever negative.
    """

    WHOLE = "//"

    def __init__(self, text: str) -> None:
        self.text = text

    def _with(self, sign: str, other: Any) -> Sql:
        return type(self)(f"({self.text} {sign} {_text(other)})")

    def __add__(self, other: Any) -> Sql:
        return self._with("+", other)

    def __sub__(self, other: Any) -> Sql:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> Sql:
        return type(self)(str(other)) - self

    def __mul__(self, other: Any) -> Sql:
        return self._with("*", other)

    def __floordiv__(self, other: Any) -> Sql:
        return self._with(self.WHOLE, other)

    def __mod__(self, other: Any) -> Sql:
        return self._with("%", other)

    def __lt__(self, other: Any) -> Sql:
        return self._with("<", other)

    def __le__(self, other: Any) -> Sql:
        return self._with("<=", other)

    def __ge__(self, other: Any) -> Sql:
        return self._with(">=", other)

    def __eq__(self, other: object) -> Sql:  # type: ignore[override]
        return self._with("=", other)

    def __or__(self, other: Any) -> Sql:
        return self._with("OR", other)

    __hash__ = None  # type: ignore[assignment]


class SparkSql(Sql):
    """The same for Spark, where ``/`` of whole numbers is a fraction."""

    WHOLE = "div"


def _text(value: Any) -> str:
    return value.text if isinstance(value, Sql) else str(value)


def either(where: Sql, one: Any, other: Any) -> Sql:
    """One where the condition holds, and the other where it does not."""
    return type(where)(f"CASE WHEN {where.text} THEN {_text(one)} ELSE {_text(other)} END")
