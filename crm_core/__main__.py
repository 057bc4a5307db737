"""`python -m crm_core`."""

from crm_core.cli import app

app()
