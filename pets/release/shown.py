"""What a display shows of an answer: which groups, in which order, under which names. The release keeps all of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pets.common.codec import fraction
from pets.common.integers import Ints
from pets.plan.plan import Plan
from pets.query_model.display import Display, Order
from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not, Or
from pets.release.estimate import Estimates
from pets.schema.domain import MISSING, Category

Flags = npt.NDArray[np.bool_]
Measures = Mapping[str, npt.NDArray[Any]]

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Answer(Protocol):
    """What is read of a release."""

    @property
    def plan(self) -> Plan:
        """What was measured."""

    @property
    def estimates(self) -> Estimates:
        """The outputs."""

    @property
    def display(self) -> Display | None:
        """How it is shown."""


def places(answer: Answer) -> Ints:
    """The groups that are shown, in order, as places in the release.

    A condition looks at the noisy values, and one that is not estimable meets none but ``IS NULL``.
    """
    display, groups = answer.display, np.arange(answer.plan.groups, dtype=np.int64)
    if display is None:
        return groups
    measures = {column.output.name: column.estimate for column in answer.estimates if column.estimate.ndim == 1}
    if display.having is not None:
        groups = groups[_meets(display.having, measures)]
    for order in reversed(display.order):  # the last one first: each sort keeps the order within equals
        groups = groups[_sorted(order, answer, measures, groups)]
    stop = len(groups) if display.limit is None else display.offset + display.limit
    return groups[display.offset : stop]


def labels(answer: Answer) -> dict[str, list[Any]]:
    """The key columns of all groups, under the names that the display gives to their labels."""
    columns = answer.plan.layout.columns()
    display = Display() if answer.display is None else answer.display
    for key, _ in display.labels:
        names = display.shown(key)
        columns[key] = [names.get(str(label), label) for label in columns[key]]
    return columns


def sentence(answer: Answer) -> str:
    """How many groups the display shows, where it leaves any out, and what that does to intervals."""
    shown = len(places(answer))
    if shown == answer.plan.groups:
        return ""
    said = f"Shown: {shown:,} of {answer.plan.groups:,} groups, as HAVING and LIMIT say; all were released."
    if answer.estimates.exact or not _by_noise(answer):
        return said
    return (
        f"{said} They were chosen by noisy values, so the chosen look more extreme than they are: an interval holds "
        f"with {answer.estimates.confidence:.3g} for a group chosen beforehand, and less often for these."
    )


def _by_noise(answer: Answer) -> bool:
    """Whether noisy values decide which groups are shown."""
    display, measures = answer.display, {column.output.name for column in answer.estimates}
    return display is not None and (display.having is not None or any(one.name in measures for one in display.order))


def _meets(node: Filter, measures: Measures, *, positive: bool = True) -> Flags:
    """Which groups meet a condition on measures; what has no value meets only ``is_null``, also when negated."""
    if isinstance(node, Not):
        return _meets(node.term, measures, positive=not positive)
    if isinstance(node, (And, Or)):
        terms = [_meets(term, measures, positive=positive) for term in node.terms]
        joined = np.logical_and if isinstance(node, And) is positive else np.logical_or
        return np.asarray(joined.reduce(terms), dtype=np.bool_)
    assert isinstance(node, (Compare, Between, IsIn, IsNull))
    values = measures[node.column]
    known = ~np.isnan(values.astype(np.float64))
    if isinstance(node, IsNull):
        return known ^ positive
    if isinstance(node, Compare):
        met = _COMPARED[node.op](values, _number(node.value))
    elif isinstance(node, Between):
        met = (values >= _number(node.low)) & (values <= _number(node.high))
    else:
        met = np.isin(values, [_number(value) for value in node.values])
    return np.asarray((met == positive) & known, dtype=np.bool_)


def _number(value: Any) -> float | int:
    exact = fraction(value)
    return int(exact) if exact.denominator == 1 else float(exact)


def _sorted(order: Order, answer: Answer, measures: Measures, groups: Ints) -> Ints:
    """The order of some groups by one column, as places among them."""
    if order.name in measures:
        ranks = measures[order.name][groups].astype(np.float64)
        none = np.isnan(ranks)
    else:
        ranks, none = _key_ranks(answer, order.name, groups)
    ranks = np.where(none, 0.0, -ranks if order.descending else ranks)
    return np.lexsort((ranks, ~none if order.nulls_first else none)).astype(np.int64)


def _key_ranks(answer: Answer, name: str, groups: Ints) -> tuple[npt.NDArray[Any], Flags]:
    """The order of a key's values, and which groups lack one.

    Texts (of a category, and those that CASE gives) are sorted letter by letter as SQL sorts them, so that LIMIT keeps
    the same groups; all else in its public order. A name that CASE gives to the group without a value is a text.
    """
    dimension = next(one for one in answer.plan.layout.dimensions if one.name == name)
    names = {} if answer.display is None else answer.display.shown(name)
    domain = answer.plan.fields[dimension.column]
    texts: dict[Any, str] = {label: names.get(str(label), str(label)) for label in dimension.labels}
    labels: Sequence[Any] = dimension.labels
    if names or isinstance(domain, Category):
        labels = sorted(labels, key=lambda label: texts[label].encode())  # as DuckDB: by bytes
    place = {label: i for i, label in enumerate(labels)}
    column: Sequence[Any] = answer.plan.layout.columns()[name]
    nullable = domain.nullable and MISSING not in names
    none = np.array([nullable and column[i] == MISSING for i in groups.tolist()], dtype=np.bool_)
    return np.array([place[column[i]] for i in groups.tolist()], dtype=np.float64), none
