"""Computed columns: what is made of a row's own values before anything is counted."""

from __future__ import annotations

from tests.spec.book import Chapter, Spec

CHAPTER = Chapter(
    "Computed columns",
    "`with_columns` names what is computed of a row's own values; conditions, keys and measures then use the name. Its "
    "bounds follow from the schema's, so it costs nothing. A row that lacks one of the values lacks the computed one.",
    schema="""
tables:
  stays:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      born: {type: date, min: 1920-01-01, max: 2021-12-31, nullable: false}
      came: {type: date, min: 2021-01-01, max: 2021-12-31, nullable: false}
      left: {type: date, min: 2021-01-01, max: 2022-01-31}
      due: {type: integer, min: 0, max: 100}
      paid: {type: real, min: 0, max: 100, step: 0.5}
      code: {type: category, values: [I210, I214, J18, J45]}
""",
    tables={
        "stays": """
        person | born       | came       | left       | due | paid | code
        -------+------------+------------+------------+-----+------+-----
        1      | 2000-02-29 | 2021-02-28 | 2021-03-02 | 10  | 4.5  | I210
        1      | 2000-02-29 | 2021-03-01 | 2021-03-01 | 20  | 20.0 | I214
        2      | 1950-06-15 | 2021-06-14 | 2021-06-30 | 30  |      | J18
        3      | 1950-06-15 | 2021-06-15 |            | 40  | 0.5  | J45
        4      | 2021-01-01 | 2021-01-01 | 2021-01-02 |     | 8.0  |
        """
    },
    specs=(
        Spec(
            "Days between two dates",
            'pets.query("stays").with_columns(nights=col("left") - col("came"))'
            '.agg(nights=pets.sum("nights"), longest=pets.count(where=col("nights") >= 2), none=pets.count(where=col('
            '"nights").is_null()))',
            """
            nights | longest | none
            -------+---------+-----
            19     | 2       | 1
            """,
            why="2 + 0 + 16 + 1 nights; who has not left has no nights yet.",
        ),
        Spec(
            "Sums and multiples of columns",
            'pets.query("stays").with_columns(owed=col("due") - 2 * col("paid") + 1)'
            '.agg(owed=pets.sum("owed"), n=pets.count(where=~col("owed").is_null()))',
            """
            owed | n
            -----+--
            23   | 3
            """,
            why="10 - 9 + 1, 20 - 40 + 1 and 40 - 1 + 1; two rows lack one of the numbers.",
        ),
        Spec(
            "The least and the greatest of several",
            'pets.query("stays").with_columns(less=pets.min_of("due", "paid"), capped=pets.max_of("due", 25))'
            '.agg(less=pets.sum("less"), capped=pets.sum("capped"))',
            """
            less | capped
            -----+-------
            25   | 120
            """,
            why="4.5 + 20 + 0.5; and 25 + 25 + 30 + 40.",
        ),
        Spec(
            "Ages",
            'pets.query("stays").with_columns(age=col("born").age_at(col("came")))'
            '.group_by(col("age").bins([0, 20, 21, 70, 71, 100])).agg(n=pets.count())',
            """
            age       | n
            ----------+--
            [0, 20)   | 1
            [20, 21)  | 1
            [21, 70)  | 1
            [70, 71)  | 1
            [71, 100] | 1
            """,
            why="Whole years by the calendar. Who was born on 29 February is a year older on 1 March of 2021, not on "
            "28 February; who was born on 15 June is 70 on the day before the birthday.",
        ),
        Spec(
            "Ages on one day",
            'pets.query("stays").with_columns(age=col("born").age_at("2022-01-01"))'
            '.agg(old=pets.count_units(where=col("age") >= 65), mean=pets.mean("age"))',
            """
            old | mean
            ----+-----
            2   | 37
            """,
            why="21, 21, 71, 71 and 1.",
        ),
        Spec(
            "How many whole times",
            'pets.query("stays").with_columns(fifteens=col("due") // 15).agg(n=pets.sum("fifteens"))',
            """
            n
            -
            5
            """,
            why="0 + 1 + 2 + 2, rounded down.",
        ),
        Spec(
            "Codes by their first characters",
            'pets.query("stays").with_columns(chapter=col("code").prefix(3)).group_by("chapter").agg(n=pets.count())',
            """
            chapter | n
            --------+--
            I21     | 2
            J18     | 1
            J45     | 1
            missing | 1
            """,
        ),
        Spec(
            "Codes that begin with a text",
            'pets.query("stays").where(~col("code").startswith("I21")).agg(n=pets.count())',
            """
            n
            -
            2
            """,
            why="A row without a code meets neither the condition nor its opposite.",
        ),
        Spec(
            "What codes belong to",
            'pets.query("stays").with_columns(organ=col("code").map({"I210": "heart", "I214": "heart"}, '
            'otherwise="other")).group_by("organ").agg(n=pets.count(), people=pets.count_units())',
            """
            organ   | n | people
            --------+---+-------
            heart   | 2 | 1
            other   | 2 | 2
            missing | 1 | 1
            """,
        ),
        Spec(
            "Computed of what was computed",
            'pets.query("stays").with_columns(nights=col("left") - col("came"), weeks=col("nights") // 7)'
            '.group_by(pets.KeySet.product({"weeks": [0, 2]})).agg(n=pets.count())',
            """
            weeks | n
            ------+--
            0     | 3
            2     | 1
            """,
        ),
    ),
)
