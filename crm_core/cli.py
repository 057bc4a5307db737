"""The command line: `python -m crm_core COMMAND`."""

import logging
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from crm_core import check, demo, importing, migrate, startup
from crm_core.config import Config
from crm_core.database import Database
from crm_core.errors import CrmError
from crm_core.filters import OpportunityFilter
from crm_core.importing.cells import harmless
from crm_core.models import TokenScope
from crm_core.patience import LONG
from crm_core.periods import PeriodChoice
from crm_core.services import settings_service, token_service, user_service

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Look after a CRM's database. It is the embedded one unless CRM_DATABASE_URL names another.",
)
logging.getLogger("crm_core").addHandler(logging.NullHandler())  # a refusal says the same, once

imports = typer.Typer(no_args_is_help=True, help="Bring in records from a file of another program.")
app.add_typer(imports, name="import")
tokens = typer.Typer(no_args_is_help=True, help="Keys for programs that use the API.")
app.add_typer(tokens, name="token")


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database's tables to what this program expects."""
    with in_plain_words(), closing(startup.open_as_it_is(Config(), grace=LONG)) as database:
        before = migrate.upgrade(database)
        typer.echo(
            "Nothing to do." if before is migrate.SchemaState.CURRENT else "The database is up to date."
        )


@app.command("check")
def check_command(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="First repair what can be: dates in the future, folded texts, the search index, days.",
        ),
    ] = False,
) -> None:
    """Prove that the history adds up to the live tables; list what does not, and exit with 1."""
    with opened() as database:
        if repair:
            _confirm_clock(database)
            for sentence in check.repair(database):
                typer.echo(sentence)
        for sentence in (check.engine(database), *check.advice(database)):
            typer.echo(sentence)
        findings = check.findings(database)
        for finding in findings:
            typer.echo(finding)
        typer.echo(check.verdict(findings))
        if findings:
            raise typer.Exit(1)


def _confirm_clock(database: Database) -> None:
    """Ask a person at a terminal: a clock that is wrong now would date right changes anew."""
    if (wrong := check.wrong_clock(database)) and sys.stdin.isatty():
        typer.confirm(
            f"The last change is dated {wrong.last_change:%Y-%m-%d %H:%M} UTC, the clock says"
            f" {wrong.now:%Y-%m-%d %H:%M} UTC. Is the clock right? What is dated later is then dated now.",
            abort=True,
        )


@app.command("demo")
def demo_command(
    opportunities: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many deals to make up.")
    ] = demo.DEFAULT_OPPORTUNITIES,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = demo.DEFAULT_SEED,
) -> None:
    """Fill an empty database with two years of believable deals."""
    with opened() as database:
        with typer.progressbar(length=opportunities, label="Making up deals", file=sys.stderr) as bar:
            summary = demo.fill(database, opportunities=opportunities, seed=seed, progress=bar.update)
        typer.echo(str(summary))


@app.command("report")
def report_command(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")],
    period: Annotated[PeriodChoice, typer.Option(help="The days it is about.")] = PeriodChoice.THIS_QUARTER,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="As known at the end of this day; else now."),
    ] = None,
) -> None:
    """Write the dashboard as one page, with charts, to print or to send."""
    from crm_core.reporting.report import report  # draws charts, which no other command does

    with opened() as database, database.read() as session:
        calendar = settings_service.get_calendar(session)
        at = calendar.end_of(as_of.date()) if as_of else None
        page = report(session, period, OpportunityFilter(as_of=at))
    with in_plain_words():
        _write(out, page)
    typer.echo(f"{out} is written.")


def _write(out: Path, page: str) -> None:
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CantWrite(out, error.strerror or "no reason given") from error


class CantWrite(CrmError):
    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} can't be written: {reason}.")


@imports.command("opportunities")
def import_opportunities_command(
    file: Annotated[Path, typer.Argument(help="The CSV file.")],
    mapping: Annotated[
        str | None,
        typer.Option(help="A mapping file, or the name of one that comes with the program."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")] = False,
    leave_out_other_currencies: Annotated[
        bool,
        typer.Option(
            "--leave-out-other-currencies", help="Pass over deals in another currency than the workspace's."
        ),
    ] = False,
    create_close_reasons: Annotated[
        bool,
        typer.Option("--create-close-reasons", help="Add the file's close reasons that the workspace lacks."),
    ] = False,
) -> None:
    """Import deals, all or nothing; importing the same file again changes nothing."""
    with opened() as database:
        report = importing.import_opportunities(
            database,
            file,
            importing.find_mapping(mapping, file),
            dry_run=dry_run,
            leave_out_other_currencies=leave_out_other_currencies,
            create_close_reasons=create_close_reasons,
        )
        typer.echo(str(report))
        if report.refusals:
            raise typer.Exit(1)


@tokens.command("create")
def create_token_command(
    user: Annotated[
        str, typer.Option(help="The user that the program acts as: e-mail address, name or number.")
    ],
    read_only: Annotated[bool, typer.Option("--read-only", help="It may read, but change nothing.")] = False,
    expires: Annotated[
        int | None, typer.Option(metavar="DAYS", help="After so many days it opens nothing any more.")
    ] = None,
) -> None:
    """Print a new token; it is shown this once."""
    scope = TokenScope.READ if read_only else TokenScope.WRITE
    with opened() as database, database.write(note="Created a token") as session:
        owner = user_service.get_user_called(session, user)
        created = token_service.create_token(session, owner.id, scope=scope, days=expires)
    typer.echo(created.secret)


@tokens.command("list")
def list_tokens_command() -> None:
    """Print every token: its number, user, scope and whether it still opens anything."""
    with opened() as database, database.read() as session:
        for token, user in token_service.get_tokens(session):
            until = f"until {token.expires_at:%Y-%m-%d}" if token.expires_at else "without end"
            used = f"last used {token.last_used_at:%Y-%m-%d}" if token.last_used_at else "never used"
            state = "revoked" if token.revoked_at else until
            typer.echo(f"{token.id}  {harmless(user.name)}  {token.scope}  {state}  {used}")


@tokens.command("revoke")
def revoke_token_command(number: Annotated[int, typer.Argument(help="As `token list` prints it.")]) -> None:
    """From now on it opens nothing."""
    with opened() as database, database.write(note="Revoked a token") as session:
        token_service.revoke_token(session, number)
    typer.echo("The token is revoked.")


@contextmanager
def opened() -> Iterator[Database]:
    """The configured database, ready to use."""
    with (
        in_plain_words(),
        closing(startup.open_database(Config(), with_demo=False, grace=LONG)) as database,
    ):
        yield database


@contextmanager
def in_plain_words() -> Iterator[None]:
    """A refusal ends the program with its sentence instead of a traceback."""
    try:
        yield
    except CrmError as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(1) from refusal
