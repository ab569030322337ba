"""Reading: no number of a service is shown before its certificate is held against the ledger's key.

A service is trusted with rows, and not with this: an answer that the pinned key did not sign, that promises what does
not follow, or that answers another question, is refused whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pets.common.codec import Json, canonical
from pets.common.signing import VerifyingKey, load_public
from pets.errors import UserError, VerificationError, shown
from pets.models.trained import Trained
from pets.release.keys.sealed_keys import SealedKeys
from pets.release.release import Release
from pets.release.rounded.reviewed_table import table_of
from pets.release.rounded.rounded_table import RoundedTable
from pets.verify.check import CannotCheck, Refused, check

ROUNDED = ("rounded", "reviewed")
"""The forms of tables of disclosure control that answer a question."""
Keys = TypeVar("Keys", bound=SealedKeys)


def certified(form: Any, key: VerifyingKey, tables: dict[str, str] | None = None) -> Json:
    """A signed form, if the key signed it and all that it promises follows; :mod:`pets.verify` derives that.

    ``tables``: of a synthetic table, its files' digests by name.

    Raises:
        VerificationError: where it does not, with the reason.
    """
    try:
        if not isinstance(form, dict):
            raise Refused("it is no signed form")
        check(canonical(form), key.raw, tables=tables)
    except (Refused, CannotCheck, RecursionError) as why:
        raise VerificationError(
            f"the service's answer is not shown, since its certificate does not hold: {why}; tell the custodian, and "
            f"ask whether {key.id} is the ledger's key"
        ) from None
    return form


def answers(
    forms: Any, key: VerifyingKey, own: Json, asked: list[Json] | None = None, protection: Json | None = None
) -> list[Release]:
    """The releases of an answer, certified, and of what was asked.

    Args:
        own: what must stand in each: dataset, project, analyst, and that its rows are real.
        asked, protection: the questions in canonical form, in order; ``None`` where they are not known any more.
    """
    if not isinstance(forms, list) or (asked is not None and len(forms) != len(asked)):
        raise another()
    found = [Release.from_json(certified(form, key)) for form in forms]
    for place, release in enumerate(found):
        wanted = own if asked is None else own | {"query": asked[place], "protection": protection}
        if release.certificate is None or not same(release.form, wanted):
            raise another()
    return found


def tables(
    forms: Any, key: VerifyingKey, own: Json, asked: list[Json] | None = None, protection: Json | None = None
) -> list[RoundedTable]:
    """Rounded tables, certified, and of what was asked; arguments as for :func:`answers`."""
    if not isinstance(forms, list) or (asked is not None and len(forms) != len(asked)):
        raise another()
    found = [_table(certified(form, key)) for form in forms]
    for place, one in enumerate(found):
        wanted = own if asked is None else own | {"query": asked[place], "protection": protection}
        if one.certificate is None or not same(one.form, wanted):
            raise another()
    return found


def are_rounded(forms: Any) -> bool:
    """Whether the releases of an answer are rounded tables, of the grid or outside it."""
    several = isinstance(forms, list)
    return several and all(isinstance(one, dict) and one.get("pets") in ROUNDED for one in forms)


def _table(form: Json) -> RoundedTable:
    found = table_of(form) if form.get("pets") in ROUNDED else None
    if not isinstance(found, RoundedTable):
        raise another()
    return found


def invented(forms: Any) -> Sequence[Release | RoundedTable]:
    """Answers on invented rows, which nobody signs: of real ones, none is among them."""
    read: Any = _table if are_rounded(forms) else Release.from_json
    found = [read(form) for form in forms] if isinstance(forms, list) else []
    if not found or any(one.data != "dummy" for one in found):
        raise another("it says that its rows are invented, and they are not")
    return found


def keys(kind: type[Keys], form: Any, key: VerifyingKey, own: Json) -> Keys:
    """Released keys, certified, and of what was asked."""
    found = kind.sealed(certified(form, key))
    if found.certificate is None or not same(found.form, own):
        raise another()
    return found


def network(form: Any, key: VerifyingKey, own: Json) -> Trained:
    """A trained network, certified, and of what was asked; its weights are worked out anew."""
    found = Trained.sealed(certified(form, key))
    if found.certificate is None or not same(found.form, own):
        raise another()
    return found


def same(form: Json, wanted: Json) -> bool:
    """Whether a form has all that is wanted of it."""
    return {name: form.get(name) for name in wanted} == wanted


def another(why: str = "it is the answer to another question") -> VerificationError:
    """What is genuine, and an answer to something else."""
    return VerificationError(f"the service's answer is not shown, since {why}; tell whoever runs the service")


def pinned(key: object) -> VerifyingKey | None:
    """The ledger's key as it was given: 64 hex digits, the path of a ``.pub`` file, or a key; ``None``: not given.

    Raises:
        UserError: for what is none of these.
    """
    if key is None or isinstance(key, VerifyingKey):
        return key
    if isinstance(key, str) and len(key) == 64:
        try:
            return VerifyingKey(bytes.fromhex(key))
        except ValueError:
            pass
    if not isinstance(key, (str, Path)):
        raise UserError(f"key is the ledger's public key: 64 hex digits, or the path of its file, not {shown(key)}")
    return load_public(Path(key))
