from tests.spec.book import Chapter, Spec

FATES = Chapter(
    "What becomes of each row and cell",
    "Nothing about real rows may stop a query or show in an error, so every cell has a meaning: a value of its\n"
    "column's domain, or none.",
    schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      n: {type: integer, min: 0, max: 10}
""",
    specs=(
        Spec(
            "Rows without a person are left out",
            'pets.query("visits").agg(rows=pets.count(), people=pets.count_units())',
            "rows | people\n-----+-------\n2 | 2",
            tables={"visits": "person | n\n1 | 1\n | 2\n'' | 3\n2 | 4"},
        ),
        Spec(
            "Ids are compared as exact text",
            'pets.query("visits").agg(people=pets.count_units())',
            "people\n------\n6",
            tables={"visits": "person | n\n7 | 1\n07 | 1\n7.0 | 1\n' 7' | 1\nx | 1\nX | 1\nx | 1"},
        ),
        Spec(
            "Blanks around ids are cut where the schema says so",
            'pets.query("visits").agg(rows=pets.count(), people=pets.count_units())',
            "rows | people\n-----+-------\n3 | 2",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20, trim: true}
    columns:
      person: {type: identifier}
      n: {type: integer, min: 0, max: 10}
""",
            tables={"visits": "person | n\n7 | 1\n' 7' | 1\n'7 x ' | 1\n' ' | 1"},
            why="An id of blanks only is no id.",
        ),
        Spec(
            "Ids that mean nobody",
            'pets.query("visits").agg(rows=pets.count())',
            "rows\n----\n1",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier, null: ["0", unknown]}
      n: {type: integer, min: 0, max: 10}
""",
            tables={"visits": "person | n\n0 | 1\nunknown | 1\n00 | 1"},
        ),
        Spec(
            "Numbers outside the bounds are moved to the nearer one",
            'pets.query("visits").agg(sum=pets.sum("n"), unknown=pets.count(col("n").is_null()))',
            "sum | unknown\n----+--------\n20 | 0",
            tables={"visits": "person | n\n1 | -1\n2 | 11\n3 | -1e300\n4 | 1e300"},
        ),
        Spec(
            "What is no whole number has no value",
            'pets.query("visits").agg(sum=pets.sum("n"), known=pets.count(~col("n").is_null()))',
            "sum | known\n----+------\n9 | 3",
            tables={
                "visits": "person | n\n1 | 5\n2 | 5.5\n3 | 3.0\n4 | many\n5 | NaN\n6 | inf\n7 | -inf\n8 | 1,5\n9 | 1e0"
            },
            why="3.0 and 1e0 are whole numbers; NaN and infinity are no numbers.",
        ),
        Spec(
            "Texts that mean no value",
            'pets.query("visits").agg(sum=pets.sum("n"), unknown=pets.count(col("n").is_null()))',
            "sum | unknown\n----+--------\n8 | 3",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      n: {type: integer, min: 0, max: 10, null: ["9", "-1"]}
""",
            tables={"visits": "person | n\n1 | 8\n2 | 9\n3 | -1\n4 |\n5 | -2"},
            why="−2 is moved to 0; 9 and −1 mean that there is no value.",
        ),
        Spec(
            "Fixed-point numbers are rounded to the nearest step",
            'pets.query("weights").agg(sum=pets.sum("kg"), top=pets.count(col("kg") == 200))',
            "sum | top\n----+----\n401 | 1",
            schema="""
tables:
  weights:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      kg: {type: real, min: 0, max: 200, step: 0.5}
""",
            tables={"weights": "person | kg\n1 | 70.24\n2 | 70.25\n3 | 60.74\n4 | 1e9\n5 | -3"},
            why="70, 70.5 (halves are rounded up), 60.5, 200 and 0.",
        ),
        Spec(
            "Values outside a category have no value",
            'pets.query("visits").group_by("sex").agg(rows=pets.count())',
            "sex | rows\n----+-----\nF | 1\nM | 1\nmissing | 4",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      sex: {type: category, values: [F, M]}
""",
            tables={"visits": "person | sex\n1 | F\n2 | M\n3 | f\n4 | ' M'\n5 | other\n6 |"},
            why="Categories are compared as exact text.",
        ),
        Spec(
            "Dates outside the domain have no value: they are not moved",
            'pets.query("visits").group_by(col("day").year()).agg(rows=pets.count())',
            "day_year | rows\n---------+-----\n2023 | 1\n2024 | 2\nmissing | 6",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      day: {type: date, min: 2023-01-01, max: 2024-12-31, null: "2024-06-15"}
""",
            tables={
                "visits": """
                person | day
                1      | 2023-01-01
                2      | 2024-12-31
                3      | 2024-12-31T23:59:59
                4      | 2022-12-31
                5      | 2025-01-01
                6      | 2023-02-29
                7      | 01/02/2023
                8      | 2024-06-15
                9      |
                """
            },
            why="The time of a day is left out.",
        ),
        Spec(
            "24:00 is the midnight that ends a day, in every format",
            'pets.query("visits").group_by(col("day").year()).agg(rows=pets.count())',
            "day_year | rows\n---------+-----\n2023 | 1\n2024 | 3\nmissing | 1",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      day: {type: date, min: 2023-01-01, max: 2024-12-31, format: "dd.mm.yyyy hh:mm"}
""",
            tables={
                "visits": """
                person | day
                1      | 2023-12-31 23:59
                2      | 2023-12-31 24:00
                3      | 31.12.2023 24:00
                4      | 2023-12-31 24:00Z
                5      | 31.12.2023 24:01
                """
            },
            why="It is 00:00 of the next day, and so it counts there.",
        ),
        Spec(
            "A number has its thousands marks everywhere or nowhere",
            'pets.query("bills").agg(sum=pets.sum("cost"), known=pets.count(~col("cost").is_null()))',
            "sum | known\n----+------\n3000.5 | 4",
            schema="""
tables:
  bills:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      cost: {type: real, min: 0, max: 10000, step: 0.5, decimal: ",", thousands: "."}
""",
            tables={
                "bills": "person | cost\n1 | 1.234,5\n2 | 1234\n3 | 0123\n4 | 409,0\n5 | 0.123\n"
                "6 | 12.34\n7 | 1234.5\n8 | 01.234"
            },
            why="What has a group of other size, or begins the first of several with 0, has no value.",
        ),
        Spec(
            "Date-times are floored to their step, and outside the domain have no value",
            """
            pets.query("visits").where((col("at") >= "2024-12-31 23:58") | col("at").is_null()).group_by(
                col("at").year()
            ).agg(rows=pets.count())
            """,
            "at_year | rows\n---------+-----\n2024 | 4\nmissing | 3",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      at: {type: datetime, min: 2024-01-01 00:00, max: 2024-12-31 23:59, step: minute, null: "2024-06-15 12:00"}
""",
            tables={
                "visits": """
                person | at
                1      | 2024-12-31 23:57:59.999
                2      | 2024-12-31 23:58
                3      | 2024-12-31T23:58:59
                4      | 2024-12-31 23:59:59.999
                5      | 2025-01-01 00:59+01:00
                6      | 2025-01-01 00:00
                7      | 2024-12-31
                8      | 2024-06-15 12:00:30
                9      | 31/12/2024 23:59
                """
            },
            why="A day without a time is its midnight; person 5's instant is 23:59 in UTC.",
        ),
        Spec(
            "How booleans are written",
            'pets.query("visits").group_by("here").agg(rows=pets.count())',
            "here | rows\n-----+-----\nFalse | 5\nTrue | 6\nmissing | 2",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      here: {type: boolean}
""",
            tables={
                "visits": "person | here\n1 | true\n1 | T\n1 | Yes\n1 | y\n1 | 1\n1 | 1.0\n"
                "2 | false\n2 | f\n2 | NO\n2 | 0\n2 | 0.0\n3 | 2\n3 |"
            },
        ),
        Spec(
            "Rows that lack a value which the schema promises are left out",
            'pets.query("visits").group_by("sex").agg(rows=pets.count(), people=pets.count_units())',
            "sex | rows | people\n----+------+-------\nF | 1 | 1\nM | 1 | 1",
            schema="""
tables:
  visits:
    unit: {column: person, max_rows: 20}
    columns:
      person: {type: identifier}
      sex: {type: category, values: [F, M], nullable: false}
""",
            tables={"visits": "person | sex\n1 | F\n1 |\n2 | M\n3 | other"},
            why="The custodian's report counts them; a query never shows them.",
        ),
    ),
)

PERSON = """
tables:
  stays:
    unit: {column: patient, max_rows: 5}
    person_table: patients
    columns:
      patient: {type: identifier}
      days: {type: integer, min: 0, max: 99, nullable: false}
  patients:
    unit: {column: id, max_rows: 1}
    columns:
      id: {type: identifier}
      sex: {type: category, values: [F, M], nullable: false}
      age: {type: integer, min: 0, max: 120}
"""

PERSON_ROWS = {
    "stays": """
    patient | days
    --------+-----
    a       | 3
    a       | 4
    b       | 10
    c       | 20
    """,
    "patients": """
    id | sex | age
    ---+-----+----
    a  | F   | 33
    b  | M   |
    d  | M   | 71
    """,
}

PEOPLE = Chapter(
    "Person tables",
    "A person table has one row per person; its columns can be used as if they were in each of that person's rows.",
    schema=PERSON,
    tables=PERSON_ROWS,
    specs=(
        Spec(
            "Group by a column of the person",
            'pets.query("stays").group_by("sex").agg(n=pets.count(), who=pets.count_units(), days=pets.sum("days"))',
            """
            sex     | n | who | days
            --------+---+-----+-----
            F       | 2     | 1      | 7
            M       | 1     | 1      | 10
            missing | 1     | 1      | 20
            """,
            why="Patient c is in no row of the person table, so their sex has no value, whatever that table promises.",
        ),
        Spec(
            "Filter by a column of the person",
            'pets.query("stays").where(col("age") >= 18).agg(stays=pets.count())',
            """
            stays
            -----
            2
            """,
        ),
        Spec(
            "A sum over rows of a value of the person",
            'pets.query("stays").agg(age=pets.sum("age"), known=pets.count(~col("age").is_null()))',
            """
            age | known
            ----+------
            66  | 2
            """,
            why="Patient a's age counts once for each of their rows.",
        ),
        Spec(
            "The person table itself",
            'pets.query("patients").group_by("sex").agg(people=pets.count())',
            """
            sex | people
            ----+-------
            F   | 1
            M   | 2
            """,
        ),
        Spec(
            "Two equal rows of one person are one",
            'pets.query("stays").group_by("sex").agg(stays=pets.count())',
            """
            sex     | stays
            --------+------
            F       | 1
            M       | 0
            missing | 0
            """,
            tables={
                "stays": "patient | days\na | 3",
                "patients": "id | sex | age\na | F | 33\na | F | 33",
            },
        ),
    ),
)

LOOKUPS = Chapter(
    "Look-ups",
    "A look-up is a public table from one category to another, such as a code to its chapter. It costs nothing.",
    schema="""
tables:
  stays:
    unit: {column: patient, max_rows: 5}
    columns:
      patient: {type: identifier}
      code: {type: category, values: [E10, E11, I21, Z00]}
      chapter:
        type: category
        values: [heart, diabetes]
        lookup: {column: code, map: {E10: diabetes, E11: diabetes, I21: heart}}
""",
    tables={
        "stays": """
        patient | code
        --------+-----
        1       | E10
        1       | E11
        2       | I21
        3       | Z00
        4       | ?
        5       |
        """
    },
    specs=(
        Spec(
            "Group by what is looked up",
            'pets.query("stays").group_by("chapter").agg(stays=pets.count(), people=pets.count_units())',
            """
            chapter  | stays | people
            ---------+-------+-------
            heart    | 1     | 1
            diabetes | 2     | 1
            missing  | 3     | 3
            """,
            why="A code that is not in the map, and a row without a code, have no value.",
        ),
        Spec(
            "Filter by it, group by its source",
            'pets.query("stays").where(col("chapter") == "diabetes").group_by("code").agg(stays=pets.count())',
            """
            code    | stays
            --------+------
            E10     | 1
            E11     | 1
            I21     | 0
            Z00     | 0
            missing | 0
            """,
        ),
        Spec(
            "Two codes, two look-ups",
            """
            pets.query("stays").where(~col("chapter").is_null()).agg(
                known=pets.count(), diabetes=pets.rate(col("chapter") == "diabetes")
            )
            """,
            """
            known | diabetes
            ------+-------------------
            3     | 0.6666666666666666
            """,
        ),
    ),
)

LARGE = """
tables:
  accounts:
    unit: {column: person, max_rows: 2}
    people: 1000
    columns:
      person: {type: identifier}
      big: {type: integer, min: 0, max: 1000000000000000}
      high: {type: integer, min: 9223372036854775800, max: 9223372036854775807}
      odd: {type: integer, min: 1, max: 4, nullable: false}
"""

LARGE_ROWS = {
    "accounts": """
    person | big              | high                | odd
    -------+------------------+---------------------+----
    1      | 999999999999999  | 9223372036854775807 | 1
    1      | 1000000000000000 | 9223372036854775806 | 2
    2      | 1                | 9223372036854775800 | 4
    """
}

NUMBERS = Chapter(
    "Large numbers and midpoints",
    "Sums are exact whole numbers of up to 62 bits; a query whose sums might need more is refused. Where a count is\n"
    "shared, values are measured from the middle of their range, which never shows in an exact answer.",
    schema=LARGE,
    tables=LARGE_ROWS,
    specs=(
        Spec(
            "A sum beyond the whole numbers that a float holds",
            'pets.query("accounts").agg(n=pets.count(), big=pets.sum("big"))',
            """
            n | big
            --+-----------------
            3 | 2000000000000000
            """,
        ),
        Spec(
            "The last digit of each number counts",
            'pets.query("accounts").where(col("big") == 999999999999999).agg(big=pets.sum("big"), n=pets.count())',
            """
            big             | n
            ----------------+--
            999999999999999 | 1
            """,
        ),
        Spec(
            "At the end of 64 bits",
            """
            pets.query("accounts").agg(
                top=pets.count(col("high") == 9223372036854775807),
                above=pets.count(col("high") > 9223372036854775800),
                hist=pets.histogram("high"),
            )
            """,
            """
            top | above | hist
            ----+-------+-------------------------
            1   | 2     | [1, 0, 0, 0, 0, 0, 1, 1]
            """,
        ),
        Spec(
            "A midpoint between two values",
            'pets.query("accounts").agg(n=pets.count(), sum=pets.sum("odd"), mean=pets.mean("odd"))',
            """
            n | sum | mean
            --+-----+-------------------
            3 | 7   | 2.3333333333333335
            """,
            why="The middle of 1 to 4 is 2.5.",
        ),
        Spec(
            "The same without a shared count",
            'pets.query("accounts").agg(sum=pets.sum("odd"))',
            """
            sum
            ---
            7
            """,
        ),
        Spec(
            "A clip whose midpoint lies between two values",
            """
            pets.query("accounts").agg(
                n=pets.count(), sum=pets.sum("odd", clip=(2, 3)), v=pets.variance("odd", clip=(2, 3))
            )
            """,
            """
            n | sum | v
            --+-----+-------------------
            3 | 7   | 0.2222222222222222
            """,
            why="2, 2 and 3.",
        ),
    ),
)
