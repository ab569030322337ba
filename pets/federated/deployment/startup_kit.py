"""Kits: what a party runs NVFlare from, with everything turned off that the protocol does not need.

In a kit as pets writes it: only the classes named here may be built from a job (enforced), nobody's code is run (no
BYOC, for no role), nobody restarts, browses or downloads from a site, and no log leaves it. The folder is for its
owner only.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from pets.common.codec import Json
from pets.errors import UserError, shown
from pets.federated.deployment.kit_check import check_kit

CARRIER = "pets.federated.deployment.nvflare_engine.Carrier"
POST = "pets.federated.deployment.nvflare_engine.Post"
_SITE_LAUNCHER = "pets.federated.deployment.nvflare_engine.SiteLauncher"
_SERVER_LAUNCHER = "pets.federated.deployment.nvflare_engine.ServerLauncher"
_COMMON = "nvflare.app_common."
_ROLES = ("project_admin", "org_admin", "lead", "member")
_RIGHTS = ("submit_job", "clone_job", "manage_job", "download_job", "view", "operate", "shell_commands", "byoc")
_AT_SITES = {"submit_job": "any", "manage_job": "any", "view": "any"}
"""What the coordinator may do: run the job that carries messages, stop it, and see whether it runs."""
_AT_SERVER = _AT_SITES | {"app_command": "any"}
"""And hand messages to it."""

_SITE_PARTS = {
    "resource_manager": (
        f"{_COMMON}resource_managers.gpu_resource_manager.GPUResourceManager",
        {"num_of_gpus": 0, "mem_per_gpu_in_GiB": 0},
    ),
    "resource_consumer": (f"{_COMMON}resource_consumers.gpu_resource_consumer.GPUResourceConsumer", {}),
    "process_launcher": (_SITE_LAUNCHER, {}),
}
_STORAGE = f"{_COMMON}storages.filesystem_storage.FilesystemStorage"
_SNAPSHOTS = f"{_COMMON}state_persistors.storage_state_persistor.StorageStatePersistor"


LOGS: Json = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}},
    "root": {"level": "WARNING", "handlers": ["out"]},
}
"""Warnings and errors, to the process's own log file."""


def permissions(given: Json) -> Json:
    """NVFlare's authorization policy: the lead may do what is given; every other right is nobody's."""
    nothing = dict.fromkeys((*_RIGHTS, "server-predeployed-flwr"), "none")
    roles = {role: nothing | (given if role == "lead" else {}) for role in _ROLES}
    return {"format_version": "1.0", "permissions": roles}


def site_resources() -> Json:
    """What a site's NVFlare process is made of, and the only classes that may ever be built in it."""
    parts = [{"id": name, "path": path, "args": args} for name, (path, args) in _SITE_PARTS.items()]
    return {
        "format_version": 2,
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [CARRIER, *(path for path, _ in _SITE_PARTS.values())],
        "allow_log_streaming": False,
        "client": {"retry_timeout": 30},
        "components": parts,
    }


def server_resources(folder: Path) -> Json:
    """The same for the server; jobs and states are kept in its own folder."""
    scheduler = f"{_COMMON}job_schedulers.job_scheduler.DefaultJobScheduler"
    manager = "nvflare.apis.impl.job_def_manager.SimpleJobDefManager"
    states = {"path": _STORAGE, "args": {"root_dir": str(folder / "states"), "uri_root": "/"}}
    jobs = {"uri_root": str(folder / "jobs"), "job_store_id": "job_store"}
    return {
        "format_version": 2,
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [POST, scheduler, manager, _SERVER_LAUNCHER, _STORAGE, _SNAPSHOTS],
        "servers": [
            {"admin_storage": "transfer", "max_num_clients": 4096, "heart_beat_timeout": 60, "admin_timeout": 10.0}
        ],
        "snapshot_persistor": {"path": _SNAPSHOTS, "args": {"uri_root": "/", "storage": states}},
        "components": [
            {"id": "job_scheduler", "path": scheduler, "args": {"max_jobs": 4}},
            {"id": "job_manager", "path": manager, "args": jobs},
            {"id": "job_store", "path": _STORAGE},
            {"id": "process_launcher", "path": _SERVER_LAUNCHER, "args": {}},
        ],
    }


JOB = "pets-carry"


def write_job(folder: Path) -> Path:
    """The job that carries messages. It holds two class names, and no data, no code and no address."""
    job = folder / JOB
    config = job / "app" / "config"
    config.mkdir(parents=True)
    forms = {
        job / "meta.json": {
            "name": JOB,
            "resource_spec": {},
            "deploy_map": {"app": ["@ALL"]},
            "min_clients": 1,
        },
        config / "config_fed_server.json": {
            "format_version": 2,
            "workflows": [{"id": "post", "path": POST, "args": {}}],
        },
        config / "config_fed_client.json": {
            "format_version": 2,
            "executors": [{"tasks": ["pets"], "executor": {"path": CARRIER, "args": {}}}],
        },
    }
    for path, form in forms.items():
        _written(path, form)
    return job


@dataclass(frozen=True)
class Kit:
    """What one party needs to reach the others: addresses and certificates, and no line of code.

    Attributes:
        party: its name; empty for the server.
        federation, host, port: where the server is.
        authority, certificate: PEM texts, public.
        key: the PEM text of the TLS key. It protects the line only: messages are signed with the site's own key.
    """

    party: str
    federation: str
    host: str
    port: int
    authority: str
    certificate: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        texts = (self.party, self.federation, self.host, self.authority, self.certificate, self.key)
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.port, int):
            raise UserError("this is no startup kit; ask the coordinator for the file again")

    def save(self, path: Path) -> None:
        """Write it for its party alone: whoever has it can sit in the party's place on the line."""
        save_secret(path, {"pets": "kit", "version": 1, **vars(self)})


def save_secret(path: Path, form: Json) -> None:
    """Write a form for its owner alone, in place of an earlier one."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        json.dump(form, handle, indent=2)
    new.replace(path)


def of(made: Path, party: str, federation: str, host: str, port: int) -> Kit:
    """The kit in a folder that NVFlare provisioned (the server's for an empty name)."""
    side = "client" if party else "server"
    texts = [(made / "startup" / name).read_text("ascii") for name in ("rootCA.pem", f"{side}.crt", f"{side}.key")]
    return Kit(party, federation, host, port, *texts)


def read(path: Path, party: str) -> Kit:
    """A party's kit in a file.

    Raises:
        UserError: where it is none, another party's, damaged, or past its end.
    """
    try:
        form = json.loads(path.read_bytes())
        if form.pop("pets") != "kit" or form.pop("version") != 1:
            raise ValueError("another form")
        kit = Kit(**form)
    except OSError as error:
        raise UserError(f"the startup kit {str(path)!r} cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(f"{str(path)!r} is no startup kit; ask the coordinator for the file again") from None
    if kit.party != party:
        raise UserError(
            f"the startup kit {str(path)!r} is for {shown(kit.party)}, and this is {party!r}; ask for yours"
        )
    check_kit(kit)
    return kit


def unpack(kit: Kit, folder: Path) -> None:
    """NVFlare's working folder of a party; everything that runs in it is written here, by the party itself.

    What fails leaves the folder that was there before.
    """
    made = folder.with_name(f".{folder.name}.new")
    before = folder.with_name(f".{folder.name}.before")
    for rest in (made, before):
        shutil.rmtree(rest, ignore_errors=True)
    try:
        _unpacked(kit, made)
        if folder.exists():
            folder.replace(before)
        made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)


def renew(kit: Kit, folder: Path) -> None:
    """Put a renewed kit's certificate, key and address into a working folder, from which NVFlare may be running."""
    made = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    try:
        _unpacked(kit, made)
        # the certificate last: whoever serves from the folder begins anew when it is another
        for file in sorted((made / "startup").iterdir(), key=lambda file: file.suffix == ".crt"):
            file.replace(folder / "startup" / file.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _unpacked(kit: Kit, folder: Path) -> None:
    server, startup, local = not kit.party, folder / "startup", folder / "local"
    side = "server" if server else "client"
    for made in (folder, startup, local, folder / "transfer"):
        made.mkdir(mode=0o700)
    address = f"{kit.host}:{kit.port}"
    tls = {"ssl_private_key": f"{side}.key", "ssl_cert": f"{side}.crt", "ssl_root_cert": "rootCA.pem"}
    secure = {**tls, "connection_security": "mtls"}
    service: Json = {"name": kit.federation, "service": {"target": address, "scheme": "http"}}
    if server:
        start: Json = {"servers": [{**service, "admin_server": kit.host, "admin_port": kit.port, **secure}]}
    else:
        client = {**secure, "fqsn": kit.party, "is_leaf": True}
        start = {"servers": [{**service, "identity": kit.host}], "client": client}
    _written(startup / f"fed_{side}.json", {"format_version": 2, **start})
    (startup / "rootCA.pem").write_text(kit.authority, "ascii")
    (startup / f"{side}.crt").write_text(kit.certificate, "ascii")
    (startup / f"{side}.key").touch(0o600)
    (startup / f"{side}.key").write_text(kit.key, "ascii")


def harden(folder: Path, *, server: bool) -> None:
    """Write the rules of a working folder; done at each start, so that what is written here is what holds."""
    local = folder.absolute() / "local"
    _written(local / "resources.json", server_resources(folder.absolute()) if server else site_resources())
    _written(local / "authorization.json", permissions(_AT_SERVER if server else _AT_SITES))
    _written(local / "log_config.json", LOGS)


def _written(path: Path, form: Json) -> None:
    path.write_text(json.dumps(form, indent=2) + "\n", "utf-8")
