"""Whose signatures on a log are enough: policies of C2SP (tlog-policy), by what that page says alone.

``notes`` is the file of signed notes beside this one.
"""

import re
from collections.abc import Iterable
from typing import Any


class Policy:
    """Which logs are known, and whose signatures are enough."""

    def __init__(self, text: str, notes: Any) -> None:
        self.notes = notes
        self.logs: list[Any] = []
        self.witnesses: dict[str, Any] = {}
        self.rules: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        for line in text.split("\n"):
            words = re.split(r"[ \t]+", line.strip(" \t"))
            if words != [""] and not words[0].startswith("#"):
                self._line(words)
        self.notes.need(self.quorum, "the policy has no quorum")
        for found in (self.logs, [*self.witnesses.values()]):
            self.notes.need(len({one.raw for one in found}) == len(found), "the policy names a key twice")

    def _line(self, words: list[str]) -> None:
        what, names = words[0], [*self.witnesses, *self.rules]
        wrong = f"the policy has a line that cannot be read: {' '.join(words)[:80]}"
        if what == "log" and len(words) in (2, 3):
            self.logs.append(self.notes.key(words[1]))
            self.notes.need(self.logs[-1].kind == self.notes.LOG, wrong)
        elif what == "witness" and len(words) in (3, 4):
            self.notes.need(words[1] not in [*names, "none"], wrong)
            self.witnesses[words[1]] = self.notes.key(words[2])
            self.notes.need(self.witnesses[words[1]].kind == self.notes.WITNESS, wrong)
        elif what == "group" and len(words) > 3:
            of = words[3:]
            taken = [name for _, members in self.rules.values() for name in members]
            least = {"any": "1", "all": str(len(of))}.get(words[2], words[2])
            self.notes.need(words[1] not in [*names, "none"] and re.fullmatch("[1-9][0-9]{0,3}", least), wrong)
            self.notes.need(set(of) <= set(names) and len({*of, *taken}) == len(of) + len(taken), wrong)
            self.notes.need(int(least) <= len(of), wrong)
            self.rules[words[1]] = int(least), of
        else:
            self.notes.need(
                what == "quorum" and len(words) == 2 and not self.quorum and words[1] in [*names, "none"], wrong
            )
            self.quorum = words[1]

    def met(self, name: str, by: Iterable[str]) -> bool:
        """Whether a witness, or enough of a group, are among those that signed."""
        if name in self.rules:
            least, of = self.rules[name]
            return sum(self.met(one, by) for one in of) >= least
        return name == "none" or name in by

    def check(self, note: str) -> dict[str, int]:
        """Who signed a checkpoint, and when; raises Unwitnessed where a log that is known, or a quorum, did not."""
        origin = note.partition("\n")[0]
        logs = [one for one in self.logs if one.name == origin]
        known = not self.logs or any(self.notes.signed_at(note, one) is not None for one in logs)
        self.notes.need(known, "the policy does not know this log")
        times = {name: self.notes.signed_at(note, one) for name, one in self.witnesses.items()}
        by = {name: at for name, at in times.items() if at is not None}
        said = ", ".join(by) or "nobody"
        self.notes.need(
            self.met(self.quorum, by), f"the policy asks for more witnesses than signed the checkpoint ({said})"
        )
        return by
