"""Site folder: a site as its owner keeps it, with the policy to edit, the key, the ledger and the prepared rows.

============== ===================================================================================
site.json      its name, and the engine that counts its rows
schema.yaml    the tables, as all sites of the federation describe them
policy.yaml    what others may ask: the owner's to edit (a changed policy needs a new roster)
site.key       its signing key; site.pub is the public half
ledger.db      its account and log, with their own key and checkpoint
rows/          the prepared rows
kept/          its replies to questions that are open, until these are over
rosters/       what it joined, with the key holder's public key where it takes part in encrypted totals
kit/           NVFlare's working folder, made when it joined with a kit
============== ===================================================================================
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import stat
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pets.common.codec import Json, canonical
from pets.common.files import replace_file
from pets.errors import PolicyError, UserError, VerificationError, missing_extra, shown
from pets.federated.deployment import startup_kit as kits
from pets.federated.keyholder.gate import NAME
from pets.federated.messages.roster import Member, Roster
from pets.federated.site.policy import SitePolicy
from pets.federated.site.site import Site
from pets.he.keys.public_key import PublicKey
from pets.ledger.ledger import Ledger
from pets.ledger.publish.export import Verified, verify, write
from pets.protection.policy import Policy
from pets.protection.sdc import OWN, RELEASING
from pets.schema.schema import Schema
from pets.session.session import Session

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
NEW_POLICY = """\
# What others may ask of this site. What is not listed is refused; this file is yours to edit.
# Every site of a federation is known by the digest of its policy: send your entry again after a change
# (pets site status FOLDER --entry FILE).
#
# tables:
{tables}
# secure: [masked, encrypted]      # ways to combine that this site takes part in
# max_epsilon: 1.0                 # the most that one query may charge
# min_sites: 3                     # sites that must be on the roster
# tell: [budget, history, certificates]   # what analysts may know of this site's account
# totals: {{allow: false}}           # exact totals, without noise
# sdc: [hes]                       # rules by which rounded counts of the grid that is named may leave
# sdc_encrypted: [hes]             # rules by which the key holder may show sums of one grid's exact counts
tables: {{}}
"""


@dataclass(frozen=True)
class SiteFolder:
    """A site's folder, opened.

    Raises:
        UserError: where it is none.
    """

    path: Path

    def __post_init__(self) -> None:
        if not (self.path / "site.json").is_file():
            raise UserError(f"{str(self.path)!r} is no site's folder; make one with pets site init")
        check_private(self.path)

    @cached_property
    def name(self) -> str:
        """The site's name, as the roster knows it."""
        return str(self._said["name"])

    @property
    def engine(self) -> str:
        """What counts its rows, as :class:`pets.Session` has it."""
        return str(self._said["engine"])

    @cached_property
    def _said(self) -> Json:
        try:
            said: Json = json.loads((self.path / "site.json").read_bytes())
            return {"engine": "duckdb"} | said | {"name": said["name"]}
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(f"{str(self.path / 'site.json')!r} cannot be read; restore it from your backup") from None

    @cached_property
    def site(self) -> Site:
        """The site itself, with all the rosters that it joined and that still fit it."""
        site = _site(self.path, self.name, Ledger(self.path / "ledger.db"), self.engine)
        for roster in self.rosters:
            with contextlib.suppress(PolicyError):
                self.pin(roster, site)
        return site

    def pin(self, roster: Roster, site: Site) -> None:
        """Have a site consider a roster that the folder has, with the key holder's key beside it."""
        key = self._public_key(roster)
        site.join(roster, PublicKey.load(key) if key.exists() else None)

    @cached_property
    def seen(self) -> tuple[Site, str]:
        """The site to look at, and what is wrong with its policy: with one that cannot be used it allows nothing."""
        try:
            return self.site, ""
        except PolicyError as error:
            ledger = Ledger(self.path / "ledger.db")
            return _site(self.path, self.name, ledger, self.engine, SitePolicy()), str(error)

    @property
    def rosters(self) -> tuple[Roster, ...]:
        """What the site joined, the newest last."""
        return kept_rosters(self.path)

    @property
    def roster_files(self) -> frozenset[str]:
        """The names of the rosters' files: others than before where the site joined another."""
        return frozenset(path.name for path in (self.path / "rosters").glob("*.json"))

    def _public_key(self, roster: Roster) -> Path:
        return self.path / "rosters" / f"{roster.digest[:16]}.key"

    @property
    def joined(self) -> tuple[Roster, ...]:
        """Those rosters that have the site as it is now: the only ones whose orders are considered."""
        return tuple(roster for roster in self.rosters if self.seen[0].is_on(roster))

    @property
    def kit(self) -> Path | None:
        """NVFlare's working folder."""
        path = self.path / "kit"
        return path if path.is_dir() else None

    @property
    def take(self) -> str:
        """The command with which a renewed kit is taken."""
        return f"pets site renew {self.path} --kit FILE"

    def renew(self, kit: Path) -> None:
        """Take a renewed kit; a process that serves goes on with it by itself. Raises :class:`UserError` for others."""
        if self.kit is None:
            raise UserError("there is no startup kit to be renewed; join with --kit FILE")
        kits.renew(kits.read(kit, self.name), self.path / "kit")

    def join(self, roster: Roster, kit: Path | None = None, public_key: Path | None = None) -> None:
        """Pin a roster, and unpack a startup kit: from now on the roster's orders are considered.

        Everything that is handed in is looked at before anything is written: what is refused changes nothing.

        Args:
            public_key: the key holder's, where this site takes part in encrypted totals.

        Raises:
            PolicyError: where the roster does not have this site as it is, or names another key.
            UserError: for a kit that is none, another party's, damaged, or past its end.
        """
        key = None if public_key is None else PublicKey.load(public_key)
        if key is not None and importlib.util.find_spec("tenseal") is None:
            raise missing_extra("encrypted envelopes", "he")  # not with the first query, which is paid for by then
        new = None if kit is None else kits.read(kit, self.name)
        self.site.join(roster, key)
        if new is not None:
            kits.unpack(new, self.path / "kit")
        folder = self.path / "rosters"
        folder.mkdir(mode=0o700, exist_ok=True)
        if key is not None:
            self._public_key(roster).write_bytes(key.to_bytes())
        # the roster last, and whole: a process that serves takes it up as soon as it is there
        replace_file(folder / f"{roster.digest[:16]}.json", canonical(roster.to_json()), owner_only=True)

    def verified(self) -> Verified:
        """The site's log, read back and verified entry by entry; raises :class:`VerificationError`."""
        ledger = self.seen[0].session.ledger
        with tempfile.TemporaryDirectory(prefix="pets-log-") as folder:
            file = Path(folder) / "site.log"
            write(ledger, file, progress=False)
            try:
                return verify(file, key=ledger.key)
            except VerificationError as error:
                raise VerificationError(
                    str(error).replace(repr(str(file)), f"the log in {str(self.path / 'ledger.db')!r}")
                ) from None

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        name: str,
        schema: Path,
        data: Any,
        policy: Path | None,
        budget: Any,
        engine: str = "duckdb",
    ) -> SiteFolder:
        """A new site, from its data, whose rows an engine counts. What fails, or is interrupted, leaves nothing behind.

        Raises:
            UserError: where the folder exists, or whatever is wrong with the schema, the data or the policy.
        """
        check_name(name)
        if path.exists():
            raise UserError(f"{str(path)!r} exists already; a new site needs a folder of its own")
        if policy is not None:
            SitePolicy.load(policy)
        with new_folder(path):
            shutil.copyfile(schema, path / "schema.yaml")
            known = Schema.load(path / "schema.yaml")
            if policy is None:
                (path / "policy.yaml").write_text(_first_policy(known), "utf-8")
            else:
                shutil.copyfile(policy, path / "policy.yaml")
            said = {"pets": "site", "version": 1, "name": name} | ({} if engine == "duckdb" else {"engine": engine})
            (path / "site.json").write_bytes(canonical(said))
            kept: Any = {"ledger": path / "ledger.db", "snapshots": path / "rows", "engine": engine}
            session = Session(known, data, budget=budget, **kept)
            missing = [table for table in known.tables if table not in session.tables]
            if missing:
                raise UserError(f"no data was given for table {missing[0]!r}; add --data {missing[0]}=FILE")
            made = _site(path, name, session.ledger, engine)
            write_entry(made.member, path / "entry.json")
        return cls(path)


def _site(path: Path, name: str, ledger: Ledger, engine: str, policy: SitePolicy | None = None) -> Site:
    # the owner's file is the custodian's word on totals without noise, too: the gate asks it, as it stands, each time
    with warnings.catch_warnings(action="ignore"):  # who makes, serves or looks at the site says it in its own way
        session = Session(
            path / "schema.yaml",
            ledger=ledger,
            snapshots=path / "rows",
            policy=Policy(allow_unbounded=True, sdc=(*RELEASING, OWN)),
            project="federation",
            analyst=name,
            engine=engine,
            progress=False,
        )
    return Site(session, policy=policy or path / "policy.yaml", key=path / "site.key", name=name, kept=path / "kept")


def check_name(name: object) -> None:
    """Refuse a name that a site cannot have on the line, or that another party has."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in ("server", NAME):
        raise UserError(
            f"a site's name has 1 to 32 small letters, digits and hyphens, and is not 'server' or {NAME!r}: "
            f"{shown(name)} is none; give one with pets site init --name"
        )


def check_private(folder: Path) -> None:
    """Refuse a folder of keys and rows that others can look into."""
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"{str(folder)!r} is open to others, and holds keys; run: chmod 700 {folder}")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """A folder for its owner alone, gone again where the block fails."""
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise UserError(f"the folder {str(path)!r} cannot be made ({error.strerror})") from None
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _first_policy(schema: Schema) -> str:
    """A policy that allows nothing, with everything that could be allowed in comments."""
    lines = []
    for name, table in schema.tables.items():
        columns = ", ".join(column for column in table.columns if column != table.unit.column)
        lines.append(f"#   {name}: {{columns: [{columns}], aggregates: [count, count_units, sum, mean]}}")
    return NEW_POLICY.format(tables="\n".join(lines))


def write_entry(member: Member, path: Path) -> None:
    """A site's public entry, for the coordinator."""
    _write(path, {"pets": "site-entry", "version": 1, **member.to_json()})


def read_entry(path: Path) -> Member:
    """The inverse of :func:`write_entry`."""
    form = _read(path, "a site's entry; ask the site for it (pets site status FOLDER --entry FILE)")
    if form.pop("pets", None) != "site-entry" or form.pop("version", None) != 1:
        raise UserError(f"{str(path)!r} is no site's entry; ask the site for it (pets site status FOLDER --entry FILE)")
    return Member.from_json(form)


def load_roster(path: Path) -> Roster:
    """A roster in a file; raises :class:`UserError` for anything else."""
    return Roster.from_json(_read(path, "a roster; ask the coordinator for the file"))


def kept_rosters(folder: Path) -> tuple[Roster, ...]:
    """The rosters that a site or a key holder joined, the newest last."""
    files = sorted((folder / "rosters").glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    return tuple(load_roster(file) for file in files)


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        form = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read ({error.strerror})") from None
    except ValueError:
        raise UserError(f"{str(path)!r} is no {what.removeprefix('a ')}") from None
    if not isinstance(form, dict):
        raise UserError(f"{str(path)!r} is no {what.removeprefix('a ')}")
    return form


def _write(path: Path, form: Json) -> None:
    try:
        path.write_text(json.dumps(form, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be written ({error.strerror})") from None
