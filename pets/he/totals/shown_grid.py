"""Shown grid: what a key holder tells of the one grid whose encrypted total it opened. Exact counts never leave here.

The rule is applied to the decrypted sums where they are decrypted. What it shows is written down beside the key before
anything is given, signed, and given alike whenever it is asked for again; another grid of the same key is refused,
since two of them could be compared. That the rule was applied is the key holder's word: no proof of it is claimed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pets.common.clock import now
from pets.common.codec import Json, canonical
from pets.common.integers import Ints
from pets.common.signing import VerifyingKey
from pets.errors import PetsError, UserError
from pets.he.keys.party import Party
from pets.he.keys.public_key import Opener
from pets.he.totals.encrypting import reach
from pets.he.totals.opening import a_total, added_up, exact_numbers
from pets.he.totals.round import Round
from pets.he.totals.total import Total
from pets.protection.protection import Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.rounded.counts import whole_numbers
from pets.schema.schema import Schema

FORM = "key-holder-grid"
_DOMAIN = b"pets he grid 1\0"
_KEPT = "grid"
_DAMAGED = "this is not a grid as a key holder signed it; it was edited or damaged, so ask the key holder for it again"


@dataclass(frozen=True, eq=False)
class ShownGrid:
    """The cells of a grid over several parties, as the rule shows them.

    Attributes:
        form: all of it, with the key holder's signature.
    """

    form: Json

    def __post_init__(self) -> None:
        try:
            parts = {"pets", "version", "round", "parts", "data", "shown", "holder", "issued_at", "signature"}
            same = {*self.form} == parts and (self.form["pets"], self.form["version"]) == (FORM, 1)
            fits = same and len(self.shown) == self.round.plan.groups and self.protection.rule.fits(self.shown)
            fits = fits and self.form["data"] in ("real", "dummy") and self._signed()
        except (PetsError, LookupError, TypeError, ValueError, AttributeError, OverflowError):
            fits = False
        if not fits:
            raise UserError(_DAMAGED)

    def _signed(self) -> bool:
        """By one key, as the round that it is of."""
        bare = {name: part for name, part in self.form.items() if name != "signature"}
        signature = bytes.fromhex(self.form["signature"])
        return self.holder.verifies(signature, _DOMAIN + canonical(bare)) and self.round.signed_by(self.holder)

    @cached_property
    def round(self) -> Round:
        """What was asked of whom."""
        return Round.from_bytes(canonical(self.form["round"]))

    @cached_property
    def shown(self) -> Ints:
        """Each cell as it is shown; -1: hidden."""
        return whole_numbers(self.form["shown"])

    @property
    def holder(self) -> VerifyingKey:
        """Whose signature it carries; which key holder that is, the public key says."""
        return VerifyingKey(bytes.fromhex(self.form["holder"]))

    @property
    def protection(self) -> SDC:
        """The rule."""
        found = self.round.noise
        if not isinstance(found, SDC):
            raise ValueError("another protection")
        return found

    @property
    def data(self) -> str:
        """``"real"``, or ``"dummy"`` where every row is invented."""
        return str(self.form["data"])

    def answers(self, query: Query, schema: Schema, parties: Sequence[Party], protection: Protection) -> bool:
        """Whether it is the grid of this question to these parties, by this rule."""
        asked = self.round
        same = (asked.query.digest, asked.schema.digest) == (query.digest, schema.digest)
        return same and asked.noise == protection and asked.parties == tuple(sorted(parties, key=lambda one: one.name))

    def to_bytes(self) -> bytes:
        """The canonical form."""
        return canonical(self.form)

    @classmethod
    def from_bytes(cls, data: bytes) -> ShownGrid:
        """The inverse of :meth:`to_bytes`; raises :class:`UserError` for anything else."""
        try:
            form = json.loads(data)
        except (ValueError, RecursionError):
            form = None
        if not isinstance(form, dict):
            raise UserError(_DAMAGED)
        return cls(form)


def named_grid(
    secret: Opener, query: Query, schema: Schema, parties: Sequence[Party], protection: Protection
) -> ShownGrid | None:
    """The grid of a key, where it is the one that is asked for; ``None`` where it has none yet.

    Raises :class:`UserError` where it has another.
    """
    body = secret.kept(_KEPT)
    if body is None:
        return None
    known = ShownGrid.from_bytes(body)
    if not known.answers(query, schema, parties, protection):
        raise _another(known)
    return known


def opened_grid(secret: Opener, total: object) -> ShownGrid:
    """See :meth:`pets.he.secret_key.SecretKey.grid`."""
    found = a_total(total)
    asked = found.round
    if not isinstance(asked.noise, SDC):
        raise UserError("the total is of no grid; open it with secret.open(total)")
    known = named_grid(secret, asked.query, asked.schema, asked.parties, asked.noise)
    if known is not None:
        return known
    made = _shown(secret, found, asked.noise)
    if made.data == "dummy":
        return made
    kept = ShownGrid.from_bytes(secret.keep(_KEPT, made.to_bytes()))  # (of two at once, one is the first)
    if not kept.answers(asked.query, asked.schema, asked.parties, asked.noise):
        raise _another(kept)
    return kept


def _shown(secret: Opener, total: Total, protection: SDC) -> ShownGrid:
    """The one place where the exact counts exist: they are decrypted, and shown as the rule shows them.

    A sum that no people make comes of a party that sent something else, and is shown as the nearest that they do: were
    it refused, the next try could be with other numbers, and many tries would tell the others' exact sum.
    """
    most = reach(total.round, None)
    sums = exact_numbers(secret, total, read=added_up)
    counts = np.array([min(max(int(one), 0), most) for one in sums], dtype=np.int64)
    form: Json = {
        "pets": FORM,
        "version": 1,
        "round": json.loads(total.round.to_bytes()),
        "parts": [part.to_json() for part in total.parts],
        "data": total.shared["data"],
        "shown": protection.rule.shown(counts).tolist(),
        "holder": secret.public.holder.raw.hex(),
        "issued_at": now(),
    }
    return ShownGrid(form | {"signature": secret.sign(_DOMAIN + canonical(form)).hex()})


def _another(known: ShownGrid) -> UserError:
    asked: Any = known.round
    return UserError(
        f"this key has shown its one grid (of {asked.plan.groups:,} cells of table {asked.plan.table!r} by "
        f"{', '.join(one.name for one in asked.plan.layout.dimensions) or 'nothing'}, over {len(asked.parties)} "
        f"parties, by {asked.noise!r}), and another over the same people could be compared with it; ask for sums of "
        "that one, or ask with pets.DP(epsilon=…)"
    )
