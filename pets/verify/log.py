"""What an exported log adds to the check of one release: all entries are chained and signed, and the account is theirs.

The log may be the public view. Nothing of a scope's spending is taken from the certificate: caps, charges, renewals and
the releases of others are added up from the entries, as docs/proofs/composition.md says.
"""

import base64
import datetime as dt
import hashlib
from collections import Counter
from typing import Any

SKEW = dt.timedelta(seconds=60)  # a clock may be set back so far, and its ledger goes on
SAME = ("table", "what", "protection", "unbounded", "metadata_sha256")  # of a request and its answer
ITS = ("project", "analyst", "epoch")  # and, where it went to whoever asked first
GENESIS = hashlib.sha256(b"pets ledger").digest()


class Tree:
    """RFC 6962, section 2.1: the roots of the full subtrees so far, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, body: bytes) -> None:
        """One more leaf."""
        node, size = hashlib.sha256(b"\0" + body).digest(), self.size
        while size & 1:
            node, size = hashlib.sha256(b"\1" + self.peaks.pop() + node).digest(), size >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> str:
        """Of all leaves so far, in base64."""
        *peaks, node = self.peaks
        for peak in reversed(peaks):
            node = hashlib.sha256(b"\1" + peak + node).digest()
        return base64.b64encode(node).decode()


class Account:
    """One dataset's account, as its entries tell it."""

    def __init__(self, dataset: str) -> None:
        self.dataset, self.epoch, self.life, self.finite, self.forfeited = dataset, 0, 0, 0, 0
        self.caps: dict[tuple[str, ...], int] = {}
        self.spent: Counter[tuple[str, ...]] = Counter()
        self.delta = 0  # that thresholds of the present budget took, in units
        self.budget: Any = None
        self.begun: dict[str, dict[str, Any]] = {}  # the account as each request found it
        self.asked: dict[str, Any] = {}  # what was entered of each, before any row was counted
        self.ended: dict[str, str] = {}
        self.unbounded: dict[str, dict[str, Any]] = {}
        self.schemas: set[str] = set()

    def state(self, said: Any, loss: int) -> dict[str, Any]:
        """What a certificate and a release tell of the account after a charge."""
        scopes = [(), (said["project"],), (said["project"], said["analyst"])]
        before = self.spent[()]
        for scope in scopes:
            self.spent[scope] += loss
        self.life += loss
        self.delta += said["delta"] if loss > 0 else -said["delta"] if loss < 0 else 0
        left = min(self.caps[scope] - self.spent[scope] for scope in scopes if scope in self.caps)
        told = {"before": before, "after": before + loss, "lifetime": self.life, "left": max(0, left)}
        budget = {"epsilon_cap" if name == "epsilon" else name: part for name, part in self.budget.items()}
        told |= {"after_delta": self.delta} if self.delta else {}
        return told | {"cap": self.caps[()], "epoch": self.epoch} | budget

    def hear(self, said: Any) -> None:
        """The next entry."""
        event, name = said["event"], said.get("request")
        if event == "rebase":
            here, more, life, _ = said["counted"].get(self.dataset, [0, 0, 0, 0])
            self.delta += more
            self.spent[()] += here
            self.life += life
        elif said.get("dataset") != self.dataset:
            return
        elif event == "dataset":
            self.caps[()], self.budget = said["loss"], said["budget"]
            self.life, self.delta = said.get("charged", [0, 0])
            self.spent[()] = self.life
        elif event == "change":
            self.change(said)
        elif event in ("reserved", "started") and name not in self.begun:
            at = f"{said['at'][:19]}.000+00:00"  # requests are named by the second in which they came
            self.begun[name], self.asked[name] = self.state(said, said["loss"]) | {"at": at}, said
            self.schemas |= {said["metadata_sha256"]} if "metadata_sha256" in said else set()
        elif event == "voided":
            self.state(said, -said["loss"])
        if event == "started" and said["unbounded"]:
            self.unbounded[name] = {"request_id": name, "at": self.begun[name]["at"], "what": said["what"]}
        elif event == "forfeited":
            self.forfeited += 1
        elif event == "committed":
            self.finite += not said["unbounded"]
            self.ended[name] = said["at"]

    def change(self, said: Any) -> None:
        """A signed change of the budget."""
        if said["change"] == "renew":
            self.spent.clear()
            self.delta = 0
            self.epoch += 1
        if said["change"] in ("renew", "budget"):
            self.caps[()], self.budget = said["loss"], said["budget"]
        elif said["change"] == "cap":
            scope = tuple(part for part in (said["project"], said["analyst"]) if part)
            self.caps.pop(scope, None)
            if said["budget"] is not None:
                self.caps[scope] = said["loss"]


def replay(handle: Any, key: bytes, one: Any, said: Any, numbers: Any, checkpoint: Any, reviewer: Any) -> str:
    """What was found, in words; ``numbers`` is the file of losses, and has the planner's, which reads JSON and refuses.

    ``reviewer`` hears what people decided.

    Raises what ``base.need`` raises for a log that is not the one in which the release stands as it says.
    """
    base = numbers.PLAN
    need, log, budget = base.need, said["log"], said["budget"]
    head = base.read(handle.readline())
    need((head["pets"], head["version"], head["key"]) == ("log", 1, key.hex()), "the log is none, or of another key")
    origin, size, root, chained, *_ = checkpoint(head["checkpoint"], key)
    need(origin == log["origin"] and int(size) > log["seq"], "the log is another one, or ends before the release")
    tree, account, chain, own = Tree(), Account(one["dataset"]), GENESIS, {}
    wanted, reviewed = [base.canonical(one["dataset"]), b'"event":"rebase"'], reviewer(need)
    for line in handle:
        parts = line.removesuffix(b"\n").split(b"\t")
        chain, at = hashlib.sha256(chain + parts[1]).digest(), tree.size
        need(parts[0] == chain.hex().encode(), f"entry {at} of the log was altered, or one before it was moved")
        tree.add(parts[1])
        late = at > log["seq"] and not any(part in parts[1] for part in reviewer.EVENTS)
        if late or not any(part in parts[1] for part in wanted):
            continue
        entry = base.read(parts[1])
        need(entry["seq"] == at, f"entry {at} of the log says that it is another one")
        if entry.get("dataset") == one["dataset"]:
            reviewed.hear(entry, at)
        if at > log["seq"]:
            continue
        if at < log["seq"]:
            account.hear(entry)
            continue
        need(said["request_id"] in account.begun, "the log knows no request of which this is the answer")
        delivered = entry["event"] == "delivered"
        account.finite -= delivered and not entry["unbounded"]  # (it left before, and is not another release)
        then = account.begun[said["request_id"]]
        own = account.state(entry, 0) if delivered else then
        if said["dp"] is not None:
            numbers.check_delta(one, then)
        asked, names = account.asked[said["request_id"]], SAME if delivered else (*SAME, *ITS)
        alike = [base.same(asked.get(name), entry.get(name)) for name in names]
        need(
            all(alike) and asked["loss"] == one["cost"]["loss"] and asked["delta"] == one["cost"]["delta"],
            "the log has what was asked otherwise",
        )
        times = asked["at"], one["issued_at"], account.ended.get(said["request_id"], entry["at"])
        begun, issued, ended = map(dt.datetime.fromisoformat, times)
        need(begun - SKEW <= issued <= ended + SKEW, "it was issued before it was asked, or after it was answered")
        known = [log["entry"], log["entry_hash"], checkpoint(log["checkpoint"], key)[2]]
        need([parts[1].decode(), chain.hex(), tree.root()] == known, "the log holds another entry where it stands")
    need(
        (str(tree.size), tree.root(), f"chain {chain.hex()}") == (size, root, chained), "the log is not what was signed"
    )
    need(reviewed.given(said["request_id"]), "a second person has not approved it, by this log; ask for one of later")
    if one["pets"] == "reviewed":
        by = reviewed.let_out(said["request_id"], one)
        need(by, "nobody let it leave by this log, or on a word about another finding, or about other numbers")
    others = [found for name, found in account.unbounded.items() if name != said["request_id"]]
    told = {"dp": account.finite, "unbounded": others}
    told |= {"forfeited": account.forfeited} if "forfeited" in said["other_releases"] else {}
    need(base.same(said["other_releases"], told), "it names other releases than the log does")
    names = ("before", "after", "lifetime", "cap", "epoch", "epsilon_cap", "delta", "threshold_delta")
    stated = {name: budget[name] for name in names} | {"left": one["budget"]["left"]}
    stated |= {"after_delta": budget.get("after_delta", 0)}
    own.setdefault("after_delta", 0)
    need(base.same(stated, {name: own[name] for name in stated}), "its account is not the one that the log leads to")
    schemas = len(account.schemas - {said["dataset"]["metadata_sha256"]})
    also = f"; {schemas} other schema(s) were used" if schemas else ""
    return f"other releases: as all {tree.size} entries of the log lead to{also}"
