"""An invented table of hospital stays, for demonstrations, documentation and tests.

No real row is behind it: every number below was made up to look plausible (long tails of stays and costs, busy
winters, more and longer stays in old age), and nothing was fitted to anybody's data. It is not a model of any hospital.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.errors import UserError
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_FILE = Path(__file__).with_suffix(".yaml")
MAX_STAYS = 12
MAX_PEOPLE = 5_000_000

_FIRST = np.datetime64("2019-04-01")
_DAYS = 1827  # to 2024-03-31
_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]

# by age group: under 18, 18-44, 45-64, 65-79, 80 and over
_AGE_STARTS = np.array([0, 18, 45, 65, 80])
_EMERGENCY = np.array([0.62, 0.38, 0.42, 0.50, 0.72])
_MEAN_DAYS = np.array([1.3, 1.7, 3.0, 5.2, 8.6])
_MORE_STAYS = np.array([0.22, 0.24, 0.34, 0.46, 0.48])
_SPECIALTIES: dict[str, tuple[float, ...]] = {
    "General medicine": (0.00, 0.20, 0.26, 0.30, 0.30),
    "General surgery": (0.08, 0.22, 0.20, 0.14, 0.08),
    "Orthopaedics": (0.10, 0.14, 0.16, 0.15, 0.16),
    "Cardiology": (0.02, 0.05, 0.14, 0.15, 0.10),
    "Respiratory": (0.06, 0.06, 0.08, 0.11, 0.10),
    "Gynaecology": (0.01, 0.18, 0.08, 0.03, 0.01),
    "Urology": (0.03, 0.07, 0.08, 0.08, 0.05),
    "Geriatrics": (0.00, 0.00, 0.00, 0.04, 0.20),
    "Paediatrics": (0.70, 0.08, 0.00, 0.00, 0.00),
}


def stays_schema() -> Schema:
    """The public description of the invented table (the file ``stays.yaml`` beside this module)."""
    return Schema.load(SCHEMA_FILE)


def invent_stays(people: int = 100_000, seed: int = 0) -> pd.DataFrame:
    """Invented hospital stays of ``people`` invented patients, 1 to 12 stays each; the same seed, the same table.

    >>> stays = invent_stays(people=50)
    >>> stays.patient_id.nunique(), bool(stays.patient_id.value_counts().max() <= MAX_STAYS)
    (50, True)
    """
    import pandas as pd

    for name, value, least, most in (("people", people, 1, MAX_PEOPLE), ("seed", seed, 0, 2**63)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise UserError(f"{name} must be a whole number from {least} to {most:,}, not {value!r}")
    random = np.random.default_rng([seed, 130])
    start_age = _ages(people, random)
    female = random.random(people) < np.where(start_age > 78, 0.58, 0.52)
    person, day, length, short = _stays(start_age, random)
    age = np.minimum(start_age[person] + day / 365.25, 105).astype(np.int64)
    group = np.searchsorted(_AGE_STARTS, age, side="right") - 1
    n = len(person)
    emergency = (random.random(n) < _EMERGENCY[group]) | short
    specialty = _choose(np.array(list(_SPECIALTIES.values())).T[group], random)
    birth = female[person] & (age >= 18) & (age < 45) & (random.random(n) < 0.36)
    method = np.select([birth, emergency, random.random(n) < 0.07], ["Maternity", "Emergency", "Transfer"], "Elective")
    method = method.astype(object)
    emergency = method == "Emergency"
    names = np.where(birth, "Obstetrics", np.array(list(_SPECIALTIES), dtype=object)[specialty])
    cost = np.round((310 + 420 * length + emergency * 280) * random.lognormal(0.0, 0.45, n) + 90, 2)
    died = random.random(n) < np.array([0.0005, 0.001, 0.008, 0.025, 0.07])[group]
    last = np.append(person[1:] != person[:-1], True)
    died &= last  # nobody comes back
    again = np.append((person[1:] == person[:-1]) & (day[1:] - day[:-1] - length[:-1] <= 30), False)
    where = np.select(
        [died, random.random(n) < 0.012 * group * np.minimum(length, 20) / 4, random.random(n) < 0.04],
        ["Died", "Care home", "Another hospital"],
        "Home",
    ).astype(object)
    frame: dict[str, Any] = {
        "patient_id": pd.Series(np.char.add("P", np.char.zfill((person * 7919 % 10_000_019).astype(str), 8))),
        "age": age,
        "sex": _holes(np.where(female, "Female", "Male").astype(object)[person], 0.004, "Unknown", random),
        "admitted": (_FIRST + day).astype(str),
        "method": method,
        "emergency": emergency,
        "specialty": _holes(names.astype(object), 0.01, None, random),
        "length_of_stay": length,
        "cost": pd.array(cost, dtype="Float64"),
        "discharged_to": _holes(where, 0.015, None, random),
        "readmitted": pd.array(again, dtype="boolean"),
    }
    table = pd.DataFrame(frame)
    table.loc[died, "readmitted"] = pd.NA
    table.loc[random.random(n) < 0.02, "cost"] = pd.NA
    return table.iloc[np.lexsort((random.random(n), day))].reset_index(drop=True)


def _ages(people: int, random: np.random.Generator) -> _Floats:
    """Ages at the first stay: some children, adults of all ages, and a hump in old age."""
    kind = random.choice(3, size=people, p=[0.09, 0.45, 0.46])
    old = random.normal(72, 12, people)
    old = np.where(old > 100, random.uniform(70, 100, people), old)
    ages: _Floats = np.clip(
        np.choose(kind, [random.uniform(0, 18, people), 18 + random.gamma(2.2, 13, people), old]), 0, 102
    )
    return ages


def _stays(age: _Floats, random: np.random.Generator) -> tuple[_Ints, _Ints, _Ints, npt.NDArray[np.bool_]]:
    """Each stay's person, first day, length and whether it follows the one before within weeks; sorted by person."""
    who = np.arange(len(age))
    day = _days(len(age), random)
    short = np.zeros(len(age), dtype=bool)
    found: list[tuple[Any, ...]] = []
    frail = random.gamma(2.0, 0.5, len(age))  # a few people come back again and again
    for _ in range(MAX_STAYS):
        group = np.searchsorted(_AGE_STARTS, age[who] + day / 365.25, side="right") - 1
        length = np.minimum(random.negative_binomial(0.9, 0.9 / (0.9 + _MEAN_DAYS[group])), 180)
        found.append((who, day, length, short))
        back = random.random(len(who)) < np.minimum(_MORE_STAYS[group] * (0.5 + 0.5 * frail[who]), 0.85)
        soon = random.random(len(who)) < 0.24
        gap = np.where(soon, random.integers(1, 31, len(who)), 31 + random.exponential(260, len(who)).astype(np.int64))
        later = day + length + gap
        going = back & (later < _DAYS)
        who, day, short = who[going], later[going], soon[going]
    person, days, lengths, shorts = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((days, person))
    return person[order], days[order], lengths[order], shorts[order]


def _days(size: int, random: np.random.Generator) -> _Ints:
    """Days of first admission: busiest in January, quiet in the spring of 2020, fewer at weekends."""
    calendar = _FIRST + np.arange(_DAYS)
    month = calendar.astype("datetime64[M]")
    in_year = (calendar - calendar.astype("datetime64[Y]")).astype(np.int64)
    weight = 1 + 0.22 * np.cos(2 * np.pi * (in_year - 10) / 365.25)
    weight *= np.where(np.arange(_DAYS) % 7 >= 5, 0.72, 1.0)  # the first day is a Monday
    weight *= np.where((month >= np.datetime64("2020-04")) & (month <= np.datetime64("2020-06")), 0.6, 1.0)
    return random.choice(_DAYS, size=size, p=weight / weight.sum()).astype(np.int64)


def _choose(weights: _Floats, random: np.random.Generator) -> _Ints:
    """One category a row, by the row's weights."""
    steps = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    chosen: _Ints = np.minimum((random.random(len(weights))[:, None] > steps).sum(axis=1), weights.shape[1] - 1)
    return chosen


def _holes(values: Any, share: float, blank: str | None, random: np.random.Generator) -> Any:
    """The values, a share of them not recorded."""
    out = np.array(values, dtype=object)
    out[random.random(len(out)) < share] = blank
    return out
