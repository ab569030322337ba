"""Curves: survival over time in each group, with intervals that contain both the choice of people and the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pets.common import html_table
from pets.common.codec import fraction, number
from pets.common.integers import Floats
from pets.errors import UserError, shown
from pets.models.survival.curve_chart import drawn
from pets.models.survival.estimate import CLEAR, FIRM, Curve, Z, curve, ended, mean_time
from pets.models.survival.exit_fit import ExitFit

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Curves(ExitFit):
    """Survival curves (Kaplan–Meier) of one release, so they keep that release's guarantee.

    Attributes:
        model: what was fitted.
        release: the counts that they were made of, with their certificate.
    """

    form: ClassVar[str] = "survival curves"
    kind: ClassVar[str] = "kaplan_meier"
    called: ClassVar[str] = "a survival curve"

    @cached_property
    def _wide(self) -> Floats:
        """1 for bins in which who leaves without the event counts half: those of several values."""
        whole = not getattr(self.model, "actuarial", True)
        return np.array([float(value is None and not whole) for value in self.bins.values])

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """Each group's curve, up to the bin in which it ends."""
        return tuple(curve(one, self._wide) for one in self.streams)

    @cached_property
    def edges(self) -> Floats:
        """The ends of the bins."""
        return np.array([float(edge) for edge in self.bins.edges])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each bin of each group, up to where its curve ends.

        ``from`` and ``to`` are the bin's ends, ``at_risk`` who is there when it begins, ``events`` and ``censored`` who
        leaves in it, and ``survival`` the share without the event when it ends. ``error`` holds both noise and the
        choice of people: error² = ``noise``² + ``sampling``². ``low`` and ``high`` cover one point of the population's
        curve in 95 % of releases, ``band_low`` and ``band_high`` the whole of it.
        """
        import pandas as pd

        parts = []
        for labels, left, made in zip(self._groups, self.streams, self.curves, strict=True):
            last = made.bins
            low, high = made.interval(Z)
            ends = made.interval(made.band)
            noise, sampling, error = map(made.deviation, (made.noise, made.sampling, made.covariance))
            columns: dict[str, Any] = dict(zip(self.model.by, ([label] * last for label in labels), strict=True))
            columns |= {"from": self.edges[:last], "to": self.edges[1 : last + 1]}
            columns |= {"at_risk": left.at_risk[:last], "events": left.events[:last], "censored": left.others[:last]}
            columns |= {"survival": made.survival, "error": error, "low": low, "high": high}
            columns |= {"band_low": ends[0], "band_high": ends[1], "noise": noise, "sampling": sampling}
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    # what is read off them ------------------------------------------------------------------------------------------

    @property
    def median(self) -> pd.DataFrame:
        """By group, the time at which half are without the event, and the ends of its 95 % interval.

        On a straight line inside a bin of several values. NaN: the curve, or the end of its interval, does not come
        down to half before it ends.
        """
        import pandas as pd

        return pd.DataFrame(self._halves, index=self._index, columns=["median", "low", "high"])

    @cached_property
    def _halves(self) -> list[list[float]]:
        return [[self._half(one) for one in (made.survival, *made.interval(Z))] for made in self.curves]

    def _half(self, survival: Floats) -> float:
        below = survival <= 0.5 + 1e-12  # (what is a half may lie a rounding above it)
        if not below.any():
            return math.nan
        at = int(below.argmax())
        value, start = self.bins.values[at], self.edges[at]
        if value is not None:
            return float(value)
        before = survival[at - 1] if at else 1.0
        if not self._wide[at] or not before > survival[at]:
            return float(start)
        return float(start + (self.edges[at + 1] - start) * (before - 0.5) / (before - survival[at]))

    def rmst(self, horizon: object = None) -> pd.DataFrame:
        """The restricted mean survival time: the mean time without the event, up to a horizon.

        One row a group, and one for each further group's difference from the first; ``error``, the 95 % interval and p
        hold both the choice of people and the noise, ``noise_share`` is noise² over error². NaN: before the horizon the
        curve ends, or fewer are at risk than 8 standard deviations of the noise on their number. ``horizon`` is the
        mean's, and ``known_to`` the last to which there is one.

        Args:
            horizon: one of the edges; left out, the last up to which every group has a mean, at most the largest time.
                Name one beforehand: where the noise has a part in choosing it, intervals hold a little less often than
                they say.

        Raises:
            UserError: for a horizon that is no edge.
        """
        import pandas as pd

        last = self._horizon(horizon)
        edges, drops = self.edges[: last + 1], self._drops[:last]
        found = [
            mean_time(made, edges, drops) if self.exact or firm >= last else (math.nan,) * 3
            for made, firm in zip(self.curves, self._firm, strict=True)
        ]
        rows = dict(zip(self.groups, found, strict=True))
        for name, one in list(rows.items())[1:]:
            first = found[0]
            rows[f"{name} − {self.groups[0]}"] = (one[0] - first[0], one[1] + first[1], one[2] + first[2])
        told = [self._told(*one, test=at >= len(found)) for at, one in enumerate(rows.values())]
        table = pd.DataFrame(told, index=pd.Index(list(rows), name=", ".join(self.model.by) or None))
        known = [float(self.edges[one]) for one in self._known]
        table["horizon"] = float(self.edges[last])
        table["known_to"] = known + [min(known[0], one) for one in known[1:]]
        table.attrs["horizon"] = float(self.edges[last])
        return table

    @staticmethod
    def _told(value: float, noise: float, sampling: float, *, test: bool) -> dict[str, float]:
        error = math.sqrt(noise + sampling)
        said = {"rmst": value, "error": error, "low": value - Z * error, "high": value + Z * error}
        away = abs(value) / error if error > 0 else math.inf
        said["p"] = 2 * NormalDist().cdf(-away) if test and not math.isnan(value) else math.nan
        return said | {"noise_share": noise / error**2 if error > 0 else (math.nan if math.isnan(error) else 0.0)}

    @cached_property
    def _firm(self) -> list[int]:
        """By group, the bins up to which a mean is given."""
        pairs = zip(self.streams, self.curves, strict=True)
        return [min(made.bins, ended(left, FIRM)) for left, made in pairs]

    @cached_property
    def _known(self) -> list[int]:
        """The same, to the end for a curve that has come down to 0 without noise: there it stays."""
        gone = [self.exact and made.bins > 0 and made.survival[-1] == 0 for made in self.curves]
        return [self.bins.within if at_0 else firm for at_0, firm in zip(gone, self._firm, strict=True)]

    @cached_property
    def _drops(self) -> Floats:
        """Where in each bin the curve falls, as a share of its width: at its value, or on average in the middle."""
        width = np.diff(self.edges)
        at = [math.nan if value is None else float(value) for value in self.bins.values]
        own = (np.array(at) - self.edges[:-1]) / width
        return np.where(np.isnan(own), self._wide / 2, own)

    def _horizon(self, horizon: object) -> int:
        """How many bins lie before it."""
        if horizon is None:
            last = max(1, min(self._firm))
            return last - 1 if last > 1 and self.bins.edges[last - 1] >= self.bins.largest else last
        try:
            wanted = fraction(horizon)
        except ValueError:
            raise UserError(f"a horizon is a number, such as rmst(365), not {shown(horizon)}") from None
        ends = self.bins.edges[1:]
        if wanted not in ends:
            near = sorted(ends, key=lambda edge: abs(edge - wanted))[:2]
            raise UserError(
                f"horizon {number(wanted)} is none of the edges of this curve's bins; take "
                f"{' or '.join(str(number(edge)) for edge in sorted(near))}"
            )
        return ends.index(wanted) + 1

    @property
    def _index(self) -> Any:
        import pandas as pd

        return pd.Index(self.groups, name=", ".join(self.model.by) or None)

    # how they are shown ---------------------------------------------------------------------------------------------

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, from released numbers alone."""
        total = self.bins.within
        ends = [
            f"{name} at {number(self.bins.edges[made.bins])}" if made.bins else f"{name} has no bin at all"
            for name, made in zip(self.groups, self.curves, strict=True)
            if made.bins < total
        ]
        out = []
        if ends:
            noise = f"fewer are at risk than {CLEAR:g} standard deviations of the noise on their number"
            out.append(f"A curve ends where {'nobody is at risk' if self.exact else noise}: {html_table.few(ends)}.")
        if not self.exact and min(self._known) < total:
            each = zip(self.groups, self._known, strict=True)
            means = [f"{number(self.bins.edges[one])} ({name})" if one else f"none ({name})" for name, one in each]
            out.append(
                f"Means (rmst) go to {html_table.few(means)}: further on fewer are at risk than {FIRM:g} standard "
                "deviations of the noise on them."
            )
        if self._wide.any():
            out.append("Times inside a bin are not known: who leaves it without the event counts half in it.")
        if self._lost:
            out.append(
                "Noise on the events of single bins adds up to more than the events there are, so single steps are "
                f"noise, and only sums over many bins mean anything: {html_table.few(self._lost)}; take fewer bins or "
                "groups, or more epsilon."
            )
        return (*out, *self._said, *self.release.notes)

    @property
    def _lost(self) -> list[str]:
        """Groups in which the noise on all bins' events, side by side, is more than these."""
        out = []
        for name, left, (_, events) in zip(self.groups, self.streams, self.sizes, strict=True):
            noise = math.sqrt(left.covariance(left.bins)[-1, -1])
            if noise * left.bins > events:
                out.append(f"{name} (±{noise:,.3g} on each bin, {events:,.0f} events in all)")
        return out if not self.exact else []

    def summary(self) -> str:
        """The curves as text: every line comes from released counts."""
        lines = [*self._head, ""]
        about = "" if self.exact else "about "
        each = zip(self.groups, self.sizes, self.streams, self.curves, self._halves, strict=True)
        for name, (rows, events), left, made, half in each:
            lines.append(f"{name}: {about}{rows:,.0f} rows, {about}{events:,.0f} events")
            if not made.bins:
                continue
            (low, high), error = made.interval(Z), made.deviation(made.covariance)
            picked = sorted({*np.linspace(0, made.bins - 1, min(6, made.bins)).astype(int).tolist()})
            lines.append(f"  {'until':>10}  {'at risk':>10}  {'survival':>8}  {'error':>7}  {'95 % interval':>18}")
            for at in picked:
                ends = f"[{low[at]:.4f}, {high[at]:.4f}]"
                lines.append(
                    f"  {self.edges[at + 1]:>10,.6g}  {left.at_risk[at]:>10,.0f}  {made.survival[at]:>8.4f}  "
                    f"{error[at]:>7.4f}  {ends:>18}"
                )
            if not math.isnan(half[0]):
                lines.append(f"  median {half[0]:,.5g} [{half[1]:,.5g}, {half[2]:,.5g}]")
        both = "Errors and intervals contain both the choice of people and the noise."
        return "\n".join([*lines, "", both, *self.notes, self.release.guarantee])

    __str__ = summary

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        told = self.table
        names = ("from", "to", "at_risk", "events", "survival", "error", "low", "high")
        header = ("group", *names)
        groups = [name for name, made in zip(self.groups, self.curves, strict=True) for _ in range(made.bins)]
        rows = [
            (group, *(f"{row[name]:,.5g}" for name in names))
            for group, (_, row) in zip(groups, told.iterrows(), strict=True)
        ]
        *alarm, said, _ = self._head
        return html_table.block(
            *(html_table.sentence(one, alarm=True) for one in alarm),
            html_table.table(said, header, rows, numbers=range(1, len(header))),
            *(html_table.sentence(note) for note in (*self.notes, self.release.guarantee)),
        )

    def chart(self, *, band: bool = True) -> Any:
        """The curves as an Altair chart: steps with the band that holds the whole curve, or each point's interval.

        Args:
            band: ``False`` draws the interval of each point.

        Raises:
            MissingExtraError: without the extra ``plot``.
        """
        return drawn(self, band=band)

    plot = chart
