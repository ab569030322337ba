"""Worker: the process in which the search runs; a question in JSON comes in, what was found goes out."""

from __future__ import annotations

import json
import os
import sys

from pets.common.codec import Json
from pets.errors import QueryError
from pets.sdc.search import Finding, check
from pets.session.disclosure.solving import UNDECIDED, Question, attack_json


def answered(question: Json) -> list[Json]:
    """What the search finds, one reply a sum, in order."""
    asked = Question.from_json(question)
    try:
        found = check(asked.system, asked.truth, asked.protected, asked.width, asked.seconds)
    except QueryError as error:  # what was told cannot all be true
        return [{"state": UNDECIDED, "sentence": f"{error}."}] * len(asked.sums)
    return [_reply(one) for one in found]


def _reply(one: Finding) -> Json:
    pair = None if one.pair is None else [table.tolist() for table in one.pair]
    attack = None if one.attack is None else attack_json(one.attack)
    return {"state": one.state, "sentence": one.sentence, "pair": pair, "attack": attack}


def main() -> None:
    """Answer one question."""
    reply = os.dup(1)
    os.dup2(2, 1)  # whatever an engine prints is no part of the reply
    found = answered(json.loads(sys.stdin.buffer.read()))
    with os.fdopen(reply, "wb") as out:
        out.write(json.dumps(found).encode())


if __name__ == "__main__":
    main()
