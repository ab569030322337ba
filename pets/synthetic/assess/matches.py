"""Copies and singling out: does the synthetic table tell of single real rows?

Every attack is run twice: on rows that the synthetic table was made from, and on rows that were kept out of it. What it
does to the latter is what general knowledge does; only what it does beyond that is a risk of this table (Giomi et al.
2023, "A unified framework for quantifying privacy risk in synthetic data", section 3: Anonymeter).

Sources: Raab, Nowok and Dibben 2024 (replicated uniques; arXiv 2409.04257). No distance to the closest record: it does
not measure privacy (Yao et al. 2025, "The DCR delusion"; arXiv 2505.01524).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Coded, Floats, Ints, Tables

ATTACKS = 2_000
SURE = 1e-4
"""The chance of a false alarm that a flag may have, by a one-sided exact test."""

Z = 1.959964
NEIGHBOURS = 4

Marks = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Attack:
    """One attack's record.

    Attributes:
        hits, tries: on rows that the table was made from.
        control_hits, control_tries: on rows kept out.
    """

    hits: int
    tries: int
    control_hits: int
    control_tries: int

    def __add__(self, other: Attack) -> Attack:
        """Both together: of the parts of a cross-fit, no row of which is a target twice."""
        return Attack(
            self.hits + other.hits,
            self.tries + other.tries,
            self.control_hits + other.control_hits,
            self.control_tries + other.control_tries,
        )

    def thinned(self, tries: int) -> Attack:
        """The same rates of so many tries at most."""
        share = min(1.0, tries / max(self.tries, 1))
        hits, made = round(self.hits * share), round(self.tries * share)
        return Attack(hits, made, round(self.control_hits * share), round(self.control_tries * share))

    @property
    def rate(self) -> float:
        """Of success on rows that the table was made from."""
        return self.hits / max(self.tries, 1)

    @property
    def control(self) -> float:
        """Of success on rows kept out."""
        return self.control_hits / max(self.control_tries, 1)

    @property
    def risk(self) -> float:
        """(rate − control) / (1 − control): what the table adds to what was known anyway, at least 0."""
        centre, control = _centre(self.hits, self.tries), _centre(self.control_hits, self.control_tries)
        return max(0.0, (centre - control) / (1 - control)) if control < 1 else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of the risk, from the Wilson intervals of both rates (Giomi et al. 2023, section 3.3)."""
        control = _centre(self.control_hits, self.control_tries)
        scale = max(1 - control, 1e-9)
        gap = (_centre(self.hits, self.tries) - control) / scale
        # the risk changes by 1 with the rate and by (risk − 1) with that of the control, each over (1 − control)
        half = math.hypot(_half(self.hits, self.tries), (1 - gap) * _half(self.control_hits, self.control_tries))
        return max(0.0, gap - half / scale), min(1.0, max(0.0, gap + half / scale))

    @property
    def chance(self) -> float:
        """The chance of at least so many hits on rows of the table if they were as likely as on rows kept out.

        Given all hits, those on rows of the table are then binomial with the share of tries that were on them (the
        conditional test of Przyborowski and Wilenski 1940).
        """
        return _tail(self.hits, self.hits + self.control_hits, self.tries / max(self.tries + self.control_tries, 1))


@dataclass(frozen=True)
class Fold:
    """One part of an assessment's attacks.

    Attributes:
        released: the tables that are attacked, by label; the one of the ceiling is made of rows kept out.
        control: the other rows kept out, as targets.
        real: rows that the table was made from, as targets.
    """

    released: dict[str, Coded]
    control: Coded
    real: Coded


def _centre(hits: int, tries: int) -> float:
    return (hits + Z**2 / 2) / (tries + Z**2)


def _half(hits: int, tries: int) -> float:
    share = hits / max(tries, 1)
    return Z * math.sqrt(max(tries, 1) * share * (1 - share) + Z**2 / 4) / (tries + Z**2)


def _tail(hits: int, total: int, share: float) -> float:
    """P(binomial(total, share) ≥ hits)."""
    if hits <= 0 or total == 0:
        return 1.0
    if share >= 1:
        return 1.0
    terms = [
        math.lgamma(total + 1)
        - math.lgamma(k + 1)
        - math.lgamma(total - k + 1)
        + k * math.log(share)
        + (total - k) * math.log1p(-share)
        for k in range(hits, total + 1)
    ]
    top = max(terms)
    return min(1.0, math.exp(top) * sum(math.exp(term - top) for term in terms))


def risk_score(name: str, meaning: str, attacks: dict[str, Attack], tests: int = 1) -> Score:
    """The risk of the synthetic table beside those of the shuffled one and of rows kept out.

    ``tests`` is the number of attacks that this one was chosen from: the worst of many is flagged for less than chance
    explains of all of them (Bonferroni).
    """
    own = attacks["value"]
    low, high = own.interval
    flag = ""
    if own.chance * tests < SURE and low > 0:
        flag = (
            f"{own.hits:,} of {own.tries:,} attacks on rows that the table was made from succeed, and "
            f"{own.control_hits:,} of {own.control_tries:,} on rows kept out: more than chance explains"
        )
    return Score(
        "risk",
        name,
        meaning,
        own.risk,
        attacks["floor"].risk,
        attacks["ceiling"].risk,
        "less",
        low,
        high,
        flag,
    )


# copies ---------------------------------------------------------------------------------------------------------------


def copies(tables: Tables, released: dict[str, Coded], control: Coded) -> tuple[Score, ...]:
    """Real rows that are one of a kind and are found again: in all columns, and in all but the most telling ones.

    The control is every row kept out, but for the ceiling, which is made of the others of them: ``control`` alone.
    """
    controls = {label: control if label == "ceiling" else tables.holdout for label in released}
    order = sorted(range(len(tables.columns)), key=lambda at: len(np.unique(tables.real.exact[:, at])))
    spared = max(1, len(order) // 4)
    found = []
    for name, places, meaning in (
        ("copies of unique rows", order, "Real rows unlike any other, found again in the table value by value."),
        (
            "partial copies of unique rows",
            order[:-spared],
            f"The same without the {spared} column(s) of most values "
            f"({', '.join(tables.names[at] for at in order[-spared:])}).",
        ),
    ):
        attacks = {
            label: _replicated(tables.real.exact[:, places], controls[label].exact[:, places], table.exact[:, places])
            for label, table in released.items()
        }
        found.append(risk_score(name, meaning, attacks))
    lone = {
        label: _replicated(tables.real.exact, controls[label].exact, table.exact, most=NEIGHBOURS)
        for label, table in released.items()
    }
    meaning = (
        f"The same in all columns, where at most {NEIGHBOURS} of the table's rows differ from the real one in one "
        "column alone: a good model makes common rows again by chance, but hardly such a one."
    )
    return (*found, risk_score("copies where nothing is near", meaning, lone))


def _replicated(real: Ints, control: Ints, released: Ints, most: int | None = None) -> Attack:
    """Unique rows of both sides together, so that both are as rare; then how many of each the table holds.

    With ``most``, only of rows from which so many of the table's rows at most differ in one column alone. Which rows
    these are depends on the row and the table, on either side alike.
    """
    both, n = np.concatenate([real, control]), len(real)
    marks, theirs = _marks(both), _marks(released)
    sums, other = marks.sum(axis=1), theirs.sum(axis=1)
    there = _count(sums, other)
    unique = _count(sums, sums) == 1
    if most is not None:
        near = np.zeros(len(both), dtype=np.int64)
        for at in range(both.shape[1]):
            near += _count(sums - marks[:, at], other - theirs[:, at]) - there
        unique &= near <= most
    hit = unique & (there > 0)
    return Attack(int(hit[:n].sum()), int(unique[:n].sum()), int(hit[n:].sum()), int(unique[n:].sum()))


def _marks(rows: Ints) -> Marks:
    """A 64-bit mark of each value in its column (Steele, Lea and Flood 2014, SplitMix64).

    Equal rows have equal sums of marks, without one column, too; that two others have is as likely as a draw from 2^64.
    """
    mixed: Marks = rows.astype(np.uint64)
    mixed += np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _count(asked: Marks, held: Marks) -> Ints:
    """How often each is there."""
    order, places = np.sort(held), np.argsort(asked)
    wanted = asked[places]  # in their order, they are found in a third of the time
    found = np.empty(len(asked), dtype=np.int64)
    found[places] = np.searchsorted(order, wanted, "right") - np.searchsorted(order, wanted, "left")
    return found


# singling out ---------------------------------------------------------------------------------------------------------


def singling_out(tables: Tables, folds: Sequence[Fold], random: np.random.Generator, attacks: int = ATTACKS) -> Score:
    """Guesses "exactly one person is such and such" made from the table's own unique rows (Giomi et al., section 4.1).

    Each guess takes a row of the table and columns drawn by chance (two to five): equal for categories, at most or at
    least its value for numbers; it is made where one row of the table alone fits it. Half of the guesses are about one
    column (a value that only one row has, or beyond all others). Real and kept-out rows are cut to one number, since
    what is unique depends on it.
    """
    numeric = [column.numeric for column in tables.columns]
    results: dict[str, Attack] = {}
    for fold in folds:
        size = min(len(fold.real), len(fold.control))
        sides = [_columns(one.take(random.permutation(len(one))[:size])) for one in (fold.real, fold.control)]
        for label, table in fold.released.items():
            hits = [0, 0]
            guesses = _guesses(table, numeric, random, attacks)
            for guess in guesses:
                for side, rows in enumerate(sides):
                    hits[side] += _fits(rows, guess) == 1
            found = Attack(hits[0], len(guesses), hits[1], len(guesses))
            if len(folds) > 1:
                found = found.thinned(size)  # many guesses about few rows tell no more than the rows do
            results[label] = results[label] + found if label in results else found
    return risk_score(
        "singling out",
        "Guesses that exactly one real person has certain values, made from the table and right.",
        results,
    )


Guess = tuple[tuple[int, int, float], ...]  # (column, −1 at most / 0 equal / 1 at least, value)


def _guesses(table: Coded, numeric: Sequence[bool], random: np.random.Generator, wanted: int) -> list[Guess]:
    found: dict[Guess, None] = dict.fromkeys(_outstanding(table, numeric, random, wanted // 2))
    rows = _columns(table)
    with warnings.catch_warnings(action="ignore"):  # a column of the table may be all gaps
        middles = np.nan_to_num(np.nanmedian(table.numbers, axis=0)).tolist()
    count = len(rows)
    for _ in range(5 * wanted):
        if len(found) >= wanted:
            break
        row = table.numbers[random.integers(len(table))].tolist()
        places = random.choice(count, size=min(count, int(random.integers(2, 6))), replace=False).tolist()
        guess = tuple(
            (at, (1 if row[at] >= middles[at] else -1) if numeric[at] else 0, row[at])
            for at in sorted(places)
            if row[at] == row[at]  # no gap
        )
        if guess and guess not in found and _fits(rows, guess) == 1:
            found[guess] = None
    return list(found)


def _outstanding(table: Coded, numeric: Sequence[bool], random: np.random.Generator, wanted: int) -> list[Guess]:
    """Values of single columns that one row alone has, and the least and the greatest of numbers."""
    out: list[Guess] = []
    for at, number in enumerate(numeric):
        values = table.numbers[:, at]
        values = values[~np.isnan(values)]
        if not len(values):
            continue
        kinds, counts = np.unique(values, return_counts=True)
        out += [((at, 0, float(value)),) for value in kinds[counts == 1]]
        if number:
            out += [((at, -1, float(kinds[0])),), ((at, 1, float(kinds[-1])),)]
    chosen = random.permutation(len(out))[:wanted]
    return [out[i] for i in chosen]


def _columns(table: Coded) -> list[Floats]:
    """Each column as an array of its own: guesses look at a few columns of all rows, many times."""
    return list(np.ascontiguousarray(table.numbers.T))


def _fits(rows: Sequence[Floats], guess: Guess) -> int:
    """How many rows fit a guess."""
    left: npt.NDArray[np.bool_] | None = None
    for at, sign, value in guess:
        column = rows[at]
        fits = column == value if sign == 0 else column >= value if sign > 0 else column <= value
        left = fits if left is None else np.logical_and(left, fits, out=left)
    return 0 if left is None else int(np.count_nonzero(left))
