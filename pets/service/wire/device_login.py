"""Device login: at which provider, and as which of its clients, a client of the service has a person log in (RFC 8628).

It is public: the service tells it to whoever asks, and it proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json
from pets.errors import UserError, shown
from pets.service.wire.addresses import private

SCOPE = "openid offline_access"


@dataclass(frozen=True)
class DeviceLogin:
    """Where and as whom one logs in.

    Attributes:
        issuer: the provider; it describes itself at ``/.well-known/openid-configuration`` below this address.
        client: the public client (no secret) that the provider knows, and that may use the device-code flow.
        scope: what is asked for; ``offline_access``, where the provider grants it, renews a login without a person.
        resource: for which service a token is asked (RFC 8707), where the provider wants to be told.

    Raises:
        UserError: for an issuer whose answers somebody on the way could change, or a part that is no text.
    """

    issuer: str
    client: str
    scope: str = SCOPE
    resource: str | None = None

    def __post_init__(self) -> None:
        if not private(self.issuer):
            raise UserError(
                f"a provider of logins is at an https:// address (http on this machine alone), not {shown(self.issuer)}"
            )
        for name, value in (("client", self.client), ("scope", self.scope), ("resource", self.resource)):
            if name == "resource" and value is None:
                continue
            if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 512:
                raise UserError(f"the {name} of a login is a text, as the provider knows it, not {shown(value)}")

    def to_json(self) -> Json:
        """As the service tells it."""
        return {"issuer": self.issuer, "client": self.client, "scope": self.scope, "resource": self.resource}

    @classmethod
    def from_json(cls, form: Any) -> DeviceLogin:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else.

        What a later version tells besides is passed over.
        """
        if not isinstance(form, dict) or not {"issuer", "client"} <= {*form}:
            raise UserError("the service does not say how one logs in; give token=, or ask whoever runs it")
        known = {name: form[name] for name in ("issuer", "client", "scope", "resource") if name in form}
        return cls(**known)
