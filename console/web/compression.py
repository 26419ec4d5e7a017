"""Pages go out compressed: on a slow line that is most of how quick they feel."""

from __future__ import annotations

import gzip
import io
import secrets

from flask import Flask, Response, request

LEAST = 1_000
"""Bytes below which it is not worth it."""
TYPES = frozenset({"text/html", "application/json", "application/problem+json"})
PADDING = 64


def init_app(app: Flask) -> None:
    """Compresses whole texts for whoever takes that; never streams, never what is compressed already."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if response.mimetype not in TYPES or response.is_streamed or response.direct_passthrough:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if "Content-Encoding" in response.headers or not request.accept_encodings["gzip"]:
        return response
    body = response.get_data()
    if len(body) >= LEAST:
        response.set_data(_gzip(body))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _gzip(body: bytes) -> bytes:
    """With a name of random length in its header, so that the size does not tell what else is in the page (BREACH)."""
    out = io.BytesIO()
    name = "x" * secrets.randbelow(PADDING)
    with gzip.GzipFile(filename=name, mode="wb", fileobj=out, compresslevel=5, mtime=0) as file:
        file.write(body)
    return out.getvalue()
