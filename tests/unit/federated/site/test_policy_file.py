"""A policy that its owner edits while the site serves: it holds from the next message on, and the owner is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pets.errors import PolicyError
from pets.federated import Federation, Site, SitePolicy
from pets.federated.messages.errors import Refused
from pets.federated.site.policy_file import PolicyFile
from tests.attacks.test_federated_replay import deliver, order_for, said
from tests.unit.federated.site.test_site import HALF, SCHEMA, N, sessions, spent, states

RULES = "tables:\n  stays: {columns: [age, days], aggregates: [count]}\ntell: [budget]\n"
TIGHTER = RULES + "max_epsilon: 0.1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "policy.yaml"
    made.write_text(RULES, "utf-8")
    return made


def federation(file: Path) -> tuple[Federation, list[str]]:
    """Three sites, of which the first has its policy in a file; and what its custodian was told."""
    told: list[str] = []
    first, *others = sessions(3, 30)
    sites = [Site(first, policy=file, name="s0")]
    sites += [
        Site(one, policy=SitePolicy.from_json(sites[0].policy.to_json()), name=f"s{n}")
        for n, one in enumerate(others, 1)
    ]
    sites[0].notice = told.append
    return Federation(sites, sites_per_person=1, progress=False), told


def test_a_policy_that_was_tightened_holds_without_a_restart(file: Path) -> None:
    many, told = federation(file)
    many.release(N, HALF)
    before = spent(many)
    file.write_text(TIGHTER, "utf-8")
    for _ in range(2):
        with pytest.raises(Refused, match="s0: refused: the site's policy has changed since the roster was made"):
            many.release(N, HALF, again=True)
    assert spent(many) == before
    assert len(told) == 1
    assert told[0].startswith(
        "The policy has changed, and holds from now on. A roster that was made with another is not"
    )
    assert many.sites["s0"].policy.max_epsilon == 0.1
    file.write_text(RULES + "# as it was\n", "utf-8")  # the same rules in another file are the same rules
    many.release(N, HALF, again=True)
    assert spent(many) == [2 * one for one in before]


@pytest.mark.parametrize("change", ["tables: {stays: {colums: [age]}}\n", "tables: {stay: {}}\n", "\0", None])
def test_a_policy_that_cannot_be_read_allows_nothing_until_it_can(file: Path, change: str | None) -> None:
    many, told = federation(file)
    file.unlink() if change is None else file.write_text(change, "utf-8")
    with pytest.raises(Refused, match="s0: refused: the site's policy allows no query of table 'stays'") as caught:
        many.release(N, HALF)
    assert str(file.parent) not in str(caught.value)
    assert [line[:61] for line in told] == ["The policy has changed and cannot be used, so that nothing is"]
    assert states(many) == [[], ["voided"], ["voided"]]
    file.write_text(RULES, "utf-8")
    many.release(N, HALF)


def test_a_query_that_is_under_way_is_left_before_its_data_is_opened(file: Path) -> None:
    many, _ = federation(file)
    inner, number = many._transport, 0

    class Later:
        def exchange(self, messages: Any, heard: Any) -> Any:
            nonlocal number
            number += 1
            if number == 3:  # the round in which the data is opened
                file.write_text(TIGHTER, "utf-8")
            return inner.exchange(messages, heard)

    many._transport = Later()
    with pytest.raises(Refused, match="s0: refused: the site's policy has changed"):
        many.release(N, HALF)
    assert states(many) == [["voided"], ["committed"], ["committed"]]
    assert spent(many)[0] == 0


def test_one_order_is_held_against_the_file_as_it_is(file: Path) -> None:
    many, _ = federation(file)
    order = order_for(many)
    file.write_text(TIGHTER, "utf-8")
    assert "policy has changed" in said(deliver(many, order))


def test_a_site_is_not_made_of_a_policy_that_is_none(file: Path) -> None:
    one = sessions(1, 10)[0]
    file.write_text("tables: {stay: {}}\n", "utf-8")
    with pytest.raises(PolicyError, match="the policy names table 'stay'"):
        Site(one, policy=file)


@pytest.mark.parametrize("text", ["min_sites: ²", f"min_sites: {'9' * 5000}", "tables: [", "min_sites: two"])
def test_a_file_that_cannot_be_read_allows_nothing(tmp_path: Path, text: str) -> None:
    path, said = tmp_path / "policy.yaml", list[str]()
    path.write_text(RULES, "utf-8")
    file = PolicyFile(path, SCHEMA)
    path.write_text(f"{RULES}{text}\n", "utf-8")
    assert file.latest(said.append) == SitePolicy() == file.policy
    assert len(said) == 1 and "nothing is answered" in said[0]
    assert file.latest(said.append) is None and file.policy == SitePolicy()


def test_what_nobody_thought_of_allows_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, said = tmp_path / "policy.yaml", list[str]()
    path.write_text(RULES, "utf-8")
    file = PolicyFile(path, SCHEMA)
    path.write_text(RULES + "# tighter\n", "utf-8")

    def fails(path: Path) -> SitePolicy:
        raise RecursionError("secret of a row")

    with monkeypatch.context() as patch:
        patch.setattr(SitePolicy, "load", fails)
        assert file.latest(said.append) == SitePolicy() == file.policy
    assert said == [
        "The policy has changed and cannot be read (RecursionError), so that nothing is answered; mend the file"
    ]
    path.write_text(RULES, "utf-8")
    assert file.latest(said.append) == SitePolicy.load(path)
