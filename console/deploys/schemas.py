"""Deploy marks as the API takes and gives them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from console.web.rest import Input, Instant, Line, Output


class DeploysQuery(Input):
    """Which part of the list."""

    limit: Annotated[int, Field(ge=1, le=500, description="How many at most, newest first.")] = 50


class DeployRequest(Input):
    """A version that went live."""

    version: Annotated[Line, Field(min_length=1, max_length=100, examples=["1.4.2"])]
    at: Annotated[AwareDatetime | None, Field(description="When; now if left out.", strict=False)] = None
    note: Annotated[str, Field(max_length=500, description="One line.")] = ""


class DeployAnswer(Output):
    """A version that went live."""

    id: str
    version: str
    at: Instant
    note: str | None
    added_by: str


class DeployList(Output):
    """Deploys, newest first."""

    data: list[DeployAnswer]


class Removed(Output):
    """What was taken away."""

    id: str
