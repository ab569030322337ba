"""What a log says of outputs that people took out of an airlock: each left as the votes about it say.

As docs/airlock.md says: as many people as its first entry names approved it, none of them its author, each once, and
each as the log had committed to before it told the votes. A vote under a checker's own key is signed by it.
"""

import hashlib
import json
import unicodedata
from typing import Any

OPEN = ("submitted", "partially-reviewed", "reviewed")


def person(name: str) -> str:
    """A name of a person, however its capitals, blanks and forms of letters are written."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


class Cleared:
    """The outputs of one dataset, as its entries tell of them; ``need`` refuses what is not as it says."""

    EVENTS = (b'"event":"output', b'"change":"checker"')

    def __init__(self, need: Any, verify: Any = None) -> None:
        self.need, self.verify = need, verify
        self.keys: dict[str, str] = {}  # by checkers' own keys, whose each is; '': it was revoked
        self.outputs: dict[str, dict[str, Any]] = {}  # the present turn of each

    def hear(self, said: Any, at: int) -> None:
        """The next entry, whatever it is of."""
        event, here = said["event"], f"entry {at} of the log "
        if event == "change" and said["change"] == "checker":
            who, trusted = person(said["checker"]), self.keys.get(said["key"])
            sound = who != "" and (trusted is None if said["trusted"] is True else trusted == who)
            self.need(sound, here + "trusts a checker's key again, or revokes one that is not trusted")
            people = set(map(person, said["by"])) - {""}
            self.need(len(people) > 1, here + "trusts a checker's key by one person's word")
            self.keys[said["key"]] = who if said["trusted"] is True else ""
            return
        if event == "output":
            before = self.outputs.get(said["output"])
            again = before is not None and before["state"] == "returned" and said["turn"] == before["turn"] + 1
            self.need(again or (before is None and said["turn"] == 1), here + "submits an output out of turn")
            same = before is None or all(before[name] == said[name] for name in ("analyst", "project", "needed"))
            self.need(same and said["needed"] >= 1, here + "submits an output by other rules")
            names = ("analyst", "project", "needed", "turn")
            logins = said.get("logins", False)
            same = before is None or before["logins"] == logins
            self.need(same, here + "submits an output by other rules")
            self.outputs[said["output"]] = {name: said[name] for name in names} | {
                "state": OPEN[0],
                "logins": logins,
                "votes": {},
                "told": {},
                "keys": {},
            }
            return
        if not event.startswith("output-"):
            return
        one = self.outputs.get(said["output"])
        if one is None or one["turn"] != said["turn"]:
            self.need(False, here + "is about an output that was not submitted")
            return
        self.act(event, one, said, here)

    def act(self, event: str, one: Any, said: Any, here: str) -> None:
        """What somebody does to an output that was submitted."""
        author = person(said.get("by", "")) == person(one["analyst"])
        if event in ("output-vote", "output-return"):
            fresh = person(said["by"]) not in ("", *one["votes"])
            self.need(one["state"] in OPEN and fresh and not author, here + "is no vote of another person than before")
            word = not one["logins"] or said.get("how") in ("login", "key")
            self.need(word, here + "is a vote on the keeper's word, which counts for nothing about this output")
            if said.get("how") == "key":
                own = self.keys.get(said["key"]) == person(said["by"])
                self.need(own, here + "is a vote under a key that is not trusted for whoever votes")
                one["keys"][person(said["by"])] = said["key"], said["about"]
            if event == "output-return":
                if said.get("how") == "key":
                    self.signed(one, said, said | {"decision": "return", "nonce": ""}, here)
                one["state"] = "returned"
            else:
                one["votes"][person(said["by"])] = said["vote"]
                one["state"] = OPEN[1]
        elif event == "output-review":
            self.told(one, said, here)
        elif event == "output-withdrawn":
            self.need(author and one["state"] in (*OPEN, "returned"), here + "takes back what is not its author's")
            one["state"] = "withdrawn"
        elif event == "output-released":
            self.need(
                one["state"] == "approved" and said["files"] != [], here + "lets an output go that was not approved"
            )
            one["state"] = "released"

    def told(self, one: Any, said: Any, here: str) -> None:
        """The votes, once all that are needed are in."""
        for vote in said["votes"]:
            parts = {name: vote[name] for name in ("by", "decision", "reason", "nonce")}
            parts |= {"output": said["output"], "turn": said["turn"]}
            form = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            by = person(vote["by"])
            sealed = one["votes"].get(by) == hashlib.sha256(form).hexdigest() and by not in one["told"]
            known = vote["decision"] in ("approve", "return", "reject")
            self.need(sealed and known, here + "tells another vote than the log had")
            if by in one["keys"]:
                self.signed(one, said, vote, here)
            self.need(by in one["keys"] or "signature" not in vote, here + "tells a signature under no key")
            one["told"][by] = vote["decision"]
        given = list(one["told"].values())
        yes, no = given.count("approve"), len(given) - given.count("approve")
        end = "reviewed" if no < one["needed"] else "returned" if "return" in given else "rejected"
        end = "approved" if yes >= one["needed"] else end
        whole = one["state"] in OPEN and set(one["told"]) == set(one["votes"]) and len(given) >= one["needed"]
        self.need(whole and said["state"] == end, here + "tells something else than the votes come to")
        one["state"] = end

    def signed(self, one: Any, said: Any, vote: Any, here: str) -> None:
        """A vote is signed by its checker's own key: of this output and turn, and of what was looked at."""
        key, about = one["keys"][person(vote["by"])]
        form = {name: vote[name] for name in ("by", "decision", "reason", "nonce")}
        form |= {"pets": "output-vote", "version": 1, "output": said["output"], "turn": said["turn"], "about": about}
        text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        own = self.verify(bytes.fromhex(key), bytes.fromhex(vote["signature"]), b"pets.review.vote.v1\0" + text)
        self.need(own, here + "tells a vote that its checker's own key did not sign")
