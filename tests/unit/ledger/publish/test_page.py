"""The public page: it says everything that the log says, nothing else, and nothing that a hostile text could use."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.cli.main import run
from pets.errors import LedgerError, UserError
from pets.ledger.change import KINDS
from pets.ledger.db.transaction import Transaction
from pets.ledger.publish import wording
from pets.ledger.publish.page import Cover, page
from pets.ledger.publish.read_log import published, read
from pets.ledger.rebase import rebase
from pets.ledger.states import State
from pets.protection.budget import Budget, Cost, rounded_up
from tests.hosts import named
from tests.sample_ledger import HOSTILE, Past, eventful

VOID = {"meta", "line", "rect", "circle", "path", "br"}


class Reader(HTMLParser):
    """Tags and texts of a page; a tag that is not closed in its turn is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def past() -> Past:
    return eventful()


@pytest.fixture(scope="module")
def text(past: Past) -> str:
    return page(published(past.ledger), Cover(custodian=HOSTILE, contact="records@example.org"))


def test_every_request_is_there_with_its_fate_and_its_cost(past: Past, text: str) -> None:
    said = Reader(text).text
    story = published(past.ledger).history
    asked = [one for known in story.datasets.values() for one in known.asked.values()]
    assert {one.state for one in asked} == set(State) - {State.RESERVED}
    for one in asked:
        known = story.datasets["hospital-stays"]
        assert said.count(one.id[:12]) == 1
        assert wording.outcome(one)[0] in said and wording.asked(one.what) in said
        budget = known.epochs[one.epoch].budget
        assert wording.epsilon(budget, known.cost(one.cost)).replace("\u00a0", " ") in said or one.unbounded
    assert "1 release had no privacy guarantee." in said and "records@example.org" in said


def test_what_is_used_and_left_is_what_the_account_says(past: Past, text: str) -> None:
    standing = past.account().standing()
    said = Reader(text).text
    share = standing.spent.loss / standing.budget.cap.loss
    assert f"Budget used {wording.used(share)} Budget left {wording.percent(1 - share)}".replace("\u00a0", " ") in said
    for cost in (standing.spent, standing.lifetime, standing.budget.cap):
        assert wording.epsilon(standing.budget, cost).replace("\u00a0", " ") in said
    assert "The budget was renewed once." in said and "The budget was never renewed" in said  # the other dataset's


def test_the_newest_checkpoint_is_there_with_the_key(past: Past, text: str) -> None:
    public = published(past.ledger)
    said = Reader(text)
    with past.ledger.reading() as tx:
        root = base64.b64encode(tx.head.frontier.root()).decode()
        assert root in said.text and f"{tx.head.size}" in said.text
    assert public.key.id in said.text and "pets log verify" in said.text
    assert public.checkpoint in "".join(said.texts)


def test_the_checkpoint_of_the_page_verifies_a_later_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    past = eventful(tmp_path / "ledger.db")
    made = page(published(past.ledger))
    note = tmp_path / "page.checkpoint"
    note.write_text(html.unescape(made[made.index("<pre>") + 5 : made.index("</pre>")]), "utf-8")
    past.release(past.account("later", "c"), "count", 0.1, "s2")
    past.ledger.publish()
    past.ledger.close()
    log, key = tmp_path / "public.log", tmp_path / "ledger.db.pub"
    assert run(["log", "export", "--ledger", str(tmp_path / "ledger.db"), "--public", "--out", str(log)]) == 0
    verify = ["log", "verify", str(log), "--key", str(key), "--checkpoint", str(note)]
    assert run(verify) == 0 and "goes on from what the given checkpoints had seen" in capsys.readouterr().out
    # the same story is told by whoever holds the public view alone
    story = read(line.split(b"\t")[1] for line in log.read_bytes().splitlines()[1:])
    assert story.origin == past.ledger.origin and len(story.datasets["hospital-stays"].releases) == 6


def test_nothing_private_is_there(tmp_path: Path) -> None:
    past = Past(tmp_path / "ledger.db")
    account = past.account(budget=Budget(1, 1e-6))
    secret = replace(
        past._request(account, "count where age", 0.1, "s1"),
        query={"value": "SECRET-89"},
        question="SECRET-q",
        asked="SECRET-a",
        key="SECRET-k",
        snapshot="SECRET-s",
    )
    grants = account.reserve([secret])
    account.seal(grants[0], b"SECRET-answer", hashlib.sha256(b"SECRET-d").hexdigest(), {"release_id": "SECRET-r"})
    with past.ledger.reading() as tx:
        privates = [json.loads(private) for _, private, _ in tx.entries()]
    made = page(published(past.ledger))
    assert "SECRET" in json.dumps(privates) and "SECRET" not in made
    for private in privates:
        assert private["salt"] not in made
    assert str(tmp_path) not in made


def test_a_hostile_text_stays_a_text(text: str) -> None:
    found = Reader(text)
    tags = Counter(tag for tag, _ in found.tags)
    assert not set(tags) & {"script", "iframe", "object", "embed", "link", "img", "form", "base", "a:href"}
    assert HOSTILE in found.text and "Zoë <b>Ω</b>" in found.text
    for tag, attrs in found.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "style", "srcset", "action")]
        if "href" in attrs:
            assert tag == "a" and attrs["href"].startswith("#")
    assert "url(" not in text and "@import" not in text and "http:" not in text and "https:" not in text


@pytest.mark.parametrize("odd", ["a\u202eb", "a\x00b", "a\x1b[31mb", "a\nb", "\ud800"])
def test_what_is_not_printable_shows(odd: str) -> None:
    from pets.ledger.publish.page import _plain

    assert _plain(odd).isprintable() and "�" in _plain(odd)


def test_the_style_is_the_only_thing_that_the_policy_lets_in(text: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy is not None and len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_it_names_no_other_host(text: str) -> None:
    assert named(text) == []


def test_it_has_what_assistive_technology_needs(text: str) -> None:
    found = Reader(text)
    assert found.of("html") == [{"lang": "en"}]
    assert [len(found.of(tag)) for tag in ("h1", "main", "header", "footer", "title")] == [1, 1, 1, 1, 1 + 2]
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {*ids}
    for tag, attrs in found.tags:
        assert set(attrs.get("aria-labelledby", "").split()) <= named
        assert tag != "a" or attrs["href"][1:] in named
        if tag == "svg":
            assert attrs["role"] == "img" and (attrs.get("aria-label") or attrs.get("aria-labelledby"))
        if tag == "th":
            assert attrs["scope"] in ("col", "row") and attrs["role"] in ("columnheader", "rowheader")
    assert len(found.of("caption")) == len(found.of("table")) > 3
    assert found.tags[[tag for tag, _ in found.tags].index("body") + 1] == ("a", {"class": "skip", "href": "#main"})


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_its_colours_are_told_apart(text: str) -> None:
    schemes = re.findall(r":root\{[^}]*\}", text)
    assert len(schemes) == 3  # light, dark, paper
    for scheme in schemes:
        named = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", scheme))
        full = {k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in named.items()}

        def contrast(one: str, other: str, full: dict[str, str] = full) -> float:
            light = sorted((_luminance(full[one]), _luminance(full[other])))
            return (light[1] + 0.05) / (light[0] + 0.05)

        for ink in ("ink", "soft", "alarm", "link"):
            assert contrast(ink, "paper") >= 4.5 and contrast(ink, "faint") >= 4.5, (scheme, ink)
        assert contrast("on-alarm", "alarm") >= 4.5
        assert contrast("used", "paper") >= 3 and contrast("used", "wash") >= 3


def test_every_kind_of_change_has_its_words() -> None:
    past = Past(None)
    past.release(past.account(budget=Budget(1, 1e-6)), "count", 0.1)
    budget = Budget(2, 1e-6).to_json()
    key = past.ledger.key.raw.hex()
    details = {
        "budget": {"budget": budget},
        "cap": {"project": "asthma", "analyst": "a.jones", "budget": budget},
        "renew": {"budget": budget, "snapshots": ["s2"], "epoch": 0},
        "snapshots": {"snapshots": ["s3"]},
        "table": {"table": "deaths", "unit": "nhs_number"},
        "unit": {"table": "stays", "unit": "nhs_number"},
        "source": {"table": "stays", "source": "file:/private/place.csv"},
        "approvers": {"keys": [key], "needed": 0},
        "roster": {"sites": ["a", "b", "c"], "membership": "0", "beside": ["1"], "tells": "Both show d."},
        "checker": {"checker": "jo", "key": key, "trusted": True},
    }
    assert set(details) == set(KINDS)
    for kind, detail in details.items():
        past.change(kind, detail, f"Because of {kind}...")
    made = page(published(past.ledger))
    said = Reader(made).text
    assert all(f"Reason: Because of {kind}. Decided by R. Okafor and L. Meyer." in said for kind in KINDS)
    assert "a change of the kind" not in said and "/private" not in made and "a.jones in project asthma" in said


def test_the_same_log_gives_the_same_page() -> None:
    past = eventful()
    one, other = (page(published(past.ledger)) for _ in range(2))
    assert one[: one.index("<pre>")] == other[: other.index("<pre>")]
    assert one == other  # Ed25519 signs the same text alike


def test_an_empty_ledger_says_so() -> None:
    said = Reader(page(published(Past(None).ledger))).text
    assert "No dataset was opened in this ledger yet, so nothing has left." in said
    past = Past(None)
    past.account(budget=Budget(1))
    said = Reader(page(published(past.ledger))).text
    assert (
        "No answers were released from the dataset hospital-stays so far" in said and "Nothing was asked yet." in said
    )


def test_all_of_the_budget_used_is_all_of_it() -> None:
    past = Past(None)
    account = past.account(budget=Budget(epsilon=1))
    past.release(account, "count", 1.0)
    past.refuse(account, "count", 0.1)
    said = Reader(page(published(past.ledger))).text
    assert "Budget used 100 % Budget left 0 %" in said.replace("\u00a0", " ")


def test_a_rebase_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    past = Past(path)
    account = past.account(budget=Budget(1, 1e-6))
    past.release(account, "count", 0.3)
    past.ledger.close()
    backup = path.read_bytes()
    past = Past(path)
    past.number = 10
    past.clock.sleep(1)
    past.release(past.account(), "count", 0.4)
    past.ledger.close()
    for tail in ("-wal", "-shm"):
        Path(f"{path}{tail}").unlink(missing_ok=True)
    path.write_bytes(backup)
    past = Past(path, check=False)
    past.clock.sleep(2)
    rebase(past.ledger, "An old backup was restored", ("R. Okafor", "L. Meyer"))
    public = published(past.ledger)
    said = Reader(page(public)).text
    assert "entries of the log were lost" in said and "An old backup was restored" in said
    assert public.history.datasets["hospital-stays"].lifetime[0] > 0


# the story ----------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from(["release", "exact", "fail", "withdraw", "begin", "refuse", "renew", "cap"]), max_size=25)
)
def test_the_log_leads_to_the_account_whatever_happened(steps: list[str]) -> None:
    past = Past(None)
    account = past.account(budget=Budget(2, 1e-6))
    epoch = under_way = 0
    for number, step in enumerate(steps):
        past.clock.sleep(0.1)
        snapshot = f"s{epoch}"
        room = account.standing().left.loss > 2 * 10**9
        if step == "renew":
            if not under_way:
                details = {"budget": Budget(2, 1e-6).to_json(), "snapshots": [f"s{epoch + 1}"], "epoch": epoch}
                past.change("renew", details, "new data")
                epoch += 1
        elif step == "cap":
            past.change("cap", {"project": f"p{number}", "analyst": "", "budget": None}, "fair")
        elif step == "refuse":
            past.refuse(account, "count", 9.0, snapshot)
        elif step == "exact":
            past.release(account, "count", None, snapshot)
        elif room:
            under_way += step == "begin"
            getattr(past, step)(account, "count", 0.1, snapshot)
    public = published(past.ledger)  # compares the story with the account
    assert page(public).count('role="row"') > len(public.history.datasets["hospital-stays"].asked)


def test_a_log_that_does_not_lead_to_the_account_is_not_published(tmp_path: Path) -> None:
    past = eventful(tmp_path / "ledger.db")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pets_scopes SET spent_loss = 0 WHERE project = ''"))
    with pytest.raises(LedgerError, match=r"does not lead to what the account holds.*pets log verify"):
        published(past.ledger)


def test_a_look_that_others_wrote_into_is_taken_again(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bool] = []
    totals = Transaction.totals

    def late(tx: Transaction) -> dict[str, tuple[int, ...]]:
        looks.append(tx.writes)
        return totals(tx) if len(looks) > 1 else {}

    monkeypatch.setattr(Transaction, "totals", late)
    assert published(past.ledger).history.size > 20
    assert looks[:2] == [False, True]


def test_a_log_that_lacks_an_entry_is_not_read(past: Past) -> None:
    with past.ledger.reading() as tx:
        bodies = [body for body, _, _ in tx.entries()]
    assert read(bodies).size == len(bodies)
    for wrong in (bodies[1:], [*bodies[:4], *bodies[5:]], [bodies[0], b"{"], [bodies[0], b"[]"], [bodies[0], b"\xff"]):
        with pytest.raises(LedgerError, match="cannot be read"):
            read(wrong)
    with pytest.raises(LedgerError, match="empty"):
        read([])


def test_an_event_of_a_later_version_is_kept_in_mind(past: Past) -> None:
    with past.ledger.reading() as tx:
        bodies = [body for body, _, _ in tx.entries()]
    later = json.dumps({"seq": len(bodies), "at": "2027-01-01T00:00:00.000+00:00", "event": "moved"}).encode()
    assert read([*bodies, later]).others == ("moved",)


# words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("count", "The number of records."),
        ("rate(alive)", "The share of records chosen by “alive”."),
        (
            "sum(cost where age and sex), count_units",
            "The total of “cost” among records chosen by “age” and “sex” and the number of people.",
        ),
        ("histogram(age) by sex", "How “age” is spread over ranges, for each “sex”."),
        ("entropy(age)", "entropy(age)"),
        ("sum", "sum"),
        ("count by a b", "count by a b"),
        ("count " * 5000, "count " * 5000),
    ],
)
def test_a_question_in_plain_words(what: str, said: str) -> None:
    assert wording.asked(what) == said


def test_a_cost_is_never_made_to_look_smaller() -> None:
    budget = Budget(10, 1e-6)
    for loss in (1, 10**6, 123_456_789, 999_999_999, 10**12):
        value = budget.describe(Cost("zcdp", loss))[0]
        assert float(rounded_up(value)) >= value * (1 - 1e-5)


# the cover and the command ------------------------------------------------------------------------------------------


def test_the_cover_is_one_line_of_text() -> None:
    for wrong in ({"title": ""}, {"title": "a\nb"}, {"contact": "x" * 201}, {"custodian": "\u202e"}):
        with pytest.raises(UserError, match="the page"):
            Cover(**wrong)


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eventful(tmp_path / "ledger.db").ledger.close()
    where = ["--ledger", str(tmp_path / "ledger.db")]
    out = tmp_path / "page.html"
    assert run(["ledger", "page", *where, "--out", str(out), "--title", "What <we> learnt"]) == 0
    assert "<h1>What &lt;we&gt; learnt</h1>" in out.read_text("utf-8")
    assert "5 releases" in capsys.readouterr().out
    assert run(["ledger", "page", *where, "--out", str(tmp_path / "page.txt")]) == 2
    assert run(["ledger", "page", *where, "--out", str(tmp_path / "no" / "page.html")]) == 2
    assert run(["ledger", "page", "--ledger", str(tmp_path / "no.db"), "--out", str(out)]) == LedgerError.exit_code
    assert not (tmp_path / "no.db").exists()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and all(line.startswith("pets: ") for line in said)


def test_show_tells_the_account_in_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    past = eventful(tmp_path / "ledger.db")
    odd = past.account("a\x1b[31mb", "c\nd")
    past.refuse(odd, "count\x07", 9, "s2")
    past.ledger.close()
    where = ["--ledger", str(tmp_path / "ledger.db")]
    assert run(["ledger", "show", *where, "--requests"]) == 0
    said = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in said)
    assert past.ledger.key.id in said and str(tmp_path / "ledger.db.checkpoint") in said
    for part in ("28.9 % used, 71.1 % left", "once renewed", "2 failed", "no guarantee", "ε = 2 (δ = 10⁻⁶)"):
        assert part in said, part
    assert run(["ledger", "show", *where, "--dataset", "dental"]) == 0
    assert "hospital" not in capsys.readouterr().out.replace(str(tmp_path), "")
    assert run(["ledger", "show", *where, "--dataset", "dentl"]) == LedgerError.exit_code
    assert "did you mean 'dental'?" in capsys.readouterr().err
