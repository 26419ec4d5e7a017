"""Reads of deploy marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.deploys.models import Deploy

MOST = 500
CAUSE_WITHIN = timedelta(hours=24)
"""What appears later than this after a deploy is not put down to it."""


@dataclass(frozen=True, slots=True)
class DeployView:
    """A version that went live."""

    id: str
    version: str
    at: datetime
    note: str | None
    added_by: str


def list_deploys(session: Session, since: datetime | None = None, limit: int = 50) -> list[DeployView]:
    """The newest deploys first; `limit` up to `MOST`."""
    query = select(Deploy).order_by(Deploy.at.desc(), Deploy.id.desc()).limit(max(1, min(limit, MOST)))
    if since is not None:
        query = query.where(Deploy.at >= since)
    return [_view(row) for row in session.scalars(query)]


def deploy_before(session: Session, at: datetime) -> DeployView | None:
    """The deploy that something which appeared at that time may come from: the latest within `CAUSE_WITHIN` before."""
    query = select(Deploy).where(Deploy.at <= at, Deploy.at > at - CAUSE_WITHIN).order_by(Deploy.at.desc()).limit(1)
    found = session.scalar(query)
    return None if found is None else _view(found)


def marks(session: Session, since: datetime) -> list[dict[str, Any]]:
    """The deploys since then, oldest first, as `static/js/chart.js` draws them; times in ms since 1970."""
    found = list_deploys(session, since, limit=100)
    return [{"at": clock.to_ms(one.at), "version": one.version} for one in reversed(found)]


def _view(row: Deploy) -> DeployView:
    return DeployView(row.id, row.version, row.at, row.note, row.added_by)
