"""The outside judge: acro's masks of two hundred tables, in an environment of its own, which has no pets.

    python tests/acro_judge/judge.py OUT.json

where ``requirements.txt`` is installed. What it wrote is ``masks.json``, which the tests compare with our own masks.
With ``--load FOLDER`` it reads an export of ours with acro's own loader instead, and writes what it understood.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
warnings.filterwarnings("ignore")

NAMES = {"MinimumThresholdCheck": "threshold", "NKCheck": "nk", "PPercentCheck": "p"}


def masks(acro: Any, seed: int) -> dict[str, list[list[int]]]:
    """Of one table, the cells that fail each check, by the places of all regions and groups."""
    import pandas as pd
    from tables import GROUPS, REGIONS, rows  # type: ignore[import-not-found]

    frame = pd.DataFrame(rows(seed), columns=["region", "group", "amount"])
    for name, values in (("region", REGIONS), ("group", GROUPS)):
        frame[name] = pd.Categorical(frame[name], list(values))
    acro.crosstab(frame["region"], frame["group"], values=frame["amount"], aggfunc="sum")
    sdc = acro.results.get_index(-1).sdc
    return {ours: sorted(map(list, sdc["cells"].get(name, []))) for name, ours in NAMES.items()}


def two_calls(acro: Any) -> dict[str, Any]:
    """Two tables of the same people, the first with a cell suppressed and its totals made anew; what acro says."""
    import pandas as pd
    from tables import two_tables  # type: ignore[import-not-found]

    frame = pd.DataFrame(two_tables(), columns=["region", "code", "sex"])
    acro.enable_suppression()
    out = {}
    for name in ("code", "sex"):
        table = acro.crosstab(frame["region"], frame[name], margins=True)
        record = acro.results.get_index(-1)
        out[name] = {"csv": table.to_csv(), "status": record.status, "summary": " ".join(record.summary.split())}
    return out


def load(folder: str, out: str) -> None:
    """Read a folder of results as acro does."""
    from acro.record import load_records  # type: ignore[import-not-found]

    found = load_records(folder).results.values()
    read = {one.uid: [one.status, *one.outcome.shape, len(one.output), one.fair["statbarn"]] for one in found}
    Path(out).write_text(json.dumps(read), "utf-8")


def main(out: str) -> None:
    """Ask acro, and write what it said."""
    from tables import TABLES  # type: ignore[import-not-found]

    path = Path(out).resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)
        from acro import ACRO  # type: ignore[import-not-found]

        logging.disable(logging.CRITICAL)
        acro = ACRO(suppress=False)
        found = [masks(acro, seed) for seed in range(TABLES)]
        said = {"acro": version("acro"), "pandas": version("pandas"), "masks": found, "two_calls": two_calls(acro)}
        os.chdir(path.parent)
    path.write_text(json.dumps(said, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    load(sys.argv[3], sys.argv[1]) if "--load" in sys.argv else main(sys.argv[1])
