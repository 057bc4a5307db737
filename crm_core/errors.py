"""What can be refused, in three kinds; every refusal is a sentence a salesperson understands."""


class CrmError(Exception):
    """Base of every refusal. `str(error)` is one sentence: what is wrong, and what to do now."""


class NotFound(CrmError):
    """The record does not exist, was deleted, or is none of this user's business."""


class NotAllowed(CrmError):
    """The request makes sense, but this user may not do it; the sentence says who could."""


class NotSignedIn(NotAllowed):
    """Nobody, or somebody whose account is no longer active."""


class RuleBroken(CrmError):
    """The request makes sense, but a rule of the sales process forbids it."""


class Conflict(CrmError):
    """Somebody else changed the record meanwhile."""


class InvalidInput(CrmError):
    """A value can't be what it is meant to be."""


class DatabaseUnavailable(CrmError):
    """The database can't be opened, reached or used as it is."""


class NotKnownWhetherSaved(DatabaseUnavailable):
    """The database went away, or stopped answering, while it was to commit."""


class DatabaseDamaged(DatabaseUnavailable):
    """What the database has stored is damaged: a backup has to be restored."""


class SearchIndexDamaged(DatabaseUnavailable):
    """Only what a search looks into is damaged; it follows from the records, and can be made anew."""

    def __init__(self) -> None:
        super().__init__(
            "The search index is damaged, your records are not. Ask your administrator to run"
            " `python -m crm_core check --repair`."
        )


class TransactionMisuse(RuntimeError):
    """A programming error: a transaction inside another, or control flow that escaped from one."""
