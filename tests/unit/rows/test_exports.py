"""Two files as they come: a German export, and an extract in the manner of the NHS. Five lines of schema read each."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from pathlib import Path

import pytest

from pets.errors import DataError
from pets.rows.snapshot import Snapshot
from pets.schema.schema import Schema

GERMAN = """
dataset: klinik
tables:
  faelle:
    unit: {column: Patient, max_rows: 40}
    encoding: latin-1
    columns:
      Patient: {type: identifier}
      Aufnahme: {type: date, min: 2019-01-01, max: 2023-12-31, format: dd.mm.yyyy}
      Kosten: {type: real, min: 0, max: 99999.99, step: 0.01, decimal: ",", thousands: ".", suffix: €}
      Geschlecht: {type: category, values: [männlich, weiblich], map: {m: männlich, w: weiblich}}
      Alter: {type: integer, min: 0, max: 110, round: floor, decimal: ","}
"""


def german(path: Path, encoding: str) -> tuple[list[tuple[object, ...]], list[str]]:
    """3,000 rows, and what they mean."""
    draw = random.Random(1)
    lines, meant = ["Patient;Aufnahme;Kosten;Geschlecht;Alter"], []
    for row in range(3000):
        day = dt.date(2019, 1, 1) + dt.timedelta(days=draw.randrange(365 * 5))
        cents, age = draw.randrange(10_000_000), draw.randrange(0, 1100)
        whole = f"{cents // 100:,}".replace(",", ".")
        sex, word = draw.choice([("männlich", "männlich"), ("weiblich", "w"), ("männlich", "m")])
        sign = "" if encoding == "latin-1" else " €"  # latin-1 has no euro
        lines.append(f'{row % 900};{day:%d.%m.%Y};"{whole},{cents % 100:02}{sign}";{word};{age // 10},{age % 10}')
        meant.append((age // 10, day, sex, cents))
    path.write_text("\r\n".join(lines) + "\r\n", encoding, newline="")
    return meant, lines


def content(made: Snapshot, schema: Schema, table: str) -> Counter[tuple[object, ...]]:
    fields = {name: domain for name, domain in schema.fields(table).items() if name in made.columns}
    rows = made.arrow().to_pylist()
    return Counter(tuple(fields[name].decode(row[made.columns[name]]) for name in sorted(fields)) for row in rows)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_a_german_export(tmp_path: Path, encoding: str) -> None:
    meant, _ = german(tmp_path / "faelle.csv", encoding)
    (tmp_path / "schema.yaml").write_text(GERMAN.replace("latin-1", encoding), "utf-8")
    schema = Schema.load(tmp_path / "schema.yaml")
    made = Snapshot.make(schema, "faelle", {"faelle": str(tmp_path / "faelle.csv")}, progress=False)
    assert content(made, schema, "faelle") == Counter((a, d, s, float(c) / 100) for a, d, s, c in meant)
    assert all(fate.unparsable == fate.out_of_domain == fate.clamped == 0 for fate in made.report.columns.values())


def test_without_its_encoding_the_export_is_refused_and_the_remedy_works(tmp_path: Path) -> None:
    german(tmp_path / "faelle.csv", "latin-1")
    (tmp_path / "schema.yaml").write_text(GERMAN.replace("encoding: latin-1", "encoding: utf-8"), "utf-8")
    schema = Schema.load(tmp_path / "schema.yaml")
    with pytest.raises(DataError, match=r"not UTF-8; save the file as UTF-8, or set the table's encoding"):
        Snapshot.make(schema, "faelle", {"faelle": str(tmp_path / "faelle.csv")}, progress=False)
    (tmp_path / "schema.yaml").write_text(GERMAN.replace("encoding: latin-1", "encoding: utf-16"), "utf-8")
    wrong = Schema.load(tmp_path / "schema.yaml")
    with pytest.raises(DataError, match="the text is not utf-16, as the schema says; set the table's encoding"):
        Snapshot.make(wrong, "faelle", {"faelle": str(tmp_path / "faelle.csv")}, progress=False)
    (tmp_path / "schema.yaml").write_text(GERMAN, "utf-8")
    Snapshot.make(
        Schema.load(tmp_path / "schema.yaml"), "faelle", {"faelle": str(tmp_path / "faelle.csv")}, progress=False
    )


NHS = """
dataset: hes
tables:
  apc:
    unit: {column: PERSON_ID_DEID, max_rows: 40, trim: true}
    columns:
      PERSON_ID_DEID: {type: identifier}
      ADMIDATE: {type: date, min: 2019-04-01, max: 2024-03-31, format: yyyymmdd, "null": ["18000101", "18010101"]}
      DISDATE: {type: date, min: 2019-04-01, max: 2024-03-31, format: dd/mm/yyyy hh:mm}
      ADMIMETH: {type: category, values: ["11", "21", "2A"], trim: true, case: fold, "null": ["99", "&"]}
      DIAG_4_01: {type: category, values: [I219, I10X, R69X], trim: true}
"""


def test_an_extract_in_the_manner_of_the_nhs(tmp_path: Path) -> None:
    draw = random.Random(2)
    lines, meant = ["PERSON_ID_DEID,ADMIDATE,DISDATE,ADMIMETH,DIAG_4_01"], []
    for row in range(3000):
        day = dt.date(2019, 4, 1) + dt.timedelta(days=draw.randrange(1700))
        out = day + dt.timedelta(days=draw.randrange(100))
        method, code = draw.choice(["11", "21", "2A", "99"]), draw.choice(["I219", "I10X", "R69X"])
        unknown = draw.random() < 0.1
        lines.append(
            f"{row % 700:<10},{'18000101' if unknown else f'{day:%Y%m%d}'},{out:%d/%m/%Y} 00:00,"
            f"{draw.choice([method, method.lower()]):<4},{code:<6}"
        )
        meant.append(("missing" if method == "99" else method, "missing" if unknown else day, code, out))
    (tmp_path / "apc.csv").write_text("\n".join(lines), "utf-8")
    (tmp_path / "schema.yaml").write_text(NHS, "utf-8")
    schema = Schema.load(tmp_path / "schema.yaml")
    made = Snapshot.make(schema, "apc", {"apc": str(tmp_path / "apc.csv")}, progress=False)
    order = sorted(made.columns)
    assert order == ["ADMIDATE", "ADMIMETH", "DIAG_4_01", "DISDATE"]
    assert content(made, schema, "apc") == Counter((day, method, code, out) for method, day, code, out in meant)
    assert all(fate.unparsable == fate.out_of_domain == 0 for fate in made.report.columns.values())
