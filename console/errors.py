"""Domain errors. Each says what is wrong and what to do; `web/` maps them to HTTP once, the CLI to exit codes."""

from __future__ import annotations

from typing import Any, ClassVar


class CeleriacError(Exception):
    """Base of what may be shown to people. `detail` is one or two plain sentences."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    exit_code: ClassVar[int] = 1

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class InvalidInput(CeleriacError):
    """What was sent cannot be used. `errors` lists `{"field": …, "message": …}`, one per problem."""

    status = 422
    title = "The input is not valid"
    exit_code = 2

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class TooLarge(CeleriacError):
    """More was sent than may be kept."""

    status = 413
    title = "Too large"
    exit_code = 2


class NotFound(CeleriacError):
    """The thing asked for does not exist, or not any more."""

    status = 404
    title = "Not found"
    exit_code = 4


class NotAllowed(CeleriacError):
    """The person or token may not do this."""

    status = 403
    title = "Not allowed"
    exit_code = 5


class NotSignedIn(CeleriacError):
    """No valid session or token came with the request."""

    status = 401
    title = "Sign in first"
    exit_code = 5


class Conflict(CeleriacError):
    """Somebody or something was faster: the state no longer allows this."""

    status = 409
    title = "No longer possible"
    exit_code = 3


class Unavailable(CeleriacError):
    """The database or the broker does not answer."""

    status = 503
    title = "Not reachable right now"
    exit_code = 6


class NotConfigured(CeleriacError):
    """A setting is missing or wrong."""

    status = 500
    title = "A setting is missing or wrong"
    exit_code = 2
