"""Several rows a person, synthesised with whole people as neighbours: pets, OpenDP's MST on rows, MST on wide rows.

Two data sets: the stays of UCI Diabetes 130 (``--data`` names the CSV) and the invented admissions of the NHS-like
pack, whose truth is known. Of both the first five rows of a person count. *TVD of steps*: for a column, half the sum of
|share in real − share in made| over pairs of a row's value and the next row's; the mean over columns (same), and over
all pairs of two different columns (across). MST on rows sees no people: its rows are dealt to people at random, with
the real numbers of rows. MST on wide rows has a person's first two rows side by side, so that it gives one step. Every
maker has the same ε and δ for whole people, the same slots, and a process of its own.
"""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from common import Case, Child, Page, about, finish, options

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "diabetes130" / "diabetic_data.csv.gz"
EPSILON, DELTA, ROWS = 1.0, 1e-6, 5
STAYS: dict[str, list[str] | list[int]] = {
    "race": ["AfricanAmerican", "Asian", "Caucasian", "Hispanic", "Other"],
    "gender": ["Female", "Male"],
    "age": [f"[{start}-{start + 10})" for start in range(0, 100, 10)],
    "admission_type_id": [str(one) for one in range(1, 9)],
    "time_in_hospital": list(range(1, 16)),
    "num_medications": [0, 5, 10, 15, 20, 30, 101],
    "number_diagnoses": list(range(1, 18)),
    "insulin": ["No", "Down", "Steady", "Up"],
    "readmitted": ["NO", ">30", "<30"],
}
"""Values of categories, and edges of numbers (half-open, ascending)."""
ADMISSIONS = ("ADMIMETH", "CLASSPAT", "DISMETH", "TRETSPEF")


def prepared(name: str, path: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows (``id``, ``order`` and columns) in order, the first five of a person, and the columns' slots."""
    if name == "diabetes130":
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
        frame = raw.rename(columns={"patient_nbr": "id", "encounter_id": "order"})[["id", "order", *STAYS]]
        frame["order"] = frame["order"].astype(int)
        slots: dict[str, Any] = dict(STAYS)
        for column, values in slots.items():
            if isinstance(values[0], int):
                frame[column] = frame[column].astype(int)
            else:
                frame[column] = frame[column].where(frame[column].isin(values))
    else:
        import pets

        hospital = pets.dummy("nhs", people=60_000, seed=11)
        table: Any = hospital.tables["apc"]
        frame = table.to_pandas() if hasattr(table, "to_pandas") else table
        frame = frame.rename(columns={"NEWNHSNO": "id", "ADMIDATE": "order"})[["id", "order", *ADMISSIONS]]
        frame["order"] = (pd.to_datetime(frame["order"]) - pd.Timestamp("2019-01-01")).dt.days
        domains = hospital.schema.table("apc").columns
        slots = {
            column: [domains[column].decode(code) for code in range(domains[column].cells)] for column in ADMISSIONS
        }
    frame = frame.dropna(subset=["id"]).sort_values(["id", "order"], kind="stable")
    return frame[frame.groupby("id").cumcount() < ROWS].reset_index(drop=True), slots


def coded(frame: pd.DataFrame, slots: dict[str, Any]) -> pd.DataFrame:
    """Each value as the number of its slot; a missing one has a number of its own."""
    out: dict[str, Any] = {"id": frame["id"].to_numpy(), "order": frame["order"].to_numpy()}
    for column, values in slots.items():
        if isinstance(values[0], int):
            found = pd.to_numeric(frame[column], errors="coerce")
            inside = np.clip(np.searchsorted(values, found, side="right") - 1, 0, len(values) - 2)
            out[column] = np.where(found.isna(), len(values) - 1, inside)
        else:
            known = {value: code for code, value in enumerate(values)}
            out[column] = frame[column].map(known).fillna(len(values)).astype(int).to_numpy()
    return pd.DataFrame(out)


def sizes(slots: dict[str, Any]) -> dict[str, int]:
    """Slots of each column, that of no value left out."""
    return {name: len(values) - isinstance(values[0], int) for name, values in slots.items()}


def steps(rows: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows that another row of the same person follows, and these."""
    rows = rows.sort_values(["id", "order"], kind="stable")
    again = rows["id"].eq(rows["id"].shift(-1)).to_numpy()
    return rows.loc[again, columns].reset_index(drop=True), rows[columns].shift(-1)[again].astype(int).reset_index(
        drop=True
    )


def distance(real: Any, made: Any, one: str, other: str, width: int) -> float:
    shares = []
    for before, after in (real, made):
        cells = before[one].to_numpy() * width + after[other].to_numpy()
        shares.append(np.bincount(cells, minlength=width * width) / max(len(cells), 1))
    return float(np.abs(shares[0] - shares[1]).sum()) / 2


def scored(real: Any, made: Any, slots: dict[str, Any]) -> tuple[float, float]:
    """The mean distance of a column's steps, and of steps from one column to another."""
    width = 1 + max(sizes(slots).values())
    same = [distance(real, made, one, one, width) for one in slots]
    across = [distance(real, made, one, other, width) for one, other in itertools.permutations(slots, 2)]
    return statistics.fmean(same), statistics.fmean(across)


# ── makers: each in a process of its own ────────────────────────────────────────────────────────────────────────────


def with_pets(name: str, path: str) -> tuple[dict[str, Case], Any]:
    import pets
    from pets.synthetic.dp_model import lives  # noqa: F401

    frame, slots = prepared(name, path)
    own: dict[str, Any] = {"id": pets.Identifier(), "order": pets.Integer(0, 2**29, nullable=False)}
    bins = {}
    for column, values in slots.items():
        if isinstance(values[0], int):
            own[column], bins[column] = pets.Integer(values[0], values[-1], nullable=False), list(values)
        else:
            own[column] = pets.Category(values)
    schema = pets.Schema({"rows": pets.Table(pets.Unit("id", max_rows=ROWS), own)}, dataset=name)

    def make() -> Any:
        session = pets.Session(schema, {"rows": frame}, budget=pets.Budget(EPSILON, DELTA), progress=False)
        wanted: dict[str, Any] = {"order": "order", "bins": {"rows": bins}, "bound": ROWS}
        made = session.synthesise(tables=["rows"], epsilon=EPSILON, progress=False, **wanted)
        return steps(coded(made.table, slots), list(slots))

    return {"make": make}, None


def _mst(table: pd.DataFrame, keys: dict[str, list[int]], contributions: int) -> pd.DataFrame:
    import opendp.prelude as dp
    import polars as pl

    from pets.protection.budget import rho_from_epsilon

    dp.enable_features("contrib")
    rho = rho_from_epsilon(EPSILON, DELTA)
    # its selection costs a unit in the last place more than it was given, and is then refused: it gets a hair less
    inner = _mst_select()
    with patch(
        "opendp.extras.mbi._mst._make_mst_select", lambda *a, d_out, **k: inner(*a, d_out=d_out * (1 - 1e-9), **k)
    ):
        context = dp.Context.compositor(
            data=pl.LazyFrame(table.to_dict("list")),
            privacy_unit=dp.unit_of(contributions=contributions),
            privacy_loss=dp.loss_of(rho=rho),
        )
        asked = context.query(rho=rho).select(*keys)
        made = asked.contingency_table(keys=keys, algorithm=dp.mbi.MST()).release()
        frame = made.synthesize(method="sample").to_pandas()
    return frame.fillna({name: codes[-1] for name, codes in keys.items()}).astype(int)


def _mst_select() -> Any:
    from opendp.extras.mbi import _mst

    return _mst._make_mst_select


def with_rows(name: str, path: str) -> tuple[dict[str, Case], Any]:
    import mbi  # noqa: F401

    frame, slots = prepared(name, path)
    rows = coded(frame, slots)
    keys = {column: list(range(size + 1)) for column, size in sizes(slots).items()}

    def make() -> Any:
        made = _mst(rows[list(slots)], keys, ROWS)
        random = np.random.default_rng(0)
        dealt = made.iloc[random.integers(0, len(made), len(rows))].reset_index(drop=True)
        return steps(dealt.assign(id=rows["id"], order=rows["order"]), list(slots))

    return {"make": make}, None


def with_wide(name: str, path: str) -> tuple[dict[str, Case], Any]:
    import mbi  # noqa: F401

    frame, slots = prepared(name, path)
    rows = coded(frame, slots)
    turn = rows.groupby("id").cumcount()
    first, second = (rows[turn == place].set_index("id")[list(slots)] for place in (0, 1))
    wide = first.add_suffix("_1").join(second.add_suffix("_2"))
    size = sizes(slots)
    # a second row that is not there has a slot of its own
    wide = wide.fillna({f"{column}_2": size[column] + 1 for column in slots}).astype(int)
    keys = {f"{column}_1": list(range(size[column] + 1)) for column in slots}
    keys |= {f"{column}_2": list(range(size[column] + 2)) for column in slots}

    def make() -> Any:
        made = _mst(wide, keys, 1)
        there = np.ones(len(made), dtype=bool)
        for column in slots:
            there &= made[f"{column}_2"].to_numpy() <= size[column]
        made = made[there]
        return tuple(
            made[[f"{column}_{row}" for column in slots]].set_axis(list(slots), axis=1).reset_index(drop=True)
            for row in (1, 2)
        )

    return {"make": make}, None


def main() -> None:
    extra = {
        "data": {"type": Path, "default": DATA, "help": "the CSV of Diabetes 130"},
        "runs": {"type": int, "help": "runs of each maker (3; 1 with --quick)"},
    }
    args = options(__doc__, **extra).parse_args()
    runs = args.runs or (1 if args.quick else 3)
    page = Page("Synthetic tables of several rows a person")
    about(page, ("pets", "opendp", "mbi", "jax", "polars", "numpy"))
    page.say((__doc__ or "").split("\n\n", 1)[1].replace("\n", " ").strip())
    page.say(f"ε = {EPSILON:g}, δ = {DELTA:g}, adding or removing all rows of a person; means over {runs} run(s).")
    makers: dict[str, Any] = {"pets, tables=[…]": with_pets, "MST on rows": with_rows, "MST on wide rows": with_wide}
    for name in ("diabetes130", "pack"):
        if name == "diabetes130" and not args.data.exists():
            raise SystemExit(f"The data are not at {args.data}; name them with --data.")
        frame, slots = prepared(name, str(args.data))
        rows = coded(frame, slots)
        real = steps(rows, list(slots))
        mixed = rows.copy()
        mixed[list(slots)] = rows[list(slots)].sample(frac=1, random_state=0).to_numpy()
        firsts = rows[rows.groupby("id").cumcount() < 2]
        results: dict[str, list[tuple[float, ...]]] = {
            "real first steps alone": [(*scored(real, steps(firsts, list(slots)), slots), 0.0)],
            "real rows dealt out at random": [(*scored(real, steps(mixed, list(slots)), slots), 0.0)],
        }
        for _ in range(runs):
            for maker, build in makers.items():
                child = Child(build, name, str(args.data))
                made = child.run("make")
                child.close()
                results.setdefault(maker, []).append((*scored(real, made, slots), child.cpu("make")))
                print(f"({name}, {maker}: {results[maker][-1]})", flush=True)
        page.say(f"**{name}**: {len(rows):,} rows of {rows['id'].nunique():,} people, {len(real[0]):,} steps.")
        means = {
            maker: [statistics.fmean(one[at] for one in found) for at in range(3)] for maker, found in results.items()
        }
        page.table(
            ("data", "runs", "TVD of steps, same", "across", "CPU s"),
            [(maker, len(results[maker]), *found) for maker, found in means.items()],
        )
        ours = means["pets, tables=[…]"]
        page.target(f"{name}: same ÷ MST on rows", ours[0] / means["MST on rows"][0], 0.5)
        page.target(f"{name}: same ÷ MST on wide rows", ours[0] / means["MST on wide rows"][0], 1.0)
        page.target(f"{name}: CPU s", ours[2], 300)
    finish(page, "bench_linked", args)


if __name__ == "__main__":
    main()
