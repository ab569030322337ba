"""Refusals of plans of people, and their remedies."""

from __future__ import annotations

import pets
from pets import col
from pets.plan.plan import make_plan
from pets.plan.predicate import resolve
from pets.query_model.features import Feature
from tests.remedies import Case

ID = pets.Unit("id", max_rows=5)
OWN = {"id": pets.Identifier()}
STAYS = {
    "day": pets.Date("2020-01-01", "2022-12-31"),
    "at": pets.DateTime("2020-01-01 00:00", "2022-12-31 23:59"),
    "n": pets.Integer(0, 9),
    "half": pets.Real(0, 9, "0.5"),
    "huge": pets.Integer(0, 2**61),
    "kind": pets.Category(["a", "b"]),
    "code": pets.Text(6, form="icd10"),
}
SCHEMA = pets.Schema(
    {
        "p": pets.Table(
            pets.Unit("id"),
            OWN
            | {
                "sex": pets.Category(["F", "M"]),
                "born": pets.Date("1920-01-01", "2010-12-31"),
                "later": pets.Date("2030-01-01", "2031-01-01"),
                "town": pets.Text(20),
            },
            people=1000,
        ),
        "q": pets.Table(pets.Unit("id"), OWN | {"colour": pets.Category(["red", "blue"])}, people=1000),
        "stays": pets.Table(ID, OWN | STAYS, "p", people=1000),
        "other": pets.Table(ID, OWN | {"day": pets.Date("2020-01-01", "2022-12-31")}, "q", people=1000),
        "bare": pets.Table(
            ID, OWN | {"day": pets.Date("2020-01-01", "2022-12-31"), "m": pets.Integer(0, 9)}, people=1000
        ),
        "rows": pets.Table("row", {"x": pets.Integer(0, 9)}, people=1000),
    }
)
S, B, P = pets.events("stays"), pets.events("bare"), pets.events("p")
FIRST = S.first("day", by="day")
LAST = S.last("day", by="day")
N = pets.count()


def plan(query: object) -> object:
    return make_plan(query, SCHEMA)  # type: ignore[arg-type]


def feature(one: Feature, of: str = "p") -> object:
    return plan(pets.people(of=of, f=one).agg(n=pets.count(~col("f").is_null())))


def of(wrong: Feature, says: str, mended: Feature, of: str = "p") -> Case:
    return Case(lambda: feature(wrong, of), says, lambda: feature(mended, of))


def asked(wrong: object, says: str, mended: object) -> Case:
    return Case(lambda: plan(wrong), says, lambda: plan(mended))


CASES = [
    asked(
        pets.people(of="p", f=FIRST).with_columns(sex=col("f") + 1).agg(n=N),
        "give the derived column another name",
        pets.people(of="p", f=FIRST).with_columns(next=col("f") + 1).agg(n=N),
    ),
    asked(
        pets.people(of="p", f=FIRST).with_columns(x=col("g") + 1).agg(n=N),
        "the derived column 'x': column 'g' is not in table 'people'",
        pets.people(of="p", f=FIRST).with_columns(x=col("f") + 1).agg(n=N),
    ),
    of(S.exists() + S.count(max=3), "count(max=1) is 0 or 1", S.count(max=1) + S.count(max=3)),
    of(S.max("n").map({"a": "x"}), "a category is mapped", S.first("kind", by="day").map({"a": "x"})),
    asked(
        pets.people(of="p", n=S.max("n"), k=pets.case((col("n") > 3, "many"), default="few")).agg(n=N),
        "give them a name of their own, such as (col('n').is_null(), 'unknown')",
        pets.people(
            of="p", n=S.max("n"), k=pets.case((col("n") > 3, "many"), (col("n").is_null(), "unknown"), default="few")
        ).agg(m=N),
    ),
    asked(
        pets.people(of="p", k=pets.case((col("sex") == "F", "missing"), default=None)).agg(n=N),
        "the name of the group without a value; use another name",
        pets.people(of="p", k=pets.case((col("sex") == "F", "f"), default=None)).agg(n=N),
    ),
    asked(
        pets.people(of="p", k=pets.case((col("town") == "Ulm", "here"), default=None)).agg(n=N),
        "pets.events('p').where(col('town') == …).exists()",
        pets.people(of="p", ulm=P.where(col("town") == "Ulm").exists()).agg(n=N),
    ),
    asked(pets.people(of="rows").agg(n=N), "ask it alone: pets.query('rows')", pets.query("rows").agg(n=N)),
    asked(pets.people(of="stay").agg(n=N), "did you mean 'stays'", pets.people(of="stays").agg(n=N)),
    asked(
        pets.people(a=S.exists(), b=pets.events("other").exists()).where(col("a") == True).agg(n=N),  # noqa: E712
        "ask one question each",
        pets.people(a=S.exists()).where(col("a") == True).agg(n=N),  # noqa: E712
    ),
    asked(
        pets.people(n=B.count(max=5)).agg(n=N),
        "such as pets.people(of='bare', …), or keep some by a condition, such as .where(col('n') > 0)",
        pets.people(n=B.count(max=5)).where(col("n") > 0).agg(n=N),
    ),
    asked(
        pets.people(n=S.count(max=5)).where(col("n") == 0).agg(n=N),
        "such as pets.people(of='p', …)",
        pets.people(of="p", n=S.count(max=5)).where(col("n") == 0).agg(n=N),
    ),
    *(
        of(wrong, "pets.events('stays').where(col('code') == …).exists()", S.where(col("code") == "I21").exists())
        for wrong in (S.first("code", by="day"), S.count_distinct("code", max=3), S.last("code", by="n").fill("I21"))
    ),
    *(
        asked(
            wrong,
            "pets.events('p').where(col('town') == …).exists()",
            pets.people(of="p", ulm=P.where(col("town") == "Ulm").exists()).agg(n=pets.count(col("ulm") == True)),  # noqa: E712
        )
        for wrong in (
            pets.people(of="p").where(col("town") == "Ulm").agg(n=N),
            pets.people(f=FIRST).where(~(col("town") == "Ulm")).agg(n=N),
            pets.people(of="p").group_by(pets.KeySet.of([{"town": "Ulm"}])).agg(n=N),
            pets.people(of="p").group_by("town").agg(n=N),
            pets.people(of="p").agg(n=pets.count(col("town").is_null())),
        )
    ),
    asked(
        pets.people(of="p", town=P.where(col("town") == "Ulm").exists()).agg(n=N),
        "give the feature another name",
        pets.people(of="p", ulm=P.where(col("town") == "Ulm").exists()).agg(n=N),
    ),
    asked(
        pets.people(n=B.count(max=5)).where(col("n") > 0).group_by("sex").agg(n=N),
        "write pets.people(of='p', …), or state person_table: p",
        pets.people(of="p", n=B.count(max=5)).where(col("n") > 0).group_by("sex").agg(n=N),
    ),
    of((S.max("at") - FIRST).days(0, 9), "may declare a column of times as a date", (LAST - FIRST).days(0, 9)),
    of(col("born").age_at(S.max("at")), "may declare a column of times as a date", col("born").age_at(FIRST)),
    of(
        S.where(col("at") >= FIRST).exists(),
        "compare their days, such as col('at').within(first, days=(0, None))",
        S.where(col("at").within(FIRST, days=(0, None))).exists(),
    ),
    of(S.bound(rows=6).exists(), "ask for at most 5", S.bound(rows=5).exists()),
    of((LAST - FIRST).days(5000, 6000), "choose other bounds of days", (LAST - FIRST).days(0, 1000)),
    of(col("day").age_at(B.first("day", by="day")), "attach none (person_table)", B.exists(), "bare"),
    of(col("sex").age_at(FIRST), "takes two dates", col("born").age_at(FIRST)),
    of(col("later").age_at(FIRST), "nobody is born yet", col("born").age_at(FIRST)),
    asked(
        pets.people(of="p", sex=S.exists()).agg(n=N),
        "give the feature another name",
        pets.people(of="p", seen=S.exists()).agg(n=N),
    ),
    of(S.max("n").fill(10), "fill with a value that the feature may have", S.max("n").fill(9)),
    of((S.max("n") - FIRST).days(0, 9), "days lie between two dates", (LAST - FIRST).days(0, 9)),
    of(S.count_distinct("id", max=3), "identifiers may not appear in a query: name", S.count_distinct("kind", max=3)),
    of(S.first("id", by="day"), "is an identifier; identifiers may not appear", S.first("kind", by="day")),
    of(S.where(col("id") == "x").exists(), "or count people with pets.count_units()", S.exists()),
    asked(pets.people(of="p", n=S.exists()).group_by("id").agg(n=N), "with pets.count()", pets.people(of="p").agg(n=N)),
    of(
        S.where(col("n") >= FIRST).exists(),
        "both must be dates, or numbers in the same steps",
        S.where(col("day") >= FIRST).exists(),
    ),
    of(
        S.where(col("day").within(S.max("n"), days=(1, 2))).exists(),
        "needs a date column, and the feature holds",
        S.where(col("day").within(FIRST, days=(1, 2))).exists(),
    ),
    of(
        S.where(col("n").within(S.max("n"), days=(1, 2))).exists(),
        "needs a date column",
        S.where(col("day").within(FIRST, days=(1, 2))).exists(),
    ),
    of(
        S.where(col("huge") > S.max("huge")).exists(),
        "too many values to be compared",
        S.where(col("n") > S.max("n")).exists(),
    ),
    of(S.mean("kind"), "mean needs a number", S.mean("n")),
    of(S.mean("huge"), "declare a narrower range or a coarser step", S.mean("n")),
    of(S.sum("half", clip=(0, 2**61)), "choose a narrower clip", S.sum("half", clip=(0, 100))),
    of(S.first("n", by="kind"), "chosen by a date or a number", S.first("n", by="day")),
    of(S.min("kind"), "needs a date or a number", S.min("n")),
    of(S.days_with("n", max=3), "days_with needs a date column", S.days_with("day", max=3)),
    of(S.first("n", by="huge"), "too many values to order rows by", S.first("n", by="day")),
    Case(
        lambda: resolve(col("day") >= FIRST, STAYS, "stays"),
        "pets.events('stays').where(…) is the place",
        lambda: feature(S.where(col("day") >= FIRST).exists()),
    ),
]
