"""Answering htmx and plain requests alike."""

from __future__ import annotations

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse


def is_fragment() -> bool:
    """Whether only a piece of the page is wanted. Going back in the history asks for the whole one."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def shown_as(body: str, address: str) -> AnyResponse:
    """A fragment that the browser shows under this address, rather than the one that a form made."""
    return Response(body, headers={"HX-Push-Url": address} if is_fragment() else {})


def go(address: str) -> AnyResponse:
    """Leads the browser to another page; htmx follows with a whole page, too."""
    if is_fragment():
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)
