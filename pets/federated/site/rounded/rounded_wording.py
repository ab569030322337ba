"""Rounded wording: what counts over several sites are and are not, where each site rounded its own."""

from __future__ import annotations

from pets.federated.messages.roster import Roster
from pets.plan.plan import Plan
from pets.protection.sdc import SDC
from pets.session.grid.words import DUMMY
from pets.session.grid.words import notes as grid_notes


def guarantee(protection: SDC, roster: Roster, secure: str, *, dummy: bool) -> str:
    """What such a release promises: no ε, and what of a site's people it leaves open."""
    if dummy:
        return DUMMY
    if secure == "encrypted":
        return _by_holder(protection, roster)
    named = "of its own" if protection.preset is None else repr(protection.preset)
    return (
        f"No differential privacy, and no ε: counts of people by the rule {named} ({protection.rule}), which each of "
        f"{roster.size} sites applied to the cells of its own grid before anything left it. Every number is the sum "
        "over all sites of what their cells show, so what each site's rounding leaves open adds up: the exact number "
        "lies between the two that are shown for it. No single site's part was shown to the coordinator, the analyst "
        "or another site; all tables of these grids together tell of a site's people no more than the cells of its own "
        "grid, each small one of which leaves open the interval of the rule. Other releases about the same people may "
        "narrow it, and who knows all others of a cell may learn of the last one (unbounded; named on every later "
        "release of each site)."
    )


def _by_holder(protection: SDC, roster: Roster) -> str:
    """The same where the key holder rounds the sums of one grid over all sites."""
    named = "of its own" if protection.preset is None else repr(protection.preset)
    return (
        f"No differential privacy, and no ε: counts of people over {roster.size} sites by the rule {named} "
        f"({protection.rule}), which the key holder applied to the decrypted sums of one grid's cells before anything "
        "left it. Every number is a sum of cells of that grid as they are shown, and all tables of it together tell no "
        "more than its cells: each small one leaves open the interval that is shown for it. No proof is claimed: that "
        "the key holder applied the rule, showed this one grid and forgot the exact sums is its signed word. No single "
        "site's part was shown to anybody, as long as key holder and coordinator do not collude; together they could "
        "open each site's exact counts. Other releases about the same people may narrow a cell, and who knows all "
        "others of it may learn of the last one (unbounded; named on every later release of each site)."
    )


def notes(plan: Plan, roster: Roster, protection: SDC, secure: str) -> tuple[str, ...]:
    """What a reader must know beside it."""
    out = [f"All {roster.size} sites are in the answer, combined by secure={secure!r}."]
    out += grid_notes(plan, protection.rule)
    out.append(
        "The people are those of the day on which the key holder's grid was opened."
        if secure == "encrypted"
        else "A site counts the people of the day on which its custodian named its grid."
    )
    if plan.people_of is not None:
        out.append("What happened to somebody at another site is not seen.")
    if roster.sites_per_person > 1:
        out.append(f"A person may be at up to {roster.sites_per_person} sites, and counts at each of them.")
    return tuple(out)
