"""Numbers to the codes of their grid, exactly, as DuckDB SQL.

A text, a decimal or a whole number is the number that is written, a float its own value; it is rounded to the nearest
step, halves up, and moved to the nearer bound. Doubles decide only where their error cannot reach the border between
two codes; near one (a half, or a grid finer than doubles) the digits of the text itself are computed with.
"""

from __future__ import annotations

import re

from pets.rows.coding.cell import ABOVE, BELOW, UNPARSABLE, Cell, Coding, cases, quoted, trimmed
from pets.schema.numeric import Integer, Numeric, Real, Scale, scale_of
from pets.schema.reading import GAP, PLAIN_NUMBER, NumberText, groups

_GRAMMAR = "[ \\t\\n\\r\\v\\f]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[ \\t\\n\\r\\v\\f]*"
_PARTS = "^[ \\t\\n\\r\\v\\f]*([+-]?)0*([0-9]*)[.]?([0-9]*)(?:[eE]([+-]?[0-9]+))?[ \\t\\n\\r\\v\\f]*$"
_SURE = 15  # characters of a plain number that one double holds apart from every other
_FAR = 10**38  # further than any bound
_DIGITS = 38

Steps = tuple[tuple[str, str], ...]


def _written(cell: Cell, reading: NumberText) -> str:
    """SQL of the number that a text spells, with a decimal point and nothing around it; null where it spells none."""
    if cell.typed or reading == PLAIN_NUMBER:  # blanks around a number are nothing to the engine
        return cell.text
    text = trimmed(cell.text)
    for place in ("prefix", "suffix"):
        listed = "|".join(re.escape(item) for item in sorted(getattr(reading, place), key=len, reverse=True))
        if listed:
            found, kept = (f"^([+-]?){GAP}({listed}){GAP}", "\\1") if place == "prefix" else (f"{GAP}({listed})$", "")
            text = f"regexp_replace({text}, {quoted(found)}, {quoted(kept)})"
    point = re.escape(reading.decimal)
    if reading.thousands is not None:
        mark = reading.thousands
        shape = f"[+-]?({groups(mark)}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"
        bare = f"replace({text}, {quoted(mark)}, '')"
        text = f"CASE WHEN regexp_full_match({text}, {quoted(shape)}) THEN {bare} END"
    if reading.decimal != ".":
        # a point that is left means nothing here
        text = f"translate({text}, {quoted(reading.decimal + '.')}, '._')"
    return text


def _texts(cell: Cell, reading: NumberText, helper: str) -> Steps:
    """The number as text, and as a double."""
    raw, text, number = f"{helper}_raw", f"{helper}_text", f"{helper}_double"
    # the engine's own reading of a double has two liberties that are not the grammar's; an infinite one may be a number
    # too large for it, or a word
    liberties = f"contains({raw}, '_') OR contains({raw}, '+-')"
    grammar = f"regexp_full_match({text}, {quoted(_GRAMMAR)})"
    return (
        (raw, _written(cell, reading)),
        (text, f"CASE WHEN {liberties} THEN NULL ELSE {raw} END"),
        (f"{number}_read", f"TRY_CAST({text} AS DOUBLE)"),
        (number, f"CASE WHEN isfinite({number}_read) OR {grammar} THEN {number}_read END"),
    )


def _exactly(helper: str, text: str, when: str, scale: Scale) -> Steps:
    """``{helper}_n``, floor(x · 10^places), and ``{helper}_more``, whether digits were cut, where ``when`` holds."""
    part, digits, at = f"{helper}_part", f"{helper}_digits", f"{helper}_at"
    exponent = (
        f"coalesce(TRY_CAST({part}.e AS BIGINT), CASE WHEN {part}.e = '' THEN 0 "
        f"WHEN starts_with({part}.e, '-') THEN -1000000000 ELSE 1000000000 END)"
    )
    # beyond a thousand million places only the sign matters
    exponent = f"least(greatest({exponent}, -1000000000), 1000000000)"
    written = f"concat({part}.i, {part}.f)"
    bare = f"ltrim({written}, '0')"
    place = f"length({part}.i) + {exponent} + {scale.places} - (length({written}) - length({digits}))"
    cut = f"CASE WHEN {at} > 0 THEN {at} ELSE 0 END"
    size = (
        f"CASE WHEN {digits} = '' OR {at} <= 0 THEN CAST(0 AS HUGEINT) "
        f"WHEN {at} > {_DIGITS} THEN CAST({_FAR} AS HUGEINT) "
        f"ELSE CAST(rpad(left({digits}, {at}), CAST({at} AS INTEGER), '0') AS HUGEINT) END"
    )
    more = f"CASE WHEN {at} >= length({digits}) THEN false ELSE ltrim(substr({digits}, {cut} + 1), '0') <> '' END"
    down = f"CASE WHEN {part}.s = '-' THEN -{helper}_size - CAST({helper}_more AS INTEGER) ELSE {helper}_size END"
    return (
        (part, f"CASE WHEN {when} THEN regexp_extract({text}, {quoted(_PARTS)}, ['s', 'i', 'f', 'e']) END"),
        (digits, f"CASE WHEN {part} IS NOT NULL THEN {bare} END"),
        (at, f"CASE WHEN {digits} IS NOT NULL THEN {place} END"),
        (f"{helper}_size", f"CASE WHEN {digits} IS NOT NULL THEN {size} END"),
        (f"{helper}_more", f"CASE WHEN {digits} IS NOT NULL THEN {more} END"),
        (f"{helper}_n", f"CASE WHEN {digits} IS NOT NULL THEN {down} END"),
    )


def _coded(domain: Numeric, n: str, more: str, scale: Scale) -> str:
    """SQL of the staged code of n (with something left or not), within the bounds or marked."""
    place = f"({n} * {scale.parts} - ({scale.low}) + {scale.step // 2}) // {scale.step}"
    return (
        f"CASE WHEN {n} < {scale.least} THEN {domain.cells + BELOW} "
        f"WHEN {n} > {scale.most} OR ({n} = {scale.most} AND {more}) THEN {domain.cells + ABOVE} ELSE {place} END"
    )


def real(domain: Real, cell: Cell, helper: str) -> Coding:
    """The coding of a real column."""
    scale, unread = scale_of(domain), f"{domain.cells + UNPARSABLE}"
    if cell.family in ("date", "time", "bool"):
        return Coding(cases(domain, cell.missing(domain), f"ELSE {unread}"))
    if cell.family in ("int", "huge"):
        return Coding(cases(domain, cell.missing(domain), f"ELSE {_of_whole(domain, cell, scale)}"))
    number, text, n = f"{helper}_double", f"{helper}_text", f"{helper}_n"
    place, near = f"{helper}_place", _doubt(domain)
    if cell.family == "float":
        steps: Steps = ((number, f"CAST({cell.sql} AS DOUBLE)"),)
        nothing = f"{number} IS NULL OR NOT isfinite({number})"
        digits = f"format('{{:.766e}}', {number})"  # every digit that a double can have
        open_ = f"isfinite({number})"
    else:
        steps = _texts(cell, domain.reading, helper)
        nothing = f"{number} IS NULL"
        digits, open_ = text, f"{number} IS NOT NULL"
    low, high, step = (_double(value) for value in (domain.lo, domain.hi, domain.step))
    inside = f"{number} BETWEEN {low} AND {high}"
    close = f"NOT abs({place} - round({place})) > {near!r}" if near < 0.25 else "true"
    # a double at a bound may be on either side of it, and then the code is the same
    when = f"{open_} AND (NOT isfinite({number}) OR {inside} AND {close})"
    steps += ((place, f"({number} - {low}) / {step} + 0.5"), *_exactly(helper, digits, when, scale))
    quick = (
        f"CASE WHEN {number} < {low} THEN {domain.cells + BELOW} WHEN {number} > {high} THEN {domain.cells + ABOVE} "
        f"ELSE CAST(floor({place}) AS BIGINT) END"
    )
    exact = _coded(domain, n, f"{helper}_more", scale)
    arms = f"WHEN {nothing} THEN {unread} WHEN {n} IS NOT NULL THEN {exact} ELSE {quick}"
    return Coding(cases(domain, cell.missing(domain), arms), steps)


def _doubt(domain: Real) -> float:
    """How far a place computed in doubles may be from the true one: a few roundings, each of 2^-53 of its size."""
    size = 2 * max(abs(domain.lo), abs(domain.hi)) / domain.step + 2
    return float(size) * 2.0**-50


def _double(value: object) -> str:
    return f"CAST('{float(value)!r}' AS DOUBLE)"  # type: ignore[arg-type]


def _of_whole(domain: Real, cell: Cell, scale: Scale) -> str:
    """SQL of the code of a whole number in a column of whole numbers."""
    least, most = -(-scale.least // 10**scale.places), scale.most // 10**scale.places
    fits = max(abs(least), abs(most), 1) * 10**scale.places * scale.parts + abs(scale.low) + scale.step < 2**62
    kind = "BIGINT" if fits else "HUGEINT"
    n = f"CAST({cell.sql} AS {kind}) * {10**scale.places * scale.parts}"
    place = f"({n} - ({scale.low}) + {scale.step // 2}) // {scale.step}"
    return (
        f"CASE WHEN {cell.sql} < {least} THEN {domain.cells + BELOW} WHEN {cell.sql} > {most} "
        f"THEN {domain.cells + ABOVE} ELSE {place} END"
    )


def _clamped(domain: Integer, x: str, code: str) -> str:
    return (
        f"CASE WHEN {x} < {domain.lo} THEN {domain.cells + BELOW} WHEN {x} > {domain.hi} THEN {domain.cells + ABOVE} "
        f"ELSE {code} END"
    )


def integer(domain: Integer, cell: Cell, helper: str) -> Coding:
    """The coding of a column of whole numbers."""
    x, lo = cell.sql, domain.lo
    missing, unread = cell.missing(domain), f"{domain.cells + UNPARSABLE}"
    if cell.family in ("int", "huge"):
        arithmetic = "BIGINT" if cell.family == "int" and lo > -(2**63) else "HUGEINT"
        return Coding(cases(domain, missing, f"ELSE {_clamped(domain, x, f'CAST({x} AS {arithmetic}) - ({lo})')}"))
    if cell.family in ("date", "time", "bool"):
        return Coding(cases(domain, missing, f"ELSE {unread}"))
    number = f"{helper}_double"
    if cell.family == "float":
        steps: Steps = ((number, f"CAST({x} AS DOUBLE)"),)
        nothing = f"{number} IS NULL OR NOT isfinite({number})"
        sure = "true"
    else:
        text, scale = f"{helper}_text", scale_of(domain)
        sure = f"length({text}) <= {_SURE} AND NOT contains({text}, 'e') AND NOT contains({text}, 'E')"
        steps = (
            *_texts(cell, domain.reading, helper),
            *_exactly(helper, text, f"{number} IS NOT NULL AND NOT ({sure})", scale),
        )
        nothing = f"{number} IS NULL"
    whole = {
        None: number,
        "floor": f"floor({number})",
        "ceil": f"ceil({number})",
        # the difference is exact, and adding a half would not be
        "nearest": f"floor({number}) + CAST({number} - floor({number}) >= 0.5 AS INTEGER)",
    }[domain.round]
    steps += ((f"{helper}_whole", whole),)
    bad = f"WHEN {number} <> trunc({number}) THEN {unread} " if domain.round is None else ""
    far = f"CASE WHEN {number} < 0 THEN {domain.cells + BELOW} ELSE {domain.cells + ABOVE} END"
    w = f"CAST({helper}_whole AS HUGEINT)"
    quick = f"CASE {bad}WHEN abs({number}) >= 1e30 THEN {far} ELSE {_clamped(domain, w, f'{w} - ({lo})')} END"
    if cell.family == "float":
        return Coding(cases(domain, missing, f"WHEN {nothing} THEN {unread} ELSE {quick}"), steps)
    exact = f"CASE WHEN {helper}_n IS NULL THEN {quick} ELSE {_whole_of(domain, helper)} END"
    return Coding(cases(domain, missing, f"WHEN {nothing} THEN {unread} ELSE {exact}"), steps)


def _whole_of(domain: Integer, helper: str) -> str:
    """SQL of the code of a number that is read digit by digit: n tenths, and whether that left something."""
    n, more = f"{helper}_n", f"{helper}_more"
    broken = f"({n} % 10 <> 0 OR {more})"
    # a multiple of ten below every n, so that the division rounds down
    base = 10 * (domain.lo - 2)
    shift = {None: 0, "floor": 0, "ceil": 0, "nearest": 5}[domain.round]
    up = f" + CAST({broken} AS INTEGER)" if domain.round == "ceil" else ""
    whole = f"(({n} + {shift} - ({base})) // 10 + ({domain.lo - 2}){up})"
    bad = f"WHEN {broken} THEN {domain.cells + UNPARSABLE} " if domain.round is None else ""
    return (
        f"CASE {bad}WHEN {n} < {10 * (domain.lo - 1)} THEN {domain.cells + BELOW} "
        f"WHEN {n} > {10 * (domain.hi + 1)} THEN {domain.cells + ABOVE} "
        f"ELSE {_clamped(domain, whole, f'{whole} - ({domain.lo})')} END"
    )
