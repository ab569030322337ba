from tests.spec.book import Chapter, Spec

SCHEMA = """
tables:
  visits:
    unit: {column: person, max_rows: 9}
    columns:
      person: {type: identifier}
      sex: {type: category, values: [F, M, X]}
      age: {type: integer, min: 0, max: 120}
      bmi: {type: real, min: 10, max: 60, step: 0.5}
      seen: {type: date, min: 2024-01-01, max: 2024-12-31}
      smoker: {type: boolean}
"""

TABLES = {
    "visits": """
    person | sex | age | bmi  | seen       | smoker
    -------+-----+-----+------+------------+-------
    1      | F   | 17  | 20   | 2024-01-01 | true
    2      | M   | 18  | 25.5 | 2024-02-29 | false
    3      | X   | 65  |      | 2024-06-30 |
    4      |     | 90  | 31   |            | false
    5      | F   |     | 22.5 | 2024-12-31 | true
    """
}


def count(title: str, condition: str, n: int, why: str = "") -> Spec:
    """How many of the chapter's rows meet a condition."""
    return Spec(title, f'pets.query("visits").where({condition}).agg(n=pets.count())', f"n\n-\n{n}", why=why)


CHAPTER = Chapter(
    "Filters and missing values",
    "A filter keeps the rows that meet a condition. A row without a value meets no comparison with it, neither the\n"
    "condition nor its opposite; only `is_null` asks for such rows.",
    schema=SCHEMA,
    tables=TABLES,
    specs=(
        count("Equal", 'col("sex") == "F"', 2),
        count("Not equal", 'col("sex") != "F"', 2, "Person 4's sex is not known, so it is not known to differ."),
        count("Less", 'col("age") < 18', 1),
        count("At most", 'col("age") <= 18', 2),
        count("Greater", 'col("age") > 65', 1),
        count("At least", 'col("age") >= 65', 2),
        count("Between, both ends included", 'col("age").between(18, 65)', 2),
        count("Between, the wrong way round", 'col("age").between(65, 18)', 0),
        count("One of several", 'col("sex").isin(["M", "X"])', 2),
        count("One of several numbers, some outside the domain", 'col("age").isin([17, 18, 19, 500])', 2),
        count("None of several", '~col("sex").isin(["M", "X"])', 2, "Again without person 4."),
        count("No value", 'col("age").is_null()', 1),
        count("Some value", '~col("age").is_null()', 4),
        count(
            "The opposite of a comparison", '~(col("age") > 60)', 2, "Person 5's age is not known: they meet neither."
        ),
        count("The opposite, or not known", '~(col("age") > 60) | col("age").is_null()', 3),
        count("The opposite of the opposite", '~~(col("age") > 60)', 2),
        count("The opposite of equal", '~(col("sex") == "F")', 2),
        count("Both", '(col("sex") == "F") & (col("age") < 18)', 1),
        count("Either", '(col("sex") == "F") | (col("age") > 60)', 4),
        count("Neither", '~((col("sex") == "F") | (col("age") > 60))', 1, "Only person 2 is known to be neither."),
        count(
            "Not both",
            '~((col("sex") == "F") & (col("age") < 18))',
            3,
            "Persons 2 and 3 are not F; person 4 is not under 18; person 5 may be.",
        ),
        count("A boolean", 'col("smoker") == True', 2),
        count("A boolean that is not true", 'col("smoker") != True', 2),
        count("A date", 'col("seen") == "2024-02-29"', 1),
        count("Before a date", 'col("seen") < "2024-06-30"', 2),
        count("From a date on", 'col("seen") >= "2024-06-30"', 2),
        count("Dates outside the domain", 'col("seen").between("1900-01-01", "2024-01-31")', 1),
        count("A number outside the domain", 'col("age") < 1000', 4),
        count("A number that no whole number equals", 'col("age") == 17.5', 0),
        count("Greater than a number between two whole numbers", 'col("age") > 17.5', 3),
        count("Less than a number between two steps", 'col("bmi") < 25.7', 3),
        count("At most a number between two steps", 'col("bmi") <= 22.4', 1),
        count("A fixed-point number", 'col("bmi") == 25.5', 1),
        count("Different from a number that is never reached", 'col("bmi") != 25.6', 4),
        Spec(
            "Two filters are both met",
            'pets.query("visits").where(col("age") >= 18).where(col("sex") == "M").agg(n=pets.count())',
            "n\n-\n1",
        ),
        Spec(
            "A filter on a grouped column leaves its other groups empty",
            'pets.query("visits").where(col("sex").isin(["F", "M"])).group_by("sex").agg(n=pets.count())',
            """
            sex     | n
            --------+--
            F       | 2
            M       | 1
            X       | 0
            missing | 0
            """,
        ),
        Spec(
            "A group by a boolean",
            'pets.query("visits").group_by("smoker").agg(n=pets.count())',
            """
            smoker  | n
            --------+--
            False   | 2
            True    | 2
            missing | 1
            """,
        ),
    ),
)
