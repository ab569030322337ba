"""The tape: what OpenDP drew in one world is what the other gets, and what differs is told."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import opendp.core
import pytest

from pets.dp import noise
from pets.dp.noise import THREADED, add_gaussian, add_laplace, noisy_keys, noisy_top
from pets.testing.tape import Player, Recorder, in_currency, tapped

pytestmark = pytest.mark.chance(0)  # what is drawn does not matter

ONE, OTHER = np.array([5, 0, 7], dtype=np.int64), np.array([5, 2, 6], dtype=np.int64)


def recorded() -> tuple[Recorder, list[int]]:
    recorder = Recorder()
    with tapped(recorder):
        noisy = add_gaussian(ONE, 100.0).tolist() + add_laplace(ONE, 50.0).tolist()
    return recorder, noisy


def test_the_second_world_gets_what_the_first_one_drew() -> None:
    recorder, noisy = recorded()
    player = Player(recorder.draws)
    with tapped(player):
        again = add_gaussian(OTHER, 100.0).tolist() + add_laplace(OTHER, 50.0).tolist()
    player.end()
    assert again == noisy and not player.differences
    # the worlds are √5 apart in L2 and 3 in L1
    rho, epsilon = (amount for _, amount in player.losses)
    assert float(rho) == pytest.approx(5 / 20_000, rel=1e-12) and rho >= Fraction(5, 20_000)
    assert float(epsilon) == pytest.approx(3 / 50, rel=1e-12) and epsilon >= Fraction(3, 50)
    assert in_currency(player.losses, "zcdp") == rho + epsilon**2 / 2
    assert in_currency(player.losses, "pure") is None
    assert in_currency(player.losses[1:], "pure") == epsilon


def test_worlds_that_agree_lose_nothing() -> None:
    recorder, _ = recorded()
    player = Player(recorder.draws)
    with tapped(player):
        add_gaussian(ONE, 100.0)
        add_laplace(ONE, 50.0)
    assert [amount for _, amount in player.losses] == [0, 0]
    assert in_currency(player.losses, "pure") == 0


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: add_gaussian(OTHER, 100.1), "draw 1 has another law"),
        (lambda: add_laplace(OTHER, 100.0), "draw 1 has another law"),
        (lambda: add_gaussian(OTHER[:2], 100.0), "draw 1 has another shape: (3,), not (2,)"),
        (lambda: [add_gaussian(OTHER, 100.0), add_laplace(OTHER, 50.0), add_laplace(OTHER, 50.0)], "once more"),
        (lambda: add_gaussian(OTHER, 100.0), "drawn 1 times, and 2 times with that person"),
        (lambda: None, "drawn 0 times"),
    ],
)
def test_another_request_is_told(ask: object, said: str) -> None:
    recorder, _ = recorded()
    player = Player(recorder.draws)
    with tapped(player):
        ask()  # type: ignore[operator]
    player.end()
    assert any(said in difference for difference in player.differences), player.differences


def test_nothing_stays_tapped_even_where_something_fails() -> None:
    real = opendp.core.measurement_invoke
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError), tapped(recorder):
        add_gaussian(ONE, 100.0)
        raise ZeroDivisionError
    assert opendp.core.measurement_invoke is real and noise.THREADED == THREADED
    add_gaussian(ONE, 100.0)
    assert len(recorder.draws) == 1


def test_a_long_vector_is_one_draw() -> None:
    """With two threads its halves would come in any order."""
    recorder, long = Recorder(), np.arange(THREADED * 2, dtype=np.int64)
    with tapped(recorder):
        noisy = add_laplace(long, 3.0)
    player = Player(recorder.draws)
    with tapped(player):
        assert (add_laplace(long[::-1].copy(), 3.0) == noisy).all()
    assert len(recorder.draws) == len(player.losses) == 1


def test_what_is_kept_is_a_copy() -> None:
    recorder, values = Recorder(), ONE.copy()
    with tapped(recorder):
        noisy = add_gaussian(values, 100.0)
    values[:], noisy[:] = 0, 0
    assert recorder.draws[0].exact.tolist() == ONE.tolist()
    assert recorder.draws[0].noisy.tolist() != [0, 0, 0]


def test_counts_of_keys_are_held_against_a_threshold() -> None:
    """Keys of both worlds by ρ, those of one alone by δ; where such a one shows, the worlds are apart."""
    recorder = Recorder()
    with tapped(recorder):
        first = noisy_keys(np.array([90, 50, 70, 1], dtype=np.int64), 2.0, 40)
    same, without, other = (Player(recorder.draws) for _ in range(3))
    with tapped(same):
        again = noisy_keys(np.array([89, 50, 69, 1], dtype=np.int64), 2.0, 40)
    assert [part.tolist() for part in again] == [part.tolist() for part in first] and not same.apart
    assert in_currency(same.losses, "zcdp") == pytest.approx(2 / 8, rel=1e-12)  # two keys by 1: ρ = 2/(2·2²)
    assert in_currency(same.losses, "pure") is None and same.delta == 0
    with tapped(without):
        again = noisy_keys(np.array([90, 50, 70], dtype=np.int64), 2.0, 40)
    assert [part.tolist() for part in again] == [part.tolist() for part in first] and not without.apart
    assert 0 < without.delta < 1e-15 and in_currency(without.losses, "zcdp") == 0
    with tapped(other):
        noisy_keys(np.array([90, 50], dtype=np.int64), 2.0, 40)
    assert other.apart and other.delta == 1, "a key of 70 people is no key of one person"


def test_a_place_is_another_key_where_one_is_gone() -> None:
    recorder = Recorder()
    recorder.keys = ["a", "b", "c"]
    with tapped(recorder):
        first = noisy_keys(np.array([1, 90, 50], dtype=np.int64), 2.0, 40)
    player = Player(recorder.draws)
    player.keys = ["b", "c"]
    with tapped(player):
        again = noisy_keys(np.array([90, 50], dtype=np.int64), 2.0, 40)
    assert again[1].tolist() == first[1].tolist() and again[0].tolist() == [place - 1 for place in first[0].tolist()]
    assert not player.apart and in_currency(player.losses, "zcdp") == 0


def test_a_choice_loses_by_the_range_of_the_differences() -> None:
    """ρ = (range/scale)²/8 a place that is chosen; the range is the greatest step, where all go one way."""
    recorder, counts = Recorder(), np.array([9, 5, 7], dtype=np.int64)
    with tapped(recorder):
        first = noisy_top(counts, 2, 4.0)
    for steps, width in ([3, 1, 0], 3), ([-3, 0, -1], 3), ([2, -1, 0], 3), ([0, 0, 0], 0):
        player = Player(recorder.draws)
        with tapped(player):
            again = noisy_top(counts + np.array(steps), 2, 4.0)
        player.end()
        assert again.tolist() == first.tolist() and not player.differences
        assert in_currency(player.losses, "zcdp") == pytest.approx(2 * (width / 4) ** 2 / 8, rel=1e-12)
