"""Our files for the browser: addressed by what is in them, so that a browser asks for each only once."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, current_app, g, request, url_for

from console.web.permissions import public

FOREVER = "public, max-age=31536000, immutable"
COMPRESSED = frozenset({".css", ".js", ".svg"})


def init_app(app: Flask) -> None:
    """`static_url(name)` for templates; compressed answers for texts."""
    public(app.view_functions["static"])
    app.jinja_env.globals["static_url"] = static_url
    app.after_request(_compress)


def static_url(name: str) -> str:
    """The address of a file in static/, with the hash of its content; worked out once for a page and its icons."""
    known: dict[str, str] = g.setdefault("static_urls", {})
    if name not in known:
        known[name] = url_for("static", filename=name, v=_digest(name, _modified_ns(name)))
    return known[name]


def _folder() -> Path:
    return Path(str(current_app.static_folder))


def _modified_ns(name: str) -> int:
    return (_folder() / name).stat().st_mtime_ns


@lru_cache(maxsize=512)
def _digest(name: str, _modified: int) -> str:
    return hashlib.sha256((_folder() / name).read_bytes()).hexdigest()[:12]


@lru_cache(maxsize=64)
def _compressed(path: str, _modified: int) -> bytes:
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)


def _compress(response: Response) -> Response:
    """Texts of ours go out compressed to whoever takes that; made once per file and process."""
    if request.endpoint != "static" or response.status_code not in (200, 304):
        return response
    if request.args.get("v"):
        response.headers["Cache-Control"] = FOREVER
    name = str((request.view_args or {}).get("filename", ""))
    path = _folder() / name
    if path.suffix not in COMPRESSED:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if response.status_code == 200 and request.method == "GET" and request.accept_encodings["gzip"]:
        response.close()  # the file, which is not sent as it is
        response.direct_passthrough = False
        response.set_data(_compressed(str(path), path.stat().st_mtime_ns))
        response.headers["Content-Encoding"] = "gzip"
        response.headers.pop("Accept-Ranges", None)
        if etag := response.get_etag()[0]:
            response.set_etag(f"{etag}-gzip")
            response.make_conditional(request)
    return response
