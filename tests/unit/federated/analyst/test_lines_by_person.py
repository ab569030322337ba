"""Lines of several rows a person over sites: before noise people's scores are the pooled ones; each site is charged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import PolicyError
from pets.query_model.nodes.meat import Meat
from tests.unit.models.line.test_clusters import FEW, LINE, MANY, SCHEMA, exact

SITES = 3


def federation(rows: Any = MANY, **more: Any) -> pets.Federation:
    budget = pets.Budget(epsilon=100, delta=1e-6)
    place = rows["id"].str[1:].astype(int) % SITES
    sites = [pets.Session(SCHEMA, {"p": rows[place == at]}, budget=budget, progress=False) for at in range(SITES)]
    return pets.Federation(sites, progress=False, **({"sites_per_person": 1} | more))


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_before_noise_scores_are_the_pooled_ones_bit_for_bit(secure: str) -> None:
    for norm in (None, "1.5"):
        node = Meat(terms=(("age",), ("sick",)), outcome="cost", at=(2**28, 2**27, -5), norm=norm, weights=2)  # type: ignore[arg-type]
        query = pets.query("p").agg(m=node)
        pooled = pets.testing.exact(SCHEMA, {"p": FEW}, query)
        apart = pets.testing.exact(SCHEMA, {"p": FEW}, query, engine="federated", sites=SITES, secure=secure)
        assert pooled["m"].iloc[0] == apart["m"].iloc[0]


def test_a_line_over_sites_has_errors_by_person_and_each_site_pays_for_both_releases() -> None:
    many = federation()
    fit, truth = many.fit(LINE, pets.DP(epsilon=20)), exact("cost ~ age + sick", MANY)
    assert fit.meat is not None
    ratio = fit.table["sampling"] / truth.table["error"]
    assert ((ratio > 0.9) & (ratio < 1.2)).all()
    assert (np.abs(fit.table.coefficient - truth.table.coefficient) < 5 * fit.table.noise).all()
    both = fit.release.cost["loss"] + fit.meat.cost["loss"]
    assert {one.spent.loss for one in many.remaining().values()} == {both}
    assert many.fit(LINE, pets.DP(epsilon=20)).table.equals(fit.table)
    assert {one.spent.loss for one in many.remaining().values()} == {both}


def test_where_several_sites_may_have_rows_of_one_person_it_is_refused_and_costs_nothing() -> None:
    many = federation(FEW, sites_per_person=2)
    with pytest.raises(PolicyError, match="sites_per_person=1"):
        many.fit(LINE, pets.DP(epsilon=1))
    assert all(one.spent.loss == 0 for one in many.remaining().values())


def test_invented_rows_are_fitted_by_person() -> None:
    fit = federation(FEW).dummy(300).fit(LINE, pets.Exact())
    assert fit.meat is not None and fit.estimable and (fit.table.noise == 0).all()
