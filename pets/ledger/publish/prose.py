"""Prose: the paragraphs of the public page."""

from __future__ import annotations

from collections.abc import Sequence

from pets.ledger.publish import wording
from pets.ledger.publish.read_log import Dataset, Event, Published
from pets.protection.budget import Budget

ABOUT = (
    "Records about people are kept here, and researchers may ask questions about them. Nobody who asks gets to see the "
    "records. Only answers leave, such as “how many patients were treated”, and before they leave they are protected.",
    "This page lists every question that was put to the data through this system, who asked it, what became of it and "
    "what it cost in privacy. It is made from a log in which nothing can be changed or taken out without it showing to "
    "whoever checks. It cannot speak of copies of the data that are held elsewhere.",
)
BUDGET = (
    "Every answer, even an average, says a very little about each person in the data. So random noise is added to it: "
    "the answer is then a little wrong, and from the answer alone nobody can be sure whether any one person's records "
    "were there at all.",
    "How much could be learnt about a person, at most, is written as ε (epsilon). With ε = 0.1 any published result is "
    "at most 1.1 times as likely with your records as without them; with ε = 1, 2.7 times; with ε = 3, 20 times. "
    "Beside it stands δ (delta), a very small chance that this does not hold: 10⁻⁶ is one in a million.",
    "The privacy budget is the most that all answers together may use. It is set before anybody asks. Each answer uses "
    "a share of it, and when it is used up, further questions are refused. The shares, in percent, add up. The ε of "
    "single answers do not: several answers together use less than the sum of their ε.",
)


NOT_HERE = (
    "The answers themselves are not on this page. Nor are the values by which records were chosen: a question about "
    "people over 89 is listed as “chosen by age”."
)


def not_left(known: Sequence[Dataset]) -> list[str]:
    """What stayed in the house."""
    exact = [request for one in known for request in one.unbounded]
    noise = "every answer carries random noise"
    if exact:
        noise += f", except {wording.bare(exact)} without a guarantee, named below"
    return [
        "Records of people: no name, no number and no row of the data.",
        f"Exact counts and totals: {noise}.",
        "Anything in reply to a refused request: it was refused before the data was read.",
        "Anything in reply to a failed request: nothing was shown, though its cost stays charged.",
    ]


def changes(known: Dataset) -> list[tuple[str, str]]:
    """What happened to the account itself: when, and one or two sentences."""
    return [(event.at, _change(known, event)) for event in known.events]


def _change(known: Dataset, event: Event) -> str:
    said = event.said
    if event.kind == "opened":
        text = f"the dataset was opened with a budget of {_whole(said['budget'])}."
        if sum(said.get("charged", ())):
            text += " A part of it counted as used at once, because the log had lost entries about this dataset before."
        return text
    if event.kind == "rebase":
        share = said["here"][0] / known.now.budget.cap.loss
        text = (
            "entries of the log were lost, as when an old backup is restored. What they had charged was counted as "
            f"used ({wording.used(share)} of the budget)."
        )
    elif event.kind == "renew":
        text = (
            "the budget was renewed, for a snapshot that its signers name as new data: "
            f"{_whole(said['budget'])}. What was used before still counts."
        )
    elif event.kind == "snapshots":
        text = "newer copies of the data were let in under the budget in force."
    elif event.kind == "budget":
        text = f"the budget was changed to {_whole(said['budget'])}."
    elif event.kind == "cap":
        whose = f"{said['analyst']} in project {said['project']}" if said["analyst"] else f"project {said['project']}"
        limit = "no limit of its own any more" if said["budget"] is None else f"a limit: {_whole(said['budget'])}"
        text = f"{whose} was given {limit}."
    elif event.kind == "unit":
        who = f"the person named in column “{said['unit']}”" if said["unit"] else "each row"
        text = f"in table {said['table']}, {who} is now the one who is protected."
    elif event.kind == "source":
        text = f"table {said['table']} was given data that was registered elsewhere before."
    elif event.kind == "approvers":
        needed = wording.counted(int(said["needed"]), "signature")
        text = f"{needed} of {len(said['keys'])} people are needed for a change."
    else:
        text = f"a change of the kind “{event.kind}”."
    by = wording.listed([str(name) for name in said.get("by", ())])
    reason = str(said.get("reason", "none given")).strip().rstrip(".")
    return f"{text} Reason: {reason}. Decided by {by}."


def _whole(form: object) -> str:
    budget = Budget.from_json(form)
    return wording.epsilon(budget, budget.cap)


def checking(public: Published) -> list[str]:
    """How anybody can check the page."""
    return [
        "Keep a copy of this page. A later page must list everything that this one lists.",
        "Ask the custodian for the public view of the log, and for the public key of the ledger (a .pub file). The key "
        f"must have the id {public.key.id}; ask for that id in a second way too, such as by telephone.",
        "Save the signed checkpoint below as a file, install pets and run: pets log verify LOG --key KEY --checkpoint "
        "FILE. It says whether any entry was changed, added or taken out, and whether the log still holds the entries "
        "that this page was made from.",
        "Each answer comes with a certificate. pets verify CERTIFICATE --key KEY says whether it is genuine and where "
        "in the log it stands.",
    ]
