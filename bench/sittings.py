"""A browser's side of a session, without a browser: what Streamlit is sent, and what it answers."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

TRIGGERS = "$$STREAMLIT_INTERNAL_KEY_{id}__events"
"""What Streamlit knows the events of a component by."""

GOES_ON = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN
"""Another run follows by itself."""


@dataclass
class Component:
    """A component of ours on the screen: its id, the fragment it is in, and what it was told last."""

    id: str
    fragment: str
    data: dict[str, Any]


@dataclass
class Answer:
    """How many seconds a run took, and how many bytes it sent."""

    seconds: float = 0.0
    bytes: int = 0
    errors: list[str] = field(default_factory=list)


class Sitting:
    """Somebody at a screen."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._query = self._page_hash = ""
        self._known: dict[str, ForwardMsg] = {}
        self.components: dict[str, Component] = {}

    async def go(self, page: str, query: str = "") -> Answer:
        """Open a screen with these filters."""
        self._query = query
        return await self._run(ClientState(page_name=page))

    async def tell(self, component: Component, event: str, value: Any) -> Answer:
        """What a component tells of its user, as `ui.outbox` has it."""
        told = {"number": component.data["answered"] + 1, "event": event, "value": value}
        asked = ClientState(fragment_id=component.fragment, page_script_hash=self._page_hash)
        state = asked.widget_states.widgets.add()
        state.id = TRIGGERS.format(id=component.id)
        state.json_trigger_value = json.dumps([{"event": "told", "value": [told]}])
        return await self._run(asked)

    async def _run(self, asked: ClientState) -> Answer:
        asked.query_string = self._query
        asked.cached_message_hashes.extend(self._known)
        asked.context_info.timezone, asked.context_info.locale = "UTC", "en-US"
        began, answer = time.perf_counter(), Answer()
        await self._connection.send(BackMsg(rerun_script=asked).SerializeToString())
        async for message in self._messages(answer):
            kind = message.WhichOneof("type")
            if kind == "delta":
                self._note(message, answer)
            elif kind == "navigation":
                self._page_hash = message.navigation.page_script_hash
            elif kind == "script_finished" and message.script_finished != GOES_ON:
                break
        answer.seconds = time.perf_counter() - began
        return answer

    async def _messages(self, answer: Answer) -> AsyncIterator[ForwardMsg]:
        """What comes, with the messages that are known already in place of their names."""
        while True:
            raw = await self._connection.recv(decode=False)
            answer.bytes += len(raw)
            message = ForwardMsg.FromString(raw)
            if message.WhichOneof("type") == "ref_hash":
                known, metadata = self._known[message.ref_hash], message.metadata
                message = ForwardMsg.FromString(known.SerializeToString())
                message.metadata.CopyFrom(metadata)
            elif message.hash and message.metadata.cacheable:
                self._known[message.hash] = message
            yield message

    def _note(self, message: ForwardMsg, answer: Answer) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            answer.errors.append(element.exception.message)
        elif kind == "bidi_component":
            told = element.bidi_component
            data = json.loads(told.json or (told.mixed.json if told.HasField("mixed") else "") or "{}")
            name = told.component_name.rpartition(".")[2]
            self.components[name] = Component(told.id, message.delta.fragment_id, data)


@asynccontextmanager
async def sitting(port: int) -> AsyncIterator[Sitting]:
    """A session of its own."""
    host = f"127.0.0.1:{port}"
    async with connect(
        f"ws://{host}/_stcore/stream",
        origin=f"http://{host}",  # type: ignore[arg-type]  # the server connects with its own pages alone
        subprotocols=["streamlit"],  # type: ignore[list-item]
        max_size=None,
    ) as connection:
        yield Sitting(connection)
