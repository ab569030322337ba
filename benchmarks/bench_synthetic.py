"""Synthetic Adult at (ε = 1, δ = 1e-6): pets, OpenDP's MST, SDV without a guarantee, and a shuffle, in one run.

Columns, bins, split and formulas are fixed below. Every maker gets the same training rows in a process of its own and
is timed from the data frame to the synthetic rows, imports left out. The data are UCI Adult, complete cases, one row a
person; ``--data`` names the CSV.
"""

from __future__ import annotations

import itertools
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import Case, Child, Page, about, finish, options

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "adult_raw" / "adult_complete_cases.csv"
EPSILON, DELTA = 1.0, 1e-6
BINS = {
    "age": [16, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 90],
    "hr_per_week": [1, 10, 20, 30, 35, 40, 41, 45, 50, 60, 99],
}
# as documented with the data, not read from the rows
VALUES: dict[str, list[str]] = {
    "type_employer": [
        "Private", "Self-emp-not-inc", "Self-emp-inc", "Federal-gov", "Local-gov", "State-gov", "Without-pay",
        "Never-worked",
    ],
    "education_num": [str(i) for i in range(1, 17)],
    "marital": [
        "Married-civ-spouse", "Divorced", "Never-married", "Separated", "Widowed", "Married-spouse-absent",
        "Married-AF-spouse",
    ],
    "occupation": [
        "Tech-support", "Craft-repair", "Other-service", "Sales", "Exec-managerial", "Prof-specialty",
        "Handlers-cleaners", "Machine-op-inspct", "Adm-clerical", "Farming-fishing", "Transport-moving",
        "Priv-house-serv", "Protective-serv", "Armed-Forces",
    ],
    "relationship": ["Wife", "Own-child", "Husband", "Not-in-family", "Other-relative", "Unmarried"],
    "race": ["White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black"],
    "sex": ["Female", "Male"],
    "income": ["<=50K", ">50K"],
}  # fmt: skip
COLUMNS = [*BINS, *VALUES]
TARGET = "income"
METHODS = ("tree", "aim")


def split(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """80 % to learn from and 20 % kept out, by a fixed permutation."""
    frame = pd.read_csv(path, dtype=str)[COLUMNS]
    for name in BINS:
        frame[name] = frame[name].astype(int)
    order = np.random.default_rng(0).permutation(len(frame))
    cut = int(len(frame) * 0.8)
    return frame.iloc[order[:cut]].reset_index(drop=True), frame.iloc[order[cut:]].reset_index(drop=True)


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Each value as the number of its bin or category; a missing one has a number of its own."""
    out = {}
    for name in COLUMNS:
        if name in BINS:
            values = pd.to_numeric(frame[name], errors="coerce")
            edges = np.array(BINS[name], dtype=float)
            inside = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
            out[name] = np.where(values.isna(), len(edges) - 1, inside)
        else:
            known = {value: code for code, value in enumerate(VALUES[name])}
            out[name] = frame[name].map(known).fillna(len(known)).to_numpy(dtype=int)
    return pd.DataFrame(out).astype(int)


def tvd2(real: pd.DataFrame, made: pd.DataFrame) -> float:
    """The mean over all pairs of columns of half the sum of |share in real − share in made|."""
    found = []
    for a, b in itertools.combinations(COLUMNS, 2):
        width = 1 + max(int(real[b].max()), int(made[b].max()))
        left, right = (frame[a].to_numpy() * width + frame[b].to_numpy() for frame in (real, made))
        size = 1 + max(int(left.max()), int(right.max()))
        shares = [np.bincount(cells, minlength=size) / len(cells) for cells in (left, right)]
        found.append(float(np.abs(shares[0] - shares[1]).sum()) / 2)
    return statistics.fmean(found)


def tstr(made: pd.DataFrame, held: pd.DataFrame) -> float:
    """Train on synthetic, test on real: ROC AUC for income over 50K, gradient-boosted trees with their defaults."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    rest = [name for name in COLUMNS if name != TARGET]
    made = made[made[TARGET] < 2]  # rows without an answer cannot be learnt from
    model = HistGradientBoostingClassifier(random_state=0).fit(made[rest], made[TARGET])
    return float(roc_auc_score(held[TARGET], model.predict_proba(held[rest])[:, 1]))


# ── makers: each in a process of its own ────────────────────────────────────────────────────────────────────────────


def with_pets(path: str, selection: str) -> tuple[dict[str, Case], Any]:
    import pets
    from pets.synthetic.dp_model import private  # noqa: F401

    train, _ = split(Path(path))
    columns: dict[str, Any] = {
        name: pets.Integer(edges[0], edges[-1], nullable=False) for name, edges in BINS.items()
    } | {name: pets.Category(values, nullable=False) for name, values in VALUES.items()}
    schema = pets.Schema({"adult": pets.Table("row", columns)}, dataset="adult")

    def make() -> pd.DataFrame:
        session = pets.Session(schema, train, budget=pets.Budget(epsilon=EPSILON, delta=DELTA), progress=False)
        made = session.synthesise(method="dp", epsilon=EPSILON, selection=selection, bins=BINS, progress=False)
        return coded(made.table)

    return {"make": make}, None


def with_opendp(path: str) -> tuple[dict[str, Case], Any]:
    import mbi  # noqa: F401
    import opendp.prelude as dp
    import polars as pl

    from pets.protection.budget import rho_from_epsilon

    dp.enable_features("contrib")
    train, _ = split(Path(path))
    # the same bins, cut beforehand: its own cuts would add open bins at both ends
    codes = coded(train)
    rho = rho_from_epsilon(EPSILON, DELTA)

    def make() -> pd.DataFrame:
        # its budget arithmetic can fail by one unit in the last place; a hair less is tried then
        for share in (1.0, 1 - 1e-9, 1 - 1e-6):
            try:
                context = dp.Context.compositor(
                    data=pl.LazyFrame(codes.to_dict("list")),
                    privacy_unit=dp.unit_of(contributions=1),
                    privacy_loss=dp.loss_of(rho=rho),
                )
                keys = {
                    name: list(range(len(BINS[name]) - 1 if name in BINS else len(VALUES[name]))) for name in COLUMNS
                }
                table = (
                    context.query(rho=rho * share)
                    .select(*COLUMNS)
                    .contingency_table(keys=keys, algorithm=dp.mbi.MST())
                    .release()
                )
                made = table.synthesize(method="sample").to_pandas()
                break
            except Exception as error:
                last = error
        else:
            raise last
        for name in COLUMNS:
            made[name] = made[name].fillna(len(keys[name])).astype(int)
        return made[COLUMNS]

    return {"make": make}, None


def with_sdv(path: str) -> tuple[dict[str, Case], Any]:
    import warnings

    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    train, _ = split(Path(path))

    def make() -> pd.DataFrame:
        kinds = {name: {"sdtype": "numerical" if name in BINS else "categorical"} for name in COLUMNS}
        metadata = Metadata.load_from_dict({"tables": {"adult": {"columns": kinds}}})
        with warnings.catch_warnings(action="ignore"):
            maker = GaussianCopulaSynthesizer(metadata)
            maker.fit({"adult": train})
            made = maker.sample(num_rows=len(train))
        return coded(made if isinstance(made, pd.DataFrame) else next(iter(made.values())))

    return {"make": make}, None


def main() -> None:
    extra = {
        "data": {"type": Path, "default": DATA, "help": "the CSV of Adult"},
        "runs": {"type": int, "help": "runs of each maker with noise (5; 1 with --quick)"},
        "resume": {"type": Path, "help": "a file that keeps finished runs; one that was ended goes on from there"},
    }
    args = options(__doc__, **extra).parse_args()
    if not args.data.exists():
        raise SystemExit(f"The Adult data is not at {args.data}; name it with --data.")
    runs = args.runs or (1 if args.quick else 5)
    page = Page("Synthetic data")
    about(page, ("pets", "opendp", "mbi", "jax", "sdv", "scikit-learn", "polars", "numpy"))
    train, held = (coded(frame) for frame in split(args.data))
    page.say(
        f"UCI Adult, {len(train):,} rows to learn from, {len(held):,} kept out, {len(COLUMNS)} columns, "
        f"ε = {EPSILON:g}, δ = {DELTA:g}. *TVD2*: mean over pairs of columns of the total variation distance to the "
        "training rows. "
        "*AUC*: trained on the synthetic rows, tested on real ones. Means over runs, least and greatest in brackets."
    )
    random = np.random.default_rng(1)
    shuffled = train.apply(lambda column: random.permutation(column.to_numpy()))
    results: dict[str, list[tuple[float, ...]]] = {
        "real rows kept out (ceiling)": [(tvd2(train, held), tstr(train, held), 0.0, 0.0)],
        "each column shuffled (floor)": [(tvd2(train, shuffled), tstr(shuffled, held), 0.0, 0.0)],
    }
    makers: dict[str, tuple[Any, tuple[str, ...], int]] = {
        "SDV GaussianCopula (no guarantee)": (with_sdv, (), 1),
        "OpenDP MST, method=sample": (with_opendp, (), runs),
        "pets, selection=tree": (with_pets, ("tree",), runs),
        "pets, selection=aim": (with_pets, ("aim",), 1),
    }
    finished: dict[tuple[int, str], list[float]] = {}
    if args.resume is not None and args.resume.exists():
        lines = [json.loads(line) for line in args.resume.read_text("utf-8").splitlines()]
        finished = {(line["turn"], line["maker"]): line["found"] for line in lines}
        page.say(f"{len(finished)} of the runs below were made in an earlier sitting.")
    for turn in range(runs):  # in turn, so that whatever else the machine does falls on all alike
        for name, (build, more, times) in makers.items():
            if turn < times and (turn, name) in finished:
                results.setdefault(name, []).append(tuple(finished[turn, name]))
            elif turn < times:
                child = Child(build, str(args.data), *more)
                made = child.run("make")
                child.close()
                costs = child.wall("make"), child.cpu("make")
                results.setdefault(name, []).append((tvd2(train, made), tstr(made, held), *costs))
                print(f"(run {turn + 1}, {name}: {results[name][-1]})", flush=True)
                if args.resume is not None:
                    with args.resume.open("a", encoding="utf-8") as kept:
                        kept.write(json.dumps({"turn": turn, "maker": name, "found": results[name][-1]}) + "\n")
    page.table(
        ("data", "runs", "TVD2", "", "AUC", "", "clock s", "CPU s"),
        [
            (
                name,
                len(found),
                statistics.fmean(one[0] for one in found),
                _range([one[0] for one in found]),
                statistics.fmean(one[1] for one in found),
                _range([one[1] for one in found]),
                statistics.fmean(one[2] for one in found),
                statistics.fmean(one[3] for one in found),
            )
            for name, found in results.items()
        ],
    )
    ours, theirs = (
        [statistics.fmean(one[i] for one in results[name]) for i in range(4)]
        for name in ("pets, selection=tree", "OpenDP MST, method=sample")
    )
    page.target("pets: TVD2", ours[0], 0.06)
    page.target("pets: TVD2 ÷ OpenDP MST's", ours[0] / theirs[0], 1.05)
    page.target("pets: AUC", ours[1], 0.77, least=True)
    page.target("pets: clock ÷ OpenDP MST's", ours[2] / theirs[2], 1.0)
    page.target("pets: CPU ÷ OpenDP MST's", ours[3] / theirs[3], 1.0)
    finish(page, "bench_synthetic", args)


def _range(values: list[float]) -> str:
    return f"[{min(values):.3g}, {max(values):.3g}]" if len(values) > 1 else ""


if __name__ == "__main__":
    main()
