"""Who may do what, for every public function of the services and figures: a new one without a row fails here.

The records are Rita's. She is in the team North with Tom, and Max manages it; Sue is in another team. What a
refused user tried must leave the database as it was, even if the caller goes on and commits.
"""

import importlib
import inspect
import io
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy.orm import Session

import crm_core.analytics
import crm_core.services
from crm_core.analytics import (
    attention,
    axes,
    board,
    breakdowns,
    cards,
    dashboard,
    metrics,
    outcomes,
    pipeline,
    stats,
    wins,
)
from crm_core.analytics.metrics import METRICS, Days
from crm_core.database import Database
from crm_core.errors import CrmError, NotAllowed, NotFound, NotSignedIn
from crm_core.exporting import ExportFormat
from crm_core.filters import CompanyFilter, ContactFilter, LeadFilter, OpportunityFilter
from crm_core.models import LeadStatus, OpportunityStage, Outcome, Role, Settings, TargetPeriod, Visibility
from crm_core.periods import Period, PeriodChoice
from crm_core.schemas.company import CompanyCreate, CompanyUpdate
from crm_core.schemas.contact import ContactCreate, ContactUpdate
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.lead import LeadCreate, LeadUpdate
from crm_core.schemas.note import NoteCreate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.schemas.saved_view import SavedViewCreate, SavedViewUpdate, ViewDefinition
from crm_core.schemas.settings import (
    CloseReasonCreate,
    CloseReasonUpdate,
    SettingsUpdate,
    StageSettingsUpdate,
)
from crm_core.schemas.target import TargetSet, TargetUpdate
from crm_core.schemas.team import TeamCreate, TeamUpdate
from crm_core.schemas.user import UserCreate, UserUpdate
from crm_core.scope import scope_of
from crm_core.services import (
    board_service,
    company_service,
    contact_service,
    export_service,
    lead_service,
    note_service,
    opportunity_service,
    preference_service,
    saved_view_service,
    settings_service,
    target_service,
    team_service,
    token_service,
    undo_service,
    user_service,
    workspace_service,
)
from crm_core.services.records import NothingWasChanged
from crm_core.sorting import OpportunitySort
from tests.builders import Make
from tests.conftest import NOW, Discard
from tests.crm_core.importing.conftest import every_row

S = OpportunityStage
DAY = date(2026, 3, 18)
EVER = Period(date(2020, 1, 1), date(2030, 1, 1))
VIEW = SavedViewCreate(
    screen="deals", name="Mine", definition=ViewDefinition(query={}, columns=None), is_shared=True
)
QUARTER = Period(date(2026, 1, 1), date(2026, 4, 1))
NO_SESSION = {
    "key_text",
    "month_key",
    "size_key",
    "open_totals",
    "together",
    "worths",
    "stage_totals",
    "count_if",
    "closed_within",
    "closed_by_month",
    "is_open",
    "to_the_cent",
    "use_token",
}
"""Functions that reach nothing, and the one that finds out who calls."""


class Right(StrEnum):
    """What it takes to use a function."""

    ANYBODY = "whoever is signed in"
    READ = "whoever may read the record; to the others it does not exist"
    LIST = "whoever is signed in, but only what they may read is in the answer"
    CHANGE = "the owner, their manager, an admin"
    BULK = "the same, for many at once"
    ADMIN = "an admin"
    MANAGER = "the manager, an admin"
    MANAGER_SEES = "the same; to those who may not read it does not exist"
    MANAGER_LISTS = "whoever is signed in, but only what they manage is in the answer"
    OWNER = "oneself, or an admin"
    AUTHOR = "oneself alone"
    OWNER_SEES = "the same; to others it does not exist"
    OWNER_LISTS = "whoever is signed in, but only their own is in the answer"


@dataclass(frozen=True)
class World:
    """The keys of Rita's records, and of the people."""

    actors: dict[str, int]
    deal: int
    won: int
    gone: int
    company: int
    bare_company: int
    gone_company: int
    contact: int
    bare_contact: int
    gone_contact: int
    lead: int
    gone_lead: int
    team: int
    token: int
    view: int
    action: int
    target: int

    @property
    def rita(self) -> int:
        return self.actors["owner"]

    @property
    def quota(self) -> TargetSet:
        return TargetSet(user_id=self.rita, period=TargetPeriod.MONTH, starts_on=date(2026, 3, 1), amount=7)

    @property
    def deals(self) -> OpportunityFilter:
        return OpportunityFilter(owners={self.rita})


Use = Callable[[Session, World], Any]


def counted_by_any_figure(session: Session, where: OpportunityFilter) -> list[int]:
    """The ids of whatever any of the figures has counted, or would."""
    found: list[int] = []
    for name, metric in METRICS.items():
        period = QUARTER if metric.days is Days.WHOLE_MONTHS else None
        asked = [metrics.measure(session, name, where, period=period, explain=True).figure]
        while asked:
            figure = asked.pop()
            asked += figure.parts.values()
            groups = (figure.counted, figure.out_of, *figure.left_out.values(), *figure.apart.values())
            found += [record_id for group in groups for record_id in group.ids or []]
    return found


def counted(segments: Iterable[breakdowns.Segment]) -> list[int]:
    """The deals of each part of a chart that has any."""
    return [segment.deals for segment in segments if segment.deals]


def on_any_board(session: Session, where: OpportunityFilter) -> list[object]:
    """The cards, and whatever a column has counted."""
    found: list[object] = []
    for group_by in board.GroupBy:
        for order in board.CardOrder:
            columns = board.board(session, where, group_by=group_by, order=order)
            found += [column for column in columns if column.deals or column.cards]
    return found


opportunity, lead, company, contact = opportunity_service, lead_service, company_service, contact_service

MATRIX: dict[Callable[..., Any], tuple[Right, Use]] = {
    opportunity.create_opportunity: (
        Right.ANYBODY,
        lambda s, w: opportunity.create_opportunity(s, OpportunityCreate(name="New")),
    ),
    opportunity.get_opportunity: (Right.READ, lambda s, w: opportunity.get_opportunity(s, w.deal)),
    opportunity.get_opportunities: (
        Right.LIST,
        lambda s, w: opportunity.get_opportunities(s, w.deals).totals.deals,
    ),
    opportunity.get_row: (Right.READ, lambda s, w: opportunity.get_row(s, w.deal)),
    opportunity.get_rows: (Right.LIST, lambda s, w: opportunity.get_rows(s, w.deals)),
    opportunity.count_opportunities: (
        Right.LIST,
        lambda s, w: opportunity.count_opportunities(s, w.deals),
    ),
    opportunity.find_opportunity_ids: (
        Right.LIST,
        lambda s, w: opportunity.find_opportunity_ids(s, w.deals),
    ),
    opportunity.get_sources: (Right.LIST, lambda s, w: opportunity.get_sources(s)),
    opportunity.get_history: (Right.READ, lambda s, w: opportunity.get_history(s, w.deal)),
    opportunity.get_pipeline_stats: (
        Right.LIST,
        lambda s, w: opportunity.get_pipeline_stats(s, w.deals).open.deals,
    ),
    opportunity.update_opportunity: (
        Right.CHANGE,
        lambda s, w: opportunity.update_opportunity(s, w.deal, OpportunityUpdate(name="Other")),
    ),
    opportunity.move_opportunity: (
        Right.CHANGE,
        lambda s, w: opportunity.move_opportunity(s, w.deal, to=S.DISCOVERY),
    ),
    opportunity.close_opportunity: (
        Right.CHANGE,
        lambda s, w: opportunity.close_opportunity(s, w.deal, outcome=Outcome.WON),
    ),
    opportunity.reopen_opportunity: (
        Right.CHANGE,
        lambda s, w: opportunity.reopen_opportunity(s, w.won, to=S.DISCOVERY),
    ),
    opportunity.delete_opportunity: (Right.CHANGE, lambda s, w: opportunity.delete_opportunity(s, w.deal)),
    opportunity.restore_opportunity: (Right.CHANGE, lambda s, w: opportunity.restore_opportunity(s, w.gone)),
    opportunity.assign_opportunities: (
        Right.BULK,
        lambda s, w: opportunity.assign_opportunities(s, [w.deal], owner_id=None),
    ),
    opportunity.update_opportunities: (
        Right.BULK,
        lambda s, w: opportunity.update_opportunities(s, [w.deal], OpportunityUpdate(name="Other")),
    ),
    opportunity.close_opportunities: (
        Right.BULK,
        lambda s, w: opportunity.close_opportunities(s, [w.deal], outcome=Outcome.WON),
    ),
    opportunity.delete_opportunities: (
        Right.BULK,
        lambda s, w: opportunity.delete_opportunities(s, [w.deal]),
    ),
    opportunity.restore_opportunities: (
        Right.BULK,
        lambda s, w: opportunity.restore_opportunities(s, [w.gone]),
    ),
    opportunity.convert_lead_to_opportunity: (
        Right.CHANGE,
        lambda s, w: opportunity.convert_lead_to_opportunity(s, w.lead),
    ),
    opportunity.convert_leads: (Right.BULK, lambda s, w: opportunity.convert_leads(s, [w.lead])),
    opportunity.preview_conversion: (
        Right.CHANGE,
        lambda s, w: opportunity.preview_conversion(s, w.lead),
    ),
    lead.create_lead: (Right.ANYBODY, lambda s, w: lead.create_lead(s, LeadCreate(name="New"))),
    lead.get_lead: (Right.READ, lambda s, w: lead.get_lead(s, w.lead)),
    lead.get_leads: (Right.LIST, lambda s, w: lead.get_leads(s, LeadFilter(owners={w.rita})).total),
    lead.get_rows: (Right.LIST, lambda s, w: lead.get_rows(s, LeadFilter(owners={w.rita}))),
    lead.count_leads: (Right.LIST, lambda s, w: lead.count_leads(s, LeadFilter(owners={w.rita}))),
    lead.find_lead_ids: (Right.LIST, lambda s, w: lead.find_lead_ids(s, LeadFilter(owners={w.rita}))),
    lead.get_sources: (Right.LIST, lambda s, w: lead.get_sources(s)),
    lead.find_duplicates: (Right.LIST, lambda s, w: lead.find_duplicates(s, email="grace@example.com")),
    lead.get_history: (Right.READ, lambda s, w: lead.get_history(s, w.lead)),
    lead.update_lead: (Right.CHANGE, lambda s, w: lead.update_lead(s, w.lead, LeadUpdate(name="Other"))),
    lead.delete_lead: (Right.CHANGE, lambda s, w: lead.delete_lead(s, w.lead)),
    lead.restore_lead: (Right.CHANGE, lambda s, w: lead.restore_lead(s, w.gone_lead)),
    lead.assign_leads: (Right.BULK, lambda s, w: lead.assign_leads(s, [w.lead], owner_id=None)),
    lead.update_leads: (
        Right.BULK,
        lambda s, w: lead.update_leads(s, [w.lead], LeadUpdate(name="Other")),
    ),
    lead.delete_leads: (Right.BULK, lambda s, w: lead.delete_leads(s, [w.lead])),
    lead.restore_leads: (Right.BULK, lambda s, w: lead.restore_leads(s, [w.gone_lead])),
    company.create_company: (
        Right.ANYBODY,
        lambda s, w: company.create_company(s, CompanyCreate(name="New")),
    ),
    company.get_company: (Right.READ, lambda s, w: company.get_company(s, w.company)),
    company.get_companies: (
        Right.LIST,
        lambda s, w: company.get_companies(s, CompanyFilter(owners={w.rita})).total,
    ),
    company.get_rows: (Right.LIST, lambda s, w: company.get_rows(s, CompanyFilter(owners={w.rita}))),
    company.count_companies: (
        Right.LIST,
        lambda s, w: company.count_companies(s, CompanyFilter(owners={w.rita})),
    ),
    company.get_industries: (Right.LIST, lambda s, w: company.get_industries(s)),
    company.get_countries: (Right.LIST, lambda s, w: company.get_countries(s)),
    company.get_history: (Right.READ, lambda s, w: company.get_history(s, w.company)),
    company.get_whole_history: (Right.READ, lambda s, w: company.get_whole_history(s, w.company)),
    company.update_company: (
        Right.CHANGE,
        lambda s, w: company.update_company(s, w.company, CompanyUpdate(name="Other")),
    ),
    company.delete_company: (Right.CHANGE, lambda s, w: company.delete_company(s, w.bare_company)),
    company.restore_company: (Right.CHANGE, lambda s, w: company.restore_company(s, w.gone_company)),
    company.assign_companies: (
        Right.BULK,
        lambda s, w: company.assign_companies(s, [w.company], owner_id=None),
    ),
    company.update_companies: (
        Right.BULK,
        lambda s, w: company.update_companies(s, [w.company], CompanyUpdate(name="Other")),
    ),
    company.merge_companies: (
        Right.CHANGE,
        lambda s, w: company.merge_companies(s, w.bare_company, w.company),
    ),
    company.preview_merge: (
        Right.CHANGE,
        lambda s, w: company.preview_merge(s, w.bare_company, w.company),
    ),
    contact.create_contact: (
        Right.ANYBODY,
        lambda s, w: contact.create_contact(s, ContactCreate(name="New")),
    ),
    contact.get_contact: (Right.READ, lambda s, w: contact.get_contact(s, w.contact)),
    contact.get_contacts: (
        Right.LIST,
        lambda s, w: contact.get_contacts(s, ContactFilter(owners={w.rita})).total,
    ),
    contact.get_rows: (Right.LIST, lambda s, w: contact.get_rows(s, ContactFilter(owners={w.rita}))),
    contact.count_contacts: (
        Right.LIST,
        lambda s, w: contact.count_contacts(s, ContactFilter(owners={w.rita})),
    ),
    contact.get_history: (Right.READ, lambda s, w: contact.get_history(s, w.contact)),
    contact.update_contact: (
        Right.CHANGE,
        lambda s, w: contact.update_contact(s, w.contact, ContactUpdate(name="Other")),
    ),
    contact.delete_contact: (Right.CHANGE, lambda s, w: contact.delete_contact(s, w.bare_contact)),
    contact.restore_contact: (Right.CHANGE, lambda s, w: contact.restore_contact(s, w.gone_contact)),
    contact.assign_contacts: (
        Right.BULK,
        lambda s, w: contact.assign_contacts(s, [w.contact], owner_id=None),
    ),
    contact.update_contacts: (
        Right.BULK,
        lambda s, w: contact.update_contacts(s, [w.contact], ContactUpdate(name="Other")),
    ),
    contact.merge_contacts: (
        Right.CHANGE,
        lambda s, w: contact.merge_contacts(s, w.bare_contact, w.contact),
    ),
    contact.preview_merge: (
        Right.CHANGE,
        lambda s, w: contact.preview_merge(s, w.bare_contact, w.contact),
    ),
    note_service.add_note: (
        Right.READ,
        lambda s, w: note_service.add_note(s, NoteCreate(text="Called", opportunity_id=w.deal)),
    ),
    note_service.get_notes: (Right.READ, lambda s, w: note_service.get_notes(s, opportunity_id=w.deal)),
    settings_service.get_settings: (Right.ANYBODY, lambda s, w: settings_service.get_settings(s)),
    settings_service.get_workspace: (Right.ANYBODY, lambda s, w: settings_service.get_workspace(s)),
    settings_service.get_calendar: (Right.ANYBODY, lambda s, w: settings_service.get_calendar(s)),
    settings_service.get_all_stage_settings: (
        Right.ANYBODY,
        lambda s, w: settings_service.get_all_stage_settings(s),
    ),
    settings_service.get_stage_settings: (
        Right.ANYBODY,
        lambda s, w: settings_service.get_stage_settings(s, S.PROPOSAL),
    ),
    settings_service.default_probability: (
        Right.ANYBODY,
        lambda s, w: settings_service.default_probability(s, S.PROPOSAL),
    ),
    settings_service.probability_after_move: (
        Right.ANYBODY,
        lambda s, w: settings_service.probability_after_move(s, S.PROPOSAL),
    ),
    settings_service.get_close_reasons: (
        Right.ANYBODY,
        lambda s, w: settings_service.get_close_reasons(s, Outcome.LOST),
    ),
    settings_service.get_close_reason: (Right.ANYBODY, lambda s, w: settings_service.get_close_reason(s, 1)),
    settings_service.update_settings: (
        Right.ADMIN,
        lambda s, w: settings_service.update_settings(s, SettingsUpdate(currency="EUR")),
    ),
    settings_service.update_stage_settings: (
        Right.ADMIN,
        lambda s, w: settings_service.update_stage_settings(
            s, S.PROPOSAL, StageSettingsUpdate(default_probability=55)
        ),
    ),
    settings_service.create_close_reason: (
        Right.ADMIN,
        lambda s, w: settings_service.create_close_reason(
            s, CloseReasonCreate(outcome=Outcome.LOST, label="Weather")
        ),
    ),
    settings_service.update_close_reason: (
        Right.ADMIN,
        lambda s, w: settings_service.update_close_reason(s, 1, CloseReasonUpdate(label="Weather")),
    ),
    user_service.create_user: (
        Right.ADMIN,
        lambda s, w: user_service.create_user(s, UserCreate(name="New")),
    ),
    user_service.get_user: (Right.ANYBODY, lambda s, w: user_service.get_user(s, w.rita)),
    user_service.get_user_called: (
        Right.ANYBODY,
        lambda s, w: user_service.get_user_called(s, "RITA@example.com"),
    ),
    user_service.get_users: (Right.ANYBODY, lambda s, w: user_service.get_users(s)),
    user_service.get_owners: (Right.ANYBODY, lambda s, w: user_service.get_owners(s)),
    user_service.update_user: (
        Right.ADMIN,
        lambda s, w: user_service.update_user(s, w.rita, UserUpdate(role=Role.ADMIN)),
    ),
    team_service.create_team: (Right.ADMIN, lambda s, w: team_service.create_team(s, TeamCreate(name="New"))),
    team_service.get_team: (Right.ANYBODY, lambda s, w: team_service.get_team(s, w.team)),
    team_service.get_teams: (Right.ANYBODY, lambda s, w: team_service.get_teams(s)),
    team_service.update_team: (
        Right.ADMIN,
        lambda s, w: team_service.update_team(s, w.team, TeamUpdate(name="Other")),
    ),
    team_service.delete_team: (Right.ADMIN, lambda s, w: team_service.delete_team(s, w.team + 2)),
    target_service.get_targets: (Right.LIST, lambda s, w: target_service.get_targets(s)),
    target_service.get_target: (Right.READ, lambda s, w: target_service.get_target(s, w.target)),
    target_service.get_holders: (Right.MANAGER_LISTS, lambda s, w: target_service.get_holders(s)),
    target_service.find_target: (Right.LIST, lambda s, w: target_service.find_target(s, w.quota)),
    target_service.set_target: (Right.MANAGER, lambda s, w: target_service.set_target(s, w.quota)),
    target_service.update_target: (
        Right.MANAGER_SEES,
        lambda s, w: target_service.update_target(s, w.target, TargetUpdate(amount=5)),
    ),
    target_service.delete_target: (
        Right.MANAGER_SEES,
        lambda s, w: target_service.delete_target(s, w.target),
    ),
    token_service.create_token: (Right.OWNER, lambda s, w: token_service.create_token(s, w.rita)),
    token_service.get_tokens: (Right.OWNER_LISTS, lambda s, w: token_service.get_tokens(s)),
    token_service.revoke_token: (Right.OWNER_SEES, lambda s, w: token_service.revoke_token(s, w.token)),
    saved_view_service.get_views: (Right.ANYBODY, lambda s, w: saved_view_service.get_views(s, "deals")),
    saved_view_service.find_default: (
        Right.ANYBODY,
        lambda s, w: saved_view_service.find_default(s, "deals"),
    ),
    saved_view_service.create_view: (Right.ANYBODY, lambda s, w: saved_view_service.create_view(s, VIEW)),
    saved_view_service.update_view: (
        Right.OWNER,
        lambda s, w: saved_view_service.update_view(s, w.view, SavedViewUpdate(name="Other")),
    ),
    saved_view_service.delete_view: (Right.OWNER, lambda s, w: saved_view_service.delete_view(s, w.view)),
    export_service.export: (
        Right.LIST,
        lambda s, w: export_service.export(
            s, w.deals, OpportunitySort.NAME, io.BytesIO(), format=ExportFormat.CSV
        ),
    ),
    undo_service.current_transaction: (Right.ANYBODY, lambda s, w: undo_service.current_transaction(s)),
    undo_service.undo: (Right.AUTHOR, lambda s, w: undo_service.undo(s, w.action)),
    preference_service.find_preference: (
        Right.ANYBODY,
        lambda s, w: preference_service.find_preference(s, "deals"),
    ),
    preference_service.set_preference: (
        Right.ANYBODY,
        lambda s, w: preference_service.set_preference(s, "deals", {"columns": ["name"]}),
    ),
    preference_service.find_preferences: (
        Right.ANYBODY,
        lambda s, w: preference_service.find_preferences(s, "board."),
    ),
    board_service.drop: (
        Right.CHANGE,
        lambda s, w: board_service.drop(s, w.deal, group_by=board.GroupBy.STAGE, to="discovery"),
    ),
    board_service.keep_order: (
        Right.ANYBODY,
        lambda s, w: board_service.keep_order(s, board.GroupBy.STAGE, "proposal", [w.deal]),
    ),
    board_service.find_orders: (
        Right.ANYBODY,
        lambda s, w: board_service.find_orders(s, board.GroupBy.STAGE),
    ),
    workspace_service.count_own_deals: (Right.ANYBODY, lambda s, w: workspace_service.count_own_deals(s)),
    workspace_service.start_empty: (
        Right.ADMIN,
        lambda s, w: workspace_service.start_empty(s, with_own_deals=True),
    ),
    board.board: (Right.LIST, lambda s, w: on_any_board(s, w.deals)),
    board.worths_by_key: (
        Right.LIST,
        lambda s, w: board.worths_by_key(axes.BySize(s, w.deals, scope_of(s, w.deals))),
    ),
    cards.cards_of: (Right.LIST, lambda s, w: cards.cards_of(s, scope_of(s, w.deals), [w.deal, w.won])),
    dashboard.overview: (
        Right.LIST,
        lambda s, w: dashboard.overview(s, PeriodChoice.ALL_TIME, w.deals).open.deals,
    ),
    attention.attention: (
        Right.LIST,
        lambda s, w: [
            need.totals.deals for need in attention.attention(s, w.deals).needs if need.totals.deals
        ],
    ),
    breakdowns.by_stage: (Right.LIST, lambda s, w: counted(breakdowns.by_stage(s, w.deals))),
    breakdowns.by_expected_close: (
        Right.LIST,
        lambda s, w: counted(breakdowns.by_expected_close(s, w.deals)),
    ),
    breakdowns.win_rate_by_owner: (
        Right.LIST,
        lambda s, w: [each.rate.n for each in breakdowns.win_rate_by_owner(s, EVER, w.deals)],
    ),
    breakdowns.lost_reasons: (Right.LIST, lambda s, w: counted(breakdowns.lost_reasons(s, EVER, w.deals))),
    breakdowns.funnel: (Right.LIST, lambda s, w: counted(breakdowns.funnel(s, EVER, w.deals))),
    breakdowns.time_in_stage: (
        Right.LIST,
        lambda s, w: sum(each.stays for each in breakdowns.time_in_stage(s, EVER, w.deals)),
    ),
    outcomes.closed_in: (Right.LIST, lambda s, w: outcomes.closed_in(s, EVER, w.deals).won),
    outcomes.closed_in_each: (Right.LIST, lambda s, w: outcomes.closed_in_each(s, [EVER], w.deals)[EVER].won),
    outcomes.first_day: (Right.LIST, lambda s, w: outcomes.first_day(s)),
    pipeline.totals: (Right.LIST, lambda s, w: pipeline.totals(s, w.deals).deals),
    pipeline.by_stage: (Right.LIST, lambda s, w: pipeline.by_stage(s, w.deals)["deals"].sum()),
    pipeline.list_totals: (Right.LIST, lambda s, w: pipeline.list_totals(s, w.deals).deals),
    pipeline.groups: (Right.LIST, lambda s, w: pipeline.groups(s, w.deals)),
    metrics.measure: (Right.LIST, lambda s, w: counted_by_any_figure(s, w.deals)),
    stats.pipeline_stats: (Right.LIST, lambda s, w: stats.pipeline_stats(s, w.deals).open.deals),
    wins.wins_in: (Right.LIST, lambda s, w: wins.wins_in(s, EVER, w.deals).deals),
    wins.wins_in_each: (Right.LIST, lambda s, w: wins.wins_in_each(s, [EVER], w.deals)[EVER].deals),
}

ACTORS = ("nobody", "stranger", "teammate", "owner", "manager", "admin", "deactivated")
MANAGE = {"manager", "admin"}
MAY_CHANGE = {"owner", *MANAGE}
MAY_READ = {
    Visibility.ALL: {*MAY_CHANGE, "teammate", "stranger"},
    Visibility.TEAM: {*MAY_CHANGE, "teammate"},
    Visibility.OWN: MAY_CHANGE,
}
ALLOWED, EMPTY = "allowed", "allowed, and nothing is in it"


def expected(right: Right, actor: str, visibility: Visibility) -> str | type[CrmError]:
    if actor in ("nobody", "deactivated"):
        return NotSignedIn
    reads, changes = actor in MAY_READ[visibility], actor in MAY_CHANGE
    match right:
        case Right.ANYBODY:
            return ALLOWED
        case Right.ADMIN:
            return ALLOWED if actor == "admin" else NotAllowed
        case Right.OWNER:
            return ALLOWED if actor in ("owner", "admin") else NotAllowed
        case Right.MANAGER:
            return ALLOWED if actor in MANAGE else NotAllowed
        case Right.MANAGER_SEES:
            return ALLOWED if actor in MANAGE else NotAllowed if reads else NotFound
        case Right.MANAGER_LISTS:
            return ALLOWED if actor in MANAGE else EMPTY
        case Right.AUTHOR:
            return ALLOWED if actor == "owner" else NotAllowed
        case Right.OWNER_SEES:
            return ALLOWED if actor in ("owner", "admin") else NotFound
        case Right.OWNER_LISTS:
            return ALLOWED if actor in ("owner", "admin") else EMPTY
        case Right.LIST:
            return ALLOWED if reads else EMPTY
        case Right.READ:
            return ALLOWED if reads else NotFound
        case Right.CHANGE | Right.BULK:
            return ALLOWED if changes else NotAllowed if reads else NotFound


def public_functions() -> Iterator[Callable[..., Any]]:
    """Every function that a screen, a route or a script may call."""
    for package, ending in ((crm_core.services, "_service"), (crm_core.analytics, "")):
        for found in pkgutil.iter_modules(package.__path__):
            if not found.name.endswith(ending):
                continue
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ == module.__name__ and not name.startswith("_"):
                    yield function


def test_every_public_function_has_its_row():
    assert {each for each in public_functions() if each.__name__ not in NO_SESSION} == set(MATRIX)


@pytest.fixture
def world(database: Database) -> World:
    with database.write(at=NOW) as session:
        make = Make(session)
        north, south, _ = (make.team(name).id for name in ("North", "South", "Nobody's"))
        rita = make.user("Rita", email="rita@example.com", team_id=north).id
        actors = {
            "nobody": 2**31 - 1,
            "stranger": make.user("Sue", team_id=south).id,
            "teammate": make.user("Tom", team_id=north).id,
            "owner": rita,
            "manager": make.user("Max", team_id=north, role=Role.MANAGER).id,
            "admin": make.user("Ada", role=Role.ADMIN).id,
            "deactivated": make.user("Dan", team_id=north, role=Role.ADMIN, is_active=False).id,
        }
        settings_service.get_settings(session).has_demo_data = True
    with database.write(at=NOW, actor=rita) as session:
        view = saved_view_service.create_view(session, VIEW.model_copy(update={"name": "Rita's"})).id
        lead_service.create_lead(session, LeadCreate(name="Hers", owner_id=rita))
        action = undo_service.current_transaction(session)
    with database.write(at=NOW) as session:
        make = Make(session)
        acme = make.company("Acme", owner_id=rita, industry="Energy", country="Chile").id
        person = make.contact("Paul", company_id=acme, owner_id=rita).id
        deal = {"company_id": acme, "contact_id": person, "owner_id": rita, "source": "Web"}
        make.lost(5, **deal)
        return World(
            actors=actors,
            deal=make.opportunity(stage=S.PROPOSAL, **deal).id,
            won=make.won(5, **deal).id,
            gone=make.opportunity(deleted_at=NOW, **deal).id,
            company=acme,
            bare_company=make.company("Bare", owner_id=rita).id,
            gone_company=make.company("Gone", owner_id=rita, deleted_at=NOW).id,
            contact=person,
            bare_contact=make.contact("Bea", owner_id=rita).id,
            gone_contact=make.contact("Gil", owner_id=rita, deleted_at=NOW).id,
            lead=make.lead(
                status=LeadStatus.QUALIFIED, owner_id=rita, source="Web", email="grace@example.com"
            ).id,
            gone_lead=make.lead(owner_id=rita, deleted_at=NOW).id,
            team=north,
            token=token_service.create_token(session, rita).token.id,
            view=view,
            action=action,
            target=make.target(7, user_id=rita).id,
        )


@pytest.mark.parametrize("function", MATRIX, ids=lambda each: f"{each.__module__[9:]}.{each.__name__}")
def test_who_may(database, world, function):
    right, use = MATRIX[function]
    for visibility in Visibility:
        with database.write() as session:
            session.get_one(Settings, 1).visibility = visibility
        before = every_row(database)
        for actor in ACTORS:
            outcome = tried(database, world, actor, right, use)
            assert (visibility, actor, outcome) == (visibility, actor, expected(right, actor, visibility))
        assert every_row(database) == before


def tried(database: Database, world: World, actor: str, right: Right, use: Use) -> str | type[CrmError]:
    """What came of it. What was allowed is thrown away; after a refusal the caller goes on and commits."""
    with suppress(Discard), database.write(actor=world.actors[actor]) as session:
        try:
            answer = use(session, world)
        except NothingWasChanged as refusal:
            return kind_of(refusal.refusals[next(iter(refusal.refusals))])
        except CrmError as refusal:
            return kind_of(refusal)
        if right in (Right.LIST, Right.OWNER_LISTS, Right.MANAGER_LISTS) and not answer:
            return EMPTY
        raise Discard
    return ALLOWED


def kind_of(refusal: CrmError) -> type[CrmError]:
    return next(kind for kind in (NotSignedIn, NotAllowed, NotFound, CrmError) if isinstance(refusal, kind))


@pytest.mark.parametrize(
    "draft",
    [
        lambda w: OpportunityCreate(name="New", company_id=w.company),
        lambda w: OpportunityCreate(name="New", contact_id=w.contact),
    ],
    ids=["company", "contact"],
)
def test_nobody_points_to_what_they_may_not_read(database, world, draft):
    with database.write() as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN

    with database.write(actor=world.actors["stranger"]) as session, pytest.raises(NotFound):
        opportunity_service.create_opportunity(session, draft(world))


@pytest.mark.parametrize(
    "choice",
    [
        lambda w: ConversionChoice(company_id=w.company),
        lambda w: ConversionChoice(contact_id=w.contact),
        lambda w: ConversionChoice(opportunity_id=w.deal),
    ],
    ids=["company", "contact", "opportunity"],
)
def test_nobody_converts_into_what_they_may_not_read(database, world, choice):
    with database.write() as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN
        lead_id = Make(session).lead(status=LeadStatus.QUALIFIED, owner_id=world.actors["stranger"]).id

    with database.write(actor=world.actors["stranger"]) as session, pytest.raises(NotFound):
        opportunity_service.convert_lead_to_opportunity(session, lead_id, choice(world))
