from tests.spec.book import Chapter, Spec

SCHEMA = """
tables:
  visits:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      sex: {type: category, values: [F, M], nullable: false}
      age: {type: integer, min: 0, max: 120}
      score: {type: real, min: -1, max: 1, step: 0.1, nullable: false}
      seen: {type: date, min: 2023-11-15, max: 2024-05-31}
"""

TABLES = {
    "visits": """
    person | sex | age | score | seen
    -------+-----+-----+-------+-----------
    1      | F   | 0   | -1    | 2023-11-15
    1      | F   | 17  | -0.1  | 2023-12-31
    2      | M   | 18  | 0     | 2024-01-01
    3      | M   | 64  | 0.1   | 2024-02-29
    3      | M   | 65  | 0.5   | 2024-04-01
    4      | F   | 120 | 1     | 2024-05-31
    5      | F   |     | 1     |
    """
}

BINS = Chapter(
    "Bins and dates",
    "A number or a date is grouped by bins: half-open, the last one closed. A date is also grouped by its calendar "
    "parts or periods.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "Bins of whole numbers",
            'pets.query("visits").group_by(col("age").bins([0, 18, 65, 120])).agg(n=pets.count())',
            """
            age       | n
            ----------+--
            [0, 18)   | 2
            [18, 65)  | 2
            [65, 120] | 2
            missing   | 1
            """,
            why="18 is in the second bin, 65 in the third, and 120 in it too.",
        ),
        Spec(
            "Bins of fixed-point numbers",
            'pets.query("visits").group_by(col("score").bins([-1, -0.1, 0.1, 1])).agg(n=pets.count())',
            """
            score       | n
            ------------+--
            [-1, -0.1)  | 1
            [-0.1, 0.1) | 2
            [0.1, 1]    | 4
            """,
            why="The schema declares that every row has a score, so there is no group for rows without one.",
        ),
        Spec(
            "Rows outside the bins are not reported",
            'pets.query("visits").group_by(col("age").bins([18, 40, 64])).agg(n=pets.count(), who=pets.count_units())',
            """
            age      | n | who
            ---------+---+----
            [18, 40) | 1 | 1
            [40, 64] | 1 | 1
            missing  | 1 | 1
            """,
        ),
        Spec(
            "Bins beyond the domain are empty",
            'pets.query("visits").group_by(col("age").bins([-10, 0, 200, 300])).agg(n=pets.count())',
            """
            age        | n
            -----------+--
            [-10, 0)   | 0
            [0, 200)   | 6
            [200, 300] | 0
            missing    | 1
            """,
        ),
        Spec(
            "Edges between two values",
            'pets.query("visits").group_by(col("age").bins([0, 17.5, 64.5, 120])).agg(n=pets.count())',
            """
            age         | n
            ------------+--
            [0, 17.5)   | 2
            [17.5, 64.5) | 2
            [64.5, 120] | 2
            missing     | 1
            """,
        ),
        Spec(
            "Bins of dates",
            """
            (pets.query("visits").group_by(col("seen").bins(["2023-12-31", "2024-01-01", "2024-04-01"], name="spell"))
                .agg(n=pets.count()))
            """,
            """
            spell                    | n
            -------------------------+--
            [2023-12-31, 2024-01-01) | 1
            [2024-01-01, 2024-04-01] | 3
            missing                  | 1
            """,
            why="The last bin is closed: 1 April is in it, and 31 May in none.",
        ),
        Spec(
            "Bins with a name, and a second key",
            """
            pets.query("visits").group_by(col("age").bins([0, 65, 120], name="age group"), "sex").agg(n=pets.count())
            """,
            """
            age group | sex | n
            ----------+-----+--
            [0, 65)   | F   | 2
            [0, 65)   | M   | 2
            [65, 120] | F   | 1
            [65, 120] | M   | 1
            missing   | F   | 1
            missing   | M   | 0
            """,
        ),
        Spec(
            "One column in two ways",
            """
            pets.query("visits").group_by(
                col("age").bins([0, 65, 120], name="old"), col("age").bins([0, 18], name="child")
            ).agg(n=pets.count())
            """,
            """
            old       | child   | n
            ----------+---------+--
            [0, 65)   | [0, 18] | 3
            [0, 65)   | missing | 0
            [65, 120] | [0, 18] | 0
            [65, 120] | missing | 0
            missing   | [0, 18] | 0
            missing   | missing | 1
            """,
        ),
        Spec(
            "Years",
            'pets.query("visits").group_by(col("seen").year()).agg(n=pets.count())',
            """
            seen_year | n
            ----------+--
            2023      | 2
            2024      | 4
            missing   | 1
            """,
        ),
        Spec(
            "Quarters of the year",
            'pets.query("visits").group_by(col("seen").quarter()).agg(n=pets.count())',
            """
            seen_quarter | n
            -------------+--
            1            | 2
            2            | 2
            4            | 2
            missing      | 1
            """,
            why="No day of the domain is in a third quarter, so there is no such group.",
        ),
        Spec(
            "Months of the year",
            'pets.query("visits").where(col("sex") == "F").group_by(col("seen").month()).agg(n=pets.count())',
            """
            seen_month | n
            -----------+--
            1          | 0
            2          | 0
            3          | 0
            4          | 0
            5          | 1
            11         | 1
            12         | 1
            missing    | 1
            """,
        ),
        Spec(
            "Monthly periods: a time series",
            'pets.query("visits").group_by(col("seen").period("month")).agg(n=pets.count())',
            """
            seen_month | n
            -----------+--
            2023-11    | 1
            2023-12    | 1
            2024-01    | 1
            2024-02    | 1
            2024-03    | 0
            2024-04    | 1
            2024-05    | 1
            missing    | 1
            """,
        ),
        Spec(
            "Quarterly and yearly periods",
            """
            pets.query("visits").group_by(col("seen").period("quarter", name="q")).agg(n=pets.count())
            """,
            """
            q       | n
            --------+--
            2023-Q4 | 2
            2024-Q1 | 2
            2024-Q2 | 2
            missing | 1
            """,
        ),
        Spec(
            "Each day of a short span",
            'pets.query("short").group_by("day").agg(n=pets.count())',
            """
            day        | n
            -----------+--
            2024-02-28 | 1
            2024-02-29 | 2
            2024-03-01 | 0
            """,
            schema="""
tables:
  short:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      day: {type: date, min: 2024-02-28, max: 2024-03-01, nullable: false}
""",
            tables={
                "short": """
                person | day
                -------+-----------
                1      | 2024-02-28
                1      | 2024-02-29
                2      | 2024-02-29
                """
            },
        ),
    ),
)

KEYSETS = Chapter(
    "Key sets",
    "A key set lists the groups to report. It must be public knowledge. Rows of other groups are not in the answer.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "Some values of a column",
            'pets.query("visits").group_by(pets.KeySet.product({"sex": ["M"]})).agg(n=pets.count())',
            """
            sex | n
            ----+--
            M   | 3
            """,
        ),
        Spec(
            "Groups come in the order of the schema",
            'pets.query("visits").group_by(pets.KeySet.product({"sex": ["M", "F"]})).agg(n=pets.count())',
            """
            sex | n
            ----+--
            F   | 4
            M   | 3
            """,
        ),
        Spec(
            "A list of combinations",
            """
            pets.query("visits").group_by(
                pets.KeySet.of([{"sex": "M", "age": 64}, {"sex": "F", "age": 0}, {"sex": "F", "age": 50}])
            ).agg(n=pets.count())
            """,
            """
            sex | age | n
            ----+-----+--
            F   | 0   | 1
            F   | 50  | 0
            M   | 64  | 1
            """,
        ),
        Spec(
            "With derived keys",
            """
            pets.query("visits").group_by(
                pets.KeySet.product({"seen_year": [2024], "sex": ["F", "M"]}), col("seen").year()
            ).agg(n=pets.count(), people=pets.count_units())
            """,
            """
            seen_year | sex | n | people
            ----------+-----+---+-------
            2024      | F   | 1 | 1
            2024      | M   | 3 | 2
            """,
        ),
        Spec(
            "The group of rows without a value must be listed too",
            """
            pets.query("visits").group_by(
                pets.KeySet.of([{"age": "[65, 120]"}, {"age": None}]), col("age").bins([0, 65, 120])
            ).agg(n=pets.count())
            """,
            """
            age       | n
            ----------+--
            [65, 120] | 2
            missing   | 1
            """,
        ),
        Spec(
            "The product of two key sets",
            """
            pets.query("visits").group_by(
                pets.KeySet.product({"sex": ["F"]}) * pets.KeySet.product({"age": [0, 17]})
            ).agg(n=pets.count(), score=pets.sum("score"))
            """,
            """
            sex | age | n | score
            ----+-----+---+------
            F   | 0   | 1 | -1
            F   | 17  | 1 | -0.1
            """,
        ),
    ),
)
