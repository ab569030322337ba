"""The page of a check: one file without scripts, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Protocol

from pets.sdc.tables.findings import REASONS, Finding, Grid, Verdict

STYLE = """
body{font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;margin:2em auto;
max-width:72em;padding:0 1em;color:#1b1b1b;background:#fff}
h1{font-size:1.5em}h2{font-size:1.2em;margin-top:2em}
.verdict{display:inline-block;padding:.1em .6em;border:2px solid;border-radius:.3em;font-weight:700}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0}
caption{text-align:left;font-weight:600;padding:.3em 0}
th,td{padding:.25em .8em;border:1px solid #c8c8c8;text-align:left;vertical-align:top}
td.cell{text-align:right;white-space:nowrap}
.fail{background:#fbe3e4;color:#7a0010}.review{background:#fff3cd;color:#5c4400}.pass{background:#e7f4ea;color:#0f4d22}
td small{display:block;font-weight:400}
ul{padding-left:1.2em}
@media (prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#555}
.fail{background:#5b1520;color:#ffdfe1}.review{background:#4d3d00;color:#ffeeb0}.pass{background:#123d20;color:#d4f5dd}}
"""
_SIGNS = {Verdict.FAIL: "✕", Verdict.REVIEW: "?", Verdict.PASS: "✓"}
_SAID = {
    Verdict.FAIL: "Something small can be read or found in these tables.",
    Verdict.REVIEW: "Nothing small was found for certain; what is marked needs a person.",
    Verdict.PASS: "Nothing small can be found in these tables, alone or together.",
}


class Checked(Protocol):
    """What the page shows of a check."""

    @property
    def tables(self) -> tuple[Grid, ...]:
        """The tables, as they were read."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found."""

    @property
    def verdict(self) -> Verdict:
        """Of all together."""

    @property
    def rule(self) -> str:
        """By which rule."""

    @property
    def width(self) -> int:
        """How many other numbers a small count had to leave open."""

    @property
    def counts(self) -> dict[str, int]:
        """How many findings have each verdict."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was taken for granted."""


def page(check: Checked) -> str:
    """The page, as HTML."""
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    names = ", ".join(one.name for one in check.tables)
    counted = ", ".join(f"{number:,} {name}" for name, number in check.counts.items())
    remarks = "".join(f"<li>{escape(one)}</li>" for one in check.remarks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>Check of {escape(names)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Check of {escape(names)}</h1>\n"
        f'<p><span class="verdict {check.verdict.value}">{_SIGNS[check.verdict]} {check.verdict.value}</span> '
        f"{_SAID[check.verdict]}</p>\n"
        f"<p>Rule: {escape(check.rule)}. A small count has to leave {check.width} other whole numbers open, "
        f"whatever is put together. Cells: {counted}.</p>\n"
        f"{''.join(_table(one, check) for one in check.tables)}\n"
        f"<h2>What was found</h2>\n{_listing(check)}\n"
        + (f"<h2>What was taken for granted</h2>\n<ul>{remarks}</ul>\n" if remarks else "")
        + "<p>No differential privacy is claimed, and nothing is said of tables that are not on this page.</p>\n"
        "</main>\n</body>\n</html>\n"
    )


def _table(grid: Grid, check: Checked) -> str:
    places = [name for name in grid.header if name not in grid.keys]
    found: dict[tuple[int, int], Finding] = {}
    for one in check.findings:
        if one.table == grid.name and one.row is not None and one.column is not None:
            before = found.get((one.row, one.column))
            if before is None or _weight(one) > _weight(before):
                found[one.row, one.column] = one
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in grid.header)
    body = "".join(f"<tr>{''.join(_cells(grid, places, row, found))}</tr>" for row in range(len(grid.rows)))
    return (
        f'<div class="scroll"><table><caption>{escape(grid.name)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _cells(grid: Grid, places: list[str], row: int, found: dict[tuple[int, int], Finding]) -> Iterator[str]:
    for name, text in zip(grid.header, grid.rows[row], strict=True):
        if name in grid.keys:
            yield f'<th scope="row">{escape(text)}</th>'
            continue
        one = found.get((row, places.index(name)))
        if one is None:
            yield f'<td class="cell">{escape(text)}</td>'
            continue
        note = "" if one.reason == "large" else f"<small>{escape(_note(one))}</small>"
        yield f'<td class="cell {one.verdict.value}">{_SIGNS[one.verdict]} {escape(text)}{note}</td>'


def _note(one: Finding) -> str:
    if one.low is None or one.high is None:
        return REASONS[one.reason]
    return f"is {one.low:,}" if one.low == one.high else f"{one.low:,} to {one.high:,}"


def _weight(one: Finding) -> int:
    return [Verdict.PASS, Verdict.REVIEW, Verdict.FAIL].index(one.verdict)


def _listing(check: Checked) -> str:
    told = sorted((one for one in check.findings if one.verdict is not Verdict.PASS), key=_weight, reverse=True)
    if not told:
        return "<p>Nothing.</p>"
    rows = "".join(
        f'<tr><td class="{one.verdict.value}">{_SIGNS[one.verdict]} {one.verdict.value}</td>'
        f"<td>{escape(one.table)}</td><td>{escape(one.cell)}</td><td>{escape(one.shown)}</td>"
        f"<td>{escape(one.derivation or REASONS[one.reason])}<small>{escape(REASONS[one.reason])}</small></td></tr>"
        for one in told
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Verdict", "Table", "Cell", "Shown", "How it is found"))
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
