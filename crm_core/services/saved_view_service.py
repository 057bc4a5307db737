"""Views that people save: the filters, order and columns of a screen under a name, private or shared."""

from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.columns import by_bytes
from crm_core.errors import NotAllowed, NotFound, RuleBroken
from crm_core.folding import fold
from crm_core.models import SavedView, User
from crm_core.schemas.fields import LARGEST_ID
from crm_core.schemas.saved_view import SavedViewCreate, SavedViewResponse, SavedViewUpdate


class ViewNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("This view does not exist; it may have been deleted. Choose another.")


class ViewExists(RuleBroken):
    def __init__(self, view: SavedView) -> None:
        super().__init__(f"There is a view “{view.name}” already. Choose another name.")


class ViewOfSomebodyElse(NotAllowed):
    def __init__(self, view: SavedView, owner: User) -> None:
        who = f"{owner.name} or an admin" if owner.is_active else "An admin"
        super().__init__(f"“{view.name}” belongs to {owner.name}. {who} can change it.")


class DefaultIsOnesOwn(NotAllowed):
    def __init__(self, view: SavedView) -> None:
        super().__init__(f"“{view.name}” is not yours, so it can't be the default. Save your own instead.")


def get_views(session: Session, screen: str) -> list[SavedViewResponse]:
    """The views of a screen: one's own, then those that others share, each by name."""
    actor_id = permissions.actor_of(session).id
    offered = or_(SavedView.is_shared, SavedView.user_id == actor_id)
    chosen = _told().where(SavedView.screen == screen, offered)
    by_name = SavedView.folded_name, by_bytes(SavedView.name), SavedView.id
    in_order = chosen.order_by(SavedView.user_id != actor_id, *by_name)
    return [_response(actor_id, row) for row in session.execute(in_order)]


def find_default(session: Session, screen: str) -> SavedViewResponse | None:
    """The view that the actor chose to begin with on that screen, if any."""
    actor_id = permissions.actor_of(session).id
    chosen = _told().where(SavedView.screen == screen, SavedView.user_id == actor_id, SavedView.is_default)
    found = session.execute(chosen.limit(1)).first()
    return None if found is None else _response(actor_id, found)


def create_view(session: Session, draft: SavedViewCreate) -> SavedView:
    """Save a view of the actor's. As the default it takes the place of the one that was.

    Raises `ViewExists` for a name that they have on that screen, in whatever case, and `NotSignedIn` for the
    system, which has no views.
    """
    view = SavedView(**draft.model_dump(), user_id=permissions.person_of(session))
    _require_new_name(session, view, draft.name)
    if draft.is_default:
        _let_go_of_default(session, view)
    session.add(view)
    session.flush()  # gives it its id
    return view


def update_view(session: Session, view_id: int, changes: SavedViewUpdate) -> SavedView:
    """Change what was sent, of one's own view; a shared one an admin can change, too.

    Raises `ViewNotFound`, also for what others keep to themselves, `ViewOfSomebodyElse`, `ViewExists`, and
    `DefaultIsOnesOwn`.
    """
    view = _get_to_change(session, view_id)
    answers: dict[str, Any] = changes.model_dump()
    if answers.get("name", view.name) != view.name:
        _require_new_name(session, view, answers["name"])
    if answers.get("is_default"):
        if view.user_id != permissions.actor_of(session).id:
            raise DefaultIsOnesOwn(view)
        _let_go_of_default(session, view)
    for field, value in answers.items():
        setattr(view, field, value)
    session.flush()  # so that it is found as it is now
    return view


def delete_view(session: Session, view_id: int) -> None:
    """Remove a view for good. Raises `ViewNotFound` and `ViewOfSomebodyElse`."""
    session.delete(_get_to_change(session, view_id))
    session.flush()  # so that it is found no more


def _told() -> Select[SavedView, str]:
    return select(SavedView, User.name).join(User, User.id == SavedView.user_id)


def _response(actor_id: int | None, row: Any) -> SavedViewResponse:
    view, owner_name = row
    is_own = view.user_id == actor_id
    return SavedViewResponse(
        id=view.id,
        user_id=view.user_id,
        owner_name=owner_name,
        is_own=is_own,
        screen=view.screen,
        name=view.name,
        definition=view.definition,
        is_shared=view.is_shared,
        is_default=view.is_default and is_own,
    )


def _get_to_change(session: Session, view_id: int) -> SavedView:
    actor = permissions.actor_of(session)
    view = session.get(SavedView, view_id) if 0 < view_id <= LARGEST_ID else None
    if view is None or not (view.is_shared or view.user_id == actor.id):
        raise ViewNotFound
    if not (actor.is_admin or view.user_id == actor.id):
        raise ViewOfSomebodyElse(view, session.get_one(User, view.user_id))
    return view


def _others(session: Session, view: SavedView, *conditions: ColumnElement[bool]) -> list[SavedView]:
    """What else its owner saved on that screen."""
    same_place = SavedView.user_id == view.user_id, SavedView.screen == view.screen
    chosen = select(SavedView).where(*same_place, SavedView.id.is_distinct_from(view.id), *conditions)
    return list(session.scalars(chosen))


def _require_new_name(session: Session, view: SavedView, name: str) -> None:
    """Nobody has two views of one name on a screen, in whatever case."""
    if namesakes := _others(session, view, SavedView.folded_name == fold(name)):
        raise ViewExists(namesakes[0])


def _let_go_of_default(session: Session, view: SavedView) -> None:
    """Only one view of a screen is the one to begin with."""
    for other in _others(session, view, SavedView.is_default.is_(True)):
        other.is_default = False
