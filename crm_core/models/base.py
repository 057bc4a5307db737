"""What every table shares, and what every record with a history shares."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    event,
    or_,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    QueryableAttribute,
    RelationshipProperty,
    declared_attr,
    mapped_column,
    relationship,
)

from crm_core.columns import PYTHON_TO_COLUMN, Line, folded_from
from crm_core.errors import TransactionMisuse

CONSTRAINT_NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Base(DeclarativeBase):
    """Root of all tables."""

    __table__: ClassVar[Table]

    metadata = MetaData(naming_convention=CONSTRAINT_NAMES)
    type_annotation_map = PYTHON_TO_COLUMN


class Record(Base):
    """A record people work on: soft-deleted, counted in versions, created once however often it is sent.

    Its history is written by `crm_core.history`, which knows it by this class. `created_on` is the day of its
    creation, which stays that day in every time zone.
    """

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-2)
    name: Mapped[str] = mapped_column(Line(200), sort_order=-1)
    folded_name: Mapped[str] = folded_from("name")
    created_at: Mapped[datetime]
    created_on: Mapped[date] = mapped_column(nullable=True)  # no old table takes a required column
    updated_at: Mapped[datetime]
    version: Mapped[int]
    deleted_at: Mapped[datetime | None]
    request_id: Mapped[str | None] = mapped_column(Line(64), unique=True)
    external_source: Mapped[str | None] = mapped_column(Line(50))
    external_id: Mapped[str | None] = mapped_column(Line(200))

    @declared_attr
    def owner_id(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("users.id"), index=True)

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return (
            filled("name", 200),
            Index(None, "folded_name", "name"),
            UniqueConstraint("external_source", "external_id"),
            CheckConstraint("version >= 1", "version_counts_from_one"),
            CheckConstraint(
                "(external_source IS NULL) = (external_id IS NULL)", "external_id_has_its_source"
            ),
        )

    @classmethod
    def derived(
        cls, _state: Mapping[str, Any], _before: Mapping[str, Any] | None, _at: datetime, _on: date
    ) -> dict[str, Any]:
        """Columns that follow from a state, the one before (None: a new record), its instant and its day."""
        return {}

    def is_of(self, users: Collection[int]) -> bool:
        """Theirs, or nobody's."""
        return self.owner_id is None or self.owner_id in users

    @classmethod
    def of(cls, users: Collection[int]) -> ColumnElement[bool]:
        """`is_of` in SQL."""
        return or_(cls.owner_id.is_(None), cls.owner_id.in_(users))


class Mergeable(Record):
    """A record that can be merged into another of its kind, which stands for it from then on.

    `merged_into_id` is that other one, as long as this one is deleted for it. The other one may have been
    merged in its turn.
    """

    __abstract__ = True

    @declared_attr
    def merged_into_id(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey(f"{cls.__tablename__}.id"), index=True)

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return (
            *Record.__table_args__,
            CheckConstraint(
                "merged_into_id IS NULL OR (deleted_at IS NOT NULL AND merged_into_id != id)",
                "merged_into_another",
            ),
        )


def filled(column: str, limit: int) -> CheckConstraint:
    """The database's own refusal of an empty, blank or overlong name."""
    return CheckConstraint(
        f"length(trim({column})) > 0 AND length({column}) <= {limit}", f"{column}_is_filled"
    )


def linked(**how: Any) -> Mapped[Any]:
    """A relationship to read, loaded only where a statement asks for it; what changes it is its key.

    So the unit of work has no links between tables to follow: a tenth of what a change took. Records that
    point at each other have to be flushed one after the other.
    """
    return relationship(lazy="raise", viewonly=True, **how)


@event.listens_for(Base, "attribute_instrument", propagate=True)
def _guard(_model: type[Base], name: str, attribute: QueryableAttribute[Any]) -> None:
    """SQLAlchemy would pass over what is put into a relationship that is only read."""

    def refuse(*_given: Any) -> None:
        raise TransactionMisuse(f"“{name}” is only read: set the key that it follows from.")

    if isinstance(attribute.property, RelationshipProperty):
        for change in ("set", "append", "remove"):
            event.listen(attribute, change, refuse)
