"""The weights of a trained network, from its noisy sums, step by step, with Python's own numbers.

docs/proofs/training.md has the order of the operations, each of which IEEE 754 rounds in one way.
"""

import hashlib
import math
from itertools import pairwise
from typing import Any

UNIT, WEIGHT, SIZE = 2**12, 2**16, 64 * 2**16  # gradients; weights, and the greatest


def first(widths: list[int], seed: int) -> list[float]:
    """The weights before the first step."""
    out = list[float]()
    for place, (before, after) in enumerate(pairwise(widths)):
        many, last = (before + 1) * after, place == len(widths) - 2
        drawn = b"" if last else hashlib.shake_256(f"pets network {seed} layer {place}".encode()).digest(4 * many)
        parts = (int.from_bytes(drawn[at : at + 4], "big") for at in range(0, len(drawn), 4))
        out += [0.0] * many if last else [(part - 2**31) / 2**31 / math.sqrt(before + 1) for part in parts]
    return out


def weights(one: Any, widths: list[int], rate: float) -> list[int]:
    """Momentum 0.9, the rate times 0.3 in the last two fifths of the steps, the average over the last three tenths."""
    return walked(one, widths, rate)[0]


def places(one: Any, widths: list[int], rate: float) -> list[list[int]]:
    """The weights at which each step is measured, as whole numbers of 2^-16."""
    return walked(one, widths, rate)[1]


def rounded(exact: list[float]) -> list[int]:
    """Whole numbers of 2^-16, and none too great."""
    return [min(SIZE, max(-SIZE, round(at * WEIGHT))) for at in exact]


def walked(one: Any, widths: list[int], rate: float) -> tuple[list[int], list[list[int]]]:
    """The weights of the network, and those before each step."""
    over, steps = float(max(1, one["people"])) * UNIT, one["network"]["steps"]
    exact = first(widths, one["network"]["seed"])
    slower, averaged = math.floor(steps * (3 / 5)), math.floor(steps * (7 / 10))
    speed, total = [0.0] * len(exact), [0.0] * len(exact)
    before_each = []
    for done, sums in enumerate(one["sums"]):
        before_each.append(rounded(exact))
        now = rate * (0.3 if done >= slower else 1.0)
        speed = [before * 0.9 + float(value) / over for before, value in zip(speed, sums, strict=True)]
        exact = [min(64.0, max(-64.0, at - by * now)) for at, by in zip(exact, speed, strict=True)]
        if done >= averaged:
            total = [before + at for before, at in zip(total, rounded(exact), strict=True)]
    return [round(value / (steps - averaged)) for value in total], before_each
