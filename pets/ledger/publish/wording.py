"""Words: what the public log's entries mean, for readers who know neither statistics nor computers."""

from __future__ import annotations

import datetime as dt
import math
import re

from pets.common.codec import Json
from pets.ledger.publish.read_log import Asked, Dataset
from pets.ledger.states import State
from pets.protection.budget import Budget, Cost
from pets.query_model.traits import TRAITS

_NAME = r"[\w.\-]+"
_NAMES = rf"{_NAME}(?: and {_NAME})*"
_MEASURE = rf"[a-z_]+(?:\({_NAMES}(?: where {_NAMES})?\))?"
_WHAT = re.compile(rf"({_MEASURE}(?:, {_MEASURE})*)(?: by ({_NAME}(?:, {_NAME})*))?(?: where ({_NAMES}))?")
_PART = re.compile(rf"([a-z_]+)(?:\(({_NAMES})(?: where ({_NAMES}))?\))?")
OUTCOMES = {
    State.COMMITTED: ("Released", "The protected answer left."),
    State.DENIED: ("Refused", "It was over the budget. No data was read and nothing was charged."),
    State.FORFEITED: ("Failed", "Nothing was shown, but its cost stays charged."),
    State.VOIDED: ("Withdrawn", "It ended before any data was read. Nothing was charged."),
    State.RESERVED: ("Under way", "Its cost is charged already."),
    State.STARTED: ("Under way", "Its cost is charged already."),
}
NO_GUARANTEE = ("Released without a guarantee", "Exact figures left, without noise. No privacy cost can be given.")
HALF_WAY = (
    "Failed without a guarantee",
    "It was to hold exact figures, and ended after the data was opened: some may have left. No cost can be given.",
)


def asked(what: str) -> str:
    """What was asked, as a sentence; the log's own words where they do not read as one.

    >>> asked("count, mean(length_of_stay) by sex where age")
    'The number of records and the average of “length of stay”, for each “sex”, among records chosen by “age”.'
    >>> asked("count_units(age and sex)")
    'The number of people among records chosen by “age” and “sex”.'
    >>> asked("mean(days; drop) by")
    'mean(days; drop) by'
    """
    found = _WHAT.fullmatch(what)
    if found is None:
        return what
    measures, by, where = found.groups()
    parts = [_measure(*match.groups()) for match in _PART.finditer(measures)]
    if "" in parts:
        return what
    said = listed(parts)
    if by:
        said += f", for each {listed([_quoted(name) for name in by.split(', ')])}"
    if where:
        said += f", among records chosen by {_columns(where)}"
    return f"{said[0].upper()}{said[1:]}."


def _measure(kind: str, columns: str | None, where: str | None) -> str:
    words = TRAITS[kind].lay if kind in TRAITS else ""
    if "{}" in words:
        words = words.format(_columns(columns)) if columns else ""
    elif columns:
        where = columns
    return f"{words} among records chosen by {_columns(where)}" if words and where else words


def _columns(names: str) -> str:
    return listed([_quoted(name) for name in names.split(" and ")])


def _quoted(name: str) -> str:
    return f"“{name.replace('_', ' ')}”"


def listed(parts: list[str]) -> str:
    """One, two and three.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"


def outcome(one: Asked) -> tuple[str, str]:
    """What became of a request: a word or two, and a sentence."""
    if one.unbounded and one.state is State.FORFEITED:
        return HALF_WAY
    return NO_GUARANTEE if one.unbounded and one.state is State.COMMITTED else OUTCOMES[one.state]


def bare(found: list[Asked]) -> str:
    """How many requests without a guarantee, and how many of them did not come to their end."""
    unsure = sum(one.state is not State.COMMITTED for one in found)
    return counted(len(found), "release") + (f" ({unsure:,} of them not known to have ended)" if unsure else "")


def protected(form: Json) -> str:
    """How an answer is protected, in a few words.

    >>> protected({"kind": "dp", "epsilon": "0.5"}), protected({"kind": "total"})
    ('random noise (differential privacy)', 'none, exact totals')
    """
    known = {"dp": "random noise (differential privacy)", "total": "none, exact totals"}
    kind = str(form.get("kind"))
    return known.get(kind, f"“{kind}”")


def epsilon(budget: Budget, cost: Cost) -> str:
    r"""A cost as ε, with its δ, rounded up; no line ends between a sign and its number.

    >>> budget = Budget(epsilon=1, delta=1e-6)
    >>> epsilon(budget, budget.cap), epsilon(Budget(epsilon=2), Cost("pure", 0))
    ('ε\xa0=\xa01 (δ\xa0=\xa010⁻⁶)', 'ε\xa0=\xa00')
    """
    value, delta = budget.describe(cost)
    return f"ε\u00a0=\u00a0{rounded_up(value)}" + (f" (δ\u00a0=\u00a0{small(delta)})" if delta and value else "")


def rounded_up(value: float) -> str:
    """Four digits, never less than the value by more than its fifth: a cost is not made to look smaller.

    >>> rounded_up(0.87881), rounded_up(0.5000001), rounded_up(3.0), rounded_up(0.0)
    ('0.8789', '0.5', '3', '0')
    """
    if value <= 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    return f"{math.ceil(value / unit - 1e-3) * unit:.4g}"


def small(value: float) -> str:
    """A δ, in a form that no line breaks.

    >>> small(1e-6), small(2.5e-07), small(0.001)
    ('10⁻⁶', '2.5·10⁻⁷', '0.001')
    """
    text, mark, power = f"{value:g}".partition("e-")
    if not mark:
        return text
    raised = power.lstrip("0").translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{'' if text == '1' else f'{text}·'}10⁻{raised}"


def percent(share: float) -> str:
    r"""A share of a budget that is left, rounded down: neither “100 %” nor “0 %” unless it is.

    >>> percent(0), percent(0.00001), percent(0.103), percent(0.99999), percent(1)
    ('0\xa0%', 'less than 0.1\xa0%', '10.3\xa0%', '99.9\xa0%', '100\xa0%')
    """
    if 0 < share < 0.001:
        return "less than 0.1\u00a0%"
    return f"{math.floor(share * 1000 + 1e-9) / 10:g}\u00a0%"


def used(share: float) -> str:
    r"""A share of a budget that is used, rounded up, so that what is used and what is left make 100 %.

    >>> used(0), used(0.00001), used(0.1031), used(0.99999), used(1)
    ('0\xa0%', 'less than 0.1\xa0%', '10.4\xa0%', 'more than 99.9\xa0%', '100\xa0%')
    """
    if 0 < share < 0.001:
        return "less than 0.1\u00a0%"
    if 0.999 < share < 1:
        return "more than 99.9\u00a0%"
    return f"{math.ceil(share * 1000 - 1e-9) / 10:g}\u00a0%"


def day(at: str) -> str:
    """A date: ``22 November 2026``."""
    when = dt.datetime.fromisoformat(at)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def clock(at: str) -> str:
    """A time of day: ``06:39``."""
    return dt.datetime.fromisoformat(at).strftime("%H:%M")


_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(0, "answer"), counted(1, "answer"), counted(1200, "entry", "entries")
    ('no answers', '1 answer', '1,200 entries')
    """
    noun = one if number == 1 else many or f"{one}s"
    return f"{number:,} {noun}" if number else f"no {noun}"


def times(number: int) -> str:
    """How often.

    >>> times(1), times(2), times(3)
    ('once', 'twice', '3 times')
    """
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def people(known: Dataset) -> str:
    """Who is protected in a dataset."""
    if all(known.units.values()):
        return "each person, with all of their records"
    return "each record" if not any(known.units.values()) else "each person (in some tables each record)"
