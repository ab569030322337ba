"""Key holder folder: what a key holder keeps, on a machine that is neither the coordinator's nor the analyst's.

================== ==============================================================================
keyholder.json     what it opens
grid.json          the one grid whose counts it shows by a rule, where it has named one
secret.key         opens totals; secret.key.opened beside it records which were: keep both together
public.key         for the coordinator and every site; its first digits are compared by telephone
rosters/           what it joined
kit/               NVFlare's working folder, made when it joined with a kit
================== ==============================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pets.common.codec import canonical
from pets.common.files import replace_file
from pets.errors import PetsError, PolicyError, UserError
from pets.federated.deployment import startup_kit as kits
from pets.federated.deployment.site_folder import check_private, kept_rosters, load_roster, new_folder
from pets.federated.keyholder.gate import NAME, KeyHolderGate, check_named
from pets.federated.messages.roster import Roster
from pets.he.keys.public_key import PublicKey
from pets.he.secret_key import SecretKey, keygen
from pets.plan.plan import make_plan
from pets.protection.protection import Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.schema.schema import Schema
from pets.sdc.grid import Grid


@dataclass(frozen=True)
class KeyHolderFolder:
    """A key holder's folder, opened; the secret key stays closed until it is asked for.

    Raises:
        UserError: where it is none.
    """

    path: Path

    def __post_init__(self) -> None:
        if not (self.path / "keyholder.json").is_file():
            raise UserError(f"{str(self.path)!r} is no key holder's folder; make one with pets keyholder init")
        check_private(self.path)

    @cached_property
    def totals(self) -> bool:
        """Whether exact totals may be opened."""
        file = self.path / "keyholder.json"
        try:
            return json.loads(file.read_bytes())["totals"] is True
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(f"{str(file)!r} cannot be read; restore it from your backup") from None

    @cached_property
    def public(self) -> PublicKey:
        """What sites encrypt under."""
        return PublicKey.load(self.path / "public.key")

    @property
    def grid(self) -> tuple[Query, SDC] | None:
        """The one question whose counts it shows, and by which rule; ``None``: it has named none."""
        file = self.path / "grid.json"
        if not file.exists():
            return None
        try:
            form = json.loads(file.read_bytes())
            return _grid(Query.from_json(form["query"]), Protection.from_json(form["protection"]))
        except (OSError, ValueError, LookupError, TypeError, PetsError):
            raise UserError(f"{str(file)!r} cannot be read; restore it from your backup") from None

    @property
    def grid_schema(self) -> str | None:
        """The digest of the schema that its grid was named of; ``None``: it named none, or in an earlier version."""
        if self.grid is None:
            return None
        found: str | None = json.loads((self.path / "grid.json").read_bytes()).get("schema")
        return found

    def name_grid(self, query: Query, schema: Schema, protection: SDC) -> int:
        """Name the one grid whose counts it will show, once for all, and give the number of its cells.

        Raises:
            QueryError: for a question that is no grid.
            PolicyError: where another one is named.
        """
        cells = Grid(make_plan(query, schema)).cells
        wanted = _grid(query, protection)
        named, of = self.grid, self.grid_schema or schema.digest
        if named is not None and (named[0].digest, named[1], of) != (query.digest, protection, schema.digest):
            raise PolicyError(
                "this key holder has named another grid, and two of them could be compared; it shows that one, and a "
                "key holder with another key is refused by sites that have sent their counts to this one"
            )
        form = {"query": wanted[0].to_json(), "protection": wanted[1].to_json(), "schema": schema.digest}
        replace_file(self.path / "grid.json", canonical(form), owner_only=True)
        return cells

    @property
    def rosters(self) -> tuple[Roster, ...]:
        """What it joined, the newest last."""
        return kept_rosters(self.path)

    @property
    def kit(self) -> Path | None:
        """NVFlare's working folder."""
        path = self.path / "kit"
        return path if path.is_dir() else None

    @property
    def take(self) -> str:
        """The command with which a renewed kit is taken."""
        return f"pets keyholder renew {self.path} --kit FILE"

    def renew(self, kit: Path) -> None:
        """Take a renewed kit; a process that serves goes on with it by itself. Raises :class:`UserError` for others."""
        if self.kit is None:
            raise UserError("there is no startup kit to be renewed; join with --kit FILE")
        kits.renew(kits.read(kit, NAME), self.path / "kit")

    def open(self, passphrase: str | None, say: Callable[[str], None] = lambda line: None) -> KeyHolderGate:
        """The key holder itself, with all the rosters that it joined."""
        secret = SecretKey.load(self.path / "secret.key", passphrase)
        holder = KeyHolderGate(secret, totals=self.totals, grid=self.grid, schema=self.grid_schema, say=say)
        for roster in self.rosters:
            holder.join(roster)
        return holder

    def join(self, roster: Path, kit: Path | None = None) -> Roster:
        """Pin a roster, and unpack a startup kit.

        Raises:
            PolicyError: where the roster names no key holder, or another one.
        """
        pinned = load_roster(roster)
        check_named(pinned, self.public.id)
        if kit is not None:
            kits.unpack(kits.read(kit, NAME), self.path / "kit")
        folder = self.path / "rosters"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f"{pinned.digest[:16]}.json").write_bytes(canonical(pinned.to_json()))
        return pinned

    @classmethod
    def create(cls, path: Path, *, totals: bool = False, passphrase: str | None = None) -> KeyHolderFolder:
        """A new key holder, with a fresh key. What fails leaves nothing behind."""
        if path.exists():
            raise UserError(f"{str(path)!r} exists already; a new key holder needs a folder of its own")
        with new_folder(path):
            public, secret = keygen()
            secret.save(path / "secret.key", passphrase)
            public.save(path / "public.key")
            (path / "keyholder.json").write_bytes(canonical({"pets": "key-holder", "version": 1, "totals": totals}))
        return cls(path)


def _grid(query: Query, protection: Protection) -> tuple[Query, SDC]:
    if not isinstance(protection, SDC):
        raise UserError("a grid is protected by a rule such as pets.SDC('hes')")
    protection.check_releases()
    return query, protection
