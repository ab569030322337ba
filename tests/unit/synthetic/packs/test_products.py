"""Products of a pack: which tables are made, that the rows do not depend on it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import pets
from pets.errors import PackError, UserError
from pets.synthetic.packs.check import check
from pets.synthetic.packs.pack import load_pack, packs, whole_pack


@pytest.fixture(scope="module")
def everything() -> pets.synthetic.dummy_data.dataset.Dummy:
    return pets.dummy("nhs", people=1000, seed=3, products="all")


def test_every_table_of_the_nhs_pack_belongs_to_a_product() -> None:
    pack = whole_pack("nhs")
    held = {name for one in pack.products.values() for name in one.tables}
    assert {table.name for table in pack.files} == held
    assert all(one.tables or one.about for one in pack.products.values())


def test_what_is_usual_is_made_and_no_more() -> None:
    made = set(pets.dummy("nhs", people=5))
    assert "apc" in made and "gdppr" not in made
    assert made == {name for one in whole_pack("nhs").products.values() if one.usual for name in one.tables}


def test_a_product_brings_what_its_tables_rest_on_and_no_more() -> None:
    pack = load_pack("nhs", products=["medicines"])
    assert list(pack.tables) == ["demographics", "_bodies", "_conditions", "medicines"]
    assert set(pets.dummy("nhs", people=5, products="medicines")) == {"demographics", "medicines"}


@pytest.mark.parametrize("name", ["hes_cc", "msds"])
def test_a_product_alone_has_all_that_its_checks_look_into(name: str) -> None:
    made = pets.dummy("nhs", people=50, products=[name])
    assert [str(verdict) for verdict in check(load_pack("nhs", products=[name]), made.tables) if not verdict] == []
    assert ("apc" in made) == (name == "hes_cc")


def test_rows_are_the_same_whichever_products_are_made(everything: pets.synthetic.dummy_data.dataset.Dummy) -> None:
    for name, product in whole_pack("nhs").products.items():
        if product.tables and not product.usual:
            made = pets.dummy("nhs", people=1000, seed=3, products=[name])
            for table in product.tables:
                assert made.tables[table].equals(everything.tables[table]), table
    usual = pets.dummy("nhs", people=1000, seed=3)
    assert all(usual.tables[name].equals(everything.tables[name]) for name in usual)


def test_every_check_of_every_table_holds(everything: pets.synthetic.dummy_data.dataset.Dummy) -> None:
    verdicts = check(whole_pack("nhs"), everything.tables)
    assert [str(verdict) for verdict in verdicts if not verdict] == []
    assert [name for name, table in everything.tables.items() if not table.num_rows] == []


def test_a_twin_has_tables_of_products_too() -> None:
    schema = pets.dummy("nhs", people=5, products=["gdppr"]).schema
    twin = pets.dummy(schema, rows=40)
    assert set(twin) == {"demographics", "gdppr"} and len(twin["gdppr"])
    assert pets.Session(schema, twin, budget=pets.Budget(1), progress=False) is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["gdpr"], "no product 'gdpr'; did you mean 'gdppr'"),
        ("nothing_like_it", "there are: demographics"),
        ([3], "a list of names, or 'all'"),
    ],
)
def test_a_product_that_is_not_there_is_refused(given: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        pets.dummy("nhs", people=5, products=given)  # type: ignore[arg-type]


def test_a_product_without_a_table_says_why(tmp_path: Path) -> None:
    folder = _copy(
        tmp_path, "products:\n  implants: {title: Implants, about: no public list of its fields was found}\n"
    )
    with pytest.raises(UserError, match="no table of implants: no public list"):
        pets.dummy(folder, people=5, products=["implants"])
    assert set(pets.dummy(folder, people=5)) == {"patients", "visits", "treatments"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{title: X, tables: [visit]}", "there is no table 'visit'; did you mean 'visits'"),
        ("{title: X, tables: visits}", "a list of names"),
        ("{title: X}", "say in 'about' why"),
        ("{title: X, tables: [visits], usual: perhaps}", "usual is yes or no"),
        ("{tables: [visits]}", "title"),
        ("{title: X, tabels: [visits]}", "did you mean 'tables'"),
    ],
)
def test_a_wrong_product_is_refused_with_its_line(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(PackError, match=rf"pack.yaml:\d+: .*{said}"):
        load_pack(_copy(tmp_path, f"products:\n  one: {entry}\n"))


def test_one_who_asks_a_schema_for_products_is_told() -> None:
    with pytest.raises(UserError, match="are for packs"):
        pets.dummy({"tables": {"t": {"unit": "row", "columns": {"a": "boolean"}}}}, products=["gdppr"])


def _copy(tmp_path: Path, more: str) -> Path:
    assert "dental" in packs()
    home = Path(pets.__file__).parent / "synthetic" / "packs" / "dental"
    for path in home.glob("*.yaml"):
        text = path.read_text("utf-8") + (more if path.name == "pack.yaml" else "")
        (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path
