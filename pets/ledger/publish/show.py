"""Show: a ledger's account for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from pets.ledger.ledger import Ledger
from pets.ledger.publish import wording
from pets.ledger.publish.read_log import Dataset, Published
from pets.ledger.states import State
from pets.protection.budget import Budget

_BAR = 40
_LONG = 36


def heading(ledger: Ledger, public: Published) -> str:
    """Where the ledger is, its key and its checkpoint."""
    story = public.history
    root = public.checkpoint.split("\n")[2]
    lines = [
        ("Ledger", f"{story.origin} in {ledger.label}"),
        ("Key", f"{public.key.id}" + ("" if ledger.public_path is None else f" ({ledger.public_path})")),
        ("Checkpoint", f"{story.size:,} entries, root {root}"),
        ("", f"of {wording.day(story.at)}, {wording.clock(story.at)} UTC" + _kept(ledger)),
    ]
    return "\n".join(f"{name:<11} {value}" for name, value in lines)


def _kept(ledger: Ledger) -> str:
    return "" if ledger.checkpoint_path is None else f", in {ledger.checkpoint_path}"


def dataset(known: Dataset) -> str:
    """One dataset: the budget as a bar, its scopes, and what is under way."""
    now = known.now
    count = {state: len(known.of(state)) for state in State}
    under_way = count[State.RESERVED] + count[State.STARTED]
    used = wording.epsilon(now.budget, known.cost(now.charged))
    lines = [
        f"Dataset {known.name}   protects {wording.people(known)}",
        f"  {gauge(now.share)} {wording.used(now.share)} used, {wording.percent(1 - now.share)} left",
        f"  used {used} of {wording.epsilon(now.budget, now.budget.cap)}"
        + (f"; budget {now.number + 1}, since {wording.day(now.at)}" if now.number else ""),
    ]
    if now.number:
        life = wording.epsilon(now.budget, known.cost(known.lifetime))
        lines.append(f"  over its whole life, {wording.times(now.number)} renewed: {life}")
    fates = [
        wording.counted(count[State.COMMITTED], "release"),
        f"{count[State.DENIED]:,} refused",
        f"{count[State.FORFEITED]:,} failed",
        f"{count[State.VOIDED]:,} withdrawn",
        f"{under_way:,} under way",
    ]
    lines.append(f"  {', '.join(fates)}")
    if known.unbounded:
        lines.append(f"  ! {wording.bare(known.unbounded)} without a guarantee (figures without noise left)")
    text = "\n".join(lines).replace("\u00a0", " ")
    return f"{text}\n\n{scopes(known)}" if known.asked or known.caps else text


def gauge(share: float) -> str:
    """A bar of text, never empty and never full unless the budget is.

    >>> gauge(0.5)
    '[████████████████████····················]'
    """
    full = min(max(round(share * _BAR), 1 if share > 0 else 0), _BAR if share >= 1 else _BAR - 1)
    return f"[{'█' * full}{'·' * (_BAR - full)}]"


def scopes(known: Dataset) -> str:
    """What projects and analysts have used of the present budget, and the limits they have of their own."""
    rows = [("Project", "Analyst", "Answers", "Used now", "Limit of its own")]
    asked = list(known.asked.values())
    pairs = {(one.project, one.analyst) for one in asked}
    pairs |= {(project, "") for project, _ in pairs} | set(known.caps)
    for project, analyst in sorted(pairs):
        own = [one for one in asked if one.project == project and analyst in ("", one.analyst)]
        here = sum(one.cost[0] for one in own if one.state.charged and one.epoch == known.now.number)
        cap = known.caps.get((project, analyst))
        rows.append(
            (
                "" if analyst else project,
                analyst or "(all)",
                f"{sum(one.state is State.COMMITTED for one in own):,}",
                wording.used(here / known.now.budget.cap.loss),
                "-" if cap is None else _limit(cap),
            )
        )
    return table(rows, right=(2, 3))


def _limit(cap: Budget) -> str:
    return wording.epsilon(cap, cap.cap)


def requests(known: Dataset) -> str:
    """Every request, the newest first."""
    rows = [("When", "Project", "Analyst", "What", "Cost", "Fate")]
    for one in reversed(known.asked.values()):
        epoch = known.epochs[one.epoch]
        share = "-" if not one.state.charged else wording.used(one.cost[0] / epoch.budget.cap.loss)
        cost = "none given" if one.unbounded and one.state.charged else share
        bare = one.unbounded and one.left
        fate = "no guarantee" if bare else wording.outcome(one)[0].lower() + (f" ({one.reason})" if one.reason else "")
        when = f"{one.at[:10]} {wording.clock(one.at)}"
        rows.append((when, one.project, one.analyst, one.what, cost, fate))
    return table(rows, right=(4,))


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns of text; a cell that is too long is cut, one that would break the line or the terminal is mended."""
    clean = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in clean) for i in range(len(clean[0]))]
    lines = []
    for row in clean:
        cells = [
            text.rjust(w) if i in right else text.ljust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    lines.insert(1, f"  {'  '.join('-' * width for width in widths)}")
    return "\n".join(lines)


def _cell(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " if c == "\u00a0" else "�" for c in text)
    return plain if len(plain) <= _LONG else f"{plain[: _LONG - 1]}…"
