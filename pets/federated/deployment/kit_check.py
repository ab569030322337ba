"""Kit check: whether a startup kit could serve at all, before anything that serves now is put aside for it."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from pets.errors import UserError


class Papers(Protocol):
    """What is looked at of a :class:`pets.federated.deployment.startup_kit.Kit`."""

    @property
    def party(self) -> str:
        """Whose it is."""

    @property
    def port(self) -> int:
        """Where the server listens."""

    @property
    def authority(self) -> str:
        """The certificate of who signed the party's."""

    @property
    def certificate(self) -> str:
        """The party's."""

    @property
    def key(self) -> str:
        """Its secret half."""


def check_kit(kit: Papers) -> None:
    """Refuse a party's kit whose certificate, key, authority and name do not go together, or that is past its end.

    Raises:
        UserError: in one sentence.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        authority, certificate = (
            x509.load_pem_x509_certificate(text.encode("ascii")) for text in (kit.authority, kit.certificate)
        )
        certificate.verify_directly_issued_by(authority)
        own = load_pem_private_key(kit.key.encode("ascii"), None).public_key() == certificate.public_key()
        names = [one.value for one in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        own, names = False, []
    if not own or names != [kit.party] or isinstance(kit.port, bool) or not 1 <= kit.port <= 65535:
        raise UserError("the startup kit is damaged, and nothing was changed; ask the coordinator for the file again")
    end = certificate.not_valid_after_utc
    if end <= dt.datetime.now(dt.UTC):
        raise UserError(
            f"the startup kit ended on {end:%Y-%m-%d}, and nothing was changed; ask the coordinator for a new one, or "
            "set this machine's clock"
        )
