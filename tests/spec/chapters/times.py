from tests.spec.book import Chapter, Spec

CALLS = """
    person | rang        | answered
    -------+-------------+---------
    1      | 06:00       | 9:15
    1      | 06:59:29    | 00:00
    2      | 08:30:59.9  | 09:00
    3      | 09:01       | 09:59:59
    4      | 09:59:59.99 | 08:00
    5      | 10:00       | 23:59
    6      |             | 24:00
    """

CHAPTER = Chapter(
    "Weeks, days and hours",
    "A week is a period, so that it keeps its year: ISO's, from Monday, or by name the epidemiological one of the CDC "
    "(MMWR), from Sunday. Weekdays and hours come round again. Which there are follows from the column's range.",
    schema="""
tables:
  visits:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      seen: {type: datetime, min: 2020-12-31 20:00, max: 2021-01-05 05:59, step: minute}
  cases:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      onset: {type: date, min: 2020-12-26, max: 2021-01-09, nullable: false}
  calls:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      rang: {type: time, min: 06:00, max: 09:59}
      answered: {type: time, step: hour, nullable: false}
""",
    tables={
        "visits": """
        person | seen
        -------+-----------------
        1      | 2020-12-31 20:00
        1      | 2021-01-01 00:30
        2      | 2021-01-02 23:59
        2      | 2021-01-03 00:00
        3      | 2021-01-03 20:15
        4      | 2021-01-04 20:59
        5      |
        """,
        "cases": """
        person | onset
        -------+-----------
        1      | 2020-12-26
        2      | 2020-12-27
        2      | 2021-01-02
        3      | 2021-01-03
        4      | 2021-01-03
        5      | 2021-01-04
        6      | 2021-01-09
        """,
    },
    specs=(
        Spec(
            "Hours of times of day",
            'pets.query("calls").group_by(col("rang").hour()).agg(n=pets.count())',
            """
            rang_hour | n
            ----------+--
            6         | 2
            7         | 0
            8         | 1
            9         | 2
            missing   | 2
            """,
            why="A time of day has no date. Seconds are floored to the column's minutes, and what then lies outside "
            "`min` and `max` counts as missing.",
            tables={"calls": CALLS},
        ),
        Spec(
            "Bins of times of day",
            'pets.query("calls").group_by(col("rang").bins(["06:00", "06:30", "09:00", "24:00"])).agg(n=pets.count())',
            """
            rang           | n
            ---------------+--
            [06:00, 06:30) | 1
            [06:30, 09:00) | 2
            [09:00, 24:00] | 2
            missing        | 2
            """,
            tables={"calls": CALLS},
        ),
        Spec(
            "Times of day are compared with times",
            """
            (pets.query("calls").where((col("rang") >= "06:59:30") & (col("answered") < "10:00"))
                .agg(n=pets.count(), late=pets.rate(col("rang") > "09:00")))
            """,
            """
            n | late
            --+-------------------
            3 | 0.6666666666666666
            """,
            why="06:59 is below 06:59:30, and 09:00 is not above 09:00.",
            tables={"calls": CALLS},
        ),
        Spec(
            "Some times of day by themselves",
            """
            (pets.query("calls").group_by(pets.KeySet.product({"answered": ["00:00", "09:00", "23:00"]}))
                .agg(n=pets.count()))
            """,
            """
            answered | n
            ---------+--
            00:00    | 2
            09:00    | 3
            23:00    | 1
            """,
            why="24:00 is the midnight with which a day begins; 23:59 lies in the hour from 23:00.",
            tables={"calls": CALLS},
        ),
        Spec(
            "Bins of date-times",
            """
            (pets.query("visits").group_by(col("seen").bins(["2021-01-01", "2021-01-03", "2021-01-04 20:59"]))
                .agg(n=pets.count()))
            """,
            """
            seen                           | n
            -------------------------------+--
            [2021-01-01, 2021-01-03)       | 2
            [2021-01-03, 2021-01-04 20:59] | 3
            missing                        | 1
            """,
            why="A day stands for its midnight. The last bin holds its end, here a minute.",
        ),
        Spec(
            "ISO weeks",
            'pets.query("cases").group_by(col("onset").week()).agg(n=pets.count(), who=pets.count_units())',
            """
            onset_week | n | who
            -----------+---+----
            2020-W52   | 2 | 2
            2020-W53   | 3 | 3
            2021-W01   | 2 | 2
            """,
            why="Sunday, January 3, 2021, is the last day of a week that began in December, and belongs to 2020.",
        ),
        Spec(
            "Epidemiological weeks",
            'pets.query("cases").group_by(col("onset").mmwr_week("week")).agg(n=pets.count())',
            """
            week        | n
            ------------+--
            2020-MMWR52 | 1
            2020-MMWR53 | 2
            2021-MMWR01 | 4
            """,
            why="The same Sunday begins the first week of 2021.",
        ),
        Spec(
            "Weeks of date-times",
            'pets.query("visits").group_by(col("seen").week()).agg(n=pets.count())',
            """
            seen_week | n
            ----------+--
            2020-W53  | 5
            2021-W01  | 1
            missing   | 1
            """,
        ),
        Spec(
            "Days of the week",
            'pets.query("visits").group_by(col("seen").weekday()).agg(n=pets.count())',
            """
            seen_weekday | n
            -------------+--
            1            | 1
            2            | 0
            4            | 1
            5            | 1
            6            | 1
            7            | 2
            missing      | 1
            """,
            why="1 is Monday and 7 Sunday. The range of the column holds no Wednesday.",
        ),
        Spec(
            "Hours of the day, with a key set",
            """
            pets.query("visits").group_by(
                pets.KeySet.product({"hour": [0, 20, 23]}), col("seen").hour("hour")
            ).agg(n=pets.count())
            """,
            """
            hour | n
            -----+--
            0    | 2
            20   | 3
            23   | 1
            """,
        ),
        Spec(
            "Days of date-times",
            'pets.query("visits").group_by(col("seen").day()).agg(n=pets.count())',
            """
            seen_day   | n
            -----------+--
            2020-12-31 | 1
            2021-01-01 | 1
            2021-01-02 | 1
            2021-01-03 | 2
            2021-01-04 | 1
            2021-01-05 | 0
            missing    | 1
            """,
        ),
        Spec(
            "One visit of a person a day",
            """
            pets.query("visits").group_by(col("seen").day("day")).agg(
                visits=pets.count(), spent=pets.sum("spent")
            ).bound(rows=7, groups=7, rows_per_group=1)
            """,
            """
            day        | visits | spent
            -----------+--------+------
            2024-03-04 | 1      | 10
            2024-03-05 | 2      | 32
            2024-03-06 | 0      | 0
            """,
            why="Person 1 came twice on Monday, and spent the same both times.",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      seen: {type: datetime, min: 2024-03-04 00:00, max: 2024-03-06 23:59, nullable: false}
      spent: {type: integer, min: 0, max: 50, nullable: false}
""",
            tables={
                "visits": """
                person | seen             | spent
                -------+------------------+------
                1      | 2024-03-04 09:00 | 10
                1      | 2024-03-04 09:00 | 10
                1      | 2024-03-05 18:30 | 20
                2      | 2024-03-05 12:15 | 12
                """
            },
        ),
        Spec(
            "An epidemic curve: weeks by district",
            'pets.query("cases").group_by(col("onset").week("week"), "district").agg(cases=pets.count_units())',
            """
            week     | district | cases
            ---------+----------+------
            2020-W53 | east     | 1
            2020-W53 | west     | 1
            2021-W01 | east     | 0
            2021-W01 | west     | 1
            """,
            why="Person 1 was ill twice in one week, and is one case of it.",
            schema="""
tables:
  cases:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      district: {type: category, values: [east, west], nullable: false}
      onset: {type: date, min: 2020-12-28, max: 2021-01-10, nullable: false}
""",
            tables={
                "cases": """
                person | district | onset
                -------+----------+-----------
                1      | east     | 2020-12-28
                1      | east     | 2021-01-03
                2      | west     | 2020-12-31
                2      | west     | 2021-01-04
                """
            },
        ),
        Spec(
            "Each hour of a range",
            'pets.query("visits").group_by(col("seen").period("hour", "from")).agg(n=pets.count())',
            """
            from             | n
            -----------------+--
            2021-01-01 06:00 | 0
            2021-01-01 07:00 | 1
            2021-01-01 08:00 | 2
            missing          | 0
            """,
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      seen: {type: datetime, min: 2021-01-01 06:30, max: 2021-01-01 08:15, step: minute}
""",
            tables={
                "visits": """
                person | seen
                -------+-----------------
                1      | 2021-01-01 07:59
                1      | 2021-01-01 08:00
                2      | 2021-01-01 08:15
                """
            },
        ),
    ),
)
