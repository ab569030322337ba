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
        if not self.codes:
            raise SchemaError(f"{where} has no codes")
        if self.form is not None and self.form not in FORMS:
            raise SchemaError(f"{where}: there is no form {self.form!r}{did_you_mean(self.form, FORMS)}")
        if self.form is not None:
            for code in self.codes:
                if not FORMS[self.form](code):
                    raise SchemaError(f"{where}: {code!r} is no valid {self.form} code; check its digits")
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
    known = ("source", "about", "form", "values", "numbered")
    for key in form:
        if key not in known:
            raise SchemaError(f"code list {name!r}: {shown(key)} is not a setting{did_you_mean(key, known)}")
    if not isinstance(form.get("source"), str):
        raise SchemaError(f"code list {name!r} needs its source")
    if ("values" in form) == ("numbered" in form):
        raise SchemaError(f"code list {name!r} needs either values or numbered")
    if "numbered" in form:
        given = form["numbered"]
        try:
            numbers = range(int(given["from"]), int(given["to"]) + 1)
            codes = tuple(f"{given['prefix']}{number:0{int(given['digits'])}d}" for number in numbers)
        except (KeyError, TypeError, ValueError):
            raise SchemaError(f"code list {name!r}: numbered needs prefix, digits, from and to") from None
        pairs: list[tuple[tuple[float, ...], str]] = [((1.0,), "")] * len(codes)
    else:
        codes = tuple(form["values"])
        pairs = [_weighed(name, code, text) for code, text in form["values"].items()]
    terms, weights = tuple(term for _, term in pairs), tuple(weight for weight, _ in pairs)
    return CodeList(name, form["source"], form.get("form"), codes, terms, weights)


def _weighed(name: str, code: str, text: object) -> tuple[tuple[float, ...], str]:
    weights, _, term = str(text).partition("|")
    try:
        found = tuple(float(weight) for weight in weights.split())
    except ValueError:
        raise SchemaError(f"code list {name!r}: {code!r} needs 'weight | term', not {shown(text)}") from None
    return found or (1.0,), term.strip()


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
    for key in form:
        if key not in ("months", "weekdays", "spans", "about"):
            raise SchemaError(f"calendar {name!r}: {shown(key)} is not a setting")
    try:
        months = tuple(float(weight) for weight in str(form.get("months", "1 " * 12)).split())
        weekdays = tuple(float(weight) for weight in str(form.get("weekdays", "1 " * 7)).split())
        spans: list[tuple[int, int, float]] = []
        for span, factor in (form.get("spans") or {}).items():
            start, end = (dt.date.fromisoformat(day).toordinal() - 719163 for day in span.split(".."))
            spans.append((start, end, float(factor)))
    except ValueError:
        raise SchemaError(f"calendar {name!r} needs months and weekdays of plain weights and spans of days") from None
    if len(months) != 12 or len(weekdays) != 7 or min(months + weekdays) <= 0:
        raise SchemaError(f"calendar {name!r} needs 12 months and 7 weekdays, each above 0")
    return Calendar(name, months, weekdays, tuple(spans))
