"""How large a request may be: a few MB, but for the routes that take files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, request

from console.config import settings

ViewT = TypeVar("ViewT", bound=Callable[..., Any])

MB = 1024 * 1024
MOST = 16 * MB
AROUND_FILES = MB
"""What a form with files may have beside them."""


def takes_files(view: ViewT) -> ViewT:
    """The route takes uploads, up to CELERIAC_UPLOAD_MB."""
    view.takes_files = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask) -> None:
    """Sets the limit before anything reads the request: what is larger is a 413."""
    app.config["MAX_CONTENT_LENGTH"] = MOST

    @app.before_request
    def limit() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if getattr(view, "takes_files", False):
            request.max_content_length = settings().upload_mb * MB + AROUND_FILES

    @app.teardown_request
    def close(_error: BaseException | None) -> None:
        """Files that came with the request are on the disk until they are closed."""
        request.close()
