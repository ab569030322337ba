"""Orders whose noise is not what they seem to pay for: every site reckons for itself, and lets none of them in."""

from __future__ import annotations

from dataclasses import replace

import pytest

import pets
from pets.dp.shares import Shares
from pets.entropy import random_id
from pets.errors import BudgetError
from pets.federated import Federation
from tests.attacks.test_federated_replay import deliver, order_for, said
from tests.unit.test_federated_site import HALF, N, federation, spent


def order_json(many: Federation, secure: str) -> dict[str, object]:
    asked = many._asked(N, HALF, secure)
    assert asked.shares is not None
    return asked.shares.to_json()


def test_whole_noise_on_a_finer_grid_would_be_hardly_any() -> None:
    # one site's own noise is charged on the plan's grid; on a grid 2^31 times finer it would be 2^31 times smaller, and
    # the vector would come out exact for the price of ε = 0.5
    many = federation(people=30)
    form = order_json(many, "local") | {"refine": [2**31]}
    with pytest.raises(BudgetError, match="no shares of noise"):
        Shares.from_json(form)
    real = many._asked(N, HALF, "local").shares
    assert real is not None
    forged = replace(real)
    object.__setattr__(forged, "refine", (2**31,))
    with pytest.raises(pets.UserError, match="not in the form"):
        deliver(many, order_for(many, secure="local", shares=forged))
    assert spent(many) == [0, 0, 0]


@pytest.mark.parametrize("change", [{"scales": [], "refine": []}, {"scales": ["1e200"]}, {"refine": []}])
def test_noise_that_is_none_or_fits_no_number_is_refused(change: dict[str, object]) -> None:
    many = federation(people=30)
    for secure in ("local", "masked"):
        with pytest.raises(BudgetError, match="no shares of noise"):
            Shares.from_json(order_json(many, secure) | change)


def test_rho_is_not_read_as_epsilon_nor_epsilon_as_rho() -> None:
    # Gaussian noise of ρ = 0.5 is about ε = 5; a pure protection of ε = 0.5 must not be bought with it, and certified
    many = federation(people=30, budget=pets.Budget(epsilon=30, delta=1e-6))
    pure, gaussian = pets.DP(epsilon=0.5, pure=True), many._asked(N, pets.DP(rho=0.5), "masked").shares
    alone = replace(gaussian, alone=True, refine=(1,))  # type: ignore[type-var]
    laplace = many._asked(N, pets.DP(epsilon=0.004, pure=True), "local").shares
    for protection, shares, secure in (
        (pure, gaussian, "masked"),
        (pure, alone, "local"),
        (pets.DP(rho=0.5), laplace, "local"),
    ):
        order = order_for(many, id=random_id(), protection=protection, shares=shares, secure=secure)
        assert "another kind than its protection" in said(deliver(many, order))
    assert spent(many) == [0, 0, 0]
    assert many.release(N, pure, secure="local").delta == 0
