"""Demo data can go as a whole; anything else can't."""

import pytest
from sqlalchemy import func, select

from crm_core import check
from crm_core.database import Database
from crm_core.errors import NotSignedIn
from crm_core.models import (
    LOCAL_USER_ID,
    Base,
    CloseReason,
    Role,
    Settings,
    StageSettings,
    Transaction,
    User,
)
from crm_core.permissions import NeedsAdmin
from crm_core.services import settings_service, workspace_service
from crm_core.services.workspace_service import WorkspaceIsInUse
from tests.builders import Make
from tests.crm_core.services.refusals import refusal


def test_starting_empty_leaves_settings_and_the_local_user(database):
    with database.write(note=workspace_service.DEMO) as session:
        make = Make(session)
        team = make.team()
        team.manager_id = make.user(team_id=team.id).id
        make.opportunity(lead_id=make.lead().id, company_id=make.company().id, contact_id=make.contact().id)
        settings_service.get_settings(session).has_demo_data = True

    with database.write(note="Started empty") as session:
        workspace_service.start_empty(session)

    with database.read() as session:
        left = {
            table.name
            for table in Base.metadata.sorted_tables
            if session.scalar(select(func.count()).select_from(table))
        }
        assert left == {
            Settings.__tablename__,
            StageSettings.__tablename__,
            CloseReason.__tablename__,
            "users",
            "transactions",
        }
        assert session.scalars(select(User.id)).all() == [LOCAL_USER_ID]
        assert session.scalars(select(Transaction.note)).all() == ["Started empty"]
        assert not settings_service.get_settings(session).has_demo_data
    assert check.findings(database) == []


@pytest.mark.parametrize("role", [Role.REP, Role.MANAGER])
def test_only_an_admin_empties_the_workspace(database, role):
    with database.write(note=workspace_service.DEMO) as session:
        actor = Make(session).user(role=role).id
        settings_service.get_settings(session).has_demo_data = True

    words = r"Only an admin can empty the workspace\. Ask Local user"
    with refusal(database, NeedsAdmin, words, actor=actor) as session:
        workspace_service.start_empty(session)


def test_the_admin_who_starts_empty_stays(database):
    with database.write(note=workspace_service.DEMO) as session:
        make = Make(session)
        team = make.team()
        make.user("Made up", team_id=team.id)
        actor = make.user("Ann Admin", role=Role.ADMIN, team_id=team.id).id
        settings_service.get_settings(session).has_demo_data = True

    with database.write(actor=actor) as session:
        workspace_service.start_empty(session)

    with database.read() as session:
        left = session.execute(select(User.id, User.team_id).order_by(User.id)).all()
        assert left == [(LOCAL_USER_ID, None), (actor, None)]
        assert session.scalars(select(Transaction.actor_id)).all() == [actor]
    assert check.findings(database) == []


def test_nobody_counts_deals_without_working_here(database):
    with database.read(actor=99) as session, pytest.raises(NotSignedIn):
        workspace_service.count_own_deals(session)


def test_a_workspace_of_ones_own_is_not_emptied(session, make):
    make.opportunity()

    with pytest.raises(WorkspaceIsInUse):
        workspace_service.start_empty(session)


def test_deals_of_ones_own_beside_the_demo_go_only_if_they_are_meant_to(database):
    with database.write(note=workspace_service.DEMO) as session:
        Make(session).opportunity(name="Made up")
        settings_service.get_settings(session).has_demo_data = True
    with database.write() as session:
        Make(session).opportunity(name="My own")

    with database.read() as session:
        assert workspace_service.count_own_deals(session) == 1
    with pytest.raises(WorkspaceIsInUse), database.write() as session:
        workspace_service.start_empty(session)
    with database.write() as session:
        workspace_service.start_empty(session, with_own_deals=True)

    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Base.metadata.tables["opportunities"])) == 0


def test_copies_of_the_embedded_database_never_replace_each_other(sqlite_url):
    database = Database(sqlite_url)
    with database.write() as session:
        Make(session).opportunity(name="Kept in the copy")

    first, second = database.back_up("copy"), database.back_up("copy")
    first.unlink()
    third = database.back_up("copy")

    assert second != third
    with Database(f"sqlite:///{third}").read() as session:
        assert session.scalar(select(func.count()).select_from(Base.metadata.tables["opportunities"])) == 1
