"""The page that a custodian reads and signs: one HTML file, pictures inline, nothing fetched."""

from __future__ import annotations

from html import escape
from typing import Any, Protocol

from pets.common.codec import Json
from pets.errors import MissingExtraError
from pets.release.html import PAGE_STYLE
from pets.synthetic.assess import charts
from pets.synthetic.assess.score import WARNING, Score

STYLE = """
.warn{border:2px solid #b00020;padding:.6rem 1rem;max-width:none;font-weight:600}
.flag{border-left:.4rem solid #b00020;padding:.2rem .8rem;margin:.6rem 0}
.clear{border-left:.4rem solid #009e73;padding:.2rem .8rem;margin:.6rem 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.6rem 0;width:100%}
th,td{padding:.3rem .6rem;border-bottom:1px solid rgba(128,128,128,.35);text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left}td small{opacity:.8;display:block;max-width:30rem}
figure{margin:.8rem 0}figure svg{max-width:100%;height:auto}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:0 1rem}
@media(max-width:40rem){
tr{display:grid;grid-template-columns:repeat(4,1fr);border-bottom:1px solid rgba(128,128,128,.35)}
td,th{border:0;padding:.2rem .3rem}
td:first-child{grid-column:1/-1}th:first-child{display:none}
.sign{grid-template-columns:1fr}
}
@media print{h2{break-after:avoid}figure,tr,.sign{break-inside:avoid}}
.sign{display:grid;grid-template-columns:1fr 1fr;gap:3.5rem 2rem;margin-top:4rem}
.sign div{border-top:1px solid currentColor;padding-top:.2rem;font-size:.9rem}
.box{display:inline-block;width:1rem;height:1rem;border:1px solid currentColor;margin-right:.5rem;vertical-align:-.1rem}
"""
_FEW = " (few: every one of them was used in turn, cross-fitted, and the intervals are wide)"
GROUPS = {
    "fidelity": "Fidelity: what it keeps of counts",
    "utility": "Utility: what can be learnt from it",
    "detectability": "Detectability: whether it can be told from real rows",
    "risk": "Disclosure risk: what it tells of single people",
}


class Assessed(charts.Shown, Protocol):
    """What is read of an assessment."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What the custodian must look at."""

    @property
    def target(self) -> str:
        """The column that learners were to tell."""

    @property
    def about(self) -> Json:
        """The synthetic table's manifest, where it has one."""

    @property
    def made_at(self) -> str:
        """When."""

    @property
    def seed(self) -> int:
        """Of every choice by chance."""


def page(assessed: Assessed) -> str:
    """The whole page."""
    try:
        drawn = charts.pictures(assessed)
    except MissingExtraError as error:
        drawn = dict.fromkeys(("scale", "columns", "associations", "risk"), "")
        drawn["scale"] = f"<p><i>No pictures: {escape(str(error))}.</i></p>"
    title = "Assessment of a synthetic table"
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            f'<p class="warn">{escape(WARNING)}</p>',
            _short(assessed),
            "<h2>Scores between worthless and real</h2>",
            "<p>Each score stands between the same score of the real columns, each <b>shuffled</b> by itself (left: "
            "every "
            "column right and nothing between them), and that of <b>real rows</b> that were kept out (right).</p>",
            drawn["scale"],
            f"<p>Not in the picture: {escape(', '.join(aside))}. Shuffled columns score no worse there than real rows "
            "do (a shuffle keeps every column by itself), so there is nothing to stand between; see all numbers.</p>"
            if (aside := [s.name for s in assessed.scores if s.group != "risk" and s.place != s.place])
            else "",
            "<h2>What it risks</h2>",
            "<p>Every attack is made on people whose rows the table was made from and on people whose rows were kept "
            "out. What succeeds on both is general knowledge; the risk is what succeeds beyond that. It is flagged "
            "where "
            "chance would explain it less than once in 10,000 tables. A shuffle keeps every single real value, so it "
            "is no "
            "model of privacy. These are some attacks by some attackers: no flag is no proof.</p>",
            drawn["risk"],
            "<h2>The columns that differ most</h2>",
            f'<div class="panels">{drawn["columns"]}</div>',
            "<h2>What holds together</h2>",
            drawn["associations"],
            "<h2>All numbers</h2>",
            *(_table(assessed, group) for group in GROUPS),
            "<h2>What was compared</h2>",
            _facts(assessed),
            "<h2>Decision</h2>",
            '<p><span class="box"></span>The table may leave, under the conditions below.</p>',
            '<p><span class="box"></span>The table stays.</p>',
            '<div class="sign">'
            + "".join(f"<div>{what}</div>" for what in ("Conditions", "For whom", "Name and role", "Date, signature"))
            + "</div>",
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{PAGE_STYLE}{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _short(assessed: Assessed) -> str:
    by_name = {score.name: score for score in assessed.scores}
    pairs, told = by_name["pairs of columns"], by_name["told from real rows"]
    learnt = [score for score in assessed.scores if score.group == "utility"]
    best = max(learnt, key=lambda score: score.value)
    kept = [score.name for score in assessed.scores if score.group != "risk" and (score.worthless or score.worse)]
    points = [
        f"Pairs of columns: {pairs.value:.1%} of rows are in the wrong place (shuffled columns {pairs.floor:.1%}, real "
        f"rows kept out {pairs.ceiling:.1%}).",
        f"Learning {assessed.target!r}: at best {best.value:.3f}, where 0.5 is guessing and 1 is perfect (shuffled "
        f"{best.floor:.3f}, real rows {best.ceiling:.3f}).",
        f"Telling it from real rows: {told.value:.3f}, where 0.5 is guessing (shuffled {told.floor:.3f}, real rows "
        f"{told.ceiling:.3f}).",
    ]
    promise = (
        str(assessed.about.get("guarantee", ""))
        or "The table came without a manifest: nothing is known of a guarantee."
    )
    enough = str(assessed.about.get("enough", ""))
    if enough:
        points.insert(0, enough)
    looks = list(assessed.flags)
    if kept:
        looks.insert(0, f"No better than shuffled columns, which keep nothing between columns: {', '.join(kept)}")
    flags = [f'<p class="flag"><b>Look at this:</b> {escape(look)}.</p>' for look in looks]
    if not assessed.flags:
        shade = "" if kept else ' class="clear"'  # green for nothing but a table that is of use, too
        flags.append(
            f"<p{shade}>No attack succeeded more often than chance explains. That is no "
            "proof: these are some attacks, and only a guarantee holds against all.</p>"
        )
    said = "".join(f"<li>{escape(point)}</li>" for point in points)
    return f"<h2>In short</h2>\n{''.join(flags)}\n<ul>{said}</ul>\n<p>{escape(promise)}</p>"


def _table(assessed: Assessed, group: str) -> str:
    rows = "".join(_row(score) for score in assessed.scores if score.group == group)
    return (
        f"<h3>{escape(GROUPS[group])}</h3><table><thead><tr><th>score</th><th>this table</th><th>95 % interval</th>"
        f"<th>shuffled</th><th>real rows</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(score: Score) -> str:
    ends = "" if score.low != score.low else f"{_number(score.low)} to {_number(score.high)}"
    mark = " ⚑" if score.flagged else ""
    cells = (f"<b>{_number(score.value)}</b>{mark}", ends, _number(score.floor), _number(score.ceiling))
    name = f"{escape(score.name)}<small>{escape(score.meaning)} {score.better.capitalize()} is better.</small>"
    return f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"


def _facts(assessed: Assessed) -> str:
    tables = assessed.tables
    facts: dict[str, Any] = {
        "Real rows": f"{len(tables.real):,}",
        "Synthetic rows": f"{len(tables.synthetic):,}",
        "Real rows kept out": f"{len(tables.holdout):,}" + (_FEW if len(tables.holdout) < 500 else ""),
        "Columns": ", ".join(tables.names),
        "Left out": "; ".join(f"{name} ({why})" for name, why in tables.left_out.items()) or "none",
        "Learnt column": assessed.target,
        "Assessed": f"{assessed.made_at}, seed {assessed.seed}",
    }
    known = (
        ("Method", "method"),
        ("Level", "level"),
        ("Real dataset", "dataset"),
        ("Id of the synthetic table", "synthetic"),
        ("File", "file"),
        ("SHA-256 of the file", "sha256"),
    )
    for label, key in known:
        if key in assessed.about:
            facts[label] = str(assessed.about[key])
    return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>' for k, v in facts.items())}</dl>"
