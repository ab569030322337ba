"""Names of projects and analysts, as the account keeps them."""

from __future__ import annotations

from pets.errors import UserError, shown


def printable(label: str, value: object) -> str:
    """A name for the account; raises :class:`UserError` for anything but a printable text of 1 to 128 characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > 128 or not value.isprintable():
        raise UserError(f"{label} must be a printable text of 1 to 128 characters, not {shown(value)}")
    return value
