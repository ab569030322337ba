"""The marker and the manifest that every invented file carries, and its place on the spectrum of synthetic data.

The spectrum is that of the Office for National Statistics (ONS methodology working paper 16, *Synthetic data pilot*):
structural, valid, plausible, multivariate plausible, multivariate detailed, replica. The rungs above *valid* need
real data; nothing made from a schema or a pack alone can stand on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pets.common.codec import Json
from pets.common.version import __version__

MARKER = "SYNTHETIC"
"""The name of the last column of every written table, of the key in a Parquet file and of a table in DuckDB's."""

MARK = "invented"
"""What the marker column holds in every row: should invented rows ever be mixed with others, they can be told."""

SPECTRUM = ("structural", "valid", "plausible", "multivariate plausible", "multivariate detailed", "replica")


def manifest(
    *, dataset: str, schema: str, seed: int, rows: Mapping[str, int], made_from: str, level: str = "valid", **more: Any
) -> Json:
    """What is said about invented tables; the same request gives the same manifest, so it holds no clock.

    >>> manifest(dataset="d", schema="0" * 64, seed=1, rows={"t": 5}, made_from="a schema")["level"]["name"]
    'valid'
    """
    return {
        "synthetic": True,
        "notice": (
            "SYNTHETIC: every row is invented, from public descriptions alone. No real person is in it and no real "
            "data was read to make it. Do not draw conclusions about anybody from it."
        ),
        "level": {
            "name": level,
            "rung": SPECTRUM.index(level) + 1,
            "scale": f"ONS synthetic data spectrum: {', '.join(SPECTRUM)}",
            "meaning": (
                "formats, types, allowed values and the stated rules between columns hold; distributions and relations "
                "are made up and have no analytic value"
            ),
        },
        "made_from": made_from,
        "made_by": f"pets {__version__}",
        "dataset": dataset,
        "schema_sha256": schema,
        "seed": seed,
        "rows": dict(rows),
        **more,
    }
