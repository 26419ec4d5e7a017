"""Names of what Celeriac adds to a Celery message."""

RUN_HEADER = "celeriac_run"
"""How often the job had been delivered again or replaced when this message was published."""
