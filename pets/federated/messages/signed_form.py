"""Signed form: what an analyst asks, in canonical bytes and signed for one roster."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar, Self

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey
from pets.errors import PetsError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import SIGNATURE
from pets.federated.messages.roster import Roster


class SignedForm(ABC):
    """The base of frozen dataclasses whose canonical form an analyst of a roster signs.

    A subclass names its signature's domain, so that a signature under one kind of form is none under another.
    """

    DOMAIN: ClassVar[bytes]
    """What every signature begins with: this kind of form, and its version."""
    CALLED: ClassVar[str]
    """The form in an error, such as ``"the order"``."""

    id: str
    roster: str
    analyst: str

    @abstractmethod
    def to_json(self) -> Json:
        """The canonical form."""

    @classmethod
    @abstractmethod
    def from_json(cls, given: Any) -> Self:
        """The inverse of :meth:`to_json`; raises for anything else."""

    @cached_property
    def form(self) -> bytes:
        """The bytes of the canonical form."""
        return canonical(self.to_json())

    def signed(self, key: SigningKey) -> bytes:
        """The canonical form with the analyst's signature: the body of the first message."""
        return self.form + key.sign(self.DOMAIN + self.form)

    @classmethod
    def read(cls, body: bytes, roster: Roster) -> Self:
        """A signed form; raises :class:`ProtocolError` where it is none, or signed by nobody on the roster."""
        form, signature = body[:-SIGNATURE], body[-SIGNATURE:]
        made = cls.parsed(form)
        key = roster.analyst_key(made.analyst)
        if made.roster != roster.digest:
            raise ProtocolError(f"{cls.CALLED} is about another roster; it was ignored")
        if key is None or not key.verifies(signature, cls.DOMAIN + form):
            raise ProtocolError(f"{cls.CALLED} is not signed by an analyst on the roster; it was ignored")
        return made

    @classmethod
    def parsed(cls, form: bytes) -> Self:
        """What canonical bytes say; raises :class:`ProtocolError` for anything else, also for another spelling."""
        try:
            made = cls.from_json(json.loads(form))
            if not is_id(made.id) or made.form != form:
                raise ValueError("not canonical")
        except (PetsError, TypeError, LookupError, ValueError, ArithmeticError, AttributeError, RecursionError):
            raise ProtocolError(f"{cls.CALLED} is not in the form that pets writes; it was ignored") from None
        return made


def is_id(text: object) -> bool:
    """Whether a text is 16 bytes in hex: the id of a query or of a request."""
    return isinstance(text, str) and len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)
