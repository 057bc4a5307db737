"""Let figures go by days that stay what they are in every time zone, and by no change that was undone.

Days were stored as instants: with another time zone a month's wins moved into the next month. Each record gets
the day of its creation, each deal the day on which it came into its stage and its last touch, and the states
that an import knew by their day alone say so. What an import wrote for a day in UTC keeps that day; all other
instants are taken for the day that they are on in the workspace's time zone now.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = {
    "companies": "company_versions",
    "contacts": "contact_versions",
    "leads": "lead_versions",
    "opportunities": "opportunity_versions",
}
DEALS, STATES = "opportunities", "opportunity_versions"

VALID_UNTIL = "coalesce(valid_to, '9999-12-31 23:59:59.999999+00')"
CLOSED_ON, CLOSED_AT = "actual_close_date IS NOT NULL", "closed_at IS NOT NULL"
WORTH = ("expected_value", "close_reason_id", "deleted_at")
STAYS = ("stage_entered_at", "id", "stage", "valid_from", "valid_to", "closed_at", "owner_id")

Indexes = dict[str, tuple[str, tuple[str, ...], str | None]]
AFTER: Indexes = {
    "ix_opportunities_outcomes": (DEALS, ("stage", "actual_close_date", "created_on", *WORTH), CLOSED_ON),
    "ix_opportunities_actual_close_date": (DEALS, ("actual_close_date",), None),
    "ix_opportunity_versions_closed": (
        STATES,
        ("stage", "actual_close_date", VALID_UNTIL, "valid_from", "created_on", *WORTH, "credited_owner_id"),
        CLOSED_ON,
    ),
    "ix_opportunity_versions_stays": (STATES, (*STAYS, "stage_entered_on", "transaction_id"), None),
    "ix_transactions_undoes": ("transactions", ("undoes_id", "at"), "undoes_id IS NOT NULL"),
}
BEFORE: Indexes = {
    "ix_opportunities_outcomes": (DEALS, ("stage", "closed_at", "created_at", *WORTH), CLOSED_AT),
    "ix_opportunities_closed_at": (DEALS, ("closed_at",), None),
    "ix_opportunity_versions_closed": (
        STATES,
        ("stage", "closed_at", VALID_UNTIL, "valid_from", "created_at", *WORTH, "credited_owner_id"),
        CLOSED_AT,
    ),
    "ix_opportunity_versions_stays": (STATES, STAYS, None),
}
NEWEST = {
    "sqlite": ("ix_opportunities_{}_id", ("{}", "id")),
    "postgresql": ("ix_opportunities_newest", ("{} DESC NULLS LAST", "id DESC")),
}

SECOND = {
    "sqlite": "CAST(strftime('%s', {}) AS INTEGER)",
    "postgresql": "CAST(floor(extract(epoch FROM {})) AS bigint)",
}
"""The seconds from 1970 to an instant."""
DAY = {
    "sqlite": "date({}, '{:+d} seconds')",
    "postgresql": "CAST({} AT TIME ZONE 'UTC' + interval '{:+d} seconds' AS date)",
}
"""The day of an instant, so many seconds ahead of UTC."""
IS_WHOLE = {"sqlite": "substr({0}, 21) = '000000'", "postgresql": "{0} = date_trunc('second', {0})"}
"""An instant has no fraction of a second."""

FIRST_SECOND, LAST_SECOND = 0, 86_399
IMPORTED = "transaction_id IN (SELECT id FROM transactions WHERE source = 'import')"

BY_DAY = (
    f"transaction_id IN (SELECT transaction_id FROM {STATES} WHERE version = 1 AND valid_from_on IS NOT NULL)"
)
HAS_TIMES = """
    UPDATE {0} SET valid_from_on = NULL
    WHERE {1} AND valid_from_on IS NOT NULL AND transaction_id IN (
        SELECT other.transaction_id FROM {0} AS other JOIN transactions ON transactions.id = other.transaction_id
        WHERE other.{1} AND other.valid_from_on IS NULL AND transactions.source = 'import' AND {2} < {3} - 1
    )
"""
"""An import has states that begin neither so nor with itself."""

ENTERED_ON = f"""
    UPDATE {STATES} SET stage_entered_on = CASE
        WHEN actual_close_date IS NOT NULL THEN actual_close_date
        WHEN stage_entered_at = created_at THEN created_on
        ELSE stage_entered_on
    END
"""
CREATED_ON = """
    UPDATE {0} SET created_on = first.valid_from_on FROM {0} AS first
    WHERE first.id = {0}.id AND first.version = 1 AND first.valid_from_on IS NOT NULL
"""
LIVE = "UPDATE {0} SET {2} = now.{2} FROM {1} AS now WHERE now.id = {0}.id AND now.valid_to IS NULL"

Span = tuple[datetime, datetime, int]


def upgrade() -> None:
    for live, versions in TABLES.items():
        op.add_column(live, sa.Column("created_on", sa.Date()))
        op.add_column(versions, sa.Column("created_on", sa.Date()))
        op.add_column(versions, sa.Column("valid_from_on", sa.Date()))
    for table in (DEALS, STATES):
        op.add_column(table, sa.Column("stage_entered_on", sa.Date()))
        op.add_column(table, sa.Column("touched_at", sa.DateTime(timezone=True)))
    with changed_transactions() as batch:
        batch.add_column(sa.Column("undoes_id", sa.Integer()))
        batch.create_foreign_key("fk_transactions_undoes_id", "transactions", ["undoes_id"], ["id"])
    fill_in_days()
    replace_indexes(BEFORE, AFTER, "created_at", "created_on")


@contextmanager
def changed_transactions() -> Iterator[BatchOperations]:
    """SQLite's table is made anew; on the way it finds an index of another table that it can't describe."""
    silent = warnings.catch_warnings(action="ignore", category=sa.exc.SAWarning)
    with silent, op.batch_alter_table("transactions") as batch:
        yield batch


def fill_in_days() -> None:
    here = list(spans(ZoneInfo(value("SELECT time_zone FROM settings") or "UTC")))
    note_days(STATES, here, IMPORTED)
    for live, versions in TABLES.items():
        if versions != STATES:
            note_days(versions, here, BY_DAY)
        set_days(versions, "created_at", "created_on", here)
        op.execute(CREATED_ON.format(versions))
        op.execute(LIVE.format(live, versions, "created_on"))
    set_days(STATES, "stage_entered_at", "stage_entered_on", here)
    op.execute(ENTERED_ON)
    op.execute(f"UPDATE {STATES} SET touched_at = updated_at")
    for column in ("stage_entered_on", "touched_at"):
        op.execute(LIVE.format(DEALS, STATES, column))


def note_days(versions: str, here: list[Span], which: str) -> None:
    """Which states of imports are known by their day: those from a day's first second, or its last, on.

    A column of a file has days, or it has times. So either all states that come from it begin in this way, in
    UTC or in the present time zone, but for those that begin with the import itself; or none is known by a day.
    """
    began = SECOND[kind()].format("valid_from")
    for version, edge in (("version = 1", FIRST_SECOND), ("version > 1", LAST_SECOND)):
        where = f"{version} AND {which} AND valid_from_on IS NULL AND {IS_WHOLE[kind()].format('valid_from')}"
        for zone in ([(*bounds(), 0)], here):
            for span in zone:
                at_edge = f"({began} + {span[2]}) % 86400 = {edge}"
                set_day(versions, "valid_from", "valid_from_on", span, f"{where} AND {at_edge}")
            op.execute(
                HAS_TIMES.format(
                    versions,
                    version,
                    SECOND[kind()].format("other.valid_from"),
                    SECOND[kind()].format("transactions.at"),
                )
            )


def set_days(table: str, instant: str, day: str, here: list[Span]) -> None:
    for span in here:
        set_day(table, instant, day, span, f"{instant} IS NOT NULL")


def set_day(table: str, instant: str, day: str, span: Span, where: str) -> None:
    since, until, seconds = span
    day_here = DAY[kind()].format(instant, seconds)
    changed = sa.text(
        f"UPDATE {table} SET {day} = {day_here} WHERE {where} AND {instant} >= :since AND {instant} < :until"
    )
    moment = sa.DateTime(timezone=kind() == "postgresql")
    naive = kind() == "sqlite"
    bound = {
        name: sa.bindparam(name, at.replace(tzinfo=None) if naive else at, moment)
        for name, at in (("since", since), ("until", until))
    }
    op.get_bind().execute(changed.bindparams(*bound.values()))


def spans(zone: ZoneInfo) -> Iterator[Span]:
    """From when to when the zone was how many seconds ahead of UTC, as far as there are records."""
    since, last = bounds()
    at = since
    while at < last:
        seconds, later = ahead(zone, at), min(at + timedelta(days=1), last)
        if ahead(zone, later) != seconds:
            changed = change_between(zone, at, later)
            yield since, changed, seconds
            since = changed
        at = later
    yield since, last + timedelta(days=1), ahead(zone, last)


def bounds() -> tuple[datetime, datetime]:
    """Whole days around everything that was recorded."""
    found = [value(f"SELECT {edge}(created_at) FROM {table}") for table in TABLES for edge in ("min", "max")]
    found += [value(f"SELECT max(valid_from) FROM {versions}") for versions in TABLES.values()]
    days = [str(at)[:10] for at in found if at is not None] or ["2000-01-01"]
    first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (min(days), max(days)))
    return first - timedelta(days=2), last + timedelta(days=3)


def change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which clocks were changed."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        if ahead(zone, middle) == ahead(zone, before):
            before = middle
        else:
            after = middle
    return after


def ahead(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def downgrade() -> None:
    replace_indexes(AFTER, BEFORE, "created_on", "created_at")
    with changed_transactions() as batch:
        batch.drop_constraint("fk_transactions_undoes_id", type_="foreignkey")
        batch.drop_column("undoes_id")
    for table in (DEALS, STATES):
        op.drop_column(table, "touched_at")
        op.drop_column(table, "stage_entered_on")
    for live, versions in TABLES.items():
        op.drop_column(versions, "valid_from_on")
        op.drop_column(versions, "created_on")
        op.drop_column(live, "created_on")


def replace_indexes(old: Indexes, new: Indexes, old_order: str, new_order: str) -> None:
    for name, (table, _, _) in old.items():
        op.drop_index(name, table)
    for name, (table, columns, where) in new.items():
        covering = name == "ix_opportunity_versions_closed"
        condition = None if where is None else sa.text(where)
        op.create_index(
            name,
            table,
            list(map(sa.text, columns)),
            sqlite_where=condition,
            postgresql_where=condition,
            postgresql_include=["valid_to"] if covering else [],
        )
    name, columns = NEWEST[kind()]
    op.drop_index(name.format(old_order), DEALS)
    op.create_index(name.format(new_order), DEALS, [sa.text(each.format(new_order)) for each in columns])


def value(statement: str) -> str | None:
    found = op.get_bind().scalar(sa.text(statement))
    return None if found is None else str(found)


def kind() -> str:
    return op.get_bind().dialect.name
