"""A fit in a process of its own: with a time-out, a memory limit, progress, and nothing left behind.

The engine may run for hours, hang, or take all memory; a process can be ended from outside, a thread cannot. What it is
given lies in a private folder that is removed whatever happens.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.common.codec import Json
from pets.common.progress import bar
from pets.errors import ReleaseFailedError

if TYPE_CHECKING:
    import pandas as pd

CHARGED = "the request stays on the account as unbounded"
_POLL = 0.2
_BAR = re.compile(rb"(\d+)/(\d+) \[")


@dataclass(frozen=True)
class Limits:
    """What a fit may take.

    Attributes:
        seconds: on the clock.
        gigabytes: of memory that is really used (resident; watched on Linux only).
    """

    seconds: float = 3600.0
    gigabytes: float = 8.0


def run(
    frames: Mapping[str, pd.DataFrame],
    request: Json,
    limits: Limits,
    *,
    progress: bool,
    command: tuple[str, ...] = (sys.executable, "-m", "pets.synthetic.sdv.engine"),
) -> tuple[dict[str, pd.DataFrame], Json]:
    """What the engine makes of some tables, and what it says about itself.

    Raises:
        ReleaseFailedError: when it fails, takes too long or too much; with the column where the engine named one.
    """
    import pandas as pd

    folder = Path(tempfile.mkdtemp(prefix="pets-fit-"))  # for its owner alone
    try:
        for name, frame in frames.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        _watched(folder, command, limits, str(request.get("method", "")), progress)
        result = json.loads((folder / "result.json").read_text("utf-8"))
        if "failed" in result:
            named = ", ".join(repr(name) for name in result["columns"])
            raise ReleaseFailedError(
                f"the engine failed while {result['stage']} ({result['failed']})"
                + (f"; it names column {named}: leave it out with columns=[…] or coarsen it" if named else "")
                + ("" if named else "; try fewer columns, or another method")
                + f"; {CHARGED}"
            )
        return {name: pd.read_parquet(folder / f"made-{name}.parquet") for name in result["tables"]}, result
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _watched(folder: Path, command: tuple[str, ...], limits: Limits, method: str, progress: bool) -> None:
    here = str(Path(__file__).resolve().parents[3])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}
    started = time.monotonic()
    with (folder / "errors.txt").open("wb") as errors, (folder / "stages.txt").open("wb") as stages:
        child = subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=stages,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
        try:
            with bar(round(limits.seconds), method, unit="s", show=progress) as moved:
                epochs = 0
                while child.poll() is None:
                    time.sleep(_POLL)
                    spent = time.monotonic() - started
                    done, of = _epochs(folder / "errors.txt")
                    if of and not epochs:
                        epochs = of
                        moved.restart(of, "epoch")  # from here on the bar estimates what is left
                    stage = _last(folder / "stages.txt")
                    moved.to(done if epochs else int(spent), f"{method}, {stage}" if stage else method)
                    if spent > limits.seconds:
                        raise ReleaseFailedError(
                            f"the fit took longer than {limits.seconds:g} seconds and was ended; allow more with "
                            f"timeout=…, or try fewer columns or epochs; {CHARGED}"
                        )
                    if _resident(child.pid) > limits.gigabytes:
                        raise ReleaseFailedError(
                            f"the fit took more than {limits.gigabytes:g} GB of memory and was ended; allow more with "
                            f"memory=…, or try fewer columns or coarser ones; {CHARGED}"
                        )
        finally:
            # also on Ctrl-C: whoever cancels leaves nothing running
            if child.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)  # and whatever it started: it leads a session of its own
                child.wait()
    if not (folder / "result.json").exists():
        missing = b"No module named" in (folder / "errors.txt").read_bytes()
        why = "it is not installed whole" if missing else f"it ended with code {child.returncode}"
        raise ReleaseFailedError(f"the engine was ended from outside or broke down ({why}); {CHARGED}")


def _epochs(path: Path) -> tuple[int, int]:
    """How many epochs of how many an engine has done, by the bar that it writes; 0 of 0 before the first."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        found = _BAR.findall(file.read())
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)


def _last(path: Path) -> str:
    lines = path.read_text("utf-8", errors="replace").split()
    return lines[-1] if lines else ""


def _resident(pid: int) -> float:
    """Gigabytes that a process holds; 0 where the system does not say."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024 / 1e9
    except (OSError, ValueError, IndexError):
        pass
    return 0.0


def settings_of(limits: Limits, result: Mapping[str, Any]) -> Json:
    """What a manifest says about a fit."""
    return {"engine": "SDV", "device": result["device"], "timeout": limits.seconds, "memory_gb": limits.gigabytes}
