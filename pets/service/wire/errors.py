"""What only a request over HTTP can get wrong."""

from __future__ import annotations

from pets.errors import UserError


class TooLargeError(UserError):
    """The body of a request to a service is larger than it reads."""

    code = "too-large"


class WrongMethodError(UserError):
    """The service has this address, and not for this method of HTTP."""

    code = "wrong-method"


class MediaTypeError(UserError):
    """The body of a request to a service is not sent as plain JSON."""

    code = "media-type"


class ServiceDownError(UserError):
    """The service cannot be reached, or does not answer: the very same request may succeed."""

    code = "service-down"
    exit_code = 22
    retry_after: float | None = 0.25
