"""Attack: what can be derived today of all that was released of a dataset without noise. No row is read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pets.errors import QueryError
from pets.protection.sdc import WIDTH
from pets.sdc.book import Book, Told
from pets.sdc.compare import MAX_PAIRS, Comparison, compared
from pets.session.custody import Custody
from pets.session.disclosure.solving import ATTACK, UNDECIDED, Question, Verdict, solved
from pets.session.disclosure.told_book import Unleft, looked, unleft
from pets.session.disclosure.untold import LOST

SMALL = 10
"""Numbers of people below this are small where no rule that was used says more."""
REFRESHED = (
    "Tables of before and after a refresh do not agree with each other, as people came or went: those of each refresh "
    "are compared alone."
)


@dataclass(frozen=True)
class Attack:
    """What whoever has all releases can derive, for the custodian alone.

    Attributes:
        sentences: each small number of people that can be derived more closely than promised, and how.
        shown: how many small numbers a release shows as they are: nothing needs to be derived of these.
        besides: what could not be compared, or was not decided in time; more may follow from it.
        looked: how many sums of people were looked at.
        releases: of how many releases without noise.
        untold: what follows besides, if what was found of tables that have not left is taken for told: of those that
            were refused, or that were looked at, are not proved and wait. That they do not leave tells no more.
    """

    sentences: tuple[str, ...]
    shown: int
    besides: tuple[str, ...]
    looked: int
    releases: int
    verdicts: tuple[Verdict, ...] = field(default=(), repr=False)
    untold: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sentences or self.shown or self.untold)

    def __str__(self) -> str:
        lines = [f"{self.releases:,} releases without noise, {self.looked:,} sums of people looked at."]
        if self.shown:
            lines.append(f"{self.shown:,} small numbers of people were released as they are.")
        if not self.sentences and not self.besides and not self.untold:
            lines.append("No other small number of people was found to be derived more closely than promised.")
        more = ["More may follow of what is not compared, or not decided:"] if self.besides else []
        untold = ["If tables that have not left are taken for told, since that tells, too:"] if self.untold else []
        return "\n".join([*lines, *self.sentences, *untold, *self.untold, *more, *self.besides])


def attack(custody: Custody, *, width: int = WIDTH, seconds: float = 60) -> Attack:
    """See :meth:`pets.Custodian.attack`."""
    seen = looked(custody, "")
    return beside(seen.book, unleft(custody, seen), custody.policy.sdc_atoms, width=width, seconds=seconds)


def beside(book: Book, refused: Sequence[Unleft], atoms: int, *, width: int, seconds: float) -> Attack:
    """What can be derived of a book, and what besides with what was found of tables that have not left."""
    tables, end = [table for one in refused for table in one.tables], time.monotonic() + seconds
    found = derived(book, atoms, width=width, seconds=seconds / 2 if tables else seconds)
    lost = [LOST] if any(not one.whole for one in refused) else []
    if any(one.plan is None for one in refused):
        lost.append("A table that was refused was asked under another schema, and is not compared.")
    if not tables:
        return replace(found, besides=(*found.besides, *lost))
    left = max(0.0, end - time.monotonic())
    more = derived(book.with_untold(tables), atoms, width=width, seconds=left)
    known = {(one.sum.name, one.low, one.high) for one in found.verdicts}
    untold = [one.sentence for one in more.verdicts if (one.sum.name, one.low, one.high) not in known]
    besides = tuple(dict.fromkeys((*found.besides, *more.besides, *lost)))
    return replace(found, besides=besides, untold=tuple(dict.fromkeys(untold)))


def derived(book: Book, atoms: int, *, width: int, seconds: float) -> Attack:
    """What can be derived of a book, of whose tables no population may be parted into more than ``atoms`` groups.

    Tables of before and after a refresh are looked at as of the same people, and by refresh alone where they disagree.
    """
    end, besides, parts = time.monotonic() + seconds, list[str](), list[Attack]()
    for one in book.entries:
        if one.besides is not None:
            besides.append(f"{one.name} is not compared{' in full' if one.plan is not None else ''}: {one.besides}.")
    if len(book.populations) > 1:
        besides.append("Tables of different people are not compared with each other, who may be the same people.")
    for people in book.populations:
        tables = book.of(people)
        snapshots = list(dict.fromkeys(one.snapshot for one in tables))
        left = max(0.0, end - time.monotonic())
        found, decided = _looked(tables, atoms, width, left if len(snapshots) == 1 else left / 2)
        if decided or len(snapshots) == 1:
            parts.append(found)
            continue
        besides.append(REFRESHED)
        for snapshot in snapshots:
            left = max(0.0, end - time.monotonic())
            parts.append(_looked([one for one in tables if one.snapshot == snapshot], atoms, width, left)[0])
    return Attack(
        tuple(one for part in parts for one in part.sentences),
        sum(part.shown for part in parts),
        (*besides, *(one for part in parts for one in part.besides)),
        sum(part.looked for part in parts),
        len(book.entries),
        tuple(one for part in parts for one in part.verdicts),
    )


def _looked(tables: Sequence[Told], atoms: int, width: int, seconds: float) -> tuple[Attack, bool]:
    """What can be derived of tables of the same people; and whether anything was decided, or nothing was to be."""
    try:
        comparison = compared(tables, atoms)
    except QueryError as error:
        return Attack((), 0, (f"{', '.join(one.name for one in tables)}: {error}.",), 0, len(tables)), True
    least, most = small_ends(tables)
    shown = len({one.sum.atoms for one in comparison.known[:-1] if one.low == one.high and 1 <= one.low <= most})
    besides = list(comparison.besides)
    sums, every = comparison.hidden()
    if not every:
        besides.append(f"Of more than {MAX_PAIRS:,} pairs of cells not every one was looked at.")
    found = solved(Question(comparison.atoms.count, comparison.known, tuple(sums), width, None, seconds))
    lost = [one for one in found if one.state == ATTACK and is_small(one, least, most)]
    undecided = [one for one in found if one.state == UNDECIDED]
    besides += dict.fromkeys(one.sentence for one in undecided if one.sentence)
    if late := sum(not one.sentence for one in undecided):
        besides.append(f"Of {late:,} sums of people nothing was decided in time: give more seconds.")
    besides += _contradiction(comparison)
    sentences = tuple(one.sentence for one in lost)
    told = Attack(sentences, shown, tuple(besides), len(sums), len(tables), tuple(lost))
    return told, len(undecided) < len(found) or not found


def small_ends(tables: Sequence[Told]) -> tuple[int, int]:
    """The least and the greatest number of people that is small by the rules of some tables."""
    most = max([one.rule.threshold or one.rule.base for one in tables if one.rule is not None] or [SMALL - 1])
    return (0 if any(one.rule is not None and one.rule.hide_zero for one in tables) else 1), most


def is_small(one: Verdict, least: int, most: int) -> bool:
    """Whether a sum of people is derived to be small; nobody is, where a rule hides that."""
    return one.low is not None and one.high is not None and one.high >= least and one.low <= most


def _contradiction(comparison: Comparison) -> list[str]:
    """Cells that nobody can be in, and of which a table says that somebody is."""
    wrong = [one.sum.name for one in comparison.known if not one.sum.atoms and one.low > 0]
    return [f"{name[:1].upper() + name[1:]} cannot be: the tables contradict each other." for name in wrong]
