"""What every list of records is made of: its filters, table, columns, views, pages, bulk changes, export."""
