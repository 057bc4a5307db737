"""Lists as CSV, for who asks with `Accept: text/csv`."""

import io
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.door import Door
from crm_core.exporting import write_csv

CSV: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}}}
REFUSED = re.compile(r";q=0(\.0*)?$")
IN_MEMORY = 1_000_000
CHUNK = 64 * 1024


def wants_csv(request: Request) -> bool:
    """Whether CSV was asked for rather than JSON."""
    offered = [each.replace(" ", "").lower() for each in request.headers.get("accept", "").split(",")]
    accepted = [each.partition(";")[0] for each in offered if not REFUSED.search(each)]
    return "text/csv" in accepted and "application/json" not in accepted


def csv_response(
    door: Door, name: str, response: type[BaseModel], rows: Callable[[Session], Iterable[BaseModel]]
) -> StreamingResponse:
    """The whole list, read in one snapshot into a file, so that its end fits its beginning, and sent."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    text = io.TextIOWrapper(file, "utf-8", newline="")
    with door.read() as session:
        write_csv(text, list(response.model_fields), rows(session))
    text.flush()
    file.seek(0)
    return StreamingResponse(
        _chunks(text, file),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _chunks(text: io.TextIOWrapper, file: IO[bytes]) -> Iterator[bytes]:
    with text:  # closes the file, and so removes it
        while chunk := file.read(CHUNK):
            yield chunk
