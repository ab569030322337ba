"""Random kills: any process of a federation on this machine dies at any moment of a query, with no farewell.

The query is then answered correctly, or void with what was charged told; and after the process that serves was begun
again, as a service manager would, the next query is answered by everybody, with nobody's hand on anything else.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

import pets
from pets.errors import PetsError, UserError
from pets.federated import connect
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.keyholder.gate import NAME
from pets.ledger.states import State
from tests.trial import SITES, Trial, until

PARTIES = ("trial", "holder", *SITES)
PARTS = ("gate", "engine", "job")
"""The process that serves, NVFlare's own, and the one of the job that carries messages."""
FEW = (0, 7)
"""Seeds of kills for every run: NVFlare's process of one site, and the one that serves another, within a query."""
FIVE = (0, 2, 3, 6, 7)
"""For longer ones: every part dies once."""
TELLS = re.compile(r"data may have been opened at ([a-z, ]+): what that cost stays charged there")


@dataclass(frozen=True)
class Kill:
    """What dies, when, and during which query."""

    party: str
    part: str
    seconds: float
    secure: str

    @classmethod
    def planned(cls, seed: int, span: float) -> Kill:
        """The same for one seed, within the seconds that a query takes here."""
        draw = random.Random(seed)
        return cls(
            draw.choice(PARTIES), draw.choice(PARTS), draw.uniform(0, span), draw.choice(("masked", "encrypted"))
        )


@dataclass
class Kills:
    """A federation of three sites and a key holder that serves, and what its answers must be."""

    trial: Trial
    query: pets.Query
    truth: Any
    span: float = 4.0
    hits: int = 0
    """Of the kills, those that found a process to kill: a job has one only while a query is under way."""

    def survived(self, seed: int) -> str:
        """One query and one kill; says what came of it."""
        kill = Kill.planned(seed, self.span)
        before = {name: self._charged(name) for name in SITES}
        killer = threading.Timer(kill.seconds, self._kill, (kill,))
        killer.start()
        try:
            release = self._asked(kill.secure, patience=8)
        except PetsError as error:
            ending, told = "void", {name for found in TELLS.findall(str(error)) for name in found.split(", ")}
        else:
            ending, told = "answered", set(SITES)
            assert (release.values == self.truth).all(), kill
        killer.join()
        charged = {name for name in SITES if self._charged(name) - before[name]}
        assert charged <= told, (kill, ending, charged, told)
        assert ending == "void" or charged == set(SITES), (kill, charged)
        self._serve_again(kill.party)
        release = next_answer(self.trial, self.query)
        assert (release.values == self.truth).all(), kill
        assert release.notes[0].startswith("3 of 3 sites are in the answer"), kill
        return f"{kill.part} of {kill.party} after {kill.seconds:.1f} s, {kill.secure}: {ending}"

    def _asked(self, secure: str, patience: int) -> pets.Release:
        with connect(self.trial.trial, patience=patience, progress=False) as many:
            return many.release(self.query, pets.Total(), secure=secure, again=True)

    def _charged(self, name: str) -> set[str]:
        """What was charged for good: what is only reserved is free again when its lease is over."""
        entries = SiteFolder(self.trial.folder(name)).site.session.custody.account.entries()
        return {entry.id for entry in entries if entry.state.charged and entry.state is not State.RESERVED}

    def _kill(self, kill: Kill) -> None:
        tree = self.trial.tree(kill.party)
        chosen: list[Callable[[str], bool]] = [
            lambda words: "nvflare." not in words,
            lambda words: "_train " in words,
            lambda words: "nvflare." in words and "_train " not in words,
        ]
        hit = False
        for process in tree:
            try:
                if chosen[PARTS.index(kill.part)](" ".join(process.cmdline()) + " "):
                    process.kill()
                    hit = True
            except psutil.NoSuchProcess:
                continue
        self.hits += hit

    def _serve_again(self, party: str) -> None:
        if (gate := self.trial.processes[party]).poll() is not None:
            assert gate.returncode == -9, self.trial.said(party)[-2000:]
            self.trial.start(party)


def next_answer(trial: Trial, query: pets.Query) -> pets.Release:
    """What the first line gives on which everybody is there: an encrypted total, which needs every party."""
    found: list[pets.Release] = []

    def answered() -> bool:
        with connect(trial.trial, patience=120, progress=False) as many:
            try:
                if set(many.connected()) != {*SITES, NAME}:
                    return False
                found.append(many.release(query, pets.Total(), secure="encrypted", again=True))
            except UserError:  # the server may not listen yet, or break off a line that it began before it was killed
                return False
            return True

    until(answered)
    return found[0]
