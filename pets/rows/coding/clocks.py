"""Times of day to codes, as DuckDB SQL: texts and typed values alike, by the text in which they are written."""

from __future__ import annotations

from pets.rows.coding.cell import OUT, UNPARSABLE, Cell, Coding, cases, quoted
from pets.schema.clock.time_of_day import DIGITS, SECOND, WRITTEN, Time, seconds_of


def clock(domain: Time, cell: Cell, helper: str) -> Coding:
    """The coding of a column of times of day; a duration is none, whatever it looks like."""
    width, low, high = domain.width // SECOND, domain.lo // SECOND, (domain.hi + domain.width) // SECOND - 1
    text, parts = f"{helper}_text", f"{helper}_parts"
    written = "CAST(NULL AS VARCHAR)" if cell.kind.upper() == "INTERVAL" else f"trim({cell.text})"
    steps = [(text, _marked(written, domain.format)), (parts, _parts(text)), (helper, _seconds(text, parts))]
    tokens = [str(gone) for token in domain.null if (gone := seconds_of(token, domain.format)) is not None]
    missing = cell.missing(domain, also=[f"{helper} IN ({', '.join(tokens)})"] if tokens else [])
    arms = (
        f"WHEN {helper} IS NULL THEN {domain.cells + UNPARSABLE} "
        f"WHEN {helper} BETWEEN {low} AND {high} THEN ({helper} - {low}) // {width} ELSE {domain.cells + OUT}"
    )
    return Coding(cases(domain, missing, arms), tuple(steps))


def _marked(text: str, format_: str | None) -> str:
    """SQL of the text with colons, where the file writes none."""
    if format_ is None:
        return text
    digits = DIGITS[format_]
    pairs = ", ".join(f"substr(lpad({text}, {digits}, '0'), {at}, 2)" for at in range(1, digits, 2))
    return f"CASE WHEN regexp_full_match({text}, '[0-9]{{1,{digits}}}') THEN concat_ws(':', {pairs}) ELSE {text} END"


def _parts(text: str) -> str:
    """SQL of the hours, minutes and seconds that a text says: all empty where it says none, or 24:00."""
    return f"regexp_extract({text}, {quoted(f'^(?:{WRITTEN})$')}, ['h', 'm', 's'])"


def _seconds(text: str, parts: str) -> str:
    """SQL of the whole seconds since midnight; null where the text is no time of day."""
    hours, minutes, seconds = (f"coalesce(TRY_CAST({parts}.{name} AS INTEGER), 0)" for name in ("h", "m", "s"))
    return (
        f"CASE WHEN {parts}.h <> '' THEN 3600 * {hours} + 60 * {minutes} + {seconds} "
        f"WHEN regexp_full_match({text}, {quoted(WRITTEN)}) THEN 0 END"
    )
