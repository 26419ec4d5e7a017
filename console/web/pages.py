"""Errors as a person sees them: a page, or a piece of one, that says what happened and what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, current_app, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from console.errors import CeleriacError, NotAllowed, NotSignedIn
from console.web import htmx, start
from console.web.problems import RETRY_AFTER_S, UNREACHABLE, is_api, problem_response

AWAY = "The database or the broker does not answer. This page tries again by itself."
OLD_FORM = "You have signed in or out since it was opened. Go back, reload the page and try again."
UNEXPECTED = "It was written to the log. Try again, or tell whoever runs Celeriac."
WORDS = {
    404: "There is nothing at this address. A job may have been deleted since the link was made.",
    405: "This address is not meant to be opened that way.",
    413: "What was sent is too large.",
    429: "Too many attempts. Wait a minute, then try again.",
}

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Maps every error, once: problem details for the API, pages for people."""
    app.register_error_handler(Exception, _answer)


def _answer(error: Exception) -> AnyResponse:
    if not isinstance(error, CeleriacError | HTTPException):
        _log(error)
    if is_api(request):
        return problem_response(error, request)
    if isinstance(error, NotSignedIn):
        return _to_sign_in()
    if isinstance(error, NotAllowed) and request.path == start.ADDRESS:
        return htmx.go(start.first_place())
    return _page(*_said(error), error)


def _log(error: Exception) -> None:
    if isinstance(error, UNREACHABLE):
        log.warning("%s %s: %s", request.method, request.path, str(error).splitlines()[0])
    else:
        log.error("%s %s failed", request.method, request.path, exc_info=error)


def _said(error: Exception) -> tuple[int, str, str]:
    """Status, title and detail."""
    if isinstance(error, UNREACHABLE):
        return 503, "Not reachable right now", AWAY
    if isinstance(error, CeleriacError):
        return error.status, error.title, error.detail
    if isinstance(error, CSRFError):
        return 400, "The form is too old", OLD_FORM
    if isinstance(error, HTTPException) and error.code:
        return error.code, error.name, WORDS.get(error.code, error.description or "")
    return 500, "Something went wrong", UNEXPECTED


def _to_sign_in() -> AnyResponse:
    """To the form, and afterwards back to where the person wanted to go."""
    here = request.full_path.rstrip("?") if request.method == "GET" else "/"
    address = url_for("access.sign_in", next=None if here == start.ADDRESS else here)
    if htmx.is_fragment():
        return Response(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": address})
    return redirect(address)


def _page(status: int, title: str, detail: str, error: Exception) -> Response:
    template = "errors/_problem.html" if htmx.is_fragment() else "errors/error.html"
    try:
        body = render_template(template, status=status, title=title, detail=detail)
    except SQLAlchemyError:  # the frame needs to know who is signed in, and the database is away
        bare = current_app.jinja_env.get_template("errors/bare.html")  # render_template would ask who it is again
        body = bare.render(status=status, title=title, detail=detail)
    response = make_response(body, status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, HTTPException):
        for name, value in error.get_headers(request.environ):
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
    return response
