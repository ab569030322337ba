"""Sharing: what a federated release states of its sites, so that its charge can be reckoned again from it alone.

The numbers follow from the roster, the order and the plan, which the release holds. Of a masked total each site that
answered signed who is in it, about this roster and this order (the fourth round of
:mod:`pets.federated.secure_sum.masked`), and of an encrypted one its envelope; these signatures are kept here. Of a
local one the sites signed their vectors, which are not shown: who answered is the coordinator's word. The coordinator
signs the whole release. That the total is the sum of the sites' vectors, and that a site drew its noise, no signature
proves; and that a certificate's key is a site's ledger's, no roster says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey
from pets.dp.privacy_loss import PrivacyLoss
from pets.dp.shares import Shares, Spread, shares_loss
from pets.errors import PetsError, UserError, VerificationError, shown
from pets.federated.analyst.rounded.holder_grid import follows
from pets.federated.analyst.statement import WORDINGS, charged_in, faults_in, statement
from pets.federated.messages.message import Kind, bitmap, context_of, parse, unsigned, verified
from pets.federated.messages.roster import Roster
from pets.federated.query_round.envelopes import envelope_terms, sent
from pets.federated.query_round.order import Order
from pets.federated.site import wording
from pets.ledger.log.dsse import opened
from pets.plan.plan import Plan
from pets.protection.protection import DP, Protection
from pets.release.certificate import PAYLOAD, Certificate
from pets.release.release import Release
from pets.release.rounded.rounded_sum import RoundedSum

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
    version: int | None = wording.VERSION,
    terms: bool = True,
) -> Json:
    """The block, without the coordinator's signature.

    Args:
        loss: what the shares of noise mean; ``None`` without noise.
        survivors: the names of the sites in the total.
        signed: what each site signed of being in the total.
        certificates: by site, what its ledger signed of its part, of those that tell.
        version: of the release's sentences; ``None`` as in releases of before they had one.
        terms: of an encrypted total, with what each envelope's header states of the noise (earlier releases lack it).
    """
    shares, terms = order.shares, terms and order.secure == "encrypted"
    noise: Json = {}
    if shares is not None and loss is not None:
        noise = {"mechanism": shares.mechanism, **wording.terms(plan, roster, shares, loss)}
    return {
        "version": 1,
        **({} if version is None else {"wording": version}),
        **({"until": order.until} if order.until else {}),
        "secure": order.secure,
        "roster": roster.to_json(),
        "roster_sha256": roster.digest,
        "round": order.round,
        **({"terms": envelope_terms(roster, plan, order.protection, shares)} if terms else {}),
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


def check_sharing(release: Release | RoundedSum, *, unattested: bool = False) -> Roster:
    """Hold a federated release against what it carries: who answered, who signed that, noise, promise, notes and cost.

    What it carries of sites' certificates must be about this release; their signatures are checked with ``pets verify``
    and each ledger's public key, which the roster does not name. Its sentences are held against the wording that they
    were made with, which later versions of pets keep.

    Args:
        unattested: also take a release with ``secure="local"``, whose list of sites no site signed: then the
            coordinator's word alone says that any of them answered.

    Returns:
        The roster whose sites answered: whether it is the one that was agreed, its digest tells.

    Raises:
        VerificationError: where anything does not follow from the rest, or no site signed who answered.
    """
    if not isinstance(unattested, bool):
        raise UserError(f"unattested must be True or False, not {shown(unattested)}")
    form = release.sharing
    if form is None:
        raise VerificationError("this release says nothing of several sites; it is no federation's")
    version = form.get("wording", 1)
    if isinstance(version, bool) or version not in WORDINGS:
        raise VerificationError(
            "the release's sentences are of a wording that this version of pets does not know; check it with the "
            "version that made it, or a later one"
        )
    try:
        roster, sound = _checked(release, form) if form["secure"] != "encrypted" else _opened(release, form)
    except (PetsError, TypeError, LookupError, ValueError, AttributeError):
        sound = False
    if not sound:
        raise VerificationError(
            "what this release states of its sites, its noise and its cost does not follow from what they signed; ask "
            "the coordinator for the original file"
        )
    if form["secure"] == "local" and not unattested:
        raise VerificationError(
            "no site signed that it is in this answer: with secure='local' that is the coordinator's word alone; ask "
            "with secure='masked', or check the rest with check_sharing(release, unattested=True)"
        )
    return roster


def _opened(release: Release | RoundedSum, form: Json) -> tuple[Roster, bool]:
    """The same of what came encrypted: with noise and exact as before, and sums of the key holder's grid."""
    if not isinstance(release, RoundedSum):
        return _checked(release, form)
    roster = Roster.from_json(form["roster"])
    unsigned_form = release.form | {"sharing": {name: part for name, part in form.items() if name != "coordinator"}}
    signed = roster.coordinator_key.verifies(bytes.fromhex(form["coordinator"]), DOMAIN + canonical(unsigned_form))
    return roster, signed and follows(release)


def _checked(release: Release | RoundedSum, form: Json) -> tuple[Roster, bool]:
    roster, loss = Roster.from_json(form["roster"]), None
    shares = None if form["noise"] is None else Shares.from_json(form["noise"])
    protection = Protection.from_json(release.protection)
    about = (release.id, roster.digest, release.schema.digest, release.analyst, release.query)
    order = Order(*about, protection, form["secure"], shares, form["round"], None, form.get("until", ""))
    if shares is not None and isinstance(protection, DP):
        spread = Spread(release.plan, roster.sites_per_person)
        loss = shares_loss(spread, shares, roster.honest, roster.currency, roster.delta, protection)
    wanted = sharing_of(
        release.plan, roster, order, loss, form["answered"], {}, {}, form.get("wording"), "terms" in form
    )
    free = ("signatures", "certificates", "coordinator")
    same = form == wanted | {name: form[name] for name in free}
    unsigned_form = release.form | {"sharing": {name: part for name, part in form.items() if name != "coordinator"}}
    signed = roster.coordinator_key.verifies(bytes.fromhex(form["coordinator"]), DOMAIN + canonical(unsigned_form))
    return roster, same and signed and _follows(release, roster, order, loss) and _answered(
        form, roster, order, release.plan
    )


def _follows(release: Release | RoundedSum, roster: Roster, order: Order, loss: PrivacyLoss | None) -> bool:
    """Whether what is stated of noise, promise, cost and notes, and by certificates, follows from who answered what."""
    plan, answered, faults = release.plan, release.form["sharing"]["answered"], faults_in(release.notes, roster)
    charged = charged_in(release.notes, roster)
    version = release.form["sharing"].get("wording", 1)
    wanted = statement(plan, roster, order, loss, answered, faults, charged, version)
    if any(getattr(release, name) != part for name, part in wanted.items()):
        return False
    certificates = {name: Certificate(form) for name, form in release.form["sharing"]["certificates"].items()}
    # a site promises this of its rows, invented or not
    at = None if loss is None else (loss.epsilon, loss.delta)
    said = wording.promise(plan, roster, order, at, said=WORDINGS[version].guarantee)
    return all(
        name in answered and _signed_once(one) and _is_about(one.predicate, name, release, roster, order, said)
        for name, one in certificates.items()
    )


def _signed_once(certificate: Certificate) -> bool:
    """Whether it has one signature, in form."""
    _, signatures = opened(certificate, PAYLOAD)
    parts = [{*certificate}, *({*one} for one in certificate["signatures"])]
    sizes = [(len(bytes.fromhex(name)), len(signature)) for name, signature in signatures]
    return parts == [{"payload", "payloadType", "signatures"}, {"keyid", "sig"}] and sizes == [(8, 64)]


def _is_about(
    predicate: Json, site: str, release: Release | RoundedSum, roster: Roster, order: Order, said: str
) -> bool:
    """Whether a site's certificate is of its part of this release; by which key it is signed, nothing here tells."""
    told, noise = release.form["sharing"], predicate["dp"] or {}
    terms = ("losses", "epsilon", "delta", "rho")
    wanted = {
        "release_id": release.id,
        "plan_sha256": release.plan_digest,
        "query": order.query.to_json(),
        "protection": release.protection,
        "federation": wording.federation(roster, order, site),
        "cost": release.cost,
        "guarantee": said,
    }
    data = {"metadata_sha256": release.schema.digest, "rows": release.data}
    return (
        all(predicate[name] == part for name, part in wanted.items())
        and all(predicate["dataset"][name] == part for name, part in data.items())
        and all(noise.get(name) == (told["noise"] or {}).get(name) for name in terms)
    )


def _answered(form: Json, roster: Roster, order: Order, plan: Plan) -> bool:
    """Whether enough sites signed that they are in the total."""
    signatures = {roster.number(name): signed for name, signed in form["signatures"].items()}
    answered = {roster.number(name) for name in form["answered"]}
    least = roster.least(everyone=order.everyone)
    alone = order.shares is not None and order.shares.alone
    if len(answered) != len(form["answered"]) or len(answered) < least or alone != (order.secure == "local"):
        return False
    if order.secure == "local":  # the sites signed their vectors, which are not shown
        return not signatures
    if len(signatures) < least or not set(form["signatures"]) <= set(form["answered"]):
        return False
    if order.secure == "encrypted":
        return len(signatures) == len(answered) and sent(order, roster, plan, signatures)
    body = bitmap(answered, roster.size)
    query, context = bytes.fromhex(order.id), context_of(roster, order.form)
    heads = {site: unsigned(Kind.ROUND, _SIGNED_ROUND, query, site, body) for site in signatures}
    messages = [parse(heads[site] + bytes.fromhex(signed["signature"])) for site, signed in signatures.items()]
    return all(verified(one, roster, context) for one in messages)
