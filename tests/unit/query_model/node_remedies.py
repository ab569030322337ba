"""Comparisons of a question's own parts, which Python alone would call False: what is said, and what works instead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import pets
from pets import col
from pets.query_model.text.computed import computed
from tests.remedies import Case

T = pets.query("t")
AGE = col("age") >= 18
LEFT = col("left") - col("came")
FIRST = pets.events("stays").first("admitted", by="admitted")
LAST = pets.events("stays").last("admitted", by="admitted")


def named() -> object:
    return T.with_columns(total=LEFT).where(col("total") == 2).group_by("total")


def within_a_year() -> object:
    return T.where(col("admitted").between("2024-01-01", "2024-12-31"))


def people() -> object:
    return pets.people(first=FIRST).where(col("first") >= "2022-01-01")


def gap() -> object:
    return pets.people(gap=(LAST - FIRST).days(0, 365)).where(col("gap") <= 30)


def measured() -> object:
    return T.agg(n=pets.count(), m=pets.mean("a"), r=pets.rate(AGE)).where(col("a") > 5)


def each(says: str, mended: Callable[[], object], *wrong: Callable[[], object]) -> list[Case]:
    return [Case(one, says, mended) for one in wrong]


CASES = [
    *each(
        ".with_columns(total=…) does, and use col('total'), such as where(col('total') == 2)",
        named,
        lambda: LEFT == 2,
        lambda: 2 != LEFT,  # noqa: SIM300
        lambda: np.int64(2) == LEFT,
        lambda: LEFT == None,  # noqa: E711
        lambda: col("came") == 2 * col("left"),
        lambda: 2 * col("left") == col("came"),
        lambda: LEFT in (1, 2),
        lambda: 2 in LEFT,
        lambda: 1 < LEFT < 3,
        lambda: LEFT and AGE,
        lambda: T.group_by(LEFT),
        lambda: pets.min_of("a", "b") == 3,
        lambda: col("a").age_at("2024-01-01") == 3,
        lambda: col("a") // 3 == 3,
        lambda: col("a").prefix(3) == "I21",
        lambda: col("a").map({"I21": "heart"}) == "heart",
    ),
    *each(
        "have names first: .with_columns(…)",
        named,
        lambda: T.where((LEFT - 1) == (LEFT + 1)),
        lambda: T.agg(n=pets.rate((LEFT - 1) == (LEFT + 1))),
        lambda: AGE & ((LEFT - 1) != (LEFT + 1)),
    ),
    *each(
        "write it as it is, ~(…) for its opposite, and join conditions with & and |",
        lambda: T.where(~(AGE) & (AGE | AGE)),
        lambda: AGE == True,  # noqa: E712
        lambda: AGE != True,  # noqa: E712
        lambda: AGE in (True, False),
        lambda: AGE + AGE,
    ),
    *each(
        "where(col('admitted').between('2024-01-01', '2024-12-31'))",
        within_a_year,
        lambda: col("admitted").year() == 2024,
        lambda: col("admitted").month() <= 3,
        lambda: col("age").bins([0, 18]) != "[0, 18)",
        lambda: col("admitted").year() in (2024, 2025),
        lambda: FIRST.bins([0, 18], name="age") == "[0, 18)",
    ),
    *each(
        "release.table['n'] > 5; in the query choose rows with where(col(...) > 5)",
        measured,
        lambda: pets.count() > 5,
        lambda: pets.count() == 5,
        lambda: pets.sum("a") / pets.count(),
    ),
    *each(
        "pets.people(first=first).where(col('first') >= …)",
        people,
        lambda: FIRST == "2022-01-01",
        lambda: np.datetime64("2022-01-01") != FIRST,
        lambda: FIRST >= "2022-01-01",
        lambda: FIRST in ("2022-01-01", "2022-01-02"),
        lambda: FIRST & AGE,
        lambda: ~pets.events("stays").exists(),
    ),
    *each(
        "pets.people(first=first).where(col('first') >= …)",
        gap,
        lambda: (LAST - FIRST) == 30,
        lambda: (LAST - FIRST) <= 30,
    ),
    *each("pets.min_of and pets.max_of", lambda: FIRST + 1, lambda: FIRST % 2, lambda: 2 / FIRST),
    *each(
        "such as days=left - came",
        lambda: T.with_columns(**dict([computed("days=left - came"), computed("c=prefix(code, 3)")])),
        lambda: computed("left - came"),
        lambda: computed("days=left -"),
        lambda: computed("days=3"),
        lambda: computed("days=left ** 2"),
    ),
    *each("such as prefix(code, 3)", lambda: computed("c=prefix(code, 3)"), lambda: computed("c=prefix(a - b, 3)")),
]
