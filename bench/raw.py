"""What the API's calls come down to: the same questions and changes in bare SQL, through the bare driver."""

from datetime import datetime
from typing import Any, cast

from crm_core import clock
from crm_core.database import WRITER_LOCK, Database
from crm_core.models import Opportunity

STAGES = ("discovery", "proposal")
PROBABILITIES = {"discovery": 25, "proposal": 50}

COLUMNS = ", ".join(column.name for column in Opportunity.__table__.columns)

ROWS = """
    SELECT o.id, o.name, o.company_id, company.name, o.contact_id, contact.name, o.lead_id, o.owner_id,
        owner.name, o.stage, o.stage_entered_at, o.expected_value, o.probability, o.expected_close_date,
        o.actual_close_date, o.closed_at, o.close_reason_id, o.close_note, o.next_step, o.next_step_date,
        o.source, o.description, o.created_at, o.updated_at, o.version
    FROM opportunities AS o
    LEFT JOIN companies AS company ON company.id = o.company_id
    LEFT JOIN contacts AS contact ON contact.id = o.contact_id
    LEFT JOIN users AS owner ON owner.id = o.owner_id
    WHERE o.deleted_at IS NULL
    ORDER BY o.expected_value DESC NULLS LAST, o.id DESC
    LIMIT 51
"""
TOTALS = """
    SELECT count(*), sum(expected_value), count(*) - count(expected_value),
        sum(CASE WHEN stage NOT IN ('closed_won', 'closed_lost') THEN expected_value * probability END)
    FROM opportunities WHERE deleted_at IS NULL
"""
BY_STAGE = """
    SELECT stage, count(*), sum(expected_value), sum(expected_value * probability),
        count(*) - count(expected_value), count(*) - count(expected_close_date),
        count(CASE WHEN expected_close_date < CURRENT_DATE THEN 1 END)
    FROM opportunities WHERE deleted_at IS NULL GROUP BY stage
"""
NOT_COUNTED = """
    SELECT count(*), sum(expected_value), count(*) - count(expected_value) FROM opportunities
    WHERE deleted_at IS NULL AND closed_at IS NOT NULL AND stage = 'closed_lost'
        AND close_reason_id IN (SELECT id FROM close_reasons WHERE NOT counts)
"""
AVERAGE_AND_MEDIAN = """
    WITH won AS (
        SELECT {figure} AS figure FROM opportunities
        WHERE deleted_at IS NULL AND closed_at IS NOT NULL AND stage = 'closed_won' AND {condition}
    )
    SELECT (SELECT count(*) FROM won), (SELECT avg(figure) FROM won), (
        SELECT avg(figure) FROM (
            SELECT figure FROM won ORDER BY figure
            LIMIT (SELECT 2 - count(*) % 2 FROM won) OFFSET (SELECT (count(*) - 1) / 2 FROM won)
        ) AS middle
    )
"""
VALUES = AVERAGE_AND_MEDIAN.format(figure="expected_value", condition="expected_value IS NOT NULL")
DAYS = {
    "sqlite": "julianday(closed_at) - julianday(created_at)",
    "postgresql": "extract(epoch FROM closed_at - created_at) / 86400",
}
ANOTHER_DAY = "date(created_at) <> date(closed_at)"

LOG = "INSERT INTO transactions (at, actor_id, source) VALUES (?, 1, 'api') RETURNING id"
INSERT = """
    INSERT INTO opportunities
        (name, stage, stage_entered_at, expected_value, probability, created_at, updated_at, version)
    VALUES ('Deal', 'proposal', ?, 125050, 50, ?, ?, 1) RETURNING id
"""
UPDATE = """
    UPDATE opportunities
    SET stage = ?, stage_entered_at = ?, probability = ?, updated_at = ?, version = version + 1 WHERE id = ?
"""
END_VERSION = "UPDATE opportunity_versions SET valid_to = ? WHERE id = ? AND valid_to IS NULL"
BEGIN_VERSION = f"""
    INSERT INTO opportunity_versions ({COLUMNS}, valid_from, transaction_id)
    SELECT {COLUMNS}, updated_at, CAST(? AS INTEGER) FROM opportunities WHERE id = ?
"""


class Raw:
    """One connection of the bare driver, with the product's own settings."""

    def __init__(self, url: str) -> None:
        database = Database(url)
        self.kind = database.kind
        self.pooled = database.engine.raw_connection()
        self.connection = cast("Any", self.pooled.driver_connection)
        if self.kind == "postgresql":
            self.connection.autocommit = True

    def list_them(self) -> None:
        self._read(ROWS, TOTALS)

    def ask_for_stats(self) -> None:
        days = AVERAGE_AND_MEDIAN.format(figure=DAYS[self.kind], condition=ANOTHER_DAY)
        self._read(BY_STAGE, NOT_COUNTED, VALUES, days)

    def create(self) -> None:
        at = self._begin_writing()
        ((transaction_id,),) = self._rows(LOG, at)
        ((deal_id,),) = self._rows(INSERT, at, at, at)
        self._run(BEGIN_VERSION, transaction_id, deal_id)
        self._run("COMMIT")

    def move(self, deal_id: int, stage: str) -> None:
        at = self._begin_writing()
        ((transaction_id,),) = self._rows(LOG, at)
        self._run(UPDATE, stage, at, PROBABILITIES[stage], at, deal_id)
        self._run(END_VERSION, at, deal_id)
        self._run(BEGIN_VERSION, transaction_id, deal_id)
        self._run("COMMIT")

    def _read(self, *questions: str) -> None:
        self._run("BEGIN")
        for question in questions:
            self._rows(question)
        self._run("COMMIT")

    def _begin_writing(self) -> str | datetime:
        """The instant of the change, as the driver takes it; it is asked for when it is one's turn."""
        if self.kind == "sqlite":
            self._run("BEGIN IMMEDIATE")
            return f"{clock.now():%Y-%m-%d %H:%M:%S.%f}"
        self._run("BEGIN")
        self._run("SELECT pg_advisory_xact_lock(?)", WRITER_LOCK)
        return clock.now()

    def _rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return list(self._run(statement, *parameters).fetchall())

    def _run(self, statement: str, *parameters: Any) -> Any:
        if self.kind == "postgresql":
            statement = statement.replace("%", "%%").replace("?", "%s")
        return self.connection.execute(statement, parameters)
