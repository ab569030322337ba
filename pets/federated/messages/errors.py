"""What can go wrong between sites, in sentences that say nothing about a site's rows."""

from __future__ import annotations

from pets.errors import PolicyError, UserError


class ProtocolError(UserError):
    """A message is forged, replayed, out of turn or about something else; it was not acted upon."""

    code = "protocol"
    exit_code = 12


class Refused(PolicyError):
    """A site's gate refused a query, for a reason that its policy, the roster, the query or its ledger gives."""

    code = "refused"


class Withheld(UserError):
    """A site has data open and gives nothing; why is for the site alone, because it may depend on rows."""

    code = "withheld"
    exit_code = 9
