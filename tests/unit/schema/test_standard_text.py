"""Python spells a text as SQL reads it: the same table of cells, twice."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd

import pets
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar, DateTime
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Integer, Real
from pets.schema.schema import Schema
from pets.schema.standard_text import standard
from pets.synthetic.assess.reading import read
from tests.unit.rows.test_exports import GERMAN
from tests.unit.rows.test_one_meaning import TEXTS


def value(domain: Domain, text: str) -> Any:
    """What a standard spelling means, as far as it is no matter of bounds or steps."""
    try:
        if isinstance(domain, DateTime):
            time = dt.datetime.fromisoformat(text.strip())
            time -= (time - dt.datetime.min) % domain.width
            return time if domain.lo <= time <= domain.hi else None
        if isinstance(domain, Calendar):
            day = dt.date.fromisoformat(text.strip()) if "-" in text else dt.date.min
            return day if domain.lo <= day <= domain.hi else None
        if isinstance(domain, Time):
            time = dt.datetime.fromisoformat(f"0001-01-01 {text}" if re.fullmatch(r"\d\d:\d\d:\d\d", text) else "")
            gone = time - dt.datetime.min
            gone -= gone % domain.width
            return domain.written(gone) if domain.lo <= gone <= domain.hi else None
        if isinstance(domain, Boolean):
            return {"true": True, "false": False}.get(text)
        if isinstance(domain, Category):
            return text if text in domain.values else None
        return Decimal(text.strip()) if "_" not in text else None
    except (ArithmeticError, ValueError):
        return None


def test_python_and_sql_agree() -> None:
    compared = 0
    for domain, means in TEXTS:
        spell = standard(domain)
        if spell is None:
            continue
        # a time that equals a null text has no value
        nulls = [value(domain, spell(token)) for token in domain.null if isinstance(domain, DateTime)]
        for text, wanted in means:
            if not text or text in domain.null:
                continue
            found = value(domain, spell(text))
            same = isinstance(domain, Time) and spell(text) in map(spell, domain.null)  # (by its seconds)
            found = None if found in nulls or same else found
            if isinstance(domain, (Boolean, Category, Calendar, Time)):
                assert found == wanted, (text, spell(text))
            elif wanted is None:
                assert found is None or (isinstance(domain, Integer) and found % 1), (text, found)
            elif domain.lo < wanted < domain.hi:  # type: ignore[attr-defined]
                step = domain.step if isinstance(domain, Real) else Fraction(2)
                assert abs(Fraction(found) - Fraction(str(wanted))) <= step / 2, (text, found)
            compared += 1
    assert compared > 60


def test_assess_reads_a_german_column_as_numbers_and_days(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(GERMAN, "utf-8")
    columns = Schema.load(tmp_path / "s.yaml").table("faelle").columns
    costs = {"real": pd.Series(["1.234,56 €", "7", None]), "made": pd.Series([1234.56, 7.0, None])}
    kind, found = read("Kosten", costs, columns["Kosten"])
    assert kind == "numbers"
    assert found["real"].dropna().tolist() == found["made"].dropna().tolist() == [1234.56, 7]
    kind, found = read("Aufnahme", {"real": pd.Series(["31.05.2021"]), "made": pd.Series(["2021-05-31"])},
                       columns["Aufnahme"])  # fmt: skip
    assert kind == "days" and found["real"].tolist() == found["made"].tolist()


def test_dummy_files_are_written_as_the_real_file_is(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(GERMAN, "utf-8")
    schema = Schema.load(tmp_path / "s.yaml")
    pets.dummy(schema, rows=300, seed=1).save(tmp_path / "made")
    session = pets.Session(
        schema, str(tmp_path / "made" / "faelle.csv"), budget=pets.Budget(epsilon=1, delta=1e-6), progress=False
    )
    fates = session.report().columns
    assert all(fate.unparsable == fate.out_of_domain == fate.clamped == 0 for fate in fates.values())
    assert fates["Kosten"].null < 50 and b"m\xe4nnlich" in (tmp_path / "made" / "faelle.csv").read_bytes()
