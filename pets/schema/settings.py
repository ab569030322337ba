"""Every setting of a schema file: its name, what may stand there, what it means, and what holds where it is left out.

The reader of schema files takes the names from here, and the reference of the documentation is made from here, so
that neither knows a setting that the other does not.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_ROWS = 10_000
"""Rows of one person that a snapshot may keep at most."""
MAX_RANKS = 8
"""Sets of columns within which a snapshot ranks rows at most."""
MAX_SLOTS = 2_000_000
"""Groups that an answer has at most."""
HINTS = ("refers", "weights", "shape")
"""Settings of a column that only invented rows rest on: no part of the schema's canonical form."""
PEOPLE = 2**27
"""People that a table holds at most, unless it says otherwise."""
ENCODINGS = ("utf-8", "latin-1", "cp1252", "iso-8859-15", "cp850", "utf-16")
"""The encodings in which a CSV file is read."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: as it stands in the file.
        value: what may stand there, in words.
        meaning: what it says about the tables.
        default: what holds where it is left out, as YAML or in words in brackets; ``None`` where it is needed.
    """

    name: str
    value: str
    meaning: str
    default: str | None = None

    @property
    def needed(self) -> bool:
        """Whether it may not be left out."""
        return self.default is None


@dataclass(frozen=True)
class Part:
    """One mapping of a schema file, with all its settings.

    Attributes:
        what: what it is called in error messages.
        about: what it describes, in a sentence or two.
        settings: in the order in which a reader wants them.
    """

    what: str
    about: str
    settings: tuple[Setting, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are read; any other is refused."""
        return tuple(setting.name for setting in self.settings)

    @property
    def needed(self) -> tuple[str, ...]:
        """The names that may not be left out, apart from a column's ``type``."""
        return tuple(setting.name for setting in self.settings if setting.needed and setting.name != "type")

    @property
    def optional(self) -> tuple[str, ...]:
        """A column's own names that may be left out: neither what every column has nor what it needs."""
        return tuple(s.name for s in self.settings if not s.needed and s not in _EMPTY and s.name not in HINTS)


SCHEMA = Part(
    "a schema",
    "The whole file. Everything in it is public knowledge, and nothing in it may be read from the rows.",
    (
        Setting("tables", "names, each with its table", "The tables. What is not listed is never read."),
        Setting(
            "dataset",
            "a text",
            "The name under which the account is kept. Tables that share people share a dataset. A ledger that "
            "outlives the process needs one.",
            "local",
        ),
        Setting(
            "dummy",
            "the name of a pack, such as `nhs`, or the folder of one's own beside the file",
            "Invented rows are made by the pack, as far as its tables and columns are those of the schema. It is no "
            "part of the schema's digest.",
            "(they are drawn from the columns)",
        ),
    ),
)

TABLE = Part(
    "a table",
    "One table: who is protected in it, and what its columns may hold.",
    (
        Setting("unit", "a unit, or the text `row`", "Who is protected. `row`: each row is a person, without an id."),
        Setting("columns", "names, each with its column", "The columns. One that is not listed is never read."),
        Setting(
            "person_table",
            "the name of another table",
            "A table with one row a person (`max_rows: 1`), whose columns are attached to each row by the unit's "
            "column.",
            "(none)",
        ),
        Setting(
            "people",
            "a whole number up to 2^40",
            "A public upper bound on the number of people. Sums are proved to fit for that many.",
            str(PEOPLE),
        ),
        Setting(
            "rules",
            "a list of rules",
            "What holds between the columns of a row. Invented rows keep them; no plan, bound or release rests on one.",
            "[]",
        ),
        Setting(
            "encoding",
            "`utf-8`, `latin-1`, `cp1252`, `iso-8859-15`, `cp850` or `utf-16`",
            "How the texts of a CSV file are encoded.",
            "utf-8",
        ),
    ),
)

UNIT = Part(
    "a unit",
    "The privacy unit: whose presence the guarantee hides, and how many of their rows may count.",
    (
        Setting("column", "the name of a column of type identifier", "The column that names a person."),
        Setting(
            "max_rows",
            f"a whole number from 1 to {MAX_ROWS:,}",
            "Rows of one person that a snapshot keeps. No query may count more.",
        ),
        Setting(
            "rows",
            "a whole number from 1 to `max_rows`",
            "Rows of one person that a query counts unless it says otherwise (K). Noise grows with it.",
            "(as `max_rows`)",
        ),
        Setting(
            "trim",
            "`true` or `false`",
            "Whether blanks around an id are cut before ids are compared as exact text.",
            "false",
        ),
        Setting(
            "rank_within",
            f"a list of at most {MAX_RANKS} lists of columns",
            "Columns of the table by which queries group with `rows_per_group`, or periods of its times: "
            "`admitted.week`, `admitted.mmwr_week`, `admitted.day`, `admitted.period.month` (or `quarter`, `year`, "
            "`hour`). A snapshot then ranks each person's rows within each combination of their values, and such a "
            "query costs hardly more than without; for any other columns and periods, and for bins, rows are ranked "
            "for each question, which costs 12 to 67 times as much.",
            "[]",
        ),
        Setting(
            "arrival",
            "a column of the table of type date, datetime or integer with `nullable: false`",
            "The column by which rows arrive, such as the day or the number of a delivery. Of a person the first rows "
            "to arrive count, instead of rows chosen at random: later rows of a person who has `max_rows` already are "
            "seen by no question, and change nothing. Rows that arrive together are in random order.",
            "(rows are chosen at random)",
        ),
    ),
)

_TYPE = Setting("type", "one of the types on this page", "What the column holds.")
_EMPTY = (
    Setting(
        "nullable",
        "`true` or `false`",
        "Whether a cell may have no value. A nullable column that groups has a slot called `missing`.",
        "true",
    ),
    Setting("null", "a text, or a list of texts", "Texts that mean: no value. The empty text always does.", "[]"),
)


_HINT = "Public, made up or published, never read from rows, and no part of the schema's digest."
_REFERS = Setting(
    "refers",
    "a table and its identifier, such as `visits.visit`",
    f"Invented rows hold values of that column, of the same person. {_HINT}",
    "(each row has its own)",
)
_WEIGHTS = Setting(
    "weights",
    "values, each with a number, such as `{F: 52, M: 48}`",
    f"How often invented rows hold each; one that is not named is not drawn. {_HINT}",
    "(each as often)",
)


def _shape(words: str, more: str = "") -> Setting:
    said = f"Of which shape invented values are, within `min` and `max`.{more} {_HINT}"
    return Setting("shape", words, said, "(even)")


_BANDS = "`bands` and a weight for each of so many equal parts of the range (`bands 1 4 2`), or `even`"
_OF_TIMES = _shape(_BANDS)
_OF_NUMBERS = _shape(
    "`geometric MEAN` or `poisson MEAN` (from `min` on), `normal MEAN SPREAD`, `skewed MEDIAN SPREAD` (log-normal), "
    + _BANDS,
    " Of the `days` that a rule computes, it shapes how far the second day lies behind the first.",
)

_NUMBERS = (
    Setting("decimal", "`.` or `,`", "The decimal mark of the file.", "."),
    Setting(
        "thousands",
        "`,`, `.`, `'` or a blank",
        "The mark between groups of three digits. A number with a group of other size, or whose first of several "
        "groups begins with 0 (`0,123`), is unreadable.",
        "(none)",
    ),
    Setting("prefix", "a text, or a list of texts", "What may stand before a number, such as £.", "[]"),
    Setting("suffix", "a text, or a list of texts", "What may stand after a number, such as kg.", "[]"),
)
_TIMES = (
    Setting(
        "format",
        "`iso`, `dd/mm/yyyy`, `yyyymmdd`, `dd-Mon-yy`, `dd.mm.yyyy hh:mm` or the like, a strptime pattern such as "
        "`'%d %B %Y'`, or a list of them",
        "How the file writes it, tried in order. ISO text such as 2019-04-01 is always read. Years of two digits lie "
        "between `min` and `max`. 24:00 is the midnight that ends the written day: 00:00 of the next one.",
        "iso",
    ),
    Setting(
        "tz",
        "a time zone such as `Europe/London`",
        "On whose clock times with an offset or a zone are read. A time without one is what is written.",
        "UTC",
    ),
)


def _kind(kind: str, about: str, *settings: Setting, what: str = "") -> Part:
    return Part(what or f"a column of type {kind}", about, (_TYPE, *settings, *_EMPTY))


KINDS = {
    "identifier": _kind(
        "identifier", "Names a person or a record. It is compared as exact text and never appears in a query.", _REFERS
    ),
    "category": _kind(
        "category",
        "A closed list of values, compared as exact text. A value that is not listed counts as missing.",
        Setting("values", "a list of texts", "The values, in the order in which they are shown."),
        Setting(
            "lookup", "a look-up", "The column is computed from another one, and is not read from the data.", "(none)"
        ),
        Setting("trim", "`true` or `false`", "Whether blanks around a text are cut before it is compared.", "false"),
        Setting("case", "`exact` or `fold`", "`fold`: upper and lower case are the same.", "exact"),
        Setting("map", "pairs of texts", "Another spelling, and the value that it stands for.", "{}"),
        _WEIGHTS,
        what="a category",
    ),
    "integer": _kind(
        "integer",
        "Whole numbers. A value outside is clamped to the nearer bound. Wider bounds mean more noise.",
        Setting("min", "a whole number", "The least value."),
        Setting("max", "a whole number", "The greatest value."),
        Setting(
            "round",
            "`floor`, `ceil` or `nearest`",
            "What becomes of a fraction (`nearest`: halves go up). Without it, a number with a fraction is unreadable.",
            "null",
        ),
        _OF_NUMBERS,
        *_NUMBERS,
    ),
    "real": _kind(
        "real",
        "Numbers, kept in whole steps. A value outside is clamped; one between two steps goes to the nearer, halves "
        "up. A text, a decimal or a whole number is rounded exactly as it is written, a float by its own exact value.",
        Setting("min", "a number", "The least value."),
        Setting("max", "a number", "The greatest value: `min` and a whole number of steps."),
        Setting("step", "a number above 0", "The distance between neighbouring values."),
        _OF_NUMBERS,
        *_NUMBERS,
    ),
    "date": _kind(
        "date",
        "Calendar days. A day outside counts as missing; it is not clamped.",
        Setting("min", "a day such as 2019-04-01", "The first day."),
        Setting("max", "a day such as 2024-03-31", "The last day, itself included."),
        _OF_TIMES,
        *_TIMES,
    ),
    "datetime": _kind(
        "datetime",
        "Date-times in whole steps. A time within a step is floored to it, a day without a time is its midnight, and "
        "what then lies outside counts as missing; it is not clamped. A query groups by calendar parts and periods.",
        Setting("min", "a date-time such as 2019-04-01 00:00", "The first step."),
        Setting(
            "max",
            "a date-time such as 2024-03-31 23:59",
            "The last step, itself included: with minutes, 23:59 takes in 23:59:59.",
        ),
        Setting(
            "step", "`second`, `minute` or `hour`", "How long a step is. `min` and `max` are whole ones.", "minute"
        ),
        _OF_TIMES,
        *_TIMES,
    ),
    "time": _kind(
        "time",
        "Times of day in whole steps, without a date. A time within a step is floored to it, and what then lies "
        "outside counts as missing; it is not clamped. 24:00 is 00:00, and an offset behind a time is not applied: a "
        "time of day is what the clock showed. A query groups by `col('arrived').hour()`, by bins, or by the column.",
        Setting("min", "a time such as 08:00", "The first step.", "00:00"),
        Setting(
            "max",
            "a time such as 17:59",
            "The last step, itself included: with minutes, 17:59 takes in 17:59:59.",
            "(the last of the day)",
        ),
        Setting(
            "step", "`second`, `minute` or `hour`", "How long a step is. `min` and `max` are whole ones.", "minute"
        ),
        Setting(
            "format",
            "`hhmm` or `hhmmss`",
            "How the file writes it where it has no colon; noughts in front may be missing (830 is 08:30). Times such "
            "as 08:30 and 08:30:15 are always read.",
            "(none)",
        ),
        _OF_TIMES,
    ),
    "text": _kind(
        "text",
        "Texts whose values nobody listed, such as codes of a large code list. Blanks around a text are cut. A text "
        "that is longer or breaks the form counts as missing, and so does the text `missing`. A query compares it with "
        "`==`, `!=` and `isin`, and groups by keys that were listed or released (`session.group_keys`).",
        Setting("max_length", "a whole number from 1 to 200", "Characters of a text at most."),
        Setting(
            "form",
            "`any`, `letters_digits` or `icd10`",
            "Of which signs it is: any but control characters, letters A to Z and digits, or an ICD-10 code. For the "
            "last, letters are raised and dots dropped: `i21.0` is `I210`.",
            "any",
        ),
    ),
    "boolean": _kind(
        "boolean",
        "Yes or no. Data may write true/false, t/f, yes/no, y/n or 1/0 (also 1.0 and 0.0), in any case and with "
        "blanks around. Other words are a category.",
        _WEIGHTS,
    ),
}
"""The types of columns."""

LOOKUP = Part(
    "a look-up",
    "A public many-to-one look-up: the column's value is a function of another column's value. The pairs stand in the "
    "schema (`map`), or in a CSV file beside it (`file`): one of the two.",
    (
        Setting("column", "the name of a category of the table", "The column that is looked up."),
        Setting("map", "pairs of texts", "Value of that column, and value of this one.", "(read from `file`)"),
        Setting(
            "file",
            "a path, seen from the schema's folder",
            "A CSV file in UTF-8 with a header.",
            "(the pairs stand in `map`)",
        ),
        Setting("key", "a text", "The file's column of values to look up.", "key"),
        Setting("value", "a text", "The file's column of values to give.", "value"),
    ),
)

RULE = Part(
    "a rule",
    "What the custodian publishes about the columns of one row together. A rule is one of: `{order: [a, b]}`, "
    "`{column: c, days: [a, b]}` (or `years`, or `sum`), `{column: c, when: {b: [value]}}`, `{unique: c}`. It holds "
    "where a column that it names is empty.",
    (
        Setting(
            "order",
            "a list of at least two columns",
            "No column's value is below that of the one before it: dates, or date-times or numbers of the same step.",
            "(none)",
        ),
        Setting("unique", "a column", "No two rows have the same value in it.", "(none)"),
        Setting("column", "a column", "The column that `days`, `years`, `sum` or `when` speaks of.", "(none)"),
        Setting("when", "a column and a list of its values", "`column` has a value only where it is one.", "(none)"),
        Setting("days", "a list of two dates", "`column` is the days from the first to the second.", "(none)"),
        Setting("years", "a list of two dates", "`column` is the completed years between them.", "(none)"),
        Setting("sum", "a list of at least two numbers", "`column` is their sum.", "(none)"),
    ),
)
