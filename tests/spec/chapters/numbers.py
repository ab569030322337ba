from tests.spec.book import Chapter, Spec

SCHEMA = """
tables:
  stays:
    unit: {column: patient, max_rows: 5}
    columns:
      patient: {type: identifier}
      ward: {type: category, values: [north, south, west], nullable: false}
      days: {type: integer, min: 1, max: 14}
      cost: {type: real, min: 0, max: 1000, step: 0.01}
"""

TABLES = {
    "stays": """
    patient | ward  | days | cost
    --------+-------+------+-------
    1       | north | 3    | 10.10
    1       | north | 5    | 20.25
    2       | north | 4    | 0.05
    2       | south | 14   | 999.99
    3       | south |      | 0.01
    """
}

DOSES = """
tables:
  doses:
    unit: {column: person, max_rows: 5}
    columns:
      person: {type: identifier}
      mg: {type: real, min: 0, max: 10, step: 0.01}
"""

SUMS = Chapter(
    "Sums",
    "A sum adds up the values of the rows that have one. Values outside the schema's bounds are moved to the nearer\n"
    "bound before anything is added.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "The sum of whole numbers",
            'pets.query("stays").group_by("ward").agg(days=pets.sum("days"))',
            """
            ward  | days
            ------+-----
            north | 12
            south | 14
            west  | 0
            """,
        ),
        Spec(
            "Together with a count",
            'pets.query("stays").group_by("ward").agg(stays=pets.count(), days=pets.sum("days"))',
            """
            ward  | stays | days
            ------+-------+-----
            north | 3     | 12
            south | 2     | 14
            west  | 0     | 0
            """,
            why="A shared count lets the sum be measured around its midpoint, with less noise; the answer is the same.",
        ),
        Spec(
            "Together with a count of the rows that have a value",
            'pets.query("stays").group_by("ward").agg(known=pets.count(~col("days").is_null()), days=pets.sum("days"))',
            """
            ward  | known | days
            ------+-------+-----
            north | 3     | 12
            south | 1     | 14
            west  | 0     | 0
            """,
        ),
        Spec(
            "The sum of fixed-point numbers is exact",
            'pets.query("stays").group_by("ward").agg(cost=pets.sum("cost"))',
            """
            ward  | cost
            ------+-------
            north | 30.4
            south | 1000
            west  | 0
            """,
        ),
        Spec(
            "Only rows that meet a condition",
            'pets.query("stays").agg(long=pets.sum("days", where=col("days") >= 4), all=pets.sum("days"))',
            """
            long | all
            -----+----
            23   | 26
            """,
        ),
        Spec(
            "Tighter bounds",
            'pets.query("stays").group_by("ward").agg(days=pets.sum("days", clip=(4, 10)))',
            """
            ward  | days
            ------+-----
            north | 13
            south | 10
            west  | 0
            """,
            why="3 becomes 4 and 14 becomes 10.",
        ),
        Spec(
            "A tighter bound at one end",
            'pets.query("stays").agg(above=pets.sum("days", clip=(1, 4)), below=pets.sum("days", clip=(5, 14)))',
            """
            above | below
            ------+------
            15    | 29
            """,
            why="3, 4, 4 and 4 under the one; 5, 5, 5 and 14 over the other.",
        ),
        Spec(
            "Bounds between two values of the grid are widened to it",
            'pets.query("stays").group_by("ward").agg(days=pets.sum("days", clip=(3.5, 9.5)))',
            """
            ward  | days
            ------+-----
            north | 12
            south | 10
            west  | 0
            """,
            why="The bounds become 3 and 10.",
        ),
        Spec(
            "Bounds wider than the schema's change nothing",
            'pets.query("stays").agg(days=pets.sum("days", clip=(-100, 100)))',
            """
            days
            ----
            26
            """,
        ),
        Spec(
            "Values outside the schema's bounds",
            'pets.query("stays").agg(days=pets.sum("days"), cost=pets.sum("cost"))',
            """
            days | cost
            -----+-----
            29   | 1000
            """,
            tables={
                "stays": """
                patient | ward  | days | cost
                --------+-------+------+--------
                1       | north | 0    | -5
                2       | north | 99   | 1000.01
                3       | north | 14   | 0
                """
            },
            why="0 becomes 1, 99 becomes 14; −5 becomes 0 and 1000.01 becomes 1000.",
        ),
        Spec(
            "A range below zero",
            'pets.query("readings").agg(n=pets.count(), total=pets.sum("change"), mean=pets.mean("change"))',
            """
            n | total | mean
            --+-------+-----
            4 | -11   | -2.75
            """,
            schema="""
tables:
  readings:
    unit: {column: person, max_rows: 5}
    columns:
      person: {type: identifier}
      change: {type: integer, min: -10, max: -1}
""",
            tables={
                "readings": """
                person | change
                -------+-------
                1      | -1
                1      | -4
                2      | -5
                3      | 7
                """
            },
            why="7 becomes −1.",
        ),
        Spec(
            "A grid of ones that starts at a half",
            'pets.query("doses").agg(total=pets.sum("mg"), mean=pets.mean("mg"))',
            """
            total | mean
            ------+-----
            4.5   | 1.5
            """,
            schema="""
tables:
  doses:
    unit: {column: person, max_rows: 5}
    columns:
      person: {type: identifier}
      mg: {type: real, min: 0.5, max: 10.5, step: 1}
""",
            tables={
                "doses": """
                person | mg
                -------+----
                1      | 0.5
                1      | 1.5
                2      | 2.5
                """
            },
        ),
        Spec(
            "A grid that whole numbers do not fit",
            'pets.query("doses").agg(n=pets.count(), total=pets.sum("mg"))',
            """
            n | total
            --+------
            3 | 15
            """,
            schema="""
tables:
  doses:
    unit: {column: person, max_rows: 5}
    columns:
      person: {type: identifier}
      mg: {type: real, min: 0, max: 10, step: 2.5, nullable: false}
""",
            tables={
                "doses": """
                person | mg
                -------+------
                1      | 4
                1      | 2.4
                2      | 7.3
                """
            },
            why="4 is rounded to 5, 2.4 to 2.5 and 7.3 to 7.5.",
        ),
    ),
)

MEANS = Chapter(
    "Means and rates",
    "A mean is over the rows that have a value; a rate is over all rows of the group. A group without\n"
    "such rows has none.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "The mean of each group",
            'pets.query("stays").group_by("ward").agg(days=pets.mean("days"))',
            """
            ward  | days
            ------+-----
            north | 4
            south | 14
            west  | –
            """,
            why="In the south one of two rows has a value.",
        ),
        Spec(
            "The mean of all rows",
            'pets.query("stays").agg(days=pets.mean("days"), cost=pets.mean("cost"))',
            """
            days | cost
            -----+------
            6.5  | 206.08
            """,
        ),
        Spec(
            "A mean within tighter bounds",
            'pets.query("stays").agg(days=pets.mean("days", clip=(4, 10)))',
            """
            days
            ----
            5.75
            """,
            why="4, 5, 4 and 10.",
        ),
        Spec(
            "A mean within a tighter bound at one end",
            'pets.query("stays").agg(above=pets.mean("days", clip=(1, 4)), below=pets.mean("days", clip=(5, 14)))',
            """
            above | below
            ------+------
            3.75  | 7.25
            """,
            why="3, 4, 4 and 4 under the one; 5, 5, 5 and 14 over the other.",
        ),
        Spec(
            "A mean of the rows that meet a condition",
            'pets.query("stays").group_by("ward").agg(dear=pets.mean("days", where=col("cost") > 10))',
            """
            ward  | dear
            ------+-----
            north | 4
            south | 14
            west  | –
            """,
        ),
        Spec(
            "Sum, count and mean agree",
            """
            pets.query("stays").where(~col("days").is_null()).agg(
                n=pets.count(), days=pets.sum("days"), mean=pets.mean("days")
            )
            """,
            """
            n | days | mean
            --+------+-----
            4 | 26   | 6.5
            """,
        ),
        Spec(
            "A rate",
            'pets.query("stays").group_by("ward").agg(long=pets.rate(col("days") >= 4))',
            """
            ward  | long
            ------+-------------------
            north | 0.6666666666666666
            south | 0.5
            west  | –
            """,
            why="A row without a value does not meet the condition, but it is one of the rows.",
        ),
        Spec(
            "A rate among rows that meet the filter",
            'pets.query("stays").where(~col("days").is_null()).group_by("ward").agg(long=pets.rate(col("days") >= 4))',
            """
            ward  | long
            ------+-------------------
            north | 0.6666666666666666
            south | 1
            west  | –
            """,
        ),
        Spec(
            "The rate of rows without a value",
            'pets.query("stays").agg(unknown=pets.rate(col("days").is_null()))',
            """
            unknown
            -------
            0.2
            """,
        ),
        Spec(
            "A condition that can never hold",
            'pets.query("stays").agg(never=pets.rate(col("ward").is_null()), always=pets.rate(~col("ward").is_null()))',
            """
            never | always
            ------+-------
            0     | 1
            """,
            why="The schema declares that every row has a ward.",
        ),
    ),
)

VARIANCES = Chapter(
    "Variances",
    "A variance is the population variance: the mean squared distance from the mean (`sample=True` divides by n - 1).",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "The variance of each group",
            'pets.query("stays").group_by("ward").agg(days=pets.variance("days"))',
            """
            ward  | days
            ------+-------------------
            north | 0.6666666666666666
            south | 0
            west  | –
            """,
            why="3, 5 and 4: (1 + 1 + 0) / 3.",
        ),
        Spec(
            "Together with the mean",
            'pets.query("stays").agg(mean=pets.mean("days"), variance=pets.variance("days"))',
            """
            mean | variance
            -----+---------
            6.5  | 19.25
            """,
            why="The squares of 3.5, 1.5, 2.5 and 7.5 add up to 77.",
        ),
        Spec(
            "Within tighter bounds",
            'pets.query("stays").agg(variance=pets.variance("days", clip=(4, 10)))',
            """
            variance
            --------
            6.1875
            """,
            why="4, 5, 4 and 10.",
        ),
        Spec(
            "Within a tighter bound at one end",
            'pets.query("stays").agg(low=pets.variance("days", clip=(1, 4)), high=pets.variance("days", clip=(5, 14)))',
            """
            low    | high
            -------+--------
            0.1875 | 15.1875
            """,
            why="3, 4, 4 and 4 under the one; 5, 5, 5 and 14 over the other.",
        ),
        Spec(
            "Of fixed-point numbers, on a coarser grid",
            'pets.query("stays").where(col("ward") == "north").agg(variance=pets.variance("cost", step=10))',
            """
            variance
            ------------------
            66.66666666666667
            """,
            why="10.10, 20.25 and 0.05 are read as 10, 20 and 0.",
        ),
        Spec(
            "Only rows that meet a condition",
            'pets.query("stays").agg(variance=pets.variance("days", where=col("days") < 10))',
            """
            variance
            ------------------
            0.6666666666666666
            """,
        ),
    ),
)

HISTOGRAMS = Chapter(
    "Histograms",
    "A histogram gives each group a list of counts, one for each bin. Bins are half-open, the last one is closed:\n"
    "a value on an edge belongs to the bin that begins there. Rows without a value are in no bin.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "Bins of a number",
            'pets.query("stays").group_by("ward").agg(days=pets.histogram("days", [1, 4, 8, 14]))',
            """
            ward  | days
            ------+----------
            north | [1, 2, 0]
            south | [0, 0, 1]
            west  | [0, 0, 0]
            """,
            why="4 is in the second bin; 14, the end of the last bin, is in it.",
        ),
        Spec(
            "Bins that do not reach the ends",
            'pets.query("stays").agg(days=pets.histogram("days", [4, 5, 6]))',
            """
            days
            ------
            [1, 1]
            """,
            why="3 and 14 lie outside. The last bin is closed, but nobody stayed 6 days.",
        ),
        Spec(
            "Bins beyond the domain are empty",
            'pets.query("stays").agg(days=pets.histogram("days", [-10, 0, 4, 100, 200]))',
            """
            days
            ------------
            [0, 1, 3, 0]
            """,
        ),
        Spec(
            "Bins of a fixed-point number",
            'pets.query("stays").agg(cost=pets.histogram("cost", [0, 0.05, 20.25, 1000]))',
            """
            cost
            ---------
            [1, 2, 2]
            """,
        ),
        Spec(
            "Each value of a small domain",
            'pets.query("stays").agg(days=pets.histogram("days"))',
            """
            days
            ------------------------------------------
            [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
            """,
        ),
        Spec(
            "Each value of a category",
            'pets.query("stays").agg(wards=pets.histogram("ward"), dear=pets.histogram("ward", where=col("cost") > 1))',
            """
            wards     | dear
            ----------+----------
            [3, 2, 0] | [2, 1, 0]
            """,
        ),
        Spec(
            "Of a boolean",
            'pets.query("visits").agg(emergency=pets.histogram("emergency"))',
            """
            emergency
            ---------
            [1, 2]
            """,
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 5}
    columns:
      person: {type: identifier}
      emergency: {type: boolean}
""",
            tables={
                "visits": """
                person | emergency
                -------+----------
                1      | true
                1      | false
                2      | true
                3      |
                """
            },
            why="False comes before true.",
        ),
    ),
)

QUANTILES = Chapter(
    "Quantiles",
    "The q-quantile is the smallest value with at least a share q of the group's rows at or below it.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        Spec(
            "The median of each group",
            'pets.query("stays").group_by("ward").agg(days=pets.median("days"))',
            """
            ward  | days
            ------+-----
            north | 4
            south | 14
            west  | –
            """,
            why='`pets.median("days")` and `pets.quantile("days", 0.5)` are the same question by two names.',
        ),
        Spec(
            "An even number of rows: the lower of the two in the middle",
            'pets.query("stays").agg(days=pets.quantile("days"))',
            """
            days
            ----
            4
            """,
            why="Of 3, 4, 5 and 14, two (half) are at most 4.",
        ),
        Spec(
            "Several quantiles",
            """
            pets.query("stays").agg(
                low=pets.quantile("days", 0.25), high=pets.quantile("days", 0.75), top=pets.quantile("days", 0.76)
            )
            """,
            """
            low | high | top
            ----+------+----
            3   | 5    | 14
            """,
        ),
        Spec(
            "Of rows that meet a condition",
            'pets.query("stays").agg(days=pets.quantile("days", 0.5, where=col("ward") == "north"))',
            """
            days
            ----
            4
            """,
        ),
        Spec(
            "Values told apart in runs",
            'pets.query("stays").agg(days=pets.quantile("days", 0.5, bins=2))',
            """
            days
            ----
            5
            """,
            why="""
            Two runs: 1 to 7 and 8 to 14. Half of the four rows is two of the three rows in the first run: two thirds of
            the way from 1 to 7.
            """,
        ),
        Spec(
            "A fine grid is told apart in 256 runs",
            'pets.query("doses").agg(mg=pets.quantile("mg"))',
            """
            mg
            ----
            5.03
            """,
            why="""
            The grid has 1001 values. 5 is in a run of four, 5.00 to 5.03, and the one row of the run is all of it: the
            answer is the run's last value.
            """,
            schema=DOSES,
            tables={"doses": "person | mg\n1 | 5"},
        ),
        Spec(
            "A fine grid, told apart value by value",
            'pets.query("doses").agg(mg=pets.quantile("mg", bins=1001), high=pets.quantile("mg", 0.9))',
            """
            mg | high
            ---+-----
            5  | 5
            """,
            why="Quantiles of one column share their runs, so that they cannot cross.",
            schema=DOSES,
            tables={"doses": "person | mg\n1 | 5"},
        ),
    ),
)
