"""Quote and Remaining: what an answer would cost and how good it would be, and what is left."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.common import html_table
from pets.common.codec import Json, fraction, whole
from pets.common.percent import budget_percent, percent
from pets.errors import PetsError, UserError
from pets.plan.plan import Plan
from pets.plan.unreached import unreached
from pets.protection.budget import UNIT, Budget, Cost, rho_from_epsilon
from pets.release.release_form import plain
from pets.schema.settings import PEOPLE
from pets.session.quoting.forecast import SIZES, Expected

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.bounding.rows_lost import RowsLost


@dataclass(frozen=True)
class Quote:
    """The price and the expected error of a request, before anything is spent and without reading a row.

    Attributes:
        cost: what a release would charge, in the ledger's exact units.
        epsilon, delta: the guarantee of the release.
        mechanism: the law of the noise.
        errors: the expected error of each output (a share ``confidence`` of cells within).
        fits: whether the budget has room for it now.
        more: how many such requests the budget has room for now (``None``: the account is elsewhere).
        confidence: of the intervals, as the protection asked.
        advice: how the other mechanism compares, and how to ask for it (``""``: there is none, or several queries).
        notes: conditions that no row can meet, and groups that leave values out.
    """

    cost: Cost
    epsilon: float
    delta: float
    mechanism: str
    errors: tuple[tuple[Expected, ...], ...]
    fits: bool
    more: int | None
    confidence: float = 0.95
    advice: str = ""
    notes: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """The canonical form: what goes over a wire."""
        errors = [[error.to_json() for error in errors] for errors in self.errors]
        form: Json = plain(vars(self) | {"cost": self.cost.to_json(), "errors": errors})
        return form

    @classmethod
    def from_json(cls, form: Any) -> Quote:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else."""
        try:
            numbers = {name: float(fraction(form[name])) for name in ("epsilon", "delta", "confidence")}
            return cls(
                cost=Cost.from_json(form["cost"]),
                mechanism=str(form["mechanism"]),
                errors=tuple(tuple(map(Expected.from_json, errors)) for errors in form["errors"]),
                fits=form["fits"] is True,
                more=_maybe(form["more"]),
                advice=str(form["advice"]),
                notes=tuple(map(str, form["notes"])),
                **numbers,
            )
        except (PetsError, LookupError, TypeError, ValueError, AttributeError):
            raise UserError("this is no quote as pets writes it; ask for it again") from None

    @property
    def table(self) -> pd.DataFrame:
        """One row an output: its kind and half the width of its interval (at two group sizes where it depends).

        ``least_rows``: below about so many rows a group is not estimable.
        """
        import pandas as pd

        rows = []
        for number, errors in enumerate(self.errors, start=1):
            for error in errors:
                row: dict[str, object] = {"query": number, "output": error.output, "kind": error.kind}
                row["error"] = error.half_width
                row |= {f"error_at_{n}": error.at[i] if error.at else None for i, n in enumerate(SIZES)}
                row["least_rows"] = error.least or None
                rows.append(row)
        frame = pd.DataFrame(rows)
        return frame.drop(columns="query") if len(self.errors) == 1 else frame

    @property
    def _price(self) -> str:
        at = f"ε = {self.epsilon:.4g}" + (f", δ = {self.delta:g}" if self.delta else "")
        if self.more is None:
            room = "whether it fits is for each site's own account to say"
        elif self.fits:
            room = f"about {self.more:,} such request{'s' if self.more != 1 else ''} left"
        else:
            room = "over budget"
        return f"Cost: {at} ({describe_units(self.cost)}); {room}."

    def __str__(self) -> str:
        lines = [
            self._price,
            f"Expected error ({percent(self.confidence)} of cells within):",
        ]
        everything = [error for errors in self.errors for error in errors]
        width = max(len(error.output) for error in everything)
        lines += [f"  {error.output:<{width}}  {error}" for error in everything]
        more = [line for said in (*self.notes, self.advice) for line in textwrap.wrap(said, 110)]
        return "\n".join([*lines, *more])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [(error.output, error) for errors in self.errors for error in errors]
        within = f"Expected error ({percent(self.confidence)} of cells within)"
        notes = [html_table.sentence(note) for note in self.notes]
        return html_table.block(html_table.sentence(self._price), html_table.table(within, (), rows), *notes)


def notes_of(plans: Sequence[Plan], lost: Mapping[str, RowsLost] | None = None) -> tuple[str, ...]:
    """What a quote says of its questions beside the price; of several, by their numbers.

    ``lost``: by table, what was released of the rows that bounds leave out.
    """
    hidden = [() if plan.people_of is None else plan.people_of.hidden for plan in plans]
    said = [
        (*few, *unreached(plan), *_counted(plan, (lost or {}).get(plan.table)))
        for plan, few in zip(plans, hidden, strict=True)
    ]
    if len(plans) == 1:
        return said[0]
    return tuple(f"Query {i}: {one}" for i, sentences in enumerate(said, start=1) for one in sentences)


def _counted(plan: Plan, lost: RowsLost | None) -> tuple[str, ...]:
    if lost is None or all(measure.reads_kept for measure in plan.measures):
        return ()
    return (lost.sentence(plan.rows),) if lost.whole else ()


def large_delta(plans: Sequence[Plan], delta: float) -> tuple[str, ...]:
    """A warning where δ is above 1 in the number of people that a schema states: it should be far below."""
    stated = [plan.people for plan in plans if plan.people != PEOPLE]
    if not stated or delta * max(stated) <= 1:
        return ()
    return (
        f"δ = {delta:g} is more than 1 in the {max(stated):,} people that the schema allows for: it lets the promise "
        "fail for somebody. Ask with a smaller one, DP(epsilon=…, delta=…); the budget's is the custodian's to lower.",
    )


def _maybe(count: Any) -> int | None:
    return None if count is None else whole(count)


def _about(more: int) -> str:
    return f"about {more:,} more" if more else "no more"


def describe_units(cost: Cost) -> str:
    """A cost in its ledger's currency, such as ``ρ = 0.00702``."""
    return f"{'ρ' if cost.currency == 'zcdp' else 'ε'} = {cost.loss / UNIT:.4g} from the budget"


@dataclass(frozen=True)
class Remaining:
    """What is left of a budget.

    Attributes:
        budget: the whole of it.
        spent, left: exact, in the ledger's currency.
        epsilon: the greatest ``DP(epsilon=…)`` that still fits.
        delta: the δ that goes with it.
        more: how many more requests like the last one fit (``None`` before the first).
        lifetime: charged since the dataset was opened, over all renewals of its budget.
        epoch: how often the budget was renewed.
        durable: whether the account outlives this process.
        unbounded: releases of the dataset without a finite guarantee, which no budget counts.
    """

    budget: Budget
    spent: Cost
    left: Cost
    epsilon: float
    delta: float
    more: int | None = None
    lifetime: Cost | None = None
    epoch: int = 0
    durable: bool = True
    unbounded: int = 0

    def to_json(self) -> Json:
        """The canonical form: what goes over a wire."""
        life = None if self.lifetime is None else self.lifetime.to_json()
        parts = {"budget": self.budget.to_json(), "spent": self.spent.to_json(), "left": self.left.to_json()}
        form: Json = plain(vars(self) | parts | {"lifetime": life})
        return form

    @classmethod
    def from_json(cls, form: Any) -> Remaining:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else."""
        try:
            return cls(
                budget=Budget.from_json(form["budget"]),
                spent=Cost.from_json(form["spent"]),
                left=Cost.from_json(form["left"]),
                epsilon=float(fraction(form["epsilon"])),
                delta=float(fraction(form["delta"])),
                more=_maybe(form["more"]),
                lifetime=None if form["lifetime"] is None else Cost.from_json(form["lifetime"]),
                epoch=whole(form["epoch"]),
                durable=form["durable"] is True,
                unbounded=whole(form["unbounded"]),
            )
        except (PetsError, LookupError, TypeError, ValueError, AttributeError):
            raise UserError("this is no account of a budget as pets writes it; ask for it again") from None

    @property
    def share(self) -> float:
        """The part of the budget that is left, 0 to 1; a project or an analyst may have room for less."""
        return max(0.0, 1 - self.spent.loss / self.budget.cap.loss)

    @property
    def _limited(self) -> bool:
        """Whether a project or an analyst has room for less than the dataset."""
        return self.left.loss < self.budget.cap.loss - self.spent.loss

    @property
    def _room(self) -> str:
        """The greatest ε that fits, in four digits: rounded where that still fits, else cut."""
        if self.epsilon <= 0:
            return "0"
        rounded = float(f"{self.epsilon:.4g}")
        pure = self.budget.currency == "pure"
        loss = rounded if pure else rho_from_epsilon(rounded, self.budget.conversion_delta)
        if math.floor(loss * UNIT) > self.left.loss:
            digits = 3 - math.floor(math.log10(self.epsilon))
            rounded = math.floor(self.epsilon * 10**digits) / 10**digits
        return f"{rounded:.4g}"

    def __str__(self) -> str:
        spent = self.budget.describe(self.spent)[0]
        at = f" at δ = {self.budget.conversion_delta:g}" if self.budget.delta else ""
        like = "" if self.more is None else f"; {_about(self.more)} like the last one"
        whose = ", the rest of this project's or analyst's own limit," if self._limited else ""
        return (
            f"Spent ε = {spent:.4g} of {self.budget.epsilon:g}{at} ({self.share:.1%} of the budget is left); "
            f"one more query of up to ε = {self._room}{whose} fits{like}.{self._life}"
        )

    @property
    def _life(self) -> str:
        """What the numbers above do not say."""
        said = ""
        if self.epoch and self.lifetime is not None:
            life = self.budget.describe(self.lifetime)[0]
            said += f" The budget was renewed {self.epoch}×; over its whole life ε = {life:.4g} was spent."
        if self.unbounded:
            said += f" Beside that, {self._bare}."
        if not self.durable:
            said += " The account is in this process's memory only, and ends with it."
        return said

    @property
    def _bare(self) -> str:
        releases = "1 release" if self.unbounded == 1 else f"{self.unbounded:,} releases"
        return f"{releases} had no finite guarantee (exact totals or rounded counts), and no budget counts them"

    @property
    def _facts(self) -> dict[str, str]:
        """What the gauge is read with, by name."""
        at = f" (δ = {self.budget.conversion_delta:g})" if self.budget.delta else ""
        spent = self.budget.describe(self.spent)[0]
        out = {
            "Used": f"{budget_percent(1 - self.share)}: ε = {spent:.4g} of {self.budget.epsilon:g}{at}",
            "Left": f"{budget_percent(self.share)}: one more query of up to ε = {self._room} fits",
        }
        if self.more is not None:
            out["Like the last one"] = _about(self.more)
        if self.epoch and self.lifetime is not None:
            life = self.budget.describe(self.lifetime)[0]
            times = "once" if self.epoch == 1 else f"{self.epoch} times"
            out["Whole life"] = f"ε = {life:.4g}{at}; the budget was renewed {times}, and this never goes back"
        if self.unbounded:
            out["Beside that"] = self._bare
        if not self.durable:
            out["Kept"] = "in this process's memory only; it ends with it (ledger='ledger.db' keeps it)"
        return out

    def __repr__(self) -> str:
        full = min(max(round((1 - self.share) * _BAR), self.spent.loss > 0), _BAR - (self.share > 0))
        width = max(map(len, self._facts))
        lines = [f"  {name:<{width}}  {said}" for name, said in self._facts.items()]
        return "\n".join([f"Budget  [{'█' * full}{'·' * (_BAR - full)}]", *lines])

    def _repr_html_(self) -> str:
        from pets.release import html as page

        used = 320 * (1 - self.share)
        label = f"{budget_percent(1 - self.share)} of the budget is used, {budget_percent(self.share)} is left"
        drawn = page.bar(label, (0.0, max(used, 2.0) if self.spent.loss else 0.0, "#d55e00"))
        rows = "".join(
            f'<tr><th scope="row" class="key">{html.escape(name)}</th><td class="key">{html.escape(said)}</td></tr>'
            for name, said in self._facts.items()
        )
        return (
            f'<div class="pets-release"><style>{page.STYLE}</style>{drawn}<table><caption>Privacy budget</caption>'
            f"<tbody>{rows}</tbody></table></div>"
        )


_BAR = 40
