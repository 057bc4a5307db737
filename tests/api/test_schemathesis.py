"""Whatever is sent to the API, allowed or not, alone or in a course, is answered as it is described."""

import json

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from starlette.types import Receive, Scope, Send

from api.main import api
from tests import forms
from tests.api.conftest import HERE, THIS_MACHINE
from tests.contents import put_back, taken

BESIDE_THE_POINT = (
    "ignored_auth",  # nobody has to sign in at this machine
    "positive_data_acceptance",  # no schema tells which cursors and keys there are
    "unsupported_method",  # to PUT what is called "stats" is to name a deal badly
    "use_after_free",  # a deleted deal has a history, and can be restored
)
"""Checks that take for a mistake what is meant."""


async def api_on_this_machine(scope: Scope, receive: Receive, send: Send) -> None:
    """The API, with this machine in the place of the peer that Schemathesis invents."""
    await api({**scope, "client": THIS_MACHINE}, receive, send)


description = schemathesis.openapi.from_dict(
    json.loads(json.dumps(api.openapi())),
    config=schemathesis.Config.from_dict(
        {
            "seed": 1,
            "base-url": HERE,
            "generation": {"with-security-parameters": False},
            "phases": {
                "coverage": {"enabled": forms.IS_LONG},  # thousands of values at some edge
                "stateful": {"inference": {"algorithms": []}},  # the described links, no others
            },
            "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}}  # 412 and 413 refuse, too
            | {name: {"enabled": False} for name in BESIDE_THE_POINT},
        }
    ),
)
description.app = api_on_this_machine

A_FEW = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@description.parametrize()
@A_FEW
def test_every_request_is_answered_as_described(case, client, world):
    answer = case.call_and_validate()

    assert "only-on-this-machine" not in answer.text


def test_every_course_of_requests_is_answered_as_described(client, world, database):
    with database.engine.connect() as connection:
        beginning = taken(connection)

    class Course(description.as_state_machine()):
        def setup(self) -> None:
            """Every course begins in the same world, so that the same choices do the same."""
            with database.engine.begin() as connection:
                put_back(connection, beginning)

    Course.run(settings=settings(A_FEW, max_examples=forms.either(8, 50), stateful_step_count=10))
