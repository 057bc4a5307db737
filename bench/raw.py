"""What the API's calls come down to: the same questions and changes in bare SQL, through the bare driver."""

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TextIO, cast

from crm_core import clock
from crm_core.database import WRITER_LOCK, Database
from crm_core.models import Opportunity
from crm_core.schemas.fields import LARGEST_ID

STAGES = ("discovery", "proposal")
PROBABILITIES = {"discovery": 25, "proposal": 50}

COLUMNS = ", ".join(column.name for column in Opportunity.__table__.columns)

ROWS = """
    SELECT o.id, o.name, o.company_id, company.name, o.contact_id, contact.name, o.lead_id, o.owner_id,
        owner.name, o.stage, o.stage_entered_at, o.stage_entered_on, o.expected_value, o.probability,
        o.expected_close_date, o.actual_close_date, o.closed_at, o.close_reason_id, o.close_note, o.next_step,
        o.next_step_date, o.source, o.description, o.created_at, o.created_on, o.updated_at, o.version
    FROM opportunities AS o
    LEFT JOIN companies AS company ON company.id = o.company_id
    LEFT JOIN contacts AS contact ON contact.id = o.contact_id
    LEFT JOIN users AS owner ON owner.id = o.owner_id
    WHERE o.deleted_at IS NULL {and_that}
    ORDER BY o.expected_value DESC NULLS LAST, o.id DESC
    LIMIT {limit}
"""
ONE_PAGE = ROWS.format(and_that="", limit=51)
TOTALS = """
    SELECT count(*), sum(expected_value), count(*) - count(expected_value),
        sum(CASE WHEN stage NOT IN ('closed_won', 'closed_lost') THEN expected_value * probability END)
    FROM opportunities WHERE deleted_at IS NULL
"""
CALLED = """
    AND (o.folded_name LIKE '%portal%' OR company.folded_name LIKE '%portal%'
        OR contact.folded_name LIKE '%portal%')
"""
FOUND = ROWS.format(and_that=CALLED, limit=51)
FOUND_IN_STAGE = ROWS.format(and_that=f"{CALLED} AND o.stage = 'proposal'", limit=51)
RARE = "amber hotels"
LOOKED_UP = {
    "sqlite": "SELECT rowid FROM {kind}_search WHERE {kind}_search MATCH 'folded_name : \"{word}\"'",
    "postgresql": "SELECT id FROM {table} WHERE folded_name LIKE '%{word}%'",
}
FEW = """
    AND o.id IN ({deals} UNION SELECT id FROM opportunities WHERE company_id IN ({companies})
        UNION SELECT id FROM opportunities WHERE contact_id IN ({contacts}))
"""
PAGE_200 = ROWS.format(and_that="", limit="51 OFFSET 9950")
EVERY_ROW = ROWS.format(and_that="", limit=LARGEST_ID)
COLUMNS_OF_A_BOARD = """
    SELECT stage, count(*), sum(expected_value), sum(expected_value * probability),
        count(*) - count(expected_value)
    FROM opportunities WHERE deleted_at IS NULL GROUP BY stage
"""
CARDS = """
    SELECT * FROM (
        SELECT o.*, row_number() OVER (PARTITION BY stage ORDER BY expected_value DESC, id) AS place
        FROM opportunities AS o WHERE deleted_at IS NULL AND closed_at IS NULL
    ) AS ranked WHERE place <= 25
"""
THEN = """
    SELECT stage, probability, count(*), sum(expected_value), count(*) - count(expected_value)
    FROM opportunity_versions
    WHERE closed_at IS NULL AND deleted_at IS NULL AND valid_from <= '{at}'
        AND coalesce(valid_to, '9999-12-31 23:59:59.999999+00') > '{at}'
    GROUP BY stage, probability
"""
FUNNEL = """
    SELECT step, stage, count(*), sum(expected_value) FROM opportunities JOIN (
        SELECT id, max(
            CASE stage WHEN 'discovery' THEN 1 WHEN 'proposal' THEN 2 WHEN 'negotiation' THEN 3 ELSE 0 END
        ) AS step
        FROM opportunity_versions
        WHERE id IN (SELECT id FROM opportunities WHERE created_on >= '{since}') GROUP BY id
    ) AS furthest ON furthest.id = opportunities.id
    WHERE deleted_at IS NULL AND created_on >= '{since}' GROUP BY step, stage
"""
STAYS = """
    SELECT stage, entered_on, until, (
        SELECT stage_entered_on FROM opportunity_versions AS following
        WHERE following.stage_entered_at = stays.until AND following.id = stays.id
            AND following.valid_from <= following.stage_entered_at
    ) FROM (
        SELECT stage, stage_entered_at, id, min(stage_entered_on) AS entered_on,
            max(coalesce(valid_to, '9999-12-31')) AS until
        FROM opportunity_versions WHERE closed_at IS NULL AND stage_entered_at >= '{since}'
        GROUP BY stage_entered_at, id, stage
    ) AS stays
"""
BY_STAGE = """
    SELECT stage, count(*), sum(expected_value), sum(expected_value * probability),
        count(*) - count(expected_value), count(*) - count(expected_close_date),
        count(CASE WHEN expected_close_date < CURRENT_DATE THEN 1 END)
    FROM opportunities WHERE deleted_at IS NULL GROUP BY stage
"""
NOT_COUNTED = """
    SELECT count(*), sum(expected_value), count(*) - count(expected_value) FROM opportunities
    WHERE deleted_at IS NULL AND actual_close_date IS NOT NULL AND stage = 'closed_lost'
        AND close_reason_id IN (SELECT id FROM close_reasons WHERE NOT counts)
"""
AVERAGE_AND_MEDIAN = """
    WITH won AS (
        SELECT {figure} AS figure FROM opportunities
        WHERE deleted_at IS NULL AND actual_close_date IS NOT NULL AND stage = 'closed_won' {and_that}
    )
    SELECT (SELECT count(*) FROM won), (SELECT avg(figure) FROM won), (
        SELECT avg(figure) FROM (
            SELECT figure FROM won ORDER BY figure
            LIMIT (SELECT 2 - count(*) % 2 FROM won) OFFSET (SELECT (count(*) - 1) / 2 FROM won)
        ) AS middle
    )
"""
VALUES = AVERAGE_AND_MEDIAN.format(figure="expected_value", and_that="AND expected_value IS NOT NULL")
DAYS = {
    "sqlite": "julianday(actual_close_date) - julianday(created_on)",
    "postgresql": "actual_close_date - created_on",
}

LOG = "INSERT INTO transactions (at, actor_id, source) VALUES (?, 1, 'api') RETURNING id"
INSERT = """
    INSERT INTO opportunities
        (name, stage, stage_entered_at, stage_entered_on, expected_value, probability, created_at, created_on,
            updated_at, touched_at, version)
    VALUES ('Deal', 'proposal', ?, CURRENT_DATE, 125050, 50, ?, CURRENT_DATE, ?, ?, 1) RETURNING id
"""
UPDATE = """
    UPDATE opportunities
    SET stage = ?, stage_entered_at = ?, stage_entered_on = CURRENT_DATE, probability = ?, updated_at = ?,
        touched_at = ?, version = version + 1
    WHERE id = ?
"""
END_VERSION = "UPDATE opportunity_versions SET valid_to = ? WHERE id = ? AND valid_to IS NULL"
BEGIN_VERSION = f"""
    INSERT INTO opportunity_versions ({COLUMNS}, valid_from, transaction_id)
    SELECT {COLUMNS}, updated_at, CAST(? AS INTEGER) FROM opportunities WHERE id = ?
"""
ASSIGN = """
    UPDATE opportunities SET owner_id = ?, updated_at = ?, touched_at = ?, version = version + 1
    WHERE id BETWEEN ? AND ?
"""
END_VERSIONS = """
    UPDATE opportunity_versions SET valid_to = ? WHERE id BETWEEN ? AND ? AND valid_to IS NULL
"""
BEGIN_VERSIONS = f"""
    INSERT INTO opportunity_versions ({COLUMNS}, valid_from, transaction_id)
    SELECT {COLUMNS}, updated_at, CAST(? AS INTEGER) FROM opportunities WHERE id BETWEEN ? AND ?
"""
BRING_IN = """
    INSERT INTO opportunities (
        name, stage, stage_entered_at, stage_entered_on, expected_value, probability, expected_close_date,
        external_source, external_id, created_at, created_on, updated_at, touched_at, version
    ) VALUES (?, 'proposal', ?, CURRENT_DATE, ?, 50, ?, 'by hand', ?, ?, CURRENT_DATE, ?, ?, 1)
"""
BEGIN_VERSIONS_OF = f"""
    INSERT INTO opportunity_versions ({COLUMNS}, valid_from, transaction_id)
    SELECT {COLUMNS}, updated_at, CAST(? AS INTEGER) FROM opportunities WHERE id > ?
"""
LAST_ID = "SELECT max(id) FROM opportunities"


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
        self.read(ONE_PAGE, TOTALS)

    def ask_for_stats(self) -> None:
        days = AVERAGE_AND_MEDIAN.format(figure=DAYS[self.kind], and_that="")
        self.read(BY_STAGE, NOT_COUNTED, VALUES, days)

    def look_up(self) -> None:
        """The deals with two words that few have both, by the index of names."""
        kinds = {"opportunities": "opportunity", "companies": "company", "contacts": "contact"}
        few = ""
        for word in RARE.split():
            deals, companies, contacts = (
                LOOKED_UP[self.kind].format(table=table, kind=kind, word=word)
                for table, kind in kinds.items()
            )
            few += FEW.format(deals=deals, companies=companies, contacts=contacts)
        self.read(ROWS.format(and_that=few, limit=51))

    def create(self) -> None:
        at = self._begin_writing()
        ((transaction_id,),) = self._rows(LOG, at)
        ((deal_id,),) = self._rows(INSERT, at, at, at, at)
        self._run(BEGIN_VERSION, transaction_id, deal_id)
        self._run("COMMIT")

    def move(self, deal_id: int, stage: str) -> None:
        at = self._begin_writing()
        ((transaction_id,),) = self._rows(LOG, at)
        self._run(UPDATE, stage, at, PROBABILITIES[stage], at, at, deal_id)
        self._run(END_VERSION, at, deal_id)
        self._run(BEGIN_VERSION, transaction_id, deal_id)
        self._run("COMMIT")

    def read(self, *questions: str) -> None:
        """Ask all of them in one snapshot."""
        self._run("BEGIN")
        for question in questions:
            self._rows(question)
        self._run("COMMIT")

    def batches(self, question: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """The answer, so many rows at once."""
        cursor = self._run(question)
        while batch := cursor.fetchmany(rows):
            yield batch

    def assign(self, first_id: int, last_id: int, owner_id: int) -> None:
        """Give the deals with ids in that range to somebody else, all at once."""
        at = self._begin_writing()
        ((transaction_id,),) = self._rows(LOG, at)
        self._run(ASSIGN, owner_id, at, at, first_id, last_id)
        self._run(END_VERSIONS, at, first_id, last_id)
        self._run(BEGIN_VERSIONS, transaction_id, first_id, last_id)
        self._run("COMMIT")

    def bring_in(self, file: TextIO) -> None:
        """Every line of a file as an open deal: its key, its name, its value and the day it may be closed."""
        at = self._begin_writing()
        ((transaction_id,),) = self._rows(LOG, at)
        ((last_id,),) = self._rows(LAST_ID)
        lines = csv.DictReader(file)
        deals = [
            (line["Name"], at, int(float(line["Amount"]) * 10_000), line["CloseDate"], line["Id"], at, at, at)
            for line in lines
        ]
        self.connection.cursor().executemany(self._in_dialect(BRING_IN), deals)
        self._run(BEGIN_VERSIONS_OF, transaction_id, last_id)
        self._run("COMMIT")

    def export(self, to: TextIO) -> None:
        """Every deal as a line of a file."""
        self._run("BEGIN")
        csv.writer(to).writerows(self._run(EVERY_ROW))
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
        return self.connection.execute(self._in_dialect(statement), parameters)

    def _in_dialect(self, statement: str) -> str:
        if self.kind == "postgresql":
            return statement.replace("%", "%%").replace("?", "%s")
        return statement
