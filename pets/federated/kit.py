"""Kits: what a party runs NVFlare from, with everything turned off that the protocol does not need.

In a kit as pets writes it: only the classes named here may be built from a job (enforced), nobody's code is run (no
BYOC, for no role), nobody restarts, browses or downloads from a site, and no log leaves it. The folder is for its
owner only.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pets.codec import Json
from pets.errors import UserError

CARRIER = "pets.federated.nvflare_engine.Carrier"
POST = "pets.federated.nvflare_engine.Post"
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
    "process_launcher": (f"{_COMMON}job_launcher.client_process_launcher.ClientProcessJobLauncher", {}),
}
_STORAGE = f"{_COMMON}storages.filesystem_storage.FilesystemStorage"
_SNAPSHOTS = f"{_COMMON}state_persistors.storage_state_persistor.StorageStatePersistor"


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
    launcher = f"{_COMMON}job_launcher.server_process_launcher.ServerProcessJobLauncher"
    states = {"path": _STORAGE, "args": {"root_dir": str(folder / "states"), "uri_root": "/"}}
    jobs = {"uri_root": str(folder / "jobs"), "job_store_id": "job_store"}
    return {
        "format_version": 2,
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [POST, scheduler, manager, launcher, _STORAGE, _SNAPSHOTS],
        "servers": [{"admin_storage": "transfer", "max_num_clients": 4096, "heart_beat_timeout": 60, "admin_timeout": 10.0}],
        "snapshot_persistor": {"path": _SNAPSHOTS, "args": {"uri_root": "/", "storage": states}},
        "components": [
            {"id": "job_scheduler", "path": scheduler, "args": {"max_jobs": 4}},
            {"id": "job_manager", "path": manager, "args": jobs},
            {"id": "job_store", "path": _STORAGE},
            {"id": "process_launcher", "path": launcher, "args": {}},
        ],
    }


def harden(kit: Path, *, server: bool) -> None:
    """Write a kit's local policy, and keep others out of its folder."""
    local = kit / "local"
    for path in local.glob("*.sample"):
        path.unlink()
    resources = server_resources(kit) if server else site_resources()
    for name, form in (("resources.json", resources), ("authorization.json", permissions(_AT_SERVER if server else _AT_SITES))):
        (local / f"{name}.default").unlink(missing_ok=True)
        (local / name).write_text(json.dumps(form, indent=2) + "\n", "utf-8")
    kit.chmod(0o700)


def write_job(folder: Path) -> Path:
    """The job that carries messages. It holds two class names, and no data, no code and no address."""
    job = folder / "pets-carry"
    config = job / "app" / "config"
    config.mkdir(parents=True)
    forms = {
        job / "meta.json": {
            "name": "pets-carry",
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
        path.write_text(json.dumps(form, indent=2) + "\n", "utf-8")
    return job


def check(kit: Path) -> None:
    """Refuse a kit that is none, or that would let others run code here.

    Raises:
        UserError: with what is wrong.
    """
    if not (kit / "startup" / "sub_start.sh").is_file():
        raise UserError(f"{str(kit)!r} is no startup kit; give the folder that pets federation init made for this party")


@contextlib.contextmanager
def running(kit: Path, log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """NVFlare's process of a kit, ended with all its children when the block ends."""
    check(kit)
    bash = shutil.which("bash")
    if bash is None:
        raise UserError("NVFlare's startup kits need bash, which is not on this machine's PATH")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [bash, str(kit / "startup" / "sub_start.sh"), "--once"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path, **environment},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
