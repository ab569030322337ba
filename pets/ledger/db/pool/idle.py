"""Idle: whether anything came from a database's server while a connection rested.

A server says nothing to whoever asked nothing, unless it leaves: it is stopped, fails over, or ends this one. So one
look at the socket tells, without a round trip, that a connection must be asked whether it still stands.
"""

from __future__ import annotations

import select
from typing import Any


def stirred(connection: Any) -> bool:
    """Whether something lies there that nobody asked for, or the connection is gone."""
    try:
        socket = connection.fileno()
    except Exception:  # (the driver's own, of one that is closed)
        return True
    look = select.poll()
    look.register(socket, select.POLLIN)
    return bool(look.poll(0))  # an end, or an error, is told whether one asks for it or not
