"""A program's key: shown once, kept as a hash, and good until it expires or is taken back."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from crm_core import clock
from crm_core.database import Database, instant
from crm_core.errors import InvalidInput, NotFound, NotSignedIn
from crm_core.models import LOCAL_USER_ID, ApiToken, Role, TokenScope, Transaction, User
from crm_core.permissions import NeedsAdmin
from crm_core.services import opportunity_service
from crm_core.services.records import RecordNotFound
from crm_core.services.token_service import (
    LONGEST_LIFE,
    NOTED_EVERY,
    PREFIX,
    TokenNotFound,
    create_token,
    get_tokens,
    note_use,
    revoke_token,
    use_token,
)
from tests.builders import Make, stored
from tests.crm_core.services.refusals import refusal
from tests.databases import as_another_process

A_SECOND = timedelta(seconds=1)


@pytest.fixture
def people(database):
    with database.write() as session:
        return Make(session).people()


def made(database, user_id, **options) -> str:
    """The secret of a new token."""
    with database.write() as session:
        return create_token(session, user_id, **options).secret


def id_of(database, secret) -> int:
    return use_token(database, secret).id


def change(database, **columns) -> None:
    """Make the only token differ."""
    with database.write() as session:
        token = session.scalars(select(ApiToken)).one()
        for name, value in columns.items():
            setattr(token, name, value)


def test_a_token_is_shown_once_and_kept_as_a_hash(session, make):
    rita = make.user().id

    first, second = create_token(session, rita), create_token(session, rita)

    assert first.secret.startswith(PREFIX)
    assert len(first.secret) > 40
    assert first.secret != second.secret
    told = repr(stored(session)) + repr(first.token.__dict__)
    assert first.secret not in told
    assert first.secret.removeprefix(PREFIX) not in told
    assert len(first.token.token_hash) == 64


def test_a_token_may_write_and_never_ends_unless_it_is_said(session, make):
    rita = make.user().id

    plain = create_token(session, rita).token
    narrow = create_token(session, rita, scope=TokenScope.READ, days=7).token

    assert (plain.user_id, plain.scope, plain.expires_at) == (rita, TokenScope.WRITE, None)
    assert (plain.created_at, plain.last_used_at, plain.revoked_at) == (instant(session), None, None)
    assert (narrow.scope, narrow.expires_at) == (TokenScope.READ, instant(session) + timedelta(days=7))


def test_a_token_lasts_a_sensible_time(database, people):
    for days in (0, -1, LONGEST_LIFE + 1, 10**12):
        with refusal(database, InvalidInput, "between 1 and 3,650 days") as session:
            create_token(session, people.rita, days=days)


def test_a_token_belongs_to_somebody(database, people):
    with refusal(database, RecordNotFound, "no user 999") as session:
        create_token(session, 999)


def test_only_an_admin_makes_tokens_for_others(database, people):
    for actor in (people.nora, people.mia, people.otto):
        with refusal(database, NeedsAdmin, "Only an admin can make a token", actor=actor) as session:
            create_token(session, people.rita)
    with database.write(actor=people.rita) as session:
        assert create_token(session, people.rita).token.user_id == people.rita
    with database.write(actor=1) as session:
        assert create_token(session, people.rita).token.user_id == people.rita


def test_everybody_lists_their_own_tokens_and_an_admin_all(database, people):
    first, second = (id_of(database, made(database, who)) for who in (people.rita, people.otto))

    def listed(actor):
        with database.read(actor=actor) as session:
            return [(token.id, user.name) for token, user in get_tokens(session)]

    assert listed(people.rita) == [(first, "Rita Rep")]
    assert listed(people.otto) == [(second, "Otto Other")]
    assert listed(people.mia) == []
    assert listed(LOCAL_USER_ID) == listed(None) == [(first, "Rita Rep"), (second, "Otto Other")]


def test_a_revoked_token_opens_nothing_from_now_on(database, people):
    secret, other = made(database, people.rita), made(database, people.rita)
    token_id, other_id = id_of(database, secret), id_of(database, other)

    with database.write(actor=people.rita) as session:
        first = revoke_token(session, token_id).revoked_at

    with pytest.raises(NotSignedIn, match="unknown, expired or revoked"):
        use_token(database, secret)
    assert use_token(database, other).id == other_id
    with database.write(actor=LOCAL_USER_ID) as session:
        assert revoke_token(session, token_id).revoked_at == first
        assert [token.revoked_at for token, _ in get_tokens(session)] == [first, None]


def test_nobody_revokes_what_is_not_theirs(database, people):
    secret = made(database, people.rita)
    token_id = id_of(database, secret)

    for actor in (people.nora, people.mia, people.otto):
        with refusal(database, TokenNotFound, f"no token {token_id}", actor=actor) as session:
            revoke_token(session, token_id)
    assert use_token(database, secret).user_id == people.rita


def test_there_is_no_such_token(database):
    for token_id in (999, 0, -1, 2**31, 2**63, 2**70):
        with refusal(database, NotFound, "List them to see which there are") as session:
            revoke_token(session, token_id)


def test_an_unknown_secret_opens_nothing(database, people):
    made(database, people.rita)

    for secret in ("", PREFIX, "crm_unknown", "\ud800", "\x00", "ÿ", "x" * 100_000, "'; --"):
        with pytest.raises(NotSignedIn, match="unknown, expired or revoked"):
            use_token(database, secret)


def test_a_secret_is_taken_exactly(database, people):
    secret = made(database, people.rita)

    for wrong in (secret[:-1], f"{secret} ", f" {secret}", secret.removeprefix(PREFIX), f"{secret}x"):
        with pytest.raises(NotSignedIn):
            use_token(database, wrong)
    assert use_token(database, secret).user_id == people.rita


def test_a_hash_is_no_secret(database, people):
    made(database, people.rita)
    with database.read() as session:
        stolen = session.scalars(select(ApiToken.token_hash)).one()

    with pytest.raises(NotSignedIn):
        use_token(database, stolen)


def test_a_token_opens_until_it_expires(database, people):
    secret = made(database, people.rita, days=1)
    assert use_token(database, secret).scope is TokenScope.WRITE

    change(database, expires_at=clock.now() + timedelta(minutes=5))
    assert use_token(database, secret).user_id == people.rita

    change(database, expires_at=clock.now())
    with pytest.raises(NotSignedIn, match="expired"):
        use_token(database, secret)


def test_a_token_of_somebody_who_left_does_nothing(database, people):
    secret = made(database, people.rita)
    with database.write() as session:
        session.get_one(User, people.rita).is_active = False

    user_id = use_token(database, secret).user_id

    with database.read(actor=user_id) as session, pytest.raises(NotSignedIn, match="no longer active"):
        opportunity_service.get_opportunities(session)


def test_a_token_gives_the_rights_that_its_user_has_now(database, people):
    secret = made(database, people.rita)
    with database.write() as session:
        session.get_one(User, people.rita).role = Role.ADMIN

    with database.write(actor=use_token(database, secret).user_id) as session:
        assert create_token(session, people.otto).token.user_id == people.otto


def last_use(database):
    with database.read() as session:
        return session.scalars(select(ApiToken.last_used_at)).one()


def test_the_last_use_is_known_to_the_hour(database, people):
    token_id, now = id_of(database, made(database, people.rita)), clock.now()

    for at, noted in (
        (now, now),
        (now + NOTED_EVERY - A_SECOND, now),
        (now + NOTED_EVERY, now + NOTED_EVERY),
        (now, now + NOTED_EVERY),
    ):
        note_use(database, token_id, at=at)
        assert last_use(database) == noted


def test_a_use_is_noted_once_however_many_calls_it_was_news_to(database, people):
    token_id, now = id_of(database, made(database, people.rita)), clock.now()

    for _ in range(3):
        note_use(database, token_id, at=now)

    with database.read() as session:
        noted = Transaction.note == "A token was used"
        assert session.scalar(select(func.count()).select_from(Transaction).where(noted)) == 1


@pytest.mark.both_databases
def test_a_use_that_can_not_be_noted_at_once_is_left_to_the_next_one(database, people):
    """Whether a thread of this process writes, or another process; in the end the database is gone."""
    token_id, now = id_of(database, made(database, people.rita)), clock.now()

    with closing(as_another_process(database)) as another, ThreadPoolExecutor(1) as thread:
        for writer in (database, another):
            with writer.write():
                began = time.monotonic()
                thread.submit(note_use, database, token_id).result()
                assert time.monotonic() - began < database.patience / 3
                assert last_use_in(thread, database) is None
    note_use(database, token_id, at=now)
    assert last_use(database) == now

    note_use(Database("sqlite:////proc/crm.db"), token_id)


def last_use_in(thread: ThreadPoolExecutor, database: Database):
    """Asked in another thread, since this one writes."""
    return thread.submit(last_use, database).result()


def test_what_opens_nothing_is_not_noted(database, people):
    secret = made(database, people.rita)
    change(database, revoked_at=clock.now())

    with pytest.raises(NotSignedIn):
        use_token(database, secret)

    with database.read() as session:
        assert session.scalars(select(ApiToken.last_used_at)).one() is None
