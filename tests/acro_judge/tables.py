"""Two hundred tables of invented people from seeds, alike in the judge's environment and in ours."""

from __future__ import annotations

import random

TABLES = 200
REGIONS = ("E", "N", "S", "W")
GROUPS = ("a", "b", "c")

Row = tuple[str, str, int]


def rows(seed: int) -> list[Row]:
    """The people of one table: region, group, and an amount; some amounts are far greater than others."""
    chance = random.Random(seed)
    people = chance.randint(40, 160)
    shares = [chance.random() ** 2 + 0.02 for _ in REGIONS for _ in GROUPS]
    places = chance.choices([(region, group) for region in REGIONS for group in GROUPS], shares, k=people)
    heavy = chance.choice((1, 2, 3))
    return [(region, group, 1 + int(chance.random() ** -heavy * 20) % 1_000_000) for region, group in places]


def two_tables() -> list[tuple[str, str, str]]:
    """People by region, code and sex, of whom one is alone with a code in the region E."""
    chance = random.Random(17)
    sizes = {"E": (1, 185, 200), "N": (90, 130, 110), "S": (60, 75, 85)}
    return [
        (region, code, chance.choice("FM"))
        for region, counts in sizes.items()
        for code, count in zip("abc", counts, strict=True)
        for _ in range(count)
    ]
