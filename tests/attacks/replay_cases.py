"""Requests for a replay: one at least of each measure, aggregate, key, condition, column, feature and verb.

:func:`parts` says what a request is made of; ``test_replay_kinds.py`` fails where the product has something that no
request here asks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from string import ascii_uppercase
from typing import Any

import pandas as pd

import pets
from pets import KeySet, col, correlation, count, count_units, covariance, histogram, mean, quantile, rate, std, tails
from pets.plan.trained.train_plan import make_train_plan
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.features import Reading
from pets.query_model.nodes.gradient import Gradient
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.newton import Newton

Ask = Callable[[pets.Session], Any]

IDENTIFIER = pets.Identifier()
SCHEMA = pets.Schema(
    {
        "p": pets.Table(
            pets.Unit("pid", max_rows=1),
            {
                "pid": IDENTIFIER,
                "sex": pets.Category(["F", "M"], nullable=False),
                "born": pets.Date("1930-01-01", "2019-12-31", nullable=False),
            },
        ),
        "t": pets.Table(
            pets.Unit("id", max_rows=4, rows=3, rank_within=(("g",),)),
            {
                "id": IDENTIFIER,
                "g": pets.Category(["a", "b", "c"], nullable=False),
                "h": pets.Category(["u1", "u2", "v1"]),
                "x": pets.Integer(0, 400, nullable=False),
                "y": pets.Real("-5", "60", "0.25", nullable=False),
                "at": pets.DateTime("2020-01-01 00:00", "2020-12-31 23:00", "hour"),
                "code": pets.Text(4),
            },
            person_table="p",
        ),
        "u": pets.Table(
            pets.Unit("id", max_rows=3),
            {"id": IDENTIFIER, "day": pets.Date("2020-01-01", "2020-12-31"), "cost": pets.Integer(0, 50)},
            person_table="p",
        ),
    }
)
T, ROWS, OTHERS = pets.query("t"), pets.events("t"), pets.events("u")
BY = T.group_by("g")
FIRST = OTHERS.where(col("cost") > 10).first("day", by="day")
DAYS = T.with_columns(
    both=2 * col("x") + 3 * col("y"),
    more=pets.max_of("x", 100),
    less=pets.min_of("x", "y"),
    tens=col("x") // 10,
    kind=col("h").map({"u1": "u", "u2": "u"}, otherwise="v"),
    start=col("h").prefix(1),
    age=col("born").age_at("2020-06-30"),
)

NUMBERS = ("last", "before", "low", "high", "days", "spells", "twice", "average", "age", "wait")
NETWORK = pets.classifier("g", ["x", "h", "sex"], data=T.where(col("y") > -4), steps=6, hidden=(3,), clip=0.5)
ODDS = pets.poisson("x", ["y", "g"], data=T.bound(rows=1))
LINE = pets.linear("x", ["y", "g", "h"], data=T.bound(rows=1))
VISITS = pets.linear("x", ["y"], data=T)
FOLLOWED = pets.people(
    of="p",
    cost=OTHERS.sum("cost", clip=(0, 60)),
    late=OTHERS.where(col("day") > FIRST).exists(),
    seen=ROWS.where(col("x") > 200).exists(),
)
CURVES = pets.kaplan_meier("cost", "late", by="seen", data=FOLLOWED, edges=[0, 10, 20, 40])
QUERIES: dict[str, pets.Query] = {
    "sums of a regression": LINE.query,
    "sums of a regression with row weights": dataclasses.replace(LINE, weights=2).query,
    "who leaves when": CURVES.query,
    "a step of a regression": T.agg(
        f=Newton(terms=(("y",), ("g",)), outcome="x", family="poisson", at=(2**31, 2**28, -(2**29), 0), weights="2.5")
    ),
    "a step of a training": T.where(col("y") > -4).agg(
        g=Gradient(
            outcome="g",
            inputs=("x", "h", "sex"),
            hidden=((3, "tanh"),),
            norm="0.5",  # type: ignore[arg-type]
            at=tuple((-1) ** place * 2**12 * (place % 9) for place in range(make_train_plan(NETWORK, SCHEMA).size)),
        )
    ),
    "people of a step of a training": T.agg(g=Gradient(outcome="g", inputs=("x",))),
    "people's scores of a regression": T.agg(
        m=Meat(terms=(("y",), ("g",)), outcome="x", at=(2**28, 2**27, -(2**29), 0), norm="1.5", weights="2.5")  # type: ignore[arg-type]
    ),
    "a deviation": T.agg(sd=std("x", clip=(100, 400)), n=count(where=InCodelist("h", ("u2", "v1", "w")))),
    "a variance": T.agg(v=pets.variance("y")),
    "a covariance": BY.agg(c=covariance("x", "y")),
    "a correlation": T.agg(r=correlation("x", "y")),
    "tails": BY.agg(people=tails(where=~(col("x") < 200))),
    "rows of a group": T.group_by("g", "h").agg(n=count(), s=pets.sum("x")).bound(rows_per_group=1),
    "rows of a group, by their stored ranks": BY.agg(n=count()).bound(groups=2, rows_per_group=1),
    "rows, people, a sum": BY.agg(n=count(), u=count_units(), s=pets.sum("x", clip=(0, 20))).bound(rows=2),
    "a mean, a rate": BY.agg(m=mean("x"), r=rate((col("y") > 10) | col("h").is_null())),
    "bins and places": T.agg(h=histogram("x", [0, 1, 50, 399, 400]), q=quantile("y")),
    "weeks": T.group_by(col("at").week()).where(col("at") >= "2020-02-01").agg(n=count()),
    "months, ages": T.group_by(col("at").month(), col("x").bins([0, 200, 400])).agg(n=count()),
    "texts": T.group_by(KeySet(("code",), tuple((letter,) for letter in ascii_uppercase)))
    .where(col("code") != "A")
    .agg(u=count_units()),
    "computed columns": DAYS.group_by("kind").agg(
        b=pets.sum("both"), m=mean("more"), l=pets.sum("less"), t=pets.sum("tens"), a=mean("age")
    ),
    "a computed key": DAYS.group_by("start").where(col("h").isin(["u1", "v1"]) & (col("sex") == "M")).agg(n=count()),
    "features": pets.people(
        of="p",
        rows=ROWS.where(col("h").startswith("u")).count(max=3),
        any=OTHERS.where(col("day") > FIRST).exists(),
        cost=OTHERS.sum("cost", clip=(0, 60)),
        kinds=ROWS.count_distinct("h", max=2),
    )
    .group_by("any")
    .agg(p=count(), r=pets.sum("rows"), c=pets.sum("cost"), k=pets.sum("kinds")),
    "more features": pets.people(
        first=FIRST,
        last=OTHERS.last("cost", by="day").fill(0),
        low=OTHERS.min("cost"),
        then=OTHERS.first("day", by="day", nth=2),
        before=OTHERS.last("cost", by="day", nth=2).fill(0),
        high=ROWS.bound(rows=2).max("x"),
        days=OTHERS.days_with("day", max=3),
        spells=OTHERS.episodes("day", gap=30, max=3),
        twice=2 * ROWS.count(max=4),
        many=pets.case((col("days") >= 2, "often"), default="seldom"),
        average=ROWS.mean("y"),
        age=col("born").age_at(FIRST),
        wait=(OTHERS.where(col("day").within(FIRST, days=(1, 90))).min("day") - FIRST).days(0, 90),
    )
    .where(col("first").between("2020-01-01", "2020-12-31"))
    .group_by("sex", "many")
    .agg(p=count(), again=count(where=~col("then").is_null()), **{name: pets.sum(name) for name in NUMBERS}),
}
RATES = (
    T.group_by("sex", col("age").bins([0, 45, 120]))
    .with_columns(age=col("born").age_at("2020-06-30"))
    .agg(ill=count(where=col("g") == "a"), people=count_units())
)


def released(query: pets.Query, protection: pets.DP = pets.DP(epsilon=1)) -> Ask:  # noqa: B008
    return lambda session: session.release(query, protection)


def what_bounds_leave_out(session: pets.Session) -> Any:
    """With what follows from it: the best bound, a quote and an answer that say what share of rows counts."""
    lost = session.rows_lost("t", pets.DP(epsilon=1))
    best = session.best_rows(QUERIES["rows, people, a sum"], lost, pets.DP(epsilon=1))
    answer = session.release(BY.agg(n=count()), pets.DP(epsilon=1))
    quote = session.quote(BY.agg(n=count()), pets.DP(epsilon=2))
    return [lost.release, lost.table, best, answer, repr(answer), repr(quote)]


def a_standardised_rate(session: pets.Session) -> Any:
    """A view of sealed numbers, and not of rows."""
    answer = session.release(RATES, pets.DP(epsilon=50))
    weights = {"[0, 45)": 3, "[45, 120]": 2}
    return [answer, answer.standardise("ill", "people", by="age", population=weights)]


def by_sql(session: pets.Session) -> Any:
    return session.release(session.sql("SELECT g, COUNT(*) AS n FROM t WHERE x >= 1 GROUP BY g"), pets.DP(epsilon=1))


def a_line(session: pets.Session) -> Any:
    """With all that is shown of it, and what it predicts; its sums alone, where noise is not normal."""
    if session.budget.currency == "pure":
        return session.release(LINE.query, pets.DP(epsilon=1))
    quote = session.quote_fit(LINE, pets.DP(epsilon=1))
    fit = session.fit(LINE, pets.DP(epsilon=1))
    shown = [repr(fit), fit._repr_html_(), fit.model.to_json(), fit.table.to_csv(), fit.notes]
    return [repr(quote), fit.release, *shown]


def a_line_by_person(session: pets.Session) -> Any:
    """A line of several rows a person, which is two questions."""
    if session.budget.currency == "pure":
        return session.release(VISITS.query, pets.DP(epsilon=1))
    quote = session.quote_fit(VISITS, pets.DP(epsilon=400))
    fit = session.fit(VISITS, pets.DP(epsilon=400))
    assert fit.meat is not None, "there is a line, so people's scores are asked for"
    return [repr(quote), list(fit.answers), repr(fit), fit._repr_html_(), fit.model.to_json(), fit.table.to_csv()]


def some_curves(session: pets.Session) -> Any:
    """With all that is shown of them, and a test between them, which is free."""
    if session.budget.currency == "pure":
        return session.release(CURVES.query, pets.DP(epsilon=1))
    quote = session.quote_fit(CURVES, pets.DP(epsilon=1))
    fit = session.fit(CURVES, pets.DP(epsilon=1))
    test = session.fit(pets.log_rank("cost", "late", "seen", data=FOLLOWED, edges=[0, 10, 20, 40]), pets.DP(epsilon=1))
    shown = [repr(fit), fit._repr_html_(), fit.model.to_json(), fit.table.to_csv(), fit.rmst().to_csv(), fit.notes]
    cox = session.fit(pets.cox("cost", "late", "seen", data=FOLLOWED, edges=[0, 10, 20, 40]), pets.DP(epsilon=1))
    return [repr(quote), fit.release, *shown, repr(test), test.table.to_csv(), repr(cox), cox.table.to_csv()]


def a_network(session: pets.Session) -> Any:
    """Every step's sum, the weights that follow, and what they say of made-up rows."""
    if session.budget.currency == "pure":
        return session.release(T.agg(n=count()), pets.DP(epsilon=1))
    quote = session.quote_train(NETWORK, pets.DP(epsilon=1))
    made = session.train(NETWORK, pets.DP(epsilon=1))
    form = {name: made.form[name] for name in ("sums", "people", "weights", "losses", "cost", "notes", "guarantee")}
    chances = made.predict_proba({"x": [3, 90], "h": ["u1", "v1"], "sex": ["F", "M"]})
    return [repr(quote), form, str(made), made._repr_html_(), chances.tolist()]


def odds(session: pets.Session) -> Any:
    """A regression of several questions; its start alone, where noise is not normal."""
    if session.budget.currency == "pure":
        return session.release(ODDS.query, pets.DP(epsilon=1))
    quote = session.quote_fit(ODDS, pets.DP(epsilon=40))
    fit = session.fit(ODDS, pets.DP(epsilon=40))
    return [repr(quote), list(fit.releases), repr(fit), fit._repr_html_(), fit.model.to_json(), fit.table.to_csv()]


VERBS: dict[str, Ask] = {
    "fit, step by step": odds,
    "fit": a_line,
    "fit, by person": a_line_by_person,
    "train": a_network,
    "curves": some_curves,
    "rows_lost": what_bounds_leave_out,
    "standardise": a_standardised_rate,
    "sql": by_sql,
}
ASKS = {name: released(query) for name, query in QUERIES.items()} | VERBS

KEYS = pets.Schema(
    {"t": pets.Table(pets.Unit("id", max_rows=3), {"id": IDENTIFIER, "code": pets.Text(4), "x": pets.Integer(0, 9)})}
)
KEY_ROWS = pd.DataFrame(
    {"id": [*(i // 2 for i in range(240)), 900], "code": [*(["a", "b", "c", "d"] * 60), "0"], "x": 9}
)
"""Four codes of sixty people each, and one of a single person."""


def keys_that_nobody_listed(session: pets.Session) -> Any:
    """Released, and grouped by: an ordinary question then."""
    price = session.quote_keys("t", by=["code"], protection=pets.DP(epsilon=2), groups=2)
    keys = session.group_keys("t", by=["code"], protection=pets.DP(epsilon=2), groups=2)
    answer = session.release(pets.query("t").group_by(keys).agg(n=count(), s=pets.sum("x")), pets.DP(epsilon=1))
    return [repr(price), keys, answer]


def parts(value: Any) -> Iterator[Any]:
    """All nodes of a question, and the name of how a feature is read."""
    if isinstance(value, (tuple, list)):
        for one in value:
            yield from parts(one)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield value
        if isinstance(value, Reading):
            yield value.how
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))
