from tests.spec.book import Chapter, Spec

CHAPTER = Chapter(
    "Texts that nobody listed",
    "A column of type `text` states how long its texts are and of which signs, and no values. Its keys are listed by "
    "the question, or released before (`session.group_keys`). In form `icd10` letters are raised and dots dropped.",
    schema="""
tables:
  episodes:
    unit: {column: person, max_rows: 3}
    columns:
      person: {type: identifier}
      diagnosis: {type: text, max_length: 5, form: icd10, 'null': 'NA'}
      ward: {type: text, max_length: 8, nullable: false}
      days: {type: integer, min: 0, max: 30}
""",
    tables={
        "episodes": """
        person | diagnosis | ward     | days
        -------+-----------+----------+-----
        1      | I21.0     | North    | 1
        1      | i210      | North    | 2
        2      | I210      | South 2  | 3
        2      | J45       | South 2  | 4
        3      | I21       | North    | 5
        4      | NA        | South 2  | 6
        4      | missing   | South 2  | 7
        5      | 21.0      | North    | 8
        5      | I21.0123  | North    | 9
        6      | K35       | North II | 10
        7      | K35       | Far too long | 11
        """
    },
    specs=(
        Spec(
            "Groups by texts that the question lists",
            'pets.query("episodes").group_by(pets.KeySet.product({"diagnosis": ["J45", "I21.0", "Z99", None]}))'
            '.agg(n=pets.count(), people=pets.count_units(), days=pets.sum("days"))',
            """
            diagnosis | n | people | days
            ----------+---+--------+-----
            I210      | 3 | 2      | 6
            J45       | 1 | 1      | 4
            Z99       | 0 | 0      | 0
            missing   | 4 | 2      | 30
            """,
            why="I21.0, i210 and I210 are one text; I21 and K35 are not listed. A text that breaks the form or is too "
            "long has no value, and neither has one that says missing. The last row's ward is too long and needed, so "
            "the row is left out.",
        ),
        Spec(
            "Conditions on texts: equal, one of, none of",
            'pets.query("episodes").agg(a=pets.count(col("diagnosis") == "i21"), '
            'b=pets.count(col("diagnosis").isin(["I21.0", "K35"])), c=pets.count(~(col("diagnosis") == "I210")), '
            'd=pets.count(col("diagnosis").is_null()), r=pets.rate(col("ward") != "North"))',
            """
            a | b | c | d | r
            --+---+---+---+----
            1 | 4 | 3 | 4 | 0.5
            """,
            why="A null meets only is_null: the four without a diagnosis are in neither b nor c.",
        ),
        Spec(
            "Two columns of texts, and a person in at most one group",
            'pets.query("episodes").group_by(pets.KeySet.of([{"ward": "North", "diagnosis": "I210"}, '
            '{"ward": "South 2", "diagnosis": None}])).bound(groups=1).agg(people=pets.count_units())',
            """
            ward    | diagnosis | people
            --------+-----------+-------
            North   | I210      | 1
            South 2 | missing   | 1
            """,
        ),
    ),
)
