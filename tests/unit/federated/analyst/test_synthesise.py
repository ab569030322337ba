"""Synthetic data from federated marginals: charged at every site, all or none, and as good as a pooled session's."""

from __future__ import annotations

import numpy as np
import pytest

import pets
from pets.common.codec import canonical
from pets.errors import BudgetError, PolicyError, UserError
from pets.federated import Federation, Site, SitePolicy, TableRule
from pets.federated.messages.errors import Refused
from pets.synthetic.synthetic_release import RECORD
from pets.verify.check import check
from tests.extras import needs
from tests.unit.session.synthesis.test_synthesise import KEPT, SCHEMA, frame

needs("mbi")

ROWS = frame(1500)


def many(epsilon: float = 8, rules: SitePolicy | None = None, sites: int = 3) -> Federation:
    number = ROWS["id"].astype(int)
    made = []
    for part in range(sites):
        session = pets.Session(
            SCHEMA, {"stays": ROWS[number % sites == part]}, budget=pets.Budget(epsilon, 1e-6), progress=False
        )
        policy = SitePolicy.open(SCHEMA) if rules is None else rules
        made.append(Site(session, policy=policy, name=f"s{part}"))
    return Federation(made, sites_per_person=1, progress=False)


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_a_table_with_the_pairs_of_all_sites(secure: str) -> None:
    federation = many()
    made = federation.synthesise(
        2000, secure=secure, epsilon=4, columns=KEPT, bins={"age": 5, "day": "quarter"}, progress=False
    )
    table = made.table
    assert len(table) == 2000
    assert next(iter(table)) == RECORD
    assert len(made.releases) == 10  # four columns and six pairs
    assert abs((table["sex"] == "F").mean() - (ROWS["sex"] == "F").mean()) < 0.08
    assert ((table["sex"] == "F") & (table["ward"] == "C")).mean() < 0.06  # no woman is in ward C
    assert (made.epsilon, made.delta) == (4.0, 1e-6)
    assert "any synthetic table" in made.guarantee
    assert made.certificate is None and made.to_check is None
    assert any(note.startswith("No certificate binds these rows: several sites have no ledger") for note in made.notes)
    for release in made.releases[:2]:  # and what the note says of them is so
        assert check(canonical(release.to_json()), federation.roster.coordinator_key.raw).startswith(release.guarantee)
    assert "10 noisy marginals" in made.guarantee
    assert ("key holder" in made.guarantee) == (secure == "encrypted")
    target = pets.Budget(4, 1e-6).cap.loss
    for site in federation.sites.values():
        spent = site.session.remaining().spent.loss
        assert spent == made.cost["loss"] <= target
        assert len(site.session.history()) == 10
        assert {release.id for release in made.releases} <= set(site.certificates)


def test_the_same_again_costs_nothing() -> None:
    federation = many(epsilon=1.2)
    first = federation.synthesise(500, epsilon=1, columns=["sex", "ward"], progress=False)
    spent = [left.spent.loss for left in federation.remaining().values()]
    again = federation.synthesise(500, epsilon=1, columns=["sex", "ward"], progress=False)
    assert again.table.equals(first.table)
    assert [left.spent.loss for left in federation.remaining().values()] == spent
    with pytest.raises(BudgetError, match="no room for these 3 queries; nothing was spent"):
        federation.synthesise(500, epsilon=1.1, columns=["sex", "ward"], progress=False)
    assert [left.spent.loss for left in federation.remaining().values()] == spent


def test_the_number_of_rows_is_the_noisy_one_of_all_sites() -> None:
    made = many().synthesise(epsilon=4, columns=["sex", "ward"], progress=False)
    kept = ROWS.groupby("id").head(2)  # two rows of a person count
    assert abs(len(made.table) - len(kept)) < 150
    twin = many().dummy(rows=300).synthesise(epsilon=4, columns=["sex", "ward"], progress=False)
    assert twin.data == "dummy"
    assert "invented" in twin.guarantee


def test_what_is_refused_costs_nothing() -> None:
    federation = many()
    for error, match, settings in (
        (BudgetError, "has a price", {}),
        (UserError, "did you mean", {"epsilom": 1}),
        (BudgetError, "too small", {"epsilon": 1e-7}),
        (UserError, "rows", {"epsilon": 1, "rows": 0}),
        (UserError, "no way to combine", {"epsilon": 1, "secure": "masks"}),
        (UserError, "progress", {"epsilon": 1, "progress": "no"}),
    ):
        with pytest.raises(error, match=match):
            federation.synthesise(**settings)  # type: ignore[arg-type]
    strict = many(rules=SitePolicy(tables={"stays": TableRule(columns=("sex",), aggregates=("count",))}))
    with pytest.raises((Refused, PolicyError), match="'ward'"):
        strict.synthesise(epsilon=1, columns=["ward"], progress=False)
    for one in (federation, strict):
        assert not any(left.spent.loss for left in one.remaining().values())
    assert np.all(ROWS.groupby("id").size() <= 4)
