"""``pets airlock`` and ``pets review``: from a folder to its release, on the command line."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pets.cli.main import run
from pets.ledger.ledger import Ledger
from tests.ledgers import account

TABLE = "region,n\nNorth,120\nSouth,85\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "outputs"
    place.mkdir()
    (place / "stays.csv").write_text(TABLE)
    (place / "CONTEXT.md").write_text("Stays by region, for the first table of the paper.")
    (place / "CONTROLS.md").write_text("Counts below 10 are hidden, the rest rounded to 5.")
    return place


def test_from_a_folder_to_its_release(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = str(tmp_path / "ledger.db")
    with Ledger(address) as ledger:
        account(ledger)

    def pets(*arguments: str, code: int = 0) -> str:
        given = [*arguments] if arguments[:2] == ("airlock", "check") else [*arguments, "--ledger", address]
        assert run(given) == code, capsys.readouterr()
        told = capsys.readouterr()
        return told.out if code == 0 and told.out else told.err

    assert "Nothing to ask about" in pets("airlock", "check", str(folder))
    (folder / "more.csv").write_text("region,n\nNorth,4\n")
    (folder / "plot.svg").write_text("<svg>")
    assert run(["airlock", "check", str(folder)]) == 2
    said = capsys.readouterr()
    assert "! plot.svg: files that end in '.svg' are not taken out; save the picture as .png" in said.out
    assert (
        "? more.csv: column 'n' holds 1 value(s) from 1 to 9 (line 2)" in said.out
        and "cannot be submitted so" in said.err
    )
    (folder / "plot.svg").unlink()
    (folder / "more.csv").unlink()
    mine = ("--project", "p", "--analyst", "amina")
    output = pets("airlock", "submit", str(folder), "--dataset", "d", *mine).strip()
    assert len(output) == 32 and output in pets("airlock", "list", *mine)
    listed = pets("review", "list")
    assert listed.startswith(output) and "amina, project p, about 'd'" in listed and "0 of 2 have voted" in listed
    shown = pets("review", "show", output, "--by", "jo", "--out", str(tmp_path / "look"))
    assert "--- stays.csv\nregion,n\nNorth,120" in shown and "Nothing to ask about" in shown
    assert stat.S_IMODE((tmp_path / "look" / "stays.csv").stat().st_mode) == 0o600
    digest = shown.split("--digest ")[1].split()[0]
    approve = ("review", "approve", output, "--by")
    assert "add the --digest that it prints" in pets(*approve, "jo", code=2)
    assert "an output of their own" in pets(*approve, "amina", "--digest", digest, code=18)
    assert "partially-reviewed" in pets(*approve, "jo", "--digest", digest, "--note", "added up")
    assert "vote" not in pets("airlock", "show", output, "--analyst", "amina").lower().replace("have voted", "")
    now = ("review", "return", output, "--by", "kim", "--reason", "missing-counts", "--now", "--note", "add n")
    assert "add the --digest that it prints" in pets(*now, code=2)
    back = pets(*now, "--digest", digest)
    assert "Returned; the output is returned." in back
    assert "kim: return at once (missing-counts); add n" in pets("airlock", "show", output, "--analyst", "amina")
    pets("airlock", "comment", output, "n is there now", "--by", "amina")
    assert "nothing has changed" in pets("airlock", "resubmit", output, str(folder), "--analyst", "amina", code=2)
    (folder / "stays.csv").write_text(TABLE + "East,40\n")
    assert "turn 2" in pets("airlock", "resubmit", output, str(folder), "--analyst", "amina")
    assert "not the output that waits" in pets(*approve, "jo", "--digest", digest, code=21)
    digest = pets("review", "show", output).split("--digest ")[1].split()[0]
    assert "nothing of it leaves" in pets("review", "release", output, "--by", "v", "--out", str(tmp_path), code=21)
    for name in ("jo", "kim"):
        pets(*approve, name, "--digest", digest)
    out = tmp_path / "released"
    assert pets("review", "release", output, "--by", "v", "--out", str(out)).strip() == str(out / "stays.csv")
    assert (out / "stays.csv").read_text() == TABLE + "East,40\n"
    assert "Nothing is held." in pets("review", "list")
    assert pets("review", "list", "--left", "--dataset", "d").startswith(output), "the next one is compared with it"
    assert "Nothing has left." in pets("review", "list", "--left", "--dataset", "other")
    pets("review", "show", output, "--by", "lee", "--out", str(tmp_path / "earlier"))
    assert (tmp_path / "earlier" / "stays.csv").read_text() == TABLE + "East,40\n"


SCHEMA = """\
dataset: d
tables:
  stays:
    unit: {column: patient, max_rows: 1}
    columns:
      patient: {type: identifier}
      region: {type: category, values: [North, South]}
"""


def test_the_policy_that_is_named_says_who_decides(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, config = str(tmp_path / "ledger.db"), tmp_path / "service.yaml"
    with Ledger(address) as ledger:
        account(ledger)
    (tmp_path / "d.yaml").write_text(SCHEMA)
    policy = "{output_votes: 3, output_logins: yes, output_days: 2}"
    config.write_text(f"ledger: ledger.db\ndatasets:\n  - {{schema: d.yaml, snapshots: snap, policy: {policy}}}\n")
    given = ["airlock", "submit", str(folder), "--project", "p", "--analyst", "amina", "--ledger", address, "--dataset"]
    assert run([*given, "d", "--config", str(config)]) == 0
    told = capsys.readouterr()
    assert "3 people who are logged in decide within 2 days" in told.err
    assert run(["review", "approve", told.out.strip(), "--by", "jo", "--digest", "0" * 12, "--ledger", address]) == 18
    assert "only from whoever is logged in" in capsys.readouterr().err
    assert run([*given, "d", "--votes", "4"]) == 0 and "4 people decide within 7" in capsys.readouterr().err
    for more, said in (
        (["d", "--votes", "1"], "--votes is at least 2"),
        (["d", "--config", str(config), "--votes", "2"], "leave out --votes and --logins"),
        (["e", "--config", str(config)], "serves no dataset 'e'"),
    ):
        assert run([*given, *more]) == 2 and said in capsys.readouterr().err


def test_outputs_are_returned_rejected_and_withdrawn(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = ["--ledger", str(tmp_path / "ledger.db")]
    with Ledger(address[1]) as ledger:
        account(ledger)
    made = []
    for _ in range(3):
        mine = ["--dataset", "d", "--project", "p", "--analyst", "amina"]
        assert run(["airlock", "submit", str(folder), *mine, *address]) == 0
        made.append(capsys.readouterr().out.strip())
    for verb, reason, end in (("return", "small-counts", "returned"), ("reject", "rows-of-people", "rejected")):
        output = made.pop()
        vote = ["review", verb, output, "--reason", reason, *address, "--by"]
        assert run([*vote, "jo"]) == 2 and "add the --digest that it prints" in capsys.readouterr().err
        assert run([*vote, "jo", "--digest", "0" * 12]) == 21
        assert "look at it once more, and vote about what you saw" in capsys.readouterr().err
        assert run(["review", "show", output, *address]) == 0
        digest = capsys.readouterr().out.split("--digest ")[1].split()[0]
        for by in ("jo", "kim"):
            assert run([*vote, by, "--digest", digest]) == 0
        assert f"the output is {end}." in capsys.readouterr().err
    assert run(["airlock", "withdraw", made[0], "--analyst", "amina", *address]) == 0
    assert run(["review", "return", made[0], "--by", "jo", "--reason", "fine", "--digest", digest, *address]) == 2
    assert "is no reason to return" in capsys.readouterr().err
    assert run(["airlock", "check", str(folder), "--small", "0"]) == 2
