from tests.spec.book import Chapter, Spec

SCHEMA = """
tables:
  stays:
    unit: {column: patient, max_rows: 4, rows: 2}
    columns:
      patient: {type: identifier}
      ward: {type: category, values: [north, south, west], nullable: false}
      days: {type: integer, min: 1, max: 9, nullable: false}
"""

SAME = {
    "stays": """
    patient | ward  | days
    --------+-------+-----
    1       | north | 3
    1       | north | 3
    1       | north | 3
    1       | north | 3
    1       | north | 3
    1       | north | 3
    2       | south | 5
    2       | south | 5
    2       | south | 5
    3       | west  | 9
    """
}

TWICE = """
    patient | ward  | days
    --------+-------+-----
    1       | north | 3
    1       | north | 3
    1       | south | 5
    1       | south | 5
    2       | north | 5
    2       | south | 3
    """

WEEKS = """
tables:
  seen:
    unit: {column: patient, max_rows: 4, rank_within: [[seen.week, ward]]}
    columns:
      patient: {type: identifier}
      ward: {type: category, values: [north, south], nullable: false}
      seen: {type: date, min: 2024-12-28, max: 2025-01-05}
"""

SEEN = """
    patient | ward  | seen
    --------+-------+-----------
    1       | north | 2024-12-29
    1       | north | 2024-12-30
    1       | north | 2025-01-05
    1       | south | 2025-01-01
    2       | north | 2024-12-31
    2       | north | 2025-01-01
    2       | north |
    2       | north |
    """

ARRIVING = """
tables:
  loads:
    unit: {column: patient, max_rows: 2, arrival: loaded}
    columns:
      patient: {type: identifier}
      ward: {type: category, values: [north, south, west], nullable: false}
      loaded: {type: date, min: 2024-01-01, max: 2025-12-31, nullable: false}
"""

LOADS = """
    patient | ward  | loaded
    --------+-------+-----------
    1       | west  | 2024-03-01
    1       | south | 2024-02-01
    1       | north | 2024-01-01
    1       | west  | 2024-03-01
    2       | west  | 2024-03-01
    2       | north |
    3       | south | 2024-02-01
    3       | south | 2024-02-01
    3       | west  | 2024-03-01
    """

CHAPTER = Chapter(
    "Bounds on what one person contributes",
    "A snapshot keeps at most `max_rows` rows of each person, chosen at random once and for all; a query counts the\n"
    "first `rows` of those. So nobody can move an answer by more than a known amount. (Here all rows of a person are\n"
    "alike, so that the answer does not depend on the choice.)",
    schema=SCHEMA,
    tables=SAME,
    specs=(
        Spec(
            "A query counts as many rows of a person as the schema says",
            'pets.query("stays").group_by("ward").agg(stays=pets.count(), days=pets.sum("days"))',
            """
            ward  | stays | days
            ------+-------+-----
            north | 2     | 6
            south | 2     | 10
            west  | 1     | 9
            """,
        ),
        Spec(
            "Fewer rows of a person",
            'pets.query("stays").group_by("ward").agg(stays=pets.count(), days=pets.sum("days")).bound(rows=1)',
            """
            ward  | stays | days
            ------+-------+-----
            north | 1     | 3
            south | 1     | 5
            west  | 1     | 9
            """,
        ),
        Spec(
            "More rows of a person, up to those that are kept",
            'pets.query("stays").group_by("ward").agg(stays=pets.count(), days=pets.sum("days")).bound(rows=4)',
            """
            ward  | stays | days
            ------+-------+-----
            north | 4     | 12
            south | 3     | 15
            west  | 1     | 9
            """,
            why="Patient 1 has six rows, and the snapshot kept four of them.",
        ),
        Spec(
            "The first rows to arrive",
            'pets.query("loads").group_by("ward").agg(stays=pets.count(), people=pets.count_units())',
            """
            ward  | stays | people
            ------+-------+-------
            north | 1     | 1
            south | 3     | 2
            west  | 1     | 1
            """,
            why="`arrival: loaded` in the unit: of patients 1 and 3 the rows of January and February count, whatever "
            "comes in March; a row that has not arrived is dropped. Without it two rows of each would be drawn.",
            schema=ARRIVING,
            tables={"loads": LOADS},
        ),
        Spec(
            "The first row to arrive",
            'pets.query("loads").group_by("ward").agg(stays=pets.count()).bound(rows=1)',
            """
            ward  | stays
            ------+------
            north | 1
            south | 1
            west  | 1
            """,
            schema=ARRIVING,
            tables={"loads": LOADS},
        ),
        Spec(
            "A mean is over the rows that count",
            'pets.query("stays").agg(n=pets.count(), mean=pets.mean("days")).bound(rows=1)',
            """
            n | mean
            --+------------------
            3 | 5.666666666666667
            """,
        ),
        Spec(
            "Every other aggregate too",
            """
            pets.query("stays").agg(
                rate=pets.rate(col("days") > 3), hist=pets.histogram("ward"), median=pets.quantile("days"),
                variance=pets.variance("days"),
            ).bound(rows=2)
            """,
            """
            rate | hist      | median | variance
            -----+-----------+--------+---------
            0.6  | [2, 2, 1] | 5      | 4.8
            """,
            why="The rows 3, 3, 5, 5 and 9.",
        ),
        Spec(
            "Rows are chosen before the filter",
            """
            pets.query("stays").where(col("days") == 3).agg(stays=pets.count()).bound(rows=1)
            """,
            """
            stays
            -----
            1
            """,
        ),
        Spec(
            "People are counted over all kept rows",
            'pets.query("spread").group_by("ward").agg(people=pets.count_units()).bound(rows=1)',
            """
            ward  | people
            ------+-------
            north | 2
            south | 1
            west  | 1
            """,
            why="A count of rows would be 2 in all; but a person counts in each group that they have a kept row in.",
            schema=SCHEMA.replace("stays:", "spread:"),
            tables={
                "spread": """
                patient | ward  | days
                --------+-------+-----
                1       | north | 3
                1       | south | 3
                1       | west  | 3
                2       | north | 3
                """
            },
        ),
        Spec(
            "A cap on groups",
            'pets.query("spread").group_by("ward").agg(stays=pets.count()).bound(rows=4, groups=1)',
            """
            ward  | stays
            ------+------
            north | 3
            south | 2
            west  | 0
            """,
            why="Everybody is in one group anyway, so the cap changes nothing.",
            schema=SCHEMA.replace("stays:", "spread:"),
            tables={
                "spread": """
                patient | ward  | days
                --------+-------+-----
                1       | north | 3
                1       | north | 4
                2       | north | 5
                3       | south | 5
                3       | south | 5
                """
            },
        ),
        Spec(
            "A cap on groups keeps all rows of the groups that are kept",
            """
            (
                pets.query("spread").where(col("days") < 9).group_by("ward")
                    .agg(stays=pets.count(), people=pets.count_units()).bound(rows=4, groups=1)
            )
            """,
            """
            ward  | stays | people
            ------+-------+-------
            north | 4     | 2
            south | 2     | 1
            west  | 1     | 1
            """,
            why="The cap comes after the filter: rows of 9 days do not meet it, so they use up no group.",
            schema=SCHEMA.replace("stays:", "spread:"),
            tables={
                "spread": """
                patient | ward  | days
                --------+-------+-----
                1       | north | 3
                1       | north | 4
                1       | south | 9
                2       | north | 3
                2       | north | 4
                2       | west  | 9
                3       | south | 1
                3       | south | 2
                3       | west  | 9
                3       | north | 9
                4       | west  | 8
                4       | south | 9
                """
            },
        ),
        Spec(
            "A cap on the rows of a group",
            """
            (
                pets.query("spread").group_by("ward")
                    .agg(stays=pets.count(), days=pets.sum("days"), people=pets.count_units())
                    .bound(rows=4, rows_per_group=1)
            )
            """,
            """
            ward  | stays | days | people
            ------+-------+------+-------
            north | 2     | 8    | 2
            south | 2     | 8    | 2
            west  | 0     | 0    | 0
            """,
            why="One row of a person counts in each ward. A snapshot picks one; here those of a ward are alike.",
            schema=SCHEMA.replace("stays:", "spread:"),
            tables={"spread": TWICE},
        ),
        Spec(
            "The same with ranks that were stored",
            """
            (
                pets.query("spread").where(col("ward") != "north").group_by("ward")
                    .agg(stays=pets.count(), days=pets.sum("days")).bound(rows=4, groups=2, rows_per_group=1)
            )
            """,
            """
            ward  | stays | days
            ------+-------+-----
            north | 0     | 0
            south | 2     | 8
            west  | 0     | 0
            """,
            why="`rank_within: [[ward]]` in the unit makes the question quick, and its answer is the same.",
            schema=SCHEMA.replace("stays:", "spread:").replace("rows: 2}", "rows: 2, rank_within: [[ward]]}"),
            tables={"spread": TWICE},
        ),
        Spec(
            "Weeks, with ranks that were stored",
            """
            (
                pets.query("seen").group_by(col("seen").week(), "ward")
                    .agg(stays=pets.count()).bound(rows=4, rows_per_group=1)
            )
            """,
            """
            seen_week | ward  | stays
            ----------+-------+------
            2024-W52  | north | 1
            2024-W52  | south | 0
            2025-W01  | north | 2
            2025-W01  | south | 1
            missing   | north | 1
            missing   | south | 0
            """,
            why="`rank_within: [[seen.week, ward]]` in the unit. A week is Monday to Sunday, and days of two years may "
            "be in one.",
            schema=WEEKS,
            tables={"seen": SEEN},
        ),
        Spec(
            "The cap comes after the filter, and is on the final group",
            """
            (
                pets.query("spread").where(col("days") > 3).group_by(col("days").bins([0, 5, 10]))
                    .agg(stays=pets.count()).bound(rows=4, rows_per_group=1)
            )
            """,
            """
            days    | stays
            --------+------
            [0, 5)  | 0
            [5, 10] | 2
            """,
            why="Rows of 3 days use up nothing, and 5 days are in one bin whatever the ward.",
            schema=SCHEMA.replace("stays:", "spread:"),
            tables={"spread": TWICE},
        ),
        Spec(
            "People with at least so many rows",
            'pets.query("stays").agg(people=pets.tails(), long=pets.tails(col("days") > 3)).bound(rows=1)',
            """
            people       | long
            -------------+-------------
            [3, 2, 2, 1] | [2, 1, 1, 0]
            """,
            why="Of the six rows of patient 1 four are kept. All kept rows are read, whatever K is; under a condition "
            "it is people whose first, second, … row meets it.",
        ),
        Spec(
            "A cap on groups, ungrouped, changes nothing",
            'pets.query("stays").agg(stays=pets.count(), people=pets.count_units()).bound(groups=1)',
            """
            stays | people
            ------+-------
            5     | 3
            """,
        ),
    ),
)

BY_ROW = Chapter(
    "One row per person",
    "Where every row is somebody of their own, the custodian declares `unit: row`; no id column is needed.",
    schema="""
tables:
  survey:
    unit: row
    columns:
      answer: {type: category, values: ["yes", "no"]}
      age: {type: integer, min: 0, max: 99}
""",
    tables={
        "survey": """
        answer | age
        -------+----
        yes    | 30
        yes    | 30
        no     | 41
               | 52
        """
    },
    specs=(
        Spec(
            "Rows and people are the same",
            'pets.query("survey").group_by("answer").agg(rows=pets.count(), people=pets.count_units())',
            """
            answer  | rows | people
            --------+------+-------
            yes     | 2    | 2
            no      | 1    | 1
            missing | 1    | 1
            """,
        ),
        Spec(
            "Values",
            'pets.query("survey").where(~col("answer").is_null()).agg(age=pets.sum("age"), mid=pets.quantile("age"))',
            """
            age | mid
            ----+----
            101 | 30
            """,
        ),
        Spec(
            "People that meet a condition",
            'pets.query("survey").agg(old=pets.count_units(col("age") > 40), rate=pets.rate(col("answer") == "yes"))',
            """
            old | rate
            ----+-----
            2   | 0.5
            """,
        ),
    ),
)
