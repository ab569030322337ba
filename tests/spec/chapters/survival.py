"""Who leaves when: what survival curves and log-rank tests rest on."""

from __future__ import annotations

from tests.spec.book import Chapter, Spec

CHAPTER = Chapter(
    "Who leaves when, with the event or without it",
    "A survival curve and a log-rank test rest on two lists of counts: in each bin of time those who leave it with the "
    "event, then those who leave it without. Rows without a time, or of which nobody knows whether the event came, do "
    "not count. With noise the counts are solved from sums of earlier ones.",
    schema="""
tables:
  stays:
    unit: {column: patient, max_rows: 3, rows: 1}
    columns:
      patient: {type: identifier}
      ward: {type: category, values: [north, south], nullable: false}
      days: {type: integer, min: 0, max: 99}
      years: {type: real, min: 0, max: 3, step: 0.5}
      died: {type: boolean}
""",
    tables={
        "stays": """
        patient | ward  | days | years | died
        --------+-------+------+-------+------
        1       | north | 0    | 0.5   | true
        2       | north | 29   | 1     | false
        3       | north | 30   | 1.5   | true
        4       | north | 60   | 3     | true
        5       | north | 99   | 3     | false
        6       | south | 30   | 0     | true
        7       | south |      | 2     | true
        8       | south | 10   | 2     |
        """
    },
    specs=(
        Spec(
            "Bins from edge to edge",
            'pets.kaplan_meier("days", "died", by="ward", data="stays", edges=[0, 30, 60]).query',
            """
            ward  | fit
            ------+----------------
            north | [1, 1, 1, 0, 2]
            south | [0, 1, 0, 0, 0]
            """,
            why="Events before day 30 and from then on before day 60; then those who leave without one; last, who "
            "stays to day 60 or longer, whatever came then.",
        ),
        Spec(
            "Bins that cut the public range",
            'pets.kaplan_meier("days", "died", data="stays", bins=2).query',
            """
            fit
            ------------------
            [3, 1, 0, 1, 0, 1]
            """,
            why="Days 0 to 48, 49 to 98, and the largest alone: who reaches 99 is at risk all the time before.",
        ),
        Spec(
            "One bin for each value",
            'pets.log_rank("years", "died", "ward", data="stays").query',
            """
            ward  | fit
            ------+-------------------------------------------
            north | [0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
            south | [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            """,
            why="Seven values, from 0 to 3 in steps of a half: fewer than the 24 bins that are taken otherwise.",
        ),
    ),
)
