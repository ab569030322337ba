"""What is no command line is answered by one sentence, and its remedy works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pets.cli.main import run

pytestmark = pytest.mark.chance(0)

SCHEMA = {
    "tables": {"t": {"unit": "row", "columns": {"x": {"type": "integer", "min": 0, "max": 9}}}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text(json.dumps(SCHEMA), "utf-8")
    Path("t.csv").write_text("x\n1\n2\n", "utf-8")
    return tmp_path


HEAD = ["query", "--schema", "s.json", "--data", "t.csv"]


@pytest.mark.parametrize(
    ("wrong", "says", "mended"),
    [
        (
            ["--count", "n", "--group-by", "x", "--epsilon", "0.5"],
            "there is no --group-by; groups are named with --by",
            ["--count", "n", "--by", "x", "--epsilon", "0.5"],
        ),
        (
            ["--count", "n", "--filter", "x > 3", "--epsilon", "0.5"],
            "rows are chosen with --where",
            ["--count", "n", "--where", "x > 3", "--epsilon", "0.5"],
        ),
        (
            ["--count", "n", "--epsilon", "0,5"],
            "--epsilon takes a number, and '0,5' is none; write it with a decimal point, such as --epsilon 0.5",
            ["--count", "n", "--epsilon", "0.5"],
        ),
        (["--count", "n", "--epsilon=much"], "such as --epsilon 0.5", ["--count", "n", "--epsilon=0.5"]),
        (
            ["--count", "n", "--rows", "one", "--epsilon", "0.5"],
            "--rows takes a whole number, and 'one' is none",
            ["--count", "n", "--rows", "1", "--epsilon", "0.5"],
        ),
        (
            ["--count", "--epsilon", "0.5"],
            "--count needs a name for the answer, and --epsilon follows it; write one, such as --count stays",
            ["--count", "stays", "--epsilon", "0.5"],
        ),
        (
            ["--sum", "--epsilon", "0.5"],
            "such as --sum days=length_of_stay",
            ["--sum", "days=x", "--epsilon", "0.5"],
        ),
    ],
)
def test_one_sentence_with_a_remedy_that_works(
    wrong: list[str], says: str, mended: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*HEAD, *wrong]) == 2
    out, err = capsys.readouterr()
    assert says in err and out == "" and err.startswith("pets: ") and err.count("\n") == 1
    assert run([*HEAD, *mended]) == 0
