"""Questions that stay open: sites that answer on days of their own, restarts of everybody, one charge each."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pets.cli import main
from pets.errors import LedgerError, PolicyError, QueryError, ReleaseFailedError, UserError
from pets.federated import connect
from pets.federated.analyst.open_question import OpenQuestion, wait_of
from pets.federated.analyst.sharing import check_sharing
from pets.federated.deployment.keyholder_folder import KeyHolderFolder
from pets.federated.deployment.remote import RemoteFederation
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.keyholder.gate import NAME
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of
from pets.federated.query_round.envelopes import round_in
from pets.ledger import failpoint
from pets.release.release import Release
from tests.extras import needs
from tests.unit.federated.site.test_site import BY_AGE, HALF, N, parts
from tests.unit.session.test_session import SCHEMA

needs("tenseal", "nvflare")

NAMES = ("north", "east", "west")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sites, of which one may be lost, their federation and its key holder; none is served."""
    root = tmp_path_factory.mktemp("open")
    (root / "stays.json").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    (root / "policy.yaml").write_text("tables: {stays: {}}\n", "utf-8")
    for name, rows in zip(NAMES, parts(3, 90), strict=True):
        rows.to_csv(root / f"{name}.csv", index=False)
        made = ["--data", str(root / f"{name}.csv"), "--schema", str(root / "stays.json"), "--budget-epsilon", "2"]
        assert main.run(["site", "init", str(root / name), *made, "--policy", str(root / "policy.yaml")]) == 0
    assert main.run(["keyholder", "init", str(root / "holder")]) == 0
    entries = [part for name in NAMES for part in ("--site", str(root / name / "entry.json"))]
    about = ["--schema", str(root / "stays.json"), "--sites-per-person", "1", "--port", "1"]
    about += ["--key-holder", str(root / "holder" / "public.key"), "--dropouts", "1", "--colluding", "0"]
    assert main.run(["federation", "init", str(root / "trial"), *entries, *about]) == 0
    key = ["--public-key", str(root / "holder" / "public.key")]
    for name in NAMES:
        assert main.run(["site", "join", str(root / name), "--roster", str(root / "trial" / "roster.json"), *key]) == 0
    assert main.run(["keyholder", "join", str(root / "holder"), "--roster", str(root / "trial" / "roster.json")]) == 0
    return root


class Post:
    """The line: whoever is in touch answers. ``drop`` are sites whose next reply is lost on its way."""

    def __init__(self, root: Path) -> None:
        self.root, self.parties = root, (*NAMES, NAME)
        self.there: dict[str, Any] = {}
        self.drop: set[str] = set()
        self.replies: list[tuple[str, bytes]] = []

    def come(self, *names: str) -> None:
        """Start, or start anew, these and nobody else."""
        self.there = {
            name: KeyHolderFolder(self.root / "holder").open(None, lambda line: None)
            if name == NAME
            else SiteFolder(self.root / name).site
            for name in names
        }

    def prepare(self) -> tuple[str, ...]:
        return tuple(name for name in self.parties if name in self.there)

    def exchange(self, messages: Mapping[int, bytes], heard: Any, patience: float | None = None) -> Mapping[int, bytes]:
        out = {}
        for number, data in messages.items():
            name = self.parties[number]
            if name not in self.there:
                continue
            try:
                reply = self.there[name].handle(data)
            except ProtocolError:
                continue
            self.replies.append((name, reply))
            if name in self.drop and len(reply) > 10_000:  # an envelope, and no greeting
                self.drop.remove(name)
                continue
            out[number] = reply
        return out

    def close(self) -> None:
        pass


class Answering:
    """A party as the line sees it."""

    def __init__(self, handle: Callable[[bytes], bytes]) -> None:
        self.handle = handle


@pytest.fixture
def post(shelf: Path, tmp_path: Path) -> Post:
    shutil.copytree(shelf, tmp_path / "root")
    return Post(tmp_path / "root")


def opened(post: Post, later: dt.timedelta = dt.timedelta()) -> RemoteFederation:
    """The coordinator, begun anew, so much later."""
    many = connect(post.root / "trial", progress=False)
    many._line = post  # type: ignore[assignment]
    many._clock = lambda: dt.datetime.now(dt.UTC) + later
    return many


def states(post: Post) -> dict[str, list[str]]:
    return {name: list(SiteFolder(post.root / name).site.session.history()["state"]) for name in NAMES}


def asked(post: Post) -> OpenQuestion:
    found = opened(post).submit(BY_AGE, HALF, wait="7d")
    assert isinstance(found, OpenQuestion)
    return found


def test_each_site_answers_on_its_own_day_and_everybody_may_begin_anew(post: Post) -> None:
    post.come("north", NAME)
    question = asked(post)
    assert states(post) == {"north": ["committed"], "east": [], "west": []}
    assert [one.id for one in opened(post).pending()] == [question.id]
    post.come("east")  # all others are away, and north and the coordinator were begun anew
    assert opened(post).collect(question.id) is None
    post.come("west", "north")
    assert opened(post).collect(question.id[:6]) is None  # whole, and nobody there to open it
    assert states(post) == {name: ["committed"] for name in NAMES}
    post.come(NAME)
    release = opened(post).collect(question.id)
    assert isinstance(release, Release)
    assert release.sharing is not None and release.sharing["answered"] == list(NAMES)
    assert opened(post).pending() == () and not list((post.root / "trial" / "open").glob("*.json"))
    again = opened(post).submit(BY_AGE, HALF)  # known, so nobody is asked
    assert isinstance(again, Release) and again.id == release.id
    assert states(post) == {name: ["committed"] for name in NAMES}


def test_a_question_that_is_open_is_not_asked_twice(post: Post) -> None:
    post.come("north", NAME)
    question = asked(post)
    post.come("north", "east", NAME)
    assert asked(post).id == question.id
    assert states(post) == {"north": ["committed"], "east": ["committed"], "west": []}


DEATHS = ("reserve-committed", "start-committed", "seal-stored", "seal-committed")


@pytest.fixture(scope="module")
def deaths(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Path]]:
    """A question that three sites answered; and by place, what north's disk held when a kill there had ended it."""
    root = tmp_path_factory.mktemp("deaths")
    shutil.copytree(shelf, root / "root")
    post, north = Post(root / "root"), root / "root" / "north"
    post.come(*NAMES, NAME)
    site = post.there["north"]
    kept: dict[str, Path] = {}

    def snapshot(point: str) -> None:
        if point in DEATHS:
            kept[point] = shutil.copytree(north, root / point, dirs_exist_ok=True)

    def handle(data: bytes) -> bytes:
        failpoint.hook = snapshot
        try:
            return site.handle(data)
        finally:
            failpoint.hook = None

    post.there = {"north": Answering(handle), NAME: post.there[NAME]}
    asked(post)
    assert set(kept) == set(DEATHS)
    return post.root, kept


@pytest.mark.parametrize("place", DEATHS)
def test_a_site_killed_after_its_charge_says_so_and_sends_no_second_answer(
    place: str, deaths: tuple[Path, Mapping[str, Path]], tmp_path: Path
) -> None:
    root, kept = deaths
    shutil.copytree(root, tmp_path / "root")
    shutil.rmtree(tmp_path / "root" / "north")
    shutil.copytree(kept[place], tmp_path / "root" / "north")
    post = Post(tmp_path / "root")
    many = opened(post)
    question = many.pending()[0]
    many._open.keep(replace(question, replies=({},)))  # what left before the kill did not arrive
    post.come(*NAMES, NAME)
    site = post.there["north"]
    notices: list[str] = []
    site.notice = notices.append
    if place == "reserve-committed":  # no data was opened, so it is in the answer, once its own lease is over
        assert opened(post).collect(question.id) is None
        site.session.ledger._clock = lambda: time.time() + 31
    release = opened(post).collect(question.id)
    assert isinstance(release, Release)
    envelopes = [reply for name, reply in post.replies if name == "north" and len(reply) > 10_000]
    absent = [note for note in release.notes if note.startswith("Site north ")]
    told = "Site north is not in the answer; its data may have been opened: what that cost stays charged there."
    lost = place != "reserve-committed"
    assert (len(envelopes), absent) == ((0, [told]) if lost else (1, []))
    assert release.sharing is not None
    assert release.sharing["answered"] == list(NAMES[1:] if lost else NAMES)
    check_sharing(release)
    said = f"Query {question.id[:12]} was charged, and its reply lost when this site ended; the analyst is told so."
    assert notices == ([said] if lost else [])
    found = states(post)["north"]
    assert len([state for state in found if state != "voided"]) == 1
    history = site.session.history()
    assert history["rho"].sum() == pytest.approx(release.rho)


def test_where_no_answer_comes_of_it_the_lost_reply_is_told(
    deaths: tuple[Path, Mapping[str, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, kept = deaths
    shutil.copytree(root, tmp_path / "root")
    shutil.rmtree(tmp_path / "root" / "north")
    shutil.copytree(kept["seal-committed"], tmp_path / "root" / "north")
    post = Post(tmp_path / "root")
    many = opened(post)
    question = many.pending()[0]
    many._open.keep(replace(question, replies=({},)))
    post.come("north", NAME)
    many = opened(post)
    assert many.collect(question.id) is None
    assert main.run(["federation", "pending", str(post.root / "trial")]) == 0
    assert "north                withheld, and charged" in capsys.readouterr().out
    with pytest.raises(ReleaseFailedError, match="north: withheld; what it cost stays charged there"):
        opened(post, dt.timedelta(days=8)).collect(question.id)


def test_a_reply_that_was_lost_comes_again_and_is_charged_once(post: Post) -> None:
    post.come("north", "east", NAME)
    post.drop = {"north", "east"}
    question = asked(post)
    assert question.replies == ({},)
    envelopes = [reply for name, reply in post.replies if name == "north" and len(reply) > 10_000]
    post.come("north", "east", "west", NAME)  # from their folders
    assert isinstance(opened(post).collect(question.id), Release)
    later = [reply for name, reply in post.replies if name == "north" and len(reply) > 10_000]
    assert len(envelopes) == 1 and later == envelopes * 2
    assert states(post) == {name: ["committed"] for name in NAMES}


def test_at_its_end_those_that_answered_are_the_answer_and_no_other_total_is_signed(post: Post) -> None:
    post.come("north", "east", NAME)
    question = asked(post)
    post.come("north", NAME)  # the time is over, and of the two that are in, one is away
    assert opened(post, dt.timedelta(days=7, seconds=9)).collect(question.id) is None
    assert opened(post).pending()[0].closed
    post.come("east", "west", NAME)  # who came too late is not asked any more
    release = opened(post, dt.timedelta(days=7, hours=3)).collect(question.id)
    assert isinstance(release, Release) and release.sharing is not None
    assert release.sharing["answered"] == ["north", "east"]
    assert states(post) == {"north": ["committed"], "east": ["committed"], "west": []}
    site, many = post.there["east"], opened(post)
    context = context_of(many.roster, question.order.form)
    channel = Channel(many.roster, bytes.fromhex(question.id), context, COORDINATOR, many._coordinator)
    with pytest.raises(ProtocolError, match="signs for one, ever"):
        site.handle(channel.write(Kind.ROUND, 1, b"another total"))
    assert len(site._kept) == 1
    site.handle(channel.write(Kind.ABORT, 1, b""))
    assert len(site._kept) == 0 and not list((post.root / "east" / "kept").iterdir())


def test_too_few_at_its_end_is_void_and_what_was_charged_is_told(post: Post) -> None:
    post.come("north", NAME)
    question = asked(post)
    with pytest.raises(ReleaseFailedError, match=r"2 sites are needed .* data may have been opened at"):
        opened(post, dt.timedelta(days=8)).collect(question.id)
    assert opened(post).pending() == ()
    assert states(post) == {"north": ["committed"], "east": [], "west": []}
    with pytest.raises(UserError, match="no open question begins with"):
        opened(post).collect(question.id)


def test_a_question_that_too_many_refuse_is_over_at_once(post: Post) -> None:
    post.come(*NAMES, NAME)
    for name in ("east", "west"):  # whose owners change their policies while they serve
        (post.root / name / "policy.yaml").write_text("tables: {}\n", "utf-8")
    with pytest.raises(Refused, match=r"east: refused: .*; nothing was released; data may have been opened at north"):
        opened(post).submit(BY_AGE, HALF, wait="7d")
    assert opened(post).pending() == ()


def test_a_refusal_that_was_lost_comes_again_and_is_not_taken_up_later(post: Post) -> None:
    post.come("north", "east", NAME)
    file = post.root / "east" / "policy.yaml"
    rules = file.read_text("utf-8")
    file.write_text("tables: {}\n", "utf-8")
    question, many = asked(post), opened(post)
    refused = question.replies[0][1]
    assert b"allows no query of table" in refused
    file.write_text(rules, "utf-8")
    relay = many._relay(question.order, question.signed, 2, round_in(question.order))
    assert [post.there["east"].handle(relay.outbox[1]) for _ in range(2)] == [refused, refused]
    assert states(post)["east"] == []


def test_a_ledger_that_fails_for_a_moment_refuses_no_open_question(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.come("north", "east", NAME)
    account = type(post.there["east"].session.custody.account)

    def full(*_: object, **__: object) -> None:
        raise LedgerError("the ledger cannot be written: database or disk is full")

    with monkeypatch.context() as moment:
        moment.setattr(account, "reserve", full)
        question, many = asked(post), opened(post)
        relay = many._relay(question.order, question.signed, 2, round_in(question.order))
        with pytest.raises(ProtocolError, match=r"ledger took no entry \(incident"):
            post.there["east"].handle(relay.outbox[1])
    assert len(post.there["east"].handle(relay.outbox[1])) > 10_000  # its envelope
    assert states(post)["east"] == ["committed"]


def test_only_one_message_a_site_can_wait(post: Post, capsys: pytest.CaptureFixture[str]) -> None:
    asked_for = ["federation", "query", str(post.root / "trial"), "--count", "n", "--epsilon", "0.5", "--wait", "7d"]
    assert main.run(asked_for) != 0
    assert "needs all sites at once, round by round" in capsys.readouterr().err
    assert main.run(["federation", "pending", str(post.root / "trial")]) == 0
    assert "No question is open." in capsys.readouterr().out
    assert main.run(["federation", "collect", str(post.root / "trial")]) == 0
    assert "No question is open." in capsys.readouterr().out


def test_the_command_line_lists_who_answered(post: Post, capsys: pytest.CaptureFixture[str]) -> None:
    post.come("north", NAME)
    question = asked(post)
    assert main.run(["federation", "pending", str(post.root / "trial")]) == 0
    said = capsys.readouterr().out
    assert f"Question {question.id[:8]}, asked" in said and "open until" in said
    assert "north                answered, and charged" in said and "east                 not heard yet" in said


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "31d", "1w", "7 d x", "-1d", None, 7])
def test_a_time_that_is_none(text: object) -> None:
    with pytest.raises(QueryError, match="from one minute to 30 days"):
        wait_of(text)


def test_a_site_answers_no_question_that_is_over_or_open_for_ever(post: Post) -> None:
    many = opened(post)
    post.come(*NAMES, NAME)
    for later in (dt.timedelta(days=-8), dt.timedelta(days=40)):
        many._clock = lambda later=later: dt.datetime.now(dt.UTC) + later  # type: ignore[misc]
        with pytest.raises((Refused, PolicyError), match="is over, or open for more than 31 days"):
            many.submit(N, HALF, wait="7d")
    assert states(post) == {name: [] for name in NAMES}
