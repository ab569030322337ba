"""What formulas may call: reckoning with days, texts, groups of rows, and chance; all of it on whole columns.

A function takes the scope and its arguments: constants as they are, columns as :class:`Values`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.synthetic.dummy_data.fill import years as completed_years
from pets.synthetic.packs.checkdigits import FORMS
from pets.synthetic.packs.random_functions import CHANCE
from pets.synthetic.packs.scope import Maker, numbers, whole
from pets.synthetic.packs.values import Values, aligned, chosen, coded, constant, labelled

Function = Callable[..., Values]
FUNCTIONS: dict[str, Function] = dict(CHANCE)
MAX_TEXT = 200

GROUPED = ("number", "total", "following", "preceding", "running", "ordered", "partner", "of_row", "handed", "key")
"""These need every row of a parent, so they stand outside the branches of a case."""


def _function(function: Function) -> Function:
    FUNCTIONS[function.__name__.strip("_")] = function
    return function


def _values(scope: Maker, argument: Any) -> Values:
    return argument if isinstance(argument, Values) else constant(argument, scope.rows)


# reckoning ----------------------------------------------------------------------------------------------------------


def _extreme(scope: Maker, parts: tuple[Any, ...], pick: Callable[[Any, Any], Any]) -> Values:
    """Of what has a value; of nothing, nothing."""
    out, *rest = aligned([_values(scope, part) for part in parts])
    for part in rest:
        data, empty = pick(out.data, part.data), None
        if out.empty is not None or part.empty is not None:
            data = np.where(out.holes, part.data, np.where(part.holes, out.data, data))
            empty = out.holes & part.holes
        out = Values(out.kind, data, (), empty if empty is not None and empty.any() else None)
    return out


@_function
def least(scope: Maker, *parts: Any) -> Values:
    """The least of the values that are there."""
    return _extreme(scope, parts, np.minimum)


@_function
def greatest(scope: Maker, *parts: Any) -> Values:
    """The greatest of the values that are there."""
    return _extreme(scope, parts, np.maximum)


@_function
def coalesce(scope: Maker, *parts: Any) -> Values:
    """The first value that is there."""
    out, *rest = (_values(scope, part) for part in parts)
    for part in rest:
        out = chosen(~out.holes, out, part)
    return out


@_function
def has(scope: Maker, value: Values) -> Values:
    """Whether there is a value."""
    return Values("truth", ~value.holes)


@_function
def round_(scope: Maker, value: Values) -> Values:
    """The nearest whole number."""
    return whole(np.rint(value.data), value.empty)


@_function
def exp(scope: Maker, value: Values) -> Values:
    """e to the power of the value."""
    return Values("real", np.exp(value.data.astype(np.float64)), (), value.empty)


@_function
def cut(scope: Maker, value: Values, *edges: int) -> Values:
    """In which band a number lies: 0 below the first edge, 1 from it, and so on."""
    return whole(np.searchsorted(np.array(edges), value.data, side="right"), value.empty)


# days ---------------------------------------------------------------------------------------------------------------


@_function
def day(scope: Maker, text: str) -> Values:
    """A day, such as ``day("2020-12-08")``."""
    return Values("day", np.full(scope.rows, np.datetime64(text, "D").astype(np.int64)))


@_function
def years(scope: Maker, first: Values, second: Values) -> Values:
    """Completed years between two days."""
    empty = None if first.empty is None and second.empty is None else first.holes | second.holes
    return whole(completed_years(first.data, second.data), empty)


@_function
def moment(scope: Maker, first: Values, minutes: Any) -> Values:
    """Minutes after the start of a day."""
    return Values("minute", first.data * 1440 + numbers(scope, minutes), (), first.empty)


@_function
def day_of(scope: Maker, value: Values) -> Values:
    """The day of a moment."""
    return Values("day", value.data // 1440, (), value.empty)


@_function
def clock(scope: Maker, value: Values, form: str) -> Values:
    """The time of day of a moment, as ``"hhmm"`` or ``"hh:mm:ss"``."""
    point, after = (":", ":00") if form == "hh:mm:ss" else ("", "")
    return coded(value.data % 1440, [f"{m // 60:02d}{point}{m % 60:02d}{after}" for m in range(1440)], value.empty)


def _dated(values: npt.NDArray[np.int64], unit: str, after: str, empty: Any) -> Values:
    """Days or minutes as ISO texts without points; each different one is written once."""
    known, codes = np.unique(values, return_inverse=True)
    texts = np.datetime_as_string(known.astype(f"datetime64[{unit}]")).tolist()
    labels = tuple(text.replace("-", "").replace(":", "") + after for text in texts)
    return Values("text", codes.astype(np.int32), labels, empty)


@_function
def yyyymmdd(scope: Maker, value: Values) -> Values:
    """A day as eight digits."""
    return _dated(value.data, "D", "", value.empty)


@_function
def stamp(scope: Maker, value: Values) -> Values:
    """A moment as ``YYYYMMDDThhmmss00``, where 00 is the offset of the time zone."""
    return _dated(value.data, "m", "0000", value.empty)


@_function
def fiscal_year(scope: Maker, value: Values) -> Values:
    """The financial year of a day, from April, as HES writes it: ``2324``."""
    months = value.data.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    first = 1970 + (months - 3) // 12
    return labelled(first, lambda y: f"{y % 100:02d}{(y + 1) % 100:02d}", value.empty)


# texts --------------------------------------------------------------------------------------------------------------


@_function
def left(scope: Maker, value: Values, letters: int) -> Values:
    """The first letters of a text."""
    return value.relabelled(lambda label: label[:letters])


@_function
def digits(scope: Maker, value: Values, width: int) -> Values:
    """A whole number with zeros before it."""
    if not 1 <= width <= 20:
        raise ValueError("digits() writes 1 to 20 digits")
    return labelled(value.data, lambda number: f"{number:0{width}d}", value.empty)


@_function
def number_of(scope: Maker, value: Values) -> Values:
    """A text of digits as a whole number."""
    return whole(np.array([int(label or 0) for label in value.labels], dtype=np.int64)[value.data], value.empty)


@_function
def join(scope: Maker, *parts: Any) -> Values:
    """Texts one after the other."""
    out, *rest = (_values(scope, part) for part in parts)
    for part in rest:
        pair = out.data.astype(np.int64) * len(part.labels) + part.data
        known, codes = np.unique(pair, return_inverse=True)
        size = len(part.labels)
        labels = [out.labels[p // size] + part.labels[p % size] for p in known.tolist()]
        if any(len(label) > MAX_TEXT for label in labels):
            raise ValueError(f"join() makes texts of at most {MAX_TEXT} characters")
        empty = None if out.empty is None and part.empty is None else out.holes | part.holes
        out = coded(codes, labels, empty)
    return out


@_function
def term(scope: Maker, name: str, value: Values) -> Values:
    """What a code means, from its list."""
    codes = scope.codes(name)
    meaning = dict(zip(codes.codes, codes.terms, strict=True))
    return value.relabelled(lambda label: meaning.get(label, ""))


@_function
def valid(scope: Maker, form: str, value: Values) -> Values:
    """Whether a text has a form, check digits included (see ``pets.synthetic.packs.checkdigits``)."""
    if form not in FORMS:
        raise ValueError(f"there is no form {form!r}; there are: {', '.join(FORMS)}")
    good = np.array([FORMS[form](label) for label in value.labels] or [True])
    return Values("truth", good[value.data] | value.holes)


@_function
def listed(scope: Maker, name: str, value: Values) -> Values:
    """Whether a code is in a list."""
    known = set(scope.codes(name).codes)
    good = np.array([label in known for label in value.labels] or [True])
    return Values("truth", good[value.data] | value.holes)


@_function
def count_of(scope: Maker, name: str) -> Values:
    """How many of a family's columns have a value."""
    return whole(sum((~slot.holes).astype(np.int64) for slot in scope.family(name)))


# groups: the rows of one parent -------------------------------------------------------------------------------------


def _starts(group: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.concatenate([[True], group[1:] != group[:-1]]) if len(group) else np.zeros(0, dtype=bool)


@_function
def number(scope: Maker) -> Values:
    """The row's number among those of its parent, from 1."""
    place = np.arange(scope.rows)
    first = np.maximum.accumulate(np.where(_starts(scope.group), place, 0))
    return whole(place - first + 1)


@_function
def total(scope: Maker) -> Values:
    """How many rows its parent has."""
    which = np.cumsum(_starts(scope.group)) - 1
    return whole(np.bincount(which, minlength=1)[which] if scope.rows else which)


@_function
def following(scope: Maker, value: Values) -> Values:
    """The value in the parent's next row."""
    place = np.arange(1, scope.rows + 1)
    return value.take(np.where(np.append(_starts(scope.group)[1:], True), -1, place))


@_function
def preceding(scope: Maker, value: Values) -> Values:
    """The value in the parent's row before."""
    return value.take(np.where(_starts(scope.group), -1, np.arange(-1, scope.rows - 1)))


@_function
def running(scope: Maker, value: Values) -> Values:
    """The sum over the parent's rows so far."""
    sums = np.cumsum(value.data)
    before = np.maximum.accumulate(np.where(_starts(scope.group), np.arange(scope.rows), 0))
    return whole(sums - sums[before] + value.data[before])


@_function
def ordered(scope: Maker, value: Values) -> Values:
    """The values of each parent's rows, in increasing order."""
    return value.take(np.lexsort((value.data, scope.group)))


# people to people: one row follows from another of the table ----------------------------------------------------------

NEAR = 250
"""People who stand near each other in the list: so many in a row. Blocks of people end where these end."""


def _ranked(condition: Values) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows where it holds, and for each a number of its neighbourhood and its place there."""
    rows = np.flatnonzero(condition.data.astype(bool) & ~condition.holes)
    near = rows // NEAR
    return rows, near * NEAR + np.arange(len(rows)) - np.searchsorted(near, near)


@_function
def partner(scope: Maker, asks: Values, gives: Values) -> Values:
    """Among people, of each 250 in a row: the first who asks has the row of the first who gives, and so on."""
    if not np.array_equal(scope.group, np.arange(scope.rows)):
        raise ValueError("partner() stands in the table of people")
    (rows, wanted), (givers, there) = _ranked(asks), _ranked(gives)
    place = np.searchsorted(there, wanted)
    found = np.append(there, -1)[place] == wanted
    out = np.full(scope.rows, -1, dtype=np.int64)
    out[rows[found]] = givers[place[found]]
    return whole(np.maximum(out, 0), out < 0)


@_function
def of_row(scope: Maker, row: Values, value: Values) -> Values:
    """The value in the row that ``partner()`` gave; none where it gave none."""
    return value.take(np.where(row.holes, -1, row.data))


@_function
def handed(scope: Maker, row: Values, value: Values) -> Values:
    """The value in the row that ``partner()`` gave; one's own where it gave none."""
    return value.take(np.where(row.holes, np.arange(scope.rows), row.data))


def spread(values: npt.NDArray[np.int64], prime: int) -> npt.NDArray[np.int64]:
    """Numbers below a prime, each as another one, in no visible order.

    They are multiplied by a constant modulo the prime, which maps no two to one: in two parts, so that no product
    passes 64 bits.

    >>> len(set(spread(np.arange(1000), 1009).tolist()))
    1000
    """
    factor = int(prime * 0.6180339887)
    upper, lower = values >> 12, values & 4095
    out: npt.NDArray[np.int64] = ((upper * factor % prime << 12) + lower * factor) % prime
    return out


PRIMES = {4: 8999, 5: 89989, 6: 899981, 7: 8999993, 8: 89999999} | {
    9: 899_999_963,
    10: 8_999_999_993,
    11: 89_999_999_993,
    12: 899_999_999_981,
}
"""By its digits, the prime modulo which a key is spread: below the number of numbers that have so many digits."""


@_function
def key(scope: Maker, width: int) -> Values:
    """A number of so many digits that no other row of the table has, in no visible order."""
    if width not in PRIMES:
        raise ValueError(f"key() makes numbers of 4 to 12 digits; write key(10), not key({width})")
    prime = PRIMES[width]
    if scope.before + scope.rows > prime:
        raise ValueError(f"key({width}) has too few numbers for so many rows; write key({min(12, width + 2)})")
    place = np.arange(scope.before, scope.before + scope.rows, dtype=np.int64)
    return whole(10 ** (width - 1) + spread(place, prime))
