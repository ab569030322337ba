"""Three real NVFlare sites on loopback, over mutual TLS, made and asked as docs/federation_from_nothing.md says."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

import pets
from pets.cli import main
from pets.cli.demo import demo_query
from pets.common.codec import canonical
from pets.errors import BudgetError
from pets.federated import connect, glm
from pets.federated.deployment.health import server_time
from pets.federated.deployment.keyholder_folder import KeyHolderFolder
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.keyholder.gate import NAME
from pets.synthetic.dummy import dummy
from pets.verify.check import check
from tests.random_kills import FEW, FIVE, PARTS, Kill, Kills, next_answer
from tests.trial import SITES, Trial, documented, serving, until

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

UNBOUNDED = pets.Policy(allow_unbounded=True)
POLICY = """\
tables:
  apc: {aggregates: [count, count_units, mean, rate, glm]}
max_epsilon: 1.0
tell: [budget, history, certificates]
totals: {allow: true, min_cohort: 1}
"""


@pytest.fixture
def world() -> tuple[pets.Schema, pd.DataFrame]:
    """The demonstration's table, of people few of whose episodes go beyond the bound: those do not matter here."""
    made = dummy("nhs", people=600, progress=False)
    table = made.schema.table("apc")
    weight = {"WEIGHT": pets.Real(0, 200, step=0.1, nullable=False)}
    table = pets.Table(table.unit, dict(table.columns) | weight, people=100_000)
    schema = pets.Schema({"apc": table}, dataset=made.schema.dataset)
    rows = made.tables["apc"].to_pandas()
    rows["WEIGHT"] = np.round(np.random.default_rng(5).normal(75, 15, len(rows)).clip(0, 200), 1)
    unit = schema.table("apc").unit
    return schema, rows.groupby(unit.column).head(unit.rows or unit.max_rows)


COMMANDS = documented(Path(__file__).parents[4] / "docs" / "federation_from_nothing.md")
PARTIES = ("trial", "holder", *SITES)
HERE = (*SITES, NAME)
SERVED = [command for command in COMMANDS if command[1] == "serve"]
FIRST = COMMANDS[: COMMANDS.index(SERVED[0])]
THEN = COMMANDS[COMMANDS.index(SERVED[-1]) + 1 :]


@pytest.fixture
def trial(world: tuple[pets.Schema, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """The documentation's federation, made and served by its commands."""
    schema, rows = world
    made = Trial(tmp_path_factory.mktemp("t"))
    number = rows[schema.table("apc").unit.column].astype("category").cat.codes % 3
    for place, name in enumerate(SITES):
        rows[number == place].to_csv(made.root / f"{name}.csv", index=False)
    forms = {"policy.yaml": POLICY, "query.json": demo_query().to_json(), "schema.yaml": schema.to_json()}
    for name, form in forms.items():
        (made.root / name).write_text(form if isinstance(form, str) else json.dumps(form), "utf-8")
    made.make(FIRST)
    assert [command[2] for command in SERVED] == list(PARTIES)
    assert not KeyHolderFolder(made.folder("holder")).totals
    (made.folder("holder") / "keyholder.json").write_text('{"totals": true}', "utf-8")  # as --allow-total would
    with serving(made, *PARTIES[1:]):
        with connect(made.trial) as many:
            until(lambda: many.connected() == HERE)
        yield made
    assert made.stop() == []


def pooled(scene: Scene) -> pets.Release:
    data = {"apc": scene.rows}
    session = pets.Session(scene.schema, data, budget=pets.Budget(epsilon=1), policy=UNBOUNDED, progress=False)
    return session.release(demo_query(), pets.Total())


def ask(trial: Trial, *more: str) -> int:
    return main.run(["federation", "query", trial.trial, "--query", str(trial.root / "query.json"), *more])


@dataclass
class Scene:
    """What the steps share."""

    trial: Trial
    schema: pets.Schema
    rows: pd.DataFrame
    said: pytest.CaptureFixture[str]
    tmp: Path
    long: bool


# the steps, in the order of STEPS below: one test, since a federation takes a while to start


def the_demo_query_is_the_pooled_answer(scene: Scene) -> None:
    trial = scene.trial
    assert ask(trial, "--total", "--out", str(trial.root / "answer.json")) == 0
    found = pets.Release.load(trial.root / "answer.json")
    assert found.notes[0] == "3 of 3 sites are in the answer, combined by secure='masked'."
    assert (found.values == pooled(scene).values).all()
    assert found.table["episodes"].sum() == len(scene.rows)


def encrypted_envelopes_are_opened_by_a_key_holder_elsewhere(scene: Scene) -> None:
    trial = scene.trial
    assert ask(trial, "--total", "--secure", "encrypted", "--out", str(trial.root / "sealed.json")) == 0
    found = pets.Release.load(trial.root / "sealed.json")
    assert found.notes[0] == "3 of 3 sites are in the answer, combined by secure='encrypted'."
    assert (found.values == pooled(scene).values).all()
    assert "key holder and coordinator do not collude" in found.guarantee
    holder = KeyHolderFolder(trial.folder("holder"))
    assert holder.public.id[:16] in found.notes[1]
    with contextlib.closing(sqlite3.connect(trial.folder("holder") / "secret.key.opened")) as record:
        assert [row[0] for row in record.execute("SELECT round FROM opened")] == [found.id]
    for party in ("trial", *SITES):  # the secret key is with nobody else
        for file in trial.folder(party).rglob("*"):
            assert not file.is_file() or b"pets-he-secret" not in file.read_bytes()
    assert b"pets-he-secret" in (trial.folder("holder") / "secret.key").read_bytes()
    assert f"Round {found.id[:12]}: the total of 3 sites was opened, once for all." in trial.said("holder")


def the_documentations_commands(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    assert len(THEN) == 9
    trial.make(THEN)
    said = capsys.readouterr().out
    assert said.count("in touch") == 4
    assert said.count("Serves: process ") == 2
    assert "Whole: " in said
    for name in ("answer", "opened"):
        assert "episodes" in (trial.root / f"{name}.html").read_text("utf-8")


def what_was_paid_for_is_not_paid_for_again(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    asked = ["--epsilon", "0.5"]
    assert ask(trial, *asked) == 0
    said = capsys.readouterr().out
    entries = SiteFolder(trial.folder("north")).verified().checkpoint.size
    assert ask(trial, *asked) == 0
    assert capsys.readouterr().out == said
    assert SiteFolder(trial.folder("north")).verified().checkpoint.size == entries
    assert "ε = 0.5" in said


def no_socket_outside_the_engines_address(scene: Scene) -> None:
    trial = scene.trial
    for name in PARTIES[1:]:
        gate, *engine = trial.tree(name)
        assert len(engine) >= 2  # the party's process of NVFlare, and the job's
        assert gate.net_connections("inet") == []  # the data, or the secret key, is where no socket is
        every = [one for process in engine for one in process.net_connections("inet")]
        own = {one.laddr.port for one in every}
        assert any(one.raddr and one.raddr.port == trial.port for one in every)
        for one in every:
            assert one.laddr.ip in ("127.0.0.1", "::1")
            assert not one.raddr or one.raddr.port in own | {trial.port}
    told = {tuple(line.split()) for line in trial.sockets.read_text("utf-8").splitlines()}
    assert ("socket.getaddrinfo", "name", "localhost") in told  # the guard looks on
    outside = {
        one for one in told if one[2] not in ("127.0.0.1", "::1", "localhost") and not one[2].startswith("/tmp/")
    }
    # so NVFlare asks the kernel for this machine's own address: a UDP socket that sends nothing
    asks = ("socket.connect", "SOCK_DGRAM", "10.255.255.255")
    # and so it finds a free port, and listens for its own job's process
    assert outside <= {asks, ("socket.bind", "SOCK_STREAM", "-"), ("socket.getaddrinfo", "name", "-")}


def the_line_is_mutual_tls(scene: Scene) -> None:
    trial = scene.trial
    context = ssl.create_default_context(cafile=str(trial.folder("trial") / "admin" / "startup" / "rootCA.pem"))

    def talk(context: ssl.SSLContext) -> bytes:
        with (
            socket.create_connection(("localhost", trial.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as line,
        ):
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return line.recv(100)

    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert talk(context) == b""  # hung up on
    startup = trial.folder("north") / "kit" / "startup"
    context.load_cert_chain(startup / "client.crt", startup / "client.key")
    assert talk(context)[:4] == b"HTTP"
    assert server_time(startup.parent) is not None  # with which a site whose clock is wrong finds out


def a_gates_refusal_arrives_in_its_own_words(scene: Scene) -> None:
    before = _spent(scene.trial)
    assert ask(scene.trial, "--epsilon", "2") == 7
    assert "its policy allows 1 a query; nothing was released" in scene.said.readouterr().err
    assert _spent(scene.trial) == before


def the_sites_say_what_is_left_in_their_own_ledgers(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    own = {name: SiteFolder(trial.folder(name)).site.session for name in SITES}
    with connect(trial.trial) as many:
        assert many.remaining() == {name: session.remaining() for name, session in own.items()}
        table = many.history()
    for name, session in own.items():
        mine = session.history()
        mine = mine[mine["project"] == "federation"]
        told = table[table["site"] == name]
        assert list(told["id"]) == list(mine["id"])
        assert list(told["epsilon"]) == list(mine["epsilon"])
        assert set(told["state"]) == {"charged"}
    assert main.run(["federation", "status", trial.trial, "--last", "1"]) == 0
    said = capsys.readouterr().out
    assert all(str(session.remaining()) in said for session in own.values())
    assert said.count("  charged  ε = 0.5  apc: ") == 3


def each_sites_ledger_certifies_its_part(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    command = ["federation", "certificates", trial.trial, str(trial.root / "sealed.json")]
    assert main.run([*command, "--out", str(scene.tmp / "certificates")]) == 0
    assert capsys.readouterr().out.count("signed by key") == 3
    for name in SITES:
        signed = str(scene.tmp / "certificates" / f"{name}.json")
        assert main.run(["verify", signed, "--key", str(trial.folder(name) / "ledger.db.pub")]) == 0
        other = str(trial.folder(SITES[SITES.index(name) - 1]) / "ledger.db.pub")
        assert main.run(["verify", signed, "--key", other]) == 11
    capsys.readouterr()


def several_queries_fit_every_site_or_none_is_asked(scene: Scene) -> None:
    before = _spent(scene.trial)
    many_queries = [pets.query("apc").group_by("SEX").agg(**{f"n{i}": pets.count()}) for i in range(12)]
    with connect(scene.trial.trial) as many, pytest.raises(BudgetError, match="'north' has no room for these 12"):
        many.release(many_queries, pets.DP(epsilon=0.9))
    assert _spent(scene.trial) == before


def a_regression_step_by_step_is_the_pooled_fit(scene: Scene) -> None:
    trial, rows, capsys = scene.trial, scene.rows, scene.said
    counted = len(SiteFolder(trial.folder("north")).site.session.history())
    with connect(trial.trial) as many:
        found = glm(many, "apc", "DIAG_COUNT", ["STARTAGE_CALC", "WEIGHT"], "gaussian", pets.Total())
        assert "3 coefficients" in check(canonical(found.to_check), many.roster.coordinator_key.raw)
    known = rows.dropna(subset=["DIAG_COUNT", "STARTAGE_CALC"])
    x = np.column_stack([np.ones(len(known)), known["STARTAGE_CALC"], known["WEIGHT"]]).astype(float)
    y = known["DIAG_COUNT"].to_numpy(dtype=float)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    spread = ((y - x @ beta) ** 2).sum() / (len(y) - 3)
    errors = np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * spread)
    assert found.rows == len(known)
    assert np.abs(np.array(found.coefficients) - beta).max() < 1e-9
    assert np.abs(np.array(found.errors) - errors).max() < 1e-9
    log = SiteFolder(trial.folder("north")).site.session.history().iloc[counted:]
    assert len(log) == found.steps == len(found.ids)
    assert log["unbounded"].all()
    assert log["what"].str.startswith("a step of gaussian regression of DIAG_COUNT").all()
    asked = ["federation", "glm", trial.trial, "--outcome", "DIAG_COUNT", "--on", "STARTAGE_CALC", "--on", "WEIGHT"]
    assert main.run([*asked, "--family", "gaussian", "--total", "--out", str(scene.tmp / "fit.csv")]) == 0
    assert f"{len(known):,} rows" in capsys.readouterr().out
    written = pd.read_csv(scene.tmp / "fit.csv")
    assert np.allclose(written["coefficient"], beta, rtol=0, atol=1e-9)
    assert main.run([*asked, "--family", "gaussian"]) == 6
    assert "--total" in capsys.readouterr().err


def a_synthetic_table_from_the_sites_marginals(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    before = _spent(trial)
    out = str(trial.root / "made.csv")
    asked = ["federation", "synthesise", trial.trial, "--column", "SEX", "--bound", "1", "--out", out]
    assert main.run([*asked, "--rows", "200", "--epsilon", "0.5"]) == 0
    assert "ε = 0.5" in capsys.readouterr().out
    made = pd.read_csv(out, dtype=str)
    assert len(made) == 200
    assert set(made["SEX"].dropna()) <= {"1", "2", "9", "0"}
    paid = _spent(trial)
    assert all(paid[name] > before[name] for name in SITES)
    assert main.run([*asked, "--rows", "100", "--epsilon", "0.5"]) == 0  # from what was measured
    assert _spent(trial) == paid
    assert main.run([*asked, "--epsilon", "5"]) in (6, 7)
    assert _spent(trial) == paid
    capsys.readouterr()


def the_status_of_a_site(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    assert main.run(["site", "status", str(trial.folder("east"))]) == 0
    said = capsys.readouterr().out
    assert "Log: whole" in said
    assert "committed" in said
    assert "Spent ε = 0.898" in said  # three times 0.5, in ρ
    assert "  Refused: the query would cost this site ε = 2, and its policy allows 1 a query." in said


def a_job_that_brings_code_or_another_class_is_not_run(scene: Scene) -> None:
    trial, tmp_path = scene.trial, scene.tmp
    from nvflare.fuel.flare_api.api_spec import InternalError, JobNotRunning

    from pets.federated.deployment import startup_kit

    brings, names = (startup_kit.write_job(tmp_path / folder) for folder in ("brings", "names"))
    custom = brings / "app" / "custom"
    custom.mkdir()
    (custom / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "utf-8")
    client = names / "app" / "config" / "config_fed_client.json"
    other = "nvflare.app_common.np.np_trainer.NPTrainer"  # in NVFlare's own list, and not in a site's
    client.write_text(client.read_text("utf-8").replace(startup_kit.CARRIER, other), "utf-8")
    with connect(trial.trial) as many:
        session = many.line._session
        first, number = (session.submit_job(str(job)) for job in (brings, names))
        for job in (first, number):
            until(lambda job=job: str(session.get_job_status(job)).startswith("FINISHED"))  # type: ignore[misc]
        assert "BYOC not permitted" in str(session.get_job_meta(first))
        assert not (tmp_path / "ran").exists()
        log = (trial.folder("north") / "nvflare.log").read_text("utf-8")
        assert f"{other}' " in log
        assert "is not in allow_list" in log
        with pytest.raises((JobNotRunning, InternalError, RuntimeError)):
            session.do_app_command(number, "pets", {"ask": list(SITES)})


def two_survive_a_killed_third_where_the_threshold_allows(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    before = _spent(trial)
    with connect(trial.trial, patience=6, progress=False) as many:
        killed = _Killing(trial, "west", many.line)
        many._line = killed  # type: ignore[assignment]
        release = many.release(demo_query(), pets.DP(epsilon=0.25))
    assert killed.rounds == 6  # those of the query, and one that asks for certificates
    assert many.lost == {"west": "no reply"}  # its masks came off with the others' shares
    assert release.notes[0].startswith("2 of 3 sites are in the answer")
    between = _spent(trial)
    assert all(between[name] > before[name] for name in ("north", "east"))
    log = {name: SiteFolder(trial.folder(name)).site.session.history() for name in SITES}
    # west's data was never opened: what it reserved is free again when its lease is over
    assert [log[name]["state"].iloc[-1] for name in SITES] == ["committed", "committed", "reserved"]
    before = between
    patience = ["--patience", "6"]
    assert ask(trial, "--epsilon", "0.4", *patience) == 0
    said = capsys.readouterr()
    assert "2 of 3 sites are in the answer" in said.out
    assert "site west: no reply" in said.err
    after = _spent(trial)
    assert after["north"] > before["north"]
    assert after["east"] > before["east"]
    assert after["west"] == before["west"]
    assert ask(trial, "--epsilon", "0.2", "--secure", "encrypted", *patience) == 0  # each survivor signs who is in
    assert "2 of 3 sites are in the answer, combined by secure='encrypted'" in capsys.readouterr().out
    assert main.run(["federation", "status", trial.trial]) == 0
    said = capsys.readouterr().out
    assert said.count("in touch") == 3
    assert "west                 away" in said
    assert said.count("Spent ε = ") == 2
    assert ask(trial, "--total", "--again", *patience) == 9  # exact totals may lose nobody
    assert "3 sites are needed for an answer and 2 are left" in capsys.readouterr().err
    trial.start("west")  # and comes back; in the short form while others are killed, and the next answer has it, too
    if scene.long:
        with connect(trial.trial) as many:
            until(lambda: many.connected() == HERE)
        assert ask(trial, "--epsilon", "0.3", "--patience", "60") == 0
        assert "3 of 3 sites are in the answer" in capsys.readouterr().out


class _Killing:
    """A line on which a site dies after the second round: its keys are known to all, and its vector to nobody."""

    def __init__(self, trial: Trial, name: str, inner: Any) -> None:
        self.trial, self.name, self.inner, self.rounds = trial, name, inner, 0

    def exchange(self, messages: Any, heard: Any) -> Any:
        replies = self.inner.exchange(messages, heard)
        self.rounds += 1
        if self.rounds == 2:
            self.trial.kill(self.name)
        return replies

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def killed_gates_leave_no_process_behind_and_are_in_the_next_answer(scene: Scene) -> None:
    """As when the system kills one for want of memory: with none of its children, and with no farewell.

    All at once; in the long form one after the other.
    """
    trial = scene.trial
    for names in [["north"], ["trial"], ["holder"]] if scene.long else [["north", "trial", "holder"]]:
        engines = []
        for name in names:
            gate, *engine = trial.tree(name)
            assert len(engine) >= 1
            engines += engine
            gate.kill()
            trial.processes.pop(name).wait()
        until(lambda engines=engines: not any(alive(process) for process in engines))  # type: ignore[misc]
        for name in names:
            trial.start(name)
        release = next_answer(trial, demo_query())
        assert release.notes[0].startswith("3 of 3 sites are in the answer")
        assert (release.values == pooled(scene).values).all()
        assert not any("still there" in trial.said(name) for name in names)


def a_process_without_a_gate_is_not_in_touch(scene: Scene) -> None:
    trial = scene.trial
    gate = trial.tree("west")[0]
    gate.suspend()  # NVFlare's processes go on
    try:
        with connect(trial.trial, patience=2, progress=False) as many:
            assert many.connected() == ("north", "east", NAME)
            assert set(many.line._processes()) == set(HERE)
    finally:
        gate.resume()
    _in_touch(trial)


def renewed_kits_are_taken_by_what_serves(scene: Scene) -> None:
    trial, capsys = scene.trial, scene.said
    assert main.run(["federation", "renew", trial.trial]) == 0
    kit = str(trial.root / "trial" / "kits" / "north.kit")
    assert main.run(["site", "renew", str(trial.folder("north")), "--kit", kit]) == 0
    assert "Serves: process " in capsys.readouterr().out
    for name in ("trial", "north"):  # the others' kits are good until their end
        until(lambda name=name: "The kit was renewed" in trial.said(name))  # type: ignore[misc]
    _in_touch(trial)
    assert ask(trial, "--total", "--again", "--patience", "60") == 0
    assert "3 of 3 sites are in the answer" in capsys.readouterr().out
    assert "The kit was renewed" not in trial.said("east")


def random_kills_are_survived(scene: Scene) -> None:
    """Within a query: two, five in the long form, and fifty more in ``tests/attacks/test_federated_kills.py``."""
    kills, seeds = Kills(scene.trial, demo_query(), pooled(scene).values), FIVE if scene.long else FEW
    parts = {Kill.planned(seed, 1).part for seed in seeds}
    assert parts == set(PARTS) if scene.long else parts == {"gate", "engine"}
    said = [kills.survived(seed) for seed in seeds]
    scene.said.readouterr()
    assert len(said) == len(seeds)
    always = sum(Kill.planned(seed, 1).part != "job" for seed in seeds)  # a job is there while a query is under way
    assert always <= kills.hits


def alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _in_touch(trial: Trial) -> None:
    def all_there() -> bool:
        with contextlib.suppress(pets.UserError), connect(trial.trial) as many:  # the server may not listen yet
            return many.connected() == HERE
        return False

    until(all_there)


def without_the_key_holder_nothing_is_asked(scene: Scene) -> None:
    trial = scene.trial
    before = _spent(trial)
    trial.kill("holder")
    assert ask(trial, "--epsilon", "0.1", "--secure", "encrypted", "--patience", "6") == 2
    assert "the key holder is not in touch" in scene.said.readouterr().err
    # what an earlier question had held may be given back in the meantime; nothing is charged
    assert all(spent <= before[name] for name, spent in _spent(trial).items())


def _spent(trial: Trial) -> dict[str, int]:
    return {name: SiteFolder(trial.folder(name)).site.session.remaining().spent.loss for name in SITES}


def each_sites_log_verifies(scene: Scene) -> None:
    for name in SITES:
        _log_verifies(scene.trial, scene.said, name, scene.tmp)


def _log_verifies(trial: Trial, capsys: pytest.CaptureFixture[str], name: str, tmp_path: Path) -> None:
    ledger, log = trial.folder(name) / "ledger.db", tmp_path / f"{name}.log"
    assert main.run(["log", "export", "--ledger", str(ledger), "--out", str(log)]) == 0
    assert main.run(["log", "verify", str(log), "--key", f"{ledger}.pub"]) == 0
    assert "Whole: " in capsys.readouterr().out
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-2] + lines[-1:]))
    assert main.run(["log", "verify", str(log), "--key", f"{ledger}.pub"]) == 11


def stopping_leaves_no_process_behind(scene: Scene) -> None:
    trial = scene.trial
    tree = {process for name in trial.processes for process in trial.tree(name)}
    assert len(tree) >= 12
    assert trial.stop() == []
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in tree)
    assert [trial.processes[name].returncode for name in ("trial", *SITES)] == [130] * 4
    assert "pets: stopped; what was under way is over" in trial.said("north")


STEPS: tuple[Callable[[Scene], None], ...] = (
    the_demo_query_is_the_pooled_answer,
    encrypted_envelopes_are_opened_by_a_key_holder_elsewhere,
    the_documentations_commands,
    what_was_paid_for_is_not_paid_for_again,
    no_socket_outside_the_engines_address,
    the_line_is_mutual_tls,
    a_gates_refusal_arrives_in_its_own_words,
    the_status_of_a_site,
    the_sites_say_what_is_left_in_their_own_ledgers,
    each_sites_ledger_certifies_its_part,
    several_queries_fit_every_site_or_none_is_asked,
    a_regression_step_by_step_is_the_pooled_fit,
    a_synthetic_table_from_the_sites_marginals,
    a_job_that_brings_code_or_another_class_is_not_run,
    two_survive_a_killed_third_where_the_threshold_allows,
    killed_gates_leave_no_process_behind_and_are_in_the_next_answer,
    a_process_without_a_gate_is_not_in_touch,
    renewed_kits_are_taken_by_what_serves,
    random_kills_are_survived,
    without_the_key_holder_nothing_is_asked,
    each_sites_log_verifies,
    stopping_leaves_no_process_behind,
)


def test_whatever_nvflare_raises_is_one_sentence_and_nothing_else_is_caught() -> None:
    from nvflare.apis.fl_exception import FLCommunicationError
    from nvflare.fuel.flare_api.api_spec import NoConnection, SessionClosed

    from pets.federated.deployment.nvflare_engine.line import plainly

    raised = [
        (FLCommunicationError("failed to challenge server: timeout"), "broke off \\(FLCommunicationError\\)"),
        (SessionClosed("x"), "broke off"),
        (TimeoutError(), "broke off"),
        (NoConnection("x"), "cannot be reached"),
    ]
    for error, said in raised:
        with pytest.raises(pets.UserError, match=said), plainly():
            raise error
    for error in (pets.UserError("of pets"), ValueError("a defect")):
        with pytest.raises(type(error), match=str(error)), plainly():
            raise error


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["short", "long"])
def test_three_real_sites(
    trial: Trial,
    world: tuple[pets.Schema, pd.DataFrame],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    long: bool,
) -> None:
    scene = Scene(trial, *world, capsys, tmp_path, long)
    capsys.readouterr()
    for step in STEPS:
        step(scene)
