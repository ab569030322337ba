"""Which rows of a person count: a rank for each row that depends on that person's own rows and nothing else.

``rank = row_number() over (person, ordered by H(key, person's exact id, all coded columns, occurrence number))``. The
key is independent of the data; it makes the choice unbiased. The bound holds for every fixed key, so a fast hash will
do, but three things must never enter the order: a row's position in the source, the dense person code (both shift
when somebody else is removed), and content without the person (everybody would keep the same value).

Where the schema names a column of arrival, its code comes before the hash: still of that person's own rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.errors import DataError, did_you_mean
from pets.rows.coding.cell import narrow, null_code
from pets.rows.coding.packing import packing
from pets.rows.coding.ranked_groups import ranked_group
from pets.rows.report import ColumnReport, Report
from pets.rows.roster import Roster, Run
from pets.rows.sources import Source
from pets.rows.staged.staging import Staged, one_line, stage
from pets.schema.dates import Calendar
from pets.schema.domain import Domain, Identifier
from pets.schema.schema import Schema, Table

SCRAPS = ("staged", "attached", "owners", "attributes", "people", "ranked", "tied", "ranked_again")
"""The temporary tables that :func:`prepare` leaves behind."""

NOTHING: Mapping[str, Domain] = {}

PERSON_TABLE_KEY = 0x6F4D1B92C3A85E70
"""The rank key of every person table, instead of a secret one: where somebody has two rows that disagree, the same row
must count in the table's own queries and in each table that its columns are attached to, whichever was made when. The
bound holds for every fixed key, and this one was chosen before any data."""


def person_seed(key: int, pid: str) -> str:
    """SQL of a person's own 64-bit seed, from the key and the exact id as text (whatever type the source has)."""
    return f"hash(hash(CAST({key} AS UBIGINT), CAST({pid} AS VARCHAR)))"


def row_hash(seed: str, columns: Sequence[str]) -> str:
    """SQL of a row's hash: the person's seed and every coded column.

    Twice, because DuckDB's ``hash`` does not mix its last argument: three rows that differ only there were kept
    25/50/25 % instead of evenly.
    """
    return f"hash(hash({', '.join([seed, *columns])}))"


def again(hashed: str, occurrence: str) -> str:
    """SQL of the hash of a row's second, third … identical copy, so that each copy has its own fair chance."""
    return f"CASE WHEN {occurrence} = 1 THEN {hashed} ELSE hash(hash({hashed}, {occurrence})) END"


def rank(
    run: Run,
    rows: str,
    columns: Sequence[str],
    max_rows: int,
    arrival: str | None = None,
    domains: Mapping[str, Domain] = NOTHING,
) -> str:
    """Rank every person's rows; gives SQL that selects person, the columns and ``n`` = the rank, up to ``max_rows``.

    ``rows`` is SQL of all rows, run once more where some are identical: ``person`` (their exact id, or a code for it),
    their ``seed``, and the columns. ``arrival`` is the column by which rows arrive. Columns whose ``domains`` are given
    are packed while rows are sorted.

    One window ordered by the row hash alone ranks everybody who has no two equal hashes. Equal hashes are identical
    rows (or, never yet seen, a collision): only people who have them are ranked again, with the occurrence number
    in the hash and every column as tie-break. Whether somebody is ranked again depends on their own rows alone. Of
    the rows beyond ``max_rows`` only those are held any longer that say who is ranked again.
    """
    listed, first = ", ".join(["person", *columns]), [] if arrival is None else [arrival]
    made = packing(columns, {name: domain for name, domain in domains.items() if name != arrival})
    light = ", ".join(["person", *made.packed])
    packed = ", ".join(["person", *(f"{sql} AS {name}" for name, sql in made.packed.items())])
    kept = ", ".join(["person", *(f"{sql} AS {name}" for name, sql in made.columns.items())])
    run(
        f"""CREATE TEMP TABLE ranked AS
        SELECT {light}, CAST(row_number() OVER own AS UINTEGER) AS n, row_number() OVER own <> rank() OVER own AS tied
        FROM (SELECT {packed}, {row_hash("seed", columns)} AS h FROM ({rows}))
        WINDOW own AS (PARTITION BY person ORDER BY {", ".join([*first, "h"])})
        QUALIFY n <= {max_rows} OR tied""",
        "ranking each person's rows",
    )
    if not run("SELECT count(*) FROM (FROM ranked WHERE tied LIMIT 1)", "finding identical rows").fetchall()[0][0]:
        return f"SELECT {kept}, n FROM ranked"
    run("CREATE TEMP TABLE tied AS SELECT DISTINCT person FROM ranked WHERE tied", "finding identical rows")
    order = ", ".join([*first, "h2", *columns, "occurrence"])
    run(
        f"""CREATE TEMP TABLE ranked_again AS
        SELECT {listed}, CAST(row_number() OVER (PARTITION BY person ORDER BY {order}) AS UINTEGER) AS n
        FROM (
            SELECT {listed}, occurrence, {again("h", "occurrence")} AS h2
            FROM (
                SELECT {listed}, row_number() OVER (PARTITION BY {listed}) AS occurrence,
                    {row_hash("seed", columns)} AS h
                FROM (FROM ({rows}) SEMI JOIN tied USING (person))
            )
        )
        QUALIFY n <= {max_rows}""",
        "ranking identical rows",
    )
    return f"SELECT {kept}, n FROM ranked ANTI JOIN tied USING (person) UNION ALL SELECT {listed}, n FROM ranked_again"


def of_people(relation: str, people: str, columns: Mapping[str, str]) -> str:
    """SQL of rows as :func:`rank` takes them, of people who have a code.

    ``people`` has one row per person: pid, person (their code) and seed. ``columns`` maps each column to the SQL that
    gives it, over ``s`` (the relation) and ``p`` (people).
    """
    values = ", ".join(["p.person", "p.seed", *(f"{sql} AS {name}" for name, sql in columns.items())])
    return f"SELECT {values} FROM {relation} s JOIN {people} p ON s.pid = p.pid"


@dataclass(frozen=True)
class Prepared:
    """Ranked rows, ready to be written.

    Attributes:
        rows: SQL of the kept rows: ``rank``, ``person`` and the coded columns, in the order of rank.
        report: all of the report but what only the written rows tell (``rows_kept``, ``kept_per_k``).
        arrived: the least and the greatest code of arrival of any valid row; ``None`` where the schema names no column
            of arrival, or there is no row.
    """

    rows: str
    report: Report
    arrived: tuple[int, int] | None = None


def prepare(
    run: Run,
    con: Any,
    schema: Schema,
    name: str,
    sources: Mapping[str, Source],
    key: int,
    scratch: Path,
    roster: Roster,
) -> Prepared:
    """Read, code, attach and rank one table of the schema on the private DuckDB connection.

    Whoever is new in it is added to the roster, whose codes its rows then have. Ranks go on from the rows that a grown
    roster has of each person.
    """
    table = schema.table(name)
    columns = physical(schema, name)
    check_given(schema, name, sources)
    data = stage(run, con, name, table, sources[name], scratch, columns, "staged")
    rank_type = narrow(table.unit.max_rows)
    disagreeing = 0
    if any(other.person_table == name for other in schema.tables.values()):
        key, disagreeing = PERSON_TABLE_KEY, _disagreeing(run, data)
    if table.unit.column is None:
        limit(name, table, data.rows_valid)
        kind = narrow(max(data.rows_valid - 1, 0))
        # row_number() needs no window over people here: each row is somebody of their own
        values = ", ".join(
            [f"CAST(1 AS {rank_type}) AS rank", f"CAST(row_number() OVER () - 1 AS {kind}) AS person"]
            + [f"{sql} AS {column}" for column, sql in data.settled("").items()]
        )
        rows = f"SELECT {values} FROM {data.relation}"
        return Prepared(rows, report_of(data, data.rows_valid, data.fates))
    fates, person = dict(data.fates), None
    if table.person_table is not None:
        person_table = schema.table(table.person_table)
        person = stage(
            run, con, table.person_table, person_table, sources[table.person_table], scratch, columns, "attached"
        )
        attributes(run, person)
        disagreeing = _disagreeing(run, person)
        fates |= person.fates
    more = ", coalesce(r.seen, 0) AS seen" if roster.grown else ""
    arrival, most, kept = None if table.unit.arrival is None else columns[table.unit.arrival], table.unit.max_rows, ""
    arrived = None if arrival is None else _arrived(run, data, arrival)
    domains = {place: schema.fields(name)[column] for column, place in columns.items()}
    if by_id := data.whole_ids and person is None:
        # whole numbers are ranked as they are, and then whoever has a first row gets a code: to find people before,
        # and to join their codes to every row, is dearer (but not of texts, which are dear to sort)
        kept = rank(run, _by_id(data, columns, key), list(columns.values()), most, arrival, domains)
    firsts = f"SELECT person AS pid FROM ({kept}) WHERE n = 1" if by_id else None
    ordered = enrol(run, data, person, columns, key, roster.code(data.rows_valid), roster.JOIN, more, firsts)
    *counted, people = one_line(run, "people", "true", ["count(*) FILTER (bare)"] if person is not None else [])
    unattached = counted[0] if counted else 0
    limit(name, table, people)
    roster.enter(run, "people")
    # (what may be added to has the type of all people that may ever come)
    kind = narrow(max(roster.codes - 1, 0) if table.unit.arrival is None else max(roster.codes, schema.people))
    if by_id:
        kept = f"SELECT p.person, k.* EXCLUDE (person) FROM ({kept}) k JOIN people p ON k.person = p.pid"
    else:
        kept = rank(run, of_people(data.relation, "people", ordered), list(ordered), most, arrival, domains)
    for read in ("staged", "attached", "attributes"):  # to store rows is to sort them, which takes memory
        run(f"DROP TABLE IF EXISTS {read}", "storing in the order of rank")
    if roster.grown:
        limit(name, table, roster.people)
        kept = (
            f"SELECT k.* REPLACE (k.n + p.seen AS n) FROM ({kept}) k JOIN people p USING (person) "
            f"WHERE k.n + p.seen <= {most}"
        )
    return Prepared(
        in_order(schema, name, columns, kept, {"person": kind}),
        report_of(data, people, fates, unattached, disagreeing),
        arrived,
    )


def _by_id(data: Staged, columns: Mapping[str, str], key: int) -> str:
    """SQL of rows as :func:`rank` takes them, of people who are told apart by the id itself."""
    final = data.settled("s.")
    values = ", ".join(f"{final[column]} AS {column}" for column in columns.values())
    return f"SELECT s.pid AS person, {person_seed(key, 's.pid')} AS seed, {values} FROM {data.relation} s"


def enrol(
    run: Run,
    data: Staged,
    person: Staged | None,
    columns: Mapping[str, str],
    key: int,
    code: str,
    join: str,
    more: str = "",
    ranked: str | None = None,
) -> dict[str, str]:
    """Table ``people``, one row for each person of a table; gives what :func:`of_people` takes: each column's SQL.

    Args:
        person: the person table, whose :func:`attributes` are then there.
        key: of the ranks.
        code: SQL of a person's code, over ``d`` (each ``pid`` once) and what ``join`` adds.
        more: SQL of further columns, each after a comma.
        ranked: SQL of each ``pid`` once, where rows are ranked already: then nobody needs a seed any longer.
    """
    final, seed = data.settled("s."), f", {person_seed(key, 'd.pid')} AS seed" if ranked is None else ""
    if person is not None:
        for field, column in person.names.items():
            more += f", coalesce(a.{column}, {null_code(person.domains[field])}) AS {column}"
            final[column] = f"p.{column}"
        more += ", a.pid IS NULL AS bare"
        join += " LEFT JOIN attributes a ON CAST(d.pid AS VARCHAR) = CAST(a.pid AS VARCHAR)"
    run(
        f"CREATE TEMP TABLE people AS SELECT {code} AS person, d.pid{seed}{more} "
        f"FROM ({ranked or f'SELECT DISTINCT pid FROM {data.relation}'}) d {join}",
        "finding people",
    )
    return {column: final[column] for column in columns.values()}


def in_order(schema: Schema, name: str, columns: Mapping[str, str], kept: str, kinds: Mapping[str, str]) -> str:
    """SQL of a snapshot's rows, in the order in which they are stored.

    Args:
        kept: what :func:`rank` gave.
        kinds: the type of people's codes (``person``), and of whatever else is not to be as narrow as it can.
    """
    rank_kind, ranks = kinds.get("rank", narrow(schema.table(name).unit.max_rows)), []
    for within, place in stored_ranks(schema, name).items():
        groups = [ranked_group(one, schema, name, columns) for one in within]
        own = f"PARTITION BY {', '.join(['person', *groups])} ORDER BY n"
        ranks.append(f"CAST(row_number() OVER ({own}) AS {rank_kind}) AS {place}")
    codes = [f"CAST({code} AS {kinds[code]}) AS {code}" if code in kinds else code for code in columns.values()]
    listed = [f"CAST(n AS {rank_kind}) AS rank", f"CAST(person AS {kinds['person']}) AS person", *codes, *ranks]
    return f"SELECT {', '.join(listed)} FROM ({kept}) ORDER BY {', '.join(['n', *_clustered(schema, name, columns)])}"


def check_given(schema: Schema, name: str, sources: Mapping[str, Source]) -> None:
    """Raise :class:`DataError` where a table, or the person table that is attached to it, has no source."""
    person = schema.table(name).person_table
    for needed in (name, *([person] if person is not None else [])):
        if needed not in sources:
            raise DataError(f"no data was given for table {needed!r}{did_you_mean(needed, sources)}")


def physical(schema: Schema, name: str) -> dict[str, str]:
    """Each queryable column of a table (own and attached, no identifiers) to its physical name c0, c1, …

    By name, not in the order of the schema: two schemas of one digest may list their columns in different orders, and
    a stored snapshot or a compiled query of the one must mean the same to the other.
    """
    queryable = [column for column, domain in schema.fields(name).items() if not isinstance(domain, Identifier)]
    return {column: f"c{index}" for index, column in enumerate(sorted(queryable))}


def _clustered(schema: Schema, name: str, columns: Mapping[str, str]) -> list[str]:
    """The column by whose times rows of one rank are stored together, so that a question about some of them reads few.

    That of arrival, else the first by name; who reads a snapshot rests on no order.
    """
    table = schema.table(name)
    times = sorted(column for column, domain in table.columns.items() if isinstance(domain, Calendar))
    first = [table.unit.arrival] if table.unit.arrival is not None else times[:1]
    return [columns[column] for column in first]


def stored_ranks(schema: Schema, name: str) -> dict[tuple[str, ...], str]:
    """Each set of columns and periods within which rows are ranked, to the physical name g0, g1, … of that rank.

    It is a rank over all kept rows, so that those of a rank of at most K are the first of each group for every K.
    """
    return {names: f"g{index}" for index, names in enumerate(schema.table(name).unit.rank_within)}


def _arrived(run: Run, data: Staged, arrival: str) -> tuple[int, int] | None:
    """The least and the greatest code by which rows arrive."""
    code = data.settled("")[arrival]
    ((first, last),) = run(f"SELECT min({code}), max({code}) FROM {data.relation}", "looking at arrivals").fetchall()
    return None if first is None else (int(first), int(last))


def disagreement(person: Staged) -> str | None:
    """SQL of how many people have rows in their person table that are not all the same; ``None`` where none can."""
    codes = ", ".join(f"{sql} AS {name}" for name, sql in person.settled("").items())
    if not codes:
        return None
    several = f"SELECT pid FROM (SELECT DISTINCT pid, {codes} FROM {person.relation}) GROUP BY pid HAVING count(*) > 1"
    return f"SELECT count(*) FROM ({several})"


def _disagreeing(run: Run, person: Staged) -> int:
    sql = disagreement(person)
    return 0 if sql is None else int(run(sql, "reading the person table").fetchall()[0][0])


def attributes(run: Run, person: Staged) -> None:
    """Table ``attributes``: the row of each person that counts in the person table's own queries, too.

    It is chosen by the same key, over the same columns in the same order (by name).
    """
    run(
        f"CREATE TEMP TABLE owners AS SELECT CAST(row_number() OVER () - 1 AS UBIGINT) AS person, pid, "
        f"{person_seed(PERSON_TABLE_KEY, 'pid')} AS seed FROM (SELECT DISTINCT pid FROM {person.relation})",
        "reading the person table",
    )
    codes = person.settled("s.")
    ordered = {person.names[column]: codes[person.names[column]] for column in sorted(person.names)}
    kept = rank(run, of_people(person.relation, "owners", ordered), list(ordered), 1)
    run(
        f"CREATE TEMP TABLE attributes AS SELECT pid, k.* EXCLUDE (person, n) "
        f"FROM ({kept}) k JOIN owners USING (person)",
        "reading the person table",
    )
    for scrap in ("ranked", "tied", "ranked_again", "owners"):
        run(f"DROP TABLE IF EXISTS {scrap}", "reading the person table")


def limit(name: str, table: Table, people: int) -> None:
    """Raise :class:`DataError` where a table has more people than its public bound."""
    if people > table.people:
        raise DataError(
            f"table {name!r} has more people than its schema's 'people' allows ({table.people}); raise 'people' to a "
            "public bound that the data cannot pass"
        )


def report_of(
    data: Staged, people: int, fates: dict[str, ColumnReport], unattached: int = 0, disagreeing: int = 0
) -> Report:
    """The fate of every row of a table, but for how many are kept."""
    return Report(
        rows_read=data.rows_read,
        rows_without_person=data.rows_without_person,
        rows_dropped=data.rows_dropped,
        people=people,
        rows_kept=0,
        kept_per_k=(),
        columns=fates,
        people_unattached=unattached,
        people_disagreeing=disagreeing,
    )
