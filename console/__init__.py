"""Celeriac, the operations console for Celery."""

__version__ = "0.1.0"
