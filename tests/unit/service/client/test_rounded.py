"""Rounded tables through a service: the same bytes as in a session, certified, and refused as there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.errors import PolicyError, QueryError, VerificationError
from pets.release.rounded.rounded_table import RoundedTable
from pets.service.client import reading
from pets.service.client.connection import Connection
from tests.grids import BUDGET, GRID, HES, POLICY, ROWS, SCHEMA, T
from tests.http_services import connected

BY_SEX = T.group_by("sex").agg(n=pets.count())


@pytest.fixture(scope="module")
def custodian(tmp_path_factory: pytest.TempPathFactory) -> pets.Custodian:
    given: dict[str, Any] = {"budget": BUDGET, "policy": POLICY, "progress": False}
    return pets.Custodian(SCHEMA, ROWS, ledger=tmp_path_factory.mktemp("rounded") / "ledger.db", **given)


@pytest.fixture(scope="module")
def connection(custodian: pets.Custodian) -> Iterator[Connection]:
    with connected(custodian, analyst="amina", project="x") as found:
        yield found


def test_without_a_grid_it_is_refused_as_in_a_session(tmp_path: Path) -> None:
    given: dict[str, Any] = {"budget": BUDGET, "policy": POLICY, "progress": False}
    keeper = pets.Custodian(SCHEMA, ROWS, ledger=tmp_path / "ledger.db", **given)
    with connected(keeper, analyst="amina", project="x") as found, pytest.raises(QueryError, match="none is named yet"):
        found.release(BY_SEX, HES)


def test_a_rounded_table_comes_through_a_service(connection: Connection, custodian: pets.Custodian) -> None:
    grid = custodian.name_grid(GRID, HES)
    found = connection.release(BY_SEX, HES)
    assert isinstance(found, RoundedTable) and found.certificate is not None
    assert found.form["grid"]["digest"] == grid.digest and found.form["analyst"] == "amina"
    here = custodian.session(analyst="amina", project="x").release(BY_SEX, HES)
    assert here == found and connection.release(BY_SEX, HES) == found
    pending = connection.release([BY_SEX, T.agg(n=pets.count())], HES, wait=False)
    assert pending.result()[0].form["counts"] == found.form["counts"]
    assert connection.fetch(pending.id)[0].digest == found.digest
    with pytest.raises(PolicyError, match="not to release by"):
        connection.release(BY_SEX, pets.SDC("strict_10"))
    assert connection.remaining().spent.loss == 0


def test_what_a_service_changes_is_not_shown(connection: Connection, custodian: pets.Custodian) -> None:
    custodian.name_grid(GRID, HES)
    honest = custodian.session(analyst="amina", project="x").release(BY_SEX, HES).to_json()
    own = {"dataset": "register", "project": "x", "analyst": "amina", "data": "real"}
    key, asked = connection.key, [BY_SEX.to_json()]
    assert reading.tables([honest], key, own, asked, HES.to_json())
    lie = copy.deepcopy(honest)
    lie["counts"][0][0]["shown"][0] += 5
    for forms in ([lie], [{name: part for name, part in honest.items() if name != "certificate"}]):
        with pytest.raises(VerificationError):
            reading.tables(forms, key, own, asked, HES.to_json())
    for other in ({"analyst": "ben"}, {"project": "y"}):
        with pytest.raises(VerificationError, match="another question"):
            reading.tables([honest], key, own | other, asked, HES.to_json())
    with pytest.raises(VerificationError, match="another question"):
        reading.tables([honest], key, own, [T.agg(n=pets.count()).to_json()], HES.to_json())
    assert reading.are_rounded([honest]) and not reading.are_rounded([honest, {"pets": "release"}])
