"""Ways: which pair of state machines stands behind each name of ``secure=``. A new way is one more entry in each."""

from __future__ import annotations

from pets.errors import UserError
from pets.federated.secure_sum.encrypted import EncryptedCollector, EncryptedParty
from pets.federated.secure_sum.interface import Collector, Contribute, Party, Task, Words
from pets.federated.secure_sum.local import LocalCollector, LocalParty
from pets.federated.secure_sum.masked import MaskedParty
from pets.federated.secure_sum.unmasking import MaskedCollector


def party(secure: str, task: Task, contribute: Contribute) -> Party:
    """The site's side of a way to combine; raises :class:`UserError` where it is not built.

    It asks for the site's vector once, and then forgets how: what a query was answered from is not held by its party.
    """
    left = [contribute]

    def once() -> Words:
        return left.pop()()

    if secure == "masked":
        return MaskedParty(task, once)
    if secure == "local":
        return LocalParty(task, once)
    if secure == "encrypted":
        return EncryptedParty(task, once)
    raise UserError(_ABSENT.format(secure))


def collector(secure: str, task: Task) -> Collector:
    """The coordinator's side of a way to combine; raises :class:`UserError` where it is not built."""
    if secure == "masked":
        return MaskedCollector(task)
    if secure == "local":
        return LocalCollector(task)
    if secure == "encrypted":
        return EncryptedCollector(task)
    raise UserError(_ABSENT.format(secure))


_ABSENT = "secure={!r} is not available here; use 'masked', 'encrypted' or 'local'"
