"""Adult at ε = 1: logistic regression and a hidden layer by a session's noisy steps, and by Opacus.

Splits and inputs are the same, and so is the δ. Opacus has a Python of its own (``--opacus``): with another version of
something that both need, neither would be judged as it is.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import Page, about, finish, options

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "adult_raw" / "adult_complete_cases.csv"
EPSILON, DELTA, HELD = 1.0, 1e-6, 6033
OPACUS = """
import json, sys, time, warnings
import numpy as np, torch
from opacus import PrivacyEngine
warnings.filterwarnings("ignore")
torch.set_num_threads(1)
data, seed = np.load(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(seed)
start = time.process_time()
model = torch.nn.Linear(data["x"].shape[1], 1)
torch.nn.init.zeros_(model.weight), torch.nn.init.zeros_(model.bias)
moves = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
rows = torch.utils.data.TensorDataset(torch.tensor(data["x"]), torch.tensor(data["y"]))
batches = torch.utils.data.DataLoader(rows, batch_size=1024)
model, moves, batches = PrivacyEngine().make_private_with_epsilon(
    module=model, optimizer=moves, data_loader=batches, target_epsilon=1.0, target_delta=1e-6, epochs=20,
    max_grad_norm=1.0,
)
for _ in range(20):
    for x, y in batches:
        moves.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y).backward()
        moves.step()
with torch.no_grad():
    chances = torch.sigmoid(model(torch.tensor(data["held"]))[:, 0]).tolist()
print(json.dumps({"chances": chances, "cpu": time.process_time() - start}))
"""


def adults() -> Any:
    """The schema, the network's columns and its question, as the tests have them."""
    sys.path.insert(0, str(ROOT))
    from tests.real import test_adult_trained

    return test_adult_trained


def scores(chances: Any, rich: Any) -> tuple[float, float]:
    """Accuracy, and the area under the ROC curve."""
    import numpy as np
    import pandas as pd

    told, rich = np.asarray(chances, dtype=float), np.asarray(rich, dtype=bool)
    ranks = pd.Series(told).rank().to_numpy()
    area = (ranks[rich].sum() - rich.sum() * (rich.sum() + 1) / 2) / (rich.sum() * (~rich).sum())
    return float(np.mean((told > 0.5) == rich)), float(area)


def inputs(adult: Any, frame: Any) -> Any:
    """A frame as the numbers that a network's first layer is given: from -1 to 1, and √2 for a category's value."""
    import numpy as np

    out = []
    for name in adult.COLUMNS:
        source = "capital_gain" if name == "gain" else name
        if source in adult.NUMBERS:
            low, high = (0, 10_000) if name == "gain" else adult.NUMBERS[source]
            out.append((frame[source].clip(low, high) - low) / (high - low) * 2 - 1)
            continue
        values = adult.CATEGORIES[name].split()
        if len(values) == 2:
            out.append((frame[name] == values[1]) * 2.0 - 1)
        else:
            out += [(frame[name] == value) * 2**0.5 for value in values[1:]]
    return np.stack([np.asarray(one, dtype=np.float32) for one in out], axis=1)


def trained(adult: Any, train: Any, held: Any, **settings: Any) -> tuple[tuple[float, float], float]:
    """Scores of a session's network on people it never saw, and its CPU seconds: rows prepared, charged and sealed."""
    import pets

    start = time.process_time()
    budget = pets.Budget(epsilon=EPSILON, delta=DELTA)
    session = pets.Session(adult.SCHEMA, train, budget=budget, progress=False)
    network = pets.classifier("income", adult.COLUMNS, data=adult.PEOPLE, **settings)
    made = session.train(network, pets.DP(epsilon=EPSILON))
    cpu = time.process_time() - start
    shown = held.assign(gain=held.capital_gain.clip(upper=10_000))
    return scores(made.predict_proba(shown)[:, 1], held.income == ">50K"), cpu


def by_opacus(python: str, adult: Any, train: Any, held: Any, seed: int) -> tuple[tuple[float, float], float]:
    """The same of Opacus, in a Python that has it."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npz"
        rich = (train.income == ">50K").to_numpy(dtype=np.float32)
        np.savez(path, x=inputs(adult, train), y=rich, held=inputs(adult, held))
        command = [python, "-c", OPACUS, str(path), str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    return scores(said["chances"], held.income == ">50K"), float(said["cpu"])


def main() -> None:
    args = options(
        __doc__,
        seeds={"type": int, "default": 5, "help": "splits of the data, each with fresh noise (5)"},
        opacus={"metavar": "PYTHON", "help": "a Python that has Opacus; left out, it is not compared"},
        hidden={"action": "store_true", "help": "a hidden layer of 16, too, for the first split"},
    ).parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import numpy as np
    import pandas as pd

    if not DATA.exists():
        sys.exit("the Adult data is not on this machine")
    adult = adults()
    rows = pd.read_csv(DATA)[[*adult.CATEGORIES, *adult.NUMBERS]]
    page = Page("Training: Adult at ε = 1")
    about(page)
    found: dict[str, list[tuple[tuple[float, float], float]]] = {}
    for seed in range(1 if args.quick else args.seeds):
        order = np.random.default_rng(seed).permutation(len(rows))
        held, train = rows.iloc[order[:HELD]], rows.iloc[order[HELD:]]
        found.setdefault("pets, logistic", []).append(trained(adult, train, held))
        if args.opacus:
            found.setdefault("Opacus 1.6.0, logistic", []).append(by_opacus(args.opacus, adult, train, held, seed))
        if args.hidden and seed == 0:
            found["pets, 16 tanh"] = [trained(adult, train, held, hidden=(16,))]
    page.say(
        f"{len(rows) - HELD:,} people, {HELD:,} held out, δ = 1e-6; means over splits, standard deviation in brackets. "
        "pets: 100 steps over everybody (200 with a hidden layer), usual settings. Opacus: 20 epochs, batches of "
        "1,024, momentum, learning rate 0.3. CPU of pets holds the preparing of rows, the charge and the sealing."
    )
    lines: list[list[object]] = []
    for name, ones in found.items():
        columns_of = [[one[0][0] for one in ones], [one[0][1] for one in ones], [one[1] for one in ones]]
        said = [f"{statistics.mean(part):.4f} ({statistics.pstdev(part):.4f})" for part in columns_of[:2]]
        lines.append([name, *said, f"{statistics.mean(columns_of[2]):.1f}"])
    page.table(("", "accuracy", "area under ROC", "CPU s"), lines)
    ours = [one[0] for one in found["pets, logistic"]]
    page.target("logistic: accuracy", statistics.mean(one[0] for one in ours), 0.838, least=True)
    page.target("logistic: area under ROC", statistics.mean(one[1] for one in ours), 0.895, least=True)
    if "pets, 16 tanh" in found:
        page.target("16 tanh: accuracy", found["pets, 16 tanh"][0][0][0], 0.838, least=True)
    if args.opacus:
        theirs = [one[0][0] for one in found["Opacus 1.6.0, logistic"]]
        behind = statistics.mean(theirs) - statistics.mean(one[0] for one in ours)
        page.target("accuracy behind Opacus", behind, 0.003)
    finish(page, "bench_training", args)


if __name__ == "__main__":
    main()
