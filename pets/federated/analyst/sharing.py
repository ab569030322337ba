"""Sharing: what a federated release states of its sites, so that its charge can be reckoned again from it alone.

The numbers follow from the roster, the order and the plan, which the release holds. Of a masked total each site that
answered signed who is in it, about this roster and this order (the fourth round of
:mod:`pets.federated.secure_sum.masked`), and of an encrypted one its envelope; these signatures are kept here. The
coordinator signs the whole release. That the total is the sum of the sites' vectors, and that a site drew its noise, no
signature proves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey
from pets.dp.privacy_loss import PrivacyLoss
from pets.dp.shares import Shares, Spread, shares_loss
from pets.errors import PetsError, VerificationError
from pets.federated.messages.message import Kind, bitmap, context_of, parse, unsigned, verified
from pets.federated.messages.roster import Roster
from pets.federated.query_round.envelopes import sent
from pets.federated.query_round.order import Order
from pets.federated.site import wording
from pets.plan.plan import Plan
from pets.protection.budget import Cost
from pets.protection.protection import DP, Protection, Total
from pets.release.certificate import Certificate
from pets.release.release import Release

DOMAIN = b"pets.federated.release.v1\x00"
"""What the coordinator's signature on a release begins with."""
_SIGNED_ROUND = 3


def sharing_of(
    plan: Plan,
    roster: Roster,
    order: Order,
    loss: PrivacyLoss | None,
    survivors: Sequence[str],
    signed: Mapping[int, Json],
    certificates: Mapping[str, Certificate],
) -> Json:
    """The block, without the coordinator's signature.

    Args:
        loss: what the shares of noise mean; ``None`` without noise.
        survivors: the names of the sites in the total.
        signed: what each site signed of being in the total.
        certificates: by site, what its ledger signed of its part, of those that tell.
    """
    shares = order.shares
    noise: Json = {}
    if shares is not None and loss is not None:
        noise = {"mechanism": shares.mechanism, **wording.terms(plan, roster, shares, loss)}
    return {
        "version": 1,
        "secure": order.secure,
        "roster": roster.to_json(),
        "roster_sha256": roster.digest,
        "round": order.round,
        "sites": roster.size,
        "answered": list(survivors),
        "dropouts": roster.dropouts,
        "colluding": roster.colluding,
        "honest": roster.honest,
        "sites_per_person": roster.sites_per_person,
        "key_holder": roster.key_holder if order.secure == "encrypted" else None,
        "noise": noise or None,
        "signatures": {roster.members[site].name: form for site, form in sorted(signed.items())},
        "certificates": {name: dict(certificate) for name, certificate in sorted(certificates.items())},
    }


def signature(form: Json, key: SigningKey) -> str:
    """The coordinator's signature on a release's canonical form, which has none yet."""
    return key.sign(DOMAIN + canonical(form)).hex()


def check_sharing(release: Release) -> Roster:
    """Hold a federated release against what it carries: who answered, who signed that, the noise, and what it costs.

    Returns:
        The roster whose sites answered: whether it is the one that was agreed, its digest tells.

    Raises:
        VerificationError: where anything does not follow from the rest.
    """
    form = release.sharing
    if form is None:
        raise VerificationError("this release says nothing of several sites; it is no federation's")
    try:
        roster, sound = _checked(release, form)
    except (PetsError, TypeError, LookupError, ValueError, AttributeError):
        sound = False
    if not sound:
        raise VerificationError(
            "what this release states of its sites, its noise and its cost does not follow from what they signed; ask "
            "the coordinator for the original file"
        )
    return roster


def _checked(release: Release, form: Json) -> tuple[Roster, bool]:
    roster, loss = Roster.from_json(form["roster"]), None
    shares = None if form["noise"] is None else Shares.from_json(form["noise"])
    protection = Protection.from_json(release.protection)
    about = (release.id, roster.digest, release.schema.digest, release.analyst, release.query)
    order = Order(*about, protection, form["secure"], shares, form["round"])
    if shares is not None and isinstance(protection, DP):
        spread = Spread(release.plan, roster.sites_per_person)
        loss = shares_loss(spread, shares, roster.honest, roster.currency, roster.delta, protection)
    wanted = sharing_of(release.plan, roster, order, loss, form["answered"], {}, {})
    free = ("signatures", "certificates", "coordinator")
    same = form == wanted | {name: form[name] for name in free}
    unsigned_form = release.form | {"sharing": {name: part for name, part in form.items() if name != "coordinator"}}
    signed = roster.coordinator_key.verifies(bytes.fromhex(form["coordinator"]), DOMAIN + canonical(unsigned_form))
    return roster, same and signed and _charged(release, roster, loss) and _answered(form, roster, order, release.plan)


def _charged(release: Release, roster: Roster, loss: PrivacyLoss | None) -> bool:
    """Whether what is stated of cost and promise is what the shares of noise give."""
    free = loss is None or roster.members[0].data == "dummy"
    cost = Cost(roster.currency, 0) if free or loss is None else loss.cost
    means = (None, None, None) if loss is None else (loss.epsilon, loss.delta, loss.rho)
    return release.cost == cost.to_json() and means == (release.epsilon, release.delta, release.rho)


def _answered(form: Json, roster: Roster, order: Order, plan: Plan) -> bool:
    """Whether enough sites signed that they are in the total."""
    signatures = {roster.number(name): signed for name, signed in form["signatures"].items()}
    if order.secure == "local":  # the sites signed their vectors, which are not shown
        return not signatures
    least = roster.size if isinstance(order.protection, Total) else roster.threshold
    if len(signatures) < least or not set(form["signatures"]) <= set(form["answered"]):
        return False
    if order.secure == "encrypted":
        return sent(order, roster, plan, signatures)
    body = bitmap({roster.number(name) for name in form["answered"]}, roster.size)
    query, context = bytes.fromhex(order.id), context_of(roster, order.form)
    heads = {site: unsigned(Kind.ROUND, _SIGNED_ROUND, query, site, body) for site in signatures}
    messages = [parse(heads[site] + bytes.fromhex(signed["signature"])) for site, signed in signatures.items()]
    return all(verified(one, roster, context) for one in messages)
