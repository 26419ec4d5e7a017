"""The web application: what is in it and in which order it looks at a request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from console import __version__
from console.access import views as access_views
from console.access.rules import Permission
from console.actions import api as actions_api
from console.actions import views as actions_views
from console.config import RESOURCES, settings
from console.deploys import api as deploys_api
from console.deploys import views as deploys_views
from console.dispatch import views as dispatch_views
from console.failures import api as failures_api
from console.failures import views as failures_views
from console.files import api as files_api
from console.files import views as files_views
from console.jobs import groups
from console.jobs import one_api as jobs_api
from console.jobs import one_views as jobs_views
from console.jobs.search import api as searches_api
from console.jobs.search import views as search_views
from console.logs import api as logs_api
from console.logs import views as logs_views
from console.metrics import views as metrics_views
from console.observe import api as observe_api
from console.overview import views as overview_views
from console.queues import api as queues_api
from console.schedules import api as schedules_api
from console.schedules import blackout_api, blackout_views, calendar_api, calendar_views
from console.schedules import views as schedules_views
from console.web import (
    bodies,
    compression,
    database,
    filters,
    health,
    limits,
    live_view,
    openapi_view,
    pages,
    security,
    start,
    static,
)
from console.web.permissions import may
from console.workers import api as workers_api

API_BLUEPRINTS = (
    jobs_api.blueprint, searches_api.blueprint, logs_api.blueprint, queues_api.blueprint, workers_api.blueprint,
    observe_api.blueprint, files_api.blueprint, failures_api.blueprint, deploys_api.blueprint, actions_api.blueprint,
    schedules_api.blueprint, calendar_api.blueprint, blackout_api.blueprint,
    openapi_view.blueprint,
)
PAGE_BLUEPRINTS = (
    search_views.blueprint, jobs_views.blueprint, logs_views.blueprint, dispatch_views.blueprint, files_views.blueprint,
    overview_views.blueprint, health.blueprint, metrics_views.blueprint, failures_views.blueprint,
    deploys_views.blueprint, actions_views.blueprint, schedules_views.blueprint,
    calendar_views.blueprint, blackout_views.blueprint,
)
PLACES = ("overview.index", "jobs.index", "failures.index", "schedules.index", "access.account")
"""The navigation, in its order."""


def create_app(configure: Callable[[Flask], Any] | None = None) -> Flask:
    """The application on the settings in force. `configure` may change Flask's configuration before it is used."""
    logging.basicConfig(level=settings().log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = Flask(
        "celeriac", template_folder=str(RESOURCES / "templates"), static_folder=str(RESOURCES / "static"),
        root_path=str(RESOURCES),
    )
    app.config.from_mapping(_configuration())
    if configure is not None:
        configure(app)
    if settings().trusted_proxies:
        hops = settings().trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops)  # type: ignore[method-assign]
    _add_kit(app)
    for blueprint in (*PAGE_BLUEPRINTS, *API_BLUEPRINTS):
        app.register_blueprint(blueprint)
    app.register_blueprint(live_view.blueprint_for(_permission_of))
    return app


def _permission_of(topic: str) -> Permission | None:
    """What one may see of the page a topic belongs to."""
    if topic == "overview":
        return Permission.OVERVIEW_READ
    if topic == groups.TOPIC:
        return Permission.FAILURES_READ
    if topic == "schedules":
        return Permission.SCHEDULES_READ
    return Permission.JOBS_READ if topic in ("jobs", "actions") or topic.startswith("job:") else None


def _configuration() -> dict[str, Any]:
    return {
        "SECRET_KEY": settings().secret(),
        "SESSION_COOKIE_NAME": "celeriac",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings().secure_cookies,
        "WTF_CSRF_TIME_LIMIT": None,  # a form lives as long as its session
        "WTF_CSRF_SSL_STRICT": False,
    }


def _add_kit(app: Flask) -> None:
    """What every page is made of. The check of permissions comes before that of form tokens."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(may=may, version=__version__)
    bodies.init_app(app)
    database.init_app(app)
    limits.init_app(app)
    filters.init_app(app)
    static.init_app(app)
    compression.init_app(app)
    security.init_app(app)
    pages.init_app(app)
    start.init_app(app, PLACES)
    access_views.init_app(app)
    csrf = CSRFProtect(app)
    for blueprint in API_BLUEPRINTS:  # a token in a header is sent by no browser of itself
        csrf.exempt(blueprint)
        limits.limit_api(blueprint)
