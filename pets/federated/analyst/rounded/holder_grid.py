"""Holder's grid: rounded counts over sites that are sums of the cells which the key holder showed, and their check.

The key holder opened the sums of one grid over all sites once, and showed each by the rule. All of it is in every
answer that is made of it, so whoever reads one can add its numbers up again; no site and no key holder is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pets.common.codec import Json, canonical
from pets.common.entropy import random_id
from pets.errors import PolicyError
from pets.federated.messages.roster import Roster
from pets.federated.query_round.envelopes import of_all_sites
from pets.federated.site import wording
from pets.federated.site.rounded import rounded_wording
from pets.he.totals.shown_grid import ShownGrid
from pets.plan.plan import Plan
from pets.protection.budget import Cost
from pets.protection.sdc import SDC
from pets.release.certificate import Certificate
from pets.release.rounded.rounded_sum import CountsOfSites, RoundedSum
from pets.release.rounded.rounded_table import cells_of
from pets.schema.schema import Schema
from pets.sdc.grid import Grid, Sum

FREE = ("certificates", "coordinator")
"""Of what an answer states of its sites, what does not follow from its roster and its grid."""


def summed(grid: ShownGrid, plan: Plan) -> list[list[CountsOfSites]]:
    """The counts of a question, each a sum of the grid's shown cells.

    Raises:
        QueryError: with the remedy, where it is no sum of cells.
    """
    cells = cells_of(grid.protection.rule, grid.shown)
    ones = np.ones(len(cells.shown), dtype=np.int64)

    def of(one: Sum) -> CountsOfSites:
        return CountsOfSites(*map(one.of, (cells.shown, cells.hidden, cells.low, cells.high, ones)))

    return [[of(one) for one in several] for several in Grid(grid.round.plan).sums(plan)]


def unsigned(
    grid: ShownGrid, plan: Plan, roster: Roster, schema: Schema, analyst: str, certificates: Mapping[str, Json]
) -> Json:
    """The canonical form of an answer from the grid, without the coordinator's signature.

    Raises as :func:`summed`.
    """
    sharing = _sharing(grid, roster) | {"certificates": dict(certificates)}
    counts, stated = summed(grid, plan), _stated(grid, plan, roster)
    return RoundedSum.unsigned(random_id(), plan, schema, grid.protection, analyst, counts, sharing, stated)


def check_rule(grid: ShownGrid, protection: SDC) -> None:
    """Refuse another rule than the grid's; raises :class:`PolicyError`."""
    if grid.protection != protection:
        raise PolicyError(
            f"the key holder's grid is protected by pets.{grid.protection!r}, and other rules over the same cells "
            f"could be compared with it; ask with pets.{grid.protection!r}"
        )


def follows(release: RoundedSum) -> bool:
    """Whether all that an answer states follows from its grid, and the grid from what its sites signed.

    The coordinator's signature is not looked at here.
    """
    form, sharing = release.form, release.sharing
    roster, grid = Roster.from_json(sharing["roster"]), ShownGrid(sharing["grid"])
    plan, schema = release.plan, release.schema
    wanted: Json = _stated(grid, plan, roster) | {
        "counts": [[one.to_json() for one in several] for several in summed(grid, plan)],
        "rule": grid.protection.rule.to_json(),
        "protection": grid.protection.to_json(),
        "sharing": _sharing(grid, roster) | {name: sharing[name] for name in FREE},
    }
    return (
        canonical({name: form[name] for name in wanted}) == canonical(wanted)
        and grid.round.schema.digest == schema.digest
        and of_all_sites(grid, roster)
        and all(_is_part(Certificate(one).predicate, name, grid, roster) for name, one in _certified(sharing))
    )


def _certified(sharing: Json) -> Any:
    return sharing["certificates"].items()


def _is_part(said: Json, site: str, grid: ShownGrid, roster: Roster) -> bool:
    """Whether a site's certificate is of its part in the grid; by whose key it is signed, nothing here tells."""
    asked = grid.round
    wanted = {
        "release_id": asked.id,
        "plan_sha256": asked.plan.digest,
        "query": asked.query.to_json(),
        "protection": grid.protection.to_json(),
        # (it is said of the site's rows, invented or not)
        "guarantee": rounded_wording.guarantee(grid.protection, roster, "encrypted", dummy=False),
    }
    federation, where = said["federation"], said["dataset"]
    return (
        site in [member.name for member in roster.members]
        and all(said[name] == part for name, part in wanted.items())
        and (federation["site"], federation["roster_sha256"]) == (site, roster.digest)
        and (federation["secure"], federation["key_holder"]) == ("encrypted", roster.key_holder)
        and (where["metadata_sha256"], where["rows"]) == (asked.schema.digest, grid.data)
    )


def _sharing(grid: ShownGrid, roster: Roster) -> Json:
    """Who took part, under which assumptions, and the key holder's grid."""
    return {
        "version": 1,
        "wording": wording.VERSION,
        "secure": "encrypted",
        "roster": roster.to_json(),
        "roster_sha256": roster.digest,
        "sites": roster.size,
        "answered": [member.name for member in roster.members],
        "key_holder": roster.key_holder,
        "grid": grid.form,
    }


def _stated(grid: ShownGrid, plan: Plan, roster: Roster) -> Json:
    """What an answer says beside its numbers."""
    dummy = grid.data == "dummy"
    return {
        "snapshot": f"federated {grid.round.id}",
        "data": grid.data,
        "cost": Cost(roster.currency, 0).to_json(),
        "budget": None,
        "project": "federation",
        "guarantee": rounded_wording.guarantee(grid.protection, roster, "encrypted", dummy=dummy),
        "notes": list(rounded_wording.notes(plan, roster, grid.protection, "encrypted")),
    }
