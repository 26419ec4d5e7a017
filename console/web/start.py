"""The start, `/`: it shows a page to everybody, that of the navigation which comes first for them."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, current_app, url_for

from console.web.permissions import is_open

ADDRESS = "/"
_KEY = "celeriac_places"


def init_app(app: Flask, places: Sequence[str]) -> None:
    """`places`: the endpoints of the navigation, in its order; the last one is for anyone who is signed in."""
    app.extensions[_KEY] = tuple(places)


def first_place() -> str:
    """The address of the first page that whoever makes this request may see."""
    return url_for(next(place for place in current_app.extensions[_KEY] if is_open(place)))
