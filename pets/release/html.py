"""A release as HTML: for a notebook cell, and as a page of its own. Everything is escaped; nothing is fetched."""

from __future__ import annotations

from html import escape

from pets.common.codec import fraction
from pets.common.percent import budget_percent, percent
from pets.errors import MissingExtraError
from pets.release import shown as shown_of
from pets.release import text
from pets.release.views import Answer

_CHARTS = 4
_ROWS = 500

STYLE = """
.pets-release{font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;max-width:100%}
.pets-release p{margin:.5em 0;max-width:46em}
.pets-release .scroll{overflow-x:auto;width:fit-content;max-width:100%}
.pets-release table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0;background:transparent}
.pets-release caption{text-align:left;padding:.25em 0 .5em;font-weight:600;color:inherit;caption-side:top;
white-space:nowrap}
.pets-release th,.pets-release td{padding:.3em .8em;border-bottom:1px solid rgba(128,128,128,.35);color:inherit;
background:transparent;white-space:nowrap;text-align:right}
.pets-release th.key,.pets-release td.key{text-align:left;font-weight:500}
.pets-release thead th{border-bottom:2px solid rgba(128,128,128,.7);font-weight:600}
.pets-release .margin{opacity:.8}
.pets-release .below{display:block;font-weight:400;font-size:12px;white-space:normal}
.pets-release .unknown{font-style:italic;opacity:.85}
.pets-release .badge{display:inline-block;border-radius:1em;padding:.1em .8em;color:#fff;background:#1d5f8a;
font-weight:600;font-size:13px}
.pets-release .badge.alarm{background:#b00020}
.pets-release .gauge{display:block;max-width:100%;margin:.3em 0}
.pets-release .small{font-size:13px}
.pets-release.dummy .scroll{
background:repeating-linear-gradient(-45deg,transparent 0 14px,rgba(176,0,32,.09) 14px 28px)}
.pets-release .watermark{border:2px solid #b00020;padding:.3em .8em;font-weight:700;letter-spacing:.04em;max-width:none}
"""

PAGE_STYLE = """
:root{color-scheme:light dark}
body{margin:0;background:#fff;color:#1f2933;font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",
Arial,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.8rem;line-height:1.25;margin:1rem 0 .5rem}
h2{font-size:1.2rem;margin:2.2rem 0 .4rem;border-top:1px solid rgba(128,128,128,.4);padding-top:1.2rem}
p,li,dd{max-width:44rem}
a{color:#0b5cad}
.charts{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}
figure{margin:0;overflow-x:auto}
figure svg{background:#fff;border-radius:6px;max-width:100%;height:auto}
figcaption{font-size:.9rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem}
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
.pets-release,.pets-release .small{font-size:15px}
@media (prefers-color-scheme:dark){body{background:#14181c;color:#e6eaee}a{color:#7ab8f5}}
@media print{main{max-width:none}}
"""


def fragment(answer: Answer) -> str:
    """The answer for a notebook cell: table, protection, guarantee, cost and what is left of the budget."""
    parts = [_badge(answer), _table(answer, text.SHOWN), _reading(answer), f"<p>{escape(answer.guarantee)}</p>"]
    parts += [_cost(answer), _notes(answer)]
    return _wrapped(answer, f"<style>{STYLE}</style>", *parts)


def page(answer: Answer, title: str, intro_html: str = "") -> str:
    """A page of its own, with charts: one file that needs nothing else, for a browser or a printer.

    Args:
        answer: the release.
        title: as plain text.
        intro_html: HTML put below the title as it is; escape what does not come from you.
    """
    sections = [
        f"<h1>{escape(title)}</h1>",
        intro_html,
        _wrapped(answer, _badge(answer)),
        "<h2>The answer</h2>",
        *_charts(answer),
        _wrapped(answer, _table(answer, _ROWS)),
        "<h2>What is promised</h2>",
        f"<p>{escape(answer.guarantee)}</p>",
        _notes(answer),
        *_how_to_read(answer),
        "<h2>What it cost</h2>",
        _wrapped(answer, _cost(answer)),
        "<h2>Where it comes from</h2>",
        _origin(answer),
    ]
    body = "\n".join(part for part in sections if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{PAGE_STYLE}{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n"
        "</main>\n</body>\n</html>\n"
    )


def gauge(answer: Answer) -> str:
    """The ledger's budget as a bar: spent before, spent on this release, left (empty where it is not known)."""
    state = answer.budget
    if not state or "cap" not in state or "spent" not in state or fraction(state["cap"]) <= 0:
        return ""
    cap, spent = fraction(state["cap"]), fraction(state["spent"])
    own = min(fraction(answer.cost["loss"]), spent)
    width = 320.0
    before, here = (width * min(float(part / cap), 1.0) for part in (spent - own, own))
    here = max(here, 2.0) if own else 0.0  # a release that cost little is still seen
    of, on = budget_percent(float(spent / cap)), budget_percent(float(own / cap))
    label = f"{of} of the budget is spent, {on} on this release"
    said = ""
    if "epsilon_cap" in state and "epsilon_spent" in state:
        used, most = (float(fraction(state[name])) for name in ("epsilon_spent", "epsilon_cap"))
        delta = float(fraction(state.get("delta") or 0))
        said = f" (ε = {used:.3g} of {most:g}{f', δ = {delta:g}' if delta else ''})"
    parts = ((0.0, before, "#7f97a8"), (min(before, width - here), here, "#d55e00"))
    return f'{bar(label, *parts)}<p class="small">{escape(label)}{escape(said)}.</p>'


def bar(label: str, *parts: tuple[float, float, str]) -> str:
    """A bar 320 wide, outlined, with parts in it (from where, how wide, colour); the label says what they show."""
    inside = "".join(
        f'<rect x="{x:.2f}" y="0" width="{width:.2f}" height="16" rx="{4 if not x else 2}" fill="{colour}"/>'
        for x, width, colour in parts
    )
    return (
        f'<svg class="gauge" role="img" aria-label="{escape(label)}" width="320" height="16" viewBox="0 0 320 16">'
        f'<rect x="0.5" y="0.5" width="319" height="15" rx="4" fill="none" stroke="currentColor" opacity="0.6"/>'
        f"{inside}</svg>"
    )


def _wrapped(answer: Answer, *parts: str) -> str:
    dummy = " dummy" if answer.data == "dummy" else ""
    inside = "\n".join(part for part in parts if part)
    return f'<div class="pets-release{dummy}">\n{inside}\n</div>'


def _badge(answer: Answer) -> str:
    if answer.data == "dummy":
        return f'<p class="watermark">{escape(text.DUMMY)}</p>'
    alarm = " alarm" if answer.mechanism == "none" else ""
    return f'<p><span class="badge{alarm}">{escape(text.protection(answer))}</span></p>'


def _table(answer: Answer, limit: int) -> str:
    shown = text.grid(answer, limit)
    head = "".join(
        f'<th scope="col"{_key_class(i < shown.keys)}>{escape(name)}{_below(said)}</th>'
        for i, (name, said) in enumerate(zip(shown.header, shown.below, strict=True))
    )
    rows = []
    for row in shown.rows:
        keys = "".join(f'<th scope="row" class="key">{escape(cell)}</th>' for cell in row[: shown.keys])
        rows.append(f"<tr>{keys}{''.join(_cell(cell) for cell in row[shown.keys :])}</tr>")
    dummy = f"{text.DUMMY}: " if answer.data == "dummy" else ""
    more = f'<p class="small">… and {shown.more:,} more; <code>.table</code> has all of them.</p>' if shown.more else ""
    chosen = shown_of.sentence(answer)
    more += f'<p class="small">{escape(chosen)}</p>' if chosen else ""
    return (
        f'<div class="scroll"><table><caption>{escape(dummy + text.headline(answer))}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{more}"
    )


def _below(said: str) -> str:
    return f'<span class="below">{escape(said)}</span>' if said else ""


def _key_class(key: bool) -> str:
    return ' class="key"' if key else ""


def _cell(cell: str) -> str:
    if cell == text.UNKNOWN:
        return f'<td><span class="unknown">{escape(cell)}</span></td>'
    value, mark, rest = cell.partition(" ± ")
    if not mark:
        value, mark, rest = cell.partition(" [")
    said = escape(value) + (f'<span class="margin">{escape(mark + rest)}</span>' if mark else "")
    return f"<td>{said}</td>"


def _reading(answer: Answer) -> str:
    if answer.estimates.exact:
        return ""
    said = f"± and [ ] give the {text.interval(answer)} around each noisy value, for the bounded answer."
    return f'<p class="small">{said}</p>'


def _how_to_read(answer: Answer) -> list[str]:
    if answer.estimates.exact:
        return []
    share = percent(answer.estimates.confidence)
    return [
        "<h2>How to read the error bars</h2>",
        "<p>Random noise was added to every number, so that no one person can be noticed. "
        f"Each bar, ± or pair in brackets is a {share} interval: of many such intervals, about {share} hold the answer "
        "without noise. They speak of the noise alone, not of sampling, missing data or mistakes in the records.</p>",
        "<p>Counts of small groups may come out below zero. That is the noise; cutting it off would make sums of such "
        f"groups too large. “{text.UNKNOWN[0].upper()}{text.UNKNOWN[1:]}” means that a group has too few rows for the "
        "noise to say anything about this number.</p>",
    ]


def _cost(answer: Answer) -> str:
    if answer.data == "dummy":
        return "<p>Cost: nothing; no real person is in dummy data.</p>"
    said = [f"Cost: {text.cost(answer)}."]
    more = text.more_like_this(answer)
    return f"<p>{escape(' '.join([*said, more] if more else said))}</p>{gauge(answer)}"


def _notes(answer: Answer) -> str:
    return "".join(
        f'<p class="small">{escape(note)}</p>' for note in (*answer.notes, text.rows_counted(answer)) if note
    )


def _origin(answer: Answer) -> str:
    plan = answer.plan
    facts = {
        "Asked of": f"{plan.dataset}/{plan.source}" + (" (dummy data)" if answer.data == "dummy" else ""),
        "For": f"{answer.analyst}, project {answer.project}",
        "Issued": answer.issued_at,
        "Release": answer.id,
        "Snapshot": answer.snapshot_id,
        "Digest": answer.digest,
    }
    return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in facts.items())}</dl>"


def _charts(answer: Answer) -> list[str]:
    """The first outputs as inline SVG; without the ``plot`` extra a page has its table only."""
    try:
        from pets.release import picture, plot

        found = []
        for number, column in enumerate(answer.estimates.columns[:_CHARTS]):
            made = plot.chart(answer, column.output.name)
            label = f"Chart of {plot.measured(answer, column)}; the table below has the same numbers."
            found.append(f"<figure>{picture.inline(picture.svg(made), label, number)}</figure>")
        return [f'<div class="charts">{"".join(found)}</div>']
    except MissingExtraError:
        return []
