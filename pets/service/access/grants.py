"""Grants: where a custodian has said who may ask about a dataset, only they may."""

from __future__ import annotations

from pets.errors import ForbiddenError
from pets.ledger.grants import Grants
from pets.ledger.ledger import Ledger
from pets.service.access.identity import Identity
from pets.session.custodian import Custodian


def check_grant(custodian: Custodian, identity: Identity, *roles: str) -> None:
    """Raises :class:`ForbiddenError` where the dataset has grants and this person, in this project, has none for it.

    A dataset without any grant is for everybody whom the service knows and whose login names it. A grant gives no
    role that the login has not.

    Args:
        roles: of which one must be granted; left out: ``"analyst"``.
    """
    _check(custodian.ledger, custodian.schema.dataset, identity, roles or ("analyst",))


def check_whole_ledger(ledger: Ledger, identity: Identity, *roles: str) -> None:
    """The same for what tells of every dataset of a ledger, served here or not.

    Raises :class:`ForbiddenError` where one of them is not there for this person, or has grants and none for them.
    """
    with ledger.reading() as tx:
        datasets = tx.dataset_names()
    if not all(identity.sees(name) for name in datasets):
        raise ForbiddenError(
            "the log tells of every dataset of the ledger, and your login is for some; ask the custodian for one "
            "that is for all"
        )
    for name in datasets:
        _check(ledger, name, identity, roles)


def _check(ledger: Ledger, dataset: str, identity: Identity, roles: tuple[str, ...]) -> None:
    grants = Grants(ledger)
    if not grants.any(dataset):
        return
    found = grants.of(dataset, identity.project, identity.subject)
    if found is None or not {*roles} & {*found.roles} & identity.roles:
        raise ForbiddenError(
            f"nobody has granted {identity.subject} of project {identity.project} to ask about this dataset as "
            f"{' or '.join(roles)}; ask the custodian for a grant"
        )
