"""YAML: libyaml, which is quick, and PyYAML, which has the last word, read every text alike."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pets.common import yamlfile
from pets.errors import SchemaError

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
WRITTEN = [path.read_text("utf-8")[:1500] for path in EXAMPLES]
WRITTEN.append(json.dumps({"a": [1, 2.5, {"b": "c\n\u00e9?"}], "d": None, "e f": {}, "g": [True, ""]}))
PIECES = [
    *("a", "b: ", "- ", "? ", ": ", ":", "\n", "\n  ", "\n    ", "  ", " ", "\t", "[", "]", "{", "}", ",", "'", '"'),
    *("\\", "\\n", "\\u0041", "\\x41", "\\/", "\\\n", "\\e", "\\N", "\\ud83d\\ude00", "\\ ", "#", " #c", "@", "`"),
    *(
        "|",
        "|-",
        ">",
        "|+2",
        "|#",
        ">-#",
        "&x ",
        "*x",
        "!t ",
        "!!str ",
        "%YAML 1.1\n",
        "---",
        "---\n",
        "...",
        "\n...\n",
    ),
    *(
        "<<: ",
        "~",
        "null",
        "0",
        "1-2",
        "no",
        "=",
        "http://x",
        "a:b",
        ":a",
        "-a",
        "?a",
        "a?b",
        "[0-10)",
        "x#y",
        "--",
        "''",
    ),
    *(
        "\u2028",
        "\x85",
        "\ufeff",
        "é",
        "\U0001f600",
        "\r",
        "\r\n",
        "\x00",
        "\x7f",
        "\ud7ff",
        "\ufffe",
        "a" * 1100,
        '""',
    ),
    *("key: value\n", "  - item\n", "? a\n: b\n"),
]


def lined(tree: Any) -> Any:
    """A tree with the line of every key, in their order."""
    if isinstance(tree, yamlfile.Lines):
        return [(name, tree.at[name], lined(value)) for name, value in tree.items()]
    return [lined(one) for one in tree] if isinstance(tree, list) else tree


def said(read: Callable[[str, str], Any], text: str) -> Any:
    try:
        return lined(read(text, "f.yaml"))
    except SchemaError as error:
        return str(error)


def texts(seed: int, count: int) -> list[str]:
    """Pieces of YAML one after the other, and what people wrote with a few of them in it, or without a letter."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        if draw.random() < 0.6:
            found.append("".join(draw.choice(PIECES) for _ in range(draw.randint(1, 9))))
            continue
        whole = draw.choice(WRITTEN)
        at = draw.randrange(len(whole))
        letters = list(whole[max(0, at - 80) : at + 80] if draw.random() < 0.7 else whole)
        for _ in range(draw.randint(1, 3)):
            place = draw.randrange(len(letters))
            letters[place : place + draw.randint(0, 1)] = [draw.choice(PIECES)] if draw.random() < 0.7 else []
            letters = letters or ["a"]
        found.append("".join(letters))
    return found


def alike(seed: int, count: int) -> None:
    for text in texts(seed, count):
        assert said(yamlfile.parse, text) == said(yamlfile.carefully, text), text


def test_both_readers_read_every_text_alike() -> None:
    alike(0, 3000)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_both_readers_read_every_text_alike_soak() -> None:
    alike(1, 500_000)


@pytest.mark.parametrize(
    "text",
    ["a\t=", "- a\n\ufeff- b", "{a: 1?b}", "{a?: 1}", "[1, 2?a]", "|#", ">-#c\n a", "a\x85b: c", "- a: x\u2028  b"],
)
def test_what_libyaml_reads_otherwise_is_read_as_by_pyyaml(text: str) -> None:
    assert said(yamlfile.parse, text) == said(yamlfile.carefully, text)


def test_what_people_and_pets_write_is_read_by_libyaml_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    written = [path.read_text("utf-8") for path in EXAMPLES]
    wanted = [lined(yamlfile.carefully(text, "f.yaml")) for text in written]
    monkeypatch.setattr(yamlfile, "carefully", lambda *given: pytest.fail("the slow one is asked"))
    assert [lined(yamlfile.parse(text, "f.yaml")) for text in written] == wanted
    assert yamlfile.parse(WRITTEN[-1], "f.json") == {
        "a": ["1", "2.5", {"b": "c\n\u00e9?"}], "d": None, "e f": {}, "g": ["true", ""]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x 1\nb: *x", "line 2: a YAML alias (*name) is not read here; write the part out"),
        ("a:\n  - !t 1", "line 2: a YAML tag (!name) is not read here; write the plain value"),
        ("a: 1\nb: 2\na: 3", "f.yaml, line 3: 'a' is given twice; keep one"),
        ("[a]: 1", "f.yaml, line 1: a key must be a plain text"),
        ("a: 1\n---\nb: 2", "f.yaml, line 2: this is not valid YAML (but found another document)"),
        ("[" * 5000 + "]" * 5000, "f.yaml: entries are nested too deeply"),
    ],
)
def test_what_is_refused_is_so_in_the_same_words(text: str, words: str) -> None:
    assert said(yamlfile.parse, text) == words
