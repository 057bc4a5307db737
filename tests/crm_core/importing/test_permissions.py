"""Who may import."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from crm_core.database import Database
from crm_core.errors import NotSignedIn
from crm_core.models import LOCAL_USER_ID, Role, User
from crm_core.permissions import NeedsAdmin
from tests.builders import Make
from tests.crm_core.importing.conftest import AT, GOOD, every_row


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("role", [Role.REP, Role.MANAGER])
def test_only_an_admin_imports(database, import_lines, role, dry_run):
    with database.write() as session:
        actor = Make(session).user(role=role).id
    before = every_row(database)

    with pytest.raises(NeedsAdmin, match=r"Only an admin can import deals\. Ask Local user"):
        import_lines(GOOD, actor=actor, dry_run=dry_run)

    assert every_row(database) == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_nobody_imports_without_working_here(database, import_lines, dry_run):
    with pytest.raises(NotSignedIn):
        import_lines(GOOD, actor=99, dry_run=dry_run)


@pytest.mark.parametrize("actor", [None, LOCAL_USER_ID])
@pytest.mark.parametrize("dry_run", [True, False])
def test_an_admin_and_the_command_line_import(import_lines, actor, dry_run):
    assert import_lines(GOOD, actor=actor, dry_run=dry_run).created == 1


def test_who_is_no_longer_an_admin_when_the_file_is_read_writes_nothing(database, import_lines):
    with database.write(at=AT - timedelta(hours=2)) as session:
        actor = Make(session).user(role=Role.ADMIN).id

    @event.listens_for(database.engine, "checkin", once=True)  # the first look is over, the file comes next
    def demote(*_connection):
        elsewhere = Database(database.url.render_as_string(hide_password=False))
        with elsewhere.write(at=AT - timedelta(hours=1)) as session:
            session.get_one(User, actor).role = Role.REP
        elsewhere.close()

    with pytest.raises(NeedsAdmin):
        import_lines(GOOD, actor=actor)

    with database.read() as session:
        assert session.query(User.name).filter_by(name="Rita Rep").count() == 1
