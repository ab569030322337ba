"""Parties of secure totals for tests: small rounds, vectors of any numbers, and what opens them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import pets
from pets import he
from pets.he.totals.encrypting import encrypted_envelope
from pets.he.totals.round import Round
from pets.schema.schema import Schema


@cache
def schema(groups: int = 5, people: int = 1000, most: int = 100) -> Schema:
    """Rows with a group and a value."""
    columns = {
        "person": {"type": "identifier"},
        "g": {"type": "integer", "min": 0, "max": groups - 1, "nullable": False},
        "v": {"type": "integer", "min": 0, "max": most, "nullable": False},
    }
    table = {"unit": {"column": "person", "max_rows": 1}, "people": people, "columns": columns}
    return Schema.load({"dataset": "test", "tables": {"t": table}})


def query() -> pets.Query:
    """Counts by group."""
    return pets.query("t").group_by("g").agg(n=pets.count())


@cache
def holder() -> tuple[he.PublicKey, he.SecretKey]:
    """One key pair for tests that do not look at keys."""
    return he.keygen()


@cache
def parties(count: int) -> tuple[he.PartyKey, ...]:
    """Keys of parties p000, p001, …"""
    return tuple(he.partykey(f"p{number:03d}") for number in range(count))


@dataclass
class Table:
    """A round and its parties, who send whatever numbers a test wants."""

    round: Round
    public: he.PublicKey
    secret: he.SecretKey
    keys: tuple[he.PartyKey, ...]

    def envelope(self, party: int, values: Any, terms: Any = None) -> he.Envelope:
        """A party's envelope of these numbers."""
        key = self.keys[party]
        seed = key.unseal(self.round.seed_for(key.name), self.round.info)
        return encrypted_envelope(self.round, self.public, key, seed, np.asarray(values), terms, "real")

    def envelopes(self, rows: Any) -> list[he.Envelope]:
        """One envelope for each party's numbers."""
        return [self.envelope(party, row) for party, row in enumerate(rows)]


def table(
    count: int = 3,
    *,
    groups: int = 5,
    people: int = 1000,
    most: int = 100,
    asked: pets.Query | None = None,
    noise: Any = None,
    **settings: Any,
) -> Table:
    """A round of ``count`` parties over counts by group, or over another query."""
    public, secret = holder()
    keys = parties(count)
    where = schema(groups, people, most)
    roster = [key.public for key in keys]
    asked = secret.round(asked or query(), where, roster, noise or pets.Total(), **settings)
    return Table(asked, public, secret, keys)
