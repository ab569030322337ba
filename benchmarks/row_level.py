"""diffprivlib: count + sum by group, ε = 1 split evenly; run in an environment of its own.

``bench_aggregates.py --diffprivlib PYTHON`` starts it: ``PYTHON row_level.py FILE ROWS_OF_A_PERSON BEST GROUP=SIZE …``.
Its models load only with scikit-learn up to 1.3, and run silently wrong with 1.4 and 1.5; its tools need none of them,
but one environment with it would hold the rest of the house back: ``pip install scikit-learn==1.3.2 "numpy<2"
pyarrow==17.0.0``, then ``pip install --no-deps diffprivlib==0.6.6`` (what it asks for is what it fails with).

The last line that it prints is JSON: by group, CPU and clock seconds; the peak memory; the errors of count and sum at
ε = 1; its version.

It protects rows, so each of a person's rows gets its share of ε. It has no group-by and bounds nobody's rows: the rows
are sorted by group first (timed), and the bound on a person's rows is taken for granted (not timed), which flatters it.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
import warnings
from typing import Any


def main() -> None:
    import diffprivlib
    import numpy as np
    import pyarrow.parquet as pq
    from diffprivlib import tools

    path, bound, best = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sizes = {name: int(size) for name, _, size in (text.partition("=") for text in sys.argv[4:])}
    warnings.simplefilter("ignore")
    table = pq.read_table(path, columns=[*sizes, "v"])
    values = {name: table[name].to_numpy() for name in table.column_names}
    each = 0.5 / bound

    def ask(group: str, keys: Any, amounts: Any) -> tuple[Any, Any]:
        size = sizes[group]
        counts, _ = tools.histogram(keys, epsilon=each, bins=size, range=(-0.5, size - 0.5))
        order = np.argsort(keys, kind="stable")
        cuts = np.searchsorted(keys[order], np.arange(size + 1))
        ordered = amounts[order]
        pairs = itertools.pairwise(cuts)
        sums = [tools.sum(ordered[a:b], epsilon=each, bounds=(0, best), dtype=np.int64) for a, b in pairs]
        return counts, sums

    def errors(group: str, releases: int = 300) -> tuple[float, float]:
        keys, amounts = values[group][:9000], values["v"][:9000].astype(np.int64)
        counts = np.bincount(keys, minlength=sizes[group])
        sums = np.bincount(keys, weights=amounts, minlength=sizes[group])
        off = [(c - counts, s - sums) for c, s in (ask(group, keys, amounts) for _ in range(releases))]
        n, s = (np.sqrt(np.mean(np.square([pair[i] for pair in off]))) for i in (0, 1))
        return float(n), float(s)

    found = {}
    for group in sizes:
        wall, cpu = time.perf_counter(), time.process_time()
        ask(group, values[group], values["v"])
        found[group] = (time.process_time() - cpu, time.perf_counter() - wall)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    told = {"groups": found, "peak": peak, "errors": errors(next(iter(sizes))), "version": diffprivlib.__version__}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
