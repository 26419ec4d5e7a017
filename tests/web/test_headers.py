"""What a browser is told about our pages and files."""

from __future__ import annotations

import gzip
import re

from flask import Flask

from console.web.static import FOREVER, static_url
from tests.web.conftest import Browser, page


def test_pages_may_run_and_load_our_files_only(support: Browser) -> None:
    for path in ("/", "/jobs", "/nowhere", "/healthz"):
        headers = support.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"


def test_pages_have_nothing_that_the_policy_would_stop(support: Browser) -> None:
    for path in ("/", "/jobs", "/account", "/actions/new?kind=retry"):
        shown = page(support.get(path))
        runs = [tag for tag in shown.find_all("script") if not tag.get("src") and tag.get("type") != "application/json"]
        assert runs == []
        assert shown.find_all("style") == []
        assert [name for tag in shown.find_all(True) for name in tag.attrs if name.startswith("on") or name == "style"] == []


def test_every_file_of_a_page_is_there_and_kept_for_good(support: Browser) -> None:
    shown = page(support.get("/jobs"))
    addresses = {tag.get("src") or tag.get("href") for tag in shown.select("script[src], link[href]")}
    assert addresses
    for address in addresses:
        response = support.get(address)
        assert response.status_code == 200, address
        assert response.headers["Cache-Control"] == FOREVER, address
        assert re.search(r"\?v=[0-9a-f]{12}$", address), address
        response.close()


def test_without_the_hash_a_file_is_not_kept_for_good(outsider: Browser) -> None:
    response = outsider.get("/static/css/app.css")
    assert "immutable" not in response.headers["Cache-Control"]
    response.close()


def test_the_address_changes_with_the_content(own_app: Flask, tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    own_app.static_folder = str(folder)
    seen = set()
    for text in ("one", "two, later"):
        (folder / "a.css").write_text(text)
        with own_app.test_request_context():
            seen.add(static_url("a.css"))
    assert len(seen) == 2


def test_texts_are_sent_compressed_to_who_takes_that(app: Flask) -> None:
    client = app.test_client()
    plain = client.get("/static/css/app.css", headers={"Accept-Encoding": "identity"})
    packed = client.get("/static/css/app.css", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert plain.headers["ETag"] != packed.headers["ETag"]
    again = client.get("/static/css/app.css", headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304
    plain.close()


def test_the_session_is_out_of_reach_of_scripts_and_other_sites(app: Flask) -> None:
    cookie = app.test_client().get("/sign-in").headers["Set-Cookie"]
    assert cookie.startswith("celeriac=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
