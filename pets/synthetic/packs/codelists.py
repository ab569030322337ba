"""Code lists of a pack: the codes of a field, what they mean, how often each is drawn, and where they come from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import SchemaError, did_you_mean, shown
from pets.synthetic.packs.checkdigits import FORMS
from pets.synthetic.packs.grammar import CALENDAR, CODES, MADE, NUMBERED, mapping, named, text, whole

MAX_CODES = 100_000
MAX_WEIGHT = 10**9


@dataclass(frozen=True)
class CodeList:
    """Codes with their weights and terms.

    Attributes:
        name: how formulas name it.
        source: the key of the document that it was taken from.
        form: a form that every code must have (``snomed``: its check digit too), or ``None``.
        codes: the codes.
        terms: what each means.
        weights: for each code, how often it is drawn: one number, or one for each group of rows.
    """

    name: str
    source: str
    form: str | None
    codes: tuple[str, ...]
    terms: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        where = f"code list {self.name!r}"
        if not 1 <= len(self.codes) <= MAX_CODES:
            raise SchemaError(f"{where} must have 1 to {MAX_CODES:,} codes, and has {len(self.codes):,}")
        if self.form is not None and self.form not in FORMS:
            raise SchemaError(f"{where}: there is no form {self.form!r}{did_you_mean(self.form, FORMS)}")
        if self.form is not None and not all(map(FORMS[self.form], self.codes)):
            raise SchemaError(f"{where} has codes that are no valid {self.form} codes; check their digits")
        groups = {len(weights) for weights in self.weights}
        if len(groups) != 1 or len(self.weights) != len(self.codes):
            raise SchemaError(f"{where}: give every code one weight, or the same number of weights")
        table = np.array(self.weights)
        if (table < 0).any() or (table.sum(axis=0) <= 0).any():
            raise SchemaError(f"{where}: weights must not be negative, nor all 0 in a group")

    @property
    def groups(self) -> int:
        """How many groups of rows have weights of their own."""
        return len(self.weights[0])

    @cached_property
    def steps(self) -> npt.NDArray[np.float64]:
        """For each group the cumulated shares of the codes, the groups one above the other: 0 to 1, 1 to 2, …"""
        table = np.array(self.weights, dtype=np.float64).T
        steps = np.cumsum(table / table.sum(axis=1, keepdims=True), axis=1)
        steps[:, -1] = 1.0
        return np.asarray(steps + np.arange(len(table))[:, None], dtype=np.float64).ravel()

    def draw(self, random: np.random.Generator, rows: int, group: Any = None) -> npt.NDArray[np.int32]:
        """The places of one code a row."""
        share = random.random(rows)
        if group is None:
            found = np.searchsorted(self.steps[: len(self.codes)], share, side="right")
        else:
            found = np.searchsorted(self.steps, share + group, side="right") - group * len(self.codes)
        # adding the group may round a share up to the next whole
        return np.minimum(found, len(self.codes) - 1).astype(np.int32)


def code_list(name: str, form: Mapping[str, Any]) -> CodeList:
    """A code list from its mapping form.

    ``values`` maps each code to ``"weight | term"`` (or ``"weight weight … | term"``, one a group); ``numbered`` gives
    codes that differ in their last digits only, such as ``{prefix: E0199, digits: 4, from: 0, to: 99}``.

    >>> code_list("sex", {"source": "HES", "values": {"1": "49 | male", "2": "51 | female"}}).terms
    ('male', 'female')
    """
    mapping(form, CODES)
    source = text(form.get("source", MADE), f"the source of code list {name!r}")
    if ("values" in form) == ("numbered" in form):
        raise SchemaError(f"code list {name!r} needs either values or numbered")
    if "numbered" in form:
        given = mapping(form["numbered"], NUMBERED)
        low, high = (whole(given[end], end, 0, 10**12) for end in ("from", "to"))
        if high - low >= MAX_CODES:
            raise SchemaError(f"code list {name!r} has at most {MAX_CODES:,} codes; bring 'from' and 'to' nearer")
        prefix, digits = text(given["prefix"], "prefix", 100), whole(given["digits"], "digits", 1, 12)
        codes = tuple(f"{prefix}{number:0{digits}d}" for number in range(low, high + 1))
        pairs: list[tuple[tuple[float, ...], str]] = [((1.0,), "")] * len(codes)
    else:
        codes = tuple(named(form["values"], f"the values of code list {name!r}"))
        pairs = [weighed(name, code, given, form.get("form")) for code, given in (form["values"] or {}).items()]
    terms, weights = tuple(term for _, term in pairs), tuple(weight for weight, _ in pairs)
    return CodeList(name, source, form.get("form"), codes, terms, weights)


def weighed(name: str, code: str, given: object, form: object = None) -> tuple[tuple[float, ...], str]:
    """A code's weights, one for each group of rows, and what it means; a code of another form is refused."""
    text(code, f"a code of code list {name!r}", 100)
    if isinstance(form, str) and form in FORMS and not FORMS[form](code):
        raise SchemaError(f"code list {name!r}: {code!r} is no valid {form} code; check its digits")
    weights, _, term = ("" if given is None else str(given)).partition("|")
    return _weights(weights, f"code list {name!r}: {code!r} needs 'weight | term'", given) or (1.0,), term.strip()


def _weights(written: str, needs: str, given: object) -> tuple[float, ...]:
    try:
        found = tuple(float(weight) for weight in written.split())
    except ValueError:
        raise SchemaError(f"{needs}, not {shown(given)}") from None
    if not all(0 <= weight <= MAX_WEIGHT for weight in found):
        raise SchemaError(f"{needs}, and weights must not be negative nor above {MAX_WEIGHT:,}")
    return found


@dataclass(frozen=True)
class Calendar:
    """How busy the days are: by month, by day of the week, and in listed spans of days."""

    name: str
    months: tuple[float, ...]
    weekdays: tuple[float, ...]
    spans: tuple[tuple[int, int, float], ...]

    def busy(self, first: int, last: int) -> npt.NDArray[np.float64]:
        """The weights of the days ``first`` to ``last`` (counted from 1970), cumulated from 0."""
        days = np.arange(first, last + 1)
        month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
        # 1970 began on a Thursday
        weight: npt.NDArray[np.float64] = np.array(self.months)[month] * np.array(self.weekdays)[(days + 3) % 7]
        for start, end, factor in self.spans:
            weight[(days >= start) & (days <= end)] *= factor
        return np.concatenate([[0.0], np.cumsum(weight)])


def calendar(name: str, form: Mapping[str, Any]) -> Calendar:
    """A calendar from its mapping form: ``months`` (12 weights), ``weekdays`` (7, from Monday), ``spans``.

    >>> calendar("even", {"spans": {"2020-04-01..2020-06-30": "0.5"}}).spans[0][2]
    0.5
    """
    mapping(form, CALENDAR)
    needs = f"calendar {name!r} needs months and weekdays of plain weights"
    months, weekdays = (
        _weights(str(form.get(part, "1 " * size)), needs, form.get(part))
        for part, size in (("months", 12), ("weekdays", 7))
    )
    if len(months) != 12 or len(weekdays) != 7 or not any(months) or not any(weekdays):
        raise SchemaError(f"calendar {name!r} needs 12 months and 7 weekdays, of each at least one above 0")
    spans: list[tuple[int, int, float]] = []
    for span, factor in named(form.get("spans"), "spans").items():
        try:
            start, end = (dt.date.fromisoformat(day).toordinal() - 719163 for day in span.split(".."))
        except ValueError:
            raise SchemaError(
                f"calendar {name!r}: a span is two days, such as 2020-03-23..2020-06-30, not {shown(span)}"
            ) from None
        found = _weights(str(factor), f"calendar {name!r}: a span needs one weight", factor)
        if len(found) != 1:
            raise SchemaError(f"calendar {name!r}: a span needs one weight, not {shown(factor)}")
        spans.append((start, end, found[0]))
    return Calendar(name, months, weekdays, tuple(spans))
