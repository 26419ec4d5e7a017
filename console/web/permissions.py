"""Each route says who may use it; one check before every request holds it to that.

A view is declared with one of `requires(permission)`, `signed_in` or `public`. What permissions there are and who
has them is known to a higher layer, which hands in a `Gate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from flask import Flask, current_app, g, request

from console.actor import Actor
from console.errors import NotAllowed, NotSignedIn
from console.web.problems import is_api

ViewT = TypeVar("ViewT", bound=Callable[..., Any])

PUBLIC = "public"
SIGNED_IN = "signed-in"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who makes this request, and the permissions they have: those of the role, for a token within its scopes."""

    actor: Actor
    grants: frozenset[str]


class Gate(Protocol):
    """Finds out who makes a request: by its session for pages, by its token for the API. None: nobody known."""

    def person(self) -> Visitor | None:
        """Whoever is signed in."""

    def bearer(self, token: str) -> Visitor | None:
        """Whoever this token was made for."""


def requires(permission: StrEnum) -> Callable[[ViewT], ViewT]:
    """Only for those who have the permission."""

    def declare(view: ViewT) -> ViewT:
        view.permission = str(permission)  # type: ignore[attr-defined]
        return view

    return declare


def public(view: ViewT) -> ViewT:
    """For anyone."""
    view.access = PUBLIC  # type: ignore[attr-defined]
    return view


def signed_in(view: ViewT) -> ViewT:
    """For anyone who is signed in, whatever the role."""
    view.access = SIGNED_IN  # type: ignore[attr-defined]
    return view


def declared(view: Any) -> str | None:
    """What the view says about who may use it: a permission, `PUBLIC` or `SIGNED_IN`; None: it says nothing."""
    found = getattr(view, "permission", None) or getattr(view, "access", None)
    return None if found is None else str(found)


def init_app(app: Flask, gate: Gate) -> None:
    """Checks every request before its view runs; a view that declares nothing is for nobody."""

    @app.before_request
    def check() -> None:
        if request.endpoint is None:  # no such address, or not by this method: the error says so, in the person's frame
            g.visitor = None if is_api(request) else gate.person()
            return
        wanted = declared(app.view_functions[request.endpoint])
        if wanted == PUBLIC:
            return
        visitor = _visitor(gate)
        if visitor is None:
            raise NotSignedIn(_how_to_sign_in())
        g.visitor = visitor
        if wanted != SIGNED_IN and wanted not in visitor.grants:
            why = f"This needs the permission {wanted or 'that nobody has'}."
            raise NotAllowed(f"{why} Ask an admin for a role that has it.", permission=wanted)


def current_actor() -> Actor:
    """Who makes this request. Raises `NotSignedIn` on a public route when it is nobody known."""
    visitor = current_visitor()
    if visitor is None:
        raise NotSignedIn(_how_to_sign_in())
    return visitor.actor


def current_visitor() -> Visitor | None:
    """Who makes this request, as far as it had to be found out."""
    visitor: Visitor | None = g.get("visitor")
    return visitor


def may(permission: str) -> bool:
    """Whether whoever makes this request has the permission; for templates, which show only what can be used."""
    visitor = current_visitor()
    return visitor is not None and permission in visitor.grants


def is_open(endpoint: str) -> bool:
    """Whether whoever makes this request may use that route."""
    wanted = declared(current_app.view_functions[endpoint])
    return wanted == PUBLIC or (current_visitor() is not None and (wanted == SIGNED_IN or may(str(wanted))))


def _visitor(gate: Gate) -> Visitor | None:
    """A program shows a token, a person has a session. Sessions do not open the API: it needs no form tokens."""
    if not is_api(request):
        return gate.person()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return gate.bearer(token.strip()) if scheme.lower() == "bearer" and token.strip() else None


def _how_to_sign_in() -> str:
    if is_api(request):
        return "Send a token that is valid: Authorization: Bearer TOKEN. `celeriac tokens create` makes one."
    return "Sign in to see this page."
