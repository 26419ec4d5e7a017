"""Signing in and out, and everybody's own account page."""

from __future__ import annotations

import secrets

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from console.access import queries, service
from console.access.forms import PasswordForm, SignInForm, safe_next
from console.access.models import User
from console.access.rules import GRANTS, Role
from console.actor import Actor
from console.db import begin_write
from console.errors import InvalidInput
from console.web import database, permissions, start
from console.web.limits import limiter
from console.web.permissions import Visitor, current_actor, public, signed_in

SIGN_IN_LIMITS = "10 per minute; 60 per hour"
"""Per network address, successes included; `SIGN_IN_LIMITS_EMAIL` holds across all networks."""
SIGN_IN_LIMITS_EMAIL = "20 per 15 minutes"

blueprint = Blueprint("access", __name__)


class Member(UserMixin):
    """The signed-in person, as Flask-Login and the templates see them. Their id in the cookie ends with a password."""

    def __init__(self, user: User) -> None:
        self.email = user.email
        self.role = user.role
        self.password_is_initial = user.password_is_initial
        self._id = f"{user.id}.{user.session_key}"

    def get_id(self) -> str:
        """What the session cookie carries."""
        return self._id


class AccessGate:
    """Tells the web kit who makes a request."""

    def person(self) -> Visitor | None:
        """Whoever is signed in."""
        if not current_user.is_authenticated:
            return None
        actor = Actor(current_user.email, current_user.role, request.remote_addr)
        return Visitor(actor, frozenset(map(str, GRANTS.get(Role(current_user.role), ()))))

    def bearer(self, token: str) -> Visitor | None:
        """Whoever the token was made for; when it was used last is kept, to the minute."""
        session = database.session()
        holder = service.actor_for_token(session, token, request.remote_addr)
        session.rollback()  # what comes next may be a transaction that writes
        if holder is None:
            return None
        if not holder.is_noted:
            service.note_use(begin_write(session), holder.token_id)
            session.commit()
        return Visitor(holder.actor, holder.grants)


def init_app(app: Flask) -> None:
    """Sessions, and what opens with them."""
    manager = LoginManager(app)
    manager.session_protection = None  # a session ends with a new password, not with a new network
    manager.user_loader(_load)
    permissions.init_app(app, AccessGate())
    app.context_processor(lambda: {"me": current_user if current_user.is_authenticated else None})
    app.register_blueprint(blueprint)


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
@limiter.limit(SIGN_IN_LIMITS, methods=["POST"])
@limiter.limit(SIGN_IN_LIMITS_EMAIL, methods=["POST"], key_func=lambda: f"email:{_typed_email()}")
def sign_in() -> tuple[str, int] | Response:
    """The form, and what was typed into it."""
    form = SignInForm()
    if request.method == "GET":
        form.next.data = request.args.get("next", "")
        if current_user.is_authenticated:
            return redirect(safe_next(form.next.data or start.ADDRESS))
        return render_template("access/sign_in.html", form=form), 200
    if form.validate_on_submit() and _signed_in(form):
        return redirect(safe_next(form.next.data or start.ADDRESS))
    return render_template("access/sign_in.html", form=form), 422


@blueprint.post("/sign-out")
@signed_in
def sign_out() -> Response:
    """Ends this session; those on other machines go on."""
    logout_user()
    return redirect(url_for("access.sign_in"))


@blueprint.route("/account", methods=["GET", "POST"])
@signed_in
def account() -> tuple[str, int] | Response:
    """Who I am, and my password."""
    form = PasswordForm()
    if request.method == "POST" and form.validate_on_submit() and _password_changed(form):
        return redirect(url_for("access.account", saved=1))
    status = 200 if request.method == "GET" else 422
    return render_template("access/account.html", form=form, saved="saved" in request.args), status


def _load(member_id: str) -> Member | None:
    user_id, _, session_key = member_id.partition(".")
    session = database.session()
    user = queries.person_by_id(session, user_id)
    known = user is not None and user.active and secrets.compare_digest(user.session_key, session_key)
    member = Member(user) if user is not None and known else None
    session.rollback()  # what comes next may be a transaction that writes
    return member


def _signed_in(form: SignInForm) -> bool:
    """Signs the person in, or says in the form that nobody has that address and password."""
    session = begin_write(database.session())
    user = service.authenticate(session, form.email.data, form.password.data)
    session.commit()
    if user is None:
        form.form_errors.append("That address and password do not belong together.")
        return False
    login_user(Member(user))
    return True


def _password_changed(form: PasswordForm) -> bool:
    """Changes it and keeps this session signed in, while all others end."""
    session = begin_write(database.session())
    actor = current_actor()
    try:
        service.change_password(session, actor, actor.name, form.current_password.data, form.new_password.data)
    except InvalidInput as error:
        _show(error, form)
        return False
    session.commit()
    user = queries.person_by_email(session, actor.name)
    if user is not None:
        login_user(Member(user))
    return True


def _show(error: InvalidInput, form: FlaskForm) -> None:
    """Puts each message beside its field."""
    for problem in error.errors:
        name = "new_password" if problem["field"] == "password" else problem["field"]
        form[name].errors = (*form[name].errors, problem["message"])


def _typed_email() -> str:
    return str(request.form.get("email", "")).strip().lower()[:254]
