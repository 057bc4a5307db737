"""Create every table: the records and their versions, the transaction log, and what people set.

Two foreign keys close a circle (a team has a manager who is in a team; a lead leads to an opportunity that
came from a lead), so PostgreSQL gets them after the tables; SQLite takes them with the table.
A new workspace starts with settings, stages, reasons to close, and the local user.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CIRCLES = (
    ("fk_teams_manager_id", "teams", "manager_id", "users"),
    ("fk_leads_opportunity_id", "leads", "opportunity_id", "opportunities"),
)
TABLES = (
    "close_reasons",
    "settings",
    "stage_settings",
    "teams",
    "users",
    "api_tokens",
    "companies",
    "idempotency_keys",
    "leads",
    "preferences",
    "saved_views",
    "targets",
    "transactions",
    "company_versions",
    "contact_versions",
    "contacts",
    "lead_versions",
    "opportunity_versions",
    "opportunities",
    "notes",
)

STAGES = (  # stage, default probability, stale after days, can be won from here
    ("qualification", 10, 14, False),
    ("discovery", 25, 14, False),
    ("proposal", 50, 10, True),
    ("negotiation", 75, 10, True),
    ("closed_won", 100, None, False),
    ("closed_lost", 0, None, False),
)
REASONS = {
    "won": ("Price", "Product fit", "Relationship", "Service", "Timing", "Other"),
    "lost": (
        "Price",
        "Competitor",
        "No budget",
        "No decision",
        "Missing feature",
        "Bad timing",
        "Unresponsive",
        "Poor fit",
        "Duplicate or test",
        "Other",
    ),
}


def upgrade() -> None:
    op.create_table(
        "close_reasons",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum("won", "lost", name="outcome", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("needs_note", sa.Boolean(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "length(trim(label)) > 0 AND length(label) <= 100", name=op.f("ck_close_reasons_label_is_filled")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_close_reasons")),
        sa.UniqueConstraint("outcome", "label", name=op.f("uq_close_reasons_outcome_label")),
    )
    op.create_table(
        "settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("locale", sa.String(20), nullable=False),
        sa.Column("fiscal_year_start_month", sa.Integer(), nullable=False),
        sa.Column("probability_follows_stage", sa.Boolean(), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum(
                "all", "team", "own", name="visibility", native_enum=False, create_constraint=True, length=30
            ),
            nullable=False,
        ),
        sa.Column("has_demo_data", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "fiscal_year_start_month BETWEEN 1 AND 12", name=op.f("ck_settings_fiscal_year_starts_in_a_month")
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_settings_there_is_one_row")),
        sa.CheckConstraint("length(currency) = 3", name=op.f("ck_settings_currency_is_iso_4217")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings")),
    )
    op.create_table(
        "stage_settings",
        sa.Column(
            "stage",
            sa.Enum(
                "qualification",
                "discovery",
                "proposal",
                "negotiation",
                "closed_won",
                "closed_lost",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("default_probability", sa.Integer(), nullable=False),
        sa.Column("stale_after_days", sa.Integer(), nullable=True),
        sa.Column("can_be_won", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "default_probability BETWEEN 0 AND 100",
            name=op.f("ck_stage_settings_default_probability_is_percent"),
        ),
        sa.CheckConstraint(
            "stale_after_days > 0", name=op.f("ck_stage_settings_stale_after_days_is_positive")
        ),
        sa.PrimaryKeyConstraint("stage", name=op.f("pk_stage_settings")),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("manager_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "length(trim(name)) > 0 AND length(name) <= 200", name=op.f("ck_teams_name_is_filled")
        ),
        sa.ForeignKeyConstraint(
            ["manager_id"], ["users.id"], name=op.f("fk_teams_manager_id"), use_alter=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name", name=op.f("uq_teams_name")),
    )
    op.create_index(op.f("ix_teams_manager_id"), "teams", ["manager_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column(
            "role",
            sa.Enum(
                "rep", "manager", "admin", name="role", native_enum=False, create_constraint=True, length=30
            ),
            nullable=False,
        ),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "length(trim(name)) > 0 AND length(name) <= 200", name=op.f("ck_users_name_is_filled")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_users_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(op.f("ix_users_team_id"), "users", ["team_id"], unique=False)
    op.create_index("uq_users_email", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "scope",
            sa.Enum("read", "write", name="scope", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_index(op.f("ix_api_tokens_user_id"), "api_tokens", ["user_id"], unique=False)
    op.create_table(
        "companies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("website", sa.String(500), nullable=True),
        sa.Column("domain", sa.String(253), nullable=True),
        sa.Column("industry", sa.String(100), nullable=True),
        sa.Column("country", sa.String(100), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(external_source IS NULL) = (external_id IS NULL)",
            name=op.f("ck_companies_external_id_has_its_source"),
        ),
        sa.CheckConstraint(
            "length(trim(name)) > 0 AND length(name) <= 200", name=op.f("ck_companies_name_is_filled")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_companies_version_counts_from_one")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_companies_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
        sa.UniqueConstraint(
            "external_source", "external_id", name=op.f("uq_companies_external_source_external_id")
        ),
        sa.UniqueConstraint("request_id", name=op.f("uq_companies_request_id")),
    )
    op.create_index(op.f("ix_companies_domain"), "companies", ["domain"], unique=False)
    op.create_index(op.f("ix_companies_name"), "companies", ["name"], unique=False)
    op.create_index(op.f("ix_companies_owner_id"), "companies", ["owner_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id")),
        sa.PrimaryKeyConstraint("key", "user_id", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_expires_at"), "idempotency_keys", ["expires_at"], unique=False)
    op.create_table(
        "leads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("company_name", sa.String(200), nullable=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("phone", sa.String(50), nullable=True),
        sa.Column("job_title", sa.String(200), nullable=True),
        sa.Column("source", sa.String(100), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "new",
                "contacted",
                "qualified",
                "unqualified",
                "converted",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("estimated_value", sa.BigInteger(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opportunity_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(status = 'converted') = (converted_at IS NOT NULL)",
            name=op.f("ck_leads_converted_has_its_instant"),
        ),
        sa.CheckConstraint(
            "(converted_at IS NULL) = (opportunity_id IS NULL)",
            name=op.f("ck_leads_converted_has_its_opportunity"),
        ),
        sa.CheckConstraint(
            "(external_source IS NULL) = (external_id IS NULL)",
            name=op.f("ck_leads_external_id_has_its_source"),
        ),
        sa.CheckConstraint("estimated_value >= 0", name=op.f("ck_leads_estimated_value_is_not_negative")),
        sa.CheckConstraint(
            "length(trim(name)) > 0 AND length(name) <= 200", name=op.f("ck_leads_name_is_filled")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_leads_version_counts_from_one")),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunities.id"], name=op.f("fk_leads_opportunity_id"), use_alter=True
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_leads_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leads")),
        sa.UniqueConstraint(
            "external_source", "external_id", name=op.f("uq_leads_external_source_external_id")
        ),
        sa.UniqueConstraint("request_id", name=op.f("uq_leads_request_id")),
    )
    op.create_index(op.f("ix_leads_email"), "leads", ["email"], unique=False)
    op.create_index(op.f("ix_leads_name"), "leads", ["name"], unique=False)
    op.create_index(op.f("ix_leads_opportunity_id"), "leads", ["opportunity_id"], unique=False)
    op.create_index(op.f("ix_leads_owner_id"), "leads", ["owner_id"], unique=False)
    op.create_index(op.f("ix_leads_status"), "leads", ["status"], unique=False)
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_preferences_user_id")),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_preferences")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("screen", sa.String(50), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("definition", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "length(trim(name)) > 0 AND length(name) <= 100", name=op.f("ck_saved_views_name_is_filled")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_saved_views_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("user_id", "screen", "name", name=op.f("uq_saved_views_user_id_screen_name")),
    )
    op.create_table(
        "targets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column(
            "period",
            sa.Enum("month", "quarter", name="period", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(user_id IS NULL) <> (team_id IS NULL)", name=op.f("ck_targets_belongs_to_user_or_team")
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_targets_amount_is_not_negative")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_targets_team_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_targets_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_targets")),
    )
    op.create_index("uq_targets_team", "targets", ["team_id", "period", "starts_on"], unique=True)
    op.create_index("uq_targets_user", "targets", ["user_id", "period", "starts_on"], unique=True)
    op.create_table(
        "transactions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column(
            "source",
            sa.Enum(
                "ui",
                "api",
                "import",
                "system",
                name="source",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("note", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_transactions_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
    )
    op.create_index(op.f("ix_transactions_actor_id"), "transactions", ["actor_id"], unique=False)
    op.create_index(op.f("ix_transactions_at"), "transactions", ["at"], unique=False)
    op.create_table(
        "company_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("website", sa.String(500), nullable=True),
        sa.Column("domain", sa.String(253), nullable=True),
        sa.Column("industry", sa.String(100), nullable=True),
        sa.Column("country", sa.String(100), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_company_versions_lasts_a_while")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name=op.f("fk_company_versions_transaction_id")
        ),
        sa.PrimaryKeyConstraint("id", "valid_from", name=op.f("pk_company_versions")),
    )
    op.create_index(
        op.f("ix_company_versions_transaction_id"), "company_versions", ["transaction_id"], unique=False
    )
    op.create_index(
        "uq_company_versions_current",
        "company_versions",
        ["id"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "contact_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("company_id", sa.Integer(), nullable=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("phone", sa.String(50), nullable=True),
        sa.Column("job_title", sa.String(200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_contact_versions_lasts_a_while")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name=op.f("fk_contact_versions_transaction_id")
        ),
        sa.PrimaryKeyConstraint("id", "valid_from", name=op.f("pk_contact_versions")),
    )
    op.create_index(
        op.f("ix_contact_versions_transaction_id"), "contact_versions", ["transaction_id"], unique=False
    )
    op.create_index(
        "uq_contact_versions_current",
        "contact_versions",
        ["id"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("company_id", sa.Integer(), nullable=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("phone", sa.String(50), nullable=True),
        sa.Column("job_title", sa.String(200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(external_source IS NULL) = (external_id IS NULL)",
            name=op.f("ck_contacts_external_id_has_its_source"),
        ),
        sa.CheckConstraint(
            "length(trim(name)) > 0 AND length(name) <= 200", name=op.f("ck_contacts_name_is_filled")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_contacts_version_counts_from_one")),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_contacts_company_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_contacts_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint(
            "external_source", "external_id", name=op.f("uq_contacts_external_source_external_id")
        ),
        sa.UniqueConstraint("request_id", name=op.f("uq_contacts_request_id")),
    )
    op.create_index(op.f("ix_contacts_company_id"), "contacts", ["company_id"], unique=False)
    op.create_index(op.f("ix_contacts_email"), "contacts", ["email"], unique=False)
    op.create_index(op.f("ix_contacts_name"), "contacts", ["name"], unique=False)
    op.create_index(op.f("ix_contacts_owner_id"), "contacts", ["owner_id"], unique=False)
    op.create_table(
        "lead_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("company_name", sa.String(200), nullable=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("phone", sa.String(50), nullable=True),
        sa.Column("job_title", sa.String(200), nullable=True),
        sa.Column("source", sa.String(100), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "new",
                "contacted",
                "qualified",
                "unqualified",
                "converted",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("estimated_value", sa.BigInteger(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opportunity_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_lead_versions_lasts_a_while")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name=op.f("fk_lead_versions_transaction_id")
        ),
        sa.PrimaryKeyConstraint("id", "valid_from", name=op.f("pk_lead_versions")),
    )
    op.create_index(
        op.f("ix_lead_versions_transaction_id"), "lead_versions", ["transaction_id"], unique=False
    )
    op.create_index(
        "uq_lead_versions_current",
        "lead_versions",
        ["id"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "opportunity_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("company_id", sa.Integer(), nullable=True),
        sa.Column("contact_id", sa.Integer(), nullable=True),
        sa.Column("lead_id", sa.Integer(), nullable=True),
        sa.Column(
            "stage",
            sa.Enum(
                "qualification",
                "discovery",
                "proposal",
                "negotiation",
                "closed_won",
                "closed_lost",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("expected_value", sa.BigInteger(), nullable=True),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("expected_close_date", sa.Date(), nullable=True),
        sa.Column("actual_close_date", sa.Date(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason_id", sa.Integer(), nullable=True),
        sa.Column("close_note", sa.Text(), nullable=True),
        sa.Column("credited_owner_id", sa.Integer(), nullable=True),
        sa.Column("next_step", sa.String(500), nullable=True),
        sa.Column("next_step_date", sa.Date(), nullable=True),
        sa.Column("source", sa.String(100), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_opportunity_versions_lasts_a_while")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name=op.f("fk_opportunity_versions_transaction_id")
        ),
        sa.PrimaryKeyConstraint("id", "valid_from", name=op.f("pk_opportunity_versions")),
    )
    op.create_index(
        op.f("ix_opportunity_versions_transaction_id"),
        "opportunity_versions",
        ["transaction_id"],
        unique=False,
    )
    op.create_index(
        "uq_opportunity_versions_current",
        "opportunity_versions",
        ["id"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "opportunities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("company_id", sa.Integer(), nullable=True),
        sa.Column("contact_id", sa.Integer(), nullable=True),
        sa.Column("lead_id", sa.Integer(), nullable=True),
        sa.Column(
            "stage",
            sa.Enum(
                "qualification",
                "discovery",
                "proposal",
                "negotiation",
                "closed_won",
                "closed_lost",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("expected_value", sa.BigInteger(), nullable=True),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("expected_close_date", sa.Date(), nullable=True),
        sa.Column("actual_close_date", sa.Date(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason_id", sa.Integer(), nullable=True),
        sa.Column("close_note", sa.Text(), nullable=True),
        sa.Column("credited_owner_id", sa.Integer(), nullable=True),
        sa.Column("next_step", sa.String(500), nullable=True),
        sa.Column("next_step_date", sa.Date(), nullable=True),
        sa.Column("source", sa.String(100), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("external_source", sa.String(50), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(stage <> 'closed_won' OR probability = 100) AND (stage <> 'closed_lost' OR probability = 0)",
            name=op.f("ck_opportunities_outcome_is_certain"),
        ),
        sa.CheckConstraint(
            "(stage IN ('closed_won', 'closed_lost')) = (closed_at IS NOT NULL)",
            name=op.f("ck_opportunities_closed_has_its_instant"),
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (actual_close_date IS NULL)",
            name=op.f("ck_opportunities_closed_has_its_day"),
        ),
        sa.CheckConstraint(
            "(external_source IS NULL) = (external_id IS NULL)",
            name=op.f("ck_opportunities_external_id_has_its_source"),
        ),
        sa.CheckConstraint("closed_at >= created_at", name=op.f("ck_opportunities_closed_after_created")),
        sa.CheckConstraint(
            "closed_at IS NOT NULL OR (close_reason_id IS NULL AND close_note IS NULL AND credited_owner_id IS NULL)",
            name=op.f("ck_opportunities_open_has_no_outcome"),
        ),
        sa.CheckConstraint(
            "expected_value >= 0", name=op.f("ck_opportunities_expected_value_is_not_negative")
        ),
        sa.CheckConstraint(
            "length(trim(name)) > 0 AND length(name) <= 200", name=op.f("ck_opportunities_name_is_filled")
        ),
        sa.CheckConstraint(
            "probability BETWEEN 0 AND 100", name=op.f("ck_opportunities_probability_is_percent")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_opportunities_version_counts_from_one")),
        sa.ForeignKeyConstraint(
            ["close_reason_id"], ["close_reasons.id"], name=op.f("fk_opportunities_close_reason_id")
        ),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_opportunities_company_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_opportunities_contact_id")),
        sa.ForeignKeyConstraint(
            ["credited_owner_id"], ["users.id"], name=op.f("fk_opportunities_credited_owner_id")
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_opportunities_lead_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_opportunities_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunities")),
        sa.UniqueConstraint(
            "external_source", "external_id", name=op.f("uq_opportunities_external_source_external_id")
        ),
        sa.UniqueConstraint("request_id", name=op.f("uq_opportunities_request_id")),
    )
    op.create_index(
        op.f("ix_opportunities_close_reason_id"), "opportunities", ["close_reason_id"], unique=False
    )
    op.create_index(op.f("ix_opportunities_closed_at"), "opportunities", ["closed_at"], unique=False)
    op.create_index(op.f("ix_opportunities_company_id"), "opportunities", ["company_id"], unique=False)
    op.create_index(op.f("ix_opportunities_contact_id"), "opportunities", ["contact_id"], unique=False)
    op.create_index(
        op.f("ix_opportunities_credited_owner_id"), "opportunities", ["credited_owner_id"], unique=False
    )
    op.create_index(
        op.f("ix_opportunities_expected_close_date"), "opportunities", ["expected_close_date"], unique=False
    )
    op.create_index(
        "ix_opportunities_expected_value_id", "opportunities", ["expected_value", "id"], unique=False
    )
    op.create_index(op.f("ix_opportunities_lead_id"), "opportunities", ["lead_id"], unique=False)
    op.create_index(op.f("ix_opportunities_name"), "opportunities", ["name"], unique=False)
    op.create_index(op.f("ix_opportunities_owner_id"), "opportunities", ["owner_id"], unique=False)
    op.create_index(op.f("ix_opportunities_source"), "opportunities", ["source"], unique=False)
    op.create_index(
        "ix_opportunities_stage_expected_value_id",
        "opportunities",
        ["stage", "expected_value", "id"],
        unique=False,
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("lead_id", sa.Integer(), nullable=True),
        sa.Column("opportunity_id", sa.Integer(), nullable=True),
        sa.Column("company_id", sa.Integer(), nullable=True),
        sa.Column("contact_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(CASE WHEN lead_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN opportunity_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN company_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END) = 1",
            name=op.f("ck_notes_is_on_one_record"),
        ),
        sa.CheckConstraint(
            "length(trim(text)) > 0 AND length(text) <= 100000", name=op.f("ck_notes_text_is_filled")
        ),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_notes_author_id")),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_notes_company_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_notes_contact_id")),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_notes_lead_id")),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunities.id"], name=op.f("fk_notes_opportunity_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
        sa.UniqueConstraint("request_id", name=op.f("uq_notes_request_id")),
    )
    op.create_index(op.f("ix_notes_author_id"), "notes", ["author_id"], unique=False)
    op.create_index(op.f("ix_notes_company_id"), "notes", ["company_id"], unique=False)
    op.create_index(op.f("ix_notes_contact_id"), "notes", ["contact_id"], unique=False)
    op.create_index(op.f("ix_notes_lead_id"), "notes", ["lead_id"], unique=False)
    op.create_index(op.f("ix_notes_opportunity_id"), "notes", ["opportunity_id"], unique=False)
    if op.get_bind().dialect.name != "sqlite":
        for name, table, column, target in CIRCLES:
            op.create_foreign_key(name, table, target, [column], ["id"])
    fill_in_defaults()


def fill_in_defaults() -> None:
    insert(
        "settings",
        id=1,
        currency="USD",
        time_zone="UTC",
        locale="en_US",
        fiscal_year_start_month=1,
        probability_follows_stage=True,
        visibility="all",
        has_demo_data=False,
    )
    for stage, probability, days, can_be_won in STAGES:
        insert(
            "stage_settings",
            stage=stage,
            default_probability=probability,
            stale_after_days=days,
            can_be_won=can_be_won,
        )
    for outcome, labels in REASONS.items():
        for label in labels:
            insert(
                "close_reasons",
                outcome=outcome,
                label=label,
                needs_note=label == "Other",
                counts=label != "Duplicate or test",
                is_active=True,
            )
    insert("users", name="Local user", role="admin", is_active=True)


def insert(table: str, **values: object) -> None:
    op.execute(sa.table(table, *map(sa.column, values)).insert().values(values))


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        for name, table, _column, _target in CIRCLES:
            op.drop_constraint(name, table, type_="foreignkey")
    for table in reversed(TABLES):
        op.drop_table(table)
