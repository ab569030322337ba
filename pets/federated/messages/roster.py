"""Roster: who takes part, with which keys, and what is assumed of them. Exchanged beforehand and pinned by every site.

A coordinator or a transport can so neither add sites, nor swap keys, nor lower a threshold: every message is signed
about one roster's digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pets.common.arguments import plain_fields
from pets.common.codec import Json, digest, fraction, number, python_value
from pets.common.signing import VerifyingKey
from pets.errors import PolicyError, UserError, did_you_mean, shown
from pets.protection.budget import Currency

VERSION = 1
MIN_SITES = 3
MAX_SITES = 4096
MAX_LISTS = 1000
Sites = tuple[tuple[str, str], ...]
"""A list of sites: pairs of a name and a public key."""


@plain_fields(PolicyError)
@dataclass(frozen=True)
class Member:
    """One site, as the others know it.

    Attributes:
        name: printable, its own in the roster.
        key: the public half of its signing key, 64 hex digits.
        schema, policy: SHA-256 digests of what it answers from and by.
        currency, delta: of its ledger: ``"zcdp"`` with the δ that turns ρ to ε, or ``"pure"`` with 0.
        data: ``"real"`` or ``"dummy"``.
        box: the public key that a round of encrypted envelopes is sealed to, 64 hex digits ('': it takes no part in
            such rounds).
        totals: the lists of sites over which exact totals of its people left, by their membership: the sites' names and
            keys ('' where a key was not written down; no sites where none was). So a site that joins sees beside what
            its own numbers would leave.
    """

    name: str
    key: str
    schema: str
    policy: str
    currency: Currency
    delta: float
    data: Literal["real", "dummy"] = "real"
    box: str = ""
    totals: tuple[tuple[str, Sites], ...] = ()

    def __post_init__(self) -> None:
        if (
            not isinstance(self.name, str)
            or not self.name.strip()
            or len(self.name) > 64
            or not self.name.isprintable()
        ):
            raise PolicyError(f"a site's name is a printable text of 1 to 64 characters, not {shown(self.name)}")
        for label, text in (("key", self.key), ("schema", self.schema), ("policy", self.policy)):
            if not is_hex(text):
                raise PolicyError(f"site {self.name!r}: {label} has 64 hex digits, not {shown(text)}")
        if self.box != "" and not is_hex(self.box):
            raise PolicyError(f"site {self.name!r}: box has 64 hex digits, or none, not {shown(self.box)}")
        if not isinstance(self.totals, (list, tuple)) or len(self.totals) > MAX_LISTS:
            raise PolicyError(f"site {self.name!r}: totals are at most {MAX_LISTS:,} lists of sites")
        for membership, sites in self.totals:
            keys = [key for _, key in sites]
            named = all(isinstance(name, str) and (key == "" or is_hex(key)) for name, key in sites)
            if not is_hex(membership) or not named:
                raise PolicyError(f"site {self.name!r}: totals are lists of sites by their names and keys")
            if keys and "" not in keys and membership_of(keys) != membership:
                raise PolicyError(f"site {self.name!r}: a list of sites in totals is not the one that it is called")
        if self.currency not in ("zcdp", "pure") or self.data not in ("real", "dummy"):
            raise PolicyError(f"site {self.name!r}: currency is zcdp or pure, and data is real or dummy")
        known = isinstance(self.delta, (int, float)) and not isinstance(self.delta, bool)
        if not known or not (self.delta == 0 if self.currency == "pure" else 0 < self.delta < 1):
            raise PolicyError(
                f"site {self.name!r}: delta is its ledger's, above 0 and below 1 (0 in a pure one), not "
                f"{shown(self.delta)}"
            )

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "name": self.name,
            "key": self.key,
            "schema": self.schema,
            "policy": self.policy,
            "currency": self.currency,
            "delta": number(fraction(self.delta)),
            "data": self.data,
            "box": self.box,
            # only where there are any: entries of before keep their form
            **({"totals": {membership: dict(sites) for membership, sites in self.totals}} if self.totals else {}),
        }

    @classmethod
    def from_json(cls, form: Any) -> Member:
        """The inverse of :meth:`to_json`."""
        try:
            lists = form.get("totals", {}).items()
            totals = tuple(sorted((membership, tuple(sorted(sites.items()))) for membership, sites in lists))
            return cls(**{**form, "delta": float(fraction(form["delta"])), "totals": totals})
        except (AttributeError, TypeError, LookupError, ValueError):
            raise PolicyError("this is not a site's entry as `pets site status --entry` writes it") from None


@plain_fields(PolicyError)
@dataclass(frozen=True)
class Roster:
    """The sites, and the assumptions that every promise rests on.

    Attributes:
        members: the sites, at least three; their order is their number.
        coordinator: the public key of who relays messages, 64 hex digits. It is trusted with nothing but to relay.
        analysts: by name, the public keys of who may ask.
        sites_per_person: m: the rows of one person lie at no more sites than this (1: sites share nobody).
        dropouts: d: sites that may be lost without losing the answer.
        colluding: c: sites that may pool all they know with the coordinator and the analyst without weakening the
            guarantee of people at the other sites.
        key_holder: for encrypted envelopes: the id of the public key under which sites encrypt, 64 hex digits ('':
            none are used). Its holder opens totals, and must not collude with the coordinator.

    Raises:
        PolicyError: where the numbers do not go together. With t = n − d needed for an answer, 2t − n > c makes sure
            that any two groups of t sites share an honest one, so that no coordinator gets two survivor lists signed.
    """

    members: tuple[Member, ...]
    coordinator: str
    analysts: tuple[tuple[str, str], ...]
    sites_per_person: int
    dropouts: int = 0
    colluding: int = 1
    key_holder: str = ""

    def __post_init__(self) -> None:
        for label, given in (("members", self.members), ("analysts", self.analysts)):
            if not isinstance(given, (list, tuple)):
                raise PolicyError(f"a roster's {label} are a list, not {shown(given)}")
        if not all(isinstance(member, Member) for member in self.members):
            raise PolicyError("a roster's members are the sites' entries: site.member, or Member(…)")
        if not all(isinstance(one, tuple) and [type(part) for part in one] == [str, str] for one in self.analysts):
            raise PolicyError("a roster's analysts are pairs of a name and a key")
        object.__setattr__(self, "members", tuple(self.members))
        object.__setattr__(self, "analysts", tuple(sorted(self.analysts)))
        n = len(self.members)
        if not MIN_SITES <= n <= MAX_SITES:
            raise PolicyError(
                f"a federation has {MIN_SITES} to {MAX_SITES:,} sites, not {n}; with two, each learns the other's"
            )
        for label in ("dropouts", "colluding", "sites_per_person"):
            object.__setattr__(self, label, python_value(getattr(self, label)))
        for label, value in (("dropouts", self.dropouts), ("colluding", self.colluding)):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < n:
                raise PolicyError(f"{label} is a whole number of sites from 0 to below {n}, not {shown(value)}")
        m = self.sites_per_person
        if isinstance(m, bool) or not isinstance(m, int) or not 1 <= m <= n:
            raise PolicyError(
                f"sites_per_person is the most sites that hold rows of one person, from 1 to {n}, not {shown(m)}; "
                "it must be known, not guessed: 1 only where a contract or a register says that sites share nobody"
            )
        for label, values in (("name", [s.name for s in self.members]), ("key", [s.key for s in self.members])):
            if len(set(values)) != n:
                raise PolicyError(f"two sites of the roster have one {label}; every site has its own")
        keys = [self.coordinator, *(key for _, key in self.analysts)]
        if not self.analysts or not all(is_hex(key) for key in keys):
            raise PolicyError("a roster names the coordinator's key and at least one analyst's, each of 64 hex digits")
        if self.key_holder != "" and not is_hex(self.key_holder):
            raise PolicyError(f"key_holder is a public key's id of 64 hex digits, not {shown(self.key_holder)}")
        if len({(site.currency, site.data) for site in self.members}) != 1:
            raise PolicyError(
                "the sites' ledgers must count in one currency (all with a delta, or all without), and their data must "
                "all be real or all dummy"
            )
        if 2 * self.threshold - n <= self.colluding:
            raise PolicyError(
                f"{n} sites cannot lose {self.dropouts} and bear {self.colluding} that collude: two groups of "
                f"{self.threshold} might share no honest site; lower dropouts or colluding, or add sites"
            )
        if self.honest < 1:
            raise PolicyError("no honest site would be left to add noise; lower dropouts or colluding")

    @property
    def size(self) -> int:
        """n, the number of sites."""
        return len(self.members)

    @property
    def threshold(self) -> int:
        """t = n − d: sites that must stay to the end."""
        return self.size - self.dropouts

    def least(self, *, everyone: bool) -> int:
        """Sites that an answer needs; of exact totals none may be missing: two that differ by a site would show it."""
        return self.size if everyone else self.threshold

    @property
    def honest(self) -> int:
        """h = n − d − c: the honest sites whose noise is surely in every answer."""
        return self.size - self.dropouts - self.colluding

    @property
    def currency(self) -> Currency:
        """What all the sites' ledgers count in."""
        return self.members[0].currency

    @property
    def delta(self) -> float:
        """The δ at which ε is meant: the smallest of the sites', so that what holds at it holds at theirs."""
        return min(member.delta for member in self.members)

    def number(self, name: str) -> int:
        """A site's number, from 0."""
        names = [member.name for member in self.members]
        if name not in names:
            raise UserError(f"the roster has no site {shown(name)}{did_you_mean(name, names)}")
        return names.index(name)

    @cached_property
    def keys(self) -> tuple[VerifyingKey, ...]:
        """The sites' public keys, by number."""
        return tuple(VerifyingKey(bytes.fromhex(member.key)) for member in self.members)

    @cached_property
    def coordinator_key(self) -> VerifyingKey:
        """Whose signature every relayed message bears."""
        return VerifyingKey(bytes.fromhex(self.coordinator))

    def analyst_key(self, name: str) -> VerifyingKey | None:
        """The public key of an analyst; ``None`` for a stranger."""
        found = dict(self.analysts).get(name)
        return None if found is None else VerifyingKey(bytes.fromhex(found))

    def to_json(self) -> Json:
        """The canonical form: what is signed out of band and pinned."""
        return {
            "pets": "roster",
            "version": VERSION,
            "members": [member.to_json() for member in self.members],
            "coordinator": self.coordinator,
            "analysts": dict(self.analysts),
            "sites_per_person": self.sites_per_person,
            "dropouts": self.dropouts,
            "colluding": self.colluding,
            "key_holder": self.key_holder,
        }

    @classmethod
    def from_json(cls, form: Any) -> Roster:
        """The inverse of :meth:`to_json`; raises :class:`PolicyError` for anything else."""
        try:
            if form["pets"] != "roster" or form["version"] != VERSION:
                raise ValueError("another form")
            return cls(
                members=tuple(Member.from_json(member) for member in form["members"]),
                coordinator=form["coordinator"],
                analysts=tuple(form["analysts"].items()),
                sites_per_person=form["sites_per_person"],
                dropouts=form["dropouts"],
                colluding=form["colluding"],
                key_holder=form.get("key_holder", ""),
            )
        except (TypeError, LookupError, ValueError, AttributeError):
            raise PolicyError("this is not a roster as pets writes it; ask the coordinator for the file") from None

    @property
    def described(self) -> str:
        """For whoever joins it."""
        names = ", ".join(member.name for member in self.members)
        key = f" The key holder has public key {self.key_holder[:16]}." if self.key_holder else ""
        return (
            f"{self.digest[:16]}: {self.size} sites ({names}); {self.threshold} must stay to the end, "
            f"{self.colluding} may collude, and a person is at most at {self.sites_per_person}.{key}"
        )

    @cached_property
    def membership(self) -> str:
        """SHA-256 of the sites' keys: whose rows an answer is about, whatever else was agreed of it."""
        return membership_of(member.key for member in self.members)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form: what sites pin."""
        return digest(self.to_json())


def membership_of(keys: Iterable[str]) -> str:
    """SHA-256 of sites' keys, in whatever order."""
    return digest(sorted(keys))


def is_hex(text: object) -> bool:
    """Whether a text is 32 bytes in hex."""
    return isinstance(text, str) and len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
