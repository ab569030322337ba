"""Quote of a training: its price, and how loud its noise will be at several numbers of people."""

from __future__ import annotations

from dataclasses import dataclass

from pets.common import html_table
from pets.dp.train_noise import TrainNoise, drowned, loudness, membership

SIZES = (1_000, 10_000, 100_000)


@dataclass(frozen=True, repr=False)
class TrainQuote:
    """The price of a training and what it will be worth, before anything is spent and without reading a row.

    Attributes:
        noise: of all steps, with its cost.
        size: weights.
        bound: the clip, in the whole numbers of a step.
        over_sites: whether each step is a question of its own, charged at each of several sites.
    """

    noise: TrainNoise
    size: int
    bound: int
    over_sites: bool = False

    def loudness(self, people: int) -> float:
        """The L2 norm of the noise of one step over the most that so many people could add up to together."""
        return loudness(self.noise.scale, self.size, self.bound, people)

    def __str__(self) -> str:
        one = self.noise
        loud = ", ".join(f"{self.loudness(people):.2g} at {people:,} people" for people in SIZES)
        lost = [f"{people:,}" for people in SIZES if drowned(self.loudness(people))]
        warning = (
            f" With {lost[-1]} people or fewer a step is mostly noise, and predictions mean nothing: take more epsilon "
            "or fewer steps."
            if lost
            else ""
        )
        when = "charged before the first; stopping gives nothing back"
        if self.over_sites:
            when = "at each site, each before it is answered; none is asked where a site has no room for all"
        return (
            f"Cost: ε = {one.epsilon:.4g}, δ = {one.delta:g} (ρ = {one.rho:.4g}), for all {one.steps:,} steps of "
            f"{self.size:,} numbers, {when}. Noise of one step over the "
            f"most that everybody could add up to together (a tenth is fine, 1 is noise alone): {loud}. Whoever wants "
            f"to tell whether a person took part will be right at most {membership(one.epsilon, one.delta)[0]:.1%} of "
            f"the time.{warning}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table.block(html_table.sentence(str(self)))
