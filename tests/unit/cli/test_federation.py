"""``pets site`` and ``pets federation``: what they make, and what a mistake, a stranger's file or Ctrl-C gets."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import ssl
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import pets
from pets.cli import main
from pets.errors import UserError
from pets.federated import connect
from pets.federated.deployment import startup_kit
from pets.federated.deployment.federation_folder import FederationFolder
from pets.federated.deployment.health import Term
from pets.federated.deployment.notices import Notices
from pets.federated.deployment.remote import RemoteFederation
from pets.federated.deployment.site_folder import SiteFolder
from pets.session.session import Session
from tests.unit.federated.site.test_site import BY_AGE, HALF, N, parts
from tests.unit.session.test_session import SCHEMA

SECRET = "P-CANARY-7731"
NAMES = ("north", "east", "west")
POLICY = "tables:\n  stays: {columns: [age, days], aggregates: [count, count_units, mean]}\n"


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sites and their federation, made once; nothing in it is served."""
    root = tmp_path_factory.mktemp("shelf")
    (root / "stays.json").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    (root / "policy.yaml").write_text(POLICY, "utf-8")
    for name, rows in zip(NAMES, parts(3, 90), strict=True):
        rows.to_csv(root / f"{name}.csv", index=False)
        made = ["--data", str(root / f"{name}.csv"), "--schema", str(root / "stays.json"), "--budget-epsilon", "2"]
        assert main.run(["site", "init", str(root / name), *made, "--policy", str(root / "policy.yaml")]) == 0
    assert main.run(["federation", "init", str(root / "trial"), *_entries(root), *_about(root)]) == 0
    return root


def _entries(root: Path, *names: str) -> list[str]:
    return [part for name in names or NAMES for part in ("--site", str(root / name / "entry.json"))]


def _about(root: Path) -> list[str]:
    return ["--schema", str(root / "stays.json"), "--sites-per-person", "1", "--port", "1"]


@pytest.fixture
def run(shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def do(*arguments: object) -> Done:
        code = main.run([str(one) for one in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert SECRET not in said.out + said.err
        return Done(code, said.out, said.err)

    return do


def init(root: Path, *more: object) -> list[object]:
    data = ["--data", root / "north.csv", "--schema", root / "stays.json", "--budget-epsilon", "2"]
    return ["site", "init", "new", *data, *more]


# a site ---------------------------------------------------------------------------------------------------------------


def test_a_site_is_one_command_and_its_owners_alone(shelf: Path) -> None:
    folder = shelf / "north"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "site.key").stat().st_mode & 0o077 == 0
    assert (folder / "policy.yaml").read_text("utf-8") == POLICY
    entry = json.loads((folder / "entry.json").read_text("utf-8"))
    assert entry["name"] == "north"
    assert entry["key"] == (folder / "site.pub").read_text("ascii").strip()
    site = SiteFolder(folder).site
    assert site.session.remaining().budget.epsilon == 2
    assert site.session.tables == ("stays",)


def test_without_a_policy_nothing_is_allowed_and_the_file_says_what_could_be(run: Run, shelf: Path) -> None:
    done = run(*init(shelf))
    assert done.code == 0
    assert "It allows nothing yet" in done.out
    text = Path("new/policy.yaml").read_text("utf-8")
    opened = text.replace("# tables:\n", "tables:\n").replace("#   stays", "  stays").replace("\ntables: {}", "")
    assert "stays" not in SiteFolder(Path("new")).site.policy.tables
    before = json.loads(Path("new/entry.json").read_text("utf-8"))
    Path("new/policy.yaml").write_text(opened, "utf-8")  # as its owner would
    site = SiteFolder(Path("new")).site
    assert site.policy.tables["stays"].columns == ("age", "days", "sex") or "age" in site.policy.tables["stays"].columns
    assert run("site", "status", "new", "--entry", "again.json").code == 0
    assert json.loads(Path("again.json").read_text("utf-8"))["policy"] != before["policy"]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--policy", "none.yaml"], 7, "does not exist"),
        (["--policy", "{root}/north.csv"], 2, "is this the data"),
        (["--polcy", "x"], 2, "No such option"),
        (["--data", "none.csv"], 5, "names table 'stays' twice"),
        (["--budget-delta", "2"], 6, "delta"),
        (["--name", "x" * 33], 2, "1 to 32 small letters, digits and hyphens"),
        (["--name", "../../x"], 2, "'../../x' is none; give one with pets site init --name"),
        (["--name", "Saint Mary"], 2, "'Saint Mary' is none"),
        (["--name", "key-holder"], 2, "is not 'server' or 'key-holder'"),
    ],
)
def test_a_mistake_makes_nothing(run: Run, shelf: Path, change: list[str], code: int, said: str) -> None:
    done = run(*init(shelf, *(text.format(root=shelf) for text in change)))
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert not Path("new").exists()


def test_wrong_files_and_a_folder_that_exists(run: Run, shelf: Path) -> None:
    file = ["--data", "none.csv", "--schema", shelf / "stays.json", "--budget-epsilon", "2"]
    done = run("site", "init", "new", *file)
    assert (done.code, "none.csv" in done.err) == (5, True)
    assert not Path("new").exists()
    done = run(
        "site", "init", "new", "--data", shelf / "north.csv", "--schema", shelf / "north.csv", "--budget-epsilon", 1
    )
    assert (done.code, "is this the data" in done.err) == (3, True)
    Path("new").mkdir()
    assert "exists already" in run(*init(shelf)).err
    assert list(Path("new").iterdir()) == []


def test_ctrl_c_while_a_site_is_made_leaves_nothing(run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "__init__", interrupted)
    done = run(*init(shelf))
    assert (done.code, done.err) == (130, "pets: interrupted; nothing was made\n")
    assert not Path("new").exists()


def test_status_says_where_the_site_stands(run: Run, shelf: Path) -> None:
    done = run("site", "status", shelf / "north")
    assert done.code == 0
    for said in ("Site 'north'", "It allows queries of stays", "none yet", "Spent ε = 0 of 2", "Log: whole"):
        assert said in done.out
    assert "is no site's folder" in run("site", "status", "nowhere").err
    assert run("site", "status", shelf / "north", "--last", "-1").code == 2


def test_a_broken_policy_hides_nothing_else(run: Run, shelf: Path) -> None:
    assert run(*init(shelf)).code == 0
    Path("new/policy.yaml").write_text("tables: {stays: {colums: [age]}}\n", "utf-8")
    done = run("site", "status", "new")
    for said in ("Site 'new'", "NOT usable, so that nothing is answered", "Serves: no", "Budget: ", "Log: whole"):
        assert said in done.out
    assert (done.code, "did you mean 'columns'" in done.err) == (7, True)
    assert "has no entry while its policy cannot be used" in run("site", "status", "new", "--entry", "e.json").err
    assert not Path("e.json").exists()


def test_status_shows_the_newest_requests(shelf: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"at": f"2026-01-0{day}", "state": "committed", "epsilon": 0.1, "table": "t", "what": f"question {day}"}
        for day in range(1, 8)
    ]
    monkeypatch.setattr(pets.Session, "history", lambda self: pd.DataFrame(rows))
    for options, first in (((), 3), (("--last", "2"), 6), (("--last", "0"), 8)):
        said = run("site", "status", shelf / "north", *options).out
        assert [day for day in range(1, 8) if f"question {day}" in said] == list(range(first, 8))


def test_a_log_that_was_altered_is_told(run: Run, shelf: Path) -> None:
    import sqlite3

    assert run(*init(shelf)).code == 0
    with sqlite3.connect("new/ledger.db") as tx:
        for (name,) in tx.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            tx.execute(f"drop trigger {name}")
        tables = [name for (name,) in tx.execute("select name from sqlite_master where type = 'table'")]
        table = next(name for name in tables if "entr" in name or "log" in name)
        column = next(c[1] for c in tx.execute(f"pragma table_info({table})") if c[2].upper() in ("BLOB", "TEXT"))
        tx.execute(f"update {table} set {column} = zeroblob(10) where rowid = 2")
    tx.close()
    done = run("site", "status", "new")
    assert (done.code, "Log: NOT whole." in done.out) == (11, True)
    assert done.err.startswith("pets: the log in 'new/ledger.db': entry 2 was altered")


# joining --------------------------------------------------------------------------------------------------------------


def test_joining_pins_the_roster_and_unpacks_the_kit(run: Run, shelf: Path) -> None:
    trial = shelf / "trial"
    done = run(
        "site", "join", shelf / "north", "--roster", trial / "roster.json", "--kit", trial / "kits" / "north.kit"
    )
    assert done.code == 0
    assert FederationFolder(trial).roster.digest[:16] in done.out
    folder = SiteFolder(shelf / "north")
    assert not folder.site.policy.totals.allow
    assert "exact totals" not in done.out  # of which earlier ones matter to no site that gives none
    assert len(folder.joined) == 1
    startup = folder.path / "kit" / "startup"
    assert sorted(path.name for path in startup.iterdir()) == [
        "client.crt",
        "client.key",
        "fed_client.json",
        "rootCA.pem",
    ]
    assert (startup / "client.key").stat().st_mode & 0o077 == 0
    assert not list(folder.path.rglob("*.sh"))  # nothing that could be run came from the coordinator
    assert run("site", "serve", shelf / "east").err.count("the site is on no roster as it is") == 1


def test_a_strangers_kit_or_roster_is_refused(run: Run, shelf: Path) -> None:
    trial = shelf / "trial"
    join = ["site", "join", shelf / "east", "--roster", trial / "roster.json", "--kit"]
    assert "is for 'west', and this is 'east'" in run(*join, trial / "kits" / "west.kit").err
    assert "is no startup kit" in run(*join, trial / "roster.json").err
    assert "cannot be read" in run(*join, "none.kit").err
    assert "is no roster" in run("site", "join", shelf / "east", "--roster", shelf / "east.csv").err
    assert run(*init(shelf)).code == 0
    done = run("site", "join", "new", "--roster", trial / "roster.json")
    assert (done.code, "the roster does not have site 'new'" in done.err) == (7, True)
    assert SiteFolder(shelf / "east").rosters == ()


def _kit(path: Path, **change: object) -> dict[str, object]:
    return json.loads(path.read_text("utf-8")) | change  # type: ignore[no-any-return]


def _ended(kit: Path) -> dict[str, object]:
    """The kit with a certificate of yesterday, by an authority of its own."""
    key, authority = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    end = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    texts = []
    for name, public in (("pets", authority.public_key()), ("east", key.public_key())):
        made = x509.CertificateBuilder().subject_name(_named(name)).issuer_name(_named("pets")).public_key(public)
        made = made.serial_number(7).not_valid_before(end - dt.timedelta(days=1)).not_valid_after(end)
        texts.append(made.sign(authority, SHA256()).public_bytes(Encoding.PEM).decode())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return _kit(kit, authority=texts[0], certificate=texts[1], key=secret)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_joining_with_a_kit_that_is_damaged_leaves_everything_as_it_was(run: Run, shelf: Path) -> None:
    """A broken kit had removed the working one by the time that it was found out."""
    new, trial = Path("new"), shelf / "trial"
    good, other = trial / "kits" / "east.kit", _kit(trial / "kits" / "north.kit")
    shutil.copytree(shelf / "east", new)
    join = ["site", "join", new, "--roster", trial / "roster.json", "--kit"]
    assert run(*join, good).code == 0
    before = _files(new / "kit") | _files(new / "rosters")
    assert len(before) >= 5
    broken = [
        _kit(good, certificate="north"),
        _kit(good, certificate="-----BEGIN CERTIFICATE-----\n\u00e9\n-----END CERTIFICATE-----\n"),
        _kit(good, key=""),
        _kit(good, key=other["key"]),
        _kit(good, certificate=other["certificate"], key=other["key"]),
        _kit(good, authority=_kit(good)["certificate"]),
        _kit(good, port=0),
        _kit(good, port=True),
    ]
    for form in broken:
        Path("broken.kit").write_text(json.dumps(form), "utf-8")
        done = run(*join, "broken.kit")
        assert (done.code, "is damaged, and nothing was changed; ask the coordinator" in done.err) == (2, True), form
    Path("broken.kit").write_text(json.dumps(_ended(good)), "utf-8")
    assert "the startup kit ended on " in run(*join, "broken.kit").err
    assert _files(new / "kit") | _files(new / "rosters") == before
    assert run(*join, good).code == 0


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_folder_that_others_can_look_into_is_refused(run: Run, shelf: Path, mode: int) -> None:
    folders = {"site": shelf / "north", "federation": shelf / "trial"}
    assert run("keyholder", "init", "holder").code == 0
    folders["keyholder"] = Path("holder")
    for command, folder in folders.items():
        folder.chmod(mode)
        try:
            done = run(command, "status", folder)
            said = f"pets: {str(folder)!r} is open to others, and holds keys; run: chmod 700 {folder}\n"
            assert (done.code, done.out, done.err) == (2, "", said)
        finally:
            folder.chmod(0o700)
    assert run("site", "status", shelf / "north").code == 0


def test_an_edited_policy_needs_a_new_roster(run: Run, shelf: Path) -> None:
    west, trial = shelf / "west", shelf / "trial"
    assert run("site", "join", west, "--roster", trial / "roster.json", "--kit", trial / "kits" / "west.kit").code == 0
    (west / "policy.yaml").write_text(POLICY + "max_epsilon: 0.1\n", "utf-8")
    assert "as it no longer is" in run("site", "status", west).out
    done = run("site", "serve", west)
    assert (done.code, "on no roster as it is" in done.err) == (2, True)
    (west / "policy.yaml").write_text("tables: {stays: {colums: [age]}}\n", "utf-8")
    done = run("site", "status", west)
    assert (done.code, "did you mean 'columns'" in done.err) == (7, True)
    (west / "policy.yaml").write_text(POLICY, "utf-8")


# a federation ---------------------------------------------------------------------------------------------------------


def test_a_federation_is_one_command_and_its_coordinators_alone(shelf: Path) -> None:
    trial = shelf / "trial"
    assert trial.stat().st_mode & 0o077 == 0
    for name in NAMES:
        assert (trial / "kits" / f"{name}.kit").stat().st_mode & 0o077 == 0
    keys = [path for path in trial.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    parties = {"coordinator.key", "analyst.key", "server.key", "client.key", *(f"{name}.kit" for name in NAMES)}
    assert {path.name for path in keys} == {*parties, "authority.json"}  # which signs renewed kits
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
    assert FederationFolder(trial).names == NAMES


def test_sites_that_do_not_fit_together(run: Run, shelf: Path) -> None:
    done = run("federation", "init", "t", *_entries(shelf, "north", "east"), *_about(shelf))
    assert (done.code, "3 to 4,096 sites" in done.err) == (7, True)
    done = run("federation", "init", "t", *_entries(shelf), *_about(shelf), "--dropouts", "1")
    assert (done.code, "cannot lose 1" in done.err) == (7, True)
    done = run("federation", "init", "t", *_entries(shelf), *_about(shelf), "--host", "a b")
    assert (done.code, "a machine's name" in done.err) == (2, True)
    done = run("federation", "init", "t", "--site", shelf / "stays.json", *_entries(shelf), *_about(shelf))
    assert (done.code, "is no site's entry" in done.err) == (2, True)
    entry = json.loads((shelf / "north" / "entry.json").read_text("utf-8"))
    Path("strange.json").write_text(json.dumps(entry | {"name": "../../x"}), "utf-8")  # by another version, or by hand
    done = run("federation", "init", "t", "--site", "strange.json", *_entries(shelf), *_about(shelf))
    assert (done.code, "'../../x' is none" in done.err) == (2, True)
    other = pets.Schema({"stays": SCHEMA.table("stays")}, dataset="another")
    Path("other.json").write_text(json.dumps(other.to_json()), "utf-8")
    done = run("federation", "init", "t", *_entries(shelf), *_about(shelf)[2:], "--schema", "other.json")
    assert (done.code, "has another schema" in done.err) == (7, True)
    assert not Path("t").exists()


def test_a_server_that_is_away(run: Run, shelf: Path) -> None:
    for verb in (["status"], ["query", "--count", "n", "--epsilon", "0.5"]):
        done = run("federation", verb[0], shelf / "trial", *verb[1:])
        assert done.code == 2
        assert ("3 sites must stay to the end" in done.out) == (verb == ["status"])  # what is known is said
        assert done.err.startswith(
            "pets: the federation's server cannot be reached at localhost:1 (Connection refused); start it"
        )
    assert "is no federation's folder" in run("federation", "status", "nowhere").err


def test_ctrl_c_while_sites_answer(run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: RemoteFederation, *_: object, **__: object) -> None:
        self.lost = {"east": "no reply"}
        raise KeyboardInterrupt

    monkeypatch.setattr(RemoteFederation, "release", interrupted)
    done = run("federation", "query", shelf / "trial", "--count", "n", "--epsilon", "0.5")
    said = "pets: interrupted; no answer was shown, but sites whose data had been opened stay charged\n"
    assert (done.code, done.out, done.err) == (130, "", f"site east: no reply\n{said}")


def test_a_query_that_cannot_be_asked_needs_no_server(run: Run, shelf: Path) -> None:
    ask = ["federation", "query", shelf / "trial"]
    assert "did you mean 'age'" in run(*ask, "--by", "agee", "--count", "n", "--epsilon", "0.5").err
    assert "not both" in run(*ask, "--count", "n", "--epsilon", "0.5", "--total").err
    assert "say how strongly to protect" in run(*ask, "--count", "n").err
    assert "patience" in run(*ask, "--count", "n", "--total", "--patience", "0").err
    assert "no way to combine" in run(*ask, "--count", "n", "--epsilon", "1", "--secure", "maskd").err
    assert "must end in" in run(*ask, "--count", "n", "--epsilon", "1", "--out", "a.doc").err


def test_a_quote_says_when_exact_totals_are_withheld(run: Run, shelf: Path) -> None:
    """A site with fewer than ten events withholds a survival curve, and nobody was told so beforehand."""
    curve = pets.query("stays").group_by("days").agg(n=pets.count(), d=pets.count(where=pets.col("age").isin(["old"])))
    Path("curve.json").write_text(json.dumps(curve.to_json()), "utf-8")
    ask = ["federation", "quote", shelf / "trial", "--total"]
    said = " ".join(run(*ask, "--query", "curve.json").out.split())
    assert "fewer rows than its min_cohort (10 unless its policy says otherwise)" in said
    assert "among those that are asked about, or among those that 'd' counts; and" in said
    assert "all 3 sites must allow them and answer" in said
    assert "at a site with few of them it is withheld" in said
    assert "min_cell (0 if it does not)" in said
    plain = " ".join(run(*ask, "--count", "n").out.split())
    assert "among those that are asked about; and" in plain
    assert "survival" not in plain
    assert "min_cell" not in plain
    assert "clip" not in plain
    sums = pets.query("stays").agg(x=pets.mean("cost", clip=(0, 5)), y=pets.sum("days")).bound(groups=1)
    Path("sums.json").write_text(json.dumps(sums.group_by("age").to_json()), "utf-8")
    said = " ".join(run(*ask, "--query", "sums.json").out.split())
    assert "refuses an own clip or step before it opens its data" in said and "leave them out of 'x'." in said
    assert "leave groups out of bound" in said
    assert "not both" in run(*ask, "--count", "n", "--epsilon", "1").err


def test_a_synthetic_tables_bins_are_those_of_the_flags(run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, object]] = []

    def stopped(self: RemoteFederation, rows: int | None, **settings: object) -> None:
        given.append(settings | {"rows": rows})
        raise KeyboardInterrupt

    monkeypatch.setattr(RemoteFederation, "synthesise", stopped)
    ask = ["federation", "synthesise", shelf / "trial", "--epsilon", "1", "--out", "made.csv"]
    assert run(*ask, "--bins", "days:0,3,15", "--bins", "cost:8", "--column", "days", "--column", "cost").code == 130
    assert (given[0]["bins"], given[0]["columns"]) == ({"days": [0, 3, 15], "cost": 8}, ["days", "cost"])
    assert run(*ask).code == 130
    assert (given[1]["bins"], given[1]["columns"]) == (None, None)
    done = run(*ask, "--bins", "days")
    assert (done.code, "written as column:edges" in done.err, len(given)) == (2, True, 2)


def test_a_quote_and_a_dummy_ask_nobody(run: Run, shelf: Path) -> None:
    done = run("federation", "quote", shelf / "trial", "--by", "age", "--count", "n", "--epsilon", "0.5")
    assert done.code == 0
    assert "whether it fits is for each site's own account to say" in done.out
    many = connect(shelf / "trial")
    several = many.quote([N, BY_AGE], HALF)
    assert several.epsilon > 0.5
    assert several.delta == many.roster.delta
    assert many.dummy(rows=20).release(N, pets.Exact()).data == "dummy"
    for verb in (many.remaining, many.history):
        with pytest.raises(UserError, match="the federation's server cannot be reached"):
            verb()
    with pytest.raises(UserError, match="last must be a whole number from 1 to 10,000"):
        many.history(0)
    assert "--last must be a whole number" in run("federation", "status", shelf / "trial", "--last", "-1").err


def test_without_the_extra_it_is_named(run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvflare.apis.controller_spec", None)
    for name in [name for name in sys.modules if name.startswith("pets.federated.deployment.nvflare_engine")]:
        monkeypatch.delitem(sys.modules, name)
    done = run("federation", "query", shelf / "trial", "--count", "n", "--epsilon", "0.5")
    assert (done.code, "pip install 'pets-privacy[federated]'" in done.err) == (8, True)
    done = run("federation", "init", "t", *_entries(shelf), *_about(shelf))
    assert (done.code, "pip install 'pets-privacy[federated]'" in done.err) == (8, True)
    assert not Path("t").exists()


# kits -----------------------------------------------------------------------------------------------------------------


def test_a_sites_nvflare_builds_its_own_few_classes_and_runs_nobodys_code(shelf: Path) -> None:
    from nvflare.app_common.widgets.component_path_authorizer import ComponentPathAuthorizer
    from nvflare.security.security import COMMAND_CATEGORIES

    file = startup_kit.site_resources()
    guard = ComponentPathAuthorizer()
    allowed, mode, default = guard._get_policy_from_resources(file)
    assert (mode.value, default) == ("enforce", False)
    assert len(allowed) == 4
    assert startup_kit.CARRIER in allowed
    assert not any(path.endswith(".") or path == "*" for path in allowed)  # no whole packages
    assert file["allow_log_streaming"] is False
    for site, given in ((True, startup_kit._AT_SITES), (False, startup_kit._AT_SERVER)):
        roles = startup_kit.permissions(given)["permissions"]
        assert {role: rights["byoc"] for role, rights in roles.items()} == dict.fromkeys(roles, "none")
        assert all(rights[right] == "none" for rights in roles.values() for right in ("shell_commands", "operate"))
        assert all(rights["download_job"] == "none" for rights in roles.values())
        assert set(COMMAND_CATEGORIES.values()) <= set(roles["lead"])  # no right was forgotten
        assert roles["lead"].get("app_command") == (None if site else "any")
        assert all(set(roles[role].values()) == {"none"} for role in roles if role != "lead")
    job = startup_kit.write_job(shelf)
    forms = [json.loads(path.read_text("utf-8")) for path in sorted(job.rglob("*.json"))]
    assert {"post", startup_kit.POST} < set(_texts(forms))
    assert startup_kit.CARRIER in set(_texts(forms))


def _texts(form: object) -> list[str]:
    if isinstance(form, dict):
        return [text for value in form.values() for text in _texts(value)]
    if isinstance(form, list):
        return [text for value in form for text in _texts(value)]
    return [form] if isinstance(form, str) else []


def test_what_is_edited_in_a_kit_is_written_anew_at_each_start(shelf: Path, tmp_path: Path) -> None:
    trial = shelf / "trial"
    startup_kit.unpack(startup_kit.read(trial / "kits" / "north.kit", "north"), tmp_path / "kit")
    loose = {"class_allow_list": ["*"], "class_list_enforcement_mode": "warn"}
    local = tmp_path / "kit" / "local"
    (local / "resources.json").write_text(json.dumps(loose), "utf-8")
    startup_kit.harden(tmp_path / "kit", server=False)
    assert json.loads((local / "resources.json").read_text("utf-8")) == startup_kit.site_resources()


def test_a_kits_secret_is_in_no_repr(shelf: Path) -> None:
    found = startup_kit.read(shelf / "trial" / "kits" / "north.kit", "north")
    assert "PRIVATE KEY" in found.key
    assert "PRIVATE" not in repr(found)


# a year later, and a bad day ------------------------------------------------------------------------------------------


def test_kits_are_renewed_and_a_site_takes_its_own(run: Run, shelf: Path, tmp_path: Path) -> None:
    for name in ("trial", "north"):
        shutil.copytree(shelf / name, tmp_path / name, ignore=shutil.ignore_patterns("kit"))
    assert run("site", "renew", "north", "--kit", "trial/kits/north.kit").code == 2  # there is none to be renewed
    assert run("site", "join", "north", "--roster", "trial/roster.json", "--kit", "trial/kits/north.kit").code == 0
    crt, server = Path("north/kit/startup/client.crt"), Path("trial/server/startup/server.crt")
    admin = Path("trial/admin/startup/client.crt")
    before = [file.read_bytes() for file in (crt, server, admin)]
    authority = Path("trial/authority.json")
    assert authority.stat().st_mode & 0o077 == 0
    root = Path("trial/server/startup/rootCA.pem").read_bytes()
    key = Path("trial/server/startup/server.key")
    kept = key.read_bytes()
    done = run("federation", "renew", "trial")
    assert done.code == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server, key)  # they go together
    assert "The kits that were handed out before are good until their own end." in done.out
    assert Path("trial/server/startup/rootCA.pem").read_bytes() == root
    assert key.read_bytes() == kept  # which signed what sites in touch go on with
    assert all(file.read_bytes() != was for file, was in zip((server, admin), before[1:], strict=True))
    assert Path("trial/kits/north.kit").stat().st_mode & 0o077 == 0
    assert run("site", "renew", "north", "--kit", "trial/kits/east.kit").code == 2
    assert crt.read_bytes() == before[0]
    done = run("site", "renew", "north", "--kit", "trial/kits/north.kit")
    assert done.code == 0
    assert f"Kit: its certificate holds until {Term.of(Path('north/kit')).ends:%Y-%m-%d}." in done.out
    assert crt.read_bytes() != before[0]
    authority.unlink()  # as an earlier version of pets left it
    done = run("federation", "renew", "trial")
    assert "no party is in touch until it takes its new kit" in done.out
    assert Path("trial/server/startup/rootCA.pem").read_bytes() != root
    assert run("federation", "renew", "trial").out.count("good until their own end") == 1


def test_a_sites_status_shows_its_troubles_and_its_newest_notices(
    run: Run, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shelf / "north", tmp_path / "north", ignore=shutil.ignore_patterns("kit"))
    done = run("site", "status", "north")
    assert "Serves: no process does now.\nKit: none yet; join with --kit FILE.\nBudget: " in done.out
    assert "TROUBLE" not in done.out
    assert "Incidents" not in done.out
    notices = Notices(tmp_path / "north", lambda line: None)
    for number in range(7):
        notices.note(f"notice {number}")
    SiteFolder(Path("north")).site.session.ledger.incidents.note("0123456789ab", SECRET)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**6))
    done = run("site", "status", "north")
    assert "TROUBLE: The disk of 'north' has less than 256 MB left" in done.out
    assert [f"notice {number}" in done.out for number in range(7)] == [False, False] + [True] * 5
    assert "Incidents: pets ledger incident --ledger north/ledger.db" in done.out
    said = main.run(["ledger", "incident", "--ledger", "north/ledger.db", "0123456789ab"])
    assert said == 0
