"""Grants: where a custodian has said who may ask about a dataset, only they may."""

from __future__ import annotations

from pets.errors import ForbiddenError
from pets.ledger.grants import Grants
from pets.service.access.identity import Identity
from pets.session.custodian import Custodian


def check_grant(custodian: Custodian, identity: Identity, role: str = "analyst") -> None:
    """Raises :class:`ForbiddenError` where the dataset has grants and this person, in this project, has none for it.

    A dataset without any grant is for everybody whom the service knows and whose login names it.
    """
    grants, dataset = Grants(custodian.ledger), custodian.schema.dataset
    if not grants.any(dataset):
        return
    found = grants.of(dataset, identity.project, identity.subject)
    if found is None or role not in found.roles:
        raise ForbiddenError(
            f"nobody has granted {identity.subject} of project {identity.project} to ask about this dataset as "
            f"{role}; ask the custodian for a grant"
        )
