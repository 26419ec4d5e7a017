"""Everybody's own page, and changing one's password there."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from flask import Flask
from sqlalchemy import select

from console import db
from console.audit.models import AuditEntry
from tests.web.conftest import PASSWORD, Browser, address, said

NEW = "another horse battery"


def change(browser: Browser, present: str = PASSWORD, new: str = NEW, again: str = NEW) -> tuple[int, str]:
    response = browser.submit("/account", current_password=present, new_password=new, repeat_password=again)
    return response.status_code, said(response)


def test_it_says_who_i_am(support: Browser) -> None:
    shown = said(support.get("/account"))
    assert address("support") in shown
    assert "Role Support" in shown


def test_the_new_password_counts_from_now_on(support: Browser, outsider: Browser) -> None:
    response = support.submit("/account", current_password=PASSWORD, new_password=NEW, repeat_password=NEW)
    assert response.headers["Location"] == "/account?saved=1"
    assert "Your password is changed." in said(support.get("/account?saved=1"))
    assert outsider.sign_in(address("support")).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert outsider.sign_in(address("support"), NEW).status_code == HTTPStatus.FOUND


def test_this_session_goes_on_and_the_others_end(app: Flask, support: Browser) -> None:
    elsewhere = Browser(app.test_client())
    elsewhere.sign_in(address("support"))
    change(support)
    assert support.is_signed_in()
    assert not elsewhere.is_signed_in()


def test_it_is_written_down_without_the_password(support: Browser) -> None:
    change(support)
    with db.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "users.password")).one()
    assert (entry.actor, entry.target_id, entry.address) == (address("support"), address("support"), "127.0.0.1")
    assert NEW not in entry.detail


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"present": "wrong horse battery"}, "That is not your present password."),
        ({"present": ""}, "Type your present password."),
        ({"new": "short", "again": "short"}, "Use 10 to 256 characters."),
        ({"again": "something else entirely"}, "The two new passwords differ."),
    ],
)
def test_what_does_not_fit_is_said_and_changes_nothing(
    support: Browser, outsider: Browser, fields: dict[str, str], message: str
) -> None:
    status, shown = change(support, **fields)
    assert status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert message in shown
    assert outsider.sign_in(address("support")).status_code == HTTPStatus.FOUND
