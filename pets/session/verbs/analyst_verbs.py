"""Analyst verbs: what whoever asks can do, the same where the answers come from this process and from a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, overload

from pets.common import html_table
from pets.common.arguments import plain_arguments
from pets.common.literals import printable
from pets.dp.key_threshold import KeyNoise
from pets.errors import UserError, shown
from pets.protection.protection import DP, Protection
from pets.protection.sdc import SDC
from pets.query_model.expression import Filter
from pets.query_model.query import Query, queries
from pets.release.bounding.rows_lost import RowsLost
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.release import Release
from pets.release.rounded.rounded_table import RoundedTable
from pets.release.text import DUMMY
from pets.session.quoting.quote import Quote, Remaining
from pets.session.verbs.asker import check_request
from pets.session.verbs.bounding_verbs import BoundingVerbs
from pets.session.verbs.fitting import FittingVerbs
from pets.session.verbs.selection import SelectionVerbs
from pets.session.verbs.whose import SessionNames

if TYPE_CHECKING:
    import pandas as pd

    from pets.session.explain import Explanation
    from pets.session.synthesis.quote import SynthesisQuote
    from pets.synthetic.synthetic_release import SyntheticRelease


class AnalystVerbs(BoundingVerbs, FittingVerbs, SelectionVerbs, SessionNames):
    """Every verb of an analyst, with its words and the checks of its arguments.

    :class:`pets.session.verbs.analyst_session.AnalystSession` answers from a custody in this process,
    :class:`pets.service.client.connection.Connection` from a service.
    """

    def close(self) -> None:
        """Let go of what this opened: a session of its ledger and its rows, a connection of the network.

        What was asked stays as it is; nothing more can be asked of it (:class:`~pets.errors.UserError`). A ``with``
        block closes it at its end. What others opened stays open: a ledger that was given, and what a custodian's
        sessions share. Closing it again does nothing.
        """
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        if self.closed:
            return html_table.block(html_table.sentence(repr(self)))
        kind = self._kind
        try:
            left = str(self.remaining())
        except UserError as error:  # showing a session must not fail where its account cannot be read
            left = f"not shown: {error}"
        facts = [
            ("Data", f"{kind}, behind the schema; nothing here shows a row"),
            ("Tables", html_table.few(self.tables) or "none: this session quotes and makes dummies"),
            ("For", f"{self.analyst}, project {self.project}"),
            *([] if kind == "dummy" else [("Budget", left)]),
        ]
        alarm = [html_table.sentence(DUMMY, alarm=True)] if kind == "dummy" else []
        return html_table.block(*alarm, html_table.table(f"Session on {self.schema.dataset}", (), facts))

    # data -------------------------------------------------------------------------------------------------------

    @plain_arguments(UserError, "dummy", "write dummy(rows=1000, seed=0)")
    def dummy(self, rows: int = 1000, seed: int = 0, *, query: Query | None = None) -> AnalystVerbs:
        """A session on invented rows of the same schema. It costs nothing, and there ``pets.Exact()`` is allowed.

        Rows are made to meet the conditions of a query that hardly any other would meet (of a question about people, in
        every table that it reads); with ``query=``, all queries of the session are answered on rows made for that one.
        """
        raise NotImplementedError

    def synthesise(self, rows: int | None = None, method: str = "dp", **settings: Any) -> SyntheticRelease:
        """A whole synthetic table: invented records with the statistics of the real ones.

        ``method="dp"`` needs ``epsilon=`` and carries its guarantee: noisy marginals are measured and charged like any
        release, and rows are drawn from a model of them. Other methods have no guarantee and are refused unless the
        custodian's policy allows them. :func:`pets.session.synthesis.synthesise.synthesise` lists the settings.
        ``rows`` left out: the noisy number of rows.

        Raises:
            UserError: before any row is read; nothing is spent.
            ReleaseFailedError: after the data was opened; what was charged stands.
        """
        raise NotImplementedError

    def quote_synthesis(self, rows: int | None = None, method: str = "dp", **settings: Any) -> SynthesisQuote:
        """The price of :meth:`synthesise` and the error by column that noise alone will make; never reads rows.

        The arguments are those of ``synthesise(method="dp")``. The error is the expected total variation distance, at
        500, 1,000, 10,000 and 100,000 rows of the real table; how many it has, a quote does not tell.

        Raises:
            UserError: as ``synthesise``, but for a budget that is too small or a table too noisy, which it shows.
        """
        from pets.session.synthesis.quote import quoted

        return quoted(self.schema, self.budget, self._left(), rows, method, settings)

    # asking -----------------------------------------------------------------------------------------------------

    @plain_arguments(UserError, "sql", "write sql('SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex')")
    def sql(self, text: str) -> Query:
        """The query that a SELECT asks, the same as the fluent form builds; see :func:`pets.sql`. It reads no rows.

        Quote it, explain it, release it like any other: ``session.release(session.sql(text), pets.DP(epsilon=0.5))``.
        """
        from pets.query_model.sql.reading import sql

        return sql(text, self.schema)

    @plain_arguments(UserError, "explain", "write explain(query, pets.DP(epsilon=1))")
    def explain(self, query: Query, protection: DP | None = None) -> Explanation:
        """A question in plain words: who is protected, what is clamped, what is measured; see :func:`pets.explain`."""
        from pets.session.explain import explain

        return explain(query, self.schema, protection)

    @plain_arguments(UserError, "quote", "write quote(query, pets.DP(epsilon=1))")
    def quote(
        self, query: Query | Sequence[Query], protection: Protection, *, rows_lost: RowsLost | None = None
    ) -> Quote:
        """Cost and expected error of a release, before spending; never reads rows.

        It says what share of rows each K counts where that was released: ``rows_lost``, or what this session released.
        """
        known = self._still_lost() | ({} if rows_lost is None else {rows_lost.table_name: rows_lost})
        return self._quoted(queries(query), protection, known)

    @overload
    def release(  # type: ignore[overload-overlap]
        self, query: Query, protection: SDC, *, again: bool = False, key: str | None = None
    ) -> RoundedTable: ...

    @overload
    def release(  # type: ignore[overload-overlap]
        self, query: Sequence[Query], protection: SDC, *, again: bool = False, key: str | None = None
    ) -> list[RoundedTable]: ...

    @overload
    def release(
        self, query: Query, protection: Protection, *, again: bool = False, key: str | None = None
    ) -> Release: ...

    @overload
    def release(
        self, query: Sequence[Query], protection: Protection, *, again: bool = False, key: str | None = None
    ) -> list[Release]: ...

    @plain_arguments(UserError, "release", "write release(query, pets.DP(epsilon=1))")
    def release(
        self, query: Query | Sequence[Query], protection: Protection, *, again: bool = False, key: str | None = None
    ) -> Release | RoundedTable | list[Release] | list[RoundedTable]:
        """The protected answer to one query, or to several that are all paid for or none.

        The same question about the same snapshot under the same protection gives the identical release at no cost;
        ``again=True`` draws fresh noise and charges anew. ``key`` names one request: asked again under the same key
        (after a lost connection, say) it is the same request, charged once. After :meth:`rows_lost`, answers are shown
        with the share of rows that their K counts. Under ``pets.SDC(…)`` it is a rounded table: sums of the shown cells
        of the dataset's grid, which reads no row and costs nothing.

        Raises:
            QueryError, BudgetError, PolicyError: before any row is read; nothing is spent.
            LedgerError: the ledger cannot be written, or the key stands for another request.
            ReleaseFailedError: after the data was opened; the charge stands.
        """
        check_request(again, key)
        asked = queries(query)
        if isinstance(protection, SDC):
            tables = self._rounded(asked, protection, again=again, key=key)
            return tables[0] if isinstance(query, Query) else tables
        answers = self._as_asked(asked, self._sealed(asked, protection, again=again, key=key))
        return answers[0] if isinstance(query, Query) else answers

    def _as_asked(self, asked: Sequence[Query], sealed: Sequence[Release]) -> list[Release]:
        """Answers as their questions show them, beside what is known of the rows that they are made of."""
        shown = (answer.shown_as(one.display) for one, answer in zip(asked, sealed, strict=True))
        return [self._beside(answer) for answer in shown]

    @plain_arguments(
        UserError, "group_keys", "write group_keys('stays', by=['diagnosis'], protection=pets.DP(epsilon=1))"
    )
    def group_keys(
        self,
        table: str,
        *,
        by: Sequence[str],
        protection: Protection,
        where: Filter | None = None,
        groups: int | None = None,
        delta: float | None = None,
        again: bool = False,
        key: str | None = None,
    ) -> ReleasedKeys:
        """The keys of columns that nobody listed, as far as enough people have them: a key set to group by.

        A key shows where its count of people, with noise on it, reaches a threshold; :meth:`quote_keys` tells it. A key
        that one person alone has shows with a chance of at most δ. It is charged ρ and δ once: the same question about
        the same snapshot gives the same keys at no cost, and grouping by them is an ordinary question.

        Args:
            table, by: the columns of a key; at least one is usually of type ``text``.
            protection: ``pets.DP(epsilon=…)`` or ``pets.DP(rho=…)``.
            where: only rows that meet it.
            groups: keys that one person is counted in at most (5 unless it is said); fewer give a lower threshold.
            delta: of the threshold; left out, a hundredth of the budget's ``threshold_delta``. Written out, the same
                number is another question, and charged: a signed change of the budget tells the two apart.
            again: whether an equal question is to be answered, and charged, anew.
            key: names this request, as for :meth:`release`.

        Raises:
            QueryError, BudgetError, PolicyError: before any row is read; nothing is spent. A ledger without a delta
                can pay for no keys.
            ReleaseFailedError: after the data was opened; the charge stands.
        """
        check_request(again, key)
        asked = {"table": table, "by": by, "protection": protection, "where": where, "groups": groups, "delta": delta}
        return self._group_keys(asked, again=again, key=key)

    @plain_arguments(UserError, "quote_keys")
    def quote_keys(
        self,
        table: str,
        *,
        by: Sequence[str],
        protection: Protection,
        where: Filter | None = None,
        groups: int | None = None,
        delta: float | None = None,
    ) -> KeyNoise:
        """The price of :meth:`group_keys`, the scale of its noise and its threshold, before spending."""
        asked = {"table": table, "by": by, "protection": protection, "where": where, "groups": groups, "delta": delta}
        return self._key_terms(asked)[1]

    # account ----------------------------------------------------------------------------------------------------

    def remaining(self) -> Remaining:
        """What is left of the budget, in ε and δ and in "about N more queries like the last one"."""
        raise NotImplementedError

    @plain_arguments(UserError, "history", "write history(last=20)")
    def history(self, *, analyst: str | None = None, last: int | None = None) -> pd.DataFrame:
        """Every request of this project, oldest first: when, who, what, what it cost and what became of it.

        A state ``delivered`` is an answer at no cost, since somebody else had paid for it; whose that was, and under
        which id, is not shown. ``held`` waits for a second person, and ``refused`` was not approved, for the ``reason``
        of that code; each costs what was charged, which is nothing before its answer is made.

        Args:
            analyst: whose; left out, anybody's in the project.
            last: the newest so many; left out, all.
        """
        return self._requests(self.project, analyst, last, strangers=False)

    def _entries(self, project: str | None, analyst: str | None, last: int | None, *, strangers: bool) -> pd.DataFrame:
        raise NotImplementedError

    def _requests(self, project: str | None, analyst: str | None, last: int | None, *, strangers: bool) -> pd.DataFrame:
        for label, value in (("project", project), ("analyst", analyst)):
            if value is not None:
                printable(label, value)
        if last is not None and (isinstance(last, bool) or not isinstance(last, int) or not 0 < last < 2**31):
            raise UserError(f"last must be a whole number above 0, not {shown(last)}")
        return self._entries(project, analyst, last, strangers=strangers)
