"""Assess: scores lie between the shuffled table and real rows, and copies of real rows are flagged every time."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.cli import main
from pets.errors import LedgerError, PolicyError, UserError
from pets.synthetic.assess import charts, matches, run
from pets.synthetic.assess.matches import Attack
from pets.synthetic.assess.page import page
from pets.synthetic.assess.run import Assessment
from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Coded, Tables, manifest_of, prepare
from tests.extras import needs
from tests.hosts import named

needs("sklearn")


def population(rows: int, seed: int) -> pd.DataFrame:
    """People of one law: the same law, other people, for every seed."""
    random = np.random.default_rng(seed)
    sex = random.choice(["F", "M"], rows)
    age = np.clip(random.normal(np.where(sex == "F", 52, 46), 15), 0, 99).round(1)
    ward = np.where(random.random(rows) < 0.75, np.where(age > 50, "old", "young"), random.choice(["x", "y"], rows))
    cost = np.round(random.lognormal(6 + age / 60, 0.4), 2)
    ill = np.where(random.random(rows) < 1 / (1 + np.exp(-(age - 55) / 6)), "yes", "no")
    return pd.DataFrame({"sex": sex, "age": age, "ward": ward, "cost": cost, "ill": ill})


REAL, HELD, FRESH = population(2000, 1), population(1200, 2), population(2000, 3)
MANY = population(2000, 4)  # kept out, and enough of them for 20 copies to be no chance


@pytest.fixture(scope="module", autouse=True)
def drawn_once() -> Iterator[None]:
    """The pictures of a page are drawn once for the same scores: most tests ask of the words around them."""
    drawn: dict[Any, tuple[Any, dict[str, str]]] = {}

    def pictures(shown: Any) -> dict[str, str]:
        key = (shown.scores, id(shown.tables), id(shown.detail))
        if key not in drawn:
            drawn[key] = (shown, made(shown))  # held, so that its ids stay its own
        return dict(drawn[key][1])

    made = charts.pictures
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts, "pictures", pictures)
        yield


@pytest.fixture(scope="module")
def shuffled() -> Assessment:
    random = np.random.default_rng(9)
    # other people's values, shuffled: no real value is kept
    return pets.assess(REAL, FRESH.apply(lambda c: random.permutation(c.to_numpy())), HELD, progress=False)


@pytest.fixture(scope="module")
def fresh() -> Assessment:
    return pets.assess(REAL, FRESH, HELD, progress=False)


def test_fresh_people_of_the_same_law_score_like_real_rows(fresh: Assessment) -> None:
    assert fresh.flags == ()
    assert fresh.target == "ill"
    assert fresh["pairs of columns"].value < 0.7 * fresh["pairs of columns"].floor
    assert abs(fresh["told from real rows"].value - 0.5) < 0.06
    assert fresh["ill by boosted trees"].value > 0.75 and fresh["ill by boosted trees"].place > 0.8
    for score in fresh.scores:
        if score.group == "risk":
            # (the worst of many columns is some way up by chance alone: its interval says so)
            assert (score.low if score.name == "inference of one column" else score.value) < 0.08, score.name


def test_a_shuffled_table_scores_like_the_floor(shuffled: Assessment) -> None:
    assert shuffled["pairs of columns"].place < 0.15 and np.isnan(shuffled["columns by themselves"].place)
    assert shuffled["told from real rows"].value > 0.8
    assert shuffled["ill by boosted trees"].value < 0.6
    assert shuffled["associations"].value > 3 * shuffled["associations"].ceiling


def copied(tables: Tables, rows: int, random: np.random.Generator) -> Tables:
    """The same, where so many rows of the synthetic table are real ones."""
    real = tables.real.take(random.choice(len(tables.real), rows, replace=False))
    kept = tables.synthetic.take(random.permutation(len(tables.synthetic))[rows:])
    both = zip(vars(real).values(), vars(kept).values(), strict=True)
    return replace(tables, synthetic=Coded(*(np.concatenate(pair) for pair in both)))


def flags(tables: Tables, random: np.random.Generator) -> list[str]:
    parts = random.permutation(len(tables.holdout))
    ceiling, control = (tables.holdout.take(part) for part in np.array_split(parts, 2))
    released = {"value": tables.synthetic, "floor": tables.real.shuffled(random), "ceiling": ceiling}
    return [score.name for score in matches.copies(tables, released, control) if score.flagged]


@pytest.mark.parametrize("seed", range(20))
def test_one_percent_of_planted_copies_is_flagged_every_time(seed: int) -> None:
    """Twenty times of twenty, and no alarm without copies: three tests a table, each wrong once in 10,000 tables."""
    random = np.random.default_rng(seed)
    tables = prepare(REAL, population(2000, 10 + seed), MANY, None, None)
    assert flags(copied(tables, 20, random), random)
    assert flags(tables, random) == []


def coarse(rows: int, seed: int) -> pd.DataFrame:
    """Three in five people are of a kind that any model makes again by chance, alike in all but two wide columns."""
    random = np.random.default_rng(seed)
    odd = random.random((rows, 1)) < 0.4
    plain = np.where(np.arange(8) < 2, random.integers(0, 80, (rows, 8)), 1)
    return pd.DataFrame(np.where(odd, random.integers(0, 12, (rows, 8)), plain), columns=list("abcdefgh")).astype(str)


@pytest.mark.parametrize("seed", range(10))
def test_copies_show_where_chance_makes_many_rows_again(seed: int) -> None:
    random = np.random.default_rng(seed)
    tables = prepare(coarse(12_000, 100), coarse(12_000, 102 + seed), coarse(4000, 101), None, None)
    found = flags(copied(tables, 120, random), random)
    assert "copies where nothing is near" in found and "copies of unique rows" not in found
    assert flags(tables, random) == []


def test_marks_of_rows_count_like_the_rows_themselves() -> None:
    random = np.random.default_rng(0)
    one, other, more = (random.integers(-2, 3, (n, 4)) for n in (300, 200, 250))
    both = [tuple(row) for row in np.concatenate([one, other]).tolist()]
    table = [tuple(row) for row in more.tolist()]
    for most in (None, 3, 6):
        near = [sum(sum(a != b for a, b in zip(row, held, strict=True)) == 1 for held in table) for row in both]
        unique = [both.count(row) == 1 and (most is None or near[i] <= most) for i, row in enumerate(both)]
        hit = [unique[i] and row in table for i, row in enumerate(both)]
        wanted = Attack(sum(hit[:300]), sum(unique[:300]), sum(hit[300:]), sum(unique[300:]))
        assert matches._replicated(one, other, more, most) == wanted and wanted.tries > 0


def test_the_table_itself_is_flagged_by_every_attack() -> None:
    found = pets.assess(REAL, REAL.sample(frac=1, random_state=0), HELD, progress=False)
    flagged = {score.name for score in found.scores if score.flagged}
    assert {"copies of unique rows", "singling out", "membership of outliers", "linkability"} <= flagged
    assert found["copies of unique rows"].value > 0.95


SCHEMA = pets.Schema({"t": pets.Table("row", {"sex": pets.Category(["F", "M"])})}, dataset="assessed")
BUDGET = pets.Budget(epsilon=1, delta=1e-6)
ALLOWED = pets.Policy(allow_unbounded=True)


def custodian(policy: pets.Policy = ALLOWED) -> pets.Session:
    return pets.Session(SCHEMA, REAL, budget=BUDGET, policy=policy, progress=False)


@pytest.fixture(scope="module")
def many() -> Assessment:
    """Some hundred patients, and far more rows kept out."""
    return pets.assess(population(300, 41), population(300, 42), population(900, 44), progress=False)


@pytest.mark.parametrize("rows", [50, 90])
def test_a_few_rows_kept_out_will_do_with_wider_intervals(many: Assessment, rows: int) -> None:
    """A hospital of some hundred patients: no alarm without copies, one with them, and honest widths."""
    real, made, held = population(300, 41), population(300, 42), population(rows, 43)
    few = pets.assess(real, made, held, progress=False)
    assert few.flags == ()
    for one, other in zip(few.scores, many.scores, strict=True):
        assert one.low <= one.value <= one.high, one.name
        # (copies are sought against every row kept out anyway; the one column is another one in each)
        if one.name in ("singling out", "linkability", "attribute inference") or one.group == "utility":
            assert one.high - one.low > other.high - other.low, one.name
    copied = pets.assess(real, real.sample(frac=1, random_state=0), held, progress=False)
    assert "linkability" in {score.name for score in copied.scores if score.flagged}
    assert "every one of them was used in turn" in page(few) and "used in turn" not in page(many)


def test_every_row_kept_out_is_a_target_and_no_row_is_one_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[matches.Fold]] = []
    real = run.singling_out

    def spying(tables: Any, folds: list[matches.Fold], *more: Any) -> Score:
        seen.append(folds)
        return real(tables, folds, *more)

    monkeypatch.setattr(run, "singling_out", spying)
    pets.assess(REAL[:200], FRESH[:200], HELD[:60], progress=False)
    for side, count in (("control", 60), ("real", 200)):
        numbers = np.concatenate([getattr(fold, side).numbers for fold in seen[0]])
        assert len(numbers) == count and len(np.unique(numbers, axis=0)) == count
    for fold in seen[0]:
        both = np.concatenate([fold.control.numbers, fold.released["ceiling"].numbers])
        assert len(np.unique(both, axis=0)) == 60


def test_the_page_and_its_json(fresh: Assessment, tmp_path: Path) -> None:
    fresh.save(tmp_path / "a.html", custodian())
    shown = (tmp_path / "a.html").read_text("utf-8")
    form = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert "exact statistics of real rows" in shown and "exact statistics of real rows" in form["warning"]
    assert (
        shown.count("<svg") == 3 + 5
        and "Date, signature" in shown
        and "http:" not in shown.replace("http://www.w3.org", "")
    )
    assert named(shown) == [] == named((tmp_path / "a.json").read_text("utf-8"))
    assert len(form["scores"]) == len(fresh.scores) and form["rows"]["holdout"] == len(HELD)
    assert "distance" not in {score["name"] for score in form["scores"]}
    assert {score.group for score in fresh.scores} == {"fidelity", "utility", "detectability", "risk"}
    # what a screen shows says what it is
    assert "exact statistics of real rows" in repr(fresh)


def test_a_page_is_an_unbounded_entry_before_it_is_written(fresh: Assessment, tmp_path: Path) -> None:
    closed = custodian(pets.Policy())
    with pytest.raises(PolicyError, match="no finite guarantee"):
        fresh.save(tmp_path / "a.html", closed)
    assert not list(tmp_path.iterdir()) and len(closed.history()) == 0
    open_ = custodian()
    fresh.save(tmp_path / "a.html", open_)
    assert open_.history()[["state", "unbounded"]].values.tolist() == [["committed", True]]
    later = open_.release(pets.query("t").agg(n=pets.count()), pets.DP(epsilon=0.1))
    assert any("no finite guarantee" in note for note in later.notes)
    # on invented rows nothing is at stake
    fresh.save(tmp_path / "b.html", open_.dummy())
    assert len(open_.history()) == 2 and len(list(tmp_path.iterdir())) == 4


def test_a_page_that_cannot_be_entered_is_not_written(
    fresh: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = custodian()

    def refused(*_: Any, **__: Any) -> Any:
        raise LedgerError("the ledger cannot be written")

    monkeypatch.setattr(session.custody.account, "reserve", refused)
    with pytest.raises(UserError, match="ledger cannot be written"):
        fresh.save(tmp_path / "a.html", session)
    assert not list(tmp_path.iterdir())


def test_there_is_no_other_way_out_than_the_entered_one(fresh: Assessment, tmp_path: Path) -> None:
    session = custodian()
    for path, given, words in (
        (tmp_path / "a.pdf", session, r"written as \.html"),
        (tmp_path / "no" / "a.html", session, "no such folder"),
        (3, session, "such as 'assess.html'"),
        (tmp_path / "a.html", None, r"say whose with save\(path, session\)"),
    ):
        with pytest.raises(UserError, match=words):
            fresh.save(path, given)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="save needs session; write save"):
        fresh.save(tmp_path / "a.html")  # type: ignore[call-arg]
    with pytest.raises(UserError, match="never pickled"):
        pickle.dumps(fresh)
    with pytest.raises(UserError, match="never pickled"):
        copy.copy(fresh)
    assert not list(tmp_path.iterdir()) and len(session.history()) == 0
    # a page that cannot be written stays on the account: it was about to leave
    (tmp_path / "b.html").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        fresh.save(tmp_path / "b.html", session)
    assert session.history()[["state", "unbounded"]].values.tolist() == [["forfeited", True]]
    assert [path.name for path in tmp_path.iterdir()] == ["b.html"], "a half of it was left"
    later = session.release(pets.query("t").agg(n=pets.count()), pets.DP(epsilon=0.1))
    assert later.certificate is not None
    assert [one["what"] for one in later.certificate.predicate["other_releases"]["unbounded"]] == [
        "an assessment of a synthetic table: exact statistics of real rows"
    ]


@pytest.mark.parametrize("stop", [LedgerError("the ledger cannot be written"), KeyboardInterrupt()])
def test_a_page_that_cannot_be_sealed_is_taken_back(
    stop: BaseException, fresh: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = custodian()
    (tmp_path / "a.json").write_text("an older one", "utf-8")
    written: list[set[str]] = []

    def refused(*_: Any, **__: Any) -> Any:
        written.append({path.name for path in tmp_path.iterdir()})
        raise stop

    monkeypatch.setattr(session.custody.account, "seal", refused)
    with pytest.raises(type(stop)):
        fresh.save(tmp_path / "a.html", session)
    assert {"a.html", "a.json"} <= written[0], "the files are written before the entry is sealed"
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == {"a.json": "an older one"}
    assert session.history()[["state", "unbounded"]].values.tolist() == [["forfeited", True]]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, frame in (("real", REAL[:600]), ("synthetic", FRESH[:600]), ("holdout", HELD[:600])):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "s.json").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    return [f"--{name}={tmp_path / name}.csv" for name in ("real", "synthetic", "holdout")]


def test_the_command_shows_the_scores_and_writes_nothing(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(tmp_path.iterdir())
    assert main.run(["assess", *files]) == 0
    shown = capsys.readouterr().out
    assert (
        "pairs of columns" in shown and "exact statistics of real rows" in shown and set(tmp_path.iterdir()) == before
    )


def test_the_command_enters_the_page_that_it_writes(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pets.synthetic.assess.run.assess", lambda *_, **__: pytest.fail("rows were read"))
    written, ledger = tmp_path / "a.html", tmp_path / "ledger.db"
    about = [f"--schema={tmp_path / 's.json'}", f"--ledger={ledger}", "--budget-epsilon=1"]
    for where in (tmp_path / "a.pdf", tmp_path / "no" / "a.html"):
        assert main.run(["assess", *files, *about, "--allow-unbounded", f"--out={where}"]) != 0
        assert "written" in capsys.readouterr().err
    for lacking in ([], about, [about[1], "--allow-unbounded"], [about[0], "--allow-unbounded"]):
        assert main.run(["assess", *files, f"--out={written}", *lacking]) != 0
        assert "add --schema, --ledger and --allow-unbounded" in capsys.readouterr().err
    monkeypatch.undo()
    assert not written.exists() and not ledger.exists()
    assert main.run(["assess", *files, *about, "--allow-unbounded", f"--out={written}"]) == 0
    assert "entered in the ledger" in capsys.readouterr().out and written.exists() and (tmp_path / "a.json").exists()
    later = pets.Session(SCHEMA, str(tmp_path / "real.csv"), ledger=ledger, progress=False)
    assert later.history()[["state", "unbounded"]].values.tolist() == [["committed", True]]


def test_a_place_is_said_only_where_there_is_something_to_stand_between() -> None:
    def place(value: float, floor: float, ceiling: float, better: Any) -> Score:
        return Score("fidelity", "a", "b", value, floor, ceiling, better)

    assert place(0.04, 0.12, 0.02, "less").place == pytest.approx(0.8) and not place(0.04, 0.12, 0.02, "less").worthless
    assert place(0.9, 0.5, 0.9, "more").place == 1 and place(0.4, 0.5, 0.9, "more").worthless
    # a shuffle keeps columns as they are: a table worse than both must not look better than real rows
    assert np.isnan(place(0.056, 0.010, 0.015, "less").place) and np.isnan(place(0.3, 0.9, 0.8, "more").place)
    assert not place(0.056, 0.010, 0.015, "less").worthless


def test_the_page_says_what_is_worse_than_a_shuffle(fresh: Assessment) -> None:
    worse = replace(
        fresh,
        scores=tuple(
            replace(s, value=0.4, low=0.39, high=0.41) if s.name == "pairs of columns" else s for s in fresh.scores
        ),
    )
    assert 'class="clear"' not in page(worse) and 'class="clear"' in page(fresh)
    assert '<h2>In short</h2>\n<p class="flag"><b>Look at this:</b> No better than shuffled columns' in page(worse)
    # a shuffle keeps single columns: a table that does not is worse, wherever the rest lies
    spoilt = replace(
        fresh,
        scores=tuple(
            replace(s, value=0.3, low=0.29, high=0.31) if s.name == "columns by themselves" else s for s in fresh.scores
        ),
    )
    assert 'class="clear"' not in page(spoilt) and "columns: columns by themselves." in page(spoilt)
    assert "No better than shuffled columns" in page(worse) and "No better than shuffled columns" not in page(fresh)
    assert "Not in the picture: columns by themselves." in page(fresh) and "That is no proof" in page(fresh)


def test_the_page_says_first_whether_rows_were_enough(fresh: Assessment) -> None:
    told = replace(fresh, about={"guarantee": "ε = 1", "enough": "NOT ENOUGH ROWS: of about 123 rows, <all>."})
    assert "<ul><li>NOT ENOUGH ROWS: of about 123 rows, &lt;all&gt;.</li>" in page(told)
    assert "ENOUGH" not in page(fresh)


def test_whoever_signs_knows_which_file_and_what_it_promises(tmp_path: Path) -> None:
    made, other = tmp_path / "made.csv", tmp_path / "made.manifest.json"
    FRESH[:200].to_csv(made, index=False)
    sha = hashlib.sha256(made.read_bytes()).hexdigest()
    assert manifest_of(made) == {"file": "made.csv", "sha256": sha} and manifest_of(FRESH) == {}
    other.write_text(json.dumps({"guarantee": "ε = 1", "sha256": sha, "file": "made.csv"}), "utf-8")
    assert manifest_of(str(made))["guarantee"] == "ε = 1"
    for wrong in (json.dumps({"guarantee": "ε = 1", "sha256": "0" * 64}), "[]", "{", "{}"):
        other.write_text(wrong, "utf-8")
        assert manifest_of(made) == {"file": "made.csv", "sha256": sha}


def test_values_stand_in_their_order() -> None:
    real, made, held = (f[["sex", "ill"]].assign(n=np.arange(len(f)) % 12, c=f["ward"]) for f in (REAL, FRESH, HELD))
    columns = {"c": pets.Category(["young", "y", "x", "old"]), "n": pets.Category([str(i) for i in range(12)])}
    schema = pets.Schema({"t": pets.Table("row", columns)})
    told = {one.name: one.labels for one in prepare(real, made, held, schema, None).columns}
    assert told["c"] == ("young", "y", "x", "old", "missing") and told["n"][2] == "2"
    plain = {one.name: one.labels for one in prepare(real, made, held, None, None).columns}
    assert plain["n"][2] == "2" and plain["c"][0] == "old" and plain["sex"] == ("F", "M", "missing")


@pytest.mark.chance(0)
def test_learners_run_in_one_thread_in_a_fresh_process_too() -> None:
    """Spinning threads made the first assessment of a process six times as dear on a busy machine."""
    code = (
        "from pets.synthetic.assess.learning import _learners, one_thread\n"
        "with one_thread():\n"
        "    from threadpoolctl import threadpool_info\n"
        "    _learners(0)\n"
        "    found = [one['num_threads'] for one in threadpool_info()]\n"
        "assert found and set(found) == {1}, found\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "4"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"holdout": HELD[:49]}, "holdout table has 49 rows; scores mean nothing below 50"),
        ({"synthetic": FRESH.rename(columns=str.upper)}, "share 0 columns"),
        ({"synthetic": 3}, "synthetic table is a data frame"),
        ({"real": "nowhere.csv"}, "real table cannot be read"),
        ({"target": "il"}, "did you mean 'ill'"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_input_is_told_in_one_sentence(given: dict[str, Any], words: str) -> None:
    settings = {"real": REAL, "synthetic": FRESH, "holdout": HELD} | given
    with pytest.raises(UserError, match=words):
        pets.assess(**settings, progress=False)


def test_a_schema_may_be_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    seen: list[Any] = []

    def stop(real: Any, synthetic: Any, holdout: Any, schema: Any, table: Any) -> Any:
        seen.append(schema)
        raise UserError("far enough")

    monkeypatch.setattr("pets.synthetic.assess.run.prepare", stop)
    for given in (path, str(path), SCHEMA.to_json(), SCHEMA):
        with pytest.raises(UserError, match="far enough"):
            pets.assess(REAL, FRESH, HELD, schema=given, progress=False)
    assert seen == [SCHEMA] * 4
    with pytest.raises(UserError, match="does not exist"):
        pets.assess(REAL, FRESH, HELD, schema=tmp_path / "none.yaml", progress=False)


def test_identifiers_and_absent_columns_are_left_out_and_named() -> None:
    real = REAL.assign(id=[f"p{i}" for i in range(len(REAL))], extra=1)
    held = HELD.assign(id=[f"q{i}" for i in range(len(HELD))], extra=1)
    tables = prepare(real, FRESH.assign(id=[f"s{i}" for i in range(len(FRESH))]), held, None, None)
    assert set(tables.left_out) == {"id", "extra"} and tables.names == list(REAL)


def test_values_mean_the_same_in_every_file() -> None:
    made = FRESH.assign(
        sex=FRESH["sex"].where(FRESH.index > 100), ill=(FRESH["ill"] == "yes").map({True: "yes", False: "no"})
    )
    tables = prepare(REAL, made.astype({"cost": str}).astype({"cost": float}), HELD, None, None)
    assert (tables.synthetic.codes[:101, 0] == tables.columns[0].size - 1).all()
    assert np.isnan(tables.synthetic.numbers[:101, 0]).all()


def test_an_attack_is_what_it_adds_to_general_knowledge() -> None:
    nothing, much = Attack(100, 1000, 100, 1000), Attack(300, 1000, 100, 1000)
    assert nothing.risk == pytest.approx(0, abs=1e-9) and nothing.interval[0] == 0
    assert much.risk == pytest.approx((0.3 - 0.1) / 0.9, abs=0.01)
    assert nothing.chance > 0.4 and much.chance < 1e-10
    assert Attack(0, 1000, 0, 1000).chance == 1
    # P(binomial(10, 1/2) >= 9) = 11/1024
    assert Attack(9, 50, 1, 50).chance == pytest.approx(11 / 1024)
