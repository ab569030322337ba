"""A quote names the better mechanism, and each remedy that it names does what it says when it is applied."""

import re

import pytest

import pets
from tests.unit.session.test_session import SCHEMA, frame

ONCE = pets.query("stays").agg(n=pets.count())
# people are counted in up to four groups: L1 = 4 and L2 = 2, so that Gaussian noise has the better start
MANY = pets.query("stays").group_by(pets.col("day").period("month")).agg(u=pets.count_units(), n=pets.count())
LARGE, SMALL, PURE = pets.Budget(epsilon=30, delta=1e-6), pets.Budget(epsilon=1, delta=1e-6), pets.Budget(epsilon=1)


def opened(budget: pets.Budget) -> pets.Session:
    return pets.Session(SCHEMA, frame(), budget=budget)


def error(quote: pets.Quote) -> float:
    half = quote.errors[0][0].half_width
    assert half is not None
    return half


def named(advice: str) -> dict[str, pets.DP | pets.Budget]:
    """The settings that the advice tells its reader to use, as Python reads them."""
    return {text: eval(text, {"pets": pets}) for text in re.findall(r"pets\.\w+\([^)]*\)", advice)}


def test_laplace_noise_for_a_count_that_is_asked_once_where_there_is_room() -> None:
    session = opened(LARGE)
    asked = session.quote(ONCE, pets.DP(epsilon=1))
    assert "better one for a question that is asked once" in asked.advice
    assert asked.advice in " ".join(str(asked).split())
    ((text, other),) = named(asked.advice).items()
    assert isinstance(other, pets.DP)
    quote = session.quote(ONCE, other)
    assert quote.fits and quote.mechanism == "laplace" and quote.delta == 0 and quote.epsilon == asked.epsilon
    assert 2.5 * error(quote) < error(asked)
    assert f"n ± {error(quote):.3g} instead of ± {error(asked):.3g}" in asked.advice
    for cost in (quote.cost, asked.cost):
        assert f"ρ = {cost.loss / 10**12:.4g}" in asked.advice
    assert session.release(ONCE, other).cost["loss"] == quote.cost.loss, text


def test_where_it_is_over_budget_it_is_not_advised_but_another_budget_is() -> None:
    session = opened(SMALL)
    asked = session.quote(ONCE, pets.DP(epsilon=1))
    assert not session.quote(ONCE, pets.DP(epsilon=1, pure=True)).fits
    assert "pure=True" not in asked.advice
    budget, other = named(asked.advice).values()
    assert isinstance(budget, pets.Budget) and isinstance(other, pets.DP)
    quote = opened(budget).quote(ONCE, other)
    assert quote.fits and quote.epsilon == asked.epsilon
    assert f"n ± {error(quote):.3g} instead of ± {error(asked):.3g}" in asked.advice


def test_gaussian_noise_where_it_is_the_better_one() -> None:
    session = opened(LARGE)
    asked = session.quote(MANY, pets.DP(rho=0.01))
    assert asked.advice.startswith("Gaussian noise is the better one here")
    (other,) = named(asked.advice).values()
    assert isinstance(other, pets.DP)
    quote = session.quote(MANY, other)
    assert quote.cost.loss == pytest.approx(asked.cost.loss, rel=1e-4)
    assert error(quote) > error(asked)


def test_from_laplace_to_gaussian_noise_at_the_same_charge() -> None:
    session = opened(LARGE)
    asked = session.quote(ONCE, pets.DP(epsilon=1, pure=True))
    (other,) = named(asked.advice).values()
    assert isinstance(other, pets.DP)
    quote = session.quote(ONCE, other)
    assert quote.mechanism == "gaussian" and quote.cost.loss <= asked.cost.loss
    assert error(quote) < error(asked)
    assert f"ε = {quote.epsilon:.4g} at δ = 1e-06 instead of ε = 1 and no δ" in asked.advice


@pytest.mark.parametrize("pure", [False, True])
def test_for_an_accuracy_the_cheaper_one_is_named_with_both_prices(pure: bool) -> None:
    session = opened(LARGE)
    asked, other = (session.quote(ONCE, pets.DP(within=10, pure=way)) for way in (pure, not pure))
    cheaper = min((asked, other), key=lambda quote: quote.cost.loss)
    assert asked.advice.startswith(f"{cheaper.mechanism.capitalize()} noise takes less from the budget")
    assert ("leave pure=True out" in asked.advice) == pure
    for quote in (asked, other):
        assert f"ρ = {quote.cost.loss / 10**12:.4g} (ε = {quote.epsilon:.4g}" in asked.advice


def test_no_advice_where_the_ledger_has_one_mechanism_or_the_request_several_queries() -> None:
    assert opened(PURE).quote(ONCE, pets.DP(epsilon=0.5)).advice == ""
    assert opened(LARGE).quote([ONCE, MANY], pets.DP(epsilon=0.5)).advice == ""


def test_where_each_is_better_for_something_the_outputs_are_named() -> None:
    """People count in up to four groups each (√L0 favours Gaussian noise), and two rows of each in all."""
    asked = opened(LARGE).quote(MANY, pets.DP(epsilon=0.3))
    quote = opened(LARGE).quote(MANY, pets.DP(epsilon=0.3, pure=True))
    wide = [
        b.output
        for a, b in zip(asked.errors[0], quote.errors[0], strict=True)
        if (b.half_width or 0) >= (a.half_width or 0)
    ]
    assert 0 < len(wide) < 2, "the case is one of each"
    assert asked.advice.startswith(f"Gaussian noise is the better one for {', '.join(wide)}, and takes no more")


def test_nothing_is_advised_where_neither_noise_has_room() -> None:
    """A smaller request is the remedy; another noise at the same ε is none."""
    session = opened(SMALL)
    for asked in (pets.DP(epsilon=2), pets.DP(epsilon=2, pure=True), pets.DP(within=0.1)):
        quote = session.quote(ONCE, asked)
        assert not quote.fits
        assert quote.advice == ""
