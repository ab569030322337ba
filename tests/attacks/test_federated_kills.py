"""Fifty random kills of real processes (:mod:`tests.random_kills`); two more are a step of the engine's own test."""

from __future__ import annotations

import os

import pandas as pd
import pytest

import pets
from pets.cli.demo import demo_query
from tests.random_kills import PARTS, Kill, Kills
from tests.trial import Trial
from tests.unit.federated.deployment.test_nvflare_engine import UNBOUNDED, trial, world

__all__ = ["trial", "world"]  # fixtures
KILLS = int(os.environ.get("KILLS", "50"))
SEEDS = range(100, 100 + KILLS)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.chance(0)  # processes; exact totals are compared, and nothing else
def test_a_federation_survives_random_kills(trial: Trial, world: tuple[pets.Schema, pd.DataFrame]) -> None:
    schema, rows = world
    session = pets.Session(schema, {"apc": rows}, budget=pets.Budget(epsilon=1), policy=UNBOUNDED, progress=False)
    kills = Kills(trial, demo_query(), session.release(demo_query(), pets.Total()).values)
    assert {Kill.planned(seed, 1).part for seed in SEEDS} == set(PARTS) or KILLS < 50
    said = []
    for seed in SEEDS:
        said.append(kills.survived(seed))
        print(f"{seed}: {said[-1]}", flush=True)
    assert len(said) == KILLS
    assert kills.hits >= sum(Kill.planned(seed, 1).part == "gate" for seed in SEEDS)  # which are always there
    assert any(one.endswith("answered") for one in said)
