"""Rounded counts over several sites, derived anew: who signed that they took part, and what so many cells add up to.

The pages docs/proofs/rounded.md and secure_sum.md have the reasons. Of each site whose certificate is carried, the
cells of its grid are counted again; the key is the coordinator's, which signs it all.
"""

from typing import Any

NAME, OWN = "rounded-sum", "counts sharing"
NUMBERS = ["cells", "hidden", "high", "low", "shown"]
NOT_CHECKED = """not checked, since no program can know it from this file: that the total is the sum of the sites'
  numbers, that each site's are those of its grid, and its grid's those of its rows; that the roster is the one that
  was agreed (compare its digest), whose keys signed the sites' certificates; and what is said of a release of one
  ledger. Taken as stated: numbers, notes, constants in the question, times"""


def check_counts(one: Any, plan: Any, rule: Any, base: Any, rules: Any) -> None:
    """Each number is one that so many cells can add up to, as the rule shows them."""
    need, outputs = base.need, plan.form["outputs"]
    alike = [len(several) for several in one["counts"]] == [len(output["parts"]) for output in outputs]
    need(alike, "it has another number of counts than its question")
    for counts in (counts for several in one["counts"] for counts in several):
        need(sorted(counts) == NUMBERS, "its counts have other parts than pets writes")
        need(all(len(part) == plan.groups for part in counts.values()), "it has another number of groups than its plan")
        every = [number for part in counts.values() for number in part]
        need(all(type(number) is int and 0 <= number < 2**62 for number in every), "a count is no whole number")
        for cells, hidden, high, low, shown in zip(*(counts[name] for name in NUMBERS), strict=True):
            need(hidden <= cells and (rule["threshold"] or not hidden), "it hides more cells than there are")
            sums = rules.adds_up(rule, cells - hidden, hidden, shown, low, high)
            need(sums, "a number is no sum of what its rule can show")


def check_cells(core: Any, one: Any, told: Any, base: Any, rounded: Any) -> str:
    """As many cells are in each group as the sites' grids have there: all of them, where all certificates are carried.

    Each site has a grid of its own, which counts everybody once and whose cells the question takes whole.
    """
    sums = [[[0] * len(counts["cells"]) for counts in several] for several in one["counts"]]
    names = set()
    for envelope in told["certificates"].values():
        grid = core.sharing.stated(core, envelope)["grid"]
        base.need(sorted(grid) == ["id", "query"], "a site's certificate names no grid")
        names.add(grid["id"])
        for several, cells in zip(sums, rounded.Plan(one | {"grid": grid}, base).cells, strict=True):
            for numbers, groups in zip(several, cells, strict=True):
                for at in range(len(numbers)):
                    numbers[at] += groups.count(at)
    base.need(len(names) == len(told["certificates"]), "two sites have one grid")
    every = len(names) == told["sites"]
    for several, counts in zip(sums, one["counts"], strict=True):
        for numbers, count in zip(several, counts, strict=True):
            fits = all(
                here == there if every else here <= there for here, there in zip(numbers, count["cells"], strict=True)
            )
            base.need(fits, "it adds up another number of cells than the sites' grids have")
    return f"cells of {len(names)} of {told['sites']} grids counted again"


def sentence(one: Any, told: Any, rules: Any) -> str:
    """What it is and is not."""
    if one["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    return (
        f"No differential privacy, and no ε: counts of people by the rule {rules.words(one)}, which each of "
        f"{told['sites']} sites applied to the cells of its own grid before anything left it. Every number is the sum "
        "over all sites of what their cells show, so what each site's rounding leaves open adds up: the exact number "
        "lies between the two that are shown for it. No single site's part was shown to the coordinator, the analyst "
        "or another site; all tables of these grids together tell of a site's people no more than the cells of its own "
        "grid, each small one of which leaves open the interval of the rule. Other releases about the same people may "
        "narrow it, and who knows all others of a cell may learn of the last one (unbounded; named on every later "
        "release of each site)."
    )


def check(core: Any, one: Any, key: bytes) -> str:
    """What was found, in words; ``core`` is the checker's first file."""
    need, same, told, rounded = core.need, core.same, one["sharing"], core.rounded
    base, rules, sharing = core.base, rounded.RULES, core.sharing
    if (told.get("version"), told.get("wording"), told.get("secure"), one.get("version")) != (1, 2, "masked", 1):
        raise core.CannotCheck("it combines sites in a way that this checker does not know; find a newer one")
    core.known(one["query"], one["schema"])
    parts = sorted({*told} - {"wording"}) == sharing.PARTS.split() and told["round"] is None is told["noise"]
    need(
        parts and sorted(one) == sorted([*rounded.COMMON.split(), *OWN.split()]), "it has other parts than pets writes"
    )
    bare = one | {"sharing": {name: part for name, part in told.items() if name != "coordinator"}}
    core.verify(key, bytes.fromhex(told["coordinator"]), b"pets.federated.release.v1\0" + core.canonical(bare))
    first = sharing.check_roster(core, told, key)["members"][0]
    sharing.check_signed(core, one, told, told["sites"])
    plan = core.Plan(one["query"], one["schema"])
    kinds = {part["agg"] for _, part in one["query"]["agg"]}
    need(plan.kept == 1 and kinds <= {"count", "count_units", "rate"}, "it rounds what is no count of people")
    need(one["protection"].get("kind") == "sdc", "it has another protection")
    rule = rules.rule_of(one["protection"], base)
    derived = {"plan": core.sha256(core.canonical(plan.form)), "dataset": one["schema"]["dataset"], "rule": rule}
    derived |= {"table": one["query"]["table"], "data": first["data"], "budget": None, "project": "federation"}
    derived |= {"snapshot": f"federated {one['id']}", "cost": {"currency": first["currency"], "loss": 0, "delta": 0}}
    derived |= {"guarantee": sentence(one | {"data": first["data"]}, told, rules)}
    wrong = [name for name in derived if not same(one[name], derived[name])]
    need(not wrong, f"it promises something else than follows from its sites ({', '.join(wrong)})")
    check_counts(one, plan, rule, base, rules)
    # a site promises this of its rows, invented or not
    count = sharing.check_certificates(core, one, told, sentence(one | {"data": "real"}, told, rules))
    cells = check_cells(core, one, told, base, rounded)
    by = f"{len(told['answered'])} of {told['sites']} sites answered; roster {told['roster_sha256']}"
    carried = f"{count} certificate(s) carried; whose keys signed them is not checked here"
    return f"{one['guarantee']}\n  derived anew: {cells}; {by}; {carried}\n  {NOT_CHECKED}"
