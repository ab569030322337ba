from tests.spec.book import Chapter, Spec

GRID = 'pets.query("stays").group_by("ward", "sex").agg(n=pets.count())'
BY_WARD = 'pets.query("stays").group_by("ward").agg(n=pets.count())'

CHAPTER = Chapter(
    "Rounded counts of people",
    "With `pets.SDC` no noise is added: small counts are hidden and the others rounded, by a rule as it is published.\n"
    "A custodian names one grid (here `ward` by `sex`), whose cells are protected once; every table adds up what they\n"
    "show. `n_low` and `n_high` are the ends between which the exact count lies.",
    schema="""
tables:
  stays:
    unit: row
    columns:
      ward: {type: category, values: [north, south, west], nullable: false}
      sex: {type: category, values: [F, M], nullable: false}
""",
    tables={
        "stays": """
        ward  | sex
        ------+----
        north | F
        north | F
        north | F
        north | F
        north | F
        north | F
        north | F
        north | F
        north | M
        north | M
        south | F
        """
    },
    specs=(
        Spec(
            "`hes`: 1 to 7 are hidden, others go to the nearest 5",
            GRID,
            """
            ward  | sex | n  | n_low | n_high
            ------+-----+----+-------+-------
            north | F   | 10 | 8     | 12
            north | M   | –  | 1     | 7
            south | F   | –  | 1     | 7
            south | M   | 0  | 0     | 0
            west  | F   | 0  | 0     | 0
            west  | M   | 0  | 0     | 0
            """,
            grid=GRID,
            rule="hes",
        ),
        Spec(
            "A total is the sum of what its cells show",
            BY_WARD,
            """
            ward  | n  | n_low | n_high
            ------+----+-------+-------
            north | 14 | 9     | 19
            south | –  | 1     | 7
            west  | 0  | 0     | 0
            """,
            why="The hidden cell of the north counts as 4, the middle of 1 to 7. In the south only a hidden cell has "
            "people, so there is no number.",
            grid=GRID,
            rule="hes",
        ),
        Spec(
            "`ons_10_5`: 0 to 9 are hidden",
            BY_WARD,
            """
            ward  | n | n_low | n_high
            ------+---+-------+-------
            north | – | 0     | 18
            south | – | 0     | 18
            west  | – | 0     | 18
            """,
            grid=GRID,
            rule="ons_10_5",
        ),
        Spec(
            "`midpoint6`: the middle of each step of six",
            BY_WARD,
            """
            ward  | n  | n_low | n_high
            ------+----+-------+-------
            north | 12 | 8     | 18
            south | 3  | 1     | 6
            west  | 0  | 0     | 0
            """,
            why="8 women are shown as 9 and 2 men as 3.",
            grid=GRID,
            rule="midpoint6",
        ),
        Spec(
            "A condition takes whole cells, and a rate is made of two shown counts",
            'pets.query("stays").where(col("ward") != "south").agg(women=pets.rate(col("sex") == "F"))',
            """
            women | women_low | women_high
            ------+-----------+-----------
            0.75  | 0.3888888888888889 | 1
            """,
            why="9 of 12; of the exact counts, 7 to 12 women are among 8 to 18 people.",
            grid=GRID,
            rule="midpoint6",
        ),
    ),
)
