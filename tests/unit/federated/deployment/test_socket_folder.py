"""Folders of sockets whose process was killed are removed by the next that begins; nobody else's are."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pets.federated.deployment import socket_folder as module
from pets.federated.deployment.socket_folder import socket_folder


def aged(folder: Path) -> Path:
    os.utime(folder, (1, 1))
    return folder


def test_what_a_killed_process_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    names = {name: tmp_path / f"pets-gate-{name}" for name in ("empty", "dead", "alive", "young", "strange")}
    for folder in names.values():
        folder.mkdir()
    other = tmp_path / "pets-life-x"
    other.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(names["dead"] / "gate"))
    (names["strange"] / "gate").write_text("no socket", "utf-8")
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(names["alive"] / "gate"))
        alive.listen(4)
        for name in ("empty", "dead", "alive", "strange"):
            aged(names[name])
        aged(other)
        made = socket_folder("pets-gate-")
        assert made.is_dir() and made.stat().st_mode & 0o077 == 0
        assert {name for name, folder in names.items() if folder.exists()} == {"alive", "young"}
        assert other.exists()
