"""Sealing: a site's part of an answer in its own ledger: a commitment and a certificate, and no number of it."""

from __future__ import annotations

import hashlib
import hmac
import json

from pets.common.codec import Json, canonical
from pets.common.entropy import random_bytes
from pets.federated.messages.roster import Roster
from pets.federated.site import wording
from pets.federated.site.gate import Admission
from pets.ledger.states import Grant
from pets.plan.vector import Ints
from pets.release.certificate import Certificate
from pets.session.session import Session


def seal_part(
    admission: Admission, roster: Roster, grant: Grant, values: Ints, where: Json, session: Session
) -> tuple[bytes, Certificate]:
    """Seal the entry; then its numbers may leave.

    Args:
        where: the site, the snapshot and the kind of data, as the certificate states them.

    Returns:
        What opens the commitment, for the custodian alone, and the certificate.
    """
    key = random_bytes(32)
    commitment = hmac.new(key, values.astype("<i8").tobytes(), "sha256").hexdigest()
    body = canonical(wording.contribution(admission, roster, commitment, where))
    who: Json = {"project": session.project, "analyst": session.analyst, "engine": session.engine}
    told = wording.predicate(admission, roster, session.schema, where | who)
    sealed = session.custody.account.seal(grant, body, hashlib.sha256(body).hexdigest(), told)
    return key, Certificate(json.loads(sealed.certificate))
