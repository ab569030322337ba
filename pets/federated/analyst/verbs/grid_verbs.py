"""Grid verbs: the grid over all sites that the key holder shows once, and answers that are sums of its cells."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, MutableMapping

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.common.signing import SigningKey
from pets.errors import PolicyError, QueryError, UserError, shown
from pets.federated.analyst.planning import FederatedRequest
from pets.federated.analyst.rounded.holder_grid import check_rule, unsigned
from pets.federated.analyst.sealing import Answer
from pets.federated.analyst.sharing import signature
from pets.federated.messages.roster import Roster
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.envelopes import GridEnvelopes, KeyHolder, grid_asked_for, of_all_sites
from pets.federated.query_round.order import Order
from pets.he.totals.shown_grid import ShownGrid
from pets.plan.plan import Plan, make_plan
from pets.protection.protection import checked
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.certificate import Certificate
from pets.release.rounded.rounded_sum import RoundedSum
from pets.schema.schema import Schema
from pets.sdc.grid import Grid

GRID = "grid"
"""Where the answers keep the grid's own."""
ANEW = (
    "a key holder shows a grid once, and none of refreshed rows beside it: where a cell moves from 6 to 7, who knows "
    "that few people came or went learns of them; ask for sums of the one that was shown, whose people are those of "
    "its day, or about today's with pets.DP(epsilon=…)"
)


class GridVerbs:
    """The part of :class:`pets.Federation` about the key holder's grid."""

    schema: Schema
    roster: Roster
    analyst: str
    _answers: MutableMapping[str, Answer]
    _coordinator: SigningKey
    _analyst: SigningKey
    lost: dict[str, str]

    @plain_arguments(UserError, "name_grid", "write name_grid(query, pets.SDC('hes'))")
    def name_grid(self, query: Query, protection: SDC, *, anew: bool = False) -> RoundedSum:
        """Have the key holder open the counts of one grid over all sites, once, and show each by the rule.

        Every site sends the exact counts of the grid in an encrypted envelope, where its policy names the rule under
        ``sdc_encrypted`` and its session allows exact totals; each enters that as unbounded before it leaves. The key
        holder decrypts the sums over all sites, applies the rule, writes down what it shows, and gives that alone. From
        then on :meth:`release` with ``pets.SDC(…)`` and ``secure="encrypted"`` adds up its shown cells, and asks
        nobody.

        A key has one grid. Asked for again it is given as it was, also where sites have refreshed their rows since;
        another one is refused.

        Args:
            query: one ``pets.count()`` of everybody, grouped by public columns and coarse bins, without conditions. A
                person must lie in one cell, and at one site.
            protection: the rule, such as ``pets.SDC("hes")``.
            anew: of refreshed rows, as :meth:`pets.Custodian.name_grid` takes it: refused here, since the key holder
                alone could compare the two grids before the second is shown.

        Returns:
            The whole grid, as a table of its cells. Its guarantee says what is trusted: no proof is claimed.

        Raises:
            QueryError, PolicyError, UserError: before anything is sent, from the key holder, or from a site's gate.
            ReleaseFailedError: where a site was lost or withheld; what was entered stays.
        """
        if not isinstance(checked(protection), SDC):
            raise UserError(f"a grid is protected by a rule such as pets.SDC('hes'), not by {shown(protection)}")
        protection.check_releases()
        if anew is not False:
            raise PolicyError(ANEW)
        plan = self._grid_plan(query)
        known = self._shown_grid()
        if known is not None:
            check_rule(known, protection)
            if known.round.plan.digest != plan.digest:
                raise PolicyError(
                    "the key holder has shown another grid of these people, and two of them could be subtracted from "
                    "each other; ask for sums of that one, with release(…, secure='encrypted')"
                )
            return self._grid_answer()
        found, certificates = self._opened_grid(plan, protection)
        answer = self._from(found, plan, certificates)
        self._answers[GRID] = answer
        return answer

    def _grid_plan(self, query: Query) -> Plan:
        plan = make_plan(query, self.schema)
        Grid(plan)
        if query.display is not None:
            raise QueryError("a grid is shown as a whole; leave out HAVING, ORDER BY and LIMIT")
        return plan

    def _from_grid(self, request: FederatedRequest) -> RoundedSum:
        """An answer that is made of the shown cells; nobody is asked."""
        grid, protection = self._shown_grid(), request.protection
        assert isinstance(protection, SDC)
        if grid is None:
            raise PolicyError(
                "the key holder has shown no grid of these sites yet: have it open one, once, with "
                "many.name_grid(pets.query(…).group_by(…).agg(n=pets.count()), pets.SDC('hes')), or use "
                "secure='masked', where each site rounds its own counts"
            )
        check_rule(grid, protection)
        return self._from(grid, request.plan, self._grid_answer().sharing["certificates"])

    def _from(self, grid: ShownGrid, plan: Plan, certificates: Mapping[str, Json]) -> RoundedSum:
        _, roster = self._opener()
        form = unsigned(grid, plan, roster, self.schema, self.analyst, certificates)
        sharing = form["sharing"] | {"coordinator": signature(form, self._coordinator)}
        return RoundedSum(form | {"sharing": sharing})

    def _shown_grid(self) -> ShownGrid | None:
        return ShownGrid(self._grid_answer().sharing["grid"]) if GRID in self._answers else None

    def _grid_answer(self) -> RoundedSum:
        found = self._answers[GRID]
        assert isinstance(found, RoundedSum)
        return found

    def _opened_grid(self, plan: Plan, protection: SDC) -> tuple[ShownGrid, Mapping[str, Json]]:
        """The grid as the key holder shows it, and what the sites' ledgers certified of their parts."""
        holder, roster = self._key_holder()
        made = grid_asked_for(holder, roster, plan, protection, self.schema)
        if isinstance(made, ShownGrid):
            if not of_all_sites(made, roster):
                raise PolicyError(
                    "the key holder showed this grid to a federation of these sites with other assumptions (who "
                    "colludes), or of invented rows; make the federation as that one was made"
                )
            return made, {}
        asked = json.loads(made.to_bytes())
        order = Order(
            made.id, roster.digest, self.schema.digest, self.analyst, plan.query, protection, "encrypted", None, asked
        )
        envelopes = GridEnvelopes(made, holder)
        relay = Relay(
            roster, self._coordinator, order, order.signed(self._analyst), plan.size, order.everyone, envelopes
        )
        self._carry(relay)
        return envelopes.found[0], {name: dict(one) for name, one in self._certified(order, relay).items()}

    # what a federation has --------------------------------------------------------------------------------------

    @abstractmethod
    def _key_holder(self) -> tuple[KeyHolder, Roster]:
        """Who opens totals, and the roster that names their key."""

    @abstractmethod
    def _opener(self) -> tuple[KeyHolder, Roster]:
        """The same, where it need not be in touch."""

    @abstractmethod
    def _carry(self, relay: Relay) -> None:
        """Carry a query's messages to its end."""

    @abstractmethod
    def _certified(self, order: Order, relay: Relay) -> Mapping[str, Certificate]:
        """What the ledgers of the sites in an answer signed of their parts."""
