"""Planning: what a federation settles of a question before anything is sent: sites, one schema, price, meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pets.common.codec import digest
from pets.dp.privacy_loss import PrivacyLoss
from pets.dp.shares import Shares, on_the_plans_grid
from pets.errors import BudgetError, PolicyError, UserError, shown
from pets.federated.messages.roster import Roster
from pets.federated.query_round import rounded_counts
from pets.federated.site.policy import SitePolicy
from pets.federated.site.site import Site
from pets.plan.plan import Plan
from pets.protection.budget import Cost, Currency, added_up
from pets.protection.protection import DP, Exact, Protection, Total
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.estimate import Noise
from pets.schema.schema import Schema
from pets.session.quoting.quote import Remaining
from pets.session.session import Session


@dataclass(frozen=True)
class FederatedRequest:
    """A question to all sites with its price, before anything is spent.

    Attributes:
        plan, protection, secure: what is asked, how it is protected, and how the sites' vectors are combined.
        shares, loss: each site's noise, and what it means; ``None`` without noise.
        cost: what each site's ledger is charged.
        again: whether it is asked anew where the answer is known.
    """

    plan: Plan
    protection: Protection
    secure: str
    shares: Shares | None
    cost: Cost
    loss: PrivacyLoss | None
    again: bool = False

    @property
    def size(self) -> int:
        """Numbers of the answer's vector."""
        masked = isinstance(self.protection, SDC) and not self.for_holder
        return rounded_counts.size(self.plan) if masked else self.plan.size

    @property
    def for_holder(self) -> bool:
        """Whether it is of the grid that the key holder rounds."""
        return isinstance(self.protection, SDC) and self.secure == "encrypted"

    @property
    def at(self) -> tuple[float, float] | None:
        """(ε, δ); ``None`` without noise."""
        return None if self.loss is None else (self.loss.epsilon, self.loss.delta)

    def key(self, roster: Roster) -> str:
        """What makes two questions to a roster the same."""
        return digest([self.plan.digest, self.protection.to_json(), self.secure, roster.digest])


def without_noise(
    query: Query, plan: Plan, protection: Protection, secure: str, currency: Currency, *, again: bool
) -> FederatedRequest:
    """A question without noise, which costs nothing.

    Raises:
        BudgetError, PolicyError, QueryError: for what no site would answer, before any is asked.
    """
    if isinstance(protection, SDC):
        protection.check_releases()
        if secure == "local":
            raise PolicyError(
                "pets.SDC over sites never shows one site's numbers, as secure='local' does: each site rounds its own, "
                "which are added under masks, so write secure='masked'; or 'encrypted', where the key holder has a grid"
            )
        if again:
            raise BudgetError("pets.SDC draws no noise, so asked again it gives the same numbers; leave again=True out")
        rounded_counts.check_question(query, plan)
    elif not isinstance(protection, (Exact, Total)):
        raise BudgetError(
            f"a protection is pets.DP(…), pets.SDC(…), pets.Exact() or pets.Total(), not {shown(protection)}"
        )
    return FederatedRequest(plan, protection, secure, None, Cost(currency, 0), None, again)


def check_room(costs: Sequence[Cost], lefts: Callable[[], Mapping[str, Remaining]]) -> None:
    """Refuse several queries that a site's budget does not hold together, before the first is asked."""
    if len(costs) < 2:
        return
    cost = added_up(costs)
    for name, left in lefts().items():
        if not cost.fits(left.left):
            raise BudgetError(
                f"site {name!r} has no room for these {len(costs)} queries; nothing was spent; ask for fewer, "
                "or with a smaller epsilon"
            )


def noise_scales(plan: Plan, shares: Shares, parties: int) -> tuple[float, ...]:
    """The scale of a total's noise on the plan's grid, as that of a Gaussian of the same variance."""
    _, scales = on_the_plans_grid(plan, np.zeros(plan.size, dtype=np.int64), shares, parties)
    if shares.mechanism == "gaussian":
        return scales
    noise = Noise("laplace", shares.scales)
    return tuple(math.sqrt(parties) * noise.deviation(place) for place in range(len(shares.scales)))


def total_noise(plan: Plan, shares: Shares, parties: int, protection: DP) -> Noise:
    """The noise on a total of so many parties, as its intervals take it."""
    if shares.mechanism == "gaussian":
        return Noise("gaussian", noise_scales(plan, shares, parties), protection.confidence)
    return Noise("laplace", shares.scales, protection.confidence, parties)


def as_site(given: Session | Site, number: int) -> Site:
    """A plain session as a site of one custodian, which may be asked all that its session may."""
    if isinstance(given, Site):
        return given
    return Site(given, policy=SitePolicy.open(given.schema), name=f"site {number}")


def check_settings(analyst: object, key_holder: object, progress: object) -> None:
    """Raises :class:`UserError` for what is no name, no key holder or no switch."""
    if not isinstance(analyst, str) or not analyst.strip() or not analyst.isprintable():
        raise UserError(f"analyst is a name in printable letters, not {shown(analyst)}")
    if key_holder is not None and not all(hasattr(key_holder, name) for name in ("public", "round", "numbers")):
        raise UserError(f"key_holder is a pets.he.SecretKey, not {shown(key_holder)}; make one with pets.he.keygen()")
    if not isinstance(progress, bool):
        raise UserError(f"progress must be True or False, not {shown(progress)}")


def each_its_own(sites: Sequence[Site]) -> None:
    """Refuse rows that would count twice, and accounts that are one.

    Raises:
        PolicyError: naming two sites that share a session or a ledger.
    """
    for place, site in enumerate(sites):
        for other in sites[:place]:
            if site.session is other.session:
                raise PolicyError(
                    f"sites {other.name!r} and {site.name!r} are one session, whose rows would count twice; give every "
                    "site a session on its own rows"
                )
            if site.session.ledger.key.raw == other.session.ledger.key.raw:
                raise PolicyError(
                    f"sites {other.name!r} and {site.name!r} keep one ledger; every site charges its own: give each "
                    "session another ledger"
                )


def one_schema(sites: Sequence[Site]) -> Schema:
    """The schema that all sites share.

    Raises:
        PolicyError: naming the sites that have another.
    """
    if not sites:
        raise PolicyError("a federation has at least 3 sites")
    first = sites[0].session.schema
    for site in sites[1:]:
        if site.session.schema.digest != first.digest:
            raise PolicyError(
                f"sites {sites[0].name!r} and {site.name!r} have different schemas; all sites describe their tables by "
                "one schema file"
            )
    return first
