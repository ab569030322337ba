"""Public range: what a total can be at all, by the schema, the roster and the noise. A total outside is refused.

A wrong share, or a site that sends anything, makes a total wrong without a trace in its bytes; most such totals lie
far outside. A lie within the range is not seen: that would need proofs of what each site sent.
"""

from __future__ import annotations

import math

from pets.dp.shares import Shares
from pets.errors import ReleaseFailedError
from pets.federated.analyst.planning import FederatedRequest
from pets.federated.messages.roster import Roster
from pets.federated.query_round import rounded_counts
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.regression_step import Model
from pets.plan.plan import Plan
from pets.plan.vector import Ints
from pets.protection.sdc import SDC

DEVIATIONS = 12
"""Of Gaussian noise: a sum of it lies beyond once in 10^31."""
_COUNTS = ("rows", "units", "leaves", "tree", "tails")


def check_answer(request: FederatedRequest, relay: Relay) -> None:
    """Refuse an answer's total that no rows could have given; raises as :func:`check_total`."""
    if request.for_holder:
        return  # its cells are held against the rule where the key holder's seal is
    if isinstance(request.protection, SDC):
        rounded_counts.read(request.plan, request.protection.rule, relay.total)
        return
    check_total(request.plan, relay.roster, request.shares, len(relay.survivors), relay.total)


def check_total(plan: Plan, roster: Roster, shares: Shares | None, parties: int, total: Ints) -> None:
    """Refuse a total, on the refined grid, that no rows of any people could have given.

    Raises:
        ReleaseFailedError: what was charged stays.
    """
    start = 0
    for place, measure in enumerate(plan.measures):
        end = start + plan.groups * measure.width
        most, noise = roster.sites_per_person * measure.limit, 0
        if shares is not None:
            most, noise = most * shares.refine[place], _reach(shares, place, parties)
        _check(total[start:end], 0 if measure.kind in _COUNTS else -most, most, noise)
        start = end


def check_sums(model: Model, bits: int, rows: int, sums: Ints) -> None:
    """Refuse a step's sums that ``rows`` rows cannot give; raises as :func:`check_total`."""
    _check(sums[:1], 0, rows, 0)
    most = math.ceil(int(sums[0]) * (model.most * (1 + 1e-9) * 2.0**bits + 1))
    _check(sums[1:], -most, most, 0)


def _reach(shares: Shares, place: int, parties: int) -> int:
    """How far the sites' noise reaches together, but for a chance below 10^-19 (of a number)."""
    scale = shares.scales[place]
    if shares.mechanism == "gaussian":
        return math.ceil(DEVIATIONS * scale * math.sqrt(parties))
    # Chernoff at half of 1/scale: a sum of n passes t with a chance of at most 2 · (4/3)^n · exp(−t/2scale)
    return math.ceil(scale * (92 + parties))


def _check(numbers: Ints, low: int, high: int, noise: int) -> None:
    if len(numbers) and (int(numbers.min()) < low - noise or int(numbers.max()) > high + noise):
        raise ReleaseFailedError(
            "the total lies outside what any rows could give by the schema and the noise, so a site sent something "
            "else; who did cannot be told; nothing was released, and what the sites charged stays; ask again"
        )
