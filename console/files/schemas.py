"""What the API gives about files."""

from __future__ import annotations

from pydantic import Field

from console.web.rest import Instant, Output


class KeptFile(Output):
    """A file that is kept."""

    name: str = Field(description="As it is kept: without path, with the ending of what it is.")
    bytes: int


class UploadAnswer(Output):
    """Files that wait for a job. Name the id in its payload."""

    id: str
    files: list[KeptFile]
    expires_at: Instant = Field(description="They are removed then, or when a job that used them has ended well.")
