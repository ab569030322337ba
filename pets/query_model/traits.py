"""Traits: what is known of each kind of aggregate before a plan or a row. One row a kind; no other file lists kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["linear", "bins", "ratio", "moments", "root", "joint", "correlation", "rank"]
"""How an answer is made from noisy measures (:mod:`pets.release.estimate` has one method for each): one weighted sum a
group; a list of counts; a sum over a number of rows; sums of squares and values over it, or the root of that; sums of
products; those over the roots of sums of squares; a place among counts."""

Takes = Literal["rows", "condition", "column", "columns"]
Colon = Literal["", "bounds", "share", "edges"]


@dataclass(frozen=True)
class Spelling:
    """A name under which an aggregate is asked for: ``pets.NAME(…)``, and ``--NAME`` on the command line.

    Attributes:
        name: of the function in :mod:`pets.query_model.aggregate`; a flag has ``-`` for ``_``.
        help: what the flag takes, for ``--help``.
        takes: the function's first arguments: nothing or a condition (``"rows"``), a condition, a column, or two.
        colon: the numbers that may follow a column and a colon: two bounds to clip to, a share, or bin edges.
        example: what may follow the flag, for an error's remedy.
    """

    name: str
    help: str
    takes: Takes = "column"
    colon: Colon = ""
    example: str = "days=length_of_stay"

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True)
class Traits:
    """What every other module asks about a kind of aggregate.

    Attributes:
        kind: the name in canonical JSON, in the log and in a site's policy.
        shape: how an answer is made from noisy measures.
        lay: what it is, for readers of the public log ("{}": the column, or the columns of its condition).
        chart: what a chart's axis says: ``{column}`` (of two columns: both), and ``{q}`` for a quantile's share.
        counts: what it counts, if it counts: never negative, and whole before noise.
        spellings: the names under which it is asked for.
        percent: it is a share of 1, shown as per cent on a chart.
    """

    kind: str
    shape: Shape
    lay: str
    chart: str
    spellings: tuple[Spelling, ...]
    counts: Literal["", "rows", "people"] = ""
    percent: bool = False

    @property
    def error_known(self) -> bool:
        """The error follows from the noise alone, so that an accuracy can be promised before data are seen."""
        return self.shape in ("linear", "bins")

    @property
    def error_by_size(self) -> bool:
        """The error falls with the number of a group's rows: a forecast names it at some sizes."""
        return self.shape in ("ratio", "moments", "root", "joint", "correlation")

    @property
    def bars(self) -> bool:
        """An amount, which a chart draws as a bar from zero; anything else is a point."""
        return self.shape in ("linear", "bins")

    @property
    def plain_count(self) -> bool:
        """One count of rows a group: sums and means share it, so that it draws no budget of its own beside them."""
        return self.counts == "rows" and self.shape == "linear"

    @property
    def made_of_counts(self) -> int:
        """The counts that it is and nothing else: of a count one, of a rate two; 0 where it is anything else."""
        if self.shape == "linear":
            return int(bool(self.counts))
        return 2 if self.percent and self.shape == "ratio" else 0

    @property
    def averaged(self) -> bool:
        """A sum of a column, or its mean."""
        return (self.shape == "linear" and not self.counts) or (self.shape == "ratio" and not self.percent)


TRAITS: dict[str, Traits] = {
    row.kind: row
    for row in (
        Traits(
            "count",
            "linear",
            "the number of records",
            "rows",
            (Spelling("count", "NAME, or NAME=condition: rows", "rows"),),
            counts="rows",
        ),
        Traits(
            "count_units",
            "linear",
            "the number of people",
            "people",
            (Spelling("count_units", "NAME, or NAME=condition: people", "rows"),),
            counts="people",
        ),
        Traits(
            "sum",
            "linear",
            "the total of {}",
            "sum of {column}",
            (Spelling("sum", "NAME=column, or NAME=column:low,high to clip", colon="bounds"),),
        ),
        Traits(
            "mean",
            "ratio",
            "the average of {}",
            "mean of {column}",
            (Spelling("mean", "NAME=column, or NAME=column:low,high", colon="bounds"),),
        ),
        Traits(
            "rate",
            "ratio",
            "the share of records chosen by {}",
            "share of rows",
            (
                Spelling(
                    "rate",
                    'NAME=condition: the share of rows, "old=age >= 65"',
                    "condition",
                    example='"old=age >= 65"',
                ),
            ),
            percent=True,
        ),
        Traits(
            "variance",
            "moments",
            "how widely {} varies",
            "variance of {column}",
            (Spelling("variance", "NAME=column, or NAME=column:low,high", colon="bounds"),),
        ),
        Traits(
            "std",
            "root",
            "how widely {} varies (standard deviation)",
            "standard deviation of {column}",
            (Spelling("std", "NAME=column, or NAME=column:low,high", colon="bounds"),),
        ),
        Traits(
            "covariance",
            "joint",
            "how {} vary together",
            "covariance of {column}",
            (Spelling("covariance", "NAME=column,column", "columns", example="both=length_of_stay,cost"),),
        ),
        Traits(
            "correlation",
            "correlation",
            "how closely {} vary together (correlation)",
            "correlation of {column}",
            (Spelling("correlation", "NAME=column,column", "columns", example="r=length_of_stay,cost"),),
        ),
        Traits(
            "quantile",
            "rank",
            "a middle or outer value (quantile) of {}",
            "{q} of {column}",
            (
                Spelling("median", "NAME=column"),
                Spelling("quantile", "NAME=column:0.9", colon="share", example="dear=cost:0.9"),
            ),
        ),
        Traits(
            "histogram",
            "bins",
            "how {} is spread over ranges",
            "rows",
            (
                Spelling(
                    "histogram",
                    "NAME=column:0,10,20 (or no edges)",
                    colon="edges",
                    example="stays=length_of_stay:0,1,7,60",
                ),
            ),
            counts="rows",
        ),
        Traits(
            "tails",
            "bins",
            "how many people have one, two or more records",
            "people",
            (Spelling("tails", "NAME, or NAME=condition: people with at least 1, 2, … rows", "rows"),),
            counts="rows",
        ),
        # (asked for as models, such as pets.linear, and by no name of its own)
        Traits("regression", "bins", "a regression on {}", "sums of products of {column}", ()),
        Traits("newton", "bins", "a step of a regression on {}", "sums of a step on {column}", ()),
        Traits("scores", "bins", "how people's rows depart from a regression on {}", "sums of scores on {column}", ()),
        Traits("survival", "bins", "survival over time, by {}", "exits over time of {column}", ()),
        Traits("gradient", "bins", "a step of a training on {}", "sums of a step of a training on {column}", ()),
    )
}

SPELLINGS: dict[str, Spelling] = {spelling.name: spelling for row in TRAITS.values() for spelling in row.spellings}
"""Every name under which an aggregate is asked for."""
