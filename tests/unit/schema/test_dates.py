"""Date-times: a public grid of steps, compared and grouped as dates are."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pets
from pets.common.codec import digest
from pets.errors import QueryError, SchemaError
from pets.plan.layout import dimension
from pets.plan.predicate import Codes, resolve
from pets.query_model.expression import Filter, filter_from_json
from pets.query_model.group_keys import ColumnKey
from pets.schema.domain import MISSING
from pets.schema.schema_form import domain as read
from pets.synthetic.dp_model.columns import modelled
from pets.synthetic.dummy import render
from pets.synthetic.sdv.sdv_metadata import coded, decoded, kinds, rendered

col = pets.col
t = dt.datetime
SEEN = pets.DateTime("2019-12-30 22:00", "2020-02-01 05:59")
FORM = {"type": "datetime", "min": "2019-12-30 22:00:00", "max": "2020-02-01 05:59:00", "step": "minute"}


def schema(**columns: Any) -> pets.Schema:
    return pets.Schema({"t": pets.Table("row", columns)}, dataset="d")  # type: ignore[arg-type]


def test_each_step_has_a_code() -> None:
    assert SEEN.cells == 2 * 60 + 32 * 24 * 60 + 6 * 60
    assert SEEN.decode(0) == t(2019, 12, 30, 22) and SEEN.decode(SEEN.cells - 1) == t(2020, 2, 1, 5, 59)
    assert SEEN.encode("2019-12-31") == 120 and SEEN.encode(t(2019, 12, 30, 22, 1)) == 1
    assert SEEN.decode(SEEN.cells) == MISSING
    for outside in (t(2019, 12, 30, 21, 59), "2020-02-01 06:00", "2020-01-01 00:00:30"):
        with pytest.raises(QueryError, match="is not one of its values"):
            SEEN.encode(outside)
    whole = pets.DateTime(t.min, "9999-12-31 23:59:59", "second")
    assert whole.decode(whole.cells - 1) == t(9999, 12, 31, 23, 59, 59)


def test_the_canonical_form_is_fixed() -> None:
    assert SEEN.to_json() == FORM and read(FORM) == SEEN
    full = FORM | {"step": "hour", "max": "2020-02-01 05:00:00", "format": "%d/%m/%Y %H:%M", "tz": "Europe/London"}
    assert read(full | {"null": ["x"], "nullable": True}).to_json() == full | {"null": ["x"]}
    assert read({"type": "datetime", "min": "2019-12-30 22:00", "max": "2020-02-01 05:59"}) == SEEN
    assert digest(SEEN.to_json()) != digest(FORM | {"step": "second"})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("2019-04-01", "2019-04-30"), "max must have a time, such as 2019-04-30 23:59:00 for"),
        (("2019-04-01", dt.date(2019, 4, 30), "hour"), "max must have a time, such as 2019-04-30 23:00:00 for"),
        (("2019-04-01 00:30", "2019-04-30 23:00", "hour"), "min must be a whole hour"),
        (("2019-04-01", "2019-04-30 23:59:59"), "max must be a whole minute"),
        (("2019-04-01", "2019-04-30 23:59", "day"), "for whole days use type date"),
        (("2019-04-01 00:00Z", "2019-04-30 23:59"), "min must be a date and a time without a zone"),
        ((pd.NaT, "2019-04-30 23:59"), "min must be a date and a time without a zone"),
        (("2019-05-01", "2019-04-30 23:59"), "min .* is greater than max"),
    ],
)
def test_what_is_no_domain_is_refused(given: tuple[Any, ...], says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        pets.DateTime(*given)


def ranges(condition: Filter) -> Any:
    found = resolve(condition, {"t": SEEN}, "t")
    assert isinstance(found, Codes)
    assert filter_from_json(condition.to_json()) == condition
    return found.ranges


def test_constants_are_compared_exactly() -> None:
    c, last = col("t"), SEEN.cells - 1
    assert ranges(c == t(2019, 12, 30, 22, 5)) == ranges(c == "2019-12-30 22:05") == ((5, 5),)
    assert ranges(c == np.datetime64("2019-12-30T22:05")) == ranges(c == pd.Timestamp("2019-12-30 22:05")) == ((5, 5),)
    assert ranges(c == t(2019, 12, 30, 22, 5, 30)) == () and ranges(c != t(2019, 12, 30, 22, 5, 30)) == ((0, last),)
    assert ranges(c < t(2019, 12, 30, 22, 5, 30)) == ((0, 5),) and ranges(c < t(2019, 12, 30, 22, 5)) == ((0, 4),)
    assert ranges(c > t(2019, 12, 30, 22, 4, 59, 999999)) == ((5, last),)
    assert ranges(c >= np.datetime64("2019-12-30T22:05:00.000000001")) == ((6, last),)
    assert ranges(c < dt.date(2019, 12, 31)) == ranges(c < "2019-12-31") == ((0, 119),), "a day is its midnight"
    assert ranges(c.between("2019-01-01", dt.date(2019, 12, 31))) == ((0, 120),)
    assert ranges(c.isin([t(2019, 12, 30, 22, 1), "2019-12-30 22:02", "1999-01-01 10:00"])) == ((1, 2),)
    assert ranges(c.is_null()) == ((SEEN.cells, SEEN.cells),)
    assert (c == t(2020, 1, 1, 10, 30)).to_json()["value"] == {"datetime": "2020-01-01T10:30:00"}
    assert (c == t(2020, 1, 1)).to_json()["value"] == {"date": "2020-01-01"}, "as before there were date-times"
    for wrong in (5, True, "10:30"):
        with pytest.raises(QueryError, match="column 't' of table 't'"):
            resolve(c == wrong, {"t": SEEN}, "t")
    with pytest.raises(QueryError, match="has a zone or nanoseconds"):
        c < t(2020, 1, 1, tzinfo=dt.UTC)  # noqa: B015


def test_calendar_keys_cut_at_midnight() -> None:
    found = dimension(col("t").period("month"), {"t": SEEN}, "t")
    assert found.labels == ("2019-12", "2020-01", "2020-02", MISSING)
    january = 26 * 60
    assert found.breaks == (0, january, january + 31 * 24 * 60, SEEN.cells) and found.slots == (0, 1, 2, 3)
    assert dimension(col("t").year(), {"t": SEEN}, "t").breaks == (0, january, SEEN.cells)
    assert dimension(col("t").quarter(), {"t": SEEN}, "t").labels == (1, 4, MISSING)
    for key in (ColumnKey("t"), col("t").bins([0, 1])):
        with pytest.raises(QueryError, match=r"period\('month'\)|cut its bins at days or moments"):
            dimension(key, {"t": SEEN}, "t")


def test_a_session_answers_about_date_times() -> None:
    cells = ["2019-12-30 22:00", "2019-12-31 23:59:59", "2020-01-01", "2020-01-31T10:30:00.5", "2020-02-01 06:00", ""]
    session = pets.Session(
        schema(t=SEEN), pd.DataFrame({"t": cells}), budget=pets.Budget(epsilon=10_000), progress=False,
    )  # fmt: skip
    keys = pets.KeySet.of([{"t_month": "2020-01"}, {"t_month": "2019-12"}, {"t_month": None}])
    asked = pets.query("t").group_by(keys, col("t").period("month")).agg(n=pets.count())
    answer = session.release(asked, pets.DP(epsilon=1000)).to_pandas()
    assert answer["n"].tolist() == [2, 2, 2], "the noise of so much budget is none in practice"
    assert answer["t_month"].tolist()[:2] == [pd.Timestamp("2019-12-01"), pd.Timestamp("2020-01-01")]
    cut = pets.query("t").group_by(col("t").bins(["2019-12-31", "2020-01-01", "2020-02-01"])).agg(n=pets.count())
    bins = session.release(cut, pets.DP(epsilon=1000))
    assert bins.table["t"].tolist() == ["[2019-12-31, 2020-01-01)", "[2020-01-01, 2020-02-01]", MISSING]
    assert bins.table["n"].tolist() == [1, 2, 2], "a time before the first edge is in none"
    for wanted in (pets.median, pets.sum, pets.mean):
        with pytest.raises(QueryError):
            session.release(pets.query("t").agg(x=wanted("t")), pets.DP(epsilon=1))


def test_invented_and_modelled_rows_keep_the_grid() -> None:
    codes = np.array([0, 61, SEEN.cells])
    made = render(SEEN, codes, np.random.default_rng(1))
    assert made.type == pa.timestamp("us") and made.to_pylist() == [t(2019, 12, 30, 22), t(2019, 12, 30, 23, 1), None]
    assert kinds({"t": SEEN}) == {"t": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d %H:%M:%S"}}
    assert rendered(codes, SEEN).tolist() == ["2019-12-30 22:00:00", "2019-12-30 23:01:00", None]
    learnt = decoded({"t": codes}, {"t": SEEN})["t"]
    assert coded(learnt, SEEN).tolist() == codes.tolist()
    assert coded(pd.Series(["2019-12-30 22:01:59.9", "1999-01-01"]), SEEN).tolist() == [1, 0]
    (column,) = modelled(schema(t=SEEN), "t")
    months = column.values(np.arange(column.size), np.random.default_rng(1))
    assert [value[:7] for value in months[:-1]] == ["2019-12", "2020-01", "2020-02"] and months[-1] is None
    assert months[0] >= "2019-12-30 22:00:00" and months[2] <= "2020-02-01 05:59:00"
    frame = pets.dummy(schema(t=SEEN, u=pets.DateTime("2020-01-01", "2020-01-01 23:00", "hour")), rows=50, seed=1)
    seen = frame["t"]["t"].dropna()
    assert len(seen) > 25 and seen.between("2019-12-30 22:00", "2020-02-01 05:59").all()


def test_an_order_holds_between_date_times_of_one_step() -> None:
    columns = {
        "a": pets.DateTime("2020-01-01", "2020-01-02 23:59"),
        "b": pets.DateTime("2020-01-02", "2020-01-03 23:59"),
    }
    table = pets.Table("row", columns, rules=[{"order": ["a", "b"]}])  # type: ignore[arg-type]
    made = pets.dummy(pets.Schema({"t": table}, dataset="d"), rows=300, seed=1)["t"].dropna()
    assert (made["a"] <= made["b"]).all() and (made["a"] >= "2020-01-02").any()
    for other in (pets.DateTime("2020-01-02", "2020-01-03 23:00", "hour"), pets.Date("2020-01-01", "2020-01-02")):
        with pytest.raises(SchemaError, match="date-times or numbers of the same step"):
            pets.Table("row", columns | {"b": other}, rules=[{"order": ["a", "b"]}])  # type: ignore[arg-type]
