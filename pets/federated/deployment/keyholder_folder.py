"""Key holder folder: what a key holder keeps, on a machine that is neither the coordinator's nor the analyst's.

================== ==============================================================================
keyholder.json     what it opens
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
from pets.errors import UserError
from pets.federated.deployment import startup_kit as kits
from pets.federated.deployment.site_folder import check_private, kept_rosters, load_roster, new_folder
from pets.federated.keyholder.gate import NAME, KeyHolderGate, check_named
from pets.federated.messages.roster import Roster
from pets.he.keys.public_key import PublicKey
from pets.he.secret_key import SecretKey, keygen


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
        holder = KeyHolderGate(SecretKey.load(self.path / "secret.key", passphrase), totals=self.totals, say=say)
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
