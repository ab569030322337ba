"""What SQL has and a query has not, and what to write instead."""

from __future__ import annotations

from sqlglot import exp

from pets.query_model.sql.scope import FEATURES

_COMPUTED = (
    "of a row are computed sums, differences, multiples by numbers, FLOOR, LEAST, GREATEST, AGE_AT, LEFT and CASE; "
    "compute anything else in the data and declare it in the schema, or compute with the answer's own columns: "
    "release.table"
)
_SPELLING = (
    "texts are compared as the schema reads them; say map, trim or case: fold there, and compare the column itself"
)
_PREFIX = (
    "parts of a text are not answered yet; declare a category with a lookup in the schema (each value, and what it "
    "belongs to), and ask for that"
)
_PATTERN = "patterns are not answered yet; list the values with IN (…)"
_CODELIST = (
    "SQL reads no file of codes; write code IN ('I21', 'I22'), or query.where(col('code').in_codelist('mi.csv'))"
)
_EXTREME = "the smallest and the largest value are one person's; write QUANTILE_DISC(x, 0.01) or (x, 0.99)"
_ROW = "which row is first or last needs the rows of a person in order; " + FEATURES
_WINDOW = (
    "a window looks at rows beside each other, and rows never leave; order, ranks and running totals are taken of the "
    "answer: release.table"
)
_SHARE = "shares of a total are taken of the answer: t = release.table, then t['n'] / t['n'].sum()"
_TODAY = "a question means the same tomorrow; write the day itself, such as DATE '2022-12-31'"
_MARGINS = "group by the plain keys; totals are taken of the answer: release.total('n', by=['region'])"
_SAMPLE = "which rows count is the bound's business: write FROM BOUND(stays, rows := 1)"
_ROWS = "measures are counts, sums and the like; texts of rows never leave"

_BY_KIND: dict[type[exp.Expression], str] = {
    exp.Subquery: FEATURES,
    exp.Select: FEATURES,
    exp.Exists: FEATURES,
    exp.Lag: _ROW,
    exp.Lead: _ROW,
    exp.First: _ROW,
    exp.Last: _ROW,
    exp.FirstValue: _ROW,
    exp.LastValue: _ROW,
    exp.ArgMin: _ROW,
    exp.ArgMax: _ROW,
    exp.AnyValue: _ROW,
    exp.RowNumber: _ROW,
    exp.Min: _EXTREME,
    exp.Max: _EXTREME,
    exp.Like: _PATTERN,
    exp.ILike: _PATTERN,
    exp.SimilarTo: _PATTERN,
    exp.RegexpLike: _PATTERN,
    exp.Glob: _PATTERN,
    exp.StartsWith: _PATTERN,
    exp.EndsWith: _PATTERN,
    exp.Contains: _PATTERN,
    exp.Left: _PREFIX,
    exp.Right: _PREFIX,
    exp.Substring: _PREFIX,
    exp.Lower: _SPELLING,
    exp.Upper: _SPELLING,
    exp.Trim: _SPELLING,
    exp.Coalesce: "rows without a value are a group of their own, and x IS NULL finds them; leave COALESCE out",
    exp.Cast: "a column has the type that the schema says; leave the cast out",
    exp.TryCast: "a column has the type that the schema says; leave the cast out",
    exp.CurrentDate: _TODAY,
    exp.CurrentTimestamp: _TODAY,
    exp.CurrentTime: _TODAY,
    exp.Rollup: _MARGINS,
    exp.Cube: _MARGINS,
    exp.GroupingSets: _MARGINS,
    exp.Mode: "the most frequent value is seen in HISTOGRAM(x)",
    exp.ApproxQuantile: "write QUANTILE_DISC(x, 0.9)",
    exp.ApproxDistinct: "write COUNT(DISTINCT …) of the column that names a person; other values are counted by value",
    exp.NullSafeEQ: "write x = 1, or x IS NULL",
    exp.NullSafeNEQ: "write x <> 1, with OR x IS NULL where rows without a value are meant",
    exp.Placeholder: "a question holds its constants; write the value in place of the mark",
    exp.Parameter: "a question holds its constants; write the value in place of the mark",
    exp.TableSample: _SAMPLE,
    exp.ArrayAgg: _ROWS,
    exp.GroupConcat: _ROWS,
    exp.Star: "rows never leave; name measures in place of *, such as COUNT(*) AS n",
}

_BY_NAME = {
    "DP_INTERVAL_LOW": "intervals are in every answer: beside n stand n_low and n_high; leave this out",
    "DP_INTERVAL_HIGH": "intervals are in every answer: beside n stand n_low and n_high; leave this out",
    "ANON_COUNT": "write COUNT(*); a release protects it",
    "ANON_SUM": "write SUM(CLIP(x, 0, 100)); a release protects it",
    "ANON_AVG": "write AVG(CLIP(x, 0, 100)); a release protects it",
    "CODELIST": _CODELIST,
    "IN_CODELIST": _CODELIST,
    "NOW": _TODAY,
    "TODAY": _TODAY,
    "AGE": _COMPUTED,
    "ROW_NUMBER": _ROW,
    "TRUE": "",
}


_ARITHMETIC = (exp.Binary, exp.Neg, exp.Unary, exp.DateDiff, exp.DateAdd, exp.DateSub, exp.Interval, exp.Case)


def instead(node: exp.Expression) -> str:
    """What to write in place of a node; empty where nothing is known."""
    if isinstance(node, exp.Window):
        inner = node.this
        return (
            _SHARE
            if isinstance(inner, exp.Sum) and isinstance(inner.this, exp.AggFunc)
            else _BY_KIND.get(type(inner), _WINDOW)
        )
    if isinstance(node, exp.Anonymous):
        return _BY_NAME.get(str(node.this).upper(), "")
    for kind in type(node).__mro__:
        if kind in _BY_KIND:
            return _BY_KIND[kind]
    if isinstance(
        node, (exp.Binary, exp.Neg, exp.Unary, exp.DateDiff, exp.DateAdd, exp.DateSub, exp.Interval, exp.Case)
    ):
        return _COMPUTED
    return ""
