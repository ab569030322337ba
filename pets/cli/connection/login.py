"""``pets login``: log in at a service's provider, and keep the token in a file of one's own until it ends."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import hashlib
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pets.common.files import make_folder, replace_file
from pets.errors import UserError


def kept(service: str) -> Path:
    """Where the token for a service is kept once somebody has logged in there."""
    name = hashlib.sha256(service.rstrip("/").encode()).hexdigest()[:16]
    return Path.home() / ".pets" / "logins" / name


def login(
    service: Annotated[str, typer.Option("--service", metavar="URL", help="Where the service is.")],
    forget: Annotated[bool, typer.Option("--forget", help="Remove what was kept, and log in no more.")] = False,
) -> None:
    """Log in at a service with a code that you enter in a browser, and keep the token until it ends.

    Only you can read the file. pets query --service and pets quote --service read it by themselves; for other programs
    (R) its path is printed: export PETS_TOKEN="$(cat FILE)". A login is not renewed by itself: log in again once it has
    ended.

    \b
    pets login --service https://host/pets
    """
    from pets.service.client.connect import offer
    from pets.service.client.login import Login
    from pets.service.client.transport import Transport, exchange

    path = kept(service)
    if forget:
        path.unlink(missing_ok=True)
        typer.echo("Nothing is kept for this service.", err=True)
        return
    line = Transport(service, None, None, 60.0)
    offered = offer(line)
    if offered is None:
        raise UserError(
            "this service has no provider of logins for that; ask its custodian for a token (pets service token create)"
        )
    found = Login(offered, partial(exchange, timeout=60.0), line.url)
    line.log_in(found)
    who = line.get("datasets")  # whether the service takes it
    tokens = found.tokens
    try:
        make_folder(path.parent)
        replace_file(path, tokens.access.encode("ascii") + b"\n", owner_only=True)
    except OSError as error:
        raise UserError(f"the token cannot be kept in {str(path)!r} ({error.strerror}); make room there") from None
    until = "" if tokens.ends is None else f", for {_minutes(tokens.ends - time.monotonic())} min"
    typer.echo(f"Logged in as {who.get('analyst')}, project {who.get('project')}{until}. The token is in:", err=True)
    print(path)


def _minutes(seconds: float) -> int:
    return max(1, int(seconds // 60))
