"""Standard deviations, covariances and correlations."""

from __future__ import annotations

from tests.spec.book import Chapter, Spec

CHAPTER = Chapter(
    "Standard deviations and how columns vary together",
    "All are divided by n, or with `sample=True` by n - 1; SQL's names say which: STDDEV_POP, STDDEV_SAMP, COVAR_POP, "
    "COVAR_SAMP and so on. Of two columns, rows that have both values count.",
    schema="""
tables:
  stays:
    unit: {column: patient, max_rows: 5}
    columns:
      patient: {type: identifier}
      ward: {type: category, values: [north, south, west], nullable: false}
      a: {type: integer, min: 0, max: 10}
      b: {type: integer, min: 0, max: 10}
""",
    tables={
        "stays": """
        patient | ward  | a | b
        --------+-------+---+--
        1       | north | 1 | 2
        2       | north | 2 | 4
        3       | north | 3 | 6
        4       | north | 6 | 0
        5       | south | 5 |
        """
    },
    specs=(
        Spec(
            "Standard deviations",
            'pets.query("stays").group_by("ward").agg(all=pets.std("a"), sample=pets.std("a", sample=True))',
            """
            ward  | all                | sample
            ------+--------------------+------------------
            north | 1.8708286933869707 | 2.160246899469287
            south | 0                  | –
            west  | –                  | –
            """,
            why="The squares of 2, 1, 0 and 3 add up to 14: the roots of 14 / 4 and of 14 / 3.",
        ),
        Spec(
            "The variance of a sample",
            'pets.query("stays").group_by("ward").agg(all=pets.variance("a"), sample=pets.variance("a", sample=True))',
            """
            ward  | all | sample
            ------+-----+------------------
            north | 3.5 | 4.666666666666667
            south | 0   | –
            west  | –   | –
            """,
            why="VAR_POP and VAR_SAMP are two questions.",
        ),
        Spec(
            "Covariances",
            'pets.query("stays").group_by("ward").agg(all=pets.covariance("a", "b"), '
            'sample=pets.covariance("b", "a", sample=True))',
            """
            ward  | all | sample
            ------+-----+--------------------
            north | -2  | -2.6666666666666665
            south | –   | –
            west  | –   | –
            """,
            why="-2 · -1, -1 · 1, 0 · 3 and 3 · -3 add up to -8.",
        ),
        Spec(
            "The sums of a regression",
            """
            pets.linear("b", ["a", "ward"], data="stays").query
            """,
            """
            fit
            ------------------------------------------------------------
            [4, -1.6, 0, 0, 1.2, 0, 0, -1.6, 0.32, 0, 0, 1.44]
            """,
            why="Each number is moved to lie from -1 to 1 first: a is -0.8, -0.6, -0.4 and 0.2, b is -0.6, -0.2, 0.2 "
            "and -1. In order: rows, a, the second and the third ward; a² and a in each ward; then b with 1, a and "
            "each ward, and b². What is the same as another sum, or 0 in every row, is left out.",
        ),
        Spec(
            "The sums of a regression whose rows have weights",
            """
            pets.linear("b", ["a"], data="stays", weights=1).query
            """,
            """
            fit
            ----------------------------------------------------------------------------------------
            [3.166015625, -1.08046875, 0.830625, -1.301171875, 0.11953125, 1.244140625]
            """,
            why="1 + a² is 1.64, 1.36, 1.16 and 1.04. R² = 1 over that, in 1024ths and rounded down, is how much each "
            "row counts: 624, 752, 882 and 984. Their sum over 1024 comes first, then a, a², b, ab and b².",
        ),
        Spec(
            "A step of a Poisson regression",
            """
            pets.poisson("b", ["a"], data="stays", weights=None).asked((0, 0), None, fine=False)
            """,
            """
            fit
            ------------------------------------------------------------
            [0.8888888888888888, -0.5333333333333333, 4, -1.6, 1.2]
            """,
            why="Where all coefficients are 0 every mean is 1, so the residuals of b are 1, 3, 5 and -1, over 9, the "
            "most that one can be. a is -0.8, -0.6, -0.4 and 0.2 once it is moved to lie from -1 to 1: 8 / 9 and "
            "-4.8 / 9. Then rows, a and a², times a variance of 1. At other coefficients means are no round numbers.",
        ),
        Spec(
            "Correlations",
            'pets.query("stays").agg(r=pets.correlation("a", "b"), few=pets.correlation("a", "b", where=col("b") < 1))',
            """
            r                    | few
            ---------------------+----
            -0.47809144373375745 | –
            """,
            why="-2 over the roots of 3.5 and 5; one row varies with nothing.",
        ),
        Spec(
            "Values between tighter bounds vary together",
            'pets.query("stays").with_columns(capped=pets.min_of("a", 3)).agg(c=pets.covariance("capped", "b"))',
            """
            c
            ----
            0.25
            """,
            why="1, 2, 3 and 3 with 2, 4, 6 and 0: -1.25 · -1, -0.25 · 1, 0.75 · 3 and 0.75 · -3 add up to 1.",
        ),
    ),
)
