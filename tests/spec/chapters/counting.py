from tests.spec.book import Chapter, Spec

CHAPTER = Chapter(
    "Counting rows and people",
    "A count is the number of rows of each group. Every group that the schema allows is in the answer, with 0 where\n"
    "nobody is: which groups there are never depends on a row.",
    schema="""
tables:
  stays:
    unit: {column: patient, max_rows: 5}
    columns:
      patient: {type: identifier}
      ward: {type: category, values: [north, south, west], nullable: false}
      sex: {type: category, values: [F, M]}
      days: {type: integer, min: 1, max: 14}
""",
    tables={
        "stays": """
        patient | ward  | sex | days
        --------+-------+-----+-----
        1       | north | F   | 3
        1       | north | F   | 5
        1       | south | F   | 2
        2       | north | M   | 14
        3       | south |     | 1
        """
    },
    specs=(
        Spec(
            "All rows",
            'pets.query("stays").agg(stays=pets.count())',
            """
            stays
            -----
            5
            """,
        ),
        Spec(
            "Rows of each group",
            'pets.query("stays").group_by("ward").agg(stays=pets.count())',
            """
            ward  | stays
            ------+------
            north | 3
            south | 2
            west  | 0
            """,
            why="Groups come in the order of the schema; nobody is in the west.",
        ),
        Spec(
            "A nullable column has a group for rows without a value",
            'pets.query("stays").group_by("sex").agg(stays=pets.count())',
            """
            sex     | stays
            --------+------
            F       | 3
            M       | 1
            missing | 1
            """,
        ),
        Spec(
            "Groups of two columns",
            'pets.query("stays").group_by("ward", "sex").agg(stays=pets.count())',
            """
            ward  | sex     | stays
            ------+---------+------
            north | F       | 2
            north | M       | 1
            north | missing | 0
            south | F       | 1
            south | M       | 0
            south | missing | 1
            west  | F       | 0
            west  | M       | 0
            west  | missing | 0
            """,
        ),
        Spec(
            "The order of the columns is the order asked for",
            'pets.query("stays").where(col("days") > 4).group_by("sex", "ward").agg(stays=pets.count())',
            """
            sex     | ward  | stays
            --------+-------+------
            F       | north | 1
            F       | south | 0
            F       | west  | 0
            M       | north | 1
            M       | south | 0
            M       | west  | 0
            missing | north | 0
            missing | south | 0
            missing | west  | 0
            """,
        ),
        Spec(
            "Rows that meet a condition of their own",
            'pets.query("stays").group_by("ward").agg(stays=pets.count(), long=pets.count(col("days") >= 3))',
            """
            ward  | stays | long
            ------+-------+-----
            north | 3     | 3
            south | 2     | 0
            west  | 0     | 0
            """,
        ),
        Spec(
            "A whole number as a group",
            'pets.query("stays").where(col("days") <= 3).group_by("days").agg(stays=pets.count())',
            """
            days    | stays
            --------+------
            1       | 1
            2       | 1
            3       | 1
            4       | 0
            5       | 0
            6       | 0
            7       | 0
            8       | 0
            9       | 0
            10      | 0
            11      | 0
            12      | 0
            13      | 0
            14      | 0
            missing | 0
            """,
        ),
        Spec(
            "Identical rows are all counted",
            'pets.query("stays").agg(stays=pets.count(), patients=pets.count_units())',
            """
            stays | patients
            ------+---------
            3     | 1
            """,
            tables={
                "stays": """
                patient | ward  | sex | days
                --------+-------+-----+-----
                1       | north | F   | 3
                1       | north | F   | 3
                1       | north | F   | 3
                """
            },
        ),
        Spec(
            "People",
            'pets.query("stays").agg(patients=pets.count_units())',
            """
            patients
            --------
            3
            """,
        ),
        Spec(
            "People of each group",
            'pets.query("stays").group_by("ward").agg(stays=pets.count(), patients=pets.count_units())',
            """
            ward  | stays | patients
            ------+-------+---------
            north | 3     | 2
            south | 2     | 2
            west  | 0     | 0
            """,
            why="Patient 1 counts once in the north and once in the south.",
        ),
        Spec(
            "People with a row that meets the filter",
            'pets.query("stays").where(col("days") > 2).group_by("ward").agg(patients=pets.count_units())',
            """
            ward  | patients
            ------+---------
            north | 2
            south | 0
            west  | 0
            """,
        ),
        Spec(
            "People with a row that meets a condition of their own",
            'pets.query("stays").agg(patients=pets.count_units(), long=pets.count_units(col("days") > 4))',
            """
            patients | long
            ---------+-----
            3        | 2
            """,
        ),
        Spec(
            "People in groups of two columns",
            'pets.query("stays").group_by("sex", "ward").agg(patients=pets.count_units())',
            """
            sex     | ward  | patients
            --------+-------+---------
            F       | north | 1
            F       | south | 1
            F       | west  | 0
            M       | north | 1
            M       | south | 0
            M       | west  | 0
            missing | north | 0
            missing | south | 1
            missing | west  | 0
            """,
        ),
        Spec(
            "No rows at all",
            'pets.query("stays").group_by("sex").agg(stays=pets.count(), patients=pets.count_units())',
            """
            sex     | stays | patients
            --------+-------+---------
            F       | 0     | 0
            M       | 0     | 0
            missing | 0     | 0
            """,
            tables={"stays": "patient | ward | sex | days"},
        ),
    ),
)
