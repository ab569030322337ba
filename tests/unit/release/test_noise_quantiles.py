"""Half-widths against brute force: every atom of the discrete laws, added up without grids, folds or normal curves."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from pets.errors import InternalError
from pets.release.noise_quantiles import Kind, Terms, coverage, half_width
from tests.work import calls

Floats = npt.NDArray[np.float64]
KINDS: tuple[Kind, ...] = ("gaussian", "laplace")


def atoms(kind: Kind, scale: float) -> tuple[Floats, Floats]:
    k = np.arange(-math.ceil(40 * scale) - 5, math.ceil(40 * scale) + 6)
    mass = np.exp(-(k**2) / (2 * scale**2)) if kind == "gaussian" else np.exp(-np.abs(k) / scale)
    return k.astype(float), mass / mass.sum()


@cache
def brute(kind: Kind, terms: Terms) -> tuple[Floats, Floats]:
    """|Σ coefficient·X| for each combination of atoms, with its probability."""
    values, mass = np.zeros(1), np.ones(1)
    for coefficient, scale in terms:
        k, p = atoms(kind, scale)
        keep = p > 1e-14
        values = np.add.outer(values, coefficient * k[keep]).ravel()
        mass = np.multiply.outer(mass, p[keep]).ravel()
    return np.abs(values), mass


def brute_coverage(kind: Kind, terms: Terms, width: float) -> float:
    values, mass = brute(kind, terms)
    return float(mass[values <= width * (1 + 1e-9)].sum())


ONE: list[Terms] = [((c, s),) for c in (1.0, 0.01, -50.0) for s in (0.05, 0.3, 0.5, 1.0, 2.7, 10.0, 60.0, 100.0)]
FEW: list[Terms] = [
    ((1.0, 0.5), (1000.0, 0.5)),
    ((1.0, 0.5), (1000.0, 20.0)),
    ((1.0, 30.0), (50.0, 0.6)),
    ((1.0, 12.0), (50.0, 0.3)),
    ((0.01, 40.0), (37.5, 0.4)),
    ((1.0, 10.0), (1.0, 10.0)),
    ((1.0, 40.0), (-7.0, 15.0)),
    ((2.0, 0.5), (3.0, 0.5), (1000.0, 0.3)),
    ((1.0, 6.0), (5.0, 2.0), (50.0, 0.7)),
    ((1.0, 1.0),) * 3,
    ((1.0, 0.4), (1.0, 0.4), (10.0, 0.3)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("terms", ONE, ids=str)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999, 1 - 1e-8])
def test_one_term_is_exact(kind: Kind, terms: Terms, confidence: float) -> None:
    """Smallest: it reaches the confidence, and one step less does not."""
    step = abs(terms[0][0])
    k, p = atoms(kind, terms[0][1])
    h = half_width(kind, terms, confidence)
    m = round(h / step)
    assert h == pytest.approx(m * step, abs=1e-12)
    assert float(p[np.abs(k) > m].sum()) <= (1 - confidence) * (1 + 1e-6)
    if m:
        assert float(p[np.abs(k) > m - 1].sum()) > (1 - confidence) * (1 - 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("terms", FEW, ids=str)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.995])
def test_few_terms_reach_the_confidence_and_no_more(kind: Kind, terms: Terms, confidence: float) -> None:
    h = half_width(kind, terms, confidence)
    slack = 1e-3 * (1 - confidence) + 1e-6
    values, mass = brute(kind, terms)
    assert float(mass[values <= h * (1 + 1e-9)].sum()) >= confidence - slack
    assert float(mass[values < h * (1 - 1e-9)].sum()) <= confidence + slack
    assert coverage(kind, terms, h * (1 + 1e-9)) == pytest.approx(brute_coverage(kind, terms, h), abs=slack)


def test_the_normal_approximation_would_fail_here() -> None:
    """σ = 0.5 with a coefficient of 1,000: the test above would catch the textbook formula."""
    terms = ((1.0, 0.5), (1000.0, 0.5))
    textbook = 1.96 * math.hypot(0.5, 500)
    assert textbook < half_width("gaussian", terms, 0.95) or brute_coverage("gaussian", terms, textbook) > 0.97
    terms = ((1000.0, 0.36),)
    assert half_width("gaussian", terms, 0.95) == 0.0 or brute_coverage("gaussian", terms, 1.96 * 360) < 0.97


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [10.0, 37.0, 300.0, 5e4, 1e9])
def test_coverage_of_a_95_percent_interval_at_ordinary_scales(kind: Kind, scale: float) -> None:
    """93 to 97 percent where scales are at least 10, for one term, a midpoint sum, and a total of 30 of them."""
    for terms in (((1.0, scale),), ((1.0, 50 * scale), (50.0, scale)), ((1.0, 50 * scale), (50.0, scale)) * 30):
        h = half_width(kind, terms, 0.95)
        sd = math.sqrt(sum((c * s) ** 2 for c, s in terms) * (1 if kind == "gaussian" else 2))
        assert 0.93 <= coverage(kind, terms, h) <= 0.97
        assert 1.8 * sd < h < 2.2 * sd + 1


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 2.0, 20.0])
@pytest.mark.parametrize("many", [2, 7, 40])
def test_totals_of_laplace_cells(scale: float, many: int) -> None:
    """Σ of m discrete Laplace = difference of two negative binomials; convolved here by scipy's own law."""
    p = 1 - math.exp(-1 / scale)
    top = int(stats.nbinom.ppf(1 - 1e-13, many, p)) + 2
    one = stats.nbinom.pmf(np.arange(top), many, p)
    mass = np.convolve(one, one[::-1])
    values = np.abs(np.arange(-top + 1, top))
    for confidence in (0.9, 0.95, 0.999):
        h = half_width("laplace", ((1.0, scale),) * many, confidence)
        slack = 2e-3 * (1 - confidence) + 1e-6
        assert mass[values <= h].sum() >= confidence - slack
        assert mass[values < h - 1e-6].sum() <= confidence + slack + (
            mass[values == round(h)].sum() if scale > 16 else 0
        )


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("many", [2, 7, 40])
def test_totals_of_gaussian_cells(scale: float, many: int) -> None:
    k, p = atoms("gaussian", scale)
    mass, reach = np.ones(1), 0
    for _ in range(many):
        mass, reach = np.convolve(mass, p), reach + len(k) // 2
    values = np.abs(np.arange(-reach, reach + 1))
    for confidence in (0.9, 0.95, 0.999):
        h = half_width("gaussian", ((1.0, scale),) * many, confidence)
        assert h == int(h)
        assert mass[values <= h].sum() >= confidence - 1e-9
        assert mass[values < h].sum() < confidence + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_monotone_and_scaled(kind: Kind) -> None:
    widths = [half_width(kind, ((1.0, s), (50.0, s / 3)), 0.95) for s in (0.2, 1.0, 3.0, 30.0, 700.0, 1e6)]
    assert widths == sorted(widths)
    widths = [half_width(kind, ((1.0, 20.0), (50.0, 4.0)), c) for c in (0.5, 0.8, 0.95, 0.99, 1 - 1e-7)]
    assert widths == sorted(widths)
    assert half_width(kind, ((-3.0, 20.0),), 0.95) == 3 * half_width(kind, ((1.0, 20.0),), 0.95)
    assert half_width(kind, ((0.0, 20.0),), 0.95) == 0.0
    assert half_width(kind, (), 0.95) == 0.0
    assert half_width(kind, ((0.0, 20.0), (1.0, 5.0)), 0.95) == half_width(kind, ((1.0, 5.0),), 0.95)


@pytest.mark.parametrize("kind", KINDS)
def test_a_great_scale_continues_a_tabulated_one(kind: Kind) -> None:
    """Either side of the switch from the exact table to the grid; and far beyond it, the continuous law."""
    for edge in (64.0, 256.0):
        below, above = (half_width(kind, ((1.0, s), (50.0, 3.0)), 0.95) for s in (edge * 0.9999, edge * 1.0001))
        assert below == pytest.approx(above, rel=1e-2)
    law = stats.norm if kind == "gaussian" else stats.laplace
    for confidence in (0.95, 0.999, 1 - 1e-8):
        wanted = float(law.isf((1 - confidence) / 2)) * 1e9
        assert half_width(kind, ((1.0, 1e9),), confidence) == pytest.approx(wanted, rel=1e-5)


def test_quick_enough_for_a_table_of_outputs() -> None:
    """520 calls each: a bisection over arrays, not over their elements."""
    work = calls(lambda: [half_width("gaussian", ((1.0, 4000.0 + k), (50.0, 80.0)), 0.95) for k in range(10)])
    assert work / 10 < 1500


@pytest.mark.parametrize("scale", [1e14, 3.3e15, 1e18])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 1 - 1e-9])
def test_the_end_of_a_very_wide_law_is_found_in_few_steps(scale: float, confidence: float) -> None:
    """What is asked for within a quadrillion was sought a million steps in a row, number by number."""
    found: list[float] = []
    assert calls(lambda: found.append(half_width("laplace", ((1.0, scale),), confidence))) < 300
    # on so fine a grid it is the continuous law, to what a double holds
    assert found[0] == pytest.approx(-scale * math.log(1 - confidence), rel=1e-12)


def test_refusals() -> None:
    for bad in (
        lambda: half_width("gaussian", ((1.0, 0.0),), 0.95),
        lambda: half_width("gaussian", ((1.0, math.nan),), 0.95),
        lambda: half_width("gaussian", ((math.inf, 1.0),), 0.95),
        lambda: half_width("gaussian", ((1.0, 1.0),), 1.0),
        lambda: half_width("cauchy", ((1.0, 1.0),), 0.95),  # type: ignore[arg-type]
    ):
        with pytest.raises(InternalError):
            bad()
