"""Rounded counts over sites: each site rounds its own, by its own policy; by hand, and on either side of each rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
import pets.federated.site.vector as vector_module
from pets import col
from pets.errors import BudgetError, LedgerError, PetsError, PolicyError, QueryError, ReleaseFailedError, UserError
from pets.federated import Federation, Site, SitePolicy, Totals, check_sharing
from pets.federated.analyst.sealing import load
from pets.federated.messages.errors import Refused
from pets.federated.site.rounded.grid_part import GridPart
from pets.release.certificate import Certificate
from pets.release.rounded.rounded_sum import RoundedSum

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=1),
            {
                "id": pets.Identifier(),
                "g": pets.Category(["a", "b", "c"], nullable=False),
                "ill": pets.Boolean(nullable=False),
                "x": pets.Integer(0, 9, nullable=False),
            },
        )
    },
    dataset="three",
)
T = pets.query("t")
BY_G = T.group_by("g").agg(n=pets.count())
GRID = T.group_by("g", "ill").agg(n=pets.count())
ALL = T.agg(n=pets.count())
HES = pets.SDC("hes")
PRESETS = ("hes", "ons_10_5", "opensafely", "midpoint6", "own")
POLICY = pets.Policy(sdc=PRESETS, allow_unbounded=True)
THREE = ((3, 12, 0), (0, 7, 20), (8, 1, 23))
"""People of a, b and c at each of three sites."""


def rows(name: str, *counts: int) -> pd.DataFrame:
    """Each third of them is ill."""
    groups = [group for group, count in zip("abc", counts, strict=True) for _ in range(count)]
    ill = [place % 3 == 0 for count in counts for place in range(count)]
    ids = [f"{name}{i}" for i in range(len(groups))]
    return pd.DataFrame({"id": ids, "g": groups, "ill": ill, "x": [i % 10 for i in range(len(groups))]})


def session(name: str, *counts: int, **settings: Any) -> pets.Session:
    given = {"budget": pets.Budget(epsilon=1, delta=1e-6), "policy": POLICY, "progress": False} | settings
    return pets.Session(SCHEMA, {"t": rows(name, *counts)}, **given)


def sites(
    *counts: tuple[int, ...],
    grid: pets.Query | None = BY_G,
    rule: pets.SDC = HES,
    rules: SitePolicy | None = None,
    **settings: Any,
) -> list[Site]:
    """Sites with so many people of each group, each with a grid of its own."""
    policy = SitePolicy.open(SCHEMA, sdc=PRESETS) if rules is None else rules
    out = []
    for place, some in enumerate(counts or THREE):
        one = session(f"s{place}-", *some, **settings)
        if grid is not None:
            one.name_grid(grid, rule)
        out.append(Site(one, policy=policy, name=f"s{place}"))
    return out


def over(some: list[Site], **settings: Any) -> Federation:
    return Federation(some, **({"sites_per_person": 1, "progress": False} | settings))


def numbers(answer: RoundedSum, name: str = "n") -> list[list[Any]]:
    table = answer.table
    return [
        [None if pd.isna(value) else int(value), int(low), int(high)]
        for value, low, high in zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
    ]


def entries(some: list[Site]) -> list[int]:
    return [len(site.session.history()) for site in some]


# ── by hand ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_three_sites_by_hand() -> None:
    """Of a: 3 is hidden (1 to 7, counted as 4), 0 is 0, 8 is shown as 10 (8 to 12): 14, from 9 to 19; 11 in truth."""
    answer = over(sites()).release(BY_G, HES)
    assert isinstance(answer, RoundedSum)
    assert numbers(answer) == [[14, 9, 19], [18, 10, 26], [45, 41, 49]]
    ((counts,),) = answer.counts()
    assert counts.hidden.tolist() == [1, 2, 0] and counts.cells.tolist() == [3, 3, 3]  # type: ignore[attr-defined]
    assert answer.mask["n"].tolist() == [True, True, False]
    assert answer.rule == HES.rule and "'hes' (1 to 7 hidden, others to the nearest 5)" in answer.guarantee
    assert "No differential privacy" in answer.guarantee and "each of 3 sites" in answer.guarantee
    assert "All 3 sites are in the answer, combined by secure='masked'." in answer.notes


BY_PRESET = {
    # of 7, 8 and 23 people at one site each: what is shown, from, to
    "hes": [[4 + 10 + 25, 1 + 8 + 23, 7 + 12 + 27]],
    "ons_10_5": [[4 + 4 + 25, 0 + 0 + 23, 9 + 9 + 27]],
    "opensafely": [[3 + 10 + 25, 0 + 8 + 23, 7 + 12 + 27]],
    "midpoint6": [[9 + 9 + 21, 7 + 7 + 19, 12 + 12 + 24]],
}


@pytest.mark.parametrize("name", sorted(BY_PRESET))
def test_each_preset_has_its_own_widths(name: str) -> None:
    """On either side of the thresholds, worked out from what the presets' owners publish."""
    rule = pets.SDC(name)
    some = sites((7, 0, 0), (8, 0, 0), (23, 0, 0), rule=rule)
    answer = over(some).release(T.where(col("g") == "a").agg(n=pets.count()), rule)
    assert numbers(answer) == BY_PRESET[name]
    assert answer.table["n_low"][0] <= 7 + 8 + 23 <= answer.table["n_high"][0]


def test_a_rule_of_ones_own_and_cells_that_only_hide() -> None:
    own = pets.SDC(threshold=9)
    answer = over(sites((9, 10, 0), (1, 10, 0), (0, 12, 0), rule=own)).release(BY_G, own)
    assert numbers(answer) == [[None, 2, 18], [30, 30, 36], [0, 0, 0]]
    assert "of its own (1 to 9 hidden" in answer.guarantee


def test_totals_conditions_and_rates_are_sums_of_cells() -> None:
    some = sites(grid=GRID, rule=pets.SDC("midpoint6"))
    many, rule = over(some), pets.SDC("midpoint6")
    of_c = many.release(
        T.where(col("g") == "c").agg(n=pets.count(), ill=pets.rate(where=col("ill").isin([True]))), rule
    )
    # c: 7 of 20 and 8 of 23 are ill, so 13 and 15 are not: 9 + 9 and 15 + 15
    assert numbers(of_c) == [[48, 7 + 7 + 13 + 13, 12 + 12 + 18 + 18]]
    assert of_c.table["ill"][0] == 18 / 48
    total = many.release(ALL, rule)
    assert total.table["n_low"][0] <= 74 <= total.table["n_high"][0]
    assert total.counts()[0][0].cells.tolist() == [18]  # type: ignore[attr-defined]


def test_sites_may_have_grids_of_other_steps() -> None:
    """Each adds up its own cells: of 20 people of c in one cell, and of 23 in two of 8 and 15."""
    first, second, third = sites(grid=None)
    for site, grid in ((first, BY_G), (second, BY_G), (third, GRID)):
        site.session.name_grid(grid, HES)
    answer = over([first, second, third]).release(BY_G, HES)
    assert numbers(answer)[2] == [0 + 20 + 10 + 15, 0 + 18 + 8 + 13, 0 + 22 + 12 + 17]
    assert answer.counts()[0][0].cells.tolist() == [4, 4, 4]  # type: ignore[attr-defined]
    check_sharing(answer)


def test_it_is_sealed_saved_and_read_again(tmp_path: Path) -> None:
    many = over(sites())
    answer = many.release(BY_G, HES)
    assert many.release(BY_G, HES) == answer  # known already: nothing is asked again
    assert entries(list(many.sites.values())) == [2, 2, 2]
    read = load(answer.save(tmp_path / "answer.json"))
    assert read == answer and isinstance(read, RoundedSum)
    assert check_sharing(read).digest == many.roster.digest
    assert list(pd.read_csv(answer.save(tmp_path / "answer.csv"))) == ["g", "n", "n_low", "n_high"]
    assert many.release([BY_G, ALL], HES)[0] == answer
    for name in ("a", "14", "[9, 19]", "sums over 3 sites"):
        assert name in repr(answer)
    assert set(many.certificates(answer)) == {"s0", "s1", "s2"}


def test_each_sites_certificate_names_rule_grid_and_promise() -> None:
    many = over(sites())
    answer = many.release(BY_G, HES)
    for certificate in answer.sharing["certificates"].values():
        said = Certificate(certificate).predicate
        assert said["protection"] == {"kind": "sdc", "preset": "hes"} and said["guarantee"] == answer.guarantee
        assert said["what"] == "rounded count by g" and said["dp"] is None
        assert said["grid"]["query"] == BY_G.to_json()
        assert "digest" not in said["grid"]  # from which a grid of few small numbers could be tried out
    assert len({many.certificates(answer)[name].predicate["grid"]["id"] for name in many.sites}) == 3


def test_on_invented_rows_it_says_so() -> None:
    many = over(sites())
    twin = many.dummy(rows=60)
    answer = twin.release(BY_G, HES)
    assert answer.data == "dummy" and answer.guarantee.startswith("Dummy data")
    check_sharing(answer)
    assert entries(list(many.sites.values())) == [1, 1, 1]


# ── what is entered ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_part_is_entered_as_unbounded_and_named_on_later_certificates() -> None:
    many = over(sites())
    answer = many.release(BY_G, HES)
    for site in many.sites.values():
        last = site.session.history().iloc[-1]
        assert last["unbounded"] and last["state"] == "committed" and last["what"] == "rounded count by g"
        assert site.session.remaining().spent.loss == 0
        kept = b"".join(site.session.custody.account.exact())
        assert answer.id.encode() in kept
    later = many.release(ALL, pets.DP(epsilon=0.1))
    others = many.certificates(later)["s0"].predicate["other_releases"]["unbounded"]
    assert len(others) == 2  # the grid, and this part of it


def test_nothing_leaves_that_the_ledger_did_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    some = sites()
    account = some[1].session.custody.account

    def full(*_: Any, **__: Any) -> Any:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(type(account), "seal", full)
    with pytest.raises(ReleaseFailedError):
        over(some).release(BY_G, HES)


def test_no_row_is_read_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    some = sites()

    def read(*_: Any, **__: Any) -> Any:
        raise AssertionError("a row was read")

    monkeypatch.setattr(vector_module, "tabulate", read)
    assert numbers(over(some).release(BY_G, HES))[0] == [14, 9, 19]


def test_no_site_may_be_lost() -> None:
    some = sites()
    many = over(some, dropouts=1, colluding=0)
    some[2].leave(many.roster)
    with pytest.raises(PetsError, match="s2"):
        many.release(BY_G, HES)


# ── what is refused, and what mends it ────────────────────────────────────────────────────────────────────────────────


def test_a_site_allows_no_rule_until_its_policy_names_it() -> None:
    assert SitePolicy().sdc == SitePolicy.open(SCHEMA).sdc == ()
    for policy, said in (
        (SitePolicy.open(SCHEMA), r"by the rule 'hes' \(it allows: none\)"),
        (SitePolicy.open(SCHEMA, sdc=("midpoint6",)), r"'hes' \(it allows: 'midpoint6'\).*list it under sdc"),
    ):
        some = sites(rules=policy)
        with pytest.raises(Refused, match=said):
            over(some).release(BY_G, HES)
        assert entries(some) == [1, 1, 1]  # the grid's own
    assert over(sites(rules=SitePolicy.open(SCHEMA, sdc=["hes"]))).release(BY_G, HES)


def test_the_sessions_own_policy_must_allow_it_too() -> None:
    some = sites(grid=None, policy=pets.Policy())
    with pytest.raises(Refused, match="policy does not allow 'hes'"):
        over(some).release(BY_G, HES)


def test_a_site_without_a_grid_says_how_to_name_one() -> None:
    some = sites(grid=None)
    with pytest.raises(Refused, match="none is named yet; its custodian names it"):
        over(some).release(BY_G, HES)
    assert entries(some) == [0, 0, 0]
    for site in some:
        site.session.name_grid(BY_G, HES)
    assert over(some).release(BY_G, HES)


def test_one_dataset_has_one_rule() -> None:
    some = sites()
    with pytest.raises(Refused, match=r"protected by pets.SDC\(preset='hes'\).*ask with pets.SDC"):
        over(some).release(BY_G, pets.SDC("midpoint6"))
    assert entries(some) == [1, 1, 1]


def test_what_cuts_a_sites_cells_is_refused_before_anything_is_entered() -> None:
    some = sites()
    with pytest.raises(Refused, match="column 'ill' is not in the dataset's grid"):
        over(some).release(GRID, HES)
    assert entries(some) == [1, 1, 1]


def test_values_are_refused_before_anybody_is_asked() -> None:
    some = sites()
    many = over(some)
    values = (pets.mean("x"), pets.sum("x"), pets.median("x"), pets.histogram("x", [0, 5, 10]), pets.tails())
    for aggregate in values:
        with pytest.raises(PetsError, match=r"pets.SDC (answers|rounds) counts of people") as refused:
            many.release(T.agg(n=pets.count(), v=aggregate), HES)
        assert str(refused.value).startswith("v: ")
    assert entries(some) == [1, 1, 1]
    assert many.release(ALL, HES)


def test_one_sites_numbers_are_refused_and_masks_do() -> None:
    some = sites()
    many = over(some)
    with pytest.raises(PolicyError, match="write secure='masked'"):
        many.release(BY_G, HES, secure="local")
    assert entries(some) == [1, 1, 1]
    assert many.release(BY_G, HES, secure="masked")


def test_no_model_is_made_of_rounded_counts() -> None:
    some = sites(grid=T.group_by("x", "ill").agg(n=pets.count()))
    many = over(some)
    with pytest.raises(PolicyError, match="a survival curve is not made of rounded counts"):
        pets.federated.kaplan_meier(many, "t", "x", "ill", HES)
    with pytest.raises(PolicyError, match=r"glm takes pets.Total\(\)"):
        pets.federated.glm(many, "t", "ill", ["g"], "binomial", HES)
    assert entries(some) == [1, 1, 1]


def test_wrong_askings_have_one_sentence_each() -> None:
    many = over(sites())
    with pytest.raises(BudgetError, match="leave again=True out"):
        many.release(BY_G, HES, again=True)
    with pytest.raises(QueryError, match="leave out HAVING"):
        many.release(many.sql("SELECT g, COUNT(*) AS n FROM t GROUP BY g ORDER BY n"), HES)
    with pytest.raises(PolicyError, match="a rule to check tables by"):
        many.release(BY_G, pets.SDC("strict_10"))
    with pytest.raises(BudgetError, match="only a differentially private release has a cost"):
        many.quote(BY_G, HES)
    with pytest.raises(UserError, match="up to 2 rows"):
        two = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), dict(SCHEMA.tables["t"].columns))}, dataset="x")
        own = [pets.Session(two, {"t": rows(f"{n}", 9, 9, 9)}, budget=pets.Budget(epsilon=1)) for n in range(3)]
        over([Site(one, policy=SitePolicy.open(two, sdc=("hes",)), name=f"{n}") for n, one in enumerate(own)]).release(
            BY_G, HES
        )


@pytest.mark.parametrize("place", [0, 2, 3, 6])
def test_a_total_that_no_rule_can_show_is_refused(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown of a or c, the hidden cells of a, or its low end, is one more at each site."""
    many = over(sites())
    true = GridPart.vector
    monkeypatch.setattr(GridPart, "vector", lambda self: true(self) + np.eye(15, dtype=np.int64)[place])
    with pytest.raises(ReleaseFailedError, match="no sum of what the rule can show"):
        many.release(BY_G, HES)


def test_a_policy_of_before_keeps_its_digest_and_sdc_is_read_from_a_file() -> None:
    assert "sdc" not in SitePolicy.open(SCHEMA).to_json()
    read = SitePolicy.from_json({"sdc": ["midpoint6", "hes"]})
    assert read.sdc == ("hes", "midpoint6") and SitePolicy.from_json(read.to_json()) == read
    for wrong, said in (
        (["hez"], "did you mean 'hes'"),
        (["strict_10"], "to check tables by"),
        (7, "names of presets"),
    ):
        with pytest.raises(PolicyError, match=said):
            SitePolicy.from_json({"sdc": wrong})


def test_rounded_counts_are_no_exact_totals_to_the_rules_of_those() -> None:
    """Three people are hidden in a table; the exact totals without them and with them are not given both."""
    rules = SitePolicy.open(SCHEMA, sdc=("hes",), totals=Totals(allow=True, min_cohort=1, min_cell=8, max_totals=2))
    some = sites((3, 40, 20), (30, 40, 20), (30, 40, 20), rules=rules)
    many = over(some)
    assert many.release(BY_G, HES)
    assert many.release(T.where(col("g") != "a").agg(n=pets.count()), pets.Total())
    with pytest.raises(ReleaseFailedError):
        many.release(ALL, pets.Total())
    assert list(some[0].session.history()["state"])[-1] != "committed"
    # nor do they count towards max_totals
    assert many.release(ALL, HES) and many.release(T.where(col("g") == "b").agg(n=pets.count()), HES)
