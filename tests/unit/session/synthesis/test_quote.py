"""The price of a synthetic table and its error by column, before anything is read or spent."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import pets
from pets.errors import BudgetError, UserError
from pets.session import answering
from tests.extras import needs
from tests.unit.session.synthesis.test_synthesise import KEPT, SCHEMA, frame, opened

needs("mbi")
SIZES = ["n_500", "n_1000", "n_10000", "n_100000"]


def unread() -> pets.Session:
    return pets.Session(SCHEMA, budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)


@pytest.mark.parametrize("selection", ["tree", "aim"])
def test_a_quote_is_what_is_charged(selection: str) -> None:
    session, asked = opened(), {"epsilon": 1, "columns": ["sex", "ward"], "selection": selection}
    quote = session.quote_synthesis(**asked)
    assert session.remaining().spent.loss == 0 and quote.fits
    made = session.synthesise(rows=5, progress=False, **asked)
    assert quote.cost.loss == made.cost["loss"] and (quote.epsilon, quote.delta) == (made.epsilon, made.delta)
    # what is left is counted in such tables, not in their marginals
    assert session.quote_synthesis(**asked).more == session.remaining().more == quote.more - 1
    if selection == "tree":
        assert [one.sigma for one in quote.forecast.singles] == [one.sigma for one in made.misfits[:2]]


def test_the_error_by_column_is_that_of_noisy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a quote says at n rows is how far noisy marginals of n rows lie from the exact ones, on average."""
    quote = unread().quote_synthesis(epsilon=1)
    table = quote.table.set_index("columns")
    assert list(table.index) == [*KEPT, "mean of columns", "mean of pairs"] and list(table)[2:] == SIZES
    random = np.random.default_rng(0)
    slots, sigma = int(table.loc["age", "slots"]), float(table.loc["age", "sigma"])
    drawn = np.mean([np.abs(random.normal(0, sigma, slots)).sum() / 2 / 10_000 for _ in range(3000)])
    assert table.loc["age", "n_10000"] == pytest.approx(float(drawn), rel=0.03)
    assert table.loc["mean of columns", "n_10000"] == pytest.approx(table.loc[KEPT, "n_10000"].mean())
    # ten times the rows, a tenth of the error; never beyond all rows
    assert table.loc["age", "n_100000"] == pytest.approx(float(drawn) / 10, rel=0.03)
    assert table[SIZES].le(1).all(axis=None) and table.loc["mean of pairs", "n_500"] > 0.5
    dear = unread().quote_synthesis(epsilon=4).table.set_index("columns")
    assert (dear[SIZES] <= table[SIZES]).all(axis=None) and dear.loc["age", "n_10000"] < table.loc["age", "n_10000"] / 3


def test_a_quote_reads_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "measured", lambda *_: pytest.fail("rows were read"))
    whole, empty = (
        pets.Session(SCHEMA, data, budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)
        for data in (frame(), frame(3))
    )
    assert str(whole.quote_synthesis(epsilon=1)) == str(empty.quote_synthesis(epsilon=1))
    assert str(whole.quote_synthesis(epsilon=1)) == str(unread().quote_synthesis(epsilon=1))


def test_it_is_shown_as_text_and_in_a_notebook() -> None:
    quote = unread().quote_synthesis(epsilon=1)
    said = str(quote)
    assert said.startswith("Cost: ε = 1, δ = 1e-06 (ρ = 0.02436 from the budget) for 10 noisy marginals; about 43 such")
    assert "mean of pairs" in said and "100,000" in said and "Enough rows for pairs of columns: about 13,000." in said
    assert repr(quote) == said and "<pre>Cost: ε = 1" in quote._repr_html_()
    with pytest.raises(FrozenInstanceError):
        quote.epsilon = 2  # type: ignore[misc]
    alone = unread().quote_synthesis(epsilon=1, columns=["sex"])
    assert "pairs" not in str(alone) and "about 43 such tables left" in str(alone)


def test_what_would_be_refused_is_said_and_not_refused() -> None:
    dear = unread().quote_synthesis(epsilon=9)
    assert not dear.fits and "over budget" in str(dear)
    small = pets.Schema({"t": pets.Table("row", {"a": pets.Integer(0, 99), "b": pets.Boolean()}, people=40)})
    quote = pets.Session(small, budget=pets.Budget(epsilon=9, delta=1e-6)).quote_synthesis(epsilon=0.1)
    assert "It would be refused: at epsilon=0.1 noise would drown" in str(quote) and "ask with" in quote.hopeless


def test_what_has_no_price_is_told() -> None:
    with pytest.raises(UserError, match=r"no price and no noise to tell of; quote method='dp'"):
        unread().quote_synthesis(method="ctgan")
    with pytest.raises(UserError, match="did you mean 'dp'"):
        unread().quote_synthesis(method="dpp", epsilon=1)
    with pytest.raises(UserError, match="no setting 'epsilom'"):
        unread().quote_synthesis(epsilom=1)
    with pytest.raises(BudgetError, match="has a price"):
        unread().quote_synthesis()
