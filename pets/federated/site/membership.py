"""Membership: over which sites exact totals of these people left. Two lists of sites show the sites between them.

The sum over five hospitals less the sum over four of them is one hospital's exact numbers, whoever masked them. So a
site answers exact totals over one list of sites alone; a roster made anew over the same sites (another coordinator,
other kits) is no other list. A federation that loses or gains a site needs a signed change in the ledger of each of
its sites, which says what is told: of those that were asked before, and of those that join, whose own numbers the
difference shows. The sites' entries in the roster carry the lists over which totals left, so a site that joins sees
them; as long as one site that was asked before is honest, it is asked. Differential privacy needs none of this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pets.errors import PolicyError, UserError, shown
from pets.federated.messages.roster import Roster
from pets.federated.site.wording import CONTRIBUTION
from pets.ledger import change as changes
from pets.ledger.account import Account
from pets.ledger.change import Change

Sites = Mapping[str, str | None]
"""A list of sites: their public keys by name (``None``: not written down)."""
KIND = "roster"
"""What a ledger calls the change that lets exact totals over other sites leave."""
STILL_OTHERS = (
    "Beside exact totals over still other lists of sites, single sites' exact numbers may follow, of this site too."
)
ROUNDED_TOO = (
    "Rounded counts over both may leave, too: by subtraction they show what the cells of the sites between show."
)
"""What is said besides, where rounded counts of a site's own left it before."""


def check_membership(
    roster: Roster, account: Account, pinned: Mapping[str, Roster], key: str, *, exact: bool = True
) -> None:
    """Refuse totals without noise where others left over other sites, and nobody allowed these beside them.

    Args:
        roster: whose order it is.
        pinned: rosters by digest: of totals that were entered before their sites were, these tell the sites.
        key: this site's public key.
        exact: whether they are exact totals; else they are rounded at the sites, and show a site's rounded numbers.

    Raises:
        PolicyError: by what the ledger and the roster hold alone.
    """
    totals, numbers = ("exact totals", "exact numbers") if exact else ("totals without noise", "numbers")
    mine = set(_earlier(account, pinned)) - {roster.membership}
    if (mine | set(_stated(roster))) - _allowed(roster, account):
        raise PolicyError(
            f"{totals} of these people left over other sites than this roster's, and the difference of two such "
            f"totals is the {numbers} of the sites between; ask with pets.DP(epsilon=…), or every site's custodian "
            "first allows it (pets site allow-roster)"
        )
    said = {membership for member in roster.members if member.key == key for membership, _ in member.totals}
    if mine - said:
        raise PolicyError(
            f"{totals} over other sites left this site after the roster was made, so that sites that join do not "
            "see it there; exchange a new roster, of the sites' present entries"
        )


def lists(account: Account, pinned: Mapping[str, Roster]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Over which lists of sites exact totals left, as the site's entry states them."""
    found = _earlier(account, pinned)
    return tuple(
        (membership, tuple(sorted((name, key or "") for name, key in (sites or {}).items())))
        for membership, sites in sorted(found.items())
    )


def to_allow(
    roster: Roster,
    account: Account,
    pinned: Mapping[str, Roster],
    key: str,
    reason: str,
    by: Sequence[str],
    several: bool = False,
) -> Change:
    """The change that lets exact totals over a roster's sites leave beside those that left before; not made yet.

    Args:
        key: this site's public key: a change about a roster that does not have it would allow nothing.
        several: that this list stands beside more than one other, which together tell more than each, is meant.

    Raises:
        PolicyError: where there is nothing to allow, the roster does not have this site, or there are several.
        LedgerError: where reason or names are missing.
    """
    if not isinstance(roster, Roster):
        raise UserError(f"a roster is allowed, as the coordinator sent it, not {shown(roster)}")
    if all(member.key != key for member in roster.members):
        raise PolicyError(
            "the roster does not have this site's key, so nothing of it could be asked over that roster; ask the "
            "coordinator for the one that has this site"
        )
    earlier = _stated(roster) | _earlier(account, pinned)
    others = set(earlier) - {roster.membership}
    beside = sorted(others - _allowed(roster, account))
    if not beside:
        raise PolicyError(
            "no totals without noise left over other sites than this roster's, so there is nothing to allow"
        )
    if len(others) > 1 and not several:
        raise PolicyError(
            f"totals without noise left over {len(others)} other lists of sites; beside more than one, single sites' "
            "numbers may follow, of this site too, though no two lists show them; ask with pets.DP(epsilon=…), or "
            "allow it all the same with several=True (--several)"
        )
    details = {
        "sites": sorted(member.name for member in roster.members),
        "membership": roster.membership,
        "beside": beside,
        "tells": " ".join(
            [
                *(_tells(_of(roster), earlier[other]) for other in beside),
                STILL_OTHERS,
                *([ROUNDED_TOO] if _rounded(account) else []),
            ]
        ),
    }
    return Change(account.ledger.origin, account.dataset, KIND, details, reason, tuple(by))


def _tells(now: Sites, then: Sites | None) -> str:
    """What somebody learns who asks the same of both lists of sites."""
    said = f"Exact totals over {', '.join(sorted(now))} may leave beside those over "
    if then is None:
        return f"{said}a roster whose sites were not written down: asked alike, they show the sites between them."
    said = f"{said}{', '.join(sorted(then))}: what is asked of both shows, by subtraction, the exact numbers of "
    if None in then.values():
        names = [*sorted(set(now) ^ set(then)), "any site whose key is another"]
        return f"{said}{', '.join(names)} together."
    gone = {name for name, key in then.items() if key not in now.values()}
    come = {name for name, key in now.items() if key not in then.values()}
    whose = []
    for name in sorted(gone | come):
        if name not in now or name not in then:
            whose.append(name)
            continue
        whose += [f"{name} of then"] * (name in gone) + [f"{name} of now, which has another key"] * (name in come)
    return f"{said}{' and '.join(whose)} together."


def _rounded(account: Account) -> bool:
    """Whether rounded counts of this site's own grid left it through a federation."""
    forms = [json.loads(body) for body in account.exact()]
    return any(one.get("pets") == CONTRIBUTION and "grid" in one for one in forms)


def _stated(roster: Roster) -> dict[str, Sites | None]:
    """Over which other lists of sites exact totals of the roster's sites left, by their entries in it."""
    found = {membership: sites for member in roster.members for membership, sites in member.totals}
    return {
        membership: {name: key or None for name, key in sites} or None
        for membership, sites in found.items()
        if membership != roster.membership
    }


def _of(roster: Roster) -> dict[str, str | None]:
    return {member.name: member.key for member in roster.members}


def _earlier(account: Account, pinned: Mapping[str, Roster]) -> dict[str, Sites | None]:
    """The lists of sites over which exact totals left: the sites' keys by name, by membership (``None``: not known)."""
    out: dict[str, Sites | None] = {}
    for body in account.exact():
        form = json.loads(body)
        if form.get("pets") != CONTRIBUTION:
            continue
        known = pinned.get(form["roster"])
        if "keys" in form:
            out[form["membership"]] = form["keys"]
        elif known is not None:  # an entry of before sites, or their keys, were written down
            out[known.membership] = _of(known)
        elif "membership" in form:
            out[form["membership"]] = dict.fromkeys(form["sites"])
        else:
            out[form["roster"]] = None
    return out


def _allowed(roster: Roster, account: Account) -> set[str]:
    """Beside which other lists exact totals over this roster's sites may leave, by signed changes."""
    found = changes.made(account.ledger, account.dataset, KIND)
    mine = [one.details["beside"] for one in found if one.details["membership"] == roster.membership]
    return {other for one in mine for other in one}
