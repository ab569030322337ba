"""The secret key: it makes rounds and opens totals, and nothing of it is shown.

A secret key cannot be made, printed, copied, compared or pickled by accident; it leaves this process only through
:meth:`SecretKey.save`, into a file of its owner's. No Galois and no relinearisation keys exist: nothing here needs one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from pets.common import signing
from pets.common.codec import canonical
from pets.common.entropy import random_bytes
from pets.common.signing import SigningKey
from pets.errors import InternalError, UserError, shown
from pets.he.keys.keyfile import new_path, read_secret, write_secret
from pets.he.keys.party import Party
from pets.he.keys.public_key import PublicKey
from pets.he.keys.record import FileRecord, MemoryRecord, Record
from pets.he.presets import CHAINS, COLUMNS, PRESETS, SUM_CHAINS, Chain
from pets.he.scrub import forgetful
from pets.he.tables.answer import Answer, read_answer
from pets.he.tenseal_engine import U64, scheme
from pets.he.totals.opening import opened, opened_numbers
from pets.he.totals.round import Round, make_round
from pets.he.totals.shown_grid import ShownGrid, named_grid, opened_grid
from pets.he.totals.total import Consent, Total
from pets.protection.protection import Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema

_MAKE = object()
_SECRET = b"pets-he-secret-1"


class SecretKey:
    """What opens totals. Nothing of it is shown; keep its file where only the key holder can read it."""

    __slots__ = ("_mac", "_record", "_secrets", "_sign", "public")
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        public: PublicKey,
        secrets: Mapping[str, U64],
        sign: SigningKey,
        mac: bytes,
        record: Record,
        *,
        made: object = None,
    ) -> None:
        if made is not _MAKE:
            raise InternalError("secret keys come from pets.he.keygen() or SecretKey.load()")
        self.public, self._secrets, self._sign, self._mac, self._record = public, secrets, sign, mac, record

    # what a key holder does ---------------------------------------------------------------------------------------

    def round(
        self,
        query: Query,
        schema: Schema,
        parties: Sequence[Party],
        noise: Protection,
        *,
        least: int | None = None,
        colluding: int | None = None,
        preset: str | None = None,
        aggregator: Party | None = None,
    ) -> Round:
        """A fresh round: one query, one roster, one id, signed by this key.

        Args:
            query, schema: what is asked of what; every party's session must have the same schema.
            parties: the roster, at least two; three for an exact total.
            noise: ``pets.DP(epsilon=…, delta=…)`` or ``pets.DP(rho=…)``: each party adds a share of it before
                encrypting. ``pets.Total()`` gives an exact total, where every party's policy allows it.
            least: the fewest parties of which a total opens (left out: all of them).
            colluding: parties that are assumed to tell the key holder their own noise; the others' noise alone bears
                the guarantee (left out: 1 from three parties on, else 0).
            preset: a parameter set by name (left out: the smallest that the proven range fits).
            aggregator: who must sign the total (left out: anybody may add).

        Raises:
            UserError: with the remedy.
        """
        if isinstance(noise, SDC):
            raise UserError(
                "counts by a rule of disclosure control leave as one grid: make its round with secret.grid_round(…)"
            )
        return make_round(self, query, schema, parties, noise, least, colluding, preset, aggregator)

    @forgetful
    def open(self, total: Total, consents: Sequence[Consent] = ()) -> Release:
        """The release that a total holds; at most once for each round.

        Everything is checked before anything is decrypted: the round is this key's, every part was signed by a party
        on its roster, enough parties are in, and no total of the round was opened before.

        Args:
            total: what :func:`pets.he.add` made.
            consents: where parties of the roster are missing: the survivors' :class:`~pets.he.totals.round.Consent` to
                exactly this set.

        Raises:
            UserError: in one sentence; nothing of the total is shown.
        """
        return opened(self, total, consents)

    @forgetful
    def numbers(self, total: Total, consents: Sequence[Consent] = ()) -> Any:
        """The total's numbers as they were added up: for a federation, which makes its own release of them.

        Everything is checked and written down as in :meth:`open`, and a round is opened once by either. The numbers
        bear the parties' noise, on its refined grid.
        """
        return opened_numbers(self, total, consents)

    def grid_round(
        self,
        query: Query,
        schema: Schema,
        parties: Sequence[Party],
        protection: SDC,
        *,
        least: int | None = None,
        colluding: int | None = None,
        preset: str | None = None,
    ) -> Round | ShownGrid:
        """A round for the one grid of this key: counts that leave as the rule shows them. Or the grid, if it is known.

        A key has one grid, of real rows: one question, one rule, one list of parties. Asked again for the same, it
        gives what it showed then, and no party is asked. Sites of a federation answer it, where their policies do
        (:meth:`pets.Federation.name_grid`); :func:`pets.he.encrypt` sends no exact counts of a grid.

        Args:
            query, schema, parties, least, colluding, preset: as for :meth:`round`; every party must be in.
            protection: the rule, such as ``pets.SDC("hes")``.

        Raises:
            UserError: with the remedy, for any other grid than the one that it has.
        """
        known = named_grid(self, query, schema, parties, protection)
        if known is not None:
            return known
        return make_round(self, query, schema, parties, protection, least, colluding, preset, None)

    @forgetful
    def grid(self, total: Total) -> ShownGrid:
        """Open the total of a round for a grid: its counts as the rule shows them, signed. The exact ones never leave.

        It is written down beside the key before it is given; a second grid of real rows is refused.

        Raises:
            UserError: as :meth:`open`, and where the key has another grid.
        """
        return opened_grid(self, total)

    @forgetful
    def read(self, answer: Answer) -> Any:
        """The exact value of a computation on an :class:`~pets.he.tables.table.EncryptedTable` of this key.

        A whole number, a fraction (mean, variance) or a list of whole numbers. Nothing is protected here: the key
        holder reads the owner's exact numbers, and is therefore the owner, or somebody whom the owner trusts with them.

        Raises:
            UserError: for an answer of another key, or outside its proved range.
        """
        return read_answer(self, answer)

    # for the modules of this package ------------------------------------------------------------------------------

    def sign(self, message: bytes) -> bytes:
        """The key holder's signature of a message."""
        return self._sign.sign(message)

    def checksum_seed(self, round_id: str) -> bytes:
        """The secret seed of a round's checksum: HMAC-SHA256 of its id, so that nothing needs to be kept."""
        return hmac.digest(self._mac, b"pets he checksum seed 1\0" + round_id.encode(), "sha256")

    def tag_seed(self, round_id: str, party: str) -> bytes:
        """The secret seed of one party's tag in a round."""
        return hmac.digest(self._mac, b"pets he tag seed 1\0" + round_id.encode() + b"\0" + party.encode(), "sha256")

    def claim(self, round_id: str, total: str) -> None:
        """Write down that a round is being opened; see :mod:`pets.he.keys.record`."""
        self._record.claim(round_id, total)

    def keep(self, name: str, body: bytes) -> bytes:
        """Write down what is kept under a name, once for all; see :mod:`pets.he.keys.record`."""
        return self._record.keep(name, body)

    def kept(self, name: str) -> bytes | None:
        """What is kept under a name."""
        return self._record.kept(name)

    def reveal(self, chain: Chain) -> U64:
        """The secret of a chain, for decrypting; the one name to search for in a review."""
        if chain.name not in self._secrets:
            raise UserError("this key was made for sums only; make one with pets.he.keygen(products=True)")
        return self._secrets[chain.name]

    # files --------------------------------------------------------------------------------------------------------

    @forgetful
    def save(self, path: str | Path, passphrase: str | None = None) -> Path:
        """Write the secret file, readable by its owner only, and beside it the record of opened rounds (``.opened``).

        From now on this key writes to that record, and it is saved once: two records of one key would not know of each
        other's rounds. To move a key, move both files together.

        Raises :class:`UserError` where it was saved before or a file is there already; nothing is written then.
        """
        if not isinstance(self._record, MemoryRecord):
            raise UserError("this key has its file already; to move it, move that file and its .opened record together")
        target = new_path(path, "a secret key")
        parts = [
            canonical({"sign": self._sign.reveal_seed().hex(), "mac": self._mac.hex(), "chains": list(self._secrets)})
        ]
        parts += [np.ascontiguousarray(secret, dtype="<u8").tobytes() for secret in self._secrets.values()]
        body = b"".join(len(part).to_bytes(4, "little") + part for part in (self.public.to_bytes(), *parts))
        data = _SECRET + hashlib.sha256(body).digest() + body
        # the record is there, and knows everything, before the first byte of the key is
        record = self._record.moved(_record_path(target), self._owner())
        try:
            written = write_secret(target, data, passphrase, "a secret key")
        except BaseException:
            record.path.unlink(missing_ok=True)
            raise
        self._record = record
        return written

    def _owner(self) -> str:
        return hmac.digest(self._mac, b"pets he record 1\0" + self.public.id.encode(), "sha256").hex()

    @classmethod
    @forgetful
    def load(cls, path: str | Path, passphrase: str | None = None) -> SecretKey:
        """Read what :meth:`save` wrote; raises :class:`UserError` for anything else, or without its record."""
        data = read_secret(path, passphrase, "a secret key")
        body = data[len(_SECRET) + 32 :]
        if not data.startswith(_SECRET) or hashlib.sha256(body).digest() != data[len(_SECRET) : len(_SECRET) + 32]:
            raise UserError(f"{str(path)!r} does not hold a secret key, or was damaged; restore it from your backup")
        public, head, *secrets = _parts(body)
        form = json.loads(head)
        arrays = {
            name: np.frombuffer(part, dtype="<u8").reshape(-1, CHAINS[name].degree).astype(np.uint64)
            for name, part in zip(form["chains"], secrets, strict=True)
        }
        sign, mac = signing.from_seed(bytes.fromhex(form["sign"])), bytes.fromhex(form["mac"])
        made = cls(PublicKey.from_bytes(public), arrays, sign, mac, MemoryRecord(), made=_MAKE)
        made._record = FileRecord(_record_path(Path(path)), made._owner())
        return made

    def __repr__(self) -> str:
        return f"<SecretKey of {self.public!r}>"

    def __eq__(self, other: object) -> NoReturn:
        raise InternalError("secret keys are not compared; compare their public keys")

    def __reduce__(self) -> NoReturn:
        raise InternalError("a secret key is never pickled; save it to a file of its owner's")

    def __copy__(self) -> NoReturn:
        raise InternalError("a secret key is never copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise InternalError("a secret key is never copied")


def keygen(*, products: bool = False) -> tuple[PublicKey, SecretKey]:
    """A fresh key pair: ``public, secret = pets.he.keygen()``.

    One pair serves every parameter set for sums; which set is used follows from a round's proven range and number of
    parties. The secret key remembers which rounds it opened: in this process, or in a file from its first ``save``.

    Args:
        products: also keys of degree 8,192, for products of two encrypted columns.

    Raises:
        MissingExtraError: without the ``he`` extra.
    """
    if not isinstance(products, bool):
        raise UserError(f"products must be True or False, not {shown(products)}")
    names = tuple(CHAINS) if products else (*SUM_CHAINS, COLUMNS.name)
    pairs = {name: scheme(CHAINS[name], _any_plain(CHAINS[name])).generate() for name in names}
    sign = signing.generate()
    public = PublicKey(sign.public, {name: pair[1] for name, pair in pairs.items()})
    secrets = {name: pair[0] for name, pair in pairs.items()}
    return public, SecretKey(public, secrets, sign, random_bytes(32), MemoryRecord(), made=_MAKE)


def _any_plain(chain: Chain) -> int:
    """Keys do not depend on the plain modulus; SEAL wants one all the same."""
    return next(preset.plain[0] for preset in PRESETS.values() if preset.chain == chain)


def _parts(body: bytes) -> list[bytes]:
    out, start = [], 0
    while start < len(body):
        length = int.from_bytes(body[start : start + 4], "little")
        out.append(body[start + 4 : start + 4 + length])
        start += 4 + length
    return out


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.opened")
