"""Wording: what the public log's entries mean, for readers who know neither statistics nor computers."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence

from pets.common.codec import Json
from pets.ledger.publish.read_log import Asked, Dataset, Event, Published
from pets.ledger.states import State
from pets.protection.budget import Budget, Cost, rounded_up
from pets.query_model.traits import TRAITS

_NAME = r"[\w.\-]+"
_NAMES = rf"{_NAME}(?: and {_NAME})*"
_MEASURE = rf"[a-z_]+(?:\({_NAMES}(?: where {_NAMES})?\))?"
_MADE = rf"{_NAME}\({_NAMES}\)"
_WHAT = re.compile(
    rf"({_MEASURE}(?:, {_MEASURE})*)(?: by ({_NAME}(?:, {_NAME})*))?(?: where ({_NAMES}))?"
    rf"(?: with ({_MADE}(?:, {_MADE})*))?"
)
_PART = re.compile(rf"([a-z_]+)(?:\(({_NAMES})(?: where ({_NAMES}))?\))?")
OUTCOMES = {
    State.COMMITTED: ("Released", "The protected answer left."),
    State.DENIED: ("Refused", "It was over the budget. No data was read and nothing was charged."),
    State.FORFEITED: ("Failed", "Nothing was shown, but its cost stays charged."),
    State.VOIDED: ("Withdrawn", "It ended before any data was read. Nothing was charged."),
    State.RESERVED: ("Under way", "Its cost is charged already."),
    State.STARTED: ("Under way", "Its cost is charged already."),
}
REVIEWED = {
    "held": ("Waits", "A second person decides whether the protected answer leaves. Its cost stays charged."),
    "refused": ("Kept back", "A second person let nobody have the protected answer. Its cost stays charged."),
}
NO_GUARANTEE = (
    "Released without a guarantee",
    "Exact or rounded figures left, without noise. No privacy cost can be given.",
)
HALF_WAY = (
    "Failed without a guarantee",
    "It was to hold figures without noise; it ended after the data was opened: some may have left. No cost is given.",
)


def asked(what: str) -> str:
    """What was asked, as a sentence; the log's own words where they do not read as one.

    >>> asked("count, mean(length_of_stay) by sex where age")
    'The number of records and the average of “length of stay”, for each “sex”, among records chosen by “age”.'
    >>> asked("count_units(age and sex)")
    'The number of people among records chosen by “age” and “sex”.'
    >>> asked("group_keys by diagnosis where sex")
    'The values of “diagnosis” that enough people have, among records chosen by “sex”.'
    >>> asked("count where stay with stay(came and left)")
    'The number of records, among records chosen by “stay”; “stay” is computed of “came” and “left”.'
    >>> asked("mean(days; drop) by")
    'mean(days; drop) by'
    """
    found = _WHAT.fullmatch(what)
    if found is None:
        return what
    measures, by, where, made = found.groups()
    keys = measures == "group_keys" and by is not None
    parts = [_measure(*match.groups()) for match in _PART.finditer(measures)]
    if "" in parts and not keys:
        return what
    said = listed(parts)
    if keys:
        said = f"the values of {listed([_quoted(name) for name in by.split(', ')])} that enough people have"
    elif by:
        said += f", for each {listed([_quoted(name) for name in by.split(', ')])}"
    if where:
        said += f", among records chosen by {_columns(where)}"
    if made:
        of = [one.removesuffix(")").partition("(") for one in made.split(", ")]
        said += f"; {listed([f'{_quoted(name)} is computed of {_columns(names)}' for name, _, names in of])}"
    return f"{said[0].upper()}{said[1:]}."


def _measure(kind: str, columns: str | None, where: str | None) -> str:
    words = TRAITS[kind].lay if kind in TRAITS else ""
    if "{}" in words:
        words = words.format(_columns(columns)) if columns else ""
    elif columns:
        where = columns
    return f"{words} among records chosen by {_columns(where)}" if words and where else words


def _columns(names: str) -> str:
    return listed([_quoted(name) for name in names.split(" and ")])


def _quoted(name: str) -> str:
    return f"“{name.replace('_', ' ')}”"


def listed(parts: list[str]) -> str:
    """One, two and three.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"


def outcome(one: Asked) -> tuple[str, str]:
    """What became of a request: a word or two, and a sentence."""
    if one.unbounded and one.state is State.FORFEITED:
        return HALF_WAY
    if one.state is State.COMMITTED and one.review:
        return REVIEWED[one.review]
    return NO_GUARANTEE if one.unbounded and one.state is State.COMMITTED else OUTCOMES[one.state]


def bare(found: list[Asked]) -> str:
    """How many requests without a guarantee, and how many of them did not come to their end."""
    unsure = sum(one.state is not State.COMMITTED for one in found)
    return counted(len(found), "release") + (f" ({unsure:,} of them not known to have ended)" if unsure else "")


def protected(form: Json) -> str:
    """How an answer is protected, in a few words.

    >>> protected({"kind": "dp", "epsilon": "0.5"}), protected({"kind": "sdc", "preset": "hes"})
    ('random noise (differential privacy)', 'small counts hidden, others rounded')
    """
    known = {"dp": "random noise (differential privacy)", "total": "none, exact totals"}
    known["sdc"] = "small counts hidden, others rounded"
    kind = str(form.get("kind"))
    return known.get(kind, f"“{kind}”")


def epsilon(budget: Budget, cost: Cost) -> str:
    r"""A cost as ε, with its δ, rounded up; no line ends between a sign and its number.

    >>> budget = Budget(epsilon=1, delta=1e-6)
    >>> epsilon(budget, budget.cap), epsilon(Budget(epsilon=2), Cost("pure", 0))
    ('ε\xa0=\xa01 (δ\xa0=\xa010⁻⁶)', 'ε\xa0=\xa00')
    """
    value, delta = budget.describe(cost)
    return f"ε\u00a0=\u00a0{rounded_up(value)}" + (f" (δ\u00a0=\u00a0{small(delta)})" if delta and value else "")


def small(value: float) -> str:
    """A δ, in a form that no line breaks.

    >>> small(1e-6), small(2.5e-07), small(0.001)
    ('10⁻⁶', '2.5·10⁻⁷', '0.001')
    """
    text, mark, power = f"{value:g}".partition("e-")
    if not mark:
        return text
    raised = power.lstrip("0").translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{'' if text == '1' else f'{text}·'}10⁻{raised}"


def percent(share: float) -> str:
    r"""A share of a budget that is left, rounded down: neither “100 %” nor “0 %” unless it is.

    >>> percent(0), percent(0.00001), percent(0.103), percent(0.99999), percent(1)
    ('0\xa0%', 'less than 0.1\xa0%', '10.3\xa0%', '99.9\xa0%', '100\xa0%')
    """
    if 0 < share < 0.001:
        return "less than 0.1\u00a0%"
    return f"{math.floor(share * 1000 + 1e-9) / 10:g}\u00a0%"


def used(share: float) -> str:
    r"""A share of a budget that is used, rounded up, so that what is used and what is left make 100 %.

    >>> used(0), used(0.00001), used(0.1031), used(0.99999), used(1)
    ('0\xa0%', 'less than 0.1\xa0%', '10.4\xa0%', 'more than 99.9\xa0%', '100\xa0%')
    """
    if 0 < share < 0.001:
        return "less than 0.1\u00a0%"
    if 0.999 < share < 1:
        return "more than 99.9\u00a0%"
    return f"{math.ceil(share * 1000 - 1e-9) / 10:g}\u00a0%"


def day(at: str) -> str:
    """A date: ``22 November 2026``."""
    when = dt.datetime.fromisoformat(at)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def clock(at: str) -> str:
    """A time of day: ``06:39``."""
    return dt.datetime.fromisoformat(at).strftime("%H:%M")


_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(0, "answer"), counted(1, "answer"), counted(1200, "entry", "entries")
    ('no answers', '1 answer', '1,200 entries')
    """
    noun = one if number == 1 else many or f"{one}s"
    return f"{number:,} {noun}" if number else f"no {noun}"


def times(number: int) -> str:
    """How often.

    >>> times(1), times(2), times(3)
    ('once', 'twice', '3 times')
    """
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def people(known: Dataset) -> str:
    """Who is protected in a dataset."""
    if all(known.units.values()):
        return "each person, with all of their records"
    return "each record" if not any(known.units.values()) else "each person (in some tables each record)"


# the paragraphs of the public page -------------------------------------------------------------------------------

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
        noise += f", except {bare(exact)} without a guarantee, named below"
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
            f"used ({used(share)} of the budget)."
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
    elif event.kind in ("table", "unit"):
        who = f"the person named in column “{said['unit']}”" if said["unit"] else "each row"
        text = f"in table {said['table']}, {who} is now the one who is protected."
        if event.kind == "table":
            text = f"table {said['table']} joined the data, under the same budget: {who} is protected in it."
    elif event.kind == "source":
        text = f"table {said['table']} was given data that was registered elsewhere before."
    elif event.kind == "approvers":
        needed = counted(int(said["needed"]), "signature")
        text = f"{needed} of {len(said['keys'])} people are needed for a change."
    elif event.kind == "roster":
        text = f"totals without noise may leave over other sites than before. {said['tells']}"
    elif event.kind == "checker":
        whose = f"{said['checker']}'s own key, by which votes about outputs are signed,"
        text = f"{whose} is trusted from now on." if said["trusted"] else f"{whose} is trusted no more."
    else:
        text = f"a change of the kind “{event.kind}”."
    by = listed([str(name) for name in said.get("by", ())])
    reason = str(said.get("reason", "none given")).strip().rstrip(".")
    return f"{text} Reason: {reason}. Decided by {by}."


def _whole(form: object) -> str:
    budget = Budget.from_json(form)
    return epsilon(budget, budget.cap)


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
