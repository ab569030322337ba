"""What the pages of running a service ship: manifests that Kubernetes takes, units and commands that pets takes."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pets.cli.main import app
from pets.schema.schema import Schema
from pets.service.config import Config

kubernetes_validate = pytest.importorskip("kubernetes_validate")

ROOT = Path(__file__).resolve().parents[2]
RUNNING = ROOT / "docs" / "running"
MANIFESTS = sorted(path for path in (RUNNING / "kubernetes").glob("*.yaml") if path.stem != "kustomization")
UNITS = sorted((RUNNING / "systemd").glob("*.service"))
VERSIONS = ("1.32", "1.37")  # the oldest that is still run widely, and a new one


def objects(path: Path) -> list[dict[str, Any]]:
    return [dict(one) for one in yaml.safe_load_all(path.read_text("utf-8"))]


EVERY = [one for path in MANIFESTS for one in objects(path)]


def named(kind: str, name: str) -> dict[str, Any]:
    return next(one for one in EVERY if (one["kind"], one["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_takes_each_manifest(path: Path, version: str) -> None:
    for one in objects(path):
        kubernetes_validate.validate(one, version, strict=True)


def test_the_check_of_manifests_bites() -> None:
    wrong = named("Deployment", "pets-serve")
    wrong = {**wrong, "spec": {**wrong["spec"], "replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_manifest_is_applied_and_what_it_names_is_there() -> None:
    listed = yaml.safe_load((RUNNING / "kubernetes" / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert sorted(listed) == [path.name for path in MANIFESTS]
    page = (RUNNING / "kubernetes.md").read_text("utf-8")
    secrets = set(re.findall(r"create secret generic ([\w-]+)", page))
    for one in EVERY:
        if one["kind"] not in ("Deployment", "Job"):
            continue
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                named("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            if "configMap" in volume:
                named("ConfigMap", volume["configMap"]["name"])
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets
        assert {source["secretRef"]["name"] for source in container.get("envFrom", [])} <= secrets


def test_only_what_answers_reaches_rows() -> None:
    for one in EVERY:
        if one["kind"] in ("Deployment", "Job"):
            mounts = {
                mount["name"]: mount for mount in one["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
            }
            listens = one["metadata"]["name"] == "pets-serve"
            assert not (listens and "data" in mounts) and mounts["ready"].get("readOnly", False) is listens
    rows = named("NetworkPolicy", "pets-rows")["spec"]
    assert rows["ingress"] == [] and rows["podSelector"]["matchExpressions"][0]["values"] == ["answer", "snapshot"]


def test_the_configuration_is_one_that_pets_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in named("ConfigMap", "pets-config")["data"].items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.setenv("PETS_LEDGER", "postgresql://pets:secret@db/pets")
    found = Config.load(tmp_path / "service.yaml")
    (opening,) = found.openings
    assert (found.processes, found.port, found.metrics) == (0, 8470, True) and opening.keys == "/srv/keys/pets"
    assert Schema.load(tmp_path / "stays.yaml").dataset == "hospital-stays"
    probes = named("Deployment", "pets-serve")["spec"]["template"]["spec"]["containers"][0]
    assert probes["ports"][0]["containerPort"] == found.port


# commands -----------------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of pets on the pages, in the units and in the manifests, and where it stands."""
    for page in [*sorted(RUNNING.glob("*.md")), ROOT / "docs" / "service.md"]:
        text = page.read_text("utf-8").replace("\\\n", " ")
        for line in re.findall(
            r"^(?:.*sh -c ')?(pets [a-z].*)$", "\n".join(re.findall(r"```bash\n(.*?)```", text, re.S)), re.M
        ):
            yield page.name, shlex.split(line.rstrip("'"), comments=True)[1:]
    for unit in UNITS:
        parsed = configparser.ConfigParser(strict=False, interpolation=None)
        parsed.optionxform = str  # type: ignore[assignment, method-assign]
        parsed.read(unit, "utf-8")
        program, *words = shlex.split(parsed["Service"]["ExecStart"])
        assert program == "/opt/pets/bin/pets"
        yield unit.name, words
    for one in EVERY:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]["containers"][0]["args"]


def refused(words: list[str]) -> str:
    """Why the command line would not take these words; empty where it does. Nothing runs."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("pets", [], resilient_parsing=True)
    rest = list(words)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    for word in rest:
        if word.startswith("--") and word not in known:
            return f"no flag {word}"
    needed = {one.opts[0] for one in command.params if one.required and one.opts[0].startswith("--")}
    missing = needed - set(rest)
    del context
    return f"{', '.join(sorted(missing))} is missing" if missing else ""


def test_every_command_is_one_that_pets_takes() -> None:
    every = list(commands())
    assert {where for where, _ in every} >= {"server.md", "backup.md", "kubernetes.md", "pets.service", "pets-snapshot"}
    assert [(where, words, why) for where, words in every if (why := refused(words))] == []


def test_the_check_of_commands_bites() -> None:
    assert refused(["srve"]) == "no command srve"
    assert refused(["serve", "--confg", "x"]) == "no flag --confg"
    assert refused(["answer"]) == "--config is missing"


def test_units_name_what_systemd_knows() -> None:
    known = {
        *(
            "User",
            "WorkingDirectory",
            "EnvironmentFile",
            "ExecStart",
            "Restart",
            "RestartSec",
            "TimeoutStopSec",
            "UMask",
            "MemoryMax",
        ),
        *("NoNewPrivileges", "ProtectSystem", "ProtectHome", "ReadWritePaths", "PrivateTmp", "PrivateDevices"),
        *("ProtectKernelTunables", "ProtectControlGroups", "RestrictAddressFamilies", "CapabilityBoundingSet"),
    }
    for unit in UNITS:
        parsed = configparser.ConfigParser(strict=False, interpolation=None)
        parsed.optionxform = str  # type: ignore[assignment, method-assign]
        parsed.read(unit, "utf-8")
        assert set(parsed["Service"]) <= known and parsed["Install"]["WantedBy"] == "multi-user.target"
