"""Page: what left, what it cost and what is left of each budget, for everybody: one file that needs nothing else.

It is made from the public view of the log alone. It has no script, fetches nothing, and holds nothing that changes
from one making to the next unless the log has grown.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pets.errors import UserError, shown
from pets.ledger.publish import chart, wording
from pets.ledger.publish.read_log import Asked, Dataset, Epoch, Published
from pets.ledger.publish.wording import ABOUT, BUDGET, NOT_HERE, changes, checking, not_left
from pets.ledger.states import State

STYLE = Path(__file__).with_name("page.css").read_text("utf-8")
_SIGNS = {
    "Released": "✓",
    "Waits": "…",
    "Kept back": "✕",
    "Refused": "✕",
    "Failed": "!",
    "Withdrawn": "↩",
    "Under way": "…",
}


@dataclass(frozen=True)
class Cover:
    """What the custodian may add: a title, who answers for the data, and how to reach them."""

    title: str = "Public record of releases"
    custodian: str = ""
    contact: str = ""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if len(value) > 200 or not value.isprintable():
                raise UserError(f"the page's {name} is a printable text of at most 200 characters, not {shown(value)}")
        if not self.title.strip():
            raise UserError("the page needs a title; leave it out for the usual one")


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, and whether its cells name their row."""

    head: str
    names_row: bool = False


def page(public: Published, cover: Cover | None = None) -> str:
    """The page, as HTML."""
    cover = cover or Cover()
    story = public.history
    known = [story.datasets[name] for name in sorted(story.datasets)]
    parts = [
        *_paragraphs("about", "What is this page?", ABOUT),
        *_paragraphs("budget", "What does “privacy budget” mean?", BUDGET),
        *_listing("not-left", "What did not leave?", not_left(known)),
        *([] if known else ["<h2>Datasets</h2><p>No dataset was opened in this ledger yet, so nothing has left.</p>"]),
        *(_dataset(one, number, story.at) for number, one in enumerate(known, start=1)),
        _check(public),
    ]
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(cover.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#main">Skip to the record</a>\n{_header(public, cover, known)}\n'
        f'<main id="main" tabindex="-1">\n{chr(10).join(parts)}\n</main>\n{_footer(public, cover)}\n</body>\n</html>\n'
    )


def _header(public: Published, cover: Cover, known: Sequence[Dataset]) -> str:
    story = public.history
    released = sum(len(one.releases) for one in known)
    by = f"{_text(cover.custodian)} keeps this record. " if cover.custodian else ""
    lead = (
        f"{by}{wording.counted(released, 'answer').capitalize()} {'was' if released == 1 else 'were'} released from "
        f"{_about(known)} so far. This page lists each of them, and every request that was refused or failed, up to "
        f"{_time(story.at)}."
    )
    links = "".join(f'<li><a href="#d{i}">Dataset {_text(one.name)}</a></li>' for i, one in enumerate(known, start=1))
    nav = (
        f'<nav aria-label="On this page"><ul><li><a href="#about">What is this page?</a></li>{links}'
        '<li><a href="#check">How to check this page</a></li></ul></nav>'
    )
    return f'<header>\n<h1>{escape(cover.title)}</h1>\n<p class="lead">{lead}</p>\n{nav}\n</header>'


def _about(known: Sequence[Dataset]) -> str:
    return f"the dataset {_text(known[0].name)}" if len(known) == 1 else wording.counted(len(known), "dataset")


def _footer(public: Published, cover: Cover) -> str:
    asked = f"Questions about this record: {_text(cover.contact)}. " if cover.contact else ""
    return (
        f'<footer><p class="small">{asked}Made with pets from the public view of the ledger '
        f"{_text(public.history.origin)}. All times are UTC.</p></footer>"
    )


def _paragraphs(name: str, title: str, texts: Iterable[str]) -> list[str]:
    return [f'<h2 id="{name}">{escape(title)}</h2>', *(f"<p>{escape(text)}</p>" for text in texts)]


def _listing(name: str, title: str, texts: Iterable[str]) -> list[str]:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return [f'<h2 id="{name}">{escape(title)}</h2>', f"<ul>{items}</ul>", f"<p>{escape(NOT_HERE)}</p>"]


def _dataset(known: Dataset, number: int, until: str) -> str:
    asked = [
        _chart(known, number, until),
        "<h3>Every request</h3>",
        _requests(known),
        "<h3>Who asked</h3>",
        _projects(known),
    ]
    parts = [
        f'<section class="dataset" aria-labelledby="d{number}">\n<h2 id="d{number}">Dataset {_text(known.name)}</h2>',
        _standing(known),
        _unbounded(known),
        *(asked if known.asked else ["<p>Nothing was asked yet.</p>"]),
        "<h3>The budget and its renewals</h3>",
        _epochs(known),
        "<h3>Changes to the rules</h3>",
        _events(known),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _standing(known: Dataset) -> str:
    now = known.now
    left = 1 - now.share
    figures = {
        "Answers released": f"{len(known.releases):,}",
        "Budget used": wording.used(now.share),
        "Budget left": wording.percent(left),
        "Requests refused": f"{len(known.of(State.DENIED)):,}",
        "Requests failed": f"{len(known.of(State.FORFEITED)):,}",
        "Without a guarantee": f"{len(known.unbounded):,}",
    }
    whole = wording.epsilon(now.budget, now.budget.cap)
    spent = wording.epsilon(now.budget, known.cost(now.charged))
    number = f" The present budget is number {now.number + 1}." if now.number else ""
    said = (
        f"Protected here: {wording.people(known)}. The whole budget is {whole}; so far {spent} of it is used up, which "
        f"is {wording.used(now.share)} as the account counts.{number}"
    )
    cells = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in figures.items())
    label = f"{wording.used(now.share)} of the budget is used, {wording.percent(left)} is left"
    return f'<p>{escape(said)}</p>\n{chart.bar(now.share, label)}\n<dl class="figures">{cells}</dl>{_lifetime(known)}'


def _lifetime(known: Dataset) -> str:
    now = known.now
    life = wording.epsilon(now.budget, known.cost(known.lifetime))
    if len(known.epochs) == 1:
        said = "The budget was never renewed, so this is also what was used over the whole life of the dataset."
    else:
        said = (
            f"The budget was renewed {wording.times(now.number)}. Whoever was in the data all along may have "
            f"lost more than one budget says: over the whole life of the dataset {life} was used. That count never "
            "goes back."
        )
    return f"<p>{escape(said)}</p>"


def _unbounded(known: Dataset) -> str:
    if not known.unbounded:
        return ""
    items = "".join(
        f"<li>{_time(one.at)}: {_text(wording.asked(one.what))} "
        f"For {_text(one.analyst)}, project {_text(one.project)}.</li>"
        for one in known.unbounded
    )
    count = wording.bare(known.unbounded)
    return (
        f'<div class="box"><p><strong>{escape(count.capitalize())} had no privacy guarantee.</strong> Exact figures '
        "left, without noise. No cost can be given for these, so the budget above does not include them, and the "
        f"promises of the other answers hold for those answers only.</p><ul>{items}</ul></div>"
    )


def _chart(known: Dataset, number: int, until: str) -> str:
    wide, narrow = (
        chart.used_over_time(known, until, f"d{number}{kind}", width=width, height=height).replace(
            'class="chart"', f'class="chart {kind}"', 1
        )
        for kind, width, height in (("wide", 704, 270), ("narrow", 288, 216))
    )
    marks = " A diamond with “!” marks a release without a guarantee." if known.unbounded else ""
    return (
        f'<figure>{wide}{narrow}<figcaption class="small">How the budget was used over time: each step up is the cost '
        f"of one request.{marks}</figcaption></figure>"
    )


def _requests(known: Dataset) -> str:
    columns = [
        Column("When", names_row=True),
        Column("Who"),
        Column("What was asked"),
        Column("Cost"),
        Column("What became of it"),
    ]
    rows = [_request(known, one) for one in reversed(known.asked.values())]
    caption = (
        "All requests, the newest first. The same question of the same prepared data gets the same answer again, "
        "costs nothing and is not listed twice."
    )
    return _table(columns, rows, caption)


def _request(known: Dataset, one: Asked) -> list[str]:
    verdict, meaning = wording.outcome(one)
    alarm = " alarm" if one.unbounded and one.state in (State.COMMITTED, State.FORFEITED) else ""
    sign = "⚠" if alarm else _SIGNS[verdict]
    return [
        _time(one.at),
        f'<span class="who">{_text(one.analyst)}</span><span class="small">project {_text(one.project)}</span>',
        f"<span>{_text(wording.asked(one.what))}</span>"
        f'<span class="small">From table {_text(one.table)}; protection: '
        f"{_plain(wording.protected(one.protection))}.</span>",
        _cost(known, one),
        f'<span class="outcome{alarm}"><b aria-hidden="true">{sign}</b> {escape(verdict)}</span>'
        f'<span class="small">{escape(meaning)}</span>'
        f'<span class="small">Request <code>{_plain(one.id[:12])}</code></span>{_deliveries(one)}',
    ]


def _deliveries(one: Asked) -> str:
    return "".join(
        f'<span class="small">{_time(to.at)}: the same answer also went to {_text(to.analyst)}, project '
        f"{_text(to.project)}, at no cost.</span>"
        for to in one.deliveries
    )


def _cost(known: Dataset, one: Asked) -> str:
    epoch = known.epochs[one.epoch]
    which = f" of budget {one.epoch + 1}" if len(known.epochs) > 1 else " of the budget"
    price = wording.epsilon(epoch.budget, known.cost(one.cost))
    if one.state.charged and one.unbounded and not one.cost[0]:
        return '<span>Cannot be given</span><span class="small">no noise, no ε</span>'
    if not one.state.charged:
        return f'<span>Nothing</span><span class="small">it would have cost {escape(price)}</span>'
    share = wording.used(one.cost[0] / epoch.budget.cap.loss)
    return f'<span>{escape(share)}{escape(which)}</span><span class="small">{escape(price)}</span>'


def _epochs(known: Dataset) -> str:
    columns = [Column("Budget", names_row=True), Column("Since"), Column("Whole"), Column("Used"), Column("Left")]
    rows = [_epoch(known, epoch) for epoch in known.epochs]
    caption = (
        "A budget is renewed only for new data, by a signed decision of two people. What was used before still counts."
    )
    return _table(columns, rows, caption)


def _epoch(known: Dataset, epoch: Epoch) -> list[str]:
    present = epoch is known.now
    budget = epoch.budget
    spent = wording.epsilon(budget, known.cost(epoch.charged))
    return [
        f"<span>{epoch.number + 1}{' (present)' if present else ''}</span>",
        _time(epoch.at),
        f"<span>{escape(wording.epsilon(budget, budget.cap))}</span>",
        f'<span>{escape(wording.used(epoch.share))}</span><span class="small">{escape(spent)}</span>',
        f"<span>{escape(wording.percent(1 - epoch.share) if present else 'closed')}</span>",
    ]


def _projects(known: Dataset) -> str:
    rows = []
    names = dict.fromkeys(one.project for one in known.asked.values())
    for name in [*names, *(project for project, analyst in known.caps if not analyst and project not in names)]:
        own = [one for one in known.asked.values() if one.project == name]
        here = sum(one.cost[0] for one in own if one.state.charged and one.epoch == known.now.number)
        cap = known.caps.get((name, ""))
        analysts = wording.listed([_text(who) for who in dict.fromkeys(one.analyst for one in own)])
        rows.append(
            [
                _text(name),
                f"<span>{analysts}</span>",
                f"<span>{sum(one.state is State.COMMITTED for one in own):,}</span>",
                f"<span>{escape(wording.used(here / known.now.budget.cap.loss))}</span>",
                f"<span>{escape('none' if cap is None else wording.epsilon(cap, cap.cap))}</span>",
            ]
        )
    columns = [
        Column("Project", names_row=True),
        Column("People who asked"),
        Column("Answers"),
        Column("Used of the present budget"),
        Column("Limit of its own"),
    ]
    return _table(columns, rows, "By project. A project may have a limit of its own within the budget.")


def _events(known: Dataset) -> str:
    items = "".join(f"<li>{_time(at)}: {_plain(said)}</li>" for at, said in changes(known))
    return f"<ol>{items}</ol>"


def _check(public: Published) -> str:
    note, root = public.checkpoint, public.checkpoint.split("\n")[2]
    facts = {
        "Ledger": public.history.origin,
        "Entries in the log": f"{public.history.size:,}",
        "Root of the log": root,
        "Id of the key that signs": public.key.id,
    }
    told = "".join(f"<dt>{escape(name)}</dt><dd><code>{_plain(value)}</code></dd>" for name, value in facts.items())
    steps = "".join(f"<li>{escape(step)}</li>" for step in checking(public))
    return (
        '<section class="dataset" aria-labelledby="check">\n<h2 id="check">How to check this page</h2>\n'
        f"<ol>{steps}</ol>\n"
        f'<h3>What this page was made from</h3>\n<dl class="facts">{told}</dl>\n'
        f"<h3>The signed checkpoint</h3>\n<pre>{_plain(note, lines=True)}</pre>\n</section>"
    )


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table that stays one for assistive technology where a narrow screen shows each row as a card."""
    head = "".join(f'<th scope="col" role="columnheader">{escape(column.head)}</th>' for column in columns)
    body = "".join(
        f'<tr role="row">{"".join(_cell(column, cell) for column, cell in zip(columns, row, strict=True))}</tr>'
        for row in rows
    )
    return (
        f'<table role="table"><caption>{escape(caption)}</caption><thead role="rowgroup"><tr role="row">{head}</tr>'
        f'</thead><tbody role="rowgroup">{body}</tbody></table>'
    )


def _cell(column: Column, inside: str) -> str:
    label = f'data-label="{escape(column.head)}"'
    if column.names_row:
        return f'<th scope="row" role="rowheader" {label}>{inside}</th>'
    return f'<td role="cell" {label}>{inside}</td>'


def _time(at: str) -> str:
    return f'<time datetime="{escape(at)}">{wording.day(at)}, {wording.clock(at)}</time>'


def _text(given: str) -> str:
    """A free text, kept apart from the direction of what is around it."""
    return f"<bdi>{_plain(given)}</bdi>"


def _plain(given: str, *, lines: bool = False) -> str:
    """A free text, escaped; a character that is not printable shows as one that is."""
    return escape("".join(c if c.isprintable() or c == "\u00a0" or (lines and c == "\n") else "�" for c in given))
