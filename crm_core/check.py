"""Proves that the history adds up to the live tables, and names what does not.

For leads, opportunities, companies and contacts it holds that every row has exactly one current version,
equal to it in every column; that a record's versions count from one, each beginning where the one before
ended; that no version begins after the transaction that wrote it; that a record's day of creation never
changed, and a state that is known by its day begins on it; that a deal came into its stage, and was touched
last, when its versions say, without those that were undone; and that something is assumed only of the open
state that an import begins a closed deal with; that what was merged is deleted and leads, in a chain, to a
record that was not merged; and that nothing is dated in the future. So the state as of now is the live table,
and there is exactly one state as of any earlier instant. And that a search finds every record by what it is
called now.
"""

from concurrent.futures import Future
from contextlib import closing, suppress
from functools import reduce
from operator import add
from threading import Lock, Thread
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Over,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    exists,
    func,
    inspect,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from crm_core import compared_texts, damage, dated, engines, future, migrate, search
from crm_core.columns import SOURCE
from crm_core.database import (
    CLOCK_TOLERANCE,
    Database,
    WrongClock,
    allow_long_statements,
    clock_of,
    find_wrong_clock,
)
from crm_core.engines import embedded_version, is_safe_from_log_corruption
from crm_core.errors import DatabaseDamaged, DatabaseUnavailable, SearchIndexDamaged
from crm_core.migrate import SchemaState
from crm_core.models import (
    SEARCHED,
    VERSIONS,
    Base,
    Company,
    Contact,
    OpportunityVersion,
    Source,
    Transaction,
)
from crm_core.models.search import texts_in
from crm_core.patience import LONG

LISTED = 50
"""How many findings of one kind are named; the rest are counted."""

SEARCH_IS_SLOW = (
    "A search is slow, as this server has no pg_trgm. Let an administrator run CREATE EXTENSION pg_trgm in"
    " the database, then run `python -m crm_core check --repair`."
)

SEARCH_IS_DAMAGED = "The search index is damaged, which `python -m crm_core check --repair` mends."

UNFINISHED = "The database could not be looked through to its end."

DATED_ANEW = "Dated anew what lay in the future (instants: {count:,})."
COPY = " A copy of the database from before is {}."

ENTERED = ("stage_entered_at", "stage_entered_on")

_checks: dict[tuple[str, bool], Future[None]] = {}
_guard, _one_at_a_time = Lock(), Lock()

Wrong = Select[str, str]
"""Records that break a rule: which one it is, and what is wrong with it."""


def findings(database: Database) -> list[str]:
    """What does not hold, one sentence each; empty when everything does. Changes nothing."""
    try:
        with database.read() as session:
            complaints = _complaints(session)
            if damaged := _of_records(complaints):
                return damaged
            found = _instants_in_the_future(session)
            found += _listed(session, Transaction.__table__, _instants_out_of_order())
            for model, versions in VERSIONS.items():
                live = model.__table__
                found += _listed(session, live, _rows_without_current_version(live, versions))
                found += _listed(session, live, _rows_unlike_their_version(live, versions))
                found += _listed(session, versions, _versions_without_row(live, versions))
                found += _listed(session, versions, _versions_out_of_line(versions))
                found += _listed(session, versions, _versions_before_their_transaction(versions))
                found += _listed(session, versions, _creation_days_out_of_line(versions))
            found += _days_out_of_line(session)
            deals = OpportunityVersion.__table__
            found += _listed(session, deals, _stage_entries_out_of_line(), _assumptions_out_of_line())
            for model in (Company, Contact):
                found += _listed(session, model.__table__, _merged_out_of_line(model.__table__))
            for table in Base.metadata.sorted_tables:
                found += _listed(session, table, *_pointers_to_nothing(table))
            if complaints:  # of the search index alone, which is not read then
                return [*found, SEARCH_IS_DAMAGED]
            if found:
                return found
            # what follows from the records, once these are right
            return _compared_texts_out_of_line(session) or _search_out_of_line(session)
    except DBAPIError as error:
        return [f"The database can't be read to its end: {str(error.orig).splitlines()[0]}."]
    except DatabaseUnavailable as refusal:
        return [f"The database can't be read to its end: {refusal}"]


def begin(database: Database, *, whole: bool) -> Future[None]:
    """Look for damage in the background; once that is done, `database.damage` says what was found.

    The future raises `DatabaseUnavailable` where it could not be looked through to its end.

    On SQLite the whole check compares the indexes, too, and takes several times as long. A server looks after
    its pages when it reads them, so the whole check reads every row. Who asks while a check goes on gets that
    one, and never do two go on at the same time.
    """
    asked = engines.plain(database.url), whole
    with _guard:
        check = _checks.get(asked)
        if check is None or check.done():
            check = _checks[asked] = Future()
            Thread(target=_look, args=(database, whole, check), name="check", daemon=True).start()
    return check


def _look(database: Database, whole: bool, check: Future[None]) -> None:
    try:
        url = database.url.render_as_string(hide_password=False)
        own = Database(url, pool_size=1, grace=LONG)  # used connections hold pages in memory, as they were
        with _one_at_a_time, closing(own):
            _look_through(own, whole)
    except DatabaseDamaged:
        check.set_result(None)  # it was noted where it was met
    except DatabaseUnavailable as refusal:
        check.set_exception(refusal)
    except DBAPIError:
        check.set_exception(DatabaseUnavailable(UNFINISHED))
    except BaseException as error:
        check.set_exception(error)
        raise
    else:
        check.set_result(None)


def _look_through(database: Database, whole: bool) -> None:
    if migrate.state(database) is SchemaState.EMPTY:
        return
    with database.read() as session:
        found = _damage(session, whole=whole)
        if whole and database.kind == "postgresql":
            _read_every_row(session)
    name = engines.plain(database.url)
    if found:
        damage.note(name, database.url.database, found[0])
    elif whole:
        damage.forget(name)


def _read_every_row(session: Session) -> None:
    """Every value of it, wherever the server stores long ones."""
    for name in inspect(session.connection()).get_table_names():
        row = literal_column("whole").cast(String)
        session.scalar(select(func.count(row)).select_from(table(name).alias("whole")))


def repair(database: Database) -> list[str]:
    """Date anew what lies in the future, and make anew what only follows from the records: what texts are
    compared by, the index that a search looks into, and the instants of states that are known by their day.

    Returns what was done that cannot be done again, one sentence each. Raises `future.ClockIsBehind`.
    """
    done = []
    with database.write(note="Repaired instants") as session:
        allow_long_statements(session)
        if _instants_in_the_future(session):
            future.require_right_clock(session)
            copy = database.back_up("before-dating-anew") if database.kind == "sqlite" else None
            done.append(DATED_ANEW.format(count=future.redate(session)) + (COPY.format(copy) if copy else ""))
        dated.follow_time_zone(session)
    try:
        with database.migration() as connection:
            compared_texts.refill(connection)
            search.rebuild(connection)
    except DBAPIError as error:
        if database.kind == "sqlite":
            raise
        raise DatabaseUnavailable(SEARCH_IS_SLOW) from error
    return done


def wrong_clock(database: Database) -> WrongClock | None:
    """Whether changes are dated far ahead of the clock, which a repair would date anew."""
    with database.read() as session:
        return find_wrong_clock(session)


def advice(database: Database) -> list[str]:
    """What is right but could be better."""
    with database.read() as session:
        return [] if search.is_complete(session) else [SEARCH_IS_SLOW]


def verdict(findings: list[str]) -> str:
    """The result in one sentence."""
    if not findings:
        return "The history adds up: as of now it equals the live tables."
    return "The history does not add up. Restore a backup, or repair what is listed above."


def engine(database: Database) -> str:
    """Which database program runs, and a warning where it is known to damage files; that is no finding."""
    if database.kind == "sqlite":
        return about_sqlite(embedded_version())
    with database.read() as session:
        return f"Runs on PostgreSQL {session.scalar(text('SHOW server_version'))}."


def about_sqlite(version: tuple[int, ...]) -> str:
    """One sentence about that version of SQLite."""
    name = f"SQLite {'.'.join(map(str, version))}"
    if is_safe_from_log_corruption(version):
        return f"Runs on {name}."
    return (
        f"Warning: runs on {name}, which in very rare cases damages a database under load."
        " Install pysqlite3, or SQLite 3.51.3 or newer."
    )


def _listed(session: Session, table: Table, *kinds: Wrong) -> list[str]:
    """A sentence for each record that is wrong, up to a limit."""
    found = []
    for wrong in kinds:
        rows = session.execute(wrong.add_columns(func.count().over()).limit(LISTED)).all()
        found += [f"{table.name} {record}: {problem}." for record, problem, _ in rows]
        if rows and (more := rows[0][2] - LISTED) > 0:
            found.append(f"{table.name}: and {more:,} more like the last one.")
    return found


def _damage(session: Session, *, whole: bool = True) -> list[str]:
    """What SQLite itself finds wrong with the records in its file; a server looks after its own."""
    return _of_records(_complaints(session, whole=whole))


def _of_records(complaints: list[str]) -> list[str]:
    """Those that are not about the search index alone, which follows from the records."""
    return [
        f"The database file is damaged: {complaint}."
        for complaint in complaints
        if not damage.is_about_search(complaint)
    ]


def _complaints(session: Session, *, whole: bool = True) -> list[str]:
    """What SQLite's own check says.

    SQLite checks a search index against what this connection last knew of it, so after somebody else's change
    it would report damage where there is none; a search brings the connection up to date.
    """
    if session.get_bind().dialect.name != "sqlite":
        return []
    for index in SEARCHED.values():
        with suppress(DBAPIError, SearchIndexDamaged):  # where it is damaged, the check says so
            session.execute(select(index.c.rowid).where(literal_column(index.name).match('"any"'))).first()
    said = session.scalars(text(f"PRAGMA {'integrity' if whole else 'quick'}_check({LISTED})"))
    return [complaint for complaint in said if complaint != "ok"]


def _instants_in_the_future(session: Session) -> list[str]:
    """What a wrong clock has dated; a few minutes may be two clocks that differ."""
    limit = clock_of(session) + CLOCK_TOLERANCE
    return [
        f"{table.name}: {rows:,} rows are dated in the future, which"
        " `python -m crm_core check --repair` mends."
        for table in future.INSTANTS
        if (rows := session.scalar(select(func.count()).where(future.lies_in_the_future(table, limit))))
    ]


def _instants_out_of_order() -> Wrong:
    before = func.lag(Transaction.at).over(order_by=Transaction.id).label("before")
    each = select(Transaction.id, Transaction.at, before).subquery()
    problem = literal("it is not later than the transaction before it")
    return select(_name(each), problem).where(each.c.at <= each.c.before)


def _rows_without_current_version(live: Table, versions: Table) -> Wrong:
    current = exists().where(versions.c.id == live.c.id, versions.c.valid_to.is_(None))
    return select(_name(live), literal("it has no current version")).where(~current)


def _rows_unlike_their_version(live: Table, versions: Table) -> Wrong:
    others = [column for column in live.columns if column.name != "id"]
    differing = [column.is_distinct_from(versions.c[column.name]) for column in others]
    names = [
        case((differs, f", {column.name}"), else_="")
        for column, differs in zip(others, differing, strict=True)
    ]
    problem = literal("its current version differs in ") + func.substr(reduce(add, names), 3)
    return (
        select(_name(live), problem)
        .join(versions, and_(versions.c.id == live.c.id, versions.c.valid_to.is_(None)))
        .where(or_(*differing))
    )


def _versions_without_row(live: Table, versions: Table) -> Wrong:
    orphan = ~exists().where(live.c.id == versions.c.id)
    return select(_name(versions), literal("there is no such record")).where(orphan)


def _versions_out_of_line(versions: Table) -> Wrong:
    """Versions that don't carry on where the one before them ended."""
    record, start = versions.c.id, versions.c.valid_from
    each = select(
        *(versions.c[name] for name in ("id", "version", "updated_at", "valid_from")),
        func.row_number().over(partition_by=record, order_by=start).label("position"),
        _before(versions, "valid_to").label("end_before"),
    ).subquery()
    problem = case(
        (each.c.version != each.c.position, literal("in line it is number ") + cast(each.c.position, String)),
        (and_(each.c.position > 1, each.c.end_before.is_(None)), literal("the one before it never ended")),
        (each.c.end_before > each.c.valid_from, literal("it overlaps the one before it")),
        (each.c.end_before < each.c.valid_from, literal("there is a gap before it")),
        (each.c.updated_at != each.c.valid_from, literal("it does not begin when its record was changed")),
    )
    return select(_name(each), problem).where(problem.is_not(None))


def _versions_before_their_transaction(versions: Table) -> Wrong:
    problem = literal("it begins after the transaction that wrote it")
    written_by = Transaction.id == versions.c.transaction_id
    return (
        select(_name(versions), problem)
        .join(Transaction, written_by)
        .where(versions.c.valid_from > Transaction.at)
    )


def _creation_days_out_of_line(versions: Table) -> Wrong:
    """A record was created on one day, whichever of its states is asked."""
    before = _before(versions, "created_on").label("day_before")
    names = ("id", "version", "valid_from", "created_on", "valid_from_on")
    each = select(*(versions.c[name] for name in names), before).subquery()
    first = func.coalesce(each.c.valid_from_on, each.c.created_on)
    right = func.coalesce(each.c.day_before, first)
    problem = literal("its created_on is not the day on which it was created")
    return select(_name(each), problem).where(
        or_(each.c.created_on.is_(None), each.c.created_on.is_distinct_from(right))
    )


def _days_out_of_line(session: Session) -> list[str]:
    """States that are known by their day, but do not begin where that lets them in the time zone."""
    problem = "it does not begin on the day that it is known by, which `check --repair` mends"
    wrong = [
        f"{versions.name} {state['id']} version {state['version']}: {problem}."
        for versions, state in dated.misplaced(session)
    ]
    more = [f"and {len(wrong) - LISTED:,} more like the last one."] if len(wrong) > LISTED else []
    return wrong[:LISTED] + more


def _stage_entries_out_of_line() -> Wrong:
    """A deal enters a stage with the first of the consecutive versions that are in it; each one touches it.

    The day of a close is the closing day. An undo gives back what there was before the action that it undoes.
    """
    versions = OpportunityVersion.__table__
    names = ("id", "version", "stage", *ENTERED, "touched_at", "actual_close_date", "valid_from")
    before = [_before(versions, name).label(f"{name}_before") for name in ("stage", *ENTERED, "touched_at")]
    undoes = Transaction.undoes_id.label("undoes_id")
    each = (
        select(*(versions.c[name] for name in names), *before, undoes)
        .join(Transaction, Transaction.id == versions.c.transaction_id)
        .subquery()
        .c
    )
    is_undo, stays = each.undoes_id.is_not(None), each.stage == each.stage_before
    entered_at = case(
        (is_undo, func.coalesce(_given_back(each, "stage_entered_at"), each.stage_entered_at_before)),
        (stays, each.stage_entered_at_before),
        else_=each.valid_from,
    )
    entered_on = case(
        (each.actual_close_date.is_not(None), each.actual_close_date),
        (is_undo, func.coalesce(_given_back(each, "stage_entered_on"), each.stage_entered_on_before)),
        (stays, each.stage_entered_on_before),
        else_=each.stage_entered_on,
    )
    touched_at = case(
        (is_undo, func.coalesce(_given_back(each, "touched_at"), each.touched_at_before)),
        else_=each.valid_from,
    )
    problem = case(
        (
            each.stage_entered_at.is_distinct_from(entered_at),
            literal("its stage_entered_at is not when it came into its stage"),
        ),
        (
            or_(each.stage_entered_on.is_(None), each.stage_entered_on.is_distinct_from(entered_on)),
            literal("its stage_entered_on is not the day on which it came into its stage"),
        ),
        (each.touched_at.is_distinct_from(touched_at), literal("its touched_at is not its last change")),
    )
    return select(_name(each.id.table), problem).where(problem.is_not(None))


def _given_back(each: Any, name: str) -> ColumnElement[Any]:
    """SQL: the column before the action that a version's transaction undoes; null where that created it."""
    undone, state = OpportunityVersion.__table__.alias("undone"), OpportunityVersion.__table__.alias("state")
    first = (
        select(func.min(undone.c.version))
        .where(undone.c.id == each.id, undone.c.transaction_id == each.undoes_id)
        .correlate(each.id.table)
        .scalar_subquery()
    )
    before_it = state.c.id == each.id, state.c.version == first - 1
    return select(state.c[name]).where(*before_it).correlate(each.id.table).scalar_subquery()


def _assumptions_out_of_line() -> Wrong:
    """Only an import assumes something, of the first state of a deal that is closed next."""
    versions = OpportunityVersion.__table__
    next_closed_at = func.lead(versions.c.closed_at).over(
        partition_by=versions.c.id, order_by=versions.c.valid_from
    )
    each = (
        select(
            *(versions.c[name] for name in ("id", "version", "valid_from", "closed_at", "assumed")),
            Transaction.source,
            next_closed_at.label("next_closed_at"),
        )
        .outerjoin(Transaction, Transaction.id == versions.c.transaction_id)
        .subquery()
    )
    is_right = and_(
        each.c.version == 1,
        each.c.closed_at.is_(None),
        each.c.next_closed_at.is_not(None),
        each.c.source == Source.IMPORT,
    )
    problem = literal("only the open state that an import begins a closed deal with can be assumed")
    return select(_name(each), problem).where(each.c.assumed.is_not(None), ~is_right)


def _merged_out_of_line(live: Table) -> Wrong:
    """Merged records that are there, and those from which no chain leads to a record that was not merged."""
    target = live.alias("target")
    found = (
        select(live.c.id)
        .join(target, target.c.id == live.c.merged_into_id)
        .where(target.c.merged_into_id.is_(None))
        .cte("found", recursive=True)
    )
    further = live.alias("further")
    found = found.union(select(further.c.id).where(further.c.merged_into_id == found.c.id))
    problem = case(
        (live.c.deleted_at.is_(None), literal("it was merged, but is not deleted")),
        (live.c.id.not_in(select(found.c.id)), literal("no record stands for it, though it was merged")),
    )
    return select(_name(live), problem).where(live.c.merged_into_id.is_not(None), problem.is_not(None))


def _before(versions: Table, name: str) -> Over[Any]:
    """The column in the record's version before."""
    return func.lag(versions.c[name]).over(partition_by=versions.c.id, order_by=versions.c.valid_from)


def _compared_texts_out_of_line(session: Session) -> list[str]:
    """Columns that do not follow from the texts that they are compared by."""
    return [
        f"{column.table.name}: {column.name} does not follow from {column.info[SOURCE]} everywhere, which"
        " `python -m crm_core check --repair` mends."
        for column in compared_texts.wrong(session.connection())
    ]


def _search_out_of_line(session: Session) -> list[str]:
    """Records that a search on SQLite does not know by their texts, and texts of no record."""
    found = []
    for model, index in SEARCHED.items() if search.is_embedded(session) else ():
        live = model.__table__
        unlike = [index.c[name].is_distinct_from(live.c[name]) for name in texts_in(index)]
        problem = literal("a search does not find it, which `python -m crm_core check --repair` mends")
        unknown = (
            select(_name(live), problem).outerjoin(index, index.c.rowid == live.c.id).where(or_(*unlike))
        )
        known = exists().where(live.c.id == index.c.rowid)
        too_many = select(cast(index.c.rowid, String), literal("a search knows it, but there is none")).where(
            ~known
        )
        found += _listed(session, live, unknown, too_many)
    return found


def _pointers_to_nothing(table: Table) -> list[Wrong]:
    """One query for each foreign key: the rows whose key is set, but leads nowhere."""
    kinds = []
    for pointer in sorted(table.foreign_keys, key=lambda pointer: pointer.parent.name):
        target = pointer.column.table.alias("target")
        nowhere = ~exists().where(target.c[pointer.column.name] == pointer.parent)
        problem = literal(f"its {pointer.parent.name} leads to no row of {pointer.column.table.name}")
        kinds.append(select(_name(table), problem).where(pointer.parent.is_not(None), nowhere))
    return kinds


def _name(rows: FromClause) -> ColumnElement[str]:
    """Names a version by its record and its number, any other row by its key."""
    if "valid_from" in rows.c:
        return cast(rows.c.id, String) + literal(" version ") + cast(rows.c.version, String)
    key = [cast(column, String) for column in rows.primary_key]
    return reduce(lambda first, second: first + literal("/") + second, key)
