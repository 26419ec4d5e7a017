"""What people type to sign in and on their account page."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from console.access.service import PASSWORD_LEAST, PASSWORD_MOST


class SignInForm(FlaskForm):
    """Address and password. `next` is where the person wanted to go."""

    email = StringField("Email", [InputRequired("Type your address."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Type your password."), Length(max=1_000)])
    next = HiddenField()


class PasswordForm(FlaskForm):
    """A new password; the present one proves that it is the person who asks."""

    current_password = PasswordField("Present password", [InputRequired("Type your present password.")])
    new_password = PasswordField(
        "New password",
        [Length(PASSWORD_LEAST, PASSWORD_MOST, f"Use {PASSWORD_LEAST} to {PASSWORD_MOST} characters.")],
    )
    repeat_password = PasswordField(
        "New password again", [EqualTo("new_password", "The two new passwords differ.")]
    )


def safe_next(target: str) -> str:
    """`target` when it is an address within this console, else "/": a link must not lead from here elsewhere."""
    parts = urlsplit(target)
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\")) and not (parts.scheme or parts.netloc)
    return target if is_ours and target.isprintable() and "\\" not in target else "/"
