"""The page of what attacks the proof in every run: replays, judges of noise, planted bugs and their score."""

from __future__ import annotations

from collections import defaultdict

from tests.docs.markdown import table
from tests.mutants.plant import Mutant, mutants

HEAD = """# Audits in every run

Made from the tests; `make docs` writes it anew.

"""

AUDITS = (
    (
        "the same noise on a neighbour: `tests/attacks/test_replay.py`",
        "what depends on one person's rows without noise (how often noise is drawn and of which law, shapes, texts, "
        "errors, costs), and a loss above its charge; planted violations show that it sees them",
        "504 cases: 21 requests × 6 pairs × 2 engines × 2 currencies; 17 planted",
        "25,200 cases",
    ),
    (
        "the same of each kind that there is: `tests/attacks/test_replay_kinds.py`, `test_replay_keys.py`, "
        "`test_replay_people.py`",
        "a measure, an aggregate, a key, a condition, a computed column, a feature, a bound or a verb that no replay "
        "asks; and what depends on one person's rows in those; keys that one person alone has are counted against δ",
        "60 cases of 20 requests; 8 of keys; 32 of features; 12 planted",
        "8,000 cases",
    ),
    (
        "as wide as it says: `tests/stats/test_scales.py`",
        "a scale that is a tenth off, in one release of 32,768 cells whose exact answer is known",
        "2 honest releases, 4 planted",
        "400 honest, of which none is flagged; 80 planted, of which all are",
    ),
    (
        "neighbours sought from outside: `tests/stats/test_neighbour_search.py`",
        "a lower bound on ε, from whole releases alone, above the claim; half of the noise is flagged",
        "",
        "4 questions × 6,000 releases, honest and planted",
    ),
    (
        "a model of the ledger: `tests/generative/test_ledger_model.py`",
        "a charge, a state or an exact total that is forgotten: deaths at every place, two processes, retries",
        "25 lives of 20 steps; 4 planted",
        "3,000 lives of 60 steps",
    ),
)

REPLAY = """
## Replay

`pets.testing.replay(schema, data, ask)` is open to everybody who may see the rows: a custodian who wrote a program
around a session, or whoever doubts ours. A report tells each violation in a sentence:

<!-- not run -->
```python
import pets

table = pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "days": pets.Integer(1, 14)})
schema = pets.Schema({"stays": table})
query = pets.query("stays").agg(days=pets.sum("days"))
found = pets.testing.replay(schema, None, lambda session: session.release(query, pets.DP(epsilon=1)), count=3)
print(found)
```

<!-- not run -->
```text
3 cases, 3 draws of noise; the greatest loss is 1.000000 of its charge. Nothing was found.
```

It cannot see time and memory, the law of OpenDP's noise, what depends on the secrecy of the key that chooses rows, or
what another process draws; and it proves nothing about people who were not tried.

## Planted bugs

"""


def page() -> str:
    """The whole page."""
    every = mutants()
    signed = [one for one in every if one.equivalent]
    rows: dict[str, list[Mutant]] = defaultdict(list)
    for one in every:
        rows["/".join(one.file.split("/")[:2])].append(one)
    planted, core = len(every) - len(signed), sum(one.core for one in every)
    lines = [
        HEAD + table(["audit", "what it finds", "in each run", "in `make soak`"], AUDITS),
        f"{REPLAY}Each is one line of pets changed in a copy of the tree, and names the tests that must go red there\n"
        f"(`tests/mutants/mutants.jsonl`). There are {len(every)}: {planted} must be caught, and {len(signed)} mean "
        f"the same as the original.\nEach run plants {core} that the proof stands on, and some "
        "of those in files that\nchanged; `make soak` plants all. A run fails where one survives.\n",
        "| folder | planted | in each run | must be caught | the same as the original |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for folder, here in sorted(rows.items()):
        same = sum(bool(one.equivalent) for one in here)
        lines.append(f"| {folder} | {len(here)} | {sum(one.core for one in here)} | {len(here) - same} | {same} |")
    lines.append(f"| **all** | {len(every)} | {core} | {planted} | {len(signed)} |")
    if signed:
        lines += ["", "Signed off as the same:", ""]
        lines += [f"* {one.name} (`{one.file}`): {one.equivalent}" for one in signed]
    return "\n".join(lines) + "\n"
