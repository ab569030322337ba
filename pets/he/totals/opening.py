"""Opening a total: everything is checked and written down before anything is decrypted."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from pets.common.clock import now
from pets.common.codec import Json, fraction, number
from pets.common.entropy import random_id
from pets.common.progress import steps
from pets.errors import InternalError, UserError, shown
from pets.he.ciphertext_bytes import unpack_all
from pets.he.keys.public_key import Opener
from pets.he.numbers import checksum, factors, joined, tag
from pets.he.tenseal_engine import U64, scheme
from pets.he.totals import wording
from pets.he.totals.encrypting import reach
from pets.he.totals.round import Round
from pets.he.totals.total import Consent, Total, consent_message
from pets.protection.budget import UNIT, epsilon_from_rho
from pets.protection.protection import DP
from pets.protection.sdc import SDC
from pets.release.release import Release, sealed_release

_MAX_VALUE = 2**62  # of a party's numbers on its refined grid
WRONG = (
    "the total does not add up: it was changed on its way, or made of other parts than it names; nothing is shown, and "
    "its round cannot be opened again, so ask with a new one"
)


def opened(secret: Opener, total: object, consents: object = ()) -> Release:
    """See :meth:`pets.he.secret_key.SecretKey.open`."""
    numbers = opened_numbers(secret, total, consents)
    assert isinstance(total, Total)
    return _release(total, numbers)


def opened_numbers(secret: Opener, total: object, consents: object = ()) -> Any:
    """See :meth:`pets.he.secret_key.SecretKey.numbers`."""
    found = a_total(total)
    if isinstance(found.round.noise, SDC):
        raise UserError(
            "counts by a rule of disclosure control leave as the rule shows them, and never exactly; open their total "
            "with secret.grid(total)"
        )
    return exact_numbers(secret, found, consents)


def a_total(total: object) -> Total:
    """What can be opened; raises :class:`UserError` for anything else."""
    if not isinstance(total, Total):
        raise UserError(f"only totals are opened, not {shown(total)}; add envelopes with pets.he.add")
    return total


def exact_numbers(
    secret: Opener, total: Total, consents: object = (), read: Callable[[Opener, Total], Any] | None = None
) -> Any:
    """The numbers of a total, once everything was checked and the round written down; ``read``: :func:`decrypted`."""
    asked = total.round
    asked.check(secret.public)
    _enough(total)
    _consented(total, consents)
    check_terms(asked, total.shared["noise"])
    secret.claim(asked.id, total.digest)
    return (read or decrypted)(secret, total)


def decrypted(secret: Opener, total: Total) -> Any:
    """The total's numbers, exact: int64 where they fit the modulus, else Python's own. Refuses what does not add up.

    Nor are numbers shown that the parties' rows and noise cannot make.
    """
    numbers = added_up(secret, total)
    if max(int(numbers.max()), -int(numbers.min())) > reach(total.round, total.shared["noise"]):
        raise UserError(WRONG)
    return numbers


def added_up(secret: Opener, total: Total) -> Any:
    """The same, whatever they are. Whether it refuses does not depend on any party's numbers."""
    asked, preset = total.round, total.round.preset
    seed = secret.checksum_seed(asked.id)
    own = [secret.tag_seed(asked.id, part.party) for part in total.parts]
    parts: list[U64] = []
    for place, (t, ciphers) in enumerate(
        zip(preset.plain, unpack_all(total.payload, preset, asked.chunks), strict=True)
    ):
        decrypt = scheme(preset.chain, t).decryptor(secret.reveal(preset.chain))
        with steps(ciphers, "decrypting") as each:
            found = np.concatenate([decrypt(cipher) for cipher in each])
        used, padding = found[: asked.numbers], found[asked.numbers :]
        wanted = checksum(used[:-1], factors(seed, str(place), asked.numbers - 1), t)
        wanted += sum(tag(each, str(place), t) for each in own)
        if int(used[-1]) != wanted % t or int(used[-2]) != len(total.parts) or padding.any():
            raise UserError(WRONG)
        parts.append(used[:-2])
    return joined(parts, preset.plain)


def check_terms(asked: Round, terms: Json | None) -> None:
    """Refuse noise terms that are not well formed, or that promise for other parties than the round's."""
    if terms is None:
        return
    try:
        measures = len(asked.plan.measures)
        scales = [float(fraction(scale)) for scale in terms["scales"]]
        fits = len(scales) == len(terms["refine"]) == measures and all(math.isfinite(s) and s >= 2 for s in scales)
        fits = fits and all(
            isinstance(g, int) and not isinstance(g, bool) and g >= 1 and g % 2 for g in terms["refine"]
        )
        fits = fits and terms["honest"] == asked.honest
        for name in ("epsilon", "delta", "rho", "alone", "alone_epsilon"):
            fits = fits and math.isfinite(float(fraction(terms[name])))
        fits = fits and _as_asked(asked, terms)
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise UserError("the parties' noise is not what this round needs; ask them to use the same version of pets")


def _as_asked(asked: Round, terms: Json) -> bool:
    """Whether the parties promise what the round asks for, at the price that they say and with noise that bears it."""
    noise, cost = asked.noise, terms["cost"]
    if not isinstance(noise, DP) or set(cost) != {"currency", "loss", "delta"} or cost["currency"] != "zcdp":
        return False
    rho, least = fraction(terms["rho"]), Fraction(0)
    for measure, finer, scale in zip(asked.plan.measures, terms["refine"], terms["scales"], strict=True):
        if measure.limit * finer > _MAX_VALUE:
            return False
        # the sum of honest shares, were it one Gaussian: no bound on shares is below it
        least += Fraction(measure.sensitivity.l2_squared * finer**2) / (2 * asked.honest * fraction(scale) ** 2)
    loss = cost["loss"]
    if isinstance(loss, bool) or not isinstance(loss, int) or abs(rho * UNIT - loss) >= 1 or least > rho:
        return False
    if noise.epsilon is None:
        return noise.rho is not None and rho <= fraction(noise.rho) + Fraction(1, UNIT)
    same = (fraction(terms["epsilon"]), fraction(terms["delta"])) == (fraction(noise.epsilon), fraction(noise.delta))
    return same and epsilon_from_rho(float(rho), noise.delta or 0.0) <= noise.epsilon * (1 + 1e-9)


def _enough(total: Total) -> None:
    asked = total.round
    if len(total.parts) < asked.least:
        raise UserError(
            f"{len(total.parts)} of {len(asked.parties)} parties are in, and this round opens from {asked.least} on; "
            f"missing: {', '.join(total.missing[:10])}"
        )


def _consented(total: Total, consents: object) -> None:
    if not total.missing:
        return
    if not isinstance(consents, (list, tuple)) or not all(isinstance(one, Consent) for one in consents):
        raise UserError("consents must be a list of what pets.he.consent(total, party_key) gave")
    given = {one.party: one for one in consents}
    for part in total.parts:
        one = given.get(part.party)
        key = total.round.party(part.party).sign
        if one is None or one.survivors != total.survivors or not key.verifies(one.signature, consent_message(total)):
            raise UserError(
                f"parties are missing ({', '.join(total.missing[:10])}), so every survivor must sign that this is the "
                f"set to open; {part.party!r} has not: pets.he.consent(total, party_key)"
            )


def _release(total: Total, numbers: Any) -> Release:
    asked, terms = total.round, total.shared["noise"]
    values, scales = _unrefined(total, numbers, terms)
    if values.dtype != np.int64 and max(abs(int(v)) for v in values) < 2**63:
        values = values.astype(np.int64)
    return sealed_release(
        id=random_id(),
        dataset=asked.schema.dataset,
        table=asked.plan.table,
        query=asked.query,
        schema=asked.schema,
        plan_digest=asked.plan.digest,
        values=values,
        mechanism="none" if terms is None else "gaussian",
        scales=scales,
        protection=_protection(total),
        snapshot_id=f"round {asked.id}",
        data=total.shared["data"],
        cost={"currency": "zcdp", "loss": 0, "delta": 0} if terms is None else terms["cost"],
        epsilon=None if terms is None else float(fraction(terms["epsilon"])),
        delta=None if terms is None else float(fraction(terms["delta"])),
        rho=None if terms is None else float(fraction(terms["rho"])),
        guarantee=wording.guarantee(total),
        budget=None,
        issued_at=now(),
        project="default",
        analyst="key holder",
        notes=wording.notes(total),
    )


def _protection(total: Total) -> Json:
    asked, terms = total.round, total.shared["noise"]
    said: Json = {
        **asked.noise.to_json(),
        "secure": "encrypted",
        "round": asked.id,
        "key": asked.key_id,
        "parameters": asked.preset.name,
        "parties": [part.party for part in total.parts],
        "missing": list(total.missing),
        "least": asked.least,
        "honest": asked.honest,
    }
    if terms is not None:
        said |= {"shares": terms["scales"], "refine": terms["refine"], "alone_epsilon": terms["alone_epsilon"]}
    return said


def _unrefined(total: Total, numbers: Any, terms: Json | None) -> tuple[Any, tuple[float, ...]]:
    """The numbers in the plan's own steps, and the scale of all survivors' noise together.

    Where the grid was refined, numbers are rounded to the plan's steps (by odd factors: no ties, so no bias). That adds
    an error of at most half a step, which the scale covers (a variance of 1/4, where 1/12 is added).
    """
    plan = total.round.plan
    if terms is None:
        return numbers, (0.0,) * len(plan.measures)
    out = numbers.copy()
    scales = []
    for block, finer, share in zip(plan.blocks, terms["refine"], terms["scales"], strict=True):
        scale = math.sqrt(len(total.parts)) * float(fraction(share))
        if finer > 1:
            out[block] = (2 * out[block] + finer) // (2 * finer)
            scale = math.sqrt((scale / finer) ** 2 + 0.25)
        scales.append(float(fraction(number(fraction(scale)))))
    if len(scales) != len(plan.measures):
        raise InternalError("there is one scale for each measure")
    return out, tuple(scales)
