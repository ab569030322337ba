"""Columns of texts that nobody listed, for the checker's planner: how a constant is spelt, conditions and keys."""

import re
from fractions import Fraction as Q
from itertools import pairwise
from typing import Any

LETTERS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ".")
SIGNS = {"any": "[^\x00-\x1f\x7f]+", "letters_digits": "[0-9A-Za-z]+", "icd10": "[A-Z][0-9][A-Z0-9]{1,5}"}


def spelt(form: Any, value: Any) -> str:
    """A constant as the column holds it; an error for what no cell of it can hold."""
    text = str(value).strip(" \t\n\r\v\f") if type(value) in (str, int) else ""
    signs = form.get("form", "any")
    text = text.translate(LETTERS) if signs == "icd10" else text
    if text == "missing" or not re.fullmatch(SIGNS[signs], text) or len(text) > form["max_length"]:
        raise ValueError(value)
    return text


def spelt_or_none(form: Any, value: Any, ignored: bool) -> str | None:
    """The same; nothing for what no cell can hold, where that is ignored."""
    try:
        return spelt(form, value)
    except ValueError:
        if not ignored:
            raise
        return None


def listed(codes: list[str], values: list[str]) -> list[str]:
    """Those of a list that a category has: as they are, else without dots and in upper case where one value is so."""
    same: dict[str, list[str]] = {}
    for value in values:
        same.setdefault(value.translate(LETTERS), []).append(value)
    known = set(values)
    found = [[code] if code in known else same.get(code.translate(LETTERS), []) for code in codes]
    return sorted({some[0] for some in found if len(some) == 1})


def respelt(column: Any, rows: list[list[Any]], place: int) -> list[list[Any]]:
    """Listed keys, with those of a column of texts as it holds them."""
    if column["type"] != "text":
        return rows
    return [[spelt(column, v) if at == place and v is not None else v for at, v in enumerate(row)] for row in rows]


def condition(form: Any, column: Any, true: bool) -> Any:
    """A condition as texts that a cell is among, or is not; the empty text is null, and meets is_null alone."""
    kind, op = form["filter"], form.get("op", "==")
    if kind == "is_null":
        return {"column": form["column"], "texts": [""], "among": true}
    if kind not in ("compare", "isin", "codelist") or op not in ("==", "!="):
        raise ValueError(kind)
    given = form["codes"] if kind == "codelist" else form["values"] if kind == "isin" else [form["value"]]
    listed = {text for value in given if (text := spelt_or_none(column, value, kind == "codelist")) is not None}
    if not listed:
        raise ValueError(kind)
    among = true is (op == "==")
    return {"column": form["column"], "texts": sorted(listed if among else {"", *listed}), "among": among}


def dimension(key: Any, nullable: bool, listed: list[Any]) -> tuple[Any, list[str]]:
    """One column of the group key: the listed texts in order, each a slot, and null where it is listed."""
    if key["key"] != "column" or not listed:
        raise ValueError(key)
    names = sorted({text for text in listed if text is not None}) + ["missing"] * (nullable and None in listed)
    form = {"name": key.get("label") or key["column"], "column": key["column"], "size": len(names)}
    return form | {"breaks": [], "slots": [], "texts": names}, names


def written(value: Q) -> int | str:
    """A number as it stands in JSON."""
    places = next((n for n in range(1100) if 10**n % value.denominator == 0), None)
    if not places:
        return int(value) if places == 0 else f"{value.numerator}/{value.denominator}"
    above, below = divmod(abs(int(value * 10**places)), 10**places)
    return f"{'-' * (value < 0)}{above}.{below:0{places}d}"


def intervals(edges: list[Any]) -> list[str]:
    """The names of bins."""
    return [f"[{a}, {b}{']' if at == len(edges) - 2 else ')'}" for at, (a, b) in enumerate(pairwise(edges))]
