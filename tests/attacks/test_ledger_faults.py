"""What can go wrong around a ledger: each fails closed with one plain sentence that says what to do."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pets.errors import BudgetError, LedgerError, UserError
from pets.ledger import standing
from pets.ledger.change import Change, apply, draft
from pets.ledger.ledger import Ledger
from pets.protection.budget import Budget
from tests.attacks import ledger_workers as workers
from tests.attacks.test_ledger_kills import read_diary
from tests.ledgers import (
    AT_ONCE,
    DATABASES,
    MILLI,
    Place,
    Server,
    account,
    ask,
    audit,
    cap,
    opened,
    request,
    seal,
    under_way,
    verify,
)

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at


@contextlib.contextmanager
def refused(*words: str, error: type[UserError] = LedgerError) -> Iterator[None]:
    """One plain sentence that names what is wrong and what to do, without a trace of the machinery."""
    with pytest.raises(error) as caught:
        yield
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert "\n" not in said and "Traceback" not in said and "sqlalche.me" not in said and len(said) < 500, said
    assert caught.value.exit_code in (2, 6, 10, 16)


@pytest.fixture
def file(new_place: Callable[[str], Place]) -> Place:
    """A ledger in a file, with 30 units spent."""
    place = new_place("sqlite")
    with opened(place) as ledger:
        ask(account(ledger), request("before", 30))
    return place


@pytest.fixture
def own_server(server: Server) -> Iterator[Server]:
    """A server that may be stopped."""
    made = Server()
    yield made
    made.close()


def spent(place: Place) -> int:
    with opened(place) as ledger:
        audit(ledger)
        verify(ledger)
        return account(ledger, milli=None).standing().spent.loss // MILLI


# the server stops ----------------------------------------------------------------------------------------------------


def storms(server: Server, place: Place, diary: Path, stops: int, writers: int) -> int:
    crew = [workers.begin(workers.weathering, place, number, str(diary)) for number in range(writers)]
    try:
        for _ in range(stops):
            before = len(read_diary(diary))
            waited = time.monotonic()
            while len(read_diary(diary)) < before + 5 and time.monotonic() < waited + 20:
                time.sleep(0.05)
            server.stop()
            server.start()
        assert all(process.is_alive() for process in crew)
    finally:
        for process in crew:
            process.kill()
            process.join()
    with opened(place, lease=30.0, clock=lambda: time.time() + 31) as ledger:
        assert not under_way(ledger)
        audit(ledger, read_diary(diary))
        verify(ledger)
    return len(read_diary(diary))


def test_20_immediate_stops_under_load(own_server: Server, tmp_path: Path) -> None:
    assert storms(own_server, own_server.place(tmp_path), tmp_path / "diary", 20, 4) >= 60


def test_a_server_that_is_away(own_server: Server, tmp_path: Path) -> None:
    place = own_server.place(tmp_path)
    with opened(place) as ledger:
        asker = account(ledger)
        granted = asker.reserve([request("asked", key="k")])
        own_server.stop()
        with refused("cannot be written", "ask again"):
            seal(asker, granted[0])
        with refused("cannot be written"):
            ask(asker, request())
        with refused("cannot be"):
            place.open()
        own_server.start()
        sealed = seal(asker, granted[0])
        assert ask(asker, request("asked", key="k"))[0] == sealed
    assert spent(place) == 10


# the disk ------------------------------------------------------------------------------------------------------------


def test_a_full_disk(file: Place) -> None:
    """Whatever step runs out of space: nothing is lost, nothing is charged twice, and work goes on with more space."""
    for pages in range(0, 12, 2):
        with opened(file) as ledger:
            asker = account(ledger)
            _limit(ledger, pages)
            names = [f"{pages} {turn}" for turn in range(40)]
            given = {}
            with refused("is full", "free some space and ask again"):
                for name in names:
                    given[name] = ask(asker, request(name, 1, key=name))[0]
            audit(ledger)
        with opened(file, lease=AT_ONCE) as ledger:  # after the lease
            ledger.recover()
            asker = account(ledger)
            for name in names[:3]:
                with contextlib.suppress(LedgerError):  # it was charged before the disk was full
                    assert ask(asker, request(name, 1, key=name))[0] == given.get(name) or name not in given
        spent(file)


def _limit(ledger: Ledger, pages: int) -> None:
    def connects(connection: sqlite3.Connection, _: object) -> None:
        now = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {now + pages}")

    ledger.close()
    sa.event.listen(ledger._store._engine, "connect", connects)


@contextlib.contextmanager
def mounted(*arguments: str, at: Path) -> Iterator[None]:
    if os.geteuid() or subprocess.run(["mount", *arguments, str(at)], capture_output=True).returncode:
        pytest.skip("only root may mount a file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def test_a_really_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=2m", "none", at=disk):
        place = Place(str(disk / "ledger.db"), str(disk))
        with opened(place) as ledger:
            asker = account(ledger)
            first = ask(asker, request("first"))[0]
            with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(b"\0" * 1024)
            with pytest.raises(LedgerError, match=r"full|No space"):
                for _ in range(50):
                    ask(asker, request())
            audit(ledger)
            (disk / "filler").unlink()
            assert ask(asker, request("first"))[0] == first
            ask(asker, request())
        assert spent(place) >= 20


def test_a_disk_that_turns_read_only(file: Place, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    with mounted("--bind", file.keys, at=shown):
        place = Place(str(shown / "ledger.db"), str(shown))
        subprocess.run(["mount", "-o", "remount,ro,bind", str(shown)], check=True)
        with refused("read-only", "permissions"):
            place.open()
        subprocess.run(["mount", "-o", "remount,rw,bind", str(shown)], check=True)
    assert spent(file) == 30


def test_a_file_that_one_may_not_write(tmp_path_factory: pytest.TempPathFactory, file: Place) -> None:
    """Runs everywhere: root lays its rights down first."""
    folder = Path(f"/tmp/pets-read-only-{os.getpid()}")
    shutil.copytree(file.keys, folder)
    try:
        for path in folder.iterdir():
            path.chmod(0o444)
        diary = folder / "diary"
        diary.touch()
        diary.chmod(0o666)
        folder.chmod(0o555)
        place = Place(str(folder / "ledger.db"), str(folder))
        assert workers.run(workers.as_nobody, place, str(diary)) == 0
        kind, said = diary.read_text().strip().split("\t")
        assert kind == "refused" and "permissions" in said
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_checkpoint_that_cannot_be_written(file: Place) -> None:
    """An answer that was committed, and not published, is not shown; it waits, already paid for."""
    with opened(file) as ledger:
        asker = account(ledger)
        lock = file.checkpoint.with_name(f"{file.checkpoint.name}.lock")
        lock.unlink()
        lock.mkdir()
        with refused("the checkpoint cannot be written"):
            ask(asker, request("q"))
        lock.rmdir()
        before = asker.standing().spent
        ask(asker, request("q"))
        assert asker.standing().spent == before
    assert spent(file) == 40


# the clock -----------------------------------------------------------------------------------------------------------


def test_a_clock_one_day_back(place: Place) -> None:
    with opened(place) as ledger:
        ask(account(ledger), request())
    with opened(place, clock=lambda: time.time() - 86400) as ledger:
        with refused("clock", "set the clock"):
            ask(account(ledger), request())
        assert account(ledger).standing().spent.loss == 10 * MILLI
    assert spent(place) == 10


def test_a_clock_that_is_a_little_late_goes_on(place: Place) -> None:
    with opened(place) as ledger:
        ask(account(ledger), request())
    with opened(place, clock=lambda: time.time() - 5) as ledger:
        ask(account(ledger), request())
        times = [entry.at for entry in account(ledger).entries()]
        assert times == sorted(times)


# old copies ----------------------------------------------------------------------------------------------------------


def copied(server: Server | None, place: Place, to: Path) -> Callable[[], None]:
    """A backup of the database; gives what puts it back."""
    if server is None:
        shutil.copy(place.address, to / "backup")

        def restore() -> None:
            for extra in ("-wal", "-shm"):
                Path(place.address + extra).unlink(missing_ok=True)
            Path(place.address).unlink()
            shutil.copy(to / "backup", place.address)

        return restore
    name = place.address.rsplit("?")[0].rsplit("/")[-1]
    server.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")

    def restore_database() -> None:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name} TEMPLATE {name}_copy")

    return restore_database


@pytest.mark.parametrize("database", DATABASES)
def test_an_old_backup(
    database: str, new_place: Callable[[str], Place], request_: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = new_place(database)
    server = request_.getfixturevalue("server") if database == "postgresql" else None
    with opened(place) as ledger:
        ask(account(ledger), request())
    restore = copied(server, place, tmp_path)
    stale = place.open()
    asker = account(stale)
    ask(asker, request())
    ask(asker, request())
    restore()
    for _ in range(2):
        with refused("lost entries", "Restore the newest copy, or run: pets ledger recover --rebase"):
            place.open()
        # whoever had it open has seen more than is there now
        with refused():
            ask(asker, request())
    stale.close()


@pytest.fixture
def request_(request: pytest.FixtureRequest) -> pytest.FixtureRequest:
    return request


@pytest.mark.parametrize("rounds", [3, 40])
def test_an_old_backup_with_the_newer_write_ahead_log(rounds: int, file: Place, tmp_path: Path) -> None:
    """SQLite then shows the log's newest pages beside old accounts, and cannot know it."""
    shutil.copy(file.address, tmp_path / "backup")
    with opened(file) as ledger:
        for _ in range(rounds):
            ask(account(ledger), request(milli=1))
    assert workers.run(workers.denied_and_killed, file) == -signal.SIGKILL
    newest = {path.name: path.read_bytes() for path in Path(file.keys).iterdir()}
    shutil.copy(tmp_path / "backup", file.address)
    with pytest.raises(LedgerError) as caught:
        file.open()
    assert any(word in str(caught.value) for word in ("older than its log", "lost entries", "malformed", "backup"))
    for name, content in newest.items():
        (Path(file.keys) / name).write_bytes(content)
    assert spent(file) == 30 + rounds


def test_accounts_that_are_older_than_the_log(place: Place) -> None:
    """Pages of two moments, the log's newer than the accounts': whatever brought them together."""
    with opened(place) as ledger:
        ask(account(ledger), request())
        with ledger.writing() as (tx, _):
            tx.connection.execute(sa.text("UPDATE pets_scopes SET spent_loss = 0"))
            tx.connection.execute(sa.text("UPDATE pets_datasets SET lifetime_loss = 0"))
    with refused("older than its log", "Restore the newest copy, all files of it"):
        place.open()


def test_a_file_put_in_place_of_an_open_one(file: Place, tmp_path: Path) -> None:
    with opened(file) as ledger:
        asker = account(ledger)
        ask(asker, request())
        grants = asker.reserve([request("under way")])
        shutil.copy(file.address, tmp_path / "copy.db")
        (tmp_path / "copy.db").replace(file.address)
        with refused("put in another's place", "open it again"):
            seal(asker, grants[0])
        with refused("put in another's place"):
            ask(asker, request())
        Path(file.address).unlink()
        with refused("or is gone"):
            asker.standing()
    assert not Path(file.address).exists(), "a ledger that is gone is not made again, empty"
    with refused("its published checkpoint is still there", "restore the ledger from a backup"):
        file.open()


# the processes -------------------------------------------------------------------------------------------------------


def test_opened_twice_in_one_process(file: Place, tmp_path: Path) -> None:
    """Whoever closes a descriptor of a SQLite file drops the locks of its whole process: charges were lost so."""
    diary = tmp_path / "diary"
    with opened(file) as first:
        asker = account(first)
        with opened(file) as second:
            account(second)
        file.open()
        assert workers.run(workers.look, file, str(diary)) == 0
        ask(asker, request())
        assert workers.run(workers.look, file, str(diary)) == 0
    assert diary.read_text().splitlines() == [f"spent\t{30 * MILLI}", f"spent\t{40 * MILLI}"]


@pytest.mark.parametrize("memory", [True, False])
def test_a_fork_does_not_double_the_budget(memory: bool, file: Place, tmp_path: Path) -> None:
    ledger = Ledger() if memory else file.open()
    asker = account(ledger)
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            try:
                ask(asker, request())
            except LedgerError as error:
                code = 0 if "opened by another process" in str(error) and "open it again here" in str(error) else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ask(asker, request())
    ledger.close()


def test_two_processes_recover_at_once(place: Place) -> None:
    with opened(place, lease=AT_ONCE) as ledger:
        asker = account(ledger)
        for turn in range(20):
            asker.reserve([request(milli=1)], start=bool(turn % 2))
    at = time.time() + 1.5
    crew = [workers.begin(workers.recover, place, at) for _ in range(4)]
    for process in crew:
        process.join()
    assert [process.exitcode for process in crew] == [0] * 4
    with opened(place) as ledger:
        events = _events(ledger)
        assert (events.count("forfeited"), events.count("voided")) == (10, 10)
    assert spent(place) == 10


def _events(ledger: Ledger) -> list[str]:
    import json

    with ledger.reading() as tx:
        return [json.loads(body)["event"] for body, _, _ in tx.entries()]


def test_many_processes_make_the_same_ledger_at_once(place: Place, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    at = time.time() + 1
    crew = [workers.begin(workers.create, place, at, str(diary)) for _ in range(6)]
    for process in crew:
        process.join()
    lines = diary.read_text().splitlines()
    assert len(lines) == 6 and len(set(lines)) == 1 and lines[0].startswith("opened"), lines
    with opened(place) as ledger:
        assert _events(ledger) == ["ledger", "dataset"]


# the wrong files -----------------------------------------------------------------------------------------------------


def test_weaker_durability_in_postgresql(own_server: Server, tmp_path: Path) -> None:
    place = own_server.place(tmp_path)
    name = place.address.rsplit("?")[0].rsplit("/")[-1]
    ledger = place.open()
    asker = account(ledger)
    own_server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with refused("could forget a charge", "set synchronous_commit=on"):
        place.open()
    ledger.close()  # connects anew
    with refused("could forget a charge"):
        ask(asker, request())
    own_server.execute(f"ALTER DATABASE {name} RESET synchronous_commit")
    for setting in ("fsync", "full_page_writes"):
        own_server.execute(f"ALTER SYSTEM SET {setting} = off")
        own_server.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)
        with refused("could forget a charge", f"set {setting}=on"):
            place.open()
        own_server.execute(f"ALTER SYSTEM RESET {setting}")
        own_server.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)
    ask(asker, request())
    ledger.close()


def test_tables_of_a_newer_pets(place: Place) -> None:
    with opened(place) as ledger:
        account(ledger)
        with ledger.writing() as (tx, _):
            tx.connection.execute(sa.text("UPDATE pets_ledger_version SET version_num = '9999'"))
    with refused("newer pets", "upgrade pets"):
        place.open()


def test_a_database_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE patients (id TEXT)")
        connection.commit()
    before = path.read_bytes()
    with refused("other tables", "give another path"):
        Ledger(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["other.db"], "left as it was"


@pytest.mark.parametrize("content", [b"notes\n", b"x" * 5000, b"PK\x03\x04" + bytes(2000)])
def test_a_file_of_something_else(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with refused("is not a ledger", "give another path"):
        Ledger(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "address", ["", "a\0b", "mysql://u@h/d", "sqlite://", "postgresql://[", 7, "/nowhere/at/all/l.db"]
)
def test_no_address(address: object) -> None:
    with refused():
        Ledger(address)  # type: ignore[arg-type]


def test_a_folder_or_a_torn_file(tmp_path: Path, file: Place) -> None:
    with refused("Is a directory"):
        Ledger(tmp_path)
    path = Path(file.address)
    path.write_bytes(path.read_bytes()[:6000])
    with refused("cannot be", "restore it from a backup"):
        file.open()


def test_keys(file: Place, new_place: Callable[[str], Place]) -> None:
    other = new_place("sqlite")
    other.open().close()
    kept = file.key.read_bytes()

    file.key.unlink()
    with refused("signing key", "is missing", "restore it from your backup"):
        file.open()
    assert not list(Path(file.keys).glob("*.key")), "a lost key is not replaced by a new one"
    shutil.copy(other.key, Path(file.keys) / "ledger.db.key")
    with refused("signed with another key", "copy its key"):
        file.open()
    file.key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with refused("holds no signing key", error=UserError):
        file.open()
    file.key.write_bytes(kept)
    for mode in (0o640, 0o604, 0o660):
        file.key.chmod(mode)
        with refused("can be read by others", "chmod 600", error=UserError):
            file.open()
    file.key.chmod(0o600)
    assert spent(file) == 30


def test_checkpoints(file: Place, new_place: Callable[[str], Place]) -> None:
    other = new_place("sqlite")
    other.open().close()
    path, kept = file.checkpoint, file.checkpoint.read_bytes()

    path.unlink()
    with refused("is missing", "restore it, or run: pets ledger recover --rebase"):
        file.open()
    for wrong in (b"\xff\xfe", b"hello\n", kept[:-5], kept + b"x", kept + kept):
        path.write_bytes(wrong)
        with refused("the checkpoint", "stays closed"):
            file.open()
    for place in range(0, len(kept), 7):
        path.write_bytes(kept[:place] + bytes([kept[place] ^ 1]) + kept[place + 1 :])
        with refused("the checkpoint", "stays closed"):
            file.open()
    shutil.copy(other.checkpoint, path)
    with refused("checkpoint"):
        file.open()
    path.write_bytes(kept)
    assert spent(file) == 30


def test_a_checkpoint_that_a_power_loss_left_empty(file: Place, tmp_path: Path) -> None:
    """The one before it stands in, and still tells a database that lost more."""
    path = file.checkpoint
    previous = path.with_name(f"{path.name}.previous")
    shutil.copy(file.address, tmp_path / "backup")
    kept = path.read_bytes(), previous.read_bytes()
    for left in (b"", bytes(300)):
        path.write_bytes(left)
        assert spent(file) == 30
        assert len(path.read_bytes().rstrip(b"\0")) > 300, "opened, it is published anew"
    with opened(file) as ledger:
        ask(account(ledger), request())
        ask(account(ledger), request())
    path.write_bytes(b"")
    shutil.copy(tmp_path / "backup", file.address)
    with refused("lost entries"):
        file.open()
    path.write_bytes(b"")
    previous.write_bytes(b"")
    with refused("the checkpoint", "stays closed"):
        file.open()
    path.write_bytes(kept[0])
    previous.write_bytes(kept[1])
    assert spent(file) == 30


# absurd numbers ------------------------------------------------------------------------------------------------------


def test_absurd_costs(place: Place) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        for units in (10**15 // MILLI, 2**63 // MILLI + 1, 10**30):
            with refused("would cost", "nothing was spent", error=BudgetError):
                ask(asker, request(milli=units))
        with refused("would cost", error=BudgetError):
            ask(asker, *[request(milli=2**62 // MILLI) for _ in range(4)])
        assert asker.standing().spent.loss == 0
    assert spent(place) == 0


def test_absurd_caps(place: Place) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        ask(asker, request())
        for milli in (-1, -(10**6), 5):
            with refused("breaks its rules"):
                cap(ledger, "d", ("", ""), milli)
            with refused("breaks its rules"):
                cap(ledger, "d", ("p", ""), milli)
        for epsilon in (-1, 0, 1e300, "NaN", "much", None, 10**400):
            form = {"epsilon": epsilon, "delta": 0, "threshold_delta": 0}
            for kind, details in (("budget", {}), ("cap", {"project": "p", "analyst": ""})):
                change = Change(ledger.origin, "d", kind, {**details, "budget": form}, "more", ("one", "other"))
                with pytest.raises(UserError) as caught:
                    apply(ledger, draft(change))
                assert "\n" not in str(caught.value)
        assert asker.standing().left.loss == 990 * MILLI and asker.budget == Budget(epsilon=1)
    assert spent(place) == 10


def test_a_database_that_refuses_by_itself(place: Place) -> None:
    """Were the rules of the code broken, those of the database would still hold."""
    with opened(place) as ledger:
        asker = account(ledger)
        ask(asker, request())
        for statement in (
            "UPDATE pets_scopes SET spent_loss = spent_loss - 1000000000000",
            "UPDATE pets_scopes SET reserved_loss = -1",
            "UPDATE pets_scopes SET spent_loss = cap_loss + 1 WHERE project = ''",
            "UPDATE pets_scopes SET cap_loss = NULL WHERE project = ''",
            "UPDATE pets_requests SET state = 'free'",
            "UPDATE pets_requests SET release = NULL",
            "UPDATE pets_requests SET loss = -1",
            "UPDATE pets_datasets SET lifetime_loss = -1",
        ):
            with refused("breaks its rules"), ledger.writing() as (tx, _):
                tx.connection.execute(sa.text(statement))
        for statement in ("UPDATE pets_log SET body = private", "DELETE FROM pets_log WHERE seq = 1"):
            with pytest.raises(LedgerError, match="the log is append-only"), ledger.writing() as (tx, _):
                tx.connection.execute(sa.text(statement))
    assert spent(place) == 10


def test_an_account_that_would_pass_its_cap_is_stopped_by_the_database(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "refusal", lambda *_: None)
    with opened(place) as ledger:
        asker = account(ledger)
        with refused("breaks its rules", "nothing was spent"):
            ask(asker, request(milli=1001))
    assert spent(place) == 0
