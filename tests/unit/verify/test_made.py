"""The checker of synthetic tables: their bytes, answers and price; every lie but the listed ones is refused."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.ledger.log import verifier
from pets.ledger.publish import export
from pets.session.synthesis.attest import attested
from pets.synthetic.synthetic_release import SyntheticRelease
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.session.synthesis.test_synthesise import AIM, opened
from tests.unit.verify.test_check import FOLDER, Made, moved, said_of

TREE: dict[str, Any] = {"columns": ["sex", "ward"], "rows": 10, "progress": False}
FREE = {"settings", "marginals", "level", "enough", "what", "marker", "made_with", "tables", "notes"}
"""Parts of a manifest that may say anything: nothing follows from them. (Notes stand in the certificate, too.)"""


class World:
    """Sessions whose synthetic tables were signed, with the ledger that can sign them again."""

    def __init__(self, session: pets.Session) -> None:
        self.session, self.key = session, session.ledger.key.raw
        self.maker = object.__new__(Made)
        self.maker.ledger, self.maker.key = session.ledger, self.key

    def signed(self, form: Any, said: Any) -> Any:
        """A file that says so, signed by the ledger's own key in a log that fits."""
        with self.session.ledger.reading() as tx:
            self.maker.log = [(body, chain) for body, _, chain in tx.entries()]
        return json.loads(self.maker.signed(form, said)[0])


@pytest.fixture(scope="module")
def world() -> World:
    return World(opened())


@pytest.fixture(scope="module")
def tree(world: World) -> SyntheticRelease:
    return world.session.synthesise(epsilon=1, **TREE)


@pytest.fixture(scope="module")
def aim(world: World) -> SyntheticRelease:
    return world.session.synthesise(epsilon=2, **AIM)


def refused(file: Any, key: bytes, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        check(canonical(file), key, **named)
    return str(caught.value)


@pytest.mark.chance(0)
def test_a_tree_and_an_aim_hold(world: World, tree: SyntheticRelease, aim: SyntheticRelease, tmp_path: Path) -> None:
    for made, count in ((tree, 3), (aim, 1)):
        assert isinstance(made.certificate, pets.release.certificate.Certificate)
        assert made.certificate.predicate["release_id"] == made.id and "Certificate of release" in str(made.certificate)
        made.save(tmp_path / "rows.csv")
        file = (tmp_path / "rows.certificate.json").read_bytes()
        digest = hashlib.sha256((tmp_path / "rows.csv").read_bytes()).hexdigest()
        said = check(file, world.key, tables={"rows.csv": digest})
        assert said.startswith(made.guarantee) and f"{count} certificate(s), {made.cost['loss']} units" in said
        assert digest in said and "not checked, since no program can know it" in said
        assert verifier.verify(file, world.key).startswith("Genuine: ")
        other = hashlib.sha256(b"x").hexdigest()
        assert "rows.csv is no table" in refused(json.loads(file), world.key, tables={"rows.csv": other})
    assert aim.certified is not None and aim.certified["payload"] in json.dumps(aim.derived)
    public = world.session.ledger
    with public.reading() as tx:
        lines = [export.line(body, None, chain) for body, _, chain in tx.entries()]
        (tmp_path / "log").write_bytes(export.header("public", public.key, public.checkpoint(tx)) + b"".join(lines))
    assert export.verify(tmp_path / "log", key=public.key).accounts[0].unbounded == 0


@pytest.mark.chance(0)
def test_pure_budgets_dummy_rows_and_engines_hold() -> None:
    pure = opened(pets.Budget(epsilon=8))
    made = pure.synthesise(epsilon=1, **TREE)
    assert "with ε = 1:" in check(canonical(made.to_check), pure.ledger.key.raw)
    twin = pure.dummy(rows=300).synthesise(epsilon=1, **TREE)
    key = twin.releases[0].certificate
    assert key is not None and twin.certificate is not None and twin.certificate.key_id == key.key_id
    parts = {"method": "ctgan", "releases": (), "epsilon": None, "delta": None, "rho": None, "settings": {}}
    parts |= {"cost": {"currency": "pure", "loss": 0, "delta": 0}, "certificate": None, "derived": None}
    parts["guarantee"] = (
        "No formal guarantee: the engine saw the rows, and what it remembers of a person is not bounded (unbounded; "
        "named on every later release)."
    )
    bare = SyntheticRelease(**{**vars(made), **parts})
    bare = attested(pure.custody, bare, [], {"kind": "synthetic", "method": "ctgan"})
    said = check(canonical(bare.to_check), pure.ledger.key.raw)
    assert said.startswith("No formal guarantee") and "0 certificate(s), 0 units" in said
    assert bare.certificate is not None and json.loads(bare.certificate.predicate["log"]["entry"])["unbounded"] is True


@pytest.mark.chance(0)
def test_signing_the_truth_again_changes_nothing(world: World, tree: SyntheticRelease, aim: SyntheticRelease) -> None:
    for made in (tree, aim):
        assert check(canonical(world.signed(made.derived, said_of(made))), world.key)  # type: ignore[arg-type]


@pytest.mark.chance(0)
def test_every_signed_lie_is_refused_but_those_on_the_list(world: World, tree: SyntheticRelease) -> None:
    form, said, missed, tried = tree.derived, said_of(tree), [], 0  # type: ignore[arg-type]
    places = [("form", path) for path in leaves(form) if path[0] not in ("schema", "from")]
    places += [("form", path) for path in list(leaves(form))[::7] if path[0] in ("schema", "from")]
    places += [("said", path) for path in leaves(said) if path[0] not in ("log", "assumptions", "engine_versions")]
    for where, path in places:
        lie = (edited(form, path, moved), said) if where == "form" else (form, edited(said, path, moved))
        tried += 1
        try:
            check(canonical(world.signed(*lie)), world.key)
        except (Refused, CannotCheck):
            continue
        except Exception as error:
            raise AssertionError(f"{where} {path}: {error!r}") from error
        missed.append((where, *path))
    manifest = {one for one in missed if one[:2] == ("form", "manifest") and one[2] in FREE}
    elsewhere = {one for one in missed if one[:2] == ("form", "tables")}
    elsewhere |= {one for one in missed if one[1] in ("service", "other_releases", "budget", "request_id")}
    others = set(missed) - manifest - elsewhere
    assert not others and tried > 100


@pytest.mark.chance(0)
def test_answers_that_cost_more_than_is_stated(world: World, tree: SyntheticRelease, aim: SyntheticRelease) -> None:
    form: Any = tree.derived
    fewer = form | {"from": form["from"][:-1]}
    assert "its ε is not that of its answers" in refused(world.signed(fewer, said_of(tree)), world.key)  # type: ignore[arg-type]
    twice = form | {"from": [*form["from"], form["from"][0]]}
    assert "lose more than the ε" in refused(world.signed(twice, said_of(tree)), world.key)  # type: ignore[arg-type]
    for about, why in (("losses", "something else than it states"), ("scales", "something else than it states")):
        inner = pets.release.certificate.Certificate(dict(aim.certified or {})).predicate
        rounds = inner["dp"]["rounds"]
        value = [2 * loss for loss in rounds[0]["losses"]] if about == "losses" else ["1"]
        inner = inner | {"dp": inner["dp"] | {"rounds": [rounds[0] | {about: value}, *rounds[1:]]}}
        lie = aim.derived | {"from": [world.signed({}, inner)["certificate"]]}  # type: ignore[operator]
        assert why in refused(world.signed(lie, said_of(aim)), world.key)  # type: ignore[arg-type]
    inner = pets.release.certificate.Certificate(dict(aim.certified or {})).predicate
    more = inner["dp"]["rounds"] + inner["dp"]["rounds"][-1:]
    lie = aim.derived | {"from": [world.signed({}, inner | {"dp": inner["dp"] | {"rounds": more}})["certificate"]]}  # type: ignore[operator]
    assert "lose more than was charged" in refused(world.signed(lie, said_of(aim)), world.key)  # type: ignore[arg-type]


@pytest.mark.chance(0)
def test_a_table_of_no_people_has_the_name_of_its_rows(world: World, tree: SyntheticRelease) -> None:
    """People whom nobody named would give a table any name that is signed with it."""
    form: Any = copy.deepcopy(tree.derived)
    form["manifest"]["settings"]["people"] = None
    assert "it says of no people that they are its rows" in refused(world.signed(form, said_of(tree)), world.key)
    for tables in (form["tables"], form["manifest"]["tables"]):
        tables["deaths"] = tables.pop("stays")
    for settings in ({"people": None}, {}):
        form["manifest"]["settings"] = settings
        assert refused(world.signed(form, said_of(tree)), world.key)


@pytest.mark.chance(0)
def test_what_cannot_be_checked(world: World, tree: SyntheticRelease, aim: SyntheticRelease) -> None:
    form: Any = tree.derived
    for changed in (form | {"kind": "forecast"}, form | {"version": 2}):
        with pytest.raises(CannotCheck, match="made in a way that this checker does not know"):
            check(canonical(world.signed(changed, said_of(tree))), world.key)  # type: ignore[arg-type]
    inner = pets.release.certificate.Certificate(dict(aim.certified or {})).predicate
    inner = inner | {"dp": {name: part for name, part in inner["dp"].items() if name != "rounds"}}
    before = aim.derived | {"from": [world.signed({}, inner)["certificate"]]}  # type: ignore[operator]
    with pytest.raises(CannotCheck, match="rounds"):
        check(canonical(world.signed(before, said_of(aim))), world.key)  # type: ignore[arg-type]
    with pytest.raises(CannotCheck, match="saved beside it"):
        check(canonical(tree.releases[0].to_json()), world.key, tables={"rows.csv": "0"})


@pytest.mark.chance(0)
def test_it_runs_alone(world: World, tree: SyntheticRelease, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    tree.save(tmp_path / "rows.csv")
    (tmp_path / "ledger.pub").write_text(world.key.hex() + "\n")

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "check.py", "rows.certificate.json", "ledger.pub", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        return done.returncode, done.stdout + done.stderr

    assert run("--table", "rows.csv")[0] == 0
    (tmp_path / "rows.csv").write_text((tmp_path / "rows.csv").read_text() + "x\n")
    assert run("--table", "rows.csv")[0] == 11
