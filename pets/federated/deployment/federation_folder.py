"""Federation folder: what the coordinator keeps. Keys to sign with, the roster, the schema, and the kits to hand out.

================ =================================================================================
roster.json      who takes part and what is assumed of them: for every site
kits/NAME.kit    each site's way to the server: for that site alone, over a safe channel
authority.json   what signed the kits, and signs renewed ones; for the coordinator alone
public.key       the key holder's public key, where there is one; the secret key is never here
coordinator.key  signs what is relayed; analyst.key signs what is asked
server/, admin/  NVFlare's working folders
job/             the job that carries messages
answers/         what was released: the same question is answered from here
================ =================================================================================
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pets.common import signing
from pets.common.codec import canonical
from pets.errors import PolicyError, UserError, shown
from pets.federated.analyst.sealing import Answer, load
from pets.federated.deployment import startup_kit as kits
from pets.federated.deployment.authority import Authority
from pets.federated.deployment.site_folder import check_name, check_private, load_roster, new_folder
from pets.federated.keyholder.gate import NAME
from pets.federated.messages.roster import Member, Roster
from pets.he.keys.public_key import PublicKey
from pets.schema.schema import Schema

if TYPE_CHECKING:
    from pets.federated.deployment.nvflare_engine import Line

ADMIN = "coordinator@pets.local"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Facts:
    """What federation.json says.

    Attributes:
        host, port: where sites and the coordinator find the server.
        analyst: who asks, as the roster names them.
    """

    host: str = "localhost"
    port: int = 8102
    analyst: str = "analyst"

    def __post_init__(self) -> None:
        if not isinstance(self.host, str) or not _HOST.fullmatch(self.host):
            raise UserError(f"host is a machine's name that all sites can reach, not {shown(self.host)}")
        if isinstance(self.port, bool) or not isinstance(self.port, int) or not 1 <= self.port <= 65535:
            raise UserError(f"port is a number from 1 to 65535, not {shown(self.port)}")


@dataclass(frozen=True)
class FederationFolder:
    """A coordinator's folder, opened.

    Raises:
        UserError: where it is none.
    """

    path: Path

    def __post_init__(self) -> None:
        if not (self.path / "federation.json").is_file():
            raise UserError(f"{str(self.path)!r} is no federation's folder; make one with pets federation init")
        check_private(self.path)

    @cached_property
    def facts(self) -> Facts:
        """Where the server is, and who asks."""
        try:
            form = json.loads((self.path / "federation.json").read_bytes())
            return Facts(form["host"], form["port"], form["analyst"])
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(
                f"{str(self.path / 'federation.json')!r} cannot be read; restore it from your backup"
            ) from None

    @cached_property
    def roster(self) -> Roster:
        """Who takes part."""
        return load_roster(self.path / "roster.json")

    @cached_property
    def schema(self) -> Schema:
        """What may be asked about."""
        return Schema.load(self.path / "schema.yaml")

    @cached_property
    def public_key(self) -> PublicKey | None:
        """The key holder's, where the federation has one."""
        return PublicKey.load(self.path / "public.key") if self.roster.key_holder else None

    @property
    def names(self) -> tuple[str, ...]:
        """The sites, by number."""
        return tuple(member.name for member in self.roster.members)

    def key(self, who: str) -> signing.SigningKey:
        """The key of the coordinator or of the analyst."""
        path = self.path / f"{who}.key"
        if not path.exists():
            raise UserError(f"the key {str(path)!r} is missing; restore it from your backup")
        return signing.load_or_make(path)

    @property
    def parties(self) -> tuple[str, ...]:
        """The sites by number, and the key holder, where there is one."""
        return (*self.names, NAME) if self.roster.key_holder else self.names

    @property
    def take(self) -> str:
        """The command with which the certificates are renewed."""
        return f"pets federation renew {self.path}"

    def renew(self) -> bool:
        """Fresh certificates and kits for every party; the server and the coordinator have theirs at once.

        Returns:
            Whether the kits that were handed out before are good until their end: the same authority signed these. A
            federation of an earlier version of pets has none that could sign again, and gets a new one: then every
            party must take its new kit before it can be reached again.
        """
        authority = Authority.read(self.path / "authority.json")
        _provide(self.path, self.facts, self.parties, authority, first=False)
        return authority is not None

    def line(self, patience: float) -> Line:
        """A way to the sites through the running server."""
        from pets.federated.deployment.nvflare_engine import Line

        facts = self.facts
        try:  # NVFlare tries for long, and says less
            socket.create_connection((facts.host, facts.port), timeout=10).close()
        except OSError as error:
            raise UserError(
                f"the federation's server cannot be reached at {facts.host}:{facts.port} ({error.strerror or error}); "
                "start it with pets federation serve, or check its address"
            ) from None
        return Line(self.path / "admin", ADMIN, self.parties, self.path / "job" / kits.JOB, patience)

    @classmethod
    def create(
        cls,
        path: Path,
        members: Sequence[Member],
        schema: Path,
        facts: Facts,
        *,
        sites_per_person: int,
        dropouts: int = 0,
        colluding: int = 1,
        key_holder: Path | None = None,
    ) -> FederationFolder:
        """A new federation. What fails leaves nothing behind.

        Args:
            key_holder: the public key of whoever opens encrypted totals, who is neither coordinator nor analyst.

        Raises:
            PolicyError, UserError: where the sites do not fit together, with the remedy.
        """
        if path.exists():
            raise UserError(f"{str(path)!r} exists already; a new federation needs a folder of its own")
        known, public = Schema.load(schema), None if key_holder is None else PublicKey.load(key_holder)
        for member in members:
            check_name(member.name)
            if member.schema != known.digest:
                raise PolicyError(
                    f"site {member.name!r} has another schema than {schema.name}; all sites describe their tables by "
                    "one schema file"
                )
        with new_folder(path):
            keys = {
                who: signing.load_or_make(path / f"{who}.key").public.raw.hex() for who in ("coordinator", "analyst")
            }
            roster = Roster(
                tuple(members),
                keys["coordinator"],
                ((facts.analyst, keys["analyst"]),),
                sites_per_person=sites_per_person,
                dropouts=dropouts,
                colluding=colluding,
                key_holder="" if public is None else public.id,
            )
            (path / "roster.json").write_bytes(canonical(roster.to_json()))
            (path / "federation.json").write_bytes(canonical({"pets": "federation", "version": 1, **vars(facts)}))
            shutil.copyfile(schema, path / "schema.yaml")
            if public is not None:
                (path / "public.key").write_bytes(public.to_bytes())
            (path / "kits").mkdir()
            names = [*(member.name for member in members), *([] if public is None else [NAME])]
            _provide(path, facts, names, None, first=True)
            (path / "job").mkdir()
            kits.write_job(path / "job")
        return cls(path)


def _provide(path: Path, facts: Facts, names: Sequence[str], authority: Authority | None, *, first: bool) -> None:
    """Kits for every party, the server's and the coordinator's own in place; what signed them is kept."""
    from pets.federated.deployment.nvflare_engine import provision

    with tempfile.TemporaryDirectory(prefix="pets-kits-") as work:
        key = "" if first else (path / "server" / "startup" / "server.key").read_text("ascii")
        made, signer = provision("pets", facts.host, facts.port, names, ADMIN, Path(work), authority, key)
        signer.save(path / "authority.json")
        for name in names:
            kits.of(made / name, name, "pets", facts.host, facts.port).save(path / "kits" / f"{name}.kit")
        server = kits.of(made / facts.host, "", "pets", facts.host, facts.port)
        if first:
            kits.unpack(server, path / "server")
            shutil.copytree(made / ADMIN, path / "admin")
        else:
            shutil.copytree(made / ADMIN, path / "admin", dirs_exist_ok=True)
            kits.renew(server, path / "server")


class Answers(MutableMapping[str, Answer]):
    """What was released, by question, in files: a question that was paid for is not paid for again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def __getitem__(self, key: str) -> Answer:
        if not self._file(key).exists():
            raise KeyError(key)
        return load(self._file(key))

    def __setitem__(self, key: str, release: Answer) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        release.save(self._file(key))

    def __delitem__(self, key: str) -> None:
        self._file(key).unlink()

    def __iter__(self) -> Iterator[str]:
        return (file.stem for file in sorted(self._folder.glob("*.json")))

    def __len__(self) -> int:
        return sum(1 for _ in self)
