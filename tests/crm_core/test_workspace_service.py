"""Demo data can go as a whole; anything else can't."""

import pytest
from sqlalchemy import func, select

from crm_core import check
from crm_core.database import Database
from crm_core.models import LOCAL_USER_ID, Base, CloseReason, Settings, StageSettings, Transaction, User
from crm_core.services import settings_service, workspace_service
from crm_core.services.workspace_service import WorkspaceIsInUse
from tests.builders import Make


def test_starting_empty_leaves_settings_and_the_local_user(database):
    with database.write() as session:
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


def test_a_workspace_of_ones_own_is_not_emptied(session, make):
    make.opportunity()

    with pytest.raises(WorkspaceIsInUse):
        workspace_service.start_empty(session)


def test_a_copy_lies_beside_the_embedded_database_before_it_is_emptied(sqlite_url):
    database = Database(sqlite_url)
    with database.write() as session:
        Make(session).opportunity(name="Kept in the copy")

    copies = [workspace_service.back_up(database) for _ in range(2)]

    assert len(set(copies)) == 2
    with Database(f"sqlite:///{copies[0]}").read() as session:
        assert session.scalar(select(func.count()).select_from(Base.metadata.tables["opportunities"])) == 1
