"""The verdict from a clean checkout says plainly what is not there, and who may install it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(folder: Path, **programs: str) -> tuple[int, str]:
    """``.ci/run`` where nothing is but what it begins with, and these programs; gives its code and all it says."""
    (folder / "bin").mkdir()
    there = {name: f'exec {shutil.which(name)} "$@"' for name in ("dirname", "mktemp", "rm", "tail", "env")}
    for name, text in {**there, "sleep": ":", "true": ":", **programs}.items():
        program = folder / "bin" / name
        program.write_text(f"#!{shutil.which('bash')}\n{text}\n")
        program.chmod(0o755)
    given = {"PATH": str(folder / "bin"), "HOME": str(folder), "TMPDIR": str(folder)}
    bash = str(shutil.which("bash"))
    done = subprocess.run([bash, str(ROOT / ".ci" / "run")], env=given, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("sudo", [None, "echo a password is required >&2; exit 1"], ids=["no sudo", "asks for one"])
def test_without_root_it_says_at_once_what_root_is_to_install(tmp_path: Path, sudo: str | None) -> None:
    programs = {"id": "echo 1000", "apt-get": f"touch {tmp_path}/asked; exit 100", "chromium": ":", "npm": ":"}
    code, said = run(tmp_path, **programs, **({} if sudo is None else {"sudo": sudo}))
    assert code == 1 and not (tmp_path / "asked").exists()
    assert "only root may install them: Rscript java; run, once:" in said
    assert "sudo apt-get install --no-install-recommends" in said and "openjdk-17-jre-headless" in said


@pytest.mark.parametrize("who", ["root", "sudo"])
def test_what_cannot_be_installed_is_named_with_apts_last_words(tmp_path: Path, who: str) -> None:
    apt = "echo E: Unable to locate package openjdk-17-jre-headless >&2; exit 100"
    programs = {"id": f"echo {0 if who == 'root' else 1000}", "chromium": ":", "npm": ":", "Rscript": ":"}
    sudo = {} if who == "root" else {"sudo": '[ "$1" = -n ] && shift; exec "$@"'}
    code, said = run(tmp_path, **programs, **{"apt-get": apt}, **sudo)
    assert code == 1
    assert "E: Unable to locate package openjdk-17-jre-headless" in said
    assert "java cannot be installed here, and tests need it" in said
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith("tmp.")], "nothing is left behind"


def test_without_npm_alone_it_goes_on(tmp_path: Path) -> None:
    """Tests of logins at a real provider then say that they skip."""
    programs = {**dict.fromkeys(("chromium", "Rscript", "java", "make"), ":"), "id": "echo 1000", "apt-get": "exit 1"}
    code, said = run(tmp_path, **programs)
    assert code == 0 and "only root may install them: npm; run, once:" in said


def test_what_is_there_is_not_installed(tmp_path: Path) -> None:
    programs = dict.fromkeys(("id", "chromium", "Rscript", "npm", "java"), ":")
    asked, made = tmp_path / "asked", tmp_path / "made"
    code, said = run(tmp_path, **programs, **{"apt-get": f"touch {asked}", "make": f'echo "$@" >{made}'})
    assert code == 0 and made.read_text() == "test\n" and not asked.exists(), said
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
