"""What a log says of answers that a second person must approve before anybody is given them.

As docs/proofs/certificate.md says: what is held is given to nobody until it is approved, and each is decided once.
"""

from typing import Any


class Reviewed:
    """The held answers of one dataset, as its entries tell of them; ``need`` refuses what is not as it says."""

    EVENTS = (b'"event":"held"', b'"event":"review"', b'"event":"delivered"')

    def __init__(self, need: Any) -> None:
        self.need = need
        self.answers: dict[str, str] = {}  # by request: held, approve or refuse
        self.jobs: dict[str, str] = {}  # by the name of a job: held, or decided

    def hear(self, said: Any, at: int) -> None:
        """The next entry, whatever it is of."""
        if said["event"] == "held":
            self.need(self.jobs.get(said["job"]) != "held", f"entry {at} of the log holds a job that was held")
            self.jobs[said["job"]] = "held"
            known = set(map(self.answers.get, said["requests"])) <= {None, "held"}
            self.need(known, f"entry {at} of the log holds an answer that was decided about")
            self.answers |= dict.fromkeys(said["requests"], "held")
        elif said["event"] == "review":
            self.decide(said, at)
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
        self.answers |= dict.fromkeys(names, said["decision"])

    def given(self, request: str) -> bool:
        """Whether an answer may be in somebody's hands."""
        return self.answers.get(request) in (None, "approve")
