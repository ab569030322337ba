"""The sentences and certificates of federated answers: per person, and per assumption about who colludes."""

from __future__ import annotations

from collections.abc import Callable

from pets.common.clock import now
from pets.common.codec import Json, fraction, number
from pets.common.version import __version__
from pets.dp.privacy_loss import PrivacyLoss
from pets.dp.shares import Shares, Spread, share_losses, terms_of
from pets.federated.messages.roster import Roster
from pets.federated.query_round.order import Order
from pets.federated.query_round.regression_step import FAMILIES, Step
from pets.federated.site.gate import Admission
from pets.federated.site.rounded import rounded_wording
from pets.plan.clamping import clamps
from pets.plan.plan import Plan
from pets.plan.unreached import unreached
from pets.protection.budget import epsilon_from_rho
from pets.protection.protection import DP, Total
from pets.protection.sdc import SDC
from pets.schema.schema import Schema
from pets.session import guarantee_text

CONTRIBUTION = "federated-contribution"
"""What a site's ledger calls its part of an answer."""
ROUNDED = "rounded "
"""What a ledger's reader sees before the question of rounded counts."""
FOR_HOLDER = "for the key holder's grid, "
"""What a ledger's reader sees before the question of a grid whose exact counts are sent, encrypted, to be rounded."""
VERSION = 2
"""Of the sentences here, as releases state it: who changes one keeps the old module beside it (``WORDINGS`` in
:mod:`pets.federated.analyst.statement`), since releases are checked by the sentences that they were made with."""
STEERED = (
    "The coefficients of this step are zero, or follow from the sums of the step before it as all sites signed them; "
    "nobody chose them, but a site that colludes with the analyst can steer them by what it adds to the sums."
)
_APART = "as long as key holder and coordinator do not collude"


def guarantee(
    plan: Plan,
    roster: Roster,
    secure: str,
    at: tuple[float, float] | None,
    exact: bool,
    shares: Shares | None = None,
) -> str:
    """One sentence: who is protected, at what ε and δ, against whom; for envelopes, what is left if the two collude.

    ``at`` is (ε, δ), ``None`` without noise; ``exact`` says that the totals are of real rows; ``shares`` of one query.
    """
    if at is None:
        if not exact:
            return "Dummy data: every row is invented, so no one's presence can show."
        return (
            "No guarantee: these are exact totals of real rows over all sites (unbounded; named on every later release "
            "of each site). No single site's part was shown to the coordinator, the analyst or another site"
            + (f", {_APART}; together they could open each site's." if secure == "encrypted" else ".")
        )
    who = plan.who
    m, c = roster.sites_per_person, roster.colluding
    where = "at one site" if m == 1 else f"across at most {m} sites"
    epsilon, delta = at
    said = f"ε = {epsilon:.6g}" + (f" and δ = {delta:g}" if delta else "")
    if secure == "local":
        against = "against everybody but the sites that hold the person's rows"
    else:
        others = "" if c == 0 else f" and any {c} of the {roster.size} sites" if c > 1 else " and any one other site"
        against = f"against readers, the analyst and the coordinator{others}, together"
        against += f", as long as {roster.honest} of the sites in the answer keep their noise to themselves"
        if secure == "encrypted":
            against += f" and {_APART}"
    return (
        f"Differentially private with {said}: adding or removing {who}, {where}, changes the chance of any released "
        f"table by at most that much, {against}; {_counted(plan)}; each site "
        "keeps its own account." + _alone(plan, roster, secure, delta, shares)
    )


def _counted(plan: Plan) -> str:
    return f"at most {plan.rows} row(s) of a person count at each site" if plan.people_of is None else plan.counted


def _alone(plan: Plan, roster: Roster, secure: str, delta: float, shares: Shares | None) -> str:
    """What a site's own share of noise gives its people where key holder and coordinator open single envelopes."""
    if secure != "encrypted" or shares is None:
        return ""
    left = terms_of(Spread(plan, roster.sites_per_person), shares, roster.honest, delta).alone
    return (
        " If the two collude, they can open single envelopes, and a site's own share of noise alone gives its people "
        f"ε = {epsilon_from_rho(left, delta):.6g} at the same δ."
    )


def notes(
    plan: Plan, roster: Roster, secure: str, survivors: int | None, noisy: bool, rounded: bool
) -> tuple[str, ...]:
    """What a reader must know beside the guarantee; ``survivors`` is ``None`` where nobody knows them yet."""
    known, n = survivors is not None, roster.size
    said = f"{survivors} of {n}" if known else f"At least {roster.threshold} of {n}" if roster.dropouts else f"All {n}"
    out = [f"{said} sites are in the answer, combined by secure={secure!r}."]
    most = roster.size if survivors is None else survivors
    if secure == "encrypted":
        out.append(
            "The coordinator added ciphertexts that it cannot read, and the holder of public key "
            f"{roster.key_holder[:16]} opened this one total. Together they could read each site's "
            f"{'noisy' if noisy else 'exact'} numbers."
        )
    if noisy and secure == "local":
        times = f"{most} times" if known else f"as many times as there are sites in the answer, at most {most} times,"
        out.append(f"Each site bears the whole noise: the variance is {times} that of a pooled answer at this cost.")
    elif noisy:
        factor, up = most / roster.honest, "" if known else "up to "
        out.append(
            f"The variance of the noise is {up}{factor:.3g} times what a pooled answer would need: {roster.honest} "
            f"sites' shares are enough, and {up}{most} are in it ({roster.dropouts} may be lost, "
            f"{roster.colluding} may collude)."
        )
    if not noisy:
        out += clamps(plan)
    out += unreached(plan)
    if rounded:
        out.append("The noise is finer than the numbers' own steps; the total was rounded to whole steps.")
    m = roster.sites_per_person
    if plan.people_of is not None:
        out.append(
            f"Features are made of at most {plan.people_of.said} of a person at each site: what happened to somebody "
            "at another site is not seen."
        )
    if m > 1:
        out.append(f"A person may be at up to {m} sites; every sensitivity was multiplied by {m}.")
        if any(measure.kind == "units" for measure in plan.measures):
            out.append("Counts of people are counts of person-site pairs: who is at two sites counts twice.")
    return tuple(out)


def step(asked: Step) -> str:
    """What a regression's step asks, for a ledger's reader."""
    covariates = ", ".join(sorted(set(asked.covariates))) or "nothing"
    said = f"a step of {asked.family} regression of {asked.outcome} on {covariates}"
    return said if asked.before else f"{said} (the first)"


def what(order: Order) -> str:
    """What an order asks, for a ledger's reader: no constant of it."""
    if order.step is not None:
        return step(order.step)
    said = guarantee_text.what(order.query)
    if order.for_holder:
        return f"{FOR_HOLDER}{said}"
    return f"{ROUNDED}{said}" if isinstance(order.protection, SDC) else said


def promise(
    plan: Plan,
    roster: Roster,
    order: Order,
    at: tuple[float, float] | None,
    *,
    dummy: bool = False,
    said: Callable[..., str] = guarantee,
) -> str:
    """What the answer to an order promises.

    Args:
        at: (ε, δ), ``None`` without noise.
        dummy: of invented rows, where that is told of the whole answer.
        said: the sentence of answers with noise and of exact ones, in the wording that is wanted.
    """
    if isinstance(order.protection, SDC):
        return rounded_wording.guarantee(order.protection, roster, order.secure, dummy=dummy)
    exact = isinstance(order.protection, Total) and not dummy
    return said(plan, roster, order.secure, None if dummy else at, exact, order.shares)


def is_step(what: str) -> bool:
    """Whether :func:`step` said it."""
    return any(what.startswith(f"a step of {family} regression of ") for family in FAMILIES)


def contribution(admission: Admission, roster: Roster, commitment: str, where: Json) -> Json:
    """What a site's ledger keeps of its part: no number of it, only a commitment under a key that the site keeps."""
    order = admission.order
    # two lists of sites show the sites between them, where both are of exact totals
    # (names may be given anew to other keys: whose numbers a difference shows, the keys tell)
    sites: Json = {
        "membership": roster.membership,
        "sites": sorted(member.name for member in roster.members),
        "keys": {member.name: member.key for member in roster.members},
    }
    return {
        "pets": CONTRIBUTION,
        "version": 1,
        "id": order.id,
        "site": where["site"],
        "roster": roster.digest,
        "order": order.to_json(),
        "commitment": commitment,
        **_grid(where),
        **(sites if admission.everyone else {}),
        **({"key_holder": roster.key_holder} if order.for_holder else {}),
    }


def _grid(where: Json) -> Json:
    """Of rounded counts, the site's grid."""
    return {"grid": where["grid"]} if "grid" in where else {}


def _dp(admission: Admission, roster: Roster) -> Json | None:
    """What a site's certificate states of its share of noise: enough to reckon the charge again."""
    shares, loss, plan, currency = admission.shares, admission.loss, admission.plan, admission.cost.currency
    if shares is None or loss is None:
        return None
    said = guarantee_text.dp_terms(plan, currency, shares.mechanism, terms(plan, roster, shares, loss))
    return said | {"mechanism": [f"share of {one}" for one in said["mechanism"]]}


def terms(plan: Plan, roster: Roster, shares: Shares, loss: PrivacyLoss) -> Json:
    """The numbers of a promise in shares, as certificates and releases state them; losses in the ledgers' units."""
    spread = Spread(plan, roster.sites_per_person)
    form: Json = {name: part for name, part in shares.to_json().items() if name != "mechanism"}
    form["losses"] = list(share_losses(spread, shares, roster.honest))
    for name, value in (("epsilon", loss.epsilon), ("delta", loss.delta), ("rho", loss.rho)):
        form[name] = None if value is None else number(fraction(value))
    return form


def federation(roster: Roster, order: Order, site: str) -> Json:
    """What a site's certificate states of the federation that asked it."""
    return {
        "site": site,
        "analyst": order.analyst,
        "sites": roster.size,
        "roster_sha256": roster.digest,
        "secure": order.secure,
        "sites_per_person": roster.sites_per_person,
        "dropouts": roster.dropouts,
        "colluding": roster.colluding,
        "honest": roster.honest,
        "key_holder": roster.key_holder if order.secure == "encrypted" else None,
    }


def predicate(admission: Admission, roster: Roster, schema: Schema, where: Json) -> Json:
    """What a site's certificate states of its part; ``where`` has site, snapshot, data, project and analyst.

    Of rounded counts, it also has the site's grid.
    """
    order, plan, issued = admission.order, admission.plan, now()
    finite, loss = isinstance(order.protection, DP), admission.loss
    at = None if loss is None else (loss.epsilon, loss.delta)
    return {
        "release_id": order.id,
        "issued_at": issued,
        "service": {"name": "pets", "version": __version__, "image_digest": None},
        "dataset": {
            "id": schema.dataset,
            "table": plan.table,
            "snapshot_id": where["snapshot"],
            "privacy_unit": plan.unit_column or "row",
            "metadata_sha256": schema.digest,
            "rows": where["data"],
        },
        "project_id": where["project"],
        "agent_id": where["analyst"],
        "what": what(order),
        "plan_sha256": plan.digest,
        "query": order.query.to_json(),
        "protection": order.protection.to_json(),
        "guarantee": promise(plan, roster, order, at),
        **_grid(where),
        "federation": federation(roster, order, where["site"]),
        "dp": _dp(admission, roster) if finite else None,
        "cost": admission.cost.to_json(),
        "review": {"decision": "released", "checker": "pets", "at": issued, "reason": "within the site's policy"},
        "assumptions": [
            *guarantee_text.ASSUMPTIONS,
            f"at most {roster.colluding} site(s) collude with the coordinator",
            *(["key holder and coordinator do not collude"] if order.secure == "encrypted" else []),
            f"the rows of one person lie at no more than {roster.sites_per_person} site(s)",
        ],
        "notes": [
            *_notes(admission, roster, finite),
            *([] if order.step is None else [STEERED]),
        ],
        "engine_versions": guarantee_text.versions(where["engine"]),
    }


def _notes(admission: Admission, roster: Roster, finite: bool) -> tuple[str, ...]:
    order, plan = admission.order, admission.plan
    if isinstance(order.protection, SDC):
        return rounded_wording.notes(plan, roster, order.protection, order.secure)
    return notes(plan, roster, order.secure, roster.size if admission.everyone else None, finite, False)
