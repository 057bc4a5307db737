"""The same aggregates in DuckDB, which is made for them: deals and their states in columns, in memory."""

import duckdb
import pandas as pd

from bench.raw import Raw

TYPES = {
    "id": "BIGINT",
    "stage": "VARCHAR",
    "expected_value": "BIGINT",
    "probability": "INTEGER",
    "expected_close_date": "DATE",
    "close_reason_id": "BIGINT",
    "closed_at": "TIMESTAMP",
    "actual_close_date": "DATE",
    "created_on": "DATE",
    "deleted_at": "TIMESTAMP",
    "stage_entered_at": "TIMESTAMP",
    "stage_entered_on": "DATE",
    "valid_from": "TIMESTAMP",
    "valid_to": "TIMESTAMP",
}
DEALS = [name for name in TYPES if not name.startswith("valid")]
TABLES = {"opportunities": DEALS, "opportunity_versions": list(TYPES)}

ROWS = 200_000
"""So many are copied at once."""


class Duck:
    """What the aggregates need of a database, copied."""

    def __init__(self, raw: Raw) -> None:
        self._connection = duckdb.connect(config={"threads": 2})
        for table, columns in TABLES.items():
            large = {name: "Int64" for name in columns if TYPES[name] == "BIGINT"}  # not guessed from a few
            typed = ", ".join(f"{name} {TYPES[name]}" for name in columns)
            self._connection.execute(f"CREATE TABLE {table} ({typed})")
            for rows in raw.batches(f"SELECT {', '.join(columns)} FROM {table}", ROWS):
                frame = pd.DataFrame(rows, columns=columns, dtype=object).astype(large)
                self._connection.register("frame", frame)
                self._connection.execute(f"INSERT INTO {table} SELECT * FROM frame")

    def read(self, *questions: str) -> None:
        for question in questions:
            self._connection.execute(question).fetchall()
