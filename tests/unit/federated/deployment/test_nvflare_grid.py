"""The key holder's grid over NVFlare's real line: three sites and a key holder on loopback, by the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pets.cli import main
from pets.federated import check_sharing, connect
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.keyholder.gate import NAME
from pets.release.rounded.rounded_sum import RoundedSum
from tests.trial import SITES, Trial, documented, serving, until
from tests.unit.federated.site.test_rounded import BY_G, HES, SCHEMA, THREE, numbers, rows

pytestmark = [pytest.mark.chance(0), pytest.mark.timeout(1800)]  # processes; what is shown is the same whatever happens

PAGE = Path(__file__).parents[4] / "docs" / "federation_from_nothing.md"
MADE = [one for one in documented(PAGE) if one[1] in ("init", "join")]
ASKED = ["--count", "n", "--sdc", "hes"]
NAMED = ["keyholder", "grid", "holder", "--schema", "schema.yaml", "--by", "g", *ASKED]
POLICY = """\
tables: {t: {}}
max_epsilon: 1.0
tell: [certificates]
totals: {allow: true, min_cohort: 1}
sdc_encrypted: [hes]
"""
GRID = [[10, 8, 12], [20, 18, 22], [45, 43, 47]]


@pytest.fixture
def trial(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> Iterator[Trial]:
    """The documentation's federation over people of three groups, whose key holder has named a grid; it is served."""
    made = Trial(tmp_path_factory.mktemp("g"))
    for name, counts in zip(SITES, THREE, strict=True):
        rows(name, *counts).to_csv(made.root / f"{name}.csv", index=False)
    (made.root / "schema.yaml").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    (made.root / "policy.yaml").write_text(POLICY, "utf-8")
    made.make([*MADE, NAMED])
    with serving(made, "holder", *SITES):
        _in_touch(made)
        capsys.readouterr()
        yield made
    assert made.stop() == []


def _in_touch(trial: Trial) -> None:
    with connect(trial.trial) as many:
        until(lambda: many.connected() == (*SITES, NAME))


def _entries(trial: Trial) -> list[int]:
    return [len(SiteFolder(trial.folder(name)).site.session.history()) for name in SITES]


class _Losing:
    """A line on which the key holder's reply to what it opened is lost, once."""

    def __init__(self, place: int, inner: Any) -> None:
        self.place, self.inner, self.asked = place, inner, list[bytes]()

    def exchange(self, messages: Mapping[int, bytes], *given: Any) -> Mapping[int, bytes]:
        replies = self.inner.exchange(messages, *given)
        if set(messages) != {self.place}:
            return replies
        self.asked.append(messages[self.place])
        return {} if len(self.asked) == 2 else replies  # the first asks for the round

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_the_grids_messages_go_over_the_real_line(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    root = trial.root
    grid = ["federation", "grid", trial.trial, "--by", "g", *ASKED, "--out", str(root / "grid.json")]

    # a refusal arrives in the key holder's own words, and no site was asked
    assert main.run(["federation", "grid", trial.trial, "--by", "ill", *ASKED]) == 7
    assert "shows the counts of the one grid that it has named (count by g" in capsys.readouterr().err
    assert _entries(trial) == [0, 0, 0]

    # without the key holder nothing is asked
    trial.kill("holder")
    assert main.run([*grid, "--patience", "6"]) == 2
    assert "the key holder is not in touch" in capsys.readouterr().err
    assert _entries(trial) == [0, 0, 0]
    trial.start("holder")
    _in_touch(trial)

    # its reply is lost on the way; the same request again is given the same reply
    with connect(trial.trial, progress=False) as many:
        losing = _Losing(len(SITES), many.line)
        many._line = losing  # type: ignore[assignment]
        shown = many.name_grid(BY_G, HES)
    assert len(losing.asked) == 3 and losing.asked[1] == losing.asked[2]
    assert numbers(shown) == GRID and check_sharing(shown).size == 3
    assert _entries(trial) == [1, 1, 1]
    assert trial.said("holder").count("the grid of 3 sites was shown by its rule, once.") == 1

    # sums of it ask nobody; whoever reads one adds it up again
    trial.kill("west")
    assert main.run([*grid]) == 0 and RoundedSum.load(root / "grid.json").sharing["grid"] == shown.sharing["grid"]
    query = ["federation", "query", trial.trial, *ASKED, "--secure", "encrypted", "--out", str(root / "all.json")]
    assert main.run(query) == 0
    whole = RoundedSum.load(root / "all.json")
    assert numbers(whole) == [[75, 69, 81]] and {*whole.sharing["certificates"]} == {*SITES}
    (root / "coordinator.pub").write_text(whole.sharing["roster"]["coordinator"], "ascii")
    capsys.readouterr()
    assert main.run(["verify", str(root / "all.json"), "--key", str(root / "coordinator.pub")]) == 0
    assert "each number is the sum of the 3 cells that the key holder signed" in capsys.readouterr().out

    # killed and begun anew, the key holder gives another coordinator's folder what it showed; no site opens anything
    trial.kill("holder")
    for name in ("west", "holder"):
        trial.start(name)
    _in_touch(trial)
    shutil.rmtree(trial.folder("trial") / "answers")
    assert main.run([*grid]) == 0 and RoundedSum.load(root / "grid.json").sharing["grid"] == shown.sharing["grid"]
    assert _entries(trial) == [1, 1, 1]
    assert "as it was shown before." in trial.said("holder")

    # and beside it a site gives nothing else without noise
    assert main.run(["federation", "query", trial.trial, "--count", "n", "--total"]) == 7
    assert "were sent to a key holder" in capsys.readouterr().err
    assert main.run(["federation", "query", trial.trial, "--count", "n", "--epsilon", "0.5"]) == 0
