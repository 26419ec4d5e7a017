"""The application for any WSGI server: `gunicorn --worker-class gthread --threads 64 wsgi:app`."""

import tasks  # noqa: F401 - registers the job types
from console.app import create_app

app = create_app()
