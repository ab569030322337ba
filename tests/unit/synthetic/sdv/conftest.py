"""SDV fits in the test's own process, where the process is not what is tested: its import outlasts a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pets.synthetic.sdv import engine, engine_process


@pytest.fixture
def fits_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine's process would do with its folder is done here; time-outs and limits have no say."""

    def watched(folder: Path, *_: Any) -> None:
        engine.main(folder)
        assert (folder / "result.json").exists()

    monkeypatch.setattr(engine, "follow", lambda folder: None)  # ends with its parent, and this process has none
    monkeypatch.setattr(engine_process, "_watched", watched)
