"""What a log says of answers that a second person must approve before anybody is given them.

As docs/proofs/certificate.md says: what is held is given to nobody until it is approved, and each is decided once.
"""

import hashlib
import json
from typing import Any


class Reviewed:
    """The held answers of one dataset, as its entries tell of them; ``need`` refuses what is not as it says.

    ``person`` gives a name of a person, however it is written.
    """

    FOUND = ("proved", "attack", "undecided")
    EVENTS = tuple(b'"event":"%b"' % name for name in (b"held", b"review", b"delivered", b"reserved", b"started"))
    TOLD = ("finding", "found", "width", "releases", "beside", "shown")

    def __init__(self, need: Any, person: Any) -> None:
        self.need, self.person = need, person
        self.answers: dict[str, str] = {}  # by request: held, approve or refuse
        self.jobs: dict[str, str] = {}  # by the name of a job: held, or decided
        self.word: tuple[int, Any, str] = (-2, None, "")  # the last by which a table outside the grid leaves, and whose
        self.tables: dict[str, Any] = {}  # by request: what was found of such a table
        self.left: list[str] = []  # what left something without noise, but for sums of a grid's shown cells

    def hear(self, said: Any, at: int) -> None:
        """The next entry, whatever it is of."""
        if said["event"] == "started" and said["unbounded"] and not sums(said):
            self.left.append(said["request"])
        if said["event"] == "held":
            self.need(self.jobs.get(said["job"]) != "held", f"entry {at} of the log holds a job that was held")
            self.jobs[said["job"]] = "held"
            known = set(map(self.answers.get, said["requests"])) <= {None, "held"}
            self.need(known, f"entry {at} of the log holds an answer that was decided about")
            self.answers |= dict.fromkeys(said["requests"], "held")
        elif said["event"] == "review":
            self.decide(said, at)
        elif said["event"] in ("reserved", "started") and outside(said) and said["request"] not in self.tables:
            self.need(self.word[0] == at - 1, f"entry {at} of the log begins a table that nobody let leave")
            own = self.person(said["analyst"]) == self.person(self.word[2])
            self.need(not own, f"entry {at} of the log begins a table that its asker let leave")
            self.tables[said["request"]] = self.word[1]
        elif said["event"] == "delivered":
            self.need(self.given(said["request"]), f"entry {at} of the log gives an answer that nobody has approved")

    def decide(self, said: Any, at: int) -> None:
        """A person's decision, before an answer is made or after."""
        form = said["stage"] in ("before", "after") and said["decision"] in ("approve", "refuse") and said["by"] != ""
        self.need(form, f"entry {at} of the log decides nothing")
        state, names = self.jobs.get(said["job"]), said["requests"]
        first = state == "held" if said["stage"] == "after" else state is None and names == []
        self.need(first, f"entry {at} of the log decides for a second time, or about what is not held")
        held = set(map(self.answers.get, names)) <= {"held"}
        self.need(held, f"entry {at} of the log decides about an answer that is not held")
        self.jobs[said["job"]] = "decided"
        if "finding" in said or "found" in said:
            told = said["stage"] == "before" and said["decision"] == "approve" and said.get("found") in self.FOUND
            self.need(told and said.get("finding"), f"entry {at} of the log decides about no finding")
            compared = said["releases"], said["beside"]
            same = compared == (len(self.left), sha256(["pets.compared", sorted(self.left)]))
            self.need(same, f"entry {at} of the log lets a table leave that was compared with other releases")
            self.word = at, {name: said[name] for name in self.TOLD}, said["by"]
        self.answers |= dict.fromkeys(names, said["decision"])

    def let_out(self, request: str, one: Any) -> bool:
        """Whether a table outside the grid left on somebody's word about what it names, and about its own numbers."""
        review = one["review"]
        numbers = ["pets.shown", review["salt"], *(one[name] for name in ("plan", "snapshot", "rule", "shown"))]
        told = {name: part for name, part in review.items() if name != "salt"} | {"shown": sha256(numbers)}
        return bool(self.tables.get(request) == told)

    def given(self, request: str) -> bool:
        """Whether an answer may be in somebody's hands."""
        return self.answers.get(request) in (None, "approve")


def sha256(form: Any) -> str:
    """Of the canonical form, in hex."""
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sums(said: Any) -> bool:
    """Whether an entry is of sums of the shown cells of a grid, which tell nothing that the grid does not."""
    return str(said["what"]).startswith("rounded ") and said["protection"].get("kind") == "sdc"


def outside(said: Any) -> bool:
    """Whether an entry is of a table outside the grid."""
    return str(said["what"]).startswith("reviewed ") and said["protection"].get("kind") == "sdc"
