"""The Celery side. `celery -A tasks worker` and `celery -A tasks beat` work as Celery users expect."""

from tasks.app import app
from tasks.types import load

load()
celery = app

__all__ = ["app", "celery"]
