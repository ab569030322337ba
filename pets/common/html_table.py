"""Small tables for a notebook cell. Everything is escaped, nothing is loaded, and columns line up in any font."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
.pets-facts{font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;max-width:100%}
.pets-facts .scroll{overflow-x:auto;width:fit-content;max-width:100%}
.pets-facts table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0;background:transparent}
.pets-facts caption{text-align:left;padding:.25em 0;font-weight:600;color:inherit;caption-side:top;white-space:nowrap}
.pets-facts th,.pets-facts td{padding:.2em .8em;border-bottom:1px solid rgba(128,128,128,.35);color:inherit;
background:transparent;text-align:left;vertical-align:top;max-width:44em}
.pets-facts th{font-weight:600;white-space:nowrap}
.pets-facts td.number,.pets-facts th.number{text-align:right;white-space:nowrap}
.pets-facts p{margin:.5em 0;max-width:46em}
.pets-facts .alarm{border:2px solid #b00020;padding:.2em .8em;font-weight:700;max-width:none;width:fit-content}
"""


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[int] = ()) -> str:
    """A table; an empty header is left out, and columns named in ``numbers`` stand at the right."""
    right = dict.fromkeys(numbers, ' class="number"')
    head = "".join(f'<th scope="col"{right.get(i, "")}>{escape(name)}</th>' for i, name in enumerate(header))
    body = "".join(
        "<tr>"
        + f'<th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td{right.get(i, '')}>{escape(str(cell))}</td>" for i, cell in enumerate(rest, start=1))
        + "</tr>"
        for first, *rest in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if header else ""
    return f'<div class="scroll"><table><caption>{escape(caption)}</caption>{top}<tbody>{body}</tbody></table></div>'


def block(*parts: str) -> str:
    """Parts of HTML as one cell's output."""
    return f'<div class="pets-facts"><style>{STYLE}</style>{"".join(parts)}</div>'


def sentence(text: str, *, alarm: bool = False) -> str:
    """A paragraph of plain text; ``alarm`` where it must not be missed."""
    kind = ' class="alarm"' if alarm else ""
    return f"<p{kind}>{escape(text)}</p>"


def few(names: Iterable[object], most: int = 8) -> str:
    """The first of many names, and how many more there are.

    >>> few("abc", most=2)
    'a, b … and 1 more'
    """
    listed = [str(name) for name in names]
    more = f" … and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
