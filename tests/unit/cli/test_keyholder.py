"""``pets keyholder``: what it makes, whom it joins, and what a mistake or a stranger's file gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pets import he
from pets.cli import main
from pets.errors import PolicyError, UserError
from pets.federated import Roster, connect
from pets.federated.deployment import startup_kit
from pets.federated.deployment.federation_folder import Facts, FederationFolder
from pets.federated.deployment.keyholder_folder import KeyHolderFolder
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.keyholder.gate import NAME
from pets.federated.messages.roster import Member
from tests.unit.cli.test_federation import NAMES, POLICY, Done
from tests.unit.federated.site.test_site import HALF, N, parts
from tests.unit.session.test_session import SCHEMA

Run = Callable[..., Done]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sites, a key holder and their federation, made once; nothing in it is served."""
    root = tmp_path_factory.mktemp("shelf")
    (root / "stays.json").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    (root / "policy.yaml").write_text(POLICY, "utf-8")
    for name, rows in zip(NAMES, parts(3, 60), strict=True):
        rows.to_csv(root / f"{name}.csv", index=False)
        made = ["--data", str(root / f"{name}.csv"), "--schema", str(root / "stays.json"), "--budget-epsilon", "2"]
        assert main.run(["site", "init", str(root / name), *made, "--policy", str(root / "policy.yaml")]) == 0
    assert main.run(["keyholder", "init", str(root / "holder")]) == 0
    entries = [part for name in NAMES for part in ("--site", str(root / name / "entry.json"))]
    about = ["--schema", str(root / "stays.json"), "--sites-per-person", "1", "--port", "1"]
    key = ["--key-holder", str(root / "holder" / "public.key")]
    assert main.run(["federation", "init", str(root / "trial"), *entries, *about, *key]) == 0
    assert main.run(["federation", "init", str(root / "bare"), *entries, *about]) == 0
    return root


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def do(*arguments: object) -> Done:
        capsys.readouterr()
        code = main.run([str(one) for one in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Done(code, said.out, said.err)

    return do


def test_the_secret_key_is_its_owners_and_nowhere_else(shelf: Path) -> None:
    holder = shelf / "holder"
    assert holder.stat().st_mode & 0o077 == 0
    assert (holder / "secret.key").stat().st_mode & 0o077 == 0
    assert (holder / "secret.key.opened").exists()
    public = he.PublicKey.load(holder / "public.key")
    folder = FederationFolder(shelf / "trial")
    assert folder.roster.key_holder == public.id
    assert folder.public_key == public
    assert {file.name for file in (shelf / "trial" / "kits").iterdir()} == {
        "key-holder.kit", *(f"{name}.kit" for name in NAMES)
    }  # fmt: skip
    for file in (shelf / "trial").rglob("*"):
        assert not file.is_file() or b"pets-he-secret" not in file.read_bytes()
    assert FederationFolder(shelf / "bare").public_key is None


def test_it_joins_the_roster_that_names_it_and_no_other(run: Run, shelf: Path) -> None:
    trial, join = shelf / "trial", ["keyholder", "join", shelf / "holder", "--roster"]
    done = run("keyholder", "serve", shelf / "holder")
    assert (done.code, "on no roster" in done.err) == (2, True)
    done = run(*join, shelf / "bare" / "roster.json")
    assert (done.code, "names no key holder" in done.err) == (7, True)
    assert (
        "is for 'north', and this is 'key-holder'"
        in run(*join, trial / "roster.json", "--kit", trial / "kits" / "north.kit").err
    )
    assert KeyHolderFolder(shelf / "holder").rosters == ()
    done = run(*join, trial / "roster.json")
    assert (done.code, "Compare the roster's first digits" in done.out) == (0, True)
    done = run("keyholder", "serve", shelf / "holder")
    assert (done.code, "no startup kit" in done.err) == (2, True)
    assert run(*join, trial / "roster.json", "--kit", trial / "kits" / "key-holder.kit").code == 0
    assert (shelf / "holder" / "kit" / "startup" / "client.key").exists()
    said = run("keyholder", "status", shelf / "holder").out
    assert "no exact totals" in said
    assert FederationFolder(trial).roster.digest[:16] in said
    assert run("keyholder", "init", "other", "--allow-total").code == 0
    assert "and exact totals" in run("keyholder", "status", "other").out
    done = run("keyholder", "join", "other", "--roster", trial / "roster.json")
    assert (done.code, "names another key holder" in done.err) == (7, True)


def test_a_passphrase_seals_the_key(run: Run, shelf: Path) -> None:
    Path("words").write_text("some random words\n", "utf-8")
    assert run("keyholder", "init", "sealed", "--passphrase-file", "words").code == 0
    folder = KeyHolderFolder(Path("sealed"))
    with pytest.raises(UserError, match="is encrypted; give its passphrase"):
        folder.open(None)
    assert "KeyHolderGate" in repr(folder.open("some random words"))
    Path("short").write_text("short\n", "utf-8")
    done = run("keyholder", "init", "other", "--passphrase-file", "short")
    assert (done.code, "at least 8 characters" in done.err) == (2, True)
    assert not Path("other").exists()


def test_mistakes(run: Run, shelf: Path) -> None:
    assert "exists already" in run("keyholder", "init", shelf / "holder").err
    for verb in (["status"], ["serve"], ["join", "--roster", shelf / "trial" / "roster.json"]):
        done = run("keyholder", verb[0], shelf / "north", *verb[1:])
        assert (done.code, "is no key holder's folder" in done.err) == (2, True)
    broken = Path("broken")
    broken.mkdir()
    (broken / "keyholder.json").write_text("[]", "utf-8")
    done = run("keyholder", "status", broken)
    assert (done.code, "Traceback" in done.err) == (2, False)


def test_a_site_pins_the_key_that_the_roster_names(run: Run, shelf: Path) -> None:
    trial, north = shelf / "trial", shelf / "north"
    join = ["site", "join", north, "--roster", trial / "roster.json"]
    assert "answers no query with secure='encrypted'" in run(*join).out
    he.keygen()[0].save("stranger.key")
    done = run(*join, "--public-key", "stranger.key")
    assert (done.code, "names another key holder than this public key's" in done.err) == (7, True)
    assert "not a public key" in run(*join, "--public-key", trial / "roster.json").err
    done = run("site", "join", north, "--roster", shelf / "bare" / "roster.json", "--public-key", "stranger.key")
    assert (done.code, "names another key holder" in done.err) == (7, True)
    assert SiteFolder(north).site._holders == {}
    done = run(*join, "--public-key", shelf / "holder" / "public.key")
    assert "with the key holder, and with nobody in between" in done.out
    roster = FederationFolder(trial).roster
    assert SiteFolder(north).site._holders[roster.digest].id == roster.key_holder
    assert roster.key_holder[:16] in run("site", "status", north).out


def test_without_the_extra_a_site_is_told_before_it_is_charged(
    run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tenseal" else found(name))
    trial = shelf / "trial"
    done = run("site", "join", shelf / "east", "--roster", trial / "roster.json", "--public-key", trial / "public.key")
    assert (done.code, "pip install 'pets-privacy[he]'" in done.err) == (8, True)


def test_a_federation_without_a_key_holder_says_how_to_get_one(shelf: Path) -> None:
    many = connect(shelf / "bare")
    with pytest.raises(UserError, match="no key holder; make one with pets keyholder init"):
        many._key_holder()
    assert many.quote(N, HALF, secure="encrypted").epsilon == 0.5


def test_no_site_is_called_as_the_key_holder_is(shelf: Path, tmp_path: Path) -> None:
    members = [Member.from_json(one.to_json()) for one in FederationFolder(shelf / "trial").roster.members]
    object.__setattr__(members[0], "name", NAME)
    with pytest.raises(UserError, match="'key-holder'"):
        FederationFolder.create(tmp_path / "new", members, shelf / "stays.json", Facts(), sites_per_person=1)
    assert not (tmp_path / "new").exists()


def test_the_line_has_the_key_holder_after_the_sites(shelf: Path) -> None:
    found = startup_kit.read(shelf / "trial" / "kits" / "key-holder.kit", NAME)
    assert "PRIVATE KEY" in found.key
    roster = FederationFolder(shelf / "trial").roster
    assert Roster.from_json(roster.to_json()) == roster
    with pytest.raises(PolicyError, match="a public key's id"):
        Roster.from_json(roster.to_json() | {"key_holder": "holder"})
