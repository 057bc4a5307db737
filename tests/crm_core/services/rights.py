"""What it takes to use each public function of the services and figures: one row each.

The records are Rita's.
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

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
from crm_core.exporting import ExportFormat
from crm_core.filters import CompanyFilter, ContactFilter, LeadFilter, OpportunityFilter
from crm_core.models import OpportunityStage, Outcome, Role, TargetPeriod
from crm_core.periods import Period, PeriodChoice
from crm_core.schemas.company import CompanyCreate, CompanyUpdate
from crm_core.schemas.contact import ContactCreate, ContactUpdate
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
from crm_core.services import board_service, export_service
from crm_core.services import company_service as company
from crm_core.services import contact_service as contact
from crm_core.services import idempotency_service as idempotency
from crm_core.services import lead_service as lead
from crm_core.services import note_service as note
from crm_core.services import opportunity_service as opportunity
from crm_core.services import preference_service as preference
from crm_core.services import saved_view_service as views
from crm_core.services import settings_service as settings
from crm_core.services import target_service as target
from crm_core.services import team_service as team
from crm_core.services import token_service as token
from crm_core.services import undo_service as undo
from crm_core.services import user_service as user
from crm_core.services import workspace_service as workspace
from crm_core.sorting import OpportunitySort

S = OpportunityStage
DAY = date(2026, 3, 18)
EVER = Period(date(2020, 1, 1), date(2030, 1, 1))
VIEW = SavedViewCreate(
    screen="deals", name="Mine", definition=ViewDefinition(query={}, columns=None), is_shared=True
)
QUARTER = Period(date(2026, 1, 1), date(2026, 4, 1))


class Right(StrEnum):
    """What it takes to use a function."""

    ANYBODY = "everybody who is signed in"
    READ = "those who may read the record; to the others it does not exist"
    LIST = "everybody who is signed in, but only what they may read is in the answer"
    CHANGE = "the owner, their manager, an admin"
    BULK = "the same, for many at once"
    ADMIN = "an admin"
    MANAGER = "the manager, an admin"
    MANAGER_SEES = "the same; to those who may not read it does not exist"
    MANAGER_LISTS = "everybody who is signed in, but only what they manage is in the answer"
    OWNER = "oneself, or an admin"
    AUTHOR = "oneself alone"
    OWNER_SEES = "the same; to others it does not exist"
    OWNER_LISTS = "everybody who is signed in, but only their own is in the answer"


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


def is_counted_by_a_figure(session: Session, where: OpportunityFilter) -> bool:
    """Whether any of the figures has counted a record, or would."""
    for name, metric in METRICS.items():
        period = QUARTER if metric.days is Days.WHOLE_MONTHS else None
        asked = [metrics.measure(session, name, where, period=period, explain=True).figure]
        while asked:
            figure = asked.pop()
            asked += figure.parts.values()
            groups = (figure.counted, figure.out_of, *figure.left_out.values(), *figure.apart.values())
            if any(group.ids for group in groups):
                return True
    return False


def counted(segments: Iterable[breakdowns.Segment]) -> list[int]:
    """The deals of each part of a chart that has any."""
    return [segment.deals for segment in segments if segment.deals]


def is_on_a_board(session: Session, where: OpportunityFilter) -> bool:
    """Whether any board has a card, or a column that has counted one."""
    return any(
        column.deals or column.cards
        for group_by in board.GroupBy
        for order in board.CardOrder
        for column in board.board(session, where, group_by=group_by, order=order)
    )


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
    opportunity.count_opportunities: (Right.LIST, lambda s, w: opportunity.count_opportunities(s, w.deals)),
    opportunity.find_opportunity_ids: (Right.LIST, lambda s, w: opportunity.find_opportunity_ids(s, w.deals)),
    opportunity.get_sources: (Right.LIST, lambda s, w: opportunity.get_sources(s)),
    opportunity.get_history: (Right.READ, lambda s, w: opportunity.get_history(s, w.deal)),
    opportunity.get_whole_history: (Right.READ, lambda s, w: opportunity.get_whole_history(s, w.deal)),
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
    opportunity.preview_conversion: (Right.CHANGE, lambda s, w: opportunity.preview_conversion(s, w.lead)),
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
    lead.update_leads: (Right.BULK, lambda s, w: lead.update_leads(s, [w.lead], LeadUpdate(name="Other"))),
    lead.delete_leads: (Right.BULK, lambda s, w: lead.delete_leads(s, [w.lead])),
    lead.restore_leads: (Right.BULK, lambda s, w: lead.restore_leads(s, [w.gone_lead])),
    company.create_company: (
        Right.ANYBODY,
        lambda s, w: company.create_company(s, CompanyCreate(name="New")),
    ),
    company.get_company: (Right.READ, lambda s, w: company.get_company(s, w.company)),
    company.get_standing_company: (Right.READ, lambda s, w: company.get_standing_company(s, w.company)),
    company.get_companies: (
        Right.LIST,
        lambda s, w: company.get_companies(s, CompanyFilter(owners={w.rita})).total,
    ),
    company.get_rows: (Right.LIST, lambda s, w: company.get_rows(s, CompanyFilter(owners={w.rita}))),
    company.count_companies: (
        Right.LIST,
        lambda s, w: company.count_companies(s, CompanyFilter(owners={w.rita})),
    ),
    company.find_duplicates: (Right.LIST, lambda s, w: company.find_duplicates(s, name="Acme")),
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
    company.preview_merge: (Right.CHANGE, lambda s, w: company.preview_merge(s, w.bare_company, w.company)),
    contact.create_contact: (
        Right.ANYBODY,
        lambda s, w: contact.create_contact(s, ContactCreate(name="New")),
    ),
    contact.get_contact: (Right.READ, lambda s, w: contact.get_contact(s, w.contact)),
    contact.get_standing_contact: (Right.READ, lambda s, w: contact.get_standing_contact(s, w.contact)),
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
    contact.get_whole_history: (Right.READ, lambda s, w: contact.get_whole_history(s, w.contact)),
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
    contact.merge_contacts: (Right.CHANGE, lambda s, w: contact.merge_contacts(s, w.bare_contact, w.contact)),
    contact.find_duplicates: (Right.LIST, lambda s, w: contact.find_duplicates(s, email="grace@example.com")),
    contact.preview_merge: (Right.CHANGE, lambda s, w: contact.preview_merge(s, w.bare_contact, w.contact)),
    note.add_note: (
        Right.READ,
        lambda s, w: note.add_note(s, NoteCreate(text="Called", opportunity_id=w.deal)),
    ),
    note.get_notes: (Right.READ, lambda s, w: note.get_notes(s, opportunity_id=w.deal)),
    settings.get_settings: (Right.ANYBODY, lambda s, w: settings.get_settings(s)),
    settings.get_workspace: (Right.ANYBODY, lambda s, w: settings.get_workspace(s)),
    settings.get_calendar: (Right.ANYBODY, lambda s, w: settings.get_calendar(s)),
    settings.get_currency: (Right.ANYBODY, lambda s, w: settings.get_currency(s)),
    settings.require_amounts: (
        Right.ANYBODY,
        lambda s, w: settings.require_amounts(s, LeadCreate(name="Lea")),
    ),
    settings.preview_relabelling: (Right.ADMIN, lambda s, w: settings.preview_relabelling(s, "EUR")),
    settings.get_all_stage_settings: (Right.ANYBODY, lambda s, w: settings.get_all_stage_settings(s)),
    settings.get_stage_settings: (Right.ANYBODY, lambda s, w: settings.get_stage_settings(s, S.PROPOSAL)),
    settings.default_probability: (Right.ANYBODY, lambda s, w: settings.default_probability(s, S.PROPOSAL)),
    settings.probability_after_move: (
        Right.ANYBODY,
        lambda s, w: settings.probability_after_move(s, S.PROPOSAL),
    ),
    settings.get_close_reasons: (Right.ANYBODY, lambda s, w: settings.get_close_reasons(s, Outcome.LOST)),
    settings.get_close_reason: (Right.ANYBODY, lambda s, w: settings.get_close_reason(s, 1)),
    settings.update_settings: (
        Right.ADMIN,
        lambda s, w: settings.update_settings(s, SettingsUpdate(currency="EUR")),
    ),
    settings.update_stage_settings: (
        Right.ADMIN,
        lambda s, w: settings.update_stage_settings(
            s, S.PROPOSAL, StageSettingsUpdate(default_probability=55)
        ),
    ),
    settings.create_close_reason: (
        Right.ADMIN,
        lambda s, w: settings.create_close_reason(
            s, CloseReasonCreate(outcome=Outcome.LOST, label="Weather")
        ),
    ),
    settings.update_close_reason: (
        Right.ADMIN,
        lambda s, w: settings.update_close_reason(s, 1, CloseReasonUpdate(label="Weather")),
    ),
    user.create_user: (Right.ADMIN, lambda s, w: user.create_user(s, UserCreate(name="New"))),
    user.get_user: (Right.ANYBODY, lambda s, w: user.get_user(s, w.rita)),
    user.get_user_called: (Right.ANYBODY, lambda s, w: user.get_user_called(s, "RITA@example.com")),
    user.get_users: (Right.ANYBODY, lambda s, w: user.get_users(s)),
    user.get_owners: (Right.ANYBODY, lambda s, w: user.get_owners(s)),
    user.update_user: (Right.ADMIN, lambda s, w: user.update_user(s, w.rita, UserUpdate(role=Role.ADMIN))),
    team.create_team: (Right.ADMIN, lambda s, w: team.create_team(s, TeamCreate(name="New"))),
    team.get_team: (Right.ANYBODY, lambda s, w: team.get_team(s, w.team)),
    team.get_teams: (Right.ANYBODY, lambda s, w: team.get_teams(s)),
    team.update_team: (Right.ADMIN, lambda s, w: team.update_team(s, w.team, TeamUpdate(name="Other"))),
    team.delete_team: (Right.ADMIN, lambda s, w: team.delete_team(s, w.team + 2)),
    target.get_targets: (Right.LIST, lambda s, w: target.get_targets(s)),
    target.get_target: (Right.READ, lambda s, w: target.get_target(s, w.target)),
    target.get_holders: (Right.MANAGER_LISTS, lambda s, w: target.get_holders(s)),
    target.find_target: (Right.LIST, lambda s, w: target.find_target(s, w.quota)),
    target.set_target: (Right.MANAGER, lambda s, w: target.set_target(s, w.quota)),
    target.update_target: (
        Right.MANAGER_SEES,
        lambda s, w: target.update_target(s, w.target, TargetUpdate(amount=5)),
    ),
    target.delete_target: (Right.MANAGER_SEES, lambda s, w: target.delete_target(s, w.target)),
    token.create_token: (Right.OWNER, lambda s, w: token.create_token(s, w.rita)),
    token.get_tokens: (Right.OWNER_LISTS, lambda s, w: token.get_tokens(s)),
    token.revoke_token: (Right.OWNER_SEES, lambda s, w: token.revoke_token(s, w.token)),
    views.get_views: (Right.ANYBODY, lambda s, w: views.get_views(s, "deals")),
    views.find_default: (Right.ANYBODY, lambda s, w: views.find_default(s, "deals")),
    views.create_view: (Right.ANYBODY, lambda s, w: views.create_view(s, VIEW)),
    views.update_view: (
        Right.OWNER,
        lambda s, w: views.update_view(s, w.view, SavedViewUpdate(name="Other")),
    ),
    views.delete_view: (Right.OWNER, lambda s, w: views.delete_view(s, w.view)),
    export_service.export: (
        Right.LIST,
        lambda s, w: export_service.export(
            s, w.deals, OpportunitySort.NAME, io.BytesIO(), format=ExportFormat.CSV
        ),
    ),
    undo.current_transaction: (Right.ANYBODY, lambda s, w: undo.current_transaction(s)),
    undo.undo: (Right.AUTHOR, lambda s, w: undo.undo(s, w.action)),
    preference.find_preference: (Right.ANYBODY, lambda s, w: preference.find_preference(s, "deals")),
    preference.set_preference: (
        Right.ANYBODY,
        lambda s, w: preference.set_preference(s, "deals", {"columns": ["name"]}),
    ),
    preference.find_preferences: (Right.ANYBODY, lambda s, w: preference.find_preferences(s, "board.")),
    idempotency.find_answer: (Right.ANYBODY, lambda s, w: idempotency.find_answer(s, "key", "request")),
    idempotency.keep_answer: (
        Right.ANYBODY,
        lambda s, w: idempotency.keep_answer(s, "key", "request", {"status": 200}),
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
    workspace.count_own_deals: (Right.ANYBODY, lambda s, w: workspace.count_own_deals(s)),
    workspace.start_empty: (Right.ADMIN, lambda s, w: workspace.start_empty(s, with_own_deals=True)),
    board.board: (Right.LIST, lambda s, w: is_on_a_board(s, w.deals)),
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
    breakdowns.funnel: (Right.LIST, lambda s, w: counted(breakdowns.funnel(s, EVER, w.deals).segments)),
    breakdowns.time_in_stage: (
        Right.LIST,
        lambda s, w: sum(each.stays for each in breakdowns.time_in_stage(s, EVER, w.deals).stages),
    ),
    outcomes.closed_in: (Right.LIST, lambda s, w: outcomes.closed_in(s, EVER, w.deals).won),
    outcomes.closed_in_each: (Right.LIST, lambda s, w: outcomes.closed_in_each(s, [EVER], w.deals)[EVER].won),
    outcomes.has_losses: (Right.LIST, lambda s, w: outcomes.has_losses(s)),
    outcomes.first_day: (Right.LIST, lambda s, w: outcomes.first_day(s)),
    pipeline.totals: (Right.LIST, lambda s, w: pipeline.totals(s, w.deals).deals),
    pipeline.by_stage: (Right.LIST, lambda s, w: pipeline.by_stage(s, w.deals)["deals"].sum()),
    pipeline.list_totals: (Right.LIST, lambda s, w: pipeline.list_totals(s, w.deals).deals),
    pipeline.groups: (Right.LIST, lambda s, w: pipeline.groups(s, w.deals)),
    metrics.measure: (Right.LIST, lambda s, w: is_counted_by_a_figure(s, w.deals)),
    stats.pipeline_stats: (Right.LIST, lambda s, w: stats.pipeline_stats(s, w.deals).open.deals),
    wins.wins_in: (Right.LIST, lambda s, w: wins.wins_in(s, EVER, w.deals).deals),
    wins.wins_in_each: (Right.LIST, lambda s, w: wins.wins_in_each(s, [EVER], w.deals)[EVER].deals),
}
