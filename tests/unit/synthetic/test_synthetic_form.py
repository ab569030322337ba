"""A synthetic data set over a wire: it comes back with its types, and other rows than the signed ones are refused."""

from __future__ import annotations

import base64
import io
import json

import pandas as pd
import pytest

import pets
from pets.common.codec import Json, canonical
from pets.errors import UserError
from pets.synthetic.stays import invent_stays, stays_schema
from pets.synthetic.synthetic_form import form_of, read_form
from pets.synthetic.synthetic_release import SyntheticRelease
from tests.extras import needs

needs("mbi")


@pytest.fixture(scope="module")
def made() -> SyntheticRelease:
    data = invent_stays(people=3000, seed=1)
    session = pets.Session(stays_schema(), data, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
    columns = ["sex", "age", "admitted"]
    return session.synthesise(400, epsilon=5, table="stays", columns=columns, bins={"admitted": "year"}, progress=False)


def test_a_data_set_comes_back_as_it_was(made: SyntheticRelease) -> None:
    again = read_form(json.loads(canonical(form_of(made))))
    assert repr(again) == repr(made) and again.manifest == made.manifest
    assert again.to_check == made.to_check and again.releases == made.releases
    pd.testing.assert_frame_equal(again.table, made.table)
    pd.testing.assert_frame_equal(again.error, made.error, atol=1e-6)  # as signed: to six digits


def invented(release: Json) -> Json:
    """A release with numbers that nobody signed."""
    body = {name: part for name, part in release.items() if name not in ("digest", "certificate")}
    return body | {"values": [12345 for _ in body["values"]]}


def test_what_stands_beside_the_rows_is_what_was_signed_with_them(made: SyntheticRelease) -> None:
    form = form_of(made)
    beside = [{"columns": ["sex"], "cells": 2, "sigma": "0", "error": "0", "noise": "0", "held": True}]
    read = read_form(form | {"misfits": beside, "certified": {"payload": "eA=="}})
    assert [one.to_json() for one in read.misfits] == form["derived"]["manifest"]["marginals"]
    assert read.certified is None


def test_answers_that_were_charged_as_one_are_bound_together() -> None:
    session = pets.Session(
        stays_schema(), invent_stays(people=3000, seed=1), budget=pets.Budget(epsilon=9, delta=1e-6), progress=False
    )
    columns = ["sex", "age"]
    aim = session.synthesise(50, epsilon=5, table="stays", columns=columns, selection="aim", progress=False)
    form = json.loads(canonical(form_of(aim)))
    again = read_form(form)
    assert again.releases == aim.releases and again.certified == aim.certified is not None
    wrong = [
        form | {"releases": [invented(form["releases"][0]), *form["releases"][1:]]},
        form | {"releases": form["releases"][:-1]},
        form | {"question": None},
        form | {"question": "ab" * 32},
    ]
    for one in wrong:
        with pytest.raises(UserError, match="no synthetic data set as pets made it"):
            read_form(one)


def test_what_is_in_no_file_of_the_rows_is_not_read(made: SyntheticRelease) -> None:
    form, name = form_of(made), made.table_name

    def travelled(frame: pd.DataFrame) -> Json:
        into = io.BytesIO()
        frame.to_parquet(into)
        return form | {"rows": {name: base64.b64encode(into.getvalue()).decode()}}

    named = made.table.set_index(pd.Index([f"patient {row}" for row in range(len(made.table))], name="who"))
    named.columns.name, named.attrs = "secret", {"said": "by nobody"}
    read = read_form(travelled(named)).table
    assert read.index.equals(made.table.index) and read.columns.name is None and not read.attrs
    sexes = pd.CategoricalDtype(["F", "M", "a slot that nobody signed"])
    with pytest.raises(UserError, match="no synthetic data set as pets made it"):
        read_form(travelled(made.table.astype({"sex": sexes})))


def test_rows_that_were_not_signed_are_refused(made: SyntheticRelease) -> None:
    form = form_of(made)
    name = made.table_name
    other = made.table
    other.loc[0, "sex"] = "F" if other.loc[0, "sex"] == "M" else "M"
    into = io.BytesIO()
    other.to_parquet(into, index=False)
    edited = [
        form | {"rows": {name: base64.b64encode(into.getvalue()).decode()}},
        form | {"rows": {}},
        form | {"rows": {name: "AAAA"}},
        form | {"derived": form["derived"] | {"tables": {name: None}}},
        form | {"releases": [{}]},
        form | {"releases": form["releases"][1:]},
        form | {"releases": []},
        form | {"releases": form["releases"][::-1]},
        form | {"releases": [invented(form["releases"][0]), *form["releases"][1:]]},
        form | {"question": "ab" * 32},
        {},
    ]
    for one in edited:
        with pytest.raises(UserError, match="no synthetic data set as pets made it"):
            read_form(one)
