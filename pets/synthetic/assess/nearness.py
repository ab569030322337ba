"""Attacks by nearness: who was in the data, whose parts belong together, and what an unknown value is.

Distances add up column by column: 0 or 1 for categories, the share of the real range for numbers (Gower 1971). They
serve attacks on rows of the table and on rows kept out alike; how near anything lies is never a verdict by itself.

Sources: Giomi et al. 2023, sections 4.2 (linkability) and 4.3 (inference); membership after van Breugel et al. 2023
("Membership inference attacks against synthetic data through overfitting detection": nearness to synthetic rows
compared with nearness to reference rows). Shadow models would need the generator, which an assessment does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pets.synthetic.assess.matches import ATTACKS, Attack, Fold, risk_score
from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Coded, Floats, Tables

MAX_ROWS = 10_000
"""Rows of a table that attackers look at."""

NEIGHBOURS = 5
CLOSE = 0.05
"""A guessed number is right within this share of the real range."""

FALSE_ALARMS = 0.01
_CHUNK = 50
_NEAR = 1e-3  # distances below this are as good as none

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Found:
    """What one pass over the distances gives, for each target: nearest distance, linked or not, guesses right."""

    nearest: Floats
    linked: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]


def by_nearness(
    tables: Tables, folds: Sequence[Fold], random: np.random.Generator, attacks: int = ATTACKS
) -> tuple[Score, ...]:
    """Membership of outliers, linkability, and inference of every column.

    Of several folds, either half of the rows kept out is the attacker's reference once.
    """
    places, found = _Places(tables), dict[str, list[Attack]]()
    for fold in folds:
        halves = random.permutation(len(fold.control))
        parts = [halves[: len(halves) // 2], halves[len(halves) // 2 :]]
        real = random.permutation(len(fold.real))
        turns = 1 if len(folds) == 1 else 2
        for turn, own in zip(range(turns), np.array_split(real, turns), strict=True):
            reference, others = (fold.control.take(part) for part in (parts if not turn else parts[::-1]))
            targets = (
                places(fold.real.take(own[:attacks])),
                places(others.take(random.permutation(len(others))[:attacks])),
            )
            split = random.permutation(len(tables.columns))
            known = np.zeros(len(split), dtype=bool)
            known[split[: max(1, len(split) // 2)]] = True
            # (the reference's near rows are drawn anew for each side of targets where it has too many)
            about = [_pass(rows, places(_few(reference, random)), places, known, only=True) for rows in targets]
            for label, table in fold.released.items():
                rows = places(_few(table, random))
                made = _attacks(*(_pass(some, rows, places, known) for some in targets), *about)
                found[label] = [a + b for a, b in zip(found[label], made, strict=True)] if label in found else made
    member, link, infer = ({label: made[at] for label, made in found.items()} for at in range(3))
    worst = {label: min(range(3, len(made)), key=lambda at: made[at].chance) for label, made in found.items()}
    one = {label: found[label][at] for label, at in worst.items()}
    told = tables.names[worst["value"] - 3]
    return (
        risk_score(
            "membership of outliers",
            "The unlikeliest tenth of people: how many are rightly said to be in the data, at 1 % false alarms.",
            member,
        ),
        risk_score(
            "linkability",
            f"Two halves of a person's columns rightly joined through the table's {NEIGHBOURS} nearest rows.",
            link,
        ),
        risk_score(
            "attribute inference",
            "One column guessed from all others by the nearest row of the table, mean over columns "
            f"(numbers: within {CLOSE:.0%} of the range).",
            infer,
        ),
        risk_score(
            "inference of one column",
            f"The same for the one column that is told most beyond chance, here {told!r}: the "
            "mean over many columns would hide it. It is flagged with regard to the number of columns tried; shuffled "
            "and real rows have a column of their own.",
            one,
            tests=len(tables.columns),
        ),
    )


def _attacks(own: _Found, other: _Found, own_reference: _Found, other_reference: _Found) -> list[Attack]:
    """Membership, linkability, inference of all columns, and inference of each."""
    tries, control_tries = len(own.linked), len(other.linked)
    return [
        _membership(own, other, own_reference, other_reference),
        Attack(int(own.linked.sum()), tries, int(other.linked.sum()), control_tries),
        # every target is tried for every column; a person counts once in the test, so it is of shares, not of tries
        Attack(
            round(float(own.right.mean()) * tries),
            tries,
            round(float(other.right.mean()) * control_tries),
            control_tries,
        ),
        *(
            Attack(int(own.right[:, at].sum()), tries, int(other.right[:, at].sum()), control_tries)
            for at in range(own.right.shape[1])
        ),
    ]


class _Places:
    """Rows as places: numbers as shares of the real range, categories as codes; a gap is far from every value."""

    def __init__(self, tables: Tables) -> None:
        self.numeric = np.array([column.numeric for column in tables.columns])
        real = tables.real.numbers
        self.low = np.nan_to_num(np.nanmin(real, axis=0))
        self.span = np.maximum(np.nan_to_num(np.nanmax(real, axis=0)) - self.low, 1e-9)

    def __call__(self, table: Coded) -> Singles:
        scaled = np.clip((table.numbers - self.low) / self.span, -1, 2)
        numbers = np.where(self.numeric, scaled, table.numbers)
        # column by column in memory, as it is read
        places: Singles = np.asfortranarray(np.nan_to_num(numbers, nan=-9.0), dtype=np.float32)
        return places

    def apart(self, at: int, targets: Singles, rows: Singles) -> Singles:
        """The distance of every target from every row in one column."""
        one, other = targets[:, at][:, None], rows[:, at][None, :]
        if not self.numeric[at]:
            apart: Singles = (one != other).astype(np.float32)
            return apart
        gap: Singles = one - other
        np.abs(gap, out=gap)
        np.minimum(gap, np.float32(1), out=gap)
        return gap


def _few(table: Coded, random: np.random.Generator) -> Coded:
    return table if len(table) <= MAX_ROWS else table.take(random.permutation(len(table))[:MAX_ROWS])


def _pass(
    targets: Singles, rows: Singles, places: _Places, known: npt.NDArray[np.bool_], *, only: bool = False
) -> _Found:
    """All attacks on all targets, a few targets at a time; ``only`` the nearest distance where that is enough."""
    nearest, linked, right = [], [], []
    count = targets.shape[1]
    for start in range(0, len(targets), _CHUNK):
        part = targets[start : start + _CHUNK]
        sums = [np.zeros((len(part), len(rows)), dtype=np.float32) for _ in range(2)]
        for at in range(count):
            sums[int(known[at])] += places.apart(at, part, rows)
        total = sums[0] + sums[1]
        nearest.append(total.min(axis=1))
        if only:
            continue
        near = [np.argpartition(half, NEIGHBOURS, axis=1)[:, :NEIGHBOURS] for half in sums]
        linked.append((near[0][:, :, None] == near[1][:, None, :]).any(axis=(1, 2)))
        guessed = np.zeros((len(part), count), dtype=bool)
        for at in range(count):
            rest = total - places.apart(at, part, rows)
            values = rows[np.argmin(rest, axis=1), at]
            gap = np.abs(values - part[:, at])
            guessed[:, at] = gap <= CLOSE if places.numeric[at] else gap == 0
        right.append(guessed)
    nothing = np.zeros((0, count), dtype=bool)
    return _Found(
        np.concatenate(nearest).astype(np.float64),
        np.concatenate(linked) if linked else nothing[:, 0],
        np.concatenate(right) if right else nothing,
    )


def _membership(own: _Found, other: _Found, own_reference: _Found, other_reference: _Found) -> Attack:
    """Outliers lie far from the reference rows; one that lies many times nearer to the table is taken for a member.

    The limit is set so that 1 % of outliers kept out pass it; they are the control.
    """
    outlying = [
        reference.nearest >= np.quantile(other_reference.nearest, 0.9) for reference in (own_reference, other_reference)
    ]
    scores = [
        np.log((reference.nearest + _NEAR) / (found.nearest + _NEAR))[chosen]
        for found, reference, chosen in ((own, own_reference, outlying[0]), (other, other_reference, outlying[1]))
    ]
    limit = np.quantile(scores[1], 1 - FALSE_ALARMS)
    hits = [int((score > limit).sum()) for score in scores]
    return Attack(hits[0], len(scores[0]), hits[1], len(scores[1]))
