"""The gate: whether a site takes part in a query. It reads the query, the policy, the roster; never a row.

The order of the checks: who signed and whether it is new (:mod:`pets.federated.site.site`), what is asked against the
site's policy, the schema, the roster and its assumptions, the protection, the range of the sums, and last the charge,
which the site works out itself from the noise that the order names. The ledger's reservation follows, and only after
all rounds of preparation is the data opened.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pets.dp.calibrate import target_units
from pets.dp.privacy_loss import PrivacyLoss
from pets.dp.shares import Shares, Spread, share_losses, shares_loss
from pets.errors import BudgetError, PolicyError, QueryError, SchemaError
from pets.federated.messages.roster import Member, Roster
from pets.federated.query_round import rounded_counts
from pets.federated.query_round.envelopes import check_apart
from pets.federated.query_round.order import Order, time_of
from pets.federated.query_round.regression_step import Model
from pets.federated.site.chosen import chosen_by_value
from pets.federated.site.policy import SitePolicy
from pets.plan.person_steps import Attribute
from pets.plan.plan import Plan, make_plan
from pets.protection.budget import Budget, Cost
from pets.protection.policy import Policy
from pets.protection.protection import DP, Exact, Total
from pets.protection.sdc import SDC
from pets.query_model.aggregate import count
from pets.query_model.nodes.aggregate_base import OfColumn
from pets.query_model.nodes.moments import OfColumns
from pets.query_model.nodes.names import columns_of, rooted
from pets.query_model.people import People
from pets.query_model.query import Query
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema
from pets.sdc.grid import Grid

LONGEST = dt.timedelta(days=31)
"""How long a question may stay open, at most."""
RANGE = 2**62
"""No total may pass it: noise then fits below 2^63, and sums modulo 2^64 are the sums themselves."""


@dataclass(frozen=True)
class Desk:
    """What a site's gate knows, none of it from rows.

    Attributes:
        member: the site as the roster has it.
        schema, rules, policy, budget: the site's own; ``rules`` are for the federation.
        data: ``"real"`` or ``"dummy"``.
    """

    member: Member
    schema: Schema
    rules: SitePolicy
    policy: Policy
    budget: Budget
    data: str


@dataclass(frozen=True)
class Admission:
    """A query that the gate lets in, what it costs this site, and what its noise means (``None`` without noise)."""

    order: Order
    plan: Plan
    cost: Cost
    loss: PrivacyLoss | None = None
    model: Model | None = None
    bits: int = 0

    @property
    def size(self) -> int:
        """Numbers of the vector: the plan's, and those of a regression's step; or those of rounded counts."""
        if isinstance(self.order.protection, SDC) and not self.order.for_holder:
            return rounded_counts.size(self.plan)
        return self.plan.size + (0 if self.model is None else self.model.size)

    @property
    def shares(self) -> Shares | None:
        """The noise that the site adds."""
        return self.order.shares

    @property
    def everyone(self) -> bool:
        """Totals without noise, from which no site may be missing."""
        return self.order.everyone


def admit(order: Order, roster: Roster, desk: Desk) -> Admission:
    """Let a query in.

    Raises:
        QueryError, PolicyError, SchemaError, BudgetError: with the reason, which may be told to anybody.
    """
    _check_time(order, dt.datetime.now(dt.UTC))
    if order.query.people is None:
        _check_query(order.query, desk)
    if not order.schema == desk.schema.digest == desk.member.schema:
        raise SchemaError("the order is about another schema than this site's; compare the sites' schema files")
    desk.policy.check_conditions(order.query)
    plan = make_plan(order.query, desk.schema)
    desk.policy.check_numbers(plan.size)
    if order.query.people is not None:
        _check_people(plan, order.query.people, desk)
    _check_roster(order, roster, desk)
    _check_protection(order, desk)
    if order.for_holder:
        check_apart(roster)
        _check_grid(plan, desk)
    _check_bounds(order, plan, desk)
    most = roster.sites_per_person * max(
        measure.limit * (1 if order.shares is None else order.shares.refine[place])
        for place, measure in enumerate(plan.measures)
        if order.shares is None or place < len(order.shares.refine)
    )
    if most > RANGE:
        finer = "" if isinstance(order.protection, Total) else "use a coarser step, a tighter clip, or "
        raise QueryError(
            f"the total over the sites could pass 2^62; {finer}state fewer 'people' (over all sites) in the schema's "
            "table"
        )
    model = _model(order, desk)
    bits = 0 if model is None else model.bits(most_rows(plan, roster))
    cost, loss = _charge(order, plan, roster, desk)
    return Admission(order, plan, cost, loss, model, bits)


def most_rows(plan: Plan, roster: Roster) -> int:
    """How many rows all sites together can count, by public bounds; the first measure of a step's query counts rows."""
    return roster.sites_per_person * plan.measures[0].limit


def _model(order: Order, desk: Desk) -> Model | None:
    """A regression's step over this site's schema, where its policy allows one."""
    if order.step is None:
        return None
    rule, query = desk.rules.rule(order.query.table), order.query
    if query.people is not None:
        raise QueryError("a regression is of the rows of a table, not of people; ask it of pets.query('table')")
    counts = [aggregate.to_json() for _, aggregate in query.aggregates]
    if not isinstance(order.protection, (Total, Exact)) or order.secure != "masked" or query.keys or query.keyset:
        raise PolicyError("a step of a regression is an exact, masked total over all rows of a query without groups")
    if counts != [count().to_json()]:
        raise PolicyError("a step of a regression goes with a count of rows and nothing else")
    if rule.aggregates is not None and "glm" not in rule.aggregates:
        raise PolicyError(f"the site's policy does not let queries measure 'glm'; it allows: {rule.aggregates}")
    for name in order.step.columns:
        if rule.columns is not None and name not in rule.columns:
            raise PolicyError(f"the site's policy does not let queries use {name!r}; it allows: {rule.columns}")
    return Model(order.step, desk.schema.fields(query.table))


def _check_people(plan: Plan, people: People, desk: Desk) -> None:
    """Of every table that a question about people reads, what the site allows: its columns for whatever use."""
    kinds = [aggregate.kind for _, aggregate in plan.query.aggregates]
    assert plan.people_of is not None
    attached = [step for step in plan.people_of.steps if isinstance(step, Attribute)]
    for table in dict.fromkeys((*people.tables, *plan.people_of.tables)):
        rule = desk.rules.rule(table)
        named = {*people.columns_of(table), *(step.column for step in attached if step.table == table)}
        for what, names, allowed in (
            ("use", named, rule.columns),
            ("group by", named, rule.keys),
            ("filter by", named, rule.filters),
            ("measure", kinds, rule.aggregates),
        ):
            for name in sorted(set(names)):
                if allowed is not None and name not in allowed:
                    raise PolicyError(
                        f"the site's policy does not let questions about people {what} {name!r} of table {table!r}; it "
                        f"allows: {', '.join(allowed)}"
                    )


def _check_time(order: Order, now: dt.datetime) -> None:
    """A question that stays open is one message of each site, and has an end."""
    until = time_of(order.until)
    if until is None:
        return
    if order.secure != "encrypted":
        raise PolicyError(
            "only a question in encrypted envelopes stays open: each site sends one, on its own day; the rounds of the "
            "other ways need all sites at once"
        )
    if order.for_holder:
        raise PolicyError("the key holder's grid is asked of all sites at once; leave the waiting out")
    if not now <= until <= now + LONGEST:
        raise PolicyError(
            f"the question is open until {order.until}, and at this site it is {now.isoformat(timespec='seconds')}: it "
            f"is over, or open for more than {LONGEST.days} days"
        )


def _check_query(query: Query, desk: Desk) -> None:
    rule = desk.rules.rule(query.table)
    form = query.to_json()
    inner = [name for _, aggregate in form["agg"] for name in columns_of(aggregate.get("where"))]
    # what is computed counts as the columns that it is made of
    keys, filters = (rooted(form, columns_of(form.get(part))) for part in ("by", "where"))
    inner, named = rooted(form, inner), {*rooted(form, columns_of(form)), *keys}
    for what, names, allowed in (
        ("use", named, rule.columns),
        ("group by", keys, rule.keys),
        ("filter by", [*filters, *inner], rule.filters),
        ("measure", [aggregate["agg"] for _, aggregate in form["agg"]], rule.aggregates),
    ):
        for name in sorted(set(names)):
            if allowed is not None and name not in allowed:
                raise PolicyError(
                    f"the site's policy does not let queries {what} {name!r}; it allows: {', '.join(allowed)}"
                )


def _check_roster(order: Order, roster: Roster, desk: Desk) -> None:
    rules = desk.rules
    if desk.member.policy != rules.digest:
        raise PolicyError("the site's policy has changed since the roster was made; exchange a new roster")
    for what, have, least in (
        ("sites on the roster", roster.size, rules.min_sites),
        ("sites assumed to collude", roster.colluding, rules.min_colluding),
        ("sites_per_person", roster.sites_per_person, rules.min_sites_per_person),
    ):
        if have < least:
            raise PolicyError(f"the site's policy asks for at least {least} {what}, and there are {have}")
    if order.secure not in rules.secure:
        raise PolicyError(f"the site's policy does not allow secure={order.secure!r}; it allows: {rules.secure}")


def _check_protection(order: Order, desk: Desk) -> None:
    protection, shares = order.protection, order.shares
    if isinstance(protection, DP):
        if shares is None or shares.alone != (order.secure == "local"):
            raise BudgetError(
                "the order's noise does not go with its way to combine; run one version of pets everywhere"
            )
        if shares.mechanism != ("laplace" if desk.budget.currency == "pure" or protection.pure else "gaussian"):
            # the same number would else be read once as ε and once as ρ
            raise BudgetError("the order's noise is of another kind than its protection promises; it was refused")
        return
    if shares is not None:
        raise BudgetError("exact totals bear no noise; the order does not fit together")
    if isinstance(protection, Exact):
        if desk.data != "dummy":
            raise PolicyError("pets.Exact() answers on dummy data only; use pets.DP(epsilon=…) on real rows")
    elif isinstance(protection, Total):
        if order.query.people is not None:
            raise PolicyError(
                "sites give no exact totals about people, since their rules for small cohorts read rows of one table; "
                "use pets.DP(epsilon=…)"
            )
        if not (desk.rules.totals.allow and desk.policy.allow_unbounded):
            raise PolicyError("this site's policy does not allow exact totals; use pets.DP(epsilon=…)")
        if order.secure == "local":
            raise PolicyError("exact totals are never sent by one site alone; use secure='masked'")
    elif order.for_holder:
        assert isinstance(protection, SDC)
        if protection.name not in desk.rules.sdc_encrypted or not desk.policy.allow_unbounded:
            allowed = ", ".join(map(repr, desk.rules.sdc_encrypted * desk.policy.allow_unbounded)) or "none"
            raise PolicyError(
                f"this site sends no exact counts to a key holder who would show them by the rule {protection.name!r} "
                f"(it allows: {allowed}); use secure='masked', where each site rounds its own, or its custodian may "
                "list it under sdc_encrypted, where the session's own policy allows exact totals"
            )
        desk.policy.check_width(protection)
    elif isinstance(protection, SDC):
        if protection.name not in desk.rules.sdc:
            allowed = ", ".join(map(repr, desk.rules.sdc)) or "none"
            raise PolicyError(
                f"this site's policy lets no counts leave by the rule {protection.name!r} (it allows: {allowed}); use "
                "pets.DP(epsilon=…), or its custodian may list it under sdc"
            )
        if order.secure != "masked":
            raise PolicyError(
                "a site's own rounded counts are added under masks alone; use secure='masked', or 'encrypted', where "
                "the key holder has a grid"
            )
    else:
        raise PolicyError("this site answers pets.DP(…), pets.SDC(…), pets.Exact() and pets.Total() only")


def _check_grid(plan: Plan, desk: Desk) -> None:
    """What a site sends to the key holder is the whole of a grid, no larger than its custodian's policy has them."""
    cells = Grid(plan).cells
    if cells > desk.policy.sdc_atoms:
        raise PolicyError(
            f"the grid has {cells:,} cells and this site's custodian allows {desk.policy.sdc_atoms:,} (sdc_atoms); "
            "use coarser bins or fewer columns"
        )


def _check_bounds(order: Order, plan: Plan, desk: Desk) -> None:
    """What exact totals take where a site has rules about rows: what tells values, or is of no rows, is refused."""
    if isinstance(order.protection, Total) and plan.query.derived:
        # a least of a column and a number is a clip by another name, and two questions are compared by their columns
        raise PolicyError(
            "exact totals are of the table's own columns; leave with_columns out, or ask under pets.DP(epsilon=…)"
        )
    if not (isinstance(order.protection, Total) and desk.rules.totals.about_rows):
        return
    if plan.group_cap is not None:  # what caps beside each other tell of people in few groups, no rule would see
        raise PolicyError(
            "exact totals take all groups that a person is in; leave groups out of bound(…), or ask under "
            "pets.DP(epsilon=…)"
        )
    if plan.group_rows is not None:  # nor of people with several rows in a group
        raise PolicyError(
            "exact totals take all of a person's rows in a group; leave rows_per_group out of bound(…), or ask under "
            "pets.DP(epsilon=…)"
        )
    if any(measure.kind == "tails" for measure in plan.measures):
        raise PolicyError("exact totals do not tell how many people have many rows; ask under pets.DP(epsilon=…)")
    if plan.kept_rows > 1 and any(measure.kind == "units" for measure in plan.measures):
        raise PolicyError(
            "exact totals count no people where a person may have several rows: this site's rules count rows; ask "
            "pets.count() with bound(rows=1), or ask under pets.DP(epsilon=…)"
        )
    if summed := chosen_by_value(plan, order.step):
        what, column = summed[0]
        raise PolicyError(
            f"exact totals sum no column over rows that are chosen or grouped by it; ask {what} without {column!r} in "
            "its conditions and groups, or ask under pets.DP(epsilon=…)"
        )
    for name, aggregate in plan.query.aggregates:
        if isinstance(aggregate, OfColumns):  # whose sums are over the rows with two values: no rule looks at those
            raise PolicyError(
                f"exact totals are of one column each; leave {name!r} out, or ask under pets.DP(epsilon=…)"
            )
        if not isinstance(aggregate, OfColumn):
            continue
        domain, clip = plan.fields[aggregate.column], aggregate.clip
        whole = clip is None
        if clip is not None and isinstance(domain, Numeric):
            top = domain.origin + domain.spacing * (domain.cells - 1)
            whole = clip[0] <= domain.origin and top <= clip[1]
        own = getattr(aggregate, "step", None) is not None
        if own or not whole:
            raise PolicyError(
                f"exact totals take a column's own bounds and step; leave {'step' if own else 'clip'} out of {name!r}, "
                "or ask under pets.DP(epsilon=…)"
            )


def _charge(order: Order, plan: Plan, roster: Roster, desk: Desk) -> tuple[Cost, PrivacyLoss | None]:
    """The cost, and what the noise means, by this site's own reckoning: nobody else's word is taken for it."""
    currency, protection = desk.budget.currency, order.protection
    if order.shares is None or not isinstance(protection, DP):
        return Cost(currency, 0), None
    spread = Spread(plan, roster.sites_per_person)
    loss = shares_loss(spread, order.shares, roster.honest, roster.currency, roster.delta, protection)
    if desk.data == "dummy":
        return Cost(currency, 0), loss
    if currency != roster.currency or desk.budget.conversion_delta < roster.delta:
        raise BudgetError("the roster states another delta or currency than this site's ledger has; exchange a new one")
    losses = share_losses(spread, order.shares, roster.honest)
    if protection.within is None and sum(losses) > target_units(protection, currency, roster.delta):
        raise BudgetError("the order's noise is less than its protection promises; it was refused")
    cost = loss.cost
    check_price(cost, desk.rules, desk.budget)
    return cost, loss


def check_price(cost: Cost, rules: SitePolicy, budget: Budget) -> None:
    """Refuse one query that costs more than a site's policy allows; raises :class:`BudgetError`."""
    most = rules.max_epsilon
    if most is not None and (asked := budget.describe(cost)[0]) > most * (1 + 1e-9):
        raise BudgetError(f"the query would cost this site ε = {asked:.4g}, and its policy allows {most:g} a query")
