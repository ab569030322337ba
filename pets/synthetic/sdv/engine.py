"""SDV in a process of its own: the only file of pets that imports it. Run as ``python -m pets.synthetic.sdv.engine
FOLDER``.

The folder holds ``request.json`` and one Parquet file a table; ``made-<table>.parquet`` and ``result.json`` are written
beside them. Nothing is pickled, and no fitted model is kept: SDV's models hold real values.

Licence: sdv, rdt, copulas, ctgan and deepecho are under the Business Source License 1.1; own use is free, offering
synthesis to others as a service is not. They come with the ``synthetic`` extra only.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

NEURAL = ("ctgan", "tvae", "copulagan")
REDRAWS = 20
MAX_REDRAWN = 1_000_000


def main(folder: Path) -> int:
    """Fit and draw what the request says; the exit code is 0 where rows were made."""
    follow(folder)
    request = json.loads((folder / "request.json").read_text("utf-8"))
    stage = "reading"
    try:
        import numpy as np
        import pandas as pd

        np.random.seed(request["seed"] % 2**32)
        frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in request["tables"]}
        stage = "fitting"
        _say(stage)
        device, maker = _maker(request)
        with warnings.catch_warnings(action="ignore"):
            maker.fit(frames)
            stage = "drawing"
            _say(stage)
            made, turned = _drawn(maker, request)
        for name, frame in made.items():
            frame.to_parquet(folder / f"made-{name}.parquet", index=False)
        result = {"device": device, "tables": list(made), "turned": turned}
    except Exception as error:
        # the message may quote rows: only names that the schema holds anyway leave with its kind
        text = str(error)
        names = [name for table in request["metadata"]["tables"].values() for name in table["columns"]]
        named = [name for name in names if f"'{name}'" in text or f'"{name}"' in text]
        result = {"failed": type(error).__name__, "stage": stage, "columns": named[:3]}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return 1 if "failed" in result else 0


def follow(folder: Path, every: float = 1.0) -> None:
    """End with whoever started this process, and take the folder along: it holds real rows, and nobody else would."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _say(stage: str) -> None:
    print(stage, flush=True)


def _maker(request: dict[str, Any]) -> tuple[str, Any]:
    """The synthesizer, and what it runs on."""
    import torch
    from sdv.metadata import Metadata
    from sdv.multi_table import HMASynthesizer
    from sdv.sequential import PARSynthesizer
    from sdv.single_table import CopulaGANSynthesizer, CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

    torch.manual_seed(request["seed"] % 2**63)
    # (verbose: epochs are counted on stderr, a file in the private folder, and read from there for the bar)
    gpu = torch.cuda.is_available()
    metadata = Metadata.load_from_dict(request["metadata"])
    method = request["method"]
    # SDV would clamp to the least and greatest value that it saw, which are two people's own; the schema clamps
    plain: dict[str, Any] = {"enforce_min_max_values": False, "enforce_rounding": False}
    epochs = {} if request["epochs"] is None else {"epochs": request["epochs"]}
    if method == "hma":
        maker = HMASynthesizer(metadata, verbose=False)
        for name in request["tables"]:
            maker.set_table_parameters(name, plain)
    elif method == "par":
        maker = PARSynthesizer(metadata, **plain, **epochs, context_columns=request["context"], cuda=gpu, verbose=True)
    elif method == "gaussian_copula":
        maker = GaussianCopulaSynthesizer(metadata, **plain)
    else:
        kinds = {"ctgan": CTGANSynthesizer, "tvae": TVAESynthesizer, "copulagan": CopulaGANSynthesizer}
        maker = kinds[method](metadata, **plain, **epochs, enable_gpu=gpu, verbose=True)
    if request["constraints"]:
        from sdv import cag

        maker.add_constraints([getattr(cag, one["class"])(**one["parameters"]) for one in request["constraints"]])
    return ("gpu" if gpu and method in (*NEURAL, "par") else "cpu"), maker


def _drawn(maker: Any, request: dict[str, Any]) -> tuple[dict[str, pd.DataFrame], int]:
    """What the engine draws, and how many rows of it were turned away because they break a rule of the schema."""
    rows, tables = request["rows"], request["tables"]
    if request["method"] == "hma":
        return _frames(maker.sample(num_rows=rows, main_table_name=tables[0]), tables), 0
    if request["method"] == "par":
        return _frames(maker.sample_sequences(num_sequences=rows), tables), 0
    made, turned = drawn(lambda count: _frames(maker.sample(num_rows=count), tables)[tables[0]], rows, request["keep"])
    return {tables[0]: made}, turned


def _frames(made: Any, tables: list[str]) -> dict[str, pd.DataFrame]:
    return made if isinstance(made, dict) else {tables[0]: made}


def drawn(sample: Callable[[int], pd.DataFrame], rows: int, keep: dict[str, Any]) -> tuple[pd.DataFrame, int]:
    """Rows that keep the schema's rules, drawn again where they do not; fewer than asked for if too many do not.

    Args:
        sample: draws so many rows.
        rows: that are wanted.
        keep: the schema, the table and the columns that are made.
    """
    import pandas as pd

    from pets.schema.rules import Unique
    from pets.schema.schema import Schema
    from pets.synthetic.sdv.rules_kept import put_back

    schema = Schema.from_json(keep["schema"])
    table = schema.table(keep["table"])
    wanted = {name: schema.fields(keep["table"])[name] for name in keep["columns"]}
    unique = [wanted[rule.column] for rule in table.rules if isinstance(rule, Unique) and rule.column in wanted]
    # no more than a unique column has values, however often one draws
    most = min([rows, *(column.cells for column in unique if not column.nullable)])
    made, turned = sample(rows), 0
    for left in reversed(range(REDRAWS)):
        good = put_back([table], wanted, made)[1]
        made, turned = made[good].reset_index(drop=True), turned + int((~good).sum())
        lacking = most - len(made)
        if lacking <= 0 or not left:
            break
        share = max(len(made) / (len(made) + turned), 0.05)
        made = pd.concat([made, sample(min(MAX_REDRAWN, int(lacking / share) + 10))], ignore_index=True)
    return made[:rows], turned


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
