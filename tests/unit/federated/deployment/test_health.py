"""A place's troubles: a full disk, a wrong clock, a certificate that ends; and the renewal of kits."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import socket
import ssl
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from pets.errors import UserError
from pets.federated.deployment import health
from pets.federated.deployment import startup_kit as kits
from pets.federated.deployment.authority import Authority
from pets.federated.deployment.federation_folder import ADMIN
from pets.federated.deployment.health import Term, server_time, troubles, watched
from pets.federated.deployment.notices import Notices
from tests.trial import free_port, until

DAY = dt.timedelta(days=1)
TAKE = "pets site renew north --kit FILE"


def provision(*given: Any) -> Any:
    from pets.federated.deployment import nvflare_engine  # NVFlare is loaded where it is needed, and not to be listed

    return nvflare_engine.provision(*given)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Authority]:
    made: tuple[Path, Authority] = provision("pets", "localhost", 1, ["north"], ADMIN, tmp_path_factory.mktemp("made"))
    return made


@pytest.fixture
def kit(made: tuple[Path, Authority], tmp_path: Path) -> Path:
    kits.unpack(kits.of(made[0] / "north", "north", "pets", "localhost", 1), tmp_path / "kit")
    return tmp_path / "kit"


def test_a_certificate_is_named_from_sixty_days_before_its_end(kit: Path) -> None:
    term = Term.of(kit)
    assert 357 < (term.ends - dt.datetime.now(dt.UTC)).days < 361
    assert troubles(kit.parent, kit, TAKE) == troubles(kit.parent, kit, TAKE, term.ends - 61 * DAY) == ()
    (said,) = troubles(kit.parent, kit, TAKE, term.ends - 60 * DAY + dt.timedelta(seconds=1))
    assert said == (
        f"The kit's certificate ends on {term.ends:%Y-%m-%d}, in 59 days; ask the coordinator for a renewed kit (pets "
        f"federation renew), and take it with {TAKE}."
    )
    (said,) = troubles(kit.parent, kit, TAKE, term.ends + DAY)
    assert "certificate ended on" in said
    assert TAKE in said


def test_a_slow_clock_is_no_trouble_for_a_day_and_named_after(kit: Path) -> None:
    term = Term.of(kit)
    assert dt.datetime.now(dt.UTC) - term.begins >= DAY
    assert troubles(kit.parent, kit, TAKE, dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)) == ()
    early = term.begins - DAY
    (said,) = troubles(kit.parent, kit, TAKE, early)
    assert f"this machine's clock says {early:%Y-%m-%d %H:%M} UTC" in said
    assert "set the clock" in said


def test_which_clock_is_wrong_is_said_where_the_server_can_be_asked(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = Term.of(kit).ends + 3650 * DAY
    monkeypatch.setattr(health, "server_time", lambda kit: far - 4015 * DAY)
    (said,) = troubles(kit.parent, kit, TAKE, far)
    assert "UTC, which is 4015 days fast against the server's: the line cannot be made" in said
    monkeypatch.undo()
    assert server_time(kit) is None  # nobody listens there
    assert server_time(kit.parent) is None


def test_a_full_disk_and_a_lost_certificate_are_named(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**6))
    (said,) = troubles(kit.parent, None, TAKE)
    assert "has less than 256 MB left" in said
    (kit / "startup" / "client.crt").write_text("gone")
    assert "cannot be read" in troubles(kit.parent, kit, TAKE)[1]
    said_there: list[str] = []
    with watched(kit.parent, kit, TAKE, Notices(kit.parent, said_there.append)):
        until(lambda: len(said_there) == 2)


def test_a_renewed_kit_is_by_the_same_authority_and_takes_the_place_of_the_old(
    made: tuple[Path, Authority], kit: Path, tmp_path: Path
) -> None:
    authority = made[1]
    before = {file.name: file.read_bytes() for file in (kit / "startup").iterdir()}
    again, same = provision("pets", "localhost", 1, ["north"], ADMIN, tmp_path / "again", authority)
    assert same == authority
    (kit / "of a job").mkdir()  # NVFlare may be at work in it
    kits.renew(kits.of(again / "north", "north", "pets", "localhost", 1), kit)
    after = {file.name: file.read_bytes() for file in (kit / "startup").iterdir()}
    assert after["rootCA.pem"] == before["rootCA.pem"]
    assert all(after[name] != before[name] for name in ("client.crt", "client.key"))
    assert (kit / "startup" / "client.key").stat().st_mode & 0o077 == 0
    assert (kit / "of a job").is_dir()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    context = ssl.create_default_context(cafile=str(kit / "startup" / "rootCA.pem"))
    context.load_cert_chain(kit / "startup" / "client.crt", kit / "startup" / "client.key")  # they go together
    authority.save(tmp_path / "authority.json")
    assert (tmp_path / "authority.json").stat().st_mode & 0o077 == 0
    assert Authority.read(tmp_path / "authority.json") == authority
    assert authority.key not in repr(authority)
    assert Authority.read(tmp_path / "none.json") is None
    (tmp_path / "authority.json").write_text('{"pets": "kit"}')
    with pytest.raises(UserError, match="restore it from your backup"):
        Authority.read(tmp_path / "authority.json")


def test_the_certificate_is_renewed_last(
    made: tuple[Path, Authority], kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever serves begins anew when it sees another certificate, and must find the key that goes with it."""
    seen: list[bool] = []
    before, replace = (kit / "startup" / "client.crt").read_bytes(), Path.replace

    def watched_replace(self: Path, target: Path) -> Path:
        seen.append((kit / "startup" / "client.crt").read_bytes() == before)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched_replace)
    again, _ = provision("pets", "localhost", 1, ["north"], ADMIN, kit.parent / "again", made[1])
    kits.renew(kits.of(again / "north", "north", "pets", "localhost", 1), kit)
    assert len(seen) == 4
    assert all(seen)
    assert (kit / "startup" / "client.crt").read_bytes() != before


def test_a_kit_that_cannot_be_unpacked_leaves_the_one_that_works(kit: Path) -> None:
    good = kits.Kit("north", "pets", "localhost", 1, "A", "B", "C")
    bad = kits.Kit("north", "pets", "localhost", 1, "A", "B", "naïve")
    before = (kit / "startup" / "client.key").read_bytes()
    for act in (kits.unpack, kits.renew):
        with pytest.raises(UnicodeEncodeError):
            act(bad, kit)
        assert (kit / "startup" / "client.key").read_bytes() == before
    kits.unpack(good, kit)
    assert (kit / "startup" / "client.key").read_text() == "C"


def test_the_servers_clock_is_read_though_the_certificates_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock years fast finds every certificate past its end, its own and the server's: whose it is, is checked."""
    monkeypatch.setattr("pets.federated.deployment.nvflare_engine.Certificates.EARLY", 400 * DAY)
    port = free_port()
    made, _ = provision("pets", "localhost", port, ["north"], ADMIN, tmp_path / "made")
    other, _ = provision("pets", "localhost", port, ["north"], ADMIN, tmp_path / "other")
    kit, strange = tmp_path / "kit", tmp_path / "strange"
    for folder, whose in ((kit, made), (strange, other)):
        kits.unpack(kits.of(whose / "north", "north", "pets", "localhost", port), folder)
    assert Term.of(kit).ends < dt.datetime.now(dt.UTC)
    startup = made / "localhost" / "startup"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(startup / "server.crt", startup / "server.key")
    with socket.create_server(("localhost", port)) as door:

        def answer() -> None:
            for _ in range(2):
                with contextlib.suppress(OSError), context.wrap_socket(door.accept()[0], server_side=True) as line:
                    line.recv(1000)
                    line.sendall(b"HTTP/1.1 426 Upgrade Required\r\nDate: Sat, 28 Nov 2026 09:00:00 GMT\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert server_time(strange) is None  # somebody else's server
        assert server_time(kit) == dt.datetime(2026, 11, 28, 9, tzinfo=dt.UTC)
        thread.join(600)
