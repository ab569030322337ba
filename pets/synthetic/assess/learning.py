"""Utility and detectability: what a learner makes of the synthetic rows. Needs scikit-learn.

Utility: train on synthetic rows, test on real ones that nobody trained on (Esteban, Hyland and Rätsch 2017, "TSTR").
Detectability: can a learner tell synthetic rows from real ones (Lopez-Paz and Oquab 2017, classifier two-sample test)?
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pets.errors import UserError, did_you_mean, missing_extra, shown
from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Coded, Floats, Ints, Tables

MAX_ROWS = 20_000
MAX_CLASSES = 20
MIN_CLASS_ROWS = 20
RESAMPLES = 50
_AT_ONCE = 2**21  # numbers in memory
_FAR = 1e9  # numbers beyond it are as far as any: learners count in single precision; a gap is such a one, too


def utility(tables: Tables, floor: Coded, target: str | None, seed: int) -> tuple[Score, ...]:
    """Area under the ROC curve of several learners for one column, on the rows kept out; 0.5 is guessing.

    The ceiling is a learner trained on the real rows themselves.

    Raises:
        UserError: for a target that is not there, or cannot be learnt.
    """
    place = target_place(tables, target)
    truth = _classes(tables, tables.holdout, place)
    found: list[Score] = []
    for name, make in _learners(seed).items():
        curves = {
            label: _learnt(make, tables, table, place, truth)
            for label, table in (("value", tables.synthetic), ("floor", floor), ("ceiling", tables.real))
        }
        values = {label: _curve(truth, *curve) for label, curve in curves.items()}
        low, high = _ends(values["value"], truth, *curves["value"], seed)
        found.append(
            Score(
                "utility",
                f"{tables.names[place]} by {name}",
                f"Trained on the table to tell {tables.names[place]!r}, tested on real rows kept out: area under the "
                "ROC curve (0.5 is guessing). The ceiling is trained on the real rows.",
                values["value"],
                values["floor"],
                values["ceiling"],
                "more",
                low,
                high,
            )
        )
    return tuple(found)


def one_thread() -> Any:
    """Learners in one thread: on a busy machine, threads that wait for each other cost many times what they save."""
    try:
        # loaded first: a limit holds for the pools of threads that are there when it is set, and for no later one
        import sklearn.ensemble
        import sklearn.linear_model  # noqa: F401
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise missing_extra("assessing synthetic data", "synthetic") from None
    return threadpool_limits(1)


def target_place(tables: Tables, target: str | None) -> int:
    """The column to learn: as told, or the last one with two to twenty well-filled values."""
    if target is not None:
        if target not in tables.names:
            raise UserError(f"target {shown(target)} is not a column{did_you_mean(target, tables.names)}")
        place = tables.names.index(target)
        kinds = len(np.unique(_classes(tables, tables.real, place)))
        if kinds < 2:
            raise UserError(f"target {target!r} is the same in every real row, so nothing can be learnt; name another")
        if kinds > MAX_CLASSES:
            raise UserError(
                f"target {target!r} has {kinds:,} values and learners tell at most {MAX_CLASSES} apart; name another, "
                "or make it coarser in all three tables"
            )
        return place
    for place in reversed(range(len(tables.columns))):
        counts = np.bincount(_classes(tables, tables.real, place))
        if 2 <= len(counts) <= MAX_CLASSES and counts.min() >= MIN_CLASS_ROWS:
            return place
    raise UserError("no column can serve as the one to learn; name one with target=…")


def _classes(tables: Tables, table: Coded, place: int) -> Ints:
    """The codes of a category; of a number, whether it is above the real rows' median."""
    if not tables.columns[place].numeric:
        return table.codes[:, place]
    middle = float(np.nanmedian(tables.real.numbers[:, place]))
    return (np.nan_to_num(table.numbers[:, place], nan=middle) > middle).astype(np.int64)


def _learners(seed: int) -> Mapping[str, Callable[[list[bool]], Any]]:
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder
    except ImportError:
        raise missing_extra("assessing synthetic data", "synthetic") from None

    return {
        "boosted trees": lambda kinds: HistGradientBoostingClassifier(random_state=seed, max_iter=60),
        "random forest": lambda kinds: RandomForestClassifier(60, min_samples_leaf=5, random_state=seed, n_jobs=1),
        "logistic regression": lambda kinds: make_pipeline(
            OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=200, C=0.5)
        ),
    }


def _learnt(
    make: Callable[[list[bool]], Any], tables: Tables, table: Coded, place: int, truth: Ints
) -> tuple[Floats, Ints]:
    """What a learner thinks of the rows kept out: a chance for each class. Where the table holds one, that is all."""
    rest = [at for at in range(len(tables.columns)) if at != place]
    rows = np.arange(len(table))
    if len(rows) > MAX_ROWS:
        rows = np.random.default_rng(0).permutation(rows)[:MAX_ROWS]
    labels = _classes(tables, table, place)[rows]
    if len(np.unique(labels)) < 2:
        return np.ones((len(truth), 1)), labels[:1]
    model = make([tables.columns[at].numeric for at in rest])
    linear = hasattr(model, "steps")
    inputs = [_inputs(one, rest, linear) for one in (table.take(rows), tables.holdout)]
    with warnings.catch_warnings(action="ignore"):
        model.fit(inputs[0], labels)
        return model.predict_proba(inputs[1]), model.classes_


def _inputs(table: Coded, rest: list[int], linear: bool) -> Any:
    # a linear learner gets bins, each with a weight of its own; trees get numbers, with a gap as a very small one
    return table.codes[:, rest] if linear else _near(table.numbers[:, rest])


def _near(numbers: Floats) -> Floats:
    """Numbers that every learner takes, a gap as a very small one."""
    near: Floats = np.clip(np.nan_to_num(numbers, nan=-_FAR), -_FAR, _FAR)
    return near


def _curve(truth: Ints, chances: Floats, classes: Ints) -> float:
    """The mean over classes of the area under one-against-the-rest curves, each weighted by its rows."""
    from sklearn.metrics import roc_auc_score

    areas, weights = [], []
    for label in np.unique(truth):
        one = truth == label
        if one.all():
            return 0.5
        at = np.flatnonzero(classes == label)
        areas.append(float(roc_auc_score(one, chances[:, at[0]])) if len(at) else 0.5)
        weights.append(float(one.sum()))
    return float(np.average(areas, weights=weights))


def _ends(value: float, truth: Ints, chances: Floats, classes: Ints, seed: int) -> tuple[float, float]:
    """A 95 % interval for the chance that lies in which rows were kept out: from resampling them (the bootstrap)."""
    random = np.random.default_rng([seed, 6])
    count = len(truth)
    found: list[float] = []
    while len(found) < RESAMPLES:
        some = range(min(RESAMPLES - len(found), max(1, _AT_ONCE // count)))
        drawn = np.stack([np.bincount(random.integers(0, count, count), minlength=count) for _ in some])
        found += _curves(truth, chances, classes, drawn).tolist()
    # few rows tell little of their own spread: Student's quantile, and no less than what half a row may turn
    half = max((1.96 + 2.4 / (count - 1)) * float(np.std(found, ddof=1)), 0.5 / count)
    return max(0.0, value - half), min(1.0, value + half)


def _curves(truth: Ints, chances: Floats, classes: Ints, drawn: Ints) -> Floats:
    """:func:`_curve` of many samples, each a row of how often every row was drawn.

    It counts pairs of rows in whole numbers (the area is the share of pairs in order, half of those that tie: Hanley
    and McNeil 1982), where scikit-learn would sort and check every sample anew.
    """
    areas, weights = [], []
    for label in np.unique(truth):
        one = truth == label
        at = np.flatnonzero(classes == label)
        _, places = np.unique(chances[:, at[0]] if len(at) else np.zeros(len(truth)), return_inverse=True)
        order = np.argsort(places, kind="stable")
        starts = np.flatnonzero(np.diff(places[order], prepend=-1))
        inside, outside = (np.add.reduceat((drawn * side)[:, order], starts, axis=1) for side in (one, ~one))
        pairs = inside.sum(axis=1) * outside.sum(axis=1)
        ahead = (inside * (2 * np.cumsum(outside, axis=1) - outside)).sum(axis=1)
        areas.append(np.where(pairs > 0, ahead / np.maximum(2 * pairs, 1), 0.5))  # one class alone: guessing
        weights.append(inside.sum(axis=1))
    curves: Floats = np.average(areas, weights=weights, axis=0)
    return curves


def detectability(tables: Tables, floor: Coded, seed: int) -> tuple[Score, ...]:
    """Area under the ROC curve of boosted trees that tell a table's rows from real ones; 0.5: they cannot.

    Cross-fitted in three parts, on as many rows of either side as the smaller has.
    """
    values = {
        label: _told_apart(tables.real, table, seed)
        for label, table in (("value", tables.synthetic), ("floor", floor), ("ceiling", tables.holdout))
    }
    half = 1.96 * 0.5 / np.sqrt(min(len(tables.real), len(tables.synthetic), MAX_ROWS // 2))
    return (
        Score(
            "detectability",
            "told from real rows",
            "How well boosted trees tell the table's rows from real ones: 0.5 they cannot, 1 always.",
            values["value"],
            values["floor"],
            values["ceiling"],
            better="less",
            low=max(0.0, values["value"] - half),
            high=min(1.0, values["value"] + half),
        ),
    )


def _told_apart(real: Coded, other: Coded, seed: int) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    random = np.random.default_rng([seed, 5])
    rows = min(len(real), len(other), MAX_ROWS // 2)
    sides = [_near(one.numbers)[random.permutation(len(one))[:rows]] for one in (real, other)]
    inputs, labels = np.concatenate(sides), np.repeat([0, 1], rows)
    chances = np.zeros(2 * rows)
    for train, test in StratifiedKFold(3, shuffle=True, random_state=seed).split(inputs, labels):
        model = HistGradientBoostingClassifier(random_state=seed, max_iter=60).fit(inputs[train], labels[train])
        chances[test] = model.predict_proba(inputs[test])[:, 1]
    return float(roc_auc_score(labels, chances))
