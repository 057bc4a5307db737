"""A process that changes the same deals as others do; started by `test_database`."""

import sys
from decimal import Decimal

from crm_core.database import Database
from crm_core.models import Opportunity


def add_one_each_time(url: str, deals: int, changes: int) -> None:
    """Read a deal's value and write it back one higher, again and again, one transaction each."""
    database = Database(url)
    for change in range(changes):
        with database.write() as session:
            deal = session.get_one(Opportunity, change % deals + 1)
            deal.expected_value = (deal.expected_value or Decimal(0)) + 1


if __name__ == "__main__":
    add_one_each_time(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
