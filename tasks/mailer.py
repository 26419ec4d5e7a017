"""Mail as the jobs send it: Flask-Mail on a small application of its own, with the templates in `templates/emails`."""

from __future__ import annotations

import smtplib
import socket
from contextlib import suppress
from functools import cache
from typing import Any

from flask import Flask, current_app, render_template
from flask_mail import Mail, Message
from jinja2 import TemplateNotFound
from markdown_it import MarkdownIt

from console.config import RESOURCES, settings
from tasks.errors import PermanentFailure

TEMPLATES = ("generic", "task_reminder", "password_reset", "verify_address", "alert")
PERMANENT_FROM = 500


def send(to: str, subject: str, template: str, values: dict[str, Any], message_id: str) -> None:
    """Sends one multipart message (text and HTML).

    `message_id` makes a repeated sending recognisable as the same message. Raises `PermanentFailure` when the server
    will never take it, `smtplib.SMTPException` or `OSError` when another attempt may work.
    """
    with _application().app_context():
        message = Message(subject, recipients=[to], body=_text(template, values), html=_html(template, values))
        message.msgId = f"<{message_id}@celeriac>"
        try:
            current_app.extensions["mail"].send(message)
        except smtplib.SMTPRecipientsRefused as error:
            [(address, (code, answer))] = error.recipients.items()
            _raise_if_permanent(error, address, code, answer)
        except smtplib.SMTPResponseException as error:
            _raise_if_permanent(error, "this message", error.smtp_code, error.smtp_error)


def _raise_if_permanent(error: smtplib.SMTPException, what: str, code: int, answer: bytes | str) -> None:
    if code >= PERMANENT_FROM:
        said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        raise PermanentFailure(f"The mail server refuses {what} for good: {code} {said}") from error
    raise error


def _text(template: str, values: dict[str, Any]) -> str:
    return render_template(f"emails/{template}.txt", **values)


def _html(template: str, values: dict[str, Any]) -> str:
    """The HTML template if there is one, else the text taken as Markdown."""
    with suppress(TemplateNotFound):
        return render_template(f"emails/{template}.html", **values)
    body = MarkdownIt("js-default").render(_text(template, values))
    return render_template("emails/_frame.html", body=body)


@cache
def _application() -> Flask:
    now = settings()
    app = Flask("celeriac.mail", template_folder=str(RESOURCES / "templates"))
    app.config.update(
        MAIL_SERVER=now.mail_server,
        MAIL_PORT=now.mail_port,
        MAIL_USE_TLS=now.mail_use_tls,
        MAIL_USE_SSL=now.mail_use_ssl,
        MAIL_USERNAME=now.mail_username,
        MAIL_DEFAULT_SENDER=now.mail_default_sender,
        MAIL_PASSWORD=now.mail_password.get_secret_value() if now.mail_password else None,
    )
    socket.setdefaulttimeout(now.mail_timeout)  # Flask-Mail offers no timeout of its own
    Mail(app)
    return app
