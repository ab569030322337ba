"""The outside judge: acro's masks of two hundred tables, in an environment of its own, which has no pets.

``python tests/acro_judge/judge.py OUT`` where ``requirements.txt`` is installed. What it wrote is ``masks.json``.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from tables import TABLES, rows  # type: ignore[import-not-found]  # noqa: E402
