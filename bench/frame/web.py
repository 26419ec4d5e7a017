"""Pages: a session over HTTP, and a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

from playwright.sync_api import Browser, Page, sync_playwright

from console.errors import Unavailable
from tests.servers import browser as browsers

ADMIN = "admin@localhost"
TIMEOUT_S = 30


class Session:
    """A browser's session without the browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> str:
        """The page at a path. Raises `urllib.error.HTTPError` when that is refused."""
        with self._opener.open(self.url + path, timeout=TIMEOUT_S) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> str:
        """The page that sending a form leads to."""
        request = Request(self.url + path, urlencode(fields).encode(), {"Referer": self.url + path})
        with self._opener.open(request, timeout=TIMEOUT_S) as answer:
            return str(answer.read().decode())


def signed_in(url: str, password: str, email: str = ADMIN) -> Session:
    """A session that has seen the Overview. Raises `Unavailable` when it does not come to that."""
    session = Session(url)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', session.get("/sign-in"))
    if found is None:
        raise Unavailable(f"The page {url}/sign-in has no form.")
    session.post("/sign-in", csrf_token=found[1], email=email, password=password)
    if "<h1" not in (page := session.get("/")) or "Overview" not in page or "/sign-out" not in page:
        raise Unavailable(f"After signing in, {url}/ does not show the Overview.")
    return session


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium. Raises `Unavailable` when none launches here, saying what was tried."""
    try:
        arguments = browsers.launch_args()
    except browsers.NoBrowser as error:
        raise Unavailable(str(error)) from error
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(**arguments)
        try:
            yield opened
        finally:
            opened.close()


def sign_in(page: Page, url: str, password: str, email: str = ADMIN) -> None:
    """Signs a browser's page in; returns when the page that follows is loaded."""
    page.goto(f"{url}/sign-in")
    page.fill("[name=email]", email)
    page.fill("[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(f"{url}/")
