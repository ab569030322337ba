from tests.spec.book import Chapter, Spec

SCHEMA = """
tables:
  patients:
    unit: {column: id, max_rows: 1}
    columns:
      id: {type: identifier}
      sex: {type: category, values: [F, M]}
      born: {type: date, min: 1930-01-01, max: 2010-12-31}
      town: {type: text, max_length: 20}
  stays:
    unit: {column: id, max_rows: 10}
    person_table: patients
    columns:
      id: {type: identifier}
      code: {type: category, values: [I21, J18]}
      admitted: {type: date, min: 2021-01-01, max: 2023-12-31}
      days: {type: integer, min: 0, max: 30}
  scripts:
    unit: {column: id, max_rows: 10}
    person_table: patients
    columns:
      id: {type: identifier}
      drug: {type: category, values: [a, b]}
      dispensed: {type: date, min: 2021-01-01, max: 2023-12-31}
"""

TABLES = {
    "patients": """
    id | sex | born       | town
    ---+-----+------------+-----
    1  | F   | 1950-06-30 | Ulm
    2  | M   | 2004-02-29 | Bern
    3  | F   | 1980-01-01 | Ulm
    4  | M   | 1990-01-01 |
    """,
    "stays": """
    id | code | admitted   | days
    ---+------+------------+-----
    1  | I21  | 2022-03-01 | 5
    1  | I21  | 2022-03-20 | 2
    1  | J18  | 2021-05-05 | 7
    2  | I21  | 2022-02-28 | 4
    2  | J18  | 2022-02-28 | 9
    3  | J18  | 2022-07-01 |
    5  | I21  | 2021-12-31 | 3
    """,
    "scripts": """
    id | drug | dispensed
    ---+------+-----------
    1  | a    | 2022-02-28
    1  | a    | 2022-03-01
    1  | b    | 2022-04-01
    2  | a    | 2022-03-01
    3  | b    | 2022-07-01
    4  | a    | 2022-01-01
    """,
}

FIRST = 'pets.events("stays").where(col("code") == "I21").first("admitted", by="admitted")'

CHAPTER = Chapter(
    "One row a person",
    "`pets.people(...)` is a table with one row a person. Its columns are *features* of that person's own rows in any\n"
    "tables, and the columns of the person table. A person counts once, so a count has sensitivity 1.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "Whether there is a row, and how many",
            """
            (pets.people(of="patients", stays=pets.events("stays").count(max=2), drugs=pets.events("scripts").exists())
                .group_by("sex").agg(n=pets.count(), stays=pets.sum("stays"), drugs=pets.count(col("drugs") == True)))
            """,
            """
            sex     | n | stays | drugs
            --------+---+-------+------
            F       | 2 | 3     | 2
            M       | 2 | 2     | 2
            missing | 0 | 0     | 0
            """,
            why="Who is in no row of a table has the count 0 there. Of each person at most `max` rows count.",
        ),
        Spec(
            "The first event, and what came after it",
            f"""
            (pets.people(first={FIRST},
                        again=pets.events("stays").where(col("admitted").within({FIRST}, days=(1, 30))).exists(),
                        drugs=pets.events("scripts").where(col("dispensed") >= {FIRST}).count(max=9))
                .where(col("first").between("2022-01-01", "2022-12-31"))
                .agg(n=pets.count(), again=pets.rate(col("again") == True), drugs=pets.sum("drugs")))
            """,
            """
            n | again | drugs
            --+-------+------
            2 | 0.5   | 3
            """,
            why="The condition says who is in: here those whose first heart attack was in 2022.",
        ),
        Spec(
            "Bins of the first date",
            """
            (pets.people(of="patients")
                .group_by({FIRST}.bins(["2022-01-01", "2022-03-01", "2022-04-01"], name="first"))
                .agg(n=pets.count()))
            """.replace("{FIRST}", FIRST),
            """
            first                    | n
            -------------------------+--
            [2022-01-01, 2022-03-01) | 1
            [2022-03-01, 2022-04-01] | 1
            missing                  | 2
            """,
            why="Who had no heart attack has no first date.",
        ),
        Spec(
            "Whole years at an event",
            f"""
            (pets.people(first={FIRST}).where(~col("first").is_null())
                .group_by(col("born").age_at({FIRST}).bins([17, 18, 71, 72])).agg(n=pets.count()))
            """,
            """
            age      | n
            ---------+--
            [17, 18) | 1
            [18, 71) | 0
            [71, 72] | 1
            missing  | 1
            """,
            why="Whoever was born on 29 February is a year older on 1 March, in years without that day. Who is not in "
            "the person table has no age.",
        ),
        Spec(
            "Days between two events",
            f"""
            (pets.people(first={FIRST},
                        wait=(pets.events("scripts").first("dispensed", by="dispensed") - {FIRST}).days(0, 60))
                .where(~col("first").is_null())
                .agg(n=pets.count(), known=pets.count(~col("wait").is_null()), wait=pets.sum("wait")))
            """,
            """
            n | known | wait
            --+-------+-----
            3 | 1     | 1
            """,
            why="A prescription on the day before the event lies outside 0 to 60 days, and so does no prescription: "
            "there is no value then.",
        ),
        Spec(
            "Sums, means and other values of a person's rows",
            """
            (pets.people(of="stays", total=pets.events("stays").sum("days", clip=(0, 12)),
                        mean=pets.events("stays").mean("days"),
                        most=pets.events("stays").max("days").fill(0),
                        kinds=pets.events("stays").count_distinct("code", max=5))
                .agg(total=pets.sum("total"), mean=pets.sum("mean"), most=pets.sum("most"), kinds=pets.sum("kinds")))
            """,
            """
            total | mean | most | kinds
            ------+------+------+------
            27    | 15   | 19   | 6
            """,
            why="A person's total is clamped, not each row: 14 becomes 12, 13 becomes 12. A mean is the nearest step "
            "of its column, halves up: 4.67 is 5, 6.5 is 7.",
        ),
        Spec(
            "The value in the last row",
            """
            (pets.people(last=pets.events("stays").last("code", by="admitted")).where(~col("last").is_null())
                .group_by("last").agg(n=pets.count()))
            """,
            """
            last    | n
            --------+--
            I21     | 2
            J18     | 1
            missing | 0
            """,
            tables={
                **TABLES,
                "stays": """
                id | code | admitted   | days
                ---+------+------------+-----
                1  | I21  | 2022-03-20 | 2
                1  | J18  | 2021-05-05 | 7
                2  | J18  | 2022-02-28 | 9
                2  | I21  |            | 9
                5  | I21  | 2021-12-31 | 3
                """,
            },
            why="Rows without the date that orders them are left out; of rows of one date, one is taken at random.",
        ),
        Spec(
            "The second row, and the second from the end",
            """
            (pets.people(of="patients", second=pets.events("stays").first("admitted", by="admitted", nth=2),
                        before=pets.events("stays").last("code", by="admitted", nth=2),
                        fourth=pets.events("stays").first("days", by="admitted", nth=4))
                .group_by(col("second").bins(["2021-01-01", "2022-03-01", "2023-12-31"]), "before")
                .agg(n=pets.count(), fourth=pets.count(~col("fourth").is_null())))
            """,
            """
            second                   | before  | n | fourth
            -------------------------+---------+---+-------
            [2021-01-01, 2022-03-01) | I21     | 0 | 0
            [2021-01-01, 2022-03-01) | J18     | 1 | 0
            [2021-01-01, 2022-03-01) | missing | 0 | 0
            [2022-03-01, 2023-12-31] | I21     | 1 | 1
            [2022-03-01, 2023-12-31] | J18     | 0 | 0
            [2022-03-01, 2023-12-31] | missing | 0 | 0
            missing                  | I21     | 0 | 0
            missing                  | J18     | 0 | 0
            missing                  | missing | 2 | 0
            """,
            tables={
                **TABLES,
                "stays": """
                id | code | admitted   | days
                ---+------+------------+-----
                1  | J18  | 2021-05-05 | 7
                1  | I21  | 2022-03-20 | 2
                1  | I21  | 2022-03-20 | 2
                1  | I21  | 2022-03-20 | 2
                1  | I21  |            | 9
                2  | J18  | 2022-02-28 | 9
                2  | J18  | 2022-02-28 | 4
                3  | J18  | 2022-07-01 |
                """,
            },
            why="Who has fewer rows has no value: person 3 has no second one. Rows of one date are different rows, so "
            "the second row of person 2 has the date of the first. Rows without the date are left out.",
        ),
        Spec(
            "Episodes",
            """
            (pets.people(of="patients", episodes=pets.events("stays").episodes("admitted", gap=19, max=5))
                .group_by("episodes").agg(n=pets.count()))
            """,
            """
            episodes | n
            ---------+--
            0        | 1
            1        | 2
            2        | 1
            3        | 0
            4        | 0
            5        | 0
            """,
            why="Person 1 has events on 5 May, and on 1 and 20 March of the next year, which are 19 days apart: one "
            "episode. Two events of one day are one. Events of one episode may lie far apart, over others between.",
        ),
        Spec(
            "A category by conditions",
            """
            (pets.people(of="patients", n=pets.events("stays").count(max=9), last=pets.events("stays").max("admitted"),
                        who=pets.case((col("last").is_null(), "never"), (col("n") > 2, "often"),
                                      (col("n") > 1, "twice"), default="once"))
                .group_by("who").agg(n=pets.count()))
            """,
            """
            who   | n
            ------+--
            never | 1
            often | 1
            twice | 1
            once  | 1
            """,
            why="The first condition that is met gives the name. Who has no value meets `is_null()` alone: a case that "
            "looks at what may be missing names these people, or has `default=None`.",
        ),
        Spec(
            "Computed features",
            f"""
            (pets.people(first={FIRST}, drug=pets.events("scripts").first("dispensed", by="dispensed"))
                .with_columns(both=pets.max_of("first", "drug"), wait=col("drug") - col("first"))
                .where(~col("first").is_null())
                .agg(n=pets.count(), both=pets.count(col("both") >= "2022-03-01"), wait=pets.sum("wait")))
            """,
            """
            n | both | wait
            --+------+-----
            3 | 2    | 0
            """,
            why="Their bounds follow from those of their parts. Person 5 has no prescription, so neither greater "
            "day nor wait: SQL's GREATEST would pass the missing one by. The waits are 1 day and -1 day.",
        ),
        Spec(
            "A computed feature that events are compared with",
            f"""
            (pets.people(of="patients",
                        later=pets.events("scripts").where(
                            col("dispensed") >= pets.min_of({FIRST}, pets.events("scripts").min("dispensed")) + 1)
                            .count(max=9))
                .agg(people=pets.count(col("later") > 0), later=pets.sum("later")))
            """,
            """
            people | later
            -------+------
            2      | 3
            """,
            why="Who has had no heart attack has no day to compare with: nothing is later than it.",
        ),
        Spec(
            "Intervals after an event",
            f"""
            (pets.people(first={FIRST},
                        **{{name: part.count(max=9) for name, part in pets.events("scripts").intervals(
                            "dispensed", {FIRST}, days=[-30, 0, 30, 60]).items()}})
                .where(~col("first").is_null())
                .agg(before=pets.sum("days_minus30_minus1"), month=pets.sum("days_0_29"), then=pets.sum("days_30_59")))
            """,
            """
            before | month | then
            -------+-------+-----
            1      | 2     | 1
            """,
            why="Each interval is a feature of its own, and a person is still one row that counts once.",
        ),
        Spec(
            "Days are those of the calendar",
            """
            (pets.people(of="calls",
                        next_day=pets.events("calls").where(
                            col("at").within(pets.events("calls").min("at"), days=(1, 1))).exists())
                .agg(n=pets.count(), next_day=pets.count(col("next_day") == True)))
            """,
            """
            n | next_day
            --+---------
            3 | 2
            """,
            schema="""
            tables:
              calls:
                unit: {column: id, max_rows: 10}
                columns:
                  id: {type: identifier}
                  at: {type: datetime, min: 2022-01-01 06:30, max: 2022-01-31 23:59, step: minute}
            """,
            tables={
                "calls": """
                id | at
                ---+-----------------
                1  | 2022-01-03 23:30
                1  | 2022-01-04 00:30
                2  | 2022-01-03 00:30
                2  | 2022-01-03 23:30
                3  | 2022-01-03 00:30
                3  | 2022-01-04 23:30
                """,
            },
            why="Person 1 called again after one hour, on the next day; person 2 after 23 hours, on the same day; "
            "person 3 after 47 hours, on the next day. `within` compares days, as `days_with` counts them.",
        ),
        Spec(
            "A column of texts",
            """
            (pets.people(ulm=pets.events("patients").where(col("town") == "Ulm").exists(),
                        stays=pets.events("stays").count(max=9))
                .where((col("ulm") == True) & (col("stays") > 0)).agg(n=pets.count(), stays=pets.sum("stays")))
            """,
            """
            n | stays
            --+------
            2 | 4
            """,
            why="Texts that nobody listed are no value of a person; rows that hold one are looked for.",
        ),
        Spec(
            "A value where there is none",
            """
            (pets.people(of="patients", days=pets.events("stays").min("days").fill(30))
                .group_by(col("days").bins([0, 10, 30])).agg(n=pets.count()))
            """,
            """
            days     | n
            ---------+--
            [0, 10)  | 2
            [10, 30] | 2
            """,
        ),
    ),
)
