"""The command line: every command, every exit code, and what a mistake, an interruption or a bug looks like."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import pets
from pets import errors
from pets.cli import main
from pets.synthetic.stays import SCHEMA_FILE, invent_stays
from tests.terminal import left

SECRET = "P-CANARY-7731"  # in a row, so it may stand in no message
SEX = ["--by", "sex", "--count", "stays"]


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cli")
    (made / "stays.yaml").write_text(SCHEMA_FILE.read_text("utf-8"), "utf-8")
    frame = invent_stays(people=300, seed=3)
    frame.loc[0, ["patient_id", "specialty"]] = SECRET
    frame.to_csv(made / "stays.csv", index=False)
    (made / "query.json").write_text(json.dumps(pets.query("stays").group_by("sex").agg(n=pets.count()).to_json()))
    (made / "query.yaml").write_text("table: stays\nby: [sex]\nagg: {n: {agg: count}}\n")
    return made


@pytest.fixture
def pets_(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> Done:
        code = main.run(list(arguments))
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        assert SECRET not in shown.out + shown.err
        return Done(code, shown.out, left(shown.err))

    return run


def data(*more: str) -> list[str]:
    return ["--schema", "stays.yaml", "--data", "stays.csv", *more]


def schema(*more: str) -> list[str]:
    return ["--schema", "stays.yaml", *more]


# what works -----------------------------------------------------------------------------------------------------------


def test_version(pets_) -> None:
    assert pets_("--version") == Done(0, f"pets {pets.__version__}\n", "")


@pytest.mark.parametrize("verb", ["demo", "explain", "quote", "query", "snapshot", "profile", "dummy"])
def test_every_verb_has_help_with_examples(pets_, verb: str) -> None:
    done = pets_(verb, "--help")
    assert done.code == 0
    assert done.out.count(f"\n  pets {verb}") >= 1
    assert 2 <= done.out.count("\n  pets ") <= 4
    assert all(ord(letter) != 8 for letter in done.out)


def test_help_alone(pets_) -> None:
    done = pets_("--help")
    assert done.code == 0 and "snapshot" in done.out


@pytest.mark.chance(0)
def test_help_loads_no_engine() -> None:
    code = (
        "import sys; from pets.cli import main; main.run(['query', '--help']);"
        "sys.exit(any(n in sys.modules for n in ('duckdb', 'pandas', 'numpy', 'ibis', 'opendp', 'pyarrow', 'altair')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_explain(pets_) -> None:
    done = pets_("explain", *schema(*SEX))
    assert done.code == 0 and "patient_id" in done.out and "ε = 1, δ = 1e-06" in done.out
    assert "ε = 0.25" in pets_("explain", *schema(*SEX), "--epsilon", "0.25").out


def test_quote_says_what_python_says(pets_) -> None:
    done = pets_("quote", *schema(*SEX), "--epsilon", "0.5", "--budget-epsilon", "3")
    session = pets.Session(
        "stays.yaml", {"stays": "stays.csv"}, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False
    )
    query = pets.query("stays").group_by("sex").agg(stays=pets.count())
    assert done == Done(0, f"{session.quote(query, pets.DP(epsilon=0.5))}\n", "")


def test_quote_of_a_synthetic_table_says_what_python_says(pets_) -> None:
    flags = ["--synthesise", "--columns", "age,sex", "--bins", "age:0,18,65,110", "--epsilon", "0.5"]
    done = pets_("quote", *schema(*flags), "--budget-epsilon", "3", "--rows", "2")
    budget = pets.Budget(epsilon=3, delta=1e-6)
    session = pets.Session(pets.Schema.load(schema()[1]), budget=budget)
    asked = {"columns": ["age", "sex"], "bins": {"age": [0, 18, 65, 110]}, "bound": 2}
    assert done == Done(0, f"{session.quote_synthesis(epsilon=0.5, **asked)}\n", "")


def test_quote_of_a_synthetic_table_of_people_says_what_python_says(pets_, tmp_path: Path) -> None:
    stays = pets.events("stays")
    cohort = pets.people(stays=stays.count(max=4), old=stays.where(pets.col("age") >= 65).exists())
    cohort = cohort.where(pets.col("stays") >= 1)
    (tmp_path / "cohort.json").write_text(json.dumps(cohort.to_json()), "utf-8")
    flags = ["--synthesise", "--query", str(tmp_path / "cohort.json"), "--epsilon", "0.5"]
    done = pets_("quote", *schema(*flags), "--budget-epsilon", "3")
    session = pets.Session(pets.Schema.load(schema()[1]), budget=pets.Budget(epsilon=3, delta=1e-6))
    assert done == Done(0, f"{session.quote_synthesis(epsilon=0.5, table=cohort)}\n", "")
    (tmp_path / "rows.json").write_text(json.dumps(pets.query("stays").agg(n=pets.count()).to_json()), "utf-8")
    wrong = pets_("quote", *schema("--synthesise", "--query", str(tmp_path / "rows.json"), "--epsilon", "0.5"))
    assert wrong.code not in (0, 1) and "table=pets.people(" in wrong.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--columns", "age", *SEX], "add --synthesise"),
        (["--synthesise", *SEX, "--epsilon", "1"], "only --table and --rows go with it"),
        (["--synthesise", "--rho", "1"], "priced by --epsilon alone"),
        (["--synthesise"], "has a price"),
        (["--synthesise", "--epsilon", "1", "--bins", "age"], "written as column:edges"),
        (["--synthesise", "--epsilon", "1", "--bins", "age:week"], "age"),
    ],
)
def test_a_synthetic_table_is_quoted_by_its_own_flags(pets_, flags: list[str], said: str) -> None:
    done = pets_("quote", *schema(*flags))
    assert done.code not in (0, 1) and said in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--within", "50"], "± "),
        (["--rho", "0.01"], "ρ = 0.01 "),
        (["--epsilon", "1", "--pure"], "ε = 1 "),
        (["--epsilon", "0.5", "--budget-delta", "0"], "ε = 0.5 from the budget"),
        (["--epsilon", "0.5", "--delta", "1e-9"], "δ = 1e-09"),
        (["--epsilon", "5"], "over budget"),
    ],
)
def test_quote_protections(pets_, flags: list[str], said: str) -> None:
    done = pets_("quote", *schema(*SEX), *flags)
    assert done.code == 0 and said in done.out, done


def test_query_prints_a_table_and_what_is_left_to_say(pets_) -> None:
    done = pets_("query", *data(*SEX), "--epsilon", "0.5")
    assert done.code == 0
    assert "Female" in done.out and "±" in done.out and "Differentially private with ε = 0.5 and δ = 1e-06" in done.out
    assert "without --ledger" in done.err  # the account does not outlive the process, and that must be said


def test_a_pure_question_that_does_not_fit_says_why(pets_) -> None:
    done = pets_("query", *data(*SEX), "--epsilon", "0.9", "--pure", "--budget-epsilon", "1")
    assert done.code == 6 and "leave --pure out, ask with a smaller --epsilon" in done.err
    asked, room = re.findall(r"ε = ([0-9.]+)", done.err)[:2]
    assert float(asked) > float(room)  # what the account would charge, not the ε of the answer
    assert pets_("query", *data(*SEX), "--epsilon", "0.9", "--budget-epsilon", "1").code == 0
    session = pets.Session("stays.yaml", "stays.csv", budget=pets.Budget(epsilon=1, delta=1e-6), progress=False)
    query = pets.query("stays").group_by("sex").agg(stays=pets.count())
    with pytest.raises(pets.UserError, match="leave pure out"):
        session.release(query, pets.DP(epsilon=0.9, pure=True))


def test_every_flag_of_a_question(pets_) -> None:
    done = pets_(
        "query",
        *data("--table", "stays", "--where", "age >= 18 and sex in ['Female', 'Male']", "--where", "cost is not None"),
        *("--with", "nights=length_of_stay // 1", "--with", "hundreds=0.01 * cost", "--where", "nights >= 0"),
        *("--by", "admitted.year", "--by", "age:0,18,65,110", "--count", "n", "--count", "old=age >= 65"),
        *("--count-units", "people", "--sum", "days=length_of_stay", "--mean", "price=cost:0,10000"),
        *("--rate", "again=readmitted == True", "--variance", "spread=length_of_stay", "--median", "middle=cost"),
        *("--quantile", "dear=cost:0.9", "--histogram", "h=length_of_stay:0,1,7,60", "--rows", "2", "--groups", "2"),
        *("--epsilon", "1", "--confidence", "0.9", "--out", "all.json"),
    )
    assert done.code == 0, done
    release = pets.Release.load("all.json")
    names = [name for name, _ in release.query.aggregates]
    assert names == ["n", "old", "people", "days", "price", "again", "spread", "middle", "dear", "h"]
    assert (release.query.rows, release.query.groups, release.confidence) == (2, 2, 0.9)
    made = {"nights": pets.col("length_of_stay") // 1, "hundreds": 0.01 * pets.col("cost")}
    assert dict(release.query.derived) == made
    twice = pets_("explain", *schema("--with", "a=age // 2", "--with", "a=age // 3", "--count", "n"))
    assert twice.code == 4 and "choose a name of its own" in twice.err
    assert "as flags, not as two of them" in pets_("explain", *schema("--query", "query.json", "--with", "a=-age")).err


@pytest.mark.parametrize("file", ["query.json", "query.yaml"])
def test_a_query_from_a_file(pets_, file: str) -> None:
    assert (
        pets_("explain", *schema("--query", file)).out == pets_("explain", *schema("--by", "sex", "--count", "n")).out
    )
    assert "K = 2 rows" in pets_("explain", *schema("--query", file, "--rows", "2")).out


@pytest.mark.parametrize("suffix", ["csv", "json", "html"])
def test_out(pets_, suffix: str) -> None:
    done = pets_("query", *data(*SEX), "--epsilon", "0.5", "--out", f"answer.{suffix}")
    assert done.code == 0 and done.out == f"Written to answer.{suffix}.\n"
    text = Path(f"answer.{suffix}").read_text("utf-8")
    assert "Female" in text if suffix != "csv" else list(pd.read_csv("answer.csv").columns)[:2] == ["sex", "stays"]


def test_dummy_answers_need_no_data_and_say_so(pets_) -> None:
    done = pets_("query", *schema(*SEX), "--dummy")
    assert done.code == 0 and "DUMMY DATA" in done.out and "±" not in done.out and done.err == ""
    assert "±" in pets_("query", *schema(*SEX), "--dummy", "--epsilon", "0.5").out


def test_snapshots(pets_) -> None:
    done = pets_("snapshot", *data(), "--out", "ready")
    assert done.code == 0 and "stays in ready" in done.out
    first = json.loads(Path("ready/stays.json").read_text("utf-8"))
    assert pets_("snapshot", *data(), "--out", "ready").code == 0
    assert json.loads(Path("ready/stays.json").read_text("utf-8")) != first  # made anew, not reused
    assert pets_("query", *schema("--snapshots", "ready", *SEX), "--epsilon", "0.5").code == 0
    assert pets_("profile", *schema("--snapshots", "ready")).code == 0


def test_a_demo_leaves_alone_what_an_older_one_kept(pets_, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A newer pets may invent other tables than those that lie in the demonstration's folder."""
    (tmp_path / "linked.yaml").write_text(LINKED, "utf-8")
    (tmp_path / "apc.csv").write_text("id,day\n1,1\n2,1\n", "utf-8")
    old = ["snapshot", "--schema", str(tmp_path / "linked.yaml"), "--data", f"apc={tmp_path}/apc.csv"]
    assert pets_(*old, "--out", str(tmp_path / "demo" / "ready")).code == 0
    assert pets_("demo", "--out", str(tmp_path / "demo")).code == 0


LINKED = """
dataset: linked
tables:
  apc: {unit: {column: id, max_rows: 2}, columns: {id: {type: identifier}, day: {type: integer, min: 0, max: 9}}}
  rx: {unit: {column: id, max_rows: 2}, columns: {id: {type: identifier}, day: {type: integer, min: 0, max: 9}}}
"""


def test_snapshots_made_together_are_a_set(pets_, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "linked.yaml").write_text(LINKED, "utf-8")
    for name in ("apc", "rx"):
        (tmp_path / f"{name}.csv").write_text("id,day\n1,1\n1,2\n1,3\n2,1\n", "utf-8")
    make = ["snapshot", "--schema", str(tmp_path / "linked.yaml"), "--out", str(tmp_path / "ready")]
    apc, rx = (["--data", f"{name}={tmp_path}/{name}.csv"] for name in ("apc", "rx"))
    first = pets_(*make, *apc)
    assert first.code == 0 and "set" not in first.out and "! table 'apc': 25.0 % of its rows" in first.out
    alone = pets_(*make, *rx)
    assert alone.code == 0 and "! the snapshots of tables 'apc', 'rx' were not made together" in alone.out
    assert json.loads((tmp_path / "ready" / "apc.json").read_text())["id"] in alone.out  # as it was
    both = pets_(*make, *apc, *rx)
    assert both.code == 0 and "not made together" not in both.out
    sets = {json.loads((tmp_path / "ready" / f"{name}.json").read_text())["set"] for name in ("apc", "rx")}
    assert f"Read together, person by person: set {sets.pop()}" in both.out and not sets


def test_profile_is_for_custodians_and_says_so(pets_) -> None:
    done = pets_("profile", *data())
    assert done.code == 0
    assert "For the custodian only" in done.out and "not public knowledge" in done.out and "rows kept" in done.out


def test_dummy_writes_invented_rows(pets_) -> None:
    done = pets_("dummy", *schema("--rows", "50", "--seed", "4", "--out", "invented"))
    assert done.code == 0 and "50 invented rows" in done.out
    frame = pd.read_csv("invented/stays.csv")
    assert len(frame) == 50 and frame["patient_id"].str.startswith("DUMMY").all()
    before = Path("invented/stays.csv").read_bytes()
    pets_("dummy", *schema("--rows", "50", "--seed", "4", "--out", "invented"))
    assert Path("invented/stays.csv").read_bytes() == before
    again = pets_("query", "--schema", "stays.yaml", "--data", "stays=invented/stays.csv", *SEX, "--epsilon", "1")
    assert again.code == 0


def test_demo_on_own_data(pets_) -> None:
    done = pets_("demo", *data(), "--epsilon", "1", "--out", "shown")
    assert done.code == 0, done.err
    for number in range(1, 8):
        assert f"\n{number}. " in done.out
    assert max(len(line) for line in done.out.partition("Next:")[0].splitlines()) <= 120
    quote = pets_("quote", "--schema", "stays.yaml", "--query", "shown/query.json", "--epsilon", "1")
    assert quote.out.strip() in done.out  # with its lines as they were
    written = {path.name for path in Path("shown").iterdir() if not path.name.startswith("ledger.db")}
    assert written == {"answer.html", "answer.csv", "answer.json", "query.json", "certificate.json", "log.jsonl"}
    assert pets_("verify", "shown/certificate.json", "--key", "shown/ledger.db.pub").code == 0
    assert pets_("log", "verify", "shown/log.jsonl", "--key", "shown/ledger.db.pub").code == 0
    assert pets.Release.load("shown/answer.json").data == "real"


@pytest.mark.parametrize(
    ("unit", "columns", "names"),
    [
        ("row", {"v": {"type": "real", "min": 0, "max": 1, "step": 0.5}}, ["rows", "mean_v"]),
        ("row", {"b": "boolean"}, ["rows"]),
        ({"column": "id", "max_rows": 2}, {"id": "identifier"}, ["rows", "people"]),
    ],
)
def test_demo_finds_a_question_for_any_table(
    pets_, tmp_path: Path, unit: object, columns: dict[str, object], names: list[str]
) -> None:
    form = {"tables": {"t": {"unit": unit, "columns": columns}}}
    (tmp_path / "t.json").write_text(json.dumps(form))
    assert pets_("dummy", "--schema", f"{tmp_path}/t.json", "--rows", "40", "--out", str(tmp_path)).code == 0
    where = ["--schema", f"{tmp_path}/t.json", "--data", f"{tmp_path}/t.csv", "--out", f"{tmp_path}/out"]
    assert pets_("demo", *where).code == 0
    assert [name for name, _ in pets.Release.load(tmp_path / "out" / "answer.json").query.aggregates] == names


@pytest.mark.chance(0)
def test_python_m_pets(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "pets", "--version"], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"pets {pets.__version__}\n")


# what does not --------------------------------------------------------------------------------------------------------

WRONG = [
    # typer's own
    (2, ["query", "--shcema", "stays.yaml"], "--schema"),
    (2, ["qurey"], "No such command"),
    (2, ["query"], "--schema"),
    (2, ["quote", *schema(*SEX), "--epsilon", "half"], "--epsilon"),
    (2, ["dummy", *schema("--out", "x", "--rows", "1.5")], "--rows"),
    # UserError
    (2, ["dummy", *schema("--out", "x", "--rows", "0")], "rows"),
    (2, ["query", *data(*SEX), "--epsilon", "1", "--out", "answer.doc"], ".json, .html, .csv, .xlsx"),
    (2, ["query", *data(*SEX), "--epsilon", "1", "--out", "nowhere/answer.csv"], "folder"),
    (2, ["dummy", *schema("--out", "stays.csv")], "cannot be written"),
    (2, ["demo", "--data", "stays.csv", "--out", "d"], "schema"),
    (2, ["demo", "--out", "stays.csv"], "--out"),
    # SchemaError
    (3, ["query", "--schema", "stay.yaml", "--data", "stays.csv", *SEX, "--epsilon", "1"], "does not exist"),
    (3, ["explain", "--schema", "stays.csv", *SEX], "is this the data"),
    (3, ["demo", "--data", "stays.csv", "--schema", "none.yaml", "--out", "d"], "does not exist"),
    # QueryError
    (4, ["query", *data("--by", "sexx", "--count", "n"), "--epsilon", "1"], "did you mean 'sex'"),
    (
        4,
        ["quote", *schema("--by", "sex", "--mean", "m=length_of_stya"), "--epsilon", "1"],
        "did you mean 'length_of_stay'",
    ),
    (4, ["explain", *schema("--where", "aeg > 3", "--count", "n")], "did you mean 'age'"),
    (4, ["explain", *schema("--where", "age = 3", "--count", "n")], "equality is written =="),
    (4, ["explain", *schema("--where", "sex == 'Femal'", "--count", "n")], "did you mean 'Female'"),
    (4, ["explain", *schema("--by", "patient_id", "--count", "n")], "identifier"),
    (4, ["explain", *schema("--by", "sex")], "--count"),
    (4, ["explain", *schema("--query", "none.json")], "does not exist"),
    (4, ["explain", *schema("--query", "stays.csv")], "is this the data"),
    (4, ["explain", *schema("--query", "query.json", "--count", "n")], "not as two of them"),
    (4, ["explain", *schema(*SEX, "--rows", "9")], "at most 8"),
    # DataError
    (5, ["query", *data(*SEX)[:2], *SEX, "--epsilon", "1"], "--data"),
    (5, ["query", "--schema", "stays.yaml", "--data", "stay.csv", *SEX, "--epsilon", "1"], "no file stay.csv"),
    (5, ["query", *data("--data", "stays=stays.csv", *SEX), "--epsilon", "1"], "twice"),
    (5, ["query", *schema("--snapshots", "nowhere", *SEX), "--epsilon", "1"], "pets snapshot"),
    (5, ["snapshot", *schema("--data", "query.yaml", "--out", "r")], ""),
    (5, ["profile", *schema()], "--data"),
    # BudgetError
    (6, ["query", *data(*SEX), "--epsilon", "2"], "room for ε = 1 "),
    (6, ["query", *data(*SEX)], "add --epsilon 0.5 (or --rho, or --within for an accuracy)"),
    (6, ["query", *data(*SEX), "--epsilon", "1", "--rho", "1"], "exactly one"),
    (6, ["quote", *schema(*SEX), "--epsilon", "-1"], "greater than 0"),
    (6, ["quote", *schema(*SEX), "--epsilon", "1", "--budget-delta", "0.5"], "too large"),
    (6, ["quote", *schema(*SEX), "--rho", "0.1", "--budget-delta", "0"], "rho"),
    (6, ["demo", "--epsilon", "0", "--out", "d"], "epsilon"),
]


@pytest.mark.parametrize(("code", "arguments", "said"), WRONG, ids=range(len(WRONG)))
def test_a_mistake_gets_a_plain_line_and_its_code(pets_, code: int, arguments: list[str], said: str) -> None:
    done = pets_(*arguments)
    assert done.code == code, done
    assert said in done.err
    assert done.out == "" or arguments[0] == "demo"
    if not done.err.startswith("Usage"):
        assert done.err.startswith("pets: ") and done.err.count("\n") == 1


def test_nothing_is_read_before_what_can_be_refused_is_refused(pets_, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("the data was opened")

    monkeypatch.setattr("pets.cli.flags.Source.open", read)
    assert pets_("query", *data(*SEX), "--epsilon", "2").code == 6
    assert pets_("query", *data("--by", "sexx", "--count", "n"), "--epsilon", "1").code == 4
    assert pets_("query", *data(*SEX), "--epsilon", "1", "--out", "x.pdf").code == 2


@pytest.mark.parametrize(
    "error",
    [
        errors.PolicyError("no"),
        errors.MissingExtraError("no"),
        errors.ReleaseFailedError("no"),
        errors.InternalError("no"),
        errors.PetsError("no"),
    ],
)
def test_every_error_of_pets_has_its_code(pets_, monkeypatch: pytest.MonkeyPatch, error: errors.PetsError) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pets.session.session.Session.release", fail)
    assert pets_("query", *data(*SEX), "--epsilon", "1") == Done(error.exit_code, "", "pets: no\n")


def test_a_bug_shows_where_but_never_what(pets_, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(f"the row of {SECRET}")

    monkeypatch.setattr("pets.session.session.Session.release", fail)
    done = pets_("query", *data(*SEX), "--epsilon", "1")
    assert done.code == 70
    assert "bug in pets" in done.err and "ZeroDivisionError" in done.err and "cli/main.py, line" in done.err


def test_a_paid_answer_that_cannot_be_written_is_shown(pets_, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    done = pets_("query", *data(*SEX), "--epsilon", "1", "--out", "answer.csv")
    assert done.code == 2 and "No space left" in done.err and "Female" in done.out


def test_no_cell_stands_in_an_error(folder: Path, pets_) -> None:
    (folder / "broken.csv").write_text(f"patient_id,age\n{SECRET},1\n{SECRET},1,2,3\n")
    (folder / "broken.yaml").write_text(
        "tables: {t: {unit: {column: patient_id, max_rows: 1},"
        " columns: {patient_id: identifier, age: {type: integer, min: 0, max: 9}}}}"
    )
    done = pets_("query", "--schema", "broken.yaml", "--data", "broken.csv", "--count", "n", "--epsilon", "1")
    assert done.code == 5 and "line" in done.err


# interruption ---------------------------------------------------------------------------------------------------------

SLOW = """
import sys, time
from pets.cli import main as cli
from pets.session import session
def wait(*_, **__):
    print("now", flush=True)
    time.sleep(30)
{patch}
sys.exit(cli.run(sys.argv[1:]))
"""


def interrupted(folder: Path, patch: str, *arguments: str) -> Done:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW.format(patch=patch), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(pets.__file__).parents[1])},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = (shown.decode() for shown in process.communicate(timeout=600))
    assert "Traceback" not in err
    return Done(process.returncode, out, left(err))


ASKED = ("query", *data(*SEX), "--epsilon", "1")


@pytest.mark.chance(0)
def test_interrupted_before_anything_was_asked(folder: Path) -> None:
    done = interrupted(folder, "session.Session.__init__ = wait", *ASKED)
    assert done == Done(130, "", f"pets: {main.SAFE}\n")


@pytest.mark.chance(0)
def test_interrupted_while_answering_the_charge_stands(folder: Path) -> None:
    done = interrupted(folder, "from pets.session import answering\nanswering.Answering._answer = wait", *ASKED)
    assert done == Done(130, "", f"pets: {main.BEGUN}\n")


@pytest.mark.chance(0)
def test_an_engine_that_swallows_the_interruption(folder: Path) -> None:
    patch = """
from pets.errors import ReleaseFailedError
def swallow(*_, **__):
    try:
        wait()
    except KeyboardInterrupt:
        raise ReleaseFailedError("the release failed; its charge stands") from None
from pets.session import answering
answering.Answering._answer = swallow
"""
    done = interrupted(folder, patch, *ASKED)
    assert done == Done(130, "", "pets: interrupted; the release failed; its charge stands\n")


@pytest.mark.chance(0)
def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -m pets explain --schema stays.yaml --by sex --count stays | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(pets.__file__).parents[1])},
        check=False,
    )
    assert "Traceback" not in done.stderr and "bug" not in done.stderr


def test_a_question_in_sql(pets_) -> None:
    text = "SELECT sex, COUNT(*) AS n FROM stays WHERE age >= 65 GROUP BY sex ORDER BY n DESC LIMIT 1"
    done = pets_("query", "--schema", "stays.yaml", "--dummy", "--sql", text)
    assert done.code == 0
    assert "Shown: 1 of" in done.out
    flags = pets_(
        "explain", "--schema", "stays.yaml", "--by", "sex", "--count", "n", "--where", "age >= 65", "--rows", "1"
    )
    assert pets_("explain", "--schema", "stays.yaml", "--sql", text, "--rows", "1").out == flags.out
    both = pets_("explain", "--schema", "stays.yaml", "--sql", text, "--count", "n")
    assert (both.code, "not as two of them" in both.err) == (4, True)


def test_a_refusal_of_sql_keeps_its_carets_below_the_place(pets_) -> None:
    done = pets_("explain", "--schema", "stays.yaml", "--sql", "SELECT COUNT(*) FROM stays\nWHERE age % 2 = 1")
    assert done.code == 4
    _, line, carets = done.err.splitlines()
    assert line == "WHERE age % 2 = 1"
    assert carets == "      ^^^^^^^"
