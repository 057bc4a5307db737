"""Keeps every state a record was in, and reads them back as of any instant.

Versions are written in one place, just before a transaction commits, by copying the rows it touched; so
nothing that goes through a session can forget them. Statements that would change records behind the
session's back are refused; `insert_with_past` is the one way to bring many in at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Insert,
    Table,
    TextClause,
    Update,
    bindparam,
    event,
    exists,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, aliased

from crm_core import compared_texts, search
from crm_core.bulk import insert_rows
from crm_core.columns import Compared, UtcDateTime
from crm_core.errors import TransactionMisuse
from crm_core.models import (
    VERSIONS,
    ApiToken,
    IdempotencyKey,
    Lead,
    Note,
    Opportunity,
    Preference,
    Reach,
    Record,
    SavedView,
    Settings,
    Source,
    Transaction,
    valid_until,
)
from crm_core.periods import Calendar

R = TypeVar("R", bound=Record)

IDS_PER_STATEMENT = 500
THEN = "_then"
PAST_IS_SEEN_TO = {"past": "is seen to"}
"""Execution options of a statement that leaves no trace, but whose caller sees to the past."""

AS_OF = "as_of"
_LOG = Transaction.__table__.c
NEWEST = select(_LOG.id, _LOG.at).order_by(_LOG.at.desc(), _LOG.id.desc()).limit(1)

ASIDE = {model.__table__ for model in (ApiToken, IdempotencyKey, Note, Preference, SavedView, Transaction)}
"""Tables that no figure of closed deals looks at, nor one of what was."""

KEPT = {table.name for model, versions in VERSIONS.items() for table in (model.__table__, versions)}


class HistoryBypassed(TransactionMisuse):
    """A change that would leave no trace."""


def as_of(model: type[R], at: datetime | None) -> type[R]:
    """The model as it was at that instant, to be queried like the model itself; None is the live table.

    Select its columns, not the whole record: a session knows only one state of a record.
    A version is valid when `valid_from <= at` and (`valid_to` is null or `at < valid_to`).
    """
    if at is None:
        return model
    versions = VERSIONS[model]
    valid = select(*(versions.c[column.name] for column in model.__table__.columns)).where(
        versions.c.valid_from <= instant_asked(at), valid_until(versions) > instant_asked(at)
    )
    return cast(
        "type[R]", aliased(model, valid.subquery(f"{model.__tablename__}{THEN}"), adapt_on_names=True)
    )


def instant_asked(at: datetime) -> BindParameter[datetime]:
    """SQL: the instant as of which a statement asks; `revisions` knows it by its name."""
    return bindparam(AS_OF, at, UtcDateTime(), unique=True)


def counts(states: FromClause, at: datetime | None) -> ColumnElement[bool]:
    """SQL: the action that led to the state was not undone by then; None is now.

    The state that an undo leads to takes over what the undone one had changed.
    """
    undone = select(_LOG.undoes_id).where(_LOG.undoes_id.is_not(None))
    by_then = undone if at is None else undone.where(_LOG.at <= instant_asked(at))
    return states.c.transaction_id.not_in(by_then)


def refuse_whole_records_of_the_past(state: ORMExecuteState) -> None:
    """A session holds one state of a record: asked for a past one, it would hand out the one it has."""
    for chosen in getattr(state.statement, "_raw_columns", ()):
        if isinstance(chosen, FromClause) and str(getattr(chosen, "name", "")).endswith(THEN):
            raise HistoryBypassed("Select the columns of a past state, not the whole record.")


def keep(session: Session, *, actor_id: int | None, source: Source, note: str | None) -> None:
    """From now on the session keeps the past of what it changes, as one transaction by that actor."""
    transaction = Transaction(actor_id=actor_id, source=source, note=note, reach=Reach.OPEN)
    session.info["log"] = _Log(session, transaction)


def listen_to(writing: type[Session]) -> None:
    """Follow what sessions of this class do; each of them has to `keep` the past."""
    event.listen(writing, "before_flush", lambda session, *_more: _log_of(session).stamp())
    event.listen(writing, "after_flush", search.learn_flushed)
    event.listen(writing, "do_orm_execute", _refuse_what_leaves_no_trace)
    event.listen(writing, "before_commit", lambda session: _log_of(session).write_versions())
    event.listen(writing, "after_transaction_create", _refuse_savepoint)


def revision(session: Session) -> str:
    """Names the state of the data: it changes with every transaction, whoever made it."""
    return " ".join(map(str, newest(session) or ("nothing yet",)))


def newest(session: Session) -> tuple[int, datetime] | None:
    """The last transaction's id and instant; the later one is always the one with the later instant, too."""
    if "newest" not in session.info:
        found = session.execute(NEWEST).first()
        if not is_snapshot(session):
            return found and (found.id, found.at)
        session.info["newest"] = found and (found.id, found.at)
    known: tuple[int, datetime] | None = session.info["newest"]
    return known


def is_snapshot(session: Session) -> bool:
    """Whether the session only reads: what it was told once stays so."""
    return "log" not in session.info


def transaction_of(session: Session) -> Transaction:
    """The session's own transaction, logged at the latest when this is called."""
    return _log_of(session).enter()


def log_as(session: Session, transaction_id: int) -> None:
    """Log the session's own transaction under that id: those before it belong to what it says of the past."""
    log = _log_of(session)
    log.begin()
    log.transaction.id = transaction_id
    session.flush()


def undo(session: Session, action: Transaction) -> Transaction:
    """The session's own transaction, which takes back that action: nothing follows from its changes.

    What followed from those that it takes back is given back as well, see `services.undo_service`.
    """
    log = _log_of(session)
    log.transaction.undoes_id = action.id
    return log.enter()


def transaction_of_changes(session: Session) -> Transaction | None:
    """The session's own transaction if it has changed any record so far, logged when this is called."""
    log: _Log | None = session.info.get("log")
    session.flush()  # what is pending may be a change
    return log.enter() if log is not None and log.changed else None


def insert_with_past(
    session: Session,
    model: type[Record],
    histories: Iterable[Sequence[tuple[datetime, dict[str, Any]]]],
    *,
    later: str | None = None,
) -> None:
    """Insert many records, each with the states it was in: (valid from, whole row), oldest first.

    The last state is the live row. Rows carry their ids (see `next_id`) but not `version`, `updated_at` and
    what else follows from the states. A state may name the `transaction_id` it came from, by default the
    session's own, and `valid_from_on`, its day, where the time is not known (see `crm_core.dated`); a deal's
    state may say what of it is `assumed`. No state may lie after the session's instant. The column named
    `later` is left empty in the live rows: it leads to rows that are yet to be inserted, and has to be filled
    in once they are.
    """
    rows: list[dict[str, Any]] = []
    versions: list[dict[str, Any]] = []
    calendar, country = calendar_of(session), compared_texts.home_country(session)
    for states in histories:
        past = list(_as_versions(model, states, session, calendar, country))
        if past[-1]["valid_from"] > session.info["at"]:
            raise HistoryBypassed("A state can't begin after the transaction that writes it.")
        versions += past
        rows.append({column.name: past[-1][column.name] for column in model.__table__.columns})
        if later is not None:
            rows[-1][later] = None
    if not rows:
        return
    log = _log_of(session)
    log.is_worth_a_line = True
    log.reaches(Reach.PAST)
    insert_rows(session, model.__table__, rows)
    search.learn(session, model, rows)
    insert_rows(session, VERSIONS[model], versions)
    catch_up_sequence(session, model.__table__)


def follow_texts(session: Session, kind: type[Compared]) -> None:
    """Make the columns of that kind anew from the texts that they follow from, in the past as well."""
    session.flush()
    _log_of(session).reaches(Reach.PAST)
    search.follow(session.connection(), compared_texts.refill(session.connection(), kind))
    for known in list(session.identity_map.values()):
        if isinstance(known, Record):
            session.expire(known)


def calendar_of(session: Session) -> Calendar:
    """How the workspace counts days, as the session itself left it."""
    settings = session.get_one(Settings, 1)
    return Calendar(ZoneInfo(settings.time_zone), settings.fiscal_year_start_month)


def next_id(session: Session, model: type[Any]) -> int:
    """The first free id. Safe to count on from here: there is one writer at a time."""
    return (session.scalar(select(func.max(model.__table__.c.id))) or 0) + 1


def catch_up_sequence(session: Session, table: Table) -> None:
    """Let PostgreSQL go on counting after ids that were given by hand."""
    if session.get_bind().dialect.name == "postgresql":
        last = select(func.max(table.c.id)).scalar_subquery()
        session.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), last)))


class _Log:
    """What one write session changed, and the transaction it will be kept under."""

    def __init__(self, session: Session, transaction: Transaction) -> None:
        self.session = session
        self.transaction = transaction
        self.changed: set[Record] = set()
        self.before: dict[Record, dict[str, Any] | None] = {}
        self.is_worth_a_line = False

    def enter(self) -> Transaction:
        """Log the transaction, once."""
        self.begin()
        if self.transaction.id is None:
            self.session.flush()
        return self.transaction

    def begin(self) -> None:
        """Log the transaction with what is flushed next, if it is not in the log."""
        if self.transaction not in self.session:
            self.transaction.at = self.session.info["at"]
            self.session.add(self.transaction)

    def reaches(self, reach: Reach) -> None:
        """Note how far the transaction reaches, at the least."""
        self.transaction.reach = max(self.transaction.reach, reach)

    def stamp(self) -> None:
        """Count a record's change and note its instant: once in a transaction, whatever is flushed."""
        session = self.session
        at = session.info["at"]
        modified = list(filter(session.is_modified, session.dirty))
        others = [row for row in (*session.new, *session.deleted, *modified) if row is not self.transaction]
        if others:
            self.is_worth_a_line = True
            self.begin()
        if any(not isinstance(row, Record) and not self._is_aside(row) for row in others):
            self.reaches(Reach.ANYTHING)
        for record in session.deleted:
            if isinstance(record, Record):
                raise HistoryBypassed("Records are never removed: set deleted_at instead.")
        compared_texts.follow(session, (*session.new, *modified))
        for record in session.new:
            if isinstance(record, Record):
                record.version = 1
                record.created_at = record.created_at or at
                record.created_on = record.created_on or self._day_of(record.created_at)
                record.updated_at = at
                self._follow(record, None)
        for record in modified:
            if isinstance(record, Record):
                before = _before_this_flush(record)
                if record.updated_at != at:
                    record.version += 1
                    record.updated_at = at
                self._follow(record, before)

    def _is_aside(self, row: Any) -> bool:
        """Whether answers about what is closed or past stay the same; a note has to be new, and of now."""
        is_new = row in self.session.new
        is_rewritten = isinstance(row, Note) and not (is_new and row.created_at == self.session.info["at"])
        return row.__table__ in ASIDE and not is_rewritten

    def _follow(self, record: Record, before: dict[str, Any] | None) -> None:
        """Set what follows from the change; several changes in one transaction are one."""
        self.changed.add(record)
        self.reaches(_reach_of(record, before))
        first = self.before.setdefault(record, before)
        if self.transaction.undoes_id is None:
            at = self.session.info["at"]
            for name, value in record.derived(vars(record), first, at, self._day_of(at)).items():
                setattr(record, name, value)

    def _day_of(self, at: datetime) -> date:
        return calendar_of(self.session).day_of(at)

    def refuse_what_leaves_no_trace(self, state: ORMExecuteState) -> None:
        if isinstance(state.statement, TextClause) and not state.statement.text.lower().startswith("select"):
            raise HistoryBypassed("SQL as text may leave no history: change the records through the session.")
        if not (state.is_insert or state.is_update or state.is_delete):
            return
        self.is_worth_a_line = True
        table = getattr(state.statement, "table", None)
        if table is None or table.name not in KEPT:
            self.reaches(Reach.OPEN if table in ASIDE - {Note.__table__} else Reach.ANYTHING)
            return
        if not PAST_IS_SEEN_TO.items() <= state.execution_options.items():
            raise HistoryBypassed(
                f"A bulk statement on {table} leaves no history: change the records through the session."
            )
        self.reaches(Reach.PAST)

    def write_versions(self) -> None:
        """Copy every changed row as it now stands into its versions."""
        self.session.flush()
        if self.is_worth_a_line:
            self.enter()
        for model in VERSIONS:
            changed = [record for record in self.changed if isinstance(record, model)]
            self._carry_out(
                _closing(model), [record for record in changed if self.before[record] is not None]
            )
            self._carry_out(_copying(model), changed)
        self.changed.clear()
        self.before.clear()

    def _carry_out(self, statement: Insert | Update, records: Sequence[Record]) -> None:
        """Past the session, which would refuse it."""
        ids = sorted(record.id for record in records)
        for start in range(0, len(ids), IDS_PER_STATEMENT):
            some = ids[start : start + IDS_PER_STATEMENT]
            known = {"ids": some, "at": self.session.info["at"], "by": self.transaction.id}
            self.session.connection().execute(statement, known)


@cache
def _closing(model: type[Record]) -> Update:
    """End the current versions of those of the ids that were changed at that instant."""
    live, versions = model.__table__.c, VERSIONS[model]
    return (
        update(versions)
        .where(
            versions.c.id.in_(bindparam("ids", expanding=True)),
            versions.c.valid_to.is_(None),
            exists().where(live.id == versions.c.id, live.updated_at == bindparam("at")),
        )
        .values(valid_to=bindparam("at"))
    )


@cache
def _copying(model: type[Record]) -> Insert:
    """Make their rows as they now stand the current versions."""
    live, versions = model.__table__.c, VERSIONS[model]
    copied = select(
        *live,
        bindparam("at", type_=versions.c.valid_from.type),
        bindparam("by", type_=versions.c.transaction_id.type),
    ).where(live.id.in_(bindparam("ids", expanding=True)), live.updated_at == bindparam("at"))
    return insert(versions).from_select([*live.keys(), "valid_from", "transaction_id"], copied)


def _as_versions(
    model: type[Record],
    states: Sequence[tuple[datetime, dict[str, Any]]],
    session: Session,
    calendar: Calendar,
    country: str,
) -> Iterable[dict[str, Any]]:
    """The rows of the version table for one record's states, each with every column."""
    blank = dict.fromkeys(column.name for column in VERSIONS[model].columns)
    ends = [valid_from for valid_from, _ in states[1:]] + [None]
    first = states[0][1]
    created_on = first.get("valid_from_on") or calendar.day_of(first["created_at"])
    before = None
    for number, ((valid_from, row), valid_to) in enumerate(zip(states, ends, strict=True), start=1):
        on = row.get("valid_from_on") or calendar.day_of(valid_from)
        texts = compared_texts.of_state(model, row, country)
        before = {**row, **texts, **model.derived(row, before, valid_from, on)}
        yield {
            **blank,
            **before,
            "created_on": created_on,
            "version": number,
            "updated_at": valid_from,
            "valid_from": valid_from,
            "valid_to": valid_to,
            "transaction_id": row.get("transaction_id") or transaction_of(session).id,
        }


def _reach_of(record: Record, before: Mapping[str, Any] | None) -> Reach:
    """How far a change of the record reaches."""
    if isinstance(record, Opportunity):
        was_closed = before is not None and before.get("closed_at") is not None
        return Reach.CLOSED if was_closed or record.closed_at is not None else Reach.OPEN
    return Reach.OPEN if isinstance(record, Lead) else Reach.ANYTHING


def _before_this_flush(record: Record) -> dict[str, Any]:
    """The record's columns as they are in the database."""
    state = inspect(record)
    return {**state.dict, **state.committed_state}


def _refuse_what_leaves_no_trace(state: ORMExecuteState) -> None:
    _log_of(state.session).refuse_what_leaves_no_trace(state)


def _log_of(session: Session) -> _Log:
    log: _Log = session.info["log"]
    return log


def _refuse_savepoint(_session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        raise TransactionMisuse("A savepoint inside a transaction: one user action is one transaction.")
